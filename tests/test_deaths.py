"""What is asked so that it shows how a gateway tells of a backend that fails."""

import json

import pytest

from conformance.check import Check
from conformance.checks.deaths import CHECKS
from conformance.exchange import Ending, Exchange, Request


@pytest.mark.parametrize("check", [pytest.param(each, id=each.requirement) for each in CHECKS])
def test_whatever_is_asked_for_a_check_is_judged_by_it(check: Check) -> None:
    asked = [
        Exchange(
            probe=probe.name,
            request=Request(
                method="POST", url="http://x/", headers=(), body=json.dumps({**step.body, "model": "m"}).encode()
            ),
            ended=Ending.UNSENT,
            started=0.0,
            elapsed=0.0,
        )
        for probe in check.probes
        for step in probe.steps
    ]

    assert asked
    assert [exchange.id for exchange in asked if not check.when(exchange)] == []
