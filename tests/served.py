"""What the tests of the server ask of it, and how they read its answers."""

import json
from typing import Any

import httpx

from conformance import schema, sse
from conformance.server.app import PATH
from conformance.server.site import DEFAULT_KEY

MINI = "reference/mini"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get current weather for a location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["location"],
        },
    },
}


def session(url: str) -> httpx.Client:
    """A client with a good key."""
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {DEFAULT_KEY}"}, timeout=10)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def body(text: str = "Hello.", **members: Any) -> dict[str, Any]:
    return {"model": MINI, "messages": [user(text)], **members}


def ask(client: httpx.Client, text: str = "Hello.", **members: Any) -> dict[str, Any]:
    """The `data` of a good answer."""
    answer = client.post(PATH, json=body(text, **members))

    assert answer.status_code == 200, answer.text
    assert schema.defects("response.schema.json", answer.json()) == ()
    data: dict[str, Any] = answer.json()["data"]
    return data


def said(data: dict[str, Any]) -> str:
    text: str = data["choices"][0]["message"]["content"]
    return text


def stream(client: httpx.Client, text: str = "Hello.", **members: Any) -> list[Any]:
    """The chunks of a good stream, `[DONE]` taken off."""
    answer = client.post(PATH, json=body(text, stream=True, **members))
    assert answer.status_code == 200, answer.text
    *chunks, done = [frame.event for frame in sse.decode(answer.content)]
    assert done is not None
    assert done.data == "[DONE]"
    documents = [json.loads(chunk.data) for chunk in chunks if chunk is not None]
    for document in documents:
        assert schema.defects("chunk.schema.json", document) == ()
    return documents


def streamed(chunks: list[Any]) -> tuple[str, str]:
    """The whole text and the reason of a stream."""
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    reasons = [reason for chunk in chunks if (reason := chunk["choices"][0]["finish_reason"])]
    assert len(reasons) == 1
    return text, reasons[0]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The error of a refusal that keeps the envelope."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert schema.defects("error.schema.json", answer.json()) == ()
    assert answer.json()["error"]["code"] == code
    assert answer.json()["meta"]["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = answer.json()["error"]
    return error
