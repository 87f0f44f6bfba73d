"""Servers that refuse what they must serve, serve what they must refuse, or refuse it wrongly."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Ending
from conformance.probes import parameters
from conformance.server.changes import put
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.wire import (
    Change,
    One,
    after,
    answered_as,
    asking,
    cut,
    on,
    refused,
    rewritten,
    with_body,
    with_json,
    with_status,
)

SERVED: Final = answered_as("plain.greeting")
TEXT: Final = "/data/choices/0/message/content"
MALFORMED: Final = tuple(probe.name for probe in parameters.MALFORMED)
BAD: Final = asking(*MALFORMED)
# Nearly everything is measured against the plain question, and says nothing when that is refused.
ON_GREETING: Final = (
    "auth.",
    "errors.",
    "messages.",
    "multimodal.part-",
    "parameters.",
    "response.documented",
    "response.not-a-stream",
    "stream.",
    "tools.choice-needs-tools",
    "tools.empty-list",
)

ACCEPTED: Final[Mapping[str, str]] = {
    "request.minimal-body": "plain.minimal",
    "request.documented-example": "plain.documented",
    "request.raw-utf8": "plain.raw-utf8",
    "request.escaped-unicode": "plain.escaped-unicode",
    "request.no-accept-needed": "stream.no-accept",
    "parameters.max-tokens-accepted": "plain.cut-short",
    "parameters.temperature-zero": "parameters.temperature-zero",
    "parameters.temperature-two": "parameters.temperature-two",
    "parameters.temperature-integer": "parameters.temperature-integer",
    "parameters.top-p-one": "parameters.top-p-one",
    "parameters.stop-string": "parameters.stop-string",
    "parameters.stop-array": "parameters.stop-array",
    "parameters.seed-accepted": "parameters.seed",
    "parameters.stream-false": "parameters.stream-false",
    "parameters.tools-accepted": "parameters.tools",
    "parameters.tool-choice-auto": "parameters.tool-choice-auto",
    "parameters.tool-choice-none": "parameters.tool-choice-none",
    "parameters.tool-choice-required": "parameters.tool-choice-required",
    "parameters.tool-choice-named": "parameters.tool-choice-named",
    "parameters.metadata-accepted": "parameters.metadata",
    "parameters.all-together": "parameters.all-together",
}

REFUSED: Final[Mapping[str, str]] = {
    "parameters.model-required": "parameters.no-model",
    "parameters.model-type": "parameters.model-object",
    "parameters.messages-required": "parameters.no-messages",
    "parameters.messages-type": "parameters.messages-object",
    "parameters.max-tokens-type": "parameters.max-tokens-object",
    "parameters.temperature-type": "parameters.temperature-array",
    "parameters.top-p-type": "parameters.top-p-object",
    "parameters.stop-type": "parameters.stop-object",
    "parameters.seed-type": "parameters.seed-object",
    "parameters.stream-type": "parameters.stream-object",
    "parameters.tools-type": "parameters.tools-string",
    "parameters.tool-choice-type": "parameters.tool-choice-number",
    "parameters.metadata-type": "parameters.metadata-string",
}

# A refused prompt hides how long an answer to it would have been, and what it holds.
_HIDDEN: Final = ("finish.length", "stream.text-intact", "finish.stop", "parameters.max-tokens-kept")
_ALSO_HIDDEN: Final[Mapping[str, tuple[str, ...]]] = {
    "parameters.tools": ("tools.choice-known", "tools.choice-declared"),
    "parameters.tool-choice-none": ("tools.none-calls-nothing",),
    "parameters.tool-choice-named": ("tools.named-calls",),
    "parameters.metadata": ("parameters.metadata-same-shape",),
}
_ALSO_BROKEN: Final[Mapping[str, str]] = {"parameters.tools": "tools.definition-accepted"}
"""Another requirement that speaks of the same request."""


def _wrongly_refused(requirement: str, probe: str) -> tuple[Miniature, ...]:
    """The probe refused as a mistake, and a failure over it."""
    red = (requirement, *filter(None, [_ALSO_BROKEN.get(probe)]))
    unseen = (*_HIDDEN, *_ALSO_HIDDEN.get(probe, ()))
    return (
        faulty(
            f"refuses {probe}",
            on(asking(probe), refused(422, "VALIDATION_ERROR")),
            *red,
            says="HTTP 422 VALIDATION_ERROR",
            unseen=unseen,
        ),
        faulty(
            f"breaks over {probe}",
            on(asking(probe), refused(500, "INTERNAL_ERROR")),
            *red,
            says="; HTTP 500 INTERNAL_ERROR",
            unseen=unseen,
        ),
    )


def _wrongly_served(requirement: str, probe: str) -> tuple[Miniature, ...]:
    """The probe served, failed over, and refused for the sake of a key that is good."""
    return (
        faulty(
            f"takes {probe}",
            SERVED(asking(probe)),
            requirement,
            says="status: HTTP 4xx for the mistake in the body; HTTP 200",
        ),
        faulty(
            f"breaks over {probe}",
            on(asking(probe), refused(500, "INTERNAL_ERROR")),
            requirement,
            "parameters.refusals-are-4xx",
            "parameters.refusals-are-422",
            "parameters.refusals-say-validation",
            says="HTTP 4xx for the mistake in the body; HTTP 500 INTERNAL_ERROR",
        ),
        faulty(
            f"asks for another key over {probe}",
            on(asking(probe), refused(401, "AUTH_TOKEN_INVALID")),
            requirement,
            "parameters.refusals-are-422",
            "parameters.refusals-say-validation",
            says="HTTP 4xx for the mistake in the body; HTTP 401",
        ),
    )


def with_answer(status: int, body: Any) -> tuple[One, One]:
    """Another status and another JSON body."""
    return with_status(status), with_body(json.dumps(body).encode())


def error_stream(code: str) -> One:
    """The refusal as an event stream."""
    error = json.dumps({"code": code, "message": "No."}).encode()
    body = b"event: error\ndata: " + error + b"\n\ndata: [DONE]\n\n"
    return lambda exchange: with_body(body, "text/event-stream")(with_status(200)(exchange))


def _echoed(model: str) -> Change:
    """Another model answers under the name that was asked for."""
    return answered_as("plain.greeting", lambda document: put(document, "/data/model", model))(
        asking("parameters.unknown-model")
    )


ENDPOINT: Final = (
    faulty(
        "answers a plain question with 404",
        on(asking("plain.greeting"), with_status(404), with_body(b"Not Found", "text/plain")),
        "request.endpoint-answers",
        "messages.system-optional",
        "errors.json",
        says="status: HTTP 200; HTTP 404",
        unseen=ON_GREETING,
    ),
    faulty(
        "answers 201",
        on(asking("plain.greeting"), with_status(201)),
        "request.endpoint-answers",
        says="HTTP 200; HTTP 201",
    ),
    faulty(
        "drops a connection in the middle",
        on(asking("parameters.seed"), cut(Ending.RESET, keep=0)),
        "request.answer-is-whole",
        says="ending: a complete HTTP answer; reset",
    ),
    faulty(
        "drops a connection before it answers",
        on(asking("parameters.seed"), lambda exchange: replace(exchange, response=None, pieces=(), ended=Ending.RESET)),
        "request.answer-is-whole",
        says="ending: a complete HTTP answer; reset",
        unseen=("parameters.seed-accepted",),
    ),
    faulty(
        "answers what is no HTTP",
        on(asking("parameters.seed"), cut(Ending.NOT_HTTP, keep=0)),
        "request.answer-is-whole",
        says="a complete HTTP answer; not HTTP",
    ),
    faulty(
        "forgets a good key",
        on(asking("plain.limited"), refused(401, "AUTH_TOKEN_INVALID")),
        "auth.bearer-accepted",
        says="status: the key is accepted; HTTP 401 AUTH_TOKEN_INVALID",
        unseen=("finish.length",),
    ),
    faulty(
        "wants an Accept header for streams",
        on(asking("stream.no-accept"), refused(406, "NOT_ACCEPTABLE")),
        "request.no-accept-needed",
        says="HTTP 406",
    ),
    faulty(
        "answers in JSON where nothing is said of what is accepted",
        SERVED(asking("stream.no-accept")),
        "request.no-accept-needed",
        says="whole: an event stream, as for stream.greeting; a body of application/json",
    ),
    faulty(
        "reads UTF-8 as Latin-1",
        on(asking("plain.raw-utf8"), with_json(TEXT, lambda text: text.encode().decode("latin-1"))),
        "request.raw-utf8",
        says=f'{TEXT}: "Zürich 東京',
    ),
    faulty(
        "cannot read surrogate pairs",
        on(asking("plain.escaped-unicode"), with_json(TEXT, lambda text: text.replace("🎈", "\ufffd\ufffd"))),
        "request.escaped-unicode",
        says="with U+FFFD in it",
    ),
)


NEWER: Final = (
    faulty(
        "knows max_tokens under another name only",
        on(asking("plain.greeting", "plain.limited", "plain.cut-short"), refused(400, "VALIDATION_ERROR")),
        "parameters.max-tokens-accepted",
        "request.endpoint-answers",
        "messages.system-optional",
        says="HTTP 200, as for plain.minimal; HTTP 400 VALIDATION_ERROR",
        unseen=(*ON_GREETING, "finish.length"),
    ),
)


FORM: Final = (
    faulty(
        "answers for a model that it has not",
        _echoed("conformance/no-such-model-5f3a9c"),
        "parameters.model-must-exist",
        says="a refusal (HTTP 4xx); HTTP 200",
        unseen=("parameters.unknown-model-code",),
    ),
    faulty(
        "puts its own model in the place of an unknown one",
        SERVED(asking("parameters.unknown-model")),
        "parameters.model-must-exist",
        "response.model-is-the-slug",
        says="a refusal (HTTP 4xx); HTTP 200",
        unseen=("parameters.unknown-model-code",),
    ),
    faulty(
        "breaks over an unknown model",
        on(asking("parameters.unknown-model"), refused(500, "INTERNAL_ERROR")),
        "parameters.refusals-are-4xx",
        "parameters.model-must-exist",
        "parameters.unknown-model-code",
        says="status: HTTP 4xx; HTTP 500",
    ),
    faulty(
        "calls an unknown model a validation error",
        on(asking("parameters.unknown-model"), with_json("/error/code", "VALIDATION_ERROR")),
        "parameters.unknown-model-code",
        says="/error/code: MODEL_NOT_FOUND; ",
    ),
    faulty(
        "refuses an unknown model with 400",
        on(asking("parameters.unknown-model"), with_status(400)),
        "parameters.unknown-model-code",
        says="status: HTTP 404; HTTP 400",
    ),
    faulty(
        "gives a framework's list of mistakes",
        on(BAD, *with_answer(422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"}]})),
        "parameters.refusals-are-enveloped",
        "errors.request-id",
        says='/status: "error"; nothing',
        unseen=("parameters.refusals-say-validation", "errors.details-name-the-field"),
    ),
    faulty(
        "refuses mistakes without a status member",
        on(BAD, rewritten(lambda document: {"error": document["error"], "meta": document["meta"]})),
        "parameters.refusals-are-enveloped",
        says='/status: "error"; nothing',
    ),
    faulty(
        "numbers its error codes",
        on(asking("parameters.no-messages"), with_json("/error/code", 422)),
        "parameters.refusals-are-enveloped",
        "parameters.refusals-say-validation",
        says="/error/code: a non-empty string; 422",
    ),
    faulty(
        "calls a mistake a bad request",
        on(BAD, with_json("/error/code", "BAD_REQUEST")),
        "parameters.refusals-say-validation",
        says="/error/code: VALIDATION_ERROR; ",
    ),
    faulty("refuses mistakes with 400", on(BAD, with_status(400)), "parameters.refusals-are-422", says="422; HTTP 400"),
    faulty(
        "streams its refusal of a mistake",
        on(asking("stream.no-messages"), error_stream("VALIDATION_ERROR")),
        "stream.errors-before-are-http",
        says="HTTP 200 with an event stream",
    ),
    faulty(
        "refuses a stream with HTTP 200",
        on(asking("stream.no-messages"), with_status(200)),
        "stream.errors-before-are-http",
        says="status: an HTTP error in JSON (4xx); HTTP 200",
    ),
    faulty(
        "fails over a mistake when a stream is asked for",
        on(asking("stream.no-messages"), with_status(500)),
        "stream.errors-before-are-http",
        "errors.code-has-its-status",
        says="status: an HTTP error in JSON (4xx); HTTP 500",
    ),
    faulty(
        "streams for a model that it has not",
        as_told("stream.greeting", asking("stream.unknown-model")),
        "stream.errors-before-are-http",
        "stream.same-model",
        says="HTTP 200 with an event stream",
    ),
    faulty(
        "clamps what a stream asks for",
        as_told("stream.greeting", asking("stream.temperature-above")),
        "parameters.temperature-above",
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    faulty(
        "looks for a stream in the bytes of the body",
        SERVED(asking("stream.spaced")),
        "parameters.stream-true",
        says="an event stream; a body of application/json",
    ),
    faulty(
        "answers in JSON whoever accepts that alone",
        SERVED(asking("stream.accept-json")),
        "parameters.stream-true",
        says="an event stream; a body of application/json",
    ),
    faulty(
        "calls a mistake its backend's",
        on(asking("parameters.max-tokens-zero"), with_json("/error/code", "BACKEND_ERROR")),
        "errors.code-has-its-status",
        says="status: HTTP 502 for BACKEND_ERROR; HTTP 422",
    ),
    faulty(
        "words a mistake when a stream is asked for",
        on(asking("stream.no-messages"), with_body(b"messages is missing", "text/plain")),
        "stream.errors-before-are-http",
        "errors.json",
        says="whole: an HTTP error in JSON; HTTP 422 with a text/plain body that is not JSON",
    ),
    faulty(
        "takes a mistake in everything",
        after(*(SERVED(asking(name)) for name in MALFORMED)),
        *REFUSED,
        says="; HTTP 200",
        unseen=("parameters.refusals-", "errors.details-name-the-field"),
    ),
)

MINIATURES: Final = (
    *ENDPOINT,
    *NEWER,
    *FORM,
    *(each for requirement, probe in ACCEPTED.items() for each in _wrongly_refused(requirement, probe)),
    *(each for requirement, probe in REFUSED.items() for each in _wrongly_served(requirement, probe)),
)
