"""Failures that only the operator can bring about: each needs a trigger of the target file."""

from conformance.probe import Probe
from conformance.probes import plain, stream

DIES_MID_STREAM = stream.GREETING.sent(
    "failures.mid-stream-error",
    "A stream whose backend fails after it began.",
    quick=True,
    trigger="mid_stream_error",
    may_fail=True,
)

CONTENT_FILTER = plain.GREETING.sent(
    "failures.content-filter", "An answer that the safety filter stops.", trigger="content_filter", may_fail=True
)

FILTERED_STREAM = stream.GREETING.sent(
    "failures.content-filter-streamed",
    "A stream that the safety filter stops.",
    trigger="content_filter",
    may_fail=True,
)


def _brought(trigger: str, asks: str) -> Probe:
    return plain.GREETING.sent(f"failures.{trigger.replace('_', '-')}", asks, trigger=trigger, may_fail=True)


BACKEND_ERROR = _brought("backend_error", "An answer whose backend fails before the first token.")
BACKEND_TIMEOUT = _brought("backend_timeout", "An answer whose backend is too slow.")
RATE_LIMITED = _brought("rate_limited", "A request above the rate limit.")
BACKEND_RATE_LIMITED = _brought("backend_rate_limited", "A request whose backend throttles.")
MODEL_UNAVAILABLE = _brought("model_unavailable", "A model without a healthy backend.")
MODEL_ACCESS_DENIED = _brought("model_access_denied", "A model that the tenant may not use.")

REFUSALS = (
    BACKEND_ERROR,
    BACKEND_TIMEOUT,
    RATE_LIMITED,
    BACKEND_RATE_LIMITED,
    MODEL_UNAVAILABLE,
    MODEL_ACCESS_DENIED,
)

PROBES = (DIES_MID_STREAM, CONTENT_FILTER, FILTERED_STREAM, *REFUSALS)
