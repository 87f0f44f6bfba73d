"""From the violations that generated requests brought out to the smallest requests that show them, live and bounded."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from conformance.check import Check
from conformance.checks import CHECKS
from conformance.checks.generated import defect_of, valid
from conformance.exchange import Exchange
from conformance.finding import Verdict, judged
from conformance.generate.asked import DEFECT, KEPT, PLAIN, PREFIX, VALID, twinned
from conformance.generate.defects import grade_of
from conformance.generate.shrink import Search, Spent, keeps_the_page, key, shrunk, without_the_needless
from conformance.generate.valid import Body
from conformance.probe import MODEL, Probe, Step, filled
from conformance.probes import OPENING
from conformance.reading.requests import sent
from conformance.requirement import catalogue

MOST_SEARCHES: Final = 5
"""Requirements for which a smaller request is looked for in one run; the gravest come first."""
_SMALLER: Final = "-smaller-"

Ask = Callable[[Probe], Coroutine[Any, Any, Exchange | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What the generated requests of a run were drawn with."""

    examples: int
    seed: int
    capabilities: tuple[str, ...]
    model: str


async def smaller(exchanges: Sequence[Exchange], drawn: Drawn, ask: Ask, *, most: int) -> tuple[Body, ...]:
    """The smallest request behind each violation that only generated requests brought out, as far as it was found.

    Args:
        exchanges: those of the run; whatever is asked joins the run's evidence by `ask`.
        drawn: what the requests were drawn with.
        ask: sends a probe and records its exchange; None where nothing more may be sent.
        most: how many requests may be sent for each violation.
    """
    final = tuple(exchange for exchange in exchanges if not exchange.retried)
    shown = [(identity, found) for identity, check in CHECKS.items() if (found := _found(identity, check, final))]
    shown.sort(key=lambda pair: catalogue()[pair[0]].level.value != "MUST")
    tried: dict[str, Iterator[int]] = defaultdict(lambda: count(1))  # two violations may begin with one request
    return tuple(
        [
            await _search(identity, exchange, final, drawn, ask, most=most, tried=tried[exchange.probe])
            for identity, exchange in shown[:MOST_SEARCHES]
        ]
    )


def unbroken(exchanges: Sequence[Exchange], drawn: Drawn) -> Iterator[Body]:
    """The requests that earlier runs kept, and that were answered now without a violation."""
    final = tuple(exchange for exchange in exchanges if not exchange.retried)
    for exchange in final:
        kept = exchange.probe.startswith((VALID + KEPT, DEFECT + KEPT)) and _SMALLER not in exchange.probe
        if kept and exchange.response is not None and not any(breaks(name, exchange, final) for name in CHECKS):
            yield _blank(sent(exchange), drawn.model)


def _found(identity: str, check: Check, exchanges: Sequence[Exchange]) -> Exchange | None:
    """The smallest generated request that broke a requirement which no declared one broke."""
    row = catalogue()[identity]
    finding = judged(row, check, [exchange for exchange in exchanges if exchange.profile in row.profiles])
    if finding.verdict is not Verdict.FAIL:
        return None
    broke = {name for name, _ in finding.violations}
    guilty = [exchange for exchange in exchanges if exchange.id in broke]
    if not guilty or any(not exchange.probe.startswith(PREFIX) for exchange in guilty):
        return None
    able = [
        exchange
        for exchange in guilty
        if exchange.probe.startswith((VALID, DEFECT))
        and isinstance(sent(exchange), Mapping)  # nothing else has members
    ]
    return min(able, key=lambda exchange: len(exchange.request.body), default=None)


async def _search(  # noqa: PLR0913  # what a search depends on
    identity: str,
    found: Exchange,
    exchanges: Sequence[Exchange],
    drawn: Drawn,
    ask: Ask,
    *,
    most: int,
    tried: Iterator[int],
) -> Body:
    loop = asyncio.get_running_loop()
    twin = twinned(found)

    def answered(name: str, body: Body, control: str) -> Exchange | None:
        probe = Probe(
            name=name,
            asks=f"{found.probe} made smaller, to see what {identity} hangs on.",
            steps=(Step(body=body),),
            control=control,
        )
        # Hypothesis shrinks in a thread of its own, while this loop goes on sending.
        try:
            return asyncio.run_coroutine_threadsafe(ask(probe), loop).result()
        except CancelledError:
            raise Spent from None

    def shows(body: Body) -> bool:
        name = f"{found.probe}{_SMALLER}{next(tried)}"
        plain = answered(name + PLAIN, {**body, "stream": False}, OPENING.name) if twin else None
        answer = answered(name, body, name + PLAIN if twin else found.control)
        return answer is not None and breaks(identity, answer, [*exchanges, *filter(None, (plain,))])

    body = _blank(sent(found), drawn.model)
    if valid(found):
        known = {
            key(_blank(sent(each), drawn.model)): breaks(identity, each, exchanges)
            for each in exchanges
            if each.probe.startswith(VALID)
        }
        search = Search(shows, known=known, most=most, cost=2 if twin else 1)
        return await _apart(
            search,
            lambda: shrunk(
                search,
                body,
                examples=drawn.examples,
                seed=drawn.seed,
                capabilities=drawn.capabilities,
                keeps=keeps_the_page,
            ),
        )
    _, wrong = defect_of(found)
    search = Search(shows, known={key(body): True}, most=most)

    def keeps(smaller_body: Body) -> bool:
        graded = grade_of(filled(smaller_body, model=drawn.model, cap=None, earlier=()))
        return graded is not None and wrong is not None and graded[1].schema == wrong.schema

    return await _apart(search, lambda: without_the_needless(search, body, keeps))


async def _apart(search: Search, find: Callable[[], Body]) -> Body:
    """What a search finds in a thread; it ends there too when it is told to stop here."""
    try:
        return await asyncio.to_thread(find)
    finally:
        search.left = 0


def breaks(identity: str, exchange: Exchange, exchanges: Sequence[Exchange]) -> bool:
    """Whether this exchange breaks a requirement, beside the others that it is to be compared with."""
    check = CHECKS[identity]
    alone = replace(check, when=lambda each: each is exchange and check.when(each))
    others = [each for each in exchanges if each is not exchange]
    finding = judged(catalogue()[identity], alone, [*others, exchange])
    return finding.verdict is Verdict.FAIL


def _blank(document: Mapping[str, Any], model: str) -> Body:
    return {name: MODEL if name == "model" and value == model else value for name, value in document.items()}
