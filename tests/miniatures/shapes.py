"""Servers that put values of a wrong kind where others are read, and failures that are none."""

from typing import Final

from conformance.probes import failures, parameters, plain, stream
from conformance.server.changes import GONE
from tests.miniatures.calls import CALL, CALLS, NAME, first
from tests.miniatures.conversation import CONTENT
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    Exchanges,
    One,
    after,
    answers,
    asking,
    on,
    refusals,
    refused,
    with_body,
    with_json,
    with_status,
)

FAILING: Final = asking(failures.BACKEND_ERROR.name)
BACKEND: Final = "reference/backend-error"
CALLING: Final = asking(stream.TOOL_CALL.name)


def _on_failing(*ones: One) -> Change:
    """An answer where the backend should fail."""
    return after(as_told(plain.GREETING.name, FAILING), on(FAILING, with_json("/data/model", BACKEND), *ones))


def _served_only(exchanges: Exchanges) -> Exchanges:
    """A run in which nothing was refused and nothing failed."""
    return tuple(exchange for exchange in exchanges if answers(exchange))


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "numbers the fields of its details",
        on(refusals, with_json("/error/details", [{"field": 7, "message": "no"}])),
        "errors.details-form",
        "errors.details-name-the-field",
        says="/error/details: an array of objects with field and message; [{",
    ),
    faulty(
        "refuses with a trace in Latin-1",
        on(asking(parameters.NO_MESSAGES.name), with_body(b'File "/srv/Z\xfcrich.py", line 3')),
        "errors.no-trace",
        "errors.json",
        "parameters.refusals-are-enveloped",
        says='words for a client; "File \\"/srv/Z\\\\xfcrich.py',
    ),
    faulty(
        "calls a failure of the backend a bad request",
        on(FAILING, with_status(400)),
        "errors.backend-error-code",
        says="status: HTTP 502; HTTP 400 BACKEND_ERROR",
    ),
    faulty(
        "fails in another way than the backend",
        on(FAILING, refused(500, "INTERNAL_ERROR")),
        "errors.backend-error-code",
        says="status: HTTP 502; HTTP 500 INTERNAL_ERROR",
    ),
    faulty(
        "chooses nothing where the backend should fail",
        _on_failing(with_json("/data/choices", GONE)),
        "response.choices",
        says="/data/choices: an array with at least one object; nothing",
        unseen=("errors.backend-error-code",),
    ),
    faulty(
        "lists the name of the function that it calls",
        on(first, with_json(NAME, ["get_weather"])),
        "tools.call-name-declared",
        says="the name of a declared function; name is [",
    ),
    faulty(
        "writes a word for its calls",
        on(asking(parameters.CHOICE_REQUIRED.name), with_json(CALLS, "none")),
        "tools.no-call-is-falsy",
        says='no tool_calls, null or []; "none"',
    ),
    faulty(
        "answers a stream of a tool call with a call in JSON, and oddly",
        after(as_told("tools.required-call", CALLING), on(CALLING, with_json(CALL + "/id", ""))),
        "stream.tool-framing",
        says="an event stream, as without tools; a body of application/json",
        unseen=("tools.stream-",),
    ),
    faulty(
        "refuses to answer in one piece",
        on(asking(parameters.STREAM_FALSE.name), refused(422, "VALIDATION_ERROR")),
        "parameters.stream-false",
        says="status: one JSON answer; HTTP 422",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("has no trigger that brings a failure", _on_failing(), "errors.backend-error-code"),
    odd(
        "has no trigger that brings a failure, and room for an error in every answer",
        _on_failing(with_json("/error", {})),
        "errors.backend-error-code",
    ),
    odd(
        "speaks of a trace",
        on(asking(plain.GREETING.name), with_json(CONTENT, "Traceback (most recent call last)")),
    ),
    odd("was never asked what it refuses", _served_only, ""),
)
