"""A request of the page in the words of an OpenAI-compatible server."""

import json
from collections.abc import Mapping
from typing import Any, Final

from conformance.server.generation import ChatRequest, Detail, Failure, Refused
from conformance.server.media import source
from conformance.server.model import text_of

_AS_THEY_ARE: Final = ("temperature", "top_p", "seed", "metadata")
_MOST_STOPS: Final = 4  # OpenAI takes no more; the gateway itself enforces them all
_FORMATS: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav"}


def translated(request: ChatRequest, *, model: str) -> dict[str, Any]:
    """The body for `/v1/chat/completions`: the documented members only, under the backend's name of the model.

    Raises:
        Refused: 422 `VALIDATION_ERROR`: sound by its address, which that protocol cannot carry.
    """
    document = request.document
    body: dict[str, Any] = {
        "model": model,
        "messages": [_message(message, place, request) for place, message in enumerate(request.messages)],
        "stream": request.stream,
    }
    body |= {name: document[name] for name in _AS_THEY_ARE if name in document}
    if request.limit is not None:
        body["max_tokens"] = request.limit
    if request.stop:
        body["stop"] = list(request.stop[:_MOST_STOPS])
    if request.tools:
        body["tools"] = list(request.tools)
        if "tool_choice" in document:
            body["tool_choice"] = document["tool_choice"]
    return body


def dictated(request: ChatRequest, *, model: str) -> dict[str, Any]:
    """The body that asks for a forced call once more, as structured output: text that must be `{name, arguments}`.

    For a backend that took `tool_choice` and made no such call. Neither tools nor stop sequences are sent: backends
    refuse tools beside a schema, and a stop sequence speaks of text, which this is not.

    Raises:
        Refused: as `translated`.
    """
    functions = [tool["function"] for tool in request.tools]
    wanted = [function for function in functions if request.named in {None, function["name"]}]
    forms = [
        {
            "type": "object",
            "properties": {
                "name": {"const": function["name"]},
                "arguments": function.get("parameters") or {"type": "object"},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
        for function in wanted
    ]
    form = forms[0] if len(forms) == 1 else {"anyOf": forms}
    order = "Answer with one call of a function, as JSON with its name and arguments. The functions:"
    told = [text_of(message) for message in request.messages[:1] if message["role"] == "system"]
    system = "\n".join([*told, order, *(json.dumps(function, ensure_ascii=False) for function in wanted)])
    body = translated(request, model=model)
    body["messages"] = [{"role": "system", "content": system}, *body["messages"][len(told) :]]
    body["response_format"] = {"type": "json_schema", "json_schema": {"name": "call", "schema": form}}
    body["stream"] = False
    return {name: value for name, value in body.items() if name not in {"tools", "tool_choice", "stop"}}


def _message(message: Mapping[str, Any], place: int, request: ChatRequest) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list):
        parts = [_part(part, f"messages[{place}].content[{number}]", request) for number, part in enumerate(content)]
        spoken = all(part["type"] == "text" for part in parts)
        content = "\n".join(part["text"] for part in parts) if spoken else parts
    told: dict[str, Any] = {"role": message["role"], "content": content}
    if message["role"] == "assistant" and (calls := message.get("tool_calls")):
        told["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["function"]["name"], "arguments": call["function"]["arguments"]},
            }
            for call in calls
        ]
    if message["role"] == "tool":
        told["tool_call_id"] = message["tool_call_id"]
    return told


def _part(part: Mapping[str, Any], field: str, request: ChatRequest) -> dict[str, Any]:
    carried = source(part)
    match part["type"]:
        case "text":
            return {"type": "text", "text": part["text"]}
        case "image_url":
            return {"type": "image_url", "image_url": dict(carried)}
        case "image_base64":
            return {"type": "image_url", "image_url": {"url": request.address(carried["media_type"], carried["data"])}}
        case "audio_base64":
            return _sound(carried["media_type"], carried["data"])
    head, comma, data = carried["url"].partition(",")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        return _sound(head.removeprefix("data:").removesuffix(";base64"), data)
    detail = Detail(field=field, message="this model takes sound inline only, as audio_base64")
    raise Refused(
        Failure(status=422, code="VALIDATION_ERROR", message=f"The request is not valid: {field}", details=(detail,))
    )


def _sound(media_type: str, data: str) -> dict[str, Any]:
    form = media_type.partition(";")[0].rpartition("/")[2].lower()
    return {"type": "input_audio", "input_audio": {"data": data, "format": _FORMATS.get(form, form)}}
