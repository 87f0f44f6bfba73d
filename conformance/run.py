"""One run from the target to its evidence: what the command line and the pytest plugin both do."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import __version__, evidence, finding, sharding
from conformance.backend import Backend
from conformance.baseline import Entry, loaded, to_json
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
from conformance.requirement import Level, catalogue, digest
from conformance.selection import Selection, filtered
from conformance.sending import Sending
from conformance.shrinking import MOST_SEARCHES, Drawn, smaller, unbroken
from conformance.target import BadInput, Limits, Target

_SETTLING: Final = 15.0
"""Seconds for the scripted backend to end the answers that are under way when all is asked."""


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
            f"--examples {selection.examples} makes {len(made)} requests, and {len(lost)} of them do not fit into the"
            f" limits that were given ({target.limits.given}) beside the others; raise these, with --max-requests,"
            " --max-tokens or the target file, generate fewer, or give no limits: then they grow with the examples"
        )
    cap = target.max_output_tokens
    if selection.repeat > 1:
        found = replace(found, repeated=repeated(found.probes), rounds=selection.repeat)
        _hold(target.limits, _grown(target, selection, made.values(), found), found, cap)
    if selection.shard is not None:
        found = sharding.share(found, selection.shard, cap=cap)
        sharding.portion(limits, found, cap=cap)
    return found


def _hold(given: Limits, limits: Limits, asked: Plan, cap: int | None) -> None:
    """Stop where the limits do not hold a plan with its further rounds; `given` is what of them was given."""
    requests, tokens = asked.requests + asked.repeats, sharding.spent(asked, cap)
    if requests > limits.requests or tokens > limits.tokens:
        raise BadInput(
            f"--repeat {asked.rounds} makes up to {asked.repeats} requests, {requests} of {tokens} tokens in all, which"
            f" do not fit into the limits that were given ({given.given}); raise these, with --max-requests,"
            " --max-tokens or the target file, repeat less, or give no limits: then they grow with it"
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
    given, cap = target.limits, target.max_output_tokens
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
        max_requests=given.requests + (requests if given.max_requests is None else 0),
        max_tokens=given.tokens + (tokens if given.max_tokens is None else 0),
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
        raise BadInput(f"{run}: the evidence cannot be written: {error.strerror or error}; {_kept(run)}") from None


def _kept(run: Path) -> str:
    """What to do with a run whose evidence could not be written to its end."""
    try:
        some = bool(evidence.read(run).exchanges)
    except BadInput:
        some = False
    cure = f"what was seen is kept: make room, and chat-conformance judge {run} judges it"
    return cure if some else "make room, or give another --output"


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
