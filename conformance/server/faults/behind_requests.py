"""Gateways that ask their backend for something else than the client did."""

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
from conformance.server.faults.behind import fault
from conformance.server.gallery import Gallery
from conformance.server.generation import (
    ChatRequest,
    Service,
)
from conformance.server.site import Arrival


def _document(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return asking(lambda request: replace(request, document=edit(dict(request.document))))


def _without(name: str) -> Change:
    return _document(lambda document: {key: value for key, value in document.items() if key != name})


def _other_temperature(document: dict[str, Any]) -> dict[str, Any]:
    return document | ({"temperature": round(document["temperature"])} if "temperature" in document else {})


def _less_metadata(document: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in document.get("metadata", {}).items() if name != "who"}
    return document | ({"metadata": kept} if kept else {})


def _with_messages(edit: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Change:
    return asking(lambda request: replace(request, messages=edit(request.messages)))


def _without_systems(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "system")


def _stripped(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        {**message, "content": message["content"].strip()} if isinstance(message.get("content"), str) else message
        for message in messages
    )


def _without_calls(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "tool" and "tool_calls" not in message)


def _bare_tools(request: ChatRequest) -> ChatRequest:
    bare = tuple({"type": "function", "function": {"name": tool["function"]["name"]}} for tool in request.tools)
    return replace(request, tools=bare)


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


def _uncapped(request: ChatRequest) -> ChatRequest:
    return replace(request, limit=request.document.get("max_tokens"))


def _with_key() -> Reaction:
    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        passed = {"X-Client-Authorization": arrival.headers.get("authorization", "")}
        return replace(
            behaviour,
            admitted=lambda document, service: replace(behaviour.admitted(document, service), passed_on=passed),
        )

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
        "loses-some-metadata",
        "drops a member of metadata",
        _document(_less_metadata),
        "parameters.metadata-forwarded",
        says="metadata",
    ),
    fault("drops-the-seed", "drops the seed", _without("seed"), "parameters.forwarded", says="seed 123456789"),
    fault(
        "rounds-the-temperature",
        "takes the temperature for an integer",
        _document(_other_temperature),
        "parameters.forwarded",
        says="temperature 0.75",
    ),
    fault(
        "strips-tools",
        "sends the names of tools alone",
        asking(_bare_tools),
        "parameters.forwarded",
        says="tools",
    ),
    fault(
        "stops-by-itself",
        "keeps stop sequences to itself",
        asking(lambda request: replace(request, stop=())),
        "parameters.forwarded",
        says="stop",
    ),
    fault(
        "sends-no-limit",
        "asks its backend for as much as the client did, whatever the model's limit",
        asking(_uncapped),
        "parameters.max-tokens-cap-sent",
        says="a limit of 512 tokens or less",
    ),
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
        "remembers",
        "begins each conversation with those before",
        _remembering,
        "messages.nothing-carried-over",
        says="quince-harbour",
    ),
    fault(
        "forwards-the-key",
        "sends its client's key to its backend",
        _with_key,
        "auth.key-not-forwarded",
        says="the key at the backend",
    ),
    fault(
        "inlines-images",
        "sends images on as base64",
        _proxied(_inline),
        "multimodal.image-proxied",
        says="an address of each of 2 images",
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
