"""Certificates: whether a run is fit for one, what it says, and whether what it says is so.

A certificate is an in-toto statement (predicate test-result) in a signed envelope. It is a function of the run's
directory, of who issues it and of when. So to verify one is to make it again, offline, and to compare the bytes.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import __version__, evidence, run, schema
from conformance.checks import CHECKS
from conformance.document import NotJson, parse
from conformance.evidence import Evidence
from conformance.exchange import Ending
from conformance.frozen import frozen, working
from conformance.plan import askable
from conformance.report import record
from conformance.report.certified import EXTENSION
from conformance.requirement import CLASSES
from conformance.signing import Envelope, NotSigned, check, private_key, public_key, sha256, signed
from conformance.target import DEFAULT_KEY_VARIABLE, BadInput, Target
from conformance.verdict import DECIDED, Conclusion, Finding, Verdict, gates

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://in-toto.io/attestation/test-result/v0.1"
FORMAT: Final = "chat-conformance-certificate/1"
NAME: Final = "certificate.json"
_LONGEST_ISSUER: Final = 200  # characters
_NAMED: Final = 5  # ids in a message


class Refused(ValueError):
    """A run that is not fit for a certificate, or a certificate that does not hold; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A run as it lies in its directory, and what judging it again says."""

    file: Path
    """The evidence."""
    content: bytes
    evidence: Evidence
    report_json: bytes
    """What lies in report.json."""
    conclusion: Conclusion
    report: Mapping[str, Any]

    @property
    def strict(self) -> bool:
        """Whether a broken SHOULD counted like a broken MUST."""
        return bool(self.evidence.header["strict"])

    def gating(self, name: str) -> Iterator[Finding]:
        """The findings on which a class depends."""
        for finding in self.conclusion.findings:
            if finding.requirement.certifies == name and gates(finding.requirement, strict=self.strict):
                yield finding


def case(directory: Path) -> Case:
    """The case that a run's directory makes, judged now.

    Raises:
        BadInput: a file is missing, or the evidence cannot be read.
    """
    judgement = run.judged(directory)
    file = evidence.stored(directory)
    return Case(
        file=file,
        content=_content(file),
        evidence=evidence.read(directory),
        report_json=_content(directory / "report.json"),
        conclusion=judgement.conclusion,
        report=judgement.report,
    )


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
    content = _content(file)
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
    if wrong := schema.defects("certificate.schema.json", stated):
        raise Refused(f"{file}: what was signed is no certificate of ours: {wrong[0].pointer}: {wrong[0].message}")
    suite = stated["predicate"][EXTENSION]["suite"]
    if suite["version"] != __version__:
        raise Refused(
            f"{file}: made by chat-conformance {suite['version']}, and only that version can judge the evidence as"
            f" it did; this one is {__version__}"
        )
    return stated


def _compare_digests(stated: Mapping[str, Any], directory: Path) -> None:
    digests = {subject["name"]: subject["digest"] for subject in stated["subject"]}
    for file in (evidence.stored(directory), directory / "report.json"):
        if digests.get(file.name) != sha256(_content(file)):
            raise Refused(f"{file}: not the file that was certified, or it was changed since")


def _difference(stated: Any, again: Any, place: str = "") -> str:
    """Where two statements differ first, as a JSON pointer."""
    if isinstance(stated, Mapping) and isinstance(again, Mapping):
        for name in {**stated, **again}:
            if stated.get(name) != again.get(name):
                return _difference(stated.get(name), again.get(name), f"{place}/{name}")
    return f"at {place}" if place else "in how it is written"


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file; give what a run and certify wrote") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None


# Fitness.


def spoken_of(made: Case) -> tuple[str, ...]:
    """The classes of which a run says anything."""
    return tuple(name for name, found in made.conclusion.classes.items() if found not in ("untested", "not_applicable"))


def unfit(made: Case, classes: Sequence[str]) -> Iterator[str]:
    """Why a run is not fit for a certificate over these classes; nothing where it is."""
    yield from _unfit_run(made)
    if not classes:
        yield "it says nothing of any class"
    for name in classes:
        yield from _unfit_class(name, made)


def _unfit_run(made: Case) -> Iterator[str]:
    header, footer = made.evidence.header, made.evidence.footer
    if made.conclusion.ended != "complete":
        yield f"the run was {made.conclusion.ended}; only one that ended by itself has asked everything"
    elif footer is not None:
        yield from _holes(made.evidence, footer["requests"])
    if header["quick"]:
        yield "the run was --quick, which asks too little"
    if header.get("baseline") or made.report.get("baseline"):
        yield "the run had a baseline of known failures; certify one without"
    held = working()
    if (header["suite"]["version"], header["suite"]["catalogue"]) != (__version__, held["catalogue"]):
        yield (
            f"the run was made by chat-conformance {header['suite']['version']} with another catalogue or version"
            f" than this one, {__version__}; certify with the version that ran"
        )
    if frozen(__version__) != held:
        yield (
            f"the requirements or schemas that are installed are not those that version {__version__} was frozen with;"
            " install the released version"
        )
    errors = [finding.requirement.id for finding in made.conclusion.findings if finding.verdict is Verdict.ERROR]
    if errors:
        yield f"the suite itself failed on {_listed(errors)}"
    if made.report_json != record.written(made.report).encode("ascii"):
        yield "report.json is not what judging the evidence gives; chat-conformance judge writes it anew"


def _holes(kept: Evidence, requests: int) -> Iterator[str]:
    """What of a complete run's plan is not in its evidence."""
    there = {exchange.probe for exchange in kept.exchanges}
    if lost := [name for name in kept.header["plan"]["probes"] if name not in there]:
        yield f"the evidence lacks what was planned: {_listed(lost)}"
    sent = sum(exchange.ended is not Ending.UNSENT for exchange in kept.exchanges)
    if sent != requests:
        yield f"the evidence holds {sent} requests, and its footer counts {requests}"


def _unfit_class(name: str, made: Case) -> Iterator[str]:
    gating = list(made.gating(name))
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        if ids := [finding.requirement.id for finding in gating if finding.verdict is verdict]:
            yield f"{name}: {verdict.value}: {_listed(ids)}"
    unasked = [
        finding for finding in gating if finding.verdict is Verdict.UNTESTED and not _forgiven(finding, made.evidence)
    ]
    if unasked:
        first = unasked[0]
        yield f"{name}: not asked: {_listed(each.requirement.id for each in unasked)}: {first.explanation}"
    elif missing := sorted(set(_unplanned(gating, made.evidence.header))):
        yield f"{name}: not planned: {_listed(missing)}; give the run room (--max-requests, --max-tokens)"
    elif made.conclusion.classes[name] == "partial":
        yield f"{name}: not all of it was asked"
    elif not any(finding.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE) for finding in gating):
        yield f"{name}: no MUST of it was decided: {gating[0].explanation if gating else 'it has none'}"


def _forgiven(finding: Finding, kept: Evidence) -> bool:
    """Whether an untested requirement is untested for a reason that the one who ran the suite cannot mend by asking.

    So are those that nothing on the wire shows, and those that need a trigger, a backend or a cap of the target. An
    option that was not given is no such reason.
    """
    row = finding.requirement
    if row.untested:
        return True
    unasked = row.id in kept.header["left_out"] or ("examples" in row.needs and not kept.header.get("examples"))
    return finding.excused and not unasked


def _unplanned(gating: Sequence[Finding], header: Mapping[str, Any]) -> Iterator[str]:
    """The probes that should have been planned to decide these requirements, and were not."""
    given = header["target"]
    target = Target(
        url=given["url"],
        profile=given["profile"],
        max_output_tokens=given["max_output_tokens"],
        capabilities=given["capabilities"],
        triggers={name: {} for name in given["triggers"]},
    )
    for finding in gating:
        check_ = CHECKS.get(finding.requirement.id)
        if check_ is not None and finding.verdict is Verdict.PASS and askable(finding.requirement, target):
            for probe in check_.probes:
                if probe.triggers <= target.triggers.keys() and probe.name not in header["plan"]["probes"]:
                    yield probe.name


def _listed(names: Iterator[str] | Sequence[str]) -> str:
    names = tuple(names)
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


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
            yield "the model is the suite's own reference server, which a run without a URL starts; this certifies no product"


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
