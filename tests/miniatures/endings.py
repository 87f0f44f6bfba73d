"""Servers whose streams end wrongly, well or badly."""

import json
from dataclasses import replace
from typing import Final

from conformance.exchange import Ending, Exchange, Piece
from conformance.server.changes import put
from tests.miniatures.framing import CLIENTS, COUNTING, DYING, ERROR, TYPESCRIPT
from tests.miniatures.model import faulty
from tests.miniatures.variants import odd
from tests.miniatures.wire import (
    Blocks,
    One,
    asking,
    cut,
    each_block,
    ended_by,
    event,
    inserted,
    on,
    streams,
    talks,
    throttled,
    with_blocks,
)

DONE: Final = b"data: [DONE]\n\n"
AT_LIMIT: Final = b'event: error\ndata: {"code":"MAX_TOKENS_REACHED","message":"too long"}\n\n'
STOPPED: Final = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
LOST: Final = b'event: error\ndata: {"code":"UPSTREAM_SHAPE_MISMATCH","message":"Unexpected token <"}\n\n'
CUT_SHORT: Final = asking("stream.cut-short")
EVENT: Final = ("stream.error-", "stream.done-after-error", "stream.sound-before-error")
LATE: Final = ("stream.done-", "stream.closes")


def _error(data: bytes) -> One:
    """Other bytes in the place of the error event."""
    return each_block(lambda block: data if block.startswith(b"event: error") else block)


def _payload(document: object) -> One:
    return _error(b"event: error\ndata: " + json.dumps(document).encode() + b"\n\n")


def _longer(seconds: float, ending: Ending) -> One:
    """The same bytes, and a connection that stays open after them."""
    return lambda exchange: replace(exchange, elapsed=exchange.elapsed + seconds, ended=ending)


def _silent(blocks: Blocks) -> Blocks:
    """A failure that looks like the end of the answer."""
    return [block for block in blocks if not block.data.startswith(b"event: error")]


def _well(blocks: Blocks) -> Blocks:
    """A reason in the place of the failure."""
    last = put(put(blocks[0].document, "/choices/0/delta", {}), "/choices/0/finish_reason", "stop")
    return [block.of(last) if block.data.startswith(b"event: error") else block for block in blocks]


def _text(text: str) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


ENDS: Final = (
    faulty(
        "sends no end marker",
        on(streams, ended_by(b"")),
        "stream.done",
        "stream.max-tokens",
        "stream.done-after-error",
        "stream.tool-framing",
        *CLIENTS,
        says="ending: data: [DONE]; the body's end",
        unseen=LATE,
    ),
    faulty(
        "drops its streams in the middle",
        on(COUNTING, cut(Ending.RESET, keep=900)),
        "stream.done",
        "request.answer-is-whole",
        says=": reset",
        unseen=("finish.stream-length", "stream.deltas-not-repeats", "stream.not-in-one-burst"),
    ),
    faulty(
        "drops a stream in its last line end",
        on(COUNTING, lambda exchange: cut(Ending.RESET, keep=len(exchange.body) - 1)(exchange)),
        "request.answer-is-whole",
        says="a complete HTTP answer; reset",
        unseen=("finish.stream-length", "stream.deltas-not-repeats", "stream.not-in-one-burst"),
    ),
    faulty(
        "says DONE without brackets",
        on(COUNTING, ended_by(b"data: DONE\n\n")),
        "stream.done",
        "stream.payload-is-json",
        *CLIENTS,
        says="data: [DONE]; ",
    ),
    faulty(
        "puts a blank after its end marker",
        on(talks, ended_by(b"data: [DONE] \n\n")),
        "stream.done-exact",
        *CLIENTS,
        says='"[DONE]"; "[DONE] "',
    ),
    faulty(
        "puts two blanks before its end marker",
        on(COUNTING, ended_by(b"data:  [DONE]\n\n")),
        "stream.done-exact",
        *CLIENTS,
        says='"[DONE]"; " [DONE]"',
    ),
    faulty("ends twice", on(streams, ended_by(DONE + DONE)), "stream.done-once", says="one [DONE]; 2 of them"),
    faulty(
        "goes on after its end marker",
        on(talks, ended_by(DONE + _text("more"))),
        "stream.done-is-last",
        says="the end of the body; ",
    ),
    faulty(
        "goes on in Latin-1 after its end marker",
        on(COUNTING, ended_by(DONE + b'data: "\xfc"\n\n')),
        "stream.done-is-last",
        "stream.utf8",
        says='the end of the body; "data: \\"\\\\xfc',
    ),
    faulty(
        "counts tokens after its end marker",
        on(COUNTING, ended_by(DONE + b'data: {"usage":{}}\n\n')),
        "stream.done-is-last",
        says="usage",
    ),
    faulty(
        "ends without a blank line",
        on(talks, ended_by(b"data: [DONE]\n")),
        "stream.done-closed",
        says="a blank line after [DONE]; the end of the body",
    ),
    faulty(
        "ends without a line end",
        on(talks, ended_by(b"data: [DONE]")),
        TYPESCRIPT,
        "stream.done-closed",
        says="the client sees [DONE]; the client reads to the end of the body",
    ),
    faulty(
        "leaves its streams open for a while",
        on(COUNTING, _longer(9.0, Ending.COMPLETE)),
        "stream.closes",
        says="ending: the end of the body within 5 s of [DONE]; complete 9.0 s after it",
    ),
    faulty(
        "never closes its streams",
        on(COUNTING, _longer(60.0, Ending.TIMEOUT)),
        "stream.closes",
        says="timeout 60.0 s after it",
        unseen=("stream.", "finish.stream-"),
    ),
    faulty(
        "takes a token limit for an error",
        on(CUT_SHORT, with_blocks(lambda blocks: [*blocks[:-2], replace(blocks[-2], data=AT_LIMIT), blocks[-1]])),
        "stream.max-tokens",
        says="a plain end; an error event: ",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "forgets its end marker at a token limit",
        on(CUT_SHORT, ended_by(b"")),
        "stream.max-tokens",
        "stream.done",
        *CLIENTS,
        says="ending: data: [DONE]; the end of the body",
    ),
)

FAILURES: Final = (
    faulty(
        "ends a failed stream as if all were well",
        on(DYING, with_blocks(_silent)),
        "stream.error-event",
        "finish.stream-says-why",
        says="an event named error; [DONE], with no word of the failure",
        unseen=EVENT,
    ),
    faulty(
        "ends a failed stream as if all were well, and without an end marker",
        on(DYING, with_blocks(_well), ended_by(b"")),
        "stream.error-event",
        "stream.done-after-error",
        says="ending: an event named error; the end of the body, with no word of the failure",
        unseen=EVENT,
    ),
    faulty(
        "ends a failed stream as if all were well, and drops its last line end",
        on(DYING, with_blocks(_well), lambda exchange: cut(Ending.RESET, keep=len(exchange.body) - 1)(exchange)),
        "stream.error-event",
        "request.answer-is-whole",
        says="an event named error; reset, with no word of the failure",
        unseen=EVENT,
    ),
    faulty(
        "drops a failed stream",
        on(DYING, cut(Ending.RESET, keep=800)),
        "stream.error-event",
        "stream.done-after-error",
        "request.answer-is-whole",
        says="ending: an event named error; reset",
        unseen=EVENT,
    ),
    faulty(
        "tells of a failure in a chunk",
        on(DYING, _error(event({"error": {"code": "BACKEND_ERROR", "message": "gone"}}))),
        "stream.error-event",
        "stream.chunk-object",
        "finish.stream-says-why",
        says="[DONE], with no word of the failure",
        unseen=EVENT,
    ),
    faulty(
        "tells of a failure in a field of its own",
        on(DYING, _error(b'error: {"code":"BACKEND_ERROR","message":"gone"}\n\n')),
        "stream.error-event",
        "stream.known-fields",
        "finish.stream-says-why",
        says="an event named error; ",
        unseen=EVENT,
    ),
    faulty(
        "tells of a failure in the text",
        on(DYING, _error(_text("[error: backend gone]"))),
        "stream.error-event",
        "finish.stream-says-why",
        says="an event named error; ",
        unseen=EVENT,
    ),
    faulty(
        "names its failure event otherwise",
        on(DYING, _error(ERROR.replace(b"event: error", b"event: exception"))),
        "stream.error-event",
        "stream.known-events",
        "finish.stream-says-why",
        says="an event named error; ",
        unseen=EVENT,
    ),
    faulty(
        "leaves out a space in the error event",
        on(DYING, _error(ERROR.replace(b"event: ", b"event:"))),
        "stream.error-line",
        says='event: error; "event:error"',
    ),
    faulty(
        "numbers the error event and leaves out a space",
        on(DYING, _error(ERROR.replace(b"event: ", b"id: 5\nevent:"))),
        "stream.error-line",
        says='event: error; "event:error"',
    ),
    faulty(
        "names the error event after its data",
        on(DYING, _error(b'data: {"code":"BACKEND_ERROR","message":"gone"}\nevent: error\n\n')),
        "stream.error-data-next",
        "stream.error-line",
        says="a data line after `event: error`; nothing",
    ),
    faulty(
        "names the error event after its data, and leaves out a space",
        on(DYING, _error(b'data: {"code":"BACKEND_ERROR","message":"gone"}\nevent:error\n\n')),
        "stream.error-line",
        "stream.error-data-next",
        says='event: error; "event:error"',
    ),
    faulty(
        "names the error event last, and writes in Latin-1",
        on(DYING, _error(b'data: {"code":"BACKEND_ERROR","message":"G\xfcnther is gone"}\nid: 5\nevent: error\n\n')),
        "stream.error-line",
        "stream.error-data-next",
        "stream.utf8",
        says='event: error; "data: {',
    ),
    faulty(
        "tells of a failure twice, and gives its code once",
        on(DYING, _error(ERROR + b'event: error\ndata: {"message":"gone"}\n\n')),
        "stream.error-code",
        says='`code`; {"message": "gone"}',
    ),
    faulty(
        "puts an id in Latin-1 into the error event",
        on(DYING, _error(ERROR.replace(b"\ndata", b"\nid: \xfc\ndata"))),
        "stream.error-data-next",
        "stream.utf8",
        says='a data line after `event: error`; "id: \\\\xfc"',
    ),
    faulty(
        "nests its error",
        on(DYING, _payload({"error": {"code": "BACKEND_ERROR", "message": "gone"}})),
        "stream.error-code",
        "stream.error-message",
        says="an object with a non-empty string `code`; {",
    ),
    faulty(
        "gives the error as a string",
        on(DYING, _payload("gone")),
        "stream.error-code",
        "stream.error-message",
        says='`code`; "gone"',
    ),
    faulty("gives no code", on(DYING, _payload({"message": "gone"})), "stream.error-code", says="`code`; {"),
    faulty(
        "numbers its failures", on(DYING, _payload({"code": 502, "message": "gone"})), "stream.error-code", says="502"
    ),
    faulty("gives no message", on(DYING, _payload({"code": "GONE"})), "stream.error-message", says="`message`; {"),
    faulty(
        "gives an empty message",
        on(DYING, _payload({"code": "GONE", "message": ""})),
        "stream.error-message",
        says="a non-empty string `message`; ",
    ),
    faulty(
        "writes an error that is no JSON",
        on(DYING, _error(b"event: error\ndata: gone\n\n")),
        "stream.error-message",
        "stream.error-code",
        says="`message`; nothing",
    ),
    faulty(
        "does not end a failed stream",
        on(DYING, ended_by(b"")),
        "stream.done-after-error",
        says="ending: data: [DONE]; the end of the body",
    ),
    faulty(
        "says that the model finished before it tells of a failure",
        on(DYING, inserted(-2, STOPPED)),
        "stream.error-or-reason",
        says='one of the two; the reason "stop", and an error event',
    ),
    faulty(
        "tells of a failure behind every answer",
        on(talks, ended_by(LOST + DONE)),
        "stream.error-or-reason",
        says='one of the two; the reason "stop", and an error event',
        unseen=(
            "stream.",
            "finish.stream-",
            "parameters.stop-in-stream",
            "request.markup-in-text",
            "tools.stream-none",
        ),
    ),
    faulty(
        "words the code of a failure",
        on(DYING, _payload({"code": "something went wrong", "message": "gone"})),
        "errors.code-form",
        says='upper snake case; "something went wrong"',
    ),
    faulty(
        "leaves half a chunk before an error",
        on(DYING, inserted(-2, b'data: {"choices":[{"delta":{"con\n\n')),
        "stream.sound-before-error",
        "stream.payload-is-json",
        says="a whole chunk; ",
    ),
    faulty(
        "leaves half a chunk after an error",
        on(DYING, inserted(-1, b'data: {"choices":[{"delta":{"con\n\n')),
        "stream.payload-is-json",
        says='one JSON text; "{',
    ),
    faulty(
        "sends pings as events before an error",
        on(DYING, inserted(1, b"event: ping\ndata: {}\n\n")),
        "stream.known-events",
        says='an event named "ping"',
    ),
    faulty(
        "tells of a failure after the end marker",
        on(DYING, with_blocks(lambda blocks: [*blocks[:-2], blocks[-1], blocks[-2]])),
        "stream.done-is-last",
        says='the end of the body; "event: error"',
    ),
)

MINIATURES: Final = (*ENDS, *FAILURES)


def _dawdling(exchange: Exchange) -> Exchange:
    """The same, but its last byte comes nine seconds after all others, and the end of the body with it."""
    last = exchange.pieces[-1]
    late = Piece(at=last.at + 9.0, data=last.data[-1:])
    pieces = (*exchange.pieces[:-1], replace(last, data=last.data[:-1]), late)
    return replace(exchange, pieces=pieces, elapsed=exchange.elapsed + 9.0)


def _later(seconds: float) -> One:
    """The same, after some silence."""

    def one(exchange: Exchange) -> Exchange:
        pieces = tuple(replace(piece, at=piece.at + seconds) for piece in exchange.pieces)
        return replace(exchange, pieces=pieces, elapsed=exchange.elapsed + seconds)

    return one


VARIANTS: Final = (
    odd(
        "loses its backend behind its last word, once", on(COUNTING, ended_by(LOST + DONE)), "stream.", "finish.stream-"
    ),
    odd("numbers the error event first", on(DYING, _error(b": late\nid: 5\n" + ERROR))),
    odd(
        "loses its backend where a token limit ends the answer",
        on(CUT_SHORT, with_blocks(lambda blocks: [*blocks[:-2], replace(blocks[-2], data=LOST), blocks[-1]])),
        "stream.max-tokens",
        "finish.stream-length",
    ),
    odd("sends its last line end late", on(COUNTING, _dawdling)),
    odd("talks for longer than we listen", on(COUNTING, cut(Ending.DEADLINE, keep=900)), "stream.", "finish.stream-"),
    odd("does not fail when it is told to", on(DYING, with_blocks(_well)), *EVENT),
    odd(
        "leaves its stream open until we are interrupted",
        on(COUNTING, _longer(9.0, Ending.INTERRUPTED)),
        "stream.",
        "finish.stream-",
    ),
    odd(
        "loses its backend in a stream, and says no more",
        on(asking("stream.multilingual"), with_blocks(lambda blocks: [*blocks[:-2], replace(blocks[-2], data=ERROR)])),
        "stream.text-intact",
    ),
    odd(
        "is busy after a long silence",
        on(asking("stream.multilingual"), throttled(503, "MODEL_UNAVAILABLE"), _later(700.0)),
        "stream.text-intact",
    ),
)
