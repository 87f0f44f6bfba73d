"""Which generated request a smaller one is looked for."""

import asyncio
from dataclasses import replace

import pytest

from conformance import shrinking
from conformance.exchange import Exchange
from conformance.generate.asked import AGAIN, DEFECT
from conformance.probe import Probe
from tests.exchanges import answered, completed

CONTROL = "plain.greeting"


def run(body: bytes, *, profile: str = "native") -> list[Exchange]:
    """A request that was refused with a code of its own, between two that were served."""
    refusal = {"status": "error", "error": {"code": "ODD", "message": "no"}}
    broken = answered(refusal, status=400, probe=f"{DEFECT}1", control=CONTROL, profile=profile)
    return [
        completed("Hi.", probe=CONTROL, profile=profile),
        replace(broken, request=replace(broken.request, body=body)),
        completed("Hi.", probe=CONTROL + AGAIN, profile=profile),
    ]


def asked_for(exchanges: list[Exchange]) -> list[str]:
    """The requests that were sent to find smaller ones; none is answered."""
    sent: list[str] = []

    async def ask(probe: Probe) -> None:
        sent.append(probe.name)

    drawn = shrinking.Drawn(examples=1, seed=0, capabilities=(), model="m")
    asyncio.run(shrinking.smaller(exchanges, drawn, ask, most=3))
    return sent


BROKEN = b'{"model": "m", "messages": [{"role": "user"}], "seed": 7}'


def test_a_request_is_made_smaller_that_broke_something() -> None:
    assert asked_for(run(BROKEN))


@pytest.mark.parametrize("body", [b"[]", b'"Hi."', b"7"])
def test_what_has_no_members_is_not_made_smaller(body: bytes) -> None:
    assert asked_for(run(body)) == []


def test_what_speaks_of_another_surface_is_passed_over() -> None:
    assert asked_for(run(BROKEN, profile="openai")) == []
