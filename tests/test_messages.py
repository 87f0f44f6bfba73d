"""What conversations show, at the edges."""

from typing import Any

import pytest

from conformance.checks import CHECKS, messages
from conformance.exchange import Exchange
from conformance.reading.witness import Unobservable
from tests.exchanges import answered, completed, streamed


def told(requirement: str, *exchanges: Exchange) -> Any:
    return list(CHECKS[requirement].find(*exchanges))


CALLS = [{"id": each, "type": "function", "function": {"name": "f", "arguments": "{}"}} for each in ("a", "b")]


def results(*ids: str, calls: int = 2) -> dict[str, Any]:
    """A conversation in which calls were made, and those with these ids have a result."""
    turns = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": None, "tool_calls": CALLS[:calls]}]
    return {"messages": [*turns, *({"role": "tool", "tool_call_id": each, "content": "1"} for each in ids)]}


@pytest.mark.parametrize(
    "asked, left",
    [(results("a"), True), (results("a", "b"), False), (results("a", calls=1), False)],
)
def test_the_result_of_one_of_two_calls_leaves_the_other_unanswered(asked: dict[str, Any], *, left: bool) -> None:
    exchange = completed("1", asked=asked, probe="tools.required-call")

    assert messages.unanswered(exchange) is left
    assert CHECKS["messages.tool-accepted"].when(exchange) is not left


def test_a_stream_is_held_to_nothing_where_nothing_was_asked_without_one() -> None:
    stream = streamed("I was not told.", probe="messages.streamed")

    assert not list(CHECKS["messages.history-used"].groups([stream], [stream]))


def counted(said: str, prompt: int, **members: Any) -> Exchange:
    usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
    message = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    return answered({"status": "ok", "data": {"choices": [message], "usage": usage}}, **members)


@pytest.mark.parametrize("without, shows", [(8, True), (9, False), (10, False)])
def test_a_prompt_tells_of_a_system_message_where_one_makes_it_longer(without: int, *, shows: bool) -> None:
    silent, shorter = counted("Hi.", 9), counted("Hi.", 9)
    pair = counted("Hi.", 9), counted("Hi.", without)

    if shows:
        assert len(told("messages.system-obeyed", silent, shorter, *pair)) == 1
    else:
        with pytest.raises(Unobservable, match="no more prompt tokens"):
            told("messages.system-obeyed", silent, shorter, *pair)


def test_a_conversation_that_was_refused_tells_nothing_to_the_next() -> None:
    with pytest.raises(Unobservable, match="the first request was refused: HTTP 429"):
        told("messages.stateless", answered({}, status=429), completed("Hi."))
