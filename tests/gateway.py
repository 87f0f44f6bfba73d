"""A gateway in front of a scripted backend, what the tests ask of it, and how they read its answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from conformance import schema, sse
from conformance.server.app import PATH
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY, Site
from conformance.server.upstream import Upstream, service
from tests.scripted_upstream import Backend

SLUG = "reference/upstream"
KEY = "sk-backend-secret-1234567890"
HELLO = [{"role": "user", "content": "Hello."}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "clock")]
FIRST = b'data: {"choices":[{"delta":{"content":"So far"}}]}\n\n'


@contextmanager
def gateway(backend: Backend) -> Iterator[httpx.Client]:
    """A client of a gateway whose slugs are the backend's and one of nobody's."""
    upstream = Upstream(url=backend.url, model="vendor-7b", key=KEY, max_output_tokens=100, silence=0.3)
    deaf = replace(upstream, slug="reference/nobody", url="http://127.0.0.1:1")
    with (
        serve_in_thread(Site(services=(service(upstream), service(deaf)))) as url,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {DEFAULT_KEY}"}, timeout=10) as session,
    ):
        yield session


def post(client: httpx.Client, **members: Any) -> httpx.Response:
    return client.post(PATH, json={"model": SLUG, "messages": HELLO, **members})


def chunk(delta: Any = None, reason: Any = None, **members: Any) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "model": "vendor-7b",
        "choices": [{"index": 0, "delta": delta or {}, "finish_reason": reason}],
        **members,
    }


def whole(message: Any, reason: Any = "stop", **members: Any) -> dict[str, Any]:
    return {"model": "vendor-7b", "choices": [{"message": message, "finish_reason": reason}], **members}


def choice(answer: httpx.Response) -> dict[str, Any]:
    """The choice of a good answer that is not streamed."""
    assert answer.status_code == 200, answer.text
    assert schema.defects("response.schema.json", answer.json()) == ()
    assert "vendor" not in answer.text
    told: dict[str, Any] = answer.json()["data"]["choices"][0]
    return told


def stream(answer: httpx.Response) -> tuple[str, list[dict[str, Any]], str]:
    """Text, calls and end of a stream: its finish reason, or the code of its error event."""
    assert answer.status_code == 200, answer.text
    assert answer.content.endswith(b"\n\ndata: [DONE]\n\n")
    assert "vendor" not in answer.text
    text, end = "", ""
    calls: dict[int, dict[str, Any]] = {}
    for frame in sse.decode(answer.content)[:-1]:
        assert frame.event is not None
        assert not end, "nothing comes after the end but [DONE]"
        document = json.loads(frame.event.data)
        if frame.event.type == "error":
            assert schema.defects("stream-error.schema.json", document) == ()
            end = document["code"]
            continue
        assert schema.defects("chunk.schema.json", document) == ()
        assert document["model"] == SLUG
        told = document["choices"][0]
        assert told["delta"].get("content", "") is not None
        text += told["delta"].get("content", "")
        for piece in told["delta"].get("tool_calls", ()):
            call = calls.setdefault(piece["index"], {"arguments": ""})
            call |= {name: piece[name] for name in ("id", "type") if name in piece}
            call["name"] = piece["function"].get("name", call.get("name"))
            call["arguments"] += piece["function"]["arguments"]
        end = told["finish_reason"] or ""
    return text, [calls[index] for index in sorted(calls)], end


def piece(name: Any = None, arguments: Any = None, **members: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **members}
