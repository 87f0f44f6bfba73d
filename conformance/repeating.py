"""Asking again what can differ from call to call: which probes, and until when."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from conformance.check import Check
from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.finding import judged
from conformance.generate.asked import PREFIX
from conformance.observe import Ended, Outcome
from conformance.plan import QUICK_REQUESTS
from conformance.probe import Probe
from conformance.probes import OPENING, plain, stream, tools
from conformance.requirement import catalogue
from conformance.stability import Outcome as Observation
from conformance.stability import clear

REPEATED: Final = (
    OPENING,
    plain.CUT_SHORT,
    tools.REQUIRED_CALL,
    stream.GREETING,
    stream.MULTILINGUAL,
    stream.TOOL_CALL,
    stream.CUT_SHORT,
)
"""What is repeated of a whole plan: together they show nearly every requirement that speaks of answers of any kind."""

Ask = Callable[[Sequence[Probe], int], Awaitable[Outcome | None]]


def repeated(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """The probes of a plan that are repeated: those of `REPEATED`, or all that can be where the plan is a small one.

    What disturbs others, needs a trigger or was generated is asked once.
    """
    able = [probe for probe in probes if not probe.alone and not probe.triggers and not probe.name.startswith(PREFIX)]
    names = {probe.name for probe in (able if len(probes) <= QUICK_REQUESTS else REPEATED)}
    return tuple(probe for probe in able if probe.name in names)


async def repeat(
    exchanges: Sequence[Exchange], *, probes: Sequence[Probe], times: int, left_out: Collection[str], ask: Ask
) -> Outcome | None:
    """Ask the probes in further rounds, each as long as it can show something that is not clear yet.

    Args:
        exchanges: those of the run, which grow as `ask` records more.
        probes: what to repeat.
        times: how often each is asked in all, the rounds before included.
        left_out: the ids of requirements that the run is not about.
        ask: sends some probes as the round of that number; None where the limits hold no other round.

    Returns:
        How a round ended that was not complete; None where nothing stopped the repetition but itself.
    """
    names = {probe.name for probe in probes}
    checks = {identity: check for identity, check in CHECKS.items() if identity not in left_out}
    seen = _seen(checks, exchanges, names)
    checks = {identity: checks[identity] for identity in seen}
    number = max((exchange.round for exchange in exchanges), default=1)
    for _ in range(times - 1):
        telling = {probe for outcomes in seen.values() if not clear(outcomes) for probe, _ in outcomes}
        wanted = [probe for probe in probes if probe.name in telling]
        if not wanted:
            return None
        number += 1
        outcome = await ask(wanted, number)
        if outcome is None or outcome.ended is not Ended.COMPLETE:
            return outcome
        for identity, outcomes in _seen(checks, exchanges, names, number).items():
            seen[identity] += outcomes
    return None


def _seen(
    checks: Mapping[str, Check], exchanges: Sequence[Exchange], names: Collection[str], number: int = 0
) -> dict[str, list[Observation]]:
    """What some probes showed of each requirement, in all rounds or in one; what they show nothing of is not there."""
    final = [
        exchange for exchange in exchanges if not exchange.retried and exchange.round in (number or exchange.round, 1)
    ]
    found: dict[str, list[Observation]] = {}
    for identity, check in checks.items():
        of_the_round = replace(check, when=_in_round(check, number)) if number else check
        outcomes = judged(catalogue()[identity], of_the_round, final).outcomes
        if mine := [outcome for outcome in outcomes if outcome[0] in names]:
            found[identity] = mine
    return found


def _in_round(check: Check, number: int) -> Callable[[Exchange], bool]:
    return lambda exchange: exchange.round == number and check.when(exchange)
