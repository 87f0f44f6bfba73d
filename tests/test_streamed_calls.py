"""What a stream without a call shows of calls."""

from dataclasses import replace

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Ending, Exchange
from conformance.reading.witness import Inconclusive, Unobservable
from tests.exchanges import streamed

DECLARED = CHECKS["tools.stream-name-declared"]
TOOLS = {"tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}]}


def cut(exchange: Exchange) -> Exchange:
    """The stream as far as we waited for it."""
    (piece,) = exchange.pieces
    return replace(exchange, pieces=(replace(piece, data=piece.data[:-40]),), ended=Ending.TIMEOUT)


def test_a_call_may_come_after_we_stopped_waiting_where_there_is_something_to_call() -> None:
    with pytest.raises(Inconclusive):
        list(DECLARED.find(cut(streamed("Hi.", asked=TOOLS))))
    with pytest.raises(Unobservable):
        list(DECLARED.find(cut(streamed("Hi."))))


def test_a_stream_that_breaks_the_page_in_its_request_is_not_judged() -> None:
    assert DECLARED.when(streamed("Hi.", asked=TOOLS))
    assert not DECLARED.when(streamed("Hi.", asked={"max_tokens": 0}))
