"""Servers whose errors have the wrong form, or say more than they should."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any, Final

from conformance.server.answers import ErrorEvent, StreamEvent
from conformance.server.app import Answer, Behaviour
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    Reaction,
    each_event,
    each_head,
    each_refusal,
    failing,
    in_refusals,
    instead,
    only,
    put,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.faults.telling import VALIDATION, arriving, coded, echoing, every, telling, turning
from conformance.server.generation import Detail
from conformance.server.site import Arrival

INVALID: Final = coded(VALIDATION)
NOT_FOUND: Final = coded("NOT_FOUND")
NOT_ALLOWED: Final = coded("METHOD_NOT_ALLOWED")
ID: Final = "/meta/request_id"
DETAILS: Final = "/error/details"
NGINX: Final = b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body><hr>nginx</body>\r\n</html>\r\n"
PYTHON: Final = (
    'Traceback (most recent call last):\n  File "/srv/app/chat.py", line 7, in chat\n    x = body["y"]\nKeyError: \'y\''
)
DOTNET: Final = (
    "System.NullReferenceException: Object reference not set to an instance of an object.\n"
    "   at Gateway.Chat.Handle(Request request) in /src/Gateway/Chat.cs:line 42"
)
PHP: Final = "Undefined array key\n#0 /var/www/html/chat.php(42): handle()\n#1 {main}"
RUST: Final = "thread 'tokio-runtime-worker' panicked at src/chat.rs:42:17:\nindex out of bounds"
NODE: Final = b"<pre>SyntaxError: Unexpected end of input<br>at parse (/srv/app/node_modules/body-parser/json.js:92)"


def one_error_in(number: int, edit: Callable[[Any], Any], *, first: int = 0) -> Change:
    """The document of one error in so many, as `edit` makes it."""

    def change() -> Reaction:
        told = count()
        return each_refusal(
            lambda document, _: edit(document) if next(told) % number == first else document,
        )()

    return change


def detailed(edit: Callable[[Detail], Any]) -> Change:
    """Each detail of a refusal, as `edit` makes it."""
    return each_refusal(
        lambda document, failure: put(document, DETAILS, [edit(detail) for detail in failure.details]),
        lambda failure: bool(failure.details),
    )


def marked(name: str, words: Callable[[Arrival], str]) -> Change:
    """Words of the request in a header of every answer."""

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def answer(made: Answer) -> Answer:
            whole = behaviour.answer(made)
            return replace(whole, headers={**whole.headers, name: words(arrival)})

        return replace(behaviour, answer=answer)

    return lambda: react


def _authorization(arrival: Arrival) -> str:
    return arrival.headers.get("authorization", "")


def _unread(asked: Asked) -> bool:
    return not asked


def _traced(event: StreamEvent) -> StreamEvent:
    return ErrorEvent(document={**event.document, "message": PYTHON}) if isinstance(event, ErrorEvent) else event


FORM: Final = (
    Fault(
        id="errors-without-meta",
        does="gives its errors no meta",
        change=in_refusals("/meta", GONE),
        red=("errors.request-id",),
        says="/meta/request_id: a non-empty string; nothing",
    ),
    Fault(
        id="errors-without-meta-now-and-then",
        does="leaves meta out of one error in seven",
        change=one_error_in(7, lambda document: put(document, "/meta", GONE), first=5),
        red=("errors.request-id",),
        says="/meta/request_id: a non-empty string; nothing",
    ),
    Fault(
        id="errors-without-meta-when-streaming",
        does="leaves meta out of an error when a stream was asked for",
        change=only(streams, in_refusals("/meta", GONE)),
        red=("errors.request-id",),
        says="/meta/request_id: a non-empty string; nothing",
    ),
    Fault(
        id="errors-with-meta-as-in-answers",
        does="writes meta in errors as it does in answers",
        change=each_refusal(lambda document, _: {"_meta": document.pop("meta"), **document}),
        red=("errors.request-id",),
        says="/meta/request_id: a non-empty string; nothing",
    ),
    Fault(
        id="errors-numbered-request-ids",
        does="gives errors a number for a request id",
        change=in_refusals(ID, 7, NOT_FOUND),
        red=("errors.request-id",),
        says="/meta/request_id: a non-empty string; 7",
    ),
    Fault(
        id="errors-share-a-request-id",
        does="gives all errors one request id",
        change=in_refusals(ID, "req_000000000000000000000000"),
        red=("errors.request-id-header",),
        says="none",
    ),
    Fault(
        id="errors-codes-of-the-router",
        does="lets its router write the code of a wrong path in words",
        change=turning(NOT_FOUND, code="Not Found"),
        red=("errors.code-form",),
        says='/error/code: upper snake case; "Not Found"',
    ),
    Fault(
        id="errors-codes-in-small-letters",
        does="writes codes in small letters",
        change=failing(lambda failure: replace(failure, code=failure.code.lower())),
        red=(
            "errors.code-form",
            "auth.missing-code",
            "auth.wrong-code",
            "auth.scheme-needed",
            "parameters.refusals-say-validation",
            "parameters.unknown-model-code",
            "errors.backend-error-code",
            "errors.backend-timeout-code",
            "errors.rate-limited-code",
            "errors.backend-rate-limited-code",
            "errors.model-unavailable-code",
            "errors.model-access-denied-code",
        ),
        says='/error/code: upper snake case; "validation_error"',
        unseen=("errors.code-has-its-status",),
    ),
    Fault(
        id="errors-router-in-plain-text",
        does="answers a wrong path in plain text",
        change=telling(NOT_FOUND, instead(404, b"404 page not found\n", "text/plain")),
        red=("errors.json",),
        says='whole: a JSON body; "404 page not found',
    ),
    Fault(
        id="errors-proxy-answers-wrong-paths",
        does="leaves a wrong path to its proxy, which answers in HTML",
        change=telling(NOT_FOUND, instead(404, NGINX, "text/html")),
        red=("errors.json",),
        says='whole: a JSON body; "<html>',
    ),
    Fault(
        id="errors-method-without-a-body",
        does="answers a wrong method with nothing but the status",
        change=telling(NOT_ALLOWED, instead(405, b"", "application/json")),
        red=("errors.json",),
        says='whole: a JSON body; ""',
    ),
    Fault(
        id="errors-called-plain-text",
        does="calls the JSON of its errors plain text",
        change=each_head(
            lambda fields, failure: {**fields, "Content-Type": "text/plain"} if failure else fields,
        ),
        red=("errors.json",),
        says="header content-type: application/json; text/plain",
    ),
    Fault(
        id="errors-in-plain-text",
        does="tells all its errors in plain text",
        change=telling(every, lambda answer: instead(answer.status, b"Error\n", "text/plain")(answer)),
        red=(
            "errors.json",
            "auth.refusal-is-enveloped",
            "auth.refused-before-stream",
            "parameters.refusals-are-enveloped",
            "parameters.unknown-model-code",
            "stream.errors-before-are-http",
            "errors.malformed-json-enveloped",
            "errors.backend-error-code",
            "errors.backend-timeout-code",
            "errors.rate-limited-code",
            "errors.backend-rate-limited-code",
            "errors.model-unavailable-code",
            "errors.model-access-denied-code",
            "errors.rate-limited-retry-after",
            "errors.backend-rate-limited-retry-after",
            "errors.failures-enveloped",
        ),
        says='whole: a JSON body; "Error\\n"',
        unseen=(
            "auth.missing-code",
            "auth.wrong-code",
            "parameters.refusals-say-validation",
            "errors.request-id",
            "errors.code-",
            "errors.details-",
            "errors.retry-after-form",
            "errors.rate-limited-retry-after-agree",
        ),
    ),
    Fault(
        id="errors-details-of-the-framework",
        does="gives the details of its framework",
        change=detailed(lambda detail: {"loc": ["body", detail.field], "msg": detail.message, "type": "value_error"}),
        red=("errors.details-form", "errors.details-name-the-field"),
        says='/error/details: an array of objects with field and message; [{"loc"',
    ),
    Fault(
        id="errors-details-in-a-map",
        does="maps members to what is wrong with them",
        change=each_refusal(
            lambda document, failure: put(document, DETAILS, {d.field: d.message for d in failure.details}),
            lambda failure: bool(failure.details),
        ),
        red=("errors.details-form",),
        unseen=("errors.details-name-the-field",),
        says="/error/details: an array of objects with field and message; {",
    ),
    Fault(
        id="errors-details-in-words",
        does="lists details as sentences",
        change=detailed(lambda detail: f"{detail.field}: {detail.message}"),
        red=("errors.details-form", "errors.details-name-the-field"),
        says='/error/details: an array of objects with field and message; ["',
    ),
    Fault(
        id="errors-details-blame-the-body",
        does="blames the whole body for every mistake",
        change=detailed(lambda detail: {"field": "body", "message": detail.message}),
        red=("errors.details-name-the-field",),
        says='/error/details: max_tokens; ["body"]',
    ),
    Fault(
        id="errors-details-blame-the-model",
        does="blames the first member for a stream that is no boolean",
        change=each_refusal(
            lambda document, _: put(document, DETAILS + "/0/field", "model"),
            lambda failure: any(detail.field == "stream" for detail in failure.details),
        ),
        red=("errors.details-name-the-field",),
        says='/error/details: stream; ["model"]',
    ),
)

LEAKS: Final = (
    Fault(
        id="errors-trace-of-python",
        does="shows a trace of Python in the message of a validation error",
        change=turning(INVALID, message=PYTHON),
        red=("errors.no-trace",),
        says='words for a client; "Traceback (most recent call last)"',
    ),
    Fault(
        id="errors-trace-of-dotnet",
        does="shows a trace of .NET when the backend fails",
        change=turning(coded("BACKEND_ERROR"), message=DOTNET),
        red=("errors.no-trace",),
        says="Chat.cs:line 4",
    ),
    Fault(
        id="errors-trace-of-php",
        does="shows a trace of PHP in the message of a wrong path",
        change=turning(NOT_FOUND, message=PHP),
        red=("errors.no-trace",),
        says='words for a client; "/var/www/html/chat.php(4',
    ),
    Fault(
        id="errors-trace-of-rust",
        does="shows the words of a panic in Rust over a body that it cannot read",
        change=only(_unread, turning(INVALID, message=RUST)),
        red=("errors.no-trace",),
        says="panicked at",
    ),
    Fault(
        id="errors-trace-in-a-stream",
        does="shows a trace of Python in the error event of a stream",
        change=each_event(lambda _, event: [_traced(event)]),
        red=("errors.no-trace",),
        says='words for a client; "Traceback (most recent call last)"',
    ),
    Fault(
        id="errors-debug-page",
        does="answers a body that it cannot read with the page of its debugger",
        change=only(_unread, telling(INVALID, instead(400, NODE, "text/html"))),
        red=("errors.no-trace", "errors.json", "errors.malformed-json-enveloped"),
        says="at parse (/srv/app/node_modules/body-parser/json.js:9",
    ),
    Fault(
        id="errors-repeat-the-header",
        does="repeats an Authorization header that is not a bearer's",
        change=arriving(
            lambda arrival: " " not in _authorization(arrival),
            echoing(coded("AUTH_TOKEN_INVALID"), lambda arrival: f"Found: {_authorization(arrival)}"),
        ),
        red=("errors.no-key",),
        says="no key; the key",
    ),
    Fault(
        id="errors-repeat-a-wrong-key",
        does="says which key was wrong",
        change=arriving(
            lambda arrival: " " in _authorization(arrival),
            echoing(coded("AUTH_TOKEN_INVALID"), lambda arrival: f"Incorrect key: {_authorization(arrival)[7:]}"),
        ),
        red=("errors.no-key",),
        says="no key; the key",
    ),
    Fault(
        id="errors-repeat-the-headers-of-a-mistake",
        does="repeats the request's headers in a validation error",
        change=lambda: (
            lambda arrival, behaviour: in_refusals("/error/request", dict(arrival.headers), INVALID)()(
                arrival, behaviour
            )
        ),
        red=("errors.no-key",),
        says="no key; the key",
    ),
    Fault(
        id="errors-debug-header",
        does="sends the Authorization header back",
        change=marked("X-Debug-Authorization", _authorization),
        red=("errors.no-key",),
        says="header x-debug-authorization: no key; the key in X-Debug-Authorization",
    ),
)

FAULTS: Final = (*FORM, *LEAKS)
