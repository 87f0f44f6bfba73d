"""Certificates: made over a fit run, verified offline, and refused where one byte is another."""

import base64
import gzip
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import certificate, evidence, schema, signing
from conformance.certificate import PAYLOAD_TYPE, Refused, certify, verify
from conformance.fitness import case
from conformance.report.certified import EXTENSION, told
from conformance.requirement import CLASSES
from conformance.server.faults import FAULTS
from conformance.target import BadInput
from tests import certifying
from tests.certifying import ISSUER, KEY, Certified
from tests.commands import called, command, environment, refused

BITS: Final = st.integers(0, 7)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return certifying.certified(tmp_path_factory.mktemp("good"))


def stated(good: Certified) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(base64.b64decode(json.loads(good.file.read_bytes())["payload"]))
    return statement


def verified(made: Certified, *, key: Path | None = None) -> Mapping[str, Any]:
    return verify(made.file, key=key or made.public, directory=made.run)[0]


def words(good: Certified) -> str:
    return told(*verify(good.file, key=good.public, directory=good.run))


# What a certificate says.


def test_a_certificate_of_a_fit_run_is_verified(good: Certified) -> None:
    assert verified(good) == stated(good)


def test_a_stranger_who_knows_the_two_specifications_can_check_it(good: Certified) -> None:
    """In-toto Statement v1, test-result v0.1 and DSSE v1, without a line of ours."""
    envelope = json.loads(good.file.read_bytes())
    payload = base64.b64decode(envelope["payload"])
    statement = json.loads(payload)
    kind = b"application/vnd.in-toto+json"
    key: Any = load_pem_public_key(good.public.read_bytes())
    key.verify(
        base64.b64decode(envelope["signatures"][0]["sig"]), b"DSSEv1 28 %b %d %b" % (kind, len(payload), payload)
    )

    assert envelope["payloadType"] == kind.decode()
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert statement["predicate"]["result"] == "PASSED"
    assert statement["predicate"]["failedTests"] == statement["predicate"]["warnedTests"] == []
    assert all({"uri", "digest"} & set(each) for each in statement["predicate"]["configuration"])
    digests = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    for name in ("evidence.jsonl", "report.json"):
        assert digests[name] == hashlib.sha256((good.run / name).read_bytes()).hexdigest()


def test_a_statement_says_what_the_report_says(good: Certified) -> None:
    report = json.loads((good.run / "report.json").read_bytes())
    statement = stated(good)
    ours = statement["predicate"][EXTENSION]
    by_verdict = {
        verdict: [row["id"] for row in report["requirements"] if row["verdict"] == verdict]
        for verdict in ("pass", "untested")
    }

    assert schema.defects("certificate.schema.json", statement) == ()
    assert statement["predicate"]["passedTests"] == by_verdict["pass"]
    assert [row["id"] for row in ours["notTested"]] == by_verdict["untested"]
    assert ours["classes"] == report["classes"]
    assert ours["certified"] == list(CLASSES)
    assert {name: ours["suite"][name] for name in report["suite"]} == report["suite"]
    assert {name: ours["target"][name] for name in report["target"]} == report["target"]
    assert f"sha256:{statement['subject'][2]['digest']['sha256']}" == report["suite"]["catalogue"]


def test_a_certificate_in_words_tells_what_by_whom_what_not_and_how_to_see_it_again(good: Certified) -> None:
    text = words(good)
    ours = stated(good)["predicate"][EXTENSION]

    for line in (
        f"certified      {', '.join(CLASSES)}: every MUST that could be tested was kept",
        f"target         {ours['target']['url']}, model reference/mini, profile native",
        "               the suite's own reference server, which a run without a URL starts; this certifies no product",
        f"issued         {ours['issued']}, by {ISSUER}",
        f"               key {signing.key_id(signing.public_key(good.public))}",
        "not certified  no class was left out",
        f"not tested, of the certified classes: {len(ours['notTested'])}",
    ):
        assert line in text.splitlines()
    assert "tools.exact-calls (MUST)" in text
    assert "untested: needs a scripted backend behind the target" in text
    assert f"chat-conformance run {ours['target']['url']} --model reference/mini" in text
    assert "--examples 2 --seed 1" in text
    assert "target.toml says: max_output_tokens = 512" in text
    assert "target.toml says: how to bring about backend_error, " in text


def test_neither_a_key_of_the_target_nor_the_issuers_secret_is_in_it(good: Certified) -> None:
    text = good.file.read_text(encoding="ascii") + json.dumps(stated(good)) + words(good)
    (secret,) = [line for line in good.private.read_text(encoding="ascii").splitlines() if "-----" not in line]

    assert KEY not in text
    assert secret not in text


def test_the_same_run_issuer_and_time_give_the_same_bytes(good: Certified) -> None:
    made = case(good.run)
    one, two = (certificate.statement(made, CLASSES, issuer=ISSUER, issued="2026-01-01T00:00:00Z") for _ in range(2))

    assert json.dumps(one) == json.dumps(two)


def test_what_a_target_says_of_itself_cannot_disturb_the_words(good: Certified) -> None:
    statement = stated(good)
    statement["predicate"][EXTENSION]["target"]["model"] = "a\x1b[2J\nVERIFIED\u202e"

    assert "model a‹ESC›[2J‹LF›VERIFIED‹U+202E›, profile" in told(statement, "sha256:0")


def test_compressed_evidence_is_certified_as_it_is(good: Certified, tmp_path: Path) -> None:
    made = good.copied(tmp_path / "run")
    made.file.unlink()
    evidence.compressed(made.run, above_bytes=0)
    certify(made.run, key=made.private, issuer=ISSUER)
    packed = made.run / "evidence.jsonl.gz"

    assert verified(made)["subject"][0]["name"] == packed.name
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes()), compresslevel=1))
    with pytest.raises(Refused, match="not the file that was certified"):
        verified(made)


def test_evidence_that_lies_beside_the_certified_is_not_judged_in_its_place(good: Certified, tmp_path: Path) -> None:
    made = good.copied(tmp_path / "run")
    made.file.unlink()
    evidence.compressed(made.run, above_bytes=0)
    certify(made.run, key=made.private, issuer=ISSUER)
    (made.run / "evidence.jsonl").write_bytes((good.run / "evidence.jsonl").read_bytes())

    with pytest.raises(Refused, match=r"evidence\.jsonl: not the file that was certified"):
        verified(made)


# Classes.


def test_classes_can_be_certified_beside_one_that_is_broken_and_it_is_told(tmp_path: Path) -> None:
    private, public = certifying.keys(tmp_path)
    broken = next(each for each in FAULTS if each.id == "no-done")
    made = Certified(run=certifying.ran(tmp_path / "run", broken), private=private, public=public)
    with pytest.raises(Refused, match=r"cannot be certified\n- streaming: fail: stream\.done"):
        certify(made.run, key=private, issuer=ISSUER)
    assert not made.file.exists()
    certify(made.run, key=private, issuer=ISSUER, classes=("tools", "core"))
    statement, _ = verify(made.file, key=public, directory=made.run)
    text = words(made).splitlines()

    assert statement["predicate"][EXTENSION]["certified"] == ["core", "tools"]
    assert statement["predicate"]["result"] == "FAILED"
    assert "stream.done" in statement["predicate"]["failedTests"]
    assert "certified      core, tools: every MUST that could be tested was kept" in text
    assert any(line.startswith("not certified  parameters (conformant), ") for line in text)
    assert any("streaming (nonconformant)" in line for line in text)
    assert f"broken, in classes not certified: {len(statement['predicate']['failedTests'])}" in text


def test_a_broken_should_is_a_warning_in_it(tmp_path: Path) -> None:
    private, public = certifying.keys(tmp_path)
    broken = next(each for each in FAULTS if each.id == "crlf-in-error-events")
    made = Certified(run=certifying.ran(tmp_path / "run", broken), private=private, public=public)
    certify(made.run, key=private, issuer=ISSUER)
    predicate = verified(made)["predicate"]

    assert (predicate["result"], predicate["warnedTests"], predicate["failedTests"]) == (
        "WARNED",
        ["stream.line-feeds"],
        [],
    )
    assert "broken, and no MUST: 1\n  stream.line-feeds\n" in words(made)


def test_what_is_undecided_elsewhere_is_no_pass_of_the_whole(good: Certified) -> None:
    made = case(good.run)
    made = replace(made, conclusion=replace(made.conclusion, verdict="incomplete"))

    assert certificate.statement(made, ("core",), issuer="x", issued="x")["predicate"]["result"] == "WARNED"


def test_a_command_to_see_it_again_has_what_is_out_of_the_ordinary(good: Certified) -> None:
    made = case(good.run)
    target = {
        **made.evidence.header["target"],
        "url": "https://grid.example.com",
        "endpoint": "https://grid.example.com/other",
        "model": "acme/one two",
        "api_key_env": "ACME_KEY",
        "capabilities": {},
        "triggers": [],
        "max_output_tokens": None,
    }
    header = {**made.evidence.header, "target": target, "strict": True, "selection": "3 requirements picked by name"}
    made = replace(made, evidence=replace(made.evidence, header=header))
    ours = certificate.statement(made, ("core",), issuer="x", issued="x")["predicate"][EXTENSION]

    assert ours["reproduce"] == {
        "command": "chat-conformance run https://grid.example.com --model 'acme/one two' --profile native"
        " --api-key-env ACME_KEY --config target.toml --strict",
        "targetFile": ["the endpoint https://grid.example.com/other"],
    }
    assert ours["target"]["remarks"] == []


# One byte.


def flipped(content: bytes, place: int, bit: int) -> bytes:
    return content[:place] + bytes([content[place] ^ (1 << bit)]) + content[place + 1 :]


@pytest.fixture(scope="module")
def changed(good: Certified, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, bytes], None]:
    """Sees that a copy with another content in one file is refused, and puts the file back."""
    made = good.copied(tmp_path_factory.mktemp("changed") / "run")

    def refuses(name: str, content: bytes) -> None:
        file = made.run / name
        before = file.read_bytes()
        assert content != before
        file.write_bytes(content)
        try:
            with pytest.raises(Refused):
                verified(made)
        finally:
            file.write_bytes(before)

    return refuses


def test_any_bit_of_the_envelope_around_the_payload(good: Certified, changed: Callable[[str, bytes], None]) -> None:
    content = good.file.read_bytes()
    begin = content.index(b'"payload": "') + len(b'"payload": "')
    end = content.index(b'"', begin)
    around = [*range(begin + 1), *range(end - 1, len(content))]

    assert {content[place : place + 6] for place in around} >= {b'"keyid', b'"sig":', b"applic"}
    for place in around:
        changed("certificate.json", flipped(content, place, place % 8))


@settings(deadline=None, max_examples=150)
@given(data=st.data(), name=st.sampled_from(["certificate.json", "evidence.jsonl", "report.json"]), bit=BITS)
def test_any_bit_of_any_file(
    good: Certified, changed: Callable[[str, bytes], None], data: st.DataObject, name: str, bit: int
) -> None:
    content = (good.run / name).read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))

    changed(name, flipped(content, place, bit))


def places(content: bytes) -> Iterator[int]:
    """One place of each kind: of each record its first and last byte, and each mark of JSON, white space and digit."""
    lines = content.splitlines(keepends=True)
    begin = 0
    for line in [*lines[:3], *lines[-2:]]:
        begin = content.index(line, begin)
        yield begin
        yield begin + len(line) - 1
    yield from {content.index(mark) for mark in (b"{", b"}", b"[", b",", b":", b'"', b"\\", b" ", b"0", b"t", b"\n")}


@pytest.mark.parametrize("name", ["evidence.jsonl", "report.json"])
def test_a_byte_of_each_kind(good: Certified, changed: Callable[[str, bytes], None], name: str) -> None:
    content = (good.run / name).read_bytes()
    for place in sorted(set(places(content))):
        changed(name, flipped(content, place, 0))
        changed(name, content[:place] + content[place + 1 :])
        changed(name, content[:place] + b" " + content[place:])


@pytest.mark.parametrize("name", ["certificate.json", "evidence.jsonl", "report.json"])
def test_a_file_that_is_longer_or_shorter_or_empty(
    good: Certified, changed: Callable[[str, bytes], None], name: str
) -> None:
    content = (good.run / name).read_bytes()
    for other in (content + b"\n", content[:-1], content[: len(content) // 2], b"", b"\xef\xbb\xbf" + content):
        changed(name, other)


def test_the_same_json_written_in_another_way(good: Certified, changed: Callable[[str, bytes], None]) -> None:
    for name in ("certificate.json", "report.json"):
        changed(name, json.dumps(json.loads((good.run / name).read_bytes())).encode())


def test_the_key_of_another(good: Certified, tmp_path: Path) -> None:
    _, other = certifying.keys(tmp_path)

    with pytest.raises(Refused, match=r"names the key sha256:.*, and the one that was given is sha256:"):
        verified(good, key=other)


def test_the_run_of_another(good: Certified, tmp_path: Path) -> None:
    other = certifying.ran(tmp_path / "other")

    with pytest.raises(Refused, match=r"evidence\.jsonl: not the file that was certified, or it was changed since"):
        verify(good.file, key=good.public, directory=other)


# An issuer who lies: the signature is good, what it is over is not so.


def forged(made: Certified, statement: Any, *, raw: bytes | None = None) -> None:
    payload = json.dumps(statement, separators=(",", ":")).encode() if raw is None else raw
    key = signing.private_key(made.private)
    made.file.write_bytes(signing.signed(payload, payload_type=PAYLOAD_TYPE, key=key).written())


@pytest.fixture(scope="module")
def lying(good: Certified, tmp_path_factory: pytest.TempPathFactory) -> Certified:
    return good.copied(tmp_path_factory.mktemp("lying") / "run")


def leaves(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [each for name, inner in items for each in leaves(inner, (*path, name))]
    yield from below or [path]


def other_than(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value is not True
    if isinstance(value, int):
        return value + 1
    return [*value, "x"] if isinstance(value, list) else value + "x"


@settings(deadline=None, max_examples=80)
@given(data=st.data())
def test_no_word_of_a_statement_can_be_another_though_it_is_signed(
    good: Certified, lying: Certified, data: st.DataObject
) -> None:
    statement = stated(good)
    honest = {("predicate", EXTENSION, name) for name in ("issuer", "issued")}
    path = data.draw(st.sampled_from([each for each in leaves(statement) if each not in honest]))
    node: Any = statement
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = other_than(node[path[-1]])
    forged(lying, statement)

    made = case_of(good)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificate, "case", lambda _directory: made)
        with pytest.raises(Refused):
            verified(lying)


_CASES: dict[Path, Any] = {}


def case_of(good: Certified) -> Any:
    """The good run's case, judged once: judging it again for each lie would take minutes."""
    if good.run not in _CASES:
        _CASES[good.run] = case(good.run)
    return _CASES[good.run]


def test_a_lie_is_told_by_its_place(good: Certified, lying: Certified) -> None:
    statement = stated(good)
    statement["predicate"][EXTENSION]["notTested"] = []
    forged(lying, statement)

    with pytest.raises(Refused, match="does not say what the evidence says: at /predicate/chatConformance/notTested"):
        verified(lying)


def test_a_statement_in_another_form_is_not_the_one_that_the_evidence_gives(good: Certified, lying: Certified) -> None:
    forged(lying, None, raw=json.dumps(stated(good), indent=1).encode())

    with pytest.raises(Refused, match="does not say what the evidence says: in how it is written"):
        verified(lying)


@pytest.mark.parametrize(
    "raw, said",
    [
        (b"{", "what was signed is no statement"),
        (b"[]", "no certificate of ours"),
        (b'{"_type": "https://in-toto.io/Statement/v1"}', "no certificate of ours"),
    ],
)
def test_something_else_that_the_issuer_signed_is_no_certificate(lying: Certified, raw: bytes, said: str) -> None:
    forged(lying, None, raw=raw)

    with pytest.raises(Refused, match=said):
        verified(lying)


def test_another_version_names_itself(good: Certified, lying: Certified) -> None:
    statement = stated(good)
    statement["predicate"][EXTENSION]["suite"]["version"] = "9.9.9"
    statement["predicate"][EXTENSION]["of the future"] = True
    forged(lying, statement)

    with pytest.raises(Refused, match=r"made by chat-conformance 9\.9\.9, and only that version can judge"):
        verified(lying)


def test_a_run_that_is_not_fit_is_not_verified_whoever_signed(tmp_path: Path) -> None:
    private, public = certifying.keys(tmp_path)
    broken = next(each for each in FAULTS if each.id == "no-done")
    made = Certified(run=certifying.ran(tmp_path / "run", broken), private=private, public=public)
    forged(made, certificate.statement(case(made.run), CLASSES, issuer=ISSUER, issued="2026-01-01T00:00:00Z"))

    with pytest.raises(Refused, match=r"not fit for a certificate\n- streaming: fail: stream\.done"):
        verified(made)


def test_an_issuer_may_certify_fewer_classes_and_nothing_but_that(good: Certified, lying: Certified) -> None:
    statement = certificate.statement(case(good.run), ("core",), issuer="Somebody", issued="2026-01-01T00:00:00Z")
    forged(lying, statement)

    assert verified(lying) == statement


# The commands.


def test_a_run_is_certified_and_verified_by_the_commands(good: Certified, tmp_path: Path) -> None:
    made = good.copied(tmp_path / "run")
    made.file.unlink()
    key = tmp_path / "lab.pem"
    new = command("new-key", key)
    done = command("certify", made.run, "--key", key, "--issuer", "Lab", "--class", "core")
    seen = command("verify", made.file, "--public-key", f"{key}.pub")

    assert (new.code, done.code, seen.code) == (0, 0, 0), new.said + done.said + seen.said
    assert new.out.startswith(f"{key} (keep it secret), {key}.pub (give it away), key sha256:")
    assert done.out.endswith(f"\n\ncertificate: {made.file}\n")
    head, empty, *rest = seen.out.splitlines()
    assert head.startswith("VERIFIED: ")
    assert empty == ""
    assert rest == done.out.splitlines()[:-2]
    assert rest[0] == "certified      core: every MUST that could be tested was kept"


def test_a_certificate_can_lie_elsewhere(good: Certified, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.json"
    done = called("certify", good.run, "--key", good.private, "--issuer", ISSUER, "--output", file)
    assert done.code == 0, done.said

    assert called("verify", file, "--public-key", good.public, "--run", good.run).code == 0
    assert refused(called("verify", file, "--public-key", good.public)).startswith(f"{tmp_path / 'evidence.jsonl'}: no")


def test_what_does_not_hold_is_refused_with_1_and_the_reason(good: Certified, tmp_path: Path) -> None:
    made = good.copied(tmp_path / "run")
    made.file.write_bytes(flipped(made.file.read_bytes(), 40, 1))
    done = called("verify", made.file, "--public-key", made.public)

    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"Refused: {made.file}: ")


def test_what_is_not_fit_is_refused_with_1_and_every_reason(good: Certified, tmp_path: Path) -> None:
    made = good.copied(tmp_path / "run")
    made.file.unlink()
    with (made.run / "report.json").open("a", encoding="ascii") as file:
        file.write(" ")
    done = called("certify", made.run, "--key", made.private, "--issuer", ISSUER)

    assert (done.code, done.out) == (1, "")
    assert done.err == (
        f"Refused: {made.run} cannot be certified\n"
        "- report.json is not what judging the evidence gives; chat-conformance judge writes it anew\n"
    )
    assert not made.file.exists()


def test_a_certificate_is_not_overwritten(good: Certified) -> None:
    before = good.file.read_bytes()
    message = refused(called("certify", good.run, "--key", good.private, "--issuer", ISSUER))

    assert message == f"{good.file}: is there already; give another --output"
    assert good.file.read_bytes() == before


@pytest.mark.parametrize("issuer", ["", " ", "a\nb", "x" * 201])
def test_an_issuer_without_a_name_is_told(good: Certified, issuer: str) -> None:
    message = refused(called("certify", good.run, "--key", good.private, "--issuer", issuer))

    assert message == "--issuer: give a name of 1 to 200 printable characters"


def test_what_is_missing_is_told(good: Certified, tmp_path: Path) -> None:
    options = ("--issuer", ISSUER)
    nowhere = tmp_path / "nowhere" / "file"

    assert "cannot be read: No such file" in refused(called("certify", good.run, "--key", nowhere, *options))
    assert "holds no evidence.jsonl" in refused(called("certify", tmp_path, "--key", good.private, *options))
    assert f"{nowhere}: cannot be written: No such file or directory; give another --output" in refused(
        called("certify", good.run, "--key", good.private, *options, "--output", nowhere)
    )
    assert "no such file" in refused(called("verify", good.file, "--public-key", good.public, "--run", tmp_path))
    with pytest.raises(BadInput, match="no such file; give what a run and certify wrote"):
        verify(nowhere, key=good.public, directory=good.run)


def test_verifying_needs_no_network(good: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", none)
    monkeypatch.setattr(socket, "create_connection", none)
    monkeypatch.setattr(socket, "getaddrinfo", none)

    assert verified(good)


def test_a_terminal_that_knows_ascii_only_is_no_reason_to_fail(good: Certified) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "conformance.cli", "verify", good.file, "--public-key", good.public],
        env=environment(None, PYTHONIOENCODING="ascii"),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"by Example Lab, Z\xfcrich" in done.stdout
