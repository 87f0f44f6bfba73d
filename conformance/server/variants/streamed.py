"""Streams whose lines, events or writes are odd and legal (page: SSE event types; WHATWG HTML, 9.2)."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

from conformance.server.app import Writes
from conformance.server.changes import (
    Change,
    Frames,
    each_chunk,
    each_frame,
    each_head,
    each_write,
    ended_by,
    framed,
    in_error_events,
    only,
    streams,
)
from conformance.server.deviation import Variant
from conformance.server.variants.writing import packed, written

_SEPARATORS: Final = re.compile("[\u0085\u2028\u2029]")
_DATA: Final = re.compile(rb"^data: .*\n", re.MULTILINE)
_ERROR: Final = re.compile(rb"^event: error$", re.MULTILINE)
_PADDING: Final = 1500
"""Characters; enough for a chunk that no packet of a usual network holds."""


def _at_data(edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of each data line, line feed and all, but those of the error event."""
    return each_frame(
        lambda _, frame: [frame if _ERROR.search(frame) else _DATA.sub(lambda line: edit(line[0]), frame)]
    )


def _behind_data(more: bytes) -> Change:
    """Lines behind each data line, the error event's too."""
    return each_frame(lambda _, frame: [_DATA.sub(lambda line: line[0] + more, frame)])


async def _after_a_retry(frames: Frames) -> Frames:
    """The same stream, after a field that is for reconnecting clients alone."""
    yield b"retry: 3000\n\n"
    async with aclosing(frames):
        async for frame in frames:
            yield frame


def _of_documents(edit: Callable[[Any], bytes]) -> Change:
    """Other JSON text in the place of each chunk's."""
    return _at_data(
        lambda line: b"data: " + edit(json.loads(line[6:])) + b"\n" if line.startswith(b"data: {") else line
    )


def _raw(document: Any) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return _SEPARATORS.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


def _escaped(document: Any) -> bytes:
    """Every character of the text as an escape, also those that need none."""
    said = document["choices"][0]["delta"].get("content")
    if not said:
        return json.dumps(document).encode()
    units = said.encode("utf-16-be").hex()
    escapes = "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
    document["choices"][0]["delta"]["content"] = "@"
    return json.dumps(document).replace('"@"', f'"{escapes}"').encode()


def _reversed(document: Any) -> bytes:
    return json.dumps(dict(reversed(document.items())), separators=(",", ":")).encode()


def _padded(document: Any) -> Any:
    return document | {"obfuscation": "x" * (_PADDING - len(str(document)) % 700)}


async def _at_once(frames: Frames) -> Frames:
    """All the text and the reason in one chunk before the end marker; a stream of calls as it was."""
    async with aclosing(frames):
        whole = b"".join([frame async for frame in frames])
    documents = [json.loads(line[6:]) for line in _DATA.findall(whole) if line.startswith(b"data: {")]
    deltas = [document["choices"][0]["delta"] for document in documents if "choices" in document]
    if _ERROR.search(whole) or any(delta.get("tool_calls") for delta in deltas):
        yield whole
        return
    said = "".join(delta.get("content") or "" for delta in deltas)
    deltas[-1] |= {"role": "assistant", "content": said}
    yield b"data: " + json.dumps(documents[-1]).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _rewritten(edit: Callable[[int, bytes], Iterable[bytes]]) -> Change:
    """The same bytes in other writes: each becomes a chunk of its own in HTTP's chunked coding."""

    def split(number: int, delay: float, data: bytes) -> Iterable[tuple[float, bytes]]:
        for piece in edit(number, data):
            yield delay, piece
            delay = 0.0

    return each_write(split)


def _gathered(count: int) -> Change:
    """The same bytes, so many events in one write."""

    async def edited(frames: Frames) -> Frames:
        held: list[bytes] = []
        async with aclosing(frames):
            async for frame in frames:
                held.append(frame)
                if len(held) == count:
                    yield b"".join(held)
                    held = []
        if held:
            yield b"".join(held)

    return framed(edited)


def _cut(data: bytes, place: int) -> tuple[bytes, bytes]:
    return data[:place], data[place:]


async def _waiting(writes: Writes) -> Writes:
    """Comments while nothing has been said, as a gateway sends them to keep the connection open."""
    for _ in range(3):
        yield 0.05, b": keep-alive\n\n"
    async with aclosing(writes):
        async for write in writes:
            yield write


def _media_type(said: str) -> Change:
    return only(
        streams,
        each_head(
            lambda fields, _: fields | ({"Content-Type": said} if fields["Content-Type"] == "text/event-stream" else {})
        ),
    )


_LINES: Final = (
    Variant(
        id="comments-between",
        does="puts a comment before every event",
        change=each_frame(lambda _, frame: [b": on it\n\n" + frame]),
    ),
    Variant(
        id="comments-within",
        does="puts a comment into the block of every event",
        change=each_frame(lambda _, frame: [b": on it\n" + frame]),
    ),
    Variant(
        id="comments-behind-data",
        does="puts a comment behind every data line, before the blank line",
        change=_behind_data(b":\n"),
    ),
    Variant(
        id="comments-while-waiting",
        does="sends comments until it has something to say",
        change=written(_waiting),
    ),
    Variant(
        id="comments-after-the-end",
        does="sends comments after the end marker",
        change=ended_by(b"data: [DONE]\n\n: bye\n\n:\n"),
    ),
    Variant(
        id="comments-that-look-like-data",
        does="sends comments that quote data lines and end markers",
        change=each_frame(lambda _, frame: [b":data: [DONE]\n\n: event: error\n: data: {}\n\n" + frame]),
    ),
    Variant(
        id="comments-of-100-kib",
        does="begins each stream with a comment of 100 KiB",
        change=each_frame(lambda number, frame: [b":" + b" x" * 51_200 + b"\n\n" + frame] if not number else [frame]),
    ),
    Variant(
        id="comments-beside-the-error",
        does="sends a comment on either side of the error event",
        change=in_error_events(lambda frame: b": oh\n\n" + frame + b": still here\n\n"),
    ),
    Variant(
        id="blank-lines",
        does="begins its streams with a blank line and puts several between events",
        change=each_frame(lambda number, frame: [(b"" if number else b"\n") + frame + b"\n\n"]),
    ),
    Variant(
        id="numbered-events",
        does="numbers its events and says how long to wait before connecting again",
        change=_at_data(lambda line: b"id: 7\nretry: 3000\n" + line),
    ),
    Variant(
        id="numbered-behind-data",
        does="gives every event an id, the error too, behind its data",
        change=_behind_data(b"id: 8\n"),
    ),
    Variant(
        id="error-event-after-its-id",
        does="begins the error event with an id",
        change=in_error_events(lambda frame: b"id: 7\n" + frame),
    ),
    Variant(
        id="begins-with-a-time-to-come-back",
        does="begins its streams with a retry field by itself",
        change=framed(_after_a_retry),
    ),
    Variant(
        id="events-named-message",
        does="names its events message, the end marker's too",
        change=_at_data(lambda line: b"event: message\n" + line),
    ),
)

_TEXTS: Final = (
    Variant(
        id="chunks-spaced",
        does="writes blanks wherever a chunk's JSON takes them on one line",
        change=_of_documents(lambda document: json.dumps(document, separators=(" , ", " : ")).encode() + b" \t"),
    ),
    Variant(
        id="chunks-slashes-escaped",
        does="escapes the slashes in its chunks",
        change=_of_documents(lambda document: json.dumps(document).replace("/", "\\/").encode()),
    ),
    Variant(
        id="chunks-raw",
        does="writes its chunks in raw UTF-8, but for what splits lines",
        change=_of_documents(_raw),
    ),
    Variant(
        id="chunks-escaped",
        does="escapes every character of a stream's text",
        change=_of_documents(_escaped),
    ),
    Variant(
        id="chunks-reversed",
        does="writes the members of its chunks in another order",
        change=_of_documents(_reversed),
    ),
    Variant(
        id="chunks-padded",
        does="pads each chunk so that its length gives nothing away",
        change=each_chunk(_padded),
    ),
    Variant(
        id="chunks-of-64-kib",
        does="sends a first chunk of 64 KiB",
        change=each_chunk(
            lambda document: (
                document | {"x_prompt_filter": ["x" * 65_536]}
                if "role" in document["choices"][0]["delta"]
                else document
            )
        ),
    ),
    Variant(
        id="error-spaced",
        does="says more of a failure in mid-stream, with blanks in its JSON",
        change=in_error_events(
            lambda frame: frame.replace(b'{"code":', b'{ "type" : "x", "retryable" : true, "code" : ')
        ),
    ),
    Variant(
        id="stream-with-charset",
        does="says the charset of its streams",
        change=_media_type("text/event-stream; charset=utf-8"),
    ),
    Variant(
        id="stream-type-in-capitals",
        does="writes the media type of its streams in capitals",
        change=_media_type("Text/Event-Stream ;Charset=UTF-8"),
    ),
)

_WRITES: Final = (
    Variant(
        id="bytes-one-at-a-time",
        does="writes its streams byte by byte",
        change=_rewritten(lambda _, data: (data[place : place + 1] for place in range(len(data)))),
    ),
    Variant(
        id="bytes-cut-at-odd-places",
        does="cuts every event in two at another place",
        change=_rewritten(lambda number, data: _cut(data, number % (len(data) or 1))),
    ),
    Variant(
        id="bytes-cut-before-line-ends",
        does="writes each line feed of its streams by itself",
        change=_rewritten(lambda _, data: re.findall(rb"[^\n]+|\n", data)),
    ),
    Variant(
        id="bytes-of-two-events",
        does="writes two events at a time",
        change=_gathered(2),
    ),
    Variant(
        id="bytes-of-thirty-events",
        does="writes thirty events at a time",
        change=_gathered(30),
        unseen=("stream.not-in-one-burst",),
    ),
    Variant(
        id="bytes-all-at-once",
        does="writes a stream when it is whole",
        change=_gathered(10_000),
        unseen=("stream.not-in-one-burst",),
    ),
    Variant(
        id="one-event",
        does="says everything in one chunk",
        change=framed(_at_once),
        unseen=("stream.not-in-one-burst",),
    ),
    Variant(
        id="stream-in-gzip",
        does="packs its streams with gzip, flushed at each event",
        change=packed("text/event-stream", "gzip", 31),
        unseen=("stream.not-in-one-burst", "stream.closes"),
    ),
)

VARIANTS: Final = (*_LINES, *_TEXTS, *_WRITES)
