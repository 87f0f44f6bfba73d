"""The gateway against backends that fail: nothing broken ever looks like a success, and nobody generates for no one."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from conformance.server.app import PATH
from conformance.server.site import DEFAULT_KEY
from tests.gateway import FIRST, HELLO, KEY, SLUG, TOOLS, choice, chunk, gateway, piece, post, stream, whole
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


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
SHOWN = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}]


@pytest.mark.parametrize("status", [400, 404, 500, 501])
@pytest.mark.parametrize(
    "message",
    [
        "image input is not supported - hint: provide the mmproj",
        "This model doesn't support vision",
        "No endpoint that supports image input",
        "Images are unsupported",
        "model is not a multimodal model: does not support multi-modal input",
    ],
)
def test_a_backend_that_takes_no_images_makes_them_the_clients_mistake(
    client: httpx.Client, backend: Backend, status: int, message: str
) -> None:
    backend.answers({"error": {"code": status, "message": message, "type": "server_error"}}, status=status)
    for streaming in (False, True):
        error = refused(post(client, messages=SHOWN, stream=streaming), 422, "VALIDATION_ERROR")
        assert error["details"] == [{"field": "messages[0].content[1]", "message": "this model takes no image_url"}]


def test_a_failure_over_an_image_that_is_no_mistake_stays_the_backends(client: httpx.Client, backend: Backend) -> None:
    backend.answers({"error": {"message": "failed to decode the image"}}, status=500)
    refused(post(client, messages=SHOWN), 502, "BACKEND_ERROR")
    backend.answers({"error": {"message": "image input is not supported"}}, status=500)
    refused(post(client), 502, "BACKEND_ERROR")


def test_a_backend_that_refuses_the_second_asking_for_a_forced_call_is_not_the_clients_mistake(
    client: httpx.Client, backend: Backend
) -> None:
    backend.streams(chunk({"content": "Hm."}), chunk(reason="stop"))
    backend.first = backend.pieces
    backend.answers({"error": {"message": "unknown member response_format"}}, status=400)
    refused(post(client, tools=TOOLS, tool_choice="required"), 502, "UPSTREAM_SHAPE_MISMATCH")
    backend.streams(chunk({"content": "Hm."}), chunk(reason="stop"))
    backend.first = backend.pieces
    backend.answers({"error": {"message": "slow down"}}, status=429)
    refused(post(client, tools=TOOLS, tool_choice="required"), 429, "BACKEND_RATE_LIMITED")


@pytest.mark.parametrize(
    "header, seconds",
    [
        ("Retry-After: 7\r\n", 7),
        ("Retry-After: 2.5\r\n", 3),
        ("", 1),
        ("Retry-After: soon\r\n", 1),
        ("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", 0),
    ],
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


@pytest.mark.parametrize(
    "document",
    [
        b"<html>",
        b"",
        {},
        [],
        {"choices": []},
        {"choices": [7]},
        whole({"content": 7}),
        whole({"tool_calls": 7}),
        whole({"tool_calls": [7]}),
        whole({"tool_calls": [piece(7)]}),
        whole({"tool_calls": [piece(None, "{}")]}),
        whole({}, 7),
    ],
)
def test_what_cannot_be_read_is_a_mismatch(client: httpx.Client, backend: Backend, document: Any) -> None:
    backend.answers(document)

    refused(post(client, tools=TOOLS), 502, "UPSTREAM_SHAPE_MISMATCH")
    refused(post(client, tools=TOOLS, stream=True), 502, "UPSTREAM_SHAPE_MISMATCH")


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
