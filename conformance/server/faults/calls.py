"""Servers that call tools wrongly in a JSON answer."""

import json
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    each_answer,
    each_step,
    having,
    in_answers,
    only,
    put,
    saying,
)
from conformance.server.deviation import Fault
from conformance.server.faults.tools import (
    CALLS,
    FIRST,
    MESSAGE,
    NAME,
    ROUND,
    beside_calls,
    calling,
    choice,
    declared,
    messages,
)
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Finish,
    Step,
    Steps,
    fresh_call_id,
)

SECOND: Final = CALLS + "/1"
ARGUMENTS: Final = "/function/arguments"


def _in_every_call(pointer: str, value: Any) -> Change:
    def edit(document: Any) -> Any:
        for number, _ in enumerate(at(document, CALLS) if isinstance(at(document, CALLS), list) else ()):
            put(document, f"{CALLS}/{number}{pointer}", value)
        return document

    return each_answer(edit)


def _without_calls(value: Any) -> Change:
    """Another `tool_calls` where there are no calls."""
    return each_answer(lambda document: document if calling(document) else put(document, CALLS, value))


def _short_by_bytes(arguments: str) -> str:
    """The arguments cut where their length in bytes is taken for one in characters, from behind."""
    return arguments[: 2 * len(arguments) - len(arguments.encode())]


def _with_unit(arguments: str) -> str:
    return json.dumps({**json.loads(arguments), "unit": "kelvin"})


def _marked(document: Any) -> Any:
    """The calls as the model's template writes them, in the text."""
    if not calling(document):
        return document
    told = [json.dumps({"name": at(call, NAME), "arguments": at(call, ARGUMENTS)}) for call in at(document, CALLS)]
    text = "".join(f"<tool_call>{call}</tool_call>" for call in told)
    put(document, "/data/choices/0/finish_reason", "stop")
    return put(put(document, MESSAGE + "/content", text), CALLS, GONE)


def _named_after_function(_number: int, step: Step) -> list[Step]:
    return [replace(step, id=f"call_{step.name}") if isinstance(step, CallStart) else step]


def _beside_the_point(asked: Asked) -> bool:
    """A forced call for a question that shares no word with the tool's name."""
    words = {word for name in declared(asked) if isinstance(name, str) for word in name.split("_")}
    said = " ".join(str(at(message, "/content")) for message in messages(asked))
    return choice(asked) == "required" and bool(words) and not any(word in said for word in words)


def _undeclared(asked: Asked) -> bool:
    """A question after what is known, and no tool to look it up."""
    return not asked.get("tools") and "capital" in str(messages(asked))


async def _searching(steps: Steps, _request: ChatRequest) -> Steps:
    """A call of a tool of the server's own."""
    await steps.aclose()
    yield CallStart(index=0, id=fresh_call_id(), name="web_search")
    yield CallArguments(index=0, fragment='{"query": "capital"}')
    yield Finish(reason="tool_calls")


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        id="tools-call-of-its-own-tool",
        does="calls a tool of its own where none was declared",
        change=only(_undeclared, saying(_searching)),
        red=("tools.call-name-declared",),
        says=f'{FIRST}{NAME}: the name of a declared function; name is "web_search"',
    ),
    Fault(
        id="tools-call-without-id",
        does="gives its calls no id",
        change=_in_every_call("/id", GONE),
        red=("tools.call-id",),
        says=f"{FIRST}/id: a non-empty string; id is nothing",
        unseen=ROUND,
        wild=("F-TC-06",),
    ),
    Fault(
        id="tools-second-call-without-id",
        does="gives the second of two calls an empty id",
        change=in_answers(SECOND + "/id", ""),
        red=("tools.call-id",),
        says=f'{SECOND}/id: a non-empty string; id is ""',
        wild=("F-TC-06",),
    ),
    Fault(
        id="tools-calls-share-an-id",
        does="makes a call's id of its function's name, streamed or not",
        change=each_step(_named_after_function),
        red=("tools.call-id-unique", "tools.stream-one-call-one-id"),
        says=f'{SECOND}/id: another id for each call; "call_get_weather"',
    ),
    Fault(
        id="tools-call-type-tool",
        does="gives its calls the type tool",
        change=_in_every_call("/type", "tool_use"),
        red=("tools.call-type",),
        says='"function", or no type; type is "tool_use"',
    ),
    Fault(
        id="tools-second-call-type-null",
        does="gives the second of two calls the type null",
        change=in_answers(SECOND + "/type", None),
        red=("tools.call-type",),
        says=f'{SECOND}/type: "function", or no type; type is null',
    ),
    Fault(
        id="tools-name-with-namespace",
        does="puts the template's own word before the name of the function called",
        change=_in_every_call(NAME, lambda name: f"functions.{name}"),
        red=("tools.call-name-declared", "tools.named-calls"),
        says='the name of a declared function; name is "functions.get_weather"',
        wild=("F-TC-16",),
    ),
    Fault(
        id="tools-second-call-nameless",
        does="leaves out the name in the second of two calls",
        change=in_answers(SECOND + NAME, GONE),
        red=("tools.call-name-declared",),
        says=f"{SECOND}{NAME}: the name of a declared function; name is nothing",
    ),
    Fault(
        id="tools-arguments-an-object",
        does="gives the arguments of a call as an object",
        change=_in_every_call(ARGUMENTS, json.loads),
        red=("tools.arguments-string", "tools.echo-accepted"),
        says='a string; arguments is {"location',
        unseen=ROUND[1:],
        wild=("F-TC-08",),
    ),
    Fault(
        id="tools-second-arguments-an-object",
        does="gives the arguments of the second of two calls as an object",
        change=in_answers(SECOND + ARGUMENTS, json.loads),
        red=("tools.arguments-string",),
        says=f'{SECOND}{ARGUMENTS}: a string; arguments is {{"location',
        wild=("F-TC-08",),
    ),
    Fault(
        id="tools-no-arguments-null",
        does="gives null for the arguments of a call that has none",
        change=only(_beside_the_point, _in_every_call(ARGUMENTS, None)),
        red=("tools.arguments-string",),
        says=f"{FIRST}{ARGUMENTS}: a string; arguments is null",
        wild=("F-TC-09",),
    ),
    Fault(
        id="tools-no-arguments-empty",
        does="gives an empty string for the arguments of a call that has none",
        change=only(_beside_the_point, _in_every_call(ARGUMENTS, "")),
        red=("tools.arguments-json",),
        says=f'{FIRST}{ARGUMENTS}: JSON in the string; ""',
        wild=("F-TC-09",),
    ),
    Fault(
        id="tools-arguments-short-by-bytes",
        does="cuts arguments short by a character for every byte that is beyond ASCII",
        change=_in_every_call(ARGUMENTS, _short_by_bytes),
        red=("tools.arguments-json",),
        says="JSON in the string; ",
        wild=("F-TC-10", "F-TC-16"),
    ),
    Fault(
        id="tools-second-arguments-in-python",
        does="writes the arguments of the second of two calls as Python prints them",
        change=in_answers(SECOND + ARGUMENTS, lambda arguments: str(json.loads(arguments))),
        red=("tools.arguments-json",),
        says=f"{SECOND}{ARGUMENTS}: JSON in the string; \"{{'location'",
        wild=("F-TC-10",),
    ),
    Fault(
        id="tools-arguments-encoded-twice",
        does="encodes the arguments of a call twice",
        change=_in_every_call(ARGUMENTS, json.dumps),
        red=("tools.arguments-object",),
        says='a JSON object in the string; "{',
    ),
    Fault(
        id="tools-arguments-invented",
        does="adds an argument whose value the tool does not allow",
        change=_in_every_call(ARGUMENTS, _with_unit),
        red=("tools.arguments-fit",),
        says='what the tool\'s schema asks for; unit is "kelvin"',
    ),
    Fault(
        id="tools-preamble",
        does="talks beside its calls",
        change=beside_calls("Let me look that up."),
        red=("tools.calls-instead-of-content",),
        says=f'{MESSAGE}/content: null, empty or no content; "Let me look that up."',
    ),
    Fault(
        id="tools-markers-beside-calls",
        does="leaves the end of its template's markers in the content beside its calls",
        change=beside_calls("</tool_call>"),
        red=("tools.calls-instead-of-content",),
        says='null, empty or no content; "</tool_call>"',
        wild=("F-TC-13",),
    ),
    Fault(
        id="tools-markers-for-calls",
        does="leaves calls in the text as the model's template writes them",
        change=each_answer(_marked),
        red=("tools.required-calls", "tools.named-calls"),
        says='a tool call; none; content "<tool_call>',
        unseen=(*ROUND, "tools.call-", "tools.arguments-", "tools.calls-instead-of-content", "finish.tool-calls"),
        wild=("F-TC-13",),
    ),
    Fault(
        id="tools-no-calls-in-quotes",
        does="writes the empty list of calls as text where no tool was declared",
        change=only(lambda asked: not having("tools")(asked), _without_calls("[]")),
        red=("tools.no-call-is-falsy", "finish.tool-calls"),
        says=f'{CALLS}: no tool_calls, null or []; "[]"',
        unseen=("finish.stop", "response.documented-clients-read-it"),
    ),
)
