"""Failures that only the operator can bring about: each needs a trigger of the target file."""

from conformance.probes import plain, stream

DIES_MID_STREAM = stream.COUNTING.sent(
    "failures.mid-stream-error",
    "A stream whose backend fails after it began.",
    quick=True,
    trigger="mid_stream_error",
    may_fail=True,
)

CONTENT_FILTER = plain.GREETING.sent(
    "failures.content-filter", "An answer that the safety filter stops.", trigger="content_filter", may_fail=True
)

PROBES = (DIES_MID_STREAM, CONTENT_FILTER)
