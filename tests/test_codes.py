"""The codes of errors beside their statuses, as the reference page on error codes has them."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from conformance.checks.codes import code_has_its_status
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.finding import Verdict, judged
from conformance.requirement import catalogue

DOCUMENTED = {
    "AUTH_TOKEN_MISSING": [401],
    "AUTH_TOKEN_INVALID": [401],
    "SESSION_EXPIRED": [401],
    "AUTH_INSUFFICIENT_SCOPE": [403],
    "AUTHZ_PERMISSION_DENIED": [403],
    "VALIDATION_ERROR": [400, 404, 415, 422],
    "MODEL_NOT_FOUND": [404],
    "MODEL_ACCESS_DENIED": [403],
    "MODEL_UNAVAILABLE": [503],
    "BACKEND_ERROR": [502],
    "BACKEND_TIMEOUT": [504],
    "BACKEND_RATE_LIMITED": [429],
    "UPSTREAM_SHAPE_MISMATCH": [502],
    "RATE_LIMITED": [429],
    "BUDGET_EXCEEDED": [429],
    "QUOTA_EXCEEDED": [402, 403, 429],
}


def answered(status: int, code: str = "", *, probe: str = "parameters.no-messages") -> Exchange:
    """An answer with this status, and an error with this code where one is given."""
    document = {"status": "error", "error": {"code": code, "message": "m"}} if code else {}
    return Exchange(
        probe=probe,
        request=Request(method="POST", url="http://x/", headers=(), body=b"{}"),
        response=Response(status=status, reason="", http_version="HTTP/1.1", headers=(), at=0.1),
        pieces=(Piece(at=0.2, data=json.dumps(document).encode()),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.3,
    )


def verdict(exchange: Exchange) -> Verdict:
    return judged(catalogue()["errors.code-has-its-status"], code_has_its_status, (exchange,)).verdict


@pytest.mark.parametrize("code, statuses", DOCUMENTED.items())
def test_a_documented_code_comes_with_each_of_its_statuses_and_no_other(code: str, statuses: Sequence[int]) -> None:
    assert {verdict(answered(status, code)) for status in statuses} == {Verdict.PASS}
    assert verdict(answered(500, code)) is Verdict.FAIL


def test_a_code_that_is_not_documented_has_any_status() -> None:
    assert verdict(answered(418, "TEAPOT")) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("status", [400, 401, 422, 500])
def test_an_error_is_held_to_its_code(status: int) -> None:
    assert code_has_its_status.when(answered(status))


@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(answered(200), id="an answer"),
        pytest.param(answered(399), id="a redirect"),
        pytest.param(replace(answered(500), response=None, ended=Ending.RESET), id="no answer"),
        pytest.param(answered(401, probe="auth.no-key"), id="a refusal of a key, which has requirements of its own"),
    ],
)
def test_nothing_else_is(exchange: Exchange) -> None:
    assert not code_has_its_status.when(exchange)
