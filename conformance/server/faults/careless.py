"""Servers that look less closely at what asks for a stream, or at which code goes with which status."""

from typing import Any, Final

from conformance.server.changes import mending, only, streams
from conformance.server.deviation import Fault
from conformance.server.faults.telling import arriving, turning
from conformance.server.generation import Failure
from conformance.server.model import MINI
from conformance.server.site import Arrival


def _written_widely(arrival: Arrival) -> bool:
    return b'"stream":true' not in (arrival.body or b"")


def _accepting_json(arrival: Arrival) -> bool:
    return arrival.headers.get("accept") == "application/json"


def _unstreamed(document: Any) -> Any:
    return {**document, "stream": False} if isinstance(document, dict) else document


def _of_a_known_model(document: Any) -> Any:
    known = str(document.get("model", "reference/")).startswith("reference/")
    return document if known else {**document, "model": MINI}


def _within_bounds(document: Any) -> Any:
    if isinstance(document.get("stop"), dict):
        del document["stop"]
    if isinstance(document.get("temperature"), int | float):
        document["temperature"] = min(max(document["temperature"], 0), 2)
    return document


def _of_a_limit(failure: Failure) -> bool:
    return any(detail.field == "max_tokens" for detail in failure.details)


FAULTS: Final = (
    Fault(
        id="stream-asked-in-one-spelling",
        does="looks for a stream in the bytes of the body, where no blank may stand",
        change=only(streams, arriving(_written_widely, mending(_unstreamed))),
        red=("parameters.stream-true",),
        says="an event stream; a body of application/json",
    ),
    Fault(
        id="stream-unless-json-is-accepted",
        does="answers in JSON whoever accepts that alone, also where a stream is asked for",
        change=only(streams, arriving(_accepting_json, mending(_unstreamed))),
        red=("parameters.stream-true",),
        says="an event stream; a body of application/json",
    ),
    Fault(
        id="stream-of-another-model",
        does="streams with its own model for a slug that names none",
        change=only(streams, mending(_of_a_known_model)),
        red=("stream.errors-before-are-http", "stream.same-model"),
        says="HTTP 200 with an event stream",
    ),
    Fault(
        id="stream-not-validated",
        does="drops or clamps what is wrong in a request for a stream",
        change=only(streams, mending(_within_bounds)),
        red=("stream.errors-before-are-http", "parameters.temperature-above"),
        says="HTTP 200 with an event stream",
    ),
    Fault(
        id="errors-with-the-code-of-another-status",
        does="calls a wrong max_tokens a failure of its backend, with 422",
        change=turning(_of_a_limit, code="BACKEND_ERROR"),
        red=("errors.code-has-its-status", "parameters.refusals-say-validation"),
        says="status: HTTP 502 for BACKEND_ERROR; HTTP 422",
    ),
)
