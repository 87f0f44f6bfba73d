"""Servers that take what the page forbids, or refuse it wrongly."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance import schema
from conformance.document import is_number
from conformance.server import admission
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    When,
    after,
    each_refusal,
    failing,
    in_refusals,
    mending,
    only,
    plain,
    put,
    replacing,
)
from conformance.server.deviation import Fault
from conformance.server.generation import Failure, Refused, Service
from conformance.server.model import MINI
from conformance.server.site import Site


def setting(name: str, wrong: Callable[[Any], bool], right: Any = GONE) -> Change:
    """A member that is wrong silently set to another value, left out for `GONE`, or made from it by a function."""

    def edit(document: Any) -> Any:
        if isinstance(document, dict) and wrong(document.get(name)):
            return put(dict(document), f"/{name}", right)
        return document

    return mending(edit)


def refused_with(status: int, code: str, *, of: str = "VALIDATION_ERROR") -> Change:
    """Refusals of one code with another status and code."""
    return failing(lambda failure: replace(failure, status=status, code=code) if failure.code == of else failure)


def typed_wrong(name: str, *kinds: type) -> When:
    """Requests whose member of this name is of one of these types."""
    return lambda asked: isinstance(asked.get(name), kinds)


def out_of(name: str, low: float, high: float) -> When:
    """Requests whose member of this name is a number out of these bounds."""
    return lambda asked: is_number(asked.get(name)) and not low <= asked[name] <= high


def _clamping(name: str, low: float, high: float) -> Change:
    return setting(
        name, lambda value: is_number(value) and not low <= value <= high, lambda value: min(max(value, low), high)
    )


def _first_service(document: Asked, site: Site) -> Service:
    try:
        return admission.route(document, site)
    except Refused:
        return site.services[0]


def _mistake(failure: Failure) -> bool:
    return failure.code == "VALIDATION_ERROR"


def _malformed(asked: Asked) -> bool:
    """A request whose own members are wrong or missing, as a framework's model of it would find."""
    return bool(asked) and any(defect.pointer.count("/") < 2 for defect in schema.defects("request.schema.json", asked))


def _listed(_document: Any, failure: Failure) -> Any:
    """The list of mistakes that a framework gives by itself."""
    return {
        "detail": [
            {"loc": ["body", detail.field], "msg": detail.message, "type": "value_error"} for detail in failure.details
        ]
    }


def _ignoring(name: str, kind: type, *also: str) -> Fault:
    row = name.replace("_", "-")
    return Fault(
        id=f"{row}-type-ignored",
        does=f"leaves a {name} of the wrong type out",
        change=setting(name, lambda value: isinstance(value, kind)),
        red=(f"parameters.{row}-type", *also),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
        wild=("F-PAR-06",),
    )


def _untyped(document: Any) -> Any:
    """The document without the optional members whose type is wrong."""
    found = schema.defects("request.schema.json", document) if isinstance(document, dict) else ()
    wrong = {defect.pointer[1:] for defect in found if defect.rule == "type"} - {"model", "messages"}
    return {name: value for name, value in document.items() if name not in wrong} if wrong else document


_TYPES: Final = tuple(
    f"parameters.{name}-type"
    for name in ("max-tokens", "temperature", "top-p", "stop", "seed", "stream", "tools", "tool-choice", "metadata")
)
_BOUNDS: Final = tuple(
    f"parameters.{name}"
    for name in (
        "max-tokens-zero",
        "max-tokens-negative",
        "temperature-above",
        "temperature-below",
        "top-p-above",
        "top-p-below",
    )
)
_EMPTY: Final = [{"role": "user", "content": ""}]

FAULTS: Final[tuple[Fault, ...]] = (
    # Taken.
    Fault(
        id="model-has-default",
        does="answers for a model of its own choice where none is named",
        change=setting("model", lambda value: value is None, MINI),
        red=("parameters.model-required",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="model-object-taken",
        does="answers for its default model where the slug is no string",
        change=setting("model", lambda value: isinstance(value, dict), MINI),
        red=("parameters.model-type",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="model-unknown-served",
        does="answers with another model in the name of one that it has not",
        change=replacing(route=_first_service),
        red=("parameters.model-must-exist", "stream.errors-before-are-http"),
        says="a refusal (HTTP 4xx); HTTP 200",
        unseen=("parameters.unknown-model-code",),
        wild=("F-ERR-11",),
    ),
    Fault(
        id="messages-missing-taken",
        does="takes missing messages for an empty question",
        change=only(plain, setting("messages", lambda value: value is None, _EMPTY)),
        red=("parameters.messages-required",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="messages-object-taken",
        does="takes one message where an array is due",
        change=setting("messages", lambda value: isinstance(value, dict), lambda value: [value]),
        red=("parameters.messages-type",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    _ignoring("max_tokens", dict),
    _ignoring("temperature", list),
    _ignoring("top_p", dict),
    _ignoring("stop", dict, "stream.errors-before-are-http"),
    _ignoring("seed", dict),
    _ignoring("tools", str),
    _ignoring("tool_choice", int),
    _ignoring("metadata", str),
    Fault(
        id="stream-truthy-taken",
        does="streams for whatever is not empty",
        change=setting("stream", lambda value: isinstance(value, dict), bool),
        red=("parameters.stream-type",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="mistakes-left-out",
        does="leaves every optional member of a wrong type out",
        change=mending(_untyped),
        red=(*_TYPES, "parameters.max-tokens-fraction", "stream.errors-before-are-http"),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
        wild=("F-PAR-06",),
    ),
    Fault(
        id="max-tokens-zero-taken",
        does="takes a max_tokens of 0 for none",
        change=setting("max_tokens", lambda value: value == 0),
        red=("parameters.max-tokens-zero",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="max-tokens-negative-taken",
        does="takes a negative max_tokens for no limit",
        change=setting("max_tokens", lambda value: is_number(value) and value < 0),
        red=("parameters.max-tokens-negative",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="max-tokens-fraction-cut",
        does="cuts the fraction of a max_tokens off",
        change=setting("max_tokens", lambda value: isinstance(value, float), int),
        red=("parameters.max-tokens-fraction",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="temperature-above-clamped",
        does="takes a temperature above 2 for 2",
        change=_clamping("temperature", -9, 2),
        red=("parameters.temperature-above",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="temperature-below-clamped",
        does="takes a temperature below 0 for 0",
        change=_clamping("temperature", 0, 9),
        red=("parameters.temperature-below",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="top-p-above-clamped",
        does="takes a top_p above 1 for 1",
        change=_clamping("top_p", -9, 1),
        red=("parameters.top-p-above",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="top-p-below-clamped",
        does="takes a top_p below 0 for 0",
        change=_clamping("top_p", 0, 9),
        red=("parameters.top-p-below",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="bounds-clamped",
        does="clamps temperature and top_p to their bounds",
        change=after(_clamping("temperature", 0, 2), _clamping("top_p", 0, 1)),
        red=_BOUNDS[2:],
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    # Refused wrongly.
    Fault(
        id="mistakes-all-break",
        does="fails over whatever mistake a request's own members hold",
        change=only(_malformed, refused_with(500, "INTERNAL_ERROR")),
        red=(
            "parameters.refusals-are-4xx",
            "parameters.refusals-are-422",
            "parameters.refusals-say-validation",
            "parameters.model-required",
            "parameters.model-type",
            "parameters.messages-required",
            "parameters.messages-type",
            *_TYPES,
            *_BOUNDS,
            "parameters.max-tokens-fraction",
            "parameters.bounds-never-5xx",
            "messages.not-empty",
            "messages.never-5xx",
            "stream.errors-before-are-http",
            "tools.choice-known",
            "tools.choice-never-5xx",
        ),
        says="status: HTTP 4xx; HTTP 500",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="bounds-break",
        does="lets its backend fail over a number out of bounds",
        change=only(out_of("temperature", 0, 2), refused_with(500, "INTERNAL_ERROR")),
        red=("parameters.bounds-never-5xx", "parameters.temperature-above", "parameters.temperature-below"),
        says="HTTP 4xx; HTTP 500",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="bounds-pass-backend-error-on",
        does="passes a backend's failure over a top_p out of bounds on",
        change=only(out_of("top_p", 0, 1), refused_with(502, "BACKEND_ERROR")),
        red=("parameters.bounds-never-5xx", "parameters.top-p-above", "parameters.top-p-below"),
        says="HTTP 4xx; HTTP 502",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="mistakes-break",
        does="fails over a temperature that is an array",
        change=only(typed_wrong("temperature", list), refused_with(500, "INTERNAL_ERROR")),
        red=(
            "parameters.refusals-are-4xx",
            "parameters.temperature-type",
            "parameters.refusals-are-422",
            "parameters.refusals-say-validation",
        ),
        says="status: HTTP 4xx; HTTP 500",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="model-unknown-breaks",
        does="fails over an unknown slug",
        change=refused_with(500, "INTERNAL_ERROR", of="MODEL_NOT_FOUND"),
        red=(
            "parameters.refusals-are-4xx",
            "parameters.model-must-exist",
            "parameters.unknown-model-code",
            "stream.errors-before-are-http",
        ),
        says="status: HTTP 4xx; HTTP 500",
        wild=("F-ERR-06",),
    ),
    Fault(
        id="model-unknown-forbidden",
        does="says of an unknown slug that it may not be used",
        change=refused_with(403, "MODEL_ACCESS_DENIED", of="MODEL_NOT_FOUND"),
        red=("parameters.unknown-model-code",),
        says="HTTP 404; HTTP 403",
    ),
    Fault(
        id="model-unknown-is-a-mistake",
        does="calls an unknown slug a validation error",
        change=refused_with(422, "VALIDATION_ERROR", of="MODEL_NOT_FOUND"),
        red=("parameters.unknown-model-code",),
        says='MODEL_NOT_FOUND; "VALIDATION_ERROR"',
    ),
    Fault(
        id="model-type-forbidden",
        does="looks a model's permissions up before its type",
        change=only(typed_wrong("model", dict), refused_with(403, "MODEL_ACCESS_DENIED")),
        red=("parameters.model-type", "parameters.refusals-are-422", "parameters.refusals-say-validation"),
        says="HTTP 4xx for the mistake in the body; HTTP 403",
    ),
    Fault(
        id="mistakes-listed-by-framework",
        does="refuses mistakes with the framework's own list of them",
        change=only(_malformed, each_refusal(_listed, _mistake)),
        red=("parameters.refusals-are-enveloped", "errors.request-id"),
        says='/status: "error"; nothing',
        unseen=("parameters.refusals-say-validation", "errors.details-name-the-field"),
    ),
    Fault(
        id="mistakes-without-status",
        does="refuses mistakes without a status member",
        change=only(_malformed, in_refusals("/status", GONE, _mistake)),
        red=("parameters.refusals-are-enveloped",),
        says='/status: "error"; nothing',
    ),
    Fault(
        id="mistakes-called-bad-requests",
        does="calls a mistake a bad request",
        change=only(_malformed, refused_with(422, "BAD_REQUEST")),
        red=("parameters.refusals-say-validation",),
        says='VALIDATION_ERROR; "BAD_REQUEST"',
    ),
    Fault(
        id="mistakes-are-400",
        does="refuses mistakes with HTTP 400",
        change=refused_with(400, "VALIDATION_ERROR"),
        red=("parameters.refusals-are-422",),
        says="HTTP 422; HTTP 400",
    ),
)
