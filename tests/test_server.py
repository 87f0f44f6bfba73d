"""The reference server over a real socket: the page's examples, exact bytes, limits, tools, hosting."""

import dataclasses
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from conformance.server.app import CONFORMING, PATH
from conformance.server.generation import Failure, Refused
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY
from tests.served import MINI, WEATHER, ask, body, refused, said, session, stream, streamed, user


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread() as base:
        yield base


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with session(url) as told:
        yield told


def test_the_pages_basic_request_gets_the_pages_answer(client: httpx.Client) -> None:
    before = int(time.time())
    system = {"role": "system", "content": "You are a concise assistant."}
    answer = client.post(
        PATH,
        json={"model": MINI, "messages": [system, user("What is the capital of Switzerland?")], "max_tokens": 50},
    )

    data = answer.json()["data"]
    assert answer.json() == {
        "status": "ok",
        "data": {
            "id": data["id"],
            "model": MINI,
            "created": data["created"],
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Bern."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 23, "completion_tokens": 2, "total_tokens": 25},
            "_meta": {"request_id": answer.headers["x-request-id"], "latency_ms": data["_meta"]["latency_ms"]},
        },
    }
    assert data["id"].startswith("chatcmpl-")
    assert data["_meta"]["request_id"].startswith("req_")
    assert before <= data["created"] <= time.time()
    assert 0 <= data["_meta"]["latency_ms"] < 10_000


def test_ids_are_never_used_twice(client: httpx.Client) -> None:
    answers = [ask(client) for _ in range(5)]

    assert len({data["id"] for data in answers}) == 5
    assert len({data["_meta"]["request_id"] for data in answers}) == 5


def test_answers_and_streams_tell_their_rate_limit_and_request_id(client: httpx.Client) -> None:
    for streaming in (False, True):
        headers = client.post(PATH, json=body(stream=streaming)).headers
        assert int(headers["x-scaigrid-ratelimit-limit"]) == 60_000
        assert 0 < int(headers["x-scaigrid-ratelimit-remaining"]) < 60_000
        assert 0 < int(headers["x-scaigrid-ratelimit-reset"]) - time.time() <= 61
        assert headers["x-request-id"].startswith("req_")


def test_the_bytes_of_a_stream_are_exact(client: httpx.Client) -> None:
    answer = client.post(PATH, json=body("Reply with exactly: Grüezi\u2028🙂", stream=True))

    assert answer.headers["content-type"] == "text/event-stream"
    first = json.loads(answer.content.partition(b"\n")[0].removeprefix(b"data: "))
    head = f'{{"id":"{first["id"]}","model":"{MINI}","created":{first["created"]},"choices":[{{"index":0,"delta":'
    deltas = (
        '{"role":"assistant","content":""},"finish_reason":null',
        '{"content":"Gr\\u00fcezi"},"finish_reason":null',
        '{"content":"\\u2028"},"finish_reason":null',
        '{"content":"\\ud83d\\ude42"},"finish_reason":null',
        '{},"finish_reason":"stop"',
    )
    expected = "".join(f"data: {head}{delta}}}]}}\n\n" for delta in deltas) + "data: [DONE]\n\n"
    assert answer.content == expected.encode("ascii")


def test_a_stream_arrives_bit_by_bit(client: httpx.Client) -> None:
    times = []
    with client.stream("POST", PATH, json=body("Tell me a story.", stream=True)) as answer:
        times = [time.monotonic() for _ in answer.iter_raw()]

    assert len(times) > 50
    assert times[-1] - times[0] > 0.1


@pytest.mark.parametrize(
    "text", ["one\ntwo\n\nthree", "data: [DONE]\n\ndata: {}", "[DONE]", "Zürich 🙂 漢字 \u0085\u2028\u2029.", "a" * 900]
)
def test_a_text_comes_back_verbatim_streamed_or_not(client: httpx.Client, text: str) -> None:
    assert said(ask(client, f"Repeat after me: {text}")) == text
    assert streamed(stream(client, f"Repeat after me: {text}")) == (text, "stop")


def test_a_lone_surrogate_becomes_a_replacement_character(client: httpx.Client) -> None:
    raw = b'{"model":"reference/mini","messages":[{"role":"user","content":"Repeat after me: a\\ud800b"}]}'
    answer = client.post(PATH, content=raw, headers={"Content-Type": "application/json"})

    assert said(answer.json()["data"]) == "a\ufffdb"


@pytest.mark.parametrize("limit", [1, 2, 3, 17, 512])
def test_max_tokens_is_kept_exactly(client: httpx.Client, limit: int) -> None:
    data = ask(client, "Tell me a very long story.", max_tokens=limit)

    assert data["usage"]["completion_tokens"] == limit
    assert data["choices"][0]["finish_reason"] == "length"
    chunks = stream(client, "Tell me a very long story.", max_tokens=limit)
    assert streamed(chunks) == (said(data), "length")
    assert sum(bool(chunk["choices"][0]["delta"].get("content")) for chunk in chunks) == limit


def test_max_tokens_above_the_models_cap_is_lowered_to_it(client: httpx.Client) -> None:
    data = ask(client, "Count from 1 to 2000.", max_tokens=100_000)

    assert data["usage"]["completion_tokens"] == 512
    assert data["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("length", range(1, 12))
def test_a_stop_sequence_is_cut_at_every_position(client: httpx.Client, length: int) -> None:
    whole = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"
    for start in range(len(whole) - length):
        stop = whole[start : start + length]
        data = ask(client, "Count from 1 to 10.", stop=stop)
        assert said(data) == whole.partition(stop)[0]
        assert data["choices"][0]["finish_reason"] == "stop"
    chunks = stream(client, "Count from 1 to 10.", stop=["nowhere", stop])
    assert streamed(chunks) == (whole.partition(stop)[0], "stop")


def test_text_held_back_for_a_stop_sequence_is_shown_when_it_was_none(client: httpx.Client) -> None:
    chunks = stream(client, "Repeat after me: one two thr", stop="three")

    assert streamed(chunks) == ("one two thr", "stop")


def test_null_for_an_optional_member_is_its_absence(client: httpx.Client) -> None:
    optional = ("max_tokens", "temperature", "top_p", "stop", "seed", "stream", "tools", "tool_choice", "metadata")

    assert said(ask(client, "Repeat after me: yes", **dict.fromkeys(optional))) == "yes"


def test_unknown_members_and_all_known_ones_are_taken(client: httpx.Client) -> None:
    data = ask(
        client,
        "What's the weather in Zürich?",
        max_tokens=50,
        temperature=0,
        top_p=1,
        stop=["END"],
        seed=7,
        stream=False,
        tools=[WEATHER],
        tool_choice="auto",
        metadata={"run": "1"},
        n=1,
        response_format={"type": "text"},
    )

    assert data["choices"][0]["finish_reason"] == "tool_calls"


def test_a_tool_call_goes_round(client: httpx.Client) -> None:
    question = user("What's the weather in Zürich?")
    first = ask(client, messages=[question], tools=[WEATHER])
    message = first["choices"][0]["message"]
    (call,) = message["tool_calls"]
    result = {"role": "tool", "tool_call_id": call["id"], "content": '{"temp": 18, "unit": "celsius"}'}
    final = ask(client, messages=[question, message, result], tools=[WEATHER])

    assert first["choices"][0]["finish_reason"] == "tool_calls"
    assert message["content"] is None
    assert call["type"] == "function"
    assert call["function"]["name"] == "get_weather"
    assert json.loads(call["function"]["arguments"]) == {"location": "Zürich"}
    assert final["choices"][0]["finish_reason"] == "stop"
    assert "tool_calls" not in final["choices"][0]["message"]
    assert said(final) == "The tool answered: temp is 18, unit is celsius."


def test_a_streamed_tool_call_adds_up_to_the_whole_one(client: httpx.Client) -> None:
    chunks = stream(client, "What's the weather in Zürich and Bern?", tools=[WEATHER])
    pieces = [piece for chunk in chunks for piece in chunk["choices"][0]["delta"].get("tool_calls", ())]

    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant"}
    for index, place in enumerate(("Zürich", "Bern")):
        first, *rest = [piece for piece in pieces if piece["index"] == index]
        assert first["id"].startswith("call_")
        assert first["type"] == "function"
        assert first["function"] == {"name": "get_weather", "arguments": ""}
        assert json.loads("".join(piece["function"]["arguments"] for piece in rest)) == {"location": place}
    assert streamed(chunks) == ("", "tool_calls")


def test_a_tool_call_that_does_not_fit_the_limit_is_left_out_whole(client: httpx.Client) -> None:
    data = ask(client, tools=[WEATHER], tool_choice="required", max_tokens=3)

    assert data["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": ""},
        "finish_reason": "length",
    }


def test_the_tool_choice_is_obeyed(client: httpx.Client) -> None:
    clock = {"type": "function", "function": {"name": "clock"}}
    bait = "What's the weather in Zürich?"
    forced = ask(client, "Nice day.", tools=[WEATHER], tool_choice="required")
    named = ask(client, bait, tools=[WEATHER, clock], tool_choice={"type": "function", "function": {"name": "clock"}})
    forbidden = ask(client, bait, tools=[WEATHER], tool_choice="none")
    unmoved = ask(client, "What is the capital of Switzerland?", tools=[WEATHER])

    assert forced["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert named["choices"][0]["message"]["tool_calls"][0]["function"] == {"name": "clock", "arguments": "{}"}
    assert forbidden["choices"][0]["finish_reason"] == "stop"
    assert "tool_calls" not in forbidden["choices"][0]["message"]
    assert said(unmoved) == "Bern."


def test_a_server_keeps_no_conversation(client: httpx.Client) -> None:
    told = [user("The secret word is heron."), {"role": "assistant", "content": "Noted."}]
    question = user("What is the secret word?")

    assert said(ask(client, messages=[*told, question])) == "heron"
    assert "heron" not in said(ask(client, messages=[question]))


def test_the_list_of_models_tells_their_caps(client: httpx.Client) -> None:
    answer = client.get("/v1/models").json()

    assert answer["status"] == "ok"
    assert answer["data"]["items"][0] == {
        "slug": MINI,
        "display_name": "Reference Mini",
        "modality": "chat",
        "context_window": 128_000,
        "max_output_tokens": 512,
        "status": "active",
        "health_status": "healthy",
    }
    assert [item["slug"] for item in answer["data"]["items"]] == [MINI, "reference/text"]


def test_health_needs_no_key(url: str) -> None:
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}


def test_one_step_can_be_replaced_and_nothing_else_changes() -> None:
    def parsed(_body: bytes) -> Any:
        raise Refused(Failure(status=422, code="VALIDATION_ERROR", message="No."))

    behaviour = dataclasses.replace(CONFORMING, parsed=parsed)
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    with serve_in_thread(conduct=lambda _: behaviour) as url:
        refused(httpx.post(url + PATH, json=body(), headers=headers), 422, "VALIDATION_ERROR")
        refused(httpx.post(url + PATH, json=body()), 401, "AUTH_TOKEN_MISSING")


def test_a_server_that_has_stopped_leaves_no_thread_and_no_listener() -> None:
    before = set(threading.enumerate())
    with serve_in_thread() as url:
        assert httpx.get(f"{url}/health").status_code == 200
        assert set(threading.enumerate()) - before
    host, port = url.removeprefix("http://").split(":")

    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=1)


def test_a_taken_port_is_an_error_that_says_so(url: str) -> None:
    port = int(url.rpartition(":")[2])

    with pytest.raises(OSError, match="in use"), serve_in_thread(port=port):
        pass


def test_a_server_in_the_foreground_tells_its_address_and_ends_on_an_interrupt() -> None:
    script = (
        "import conformance.server.hosting as h; h.serve_forever(port=0, announce=lambda url: print(url, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        status = httpx.get(f"{url}/health").status_code
        process.send_signal(signal.SIGINT)

        assert process.wait(5) == 0
        assert status == 200


def test_streams_at_the_same_time_do_not_mix(client: httpx.Client) -> None:
    words = [" ".join([f"marker{number}"] * 30) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda word: stream(client, f"Repeat after me: {word}"), words))

    assert [streamed(chunks)[0] for chunks in answers] == words
