"""What reached the client is asked for in its own form, and told where it stands."""

import json

import pytest

from conformance.arrival import Arrival
from conformance.checks import CHECKS
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.finding import judged
from conformance.requirement import catalogue

ARRIVAL = Arrival(
    tag="7e", scenario="reason-length", method="POST", path="/v1", headers=(), body=b"", streamed=False, at=1.0
)


def cut_short(*, profile: str) -> Exchange:
    """Less than the backend said, and another reason."""
    completion = {"choices": [{"message": {"role": "assistant", "content": "One"}, "finish_reason": "stop"}]}
    document = {"data": completion} if profile == "native" else completion
    asked = {"model": "m", "messages": [{"role": "user", "content": "[scenario:reason-length:7e]"}]}
    return Exchange(
        probe="scripted.reason-length.whole",
        profile=profile,
        request=Request(method="POST", url="http://x/", headers=(), body=json.dumps(asked).encode()),
        response=Response(
            status=200, reason="OK", http_version="HTTP/1.1", headers=(("Content-Type", "application/json"),), at=0.1
        ),
        pieces=(Piece(at=0.2, data=json.dumps(document).encode()),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.3,
        arrivals=(ARRIVAL,),
    )


@pytest.mark.parametrize("profile, root", [("native", "/data"), ("openai", "")])
@pytest.mark.parametrize(
    "requirement, member", [("response.text-exact", "message/content"), ("finish.exact", "finish_reason")]
)
def test_what_differs_is_told_where_the_surface_has_it(profile: str, root: str, requirement: str, member: str) -> None:
    found = judged(catalogue()[requirement], CHECKS[requirement], [cut_short(profile=profile)])

    assert [violation.where for _, violation in found.violations] == [f"{root}/choices/0/{member}"]


@pytest.mark.parametrize("requirement, in_stream", [("stream.text-exact", True), ("response.text-exact", False)])
def test_a_text_in_one_form_is_asked_for_in_that_form_alone(requirement: str, *, in_stream: bool) -> None:
    probes = CHECKS[requirement].probes

    assert {probe.step.body.get("stream", False) for probe in probes} == {in_stream}
