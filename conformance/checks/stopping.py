"""What stop sequences bring about: page section "Request parameters"."""

from collections.abc import Callable, Iterator
from typing import Final

from conformance.check import Check, Violation, check, in_sequence, listed, of
from conformance.checks.request import served
from conformance.document import shown
from conformance.exchange import Exchange
from conformance.probes import stopping as probes
from conformance.reading import Unobservable, asked, finish_reason, text


def stop_of(exchange: Exchange) -> str:
    """The one stop sequence of a request that stands in the unstopped text: the string, or the array's last."""
    found = asked(exchange, "/stop")
    return found if isinstance(found, str) else str(found[-1])


def _stopped(requirement: str, find: Callable[[str, str, Exchange], Iterator[Violation]], *steps: int) -> Check:
    """Something holds of the requests of a sequence whose stop sequence stands in the first one's text.

    `find` takes the text before the stop sequence, the sequence, and the exchange that was stopped at it.
    """

    def every(*exchanges: Exchange) -> Iterator[Violation]:
        unstopped = text(exchanges[0])
        shown_any = False
        reasons: list[str] = []
        for step in steps:
            if step >= len(exchanges) or not served(exchanges[step]):
                reasons.append(f"request {step + 1} was not served")
                continue
            stop = stop_of(exchanges[step])
            if stop not in unstopped:
                reasons.append(f"{shown(stop)} is not in the text that nothing stopped: {shown(unstopped)}")
                continue
            try:
                yield from find(unstopped.partition(stop)[0], stop, exchanges[step])
                shown_any = True
            except Unobservable as reason:
                reasons.append(str(reason))
        if not shown_any:
            raise Unobservable("; ".join(reasons))

    return check(requirement, when=of(probes.STOPPED), probes=(probes.STOPPED,), groups=in_sequence)(every)


def _ends(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    kept, found, after = said.partition(stop)
    if found and after.strip():
        yield Violation(expected=f"nothing after {shown(stop)}", found=shown(said), on=exchange.id)
    elif (kept if found else said).rstrip() != before.rstrip():
        raise Unobservable(f"the model said something else this time: {shown(said)}")


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
        yield Violation(expected=f"no part of {shown(stop)}", found=shown(said), on=exchange.id)
    elif said.rstrip() != before.rstrip():
        raise Unobservable(f"the model said something else this time: {shown(said)}")


def _says_stop(before: str, stop: str, exchange: Exchange) -> Iterator[Violation]:
    said = text(exchange)
    if said.removesuffix(stop).rstrip() != before.rstrip():
        raise Unobservable(f"nothing shows that {shown(stop)} ended the answer")
    if finish_reason(exchange) != "stop":
        yield Violation(
            expected='"stop"',
            found=shown(finish_reason(exchange)),
            where="/data/choices/0/finish_reason",
            on=exchange.id,
        )


STOPPED: Final = (
    _stopped("parameters.stop-string-stops", _ends, probes.STRING),
    _stopped("parameters.stop-array-stops", _ends, probes.ARRAY),
    _stopped("parameters.stop-excluded", _excludes, probes.STRING, probes.ARRAY),
    _stopped("parameters.stop-reason", _says_stop, probes.STRING, probes.ARRAY),
    _stopped("parameters.stop-in-stream", _leaks_nothing, *probes.STREAMED),
)

CHECKS: Final = listed(globals())
