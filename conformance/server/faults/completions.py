"""Servers whose completions have the wrong shape: names, times, choices and messages."""

import time
from collections.abc import Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import Chunk, StreamEvent
from conformance.server.changes import (
    GONE,
    Change,
    each_answer,
    each_event,
    in_chunks,
    only,
    plain,
    put,
    saying,
)
from conformance.server.deviation import Fault
from conformance.server.faults.documents import UNREAD, WORDED, headed, member, now_and_then, twice
from conformance.server.generation import ChatRequest, Finish, Steps, Text


def _content(value: Any) -> Change:
    """Another content where there is text and no call."""

    def edit(document: Any) -> Any:
        message = document["data"]["choices"][0]["message"]
        return document if "tool_calls" in message else put(document, "/data/choices/0/message/content", value)

    return each_answer(edit)


def _ended(reason: str, pointer: str, value: Any) -> Change:
    """Another value in the completions that have this reason to end."""

    def edit(document: Any) -> Any:
        ended = document["data"]["choices"][0]["finish_reason"] == reason
        return put(document, f"/data{pointer}", value) if ended else document

    return each_answer(edit)


def _half(text: str) -> str:
    """The text with a lone high surrogate for each character that needs two."""
    return "".join(chr(0xD800 + ((ord(one) - 0x10000) >> 10)) if one > "\uffff" else one for one in text)


def _unnamed(number: int, event: StreamEvent) -> Iterator[StreamEvent]:
    """The chunks after the first without their id."""
    yield Chunk(document={**event.document, "id": ""}) if isinstance(event, Chunk) and number else event


def _renamed(number: int, event: StreamEvent) -> Iterator[StreamEvent]:
    """Each chunk with an id of its own."""
    yield Chunk(document={**event.document, "id": f"chatcmpl-{number}"}) if isinstance(event, Chunk) else event


def _numbered(number: int, event: StreamEvent) -> Iterator[StreamEvent]:
    """The chunk's number in the place of the choice's."""
    if not isinstance(event, Chunk):
        yield event
    else:
        yield Chunk(document={**event.document, "choices": [{**event.document["choices"][0], "index": number}]})


def _parts(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


async def _guessed(steps: Steps, request: ChatRequest) -> Steps:
    """What a model says of an image that it was not shown; any other answer as it is."""
    async with aclosing(steps):
        if not any(part["type"].startswith("image") for message in request.messages for part in _parts(message)):
            async for step in steps:
                yield step
            return
    yield Text(text="Blue.")
    yield Finish(reason="stop")


_HEAD: Final = (
    Fault(
        id="response-without-id",
        does="gives its answers no id",
        change=member("/id", GONE),
        red=("response.id",),
        says="/data/id: a non-empty string; nothing",
        unseen=("response.id-unique",),
    ),
    Fault(
        id="response-empty-id",
        does="gives its answers an empty id",
        change=member("/id", ""),
        red=("response.id",),
        says='/data/id: a non-empty string; ""',
        unseen=("response.id-unique",),
    ),
    Fault(
        id="response-id-of-the-page",
        does="copies the page's id into every answer",
        change=member("/id", "chatcmpl-abc"),
        red=("response.id-unique",),
        says="/data/id: another value than in",
    ),
    Fault(
        id="response-id-of-two",
        does="gives two answers in a row one id",
        change=twice(lambda identity: member("/id", identity)),
        red=("response.id-unique",),
        says="/data/id: another value than in",
    ),
    Fault(
        id="response-id-of-a-retry",
        does="gives one answer of twelve an id that it has given before",
        change=now_and_then(member("/id", "chatcmpl-retried")),
        red=("response.id-unique",),
        says='; "chatcmpl-retried"',
    ),
    Fault(
        id="response-id-from-the-clock",
        does="makes its ids from the second of the answer",
        change=headed(lambda head: replace(head, id=f"chatcmpl-{head.created}")),
        red=("response.id-unique",),
        says="/data/id: another value than in",
    ),
    Fault(
        id="response-without-model",
        does="does not name the model",
        change=member("/model", GONE),
        red=("response.model",),
        says="/data/model: a non-empty string; nothing",
    ),
    Fault(
        id="response-model-described",
        does="gives an object for the model",
        change=member("/model", lambda slug: {"slug": slug, "modality": "chat"}),
        red=("response.model",),
        says="/data/model: a non-empty string; {",
    ),
    Fault(
        id="response-backend-model",
        does="names the backend's model in answers, and the slug in streams",
        change=member("/model", "gpt-4o-2024-08-06"),
        red=("response.model-is-the-slug",),
        says='; "gpt-4o-2024-08-06"',
        wild=("F-ID-05",),
    ),
    Fault(
        id="response-model-without-vendor",
        does="names the model without what stands before the slash",
        change=member("/model", lambda slug: slug.rpartition("/")[2]),
        red=("response.model-is-the-slug",),
        says='/data/model: "reference/mini"; "mini"',
    ),
    Fault(
        id="response-without-created",
        does="does not tell the time",
        change=member("/created", GONE),
        red=("response.created",),
        says="/data/created: an integer; nothing",
        wild=("F-ID-04",),
    ),
    Fault(
        id="response-created-as-text",
        does="writes the time as text",
        change=member("/created", str),
        red=("response.created",),
        says='/data/created: an integer; "1',
    ),
    Fault(
        id="response-created-with-fractions",
        does="writes the time with parts of seconds",
        change=member("/created", lambda _: int(time.time()) + 0.25),
        red=("response.created",),
        says=".25",
    ),
    Fault(
        id="response-created-in-milliseconds",
        does="writes the time in milliseconds",
        change=member("/created", lambda old: old * 1000),
        red=("response.created-in-seconds",),
        says="000",
        wild=("F-ID-04",),
    ),
    Fault(
        id="response-created-at-start",
        does="tells for how many seconds it has been up",
        change=member("/created", lambda _: int(time.monotonic())),
        red=("response.created-in-seconds",),
        says="/data/created: about 1",
    ),
    Fault(
        id="response-created-zero",
        does="leaves the time at zero in one answer of twelve",
        change=now_and_then(member("/created", 0)),
        red=("response.created-in-seconds",),
        says="; 0",
        wild=("F-ID-04",),
    ),
)

_CHOICES: Final = (
    Fault(
        id="response-no-choices-when-filtered",
        does="gives no choice when the filter stopped the answer",
        change=_ended("content_filter", "/choices", []),
        red=("response.choices",),
        says="/data/choices: an array with at least one object; []",
        unseen=("finish.content-filter",),
    ),
    Fault(
        id="response-choice-alone",
        does="gives one choice in the place of a list of them",
        change=member("/choices", lambda choices: choices[0]),
        red=("response.choices",),
        says="/data/choices: an array with at least one object; {",
        unseen=UNREAD,
    ),
    Fault(
        id="response-choices-by-number",
        does="writes the list of choices as an object with numbers for names",
        change=member("/choices", lambda choices: {"0": choices[0]}),
        red=("response.documented-clients-read-it", "response.choices"),
        says="the Python snippet prints the text; KeyError",
    ),
    Fault(
        id="response-two-choices",
        does="answers twice at the highest temperature",
        change=only(
            lambda asked: plain(asked) and asked.get("temperature") == 2,
            member("/choices", lambda choices: [*choices, {**choices[0], "index": 1}]),
        ),
        red=("response.one-choice",),
        says="/data/choices: one element; 2 elements",
    ),
    Fault(
        id="response-index-from-one",
        does="counts choices from 1",
        change=member("/choices/0/index", 1),
        red=("response.choice-index",),
        says="/data/choices/0/index: 0; 1",
    ),
    Fault(
        id="response-without-index",
        does="does not number the choice",
        change=member("/choices/0/index", GONE),
        red=("response.choice-index",),
        says="/data/choices/0/index: 0; nothing",
    ),
    Fault(
        id="response-delta-for-message",
        does="calls the message delta, as streams do",
        change=member("/choices/0", lambda choice: {"delta": choice.pop("message"), **choice}),
        red=("response.message",),
        says="/data/choices/0/message: an object; nothing",
        unseen=UNREAD,
    ),
    Fault(
        id="response-text-for-message",
        does="gives the text itself for the message",
        change=member("/choices/0/message", lambda message: message["content"] or ""),
        red=("response.message",),
        says='/data/choices/0/message: an object; "',
        unseen=UNREAD,
    ),
    Fault(
        id="response-without-role",
        does="does not say who speaks",
        change=member("/choices/0/message/role", GONE),
        red=("response.role", "tools.echo-accepted"),
        says='/data/choices/0/message/role: "assistant"; nothing',
        unseen=("tools.result-",),
        wild=("F-MSG-01",),
    ),
    Fault(
        id="response-role-of-the-backend",
        does="calls the assistant model, as one provider does",
        change=member("/choices/0/message/role", "model"),
        red=("response.role", "tools.echo-accepted"),
        says='/data/choices/0/message/role: "assistant"; "model"',
        unseen=("tools.result-",),
    ),
    Fault(
        id="response-in-parts",
        does="answers in typed parts, as the content of a request may be",
        change=_content(lambda text: [{"type": "text", "text": text}]),
        red=("response.content-is-text",),
        says="/data/choices/0/message/content: a string; [",
        unseen=(*WORDED, "response.content-not-empty"),
        wild=("F-MSG-06",),
    ),
    Fault(
        id="response-null-when-stopped",
        does="gives null for a text that the limit cut off",
        change=_ended("length", "/choices/0/message/content", None),
        red=("response.content-is-text",),
        says="/data/choices/0/message/content: a string; null",
        unseen=("parameters.stop-",),
    ),
    Fault(
        id="response-text-lost",
        does="loses the text of answers that are not in English",
        change=_content(lambda text: text if text.isascii() else ""),
        red=("response.content-not-empty",),
        says="/data/choices/0/message/content: the text of ",
    ),
    Fault(
        id="response-half-a-character",
        does="loses the second half of characters beyond the first sixteen bits",
        change=_content(_half),
        red=("response.documented-clients-read-it",),
        says="the Python snippet prints the text; UnicodeEncodeError",
    ),
)

_STREAMS: Final = (
    Fault(
        id="response-id-of-each-chunk",
        does="gives each chunk of a stream an id of its own",
        change=each_event(_renamed),
        red=("stream.same-id",),
        says='"chatcmpl-0"; "chatcmpl-1"',
        wild=("F-ID-01",),
    ),
    Fault(
        id="response-id-of-the-first-chunk",
        does="leaves the id empty after the first chunk of a stream",
        change=each_event(_unnamed),
        red=("stream.same-id",),
        says='"; ""',
        wild=("F-ID-01",),
    ),
    Fault(
        id="response-index-counts-chunks",
        does="numbers the chunks of a stream where the choice is numbered",
        change=each_event(_numbered),
        red=("stream.choice-index",),
        says="0; ",
        wild=("F-ID-03",),
    ),
    Fault(
        id="response-created-zero-in-streams",
        does="gives the time 0 in every chunk",
        change=in_chunks("/created", 0),
        red=("stream.created-in-seconds",),
        says="Unix seconds of now; created is 0",
        wild=("F-ID-04",),
    ),
    Fault(
        id="response-backend-model-in-streams",
        does="names the backend's model in streams, and the slug in answers",
        change=in_chunks("/model", "gpt-4o-2024-08-06"),
        red=("stream.same-model",),
        says='the slug that was asked for; model is "gpt-4o-2024-08-06"',
        wild=("F-ID-05",),
    ),
)

_BLIND: Final = (
    Fault(
        id="response-to-an-unseen-image",
        does="shows the model the name of an image in its place, and the model guesses",
        change=saying(_guessed),
        red=("multimodal.image-seen",),
        says='red; "Blue',
        wild=("F-OPT-03",),
    ),
)

FAULTS: Final = (*_HEAD, *_CHOICES, *_STREAMS, *_BLIND)
