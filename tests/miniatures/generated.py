"""Servers that treat generated requests wrongly, or oddly, as changes to the evidence of one that treats them well."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from conformance.checks.generated import defect_of, graded, valid
from conformance.document import is_number
from conformance.evidence import Evidence
from conformance.exchange import Ending, Exchange
from conformance.generate.asked import AGAIN, BASE, DEFECT, OPEN, PLAIN, PREFIX, TEXT, VALID
from conformance.generate.defects import Grade
from conformance.generate.valid import forms
from conformance.probes import OPENING
from conformance.reading.requests import asked, sent
from conformance.selection import Selection
from conformance.target import Limits
from tests.miniatures import innocent
from tests.miniatures.garbled import saying
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    Exchanges,
    When,
    asking,
    on,
    refused,
    rewritten,
    throttled,
    with_body,
    with_json,
    with_status,
)

REQUIREMENTS: Final = "parameters.generated-"
"""What the ids of the requirements begin with that only generated requests decide."""
ECHOED: Final = "stream.text-intact"
"""A requirement that generated requests decide too."""
_SELECTION: Final = Selection(only=(REQUIREMENTS,), examples=40, seed=1, shrinks=0)
_LIMITS: Final = Limits(max_requests=2000, max_tokens=200_000)


@cache
def observed() -> Evidence:
    """A run that generates requests, seen once."""
    _, _, kept = innocent.sent(_SELECTION, limits=_LIMITS)
    return kept


def _named(beginning: str, *more: str) -> When:
    return lambda exchange: exchange.probe.startswith((beginning, *more))


def _both(*whens: When) -> When:
    return lambda exchange: all(when(exchange) for when in whens)


def _not(when: When) -> When:
    return lambda exchange: not when(exchange)


def _asks(pointer: str, *, of: Callable[[Any], bool] = bool) -> When:
    return lambda exchange: of(asked(exchange, pointer))


def _with_form(beginning: str) -> When:
    return lambda exchange: any(form.startswith(beginning) for form in forms(sent(exchange)))


def _refusing_form(*beginnings: str) -> Change:
    """A refusal of each good request that holds one of some forms."""
    return on(lambda exchange: valid(exchange) and any(_with_form(each)(exchange) for each in beginnings), _INVALID)


def _served(when: When) -> Change:
    """Some are answered as the opening question is."""

    def change(exchanges: Exchanges) -> Exchanges:
        model = next(exchange for exchange in exchanges if exchange.probe == OPENING.name)
        return on(when, lambda exchange: replace(exchange, response=model.response, pieces=model.pieces))(exchanges)

    return change


STATED: Final = graded(Grade.STATED)
READ: Final = graded(Grade.READ)
BROKEN: Final = graded(Grade.STATED, Grade.READ)
_OPENING: Final = asking(OPENING.name)
_INVALID: Final = refused(422, "VALIDATION_ERROR")
_FAILED: Final = refused(500, "INTERNAL_ERROR")
_BUSY: Final = throttled(429, "RATE_LIMITED")
_FIELD: Final = "/error/details/0/field"


def _questioned(text: str) -> str:
    return re.sub(r"[^\x00-\x7f]", "?", text)


def _at(rule: str) -> When:
    """A stated or read defect of a rule of the schema."""
    return lambda exchange: BROKEN(exchange) and (found := defect_of(exchange)[1]) is not None and found.rule == rule


def _says(when: When, field: str) -> Change:
    return on(_both(BROKEN, when), with_json(_FIELD, field))


def _again(exchange: Exchange) -> bool:
    return exchange.probe.endswith(AGAIN)


def _silent(exchange: Exchange) -> Exchange:
    return replace(exchange, response=None, pieces=(), ended=Ending.RESET, detail="the peer closed the connection")


def _innermost(document: Any) -> Any:
    for row in document["error"]["details"]:
        row["field"] = row["field"].rpartition(".")[2].partition("[")[0]
    return document


def _bracketed(document: Any) -> Any:
    for row in document["error"]["details"]:
        row["field"] = "body" + "".join(f"['{name}']" for name in row["field"].split("."))
    return document


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "writes question marks for the letters that it is to give back",
        on(lambda exchange: exchange.control == exchange.probe + PLAIN, saying(_questioned)),
        ECHOED,
        says="question marks for what is not ASCII",
    ),
    faulty(
        "refuses a seed",
        on(_both(_named(VALID), _asks("/seed")), _INVALID),
        "parameters.generated-accepted",
        says="status: the request to be served; HTTP 422 VALIDATION_ERROR",
        unseen=(ECHOED,),
    ),
    faulty(
        "refuses one of the bases that defects are made of",
        on(asking(BASE + "plain"), _INVALID),
        "parameters.generated-accepted",
        says="the request to be served; HTTP 422",
        unseen=(REQUIREMENTS,),
    ),
    faulty(
        "refuses whatever it is asked twice",
        on(_again, _INVALID),
        "parameters.generated-accepted",
        says="the request to be served; HTTP 422",
        unseen=(REQUIREMENTS,),
    ),
    faulty(
        "refuses tools beside a limit, though it takes tools",
        on(_both(_named(VALID), _with_form("tools"), _asks("/top_p", of=is_number)), _INVALID),
        "parameters.generated-accepted",
        says="the request to be served; HTTP 422",
    ),
    faulty(
        "finds nobody for a good request",
        on(_both(_named(VALID), _asks("/seed")), refused(401, "UNAUTHORIZED")),
        "parameters.generated-accepted",
        says="the request to be served; HTTP 401",
        unseen=(ECHOED,),
    ),
    faulty(
        "fails over a good request",
        on(_both(_named(VALID), _asks("/seed")), _FAILED),
        "parameters.generated-accepted",
        "parameters.generated-never-5xx",
        says="the request to be served; HTTP 500",
        unseen=(ECHOED,),
    ),
    faulty(
        "fails over what the page leaves open",
        on(_named(OPEN), _FAILED),
        "parameters.generated-never-5xx",
        says="status: an answer or a refusal, no failure; HTTP 500 INTERNAL_ERROR",
    ),
    faulty(
        "fails over a text that is no JSON",
        on(_named(TEXT), refused(502, "BACKEND_ERROR")),
        "parameters.generated-never-5xx",
        says="no failure; HTTP 502",
    ),
    faulty(
        "fails over every defect",
        on(_named(DEFECT, TEXT), _FAILED),
        "parameters.generated-never-5xx",
        says="no failure; HTTP 500",
        unseen=(REQUIREMENTS,),
    ),
    faulty(
        "serves what is of no type that the page knows",
        _served(_both(STATED, _at("type"))),
        "parameters.generated-refused",
        says="status: HTTP 4xx for /",
    ),
    faulty(
        "serves a text that has no end",
        _served(asking(TEXT + "no-end")),
        "parameters.generated-refused",
        says="HTTP 4xx for the body (text): JSON without its last brace; HTTP 200",
    ),
    faulty(
        "sends away with a redirect what is broken",
        on(_both(STATED, _at("required")), with_status(302), with_body(b"")),
        "parameters.generated-refused",
        says="HTTP 302",
    ),
    faulty(
        "calls a stated defect a matter of the key",
        on(STATED, refused(401, "UNAUTHORIZED")),
        "parameters.generated-refused",
        "parameters.generated-says-validation",
        says="HTTP 401",
    ),
    faulty(
        "forbids what is broken",
        on(READ, refused(403, "FORBIDDEN")),
        "parameters.generated-turned-down",
        "parameters.generated-says-validation",
        says="HTTP 403",
    ),
    faulty(
        "converts what is of another type",
        _served(_both(READ, _at("type"))),
        "parameters.generated-turned-down",
        says="(type)",
    ),
    faulty(
        "reads what lacks a type that can be told",
        _served(lambda exchange: READ(exchange) and _at("required")(exchange)),
        "parameters.generated-turned-down",
        says="(required): 'type' is missing",
    ),
    faulty(
        "takes a text in single quotes",
        _served(asking(TEXT + "single-quotes")),
        "parameters.generated-turned-down",
        says="for the body (text): single quotes",
    ),
    faulty(
        "calls every mistake a bad request",
        on(BROKEN, with_json("/error/code", "BAD_REQUEST")),
        "parameters.generated-says-validation",
        says='/error/code: VALIDATION_ERROR for /model (type); "BAD_REQUEST"',
    ),
    faulty(
        "gives a code of its own where the page states the type",
        on(STATED, with_json("/error/code", "INVALID_TYPE")),
        "parameters.generated-says-validation",
        says='VALIDATION_ERROR for the body (required); "INVALID_TYPE"',
    ),
    faulty(
        "gives no code where it only read the page so",
        on(READ, with_json("/error/code", None)),
        "parameters.generated-says-validation",
        says="; no code",
    ),
    faulty(
        "refuses with a page",
        on(BROKEN, with_status(400), with_body(b"<html>Bad Request</html>", "text/html")),
        "parameters.generated-says-validation",
        says="no code",
        unseen=("parameters.generated-names-the-field",),
    ),
    faulty(
        "names another field",
        _says(BROKEN, "frequency_penalty"),
        "parameters.generated-names-the-field",
        says='/error/details: a field of model; ["frequency_penalty"]',
    ),
    faulty(
        "names what is missing by something else",
        _says(_at("required"), "presence_penalty"),
        "parameters.generated-names-the-field",
        says='a field of model; ["presence_penalty"]',
    ),
    faulty(
        "names the first of a path that it does not hold",
        _says(_both(READ, _at("type")), "n"),
        "parameters.generated-names-the-field",
        says='["n"]',
    ),
    faulty(
        "lists what is wrong without a field",
        on(_both(BROKEN, _not(_named(TEXT))), with_json("/error/details", ["model", {"message": "wrong"}])),
        "parameters.generated-names-the-field",
        says="; []",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("has no tools", on(_both(_named(PREFIX), _with_form("tools")), _INVALID), REQUIREMENTS),
    odd("takes no image in a nested address", on(_both(_named(PREFIX), _with_form("image_url nested")), _INVALID)),
    odd("takes no more than four stop sequences", _refusing_form("5 stop", "6 stop")),
    odd(
        "takes metadata of strings alone",
        _refusing_form("dict in", "list in", "int in", "float in", "bool in", "NoneType in"),
    ),
    odd("takes no tool without description and parameters", _refusing_form("tool without")),
    odd("takes no U+0000", _refusing_form("U+0000 in"), ECHOED),
    odd("takes calls of its own alone", _refusing_form("call that is named")),
    odd("takes parts from users alone", on(_both(_named(PREFIX), _with_form("text part from")), _INVALID)),
    odd("refuses what the page leaves open", on(_named(OPEN), _INVALID)),
    odd("serves what the page leaves open", _served(lambda exchange: defect_of(exchange)[0] is Grade.OPEN)),
    odd("turns away with another 4xx", on(_both(BROKEN, _named(DEFECT, TEXT)), with_status(400))),
    odd(
        "tells no details",
        on(BROKEN, rewritten(lambda document: document | {"error": {**document["error"], "details": []}})),
        "parameters.generated-names-the-field",
    ),
    odd(
        "tells details as a text",
        on(BROKEN, with_json("/error/details", "model is wrong")),
        "parameters.generated-names-the-field",
    ),
    odd("names the innermost member alone", on(BROKEN, rewritten(_innermost))),
    odd("names the field in brackets", on(BROKEN, rewritten(_bracketed))),
    odd("refuses all it is asked, the opening question too", on(lambda _: True, _INVALID), REQUIREMENTS, ECHOED),
    odd("refuses the opening question alone", on(_OPENING, _INVALID), REQUIREMENTS),
    odd("is busy over the second of two controls", on(_again, _BUSY), REQUIREMENTS),
    odd("fails over the opening question too", on(lambda _: True, _FAILED), REQUIREMENTS, ECHOED),
    odd("is busy for whatever was generated", on(_named(PREFIX), _BUSY), REQUIREMENTS, ECHOED),
    odd("is busy over defects", on(_named(DEFECT, TEXT), throttled(503, "MODEL_UNAVAILABLE")), REQUIREMENTS),
    odd("is busy over good requests", on(_named(VALID), _BUSY), ECHOED),
    odd("answers nothing that was generated", on(_named(PREFIX), _silent), REQUIREMENTS, ECHOED),
    odd(
        "answers no good request before we give up",
        on(valid, lambda exchange: replace(_silent(exchange), ended=Ending.TIMEOUT)),
        REQUIREMENTS,
        ECHOED,
    ),
)
