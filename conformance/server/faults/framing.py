"""Servers whose streams are no event streams: wrong heads, wrong bytes, wrong lines."""

import json
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from conformance.server.changes import (
    Asked,
    Change,
    Frames,
    after,
    answering,
    asking,
    each_frame,
    each_head,
    framed,
    one_in,
    only,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.generation import Failure

PYTHON: Final = "stream.python-client-survives"
TYPESCRIPT: Final = "stream.typescript-client-survives"
ALL_STREAMS: Final = ("stream.", "finish.stream-", "tools.stream-", "parameters.stop-in-stream")
"""Beginnings of what nobody can tell where there is no stream to be read."""
_BOM: Final = b"\xef\xbb\xbf"


# Which requests and which events.


def stopped_streams(asked: Asked) -> bool:
    """A request for a stream with stop sequences."""
    return streams(asked) and "stop" in asked


def streams_with_tools(asked: Asked) -> bool:
    """A request for a stream with tools."""
    return streams(asked) and "tools" in asked


def events_as(edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of every event."""
    return each_frame(lambda _, frame: [edit(frame)])


def chunks_as(write: Callable[[Any], bytes]) -> Change:
    """The document of every chunk in another notation, on the one line after `data: `."""
    return events_as(
        lambda frame: b"data: " + write(json.loads(frame[6:])) + b"\n\n" if frame.startswith(b"data: {") else frame
    )


def end_marker_as(edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of the end marker, made from it."""
    return events_as(lambda frame: edit(frame) if frame.startswith(b"data: [DONE]") else frame)


def event_as(number: int, edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of the event of this number; shorter streams stay as they are."""
    return each_frame(lambda place, frame: [edit(frame) if place == number else frame])


def put_before(number: int, data: bytes) -> Change:
    """Bytes put before the event of this number."""
    return each_frame(lambda place, frame: [data, frame] if place == number else [frame])


# What some faults do.


def _status(number: int) -> Change:
    return answering(lambda answer: replace(answer, status=number) if answer.status == 200 else answer)


def _labelled(media_type: str | None) -> Change:
    """Another media type on streams, and only there."""

    def edit(fields: dict[str, str], _failure: Failure | None) -> dict[str, str]:
        if fields["Content-Type"] != "text/event-stream":
            return fields
        rest = {name: value for name, value in fields.items() if name != "Content-Type"}
        return {**rest, "Content-Type": media_type} if media_type else rest

    return each_head(edit)


def _raw(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False)


def _raw_but(*escaped: str) -> Callable[[Any], bytes]:
    """Raw UTF-8 but for some characters."""

    def write(document: Any) -> bytes:
        text = _raw(document)
        for character in escaped:
            text = text.replace(character, f"\\u{ord(character):04x}")
        return text.encode()

    return write


def _without_role(number: int, frame: bytes) -> Iterable[bytes]:
    return [] if number == 0 else [frame]


async def _gzipped(frames: Frames) -> Frames:
    packer = zlib.compressobj(wbits=31)
    async for frame in frames:
        yield packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


_HEADS: Final = (
    Fault(
        id="stream-answered-201",
        does="answers a request for a stream with 201",
        change=only(streams, _status(201)),
        red=("stream.status",),
        says="status: HTTP 200; HTTP 201",
    ),
    Fault(
        id="stream-answered-in-json-with-tools",
        does="answers a request for a stream with one JSON body when there are tools",
        change=only(streams_with_tools, asking(lambda request: replace(request, stream=False))),
        red=("stream.tool-framing",),
        says="an event stream, as without tools; a body of application/json",
        unseen=("tools.stream-",),
        wild=("F-CT-02",),
    ),
    Fault(
        id="stream-called-json",
        does="calls its streams application/json",
        change=_labelled("application/json"),
        red=("stream.content-type",),
        says="header content-type: text/event-stream; application/json",
        wild=("F-CT-03",),
    ),
    Fault(
        id="stream-called-json-lines",
        does="calls its streams application/x-ndjson",
        change=_labelled("application/x-ndjson"),
        red=("stream.content-type",),
        says="text/event-stream; application/x-ndjson",
    ),
    Fault(
        id="stream-without-media-type",
        does="gives its streams no media type",
        change=_labelled(None),
        red=("stream.content-type",),
        says="text/event-stream; no media type",
        wild=("F-CT-03",),
    ),
    Fault(
        id="stream-called-plain-text-with-tools",
        does="calls a stream plain text when there are tools",
        change=only(streams_with_tools, _labelled("text/plain; charset=utf-8")),
        red=("stream.content-type",),
        says="text/event-stream; text/plain",
    ),
    Fault(
        id="stream-called-latin-1",
        does="writes raw UTF-8 and says that it is ISO-8859-1",
        change=after(
            _labelled("text/event-stream;charset=ISO-8859-1"), chunks_as(_raw_but("\u0085", "\u2028", "\u2029"))
        ),
        red=(PYTHON,),
        says='; it prints "Z\u00c3',
    ),
    Fault(
        id="stream-gzipped-in-secret",
        does="compresses its streams with gzip and does not say so",
        change=framed(_gzipped),
        red=(
            "stream.utf8",
            "stream.known-fields",
            "stream.done",
            "stream.done-after-error",
            "stream.max-tokens",
            "stream.tool-framing",
            "stream.text-accumulates",
            "stream.error-event",
            "finish.stream-says-why",
            "tools.stream-calls-when-required",
            "tools.stream-calls-when-named",
            PYTHON,
            TYPESCRIPT,
        ),
        says="bytes 1-2: UTF-8; b'\\x8b'",
        unseen=ALL_STREAMS,
        perhaps=("stream.line-feeds", "stream.not-cr-only"),
    ),
)

_BYTES: Final = (
    Fault(
        id="utf8-not-but-latin-1",
        does="streams in Latin-1, with a question mark for what that lacks",
        change=chunks_as(lambda document: _raw(document).encode("latin-1", "replace")),
        red=("stream.utf8", "stream.text-intact"),
        says="UTF-8; b'\\xfc'",
    ),
    Fault(
        id="utf8-not-in-comments",
        does="keeps alive with a comment in Windows-1252",
        change=put_before(0, b": thinking\x85\n\n"),
        red=("stream.utf8",),
        says="UTF-8; b'\\x85'",
    ),
    Fault(
        id="utf8-stray-byte-in-a-long-stream",
        does="lets a stray byte into the text of a long stream",
        change=event_as(40, lambda frame: frame.replace(b'"content":"', b'"content":"\xff')),
        red=("stream.utf8",),
        says="UTF-8; b'\\xff'",
    ),
    Fault(
        id="bom-first",
        does="begins its streams with a byte order mark",
        change=put_before(0, _BOM),
        red=("stream.no-bom",),
        says="bytes 0-3: data or a comment; a byte order mark",
        wild=("F-SSE-12",),
    ),
    Fault(
        id="bom-once",
        does="begins its first stream after it was started with a byte order mark",
        change=one_in(1_000_000, put_before(0, _BOM), when=streams),
        red=("stream.no-bom",),
        says="bytes 0-3: data or a comment; a byte order mark",
    ),
    Fault(
        id="bom-before-the-first-text",
        does="begins its streams with a byte order mark and the first piece of text",
        change=after(each_frame(_without_role), put_before(0, _BOM)),
        red=("stream.no-bom", PYTHON),
        says="bytes 0-3: data or a comment; a byte order mark",
    ),
    Fault(
        id="bom-in-a-long-stream",
        does="puts a byte order mark before an event in the middle of a long stream",
        change=event_as(40, lambda frame: _BOM + frame),
        red=("stream.known-fields",),
        says='or a comment; "\ufeffdata: {',
    ),
)

_LINES: Final = (
    Fault(
        id="crlf-everywhere",
        does="ends the lines of its streams in CR LF",
        change=events_as(lambda frame: frame.replace(b"\n", b"\r\n")),
        red=("stream.line-feeds", TYPESCRIPT),
        says="a line that ends in LF; ",
        wild=("F-SSE-12",),
    ),
    Fault(
        id="crlf-once-in-a-long-stream",
        does="ends one line of a long stream in CR LF",
        change=event_as(60, lambda frame: frame.replace(b"\n\n", b"\r\n\n")),
        red=("stream.line-feeds",),
        says="a line that ends in LF; ",
    ),
    Fault(
        id="crlf-at-the-end-marker",
        does="ends the end marker's line in CR LF, and no other",
        change=end_marker_as(lambda _: b"data: [DONE]\r\n\r\n"),
        red=("stream.line-feeds", TYPESCRIPT),
        says='a line that ends in LF; "data: [DONE]\\r\\n"',
    ),
    Fault(
        id="crlf-in-error-events",
        does="ends the lines of an error event in CR LF, and no other",
        change=events_as(lambda frame: frame.replace(b"\n", b"\r\n") if frame.startswith(b"event") else frame),
        red=("stream.line-feeds",),
        says='a line that ends in LF; "event: error\\r\\n"',
    ),
    Fault(
        id="cr-everywhere",
        does="ends the lines of its streams in CR",
        change=events_as(lambda frame: frame.replace(b"\n", b"\r")),
        red=("stream.not-cr-only", TYPESCRIPT),
        says="a line that ends in LF; ",
        wild=("F-SSE-12",),
    ),
    Fault(
        id="cr-after-lf",
        does="ends its events with LF CR",
        change=events_as(lambda frame: frame.replace(b"\n\n", b"\n\r")),
        red=("stream.not-cr-only", TYPESCRIPT),
        says='a line that ends in LF; "\\r"',
    ),
    Fault(
        id="cr-with-stop-sequences",
        does="ends the lines of a stream in CR when there are stop sequences",
        change=only(stopped_streams, events_as(lambda frame: frame.replace(b"\n", b"\r"))),
        red=("stream.not-cr-only",),
        says="a line that ends in LF; ",
    ),
    Fault(
        id="data-without-space",
        does="leaves out the space after `data:`",
        change=events_as(lambda frame: frame.replace(b"data: ", b"data:", 1)),
        red=("stream.data-space", PYTHON, TYPESCRIPT),
        says='a data line that begins with `data: `; "data:{',
        wild=("F-SSE-08",),
    ),
    Fault(
        id="data-without-space-at-the-end-marker",
        does="leaves out the space before the end marker, and no other",
        change=end_marker_as(lambda _: b"data:[DONE]\n\n"),
        red=("stream.data-space", PYTHON, TYPESCRIPT),
        says="data:[DONE]",
    ),
    Fault(
        id="data-without-space-in-error-events",
        does="leaves out the space before the payload of an error event, and no other",
        change=events_as(lambda frame: frame.replace(b"\ndata: ", b"\ndata:", 1)),
        red=("stream.data-space",),
        says='a data line that begins with `data: `; "data:{',
    ),
    Fault(
        id="data-after-a-tab",
        does="puts a tab in the place of the space after `data:`",
        change=events_as(lambda frame: frame.replace(b"data: {", b"data:\t{", 1)),
        red=("stream.data-space", PYTHON, TYPESCRIPT),
        says="data:\\t{",
    ),
    Fault(
        id="field-in-capitals",
        does="spells the field that sets the reconnection time with a capital",
        change=put_before(0, b"Retry: 3000\n\n"),
        red=("stream.known-fields",),
        says='or a comment; "Retry: 3000',
    ),
    Fault(
        id="field-missing-before-a-warning",
        does="writes a line of bare JSON between the events of a long stream",
        change=put_before(40, b'{"warning":"the backend is slow"}\n\n'),
        red=("stream.known-fields",),
        says='or a comment; "{\\"warning\\"',
        wild=("F-SSE-04",),
    ),
    Fault(
        id="field-missing-with-stop-sequences",
        does="streams lines of bare JSON when there are stop sequences",
        change=only(stopped_streams, events_as(lambda frame: frame.removeprefix(b"data: "))),
        red=("stream.known-fields", "stream.done", "finish.stream-says-why"),
        says='or a comment; "{\\"id\\"',
        unseen=("parameters.stop-in-stream",),
        wild=("F-SSE-11",),
    ),
    Fault(
        id="separators-raw",
        does="writes U+2028, U+2029 and U+0085 raw",
        change=chunks_as(_raw_but()),
        red=("stream.separators-escaped", PYTHON),
        says="U+2028, U+2029 and U+0085 as JSON escapes; ",
        wild=("F-SSE-12",),
    ),
    Fault(
        id="separators-raw-but-two",
        does="escapes U+2028 and U+2029, as many JSON libraries do, and writes U+0085 raw",
        change=chunks_as(_raw_but("\u2028", "\u2029")),
        red=("stream.separators-escaped", PYTHON),
        says="U+2028, U+2029 and U+0085 as JSON escapes; ",
    ),
)

FAULTS: Final = (*_HEADS, *_BYTES, *_LINES)
