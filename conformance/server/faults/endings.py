"""Servers whose streams end wrongly where nothing failed."""

from collections.abc import Iterable
from contextlib import aclosing
from typing import Final

from conformance.server.answers import Chunk, Done, StreamEvents
from conformance.server.app import Dropped
from conformance.server.changes import (
    Change,
    each_frame,
    each_step,
    each_write,
    ended_by,
    lingering,
    one_in,
    only,
    reason_of,
    streams,
    told,
)
from conformance.server.deviation import Fault
from conformance.server.faults.framing import (
    ALL_STREAMS,
    PYTHON,
    TYPESCRIPT,
    stopped_streams,
    streams_with_tools,
)
from conformance.server.generation import Failure, Finish, Step

_DONE: Final = b"data: [DONE]\n\n"
_MORE: Final = b'data: {"choices":[{"index":0,"delta":{"content":"more"},"finish_reason":null}]}\n\n'
_OF_THE_MARKER: Final = tuple(
    f"stream.{name}" for name in ("done-exact", "done-once", "done-is-last", "done-closed", "closes")
)
"""What nobody can tell of a stream without an end marker."""


def _forgotten(*reasons: str) -> Change:
    """No end marker where the answer ended for one of these reasons."""

    async def edit(events: StreamEvents) -> StreamEvents:
        reason = None
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Chunk):
                    reason = reason_of(event.document) or reason
                if not (isinstance(event, Done) and reason in reasons):
                    yield event

    return told(edit)


def _ends(frame: bytes) -> bool:
    """Whether an event is the chunk that says why the answer ended."""
    return frame.startswith(b"data: {") and not frame.endswith(b'"finish_reason":null}]}\n\n')


def _dropped_at_the_end(_number: int, frame: bytes) -> Iterable[bytes]:
    if _ends(frame):
        raise Dropped
    yield frame


def _dropped_after(_number: int, frame: bytes) -> Iterable[bytes]:
    yield frame
    if frame == _DONE:
        raise Dropped


def _cut(_number: int, frame: bytes) -> Iterable[bytes]:
    """Half of the last chunk, and no more."""
    if frame != _DONE:
        yield frame[: len(frame) // 2] if _ends(frame) else frame


def _late(data: bytes, seconds: float) -> Change:
    """More after the end marker, after a pause."""
    return each_write(lambda _, delay, sent: [(delay, sent), (seconds, data)] if sent == _DONE else [(delay, sent)])


async def _marker_before_reason(events: StreamEvents) -> StreamEvents:
    ended = False
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Chunk) and reason_of(event.document):
                ended = True
                yield Done()
            if not (isinstance(event, Done) and ended):
                yield event


def _limit_failed(_number: int, step: Step) -> Iterable[Step]:
    if isinstance(step, Finish) and step.reason == "length":
        yield Failure(status=400, code="MAX_TOKENS_REACHED", message="The answer is longer than max_tokens.")
    else:
        yield step


_MISSING: Final = (
    Fault(
        id="no-done",
        does="sends no end marker",
        change=ended_by(b""),
        red=(
            "stream.done",
            "stream.max-tokens",
            "stream.tool-framing",
            "stream.done-after-error",
            PYTHON,
            TYPESCRIPT,
        ),
        says="ending: data: [DONE]; the body's end after ",
        unseen=_OF_THE_MARKER,
        wild=("F-DONE-01",),
    ),
    Fault(
        id="no-done-now-and-then",
        does="sends no end marker in one stream of twenty",
        change=one_in(20, ended_by(b""), when=streams),
        red=("stream.done",),
        says="ending: data: [DONE]; ",
        perhaps=("stream.max-tokens", "stream.tool-framing", "stream.done-after-error", PYTHON, TYPESCRIPT),
        wild=("F-DONE-01",),
    ),
    Fault(
        id="no-done-in-long-streams",
        does="sends no end marker after more than forty events",
        change=each_frame(lambda number, frame: [] if number > 40 and frame == _DONE else [frame]),
        red=("stream.done", PYTHON, TYPESCRIPT),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="no-done-after-a-stop-sequence",
        does="sends no end marker where a stop sequence ended the answer",
        change=only(stopped_streams, _forgotten("stop")),
        red=("stream.done",),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="no-done-after-a-good-end",
        does="sends an end marker only where something cut the answer off",
        change=only(lambda asked: streams(asked) and "tools" not in asked, _forgotten("stop")),
        red=("stream.done", PYTHON, TYPESCRIPT),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="no-done-at-the-token-limit",
        does="sends no end marker where max_tokens cut the answer off",
        change=_forgotten("length"),
        red=("stream.max-tokens", "stream.done", PYTHON, TYPESCRIPT),
        says="ending: data: [DONE]; the end of the body",
    ),
    Fault(
        id="no-done-after-calls",
        does="sends no end marker after tool calls",
        change=_forgotten("tool_calls"),
        red=("stream.tool-framing", "stream.done"),
        says="ending: data: [DONE]; the end of the body",
    ),
    Fault(
        id="token-limit-told-as-an-error",
        does="ends a stream with an error event where max_tokens cut the answer off",
        change=only(streams, each_step(_limit_failed)),
        red=("stream.max-tokens",),
        says='a plain end; an error event: {"code": "MAX_TOKENS_REACHED"',
        unseen=("finish.stream-length",),
    ),
)

_MARKERS: Final = (
    Fault(
        id="done-without-brackets",
        does="ends its streams with the bare word DONE",
        change=ended_by(b"data: DONE\n\n"),
        red=(
            "stream.done",
            "stream.payload-is-json",
            "stream.max-tokens",
            "stream.tool-framing",
            "stream.done-after-error",
            PYTHON,
            TYPESCRIPT,
        ),
        says="ending: data: [DONE]; ",
        unseen=_OF_THE_MARKER,
    ),
    Fault(
        id="done-in-quotes",
        does="writes the end marker as a JSON string in streams with stop sequences",
        change=only(stopped_streams, ended_by(b'data: "[DONE]"\n\n')),
        red=("stream.done", "stream.chunk-object"),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="done-as-an-object",
        does="ends streams with stop sequences by an object that says that they are done",
        change=only(stopped_streams, ended_by(b'data: {"done":true}\n\n')),
        red=("stream.done", "stream.chunk-object"),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="done-before-a-blank",
        does="puts a blank after the end marker",
        change=ended_by(b"data: [DONE] \n\n"),
        red=("stream.done-exact", PYTHON, TYPESCRIPT),
        says='"[DONE]"; "[DONE] "',
        wild=("F-DONE-05",),
    ),
    Fault(
        id="done-after-two-blanks",
        does="puts two blanks before the end marker of a stream with tools",
        change=only(streams_with_tools, ended_by(b"data:  [DONE]\n\n")),
        red=("stream.done-exact",),
        says='"[DONE]"; " [DONE]"',
    ),
    Fault(
        id="done-twice",
        does="sends the end marker twice",
        change=ended_by(_DONE + _DONE),
        red=("stream.done-once",),
        says="one [DONE]; 2 of them",
        wild=("F-DONE-02",),
    ),
    Fault(
        id="done-twice-after-calls",
        does="sends the end marker twice after tool calls, and only then",
        change=only(streams_with_tools, ended_by(_DONE + _DONE)),
        red=("stream.done-once",),
        says="one [DONE]; 2 of them",
        wild=("F-DONE-02",),
    ),
    Fault(
        id="done-before-the-reason",
        does="sends the chunk with the reason after the end marker",
        change=told(_marker_before_reason),
        red=("stream.done-is-last", "finish.stream-says-why"),
        says='the end of the body; "data: {',
        unseen=("tools.stream-reason", "finish.stream-length", "finish.stream-reason-once"),
    ),
    Fault(
        id="done-then-usage",
        does="tells the tokens used in a chunk after the end marker",
        change=ended_by(_DONE + b'data: {"choices":[],"usage":{"prompt_tokens":9}}\n\n'),
        red=("stream.done-is-last",),
        says='the end of the body; "data: {\\"choices\\":[],\\"usage\\"',
        wild=("F-SSE-15",),
    ),
    Fault(
        id="done-then-more-text",
        does="goes on with the text after the end marker of a stream with stop sequences",
        change=only(stopped_streams, ended_by(_DONE + _MORE)),
        red=("stream.done-is-last",),
        says='\\"content\\":\\"more\\"',
        wild=("F-SSE-15",),
    ),
    Fault(
        id="done-then-more-a-while-later",
        does="sends another chunk a second after the end marker of a stream with stop sequences",
        change=only(stopped_streams, _late(_MORE, 1.0)),
        red=("stream.done-is-last",),
        says='\\"content\\":\\"more\\"',
        wild=("F-SSE-15",),
    ),
    Fault(
        id="done-then-a-page",
        does="appends the answer in one JSON document to streams with tools",
        change=only(streams_with_tools, ended_by(_DONE + b'{"status":"ok"}\n')),
        red=("stream.done-is-last", "stream.known-fields"),
        says='the end of the body; "{\\"status\\"',
    ),
    Fault(
        id="done-without-a-blank-line",
        does="sends no blank line after the end marker",
        change=ended_by(b"data: [DONE]\n"),
        red=("stream.done-closed",),
        says="a blank line after [DONE]; the end of the body",
    ),
    Fault(
        id="done-without-a-line-end",
        does="ends its streams with the end marker's last letter",
        change=ended_by(b"data: [DONE]"),
        red=(TYPESCRIPT, "stream.done-closed"),
        says="the client sees [DONE]; the client reads to the end of the body",
        wild=("F-DONE-05",),
    ),
)

_BODIES: Final = (
    Fault(
        id="body-closed-late",
        does="keeps a stream with tools open for six seconds after the end marker",
        change=only(streams_with_tools, lingering(6.0)),
        red=("stream.closes",),
        says="ending: the end of the body within 5 s of [DONE]; complete 6.",
        wild=("F-TRU-03",),
    ),
    Fault(
        id="body-never-closed",
        does="never closes a stream with tools",
        change=only(streams_with_tools, lingering(60.0)),
        red=("stream.closes",),
        says="ending: the end of the body within 5 s of [DONE]; timeout ",
        unseen=("stream.tool-framing", "stream.done-closed", "stream.text-intact", "tools.stream-", "finish.stream-"),
        wild=("F-TRU-03",),
    ),
    Fault(
        id="body-without-its-last-part",
        does="closes the connection of a stream with stop sequences without the end of its chunked body",
        change=only(stopped_streams, each_frame(_dropped_after)),
        red=("request.answer-is-whole",),
        says="ending: a complete HTTP answer; reset: ",
        unseen=("parameters.stop-in-stream",),
    ),
    Fault(
        id="body-dropped-before-the-reason",
        does="drops the connection before the last chunk in one stream of ten",
        change=one_in(10, each_frame(_dropped_at_the_end), when=streams),
        red=("stream.done", "request.answer-is-whole"),
        says=": reset",
        unseen=ALL_STREAMS,
        perhaps=("stream.max-tokens", "stream.tool-framing"),
    ),
    Fault(
        id="body-cut-in-mid-chunk",
        does="ends streams with stop sequences in the middle of their last chunk, as if they were whole",
        change=only(stopped_streams, each_frame(_cut)),
        red=("stream.done", "stream.payload-is-json", "stream.blank-line", "finish.stream-says-why"),
        says="ending: data: [DONE]; the body's end after ",
    ),
)

FAULTS: Final = (*_MISSING, *_MARKERS, *_BODIES)
