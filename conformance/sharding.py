"""One run in several parts: what each part sends, and their evidence put together again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from conformance import evidence
from conformance.check import Check
from conformance.checks import CHECKS
from conformance.evidence import Evidence, Journal
from conformance.exchange import Exchange
from conformance.generate.asked import AGAIN, BASE, PREFIX
from conformance.plan import Part, Plan, bounded, cost
from conformance.probe import Probe
from conformance.requirement import catalogue
from conformance.selection import Shard
from conformance.target import BadInput, Limits

_ALIKE: Final = (
    "suite",
    "target",
    "selection",
    "strict",
    "baseline",
    "quick",
    "examples",
    "seed",
    "repeat",
    "filtered",
    "promised",
)
"""What the headers of shards of one run have in common, beside the plan."""
_GRAVEST: Final = ("aborted", "interrupted", "complete")


# What each part sends.


def share(whole: Plan, shard: Shard, *, cap: int | None) -> Plan:
    """A shard's part of a plan: the opening probe, and the same probes whenever the plan is the same.

    What one process has to send stays together: the requests of a sequence; what a model may leave undecided and what
    is repeated, with their controls, since who asks again must see what was shown; a defect between its two controls;
    what is sent alone; and what the scripted backend answers, which one process hosts. Everything else is compared
    after the parts were merged.

    Args:
        whole: the plan of the run.
        shard: which part.
        cap: the model's max_output_tokens, where the target file tells it.
    """
    opening, *others = whole.probes
    names = {opening.name} | _dealt(_together(others, whole.repeated), shard.of)[shard.number - 1]
    mine = tuple(probe for probe in whole.probes if probe.name in names)
    return replace(
        bounded(
            mine,
            left_out={
                **dict.fromkeys(_elsewhere(whole, names), f"asked by another shard of {shard.of}"),
                **whole.left_out,
            },
            cap=cap,
            again=whole.again,
        ),
        # The opening is in every part; that its repetition is in one keeps the parts from asking more than the whole.
        repeated=tuple(
            probe for probe in whole.repeated if probe.name in names and (probe != opening or shard.number == 1)
        ),
        rounds=whole.rounds,
        part=Part(number=shard.number, of=shard.of, own_server=shard.own_server, whole=whole),
    )


def portion(limits: Limits, asked: Plan, *, cap: int | None) -> Limits:
    """The limits of a part, so that all parts together keep those of the run; a plan that is whole has them all.

    Each part has what it needs, and of what the plan leaves over as much as the others.
    """
    if (part := asked.part) is None:
        return limits
    opening = part.whole.probes[0]
    requests = part.whole.requests + part.whole.repeats + (part.of - 1) * len(opening.steps)
    tokens = spent(part.whole, cap) + (part.of - 1) * cost(opening, cap)
    if requests > limits.requests or tokens > limits.tokens:
        raise BadInput(
            f"--shard {part.number}/{part.of}: the {part.of} parts make {requests} requests of {tokens} tokens in all,"
            f" which do not fit into the limits (max_requests = {limits.requests}, max_tokens = {limits.tokens});"
            " raise these, with --max-requests, --max-tokens or the target file, or make fewer parts"
        )
    per_minute = limits.requests_per_minute
    return replace(
        limits,
        max_requests=asked.requests + asked.repeats + (limits.requests - requests) // part.of,
        max_tokens=spent(asked, cap) + (limits.tokens - tokens) // part.of,
        requests_per_minute=per_minute and per_minute / part.of,
    )


def spent(asked: Plan, cap: int | None) -> int:
    """The tokens that a plan may take, its further rounds included."""
    repeats = sum(cost(probe, cap) for probe in asked.repeated)
    return sum(cost(probe, cap) for probe in asked.probes) + (asked.rounds - 1) * repeats


def _elsewhere(whole: Plan, names: set[str]) -> Iterator[str]:
    """The requirements of a plan that are not decided by these probes alone."""
    planned = {probe.name: probe for probe in whole.probes}
    made = tuple(probe for probe in whole.probes if probe.name.startswith(PREFIX))
    for identity, check in CHECKS.items():
        asked = [probe for probe in check.probes or made if probe.name in planned]
        if not {name for probe in asked for name in _with_controls(probe, planned)} <= names:
            yield identity


def _with_controls(probe: Probe, planned: Mapping[str, Probe]) -> Iterator[str]:
    found: Probe | None = probe
    while found is not None:
        yield found.name
        found = planned.get(found.control)


def _together(probes: Sequence[Probe], repeated: Sequence[Probe]) -> list[list[Probe]]:
    """The probes in groups that must not be parted, in the order of the plan."""
    planned = {probe.name: probe for probe in probes}
    leader = {name: name for name in planned}

    def found(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for names in _bonds(probes, repeated, planned):
        first, *rest = (found(name) for name in names)
        for other in rest:
            leader[found(other)] = found(first)
    groups: dict[str, list[Probe]] = {}
    for probe in probes:
        groups.setdefault(found(probe.name), []).append(probe)
    return list(groups.values())


def _bonds(probes: Sequence[Probe], repeated: Sequence[Probe], planned: Mapping[str, Probe]) -> Iterator[Sequence[str]]:
    if alone := [probe.name for probe in probes if probe.alone]:
        yield alone
    if scripted := [probe.name for probe in probes if probe.behind]:
        yield scripted
    for identity, check in CHECKS.items():
        if "model" in catalogue()[identity].needs and (moody := _of(check, planned)):
            yield moody
    for probe in probes:
        if probe.name.startswith(PREFIX) or probe in repeated:
            yield list(_with_controls(probe, planned))
        if probe.name.startswith(BASE) and probe.name.endswith(AGAIN):
            yield [name for name in (probe.name, probe.name.removesuffix(AGAIN)) if name in planned]


def _of(check: Check, planned: Mapping[str, Probe]) -> list[str]:
    return [name for probe in check.probes if probe.name in planned for name in _with_controls(probe, planned)]


def _dealt(groups: Sequence[Sequence[Probe]], parts: int) -> list[set[str]]:
    """The names of each part: the largest groups first, each to the part that has the fewest requests by then."""
    dealt: list[set[str]] = [set() for _ in range(parts)]
    loads = [0] * parts
    for group in sorted(groups, key=lambda group: -_requests(group)):
        part = loads.index(min(loads))
        loads[part] += _requests(group)
        dealt[part] |= {probe.name for probe in group}
    return dealt


def _requests(probes: Sequence[Probe]) -> int:
    return sum(len(probe.steps) for probe in probes)


# Put together again.


def merged(runs: Sequence[Path]) -> Evidence:
    """The evidence of a whole run, from that of all its shards.

    What several shards asked is kept of each, as a round of its own: nothing that was seen is dropped.

    Raises:
        BadInput: a directory holds no shard that can be read, or they are not all the shards of one run.
    """
    shards: dict[int, tuple[Path, Evidence]] = {}
    for run in runs:
        found = _shard(run)
        number = found.header["shard"]["number"]
        if number in shards and shards[number][0].samefile(run):
            raise BadInput(f"{run}: is named twice; give each shard once")
        if number in shards:
            raise BadInput(f"{run}: holds shard {number}, and so does {shards[number][0]}; give each shard once")
        shards[number] = run, found
    parts = [shards[number] for number in sorted(shards)]
    place, first = parts[0]
    for other, found in parts[1:]:
        _same(place, first, other, found)
    of = first.header["shard"]["of"]
    if missing := [number for number in range(1, of + 1) if number not in shards]:
        names = ", ".join(map(str, missing))
        raise BadInput(f"of {of} shards {len(missing)} are missing: {names}; give the directories of all of them")
    header = {name: value for name, value in first.header.items() if name != "shard"}
    header |= first.header["shard"]["whole"]
    header["started"] = min(found.header["started"] for _, found in parts)
    return Evidence(
        header={**header, "shards": of},
        exchanges=tuple(_renumbered([found.exchanges for _, found in parts])),
        footer=_footer([found for _, found in parts], header["started"]),
        strays=tuple(arrival for _, found in parts for arrival in found.strays),
    )


def written(whole: Evidence, run: Path) -> None:
    """Write evidence into a run's directory.

    Raises:
        BadInput: it cannot be written.
    """
    try:
        with Journal(run / "evidence.jsonl", whole.header) as journal:
            for exchange in whole.exchanges:
                journal.record(exchange)
                journal.arrived(exchange.arrivals)
            journal.arrived(whole.strays)
            if whole.footer is not None:
                journal.close(whole.footer)
        evidence.compressed(run)
    except OSError as error:
        raise BadInput(f"{run}: the evidence cannot be written: {error.strerror or error}") from None


def described(part: Part) -> dict[str, Any]:
    """What the evidence of a shard says of it, and of the run that it is a part of."""
    return {
        "number": part.number,
        "of": part.of,
        "own_server": part.own_server,
        "whole": {"plan": told(part.whole), "left_out": dict(part.whole.left_out)},
    }


def told(asked: Plan) -> dict[str, Any]:
    """What the evidence says of a plan."""
    return {
        "requests": asked.requests,
        "prompt_tokens": asked.prompt_tokens,
        "output_tokens": asked.output_tokens,
        "unbounded": asked.unbounded,
        "probes": {probe.name: probe.asks for probe in asked.probes},
    }


def _shard(run: Path) -> Evidence:
    found = evidence.read(run)
    evidence.checked("header", found.header, f"{run}: evidence")
    if found.footer is not None:
        evidence.checked("footer", found.footer, f"{run}: evidence")
    if "shard" not in found.header:
        raise BadInput(f"{run}: holds a whole run, and no shard of one; give the directories that run --shard wrote")
    return found


def _same(place: Path, one: Evidence, other: Path, two: Evidence) -> None:
    """Stop at a shard that is of another run than the first."""
    for name, mine, its in _compared(one.header, two.header):
        if mine != its:
            raise BadInput(
                f"{other}: its {name} is not that of {place}: {_short(its)} and {_short(mine)};"
                " merge the shards of one run, made with the same options"
            )


def _compared(one: Mapping[str, Any], two: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    yield "number of shards", one["shard"]["of"], two["shard"]["of"]
    local = one["shard"]["own_server"] and two["shard"]["own_server"]
    for name in _ALIKE:
        mine, its = one.get(name), two.get(name)
        if name == "target" and local:
            mine, its = ({**one["target"], "url": "", "endpoint": ""}, {**two["target"], "url": "", "endpoint": ""})
        if isinstance(mine, Mapping) and isinstance(its, Mapping):
            yield from ((f"{name} {member}", mine.get(member), its.get(member)) for member in {**mine, **its})
        else:
            yield name, mine, its
    yield "plan", one["shard"]["whole"], two["shard"]["whole"]


def _short(value: Any) -> str:
    return text if len(text := str(value)) <= 100 else f"{text[:100]}..."


def _renumbered(shards: Sequence[Sequence[Exchange]]) -> Iterator[Exchange]:
    rounds: dict[str, int] = {}
    for exchanges in shards:
        before = dict(rounds)
        for exchange in exchanges:
            number = exchange.round + before.get(exchange.probe, 0)
            rounds[exchange.probe] = max(rounds.get(exchange.probe, 0), number)
            yield replace(exchange, round=number)


def _footer(shards: Sequence[Evidence], started: float) -> dict[str, Any] | None:
    """How the whole ended: as the worst of its parts did; None where one was cut short."""
    footers = [shard.footer for shard in shards if shard.footer is not None]
    if len(footers) < len(shards):
        return None
    ended = next(word for word in _GRAVEST if any(footer["ended"] == word for footer in footers))
    reasons = dict.fromkeys(footer["reason"] for footer in footers if footer["reason"])
    last = max(shard.header["started"] + footer["duration_s"] for shard, footer in zip(shards, footers, strict=True))
    return {
        "ended": ended,
        "reason": "; ".join(reasons),
        "duration_s": round(last - started, 3),
        "requests": sum(footer["requests"] for footer in footers),
    }
