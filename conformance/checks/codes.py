"""The codes of errors: how they are written, and which status goes with which (reference page on error codes)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.check import Violation, check, listed, of
from conformance.checks.errors import KEYS
from conformance.document import at, shown
from conformance.exchange import Exchange
from conformance.probes import failures, parameters, plain, stream
from conformance.reading.answers import answer, error_code, error_document, head
from conformance.reading.streams import stream as events
from conformance.reading.witness import Unobservable


@check(
    "errors.code-form",
    when=lambda exchange: exchange.response is not None,
    probes=(parameters.NO_MESSAGES, plain.NO_KEY, parameters.UNKNOWN_MODEL),
)
def code_form(exchange: Exchange) -> Iterator[Violation]:
    """The code of an error, told by a status or by an event, is in upper snake case."""
    if head(exchange).status >= 400:
        codes = [(at(error_document(exchange), "/error/code"), "/error/code")]
    else:
        codes = [(at(error.payload, "/code"), error.where) for error in events(exchange).errors]
    if not any(isinstance(code, str) for code, _ in codes):
        raise Unobservable("no error was told with a code")
    for code, where in codes:
        if isinstance(code, str) and not re.fullmatch(r"[A-Z][A-Z0-9_]*", code):
            yield Violation(expected="upper snake case", found=shown(code), where=where)


STATUSES: Final[Mapping[str, Sequence[int]]] = {
    "AUTH_TOKEN_MISSING": (401,),
    "AUTH_TOKEN_INVALID": (401,),
    "SESSION_EXPIRED": (401,),
    "AUTH_INSUFFICIENT_SCOPE": (403,),
    "AUTHZ_PERMISSION_DENIED": (403,),
    "VALIDATION_ERROR": (422, 400),
    "MODEL_NOT_FOUND": (404,),
    "MODEL_ACCESS_DENIED": (403,),
    "MODEL_UNAVAILABLE": (503,),
    "BACKEND_ERROR": (502,),
    "BACKEND_TIMEOUT": (504,),
    "BACKEND_RATE_LIMITED": (429,),
    "UPSTREAM_SHAPE_MISMATCH": (502,),
    "RATE_LIMITED": (429,),
    "BUDGET_EXCEEDED": (429,),
    "QUOTA_EXCEEDED": (402, 403, 429),
}
"""The statuses of documented codes."""
_CODED: Final = of(
    *KEYS,
    plain.OTHER_SCHEME,
    plain.LONGER_KEY,
    parameters.UNKNOWN_MODEL,
    stream.UNKNOWN_MODEL,
    *failures.REFUSALS,
)
"""What has requirements of its own for its code and its status."""


@check(
    "errors.code-has-its-status",
    when=lambda exchange: exchange.response is not None and exchange.response.status >= 400 and not _CODED(exchange),
    probes=(parameters.NO_MESSAGES,),
)
def code_has_its_status(exchange: Exchange) -> Iterator[Violation]:
    """A documented code comes with its documented status."""
    code = error_code(exchange)
    if code not in STATUSES:
        raise Unobservable(f"no documented code: {answer(exchange)}")
    status = head(exchange).status
    # Which 4xx goes with a mistake in the body is a requirement of its own.
    if not (status < 500 if code == "VALIDATION_ERROR" else status in STATUSES[code]):
        yield Violation(expected=f"HTTP {STATUSES[code][0]} for {code}", found=answer(exchange), where="status")


CHECKS: Final = listed(globals())
