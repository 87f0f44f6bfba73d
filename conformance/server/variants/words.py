"""Models of other moods, behind a server that keeps the page: what they say, and what they will not say."""

import json
import re
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    When,
    after,
    asking,
    depending,
    finishing,
    having,
    in_answers,
    only,
    saying,
    streams,
    wording,
)
from conformance.server.deviation import Variant
from conformance.server.generation import ChatRequest, Finish, Steps, Text, Usage
from conformance.server.model import MINI
from conformance.server.tokens import tokens

_CONTENT: Final = "/data/choices/0/message/content"
_COLOUR: Final = ("multimodal.image-seen", "multimodal.image-forms-agree")


NO_WORDS: Final = (
    "finish.stream-length",
    "response.content-not-empty",
    "stream.text-accumulates",
    "stream.text-intact",
    "stream.done-in-text",
    "stream.lines-in-text",
    "stream.not-in-one-burst",
    "parameters.stop-",
    "messages.system-obeyed",
    "messages.history-used",
    "messages.answers-not-crossed",
    *_COLOUR,
)
"""What an answer without text does not show."""


def mini(asked: Asked) -> bool:
    """Whether it is the model that is asked, and not one of those that stand for failures."""
    return asked.get("model") == MINI


def free(asked: Asked) -> bool:
    """Whether the model may say what it likes: no call is forced on it."""
    return mini(asked) and asked.get("tool_choice", "auto") in ("auto", "none")


def _messages(asked: Asked) -> list[dict[str, Any]]:
    found = asked.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def _instructed(asked: Asked) -> bool:
    return any(message.get("role") == "system" for message in _messages(asked))


def _begins(asked: Asked) -> str:
    """The word with which a system message wants every answer to begin; empty where none does."""
    said = " ".join(str(message.get("content")) for message in _messages(asked) if message.get("role") == "system")
    found = re.search(r"begin your answer with (\w+)", said)
    return found[1] if found else ""


def _secret(asked: Asked) -> bool:
    return "What is the secret" in last(asked)


def _parts(message: Any) -> list[Any]:
    found = message.get("content")
    return found if isinstance(found, list) else []


def _shows_an_image(asked: Asked) -> bool:
    return any(str(at(part, "/type")).startswith("image") for message in _messages(asked) for part in _parts(message))


def _told_by_a_tool(asked: Asked) -> bool:
    return bool(at((_messages(asked) or [{}])[-1], "/role") == "tool")


async def _spoken(words: str, steps: Steps) -> Steps:
    await steps.aclose()
    for token in tokens(words):
        yield Text(text=token)
    yield Finish(reason="stop")


def says(words: str, when: When = free) -> Change:
    """The same words in answer to the requests that `when` picks, unless a call is forced."""
    return only(lambda asked: free(asked) and when(asked), saying(lambda steps, _: _spoken(words, steps)))


def _opening(words: Callable[[], str], when: When = mini) -> Change:
    """Words before the text of each answer."""

    async def opened(steps: Steps, _request: ChatRequest) -> Steps:
        first = True
        async with aclosing(steps):
            async for step in steps:
                if first and isinstance(step, Text):
                    for token in tokens(words()):
                        yield Text(text=token)
                first = False
                yield step

    return only(when, saying(opened))


def _closing(words: str, when: When = mini) -> Change:
    """Words behind the text of each answer that comes to its end."""

    async def closed(steps: Steps, _request: ChatRequest) -> Steps:
        said = False
        async with aclosing(steps):
            async for step in steps:
                said = said or isinstance(step, Text)
                if said and isinstance(step, Finish) and step.reason == "stop":
                    for token in tokens(words):
                        yield Text(text=token)
                yield step

    return only(when, saying(closed))


def last(asked: Asked) -> str:
    """The content of the last message, as text."""
    return str((_messages(asked) or [{}])[-1].get("content"))


def _templated(request: ChatRequest) -> ChatRequest:
    """A prompt with a long system message of the template's own where there is none."""
    own = 0 if any(message["role"] == "system" for message in request.messages) else 100
    return replace(request, prompt_tokens=request.prompt_tokens + own)


def _in_bytes(request: ChatRequest) -> ChatRequest:
    """A prompt of a token a byte, and parts with nothing between them."""

    def length(content: Any) -> int:
        texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content or ()]
        return 4 + sum(len(text.encode()) for text in texts)

    more = len(json.dumps([message.get("tool_calls") for message in request.messages] + [*request.tools]))
    return replace(request, prompt_tokens=more + sum(length(message.get("content")) for message in request.messages))


async def _starved_beside(steps: Steps, request: ChatRequest) -> Steps:
    """Thoughts as long as the limit that are no completion tokens, and no word."""
    if request.limit is None:
        async with aclosing(steps):
            async for step in steps:
                yield step
        return
    await steps.aclose()
    yield Finish(reason="length", usage=Usage(prompt_tokens=request.prompt_tokens, completion_tokens=0))


def _counted_beside(asked: Asked) -> Change:
    """The thoughts that fill the limit, counted beside the completion."""
    if not isinstance(limit := asked.get("max_tokens"), int):
        return after()
    thoughts = min(limit, 512)

    def edit(usage: Any) -> Any:
        details = {"completion_tokens_details": {"reasoning_tokens": thoughts}}
        return {**usage, "total_tokens": usage["prompt_tokens"] + thoughts, **details}

    return in_answers("/data/usage", edit)


async def _cut_within_stop(steps: Steps, request: ChatRequest) -> Steps:
    """Thoughts that nobody sees, and then as much of the text as the limit leaves, which ends within the stop text."""
    said = ""
    async with aclosing(steps):
        async for step in steps:
            said += step.text if isinstance(step, Text) else ""
    for token in tokens(said[: said.find(request.stop[0]) + 1]):
        yield Text(text=token)
    yield Finish(reason="length")


def _lowered(asked: Asked) -> Change:
    return wording(str.lower) if _begins(asked) else after()


def _numbered() -> Change:
    """Each answer opened by a number of its own."""

    def change() -> Reaction:
        numbers = count(1)
        return _opening(lambda: f"No. {next(numbers)}:\n")()

    return change


_OPENED: Final = (
    Variant(id="says-sure-first", does="opens every answer with a friendly word", change=_opening(lambda: "Sure!\n")),
    Variant(
        id="says-it-in-japanese", does="opens every answer in Japanese", change=_opening(lambda: "承知しました。🎈\n")
    ),
    Variant(id="says-it-on-a-new-line", does="begins every text with line breaks", change=_opening(lambda: "\n\n")),
    Variant(
        id="says-more-at-the-end", does="closes every answer with a question", change=_closing("\n\nAnything else?")
    ),
    Variant(
        id="says-it-in-bold",
        does="opens and closes its answers with asterisks",
        change=after(_opening(lambda: "**"), _closing("**")),
    ),
    Variant(
        id="says-it-in-stars",
        does="draws a line of 40 asterisks below its answers",
        change=_closing("\n" + "*" * 40),
    ),
    Variant(
        id="says-it-otherwise-each-time",
        does="opens each answer with another number, so that no two are alike",
        change=_numbered(),
        unseen=("parameters.stop-", "finish.stream-length"),
    ),
)

_UNWILLING: Final = (
    Variant(
        id="declines-everything",
        does="would rather not answer",
        change=says("I would rather not talk about that."),
        unseen=(
            "stream.text-intact",
            "stream.done-in-text",
            "stream.lines-in-text",
            "stream.not-in-one-burst",
            "parameters.max-tokens-cap-kept",
            "messages.system-obeyed",
            "messages.history-used",
            "messages.answers-not-crossed",
            "tools.result-used",
            *_COLOUR,
        ),
    ),
    Variant(
        id="says-nothing-at-all",
        does="ends its turn at once",
        change=says(""),
        unseen=(
            "parameters.max-tokens-cap-kept",
            "finish.length",
            "messages.stateless",
            "stream.text-intact",
            "tools.result-",
            *NO_WORDS,
        ),
    ),
    Variant(
        id="thinks-until-the-limit-and-counts-beside",
        does="spends its limit on thoughts that it does not show, and counts them beside the completion",
        change=only(free, saying(_starved_beside), depending(_counted_beside)),
        unseen=("finish.", "messages.stateless", "tools.result-", *NO_WORDS),
    ),
    Variant(
        id="brief-where-there-is-little-room",
        does="says one word where it is told of little room",
        change=says("1", lambda asked: asked.get("max_tokens") == 3),
        unseen=("finish.length", "finish.stream-length"),
    ),
    Variant(
        id="filtered-at-the-limit",
        does="has a filter that stops its answer just where the limit is",
        change=only(lambda asked: asked.get("max_tokens") == 3, finishing(lambda _: "content_filter")),
        unseen=("finish.length", "finish.stream-length"),
    ),
    Variant(
        id="tires-before-the-limit",
        does="ends a very long answer of its own accord",
        change=says("1, 2, 3, and so on.", lambda asked: asked.get("max_tokens", 0) == 513),
        unseen=("parameters.max-tokens-cap-kept",),
    ),
)

_SYSTEM: Final = (
    Variant(
        id="system-message-unheeded",
        does="reads the system message and does as it likes",
        change=says("As you like.", _instructed),
        unseen=("messages.system-obeyed",),
    ),
    Variant(
        id="system-message-of-the-template",
        does="has a long system message of its own for who sends none, and does as it likes",
        change=after(asking(_templated), says("As you like.", _instructed)),
        unseen=("messages.system-obeyed",),
    ),
    Variant(
        id="system-message-in-small-letters",
        does="does the system message's bidding in small letters",
        change=depending(_lowered),
    ),
    Variant(
        id="system-message-at-the-end",
        does="does the system message's bidding at the end",
        change=depending(
            lambda asked: (
                says(f"All right, and {word}.", lambda _: not _secret(asked)) if (word := _begins(asked)) else after()
            )
        ),
    ),
)

_MEMORY: Final = (
    Variant(
        id="secret-kept",
        does="keeps to itself what it was told to keep in mind",
        change=says("I must not tell it.", _secret),
        unseen=("messages.history-used",),
    ),
    Variant(
        id="secret-shown-in-a-sentence",
        does="tells what it was told in capitals, in a sentence",
        change=only(_secret, after(wording(str.upper), _opening(lambda: "It is:\n**"), _closing("**, you said."))),
    ),
)

_PICTURES: Final = (
    Variant(
        id="colour-in-a-sentence",
        does="names the colour of an image in a sentence",
        change=says("You shared a plain square, rendered in a strong RED tone.", _shows_an_image),
    ),
    Variant(
        id="colour-of-a-shade",
        does="names a shade",
        change=says("Crimson.", _shows_an_image),
        unseen=_COLOUR,
    ),
    Variant(
        id="colour-among-others",
        does="names several colours",
        change=says("It is red, neither blue nor green.", _shows_an_image),
        unseen=_COLOUR,
    ),
    Variant(
        id="colour-not-seen",
        does="says that it sees no image",
        change=says("I cannot look at the images that are shared with me.", _shows_an_image),
        unseen=_COLOUR,
    ),
)

_PARTS: Final = (
    Variant(
        id="parts-joined-in-bytes",
        does="reads bytes, puts nothing between two parts, and does as it likes",
        change=after(
            asking(_in_bytes), says("As you like.", lambda asked: bool(_parts((_messages(asked) or [{}])[-1])))
        ),
        unseen=_COLOUR,
    ),
)

_RESULTS: Final = (
    Variant(
        id="result-unused",
        does="says little after a tool's result",
        change=says("Done.", _told_by_a_tool),
        unseen=("tools.result-used",),
    ),
    Variant(
        id="result-passed-over",
        does="says nothing after a tool's result",
        change=says("", _told_by_a_tool),
        unseen=("tools.result-",),
    ),
    Variant(
        id="result-with-grouped-digits",
        does="groups the digits of a tool's result",
        change=says("It is 4,711 degrees.", _told_by_a_tool),
    ),
)

_STOPS: Final = (
    Variant(
        id="stops-without-blanks",
        does="cuts the blanks off that stand before a stop sequence",
        change=only(having("stop"), in_answers(_CONTENT, lambda said: said and said.rstrip())),
    ),
    Variant(
        id="stops-with-blanks",
        does="leaves blanks where a stop sequence stood",
        change=only(having("stop"), in_answers(_CONTENT, lambda said: said and said + " \n")),
    ),
    Variant(
        id="stops-at-the-limit-within-a-stop-text",
        does="thinks before it streams, so that its limit ends the text within a stop sequence",
        change=only(
            lambda asked: streams(asked) and isinstance(asked.get("stop"), str) and mini(asked),
            saying(_cut_within_stop),
        ),
        unseen=("parameters.stop-in-stream", "parameters.stop-reason"),
    ),
)

VARIANTS: Final = (*_OPENED, *_UNWILLING, *_SYSTEM, *_MEMORY, *_PICTURES, *_PARTS, *_RESULTS, *_STOPS)
