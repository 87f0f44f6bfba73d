"""Servers that report wrongly what broke behind them, or how long to wait, and some that report it oddly."""

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Final

from conformance.exchange import Exchange
from conformance.server.changes import GONE
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    One,
    When,
    asking,
    on,
    refusals,
    with_body,
    with_header,
    with_json,
    with_status,
)

WAIT: Final = "/error/retry_after"


def but(when: When, pointer: str, value: Any) -> Change:
    """Some refusals with another value at a pointer."""
    return on(when, with_json(pointer, value))


def plain(status: int, body: str, media_type: str = "text/plain") -> tuple[One, One]:
    return with_status(status), with_body(body.encode(), media_type)


def _waits(name: str, value: Any, says: str) -> Miniature:
    """An error that needs no wait says one."""
    change = but(asking("failures.model-unavailable"), WAIT, value)
    return faulty(name, change, "errors.retry-after-form", says=f"{WAIT}: a number of seconds; {says}")


WAITS: Final = (
    _waits("writes the wait as a string", "30", '"30"'),
    _waits("writes the wait with its unit", "30s", '"30s"'),
    _waits("dates the end of the wait", "2030-01-01T00:00:00Z", '"2030-'),
    _waits("waits backwards", -1, "-1"),
    _waits("says yes to waiting", value=True, says="true"),
    faulty(
        "writes the wait of its own limit as a string",
        but(asking("failures.rate-limited"), WAIT, "2"),
        "errors.retry-after-form",
        "errors.rate-limited-retry-after",
        says=f'{WAIT}: a number of seconds; "2"',
        unseen=("errors.rate-limited-retry-after-agree",),
    ),
)


def dated(seconds: int) -> One:
    """A Retry-After that is a date so many seconds after the answer's own."""

    def one(exchange: Exchange) -> Exchange:
        assert exchange.response is not None
        until = parsedate_to_datetime(exchange.response.header("date") or "") + timedelta(seconds=seconds)
        return with_header("Retry-After", format_datetime(until, usegmt=True))(exchange)

    return one


BROUGHT: Final = {
    "backend-error": (502, "BACKEND_ERROR"),
    "backend-timeout": (504, "BACKEND_TIMEOUT"),
    "rate-limited": (429, "RATE_LIMITED"),
    "backend-rate-limited": (429, "BACKEND_RATE_LIMITED"),
    "model-unavailable": (503, "MODEL_UNAVAILABLE"),
    "model-access-denied": (403, "MODEL_ACCESS_DENIED"),
}
OWN: Final = asking("failures.rate-limited")
THEIRS: Final = asking("failures.backend-rate-limited")
AGREE: Final = ("errors.rate-limited-retry-after-agree",)


def _brought(name: str, status: int, code: str) -> tuple[Miniature, ...]:
    """The failure flattened to one of the server's own, and its code lost."""
    when = asking(f"failures.{name}")
    return (
        faulty(
            f"answers {name} with 500",
            on(when, with_status(500)),
            f"errors.{name}-code",
            says=f"status: HTTP {status}; HTTP 500 {code}",
        ),
        faulty(
            f"loses the code of {name}",
            on(when, with_json("/error/code", "UPSTREAM_FAILED")),
            f"errors.{name}-code",
            says=f'/error/code: {code}; "UPSTREAM_FAILED"',
            unseen=(f"errors.{name}-retry-after",),
        ),
    )


FAILURES: Final = (
    *(each for name, (status, code) in BROUGHT.items() for each in _brought(name, status, code)),
    faulty(
        "keeps its limit to itself",
        but(OWN, WAIT, GONE),
        "errors.rate-limited-retry-after",
        says=f"{WAIT}: a number of seconds; nothing",
        unseen=AGREE,
    ),
    faulty(
        "sends no Retry-After",
        on(OWN, with_header("Retry-After", None)),
        "errors.rate-limited-retry-after",
        says="header retry-after: a header Retry-After; none",
        unseen=AGREE,
    ),
    *(
        faulty(
            f"writes {said} for its Retry-After",
            on(OWN, with_header("Retry-After", said)),
            "errors.rate-limited-retry-after",
            says=f'header retry-after: seconds or a date (RFC 9110, 10.2.3); "{said}"',
            unseen=AGREE,
        )
        for said in ("soon", "2 seconds", "\u00b2")
    ),
    faulty(
        "writes milliseconds in the body",
        but(OWN, WAIT, 2000),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 2000, as in the body; 2",
    ),
    faulty(
        "dates its Retry-After by another clock",
        on(OWN, dated(3602)),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 2, as in the body; ",
    ),
    faulty(
        "keeps the backend's limit to itself",
        but(THEIRS, WAIT, GONE),
        "errors.backend-rate-limited-retry-after",
        says=f"{WAIT}: a number of seconds; nothing",
    ),
    faulty(
        "gives a failure as a string",
        on(asking("failures.backend-error"), with_json("/error", "upstream failed")),
        "errors.failures-enveloped",
        "errors.backend-error-code",
        says="/error/code: the JSON error envelope; nothing",
    ),
    faulty(
        "gives a failure without a message",
        but(asking("failures.backend-timeout"), "/error/message", GONE),
        "errors.failures-enveloped",
        says="/error/message: the JSON error envelope; nothing",
    ),
    faulty(
        "passes its proxy's page on",
        on(asking("failures.backend-error"), *plain(502, "<html>Bad Gateway</html>", "text/html")),
        "errors.failures-enveloped",
        "errors.backend-error-code",
        "errors.json",
        says="/status: the JSON error envelope; nothing",
    ),
    faulty(
        "passes its backend's error on as a success",
        on(asking("failures.backend-error"), with_status(200)),
        "errors.backend-error-code",
        "response.status-ok",
        "response.data-object",
        says="status: HTTP 502; HTTP 200 with an error in it",
    ),
)


MINIATURES: Final[tuple[Miniature, ...]] = (*WAITS, *FAILURES)
VARIANTS: Final[tuple[Variant, ...]] = (
    odd("says how long to wait in fractions", on(refusals, with_json(WAIT, 2.5))),
    odd("waits not at all", on(THEIRS, with_json(WAIT, 0))),
    odd("says null of waiting", on(asking("failures.backend-error"), with_json(WAIT, None))),
    odd("dates its Retry-After", on(OWN, dated(2))),
    odd("dates its Retry-After a second later by its clock", on(OWN, dated(3))),
    odd("dates its Retry-After and nothing else", on(OWN, dated(3600), with_header("Date", None)), *AGREE),
    odd("rounds its Retry-After up", on(OWN, with_json(WAIT, 1.2))),
    odd("sends no Retry-After for the backend", on(THEIRS, with_header("retry-after", None))),
    odd(
        "names a request that it limits",
        on(OWN, with_json("/meta", {"request_id": "req_7"}), with_header("X-Id", "req_7")),
    ),
)
