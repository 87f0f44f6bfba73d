"""What stop sequences bring about: page section "Request parameters"."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from conformance.check import Check, Violation, check, in_sequence, listed, of
from conformance.checks.finish import REASONS
from conformance.document import shown
from conformance.exchange import Exchange
from conformance.probes import stopping as probes
from conformance.reading.requests import asked, streamed
from conformance.reading.streams import finish_reason, text
from conformance.reading.witness import Unobservable


def stop_of(exchange: Exchange, unstopped: str) -> str:
    """The stop sequence that must end the answer: the string, or the array's member that the text comes to first.

    Raises:
        Unobservable: the text comes to none, or the members are alike, so that nothing shows which was obeyed.
    """
    found = asked(exchange, "/stop")
    stops = [found] if isinstance(found, str) else found
    if len(set(stops)) < len(stops):
        raise Unobservable(f"the stop sequences are alike: {shown(found)}")
    if not (met := [stop for stop in stops if stop in unstopped]):
        raise Unobservable(f"{shown(found)} is not in the text that nothing stopped: {shown(unstopped)}")
    return str(min(met, key=unstopped.find))


def _stopped(requirement: str, find: Callable[[str, str, Exchange], Iterator[Violation]], *steps: int) -> Check:
    """Something holds of the requests of a sequence whose stop sequence stands in the first one's text.

    `find` takes the text before the stop sequence, the sequence, and the exchange that was stopped at it.
    """

    def every(*exchanges: Exchange) -> Iterator[Violation]:
        taken = {exchange.step: exchange for exchange in exchanges}
        unstopped = text(exchanges[0])
        if finish_reason(exchanges[0]) == "content_filter":
            raise Unobservable(f"the text that nothing stopped is the filter's: {shown(unstopped)}")
        shown_any = False
        reasons: list[str] = []
        for exchange in (taken[step] for step in steps if step in taken):
            try:
                stop = stop_of(exchange, unstopped)
                yield from find(unstopped.partition(stop)[0], stop, exchange)
                shown_any = True
            except Unobservable as reason:
                reasons.append(str(reason))
        if not shown_any:
            raise Unobservable("; ".join(reasons) or "no request with the stop sequence was made")

    return check(requirement, when=of(probes.STOPPED), probes=(probes.STOPPED,), groups=in_sequence)(every)


def _ends(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    kept, _, after = said.partition(stop)
    if after.strip():
        yield Violation(expected=f"nothing after {shown(stop)}", found=shown(said), on=exchange.id)
    elif kept.rstrip() != before.rstrip():
        raise Unobservable(f"the model said something else this time: {shown(said)}")


def _string_ends(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    """As of any sequence; and none of its characters ends the answer by itself."""
    said = text(exchange).rstrip()
    sooner = min((before + stop).find(character) for character in stop)
    if said and said == before[:sooner].rstrip() != before.rstrip() and finish_reason(exchange) == "stop":
        yield Violation(
            expected=f"the text before {shown(stop)}: {shown(before)}",
            found=f"{shown(said)}, as if each character of {shown(stop)} were to stop at",
            on=exchange.id,
        )
        return
    yield from _ends(before, stop, exchange)


def _each_ends(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    """As of one sequence; and none ends the answer where it does not stand."""
    said = text(exchange).rstrip()
    for other in asked(exchange, "/stop"):
        found = re.search(re.escape(other).replace(r"\.", "."), before)
        if found and before[: found.start()].rstrip() == said:
            yield Violation(
                expected=f"the text before {shown(stop)}: {shown(before)}",
                found=f"{shown(said)}, as if {shown(other)} were a pattern",
                on=exchange.id,
            )
            return
    yield from _ends(before, stop, exchange)


def _excludes(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    if stop in said:
        yield Violation(expected=f"a text without {shown(stop)}", found=shown(said), on=exchange.id)
    elif said.rstrip() != before.rstrip():
        raise Unobservable(f"the model said something else this time: {shown(said)}")


def _leaks_nothing(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    rest = said.removeprefix(before)
    if stop in said:
        yield Violation(expected=f"a text without {shown(stop)}", found=shown(said), on=exchange.id)
    elif said.startswith(before) and rest.strip() and stop.startswith(rest):
        if finish_reason(exchange) == "length":
            raise Unobservable(f"the limit may have cut the answer off within {shown(stop)}")
        yield Violation(expected=f"no part of {shown(stop)}", found=shown(said), on=exchange.id)
    elif said.rstrip() != before.rstrip():
        raise Unobservable(f"the model said something else this time: {shown(said)}")


def _says_stop(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    if said.removesuffix(stop).rstrip() != before.rstrip():
        raise Unobservable(f"nothing shows that {shown(stop)} ended the answer")
    found = finish_reason(exchange)
    if streamed(exchange) and found not in REASONS:
        raise Unobservable(f"the stream gives no known reason: {shown(found)}")
    if found != "stop":
        where = "whole" if streamed(exchange) else "/data/choices/0/finish_reason"
        yield Violation(expected='"stop"', found=shown(found), where=where, on=exchange.id)


STOPPED: Final = (
    _stopped("parameters.stop-string-stops", _string_ends, probes.STRING),
    _stopped("parameters.stop-array-stops", _each_ends, probes.ARRAY),
    _stopped("parameters.stop-excluded", _excludes, probes.STRING, probes.ARRAY),
    _stopped("parameters.stop-reason", _says_stop, probes.STRING, probes.ARRAY, *probes.STREAMED),
    _stopped("parameters.stop-in-stream", _leaks_nothing, *probes.STREAMED),
)

CHECKS: Final = listed(globals())
