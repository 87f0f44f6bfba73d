"""Servers that stream the arguments of tool calls wrongly, or no calls at all."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import (
    Asked,
    Change,
    after,
    asking,
    depending,
    each_chunk,
    each_step,
    only,
    put,
    reason_of,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.faults.streamed_calls import ARGUMENTS, CALLS, Part, each_part, every, in_parts, later, second
from conformance.server.generation import CallArguments, Step

UNSEEN: Final = (
    "tools.stream-index",
    "tools.stream-one-call-one-id",
    "tools.stream-name-declared",
    "tools.stream-arguments",
    "tools.stream-reason",
)
"""What a stream without calls does not show."""


def _so_far() -> Callable[[Part], Part]:
    """Each part brings all the arguments so far."""
    said: dict[int, str] = {}

    def edit(part: Part) -> Part:
        said[part["index"]] = said.get(part["index"], "") + part["function"]["arguments"]
        return put(part, ARGUMENTS, said[part["index"]])

    return edit


def _whole(edit: Callable[[str], list[str]]) -> Change:
    """The arguments of a streamed call rewritten as a whole, in other fragments."""

    def change_for(_asked: Asked) -> Change:
        held: list[CallArguments] = []

        def told() -> list[Step]:
            fragments = edit("".join(part.fragment for part in held)) if held else []
            steps: list[Step] = [replace(held[0], fragment=fragment) for fragment in fragments]
            held.clear()
            return steps

        def edited(_number: int, step: Step) -> Iterable[Step]:
            if isinstance(step, CallArguments):
                held.append(step)
                return []
            return [*told(), step]

        return each_step(edited)

    return only(streams, depending(change_for))


def _by_bytes(arguments: str) -> list[str]:
    """Cut where their length in characters is taken for one in bytes."""
    return [arguments.encode()[: len(arguments)].decode("utf-8", "ignore")]


def _unlisted(document: Any) -> Any:
    return put(document, CALLS, lambda parts: parts[0])


def _old(document: Any) -> Any:
    """The member that an older form of this protocol had for a single call."""
    delta = document["choices"][0]["delta"]
    if "tool_calls" in delta:
        delta["function_call"] = delta.pop("tool_calls")[0]["function"]
    return document


def _marked(document: Any) -> Any:
    """The parts of calls as the model's template writes them, in the text."""
    delta = document["choices"][0]["delta"]
    if "tool_calls" in delta:
        function = delta.pop("tool_calls")[0]["function"]
        name = f'<tool_call>{{"name": "{function["name"]}", "arguments": ' if "name" in function else ""
        delta["content"] = name + function["arguments"]
    return document


def _argued(identity: str, does: str, change: Change, says: str, *wild: str) -> Fault:
    """The arguments of a streamed call, joined, are no JSON object."""
    return Fault(id=identity, does=does, change=change, red=("tools.stream-arguments",), says=says, wild=wild)


ARGUED: Final = (
    _argued(
        "call-arguments-an-object",
        "streams the arguments of a call as an object",
        after(in_parts(later, ARGUMENTS, json.loads), _whole(lambda arguments: [arguments])),
        'strings that join into a JSON object; {"location": "Zürich"}',
        "F-TC-08",
    ),
    _argued(
        "call-arguments-null",
        "streams null for the arguments of a call",
        in_parts(every, ARGUMENTS, None),
        'a JSON object; ""',
        "F-TC-09",
    ),
    _argued(
        "call-arguments-so-far",
        "sends all the arguments so far in each part of a call",
        each_part(_so_far),
        'a JSON object; "{{',
    ),
    _argued(
        "call-arguments-short-by-bytes",
        "cuts streamed arguments short by a byte for every one that is beyond ASCII",
        _whole(_by_bytes),
        'a JSON object; "{\\"location\\": \\"Zürich\\""',
        "F-TC-10",
        "F-TC-16",
    ),
    _argued(
        "call-second-arguments-cut",
        "loses the last part of the second of two streamed calls",
        in_parts(lambda part: second(part) and part["function"]["arguments"] == "}", ARGUMENTS, ""),
        'a JSON object; "{\\"city\\": \\"Bern\\""',
        "F-TC-10",
    ),
    _argued(
        "call-arguments-encoded-twice",
        "encodes the arguments of a call twice in streams alone",
        _whole(lambda arguments: [json.dumps(arguments)]),
        'a JSON object; "\\"{',
        "F-TC-11",
    ),
)


def _uncalled(identity: str, does: str, change: Change, says: str, *wild: str) -> Fault:
    """A stream brings no call though one is required."""
    return Fault(
        id=identity,
        does=does,
        change=change,
        red=("tools.stream-calls-when-required", "tools.stream-calls-when-named"),
        says=f"a tool call in the deltas; {says}",
        unseen=UNSEEN,
        wild=wild,
    )


LOST: Final = (
    _uncalled(
        "call-dropped-in-streams",
        "drops tool calls from streams, and keeps their reason",
        each_chunk(lambda document: None if isinstance(at(document, CALLS), list) else document),
        'none; text ""',
        "F-TC-12",
    ),
    _uncalled(
        "call-no-tools-in-streams",
        "keeps the tools from the model in streams",
        only(streams, asking(lambda request: replace(request, tools=(), tool_choice="auto"))),
        'none; text "',
        "F-TC-12",
        "F-TC-14",
    ),
    _uncalled(
        "call-not-in-a-list",
        "streams a call by itself where a list is due",
        each_chunk(_unlisted),
        'tool_calls is {"index": 0, ',
    ),
    _uncalled(
        "call-in-the-old-form",
        "streams a call as function_call",
        each_chunk(_old),
        "none; text",
    ),
    _uncalled(
        "call-markers-in-streams",
        "streams calls as the model's template writes them",
        each_chunk(_marked),
        'none; text "<tool_call>{\\"name\\": \\"get_weather\\"',
        "F-TC-13",
        "F-TC-11",
    ),
    Fault(
        id="call-stream-stops",
        does="gives the reason stop after streamed calls",
        change=each_chunk(
            lambda document: (
                put(document, "/choices/0/finish_reason", "stop") if reason_of(document) == "tool_calls" else document
            )
        ),
        red=("tools.stream-reason",),
        says='"tool_calls"; "stop"',
        wild=("F-FIN-01",),
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*ARGUED, *LOST)
