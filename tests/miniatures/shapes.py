"""Servers that put values of a wrong kind where others are read, and failures that are none."""

import gzip
import json
from dataclasses import replace
from typing import Final

from conformance.exchange import Exchange
from conformance.probes import failures, parameters, plain, stream
from conformance.server.changes import GONE
from conformance.transport import NOBODYS_KEY
from tests.miniatures.calls import CALL, CALLS, NAME, TWO, first, second, speaking
from tests.miniatures.conversation import CONTENT
from tests.miniatures.errors import STARS
from tests.miniatures.failures import AGREE, dated
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    Exchanges,
    One,
    When,
    after,
    answers,
    asking,
    on,
    refusals,
    refused,
    unbroken,
    with_body,
    with_header,
    with_json,
    with_status,
)

FAILING: Final = asking(failures.BACKEND_ERROR.name)
BACKEND: Final = "reference/backend-error"
LIMITED: Final = asking(failures.RATE_LIMITED.name)
CALLING: Final = asking(stream.TOOL_CALL.name)


def _on_failing(*ones: One) -> Change:
    """An answer where the backend should fail."""
    return after(as_told(plain.GREETING.name, FAILING), on(FAILING, with_json("/data/model", BACKEND), *ones))


def _served_only(*kinds: When) -> Change:
    """A run in which nothing was refused and nothing failed."""

    def change(exchanges: Exchanges) -> Exchanges:
        return tuple(exchange for exchange in exchanges if any(kind(exchange) for kind in kinds))

    return change


def _unread(exchanges: Exchanges) -> Exchanges:
    """A tool's result that adds nothing to the prompt: as many tokens as the question has by itself."""
    alone = next(exchange for exchange in exchanges if exchange.probe == parameters.CHOICE_NONE.name)
    prompt = json.loads(alone.body)["data"]["usage"]["prompt_tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": 1, "total_tokens": prompt + 1}
    return on(second, speaking("Hello"), with_json("/data/usage", usage))(exchanges)


def _asked_for_stars(exchange: Exchange) -> Exchange:
    """The same request with asterisks in it, as many as stand for a key."""
    body = json.dumps(json.loads(exchange.request.body) | {"user": STARS}).encode()
    return replace(exchange, request=replace(exchange.request, body=body))


def _without_zone(name: str) -> One:
    """A date in a header that does not say whose time it is."""

    def one(exchange: Exchange) -> Exchange:
        assert exchange.response is not None
        return with_header(name, (exchange.response.header(name) or "").replace("GMT", "-0000"))(exchange)

    return one


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
        "repeats a key that nobody issued, and packs its answer with gzip",
        on(
            asking(plain.WRONG_KEY.name),
            with_json("/error/message", f"Incorrect key: {NOBODYS_KEY}"),
            with_body(gzip.compress),
            with_header("Content-Encoding", "gzip"),
        ),
        "errors.no-key",
        says=": no key; the key",
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
        "says two seconds more in its header than in its body",
        on(LIMITED, with_header("Retry-After", "4")),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 2, as in the body; 4",
    ),
    faulty(
        "dates its Retry-After four seconds after what its body says",
        on(LIMITED, dated(6)),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 2, as in the body; ",
    ),
    faulty(
        "dates its Retry-After in seconds since 1970",
        on(LIMITED, with_header("Retry-After", "1767225600")),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 2, as in the body; 1767225600",
    ),
    faulty(
        "lets its clients wait for ever",
        on(LIMITED, with_json("/error/retry_after", 10**400)),
        "errors.rate-limited-retry-after-agree",
        says="header retry-after: about 1000",
    ),
    faulty(
        "calls a throttled backend unavailable, and keeps its limit to itself",
        on(asking(failures.BACKEND_RATE_LIMITED.name), with_status(503), with_json("/error/retry_after", GONE)),
        "errors.backend-rate-limited-retry-after",
        "errors.backend-rate-limited-code",
        says="/error/retry_after: a number of seconds; nothing",
    ),
    faulty(
        "refuses broken JSON with 400, and names the request in its body only",
        on(asking("errors.malformed-json"), with_status(400), with_header("X-Request-Id", None)),
        "errors.request-id-header",
        says="a header with the value",
    ),
    faulty(
        "chooses nothing where the backend should fail",
        _on_failing(with_json("/data/choices", GONE)),
        "response.choices",
        says="/data/choices: an array with at least one object; nothing",
        unseen=("errors.backend-error-code",),
    ),
    *(
        faulty(
            f"gives both of two calls {name}",
            on(TWO, with_json(CALL + "/id", value), with_json(CALLS + "/1/id", value)),
            "tools.call-id",
            says=f"a non-empty string; id is {says}",
        )
        for name, value, says in (("an empty id", "", '""'), ("the number seven", 7, "7"))
    ),
    faulty(
        "lists the name of the function that it calls",
        on(first, with_json(NAME, ["get_weather"])),
        "tools.call-name-declared",
        says="the name of a declared function; name is [",
    ),
    faulty(
        "reads no more with a tool's result than without it",
        _unread,
        "tools.result-used",
        says="4711 in the answer, or more than ",
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
    odd("writes the number in a tool's result with a full stop", on(second, speaking("It is 4.711 degrees."))),
    odd(
        "speaks of a trace",
        on(asking(plain.GREETING.name), with_json(CONTENT, "Traceback (most recent call last)")),
    ),
    odd("says a second more in its header than in its body", on(LIMITED, with_header("Retry-After", "3"))),
    odd("says a second less in its header than in its body", on(LIMITED, with_header("Retry-After", "1"))),
    odd("dates its Retry-After without a zone", on(LIMITED, dated(2), _without_zone("Retry-After")), *AGREE),
    odd("dates its answer without a zone", on(LIMITED, dated(2), _without_zone("Date")), *AGREE),
    odd(
        "has no model for what is to be throttled, and does not say for how long",
        on(asking(failures.RATE_LIMITED.name, failures.BACKEND_RATE_LIMITED.name), refused(503, "MODEL_UNAVAILABLE")),
        "errors.rate-limited-",
        "errors.backend-rate-limited-",
    ),
    odd(
        "repeats the asterisks that it was sent",
        on(asking(parameters.NO_MESSAGES.name), _asked_for_stars, with_json("/error/message", f"Who is {STARS}?")),
    ),
    odd("was never asked for a stream, nor what it refuses", _served_only(answers), ""),
    odd("was never asked what it refuses", _served_only(answers, unbroken), ""),
)
