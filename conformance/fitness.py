"""Whether a run is fit for a certificate: whole, asked in full, judged by the frozen contract, nothing left open."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance import __version__, evidence, stored
from conformance.checks import CHECKS
from conformance.evidence import Evidence
from conformance.exchange import Ending
from conformance.finding import Finding, Verdict, gates
from conformance.frozen import frozen, working
from conformance.plan import askable
from conformance.report import record
from conformance.target import BadInput, Target
from conformance.verdict import Conclusion

_NAMED: Final = 5  # ids in a message


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
    judgement = stored.judged(directory)
    file = evidence.stored(directory)
    return Case(
        file=file,
        content=content_of(file),
        evidence=evidence.read(directory),
        report_json=content_of(directory / "report.json"),
        conclusion=judgement.conclusion,
        report=judgement.report,
    )


def content_of(file: Path) -> bytes:
    """The bytes of a file.

    Raises:
        BadInput: it is not there, or cannot be read.
    """
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file; give what a run and certify wrote") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None


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
