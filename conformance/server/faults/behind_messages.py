"""Gateways that ask their backend with other messages than the client sent, or with other images in them."""

import html
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Behaviour
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    asking,
)
from conformance.server.deviation import Fault
from conformance.server.faults.behind import fault, streamed_behind
from conformance.server.gallery import Gallery
from conformance.server.generation import (
    ChatRequest,
    Service,
)
from conformance.server.site import Arrival


def _with_messages(edit: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Change:
    return asking(lambda request: replace(request, messages=edit(request.messages)))


def _otherwise(edit: Callable[[str], str]) -> Change:
    """Texts of messages that are otherwise at the backend."""

    def edited(message: Any) -> Any:
        content = message.get("content")
        return message | {"content": edit(content)} if isinstance(content, str) else message

    return _with_messages(lambda messages: tuple(map(edited, messages)))


def _in_blocks(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    return "".join(data[place : place + 1024].decode("utf-8", "replace") for place in range(0, len(data), 1024))


def _last_of_each(role: str) -> Change:
    """The last of each run of messages of one role."""

    def edited(messages: tuple[Any, ...]) -> tuple[Any, ...]:
        roles = [*(message["role"] for message in messages[1:]), ""]
        return tuple(each for each, after in zip(messages, roles, strict=True) if not each["role"] == role == after)

    return _with_messages(edited)


def _first_parts(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        message | {"content": message["content"][:1]}
        if isinstance(message.get("content"), list) and all(part["type"] == "text" for part in message["content"])
        else message
        for message in messages
    )


def _through_doubles(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    """Calls whose arguments were read and written anew by somebody whose numbers are doubles."""

    def edited(call: Any) -> Any:
        arguments = json.loads(call["function"]["arguments"], parse_int=lambda digits: int(float(digits)))
        return call | {"function": call["function"] | {"arguments": json.dumps(arguments)}}

    return tuple(
        message | {"tool_calls": [edited(call) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else message
        for message in messages
    )


def _one_call(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        message | {"tool_calls": message["tool_calls"][:1]} if "tool_calls" in message else message
        for message in messages
    )


def _without_old_images(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    def edited(message: Any) -> Any:
        content = message.get("content")
        texts = isinstance(content, list) and [part for part in content if part["type"] == "text"]
        return message | {"content": texts} if texts else message

    return (*map(edited, messages[:-1]), *messages[-1:])


def _without_systems(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "system")


def _stripped(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        {**message, "content": message["content"].strip()} if isinstance(message.get("content"), str) else message
        for message in messages
    )


def _without_calls(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "tool" and "tool_calls" not in message)


def _remembering() -> Reaction:
    """Each conversation begins with those before."""
    before: list[Any] = []

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def admitted(document: Asked, service: Service) -> ChatRequest:
            request = behaviour.admitted(document, service)
            kept = tuple(before)
            before.extend(request.messages[:-1])
            return replace(request, messages=(*kept, *request.messages))

        return replace(behaviour, admitted=admitted)

    return react


def _proxied(address: Callable[[Gallery, str, str, str], str]) -> Change:
    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def proxied(request: ChatRequest, arrival: Arrival, gallery: Gallery) -> ChatRequest:
            base = f"http://{arrival.headers['host']}"
            return replace(request, address=lambda media_type, data: address(gallery, base, media_type, data))

        return replace(behaviour, proxied=proxied)

    return lambda: react


def _inline(_gallery: Gallery, _base: str, media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def _halved(gallery: Gallery, base: str, media_type: str, data: str) -> str:
    return gallery.address(base, media_type, data[: len(data) // 8 * 4])


def _nowhere(_gallery: Gallery, base: str, _media_type: str, _data: str) -> str:
    return f"{base}/v1/media/gone"


FAULTS: Final[tuple[Fault, ...]] = (
    fault(
        "loses-the-system",
        "drops system messages",
        _with_messages(_without_systems),
        "messages.forwarded",
        says='"role": "system"',
    ),
    fault(
        "trims-messages",
        "takes the blanks from the ends of messages",
        _with_messages(_stripped),
        "messages.forwarded",
        says="18 degrees",
    ),
    fault(
        "loses-tool-turns",
        "drops calls and their results from the history",
        _with_messages(_without_calls),
        "messages.forwarded",
        says="call_of_the_history",
    ),
    fault(
        "keeps-a-window",
        "sends the last twenty messages",
        _with_messages(lambda messages: messages[-20:]),
        "messages.forwarded",
        says="the message",
    ),
    fault(
        "cuts-long-texts",
        "sends 4,000 characters of a text",
        _otherwise(lambda text: text[:4000]),
        "messages.forwarded",
        says="Line 0 of the minutes",
    ),
    fault(
        "decodes-block-by-block",
        "reads a text in blocks of 1,024 bytes and decodes each by itself",
        _otherwise(_in_blocks),
        "messages.forwarded",
        says="Line 0 of the minutes",
    ),
    fault(
        "composes-letters",
        "writes letters with their accents in one",
        _otherwise(lambda text: unicodedata.normalize("NFC", text)),
        "messages.forwarded",
        says="Cafe",
    ),
    fault(
        "collapses-blanks",
        "writes one blank for several",
        _otherwise(lambda text: re.sub(r"([ \n])\1+", r"\1", text)),
        "messages.forwarded",
        says="two  blanks",
    ),
    fault(
        "changes-line-ends",
        "writes one line end for another",
        _otherwise(lambda text: text.replace("\r\n", "\n")),
        "messages.forwarded",
        says="one\\r\\ntwo",
    ),
    fault(
        "escapes-markup",
        "escapes markup in texts",
        _otherwise(lambda text: html.escape(text, quote=False)),
        "messages.forwarded",
        says="<b>R&D</b>",
    ),
    fault(
        "sends-the-last-system",
        "sends the last of two system messages",
        _last_of_each("system"),
        "messages.forwarded",
        says='"role": "system"',
    ),
    fault(
        "sends-the-last-result",
        "sends the last of two results",
        _last_of_each("tool"),
        "messages.forwarded",
        says="call_of_the_first",
    ),
    fault(
        "sends-the-first-call",
        "sends the first of two calls of the history",
        _with_messages(_one_call),
        "messages.forwarded",
        says="call_of_the_first",
    ),
    fault(
        "sends-the-first-part",
        "sends the first of two parts of a text",
        _with_messages(_first_parts),
        "messages.forwarded",
        says="Two zones:",
    ),
    fault(
        "reads-numbers-as-doubles",
        "writes the arguments of calls in the history anew, its numbers doubles",
        _with_messages(_through_doubles),
        "messages.forwarded",
        says="call_of_the_first",
    ),
    fault(
        "remembers-streams",
        "begins each streamed conversation with those before",
        _remembering,
        "messages.nothing-carried-over",
        says="quince-harbour",
        when=streamed_behind,
    ),
    fault(
        "forgets-old-images",
        "sends the images of the last message alone",
        _with_messages(_without_old_images),
        "multimodal.image-proxied",
        says="an address of each of 3 images",
    ),
    fault(
        "inlines-images-of-streams",
        "sends images on as base64 where a stream is asked for",
        _proxied(_inline),
        "multimodal.image-proxied",
        says="an address of each of 3 images",
        when=streamed_behind,
    ),
    fault(
        "remembers",
        "begins each conversation with those before",
        _remembering,
        "messages.nothing-carried-over",
        says="quince-harbour",
    ),
    fault(
        "inlines-images",
        "sends images on as base64",
        _proxied(_inline),
        "multimodal.image-proxied",
        says="an address of each of 3 images",
    ),
    fault(
        "halves-images",
        "serves half of an image at its address",
        _proxied(_halved),
        "multimodal.image-proxied",
        says="the image, whole, at its address; HTTP 200",
    ),
    fault(
        "forgets-images",
        "gives images an address at which nothing is",
        _proxied(_nowhere),
        "multimodal.image-proxied",
        says="the image, whole, at its address; HTTP 404",
    ),
)
