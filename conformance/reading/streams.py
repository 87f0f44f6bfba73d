"""What came back as an event stream, and what both kinds of answer hold: a text and a reason to end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from conformance import sse
from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Ending, Exchange
from conformance.reading.answers import body, completion, media_type, message, succeeded
from conformance.reading.requests import streamed
from conformance.reading.witness import OURS, Inconclusive, Unobservable, remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One event's payload that is JSON, and where it stands."""

    payload: Any
    event: sse.Event
    frame: sse.Frame

    @property
    def where(self) -> str:
        """The chunk's byte span, as a violation names it."""
        return where(self.event.span)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """An answer read as Server-Sent Events (WHATWG HTML, 9.2)."""

    frames: tuple[sse.Frame, ...]
    events: tuple[sse.Event, ...]
    """All events, `[DONE]` included, in wire order; those that lack their blank line too."""
    chunks: tuple[Chunk, ...]
    """Unnamed events that hold a JSON text, in wire order, and named ones that hold `choices`; none after `[DONE]`, and
    no error."""
    errors: tuple[Chunk, ...]
    """Events named `error`, the payload `MISSING` where it is not JSON; in the other profile also what holds one."""
    done: tuple[sse.Event, ...]
    """Events whose data is `[DONE]`, blanks around it and a name forgiven."""
    cut: str
    """How the body ended early; empty where it is whole."""


def where(span: tuple[int, int]) -> str:
    """A byte span, as violations name it."""
    return f"bytes {span[0]}-{span[1]}"


def _payload(data: str) -> Any:
    try:
        return parse(data)
    except NotJson:
        return MISSING


def looks_streamed(exchange: Exchange) -> bool:
    """Whether a successful answer is an event stream, by its media type or by how its body begins."""
    if media_type(exchange) == "text/event-stream":
        return True
    start = body(exchange).lstrip(b"\xef\xbb\xbf\r\n")
    return start.startswith((b"data:", b"event:", b":", b"id:", b"retry:"))


@remembered
def stream(exchange: Exchange) -> Stream:
    """The answer as an event stream.

    Raises:
        Unobservable: not a 2xx, or not an event stream (requirements of their own).
    """
    succeeded(exchange)
    if not looks_streamed(exchange):
        raise Unobservable(f"answered with {media_type(exchange) or 'no media type'}, not with an event stream")
    frames = sse.decode(body(exchange))
    pairs = [pair for frame in frames for pair in _forgiven(frame)]
    done = tuple(event for _, event in pairs if event.type != "error" and event.data.strip() == "[DONE]")
    end = done[0].span[0] if done else len(body(exchange))
    read = [Chunk(payload=_payload(event.data), event=event, frame=frame) for frame, event in pairs]
    return Stream(
        frames=frames,
        events=tuple(event for _, event in pairs),
        chunks=tuple(
            chunk
            for chunk in read
            if _is_meant(chunk) and chunk.event.span[0] < end and not _is_error(chunk, exchange.profile)
        ),
        errors=tuple(chunk for chunk in read if _is_error(chunk, exchange.profile)),
        done=done,
        cut="" if exchange.ended is Ending.COMPLETE else exchange.ended.value,
    )


def _is_error(chunk: Chunk, profile: str) -> bool:
    """Whether an event tells of a failure: by its name, and on the other surface by what it holds."""
    if chunk.event.type == "error":
        return True
    inside = isinstance(at(chunk.payload, "/error"), Mapping | str) and at(chunk.payload, "/choices") is MISSING
    return profile == "openai" and inside


def _is_meant(chunk: Chunk) -> bool:
    """Whether an event that tells of no failure is one of the answer's: its name is a requirement of its own."""
    return (chunk.payload if chunk.event.type == "message" else at(chunk.payload, "/choices")) is not MISSING


def data_lines(frame: sse.Frame) -> tuple[sse.Line, ...]:
    """The frame's `data` lines."""
    return tuple(line for line in frame.lines if line.field == b"data")


def run_together(frame: sse.Frame) -> bool:
    """Whether several events stand in one frame for want of a blank line: each data line is whole by itself."""
    values = [line.value.decode("utf-8", "replace") for line in data_lines(frame)]
    return len(values) > 1 and all(value == "[DONE]" or isinstance(_payload(value), Mapping) for value in values)


def _forgiven(frame: sse.Frame) -> Iterator[tuple[sse.Frame, sse.Event]]:
    """The frame's events, each with its lines, also where the standard would merge or drop them.

    That a blank line is wanting is a requirement of its own; the others are judged on what was meant.
    """
    if frame.event is not None and not run_together(frame):
        yield frame, frame.event
        return
    if frame.truncated or (frame.closed and frame.event is None):
        return
    places = [place for place, line in enumerate(frame.lines) if line.field == b"data"]
    ends = [place + 1 for place in places[:-1]]
    for start, place, end in zip([0, *ends], places, [*ends, len(frame.lines)], strict=False):
        lines, line = frame.lines[start:end], frame.lines[place]
        named = [each.value.decode("utf-8", "replace") for each in lines if each.field == b"event"]
        yield (
            replace(frame, lines=lines),
            sse.Event(
                type=named[0] if named else "message",
                data=line.value.decode("utf-8", "replace"),
                id="",
                span=(line.start, line.end),
            ),
        )


def lasting(exchange: Exchange) -> Stream:
    """The event stream, when nothing of ours cut it off.

    Raises:
        Unobservable: as `stream`.
        Inconclusive: we stopped reading before the stream ended.
    """
    found = stream(exchange)
    if exchange.ended is Ending.LEFT:
        raise Unobservable("we hung up in the middle of the stream, as was meant")
    if exchange.ended in OURS:
        raise Inconclusive(f"we stopped reading before the stream ended: {exchange.ended.value}")
    return found


def undisturbed(exchange: Exchange) -> Stream:
    """A stream that ran to its end without an error event.

    Raises:
        Unobservable: as `stream`, or an error event or a cut ended it.
        Inconclusive: we stopped reading before the stream ended.
    """
    found = lasting(exchange)
    if found.cut:
        raise Unobservable(f"the stream was cut off: {found.cut}")
    if found.errors:
        raise Unobservable(f"an error event ended the stream: {shown(found.errors[0].payload)}")
    return found


@remembered
def streamed_text(exchange: Exchange) -> str:
    """The text of a stream: every string at `choices[0].delta.content`, joined (page: SSE event types).

    Raises:
        Unobservable: as `undisturbed`.
        Inconclusive: we stopped reading before the stream ended.
    """
    deltas = (at(chunk.payload, "/choices/0/delta/content") for chunk in undisturbed(exchange).chunks)
    return "".join(delta for delta in deltas if isinstance(delta, str))


def text(exchange: Exchange) -> str:
    """The answer's text, streamed or not; empty where there is none.

    Raises:
        Unobservable: no completion, or no whole stream.
        Inconclusive: cut off by us.
    """
    if streamed(exchange):
        return streamed_text(exchange)
    found = message(exchange).get("content")
    return found if isinstance(found, str) else ""


def finish_reason(exchange: Exchange) -> Any:
    """The first choice's finish reason, streamed (the last that is not null) or not; `MISSING` where none is.

    Raises:
        Unobservable: no completion with a first choice, or no whole stream.
        Inconclusive: cut off by us.
    """
    if not streamed(exchange):
        choice = at(completion(exchange), "/choices/0")
        if not isinstance(choice, Mapping):
            raise Unobservable(f"choices[0] is {shown(choice)}")
        return choice.get("finish_reason", MISSING)
    reasons = [at(chunk.payload, "/choices/0/finish_reason") for chunk in undisturbed(exchange).chunks]
    return next((reason for reason in reversed(reasons) if reason not in (None, MISSING)), MISSING)
