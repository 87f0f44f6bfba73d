"""Streams whose chunks hold more, less or other things than the reference server's, and keep the page."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

from conformance.document import at
from conformance.server.answers import Chunk, StreamEvent, StreamEvents
from conformance.server.changes import (
    GONE,
    Change,
    after,
    each_chunk,
    each_event,
    in_chunks,
    put,
    told,
)
from conformance.server.deviation import Variant

_CHOICE: Final = "/choices/0"
_DELTA: Final = "/choices/0/delta"
_MORE: Final = {"x_extra": {"deep": [1, None, "x"]}, "object": "anything", "system_fingerprint": None}


def _reason(document: Any) -> Any:
    """Why a chunk ends the answer; nothing where it does not, or says so by leaving it out."""
    return document["choices"][0].get("finish_reason")


def widened(value: Any) -> Any:
    """The document with more members in every object."""
    if isinstance(value, dict):
        return {name: widened(item) for name, item in value.items()} | _MORE
    return [widened(item) for item in value] if isinstance(value, list) else value


def _chunk_with(delta: Any) -> Callable[[Chunk], Chunk]:
    """A chunk of the same stream with another delta."""
    return lambda chunk: Chunk(
        document={**chunk.document, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    )


def _around(*, before: Any = None, behind: Any = None, often: int = 1) -> Change:
    """A chunk with another delta before or behind some of the chunks that give no reason."""

    def edited(number: int, event: StreamEvent) -> Iterable[StreamEvent]:
        chosen = isinstance(event, Chunk) and not _reason(event.document) and number % often == 0
        if chosen and isinstance(event, Chunk) and before is not None:
            yield _chunk_with(before)(event)
        yield event
        if chosen and isinstance(event, Chunk) and behind is not None:
            yield _chunk_with(behind)(event)

    return each_event(edited)


def _by_character(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    delta = event.document["choices"][0]["delta"] if isinstance(event, Chunk) else {}
    *before, last = delta.get("content") or [""]
    if not isinstance(event, Chunk) or not before:
        yield event
        return
    for character in before:
        yield _chunk_with({"content": character})(event)
    yield _with_delta(event, {**delta, "content": last})


async def _merged(events: StreamEvents) -> StreamEvents:
    """The reason in the chunk before it, which holds the last of the text or of a call."""
    held: StreamEvent | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(held, Chunk) and isinstance(event, Chunk) and (reason := _reason(event.document)):
                choice = {**held.document["choices"][0], "finish_reason": reason}
                event = Chunk(document={**event.document, "choices": [choice]})  # noqa: PLW2901
                held = None
            if held is not None:
                yield held
            held = event
    if held is not None:
        yield held


async def _opened_by_text(events: StreamEvents) -> StreamEvents:
    """The role in the first chunk that says something."""
    role = False
    async with aclosing(events):
        async for event in events:
            delta = at(event.document, _DELTA) if isinstance(event, Chunk) else None
            if isinstance(event, Chunk) and delta in ({"role": "assistant", "content": ""}, {"role": "assistant"}):
                role = True
            elif role and isinstance(event, Chunk):
                role = False
                yield _with_delta(event, {"role": "assistant", **event.document["choices"][0]["delta"]})
            else:
                yield event


def _with_delta(chunk: Chunk, delta: Any) -> Chunk:
    choice = {**chunk.document["choices"][0], "delta": delta}
    return Chunk(document={**chunk.document, "choices": [choice]})


def _bare(document: Any) -> Any:
    choice = document["choices"][0]
    kept = {name: choice[name] for name in ("delta", "finish_reason") if choice.get(name) is not None}
    return {"choices": [kept]}


def _counted(*, running: bool) -> Change:
    """The usage in the last chunk, or in every chunk as it was by then."""

    async def edited(events: StreamEvents) -> StreamEvents:
        written = 0
        async with aclosing(events):
            async for event in events:
                if not isinstance(event, Chunk):
                    yield event
                    continue
                delta = event.document["choices"][0]["delta"]
                written += bool(delta.get("content") or delta.get("tool_calls"))
                usage = {"prompt_tokens": 9, "completion_tokens": written, "total_tokens": 9 + written}
                shown = running or _reason(event.document)
                yield Chunk(document={**event.document, **({"usage": usage} if shown else {})})

    return told(edited)


def _ticking() -> Change:
    """Each chunk with the time of its own."""

    async def edited(events: StreamEvents) -> StreamEvents:
        number = 0
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Chunk) and "created" in event.document:
                    document = {**event.document, "created": event.document["created"] + number // 40}
                    yield Chunk(document=document)
                    number += 1
                else:
                    yield event

    return told(edited)


def _said(document: Any, value: Any) -> Any:
    """Text beside which a member stands that says nothing."""
    return put(document, _DELTA + "/tool_calls", value) if "content" in document["choices"][0]["delta"] else document


def _unless_over(document: Any) -> Any:
    return document if _reason(document) else put(document, _CHOICE + "/finish_reason", GONE)


_ROLES: Final = (
    Variant(id="role-in-no-chunk", does="names no role in its streams", change=in_chunks(_DELTA + "/role", GONE)),
    Variant(
        id="role-in-every-chunk",
        does="names the role in every chunk",
        change=in_chunks(_DELTA + "/role", "assistant"),
    ),
    Variant(
        id="role-null-later",
        does="gives null for the role in all but the first chunk",
        change=each_chunk(
            lambda document: (
                document if at(document, _DELTA + "/role") == "assistant" else put(document, _DELTA + "/role", None)
            )
        ),
    ),
    Variant(
        id="role-with-the-first-text",
        does="names the role in the chunk that holds the first text",
        change=told(_opened_by_text),
    ),
)

_DELTAS: Final = (
    Variant(
        id="deltas-empty", does="sends an empty delta before every other chunk", change=_around(before={}, often=2)
    ),
    Variant(
        id="deltas-of-no-text",
        does="sends an empty text before and behind chunks",
        change=_around(before={"content": ""}, behind={"content": ""}, often=3),
    ),
    Variant(
        id="deltas-of-a-character", does="streams its text character by character", change=each_event(_by_character)
    ),
    Variant(
        id="deltas-of-thoughts",
        does="thinks before each piece of text, in a member of its own",
        change=_around(before={"reasoning_content": "Hm."}, often=4),
    ),
    Variant(
        id="deltas-of-thoughts-alone",
        does="begins with thoughts, beside an empty text and a role",
        change=each_event(
            lambda number, event: (
                [
                    _chunk_with({"role": "assistant", "content": "", "reasoning": "Well", "thinking": None})(event),
                    event,
                ]
                if isinstance(event, Chunk) and not number
                else [event]
            )
        ),
    ),
    Variant(
        id="deltas-with-tool-calls-null",
        does="gives null for tool_calls beside text",
        change=each_chunk(lambda document: _said(document, None)),
    ),
    Variant(
        id="deltas-with-tool-calls-empty",
        does="gives no tool calls, as an empty list, beside text",
        change=each_chunk(lambda document: _said(document, [])),
    ),
    Variant(
        id="deltas-with-a-refusal-null",
        does="says in every delta that nothing was refused or called",
        change=after(
            in_chunks(_DELTA + "/refusal", None),
            in_chunks(_DELTA + "/function_call", None),
            in_chunks(_DELTA + "/annotations", []),
        ),
    ),
)

_MEMBERS: Final = (
    Variant(id="chunks-bare", does="sends only what the page's clients read, and the reason", change=each_chunk(_bare)),
    Variant(id="chunks-widened", does="adds members to every object of its chunks", change=each_chunk(widened)),
    Variant(
        id="chunks-of-the-usual-names",
        does="says the object, the fingerprint and the tier in each chunk, and no log probabilities",
        change=each_chunk(
            lambda document: put(
                document
                | {"object": "chat.completion.chunk", "system_fingerprint": "fp_44709d6fcb", "service_tier": None},
                _CHOICE + "/logprobs",
                None,
            )
        ),
    ),
    Variant(id="chunks-without-id", does="names no stream", change=in_chunks("/id", GONE)),
    Variant(id="chunks-of-their-own-id", does="names its streams in its own way", change=in_chunks("/id", "№ 1 / ☃")),
    Variant(id="chunks-without-model", does="names no model in a stream", change=in_chunks("/model", GONE)),
    Variant(id="chunks-without-time", does="tells no time in a stream", change=in_chunks("/created", GONE)),
    Variant(
        id="chunks-that-name-it-once",
        does="gives null for the stream, the model and the time in all but the first chunk",
        change=each_chunk(
            lambda document: (
                document
                if "role" in document["choices"][0]["delta"]
                else document | dict.fromkeys(("id", "model", "created"))
            )
        ),
    ),
    Variant(id="chunks-of-passing-time", does="tells the time of each chunk", change=_ticking()),
    Variant(
        id="chunks-of-halves-of-seconds",
        does="tells the time with its parts",
        change=in_chunks("/created", lambda seconds: seconds + 0.5),
    ),
    Variant(
        id="chunks-without-index", does="numbers no choice in a stream", change=in_chunks(_CHOICE + "/index", GONE)
    ),
    Variant(
        id="chunks-with-a-pointed-index",
        does="writes the index of a choice with a point",
        change=in_chunks(_CHOICE + "/index", 0.0),
    ),
)


async def _reason_again(events: StreamEvents) -> StreamEvents:
    """The reason once more, in a last chunk that counts the tokens."""
    async with aclosing(events):
        async for event in events:
            yield event
            if isinstance(event, Chunk) and _reason(event.document):
                choices = [{**event.document["choices"][0], "delta": {}}]
                usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
                yield Chunk(document={**event.document, "choices": choices, "usage": usage})


_REASONS: Final = (
    Variant(
        id="reason-with-the-last-text",
        does="gives the reason in the chunk with the last text or call",
        change=told(_merged),
    ),
    Variant(
        id="reason-again-with-usage",
        does="gives the reason again in a last chunk that counts the tokens",
        change=told(_reason_again),
    ),
    Variant(
        id="reason-left-out",
        does="leaves the reason out until there is one",
        change=each_chunk(_unless_over),
    ),
    Variant(
        id="reason-with-empty-text",
        does="gives the reason beside an empty text",
        change=each_chunk(lambda document: put(document, _DELTA + "/content", "") if _reason(document) else document),
    ),
)

_USAGE: Final = (
    Variant(id="usage-in-the-last-chunk", does="counts tokens in its last chunk", change=_counted(running=False)),
    Variant(
        id="usage-grows-in-every-chunk",
        does="counts tokens in every chunk, as far as it has come",
        change=_counted(running=True),
    ),
    Variant(
        id="usage-of-what-is-written",
        does="counts only what it has written, in every chunk",
        change=in_chunks("/usage", {"prompt_tokens": None, "completion_tokens": 4}),
    ),
    Variant(
        id="usage-null-until-known",
        does="gives null for usage until it knows",
        change=after(in_chunks("/usage", None), _counted(running=False)),
    ),
)

VARIANTS: Final = (*_ROLES, *_DELTAS, *_MEMBERS, *_REASONS, *_USAGE)
