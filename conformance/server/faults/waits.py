"""Servers that say wrongly how long to wait, or leave out what a header should say."""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

from conformance.server.changes import (
    GONE,
    Change,
    each_head,
    in_refusals,
    one_in,
    only,
    plain,
    streams,
    with_field,
)
from conformance.server.deviation import Fault
from conformance.server.faults.telling import coded, turning

WAIT: Final = "/error/retry_after"
AGREE: Final = "errors.rate-limited-retry-after-agree"
LIMITED: Final = coded("RATE_LIMITED")
THROTTLED: Final = coded("BACKEND_RATE_LIMITED")
AWAY: Final = coded("MODEL_UNAVAILABLE")


def _header(edit: Callable[[str], str]) -> Change:
    """Another Retry-After, where there is one."""
    return each_head(
        lambda fields, _: {name: edit(value) if name == "Retry-After" else value for name, value in fields.items()}
    )


WAITS: Final = (
    Fault(
        id="errors-rate-limit-without-a-wait",
        does="says in a header only how long to wait",
        change=in_refusals(WAIT, GONE, LIMITED),
        red=("errors.rate-limited-retry-after",),
        says="/error/retry_after: a number of seconds; nothing",
        unseen=(AGREE,),
    ),
    Fault(
        id="errors-rate-limit-without-the-header",
        does="loses Retry-After on the way out",
        change=with_field("Retry-After", None),
        red=("errors.rate-limited-retry-after",),
        says="header retry-after: a header Retry-After; none",
        unseen=(AGREE,),
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-waits-in-words",
        does="writes the unit beside the number of Retry-After",
        change=_header(lambda seconds: f"{seconds} seconds"),
        red=("errors.rate-limited-retry-after",),
        says='header retry-after: seconds or a date (RFC 9110, 10.2.3); "2 seconds"',
        unseen=(AGREE,),
    ),
    Fault(
        id="errors-waits-in-milliseconds",
        does="writes retry_after in milliseconds",
        change=in_refusals(WAIT, lambda seconds: int(seconds * 1000)),
        red=(AGREE,),
        says="header retry-after: about 2000, as in the body; 2",
    ),
    Fault(
        id="errors-waits-in-minutes",
        does="writes Retry-After in minutes",
        change=_header(lambda _: "0"),
        red=(AGREE,),
        says="header retry-after: about 2, as in the body; 0",
    ),
    Fault(
        id="errors-waits-until-another-hour",
        does="writes Retry-After as a date of another time zone",
        change=_header(lambda seconds: formatdate(time.time() + 3600 + float(seconds), usegmt=True)),
        red=(AGREE,),
        says="header retry-after: about 2, as in the body; ",
    ),
    Fault(
        id="errors-throttled-backend-without-a-wait",
        does="keeps to itself how long the backend asks to wait",
        change=turning(THROTTLED, retry_after=None),
        red=("errors.backend-rate-limited-retry-after",),
        says="/error/retry_after: a number of seconds; nothing",
        wild=("F-ERR-08",),
    ),
    Fault(
        id="errors-waits-with-a-unit",
        does="writes the wait for a model with its unit",
        change=in_refusals(WAIT, "30s", AWAY),
        red=("errors.retry-after-form",),
        says='/error/retry_after: a number of seconds; "30s"',
    ),
    Fault(
        id="errors-waits-backwards",
        does="counts the wait for a model from a moment that has passed",
        change=in_refusals(WAIT, -1, AWAY),
        red=("errors.retry-after-form",),
        says="/error/retry_after: a number of seconds; -1",
    ),
    Fault(
        id="errors-waits-as-strings",
        does="writes every wait as a string",
        change=in_refusals(WAIT, str),
        red=(
            "errors.retry-after-form",
            "errors.rate-limited-retry-after",
            "errors.backend-rate-limited-retry-after",
        ),
        says='/error/retry_after: a number of seconds; "2"',
        unseen=(AGREE,),
    ),
)

HEADERS: Final = (
    Fault(
        id="errors-request-id-in-the-body-alone",
        does="tells the request id in the body alone",
        change=with_field("X-Request-Id", None),
        red=("errors.request-id-header",),
        says="whole: a header with the value ",
    ),
    Fault(
        id="errors-request-id-of-the-proxy",
        does="lets its proxy write a request id of its own",
        change=with_field("X-Request-Id", "5f3a9c5f3a9c"),
        red=("errors.request-id-header",),
        says="whole: a header with the value ",
    ),
    Fault(
        id="errors-request-id-not-for-errors",
        does="leaves the request id out of the header of an error",
        change=each_head(
            lambda fields, failure: {
                name: value for name, value in fields.items() if failure is None or name != "X-Request-Id"
            }
        ),
        red=("errors.request-id-header",),
        says="whole: a header with the value ",
    ),
    Fault(
        id="errors-rate-headers-missing",
        does="tells nothing of its rate",
        change=each_head(
            lambda fields, _: {name: value for name, value in fields.items() if not name.startswith("X-Scaigrid-")}
        ),
        red=("errors.rate-limit-headers",),
        says="header x-scaigrid-ratelimit-limit: X-Scaigrid-Ratelimit-Limit, X-Scaigrid-Ratelimit-Remaining, ",
    ),
    Fault(
        id="errors-rate-headers-in-words",
        does="says in words how many requests are left",
        change=with_field("X-Scaigrid-Ratelimit-Remaining", "-17 of 60"),
        red=("errors.rate-limit-headers",),
        says='header x-scaigrid-ratelimit-remaining: a number of requests; "-17 of 60"',
    ),
    Fault(
        id="errors-rate-headers-not-in-streams",
        does="tells nothing of its rate in streams",
        change=only(streams, with_field("X-Scaigrid-Ratelimit-Remaining", None)),
        red=("errors.rate-limit-headers",),
        says="header x-scaigrid-ratelimit-remaining: X-Scaigrid-Ratelimit-Remaining; no such header",
    ),
    Fault(
        id="errors-rate-headers-now-and-then",
        does="forgets in one JSON answer of fifteen when its rate is reset",
        change=one_in(15, with_field("X-Scaigrid-Ratelimit-Reset", None), when=plain, first=1),
        red=("errors.rate-limit-headers",),
        says="header x-scaigrid-ratelimit-reset: X-Scaigrid-Ratelimit-Reset; no such header",
    ),
)

FAULTS: Final = (*WAITS, *HEADERS)
