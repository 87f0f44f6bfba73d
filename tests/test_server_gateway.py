"""The gateway against scripted backends: the page's promises hold whatever the backend says."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.server.site import DEFAULT_KEY
from tests.gateway import HELLO, KEY, SLUG, TOOLS, choice, chunk, gateway, piece, post, stream, whole
from tests.scripted_upstream import EVENT_STREAM, Backend, scripted
from tests.served import refused


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def client(backend: Backend) -> Iterator[httpx.Client]:
    with gateway(backend) as told:
        yield told


def test_what_a_backend_says_is_told_in_the_pages_words(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"role": "assistant", "content": "Hi."}, usage={"prompt_tokens": 9, "completion_tokens": 2}))
    answer = post(client)

    assert choice(answer) == {
        "index": 0,
        "message": {"role": "assistant", "content": "Hi."},
        "finish_reason": "stop",
    }
    assert answer.json()["data"]["model"] == SLUG
    assert answer.json()["data"]["usage"] == {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


def test_the_documented_members_go_through_and_others_do_not(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    members = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "metadata": {"run": "1"}, "tools": TOOLS}
    post(client, **members, tool_choice="auto", stop="END", n=2, user="me")

    assert backend.body == {
        "model": "vendor-7b",
        "messages": HELLO,
        "stream": False,
        **members,
        "tool_choice": "auto",
        "stop": ["END"],
        "max_tokens": 100,
    }


@pytest.mark.parametrize("asked, sent", [(None, 100), (7, 7), (100, 100), (5000, 100)])
def test_max_tokens_is_lowered_to_the_cap(client: httpx.Client, backend: Backend, asked: Any, sent: int) -> None:
    backend.answers(whole({"content": "Hi."}, "length"))

    assert choice(post(client, max_tokens=asked))["finish_reason"] == "length"
    assert backend.body["max_tokens"] == sent


def test_the_clients_key_stays_here(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    post(client)
    fields, sent = backend.requests[-1]

    assert fields["authorization"] == f"Bearer {KEY}"
    assert DEFAULT_KEY not in str(fields) + str(sent)


def test_parts_are_translated(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    data = {"data": "AAAA", "media_type": "image/png"}
    sound = {"data": "BBBB", "media_type": "audio/wav"}
    parts = [
        {"type": "text", "text": "Look."},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_base64", "image_base64": data},
        {"type": "image_base64", **data},
        {"type": "audio_base64", "audio_base64": sound},
        {"type": "audio_base64", **sound},
        {"type": "audio_url", "audio_url": {"url": "data:audio/mpeg;base64,CCCC"}},
    ]
    choice(post(client, messages=[{"role": "user", "content": parts}]))
    wav = {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}}
    mp3 = {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}}

    content = backend.body["messages"][0]["content"]
    assert content[:2] == parts[:2]
    assert content[4:] == [wav, wav, mp3]
    for image in content[2:4]:
        served = httpx.get(image["image_url"]["url"])
        assert (served.status_code, served.headers["content-type"], served.content) == (200, "image/png", bytes(3))
        assert served.headers["x-content-type-options"] == "nosniff"


def test_an_address_that_no_image_has_is_an_error_like_any_other(client: httpx.Client) -> None:
    refused(client.get("/v1/media/nothing-here"), 404, "NOT_FOUND")


def test_what_is_no_base64_goes_on_as_it_came(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    part = {"type": "image_base64", "image_base64": {"data": "not base64!", "media_type": "image/png"}}
    choice(post(client, messages=[{"role": "user", "content": [part]}]))

    (image,) = backend.body["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/png;base64,not base64!"


def test_sound_by_its_address_is_refused_before_the_backend_is_asked(client: httpx.Client, backend: Backend) -> None:
    asked = len(backend.requests)
    part = {"type": "audio_url", "audio_url": {"url": "https://example.com/a.wav"}}

    refused(post(client, messages=[{"role": "user", "content": [part]}]), 422, "VALIDATION_ERROR")
    assert len(backend.requests) == asked


def test_text_parts_and_a_tool_turn_go_through_flat(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    call = {"id": "c1", "function": {"name": "clock", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "tool_calls": [call], "extra": 1},
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
    ]
    choice(post(client, messages=messages))

    assert backend.body["messages"] == [
        {"role": "user", "content": "a\nb"},
        {"role": "assistant", "content": None, "tool_calls": [{**call, "type": "function"}]},
        {"role": "tool", "content": "12:00", "tool_call_id": "c1"},
    ]


@pytest.mark.parametrize(
    "content, text",
    [
        ("plain", "plain"),
        (None, ""),
        (["a", {"type": "text", "text": "b"}, {"type": "thinking", "thinking": "hm"}], "ab"),
    ],
)
def test_content_is_flattened(client: httpx.Client, backend: Backend, content: Any, text: str) -> None:
    backend.answers(whole({"content": content}))
    assert choice(post(client))["message"] == {"role": "assistant", "content": text}
    backend.streams(chunk({"content": content}), chunk(reason="stop"))
    assert stream(post(client, stream=True)) == (text, [], "stop")


def test_odd_but_good_streams_come_out_clean(client: httpx.Client, backend: Backend) -> None:
    backend.says(
        EVENT_STREAM,
        b": keep-alive\n\n",
        b"event: ping\ndata: {}\n\n",
        b"id: 7\n\n",
        b"data: : keepalive\n\n",
        b'data:{"choices":[],"usage":null}\r\n\r\n',
        *[bytes([byte]) for byte in 'data: {"choices":[{"delta":{"content":"Zü'.encode()],
        b'rich \\ud83d"}}]}\n\n',
        b'data: {"choices":[{"delta":{"role":"","content":"\\ude42","reasoning_content":"hm"}}]}\n\n',
        b'data: {"choices":[{"index":5,"delta":{"content":null},"finish_reason":"eos"}]}\n\n',
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
        b"data: [DONE]",
    )

    assert stream(post(client, stream=True)) == ("Zürich 🙂", [], "stop")


@pytest.mark.parametrize(
    "theirs, ours",
    [
        ("stop", "stop"),
        ("eos", "stop"),
        ("eos_token", "stop"),
        ("end_turn", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
        ("content_filter", "content_filter"),
        ("SAFETY", "content_filter"),
        ("tool_calls", "stop"),
    ],
)
def test_finish_reasons_are_mapped(client: httpx.Client, backend: Backend, theirs: str, ours: str) -> None:
    backend.answers(whole({"content": "Hi."}, theirs))
    assert choice(post(client))["finish_reason"] == ours
    backend.streams(chunk({"content": "Hi."}, theirs))
    assert stream(post(client, stream=True)) == ("Hi.", [], ours)


@pytest.mark.parametrize(
    "usage",
    [
        {},
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": "9", "completion_tokens": 2},
    ],
)
def test_usage_that_is_none_is_estimated(client: httpx.Client, backend: Backend, usage: Any) -> None:
    backend.answers(whole({"content": "Three little words."}, usage=usage))
    told = post(client).json()["data"]["usage"]

    assert told["prompt_tokens"] > 0
    assert told["completion_tokens"] == 4
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]


ODD_CALLS: dict[str, tuple[list[list[dict[str, Any]]], list[tuple[str, dict[str, Any]]]]] = {
    "as they should be": (
        [
            [piece("clock", "", index=0, id="a", type="function")],
            [piece(None, '{"a"', index=0)],
            [piece(None, ": 1}", index=0)],
        ],
        [("clock", {"a": 1})],
    ),
    "without index and id": (
        [[piece("clock", '{"a": 1}')], [piece("get_weather", "{}")]],
        [("clock", {"a": 1}), ("get_weather", {})],
    ),
    "all at index 0": (
        [[piece("clock", "{}", index=0, id="a")], [piece("clock", '{"b": 2}', index=0, id="b")]],
        [("clock", {}), ("clock", {"b": 2})],
    ),
    "arguments as an object": ([[piece("clock", {"a": 1}, index=0, id="a")]], [("clock", {"a": 1})]),
    "arguments encoded twice": ([[piece("clock", '"{\\"a\\": 1}"', index=0, id="a")]], [("clock", {"a": 1})]),
    "no arguments": ([[piece("clock", None, index=0, id="a")]], [("clock", {})]),
    "null in a string": ([[piece("clock", "null", index=0, id="a")]], [("clock", {})]),
    "a name in pieces": (
        [[piece("get_", None, index=0, id="a")], [piece("weather", "{}", index=0)]],
        [("get_weather", {})],
    ),
    "a name that comes late": (
        [[piece("", "", index=0, id="a")], [piece("clock", "{}", index=0)]],
        [("clock", {})],
    ),
    "a name again and again": (
        [[piece("clock", "{", index=0, id="a")], [piece("clock", '"a": 1}', index=0, id="a")]],
        [("clock", {"a": 1})],
    ),
    "empty id and name afterwards": (
        [[piece("clock", "{", index=0, id="a")], [piece("", "}", index=0, id="")]],
        [("clock", {})],
    ),
    "an id for every fragment": (
        [[piece("clock", "{", index=0, id="a")], [piece(None, "}", index=0, id="b")]],
        [("clock", {})],
    ),
    "an id that comes late": (
        [[piece("clock", None, index=0)], [piece(None, "{}", index=0, id="a")]],
        [("clock", {})],
    ),
    "in turns": (
        [
            [piece("clock", "{", index=0, id="a"), piece("get_weather", "{", index=1, id="b")],
            [piece(None, '"b": 2}', index=1), piece(None, '"a": 1}', index=0)],
        ],
        [("clock", {"a": 1}), ("get_weather", {"b": 2})],
    ),
}


@pytest.mark.parametrize("name", ODD_CALLS)
def test_tool_calls_are_made_whole(client: httpx.Client, backend: Backend, name: str) -> None:
    pieces, expected = ODD_CALLS[name]
    backend.streams(*(chunk({"tool_calls": calls}) for calls in pieces), chunk(reason="stop"))
    text, calls, end = stream(post(client, stream=True, tools=TOOLS))

    assert [(call["name"], json.loads(call["arguments"])) for call in calls] == expected
    assert len({call["id"] for call in calls}) == len(calls)
    assert all(call["id"] and call["type"] == "function" for call in calls)
    assert (text, end) == ("", "tool_calls")


def test_a_function_call_of_old_is_a_tool_call(client: httpx.Client, backend: Backend) -> None:
    told = {"name": "clock", "arguments": "{}"}
    backend.streams(chunk({"function_call": told}), chunk(reason="function_call"))
    text, calls, end = stream(post(client, stream=True, tools=TOOLS))

    assert [(call["name"], call["arguments"]) for call in calls] == [("clock", "{}")]
    assert (text, end) == ("", "tool_calls")


def test_half_a_character_at_the_end_becomes_a_replacement(client: httpx.Client, backend: Backend) -> None:
    backend.streams(chunk({"content": "a\ud83d"}), chunk(reason="stop"))

    assert stream(post(client, stream=True)) == ("a\ufffd", [], "stop")


def test_a_whole_tool_call_is_coerced_too(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": None, "tool_calls": [piece("clock", {"a": 1})]}, "stop"))
    told = choice(post(client, tools=TOOLS))

    assert told["finish_reason"] == "tool_calls"
    assert told["message"]["content"] is None
    assert told["message"]["tool_calls"][0]["function"] == {"name": "clock", "arguments": '{"a": 1}'}
    assert told["message"]["tool_calls"][0]["id"].startswith("call_")


def test_calls_that_were_forbidden_are_dropped(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi.", "tool_calls": [piece("clock", "{}")]}, "tool_calls"))

    assert choice(post(client, tools=TOOLS, tool_choice="none"))["finish_reason"] == "stop"
    assert "tool_calls" not in choice(post(client))["message"]


def test_a_call_that_the_limit_cut_off_is_no_call(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": None, "tool_calls": [piece("clock", '{"a')]}, "length"))
    told = choice(post(client, tools=TOOLS))

    assert told["finish_reason"] == "length"
    assert "tool_calls" not in told["message"]


@pytest.mark.parametrize("arguments", ['{"a"', "[]", "nonsense"])
def test_arguments_that_are_no_object_are_a_mismatch(client: httpx.Client, backend: Backend, arguments: str) -> None:
    backend.answers(whole({"tool_calls": [piece("clock", arguments)]}, "tool_calls"))
    refused(post(client, tools=TOOLS), 502, "UPSTREAM_SHAPE_MISMATCH")
    backend.streams(
        chunk({"content": "Well: "}), chunk({"tool_calls": [piece("clock", arguments)]}), chunk(reason="stop")
    )
    assert stream(post(client, tools=TOOLS, stream=True))[2] == "UPSTREAM_SHAPE_MISMATCH"


@pytest.mark.parametrize("cut", range(1, 16))
def test_a_stop_sequence_is_found_across_chunks(client: httpx.Client, backend: Backend, cut: int) -> None:
    said = "one, two, three, four"
    pieces = [said[start : start + cut] for start in range(0, len(said), cut)]
    backend.streams(*(chunk({"content": text}) for text in pieces), chunk(reason="stop"))

    assert stream(post(client, stream=True, stop=[", three", "nothing"])) == ("one, two", [], "stop")


def test_a_stop_sequence_is_cut_from_a_whole_answer(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "one, two, three"}, "length"))

    told = choice(post(client, stop=["two"]))
    assert told["message"]["content"] == "one, "
    assert told["finish_reason"] == "stop"
