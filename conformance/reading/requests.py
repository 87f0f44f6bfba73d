"""What was asked."""

from functools import lru_cache
from typing import Any, Final

from conformance import schema
from conformance.document import MISSING, NotJson, at, parse
from conformance.exchange import Exchange, Request
from conformance.scenario import Scenario, cued
from conformance.scenarios import SCENARIOS

_RUN: Final = 4096
"""How many requests are remembered: a whole run, since a check asks it of every exchange before the next check does."""


@lru_cache(maxsize=_RUN)
def _written(request: Request) -> Any:
    try:
        return parse(request.body)
    except NotJson:
        return MISSING


@lru_cache(maxsize=_RUN)
def _mistakes(request: Request) -> tuple[schema.Defect, ...]:
    return schema.defects("request.schema.json", _written(request))


def sent(exchange: Exchange) -> Any:
    """The request's JSON document; `MISSING` where the body is not JSON."""
    return _written(exchange.request)


def asked(exchange: Exchange, pointer: str) -> Any:
    """What the request holds at a pointer, or `MISSING`."""
    return at(sent(exchange), pointer)


@lru_cache(maxsize=_RUN)
def _scenario(request: Request) -> Scenario | None:
    return SCENARIOS.get(cued(_written(request))[0]) if b"[scenario:" in request.body else None


def scenario_of(exchange: Exchange) -> Scenario | None:
    """The scenario of the scripted backend that the request names; nothing where it names none."""
    return _scenario(exchange.request)


def streamed(exchange: Exchange) -> bool:
    """Whether a stream was asked for."""
    return asked(exchange, "/stream") is True


def unstreamed(exchange: Exchange) -> bool:
    """Whether one JSON answer was asked for: `stream` false or left out."""
    return asked(exchange, "/stream") in (False, MISSING)


def authorized(exchange: Exchange) -> bool:
    """Whether the target's own key was sent as the page shows."""
    return ("Bearer ***") in (value for name, value in exchange.request.headers if name.lower() == "authorization")


def mistakes(exchange: Exchange) -> tuple[schema.Defect, ...]:
    """What is wrong with the request by the request schema; nothing where it keeps it."""
    return _mistakes(exchange.request)


def legal(exchange: Exchange) -> bool:
    """Whether the request keeps the page: the right key, and a body that the request schema accepts."""
    return authorized(exchange) and not mistakes(exchange)
