"""Gateways that send their backend something else than they were asked for, or the same in another form."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.arrival import Arrival
from conformance.exchange import Ending, Exchange
from conformance.probes.scripted import WORD
from tests.miniatures.behind import asked_of_it, received, saying, with_messages, without
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import Change, One, When, asking, first, on, with_status

FORWARDED: Final = asking("scripted.forwarded", "scripted.forwarded-in-stream")
ZEROS: Final = asking("scripted.forwarded-zeros")
HISTORY: Final = asking("scripted.forwarded-history")
TEXTS: Final = asking("scripted.forwarded-texts")
SHOWN: Final = asking("scripted.image", "scripted.image-in-stream")
CONVERSATIONS: Final = ("scripted.two-conversations", "scripted.two-streams")


def _seconds(exchange: Exchange) -> bool:
    """The second of two conversations."""
    return exchange.probe in CONVERSATIONS and exchange.step == 1


def _unasked(exchange: Exchange) -> Exchange:
    """The gateway answers by itself."""
    return replace(exchange, arrivals=())


def _unanswered(exchange: Exchange) -> Exchange:
    """The gateway lets its client wait."""
    return replace(exchange, response=None, pieces=(), ended=Ending.TIMEOUT, detail="")


def _with_tools(edit: Callable[[Any], Any]) -> One:
    """Each tool another at the backend."""
    return asked_of_it(lambda document: document | {"tools": [edit(tool) for tool in document["tools"]]})


def _undemanding(tool: Any) -> Any:
    """A tool whose function requires nothing."""
    function = tool["function"]
    parameters = {name: value for name, value in function["parameters"].items() if name != "required"}
    return tool | {"function": function | {"parameters": parameters}}


def _with_calls(edit: Callable[[Any], Any]) -> One:
    """Each call of the history another at the backend."""
    return with_messages(
        lambda each: (
            each | {"tool_calls": [edit(call) for call in each["tool_calls"]]} if "tool_calls" in each else each
        )
    )


def _called(**members: Any) -> Callable[[Any], Any]:
    """A call of the history with other members of its function."""
    return lambda call: call | {"function": call["function"] | members}


def _without_blanks(call: Any) -> Any:
    written = json.dumps(json.loads(call["function"]["arguments"]), separators=(",", ":"))
    return call | {"function": call["function"] | {"arguments": written}}


def _crossed(message: Any) -> Any:
    """A result of a call as that of the other one."""
    other = {"call_of_the_first": "call_of_the_second", "call_of_the_second": "call_of_the_first"}
    told = message.get("tool_call_id")
    return message | {"tool_call_id": other[told]} if told else message


def _of_another_type(message: Any) -> Any:
    """A message whose text stands in a part of another type than a chat message has."""
    if message["role"] != "user":
        return message
    return message | {"content": [{"type": "input_text", "text": message["content"]}]}


def _joined(between: str, *, after: str = "") -> Callable[[Any], Any]:
    """A document whose last two messages are one, with a text between them and one after."""

    def edit(document: Any) -> Any:
        *rest, one, other = document["messages"]
        said = one["content"] + between + other["content"] + after
        return document | {"messages": [*rest, other | {"content": said}]}

    return edit


def _reminding(document: Any) -> Any:
    """A document whose rules are one, which ends as it begins."""
    one, other, *rest = document["messages"]
    said = f"{one['content']}\n{other['content']}\nRemember: {one['content']}"
    return document | {"messages": [one | {"content": said}, *rest]}


def _in_two_parts(message: Any) -> Any:
    """A message as the client wrote it, where its parts were joined."""
    if message["content"] != "Two zones:\nhere and there?":
        return message
    return message | {"content": [{"type": "text", "text": text} for text in message["content"].split("\n")]}


def _in_an_empty_part(message: Any) -> Any:
    return message if message["content"] else message | {"content": [{"type": "text", "text": ""}]}


def _silent(message: Any) -> Any:
    """A message without the member `content`, where it says nothing."""
    return {name: value for name, value in message.items() if name != "content" or value}


def _at_addresses(edit: Callable[[str], str]) -> One:
    """Images at other addresses, which the backend fetches as before."""

    def moved(each: Arrival) -> Arrival:
        body = each.body
        for fetch in each.fetches:
            body = body.replace(fetch.url.encode(), edit(fetch.url).encode())
        return replace(each, body=body, fetches=tuple(replace(got, url=edit(got.url)) for got in each.fetches))

    return received(moved)


def _fetched(**members: Any) -> Change:
    """Every fetch of an image ends otherwise."""
    return on(
        SHOWN,
        received(lambda each: replace(each, fetches=tuple(replace(got, **members) for got in each.fetches))),
    )


def _history(name: str, when: When, *ones: One, says: str) -> Miniature:
    return faulty(name, on(when, *ones), "messages.forwarded", says=f"request /messages: the message {says}")


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "takes a seed of zero for none",
        on(ZEROS, without("seed")),
        "parameters.forwarded",
        says="request /seed: seed 0 at the backend, as sent; nothing",
    ),
    faulty(
        "drops the tools",
        on(FORWARDED, without("tools")),
        "parameters.forwarded",
        says="at the backend, as sent; nothing",
    ),
    faulty(
        "sends the names of the tools alone",
        on(FORWARDED, _with_tools(lambda tool: tool["function"]["name"])),
        "parameters.forwarded",
        says='at the backend, as sent; ["get_weather", "get_time"]',
    ),
    faulty(
        "sends functions that require nothing",
        on(FORWARDED, _with_tools(_undemanding)),
        "parameters.forwarded",
        says="request /tools: tools",
    ),
    faulty(
        "sends the named tool alone, and leaves the call to the model",
        on(HISTORY, asked_of_it(lambda document: document | {"tools": document["tools"][:1], "tool_choice": "auto"})),
        "parameters.forwarded",
        says='at the backend, as sent; "auto"',
    ),
    _history(
        "drops the calls of the history",
        FORWARDED,
        with_messages(lambda each: {name: value for name, value in each.items() if name != "tool_calls"}),
        says='{"role": "assistant", "content": null, "tool_calls"',
    ),
    _history(
        "gives the calls of the history ids of its own",
        FORWARDED,
        _with_calls(lambda call: call | {"id": "call_1"}),
        says='{"role": "assistant", "content": null, "tool_calls"',
    ),
    _history(
        "takes every call of the history for one of the first function",
        HISTORY,
        _with_calls(_called(name="get_weather")),
        says='{"role": "assistant", "content": null, "tool_calls"',
    ),
    _history(
        "sends the calls of the history without their arguments",
        FORWARDED,
        _with_calls(lambda call: call | {"function": {"name": call["function"]["name"]}}),
        says='{"role": "assistant", "content": null, "tool_calls"',
    ),
    _history(
        "gives the results of two calls to each other",
        HISTORY,
        with_messages(_crossed),
        says='{"role": "tool", "tool_call_id": "call_of_the_first"',
    ),
    _history(
        "writes parts of a type that its backend does not know",
        FORWARDED,
        with_messages(_of_another_type),
        says='{"role": "user", "content": "What\'s the weather',
    ),
    _history(
        "ends each message with a line break",
        TEXTS,
        with_messages(lambda each: each | {"content": each["content"] + "\n"}),
        says='{"role": "user", "content": "Cafe',
    ),
    _history(
        "writes words of its own between the messages that it joins",
        TEXTS,
        asked_of_it(_joined("\nThen the user said:\n")),
        says='{"role": "user", "content": "One thing more."}',
    ),
    _history(
        "writes words of its own after the messages that it joins",
        TEXTS,
        asked_of_it(_joined("\n", after="\nBe brief.")),
        says='{"role": "user", "content": "One thing more."}',
    ),
    _history(
        "puts its own rules in the place of the system's",
        FORWARDED,
        with_messages(lambda each: each | {"content": "Be safe."} if each["role"] == "system" else each),
        says='{"role": "system", "content": "You are a concise assistant.',
    ),
    faulty(
        "sends its images as data",
        on(SHOWN, _at_addresses(lambda _: "data:image/png;base64,iVBORw0KGgo=")),
        "multimodal.image-proxied",
        says='of 3 images at the backend; ["data:image/png',
    ),
    faulty(
        "sends no image, and then fails",
        on(SHOWN, with_messages(lambda each: each | {"content": "Look."}), with_status(500)),
        "multimodal.image-proxied",
        "response.text-exact",
        "stream.text-exact",
        says="request /messages: an address of each of 3 images at the backend; no image",
    ),
    faulty(
        "serves half of an image",
        on(
            SHOWN,
            received(
                lambda each: replace(each, fetches=tuple(replace(got, body=got.body[:68]) for got in each.fetches))
            ),
        ),
        "multimodal.image-proxied",
        says="HTTP 200 with 68 bytes",
    ),
    faulty(
        "serves a picture that says that there is none",
        _fetched(status=404, body=b"GIF89a\1\0\1\0\0\0\0;"),
        "multimodal.image-proxied",
        says="HTTP 404 with 14 bytes",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("sends what it was not asked for", on(HISTORY, saying(temperature=1, top_p=1, seed=7))),
    odd("adds members to the tools", on(FORWARDED, _with_tools(lambda tool: tool | {"x": 1}))),
    odd("sends parts as they came", on(HISTORY, with_messages(_in_two_parts))),
    odd("writes an empty part where nothing is said", on(FORWARDED, with_messages(_in_an_empty_part))),
    odd("leaves out the text of messages that say nothing", on(FORWARDED, with_messages(_silent))),
    odd("writes the arguments of calls without blanks", on(FORWARDED, _with_calls(_without_blanks))),
    odd("repeats the first of the rules after the last", on(TEXTS, asked_of_it(_reminding))),
    odd(
        "is silent over the first of two conversations, and does not ask its backend",
        on(first(CONVERSATIONS[0]), _unasked, _unanswered),
        "messages.nothing-carried-over",
        "auth.key-not-forwarded",
        "finish.exact",
        "response.",
    ),
    odd(
        "does not ask its backend for the second of two conversations",
        on(_seconds, _unasked),
        "messages.nothing-carried-over",
    ),
    odd(
        "masks what looks like a secret",
        on(first(*CONVERSATIONS), received(lambda each: replace(each, body=each.body.replace(WORD.encode(), b"***")))),
        "messages.nothing-carried-over",
    ),
    odd(
        "is silent about images that its backend was asked of",
        on(SHOWN, _unanswered),
        "multimodal.image-proxied",
        "finish.exact",
        "response.",
        "stream.",
    ),
    odd("serves images over TLS", on(SHOWN, _at_addresses(lambda url: url.replace("http:", "https:")))),
    odd(
        "has addresses of images that its backend does not try",
        on(SHOWN, received(lambda each: replace(each, fetches=()))),
        "multimodal.image-proxied",
    ),
    odd(
        "has addresses of images that its backend cannot reach",
        _fetched(status=0, body=b"", detail="no route to host"),
        "multimodal.image-proxied",
    ),
)
