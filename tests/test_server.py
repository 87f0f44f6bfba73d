"""The reference server over a real socket: the page's examples, every refusal, every trigger, exact bytes."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import schema, sse
from conformance.server.app import CONFORMING, PATH
from conformance.server.generation import Failure, Refused
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY, VIEWER_KEY, Site
from conformance.server.triggers import Trigger, triggers

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


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread() as base:
        yield base


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10) as session:
        yield session


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


@pytest.mark.parametrize(
    "raw, field",
    [
        ({"messages": [user("hi")]}, "model"),
        ({"model": MINI}, "messages"),
        ({"model": MINI, "messages": []}, "messages"),
        ({"model": MINI, "messages": ["hi"]}, "messages[0]"),
        (body(messages=[{"role": "wizard", "content": "hi"}]), "messages[0].role"),
        (body(messages=[{"role": "user"}]), "messages[0].content"),
        (body(messages=[{"role": "tool", "content": "x"}]), "messages[0].tool_call_id"),
        (body(max_tokens=0), "max_tokens"),
        (body(max_tokens=True), "max_tokens"),
        (body(max_tokens=1.5), "max_tokens"),
        (body(temperature=2.1), "temperature"),
        (body(temperature=[]), "temperature"),
        (body(top_p=-0.1), "top_p"),
        (body(stop=7), "stop"),
        (body(stop=""), "stop"),
        (body(stop=["END", ""]), "stop"),
        (body(seed={}), "seed"),
        (body(stream="true"), "stream"),
        (body(tools={}), "tools"),
        (body(tools=[WEATHER], tool_choice="sometimes"), "tool_choice"),
        (body(tool_choice="required"), "tool_choice"),
        (body(tools=[], tool_choice="required"), "tool_choice"),
        (
            body(tools=[WEATHER], tool_choice={"type": "function", "function": {"name": "clock"}}),
            "tool_choice.function.name",
        ),
        (body(metadata=[]), "metadata"),
        ([], "body"),
    ],
)
def test_an_invalid_request_is_refused_with_the_place(client: httpx.Client, raw: Any, field: str) -> None:
    error = refused(client.post(PATH, json=raw), 422, "VALIDATION_ERROR")

    assert field in [detail["field"] for detail in error["details"]]


def test_an_error_before_the_first_byte_is_an_http_error_for_streams_too(client: httpx.Client) -> None:
    refused(client.post(PATH, json=body(stream=True, max_tokens=0)), 422, "VALIDATION_ERROR")
    refused(client.post(PATH, json=body(stream=True, model="nobody/knows")), 404, "MODEL_NOT_FOUND")


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"model": NaN}', b"[" * 100_000])
def test_what_is_not_json_is_refused(client: httpx.Client, raw: bytes) -> None:
    answer = client.post(PATH, content=raw, headers={"Content-Type": "application/json"})

    refused(answer, 422, "VALIDATION_ERROR")


def test_what_a_text_model_cannot_do_is_refused(client: httpx.Client) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/photo.jpg"}}
    sound = {"type": "audio_base64", "audio_base64": {"data": "UklGRg==", "media_type": "audio/wav"}}
    for members in (
        {"tools": [WEATHER]},
        {"messages": [{"role": "user", "content": [image]}]},
        {"messages": [{"role": "user", "content": [sound]}]},
    ):
        refused(client.post(PATH, json=body(model="reference/text") | members), 422, "VALIDATION_ERROR")
    parts = [{"type": "text", "text": "Repeat after me: yes"}]
    assert said(ask(client, model="reference/text", messages=[{"role": "user", "content": parts}])) == "yes"


def test_more_text_than_the_context_window_is_refused(client: httpx.Client) -> None:
    refused(client.post(PATH, json=body("word " * 128_001)), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "header, code",
    [
        (None, "AUTH_TOKEN_MISSING"),
        ("Bearer sgk_00000000000000000000000000000000", "AUTH_TOKEN_INVALID"),
        (DEFAULT_KEY, "AUTH_TOKEN_INVALID"),
        (f"Basic {DEFAULT_KEY}", "AUTH_TOKEN_INVALID"),
        ("Bearer", "AUTH_TOKEN_INVALID"),
    ],
)
def test_without_a_good_key_nothing_is_answered(url: str, header: str | None, code: str) -> None:
    headers = {} if header is None else {"Authorization": header}

    refused(httpx.post(url + PATH, json=body(), headers=headers), 401, code)
    refused(httpx.post(url + PATH, content=b"{", headers=headers), 401, code)
    refused(httpx.get(f"{url}/v1/models", headers=headers), 401, code)


def test_a_viewers_key_lists_models_and_uses_none(url: str) -> None:
    headers = {"Authorization": f"Bearer {VIEWER_KEY}"}

    refused(httpx.post(url + PATH, json=body(), headers=headers), 403, "AUTHZ_PERMISSION_DENIED")
    assert httpx.get(f"{url}/v1/models", headers=headers).status_code == 200


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


def test_a_wrong_path_method_or_media_type_is_an_enveloped_error(client: httpx.Client) -> None:
    refused(client.post(f"{PATH}/nonsense", json=body()), 404, "NOT_FOUND")
    refused(client.post(f"{PATH}/", json=body()), 404, "NOT_FOUND")
    wrong_method = client.get(PATH)
    refused(wrong_method, 405, "METHOD_NOT_ALLOWED")
    assert wrong_method.headers["allow"] == "POST"
    form = client.post(PATH, content=json.dumps(body()), headers={"Content-Type": "text/plain"})
    refused(form, 415, "UNSUPPORTED_MEDIA_TYPE")


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    raw = json.dumps(body()).encode()
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}", "Content-Type": "application/json"}
    with serve_in_thread(Site(max_body_bytes=len(raw))) as url:
        assert httpx.post(url + PATH, content=raw, headers=headers).status_code == 200
        refused(httpx.post(url + PATH, content=raw + b" ", headers=headers), 413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("trigger", [entry for entry in triggers() if entry.slug], ids=lambda entry: entry.name)
@pytest.mark.parametrize("streaming", [False, True])
def test_every_trigger_does_what_it_says(client: httpx.Client, trigger: Trigger, streaming: bool) -> None:  # noqa: FBT001
    answer = client.post(PATH, json=body(stream=streaming) | dict(trigger.body))

    if trigger.name == "content_filter":
        assert answer.status_code == 200
        assert '"finish_reason":"content_filter"' in answer.text
    elif trigger.name == "mid_stream_error" and streaming:
        *chunks, error, done = [frame.event for frame in sse.decode(answer.content)]
        assert error is not None
        assert done is not None
        assert len(chunks) > 2
        assert error.type == "error"
        assert schema.defects("stream-error.schema.json", json.loads(error.data)) == ()
        assert json.loads(error.data)["code"] == "BACKEND_ERROR"
        assert answer.content.endswith(b"\n\ndata: [DONE]\n\n")
    elif trigger.name == "mid_stream_error":
        refused(answer, 502, "BACKEND_ERROR")
    else:
        status, code = trigger.outcome.partition(",")[0].split()
        error_object = refused(answer, int(status), code)
        assert ("retry_after" in error_object) == ("retry_after" in trigger.outcome)
        assert answer.headers.get("retry-after") == (
            str(error_object["retry_after"]) if "retry_after" in error_object else None
        )


def test_a_throttled_answer_says_that_nothing_is_left(client: httpx.Client) -> None:
    headers = client.post(PATH, json=body(model="reference/rate-limited")).headers

    assert headers["x-scaigrid-ratelimit-remaining"] == "0"
    assert headers["x-scaigrid-ratelimit-limit"] == "60000"


def test_a_crash_tells_nothing_of_itself_and_leaves_the_server_well(client: httpx.Client) -> None:
    answer = client.post(PATH, json=body(model="reference/crashes"))

    assert refused(answer, 500, "INTERNAL_ERROR")["message"] == "The server failed; the fault is not yours."
    assert "PlannedCrash" not in answer.text
    assert ask(client)["choices"]


def test_more_requests_than_a_minute_allows_are_throttled() -> None:
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    with serve_in_thread(Site(requests_per_minute=2)) as url:
        answers = [httpx.post(url + PATH, json=body(), headers=headers) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-scaigrid-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
    error = refused(answers[2], 429, "RATE_LIMITED")
    assert 55 <= error["retry_after"] <= 60
    assert answers[2].headers["retry-after"] == str(error["retry_after"])


def test_one_step_can_be_replaced_and_nothing_else_changes() -> None:
    def parsed(_body: bytes) -> Any:
        raise Refused(Failure(status=422, code="VALIDATION_ERROR", message="No."))

    behaviour = dataclasses.replace(CONFORMING, parsed=parsed)
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    with serve_in_thread(behaviour=behaviour) as url:
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
    script = "from conformance.server.hosting import serve_forever\nserve_forever(port=0, announce=lambda url: print(url, flush=True))"
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


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ODD = st.fixed_dictionaries(
    {
        "model": st.just(MINI),
        "messages": st.lists(
            st.fixed_dictionaries(
                {
                    "role": st.sampled_from(["system", "user", "assistant", "tool"]),
                    "content": st.text(max_size=5) | JSON,
                },
                optional={"tool_calls": st.lists(JSON, max_size=2) | JSON, "tool_call_id": st.text(max_size=2)},
            )
            | JSON,
            min_size=1,
            max_size=3,
        ),
    },
    optional=dict.fromkeys(("max_tokens", "temperature", "top_p", "stop", "seed", "stream", "tools", "metadata", "n"), JSON),
)


@given(document=ODD)
@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_is_answered_or_refused(client: httpx.Client, document: dict[str, Any]) -> None:
    answer = client.post(PATH, content=json.dumps(document), headers={"Content-Type": "application/json"})

    if answer.status_code != 200:
        refused(answer, 422, "VALIDATION_ERROR")
    elif document.get("stream"):
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        assert schema.defects("response.schema.json", answer.json()) == ()
