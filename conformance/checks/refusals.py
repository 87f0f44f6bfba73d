"""What error answers hold: page section "SSE event types" for `{code, message}`, else the vendor's page on errors."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from conformance.check import Check, Violation, check, listed, of
from conformance.checks.errors import beside, enveloped, mistaken, never_5xx, spelt
from conformance.checks.request import brought_about, busy
from conformance.document import MISSING, at, is_number, shown
from conformance.exchange import Exchange, mask
from conformance.probe import Probe
from conformance.probes import errors as probes
from conformance.probes import failures, parameters, plain, stream
from conformance.reading.answers import (
    answer,
    body,
    completion,
    document,
    error_code,
    error_document,
    head,
    media_type,
    succeeded,
)
from conformance.reading.requests import legal, sent, unstreamed
from conformance.reading.streams import stream as events
from conformance.reading.witness import Unobservable

TRACES: Final = re.compile(
    rb"Traceback \(most recent call last\)"
    rb'|File "[^"\n]{1,200}\.py", line \d'
    rb"|(?:\b|\\[nt])at [\w.$<>]{1,100}\([\w.]{1,60}\.(?:java|kt|scala|js|ts):\d"
    rb"|(?:\b|\\[nt])at (?:async )?[\w.<>]{0,80} ?\(?(?:file://)?/[\w/.@-]{1,200}\.[mc]?[jt]s:\d"
    rb"|goroutine \d+ \[|(?:\A|(?<=[\"\n])|(?<=\\n))panic: |panic: runtime error"
    rb"|(?:(?<![\w./:@%~-])|(?<=\\[nrt])|(?<=file://))/(?:usr|home|opt|app|srv|root)/"
    rb"[\w./-]{1,200}\.(?:py|go|rs|rb|js|ts)\b"
    rb"|(?:\b|\\[nt])at [\w.`<>]{1,200}\([^()\"\n]{0,200}\) in [^\"\n]{1,200}:line \d"
    rb"|/[\w./\\-]{1,200}\.php(?:\(\d|:\d| on line \d)"
    rb"|panicked at (?:'[^'\n]{0,200}', )?[\w./\\-]{1,200}\.rs:\d"
)
"""What a trace of Python, Java, JavaScript, Go, .NET, PHP or Rust looks like, in JSON too, and paths of source."""
SHORTEST: Final = 12
"""Characters that a key has at least, and its mask with it."""

_SAMPLES: Final = (parameters.NO_MESSAGES, plain.NO_KEY, parameters.UNKNOWN_MODEL)


def _is_error(exchange: Exchange) -> bool:
    return exchange.response is not None and exchange.response.status >= 400


def _each_error(requirement: str, find: Callable[[Exchange, Any], Iterator[Violation]], *extra: Probe) -> Check:
    """Something holds of every error answer that is JSON; that it is JSON is a requirement of its own."""

    def every(exchange: Exchange) -> Iterator[Violation]:
        document = error_document(exchange)
        if document is MISSING:
            raise Unobservable("the error answer is not JSON")
        yield from find(exchange, document)

    return check(requirement, when=_is_error, probes=(*_SAMPLES, *extra))(every)


_ROUTED: Final = of(probes.WRONG_PATH, probes.WRONG_METHOD, probes.PLAIN_TEXT)
"""What a framework may refuse by itself, before any of it is read."""


def _request_id(exchange: Exchange, document: Any) -> Iterator[Violation]:
    found = at(document, "/meta/request_id")
    if error_code(exchange) == "RATE_LIMITED" and (found is MISSING or found is None):
        return
    if at(document, "/error") is MISSING and (_ROUTED(exchange) or sent(exchange) is MISSING or busy(exchange)):
        raise Unobservable(f"refused without the envelope, and perhaps before it was read: {answer(exchange)}")
    if not isinstance(found, str) or not found:
        yield Violation(expected="a non-empty string", found=shown(found), where="/meta/request_id")


def _details_form(_exchange: Exchange, document: Any) -> Iterator[Violation]:
    found = at(document, "/error/details")
    if found is MISSING or found is None:
        return
    rows = found if isinstance(found, list) else [found]
    for row in rows:
        if not all(isinstance(at(row, f"/{name}"), str) for name in ("field", "message")) or row is found:
            yield Violation(
                expected="an array of objects with field and message", found=shown(found), where="/error/details"
            )
            return


def _retry_after_form(_exchange: Exchange, document: Any) -> Iterator[Violation]:
    found = at(document, "/error/retry_after")
    if found is not MISSING and found is not None and not (is_number(found) and found >= 0):
        yield Violation(expected="a number of seconds", found=shown(found), where="/error/retry_after")


EACH: Final = (
    _each_error("errors.request-id", _request_id),
    _each_error("errors.details-form", _details_form),
    _each_error("errors.retry-after-form", _retry_after_form, failures.RATE_LIMITED),
)


@check("errors.json", when=_is_error, probes=_SAMPLES)
def json(exchange: Exchange) -> Iterator[Violation]:
    """The body of an error answer is JSON, and its media type says so."""
    if error_document(exchange) is MISSING:
        start = body(exchange)[:60].decode("utf-8", "replace")
        yield Violation(expected="a JSON body", found=shown(start))
    elif (said := media_type(exchange)) != "application/json" and not said.endswith("+json"):
        yield Violation(expected="application/json", found=said or "no media type", where="header content-type")


_MEMBERS: Final = {
    parameters.NO_MESSAGES.name: "messages",
    parameters.NO_MODEL.name: "model",
    parameters.MAX_TOKENS_OBJECT.name: "max_tokens",
    parameters.TEMPERATURE_ARRAY.name: "temperature",
    parameters.STREAM_OBJECT.name: "stream",
}
_HOLDERS: Final = ("", "/", "$", "body")
"""How validators name the body as a whole, whose message then says which member is missing."""
_NAMED: Final = tuple(probe for probe in parameters.MALFORMED if probe.name in _MEMBERS)


def _names_the_field(exchange: Exchange) -> Iterator[Violation]:
    details = at(error_document(exchange), "/error/details")
    if not isinstance(details, list) or not details:
        raise Unobservable("the error has no details")
    member, fields = _MEMBERS[exchange.probe], [at(row, "/field") for row in details]
    named = [at(row, "/message" if at(row, "/field") in _HOLDERS else "/field") for row in details]
    if not any(isinstance(name, str) and spelt(member) in spelt(name) for name in named):
        yield Violation(expected=member, found=shown(fields), where="/error/details")


@check(
    "errors.no-trace", when=lambda exchange: exchange.response is not None, probes=(*_SAMPLES, probes.MALFORMED_JSON)
)
def no_trace(exchange: Exchange) -> Iterator[Violation]:
    """No error, told by a status or by an event, shows a stack trace, a file's path or a line of source."""
    spans = [(0, len(body(exchange)))]
    if head(exchange).status < 400:
        spans = [error.event.span for error in events(exchange).errors]
    for span in spans:
        if found := TRACES.search(body(exchange), *span):
            shown_ = found.group()[:100].decode("utf-8", "backslashreplace")
            yield Violation(
                expected="words for a client", found=shown(shown_), where=f"bytes {found.start()}-{found.end()}"
            )
    if not spans:
        raise Unobservable("no error was told")


def _key(exchange: Exchange) -> bytes:
    """What the key that was sent looks like in the evidence: a mask, but for one that nobody issued."""
    said = next((value for name, value in exchange.request.headers if name.lower() == "authorization"), "")
    key = said.rpartition(" ")[2]
    return key.encode("utf-8") if len(key) >= SHORTEST else mask(SHORTEST)


@check("errors.no-key", when=lambda _: True, probes=(plain.GREETING, *_SAMPLES, plain.BARE_KEY, plain.WRONG_KEY))
def no_key(exchange: Exchange) -> Iterator[Violation]:
    """No answer shows the key that was sent, be it one that nobody issued: that may be a slip of a good one."""
    response, key = head(exchange), _key(exchange)
    for name, value in response.headers:
        if key in value.encode("utf-8"):
            yield Violation(expected="no key", found=f"the key in {name}", where=f"header {name.lower()}")
    # Of a compressed body with the key in it the transport leaves nothing but a mask.
    data = exchange.body if exchange.body.startswith(mask(SHORTEST)) else body(exchange)
    if key in data:
        start = data.index(key)
        yield Violation(expected="no key", found="the key", where=f"bytes {start}-{start + len(key)}")


def _plain_mistake(exchange: Exchange) -> Iterator[Violation]:
    if head(exchange).status not in (400, 422):
        yield Violation(expected="HTTP 400 or 422", found=answer(exchange), where="status")


def _not_allowed(exchange: Exchange) -> Iterator[Violation]:
    if head(exchange).status != 405:
        yield Violation(expected="HTTP 405", found=answer(exchange), where="status")


def _not_found(exchange: Exchange) -> Iterator[Violation]:
    # A gateway that routes by a list of what is allowed says 403 of all that is not on it.
    if not 400 <= head(exchange).status < 500:
        yield Violation(expected="HTTP 404, or another 4xx", found=answer(exchange), where="status")


FORM: Final = (
    beside("errors.details-name-the-field", *_NAMED, find=_names_the_field),
    beside("errors.malformed-json", probes.MALFORMED_JSON, find=_plain_mistake),
    enveloped("errors.malformed-json-enveloped", probes.MALFORMED_JSON),
    mistaken("errors.not-an-object", probes.JSON_ARRAY),
    mistaken("errors.empty-body", probes.EMPTY_BODY),
    beside("errors.wrong-method", probes.WRONG_METHOD, find=_not_allowed),
    beside("errors.wrong-path", probes.WRONG_PATH, find=_not_found),
    beside("errors.wrong-media-type", probes.PLAIN_TEXT, find=never_5xx),
    beside("errors.unknown-member", probes.UNKNOWN_MEMBER, find=never_5xx),
)


# Failures that only the operator can bring about.


def _failure(requirement: str, probe: Probe, status: int, code: str) -> Check:
    """A failure brought about by a trigger has its documented status and code."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        brought_about(exchange)
        if _hushed(exchange):
            yield Violation(expected=f"HTTP {status}", found=f"{answer(exchange)} with an error in it", where="status")
            return
        if head(exchange).status < 400:
            raise Unobservable(f"the trigger brought no failure: {answer(exchange)}")
        if _clouded(exchange, status, code):
            raise Unobservable(f"the target was busy: {answer(exchange)}")
        if head(exchange).status != status:
            yield Violation(expected=f"HTTP {status}", found=answer(exchange), where="status")
        if (found := at(error_document(exchange), "/error/code")) != code:
            yield Violation(expected=code, found=shown(found), where="/error/code")

    return check(requirement, when=of(probe), probes=(probe,))(find)


FAILURES: Final = (
    _failure("errors.backend-error-code", failures.BACKEND_ERROR, 502, "BACKEND_ERROR"),
    _failure("errors.backend-timeout-code", failures.BACKEND_TIMEOUT, 504, "BACKEND_TIMEOUT"),
    _failure("errors.rate-limited-code", failures.RATE_LIMITED, 429, "RATE_LIMITED"),
    _failure("errors.backend-rate-limited-code", failures.BACKEND_RATE_LIMITED, 429, "BACKEND_RATE_LIMITED"),
    _failure("errors.model-unavailable-code", failures.MODEL_UNAVAILABLE, 503, "MODEL_UNAVAILABLE"),
    _failure("errors.model-access-denied-code", failures.MODEL_ACCESS_DENIED, 403, "MODEL_ACCESS_DENIED"),
)


def _hushed(exchange: Exchange) -> bool:
    """Whether an answer says success with its status and, in the place of a completion, an error with its body."""
    try:
        found = document(exchange)
    except Unobservable:
        return False
    return isinstance(at(found, "/error"), Mapping | str) and at(found, "/data/choices") is MISSING


LEAVING: Final = re.compile("DRAIN|SHUT|RESTART|MAINTENANCE")
"""Codes of a server that is about to go: nothing documents one."""


def _clouded(exchange: Exchange, status: int, code: str) -> bool:
    """Whether the target turned the request away for being busy, before what the trigger brings about."""
    found = error_code(exchange)
    passing = found == "RATE_LIMITED" or bool(LEAVING.search(found))
    return busy(exchange) and found != code and (head(exchange).status != status or passing)


def _wait(exchange: Exchange, code: str) -> Any:
    """What the 429 of this code says of waiting, in its body.

    Raises:
        Unobservable: no error, or one that came before it.
    """
    brought_about(exchange)
    if _clouded(exchange, 429, code):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    return at(error_document(exchange), "/error/retry_after")


@check("errors.rate-limited-retry-after", when=of(failures.RATE_LIMITED), probes=(failures.RATE_LIMITED,))
def rate_limited_retry_after(exchange: Exchange) -> Iterator[Violation]:
    """A RATE_LIMITED answer holds `retry_after` and the header Retry-After, which is a number or a date."""
    if not is_number(wait := _wait(exchange, "RATE_LIMITED")):
        yield Violation(expected="a number of seconds", found=shown(wait), where="/error/retry_after")
    said = head(exchange).header("retry-after")
    if said is None:
        yield Violation(expected="a header Retry-After", found="none", where="header retry-after")
    elif not _SECONDS.fullmatch(said) and _date(said) is None:
        yield Violation(expected="seconds or a date (RFC 9110, 10.2.3)", found=shown(said), where="header retry-after")


@check("errors.rate-limited-retry-after-agree", when=of(failures.RATE_LIMITED), probes=(failures.RATE_LIMITED,))
def rate_limited_retry_after_agree(exchange: Exchange) -> Iterator[Violation]:
    """`retry_after` and Retry-After agree within a second."""
    wait, said = _wait(exchange, "RATE_LIMITED"), head(exchange).header("retry-after") or ""
    told, slack = _told_in_seconds(said), 1.0
    if told is None:
        told, slack = _told_by_date(said, head(exchange).header("date") or ""), 1.0 + _ROUNDED
    if not is_number(wait) or told is None:
        raise Unobservable("there are not both a retry_after and a Retry-After that can be compared with it")
    if not told - slack <= wait <= told + slack:
        yield Violation(expected=f"about {shown(wait)}, as in the body", found=said, where="header retry-after")


_SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_ROUNDED: Final = 2.0
"""Seconds by which the distance of two dates may be off: each is told in whole seconds, one perhaps from a cache."""


def _told_in_seconds(said: str) -> float | None:
    return float(said) if said.isascii() and said.isdigit() else None


def _told_by_date(said: str, now: str) -> float | None:
    """The seconds from an answer's Date to its Retry-After (RFC 9110, 10.2.3); None where either is no date."""
    until, begun = _date(said), _date(now)
    return (until - begun).total_seconds() if until and begun and until.tzinfo and begun.tzinfo else None


def _date(said: str) -> datetime | None:
    try:
        return parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None


@check(
    "errors.backend-rate-limited-retry-after",
    when=of(failures.BACKEND_RATE_LIMITED),
    probes=(failures.BACKEND_RATE_LIMITED,),
)
def backend_rate_limited_retry_after(exchange: Exchange) -> Iterator[Violation]:
    """A BACKEND_RATE_LIMITED answer holds `retry_after`."""
    if not is_number(wait := _wait(exchange, "BACKEND_RATE_LIMITED")):
        yield Violation(expected="a number of seconds", found=shown(wait), where="/error/retry_after")


@check("errors.failures-enveloped", when=of(*failures.REFUSALS), probes=(failures.BACKEND_ERROR,))
def failures_enveloped(exchange: Exchange) -> Iterator[Violation]:
    """A failure brought about by a trigger is answered with the JSON error envelope."""
    document = error_document(exchange)
    for pointer, right in (
        ("/status", lambda v: v == "error"),
        ("/error/code", _is_text),
        ("/error/message", _is_text),
    ):
        if not right(found := at(document, pointer)):
            yield Violation(expected="the JSON error envelope", found=shown(found), where=pointer)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


# Headers.


@check("errors.request-id-header", when=unstreamed, probes=(plain.GREETING, parameters.NO_MESSAGES))
def request_id_header(exchange: Exchange) -> Iterator[Violation]:
    """The request id of the body stands in some response header too."""
    if head(exchange).status < 400:
        found = at(completion(exchange), "/_meta/request_id")
    else:
        found = at(error_document(exchange), "/meta/request_id")
    if not _is_text(found):
        raise Unobservable("the body has no request id")
    if found not in [value for _, value in head(exchange).headers]:
        yield Violation(expected=f"a header with the value {shown(found)}", found="none")


RATE_HEADERS: Final = tuple(f"X-Scaigrid-Ratelimit-{name}" for name in ("Limit", "Remaining", "Reset"))


@check("errors.rate-limit-headers", when=legal, probes=(plain.GREETING, stream.GREETING))
def rate_limit_headers(exchange: Exchange) -> Iterator[Violation]:
    """Successful answers carry the three rate limit headers, and the first two begin with a number."""
    missing = [name for name in RATE_HEADERS if succeeded(exchange).header(name) is None]
    if missing:
        yield Violation(expected=", ".join(missing), found="no such header", where=f"header {missing[0].lower()}")
    for name in RATE_HEADERS[:2]:
        if not re.match("[0-9]", said := (head(exchange).header(name) or "0").strip()):
            yield Violation(expected="a number of requests", found=shown(said), where=f"header {name.lower()}")


CHECKS: Final = listed(globals())
