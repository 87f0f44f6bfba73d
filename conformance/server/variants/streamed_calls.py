"""Streams of tool calls that are odd and legal."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.server.answers import Chunk, StreamEvent, StreamEvents
from conformance.server.changes import Change, each_chunk, each_event, each_step, only, put, saying, streams, told
from conformance.server.deviation import Variant
from conformance.server.generation import CallArguments, CallStart, ChatRequest, Step, Steps, Text

_DELTA: Final = "/choices/0/delta"
_CALLS: Final = "/choices/0/delta/tool_calls"


def in_deltas(edit: Callable[[Any], Any]) -> Change:
    """Each part of a streamed call, as `edit` makes it."""

    def change(document: Any) -> Any:
        calls = at(document, _CALLS)
        return put(document, _CALLS, [edit(call) for call in calls]) if isinstance(calls, list) else document

    return each_chunk(change)


def _by_character(_number: int, step: Step) -> Iterable[Step]:
    if not isinstance(step, CallArguments):
        return [step]
    return [replace(step, fragment=character) for character in step.fragment]


def _parts(event: StreamEvent) -> list[Any]:
    """The parts of calls that a chunk holds; none where it holds no calls."""
    found = at(event.document, _CALLS) if isinstance(event, Chunk) else None
    return found if isinstance(found, list) else []


def _holding(event: StreamEvent, calls: list[Any], *, last: bool = True) -> Chunk:
    """The same chunk with other parts of calls, and without its reason where another follows."""
    assert isinstance(event, Chunk)
    choice = event.document["choices"][0]
    reason = choice.get("finish_reason") if last else None
    choices = [{**choice, "delta": {**choice["delta"], "tool_calls": calls}, "finish_reason": reason}]
    return Chunk(document={**event.document, "choices": choices})


async def _whole(events: StreamEvents) -> StreamEvents:
    """Each call in one part, as it came to its end."""
    held: list[StreamEvent] = []
    async with aclosing(events):
        async for event in events:
            if _parts(event):
                held.append(event)
                continue
            for chunk in _joined(held):
                yield chunk
            held = []
            yield event


def _joined(held: list[StreamEvent]) -> Iterable[Chunk]:
    calls: dict[int, Any] = {}
    for event in held:
        for part in _parts(event):
            kept = calls.setdefault(part["index"], {**part, "function": {**part["function"], "arguments": ""}})
            kept["function"]["arguments"] += part["function"].get("arguments", "")
    for number, call in enumerate(calls.values(), start=1):
        yield _holding(held[-1], [call], last=number == len(calls))


def _moved(call: Any) -> Any:
    return {**call, "index": 2 * call["index"]}


def _doubled(call: Any) -> Any:
    """The same part of another call."""
    return {**call, "index": 2 * call["index"] + 1, **({"id": f"{call['id']}_2"} if "id" in call else {})}


def _interleaved(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    if not (calls := _parts(event)):
        return [event]
    return [_holding(event, [*map(_moved, calls)], last=False), _holding(event, [*map(_doubled, calls)])]


def _side_by_side(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    calls = _parts(event)
    return [_holding(event, [*map(_moved, calls), *map(_doubled, calls)])] if calls else [event]


def _repeating(name: str) -> Change:
    """A member of a call's first part in every later one."""

    async def edited(events: StreamEvents) -> StreamEvents:
        known: dict[int, Any] = {}
        async with aclosing(events):
            async for event in events:
                for call in _parts(event):
                    if name in call:
                        known[call["index"]] = call[name]
                again = [
                    {name: known[call["index"]], **call} if call["index"] in known else call for call in _parts(event)
                ]
                yield _holding(event, again) if again else event

    return told(edited)


async def _with_a_word_before(steps: Steps, _request: ChatRequest) -> Steps:
    """A sentence before the first call."""
    first = True
    async with aclosing(steps):
        async for step in steps:
            if first and isinstance(step, CallStart):
                for text in ("Let", " me", " look", "."):
                    yield Text(text=text)
            first = False
            yield step


def _empty_text_beside(document: Any) -> Any:
    return put(document, _DELTA + "/content", "") if isinstance(at(document, _CALLS), list) else document


VARIANTS: Final = (
    Variant(
        id="streams-arguments-by-character",
        does="streams arguments character by character",
        change=each_step(_by_character),
    ),
    Variant(id="streams-a-whole-call", does="streams each call in one part", change=told(_whole)),
    Variant(
        id="streams-calls-interleaved",
        does="streams a second call between the parts of the first",
        change=each_event(_interleaved),
    ),
    Variant(
        id="streams-calls-side-by-side",
        does="streams two calls in the list of every part",
        change=each_event(_side_by_side),
    ),
    Variant(id="streams-the-id-again", does="repeats the id in every part of a call", change=_repeating("id")),
    Variant(id="streams-the-type-again", does="repeats the type in every part of a call", change=_repeating("type")),
    Variant(
        id="streams-a-pointed-index",
        does="writes the index of a call with a point",
        change=in_deltas(lambda call: put(call, "/index", float)),
    ),
    Variant(
        id="streams-empty-text-beside-calls",
        does="streams an empty text beside each part of a call",
        change=each_chunk(_empty_text_beside),
    ),
    Variant(
        id="streams-a-word-before-a-call",
        does="streams a sentence before its calls",
        change=only(streams, saying(_with_a_word_before)),
    ),
)
