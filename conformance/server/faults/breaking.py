"""Servers that tell wrongly of a failure in the middle of a stream."""

import json
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

from conformance.server.answers import Done, ErrorEvent, StreamEvents
from conformance.server.app import Dropped
from conformance.server.changes import Change, after, each_frame, ended_by, in_error_events, told
from conformance.server.deviation import Fault
from conformance.server.faults.framing import event_as

_CHUNK: Final = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
_OF_THE_EVENT: Final = ("stream.error-", "stream.sound-before-error")
"""What nobody can tell of a failure without an error event."""


def _payload(frame: bytes) -> Any:
    """What an error event holds."""
    return json.loads(frame.partition(b"data: ")[2])


def _told_as(write: Callable[[Any], bytes]) -> Change:
    """Other bytes in the place of the error event, made from its payload."""
    return in_error_events(lambda frame: write(_payload(frame)))


def _holding(edit: Callable[[Any], Any]) -> Change:
    """Another payload in the error event."""
    return _told_as(lambda payload: b"event: error\ndata: " + json.dumps(edit(payload)).encode() + b"\n\n")


def _dropped(_number: int, frame: bytes) -> Iterable[bytes]:
    if frame.startswith(b"event: error"):
        raise Dropped
    yield frame


async def _unmarked(events: StreamEvents) -> StreamEvents:
    """No end marker after an error event."""
    failed = False
    async with aclosing(events):
        async for event in events:
            failed = failed or isinstance(event, ErrorEvent)
            if not (failed and isinstance(event, Done)):
                yield event


async def _marked_before(events: StreamEvents) -> StreamEvents:
    """The end marker before the error event."""
    failed = False
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ErrorEvent):
                failed = True
                yield Done()
            if not (failed and isinstance(event, Done)):
                yield event


_SILENT: Final = (
    Fault(
        id="failure-hidden",
        does="ends a stream that failed as if nothing had happened",
        change=in_error_events(b""),
        red=("stream.error-event", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
        wild=("F-TRU-01",),
    ),
    Fault(
        id="failure-hidden-without-an-end-marker",
        does="closes a stream that failed without another word",
        change=after(told(_unmarked), in_error_events(b"")),
        red=("stream.error-event", "stream.done-after-error", "finish.stream-says-why"),
        says="an event named error; the end of the body, with no word of the failure",
        unseen=_OF_THE_EVENT,
        wild=("F-TRU-01",),
    ),
    Fault(
        id="failure-to-read-a-chunk-hidden",
        does="drops a piece of text that it could not read, and ends the stream as if all were well",
        change=event_as(4, lambda frame: b"" if b'"content"' in frame else frame),
        red=("stream.text-accumulates",),
        says="the same characters, in other words",
        unseen=("stream.text-intact", "finish.stream-length", "parameters.stop-in-stream"),
        wild=("F-DONE-04",),
    ),
    Fault(
        id="failure-drops-the-connection",
        does="drops the connection where the backend fails in mid-stream",
        change=each_frame(_dropped),
        red=("stream.error-event", "stream.done-after-error", "request.answer-is-whole"),
        says="an event named error; reset, with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-in-a-chunk",
        does="tells of a failure in an unnamed event",
        change=_told_as(lambda payload: b"data: " + json.dumps({"error": payload}).encode() + b"\n\n"),
        red=("stream.error-event", "stream.chunk-object", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-in-the-text",
        does="tells of a failure in the answer's text",
        change=in_error_events(_CHUNK % b"[error: the backend is gone]"),
        red=("stream.error-event", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-in-a-field-of-its-own",
        does="tells of a failure in a field named error",
        change=_told_as(lambda payload: b"error: " + json.dumps(payload).encode() + b"\n\n"),
        red=("stream.error-event", "stream.known-fields", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
        wild=("F-SSE-01",),
    ),
    Fault(
        id="failure-in-bare-json",
        does="passes the backend's error on as a line of JSON, and ends there",
        change=after(told(_unmarked), _told_as(lambda payload: json.dumps({"error": payload}).encode() + b"\n")),
        red=("stream.error-event", "stream.known-fields", "stream.done-after-error", "finish.stream-says-why"),
        says="an event named error; the end of the body, with no word of the failure",
        unseen=_OF_THE_EVENT,
        wild=("F-SSE-04", "F-DONE-03"),
    ),
    Fault(
        id="failure-named-exception",
        does="names the event of a failure exception",
        change=in_error_events(lambda frame: frame.replace(b"event: error", b"event: exception")),
        red=("stream.error-event", "stream.known-events", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-named-in-capitals",
        does="names the event of a failure Error",
        change=in_error_events(lambda frame: frame.replace(b"event: error", b"event: Error")),
        red=("stream.error-event", "stream.known-events", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-named-in-an-event-before",
        does="puts a blank line between the name and the payload of the error event",
        change=in_error_events(lambda frame: frame.replace(b"event: error\n", b"event: error\n\n")),
        red=("stream.error-event", "stream.no-empty-events", "stream.chunk-object", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
    Fault(
        id="failure-on-one-line",
        does="copies the page's backslash and n into the error event, so that it is one line",
        change=in_error_events(lambda frame: frame.replace(b"event: error\n", b"event: error\\n")),
        red=("stream.error-event", "stream.no-empty-events", "finish.stream-says-why"),
        says="an event named error; [DONE], with no word of the failure",
        unseen=_OF_THE_EVENT,
    ),
)

_LINES: Final = (
    Fault(
        id="error-event-without-a-space",
        does="leaves out the space in the first line of the error event",
        change=in_error_events(lambda frame: frame.replace(b"event: ", b"event:")),
        red=("stream.error-line",),
        says='event: error; "event:error"',
    ),
    Fault(
        id="error-event-named-after-its-data",
        does="names the error event after its payload",
        change=_told_as(lambda payload: b"data: " + json.dumps(payload).encode() + b"\nevent: error\n\n"),
        red=("stream.error-line", "stream.error-data-next"),
        says='event: error; "data: {',
    ),
    Fault(
        id="error-event-with-an-id-between",
        does="puts an id between the name and the payload of the error event",
        change=in_error_events(lambda frame: frame.replace(b"\ndata", b"\nid: 7\ndata")),
        red=("stream.error-data-next",),
        says='a data line after `event: error`; "id: 7"',
    ),
    Fault(
        id="error-event-with-a-time-between",
        does="asks for a reconnection between the name and the payload of the error event",
        change=in_error_events(lambda frame: frame.replace(b"\ndata", b"\nretry: 3000\ndata")),
        red=("stream.error-data-next",),
        says='a data line after `event: error`; "retry: 3000"',
    ),
)

_PAYLOADS: Final = (
    Fault(
        id="error-code-missing",
        does="gives the error event no code",
        change=_holding(lambda payload: {"message": payload["message"]}),
        red=("stream.error-code",),
        says='an object with a non-empty string `code`; {"message"',
    ),
    Fault(
        id="error-code-numbered",
        does="gives the HTTP status for the code of the error event",
        change=_holding(lambda payload: {**payload, "code": 502}),
        red=("stream.error-code",),
        says='an object with a non-empty string `code`; {"code": 502',
    ),
    Fault(
        id="error-code-under-another-name",
        does="calls the code of the error event type",
        change=_holding(lambda payload: {"type": payload["code"], "message": payload["message"]}),
        red=("stream.error-code",),
        says='an object with a non-empty string `code`; {"type"',
    ),
    Fault(
        id="error-payload-nested",
        does="nests the payload of the error event in `error`",
        change=_holding(lambda payload: {"error": payload}),
        red=("stream.error-code", "stream.error-message"),
        says='an object with a non-empty string `code`; {"error": {',
    ),
    Fault(
        id="error-payload-in-the-envelope",
        does="gives the error event the envelope of HTTP errors",
        change=_holding(lambda payload: {"status": "error", "error": payload, "meta": {"request_id": "req_1"}}),
        red=("stream.error-code", "stream.error-message"),
        says='an object with a non-empty string `code`; {"status": "error"',
    ),
    Fault(
        id="error-payload-a-string",
        does="gives the error event a string for a payload",
        change=_holding(lambda payload: payload["message"]),
        red=("stream.error-code", "stream.error-message"),
        says='an object with a non-empty string `code`; "The backend',
    ),
    Fault(
        id="error-payload-no-json",
        does="gives the error event words that are no JSON",
        change=_told_as(lambda payload: b"event: error\ndata: " + payload["message"].encode() + b"\n\n"),
        red=("stream.error-message", "stream.error-code"),
        says="an object with a non-empty string `message`; nothing",
    ),
    Fault(
        id="error-message-missing",
        does="gives the error event no message",
        change=_holding(lambda payload: {"code": payload["code"]}),
        red=("stream.error-message",),
        says='an object with a non-empty string `message`; {"code"',
    ),
    Fault(
        id="error-message-empty",
        does="gives the error event an empty message",
        change=_holding(lambda payload: {**payload, "message": ""}),
        red=("stream.error-message",),
        says='`message`; {"code": "BACKEND_ERROR", "message": ""}',
    ),
    Fault(
        id="error-message-called-detail",
        does="calls the message of the error event detail",
        change=_holding(lambda payload: {"code": payload["code"], "detail": payload["message"]}),
        red=("stream.error-message",),
        says='an object with a non-empty string `message`; {"code": "BACKEND_ERROR", "detail"',
    ),
)

_ENDS: Final = (
    Fault(
        id="error-after-a-reason",
        does="says that the model finished before it tells of a failure",
        change=in_error_events(lambda frame: _CHUNK.replace(b"null", b'"stop"') % b"" + frame),
        red=("stream.error-or-reason",),
        says='one of the two; the reason "stop", and an error event',
    ),
    Fault(
        id="error-after-every-answer",
        does="tells of a failure at the end of every stream",
        change=ended_by(b'event: error\ndata: {"code":"BACKEND_ERROR","message":"late"}\n\ndata: [DONE]\n\n'),
        red=("stream.error-or-reason",),
        says='one of the two; the reason "stop", and an error event',
        unseen=("stream.", "finish.stream-", "tools.stream-", "parameters.stop-in-stream", "request.markup-in-text"),
    ),
    Fault(
        id="error-code-in-words",
        does="words the code of the error event",
        change=_holding(lambda payload: {**payload, "code": "something went wrong"}),
        red=("errors.code-form",),
        says='upper snake case; "something went wrong"',
    ),
    Fault(
        id="error-without-an-end-marker",
        does="ends a stream with its error event, and no end marker",
        change=told(_unmarked),
        red=("stream.done-after-error",),
        says="ending: data: [DONE]; the end of the body",
        wild=("F-DONE-03",),
    ),
    Fault(
        id="error-after-the-end-marker",
        does="tells of a failure after the end marker",
        change=told(_marked_before),
        red=("stream.done-is-last",),
        says='the end of the body; "event: error"',
    ),
    Fault(
        id="error-after-half-a-chunk",
        does="leaves half a chunk before the error event",
        change=in_error_events(lambda frame: _CHUNK[:40] + b"\n\n" + frame),
        red=("stream.sound-before-error", "stream.payload-is-json"),
        says='a whole chunk; "{\\"choices\\"',
    ),
    Fault(
        id="error-after-what-the-backend-wrote",
        does="passes on the backend's last words before the error event",
        change=in_error_events(lambda frame: b"data: upstream connect error or disconnect\n\n" + frame),
        red=("stream.sound-before-error", "stream.payload-is-json"),
        says='a whole chunk; "upstream connect error',
    ),
)

FAULTS: Final = (*_SILENT, *_LINES, *_PAYLOADS, *_ENDS)
