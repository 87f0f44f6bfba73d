"""The directory of a run: judged without a network, its reports written, and read back."""

import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import evidence, sharding, verdict
from conformance.baseline import Entry, from_json
from conformance.checks import CHECKS
from conformance.comparison.record import Run, compared
from conformance.document import NotJson, parse
from conformance.report import badge, html, junit, markdown, record
from conformance.requirement import catalogue
from conformance.schema import defects
from conformance.target import BadInput, Target

EXITS: Final[Mapping[str, int]] = {"conformant": 0, "nonconformant": 1, "aborted": 3, "incomplete": 4}
"""The exit code for each verdict of a run (design: verdicts)."""
INTERRUPTED: Final = 130
"""The exit code of a run that was told to stop."""
FORMATS: Final = ("html", "markdown", "junit")
"""What every run writes beside its record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A run's conclusion and its report."""

    conclusion: verdict.Conclusion
    report: Mapping[str, Any]

    @property
    def exit_code(self) -> int:
        """What the process says of the run."""
        return INTERRUPTED if self.conclusion.ended == "interrupted" else EXITS[self.conclusion.verdict]


def fresh_directory(target: Target, chosen: Path | None) -> Path:
    """An empty directory for the run, made; by default `reports/runs/<UTC time>-<host>`.

    Raises:
        BadInput: the directory holds another run, or cannot be made.
    """
    host = (urlsplit(target.url).hostname or "target").replace(":", "-")
    run = chosen or Path("reports") / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{host}"
    if chosen is None and any(run.glob("evidence.jsonl*")):
        return fresh_directory(target, run.with_name(f"{run.name}-{time.time_ns() % 10**6:06}"))
    return vacant(run)


def vacant(directory: Path) -> Path:
    """The directory itself, made where it was not there, and without a run in it.

    Raises:
        BadInput: it holds another run, or cannot be made.
    """
    if any(made(directory).glob("evidence.jsonl*")):
        raise BadInput(f"{directory}: holds another run already; give an empty --output")
    return directory


def place_beside(run: Path, chosen: Path | None) -> Path:
    """Where files made of a run go, made: its own directory, or the chosen one, which may hold no other run.

    Raises:
        BadInput: it holds another run, or cannot be made.
    """
    if chosen is None or (chosen.exists() and chosen.samefile(run)):
        return run
    return vacant(chosen)


def made(directory: Path) -> Path:
    """The directory itself, made where it was not there.

    Raises:
        BadInput: it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{directory}: cannot be made: {error.strerror}; give another --output") from None
    return directory


def merge(runs: Sequence[Path], output: Path) -> None:
    """Write the evidence of a whole run, put together from that of its shards, into an empty directory.

    Raises:
        BadInput: they are not all the shards of one run, or it cannot be written.
    """
    whole = sharding.merged(runs)
    sharding.written(whole, vacant(output))


def judged(run: Path, known: Sequence[Entry] | None = None) -> Judgement:
    """The judgement of a run's evidence, made without a network.

    Args:
        run: the run's directory.
        known: the failures that are known, in place of those of the run itself.

    Raises:
        BadInput: the directory holds no evidence that can be read.
    """
    kept = _kept(run)
    entries = _known(kept, run) if known is None else known
    conclusion = verdict.concluded(kept, catalogue=catalogue(), checks=CHECKS, baseline=entries)
    return Judgement(conclusion=conclusion, report=record.report(conclusion, kept))


def _known(kept: evidence.Evidence, run: Path) -> tuple[Entry, ...] | None:
    """The known failures of the baseline that was in force in a run; None where there was none.

    Raises:
        BadInput: one has a last day that is none.
    """
    records = kept.header.get("baseline")
    try:
        return None if records is None else tuple(from_json(record) for record in records)
    except ValueError as error:
        raise BadInput(f"{run}: evidence: the header: baseline: {error}; take the run's own file, unedited") from None


def _kept(run: Path) -> evidence.Evidence:
    """The evidence of a run, its exchanges in the order of the plan, since they ended in the order of chance.

    Raises:
        BadInput: it cannot be read, or lacks what `header` writes.
    """
    kept = evidence.read(run)
    evidence.checked("header", kept.header, f"{run}: evidence")
    if kept.footer is not None:
        evidence.checked("footer", kept.footer, f"{run}: evidence")
    _each_once(kept, run)
    if lost := set(kept.header["filtered"]) - kept.header["left_out"].keys():
        raise BadInput(
            f"{run}: the header of the evidence gives no reason in left_out for {min(lost)};"
            " take the run's own file, unedited"
        )
    places = {name: place for place, name in enumerate(kept.header["plan"]["probes"])}
    ordered = sorted(
        kept.exchanges,
        key=lambda exchange: (
            places.get(exchange.probe, len(places)),
            exchange.round,
            exchange.step,
            exchange.attempt,
        ),
    )
    return replace(kept, exchanges=tuple(ordered))


def _each_once(kept: evidence.Evidence, run: Path) -> None:
    """Stop at evidence in which an exchange stands twice."""
    for identity, times in Counter(exchange.id for exchange in kept.exchanges).items():
        if times > 1:
            raise BadInput(f"{run}: the evidence holds {identity} {times} times; take the run's own file, unedited")


def reported(run: Path) -> dict[str, Any]:
    """What the report.json of a run holds.

    Raises:
        BadInput: there is none, or it is no report of this version.
    """
    report = _record(run / "report.json", "report.schema.json", f"chat-conformance judge {run} makes it")
    if report is None:
        raise BadInput(f"{run / 'report.json'}: no such file; chat-conformance judge {run} makes it from the evidence")
    return report


def _record(file: Path, form: str, cure: str) -> dict[str, Any] | None:
    """The JSON object in a file, after its schema has had its say; None where there is no such file."""
    try:
        found = parse(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None
    except NotJson as reason:
        raise BadInput(f"{file}: {reason}; {cure} anew") from None
    if wrong := defects(form, found):
        raise BadInput(
            f"{file}: {wrong[0].pointer or 'the whole'}: {wrong[0].message}; is it of another version? {cure} anew"
        )
    kept: dict[str, Any] = found
    return kept


def comparable(run: Path) -> Run:
    """A run as it is compared with another: by its report, and by its evidence where that can be read.

    Raises:
        BadInput: its report cannot be read.
    """
    report = reported(run)
    try:
        return Run(report=report, evidence=_kept(run))
    except BadInput as reason:
        return Run(report=report, evidence=None, unread=str(reason))


def difference(before: Run, after: Path, *, strict: bool = False) -> dict[str, Any]:
    """What a run says that the one before it does not; `strict` counts a broken SHOULD like a broken MUST.

    Raises:
        BadInput: the report of the later run cannot be read.
    """
    return compared(before, comparable(after), strict=strict)


def write_difference(run: Path, report: Mapping[str, Any], diff: Mapping[str, Any]) -> None:
    """Write diff.json beside the run's report, and show it in the formats that people read.

    Raises:
        BadInput: a file cannot be written, or the directory holds no evidence that can be read.
    """
    _written(run / "diff.json", record.written(diff).encode("ascii"), run)
    render(run, report, run, diff=diff)


def told_before(run: Path) -> dict[str, Any] | None:
    """What the diff.json of a run holds; None where the run was compared with none.

    Raises:
        BadInput: it is no difference of this version.
    """
    return _record(run / "diff.json", "diff.schema.json", "chat-conformance diff A B --format json makes it")


def write_reports(run: Path, report: Mapping[str, Any], output: Path) -> None:
    """Write report.json and the formats made of it.

    Args:
        run: the run's directory, where the evidence is.
        report: its report.
        output: the directory to write to.

    Raises:
        BadInput: a file cannot be written, or the directory holds no evidence that can be read.
    """
    _written(output / "report.json", record.written(report).encode("ascii"), run)
    render(run, report, output)


def render(
    run: Path,
    report: Mapping[str, Any],
    output: Path,
    formats: Sequence[str] = FORMATS,
    *,
    diff: Mapping[str, Any] | None = None,
) -> None:
    """Write formats made of report.json; the arguments are those of `write_reports`, and which formats.

    With a `diff`, the first two say what another run said differently.

    Raises:
        BadInput: a file cannot be written, or the directory holds no evidence that can be read, which HTML shows.
    """
    if "html" in formats:
        page = html.page(report, _kept(run).exchanges, diff=diff)
        _written(output / "report.html", page.encode("utf-8"), run)
    if "markdown" in formats:
        told = markdown.summary(report) + (f"\n{markdown.difference(diff)}" if diff else "")
        _written(output / "summary.md", told.encode("utf-8"), run)
    if "junit" in formats:
        _written(output / "junit.xml", junit.document(report), run)
    if "badge" in formats:
        _written(output / "badge.svg", badge.svg(report), run)
        _written(output / "badge.json", badge.endpoint(report), run)


def _written(file: Path, content: bytes, run: Path) -> None:
    """Write a file made of a run; one that is there already stays as it is until the new one is whole."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        try:
            draft.write_bytes(content)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(
            f"{file}: cannot be written: {error.strerror};"
            f" chat-conformance judge {run} --output DIR writes the reports elsewhere"
        ) from None
