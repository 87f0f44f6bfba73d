"""Servers that answer a mistake as if it were none, as if it were their own, or in another form than asked for."""

from typing import Any, Final

from conformance.document import NotJson, parse
from conformance.server.admission import route
from conformance.server.changes import Asked, instead, mending, only, replacing, streams
from conformance.server.deviation import Fault
from conformance.server.faults.telling import (
    BROKEN,
    VALIDATION,
    arriving,
    coded,
    document_instead,
    every,
    streamed,
    telling,
    turning,
)
from conformance.server.generation import Failure, Refused, Service
from conformance.server.site import Arrival, Site

INVALID: Final = coded(VALIDATION)
NOT_FOUND: Final = coded("NOT_FOUND")
NOT_ALLOWED: Final = coded("METHOD_NOT_ALLOWED")
MEDIA_TYPE: Final = coded("UNSUPPORTED_MEDIA_TYPE")
MEMBERS: Final = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "temperature",
        "top_p",
        "stop",
        "seed",
        "stream",
        "tools",
        "tool_choice",
        "metadata",
    }
)
HOME: Final = b"<!doctype html><html><body><div id=app></div><script src=/app.js></script></body></html>"


def _reads(arrival: Arrival) -> Any:
    try:
        return parse(arrival.body or b"")
    except NotJson:
        return None


def _unreadable(arrival: Arrival) -> bool:
    return bool(arrival.body) and _reads(arrival) is None


def _is_list(arrival: Arrival) -> bool:
    return isinstance(_reads(arrival), list)


def _empty(arrival: Arrival) -> bool:
    return arrival.body == b""


def _unknown(asked: Asked) -> bool:
    return bool(asked.keys() - MEMBERS)


def _by_any_service(document: Asked, site: Site) -> Service:
    try:
        return route(document, site)
    except Refused:
        return site.services[0]


def _strict(_document: Asked) -> None:
    raise TypeError("chat() got an unexpected keyword argument")


def _in_a_message(failure: Failure) -> bool:
    return any(detail.field.startswith("messages[") for detail in failure.details)


def _lacking(failure: Failure) -> bool:
    return any(detail.message == f"'{detail.field}' is missing" for detail in failure.details)


MISTAKES: Final = (
    Fault(
        id="errors-unreadable-body-crashes",
        does="fails with 500 over a body that is not JSON",
        change=arriving(_unreadable, turning(INVALID, **BROKEN)),
        red=("errors.malformed-json",),
        says="status: HTTP 400 or 422; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-unreadable-body-is-200",
        does="tells a client with 200 that its body is not JSON",
        change=arriving(_unreadable, turning(INVALID, status=200)),
        red=("errors.malformed-json",),
        says="status: HTTP 400 or 422; HTTP 200",
        unseen=("errors.malformed-json-enveloped",),
    ),
    Fault(
        id="errors-unreadable-body-told-by-the-framework",
        does="leaves a body that is not JSON to its framework",
        change=arriving(_unreadable, telling(INVALID, document_instead(422, {"detail": "JSON decode error"}))),
        red=("errors.malformed-json-enveloped",),
        says='/status: "error"; nothing',
    ),
    Fault(
        id="errors-array-crashes",
        does="fails with 500 over a body that is an array",
        change=arriving(_is_list, turning(INVALID, **BROKEN)),
        red=("errors.not-an-object",),
        says="status: HTTP 4xx for the mistake in the body; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-array-is-a-batch",
        does="takes an array for a batch, and answers with an empty one",
        change=arriving(_is_list, telling(INVALID, instead(200, b'{"status":"ok","data":[]}'))),
        red=("errors.not-an-object",),
        says="status: HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="errors-empty-body-crashes",
        does="fails with 500 over an empty body",
        change=arriving(_empty, turning(INVALID, **BROKEN)),
        red=("errors.empty-body",),
        says="status: HTTP 4xx for the mistake in the body; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-empty-body-is-a-health-check",
        does="takes an empty body for a question after its health",
        change=arriving(_empty, telling(INVALID, instead(200, b'{"status":"ok"}'))),
        red=("errors.empty-body",),
        says="status: HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="errors-method-not-found",
        does="has nothing to GET at the endpoint",
        change=turning(NOT_ALLOWED, status=404, code="NOT_FOUND"),
        red=("errors.wrong-method",),
        says="status: HTTP 405; HTTP 404 NOT_FOUND",
    ),
    Fault(
        id="errors-method-shows-a-page",
        does="answers a GET on the endpoint with a page for people",
        change=telling(NOT_ALLOWED, instead(200, HOME, "text/html")),
        red=("errors.wrong-method",),
        says="status: HTTP 405; HTTP 200",
    ),
    Fault(
        id="errors-every-path-is-the-page",
        does="answers 200 with its start page at every path",
        change=telling(NOT_FOUND, instead(200, HOME, "text/html")),
        red=("errors.wrong-path", "response.is-json", "errors.rate-limit-headers"),
        says="status: HTTP 404, or another 4xx; HTTP 200",
        wild=("F-CT-04",),
    ),
    Fault(
        id="errors-every-path-is-well",
        does="says with 200 that there is nothing at a path",
        change=telling(NOT_FOUND, instead(200, b'{"error":"Unexpected endpoint or method."}')),
        red=("errors.wrong-path", "response.status-ok", "response.data-object", "errors.rate-limit-headers"),
        says="status: HTTP 404, or another 4xx; HTTP 200",
        wild=("F-CT-04",),
    ),
    Fault(
        id="errors-media-type-crashes",
        does="fails with 500 over a body that is not called JSON",
        change=turning(MEDIA_TYPE, **BROKEN),
        red=("errors.wrong-media-type",),
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-unknown-member-crashes",
        does="fails with 500 over a member that it does not know",
        change=only(
            _unknown,
            replacing(keep_rules=_strict),
        ),
        red=("errors.unknown-member",),
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-mistakes-in-messages-crash",
        does="fails with 500 over a mistake in a message",
        change=turning(_in_a_message, **BROKEN),
        red=(
            "messages.never-5xx",
            "messages.tool-call-id-required",
            "messages.role-required",
            "messages.role-type",
            "messages.role-known",
            "messages.content-required",
            "messages.content-type",
            "messages.message-object",
            "multimodal.detail-known",
            "multimodal.part-known",
            "multimodal.part-typed",
            "multimodal.part-never-5xx",
        ),
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-missing-members-are-200",
        does="tells a client with 200 that a member is missing",
        change=turning(_lacking, status=200),
        red=("parameters.messages-required", "parameters.model-required", "stream.errors-before-are-http"),
        says="status: HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="errors-unknown-model-is-200",
        does="tells a client with 200 that there is no such model",
        change=turning(coded("MODEL_NOT_FOUND"), status=200),
        red=(
            "parameters.model-must-exist",
            "response.status-ok",
            "response.data-object",
            "stream.errors-before-are-http",
        ),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("parameters.unknown-model-code",),
    ),
    Fault(
        id="errors-unknown-model-served-by-another",
        does="lets another model answer where there is none of that slug",
        change=replacing(route=_by_any_service),
        red=("parameters.model-must-exist", "stream.errors-before-are-http"),
        says="status: a refusal (HTTP 4xx); HTTP 200",
        unseen=("parameters.unknown-model-code",),
        wild=("F-ERR-11",),
    ),
)

STREAMED: Final = (
    Fault(
        id="errors-streamed",
        does="tells a mistake with 200 and an error event when a stream was asked for",
        change=only(streams, telling(INVALID, streamed)),
        red=("stream.errors-before-are-http", "parameters.temperature-above"),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
        wild=("F-ERR-01", "F-ERR-09"),
    ),
    Fault(
        id="errors-all-streamed",
        does="tells everything that is wrong with 200 and an error event when a stream was asked for",
        change=only(streams, telling(every, streamed)),
        red=("stream.errors-before-are-http", "auth.refused-before-stream", "parameters.temperature-above"),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
        wild=("F-ERR-01",),
    ),
    Fault(
        id="errors-of-streams-are-200",
        does="tells a mistake with 200 and the error envelope when a stream was asked for",
        change=only(streams, turning(INVALID, status=200)),
        red=("stream.errors-before-are-http", "parameters.temperature-above"),
        says="status: an HTTP error in JSON (4xx); HTTP 200",
        wild=("F-ERR-01",),
    ),
    Fault(
        id="errors-of-streams-in-plain-text",
        does="tells a mistake in plain text when a stream was asked for",
        change=only(streams, telling(INVALID, instead(422, b"messages is missing\n", "text/plain"))),
        red=("stream.errors-before-are-http", "errors.json"),
        says="whole: an HTTP error in JSON; HTTP 422 with a text/plain body that is not JSON",
    ),
    Fault(
        id="errors-of-streams-crash",
        does="fails with 500 over a mistake when a stream was asked for",
        change=only(streams, turning(INVALID, **BROKEN)),
        red=("stream.errors-before-are-http", "parameters.temperature-above"),
        says="status: an HTTP error in JSON (4xx); HTTP 500 INTERNAL_ERROR",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="errors-streams-begin-regardless",
        does="begins a stream without messages as if there were an empty one",
        change=only(streams, mending(lambda document: {"messages": [{"role": "user", "content": ""}], **document})),
        red=("stream.errors-before-are-http",),
        says="whole: an HTTP error in JSON; HTTP 200 with an event stream",
    ),
)

FAULTS: Final = (*MISTAKES, *STREAMED)
