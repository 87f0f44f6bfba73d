"""How streams end, well or badly: page section "SSE event types"."""

import re
from collections.abc import Callable, Iterator
from typing import Final

from conformance.check import Check, Violation, check, listed, of, side_by_side
from conformance.checks.chunks import arrival
from conformance.checks.framing import ASKED, streaming
from conformance.document import MISSING, at, shown
from conformance.exchange import Ending, Exchange
from conformance.probes import failures
from conformance.probes import stream as probes
from conformance.reading.requests import scenario_of
from conformance.reading.streams import Chunk, finish_reason, lasting, stream, undisturbed, where
from conformance.reading.witness import Inconclusive, Unobservable

GRACE: Final = 5.0
"""Seconds after `[DONE]` within which the body must end."""

_FAILING: Final = of(failures.DIES_MID_STREAM)
_OF_THE_REQUEST: Final = re.compile("TOKEN|LENGTH|(?<!RATE_)LIMIT|TRUNC|VALIDATION|NOT_FOUND|DENIED")
"""What no code says of a failure that may befall any stream."""


@check("stream.done", when=lambda exchange: streaming(exchange) and not _FAILING(exchange), probes=ASKED)
def done(exchange: Exchange) -> Iterator[Violation]:
    """A stream contains `data: [DONE]`; what a stream that failed must do is a requirement of its own."""
    found = stream(exchange) if stream(exchange).done else lasting(exchange)
    if found.errors:
        raise Unobservable("an error event ended the stream")
    if not found.done:
        yield Violation(
            expected="data: [DONE]",
            found=f"the body's end after {exchange.elapsed:.1f} s" + (f": {found.cut}" if found.cut else ""),
            where="ending",
        )


@check("stream.done-exact", when=streaming, probes=ASKED)
def done_exact(exchange: Exchange) -> Iterator[Violation]:
    """The data of the end marker is exactly `[DONE]`."""
    if not stream(exchange).done:
        raise Unobservable("the stream has no [DONE]")
    for event in stream(exchange).done:
        if event.data != "[DONE]":
            yield Violation(expected='"[DONE]"', found=shown(event.data), where=where(event.span))


@check("stream.done-once", when=streaming, probes=ASKED)
def done_once(exchange: Exchange) -> Iterator[Violation]:
    """`[DONE]` is sent once."""
    marks = stream(exchange).done
    if not marks:
        raise Unobservable("the stream has no [DONE]")
    if len(marks) > 1:
        yield Violation(expected="one [DONE]", found=f"{len(marks)} of them", where=where(marks[1].span))


@check("stream.done-is-last", when=streaming, probes=ASKED)
def done_is_last(exchange: Exchange) -> Iterator[Violation]:
    """Nothing but blank lines and comments follows `[DONE]`; a second `[DONE]` is a requirement of its own."""
    found = stream(exchange)
    if not found.done:
        raise Unobservable("the stream has no [DONE]")
    end = found.done[0].span[1]
    for frame in found.frames:
        for line in frame.lines:
            if line.start >= end and line.content and not line.is_comment and line.value.strip() != b"[DONE]":
                text = line.content[:80].decode("utf-8", "backslashreplace")
                yield Violation(expected="the end of the body", found=shown(text), where=where((line.start, line.end)))


@check("stream.done-closed", when=streaming, probes=ASKED)
def done_closed(exchange: Exchange) -> Iterator[Violation]:
    """A blank line follows `[DONE]`."""
    found = lasting(exchange)
    if not found.done:
        raise Unobservable("the stream has no [DONE]")
    tail = found.frames[-1]
    if not found.cut and not tail.closed and any(line.value.strip() == b"[DONE]" for line in tail.lines):
        yield Violation(expected="a blank line after [DONE]", found="the end of the body", where=where(tail.span))


@check("stream.closes", when=streaming, probes=ASKED)
def closes(exchange: Exchange) -> Iterator[Violation]:
    """The body ends soon after `[DONE]`."""
    marks = stream(exchange).done
    if not marks:
        raise Unobservable("the stream has no [DONE]")
    waited = exchange.elapsed - arrival(exchange, marks[0].span[1])
    if exchange.ended is Ending.INTERRUPTED:
        raise Unobservable("the run was interrupted")
    if waited > GRACE:
        yield Violation(
            expected=f"the end of the body within {GRACE:.0f} s of [DONE]",
            found=f"{exchange.ended.value} {waited:.1f} s after it",
            where="ending",
        )


@check("stream.max-tokens", when=of(probes.CUT_SHORT), probes=(probes.CUT_SHORT,))
def max_tokens(exchange: Exchange) -> Iterator[Violation]:
    """A stream cut short by `max_tokens` ends as any other, with `[DONE]`."""
    found = lasting(exchange)
    if found.errors and not _OF_THE_REQUEST.search(str(at(found.errors[0].payload, "/code"))):
        raise Unobservable(f"the stream broke off: {shown(found.errors[0].payload)}")
    if found.errors:
        yield Violation(
            expected="a plain end",
            found=f"an error event: {shown(found.errors[0].payload)}",
            where=found.errors[0].where,
        )
    elif not found.done:
        yield Violation(expected="data: [DONE]", found="the end of the body", where="ending")


@check(
    "stream.error-or-reason",
    when=lambda exchange: streaming(exchange) and scenario_of(exchange) is None,
    probes=ASKED,
    groups=side_by_side,
)
def error_or_reason(*exchanges: Exchange) -> Iterator[Violation]:
    """A stream says that the model finished or tells of a failure, not both.

    A backend may break off behind its last word, so that one stream shows nothing that was not brought about.
    """
    if not any(map(_readable, exchanges)):
        raise Unobservable("no stream came")
    finished = [exchange for exchange in exchanges if _readable(exchange) and _finished(exchange)]
    whole = [exchange for exchange in finished if not _FAILING(exchange)]
    always = len(whole) > 1 and all(stream(exchange).errors for exchange in whole)
    for exchange in finished:
        if stream(exchange).errors and (always or _FAILING(exchange)):
            error = stream(exchange).errors[0]
            found = f'the reason "stop", and an error event: {shown(error.payload)}'
            yield Violation(expected="one of the two", found=found, where=error.where, on=exchange.id)


def _readable(exchange: Exchange) -> bool:
    try:
        return bool(stream(exchange).events)
    except (Unobservable, Inconclusive):
        return False


def _finished(exchange: Exchange) -> bool:
    """Whether a stream said that the model finished naturally."""
    return any(at(chunk.payload, "/choices/0/finish_reason") == "stop" for chunk in stream(exchange).chunks)


# Failures in mid-stream. The operator says how to bring one about; only what then shows is judged.


@check("stream.error-event", when=_FAILING, probes=(failures.DIES_MID_STREAM,))
def error_event(exchange: Exchange) -> Iterator[Violation]:
    """A failure in mid-stream is announced by an event named error."""
    found = lasting(exchange)
    if found.errors:
        return
    if not found.cut and found.done and finish_reason(exchange) is not MISSING:
        raise Unobservable("the stream ran to a clean end: the trigger did nothing, or a backend's failure was hidden")
    end = found.cut or ("[DONE]" if found.done else "the end of the body")
    yield Violation(expected="an event named error", found=f"{end}, with no word of the failure", where="ending")


def _each_error(requirement: str, find: Callable[[Exchange, Chunk], Iterator[Violation]]) -> Check:
    """Something holds of every error event; that there is one is a requirement of its own."""

    def every(exchange: Exchange) -> Iterator[Violation]:
        errors = stream(exchange).errors
        if not errors:
            raise Unobservable("the stream has no error event")
        for error in errors:
            yield from find(exchange, error)

    return check(requirement, when=_FAILING, probes=(failures.DIES_MID_STREAM,))(every)


def _line_form(_exchange: Exchange, error: Chunk) -> Iterator[Violation]:
    named = [line for line in error.frame.lines if line.field == b"event"]
    first = next(line for line in error.frame.lines if line.field in (b"event", b"data"))
    if first.content != b"event: error":
        bad = named[0] if named and named[0].content != b"event: error" else first
        found = bad.content.decode("utf-8", "backslashreplace")
        yield Violation(expected="event: error", found=shown(found), where=where((bad.start, bad.end)))


def _data_next(_exchange: Exchange, error: Chunk) -> Iterator[Violation]:
    lines = error.frame.lines
    place = next(index for index, line in enumerate(lines) if line.field == b"event")
    after = lines[place + 1] if place + 1 < len(lines) else None
    if after is None or after.field != b"data":
        found = "nothing" if after is None else shown(after.content.decode("utf-8", "backslashreplace"))
        yield Violation(expected="a data line after `event: error`", found=found, where=error.where)


def _holding(name: str) -> Callable[[Exchange, Chunk], Iterator[Violation]]:
    def find(_exchange: Exchange, error: Chunk) -> Iterator[Violation]:
        found = at(error.payload, f"/{name}")
        if not isinstance(found, str) or not found:
            yield Violation(
                expected=f"an object with a non-empty string `{name}`", found=shown(error.payload), where=error.where
            )

    return find


ERRORS: Final = (
    _each_error("stream.error-line", _line_form),
    _each_error("stream.error-data-next", _data_next),
    _each_error("stream.error-code", _holding("code")),
    _each_error("stream.error-message", _holding("message")),
)


@check("stream.done-after-error", when=_FAILING, probes=(failures.DIES_MID_STREAM,))
def done_after_error(exchange: Exchange) -> Iterator[Violation]:
    """A stream that failed ends with `data: [DONE]` too."""
    found = lasting(exchange)
    if found.done:
        if not found.errors:
            undisturbed(exchange)
        return
    yield Violation(
        expected="data: [DONE]", found="the end of the body" + (f": {found.cut}" if found.cut else ""), where="ending"
    )


@check("stream.sound-before-error", when=_FAILING, probes=(failures.DIES_MID_STREAM,))
def sound_before_error(exchange: Exchange) -> Iterator[Violation]:
    """Every chunk before the error event is whole."""
    found = stream(exchange)
    if not found.errors:
        raise Unobservable("the stream has no error event")
    whole = {chunk.event.span for chunk in found.chunks}
    for event in found.events:
        if event.span >= found.errors[0].event.span:
            return
        if event.type == "message" and event.data.strip() != "[DONE]" and event.span not in whole:
            yield Violation(expected="a whole chunk", found=shown(event.data), where=where(event.span))


CHECKS: Final = listed(globals())
