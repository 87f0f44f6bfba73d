"""Gateways that ask their backend for something else than the client did."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Behaviour
from conformance.server.changes import (
    Change,
    Reaction,
    asking,
)
from conformance.server.deviation import Fault
from conformance.server.faults.behind import fault
from conformance.server.generation import (
    ChatRequest,
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


def _without_zeros(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value or name not in {"temperature", "top_p", "seed"}}


def _without_forced_choice(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "tool_choice" or value == "auto"}


def _spread(request: ChatRequest) -> ChatRequest:
    return (
        replace(request, stop=tuple("".join(request.stop)))
        if isinstance(request.document.get("stop"), str)
        else request
    )


def _at_least_sixteen(request: ChatRequest) -> ChatRequest:
    return replace(request, limit=max(16, request.limit)) if request.limit else request


def _shallow(schema: Any) -> Any:
    """A schema without what many converters of schemas forget."""
    if isinstance(schema, dict):
        return {name: _shallow(item) for name, item in schema.items() if name not in {"anyOf", "items", "default"}}
    return [_shallow(item) for item in schema] if isinstance(schema, list) else schema


def _bare_tools(request: ChatRequest) -> ChatRequest:
    bare = tuple({"type": "function", "function": {"name": tool["function"]["name"]}} for tool in request.tools)
    return replace(request, tools=bare)


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
        "drops-zeros",
        "takes zero for nothing",
        _document(_without_zeros),
        "parameters.forwarded",
        says="temperature 0 ",
    ),
    fault(
        "spreads-a-stop",
        "takes a stop sequence for a list of letters",
        asking(_spread),
        "parameters.forwarded",
        says='stop "ZEBRA"',
    ),
    fault(
        "forgets-choices",
        "sends no choice of tools but auto",
        _document(_without_forced_choice),
        "parameters.forwarded",
        says='tool_choice "none"',
    ),
    fault(
        "raises-small-limits",
        "asks for sixteen tokens at least",
        asking(_at_least_sixteen),
        "parameters.forwarded",
        says="max_tokens 8",
    ),
    fault(
        "flattens-schemas",
        "sends schemas of arguments without what is nested in them",
        asking(lambda request: replace(request, tools=tuple(map(_shallow, request.tools)))),
        "parameters.forwarded",
        says="tools",
    ),
    fault(
        "forwards-the-key",
        "sends its client's key to its backend",
        _with_key,
        "auth.key-not-forwarded",
        says="the key at the backend",
    ),
)
