"""Streams that say why they stopped and tell of a failure too: which of them are blamed."""

import json
from typing import Any

import pytest

from conformance.checks.ending import error_or_reason
from conformance.exchange import Ending, Exchange, Piece, Request, Response

DONE = b"data: [DONE]\n\n"
STOPPED = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
LOST = b'event: error\ndata: {"code":"BACKEND_ERROR","message":"m"}\n\n'
BOTH = STOPPED + LOST + DONE
FAILING = "failures.mid-stream-error"


def streamed(body: bytes, *, probe: str = "stream.greeting", text: str = "Hi", **members: Any) -> Exchange:
    """A stream, asked for by a good request with this text and these members."""
    asked = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": True, **members}
    return Exchange(
        probe=probe,
        request=Request(
            method="POST",
            url="http://x/",
            headers=(("Authorization", "Bearer ***"),),
            body=json.dumps(asked).encode(),
        ),
        response=Response(
            status=200, reason="", http_version="HTTP/1.1", headers=(("Content-Type", "text/event-stream"),), at=0.1
        ),
        pieces=(Piece(at=0.2, data=body),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.3,
    )


@pytest.mark.parametrize(
    "told, blamed",
    [
        pytest.param({"stream.greeting": BOTH}, [], id="one may have lost its backend behind its last word"),
        pytest.param(
            {"stream.greeting": BOTH, "stream.counting": BOTH},
            ["stream.greeting", "stream.counting"],
            id="all that finished do both",
        ),
        pytest.param({"stream.greeting": BOTH, "stream.counting": STOPPED + DONE}, [], id="one of two does not"),
        pytest.param({"stream.greeting": BOTH, "stream.counting": LOST + DONE}, [], id="the other did not finish"),
        pytest.param({"stream.greeting": LOST + DONE}, [], id="a failure alone"),
        pytest.param({FAILING: BOTH}, [FAILING], id="its failure was brought about"),
        pytest.param(
            {"stream.greeting": BOTH, FAILING: BOTH}, [FAILING], id="its failure was brought about, that of one was not"
        ),
        pytest.param(
            {"stream.greeting": BOTH, "stream.counting": BOTH, FAILING: STOPPED + DONE},
            ["stream.greeting", "stream.counting"],
            id="all do both but the one that was to fail",
        ),
    ],
)
def test_a_stream_that_finished_and_failed(told: dict[str, bytes], blamed: list[str]) -> None:
    found = error_or_reason.find(*(streamed(body, probe=probe) for probe, body in told.items()))

    assert [violation.on for violation in found] == blamed


@pytest.mark.parametrize(
    "exchange, judged",
    [
        pytest.param(streamed(BOTH), True, id="a stream"),
        pytest.param(streamed(BOTH, stream=False), False, id="no stream was asked for"),
        pytest.param(streamed(BOTH, temperature="hot"), False, id="the request was wrong"),
        pytest.param(
            streamed(BOTH, text="Play [scenario:text-plain:1] now."), False, id="the scripted backend brought it about"
        ),
    ],
)
def test_it_speaks_of_streams_that_were_rightly_asked_of_a_model(exchange: Exchange, *, judged: bool) -> None:
    assert error_or_reason.when(exchange) is judged
