"""What a model says: a sequence of small steps, what it is asked with, and what the steps add up to."""

import json
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from conformance.server.gallery import inline
from conformance.server.tokens import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStart:
    """The start of a tool call; `index` counts the calls of one answer from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallArguments:
    """The next fragment of a call's arguments, which are JSON in a string."""

    index: int
    fragment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens read and tokens written."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The good end: one of the page's four reasons, and the usage where the backend counted it."""

    reason: str
    usage: Usage | None = None
    cut: bool = False
    """The request's limit ended it, and was spent whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One wrong member of a request, as `messages[0].role`, and what is wrong with it."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The bad end: what a client is told, as an HTTP answer before the first byte, as an event after it."""

    status: int
    code: str
    message: str
    retry_after: float | None = None
    """Seconds."""
    details: tuple[Detail, ...] = ()


Step = Text | CallStart | CallArguments | Finish | Failure
Steps = AsyncGenerator[Step, None]
"""Steps of one answer; the last is a `Finish` or a `Failure`, and there is no other of either."""


class Refused(Exception):
    """A request that is not admitted, and what its sender is told."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request after admission."""

    document: Mapping[str, Any]
    """The body as it was sent, without optional members that were null."""
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...]
    tool_choice: str
    """`auto`, `none`, `required`, or `named`."""
    named: str | None
    """The function that a named choice asks for."""
    stop: tuple[str, ...]
    limit: int | None
    """The most tokens of the answer: what was asked, capped by the model."""
    stream: bool
    prompt_tokens: int
    """By the built-in tokenizer; at least 1."""
    address: Callable[[str, str], str] = inline
    """From the media type and the base64 of an image to the address by which a backend gets to see it."""
    passed_on: Mapping[str, str] = field(default_factory=dict)
    """Header fields that go to a backend beside the server's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What answers to one slug."""

    slug: str
    display_name: str
    steps: Callable[[ChatRequest], Steps]
    context_window: int = 128_000
    max_output_tokens: int | None = None
    tools: bool = True
    vision: bool = True
    audio: bool = True
    limited_here: bool = True
    """Whether one step is one token of ours, so that the server enforces `limit`; a backend counts its own."""
    listed: bool = True
    """Whether `GET /v1/models` shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A whole tool call."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer."""

    text: str
    calls: tuple[ToolCall, ...]
    reason: str
    usage: Usage


def fresh_call_id() -> str:
    """A new id for a tool call."""
    return f"call_{secrets.token_hex(12)}"


@dataclass(slots=True)
class _Sum:
    text: list[str] = field(default_factory=list)
    starts: dict[int, CallStart] = field(default_factory=dict)
    arguments: dict[int, list[str]] = field(default_factory=dict)


async def collected(steps: Steps, request: ChatRequest) -> Completion | Failure:
    """What the steps add up to; usage that no backend counted is counted by the built-in tokenizer.

    A call that the limit cut off is left out, because its arguments are not JSON.
    """
    total = _Sum()
    async with aclosing(steps):
        async for step in steps:
            match step:
                case Text():
                    total.text.append(step.text)
                case CallStart():
                    total.starts[step.index] = step
                    total.arguments[step.index] = []
                case CallArguments():
                    total.arguments[step.index].append(step.fragment)
                case Finish():
                    return _completion(total, step, request)
                case Failure():
                    return step
    raise RuntimeError("the steps of an answer ended without a Finish or a Failure")


def _completion(total: _Sum, finish: Finish, request: ChatRequest) -> Completion:
    text = "".join(total.text)
    calls = tuple(
        ToolCall(id=start.id, name=start.name, arguments="".join(total.arguments[index]))
        for index, start in sorted(total.starts.items())
    )
    written = count(text) + sum(1 + count(call.arguments) for call in calls)
    if finish.cut and request.limit is not None:
        written = request.limit  # all of it was spent, also where a call that it cut off is not shown
    usage = finish.usage or Usage(prompt_tokens=request.prompt_tokens, completion_tokens=written)
    if finish.reason == "length":
        calls = tuple(call for call in calls if _is_object(call.arguments))
    return Completion(text=text, calls=calls, reason=finish.reason, usage=usage)


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        return False
