"""The gateway against scripted backends: the page's promises hold whatever the backend does."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from conformance import schema, sse
from conformance.server.app import PATH
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY, Site
from conformance.server.upstream import Upstream, service
from tests.scripted_upstream import EVENT_STREAM, Backend, scripted

SLUG = "reference/upstream"
KEY = "sk-backend-secret-1234567890"
HELLO = [{"role": "user", "content": "Hello."}]
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("get_weather", "clock")]


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with scripted() as running:
        yield running


@pytest.fixture(scope="module")
def client(backend: Backend) -> Iterator[httpx.Client]:
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


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert schema.defects("error.schema.json", answer.json()) == ()
    assert answer.json()["error"]["code"] == code
    error: dict[str, Any] = answer.json()["error"]
    return error


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
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    wav = {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "wav"}}
    mp3 = {"type": "input_audio", "input_audio": {"data": "CCCC", "format": "mp3"}}

    assert backend.body["messages"][0]["content"] == [*parts[:2], image, image, wav, wav, mp3]


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


def piece(name: Any = None, arguments: Any = None, **members: Any) -> dict[str, Any]:
    return {"function": {"name": name, "arguments": arguments}, **members}


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


@pytest.mark.parametrize(
    "status, code, ours",
    [
        (401, "BACKEND_ERROR", 502),
        (404, "BACKEND_ERROR", 502),
        (500, "BACKEND_ERROR", 502),
        (302, "BACKEND_ERROR", 502),
        (502, "BACKEND_ERROR", 502),
        (503, "MODEL_UNAVAILABLE", 503),
        (504, "BACKEND_TIMEOUT", 504),
    ],
)
def test_a_backends_http_error_is_told_as_one(
    client: httpx.Client, backend: Backend, status: int, code: str, ours: int
) -> None:
    backend.answers({"error": {"message": f"the key {KEY} is bad"}}, status=status)
    for streaming in (False, True):
        answer = post(client, stream=streaming)
        refused(answer, ours, code)
        assert KEY not in answer.text


@pytest.mark.parametrize(
    "header, seconds", [("Retry-After: 7\r\n", 7), ("Retry-After: 2.5\r\n", 3), ("", 1), ("Retry-After: soon\r\n", 1)]
)
def test_a_throttling_backend_tells_how_long(client: httpx.Client, backend: Backend, header: str, seconds: int) -> None:
    backend.answers({}, status=429, headers=header)
    answer = post(client, stream=True)

    assert refused(answer, 429, "BACKEND_RATE_LIMITED")["retry_after"] == seconds
    assert answer.headers["retry-after"] == str(seconds)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_clients_mistake_stays_a_clients_mistake(client: httpx.Client, backend: Backend, status: int) -> None:
    message = f"vendor-7b: top_k is bad\n(key {KEY}, see http://10.0.0.7/docs) " + "x" * 1000
    backend.answers({"error": {"message": message}}, status=status)
    error = refused(post(client), 422, "VALIDATION_ERROR")

    assert error["message"].startswith("reference/upstream: top_k is bad (key …")
    assert len(error["message"]) <= 300
    assert KEY not in error["message"]
    assert "10.0.0.7" not in error["message"]


def test_nobody_at_home_is_unavailable(client: httpx.Client) -> None:
    refused(post(client, model="reference/nobody"), 503, "MODEL_UNAVAILABLE")
    refused(post(client, model="reference/nobody", stream=True), 503, "MODEL_UNAVAILABLE")


@pytest.mark.parametrize("document", [b"<html>", b"", {}, [], {"choices": []}, {"choices": [7]}, whole({"content": 7})])
def test_what_cannot_be_read_is_a_mismatch(client: httpx.Client, backend: Backend, document: Any) -> None:
    backend.answers(document)

    refused(post(client), 502, "UPSTREAM_SHAPE_MISMATCH")
    refused(post(client, stream=True), 502, "UPSTREAM_SHAPE_MISMATCH")


def test_an_error_told_with_200_is_an_error(client: httpx.Client, backend: Backend) -> None:
    backend.answers({"error": "no"})
    refused(post(client), 502, "BACKEND_ERROR")
    backend.streams({"error": {"message": "no"}, "choices": []})
    refused(post(client, stream=True), 502, "BACKEND_ERROR")


def test_a_silent_backend_times_out(client: httpx.Client, backend: Backend) -> None:
    backend.says(hold=True)
    refused(post(client), 504, "BACKEND_TIMEOUT")
    backend.says(EVENT_STREAM, hold=True)
    refused(post(client, stream=True), 504, "BACKEND_TIMEOUT")


FIRST = b'data: {"choices":[{"delta":{"content":"So far"}}]}\n\n'


@pytest.mark.parametrize(
    "rest, code",
    [
        ([], "BACKEND_ERROR"),
        ([b"data: [DONE]\n\n"], "BACKEND_ERROR"),
        ([b'data: {"choi'], "UPSTREAM_SHAPE_MISMATCH"),
        ([b'data: {"choices": 7}\n\n'], "UPSTREAM_SHAPE_MISMATCH"),
        ([b"data: nonsense\n\n"], "UPSTREAM_SHAPE_MISMATCH"),
        ([b'data: {"error":{"message":"vendor key"},"choices":[]}\n\n'], "BACKEND_ERROR"),
        ([b'event: error\ndata: {"message":"vendor key"}\n\n'], "BACKEND_ERROR"),
        ([b'error: {"message":"vendor key"}\n\n'], "BACKEND_ERROR"),
        ([b'{"error":{"message":"vendor key"}}\n'], "BACKEND_ERROR"),
        ([b'data: {"choices":[{"delta":{},"finish_reason":"error"}]}\n\n'], "BACKEND_ERROR"),
    ],
)
def test_a_failure_in_mid_stream_is_an_error_event(
    client: httpx.Client, backend: Backend, rest: list[bytes], code: str
) -> None:
    backend.says(EVENT_STREAM, FIRST, *rest)

    assert stream(post(client, stream=True)) == ("So far", [], code)


def test_a_connection_cut_in_mid_stream_is_an_error_event(client: httpx.Client, backend: Backend) -> None:
    chunked = EVENT_STREAM.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    backend.says(chunked, b"%x\r\n%s\r\n" % (len(FIRST), FIRST))

    assert stream(post(client, stream=True)) == ("So far", [], "BACKEND_ERROR")


def test_silence_in_mid_stream_is_an_error_event(client: httpx.Client, backend: Backend) -> None:
    backend.says(EVENT_STREAM, FIRST, hold=True)

    assert stream(post(client, stream=True)) == ("So far", [], "BACKEND_TIMEOUT")


def test_a_stream_that_said_why_it_stopped_needs_no_done(client: httpx.Client, backend: Backend) -> None:
    backend.streams(chunk({"content": "Hi."}), chunk(reason="length"), done=False)

    assert stream(post(client, stream=True)) == ("Hi.", [], "length")


def test_an_answer_in_the_other_form_is_understood(client: httpx.Client, backend: Backend) -> None:
    backend.answers(whole({"content": "Hi."}))
    assert stream(post(client, stream=True)) == ("Hi.", [], "stop")
    backend.streams(chunk({"content": "Hi."}, "stop"))
    assert choice(post(client))["message"]["content"] == "Hi."


@pytest.mark.parametrize("streaming", [False, True])
def test_a_client_that_leaves_takes_the_backends_request_along(
    client: httpx.Client,
    backend: Backend,
    streaming: bool,  # noqa: FBT001
) -> None:
    backend.left.clear()
    backend.says(EVENT_STREAM, *([FIRST] if streaming else []), hold=True)
    raw = json.dumps({"model": SLUG, "messages": HELLO, "stream": streaming}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {DEFAULT_KEY}\r\nContent-Length: {len(raw)}\r\n\r\n"
    )
    before = len(backend.requests)
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as connection:
        connection.sendall(head.encode() + raw)
        if streaming:
            connection.recv(1)
        deadline = time.monotonic() + 2
        while len(backend.requests) == before and time.monotonic() < deadline:
            time.sleep(0.005)
    left = time.monotonic()

    assert backend.left.wait(2)
    assert time.monotonic() - left < 0.25, "closed by the client's leaving, not by the gateway's patience"


def test_a_stop_sequence_ends_the_backends_request(client: httpx.Client, backend: Backend) -> None:
    backend.left.clear()
    backend.says(EVENT_STREAM, FIRST, hold=True)

    assert stream(post(client, stream=True, stop=["far"])) == ("So ", [], "stop")
    assert backend.left.wait(0.25)


def test_chunks_are_passed_on_as_they_come(client: httpx.Client, backend: Backend) -> None:
    backend.says(EVENT_STREAM, FIRST, hold=True)
    started = time.monotonic()
    with client.stream("POST", PATH, json={"model": SLUG, "messages": HELLO, "stream": True}) as answer:
        pieces = answer.iter_bytes()
        seen = b""
        while b"So far" not in seen:
            seen += next(pieces)

        assert time.monotonic() - started < 0.25
