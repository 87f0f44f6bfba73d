"""What the scripted backend said, and what of it reached the client."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.check import Check, Group, Violation, check, listed, of
from conformance.checks.chunks import arrival
from conformance.checks.request import busy, served
from conformance.checks.streamed_calls import streamed_calls
from conformance.checks.tools import calls
from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Ending, Exchange
from conformance.probes import scripted
from conformance.reading.answers import ROOTS, answer, media_type, message
from conformance.reading.requests import scenario_of, sent, streamed, unstreamed
from conformance.reading.streams import Chunk, finish_reason, lasting, looks_streamed, stream, where
from conformance.reading.witness import Unobservable
from conformance.scenario import Fate, Scenario, cued
from conformance.scenarios.pacing import PAUSE
from conformance.scenarios.writing import NAMED

SLACK: Final = 3.0
"""Seconds that a gateway may take to notice that its client has left."""


def playing(*fates: Fate) -> Callable[[Exchange], bool]:
    """A predicate: the request plays a scenario of one of these fates."""

    def when(exchange: Exchange) -> bool:
        found = scenario_of(exchange)
        return found is not None and found.fate in fates and exchange.ended is not Ending.LEFT

    return when


def reached(exchange: Exchange) -> Scenario:
    """The scenario that the backend played.

    Raises:
        Unobservable: no request reached the backend.
    """
    found = scenario_of(exchange)
    if found is None or not exchange.arrivals:
        raise Unobservable(
            f"no request reached the scripted backend: {answer(exchange)}; does the target route this slug to it?"
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What a client was given of an answer."""

    failure: str = ""
    """That it failed, in a few words; empty where it did not."""
    where: str = "whole"
    text: str = ""
    calls: tuple[tuple[str, Any], ...] = ()
    """Of each call its name and its arguments, parsed; as text where they are no JSON."""
    reason: Any = MISSING


def delivered(exchange: Exchange) -> Delivered:
    """What the client was given, streamed or not.

    Raises:
        Unobservable: the target was busy, or the answer has no form that could be read (requirements of their own).
        Inconclusive: we stopped waiting for it.
    """
    if busy(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if not served(exchange):
        return Delivered(failure=answer(exchange), where="status")
    return _of_stream(exchange) if streamed(exchange) else _of_document(exchange)


def _of_stream(exchange: Exchange) -> Delivered:
    if not looks_streamed(exchange):
        return Delivered(failure=f"no event stream but {media_type(exchange) or 'no media type'}")
    found = lasting(exchange)
    if found.errors:
        return Delivered(failure=f"an error event: {shown(found.errors[0].payload)}", where=found.errors[0].where)
    if found.cut or not found.done:
        lack = f"a stream that broke off: {found.cut}" if found.cut else "a stream without [DONE]"
        return Delivered(failure=lack, where="ending")
    try:
        told = tuple(
            ("".join(name for name in each.told("/function/name") if isinstance(name, str)), _parsed(each.arguments))
            for each in streamed_calls(exchange)
        )
    except Unobservable:
        told = ()
    return Delivered(text=_joined(_texts(found.chunks)), calls=told, reason=finish_reason(exchange))


def _texts(chunks: Sequence[Chunk]) -> Iterator[str]:
    for chunk in chunks:
        if isinstance(text := at(chunk.payload, "/choices/0/delta/content"), str):
            yield text


def _joined(texts: Iterable[str]) -> str:
    """Texts put together, the halves of a character that an escape cut in two as well."""
    return "".join(texts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _of_document(exchange: Exchange) -> Delivered:
    content = message(exchange).get("content")
    try:
        told = tuple(
            (
                name if isinstance(name := at(call, "/function/name"), str) else "",
                _parsed(at(call, "/function/arguments")),
            )
            for _, call in calls(exchange)
        )
    except Unobservable:
        told = ()
    return Delivered(
        text=_joined([content]) if isinstance(content, str) else "", calls=told, reason=finish_reason(exchange)
    )


def _parsed(arguments: Any) -> Any:
    try:
        return parse(arguments) if isinstance(arguments, str) else arguments
    except NotJson:
        return arguments


def _difference(wanted: str, found: str) -> Iterator[tuple[str, str]]:
    """The place where two texts part, from both, for a person."""
    if wanted == found:
        return
    place = next(
        (place for place, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b),
        min(len(wanted), len(found)),
    )
    start = max(0, place - 10)
    cut = "…" if start else ""
    yield (
        f"{cut}{shown(wanted[start : place + 30])} at character {place} of {len(wanted)}",
        f"{cut}{shown(found[start : place + 30])}, {len(found)} characters in all",
    )


def _text_exact(requirement: str, *, in_stream: bool) -> Check:
    """The text that the backend said is the text that the client got."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        scenario, found = reached(exchange), delivered(exchange)
        if found.failure:
            yield Violation(expected="the backend's answer", found=found.failure, where=found.where)
        elif found.text not in scenario.also:
            for expected, told in _difference(scenario.text, found.text):
                yield Violation(expected=expected, found=told, where=_place(exchange, "message/content"))

    probes = scripted.played(Fate.DELIVERED, streamed=in_stream)
    meant = playing(Fate.DELIVERED)
    asked = streamed if in_stream else unstreamed
    return check(requirement, when=lambda exchange: asked(exchange) and meant(exchange), probes=probes)(find)


def _place(exchange: Exchange, member: str) -> str:
    """Where a member of the choice stands; a stream says it in many places."""
    return "whole" if streamed(exchange) else f"{ROOTS[exchange.profile]}/choices/0/{member}"


TEXTS: Final = (
    _text_exact("stream.text-exact", in_stream=True),
    _text_exact("response.text-exact", in_stream=False),
)


def _both_forms(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterable[Group]:
    """Each scenario's stream with its answer that is not streamed."""
    plain = {cued(sent(exchange))[0]: exchange for exchange in chosen if unstreamed(exchange)}
    for exchange in chosen:
        if streamed(exchange) and (other := plain.get(cued(sent(exchange))[0])):
            yield exchange, other


@check(
    "stream.equals-unstreamed",
    when=playing(Fate.DELIVERED),
    probes=scripted.played(Fate.DELIVERED),
    groups=_both_forms,
)
def equals_unstreamed(exchange: Exchange, plain: Exchange) -> Iterator[Violation]:
    """A stream adds up to what the same answer is without one."""
    reached(plain)
    scenario, found, other = reached(exchange), delivered(exchange), delivered(plain)
    if found.failure or other.failure:
        raise Unobservable(f"one of the two failed: {found.failure or other.failure}")
    if not {found.text, other.text} <= {scenario.text, *scenario.also}:
        for expected, told in _difference(other.text, found.text):
            yield Violation(expected=f"{expected}, as not streamed", found=told)
    if found.calls != other.calls:
        yield Violation(expected=f"the calls {shown(other.calls)}, as not streamed", found=shown(found.calls))
    if found.reason != other.reason:
        yield Violation(expected=f"{shown(other.reason)}, as not streamed", found=shown(found.reason))


@check(
    "finish.exact",
    when=playing(Fate.DELIVERED, Fate.MENDED),
    probes=scripted.played(Fate.DELIVERED, Fate.MENDED),
)
def reason_exact(exchange: Exchange) -> Iterator[Violation]:
    """The finish reason is the backend's."""
    scenario, found = reached(exchange), delivered(exchange)
    if found.failure or not scenario.reason:
        raise Unobservable(f"there is no reason to compare: {found.failure or scenario.does}")
    if found.reason != scenario.reason:
        yield Violation(
            expected=f"{shown(scenario.reason)}, of a backend that {scenario.does}",
            found=shown(found.reason),
            where=_place(exchange, "finish_reason"),
        )


_CALLING: Final = tuple(probe for probe in scripted.played(Fate.DELIVERED) if scripted.scenario_named(probe).calls)


@check("tools.exact-calls", when=of(*_CALLING), probes=_CALLING)
def exact_calls(exchange: Exchange) -> Iterator[Violation]:
    """The calls are the backend's: the same functions with equal arguments, in their order."""
    scenario, found = reached(exchange), delivered(exchange)
    wanted = tuple((call.name, _parsed(call.arguments)) for call in scenario.calls)
    if found.failure:
        yield Violation(expected=f"the calls {shown(wanted)}", found=found.failure, where=found.where)
    elif found.calls != wanted:
        yield Violation(expected=f"the calls {shown(wanted)}", found=shown(found.calls))


@check("stream.garbled-not-relayed", when=playing(Fate.MENDED), probes=scripted.played(Fate.MENDED))
def garbled_not_relayed(exchange: Exchange) -> Iterator[Violation]:
    """What the backend garbled comes mended or as a failure that is told as one."""
    scenario, found = reached(exchange), delivered(exchange)
    if not served(exchange):
        return
    if streamed(exchange):
        if not looks_streamed(exchange):
            expected = f"an event stream or an HTTP error, of a backend that {scenario.does}"
            yield Violation(expected=expected, found=found.failure)
            return
        known = {chunk.event.span for chunk in (*stream(exchange).chunks, *stream(exchange).errors)}
        for event in stream(exchange).events:
            if event.span not in known and event.data.strip() not in ("", "[DONE]"):
                yield Violation(expected="chunks of JSON", found=shown(event.data), where=where(event.span))
                return
        if stream(exchange).errors:
            return
    yield from _unmended(scenario, found)


def _unmended(scenario: Scenario, found: Delivered) -> Iterator[Violation]:
    wanted = tuple((call.name, _parsed(call.arguments)) for call in scenario.calls)
    how = f"of a backend that {scenario.does}"
    if found.failure:
        yield Violation(
            expected=f"an error event or [DONE] after the answer {how}", found=found.failure, where="ending"
        )
    elif found.text not in (scenario.text, *scenario.also):
        yield Violation(expected=f"{shown(scenario.text)} or a failure, {how}", found=shown(found.text))
    elif wanted and found.calls != wanted:
        yield Violation(expected=f"the calls {shown(wanted)} or a failure, {how}", found=shown(found.calls))


@check("stream.as-it-comes", when=of(scripted.HALVES), probes=(scripted.HALVES,))
def as_it_comes(exchange: Exchange) -> Iterator[Violation]:
    """The first half of a text has come before the backend wrote the second."""
    reached(exchange)
    last = exchange.arrivals[-1]
    first = next(
        (chunk for chunk in lasting(exchange).chunks if at(chunk.payload, "/choices/0/delta/content") not in _SILENT),
        None,
    )
    if first is None or last.last_write is None or not last.streamed:
        raise Unobservable("no text to tell when it came, or the gateway asked its backend for no stream")
    came = exchange.started + arrival(exchange, first.event.span[1])
    over = last.at + last.last_write
    if came > over - PAUSE / 10:  # who waits for the rest comes after it; a machine that is busy may come late
        yield Violation(
            expected=f"text some {PAUSE:g} s before the backend had written all",
            found=f"the first of it {abs(over - came):.2f} s {'before' if came < over else 'after'} that",
            where=first.where,
        )


_SILENT: Final = (MISSING, None, "")


@check("stream.stops-when-client-leaves", when=of(scripted.LEAVING), probes=(scripted.LEAVING,))
def stops_when_client_leaves(exchange: Exchange) -> Iterator[Violation]:
    """The gateway closes its connection to the backend soon after the client has hung up."""
    reached(exchange)
    if exchange.ended is not Ending.LEFT:
        raise Unobservable(f"the answer was over before we hung up: {answer(exchange)}")
    gone = exchange.started + exchange.elapsed
    for each in exchange.arrivals:
        until = each.at + (each.left if each.left is not None else each.last_write or 0.0)
        if until > gone + SLACK:
            yield Violation(
                expected=f"the end of generation within {SLACK:g} s after the client hung up",
                found=f"the backend written to for {until - gone:.1f} s more",
                where="ending",
            )


@check("response.no-backend-name", when=lambda exchange: scenario_of(exchange) is not None, probes=(scripted.BARE,))
def no_backend_name(exchange: Exchange) -> Iterator[Violation]:
    """What the backend calls its model stands nowhere in the answer."""
    reached(exchange)
    if exchange.response is None:
        raise Unobservable(f"no answer: {exchange.ended.value}")
    for name, value in exchange.response.headers:
        if NAMED in value:
            yield Violation(expected="no word of the backend's model", found=shown(value), where=f"header {name}")
    if (place := exchange.body.find(NAMED.encode())) >= 0:
        yield Violation(
            expected="no word of the backend's model", found=shown(NAMED), where=where((place, place + len(NAMED)))
        )


CHECKS: Final = listed(globals())
