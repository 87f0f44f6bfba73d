"""What two answers may share."""

from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Exchange
from tests.exchanges import answered


def given(own: str, question: str, **members: Any) -> Exchange:
    body = {"status": "ok", "data": {"id": own, "_meta": {"request_id": own}}}
    return answered(body, asked={"messages": [{"role": "user", "content": question}]}, **members)


@pytest.mark.parametrize("requirement, cached", [("response.id-unique", True), ("response.request-id-unique", False)])
def test_a_cache_gives_a_completion_again_to_who_asks_the_same(requirement: str, *, cached: bool) -> None:
    def shared(*exchanges: Exchange) -> list[str]:
        return [each.on for each in CHECKS[requirement].find(*exchanges)]

    first, again, other = given("a", "Hi."), given("a", "Hi.", probe="again"), given("a", "Why?", probe="other")

    assert shared(first, again) == ([] if cached else ["again"])
    assert shared(first, other) == ["other"]
    assert shared(first, given("b", "Hi.", probe="again")) == []
