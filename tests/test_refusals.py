"""What refusals hold, at the edges."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.check import Violation
from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.reading.witness import Unobservable
from tests.exchanges import answered, completed


def refused(*, code: str = "VALIDATION_ERROR", status: int = 422, request_id: Any = "r1", **given: Any) -> Exchange:
    error = {"code": code, "message": "no", **given.pop("error", {})}
    body = {"status": "error", "error": error, "meta": {"request_id": request_id}}
    return answered(body, status=status, **given)


def told(requirement: str, *exchanges: Exchange) -> list[Violation]:
    return list(CHECKS[requirement].find(*exchanges))


def test_whoever_is_above_the_rate_needs_no_request_id() -> None:
    assert told("errors.request-id", refused(code="RATE_LIMITED", status=429, request_id=None)) == []
    assert len(told("errors.request-id", refused(code="RATE_LIMITED", status=429, request_id=7))) == 1
    assert len(told("errors.request-id", refused(request_id=None))) == 1


def test_what_cannot_be_read_may_be_refused_before_an_id_is_given() -> None:
    exchange = answered({"detail": "no JSON"}, status=400)

    with pytest.raises(Unobservable, match="before it was read"):
        told("errors.request-id", replace(exchange, request=replace(exchange.request, body=b'{"model": ')))
    assert len(told("errors.request-id", exchange)) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_an_edge_that_is_busy_gives_no_id(status: int) -> None:
    with pytest.raises(Unobservable, match=f"HTTP {status}"):
        told("errors.request-id", answered({"message": "API rate limit exceeded"}, status=status))
    assert len(told("errors.request-id", refused(code="MODEL_UNAVAILABLE", status=status, request_id=None))) == 1


@pytest.mark.parametrize("kind, right", [("application/problem+json", True), ("text/json", False), ("json", False)])
def test_an_error_is_of_json_by_name(kind: str, *, right: bool) -> None:
    assert (told("errors.json", refused(kind=kind)) == []) is right


@pytest.mark.parametrize("status, right", [(404, True), (400, True), (403, True), (399, False), (500, False)])
def test_a_wrong_path_is_refused(status: int, *, right: bool) -> None:
    control = completed("Hi.", probe="plain.greeting")
    exchange = refused(status=status, probe="errors.wrong-path", control="plain.greeting")

    assert (told("errors.wrong-path", exchange, control) == []) is right


@pytest.mark.parametrize("holder", ["", "/", "$", "body"])
def test_the_message_names_the_member_where_the_field_names_the_body(holder: str) -> None:
    def detailed(message: str) -> Exchange:
        rows = [{"field": holder, "message": message}]
        return refused(error={"details": rows}, probe="parameters.no-messages", control="plain.greeting")

    control = completed("Hi.", probe="plain.greeting")
    assert told("errors.details-name-the-field", detailed("must have messages"), control) == []
    assert len(told("errors.details-name-the-field", detailed("must have more"), control)) == 1


@pytest.mark.parametrize("length, told_apart", [(11, False), (12, True)])
def test_a_key_of_twelve_characters_is_told_apart(length: int, *, told_apart: bool) -> None:
    key = "k" * length
    exchange = refused(error={"message": f"no such key: {key}"})
    sent = replace(exchange.request, headers=(("authorization", f"Bearer {key}"),))

    assert bool(told("errors.no-key", replace(exchange, request=sent))) is told_apart


@pytest.mark.parametrize("code", ["DRAINING", "SHUTTING_DOWN", "RESTARTING", "IN_MAINTENANCE", "RATE_LIMITED"])
def test_a_server_that_is_about_to_go_has_not_brought_the_failure_about(code: str) -> None:
    with pytest.raises(Unobservable, match="the target was busy"):
        told("errors.model-unavailable-code", refused(code=code, status=503))


def test_another_code_for_a_model_that_is_away_is_wrong() -> None:
    assert [each.where for each in told("errors.model-unavailable-code", refused(code="GONE", status=503))] == [
        "/error/code"
    ]


def limited(**headers: str) -> list[tuple[str, str]]:
    exchange = completed("Hi.")
    assert exchange.response is not None
    named = tuple((f"X-Scaigrid-Ratelimit-{name}", value) for name, value in headers.items())
    response = replace(exchange.response, headers=(*exchange.response.headers, *named))
    return [
        (each.where, each.found) for each in told("errors.rate-limit-headers", replace(exchange, response=response))
    ]


def test_the_time_of_a_reset_may_have_any_form() -> None:
    assert limited(Limit="60", Remaining="59;w=60", Reset="Sat, 28 Nov 2026 12:00:00 GMT") == []
    assert limited(Limit="sixty", Remaining=" 59", Reset="1") == [("header x-scaigrid-ratelimit-limit", '"sixty"')]


def test_headers_that_are_missing_are_told_once() -> None:
    assert limited() == [("header x-scaigrid-ratelimit-limit", "no such header")]
    assert limited(Limit="60", Reset="1") == [("header x-scaigrid-ratelimit-remaining", "no such header")]
