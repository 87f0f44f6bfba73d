"""Servers that get tools wrong, and some that are odd about them and right."""

import json
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.exchange import Exchange
from conformance.server.changes import GONE, put
from tests.miniatures import streamed_calls
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.streamed_calls import IN_WORDS
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    One,
    after,
    answered_as,
    asking,
    on,
    refused,
    rewritten,
    streams,
    with_body,
    with_json,
    with_status,
)

MESSAGE: Final = "/data/choices/0/message"
CALLS: Final = MESSAGE + "/tool_calls"
CALL: Final = CALLS + "/0"
NAME: Final = CALL + "/function/name"
ARGUMENTS: Final = CALL + "/function/arguments"

NAMED: Final = asking("parameters.tool-choice-named")
TWO: Final = asking("tools.two-cities")
UNDECLARED: Final = asking("tools.choice-undeclared")
OFFERED: Final = answered_as("parameters.tools")
DECLINED: Final = refused(422, "VALIDATION_ERROR")
FAILED: Final = refused(500, "INTERNAL_ERROR")


def first(exchange: Exchange) -> bool:
    """The request that requires a call."""
    return exchange.probe == "tools.required-call" and exchange.step == 0


def second(exchange: Exchange) -> bool:
    """The request that brings the tool's result."""
    return exchange.probe == "tools.required-call" and exchange.step == 1


def calling(exchange: Exchange) -> bool:
    """A JSON answer that calls a tool."""
    return b'"tool_calls":[' in exchange.body and not streams(exchange)


def speaking(text: Any, reason: str = "stop", **members: Any) -> One:
    """An answer in words, in the place of what stood there."""

    def change(document: Any) -> Any:
        choice = document["data"]["choices"][0]
        choice |= {"message": {"role": "assistant", "content": text, **members}, "finish_reason": reason}
        return document

    return rewritten(change)


def _at_the_limit(exchange: Exchange) -> Exchange:
    """An answer that the limit cut off."""
    limit = json.loads(exchange.request.body)["max_tokens"]

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= {"completion_tokens": limit, "total_tokens": usage["prompt_tokens"] + limit}
        return put(document, "/data/choices/0/finish_reason", "length")

    return rewritten(change)(exchange)


def _call(name: str, arguments: str, *, identity: str = "call_7") -> dict[str, Any]:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def _calls(*calls: dict[str, Any]) -> One:
    return speaking(None, "tool_calls", tool_calls=list(calls))


WEATHER: Final = _call("get_weather", '{"location": "Bern"}')
CLOCK: Final = _call("get_time", '{"city": "Bern"}', identity="call_8")
ROCKET: Final = _call("launch_rocket", "{}")
HERMES: Final = '<tool_call>{"name": "get_weather", "arguments": {"location": "Bern"}}</tool_call>'

ASKED: Final = (
    faulty(
        "takes no tools",
        on(asking("parameters.tools"), DECLINED),
        "tools.definition-accepted",
        "parameters.tools-accepted",
        says="status: HTTP 200, as for plain.greeting; HTTP 422",
        unseen=("tools.choice-",),
    ),
    faulty(
        "fails over a tool's schema",
        on(asking("parameters.tools"), FAILED),
        "tools.definition-accepted",
        "parameters.tools-accepted",
        says="; HTTP 500 INTERNAL_ERROR",
        unseen=("tools.choice-",),
    ),
    faulty(
        "takes no history that it did not make",
        on(asking("tools.history-by-hand"), DECLINED),
        "tools.history-by-hand",
        says="; HTTP 422",
    ),
    faulty(
        "takes any word for a choice",
        OFFERED(asking("tools.choice-word")),
        "tools.choice-known",
        says="status: HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    faulty(
        "forbids what it does not know",
        on(asking("tools.choice-word"), DECLINED, with_status(403)),
        "tools.choice-known",
        says="; HTTP 403",
    ),
    faulty(
        "passes over a choice of a tool that is not there",
        OFFERED(asking("tools.choice-undeclared")),
        "tools.choice-declared",
        says="; HTTP 200",
    ),
    faulty(
        "calls a tool that is not there since it was chosen",
        after(OFFERED(UNDECLARED), on(UNDECLARED, _calls(ROCKET))),
        "tools.choice-declared",
        "tools.call-name-declared",
        says="; HTTP 200",
    ),
    faulty(
        "requires a call of nothing",
        OFFERED(asking("tools.choice-alone")),
        "tools.choice-needs-tools",
        says="; HTTP 200",
    ),
    *(
        faulty(
            f"fails over {probe}",
            on(asking(probe), FAILED),
            "tools.choice-never-5xx",
            requirement,
            says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
        )
        for probe, requirement in (
            ("tools.choice-word", "tools.choice-known"),
            ("tools.choice-undeclared", "tools.choice-declared"),
            ("tools.choice-alone", "tools.choice-needs-tools"),
        )
    ),
    faulty("fails over no tools", on(asking("tools.empty"), FAILED), "tools.empty-list", says="HTTP 4xx; HTTP 500"),
)


def _wordy(name: str, *ones: One, red: tuple[str, ...] = (), says: str) -> Miniature:
    """The call that was required does not come."""
    required = asking("parameters.tool-choice-required")
    return faulty(name, on(required, *ones), "tools.required-calls", *red, says=f"whole: a tool call; none; {says}")


MEANT: Final = ("finish.tool-calls-means-calls",)
CHOICES: Final = (
    _wordy("answers in words though a call is required", speaking("Hello"), says='content "Hello"'),
    _wordy("leaves its model's markers in the text", speaking(HERMES), says='content "<tool_call>'),
    _wordy("lists no call", speaking("", "tool_calls", tool_calls=[]), red=MEANT, says='content ""'),
    faulty(
        "passes over every choice of a call",
        after(
            on(lambda exchange: first(exchange) or TWO(exchange), speaking("It is mild.")),
            on(asking("parameters.tool-choice-required", "parameters.tool-choice-named"), speaking("It is mild.")),
            IN_WORDS,
        ),
        "tools.required-calls",
        "tools.named-calls",
        "tools.stream-calls-when-required",
        says="a tool call; none",
        unseen=("tools.", "finish.tool-calls"),
    ),
    faulty(
        "answers in words though a tool is named",
        on(NAMED, speaking("It is noon.")),
        "tools.named-calls",
        says='whole: a call of "get_time"; none',
    ),
    faulty(
        "calls the tool that fits and not the one that was named",
        on(NAMED, _calls(WEATHER)),
        "tools.named-calls",
        says=f'{NAME}: "get_time"; "get_weather"',
    ),
    faulty(
        "calls another tool beside the one that was named",
        on(NAMED, _calls(CLOCK, WEATHER)),
        "tools.named-calls",
        says=f'{CALLS}/1/function/name: "get_time"; "get_weather"',
    ),
    faulty(
        "calls a tool where none was declared",
        on(asking("plain.documented"), _calls(ROCKET)),
        "tools.call-name-declared",
        says=f'{NAME}: the name of a declared function; name is "launch_rocket"',
    ),
    faulty(
        "calls a tool though none is wanted",
        on(asking("parameters.tool-choice-none"), _calls(WEATHER)),
        "tools.none-calls-nothing",
        says=f'{CALL}: no tool call; [{{"id": "call_7"',
    ),
)


def _made(name: str, pointer: str, value: Any, *red: str, says: str) -> Miniature:
    """The required call has another value at a pointer; `says` comes after it."""
    return faulty(name, on(first, with_json(pointer, value)), *red, says=f"{pointer}: {says}")


def _argued(name: str, value: Any, *red: str, says: str) -> Miniature:
    """The required call has other arguments."""
    return _made(name, ARGUMENTS, value, *red, says=says)


MADE: Final = (
    _made("gives its call no id", CALL + "/id", GONE, "tools.call-id", says="a non-empty string; id is nothing"),
    _made("gives its call an empty id", CALL + "/id", "", "tools.call-id", says='a non-empty string; id is ""'),
    _made("numbers its calls", CALL + "/id", 0, "tools.call-id", says="a non-empty string; id is 0"),
    faulty(
        "gives two calls one id",
        on(TWO, rewritten(lambda d: put(d, CALLS + "/1/id", at(d, CALL + "/id")))),
        "tools.call-id-unique",
        says=f'{CALLS}/1/id: another id for each call; "call_',
    ),
    _made(
        "calls its call a tool", CALL + "/type", "tool", "tools.call-type", says='"function", or no type; type is "t'
    ),
    _made(
        "gives its call no kind of type", CALL + "/type", None, "tools.call-type", says='"function", or no type; typ'
    ),
    _made(
        "doubles a name",
        NAME,
        lambda old: old * 2,
        "tools.call-name-declared",
        says="the name of a declared function; n",
    ),
    _made(
        "leaves the name out", NAME, GONE, "tools.call-name-declared", says="the name of a declared function; name is"
    ),
    faulty(
        "puts its own word before every name",
        on(calling, with_json(NAME, lambda old: f"functions.{old}")),
        "tools.call-name-declared",
        "tools.named-calls",
        says='"functions.get_',
    ),
    _argued("gives arguments as an object", json.loads, "tools.arguments-string", says='a string; arguments is {"loc'),
    _argued("gives arguments null", None, "tools.arguments-string", says="a string; arguments is null"),
    _argued("gives no arguments", GONE, "tools.arguments-string", says="a string; arguments is nothing"),
    _argued("cuts its arguments off", lambda old: old[:-4], "tools.arguments-json", says='JSON in the string; "{'),
    _argued("gives empty arguments", "", "tools.arguments-json", says='JSON in the string; ""'),
    _argued(
        "writes its arguments in Python", "{'location': 'Bern'}", "tools.arguments-json", says="JSON in the string; "
    ),
    _argued("closes its arguments twice", lambda old: old + "}", "tools.arguments-json", says="JSON in the string; "),
    _argued("encodes its arguments twice", json.dumps, "tools.arguments-object", says="a JSON object in the string; "),
    _argued("lists its arguments", '["Bern"]', "tools.arguments-object", says="a JSON object in the string; ["),
    _argued("writes null for no arguments", "null", "tools.arguments-object", says="a JSON object in the string; null"),
    _argued("forgets an argument", "{}", "tools.arguments-fit", says="what the tool's schema asks for; {} without loc"),
    _argued(
        "invents a unit",
        '{"location": "Bern", "unit": "kelvin"}',
        "tools.arguments-fit",
        says='what the tool\'s schema asks for; unit is "kelvin"',
    ),
    _made(
        "talks beside its call",
        MESSAGE + "/content",
        "Let me look.",
        "tools.calls-instead-of-content",
        says='null, empty or no content; "Let me look."',
    ),
    faulty(
        "writes none for no calls",
        on(asking("plain.greeting"), with_json(CALLS, "none")),
        "tools.no-call-is-falsy",
        "finish.tool-calls",
        says=f'{CALLS}: no tool_calls, null or []; "none"',
        unseen=("response.", "finish.", "messages."),
    ),
)

ROUND: Final = (
    faulty(
        "refuses the null content of its own message",
        on(second, DECLINED),
        "tools.echo-accepted",
        says="status: HTTP 200; HTTP 422",
        unseen=("tools.result-",),
    ),
    faulty(
        "fails over its own message",
        on(second, FAILED),
        "tools.echo-accepted",
        says="status: HTTP 200; HTTP 500",
        unseen=("tools.result-",),
    ),
    faulty(
        "never stops calling",
        on(second, _calls(WEATHER)),
        "tools.result-answered",
        says="plain text; another tool call",
        unseen=("tools.result-used",),
    ),
    faulty(
        "drops the tool's result",
        on(
            second,
            speaking("Hello"),
            with_json("/data/usage", {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}),
        ),
        "tools.result-used",
        says="4711 in the answer, or more than",
    ),
)


def _spaced(arguments: str) -> str:
    """The same arguments with blanks and line breaks wherever JSON takes them."""
    return "\r\n " + json.dumps(json.loads(arguments), indent=2, ensure_ascii=False) + " \t"


def _widened(call: Any) -> Any:
    """A call with members that the page does not show."""
    return {"index": 0, **call, "x_extra": None, "function": {**call["function"], "strict": True}}


def _raw(body: bytes) -> bytes:
    return json.dumps(json.loads(body), ensure_ascii=False).encode()


def _echoing(*calls: dict[str, Any]) -> One:
    """A request that brings the result of the first of these calls."""

    def one(exchange: Exchange) -> Exchange:
        document = put(json.loads(exchange.request.body), "/messages/1/tool_calls", list(calls))
        return replace(exchange, request=replace(exchange.request, body=json.dumps(document).encode()))

    return one


CITIES: Final = (WEATHER, {**WEATHER, "id": "call_8"}, {**CLOCK, "id": "call_9"})
MADE_ODDLY: Final = (
    odd("has no content member beside its calls", on(calling, with_json(MESSAGE + "/content", GONE))),
    odd("has an empty content beside its calls", on(calling, with_json(MESSAGE + "/content", ""))),
    odd("has no part of content beside its calls", on(calling, with_json(MESSAGE + "/content", []))),
    odd("gives its calls no type", on(calling, with_json(CALL + "/type", GONE))),
    odd("names its calls in its own way", on(calling, with_json(CALL + "/id", "№ 1"))),
    odd("adds members to its calls", on(calling, with_json(CALL, _widened))),
    odd("writes its arguments widely", on(calling, with_json(ARGUMENTS, _spaced))),
    odd("writes its arguments raw", on(calling, with_body(_raw))),
    odd(
        "gives an argument that it need not",
        on(first, _calls(_call("get_weather", '{"unit": "celsius", "location": ""}'))),
    ),
    odd(
        "gives an argument that nobody declared", on(first, _calls(_call("get_weather", '{"location": "", "x": [1]}')))
    ),
    odd("makes two calls where one is required", on(first, _calls(*CITIES[:2]))),
    odd("calls one tool for two cities", on(TWO, _calls(WEATHER))),
    odd("calls the tool that was named twice", on(NAMED, _calls(CLOCK, {**CLOCK, "id": "call_9"}))),
    odd(
        "calls a tool that it was offered",
        on(asking("parameters.tools", "parameters.tool-choice-auto"), _calls(WEATHER)),
    ),
    odd(
        "has no room for a whole call",
        on(first, _calls(_call("get_weather", '{"loc')), _at_the_limit),
        "tools.arguments-",
    ),
    odd(
        "filters the half of a call",
        on(first, _calls(_call("get_weather", '{"loc')), with_json("/data/choices/0/finish_reason", "content_filter")),
        "tools.arguments-",
    ),
    odd(
        "filters its answer before a call",
        on(asking("parameters.tool-choice-required", "parameters.tool-choice-named"), speaking("I", "content_filter")),
        "tools.named-calls",
    ),
    odd(
        "makes two calls and wants a result of each",
        after(on(first, _calls(*CITIES[:2])), on(second, _echoing(*CITIES[:2]), DECLINED)),
        "tools.echo-accepted",
        "tools.result-",
    ),
    odd(
        "spends the room for its call on words",
        on(asking("parameters.tool-choice-required", "parameters.tool-choice-named"), speaking("Hm."), _at_the_limit),
        "tools.named-calls",
    ),
)
ASKED_ODDLY: Final = (
    odd("takes an empty list of tools for a mistake", on(asking("tools.empty"), DECLINED)),
    odd("calls an unknown choice a bad request", on(asking("tools.choice-word"), with_status(400))),
    odd("has no such tool to choose", on(asking("tools.choice-undeclared"), with_status(404))),
    odd("says little after a tool's result", on(second, speaking("Done.")), "tools.result-used"),
    odd("says nothing after a tool's result", on(second, speaking("")), "tools.result-"),
    odd("groups its digits", on(second, speaking("It is 4,711 degrees."))),
    odd("calls no tools by null after a result", on(second, with_json(CALLS, None))),
)
VARIANTS: Final[tuple[Variant, ...]] = (*MADE_ODDLY, *ASKED_ODDLY, *streamed_calls.VARIANTS)
MINIATURES: Final[tuple[Miniature, ...]] = (*ASKED, *CHOICES, *MADE, *ROUND, *streamed_calls.MINIATURES)
