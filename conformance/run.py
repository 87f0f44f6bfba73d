"""One run from the target to the five files: what the command line and the pytest plugin both do."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import __version__, evidence, finding, sharding, verdict
from conformance.backend import Backend
from conformance.baseline import Entry, from_json, loaded, to_json
from conformance.checks import CHECKS
from conformance.comparison.record import Run, compared
from conformance.document import NotJson, parse
from conformance.exchange import Exchange
from conformance.generate.asked import PREFIX, generated
from conformance.generate.remembered import Remembered
from conformance.generate.valid import CAPABILITIES
from conformance.observe import Ended, Outcome
from conformance.plan import Plan, cost, planned
from conformance.probe import Probe
from conformance.probes import OPENING, PROBES
from conformance.repeating import repeat, repeated
from conformance.report import badge, html, junit, markdown, record
from conformance.requirement import Level, catalogue, digest
from conformance.schema import defects
from conformance.selection import Selection, filtered
from conformance.sending import Sending
from conformance.shrinking import MOST_SEARCHES, Drawn, smaller, unbroken
from conformance.target import BadInput, Limits, Target

EXITS: Final[Mapping[str, int]] = {"conformant": 0, "nonconformant": 1, "aborted": 3, "incomplete": 4}
"""The exit code for each verdict of a run (design: verdicts)."""
_SETTLING: Final = 15.0
"""Seconds for the scripted backend to end the answers that are under way when all is asked."""
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


def plan(target: Target, selection: Selection) -> Plan:
    """What a selection needs asked of a target.

    Raises:
        BadInput: the selection names what is not there, or generates more than the limits that were given hold.
    """
    left_out = filtered(selection, catalogue())
    made = _generated(target, selection)
    rows = [row for row in catalogue().values() if row.id not in left_out]
    limits = _grown(target, selection, made.values())
    found = planned(
        sorted(rows, key=lambda row: ("examples" in row.needs, list(Level).index(row.level))),
        probes_of={identity: check.probes or tuple(made.values()) for identity, check in CHECKS.items()},
        catalogue={**PROBES, **made},
        opening=OPENING,
        target=replace(target, limits=limits),
        left_out=left_out,
        quick=selection.quick,
        examples=len(made),
    )
    lost = made.keys() - {probe.name for probe in found.probes}
    if lost and not selection.quick and any("examples" in row.needs for row in rows):
        raise BadInput(
            f"--examples {selection.examples} makes {len(made)} requests, and {len(lost)} of them do not fit into"
            f" --max-requests {limits.max_requests} and --max-tokens {limits.max_tokens} beside the others;"
            " raise these, generate fewer, or give no limits: then they grow with the examples"
        )
    cap = target.max_output_tokens
    if selection.repeat > 1:
        found = replace(found, repeated=repeated(found.probes), rounds=selection.repeat)
        _hold(_grown(target, selection, made.values(), found), found, cap)
    if selection.shard is not None:
        found = sharding.share(found, selection.shard, cap=cap)
        sharding.portion(limits, found, cap=cap)
    return found


def _hold(limits: Limits, asked: Plan, cap: int | None) -> None:
    """Stop where the limits do not hold a plan with its further rounds."""
    requests, tokens = asked.requests + asked.repeats, sharding.spent(asked, cap)
    if requests > limits.max_requests or tokens > limits.max_tokens:
        raise BadInput(
            f"--repeat {asked.rounds} makes up to {asked.repeats} requests, {requests} of {tokens} tokens in all, which"
            f" do not fit into --max-requests {limits.max_requests} and --max-tokens {limits.max_tokens};"
            " raise these, repeat less, or give no limits: then they grow with it"
        )


def _generated(target: Target, selection: Selection) -> Mapping[str, Probe]:
    """The generated probes of a selection."""
    drawn = _drawn(target, selection)
    kept = _remembered(target, selection)
    return generated(
        drawn.examples,
        drawn.seed,
        drawn.capabilities,
        model=drawn.model,
        opening=OPENING.name,
        kept=kept.bodies() if kept else (),
    )


def _grown(target: Target, selection: Selection, probes: Iterable[Probe], repeating: Plan | None = None) -> Limits:
    """The limits of a run that generates or repeats: one that was given stands, a default one grows by what they cost.

    A default one also grows by the opening requests of a run's other shards, and by what is asked of the scripted
    backend.
    """
    default, given, cap = Limits(), target.limits, target.max_output_tokens
    costs = [cost(probe, cap) for probe in probes]
    searched = MOST_SEARCHES * selection.shrinks if costs else 0
    others = selection.shard.of - 1 if selection.shard else 0
    scripted = sum(len(probe.steps) for probe in PROBES.values() if probe.behind) if target.backend else 0
    requests = len(costs) + searched + others + scripted
    tokens = sum(costs) + searched * max(costs, default=0) + others * cost(OPENING, cap)
    if repeating is not None:
        requests += repeating.repeats
        tokens += (repeating.rounds - 1) * sum(cost(probe, cap) for probe in repeating.repeated)
    return replace(
        given,
        max_requests=given.max_requests + (requests if given.max_requests == default.max_requests else 0),
        max_tokens=given.max_tokens + (tokens if given.max_tokens == default.max_tokens else 0),
    )


def _remembered(target: Target, selection: Selection) -> Remembered | None:
    wanted = selection.examples and selection.remembered
    # Without the port, which is another at each start of a local server.
    return Remembered(wanted, f"{urlsplit(target.url).hostname} {target.model}") if wanted else None


def _drawn(target: Target, selection: Selection) -> Drawn:
    # What is not declared is asked: where nothing of a kind is served, the refusals of it are held against nobody.
    able = tuple(name for name in CAPABILITIES if target.capabilities.get(name) is not False)
    return Drawn(examples=selection.examples, seed=selection.seed, capabilities=able, model=target.model)


def baseline(file: Path) -> tuple[Entry, ...]:
    """The known failures of a baseline file.

    Raises:
        BadInput: it is no baseline, not filled in, or speaks of what the suite does not have.
    """
    return loaded(file, requirements=catalogue(), probes=(*PROBES, PREFIX))


def header(target: Target, selection: Selection, asked: Plan, known: Sequence[Entry] | None = None) -> dict[str, Any]:
    """What the evidence says of the run before its first exchange; of known failures, where a baseline is in force."""
    return {
        "suite": {"version": __version__, "catalogue": digest()},
        "target": {
            "url": target.url,
            "endpoint": target.endpoint,
            "profile": target.profile,
            "model": target.model,
            "api_key_env": target.api_key_env,
            "max_output_tokens": target.max_output_tokens,
            "capabilities": dict(target.capabilities),
            "triggers": sorted(target.causes),
            "backend": _backing(target),
        },
        "started": round(time.time(), 3),
        "selection": str(selection),
        "strict": selection.strict,
        "quick": selection.quick,
        "examples": selection.examples,
        "seed": selection.seed,
        **({"repeat": selection.repeat} if selection.repeat > 1 else {}),
        **({"shard": sharding.described(asked.part)} if asked.part else {}),
        "plan": sharding.told(asked),
        "left_out": dict(asked.left_out),
        "filtered": sorted(left_out := filtered(selection, catalogue())),
        "promised": [identity for identity in catalogue() if identity not in left_out],
        **({} if known is None else {"baseline": [to_json(entry) for entry in known]}),
    }


def _backing(target: Target) -> dict[str, Any] | None:
    backing = target.backend
    if backing is None:
        return None
    return {
        "model": backing.model,
        "timeout": backing.timeout,
        "max_output_tokens": backing.max_output_tokens,
    }


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


async def observed(  # noqa: PLR0913  # what a run is made of
    run: Path,
    *,
    target: Target,
    key: str,
    selection: Selection,
    asked: Plan,
    behind: Backend | None = None,
    known: Sequence[Entry] | None = None,
    seen: Callable[[Exchange], None] = lambda _: None,
) -> None:
    """Send the plan and keep the evidence in the run's directory.

    Args:
        run: an empty directory.
        target: where to.
        key: the API key.
        selection: what the run is about; goes into the evidence.
        asked: the plan of that selection.
        behind: the scripted backend, running, where the target has one.
        known: the failures that are known, where a baseline is in force; go into the evidence.
        seen: called with each exchange after it was written.

    Raises:
        BadInput: the evidence cannot be written.
        asyncio.CancelledError: the run was told to stop; what was seen is kept, and marked as interrupted.
    """
    try:
        head = header(target, selection, asked, known)
        await _journaled(run, head, target=target, key=key, selection=selection, asked=asked, behind=behind, seen=seen)
        evidence.compressed(run)
    except OSError as error:  # of the disk: what the network does is an ending, never an exception
        raise BadInput(f"{run}: the evidence cannot be written: {error.strerror or error}") from None


async def _journaled(  # noqa: PLR0913  # what a run is made of
    run: Path,
    head: Mapping[str, Any],
    *,
    target: Target,
    key: str,
    selection: Selection,
    asked: Plan,
    behind: Backend | None,
    seen: Callable[[Exchange], None],
) -> None:
    begun = time.monotonic()
    target = replace(target, limits=_limits(target, selection, asked))
    with evidence.Journal(run / "evidence.jsonl", head) as journal:
        sending = Sending(journal, target=target, key=key, asked=asked, seen=seen)

        def close(ended: str, reason: str) -> None:
            journal.arrived(behind.arrivals if behind else ())
            took = round(time.monotonic() - begun, 3)
            journal.close({"ended": ended, "reason": reason, "duration_s": took, "requests": sending.requests})

        try:
            outcome = await _stages(sending, target=target, selection=selection, asked=asked)
            await _settled(behind)
        except asyncio.CancelledError:
            close("interrupted", "")
            raise
        close(outcome.ended.value, outcome.reason)


async def _settled(behind: Backend | None) -> None:
    """Wait for the backend to end its last answers, a gateway that goes on listening to them included."""
    if behind:
        await asyncio.to_thread(behind.settled, within=_SETTLING)


def _limits(target: Target, selection: Selection, asked: Plan) -> Limits:
    """The limits of sending a plan; a shard has its portion of the run's."""
    whole = asked.part.whole if asked.part else asked
    made = [probe for probe in whole.probes if probe.name.startswith(PREFIX)]
    return sharding.portion(_grown(target, selection, made, whole), asked, cap=target.max_output_tokens)


async def _stages(sending: Sending, *, target: Target, selection: Selection, asked: Plan) -> Outcome:
    """Send the plan, and then what depends on the answers: another try, further rounds, smaller requests."""
    outcome = await sending.plan()
    if outcome.ended is Ended.COMPLETE and not selection.quick and (again := _undecided(sending.exchanges, asked)):
        await sending.second(again)
    if outcome.ended is Ended.COMPLETE and asked.rounds > 1:
        left_out = filtered(selection, catalogue())
        stopped = await repeat(
            sending.exchanges, probes=asked.repeated, times=asked.rounds, left_out=left_out, ask=sending.further
        )
        outcome = stopped or outcome
    if outcome.ended is Ended.COMPLETE and selection.examples:
        drawn = _drawn(target, selection)
        found = await smaller(tuple(sending.exchanges), drawn, sending.one, most=selection.shrinks)
        # A shard keeps nothing: what one keeps would change the plan of the next.
        if asked.part is None and (remembered := _remembered(target, selection)):
            remembered.renew(found, answered=unbroken(sending.exchanges, drawn))
    return outcome


def _undecided(exchanges: Sequence[Exchange], asked: Plan) -> tuple[Probe, ...]:
    """The probes of the plan that are worth asking once more: a model's mood left undecided what they are to show."""
    final = tuple(exchange for exchange in exchanges if not exchange.retried)
    served = {item.probe for item in final if item.response is not None and 200 <= item.response.status < 300}
    wanted: set[str] = set()
    for identity, check in CHECKS.items():
        row = catalogue()[identity]
        names = {probe.name for probe in check.probes} & served  # a refusal is no mood
        if names and "model" in row.needs and identity not in asked.left_out:
            found = finding.judged(row, check, final).verdict
            wanted |= names if found is finding.Verdict.INCONCLUSIVE else set()
    return tuple(probe for probe in asked.probes if probe.name in wanted and probe is not OPENING)


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
        raise BadInput(f"{file}: {wrong[0].pointer or 'the whole'}: {wrong[0].message}; is it of another version?")
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
    _written(run / "diff.json", record.written(diff).encode("ascii"))
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
    _written(output / "report.json", record.written(report).encode("ascii"))
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
        _written(output / "report.html", page.encode("utf-8"))
    if "markdown" in formats:
        told = markdown.summary(report) + (f"\n{markdown.difference(diff)}" if diff else "")
        _written(output / "summary.md", told.encode("utf-8"))
    if "junit" in formats:
        _written(output / "junit.xml", junit.document(report))
    if "badge" in formats:
        _written(output / "badge.svg", badge.svg(report))
        _written(output / "badge.json", badge.endpoint(report))


def _written(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}") from None
