"""Servers that let in whom they should not, and shut out whom they should let in."""

import re
from dataclasses import replace
from typing import Final

from conformance.server.admission import key_of
from conformance.server.changes import having, in_refusals, instead, one_in, only, plain, replacing, streams
from conformance.server.deviation import Fault
from conformance.server.faults.telling import (
    BROKEN,
    VALIDATION,
    arriving,
    coded,
    document_instead,
    refused_as,
    streamed,
    telling,
    turning,
)
from conformance.server.site import Arrival, Site

MISSING: Final = coded("AUTH_TOKEN_MISSING")
INVALID: Final = coded("AUTH_TOKEN_INVALID")
ANY_KEY: Final = coded("AUTH_TOKEN_MISSING", "AUTH_TOKEN_INVALID")
DETAIL: Final = {"detail": "Not authenticated"}
LOGIN: Final = b"<!doctype html><html><body><form action=/login>Sign in</form></body></html>"
OLD_KEY: Final = refused_as(401, "AUTH_TOKEN_INVALID", "This key may not do that.")


def _says(arrival: Arrival) -> str:
    return arrival.headers.get("authorization", "")


def _bare(arrival: Arrival) -> bool:
    return " " not in _says(arrival).strip() and bool(_says(arrival))


def _anyone(arrival: Arrival, site: Site) -> str:
    return key_of(arrival, site) if _says(arrival) else site.keys[0]


def _by_form(arrival: Arrival, site: Site) -> str:
    return site.keys[0] if re.fullmatch(r"Bearer sgk_\w{20,}", _says(arrival)) else key_of(arrival, site)


def _without_scheme(arrival: Arrival, site: Site) -> str:
    header = f"Bearer {_says(arrival).removeprefix('Bearer ')}"
    return key_of(
        replace(arrival, headers={**arrival.headers, "authorization": header}) if _says(arrival) else arrival, site
    )


def _unguarded(arrival: Arrival, site: Site) -> str:
    return key_of(replace(arrival, headers={"authorization": arrival.headers["authorization"]}), site)


def _under_any_scheme(arrival: Arrival, site: Site) -> str:
    scheme, _, key = _says(arrival).partition(" ")
    return key if scheme and key in site.keys else key_of(arrival, site)


def _by_beginning(arrival: Arrival, site: Site) -> str:
    key = _says(arrival).removeprefix("Bearer ")
    return next((known for known in site.keys if key.startswith(known)), "") or key_of(arrival, site)


FAULTS: Final = (
    Fault(
        id="auth-streams-need-no-key",
        does="serves a stream without a key",
        change=only(streams, replacing(key_of=_anyone)),
        red=("auth.refused-before-stream",),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
    ),
    Fault(
        id="auth-streams-call-a-wrong-key-a-model",
        does="answers a stream's wrong key with 403 and the code of an unknown model",
        change=only(streams, turning(INVALID, status=403, code="MODEL_NOT_FOUND")),
        red=("auth.wrong-is-401", "auth.wrong-code"),
        says="status: HTTP 401; HTTP 403 MODEL_NOT_FOUND",
    ),
    Fault(
        id="auth-takes-any-scheme",
        does="takes a key under any scheme",
        change=replacing(key_of=_under_any_scheme),
        red=("auth.scheme-needed",),
        says="status: HTTP 401; HTTP 200",
    ),
    Fault(
        id="auth-takes-longer-keys",
        does="takes whatever begins with a key",
        change=replacing(key_of=_by_beginning),
        red=("auth.wrong-refused", "auth.scheme-needed"),
        says="status: a refusal (HTTP 4xx); HTTP 200",
    ),
    Fault(
        id="auth-metadata-needs-another-key",
        does="refuses a good key with 401 when the request carries metadata",
        change=only(having("metadata"), OLD_KEY),
        red=("auth.bearer-accepted", "parameters.metadata-accepted", "parameters.all-together"),
        says="status: the key is accepted; HTTP 401 AUTH_TOKEN_INVALID",
        unseen=("parameters.metadata-same-shape",),
    ),
    Fault(
        id="auth-forgets-keys-now-and-then",
        does="refuses a good key in one stream of nine",
        change=one_in(9, OLD_KEY, when=streams, first=4),
        red=("auth.bearer-accepted",),
        says="status: the key is accepted; HTTP 401 AUTH_TOKEN_INVALID",
        unseen=("auth.", "finish.", "messages.", "parameters.", "stream.", "tools."),
        perhaps=(
            "parameters.stream-true",
            "parameters.unknown-model-code",
            "request.no-accept-needed",
            "stream.status",
        ),
    ),
    Fault(
        id="auth-no-key-needed",
        does="serves a request without a key",
        change=replacing(key_of=_anyone),
        red=("auth.missing-refused", "auth.refused-before-stream"),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.missing-",),
    ),
    Fault(
        id="auth-missing-key-crashes",
        does="fails with 500 over a request without a key",
        change=replacing(key_of=_unguarded),
        red=("auth.missing-refused", "auth.missing-is-401", "auth.missing-code", "auth.refused-before-stream"),
        says="status: a refusal (HTTP 4xx); HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="auth-login-page",
        does="sends whoever has no good key to a page to sign in at",
        change=telling(ANY_KEY, instead(200, LOGIN, "text/html")),
        red=("auth.missing-refused", "auth.wrong-refused", "auth.scheme-needed", "auth.refused-before-stream"),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.",),
    ),
    Fault(
        id="auth-missing-key-forbidden",
        does="answers 403 to a request without a key",
        change=turning(MISSING, status=403),
        red=("auth.missing-is-401",),
        says="status: HTTP 401; HTTP 403 AUTH_TOKEN_MISSING",
    ),
    Fault(
        id="auth-framework-asks-for-the-key",
        does="leaves the request without a key to its framework, which answers 403 with a detail",
        change=telling(MISSING, document_instead(403, DETAIL)),
        red=("auth.missing-is-401", "auth.refusal-is-enveloped", "errors.request-id"),
        says="status: HTTP 401; HTTP 403",
        unseen=("auth.missing-code",),
    ),
    Fault(
        id="auth-missing-key-called-invalid",
        does="calls a missing key invalid",
        change=turning(MISSING, code="AUTH_TOKEN_INVALID"),
        red=("auth.missing-code",),
        says='/error/code: AUTH_TOKEN_MISSING; "AUTH_TOKEN_INVALID"',
    ),
    Fault(
        id="auth-takes-any-key",
        does="looks at the form of a key and not whether it was issued",
        change=replacing(key_of=_by_form),
        red=("auth.wrong-refused", "auth.refused-before-stream"),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.wrong-",),
    ),
    Fault(
        id="auth-takes-any-key-without-a-stream",
        does="takes any key of the right form for a request without a stream",
        change=only(plain, replacing(key_of=_by_form)),
        red=("auth.wrong-refused",),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("auth.wrong-",),
    ),
    Fault(
        id="auth-key-store-fails-over-strangers",
        does="fails with 500 over a key that it does not find",
        change=turning(INVALID, **BROKEN),
        red=(
            "auth.wrong-refused",
            "auth.wrong-is-401",
            "auth.wrong-code",
            "auth.scheme-needed",
            "auth.refused-before-stream",
        ),
        says="status: a refusal (HTTP 4xx); HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="auth-wrong-key-forbidden",
        does="answers 403 to a wrong key",
        change=arriving(lambda arrival: not _bare(arrival), turning(INVALID, status=403)),
        red=("auth.wrong-is-401", "auth.scheme-needed"),
        says="status: HTTP 401; HTTP 403 AUTH_TOKEN_INVALID",
    ),
    Fault(
        id="auth-wrong-key-called-missing",
        does="calls a wrong key missing",
        change=turning(INVALID, code="AUTH_TOKEN_MISSING"),
        red=("auth.wrong-code",),
        says='/error/code: AUTH_TOKEN_INVALID; "AUTH_TOKEN_MISSING"',
    ),
    Fault(
        id="auth-wrong-key-called-unauthorized",
        does="has one code for everything about keys",
        change=turning(ANY_KEY, code="UNAUTHORIZED"),
        red=("auth.wrong-code", "auth.missing-code", "auth.scheme-needed"),
        says='/error/code: AUTH_TOKEN_INVALID; "UNAUTHORIZED"',
    ),
    Fault(
        id="auth-scheme-optional",
        does="takes a key without the word Bearer",
        change=replacing(key_of=_without_scheme),
        red=("auth.scheme-needed",),
        says="status: HTTP 401; HTTP 200",
    ),
    Fault(
        id="auth-scheme-missing-is-a-bad-request",
        does="answers 400 to a key without the word Bearer",
        change=arriving(_bare, turning(INVALID, status=400, code="BAD_REQUEST")),
        red=("auth.scheme-needed",),
        says="status: HTTP 401; HTTP 400 BAD_REQUEST",
    ),
    Fault(
        id="auth-scheme-missing-is-a-validation-error",
        does="calls a key without the word Bearer a validation error, with 401",
        change=arriving(_bare, turning(INVALID, code=VALIDATION)),
        red=("auth.scheme-needed",),
        says="/error/code: AUTH_TOKEN_MISSING or AUTH_TOKEN_INVALID; VALIDATION_ERROR",
    ),
    Fault(
        id="auth-refusal-in-plain-text",
        does="refuses keys in plain text",
        change=telling(ANY_KEY, instead(401, b"Unauthorized\n", "text/plain")),
        red=("auth.refusal-is-enveloped", "auth.refused-before-stream", "errors.json"),
        says="whole: the JSON error envelope; text/plain body",
        unseen=("auth.missing-code", "auth.wrong-code"),
    ),
    Fault(
        id="auth-refusal-is-a-string",
        does="refuses keys with an error that is a string",
        change=only(plain, in_refusals("/error", "Invalid API key", ANY_KEY)),
        red=("auth.refusal-is-enveloped",),
        says="/error/code: a non-empty string; nothing",
        unseen=("auth.missing-code", "auth.wrong-code"),
        wild=("F-ERR-05",),
    ),
    Fault(
        id="auth-refusal-without-words",
        does="refuses keys with a code and no message",
        change=turning(ANY_KEY, message=""),
        red=("auth.refusal-is-enveloped",),
        says='/error/message: a non-empty string; ""',
        wild=("F-ERR-05",),
    ),
    Fault(
        id="auth-refusal-says-ok",
        does='refuses keys under the status "ok"',
        change=in_refusals("/status", "ok", ANY_KEY),
        red=("auth.refusal-is-enveloped",),
        says='/status: "error"; "ok"',
    ),
    Fault(
        id="auth-checked-in-the-stream",
        does="looks at the key after the stream has begun, and refuses it with an error event",
        change=only(streams, telling(ANY_KEY, streamed)),
        red=("auth.refused-before-stream",),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
        wild=("F-ERR-01",),
    ),
    Fault(
        id="auth-streams-take-any-key",
        does="takes any key of the right form for a stream",
        change=only(streams, replacing(key_of=_by_form)),
        red=("auth.refused-before-stream",),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
    ),
    Fault(
        id="auth-refuses-streams-with-200",
        does="refuses a stream's key with HTTP 200",
        change=only(streams, turning(ANY_KEY, status=200)),
        red=("auth.refused-before-stream",),
        says="status: an HTTP error in JSON (4xx); HTTP 200",
        wild=("F-ERR-01",),
    ),
    Fault(
        id="auth-refuses-streams-in-plain-text",
        does="refuses a stream's key in plain text",
        change=only(streams, telling(ANY_KEY, instead(401, b"Unauthorized\n", "text/plain"))),
        red=("auth.refused-before-stream", "auth.refusal-is-enveloped", "errors.json"),
        says="whole: an HTTP error in JSON; HTTP 401 with a text/plain body that is not JSON",
    ),
    Fault(
        id="auth-streams-crash-over-strangers",
        does="fails with 500 over a stream's wrong key",
        change=only(streams, turning(ANY_KEY, **BROKEN)),
        red=(
            "auth.refused-before-stream",
            "auth.missing-is-401",
            "auth.missing-code",
            "auth.wrong-is-401",
            "auth.wrong-code",
        ),
        says="status: an HTTP error in JSON (4xx); HTTP 500 INTERNAL_ERROR",
    ),
)
