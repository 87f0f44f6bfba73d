"""Servers that take a key which they must refuse, or refuse it wrongly."""

from typing import Final

from tests.miniatures.model import faulty
from tests.miniatures.refusals import SERVED, error_stream, with_answer
from tests.miniatures.retold import as_told
from tests.miniatures.wire import asking, on, refused, with_body, with_header, with_json, with_status

SIGN: Final = asking("auth.no-key", "auth.wrong-key", "auth.bare-key", "stream.wrong-key")

MINIATURES: Final = (
    faulty(
        "serves a stream without a key",
        as_told("stream.greeting", asking("stream.no-key")),
        "auth.refused-before-stream",
        says="an HTTP error in JSON; HTTP 200 with an event stream",
    ),
    faulty(
        "forbids a stream's wrong key",
        on(asking("stream.wrong-key"), with_status(403), with_json("/error/code", "MODEL_NOT_FOUND")),
        "auth.wrong-is-401",
        "auth.wrong-code",
        says="HTTP 401; HTTP 403 MODEL_NOT_FOUND",
    ),
    faulty(
        "takes a key under another scheme",
        SERVED(asking("auth.other-scheme")),
        "auth.scheme-needed",
        says="status: HTTP 401; HTTP 200",
    ),
    faulty(
        "takes a key with more behind it",
        SERVED(asking("auth.longer-key")),
        "auth.wrong-refused",
        says="a refusal (HTTP 4xx); HTTP 200",
    ),
    faulty(
        "knows one case of a header's name",
        on(asking("auth.lower-case"), refused(401, "AUTH_TOKEN_MISSING")),
        "auth.bearer-accepted",
        says="status: the key is accepted; HTTP 401 AUTH_TOKEN_MISSING",
    ),
    faulty(
        "serves whoever comes",
        SERVED(asking("auth.no-key")),
        "auth.missing-refused",
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.missing-",),
    ),
    faulty(
        "refuses with HTTP 200",
        on(asking("auth.no-key"), with_status(200)),
        "auth.missing-refused",
        says="a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.missing-",),
    ),
    faulty(
        "forbids instead of asking for a key",
        on(asking("auth.no-key"), with_status(403)),
        "auth.missing-is-401",
        says="status: HTTP 401; HTTP 403",
    ),
    faulty(
        "calls a missing key invalid",
        on(asking("auth.no-key"), with_json("/error/code", "AUTH_TOKEN_INVALID")),
        "auth.missing-code",
        says="AUTH_TOKEN_MISSING; ",
    ),
    faulty(
        "takes any key",
        SERVED(asking("auth.wrong-key")),
        "auth.wrong-refused",
        says="HTTP 200",
        unseen=("auth.wrong-",),
    ),
    faulty(
        "breaks over a wrong key",
        on(asking("auth.wrong-key"), with_status(500)),
        "auth.wrong-refused",
        "auth.wrong-is-401",
        says="a refusal (HTTP 4xx); HTTP 500",
    ),
    faulty("forbids a wrong key", on(asking("auth.wrong-key"), with_status(403)), "auth.wrong-is-401", says="HTTP 403"),
    faulty(
        "calls a wrong key missing",
        on(asking("auth.wrong-key"), with_json("/error/code", "AUTH_TOKEN_MISSING")),
        "auth.wrong-code",
        says="AUTH_TOKEN_INVALID; ",
    ),
    faulty(
        "takes a key without Bearer",
        SERVED(asking("auth.bare-key")),
        "auth.scheme-needed",
        says="status: HTTP 401; HTTP 200",
    ),
    faulty(
        "calls a bare key a validation error",
        on(asking("auth.bare-key"), with_json("/error/code", "VALIDATION_ERROR")),
        "auth.scheme-needed",
        says="/error/code: AUTH_TOKEN_MISSING or AUTH_TOKEN_INVALID; VALIDATION_ERROR",
    ),
    faulty(
        "gives only a detail when it refuses a key",
        on(SIGN, *with_answer(401, {"detail": "Not authenticated"})),
        "auth.refusal-is-enveloped",
        "errors.request-id",
        says='/status: "error"; nothing',
        unseen=("auth.missing-code", "auth.wrong-code"),
    ),
    faulty(
        "refuses a key in plain text",
        on(SIGN, with_body(b"Unauthorized", "text/plain")),
        "auth.refusal-is-enveloped",
        "auth.refused-before-stream",
        "errors.json",
        says="the JSON error envelope; text/plain body",
        unseen=("auth.missing-code", "auth.wrong-code"),
    ),
    faulty(
        "gives an error that is a string",
        on(SIGN, with_json("/error", "Invalid API key")),
        "auth.refusal-is-enveloped",
        says="/error/code: a non-empty string; nothing",
        unseen=("auth.missing-code", "auth.wrong-code"),
    ),
    faulty(
        "refuses without a message",
        on(SIGN, with_json("/error/message", "")),
        "auth.refusal-is-enveloped",
        says='/error/message: a non-empty string; ""',
    ),
    faulty(
        "streams its refusal of a key",
        on(asking("stream.wrong-key"), error_stream("AUTH_TOKEN_INVALID")),
        "auth.refused-before-stream",
        says="an HTTP error in JSON; HTTP 200 with an event stream",
    ),
    faulty(
        "refuses a stream's key with HTTP 200",
        on(asking("stream.wrong-key"), with_status(200)),
        "auth.refused-before-stream",
        says="status: an HTTP error in JSON (4xx); HTTP 200",
    ),
    faulty(
        "refuses a stream's key in plain text",
        on(asking("stream.wrong-key"), with_body(b"Unauthorized", "text/plain")),
        "auth.refused-before-stream",
        "auth.refusal-is-enveloped",
        "errors.json",
        says="an HTTP error in JSON; HTTP 401 with a text/plain body that is not JSON",
    ),
    faulty(
        "refuses a stream's key and names no media type",
        on(asking("stream.wrong-key"), with_body(b"Unauthorized"), with_header("Content-Type", None)),
        "auth.refused-before-stream",
        "auth.refusal-is-enveloped",
        "errors.json",
        says="an HTTP error in JSON; HTTP 401 with a body of no media type that is not JSON",
    ),
    faulty(
        "fails over a stream's wrong key",
        on(asking("stream.wrong-key"), with_status(500)),
        "auth.refused-before-stream",
        "auth.wrong-is-401",
        says="status: an HTTP error in JSON (4xx); HTTP 500",
    ),
)
