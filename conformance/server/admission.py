"""From the bytes of a request to a `ChatRequest`, or to the refusal that the pages about errors ask for.

The steps run in the order authentication, media type, size, JSON, schema, rules beyond the schema, model,
capabilities. Each raises `Refused`; none of them knows of the others.
"""

import hmac
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from conformance import schema
from conformance.document import NotJson
from conformance.document import parse as parsed_json
from conformance.server.generation import ChatRequest, Detail, Failure, Refused, Service
from conformance.server.model import text_of
from conformance.server.site import Arrival, Site
from conformance.server.tokens import count

_MOST_DETAILS: Final = 20
_QUOTED: Final = re.compile(r"[\"'](?P<name>\w+)[\"'] is missing")
_REQUIRED: Final = frozenset({"model", "messages"})


def key_of(arrival: Arrival, site: Site) -> str:
    """The key that the request carries, when it is one of the site's.

    Raises:
        Refused: 401, `AUTH_TOKEN_MISSING` without the header, `AUTH_TOKEN_INVALID` for anything else.
    """
    header = arrival.headers.get("authorization")
    if header is None:
        raise Refused(Failure(status=401, code="AUTH_TOKEN_MISSING", message="The Authorization header is missing."))
    scheme, _, token = header.partition(" ")
    known = [key for key in site.keys + site.viewer_keys if _same(key, token.strip())]
    if scheme.lower() != "bearer" or not known:
        message = "The Authorization header holds no valid bearer token."
        raise Refused(Failure(status=401, code="AUTH_TOKEN_INVALID", message=message))
    return known[0]


def authorise(key: str, site: Site) -> None:
    """Nothing, when the key may use models.

    Raises:
        Refused: 403 `AUTHZ_PERMISSION_DENIED`.
    """
    if key in site.viewer_keys:
        message = "This key may not use models: models:use is missing."
        raise Refused(Failure(status=403, code="AUTHZ_PERMISSION_DENIED", message=message))


def body_of(arrival: Arrival, site: Site) -> bytes:
    """The body, when it is called JSON and is not too large; one without a media type is taken for JSON.

    Raises:
        Refused: 415 or 413, with codes of our own because the pages name none.
    """
    media_type = arrival.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        message = "The body must be sent as application/json."
        raise Refused(Failure(status=415, code="UNSUPPORTED_MEDIA_TYPE", message=message))
    if arrival.body is None:
        message = f"The body is larger than {site.max_body_bytes} bytes."
        raise Refused(Failure(status=413, code="PAYLOAD_TOO_LARGE", message=message))
    return arrival.body


def parsed(body: bytes) -> Any:
    """The document; optional members that are null are left out, as serialisers write what is not there.

    Raises:
        Refused: 422 `VALIDATION_ERROR`: the body is not JSON.
    """
    try:
        document = parsed_json(body)
    except NotJson as error:
        raise _invalid([Detail(field="body", message=f"not JSON: {error}")]) from None
    if isinstance(document, dict):
        return {name: value for name, value in document.items() if value is not None or name in _REQUIRED}
    return document


def validate(document: Any) -> None:
    """Nothing, when the document keeps the schema of requests.

    Raises:
        Refused: 422 `VALIDATION_ERROR` with a detail for each defect.
    """
    if defects := schema.defects("request.schema.json", document):
        raise _invalid([Detail(field=_field(defect), message=defect.message) for defect in defects])


def keep_rules(document: Mapping[str, Any]) -> None:
    """Nothing, when the document also makes sense: what a schema cannot say.

    A choice that forces a call needs a tool to call, and a named one needs that very tool. An empty stop
    sequence would end every answer before it began, so it is refused.

    Raises:
        Refused: 422 `VALIDATION_ERROR` with a detail for each broken rule.
    """
    if details := list(_broken_rules(document)):
        raise _invalid(details)


def route(document: Mapping[str, Any], site: Site) -> Service:
    """What answers to the slug.

    Raises:
        Refused: 404 `MODEL_NOT_FOUND`.
    """
    for service in reversed(site.services):
        if service.slug == document["model"]:
            return service
    raise Refused(
        Failure(status=404, code="MODEL_NOT_FOUND", message="There is no model with this slug; see /v1/models.")
    )


def admitted(document: Mapping[str, Any], service: Service) -> ChatRequest:
    """The request, when the service can do what it asks.

    Raises:
        Refused: 422 `VALIDATION_ERROR`: tools, images or sound for a model without them, or more text than
            its context window holds.
    """
    messages = tuple(document["messages"])
    tools = tuple(document.get("tools", ()))
    prompt_tokens = _read(messages, tools)
    if details := list(_lacking(messages, tools, prompt_tokens, service)):
        raise _invalid(details)
    choice = document.get("tool_choice", "auto")
    stop = document.get("stop", ())
    asked = document.get("max_tokens")
    limits = [int(limit) for limit in (asked, service.max_output_tokens) if limit is not None]
    return ChatRequest(
        document=document,
        messages=messages,
        tools=tools,
        tool_choice=choice if isinstance(choice, str) else "named",
        named=None if isinstance(choice, str) else choice["function"]["name"],
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        limit=min(limits, default=None),
        stream=document.get("stream", False),
        prompt_tokens=prompt_tokens,
    )


def _same(key: str, token: str) -> bool:
    return hmac.compare_digest(key.encode(), token.encode("utf-8", "surrogateescape"))


def _invalid(details: list[Detail]) -> Refused:
    first = details[0]
    message = f"The request is not valid: {first.field}: {first.message}"
    return Refused(
        Failure(status=422, code="VALIDATION_ERROR", message=message, details=tuple(details[:_MOST_DETAILS]))
    )


def _field(defect: schema.Defect) -> str:
    """Where a defect is, as `messages[0].role`; a missing member by its own name, the whole document as `body`."""
    tokens = defect.pointer.split("/")[1:]
    if defect.rule == "required" and (missing := _QUOTED.search(defect.message)):
        tokens.append(missing["name"])
    field = ""
    for token in tokens:
        name = token.replace("~1", "/").replace("~0", "~")
        field += f"[{name}]" if name.isdigit() else f".{name}"
    return field.removeprefix(".") or "body"


def _broken_rules(document: Mapping[str, Any]) -> Iterator[Detail]:
    names = [tool["function"]["name"] for tool in document.get("tools", ())]
    choice = document.get("tool_choice", "auto")
    if isinstance(choice, dict):
        if not (name := choice["function"]["name"]) or name not in names:
            yield Detail(field="tool_choice.function.name", message="no function of this name is declared in tools")
    elif choice == "required" and not any(names):
        yield Detail(field="tool_choice", message="a call is required and no tool is declared")
    stop = document.get("stop", ())
    if "" in ([stop] if isinstance(stop, str) else stop):
        yield Detail(field="stop", message="a stop sequence may not be empty")


def _lacking(
    messages: tuple[Mapping[str, Any], ...],
    tools: tuple[Mapping[str, Any], ...],
    prompt_tokens: int,
    service: Service,
) -> Iterator[Detail]:
    if tools and not service.tools:
        yield Detail(field="tools", message="this model calls no tools")
    for place, message in enumerate(messages):
        for number, part in enumerate(_parts(message)):
            field = f"messages[{place}].content[{number}]"
            if part["type"].startswith("image") and not service.vision:
                yield Detail(field=field, message="this model sees no images")
            if part["type"].startswith("audio") and not service.audio:
                yield Detail(field=field, message="this model hears no sound")
    if prompt_tokens > service.context_window:
        yield Detail(
            field="messages", message=f"{prompt_tokens} tokens; this model reads at most {service.context_window}"
        )


def _parts(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _calls(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # Only of an assistant's message does the schema say what this member is; elsewhere it is an unknown one.
    return (message.get("tool_calls") or []) if message["role"] == "assistant" else []


def _read(messages: tuple[Mapping[str, Any], ...], tools: tuple[Mapping[str, Any], ...]) -> int:
    """Tokens that the model reads: the text of every message, three for its frame, sixteen for a part of media."""
    total = 0
    for message in messages:
        media = sum(part["type"] != "text" for part in _parts(message))
        calls = "".join(call["function"]["arguments"] for call in _calls(message))
        total += 3 + count(text_of(message)) + count(calls) + 16 * media
    return total + sum(count(str(tool["function"])) for tool in tools)
