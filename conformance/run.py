"""One run from the target to the five files: what the command line and the pytest plugin both do."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import __version__, evidence, sharding, verdict
from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.generate.asked import PREFIX, generated
from conformance.generate.remembered import Remembered
from conformance.generate.valid import CAPABILITIES
from conformance.observe import Ended, Outcome
from conformance.plan import Plan, cost, planned
from conformance.probe import Probe
from conformance.probes import OPENING, PROBES
from conformance.repeating import repeat, repeated
from conformance.report import html, junit, markdown, record
from conformance.requirement import Level, catalogue, digest
from conformance.selection import Selection, filtered
from conformance.sending import Sending
from conformance.shrinking import MOST_SEARCHES, Drawn, smaller, unbroken
from conformance.target import BadInput, Limits, Target

EXITS: Final[Mapping[str, int]] = {"conformant": 0, "nonconformant": 1, "aborted": 3, "incomplete": 4}
"""The exit code for each verdict of a run (design: verdicts)."""
INTERRUPTED: Final = 130
"""The exit code of a run that was told to stop."""


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

    A default one also grows by the opening requests of a run's other shards.
    """
    default, given, cap = Limits(), target.limits, target.max_output_tokens
    costs = [cost(probe, cap) for probe in probes]
    searched = MOST_SEARCHES * selection.shrinks if costs else 0
    others = selection.shard.of - 1 if selection.shard else 0
    requests = len(costs) + searched + others
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


def header(target: Target, selection: Selection, asked: Plan) -> dict[str, Any]:
    """What the evidence says of the run before its first exchange."""
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
            "triggers": sorted(target.triggers),
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
    seen: Callable[[Exchange], None] = lambda _: None,
) -> None:
    """Send the plan and keep the evidence in the run's directory.

    Args:
        run: an empty directory.
        target: where to.
        key: the API key.
        selection: what the run is about; goes into the evidence.
        asked: the plan of that selection.
        seen: called with each exchange after it was written.

    Raises:
        BadInput: the evidence cannot be written.
        asyncio.CancelledError: the run was told to stop; what was seen is kept, and marked as interrupted.
    """
    try:
        await _journaled(run, target=target, key=key, selection=selection, asked=asked, seen=seen)
        evidence.compressed(run)
    except OSError as error:  # of the disk: what the network does is an ending, never an exception
        raise BadInput(f"{run}: the evidence cannot be written: {error.strerror or error}") from None


async def _journaled(  # noqa: PLR0913  # what a run is made of
    run: Path, *, target: Target, key: str, selection: Selection, asked: Plan, seen: Callable[[Exchange], None]
) -> None:
    begun = time.monotonic()
    target = replace(target, limits=_limits(target, selection, asked))
    with evidence.Journal(run / "evidence.jsonl", header(target, selection, asked)) as journal:
        sending = Sending(journal, target=target, key=key, asked=asked, seen=seen)

        def close(ended: str, reason: str) -> None:
            took = round(time.monotonic() - begun, 3)
            journal.close({"ended": ended, "reason": reason, "duration_s": took, "requests": sending.requests})

        try:
            outcome = await _stages(sending, target=target, selection=selection, asked=asked)
        except asyncio.CancelledError:
            close("interrupted", "")
            raise
        close(outcome.ended.value, outcome.reason)


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
            found = verdict.judged(row, check, final).verdict
            wanted |= names if found is verdict.Verdict.INCONCLUSIVE else set()
    return tuple(probe for probe in asked.probes if probe.name in wanted and probe is not OPENING)


def merge(runs: Sequence[Path], output: Path) -> None:
    """Write the evidence of a whole run, put together from that of its shards, into an empty directory.

    Raises:
        BadInput: they are not all the shards of one run, or it cannot be written.
    """
    whole = sharding.merged(runs)
    sharding.written(whole, vacant(output))


def judged(run: Path) -> Judgement:
    """The judgement of a run's evidence, made without a network.

    Raises:
        BadInput: the directory holds no evidence that can be read.
    """
    kept = _kept(run)
    conclusion = verdict.concluded(kept, catalogue=catalogue(), checks=CHECKS)
    return Judgement(conclusion=conclusion, report=record.report(conclusion, kept))


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
    return evidence.Evidence(header=kept.header, exchanges=tuple(ordered), footer=kept.footer)


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


def render(run: Path, report: Mapping[str, Any], output: Path) -> None:
    """Write the formats made of report.json: HTML, Markdown and JUnit; the arguments are those of `write_reports`.

    Raises:
        BadInput: a file cannot be written, or the directory holds no evidence that can be read.
    """
    exchanges = _kept(run).exchanges
    _written(output / "report.html", html.page(report, exchanges).encode("utf-8"))
    _written(output / "summary.md", markdown.summary(report).encode("utf-8"))
    _written(output / "junit.xml", junit.document(report))


def _written(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}") from None
