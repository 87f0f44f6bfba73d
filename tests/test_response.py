"""What two answers may share."""

from typing import Any

import pytest

from conformance.checks import CHECKS, response
from conformance.exchange import Exchange
from conformance.reading.witness import Unobservable
from tests.exchanges import answered


def given(own: str, question: str, *, created: int = 1, latency: int = 1, **members: Any) -> Exchange:
    body = {
        "status": "ok",
        "data": {"id": own, "created": created, "_meta": {"request_id": own, "latency_ms": latency}},
    }
    return answered(body, asked={"messages": [{"role": "user", "content": question}]}, **members)


@pytest.mark.parametrize("requirement, cached", [("response.id-unique", True), ("response.request-id-unique", False)])
def test_a_cache_gives_a_completion_again_to_who_asks_the_same(requirement: str, *, cached: bool) -> None:
    def shared(*exchanges: Exchange) -> list[str]:
        return [each.on for each in CHECKS[requirement].find(*exchanges)]

    first, again = given("a", "Hi."), given("a", "Hi.", latency=9, probe="again")

    assert shared(first, again) == ([] if cached else ["again"])
    assert shared(first, given("a", "Why?", probe="other")) == ["other"]
    assert shared(first, given("a", "Hi.", created=2, probe="later")) == ["later"]
    assert shared(first, given("b", "Hi.", probe="again")) == []


@pytest.mark.parametrize(
    "usage, most",
    [
        ({"reasoning_tokens": 4}, 4),
        ({"details": {"reasoning_tokens": 4, "thinking": 9}}, 9),
        ({"reasoning_tokens": None, "thoughts": "many", "thinking_tokens": -3}, 0),
        ({"completion_tokens": 7, "details": {"cached": 3}}, 0),
    ],
)
def test_thoughts_are_counted_where_they_are_counts(usage: dict[str, Any], most: int) -> None:
    assert response.thought(usage) == most


def test_the_snippets_do_not_read_calls() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    body = {"status": "ok", "data": {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}}

    with pytest.raises(Unobservable, match="tool calls"):
        list(CHECKS["response.documented-clients-read-it"].find(answered(body)))
