"""What a scenario of the scripted backend was to bring about, where no request reached that backend."""

import pytest

from conformance.arrival import Arrival
from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.finding import Finding, Verdict, judged
from conformance.requirement import catalogue
from tests.exchanges import answered

BROUGHT_ABOUT = {
    "errors.backend-error-code": "failures.backend-error",
    "errors.backend-rate-limited-retry-after": "failures.backend-rate-limited",
    "finish.content-filter": "failures.content-filter",
}
REFUSAL = b'{"status":"error","data":null,"error":{"code":"MODEL_NOT_FOUND","message":"no"},"meta":{"request_id":"r"}}'
SCENARIO = "[scenario:http-500:7e]"
ARRIVAL = Arrival(
    tag="7e", scenario="http-500", method="POST", path="/v1", headers=(), body=b"", streamed=False, at=1.0
)


def turned_away(probe: str, *, text: str, reached: bool = False) -> Exchange:
    """A request with this text, refused with the status and the code of another trouble."""
    asked = {"messages": [{"role": "user", "content": text}]}
    return answered(REFUSAL, asked=asked, status=404, probe=probe, arrivals=(ARRIVAL,) if reached else ())


def found(requirement: str, exchange: Exchange) -> Finding:
    return judged(catalogue()[requirement], CHECKS[requirement], (exchange,))


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_nothing_is_blamed_where_the_backend_was_not_reached(requirement: str, probe: str) -> None:
    told = found(requirement, turned_away(probe, text=SCENARIO))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert "no request reached the scripted backend: HTTP 404" in told.explanation


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_what_reached_the_backend_is_judged(requirement: str, probe: str) -> None:
    assert found(requirement, turned_away(probe, text=SCENARIO, reached=True)).verdict is Verdict.FAIL


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_a_trigger_that_is_no_scenario_needs_no_backend_of_ours(requirement: str, probe: str) -> None:
    assert found(requirement, turned_away(probe, text="Fail, please.")).verdict is Verdict.FAIL
