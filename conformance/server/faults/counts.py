"""Servers that count tokens wrongly."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import Chunk, StreamEvent, StreamEvents
from conformance.server.changes import (
    GONE,
    Change,
    asking,
    each_answer,
    each_event,
    having,
    only,
    told,
)
from conformance.server.deviation import Fault
from conformance.server.faults.documents import UNREAD, bodies, member, now_and_then
from conformance.server.generation import ChatRequest
from conformance.server.model import text_of
from conformance.server.tokens import count

_UNCOUNTED: Final = (
    "response.usage",
    "finish.stop",
    "finish.length",
    "messages.history-counted",
    "parameters.max-tokens-kept",
    "parameters.max-tokens-cap-kept",
)
"""What needs the counts of answers."""


def _usage(edit: Any) -> Change:
    """Other counts in answers."""
    return member("/usage", edit)


def _recounted(*, prompt: int | None = None, written: int | None = None) -> Change:
    """Other counts in answers, and a total that fits them."""

    def edit(usage: Mapping[str, int]) -> Mapping[str, int]:
        read = usage["prompt_tokens"] if prompt is None else prompt
        wrote = usage["completion_tokens"] if written is None else written
        return {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}

    return _usage(edit)


def _renamed(usage: Mapping[str, int]) -> Mapping[str, int]:
    return {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}


def _in_camel_case(usage: Mapping[str, int]) -> Mapping[str, int]:
    prompt, written, total = usage.values()
    return {"promptTokens": prompt, "completionTokens": written, "totalTokens": total}


def _short_total(usage: Mapping[str, int]) -> Mapping[str, int]:
    """A total that was taken when the first sixteen tokens were written."""
    prompt, written, _ = usage.values()
    return {**usage, "total_tokens": prompt + min(written, 16)}


def _last_message(request: ChatRequest) -> ChatRequest:
    return replace(request, prompt_tokens=3 + count(text_of(request.messages[-1])))


def _characters(document: Any) -> Any:
    usage, message = document["data"]["usage"], document["data"]["choices"][0]["message"]
    usage["completion_tokens"] = len(message["content"] or "")
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    return document


def _chunk_of(document: Mapping[str, Any], **members: Any) -> Chunk:
    return Chunk(document={**document, **members})


_CRASHES: Final = ("stream.tool-framing", "stream.python-client-survives", "stream.typescript-client-survives")
"""What a chunk without choices breaks, beside its own requirement."""
_COUNTS: Final = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}


async def _counted_last(events: StreamEvents) -> StreamEvents:
    """A chunk with nothing but counts before the end marker."""
    last: Chunk | None = None
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Chunk):
                last = event
            elif last:
                yield _chunk_of(last.document, choices=[], usage=_COUNTS)
            yield event


def _azure(number: int, event: StreamEvent) -> list[StreamEvent]:
    """The first chunk of one provider, which tells what its filter thought of the prompt."""
    first = _chunk_of({"id": "", "model": "", "created": 0, "choices": [], "prompt_filter_results": []})
    return [first, event] if number == 0 else [event]


def _increments(number: int, event: StreamEvent) -> list[StreamEvent]:
    """In every chunk the tokens of that chunk, beside the total so far."""
    if not isinstance(event, Chunk):
        return [event]
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 9 + number}
    return [_chunk_of(event.document, usage=usage)]


_ANSWERS: Final = (
    Fault(
        id="usage-left-out",
        does="counts no tokens where no limit was asked for",
        change=only(lambda asked: not having("max_tokens")(asked), member("/usage", GONE)),
        red=("response.usage",),
        says="/data/usage: an object with prompt_tokens, completion_tokens, total_tokens; nothing",
    ),
    Fault(
        id="usage-null",
        does="gives null for the counts",
        change=member("/usage", None),
        red=("response.usage",),
        says="total_tokens; null",
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-in-other-words",
        does="calls its counts input_tokens and output_tokens, as one provider does",
        change=_usage(_renamed),
        red=("response.usage",),
        says='total_tokens; {"input_tokens"',
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-in-camel-case",
        does="writes the names of its counts as its language does",
        change=_usage(_in_camel_case),
        red=("response.usage",),
        says='total_tokens; {"promptTokens"',
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-without-total",
        does="gives the two counts and no total",
        change=member("/usage/total_tokens", GONE),
        red=("response.usage",),
        says="/data/usage: an object with total_tokens; {",
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-twice",
        does="writes usage twice in one object, the second time before it knows",
        change=bodies(lambda body: body.replace(b',"_meta"', b',"usage":{},"_meta"')),
        red=("response.usage",),
        says="total_tokens; {}",
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-as-text",
        does="writes its counts as text",
        change=_usage(lambda usage: {name: str(value) for name, value in usage.items()}),
        red=("response.usage-counts",),
        says='/data/usage/prompt_tokens: an integer of 0 or more; "',
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-negative",
        does="counts the answer as -1 until somebody reads it",
        change=_recounted(written=-1),
        red=("response.usage-counts",),
        says="/data/usage/completion_tokens: an integer of 0 or more; -1",
        unseen=_UNCOUNTED,
        wild=("F-USE-06",),
    ),
    Fault(
        id="usage-estimated",
        does="takes a quarter of the bytes for the tokens of the prompt and does not round",
        change=member("/usage/prompt_tokens", lambda old: old + 0.25),
        red=("response.usage-counts",),
        says="/data/usage/prompt_tokens: an integer of 0 or more; ",
        unseen=_UNCOUNTED,
    ),
    Fault(
        id="usage-total-of-short-answers",
        does="adds up rightly for answers of up to sixteen tokens only",
        change=_usage(_short_total),
        red=("response.usage-sum",),
        says="/data/usage/total_tokens: ",
        wild=("F-USE-06",),
    ),
    Fault(
        id="usage-total-of-the-answer",
        does="gives the tokens of the answer as the total",
        change=_usage(lambda usage: {**usage, "total_tokens": usage["completion_tokens"]}),
        red=("response.usage-sum",),
        says=" + 1 = ",
        wild=("F-USE-06",),
    ),
    Fault(
        id="usage-without-prompt",
        does="does not count the prompt",
        change=_recounted(prompt=0),
        red=("response.usage-prompt-counted",),
        says="/data/usage/prompt_tokens: more than 0; 0",
        unseen=("messages.history-counted",),
        wild=("F-USE-05",),
    ),
    Fault(
        id="usage-of-cached-prompts",
        does="counts a prompt of which it has read the beginning before as 0 tokens, one time in twelve",
        change=now_and_then(_recounted(prompt=0)),
        red=("response.usage-prompt-counted",),
        says="/data/usage/prompt_tokens: more than 0; 0",
        unseen=UNREAD,
    ),
    Fault(
        id="usage-without-answer",
        does="does not count the answer",
        change=_recounted(written=0),
        red=("response.usage-completion-counted", "finish.length-only-at-the-limit"),
        says="/data/usage/completion_tokens: more than 0; 0",
        unseen=("finish.length",),
        wild=("F-USE-05",),
    ),
    Fault(
        id="usage-zeros",
        does="counts zeros where tools are declared",
        change=only(having("tools"), _recounted(prompt=0, written=0)),
        red=("response.usage-prompt-counted", "response.usage-completion-counted"),
        says="/data/usage/prompt_tokens: more than 0; 0",
        wild=("F-USE-05",),
    ),
    Fault(
        id="usage-of-the-last-message",
        does="counts the last message for the prompt, and not what came before it",
        change=asking(_last_message),
        red=("messages.history-counted",),
        says="/data/usage/prompt_tokens: more than ",
        wild=("F-USE-07",),
    ),
    Fault(
        id="usage-of-no-prompt-in-particular",
        does="counts every prompt as 24 tokens",
        change=_recounted(prompt=24),
        red=("messages.history-counted",),
        says="/data/usage/prompt_tokens: more than 24 prompt tokens; 24",
        wild=("F-USE-07",),
    ),
    Fault(
        id="usage-in-characters",
        does="counts the characters of the answer",
        change=each_answer(_characters),
        red=("parameters.max-tokens-kept", "parameters.max-tokens-cap-kept"),
        says="/data/usage/completion_tokens: at most ",
        unseen=("finish.length",),
        wild=("F-USE-07",),
    ),
)

_STREAMS: Final = (
    Fault(
        id="usage-chunk-without-choice",
        does="ends its streams with a chunk of counts that has no choice, unasked",
        change=told(_counted_last),
        red=("stream.choices-not-empty", *_CRASHES),
        says="a first choice; choices is []",
        wild=("F-USE-01",),
    ),
    Fault(
        id="usage-chunk-of-the-filter",
        does="passes on a first chunk without choice, id, model and time, as one provider sends it",
        change=each_event(_azure),
        red=(
            "stream.choices-not-empty",
            *_CRASHES,
            "stream.same-id",
            "stream.same-model",
            "stream.created-in-seconds",
        ),
        says="a first choice; choices is []",
        wild=("F-USE-08",),
    ),
    Fault(
        id="usage-in-every-chunk",
        does="counts in every chunk what that chunk brings, beside the total so far",
        change=each_event(_increments),
        red=("stream.usage-sum",),
        says="three counts, the total their sum; usage is ",
        wild=("F-USE-03",),
    ),
)

FAULTS: Final = (*_ANSWERS, *_STREAMS)
