"""Requests that must be refused: how, and for which reason."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from conformance.check import Check, Violation, beside_control, check, listed, of
from conformance.checks.request import busy, served
from conformance.document import MISSING, at, shown
from conformance.exchange import Exchange
from conformance.probe import Probe
from conformance.probes import parameters, plain, stream
from conformance.reading.answers import answer, error_code, error_document, head, media_type, refused
from conformance.reading.streams import looks_streamed
from conformance.reading.witness import Unobservable

KEYS: Final = (plain.NO_KEY, plain.WRONG_KEY, plain.BARE_KEY, stream.WRONG_KEY, stream.NO_KEY)
AUTH_CODES: Final = ("AUTH_TOKEN_MISSING", "AUTH_TOKEN_INVALID")


def spelt(name: str) -> str:
    """A member's name, whatever the language of the server makes of it: `max_tokens`, `maxTokens` and `MaxTokens`."""
    return name.replace("_", "").casefold()


def beside(requirement: str, *probes: Probe, find: Callable[[Exchange], Iterator[Violation]]) -> Check:
    """A check of refusals that says nothing unless the same request without its defect is served."""

    def with_control(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
        if not served(control):
            raise Unobservable(f"the same request without the defect is refused too: {answer(control)}")
        if busy(exchange):
            raise Unobservable(f"the target was busy: {answer(exchange)}")
        yield from find(exchange)

    return check(requirement, when=of(*probes), probes=probes, groups=beside_control)(with_control)


def turned_away(requirement: str, *probes: Probe) -> Check:
    """The request is refused as the client's mistake; a server that fails over it has not refused it."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        if not 400 <= head(exchange).status < 500:
            yield Violation(expected="a refusal (HTTP 4xx)", found=answer(exchange), where="status")

    return beside(requirement, *probes, find=find)


def mistaken(requirement: str, *probes: Probe) -> Check:
    """A mistake in the body is refused as the client's: 4xx, and not for the key's sake."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        status = head(exchange).status
        if not 400 <= status < 500 or status in (401, 403):
            yield Violation(expected="HTTP 4xx for the mistake in the body", found=answer(exchange), where="status")

    return beside(requirement, *probes, find=find)


def with_status(requirement: str, status: int, *probes: Probe) -> Check:
    """The refusal has this status; that there is one is a requirement of its own."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        if refused(exchange).status != status:
            yield Violation(expected=f"HTTP {status}", found=answer(exchange), where="status")

    return beside(requirement, *probes, find=find)


def with_code(requirement: str, code: str, *probes: Probe) -> Check:
    """The refusal has this code; that there is an envelope is a requirement of its own."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        found = at(error_document(exchange), "/error/code")
        if found is MISSING:
            raise Unobservable(f"the refusal has no error.code: {answer(exchange)}")
        if found != code:
            yield Violation(expected=code, found=shown(found), where="/error/code")

    return beside(requirement, *probes, find=find)


def enveloped(requirement: str, *probes: Probe) -> Check:
    """The refusal is the JSON error envelope: `status` "error", `error.code` and `error.message` as strings."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        document = error_document(exchange)
        if document is MISSING:
            yield Violation(expected="the JSON error envelope", found=f"{media_type(exchange) or 'no media type'} body")
            return
        if at(document, "/status") != "error":
            yield Violation(expected='"error"', found=shown(at(document, "/status")), where="/status")
        for name in ("code", "message"):
            if not _is_text(found := at(document, f"/error/{name}")):
                yield Violation(expected="a non-empty string", found=shown(found), where=f"/error/{name}")

    return beside(requirement, *probes, find=find)


def not_streamed(requirement: str, *probes: Probe) -> Check:
    """What is wrong before the first byte is refused over HTTP and in JSON, not by an event stream or a failure."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        status = head(exchange).status
        if looks_streamed(exchange):
            yield Violation(expected="an HTTP error in JSON", found=f"HTTP {status} with an event stream")
        elif not 400 <= status < 500:
            yield Violation(expected="an HTTP error in JSON (4xx)", found=answer(exchange), where="status")
        elif error_document(exchange) is MISSING:
            body = f"{media_type(exchange)} body" if media_type(exchange) else "body of no media type"
            yield Violation(expected="an HTTP error in JSON", found=f"HTTP {status} with a {body} that is not JSON")

    return beside(requirement, *probes, find=find)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def never_5xx(exchange: Exchange) -> Iterator[Violation]:
    """A mistake in the request's form is never the server's failure."""
    if head(exchange).status >= 500:
        yield Violation(expected="HTTP 4xx", found=answer(exchange), where="status")


def an_authentication_code(exchange: Exchange) -> Iterator[Violation]:
    """The key without its scheme is refused with 401; where a code is given it is one of authentication."""
    if head(exchange).status != 401:
        yield Violation(expected="HTTP 401", found=answer(exchange), where="status")
    elif error_code(exchange) not in ("", *AUTH_CODES) and exchange.profile == "native":
        yield Violation(expected=" or ".join(AUTH_CODES), found=error_code(exchange), where="/error/code")


def no_such_model(exchange: Exchange) -> Iterator[Violation]:
    """An unknown slug is refused with 404 and MODEL_NOT_FOUND."""
    if refused(exchange).status != 404:
        yield Violation(expected="HTTP 404", found=answer(exchange), where="status")
    if (found := at(error_document(exchange), "/error/code")) != "MODEL_NOT_FOUND":
        yield Violation(expected="MODEL_NOT_FOUND", found=shown(found), where="/error/code")


AUTHENTICATION: Final = (
    turned_away("auth.missing-refused", plain.NO_KEY),
    with_status("auth.missing-is-401", 401, plain.NO_KEY, stream.NO_KEY),
    with_code("auth.missing-code", "AUTH_TOKEN_MISSING", plain.NO_KEY, stream.NO_KEY),
    turned_away("auth.wrong-refused", plain.WRONG_KEY, plain.LONGER_KEY),
    with_status("auth.wrong-is-401", 401, plain.WRONG_KEY, stream.WRONG_KEY),
    with_code("auth.wrong-code", "AUTH_TOKEN_INVALID", plain.WRONG_KEY, stream.WRONG_KEY),
    beside("auth.scheme-needed", plain.BARE_KEY, plain.OTHER_SCHEME, find=an_authentication_code),
    enveloped("auth.refusal-is-enveloped", *KEYS),
    not_streamed("auth.refused-before-stream", stream.WRONG_KEY, stream.NO_KEY),
)

FORM: Final = (
    mistaken("parameters.model-required", parameters.NO_MODEL),
    mistaken("parameters.model-type", parameters.MODEL_OBJECT),
    mistaken("parameters.messages-required", parameters.NO_MESSAGES),
    mistaken("parameters.messages-type", parameters.MESSAGES_OBJECT),
    mistaken("parameters.max-tokens-type", parameters.MAX_TOKENS_OBJECT),
    mistaken("parameters.temperature-type", parameters.TEMPERATURE_ARRAY),
    mistaken("parameters.top-p-type", parameters.TOP_P_OBJECT),
    mistaken("parameters.stop-type", parameters.STOP_OBJECT),
    mistaken("parameters.seed-type", parameters.SEED_OBJECT),
    mistaken("parameters.stream-type", parameters.STREAM_OBJECT),
    mistaken("parameters.tools-type", parameters.TOOLS_STRING),
    mistaken("parameters.tool-choice-type", parameters.CHOICE_NUMBER),
    mistaken("parameters.metadata-type", parameters.METADATA_STRING),
    turned_away("parameters.model-must-exist", parameters.UNKNOWN_MODEL),
    beside("parameters.refusals-are-4xx", *parameters.MALFORMED, parameters.UNKNOWN_MODEL, find=never_5xx),
    enveloped("parameters.refusals-are-enveloped", *parameters.MALFORMED, parameters.UNKNOWN_MODEL),
    with_code("parameters.refusals-say-validation", "VALIDATION_ERROR", *parameters.MALFORMED),
    with_status("parameters.refusals-are-422", 422, *parameters.MALFORMED),
    beside("parameters.unknown-model-code", parameters.UNKNOWN_MODEL, stream.UNKNOWN_MODEL, find=no_such_model),
    not_streamed("stream.errors-before-are-http", stream.NO_MESSAGES, stream.UNKNOWN_MODEL, stream.STOP_OBJECT),
)

CHECKS: Final = listed(globals())
