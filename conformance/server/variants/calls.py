"""Tool calls that are odd and legal, in answers and in the streams of the same model (page: Tool calls)."""

import json
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.document import MISSING, at
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    after,
    depending,
    each_answer,
    each_step,
    having,
    mending,
    only,
    put,
    refusing,
    saying,
)
from conformance.server.deviation import Variant
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Finish,
    Step,
    Steps,
    Text,
    Usage,
    fresh_call_id,
)
from conformance.server.tokens import tokens
from conformance.server.variants.streamed_calls import in_deltas

_MESSAGE: Final = "/data/choices/0/message"
NO_CALLS: Final = (
    "finish.tool-calls",
    "tools.required-calls",
    "tools.named-calls",
    "tools.call-",
    "tools.calls-instead-of-content",
    "tools.arguments-",
    "tools.echo-accepted",
    "tools.result-",
    "tools.stream-",
)
"""What an answer without calls does not show."""


def _in_messages(edit: Callable[[Any], Any]) -> Change:
    """The message of an answer with calls, as `edit` makes it."""

    def change(document: Any) -> Any:
        calling = isinstance(at(document, _MESSAGE + "/tool_calls"), list)
        return put(document, _MESSAGE, edit) if calling else document

    return each_answer(change)


def _in_calls(edit: Callable[[Any], Any]) -> Change:
    """Each whole call of an answer, as `edit` makes it."""
    return _in_messages(lambda message: {**message, "tool_calls": [edit(call) for call in message["tool_calls"]]})


def _in_arguments(edit: Callable[[str], str]) -> Change:
    return _in_calls(lambda call: put(call, "/function/arguments", edit))


def _with_argument(**more: Any) -> Callable[[str], str]:
    return lambda arguments: json.dumps({**more, **json.loads(arguments)})


def _spaced(arguments: str) -> str:
    return "\r\n " + json.dumps(json.loads(arguments), indent=2, ensure_ascii=False) + " \t"


def _content(value: Any) -> Change:
    return _in_messages(lambda message: put(message, "/content", value))


def _forced(asked: Asked) -> bool:
    return asked.get("tool_choice", "auto") not in ("auto", "none")


def _offered(asked: Asked) -> bool:
    """Tools are there to be called, the choice is the model's, and nothing was called yet."""
    offered = bool(asked.get("tools")) and asked.get("tool_choice", "auto") == "auto"
    return offered and at(asked.get("messages"), "/0/role") == "user" and at(asked.get("messages"), "/1") is MISSING


def _declares(asked: Asked, name: str) -> bool:
    tools = asked.get("tools")
    return all(name in str(at(tool, "/function/parameters/properties")) for tool in tools or [None])


async def _first_only(steps: Steps, _request: ChatRequest) -> Steps:
    async with aclosing(steps):
        async for step in steps:
            if not (isinstance(step, CallStart | CallArguments) and step.index):
                yield step


async def _twice(steps: Steps, _request: ChatRequest) -> Steps:
    """Every call, and the first once more."""
    made: list[CallStart | CallArguments] = []
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, CallStart | CallArguments):
                made.append(step)
            if isinstance(step, Finish) and made:
                for again in _again(made):
                    yield again
            yield step


def _again(made: list[CallStart | CallArguments]) -> Iterable[Step]:
    index = made[-1].index + 1
    for step in made:
        if not step.index:
            yield (
                replace(step, index=index, id=fresh_call_id())
                if isinstance(step, CallStart)
                else replace(step, index=index)
            )


async def _calling(steps: Steps, request: ChatRequest) -> Steps:
    """A call of the first tool, whatever was said."""
    await steps.aclose()
    yield CallStart(index=0, id=fresh_call_id(), name=request.tools[0]["function"]["name"])
    for token in tokens('{"location": "Zürich"}'):
        yield CallArguments(index=0, fragment=token)
    yield Finish(reason="tool_calls")


async def _filtered(steps: Steps, _request: ChatRequest) -> Steps:
    """What a filter stops before the first call."""
    await steps.aclose()
    yield Text(text="I")
    yield Finish(reason="content_filter")


async def _filtered_within(steps: Steps, _request: ChatRequest) -> Steps:
    """What a filter stops in the middle of a call."""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, CallArguments) and len(step.fragment) > 1:
                yield replace(step, fragment=step.fragment[:1])
                yield Finish(reason="content_filter")
                return
            yield step


def _unanswered(asked: Asked) -> bool:
    """A call of the server's own that has no result in the history."""
    found = asked.get("messages")
    told = found if isinstance(found, list) else []
    calls = [call for message in told for call in _listed(at(message, "/tool_calls"))]
    own = {id_ for call in calls if isinstance(id_ := at(call, "/id"), str) and len(id_) == len(fresh_call_id())}
    return bool(own - {at(message, "/tool_call_id") for message in told if at(message, "/role") == "tool"})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


async def _out_of_room(steps: Steps, request: ChatRequest) -> Steps:
    """A thought of a call that is as long as the limit."""
    await steps.aclose()
    usage = Usage(prompt_tokens=request.prompt_tokens, completion_tokens=request.limit or 1)
    yield Finish(reason="length", usage=usage)


def _cut_at(limit: int) -> Change:
    """Calls that the limit cuts off, the last one shown as far as it came."""

    def cut(document: Any) -> Any:
        calls = at(document, _MESSAGE + "/tool_calls")
        if not isinstance(calls, list):
            return document
        put(calls[-1], "/function/arguments", lambda old: old[: len(old) // 2])
        prompt = document["data"]["usage"]["prompt_tokens"]
        usage = {"prompt_tokens": prompt, "completion_tokens": limit, "total_tokens": prompt + limit}
        return put(put(document, "/data/usage", usage), "/data/choices/0/finish_reason", "length")

    return each_answer(cut)


def _mended(document: Any) -> Any:
    """A request whose assistant's contents of no parts are null."""
    messages = at(document, "/messages")
    for message in messages if isinstance(messages, list) else ():
        if at(message, "/role") == "assistant" and at(message, "/content") == []:
            message["content"] = None
    return document


_MESSAGES: Final = (
    Variant(id="calls-without-content", does="has no content member beside its calls", change=_content(GONE)),
    Variant(id="calls-with-empty-content", does="has an empty content beside its calls", change=_content("")),
    Variant(
        id="calls-with-no-part",
        does="has a content of no parts beside its calls, and takes it back",
        change=after(_content([]), mending(_mended)),
    ),
    Variant(
        id="calls-with-thoughts",
        does="shows its thoughts beside its calls, in a member of their own",
        change=_in_messages(lambda message: {**message, "reasoning_content": "The weather.", "refusal": None}),
    ),
)

_CALL: Final = (
    Variant(
        id="calls-without-type",
        does="gives its calls no type",
        change=after(
            _in_calls(lambda call: put(call, "/type", GONE)), in_deltas(lambda call: put(call, "/type", GONE))
        ),
    ),
    Variant(
        id="calls-of-their-own-id",
        does="names its calls in its own way",
        change=each_step(
            lambda number, step: [replace(step, id=f"№ {number} / ☃")] if isinstance(step, CallStart) else [step]
        ),
    ),
    Variant(
        id="calls-with-long-ids",
        does="names its calls by 2,000 characters",
        change=each_step(
            lambda number, step: (
                [replace(step, id=f"call_{number}_" + "x" * 2000)] if isinstance(step, CallStart) else [step]
            )
        ),
    ),
    Variant(
        id="calls-widened",
        does="adds members to its calls and their functions",
        change=_in_calls(
            lambda call: {"index": 0, **call, "x_extra": None, "function": {**call["function"], "strict": True}}
        ),
    ),
)

_ARGUMENTS: Final = (
    Variant(id="arguments-spaced", does="writes its arguments widely", change=_in_arguments(_spaced)),
    Variant(
        id="arguments-escaped",
        does="escapes what is not ASCII in its arguments",
        change=_in_arguments(lambda arguments: json.dumps(json.loads(arguments))),
    ),
    Variant(
        id="arguments-not-needed",
        does="gives an argument that it may leave out",
        change=only(lambda asked: _declares(asked, "unit"), _in_arguments(_with_argument(unit="celsius"))),
    ),
    Variant(
        id="arguments-not-declared",
        does="gives an argument that nobody declared",
        change=_in_arguments(_with_argument(x=[1])),
    ),
    Variant(
        id="arguments-cut-short",
        does="has no room for a whole call, and shows half of one",
        change=only(having("max_tokens"), depending(lambda asked: _cut_at(asked["max_tokens"]))),
        unseen=("tools.arguments-json", "finish.tool-calls"),
    ),
)

_HOW_MANY: Final = (
    Variant(id="calls-one-of-two", does="makes one call where two would do", change=saying(_first_only)),
    Variant(id="calls-one-too-many", does="makes its first call twice", change=only(_forced, saying(_twice))),
    Variant(id="calls-what-is-offered", does="calls a tool whenever it may", change=only(_offered, saying(_calling))),
    Variant(
        id="calls-twice-and-wants-both-results",
        does="makes its first call twice, and refuses a history in which one has no result",
        change=after(only(_forced, saying(_twice)), refusing(_unanswered, "messages")),
        unseen=("tools.echo-accepted", "tools.result-"),
    ),
    Variant(
        id="calls-filtered",
        does="has a filter that stops every forced call before it is made",
        change=only(_forced, saying(_filtered)),
        unseen=NO_CALLS,
    ),
    Variant(
        id="calls-filtered-within",
        does="has a filter that stops calls in their middle, and shows half of them",
        change=saying(_filtered_within),
        unseen=("tools.arguments-", "tools.stream-", "finish.tool-calls"),
    ),
    Variant(
        id="calls-out-of-room",
        does="spends the room for a call on something else",
        change=only(_forced, saying(_out_of_room)),
        unseen=NO_CALLS,
    ),
)

VARIANTS: Final = (*_MESSAGES, *_CALL, *_ARGUMENTS, *_HOW_MANY)
