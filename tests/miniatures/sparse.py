"""Runs in which requests are missing, busy or refused together: what is then decided, and by what."""

from typing import Any, Final

from conformance.exchange import Exchange
from conformance.probes import failures, multimodal, plain
from conformance.server.changes import GONE, put
from tests.miniatures.calls import second
from tests.miniatures.conversation import CONTENT, declined_as, says
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    Exchanges,
    after,
    answers,
    asking,
    on,
    refusals,
    rewritten,
    throttled,
    with_json,
)

FEW: Final = asking(plain.CUT_SHORT.name)
MORE: Final = asking(plain.LIMITED.name)
USUAL: Final = asking(plain.GREETING.name)
LIMITED: Final = asking(failures.RATE_LIMITED.name)
CONTROLS: Final = (
    plain.GREETING.name,
    plain.LIMITED.name,
    plain.RAW_UTF8.name,
    plain.END_MARKER.name,
    "tools.required-call",
)


def never_asked(*names: str) -> Change:
    """A run that has not got to some requests."""

    def change(exchanges: Exchanges) -> Exchanges:
        return tuple(exchange for exchange in exchanges if exchange.probe not in names)

    return change


def _not_counting(exchange: Exchange) -> bool:
    """Whatever is served beside the count that has more room."""
    return exchange.response is not None and exchange.response.status < 400 and not MORE(exchange)


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "serves nothing but a long count",
        declined_as(_not_counting, 422, "VALIDATION_ERROR"),
        "parameters.max-tokens-accepted",
        "request.endpoint-answers",
        "messages.user-accepted",
        "finish.content-filter",
        says="status: HTTP 200, as for plain.limited; HTTP 422",
        unseen=("",),
    ),
    faulty(
        "names the request emptily when it is busy",
        on(LIMITED, with_json("/meta/request_id", "")),
        "errors.request-id",
        says='/meta/request_id: a non-empty string; ""',
    ),
    faulty(
        "counts its details",
        on(refusals, with_json("/error/details", 7)),
        "errors.details-form",
        says="/error/details: an array of objects with field and message; 7",
        unseen=("errors.details-name-the-field",),
    ),
)


def _either(*words: str) -> Change:
    """A model that cannot tell which of two colours an image has, each time with another word."""
    probes = [probe.name for probe in multimodal.IMAGES]
    return after(*(says(asking(name), f"Red or {word}.") for name, word in zip(probes, words, strict=True)))


def _thinks_only(document: Any) -> Any:
    """An answer whose tokens were all spent on thoughts."""
    usage = document["data"]["usage"]
    usage |= {"completion_tokens": 9, "total_tokens": usage["prompt_tokens"] + 9}
    usage["completion_tokens_details"] = {"reasoning_tokens": 9}
    return put(document, CONTENT, "")


VARIANTS: Final[tuple[Variant, ...]] = (
    odd("thinks and says nothing", on(USUAL, rewritten(_thinks_only))),
    odd("measures tenths of a second", on(answers, with_json("/data/_meta/latency_ms", 100))),
    odd("refuses to count", declined_as(asking(plain.CUT_SHORT.name, plain.LIMITED.name), 422, "VALIDATION_ERROR"), ""),
    odd(
        "is busy for most, and refuses few tokens",
        after(
            declined_as(FEW, 422, "VALIDATION_ERROR"),
            on(lambda each: MORE(each) or USUAL(each), throttled(429, "RATE_LIMITED")),
        ),
        "",
    ),
    odd("was never asked for few tokens", never_asked(plain.CUT_SHORT.name), ""),
    odd("was never asked the plain questions", never_asked(*CONTROLS), ""),
    odd("names no request when it is busy", on(LIMITED, with_json("/meta", GONE))),
    odd(
        "is busy when it gets a tool's result",
        on(second, throttled(429, "RATE_LIMITED")),
        "tools.echo-",
        "tools.result-",
    ),
    odd(
        "wavers between colours",
        _either("yellow", "orange", "purple", "white", "pink", "brown"),
        "multimodal.image-",
    ),
    odd("wavers between red and grey", _either(*["grey"] * len(multimodal.IMAGES)), "multimodal.image-"),
)
