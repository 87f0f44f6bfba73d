"""Certificates: whether a run is fit for one, what it says, and whether what it says is so.

A certificate is an in-toto statement (predicate test-result) in a signed envelope. It is a function of the run's
directory, of who issues it and of when. So to verify one is to make it again, offline, and to compare the bytes.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import __version__, evidence, schema
from conformance.document import NotJson, at, parse
from conformance.finding import DECIDED, Finding, Verdict, gates
from conformance.fitness import Case, case, content_of, spoken_of, unfit
from conformance.frozen import working
from conformance.report.certified import EXTENSION
from conformance.requirement import CLASSES
from conformance.signing import Envelope, NotSigned, check, private_key, public_key, sha256, signed
from conformance.target import DEFAULT_KEY_VARIABLE, BadInput, Target

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
FORMAT: Final = "chat-conformance-certificate/1"
NAME: Final = "certificate.json"
_LONGEST_ISSUER: Final = 200  # characters


class Refused(ValueError):
    """A run that is not fit for a certificate, or a certificate that does not hold; the message says why."""


def certify(
    directory: Path, *, key: Path, issuer: str, classes: Sequence[str] = (), output: Path | None = None
) -> tuple[Path, Mapping[str, Any], str]:
    """A certificate, written; its file, its statement and the id of the key.

    Args:
        directory: a run's.
        key: the file of the issuer's private key.
        issuer: who vouches, in words.
        classes: what to certify; without any, every class that the run says something of.
        output: the file to write; by default `certificate.json` in the run's directory.

    Raises:
        BadInput: a file cannot be read or written, the key is none, or the issuer has no name.
        Refused: the run is not fit.
    """
    if not issuer.strip() or not issuer.isprintable() or len(issuer) > _LONGEST_ISSUER:
        raise BadInput(f"--issuer: give a name of 1 to {_LONGEST_ISSUER} printable characters")
    secret = private_key(key)
    made = case(directory)
    chosen = tuple(name for name in CLASSES if name in classes) or spoken_of(made)
    if reasons := list(unfit(made, chosen)):
        raise Refused(f"{directory} cannot be certified\n" + "\n".join(f"- {reason}" for reason in reasons))
    stated = statement(made, chosen, issuer=issuer, issued=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
    place = output or directory / NAME
    envelope = signed(_bytes(stated), payload_type=PAYLOAD_TYPE, key=secret)
    try:
        with place.open("xb") as new:
            new.write(envelope.written())
    except FileExistsError:
        raise BadInput(f"{place}: is there already; give another --output") from None
    except OSError as error:
        raise BadInput(f"{place}: cannot be written: {error.strerror}; give another --output") from None
    return place, stated, envelope.key_id


def verify(file: Path, *, key: Path, directory: Path) -> tuple[Mapping[str, Any], str]:
    """The statement and the key id of a certificate that holds: signature, digests, fitness and verdicts.

    Args:
        file: the certificate.
        key: the file of the issuer's public key.
        directory: the certified run's.

    Raises:
        BadInput: a file is missing, or the key is none.
        Refused: it does not hold.
    """
    public = public_key(key)
    content = content_of(file)
    try:
        envelope = Envelope.read(content, payload_type=PAYLOAD_TYPE)
        check(envelope, public)
    except NotSigned as reason:
        raise Refused(f"{file}: {reason}") from None
    stated = _stated(envelope, file)
    _compare_digests(stated, directory)
    made = case(directory)
    ours = stated["predicate"][EXTENSION]
    if reasons := list(unfit(made, ours["certified"])):
        raise Refused(
            f"{file}: the run is not fit for a certificate\n" + "\n".join(f"- {reason}" for reason in reasons)
        )
    again = statement(made, ours["certified"], issuer=ours["issuer"], issued=ours["issued"])
    if _bytes(again) != envelope.payload:
        raise Refused(f"{file}: it does not say what the evidence says: {_difference(stated, again)}")
    return stated, envelope.key_id


def _stated(envelope: Envelope, file: Path) -> Mapping[str, Any]:
    """The statement in a signed envelope, where this version can make it again."""
    try:
        stated: Mapping[str, Any] = parse(envelope.payload)
    except NotJson as error:
        raise Refused(f"{file}: what was signed is no statement: {error}") from None
    version = at(stated, f"/predicate/{EXTENSION}/suite/version")
    if isinstance(version, str) and version != __version__:
        raise Refused(
            f"{file}: made by chat-conformance {version}, and only that version can judge the evidence as it did;"
            f" this one is {__version__}"
        )
    if wrong := schema.defects("certificate.schema.json", stated):
        raise Refused(f"{file}: what was signed is no certificate of ours: {wrong[0].pointer}: {wrong[0].message}")
    return stated


def _compare_digests(stated: Mapping[str, Any], directory: Path) -> None:
    digests = {subject["name"]: subject["digest"] for subject in stated["subject"]}
    for file in (evidence.stored(directory), directory / "report.json"):
        if digests.get(file.name) != sha256(content_of(file)):
            raise Refused(f"{file}: not the file that was certified, or it was changed since")


def _difference(stated: Any, again: Any, place: str = "") -> str:
    """Where two statements differ first, as a JSON pointer."""
    if isinstance(stated, Mapping) and isinstance(again, Mapping):
        for name in {**stated, **again}:
            if stated.get(name) != again.get(name):
                return _difference(stated.get(name), again.get(name), f"{place}/{name}")
    return f"at {place}" if place else "in how it is written"


# What it says.


def statement(made: Case, classes: Sequence[str], *, issuer: str, issued: str) -> dict[str, Any]:
    """The in-toto statement over a fit run (its schema: `certificate.schema.json`)."""
    kept, conclusion = made.evidence, made.conclusion
    held = working()
    catalogue = {"sha256": held["catalogue"].removeprefix("sha256:")}
    target = kept.header["target"]
    findings = conclusion.findings
    failed = [finding for finding in findings if finding.verdict is Verdict.FAIL]
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": made.file.name, "digest": sha256(made.content)},
            {"name": "report.json", "digest": sha256(made.report_json)},
            {"name": "catalogue", "digest": catalogue},
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "result": _result(made, failed),
            "configuration": [
                {"name": "catalogue", "digest": catalogue},
                {"name": "schemas", "digest": {"sha256": held["schemas"].removeprefix("sha256:")}},
                {"name": "target", "uri": target.get("endpoint", target["url"])},
            ],
            "passedTests": [finding.requirement.id for finding in findings if finding.verdict is Verdict.PASS],
            "warnedTests": [each.requirement.id for each in failed if not gates(each.requirement, strict=made.strict)],
            "failedTests": [each.requirement.id for each in failed if gates(each.requirement, strict=made.strict)],
            EXTENSION: {
                "format": FORMAT,
                "issuer": issuer,
                "issued": issued,
                "certified": list(classes),
                "classes": dict(conclusion.classes),
                "target": {
                    **{name: target[name] for name in ("url", "profile", "model")},
                    "capabilities": made.report["capabilities"],
                    "remarks": list(_remarks(target)),
                },
                "run": {name: made.report[name] for name in ("started", "requests", "strict", "selection")},
                "suite": {"version": __version__, **held},
                "notTested": [
                    {
                        "id": finding.requirement.id,
                        "level": finding.requirement.level.value,
                        "class": finding.requirement.certifies,
                        "verdict": finding.verdict.value,
                        "reason": finding.explanation,
                    }
                    for finding in findings
                    if finding.verdict not in DECIDED
                ],
                "reproduce": _reproduced(kept.header),
            },
        },
    }


def _result(made: Case, failed: Sequence[Finding]) -> str:
    """The word of the predicate, which speaks of the whole run, so that who ignores our member is not misled."""
    if made.conclusion.verdict == "nonconformant":
        return "FAILED"
    return "PASSED" if made.conclusion.verdict == "conformant" and not failed else "WARNED"


def _remarks(target: Mapping[str, Any]) -> Iterator[str]:
    """What a reader must know of a target's address."""
    host = urlsplit(target["url"]).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        yield "a loopback address: a server on the machine of whoever ran the suite, which nobody else can ask"
        if target["model"].startswith("reference/"):
            yield "the suite's own reference server, which a run without a URL starts; this certifies no product"


def _reproduced(header: Mapping[str, Any]) -> dict[str, Any]:
    """The command that asks the same, and what the target file beside it said."""
    target = header["target"]
    words = ["chat-conformance", "run", target["url"], "--model", target["model"], "--profile", target["profile"]]
    if target["api_key_env"] != DEFAULT_KEY_VARIABLE:
        words += ["--api-key-env", target["api_key_env"]]
    told = []
    if target.get("endpoint", "") not in ("", Target(url=target["url"], profile=target["profile"]).endpoint):
        told.append(f"the endpoint {target['endpoint']}")
    if target["max_output_tokens"] is not None:
        told.append(f"max_output_tokens = {target['max_output_tokens']}")
    if target["capabilities"]:
        told.append(", ".join(f"{name} = {json.dumps(has)}" for name, has in sorted(target["capabilities"].items())))
    if backing := target.get("backend"):
        said = ", ".join(f"{name} = {value!r}" for name, value in backing.items() if value is not None)
        told.append(f"[backend] {said}".replace("'", '"'))
    if target["triggers"]:
        told.append(f"how to bring about {', '.join(target['triggers'])}")
    if told:
        words += ["--config", "target.toml"]
    if header["selection"].startswith("--"):
        words += header["selection"].split(" ")
    words += ["--strict"] if header["strict"] else []
    return {"command": shlex.join(words), "targetFile": told}


def _bytes(stated: Mapping[str, Any]) -> bytes:
    return json.dumps(stated, separators=(",", ":"), ensure_ascii=True).encode("ascii")
