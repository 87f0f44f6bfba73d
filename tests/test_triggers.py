"""What a scenario of the scripted backend was to bring about, where no request reached that backend."""

import json
from dataclasses import replace

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.finding import Finding, Verdict, judged
from conformance.requirement import catalogue
from tests.miniatures.behind import observed
from tests.miniatures.innocent import innocent
from tests.miniatures.wire import refused

BROUGHT_ABOUT = {
    "errors.backend-error-code": "failures.backend-error",
    "errors.backend-rate-limited-retry-after": "failures.backend-rate-limited",
    "finish.content-filter": "failures.content-filter",
}


def turned_away(probe: str, *, text: str, reached: bool = False) -> Exchange:
    """A request with this text, refused with the status and the code of another trouble."""
    (one,) = (exchange for exchange in innocent().exchanges if exchange.probe == probe)
    document = json.loads(one.request.body) | {"messages": [{"role": "user", "content": text}]}
    arrivals = next(exchange.arrivals for exchange in observed().exchanges if exchange.arrivals) if reached else ()
    asked = replace(one.request, body=json.dumps(document).encode())
    return replace(refused(404, "MODEL_NOT_FOUND")(one), request=asked, arrivals=arrivals)


def found(requirement: str, exchange: Exchange) -> Finding:
    return judged(catalogue()[requirement], CHECKS[requirement], (exchange,))


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_nothing_is_blamed_where_the_backend_was_not_reached(requirement: str, probe: str) -> None:
    told = found(requirement, turned_away(probe, text="[scenario:http-500:7e]"))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert "no request reached the scripted backend: HTTP 404" in told.explanation


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_what_reached_the_backend_is_judged(requirement: str, probe: str) -> None:
    told = found(requirement, turned_away(probe, text="[scenario:http-500:7e]", reached=True))

    assert told.verdict is Verdict.FAIL


@pytest.mark.parametrize("requirement, probe", BROUGHT_ABOUT.items())
def test_a_trigger_that_is_no_scenario_needs_no_backend_of_ours(requirement: str, probe: str) -> None:
    assert found(requirement, turned_away(probe, text="Fail, please.")).verdict is Verdict.FAIL
