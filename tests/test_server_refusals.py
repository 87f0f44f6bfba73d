"""What the reference server refuses and how it fails: every refusal, every trigger, and nothing unforeseen."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import schema, sse
from conformance.server.app import PATH
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY, VIEWER_KEY, Site
from conformance.server.triggers import Trigger, triggers
from tests.served import MINI, WEATHER, ask, body, refused, said, session, user


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_in_thread() as base:
        yield base


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with session(url) as told:
        yield told


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


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**20) | st.floats(-5, 5) | st.text(max_size=5),
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
    optional=dict.fromkeys(
        ("max_tokens", "temperature", "top_p", "stop", "seed", "stream", "tools", "metadata", "n"), JSON
    ),
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
