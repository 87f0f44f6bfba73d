"""The endpoint itself: page sections "Chat Completions" and "Basic request"."""

from collections.abc import Iterator
from typing import Final

from conformance.check import Check, Violation, beside_control, check, listed, of, side_by_side
from conformance.exchange import Ending, Exchange
from conformance.probe import Probe
from conformance.probes import OPENING, plain, stream
from conformance.reading import Unobservable, answer, authorized, head, legal


def served(exchange: Exchange) -> bool:
    """Whether the request was answered with a 2xx.

    Raises:
        Unobservable: there was no answer.
        Inconclusive: we stopped waiting for it.
    """
    return 200 <= head(exchange).status < 300


def busy(exchange: Exchange) -> bool:
    """Whether the answer says that the target cannot serve anyone just now (429 or 503)."""
    return head(exchange).status in (429, 503)


def accepted(requirement: str, *probes: Probe) -> Check:
    """The probes are served; each is judged beside its control, so that a refusal has one suspect."""

    def find(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
        if served(exchange):
            return
        if not served(control):
            raise Unobservable(f"the same request without what this is about is refused too: {answer(control)}")
        if busy(exchange):
            raise Unobservable(f"the target was busy: {answer(exchange)}")
        yield Violation(
            expected=f"HTTP {head(control).status}, as for {control.id}", found=answer(exchange), where="status"
        )

    return check(requirement, when=of(*probes), probes=probes, groups=beside_control)(find)


def either(requirement: str, *forms: Probe) -> Check:
    """At least one of several forms that the page leaves open is served."""

    def find(*exchanges: Exchange) -> Iterator[Violation]:
        if any(served(exchange) for exchange in exchanges):
            return
        if any(busy(exchange) for exchange in exchanges) or len(exchanges) < len(forms):
            raise Unobservable("not every form was answered: " + "; ".join(answer(exchange) for exchange in exchanges))
        for exchange in exchanges:
            yield Violation(
                expected="HTTP 200 for one of the forms", found=answer(exchange), where="status", on=exchange.id
            )

    return check(requirement, when=of(*forms), probes=forms, groups=side_by_side)(find)


@check("request.endpoint-answers", when=of(OPENING), probes=(OPENING,))
def endpoint_answers(exchange: Exchange) -> Iterator[Violation]:
    """A POST to the endpoint with a known model and a message is answered with HTTP 200."""
    if busy(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if head(exchange).status != 200:
        yield Violation(expected="HTTP 200", found=answer(exchange), where="status")


@check("request.answer-is-whole", when=lambda _: True, probes=(OPENING,))
def answer_is_whole(exchange: Exchange) -> Iterator[Violation]:
    """Every request gets one complete HTTP answer."""
    if exchange.ended in (Ending.UNREACHABLE, Ending.UNSENT):
        raise Unobservable(f"{exchange.ended.value}: {exchange.detail}")
    if exchange.ended in (Ending.RESET, Ending.NOT_HTTP):
        yield Violation(
            expected="a complete HTTP answer", found=f"{exchange.ended.value}: {exchange.detail}", where="ending"
        )
        return
    head(exchange)
    if exchange.ended is not Ending.COMPLETE:
        raise Unobservable(f"we stopped reading before the answer ended: {exchange.ended.value}")


@check("auth.bearer-accepted", when=lambda exchange: authorized(exchange) and legal(exchange), probes=(OPENING,))
def bearer_accepted(exchange: Exchange) -> Iterator[Violation]:
    """The key is accepted in an Authorization header with the Bearer scheme."""
    if head(exchange).status == 401:
        yield Violation(expected="the key is accepted", found=answer(exchange), where="status")


ACCEPTED: Final = (
    accepted("request.minimal-body", plain.MINIMAL),
    accepted("request.documented-example", plain.DOCUMENTED),
    accepted("request.raw-utf8", plain.RAW_UTF8),
    accepted("request.escaped-unicode", plain.ESCAPED),
    accepted("request.no-accept-needed", stream.NO_ACCEPT),
)

CHECKS: Final = listed(globals())
