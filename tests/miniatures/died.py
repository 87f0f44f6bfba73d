"""Gateways whose backend fails: what they tell of it wrongly, and what they tell oddly and well."""

from dataclasses import replace
from typing import Final

from conformance.exchange import Ending, Exchange
from conformance.reading.requests import streamed
from tests.miniatures.behind import dead_streams, failing, playing, rewritten, told_as, without_error_event
from tests.miniatures.endings import DONE
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    asking,
    cut,
    each_block,
    ended_by,
    event,
    on,
    with_body,
    with_json,
    with_status,
)

IN_TEXT: Final = asking("scripted.death-in-text-close")
THROTTLED: Final = asking("scripted.http-429.whole")
WHOLE: Final = asking("scripted.http-500.whole")
_DIES: Final = "of a backend that closes the connection in the middle of its text"
_FAILS: Final = "of a backend that fails (500)"
_UNFIT: Final = b'event: error\ndata: {"code": "INTERNAL_ERROR", "message": "m"}\n\n' + DONE
_NO_MESSAGE: Final = b'{"status": "error", "error": {"code": "MODEL_UNAVAILABLE"}, "meta": {"request_id": "req_1"}}'


def _unstreamed(exchange: Exchange) -> bool:
    """An exchange whose backend fails over an answer that is not streamed."""
    return failing(exchange) and not streamed(exchange)


def _elsewhere(exchange: Exchange) -> Exchange:
    """The same on the other surface."""
    return replace(exchange, profile="openai")


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "shows a page where a stream died",
        on(IN_TEXT, with_body(b"<h1>It broke.</h1>", "text/html")),
        "stream.error-for-every-death",
        says=f"whole: an event stream or an HTTP error, {_DIES}; HTTP 200",
    ),
    faulty(
        "breaks off with its backend",
        on(IN_TEXT, without_error_event, ended_by(b""), cut(Ending.RESET)),
        "stream.error-for-every-death",
        says=f"ending: an error event, {_DIES}; reset, with no word of the failure",
    ),
    faulty(
        "stops where its backend died, as if that were the end",
        on(IN_TEXT, without_error_event, rewritten(DONE, b"")),
        "stream.error-for-every-death",
        says=f"ending: an error event, {_DIES}; the end of the body, with no word of the failure",
    ),
    faulty(
        "tells of a death and breaks off",
        on(IN_TEXT, rewritten(DONE, b""), cut(Ending.RESET)),
        "stream.error-for-every-death",
        says=f"ending: [DONE] after the error event, {_DIES}; reset",
    ),
    faulty(
        "has no words for a death",
        on(IN_TEXT, rewritten(b'"message":"The backend failed: the connection broke."', b'"message":""')),
        "stream.error-for-every-death",
        says=f"an error event with a `message`, {_DIES}; ",
    ),
    faulty(
        "ends a dead stream well on the other surface",
        on(IN_TEXT, without_error_event, _elsewhere),
        "stream.error-for-every-death",
        says=f"ending: an error event, {_DIES}; [DONE], with no word of the failure",
    ),
    faulty(
        "points elsewhere where its backend does",
        on(asking("scripted.http-302.whole"), with_status(302)),
        "errors.backend-failure-told",
        says="status: an HTTP error, of a backend that points elsewhere (302); HTTP 302",
    ),
    faulty(
        "gives a failure the status of a fail",
        on(WHOLE, with_json("/status", "fail")),
        "errors.backend-failure-told",
        says=f'/status: the JSON error envelope, {_FAILS}; "fail"',
    ),
    faulty(
        "has no words for a failure",
        on(WHOLE, with_json("/error/message", "")),
        "errors.backend-failure-told",
        says=f'/error/message: the JSON error envelope, {_FAILS}; ""',
    ),
    faulty(
        "numbers the failures of its backend",
        on(WHOLE, with_json("/error/code", 502)),
        "errors.backend-failure-told",
        says=f"/error/code: the JSON error envelope, {_FAILS}; 502",
    ),
    faulty(
        "is unavailable without a word",
        on(WHOLE, with_status(503), with_body(_NO_MESSAGE)),
        "errors.backend-failure-told",
        says=f"/error/message: the JSON error envelope, {_FAILS}; nothing",
    ),
    faulty(
        "streams its failures to whoever asked for no stream",
        on(_unstreamed, with_status(200), with_body(_UNFIT, "text/event-stream")),
        "errors.backend-failure-told",
        says="an HTTP error, of a backend that",
    ),
    faulty(
        "calls throttling a failure",
        told_as(502, "BACKEND_ERROR", of=("http-429",)),
        "errors.backend-failure-code",
        says="/error/code: BACKEND_RATE_LIMITED or MODEL_UNAVAILABLE, of a backend that throttles (429) and "
        'does not say how long; "BACKEND_ERROR"',
    ),
    faulty(
        "says that it is throttled by the status for what is not available",
        on(THROTTLED, with_status(503)),
        "errors.backend-failure-code",
        says="status: HTTP 429 for BACKEND_RATE_LIMITED; HTTP 503 BACKEND_RATE_LIMITED",
    ),
    faulty(
        "serves a stream of one error where its backend refused",
        on(asking("scripted.http-500"), with_status(200), with_body(_UNFIT, "text/event-stream")),
        "stream.failure-before-first-token",
        "errors.backend-failure-code",
        says=f"status: an HTTP error, {_FAILS}; HTTP 200",
    ),
)


_TYPED: Final = event({"error": {"message": "The backend failed.", "type": "server_error", "param": None}})

VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "tells of a death on the other surface in the words of that",
        on(
            dead_streams,
            each_block(lambda block: _TYPED if block.startswith(b"event: error") else block),
            _elsewhere,
        ),
    ),
    odd(
        "breaks off with its backend on the other surface",
        on(dead_streams, without_error_event, rewritten(DONE, b""), cut(Ending.RESET), _elsewhere),
    ),
    odd(
        "tells of a death on the other surface and says no more",
        on(dead_streams, rewritten(DONE, b""), _elsewhere),
    ),
    odd(
        "stands behind a proxy that is busy once, and says so in plain text",
        on(WHOLE, with_status(503), with_body(b"Service Unavailable", "text/plain")),
    ),
    odd(
        "calls what its backend finds wrong a bad request",
        on(playing("http-400"), with_status(400)),
    ),
)
