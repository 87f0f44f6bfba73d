"""Servers whose streams hold the wrong chunks."""

from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange
from conformance.server.changes import GONE, put
from tests.miniatures.framing import ALL_STREAMS, CLIENTS, COUNTING, GREETING, PYTHON
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.wire import (
    Block,
    Blocks,
    asking,
    content,
    each_chunk,
    ended_by,
    event,
    inserted,
    on,
    streams,
    talks,
    with_blocks,
    with_body,
    with_chunk,
    with_nth,
)

# The counting stream is the control of the one that is cut short.
UNCONTROLLED: Final = ("finish.stream-length",)
DELTA: Final = "/choices/0/delta"
CONTENT: Final = DELTA + "/content"
TOOL_CALL: Final = asking("stream.tool-call")
UNSAID: Final = ("finish.stream-", "stream.", "parameters.max-tokens-kept-in-text")


def _nth(
    name: str, number: int, pointer: str, value: Any, *red: str, says: str, unseen: tuple[str, ...] = ()
) -> Miniature:
    """One chunk of the counting stream has another value at a pointer."""
    change = on(COUNTING, with_nth(number, lambda document: put(document, pointer, value)))
    return faulty(name, change, *red, says=says, unseen=unseen)


def _every(name: str, pointer: str, value: Any, *red: str, says: str) -> Miniature:
    """Every chunk of every stream has another value at a pointer."""
    return faulty(name, on(streams, with_chunk(pointer, value)), *red, says=says)


def _cumulative(blocks: Blocks) -> Blocks:
    said, found = "", []
    for block in blocks:
        if block.document is None:
            found.append(block)
            continue
        said += content(block.document)
        found.append(block.of(put(block.document, CONTENT, lambda _, said=said: said)))
    return found


def _ids(blocks: Blocks) -> Blocks:
    """An id in every chunk but the first, each another."""
    return [
        block
        if block.document is None
        else block.of(put(block.document, "/id", f"chatcmpl-{place}" if place else GONE))
        for place, block in enumerate(blocks)
    ]


def _indexed(blocks: Blocks) -> Blocks:
    return [
        block if block.document is None else block.of(put(block.document, "/choices/0/index", place))
        for place, block in enumerate(blocks)
    ]


def _buffered(exchange: Exchange) -> Exchange:
    """A second of silence, and then everything at once."""
    assert exchange.response is not None
    pieces = tuple(replace(piece, at=1.0 + number / 1e5) for number, piece in enumerate(exchange.pieces))
    return replace(exchange, response=replace(exchange.response, at=0.02), pieces=pieces, elapsed=1.01)


def _stopped(blocks: Blocks) -> Blocks:
    """A gateway that ends the stream where the model writes the end marker."""
    said, kept = "", []
    for block in blocks:
        said += content(block.document) if block.document is not None else ""
        if "[DONE]" in said:
            break
        kept.append(block)
    return [*kept, Block(at=blocks[-1].at, data=b"data: [DONE]\n\n")]


def _called_text(document: Any) -> Any:
    """The text in a member that the page does not know."""
    delta = document["choices"][0]["delta"]
    if "content" in delta:
        delta["text"] = delta.pop("content")
    return document


USAGE: Final = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
AZURE: Final = event({"id": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []})

OBJECTS: Final = (
    faulty(
        "wraps its chunks in the envelope",
        on(COUNTING, each_chunk(lambda document: {"status": "ok", "data": document})),
        "stream.chunk-object",
        "finish.stream-says-why",
        *CLIENTS,
        says="an object with `choices` at its top; a chunk wrapped in `data`",
        unseen=("finish.stream-length", "stream.deltas-not-repeats", "stream.not-in-one-burst"),
    ),
    faulty(
        "hides an error in a chunk",
        on(COUNTING, inserted(-1, event({"error": {"code": 502, "message": "gone"}}))),
        "stream.chunk-object",
        *CLIENTS,
        says="; an object with error",
    ),
    faulty(
        "sends a list of chunks",
        on(COUNTING, with_nth(2, lambda document: [document])),
        "stream.chunk-object",
        *CLIENTS,
        says="; [",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "sends the text itself",
        on(COUNTING, with_nth(2, content)),
        "stream.chunk-object",
        *CLIENTS,
        says='; "',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "adds a usage chunk that nobody asked for",
        on(talks, inserted(-1, event({"choices": [], "usage": USAGE}))),
        "stream.choices-not-empty",
        *CLIENTS,
        says="a first choice; choices is []",
    ),
    faulty(
        "relays a first chunk about filters",
        on(talks, inserted(0, AZURE)),
        "stream.choices-not-empty",
        "stream.same-id",
        "stream.same-model",
        "stream.created-in-seconds",
        *CLIENTS,
        says="a first choice; choices is []",
    ),
    _nth(
        "chooses null",
        -1,
        "/choices/0",
        None,
        "stream.choices-not-empty",
        "finish.stream-says-why",
        *CLIENTS,
        says="null",
    ),
    _nth("leaves out the last delta", -1, DELTA, GONE, "stream.delta-object", *CLIENTS, says="delta is nothing"),
    _nth("gives a null delta", -1, DELTA, None, "stream.delta-object", *CLIENTS, says="delta is null"),
    faulty(
        "sends a message for a delta",
        on(COUNTING, with_nth(2, lambda document: put(put(document, "/choices/0/message", {}), DELTA, GONE))),
        "stream.delta-object",
        *CLIENTS,
        says="an object at choices[0].delta; delta is nothing",
        unseen=("finish.stream-length",),
    ),
)

CONTENTS: Final = (
    _nth("adds a number", 3, CONTENT, 7, "stream.content-is-text", *CLIENTS, says="content is 7", unseen=UNCONTROLLED),
    _nth(
        "counts from a number that is no text",
        1,
        CONTENT,
        1,
        "stream.content-is-text",
        *CLIENTS,
        says="content is 1",
        unseen=UNCONTROLLED,
    ),
    _nth(
        "adds parts",
        3,
        CONTENT,
        [{"text": "1"}],
        "stream.content-is-text",
        *CLIENTS,
        says="a string; content is [{",
        unseen=UNCONTROLLED,
    ),
    _nth("ends with null", -1, CONTENT, None, "stream.content-not-null", PYTHON, says="at all; content is null"),
    _nth("begins with null", 0, CONTENT, None, "stream.content-not-null", PYTHON, says="content is null"),
    faulty(
        "halves a surrogate pair",
        on(GREETING, with_nth(1, lambda document: put(document, CONTENT, "\ud83c"))),
        *CLIENTS,
        says="no exception; UnicodeEncodeError",
    ),
    faulty(
        "writes half a character for a script client",
        on(GREETING, with_nth(1, lambda document: put(document, CONTENT, "\udf88"))),
        *reversed(CLIENTS),
        says="it prints ",
    ),
    faulty(
        "puts its text where the page has none",
        on(talks, each_chunk(_called_text)),
        "stream.text-accumulates",
        says='text, as without a stream: "Hello"; none in any delta.content',
        unseen=(*UNSAID, "parameters.stop-in-stream"),
    ),
    faulty(
        "only reasons",
        on(talks, with_chunk(CONTENT, "")),
        "stream.text-accumulates",
        says="none in any delta.content",
        unseen=(*UNSAID, "parameters.stop-in-stream"),
    ),
    faulty(
        "ends its streams before they began",
        on(streams, with_body(b"data: [DONE]\n\n")),
        "stream.text-accumulates",
        "stream.error-event",
        "finish.stream-says-why",
        "tools.stream-calls-when-required",
        "tools.stream-calls-when-named",
        says='text, as without a stream: "Hello"; none in any delta.content',
        unseen=ALL_STREAMS,
    ),
    faulty(
        "repeats all it said",
        on(COUNTING, with_blocks(_cumulative)),
        "stream.deltas-not-repeats",
        says="what is new since the chunk before; all the text so far",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "stops where the model writes the end marker",
        on(asking("stream.end-marker"), with_blocks(_stopped)),
        "stream.done-in-text",
        "finish.stream-says-why",
        says='data: [DONE"',
    ),
    faulty(
        "holds back its stream",
        on(COUNTING, _buffered),
        "stream.not-in-one-burst",
        says="text while it is being written; nothing for 1.00 s",
    ),
)

IDENTITY: Final = (
    faulty(
        "counts tokens as choices",
        on(streams, with_blocks(_indexed)),
        "stream.choice-index",
        says="0; index is 1",
    ),
    _every("counts choices from 1", "/choices/0/index", 1, "stream.choice-index", says="0; index is 1"),
    _every("gives the index as text", "/choices/0/index", "0", "stream.choice-index", says='index is "0"'),
    _every("gives the index as a boolean", "/choices/0/index", bool, "stream.choice-index", says="0; index is false"),
    _nth("takes the role away", 3, DELTA + "/role", "", "stream.role", says='"assistant", or no role; role is ""'),
    _nth("calls itself model", 0, DELTA + "/role", "model", "stream.role", says='role is "model"'),
    faulty("gives each chunk an id", on(streams, with_blocks(_ids)), "stream.same-id", says="chatcmpl-"),
    _every("gives an empty id", "/id", "", "stream.same-id", says='a non-empty string; ""'),
    _every("numbers its streams", "/id", 7, "stream.same-id", says="a non-empty string; 7"),
    _nth("loses the id at the end", -1, "/id", "", "stream.same-id", says='; ""'),
    _every(
        "names the backend's model", "/model", "gpt-4o", "stream.same-model", says='was asked for; model is "gpt-4o"'
    ),
    _every("gives milliseconds", "/created", lambda old: old * 1000, "stream.created-in-seconds", says="000"),
    _every("gives a time of 400 digits", "/created", 10**400, "stream.created-in-seconds", says="Unix seconds of now"),
    _every("gives no time", "/created", 0, "stream.created-in-seconds", says="Unix seconds of now; created is 0"),
    _every("gives the time as text", "/created", str, "stream.created-in-seconds", says='created is "'),
    _nth(
        "adds up wrongly", -1, "/usage", USAGE | {"total_tokens": 9}, "stream.usage-sum", says="the total their sum; "
    ),
    _nth("counts in text", -1, "/usage", USAGE | {"total_tokens": "9"}, "stream.usage-sum", says="usage is {"),
)

CALLS: Final = (
    faulty(
        "leaves out the delta of a tool call",
        on(TOOL_CALL, with_nth(-1, lambda document: put(document, DELTA, GONE))),
        "stream.tool-framing",
        "stream.delta-object",
        says="a chunk with a delta object; ",
    ),
    faulty(
        "does not end the stream of a tool call",
        on(TOOL_CALL, ended_by(b"")),
        "stream.tool-framing",
        "stream.done",
        says="ending: data: [DONE]; the end of the body",
    ),
    faulty(
        "sends the arguments raw",
        on(TOOL_CALL, inserted(-2, b'data: {"location": "Z\n\n')),
        "stream.tool-framing",
        "stream.payload-is-json",
        says="a chunk with a delta object; ",
    ),
)

MINIATURES: Final = (*OBJECTS, *CONTENTS, *IDENTITY, *CALLS)
