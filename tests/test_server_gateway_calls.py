"""The gateway keeps `tool_choice` for backends that do not: forced calls, and calls that nobody can use."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gateway import HELLO, TOOLS, choice, chunk, gateway, piece, post, stream, whole
from tests.scripted_upstream import Backend, scripted
from tests.served import refused


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def client(backend: Backend) -> Iterator[httpx.Client]:
    with gateway(backend) as told:
        yield told


def test_calls_of_what_nobody_declared_are_dropped(client: httpx.Client, backend: Backend) -> None:
    pieces = [piece("launch_rocket", "{}", index=0, id="a"), piece("clock", "{}", index=1, id="b")]
    backend.streams(chunk({"tool_calls": pieces}), chunk(reason="tool_calls"))

    assert [call["name"] for call in stream(post(client, stream=True, tools=TOOLS))[1]] == ["clock"]
    assert b'"index":1' not in post(client, stream=True, tools=TOOLS).content
    backend.answers(whole({"content": "Up!", "tool_calls": pieces[:1]}, "tool_calls"))
    told = choice(post(client, tools=TOOLS))
    assert told == {"index": 0, "message": {"role": "assistant", "content": "Up!"}, "finish_reason": "stop"}


NAMED = {"type": "function", "function": {"name": "clock"}}
WRITTEN = '{"name": "clock", "arguments": {"zone": "UTC"}}'


def calls_of(client: httpx.Client, **members: Any) -> list[tuple[str, Any]]:
    """The calls of an answer, the same in a stream and without, and nothing beside them."""
    text, streamed, end = stream(post(client, tools=TOOLS, stream=True, **members))
    told = choice(post(client, tools=TOOLS, **members))
    assert (text, end, told["finish_reason"]) == ("", "tool_calls", "tool_calls")
    assert told["message"]["content"] is None
    functions = [call["function"] for call in told["message"]["tool_calls"]]
    calls = [(function["name"], json.loads(function["arguments"])) for function in functions]
    assert calls == [(call["name"], json.loads(call["arguments"])) for call in streamed]
    return calls


def test_a_forced_call_comes_without_the_text_beside_it_and_at_the_first_asking(
    client: httpx.Client, backend: Backend
) -> None:
    asked = len(backend.requests)
    backend.answers(whole({"content": "Let me see.", "tool_calls": [piece("clock", "{}")]}, "tool_calls"))

    assert calls_of(client, tool_choice="required") == calls_of(client, tool_choice=NAMED) == [("clock", {})]
    assert len(backend.requests) == asked + 4


# The backend below says the same both times: a text that is no call at first, and is one when it was asked for as text.


@pytest.mark.parametrize(
    "tool_choice, called",
    [
        ("required", []),
        ("required", [piece("launch_rocket", "{}")]),
        (NAMED, []),
        (NAMED, [piece("get_weather", "{}")]),
    ],
)
@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_forced_call_that_did_not_come_is_asked_for_as_text(
    client: httpx.Client, backend: Backend, tool_choice: Any, called: list[Any], reason: str
) -> None:
    backend.answers(whole({"content": WRITTEN, "tool_calls": called}, reason))
    if reason == "stop":
        assert calls_of(client, tool_choice=tool_choice) == [("clock", {"zone": "UTC"})]
    else:
        told = choice(post(client, tools=TOOLS, tool_choice=tool_choice))
        assert (told["finish_reason"], len(told["message"]["tool_calls"])) == ("length", 1)


def test_what_is_asked_as_text_has_a_schema_and_names_the_functions(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": WRITTEN}))
    system = {"role": "system", "content": "Be brief."}
    schema = {"type": "object", "properties": {"zone": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "clock", "parameters": schema}}, TOOLS[0]]
    post(client, tools=tools, tool_choice="required", messages=[system, *HELLO], stop="x", seed=3, max_tokens=20)
    first, second = (body for _, body in backend.requests[-2:])

    assert (first["tools"], first["tool_choice"], first["stop"]) == (tools, "required", ["x"])
    assert not {"tools", "tool_choice", "stop"} & set(second)
    assert (second["seed"], second["max_tokens"], second["messages"][1:]) == (3, 20, HELLO)
    assert second["messages"][0]["content"].startswith("Be brief.\nAnswer with one call")
    forms = second["response_format"]["json_schema"]["schema"]["anyOf"]
    assert [form["properties"]["name"]["const"] for form in forms] == ["clock", "get_weather"]
    assert [form["properties"]["arguments"] for form in forms] == [schema, {"type": "object"}]
    post(client, tools=tools, tool_choice=NAMED)
    form = backend.body["response_format"]["json_schema"]["schema"]
    assert form["properties"]["name"] == {"const": "clock"}


@pytest.mark.parametrize("said", ["It is noon.", "[]", '{"name": "launch", "arguments": {}}', '{"name": "clock"}'])
def test_a_backend_that_makes_no_forced_call_either_way_has_failed(
    client: httpx.Client, backend: Backend, said: str
) -> None:
    backend.answers(whole({"content": said}))
    refused(post(client, tools=TOOLS, tool_choice="required"), 502, "UPSTREAM_SHAPE_MISMATCH")
    refused(post(client, tools=TOOLS, tool_choice=NAMED, stream=True), 502, "UPSTREAM_SHAPE_MISMATCH")


def test_a_forced_call_that_the_limit_or_a_filter_ended_is_told_as_that(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": '{"name": "cl'}, "length"))
    told = choice(post(client, tools=TOOLS, tool_choice="required"))
    assert (told["finish_reason"], "tool_calls" in told["message"]) == ("length", False)
    asked = len(backend.requests)
    backend.answers(whole({"content": "I will not."}, "content_filter"))
    told = choice(post(client, tools=TOOLS, tool_choice="required"))
    assert (told["finish_reason"], told["message"]["content"]) == ("content_filter", "I will not.")
    assert len(backend.requests) == asked + 1
