"""Servers that report wrongly what broke behind them."""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

from conformance.server.answers import Chunk, ErrorEvent, StreamEvent, StreamEvents
from conformance.server.app import Dropped
from conformance.server.changes import (
    GONE,
    Change,
    in_error_events,
    in_refusals,
    instead,
    told,
)
from conformance.server.deviation import Fault
from conformance.server.faults.telling import BROKEN, coded, telling, turning

BACKEND: Final = coded("BACKEND_ERROR")
TIMEOUT: Final = coded("BACKEND_TIMEOUT")
LIMITED: Final = coded("RATE_LIMITED")
THROTTLED: Final = coded("BACKEND_RATE_LIMITED")
AWAY: Final = coded("MODEL_UNAVAILABLE")
DENIED: Final = coded("MODEL_ACCESS_DENIED")
BROUGHT: Final = coded(
    "BACKEND_ERROR",
    "BACKEND_TIMEOUT",
    "RATE_LIMITED",
    "BACKEND_RATE_LIMITED",
    "MODEL_UNAVAILABLE",
    "MODEL_ACCESS_DENIED",
)
PROXY: Final = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    b"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
HIDDEN: Final = ("stream.error-", "stream.sound-before-error")
CODES: Final = (
    "errors.backend-error-code",
    "errors.backend-timeout-code",
    "errors.rate-limited-code",
    "errors.backend-rate-limited-code",
    "errors.model-unavailable-code",
    "errors.model-access-denied-code",
)
AGREE: Final = "errors.rate-limited-retry-after-agree"


def _in_the_place_of_errors(edit: Callable[[Any, ErrorEvent], Iterable[StreamEvent]]) -> Change:
    """Other events in the place of an error event, made of the document of the chunk before it."""

    async def edited(events: StreamEvents) -> StreamEvents:
        before: Any = {}
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Chunk):
                    before = event.document
                for made in edit(before, event) if isinstance(event, ErrorEvent) else (event,):
                    yield made

    return told(edited)


def _saying(document: Any, text: str) -> Chunk:
    return Chunk(document={**document, "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def _drops(_document: Any, _event: ErrorEvent) -> Iterable[StreamEvent]:
    raise Dropped


CODED: Final = (
    Fault(
        id="errors-backend-error-is-ours",
        does="calls a failure of the backend its own, with 500",
        change=turning(BACKEND, **BROKEN),
        red=("errors.backend-error-code",),
        says="status: HTTP 502; HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="errors-backend-error-without-its-code",
        does="gives a failure of the backend the code of its upstream",
        change=turning(BACKEND, code="UPSTREAM_ERROR"),
        red=("errors.backend-error-code",),
        says='/error/code: BACKEND_ERROR; "UPSTREAM_ERROR"',
    ),
    Fault(
        id="errors-backend-error-is-200",
        does="passes a backend's error on under the status 200",
        change=turning(BACKEND, status=200),
        red=("errors.backend-error-code", "response.status-ok", "response.data-object"),
        says="status: HTTP 502; HTTP 200 with an error in it",
        wild=("F-ERR-02",),
    ),
    Fault(
        id="errors-failures-are-200",
        does="answers 200 with the error envelope whatever fails behind it",
        change=turning(BROUGHT, status=200),
        red=(*CODES, "response.status-ok", "response.data-object"),
        says="status: HTTP 502; HTTP 200 with an error in it",
        unseen=(
            "errors.failures-enveloped",
            "errors.rate-limited-retry-after",
            "errors.backend-rate-limited-retry-after",
        ),
        wild=("F-ERR-02",),
    ),
    Fault(
        id="errors-timeout-is-a-backend-error",
        does="calls a slow backend a broken one",
        change=turning(TIMEOUT, status=502, code="BACKEND_ERROR"),
        red=("errors.backend-timeout-code",),
        says="status: HTTP 504; HTTP 502 BACKEND_ERROR",
    ),
    Fault(
        id="errors-timeout-is-the-clients",
        does="answers 408 when the backend is slow",
        change=turning(TIMEOUT, status=408),
        red=("errors.backend-timeout-code",),
        says="status: HTTP 504; HTTP 408 BACKEND_TIMEOUT",
    ),
    Fault(
        id="errors-timeout-told-by-the-proxy",
        does="leaves a slow backend to its proxy, which gives up in HTML",
        change=telling(TIMEOUT, instead(504, PROXY.replace(b"502 Bad Gateway", b"504 Gateway Time-out"), "text/html")),
        red=("errors.backend-timeout-code", "errors.json", "errors.failures-enveloped"),
        says="/error/code: BACKEND_TIMEOUT; nothing",
    ),
    Fault(
        id="errors-rate-limit-is-unavailability",
        does="answers 503 above the rate limit",
        change=turning(LIMITED, status=503),
        red=("errors.rate-limited-code",),
        says="status: HTTP 429; HTTP 503 RATE_LIMITED",
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-rate-limit-crashes",
        does="fails with 500 above the rate limit, and says nothing of waiting",
        change=turning(LIMITED, **BROKEN, retry_after=None),
        red=("errors.rate-limited-code", "errors.rate-limited-retry-after"),
        says="status: HTTP 429; HTTP 500 INTERNAL_ERROR",
        unseen=(AGREE,),
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-rate-limit-under-another-name",
        does="calls the rate limit too many requests",
        change=turning(LIMITED, code="TOO_MANY_REQUESTS"),
        red=("errors.rate-limited-code",),
        says='/error/code: RATE_LIMITED; "TOO_MANY_REQUESTS"',
    ),
    Fault(
        id="errors-throttled-backend-is-broken",
        does="calls a backend that throttles a broken one",
        change=turning(THROTTLED, status=502, code="BACKEND_ERROR", retry_after=None),
        red=("errors.backend-rate-limited-code", "errors.backend-rate-limited-retry-after"),
        says="status: HTTP 429; HTTP 502 BACKEND_ERROR",
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-throttled-backend-crashes",
        does="fails with 500 when the backend throttles",
        change=turning(THROTTLED, status=500),
        red=("errors.backend-rate-limited-code",),
        says="status: HTTP 429; HTTP 500 BACKEND_RATE_LIMITED",
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-model-away-is-a-bad-gateway",
        does="answers 502 for a model without a healthy backend",
        change=turning(AWAY, status=502),
        red=("errors.model-unavailable-code",),
        says="status: HTTP 503; HTTP 502 MODEL_UNAVAILABLE",
    ),
    Fault(
        id="errors-model-away-does-not-exist",
        does="says that a model without a healthy backend does not exist",
        change=turning(AWAY, status=404, code="MODEL_NOT_FOUND"),
        red=("errors.model-unavailable-code",),
        says="status: HTTP 503; HTTP 404 MODEL_NOT_FOUND",
    ),
    Fault(
        id="errors-model-denied-does-not-exist",
        does="says that a model does not exist which the tenant may not use",
        change=turning(DENIED, status=404, code="MODEL_NOT_FOUND"),
        red=("errors.model-access-denied-code",),
        says="status: HTTP 403; HTTP 404 MODEL_NOT_FOUND",
    ),
    Fault(
        id="errors-model-denied-needs-a-key",
        does="answers 401 for a model that the tenant may not use",
        change=turning(DENIED, status=401),
        red=("errors.model-access-denied-code", "auth.bearer-accepted"),
        says="status: HTTP 403; HTTP 401 MODEL_ACCESS_DENIED",
    ),
)

ENVELOPE: Final = (
    Fault(
        id="errors-failure-is-a-string",
        does="tells what failed behind it as a string",
        change=in_refusals("/error", "upstream failed", BACKEND),
        red=("errors.failures-enveloped", "errors.backend-error-code"),
        says="/error/code: the JSON error envelope; nothing",
        wild=("F-ERR-05",),
    ),
    Fault(
        id="errors-failure-without-words",
        does="gives a failure a code and no message",
        change=in_refusals("/error/message", GONE, TIMEOUT),
        red=("errors.failures-enveloped",),
        says="/error/message: the JSON error envelope; nothing",
        wild=("F-ERR-05",),
    ),
    Fault(
        id="errors-failure-under-ok",
        does='tells of a failure under the status "ok"',
        change=in_refusals("/status", "ok", AWAY),
        red=("errors.failures-enveloped",),
        says='/status: the JSON error envelope; "ok"',
    ),
    Fault(
        id="errors-proxy-answers-for-the-backend",
        does="leaves a broken backend to its proxy, which answers in HTML",
        change=telling(BACKEND, instead(502, PROXY, "text/html")),
        red=("errors.failures-enveloped", "errors.backend-error-code", "errors.json"),
        says="/status: the JSON error envelope; nothing",
    ),
    Fault(
        id="errors-failure-in-plain-text",
        does="tells of a broken backend in plain text",
        change=telling(BACKEND, instead(502, b"upstream connect error", "text/plain")),
        red=("errors.failures-enveloped", "errors.backend-error-code", "errors.json"),
        says="/status: the JSON error envelope; nothing",
    ),
)

MIDSTREAM: Final = (
    Fault(
        id="errors-hidden-in-a-chunk",
        does="hides a failure in mid-stream in a chunk without choices",
        change=_in_the_place_of_errors(
            lambda before, event: [Chunk(document={**before, "choices": [], "error": event.document})]
        ),
        red=("stream.error-event", "stream.choices-not-empty", "finish.stream-says-why"),
        says="with no word of the failure",
        unseen=HIDDEN,
        wild=("F-ERR-03",),
    ),
    Fault(
        id="errors-cut-the-stream",
        does="closes the connection when a stream fails",
        change=_in_the_place_of_errors(_drops),
        red=("stream.error-event", "stream.done-after-error", "request.answer-is-whole"),
        says="with no word of the failure",
        unseen=HIDDEN,
        wild=("F-ERR-04",),
    ),
    Fault(
        id="errors-raw-in-the-stream",
        does="writes the words of a failure into the stream as they are",
        change=in_error_events(b"upstream connect error or disconnect before headers\n\n"),
        red=("stream.error-event", "stream.known-fields", "finish.stream-says-why"),
        says="with no word of the failure",
        unseen=HIDDEN,
        wild=("F-ERR-04",),
    ),
    Fault(
        id="errors-event-is-a-string",
        does="tells of a failure in mid-stream by a string",
        change=in_error_events(b'event: error\ndata: "upstream failed"\n\n'),
        red=("stream.error-code", "stream.error-message"),
        says='an object with a non-empty string `code`; "upstream failed"',
        wild=("F-ERR-05",),
    ),
    Fault(
        id="errors-event-without-words",
        does="tells of a failure in mid-stream by a code alone",
        change=in_error_events(b'event: error\ndata: {"code":"BACKEND_ERROR"}\n\n'),
        red=("stream.error-message",),
        says="an object with a non-empty string `message`; {",
        wild=("F-ERR-05",),
    ),
    Fault(
        id="errors-said-by-the-assistant",
        does="lets the assistant say that the backend failed, and ends the stream",
        change=_in_the_place_of_errors(lambda before, _: [_saying(before, "\n[Error: the backend failed]")]),
        red=("stream.error-event", "finish.stream-says-why"),
        says="with no word of the failure",
        unseen=HIDDEN,
        wild=("F-ERR-10",),
    ),
)

FAULTS: Final = (*CODED, *ENVELOPE, *MIDSTREAM)
