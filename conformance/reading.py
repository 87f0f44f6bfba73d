"""Interpretations of an exchange. Each says what it cannot see instead of guessing."""

import re
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar

from conformance import schema, sse
from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Ending, Exchange, Request, Response
from conformance.scenario import Scenario, cued
from conformance.scenarios import SCENARIOS

_LARGEST_INFLATED: Final = 64 * 1024 * 1024  # bytes; a small gzip body can hold gigabytes
_CHARSET: Final = re.compile(r';[ \t]*charset="?([^ \t;"]+)', re.IGNORECASE)
_OURS: Final = {Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED}


class Unobservable(Exception):
    """This exchange does not show what a check asks; another may."""


class Inconclusive(Exception):
    """This exchange should have shown it, but was cut short by us or clouded by something else."""


_T = TypeVar("_T")


_MOST_REMEMBERED: Final = 4 * 1024 * 1024
"""Bytes of bodies whose readings are kept."""


def _weight(exchange: Exchange) -> int:
    return 1024 + sum(len(piece.data) for piece in exchange.pieces)


def _remembered(reading: Callable[[Exchange], _T]) -> Callable[[Exchange], _T]:
    """The latest results of a reading, which check after check asks for again.

    As many as a bound of bytes of body allows, since each may be many times as large as its body. Keyed by identity:
    hashing an exchange would hash its whole body.
    """
    kept: OrderedDict[int, tuple[Exchange, _T | Exception]] = OrderedDict()
    size = 0

    @wraps(reading)
    def remembered(exchange: Exchange) -> _T:
        nonlocal size
        entry = kept.get(id(exchange))
        if entry is None or entry[0] is not exchange:
            try:
                result: _T | Exception = reading(exchange)
            except (Unobservable, Inconclusive, NotJson) as reason:
                result = reason
            if before := kept.pop(id(exchange), None):
                size -= _weight(before[0])
            kept[id(exchange)] = entry = (exchange, result)
            size += _weight(exchange)
            while size > _MOST_REMEMBERED and len(kept) > 1:
                size -= _weight(kept.popitem(last=False)[1][0])
        if isinstance(entry[1], Exception):
            raise entry[1].with_traceback(None)
        return entry[1]

    return remembered


# What was asked. Every check wants to know it of every exchange before the next check does, so a whole run is kept.


@lru_cache(maxsize=4096)
def _written(request: Request) -> Any:
    try:
        return parse(request.body)
    except NotJson:
        return MISSING


@lru_cache(maxsize=4096)
def _mistakes(request: Request) -> tuple[schema.Defect, ...]:
    return schema.defects("request.schema.json", _written(request))


def sent(exchange: Exchange) -> Any:
    """The request's JSON document; `MISSING` where the body is not JSON."""
    return _written(exchange.request)


def asked(exchange: Exchange, pointer: str) -> Any:
    """What the request holds at a pointer, or `MISSING`."""
    return at(sent(exchange), pointer)


@lru_cache(maxsize=4096)
def _scenario(request: Request) -> Scenario | None:
    return SCENARIOS.get(cued(_written(request))[0]) if b"[scenario:" in request.body else None


def scenario_of(exchange: Exchange) -> Scenario | None:
    """The scenario of the scripted backend that the request names; nothing where it names none."""
    return _scenario(exchange.request)


def streamed(exchange: Exchange) -> bool:
    """Whether a stream was asked for."""
    return asked(exchange, "/stream") is True


def unstreamed(exchange: Exchange) -> bool:
    """Whether one JSON answer was asked for: `stream` false or left out."""
    return asked(exchange, "/stream") in (False, MISSING)


def authorized(exchange: Exchange) -> bool:
    """Whether the target's own key was sent as the page shows."""
    return ("Bearer ***") in (value for name, value in exchange.request.headers if name.lower() == "authorization")


def mistakes(exchange: Exchange) -> tuple[schema.Defect, ...]:
    """What is wrong with the request by the request schema; nothing where it keeps it."""
    return _mistakes(exchange.request)


def legal(exchange: Exchange) -> bool:
    """Whether the request keeps the page: the right key, and a body that the request schema accepts."""
    return authorized(exchange) and not mistakes(exchange)


# What came back.


def head(exchange: Exchange) -> Response:
    """The head of the answer.

    Raises:
        Unobservable: no answer began; the reason says how the exchange ended.
        Inconclusive: we stopped waiting for it.
    """
    if exchange.response is None:
        reason = f"no answer: {exchange.ended.value}" + (f" ({exchange.detail})" if exchange.detail else "")
        raise Inconclusive(reason) if exchange.ended in _OURS else Unobservable(reason)
    return exchange.response


def media_type(exchange: Exchange) -> str:
    """The answer's media type in lower case without parameters; empty where there is none (RFC 9110, 8.3)."""
    return (head(exchange).header("content-type") or "").partition(";")[0].strip().lower()


def charset(exchange: Exchange) -> str:
    """The charset that the answer's media type names; empty where it names none (RFC 9110, 8.3.1)."""
    found = _CHARSET.search(head(exchange).header("content-type") or "")
    return found[1] if found else ""


@_remembered
def body(exchange: Exchange) -> bytes:
    """The answer's body with its content coding undone; byte spans count from here.

    Raises:
        Unobservable: no answer, or a coding that was not asked for and that we cannot undo.
    """
    coding = (head(exchange).header("content-encoding") or "identity").strip().lower()
    if coding == "identity":
        return exchange.body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise Unobservable(f"the body is coded as {coding}, though identity was asked for")
    inflate = zlib.decompressobj(wbits=47 if "gzip" in coding else 15)
    try:
        data = inflate.decompress(exchange.body, _LARGEST_INFLATED)
    except zlib.error as error:
        raise Unobservable(f"the body is not the {coding} that its header names: {error}") from None
    if inflate.unconsumed_tail:
        raise Inconclusive(f"the body grows beyond {_LARGEST_INFLATED} bytes when its {coding} is undone")
    if inflate.unused_data:
        raise Unobservable(f"the body goes on after the end of its {coding}")
    return data


def succeeded(exchange: Exchange) -> Response:
    """The head of an answer that says the request was served (2xx).

    Raises:
        Unobservable: another status, or no answer.
    """
    response = head(exchange)
    if not 200 <= response.status < 300:
        raise Unobservable(f"answered {answer(exchange)}")
    return response


def refused(exchange: Exchange) -> Response:
    """The head of an answer that refuses the request (4xx or 5xx).

    Raises:
        Unobservable: another status, or no answer.
    """
    response = head(exchange)
    if response.status < 400:
        raise Unobservable(f"answered HTTP {response.status}, not an error")
    return response


@_remembered
def error_document(exchange: Exchange) -> Any:
    """The JSON document of an error answer; `MISSING` where there is none to read.

    Raises:
        Unobservable: the answer is not an error, or there is none.
        Inconclusive: we stopped waiting for it.
    """
    refused(exchange)
    try:
        return parse(whole(exchange))
    except NotJson:
        return MISSING


def error_code(exchange: Exchange) -> str:
    """The `error.code` of an error answer; empty where there is none to read."""
    return _error_member(exchange, "code")


def error_message(exchange: Exchange) -> str:
    """The `error.message` of an error answer; empty where there is none to read."""
    return _error_member(exchange, "message")


def _error_member(exchange: Exchange, name: str) -> str:
    try:
        found = at(error_document(exchange), f"/error/{name}")
    except (Unobservable, Inconclusive):
        return ""
    return found if isinstance(found, str) else ""


def answer(exchange: Exchange) -> str:
    """The answer in a few words, for a violation or a reason: status, code and message.

    Raises:
        Unobservable: there was no answer.
        Inconclusive: we stopped waiting for it.
    """
    words = [f"HTTP {head(exchange).status}", error_code(exchange)]
    said = error_message(exchange)
    return " ".join(word for word in words if word) + (f": {shown(said)}" if said else "")


@_remembered
def whole(exchange: Exchange) -> bytes:
    """The body of an answer that arrived to its end.

    Raises:
        Unobservable: the peer cut it off (a requirement of its own).
        Inconclusive: we cut it off: timeout, deadline, size, interruption.
    """
    data = body(exchange)
    if exchange.ended is Ending.COMPLETE:
        return data
    reason = f"the answer ended early after {len(data)} bytes: {exchange.ended.value}"
    raise Inconclusive(reason) if exchange.ended in _OURS else Unobservable(reason)


@_remembered
def document(exchange: Exchange) -> Any:
    """The JSON document of a successful, unstreamed answer.

    Raises:
        Unobservable: not a 2xx, not JSON (requirements of their own), or cut off.
        Inconclusive: cut off by us.
    """
    succeeded(exchange)
    try:
        return parse(whole(exchange))
    except NotJson as reason:
        raise Unobservable(f"the body is not JSON: {reason}") from None


ROOTS: Final[Mapping[str, str]] = {"native": "/data", "openai": ""}
"""Where the completion stands in a JSON answer, for each profile."""


@_remembered
def completion(exchange: Exchange) -> Mapping[str, Any]:
    """The completion of an unstreamed answer: what stands in `data` (page: Response shape).

    Raises:
        Unobservable: as `document`, or there is no such object.
        Inconclusive: cut off by us.
    """
    root = ROOTS[exchange.profile]
    found = at(document(exchange), root)
    if not isinstance(found, Mapping):
        raise Unobservable(f"there is no object at {root or 'the top'}: {shown(found)}")
    return found


@_remembered
def message(exchange: Exchange) -> Mapping[str, Any]:
    """The message of the first choice.

    Raises:
        Unobservable: as `completion`, or there is no such object.
        Inconclusive: cut off by us.
    """
    found = at(completion(exchange), "/choices/0/message")
    if not isinstance(found, Mapping):
        raise Unobservable(f"choices[0].message is {shown(found)}")
    return found


# Streams.


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


@_remembered
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
    """Whether an event is one of the answer's: that it should have no name is a requirement of its own."""
    if chunk.event.type == "message":
        return chunk.payload is not MISSING
    return chunk.event.type != "error" and at(chunk.payload, "/choices") is not MISSING


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
    if exchange.ended in _OURS:
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


@_remembered
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
