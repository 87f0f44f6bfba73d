"""Models that say nothing or not all, behind a server that keeps the page: they think instead, or are stopped."""

from contextlib import aclosing
from typing import Any, Final

from conformance.server.changes import Asked, Change, each_answer, each_chunk, one_in, only, saying, streams
from conformance.server.deviation import Variant
from conformance.server.generation import ChatRequest, Finish, Steps, Text, Usage
from conformance.server.tokens import tokens
from conformance.server.variants.calls import NO_CALLS
from conformance.server.variants.words import NO_WORDS, free, last, mini, says

_NO_TEXT: Final = (
    "finish.stream-length",
    "parameters.stop-in-stream",
    "stream.text-intact",
    "stream.done-in-text",
    "stream.lines-in-text",
    "stream.not-in-one-burst",
)
"""What a stream without text does not show."""


def _free_stream(asked: Asked) -> bool:
    return free(asked) and streams(asked)


async def _starved(steps: Steps, request: ChatRequest) -> Steps:
    """Thoughts that nobody sees, as long as the limit, and no word."""
    if request.limit is None:
        async with aclosing(steps):
            async for step in steps:
                yield step
        return
    await steps.aclose()
    yield Finish(reason="length", usage=Usage(prompt_tokens=request.prompt_tokens, completion_tokens=request.limit))


async def _thought(steps: Steps, request: ChatRequest) -> Steps:
    """Nine thoughts that nobody sees, or as many as the limit allows, and no word."""
    await steps.aclose()
    limit = request.limit or 512
    usage = Usage(prompt_tokens=request.prompt_tokens, completion_tokens=min(limit, 9))
    yield Finish(reason="length" if limit <= 9 else "stop", usage=usage)


def _tells_its_thoughts(document: Any) -> Any:
    usage = document["data"]["usage"]
    usage["completion_tokens_details"] = {"reasoning_tokens": usage["completion_tokens"]}
    return document


def _within_its_thoughts(document: Any) -> Any:
    """A chunk whose text stands among the thoughts."""
    delta = document["choices"][0]["delta"]
    if "content" in delta:
        delta["reasoning_content"] = delta.pop("content")
    return document


def _stopped_at_the_marker(reason: str) -> Change:
    """A stream that ends where the model is about to write the end marker, for a reason of its own."""

    async def stopped(steps: Steps, request: ChatRequest) -> Steps:
        await steps.aclose()
        for token in tokens("first lantern\n\ndata: ["):
            yield Text(text=token)
        usage = Usage(prompt_tokens=request.prompt_tokens, completion_tokens=request.limit or 1)
        yield Finish(reason=reason, usage=usage)

    return only(lambda asked: _free_stream(asked) and "lantern" in last(asked), saying(stopped))


VARIANTS: Final = (
    Variant(
        id="says-nothing-now-and-then",
        does="ends its turn at once in one stream of three",
        change=one_in(3, says(""), when=_free_stream),
        unseen=_NO_TEXT,
    ),
    Variant(
        id="thinks-in-place-of-an-answer",
        does="says among its thoughts what it has to say, in one stream of three",
        change=one_in(3, each_chunk(_within_its_thoughts), when=_free_stream),
        unseen=_NO_TEXT,
    ),
    Variant(
        id="thinks-and-says-nothing",
        does="thinks where nobody sees it, says how long, and ends its turn",
        change=only(free, saying(_thought), each_answer(_tells_its_thoughts)),
        unseen=(
            "parameters.max-tokens-cap-kept",
            "messages.stateless",
            "tools.result-",
            *NO_CALLS,
            *NO_WORDS,
        ),
    ),
    Variant(
        id="thinks-up-to-the-end-marker",
        does="has spent its limit on thoughts where it would write the end marker of streams",
        change=_stopped_at_the_marker("length"),
        unseen=("stream.done-in-text",),
    ),
    Variant(
        id="filtered-at-the-end-marker",
        does="is filtered where it would write the end marker of streams",
        change=_stopped_at_the_marker("content_filter"),
        unseen=("stream.done-in-text",),
    ),
    Variant(
        id="thinks-until-the-limit",
        does="spends its limit on thoughts that it does not show",
        change=only(mini, saying(_starved)),
        unseen=("finish.stop", "messages.stateless", *NO_CALLS, *NO_WORDS),
    ),
)
