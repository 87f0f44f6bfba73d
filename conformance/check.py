"""What a check is: a pure function from exchanges to violations of one requirement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.exchange import Ending, Exchange
from conformance.probe import Probe

Group = tuple[Exchange, ...]
Grouping = Callable[[Sequence[Exchange], Sequence[Exchange]], Iterable[Group]]
"""From the exchanges a requirement speaks of, and all of the run, to those that are judged side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What was expected, what was found, and where."""

    expected: str
    found: str
    where: str = "whole"
    """`bytes 12-40`, a JSON pointer, `header NAME`, `status`, `ending` or `whole`."""
    on: str = ""
    """The exchange's id; empty for the first of the group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How one requirement is seen."""

    requirement: str
    find: Callable[..., Iterable[Violation]]
    """Takes the exchanges of a group; yields what is wrong, and nothing when all is well."""
    when: Callable[[Exchange], bool]
    """Which exchanges the requirement speaks of, by what was asked."""
    probes: tuple[Probe, ...]
    """What must be asked so that the requirement is decided."""
    groups: Grouping


def singly(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterable[Group]:
    """Each exchange by itself."""
    return ((exchange,) for exchange in chosen)


def beside_control(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each exchange with the one of its control."""
    controls = {exchange.probe: exchange for exchange in everything if exchange.step == 0}
    for exchange in chosen:
        if exchange.control in controls:
            yield exchange, controls[exchange.control]


def together(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterable[Group]:
    """All exchanges as one group, when there are at least two to compare."""
    if len(chosen) > 1:
        yield tuple(chosen)


def side_by_side(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterable[Group]:
    """All exchanges as one group, also when there is but one."""
    if chosen:
        yield tuple(chosen)


def in_sequence(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterable[Group]:
    """The exchanges of each probe that has several, in the order of its requests; those that were not sent left out."""
    sequences: dict[tuple[str, int], list[Exchange]] = {}
    for exchange in chosen:
        if exchange.ended is not Ending.UNSENT:
            sequences.setdefault((exchange.probe, exchange.round), []).append(exchange)
    for group in sequences.values():
        if len(group) > 1:
            yield tuple(sorted(group, key=lambda exchange: exchange.step))


def grouped(check: Check, exchanges: Sequence[Exchange]) -> Iterable[Group]:
    """The exchanges that a check judges side by side, in the order of their rounds.

    A round is judged by itself: what was asked once more stands beside the answers of its own round, or beside the
    first ones where its round did not ask for them. Only what compares all answers of a run compares the rounds.
    """
    chosen = [exchange for exchange in exchanges if check.when(exchange)]
    if check.groups is together:
        yield from together(chosen, exchanges)
        return
    rounds: dict[int, list[Exchange]] = {}
    for exchange in exchanges:
        rounds.setdefault(exchange.round, []).append(exchange)
    for number in sorted({exchange.round for exchange in chosen}):
        asked = {exchange.probe for exchange in rounds[number]}
        first = [exchange for exchange in rounds.get(1, ()) if exchange.probe not in asked]
        yield from check.groups(
            [exchange for exchange in chosen if exchange.round == number], [*first, *rounds[number]]
        )


def check(
    requirement: str,
    *,
    when: Callable[[Exchange], bool],
    probes: Iterable[Probe],
    groups: Grouping = singly,
) -> Callable[[Callable[..., Iterable[Violation]]], Check]:
    """Make a check of a generator of violations."""

    def made(find: Callable[..., Iterable[Violation]]) -> Check:
        return Check(requirement=requirement, find=find, when=when, probes=tuple(probes), groups=groups)

    return made


def of(*probes: Probe) -> Callable[[Exchange], bool]:
    """A predicate: the exchange belongs to one of these probes."""
    names = frozenset(probe.name for probe in probes)
    return lambda exchange: exchange.probe in names


def listed(module: Mapping[str, Any]) -> tuple[Check, ...]:
    """The checks among a module's names, tables of checks included, in the order they are written."""
    found: list[Check] = []
    for value in module.values():
        if isinstance(value, Check):
            found.append(value)
        elif isinstance(value, tuple):
            found += [item for item in value if isinstance(item, Check)]
    return tuple(found)
