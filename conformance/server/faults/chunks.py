"""Servers whose chunks are wrong: their shape, and what they say of themselves."""

from collections.abc import Callable
from itertools import count
from typing import Any, Final

from conformance.server.answers import Chunk, StreamEvent
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    depending,
    each_chunk,
    each_event,
    having,
    in_chunks,
    only,
    put,
    reason_of,
)
from conformance.server.deviation import Fault

DELTA: Final = "/choices/0/delta"
CONTENT: Final = DELTA + "/content"
PYTHON: Final = "stream.python-client-survives"
CLIENTS: Final = (PYTHON, "stream.typescript-client-survives")
"""What the page's own loops do with a chunk that they cannot read."""
FRAMED: Final = "stream.tool-framing"
TEXTLESS: Final = (
    "parameters.stop-in-stream",
    "stream.deltas-not-repeats",
    "stream.done-in-text",
    "stream.lines-in-text",
    "stream.not-in-one-burst",
    "stream.text-intact",
    "finish.stream-length",
)
"""What a stream without text does not show."""
USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


def tools_aside(asked: Asked) -> bool:
    """Requests without tools."""
    return not having("tools")(asked)


def _in(when: Callable[[Any], bool], pointer: str, value: Any) -> Change:
    """Another value at a pointer of the chunks that `when` picks."""
    return each_chunk(lambda document: put(document, pointer, value) if when(document) else document)


def _last(document: Any) -> bool:
    return reason_of(document) is not None


def _first(document: Any) -> bool:
    return "role" in document["choices"][0]["delta"]


def _later(document: Any) -> bool:
    return not _first(document)


def _talking(document: Any) -> bool:
    return bool(document["choices"][0]["delta"].get("content"))


def _inserted(when: Callable[[Any], bool], document: Any) -> Change:
    """A document in a chunk of its own before those that `when` picks."""

    def edit(_number: int, event: StreamEvent) -> list[StreamEvent]:
        chosen = isinstance(event, Chunk) and when(event.document)
        return [Chunk(document=document), event] if chosen else [event]

    return each_event(edit)


def _numbered(pointer: str, value: Callable[[int], Any]) -> Change:
    """Another value in each chunk, made of its number in the stream."""

    def change_for(_asked: Asked) -> Change:
        numbers = count()
        return each_chunk(lambda document: put(document, pointer, value(next(numbers))))

    return depending(change_for)


def _messages(document: Any) -> Any:
    """The last delta under the name that it has without a stream."""
    return put(put(document, "/choices/0/message", {"role": "assistant"}), DELTA, GONE)


AZURE: Final = {"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []}

OBJECTS: Final = (
    Fault(
        id="chunk-in-the-envelope",
        does="wraps every chunk of a text in the envelope of JSON answers",
        change=only(tools_aside, each_chunk(lambda document: {"status": "ok", "data": document})),
        red=("stream.chunk-object", "stream.text-accumulates", "finish.stream-says-why", *CLIENTS),
        says="an object with `choices` at its top; a chunk wrapped in `data`",
        unseen=(*TEXTLESS, "finish.stream-reason-once"),
        wild=("F-MSG-07",),
    ),
    Fault(
        id="chunk-end-in-the-envelope",
        does="wraps the last chunk in the envelope of JSON answers",
        change=only(tools_aside, each_chunk(lambda document: {"data": document} if _last(document) else document)),
        red=("stream.chunk-object", "finish.stream-says-why", *CLIENTS),
        says="a chunk wrapped in `data`",
        unseen=("finish.stream-length",),
    ),
    Fault(
        id="chunk-hides-an-error",
        does="tells of a trouble in a chunk without choices, and goes on",
        change=only(tools_aside, _inserted(_last, {"error": {"code": 502, "message": "upstream reset"}})),
        red=("stream.chunk-object", *CLIENTS),
        says="an object with `choices` at its top; an object with error",
        wild=("F-ERR-03",),
    ),
    Fault(
        id="chunk-status-object",
        does="begins every stream with a status object",
        change=_inserted(_first, {"status": "processing"}),
        red=("stream.chunk-object", FRAMED, *CLIENTS),
        says="; an object with status",
    ),
    Fault(
        id="chunk-of-filters",
        does="begins every stream with what the filters of its backend found, in a chunk without choices",
        change=_inserted(_first, AZURE),
        red=(
            "stream.choices-not-empty",
            "stream.same-id",
            "stream.same-model",
            "stream.created-in-seconds",
            FRAMED,
            *CLIENTS,
        ),
        says="a first choice; choices is []",
        wild=("F-USE-08",),
    ),
    Fault(
        id="chunk-of-usage",
        does="ends every stream of text with a usage chunk that nobody asked for, without choices",
        change=only(tools_aside, _inserted(_last, {"choices": [], "usage": USAGE})),
        red=("stream.choices-not-empty", *CLIENTS),
        says="a first choice; choices is []",
        wild=("F-USE-01",),
    ),
    Fault(
        id="chunk-choice-null",
        does="chooses null in the last chunk",
        change=only(tools_aside, _in(_last, "/choices/0", None)),
        red=("stream.choices-not-empty", "finish.stream-says-why", *CLIENTS),
        says="a first choice; choices[0] is null",
        unseen=("finish.stream-length",),
    ),
    Fault(
        id="chunk-end-without-delta",
        does="leaves the delta out of the last chunk",
        change=only(tools_aside, _in(_last, DELTA, GONE)),
        red=("stream.delta-object", *CLIENTS),
        says="an object at choices[0].delta; delta is nothing",
        wild=("F-MSG-04",),
    ),
    Fault(
        id="chunk-end-with-null-delta",
        does="gives the last chunk a null delta",
        change=_in(_last, DELTA, None),
        red=("stream.delta-object", FRAMED, *CLIENTS),
        says="delta is null",
    ),
    Fault(
        id="chunk-end-with-message",
        does="sends a message in the place of the last delta",
        change=each_chunk(lambda document: _messages(document) if _last(document) else document),
        red=("stream.delta-object", FRAMED, *CLIENTS),
        says="delta is nothing",
    ),
)

CONTENTS: Final = (
    Fault(
        id="chunk-content-in-parts",
        does="streams its text in parts",
        change=_in(_talking, CONTENT, lambda text: [{"type": "text", "text": text}]),
        red=("stream.content-is-text", "stream.text-accumulates", *CLIENTS),
        says="a string; content is [{",
        unseen=TEXTLESS,
        wild=("F-MSG-06",),
    ),
    Fault(
        id="chunk-content-a-number",
        does="takes a piece of text that is all digits for a number",
        change=_in(_talking, CONTENT, lambda text: int(text) if text.isdecimal() else text),
        red=("stream.content-is-text", *CLIENTS),
        says="a string; content is 1",
        unseen=("parameters.stop-in-stream",),
    ),
    Fault(
        id="chunk-begins-with-null",
        does="sends null content beside the role",
        change=_in(_first, CONTENT, None),
        red=("stream.content-not-null", PYTHON),
        says="a string, or no content at all; content is null",
        wild=("F-MSG-03",),
    ),
    Fault(
        id="chunk-ends-with-null",
        does="sends null content beside the reason",
        change=_in(_last, CONTENT, None),
        red=("stream.content-not-null", PYTHON),
        says="content is null",
        wild=("F-MSG-03",),
    ),
    Fault(
        id="chunk-role-emptied",
        does='sends the role "" in every chunk but the first',
        change=_in(_later, DELTA + "/role", ""),
        red=("stream.role",),
        says='"assistant", or no role; role is ""',
        wild=("F-MSG-02",),
    ),
    Fault(
        id="chunk-role-model",
        does="calls its role model",
        change=_in(_first, DELTA + "/role", "model"),
        red=("stream.role",),
        says='role is "model"',
    ),
)

IDENTITY: Final = (
    Fault(
        id="chunk-tokens-as-choices",
        does="counts its tokens where it should count its choices",
        change=_numbered("/choices/0/index", int),
        red=("stream.choice-index",),
        says="0; index is 1",
        wild=("F-ID-03",),
    ),
    Fault(
        id="chunk-end-of-another-choice",
        does="gives the last chunk the index 1",
        change=_in(_last, "/choices/0/index", 1),
        red=("stream.choice-index",),
        says="0; index is 1",
    ),
    Fault(
        id="chunk-backend-model",
        does="names the backend's model in its chunks",
        change=in_chunks("/model", "mini-2025-04-14"),
        red=("stream.same-model",),
        says='the slug that was asked for; model is "mini-2025-04-14"',
        wild=("F-ID-05",),
    ),
    Fault(
        id="chunk-end-backend-model",
        does="names the backend's model in the last chunk",
        change=_in(_last, "/model", "mini-2025-04-14"),
        red=("stream.same-model",),
        says='model is "mini-2025-04-14"',
        wild=("F-ID-05",),
    ),
    Fault(
        id="chunk-created-in-milliseconds",
        does="gives the time of its chunks in milliseconds",
        change=in_chunks("/created", lambda seconds: seconds * 1000),
        red=("stream.created-in-seconds",),
        says="000",
        wild=("F-ID-04",),
    ),
    Fault(
        id="chunk-created-never",
        does="gives the time 0 in the last chunk",
        change=_in(_last, "/created", 0),
        red=("stream.created-in-seconds",),
        says="Unix seconds of now; created is 0",
        wild=("F-ID-04",),
    ),
    Fault(
        id="chunk-usage-adds-up-wrongly",
        does="counts a token of the prompt twice in the usage of its last chunk",
        change=_in(_last, "/usage", USAGE | {"prompt_tokens": 10}),
        red=("stream.usage-sum",),
        says="three counts, the total their sum; usage is {",
        wild=("F-USE-06",),
    ),
    Fault(
        id="chunk-ids",
        does="gives every chunk an id of its own",
        change=_numbered("/id", lambda number: f"chatcmpl-{number:024x}"),
        red=("stream.same-id",),
        says='; "chatcmpl-000000000000000000000001"',
        wild=("F-ID-01",),
    ),
    Fault(
        id="chunk-id-empty",
        does="gives its chunks an empty id",
        change=in_chunks("/id", ""),
        red=("stream.same-id",),
        says='a non-empty string; ""',
        wild=("F-ID-01",),
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*OBJECTS, *CONTENTS, *IDENTITY)
