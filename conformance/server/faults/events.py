"""Servers whose streams are cut into events wrongly, or whose events hold what is no chunk."""

import json
from typing import Any, Final

from conformance.server.changes import Change, each_frame, only, reason_of
from conformance.server.deviation import Fault
from conformance.server.faults.framing import (
    ALL_STREAMS,
    PYTHON,
    TYPESCRIPT,
    chunks_as,
    end_marker_as,
    event_as,
    events_as,
    put_before,
    stopped_streams,
    streams_with_tools,
)

LATE: Final = 40
"""The number of an event that only long streams have."""


def _is_chunk(frame: bytes) -> bool:
    return frame.startswith(b"data: {")


def _ends(frame: bytes) -> bool:
    """Whether an event is the chunk that says why the answer ended."""
    return _is_chunk(frame) and reason_of(json.loads(frame[6:])) is not None


def _on_many_lines(frame: bytes) -> bytes:
    """The payload printed over several lines, each with the field's name, as the standard allows."""
    head, _, payload = frame.partition(b"data: ")
    if payload.startswith(b"[DONE]"):
        return frame
    lines = json.dumps(json.loads(payload), indent=2).splitlines()
    return head + b"".join(b"data: " + line.encode() + b"\n" for line in lines) + b"\n"


def _named(name: bytes) -> Change:
    return events_as(lambda frame: b"event: " + name + b"\n" + frame if _is_chunk(frame) else frame)


def _before_the_end_marker(data: bytes) -> Change:
    return each_frame(lambda _, frame: [data, frame] if frame.startswith(b"data: [DONE]") else [frame])


def _in_two_reads(number: int) -> Change:
    """An event of the backend that came in two network reads, each taken for an event."""

    def edit(frame: bytes) -> bytes:
        return frame[:60] + b"\n\ndata: " + frame[60:] if _is_chunk(frame) else frame

    return event_as(number, edit)


def _without_delta(document: Any) -> Any:
    choice = document["choices"][0]
    return document if choice["finish_reason"] is None else {**document, "choices": [{**choice, "delta": None}]}


_BLOCKS: Final = (
    Fault(
        id="event-run-into-the-next",
        does="leaves out the blank line after one event",
        change=event_as(2, lambda frame: frame[:-1]),
        red=("stream.blank-line",),
        says="a blank line after each event; 2 events in one",
        wild=("F-SSE-02",),
    ),
    Fault(
        id="event-never-ended",
        does="ends its events with one line feed",
        change=events_as(lambda frame: frame if frame.startswith(b"data: [DONE]") else frame[:-1]),
        red=("stream.blank-line",),
        says="events in one",
        wild=("F-SSE-11",),
    ),
    Fault(
        id="event-run-into-the-end-marker",
        does="leaves out the blank line between the last chunk and the end marker",
        change=events_as(lambda frame: frame[:-1] if _ends(frame) else frame),
        red=("stream.blank-line",),
        says="a blank line after each event; 2 events in one",
    ),
    Fault(
        id="event-of-errors-run-into-the-end-marker",
        does="leaves out the blank line between an error event and the end marker",
        change=events_as(lambda frame: frame[:-1] if frame.startswith(b"event: error") else frame),
        red=("stream.blank-line",),
        says="a blank line after each event; 2 events in one",
    ),
    Fault(
        id="event-on-many-lines",
        does="prints its JSON over several data lines",
        change=events_as(_on_many_lines),
        red=("stream.one-line-per-event", PYTHON, TYPESCRIPT),
        says="one data line an event; ",
        wild=("F-SSE-13",),
    ),
    Fault(
        id="event-on-many-lines-with-tools",
        does="prints the JSON of a stream with tools over several data lines",
        change=only(streams_with_tools, events_as(_on_many_lines)),
        red=("stream.one-line-per-event",),
        says="one data line an event; ",
    ),
    Fault(
        id="event-of-errors-on-many-lines",
        does="prints the JSON of an error event over several data lines",
        change=events_as(lambda frame: _on_many_lines(frame) if frame.startswith(b"event: error") else frame),
        red=("stream.one-line-per-event",),
        says="one data line an event; 4 data lines",
    ),
)

_NAMES: Final = (
    Fault(
        id="event-ping",
        does="keeps a long stream alive with events named ping",
        change=put_before(LATE, b"event: ping\ndata: {}\n\n"),
        red=("stream.known-events", PYTHON, TYPESCRIPT),
        says='an unnamed event, or one named error; an event named "ping"',
        wild=("F-SSE-06",),
    ),
    Fault(
        id="event-names-for-chunks",
        does="gives the events of its chunks a name",
        change=_named(b"chunk"),
        red=("stream.known-events",),
        says='an event named "chunk"',
        wild=("F-SSE-06",),
    ),
    Fault(
        id="event-name-for-the-end-marker",
        does="gives the end marker's event a name",
        change=end_marker_as(lambda frame: b"event: done\n" + frame),
        red=("stream.known-events",),
        says='an event named "done"',
    ),
    Fault(
        id="event-of-usage",
        does="tells the tokens used in an event of its own name",
        change=_before_the_end_marker(b'event: usage\ndata: {"prompt_tokens":9,"completion_tokens":9}\n\n'),
        red=("stream.known-events", PYTHON, TYPESCRIPT),
        says='an event named "usage"',
    ),
    Fault(
        id="event-keep-alive",
        does="begins its streams with a named event without data",
        change=put_before(0, b"event: keepalive\n\n"),
        red=("stream.no-empty-events",),
        says="data in every event; a block of event without data",
        wild=("F-SSE-06",),
    ),
    Fault(
        id="event-of-an-id",
        does="begins its streams with a comment and an id without data",
        change=put_before(0, b": PROCESSING\nid: 1\n\n"),
        red=("stream.no-empty-events",),
        says="data in every event; a block of id without data",
        wild=("F-SSE-07",),
    ),
    Fault(
        id="event-of-nothing",
        does="keeps a long stream alive with empty data",
        change=put_before(LATE, b"data: \n\n"),
        red=("stream.no-empty-events", PYTHON, TYPESCRIPT),
        says="data in every event; an event with empty data",
    ),
)

_PAYLOADS: Final = (
    Fault(
        id="payload-after-a-doubled-prefix",
        does="writes `data:` twice before every chunk",
        change=chunks_as(lambda document: b"data: " + json.dumps(document).encode()),
        red=(
            "stream.payload-is-json",
            "stream.tool-framing",
            "stream.sound-before-error",
            "stream.text-accumulates",
            "finish.stream-says-why",
            "tools.stream-calls-when-required",
            "tools.stream-calls-when-named",
            PYTHON,
            TYPESCRIPT,
        ),
        says='one JSON text; "data: {',
        unseen=ALL_STREAMS,
        wild=("F-SSE-03",),
    ),
    Fault(
        id="payload-of-a-comment",
        does="begins its streams with a backend's comment, taken for data",
        change=put_before(0, b"data: : keepalive\n\n"),
        red=("stream.payload-is-json", "stream.tool-framing", "stream.sound-before-error", PYTHON, TYPESCRIPT),
        says='one JSON text; ": keepalive"',
        wild=("F-SSE-05",),
    ),
    Fault(
        id="payload-printed-by-python",
        does="writes the chunks of a stream with stop sequences as Python prints a dict",
        change=only(stopped_streams, chunks_as(lambda document: repr(document).encode())),
        red=("stream.payload-is-json", "finish.stream-says-why"),
        says="one JSON text; \"{'id'",
        unseen=("parameters.stop-in-stream",),
    ),
    Fault(
        id="payload-with-nan",
        does="puts NaN into the first chunk of a stream with stop sequences",
        change=only(
            stopped_streams, event_as(0, lambda frame: frame.replace(b'"choices"', b'"queue_ms":NaN,"choices"'))
        ),
        red=("stream.payload-is-json",),
        says="NaN is not JSON",
    ),
    Fault(
        id="payload-cut-by-reads",
        does="makes two events of a chunk that the backend sent in two pieces, late in a long stream",
        change=_in_two_reads(LATE),
        red=("stream.payload-is-json", PYTHON, TYPESCRIPT),
        says="Unterminated string",
        wild=("F-SSE-14",),
    ),
    Fault(
        id="payload-with-raw-line-breaks",
        does="writes the line breaks of a text into its JSON as they are",
        change=events_as(lambda frame: frame.replace(b"\\n", b"\n")),
        red=("stream.lines-in-text", "stream.payload-is-json", "stream.known-fields", PYTHON, TYPESCRIPT),
        says="a line break written as \\n; ",
    ),
    Fault(
        id="payload-with-line-breaks-as-data-lines",
        does="begins a new data line where the text has a line break",
        change=events_as(lambda frame: frame.replace(b"\\n", b"\ndata: ")),
        red=("stream.lines-in-text", "stream.payload-is-json", "stream.one-line-per-event", PYTHON, TYPESCRIPT),
        says="a line break written as \\n; ",
    ),
    Fault(
        id="payload-with-line-breaks-escaped-twice",
        does="escapes the line breaks of a text twice",
        change=events_as(lambda frame: frame.replace(b"\\n", b"\\\\n")),
        red=("stream.lines-in-text",),
        says='; "first lantern\\\\n',
    ),
    Fault(
        id="payload-ends-calls-with-a-null-delta",
        does="ends a stream with tools by a chunk whose delta is null",
        change=only(
            streams_with_tools,
            chunks_as(lambda document: json.dumps(_without_delta(document)).encode()),
        ),
        red=("stream.tool-framing", "stream.delta-object"),
        says="a chunk with a delta object; ",
    ),
)


FAULTS: Final = (*_BLOCKS, *_NAMES, *_PAYLOADS)
