"""Servers between a client and a model that lose, add or mistake something on the way."""

import html
import re
from collections.abc import Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import ErrorEvent, StreamEvent, StreamEvents
from conformance.server.app import Behaviour
from conformance.server.changes import (
    Asked,
    Reaction,
    asking,
    each_step,
    mending,
    only,
    streams,
    told,
    wording,
)
from conformance.server.deviation import Fault
from conformance.server.generation import ChatRequest, Finish, Step, Steps, Text
from conformance.server.site import Arrival

_BEYOND: Final = re.compile("[\U00010000-\U0010ffff]")
_EVERY: Final = 50
_MOST: Final = 500
"""Tokens after which the answer is over for the one that says so."""


def _filling(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
    """The users' words put into a template, twice."""

    def keep_rules(document: Asked) -> None:
        behaviour.keep_rules(document)
        for message in document["messages"]:
            if message["role"] == "user" and isinstance(message["content"], str):
                message["content"].format()

    return replace(behaviour, keep_rules=keep_rules)


def _narrow(value: Any) -> Any:
    if isinstance(value, str):
        return _BEYOND.sub("?", value)
    if isinstance(value, dict):
        return {name: _narrow(inner) for name, inner in value.items()}
    return [_narrow(inner) for inner in value] if isinstance(value, list) else value


def _lossy(number: int, step: Step) -> Iterable[Step]:
    return [] if isinstance(step, Text) and number % _EVERY == _EVERY - 2 else [step]


def _first_part(document: Any) -> Any:
    """A document whose messages of several texts have the first one alone."""
    messages = document.get("messages") if isinstance(document, dict) else None
    for message in messages if isinstance(messages, list) else []:
        parts = message.get("content") if isinstance(message, dict) else None
        if isinstance(parts, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
            message["content"] = parts[:1]
    return document


async def _repeated(events: StreamEvents) -> StreamEvents:
    shown: list[StreamEvent] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ErrorEvent):
                for again in shown:
                    yield again
            yield event
            shown.append(event)


def _over_early(_number: int, step: Step) -> Iterable[Step]:
    return [replace(step, reason="stop")] if isinstance(step, Finish) and step.reason == "length" else [step]


def _long(asked: Asked) -> bool:
    limit = asked.get("max_tokens")
    return not streams(asked) and isinstance(limit, int) and limit > _MOST


def _patterned() -> Reaction:
    """Stop sequences in an array, taken for regular expressions and looked for in the whole text."""

    async def cut(steps: Steps, stop: tuple[str, ...]) -> Steps:
        said = ""
        async with aclosing(steps):
            async for step in steps:
                said += step.text if isinstance(step, Text) else ""
                places = [found.start() for each in stop if (found := re.search(each, said))]
                if isinstance(step, Text) and not places:
                    continue
                yield Text(text=said[: min(places)] if places else said)
                yield Finish(reason="stop") if places else step
                return

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def stopped(steps: Steps, stop: tuple[str, ...]) -> Steps:
            return cut(steps, stop) if len(stop) > 2 else behaviour.stopped(steps, stop)

        return replace(behaviour, stopped=stopped)

    return react


def _any_choice(request: ChatRequest) -> ChatRequest:
    return replace(request, tool_choice="required", named=None) if request.tool_choice == "named" else request


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        id="gateway-fills-braces",
        does="takes braces in a prompt for fields of its template, and fails",
        change=lambda: _filling,
        red=("request.markup-in-text",),
        says="status: HTTP 200, as for plain.greeting",
        unseen=("stream.done-in-text", "stream.lines-in-text", "stream.text-accumulates", "stream.deltas-not-repeats"),
    ),
    Fault(
        id="gateway-escapes-html",
        does="escapes what the model says as HTML",
        change=wording(html.escape),
        red=("request.markup-in-text",),
        says="escaped as HTML",
    ),
    Fault(
        id="gateway-knows-three-bytes",
        does="puts a question mark for every character of four bytes in a prompt",
        change=mending(_narrow),
        red=("request.raw-utf8", "request.escaped-unicode"),
        says="a question mark for what is beyond the BMP",
    ),
    Fault(
        id="gateway-knows-no-pairs",
        does="writes U+FFFD for each half of a surrogate pair in its answers",
        change=wording(lambda text: _BEYOND.sub("\ufffd\ufffd", text)),
        red=("request.raw-utf8", "request.escaped-unicode"),
        says="U+FFFD for each half of what is beyond the BMP",
    ),
    Fault(
        id="gateway-loses-a-chunk",
        does="loses one chunk of text in fifty",
        change=only(streams, each_step(_lossy)),
        red=("stream.text-accumulates",),
        says="is lost between two chunks",
    ),
    Fault(
        id="gateway-asks-twice",
        does="asks once more when a stream breaks, and sends both answers",
        change=told(_repeated),
        red=("stream.deltas-not-repeats",),
        says='the role, and from its beginning "This answer breaks off"',
    ),
    Fault(
        id="gateway-calls-the-cap-a-stop",
        does="says that an answer is whole where the model's own limit ended it",
        change=only(_long, each_step(_over_early)),
        red=("finish.length",),
        says='"length": the model\'s limit of 512 tokens ended the count; "stop"',
    ),
    Fault(
        id="gateway-stops-at-patterns",
        does="takes the members of a stop array for patterns",
        change=_patterned,
        red=("parameters.stop-array-stops",),
        says='"1, 2", as if ",.3" were a pattern',
    ),
    Fault(
        id="gateway-reads-one-part",
        does="reads the first of a message's text parts",
        change=mending(_first_part),
        red=("messages.parts-accepted",),
        says="the part's text in the answer, or as many prompt tokens as for plain.greeting",
    ),
    Fault(
        id="gateway-streams-any-call",
        does="takes a named tool choice for any in streams",
        change=only(streams, asking(_any_choice)),
        red=("tools.stream-calls-when-named",),
        says='"get_time"; "get_weather"',
    ),
)
