"""A backend that fails, and what the client is told of it."""

from collections.abc import Iterator
from typing import Final

from conformance.check import Violation, check, listed
from conformance.checks.codes import STATUSES
from conformance.checks.delivery import playing, reached
from conformance.checks.request import busy, served
from conformance.document import MISSING, at, shown
from conformance.exchange import Exchange
from conformance.probes import scripted
from conformance.reading.answers import answer, error_code, error_document, head
from conformance.reading.requests import streamed, unstreamed
from conformance.reading.streams import Chunk, lasting, looks_streamed
from conformance.reading.witness import Unobservable
from conformance.scenario import Fate, Scenario

_FAILING: Final = playing(Fate.TOLD)
_IN_STREAM: Final = scripted.played(Fate.TOLD, streamed=True)
_NOT_STREAMED: Final = scripted.played(Fate.TOLD, streamed=False)


def _how(scenario: Scenario) -> str:
    return f"of a backend that {scenario.does}"


@check(
    "stream.error-for-every-death",
    when=lambda exchange: streamed(exchange) and _FAILING(exchange),
    probes=_IN_STREAM,
)
def error_for_every_death(exchange: Exchange) -> Iterator[Violation]:
    """A stream whose backend failed has an error event with code and message, then `[DONE]`; or it is an HTTP error.

    On the other surface nothing is promised of how a failure is told; it must not end like a success.
    """
    scenario = reached(exchange)
    if head(exchange).status >= 400:
        return
    if not looks_streamed(exchange):
        yield Violation(expected=f"an event stream or an HTTP error, {_how(scenario)}", found=answer(exchange))
        return
    found = lasting(exchange)
    if exchange.profile == "openai" and (found.errors or not found.done):
        return
    if not found.errors:
        end = found.cut or ("[DONE]" if found.done else "the end of the body")
        yield Violation(
            expected=f"an error event, {_how(scenario)}", found=f"{end}, with no word of the failure", where="ending"
        )
        return
    yield from _worded(found.errors[0], scenario)
    if not found.done:
        yield Violation(
            expected=f"[DONE] after the error event, {_how(scenario)}",
            found=found.cut or "the end of the body",
            where="ending",
        )


def _worded(error: Chunk, scenario: Scenario) -> Iterator[Violation]:
    for name in ("code", "message"):
        told = at(error.payload, f"/{name}")
        if not isinstance(told, str) or not told:
            yield Violation(
                expected=f"an error event with a `{name}`, {_how(scenario)}",
                found=shown(error.payload),
                where=error.where,
            )


@check(
    "errors.backend-failure-told",
    when=lambda exchange: unstreamed(exchange) and _FAILING(exchange),
    probes=_NOT_STREAMED,
)
def failure_told(exchange: Exchange) -> Iterator[Violation]:
    """A failing backend is an HTTP error in the envelope, where no stream was asked for."""
    scenario = reached(exchange)
    if busy(exchange) and not error_code(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if exchange.arrivals[-1].streamed not in scenario.asked:
        raise Unobservable("the gateway asked its backend for the other form, in which the backend does not fail")
    if head(exchange).status < 400:
        yield Violation(expected=f"an HTTP error, {_how(scenario)}", found=answer(exchange), where="status")
        return
    document = error_document(exchange)
    for pointer, right in (("/status", "error"), ("/error/code", ""), ("/error/message", "")):
        told = at(document, pointer)
        if not isinstance(told, str) or not told or (right and told != right):
            yield Violation(
                expected=f"the JSON error envelope, {_how(scenario)}",
                found="no JSON" if document is MISSING else shown(told),
                where=pointer,
            )
            return


@check("errors.backend-failure-code", when=_FAILING, probes=scripted.played(Fate.TOLD))
def failure_code(exchange: Exchange) -> Iterator[Violation]:
    """The code fits how the backend failed, and the status fits the code."""
    scenario = reached(exchange)
    wanted = " or ".join(sorted(scenario.codes))
    if not served(exchange):
        code = error_code(exchange)
        if not code or code == "RATE_LIMITED":
            raise Unobservable(f"there is no code, or the target was busy: {answer(exchange)}")
        if code not in scenario.codes:
            yield Violation(expected=f"{wanted}, {_how(scenario)}", found=shown(code), where="/error/code")
        elif head(exchange).status not in STATUSES[code]:
            yield Violation(expected=f"HTTP {STATUSES[code][0]} for {code}", found=answer(exchange), where="status")
        return
    if not streamed(exchange) or not lasting(exchange).errors:
        raise Unobservable(f"the failure was not told: {answer(exchange)}")
    error = lasting(exchange).errors[0]
    told = at(error.payload, "/code")
    if isinstance(told, str) and told not in scenario.codes:
        yield Violation(expected=f"{wanted}, {_how(scenario)}", found=shown(told), where=error.where)


_AT_ONCE: Final = tuple(probe for probe in _IN_STREAM if scripted.scenario_named(probe).at_once)
_NAMES: Final = frozenset(probe.name for probe in _AT_ONCE)


@check("stream.failure-before-first-token", when=lambda exchange: exchange.probe in _NAMES, probes=_AT_ONCE)
def failure_before_first_token(exchange: Exchange) -> Iterator[Violation]:
    """A backend that fails before it begins a stream is an HTTP error."""
    scenario = reached(exchange)
    if head(exchange).status < 400:
        yield Violation(expected=f"an HTTP error, {_how(scenario)}", found=answer(exchange), where="status")


CHECKS: Final = listed(globals())
