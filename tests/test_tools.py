"""What a round trip and an answer without a call show of tools, at the edges."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Ending, Exchange
from conformance.reading.witness import Inconclusive, Unobservable
from tests.exchanges import answered, completed

TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}]}
CALLS = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ("a", "b")]


def called(**members: Any) -> Exchange:
    message = {"role": "assistant", "content": None, "tool_calls": CALLS}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return answered({"status": "ok", "data": {"choices": [choice]}}, **members)


def brought_back(status: int, *ids: str) -> Exchange:
    """The calls brought back with these results."""
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": None, "tool_calls": CALLS}]
    results = [{"role": "tool", "tool_call_id": each, "content": "1"} for each in ids]
    return answered({}, status=status, asked={"messages": [*turns, *results]}, step=1, probe="second")


def blamed(status: int, *ids: str) -> list[str]:
    return [each.on for each in CHECKS["tools.echo-accepted"].find(called(), brought_back(status, *ids))]


@pytest.mark.parametrize("status", [400, 422, 499])
def test_a_server_may_want_a_result_for_each_of_its_calls(status: int) -> None:
    with pytest.raises(Unobservable, match="the other calls have no result"):
        blamed(status, "a")
    assert blamed(status, "a", "b") == ["second/2"]


@pytest.mark.parametrize("status", [302, 399, 500, 501])
def test_a_server_that_fails_over_its_own_calls_has_not_refused_them(status: int) -> None:
    assert blamed(status, "a") == ["second/2"]


def test_a_server_may_take_one_result_of_two() -> None:
    assert blamed(200, "a") == []


def test_a_call_may_be_in_what_we_did_not_wait_for_where_there_is_something_to_call() -> None:
    cut = replace(completed("Hi."), ended=Ending.TIMEOUT, pieces=())
    declared = replace(cut, request=answered({}, asked=TOOLS).request)

    with pytest.raises(Inconclusive):
        list(CHECKS["tools.call-name-declared"].find(declared))
    with pytest.raises(Unobservable):
        list(CHECKS["tools.call-name-declared"].find(cut))


def test_the_scripted_backend_may_say_something_beside_a_call() -> None:
    text = "Play [scenario:calls-one:7e] now."
    scripted = called(asked=TOOLS | {"messages": [{"role": "user", "content": text}]})

    assert CHECKS["tools.calls-instead-of-content"].when(called(asked=TOOLS))
    assert not CHECKS["tools.calls-instead-of-content"].when(scripted)
