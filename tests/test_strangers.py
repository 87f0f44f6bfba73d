"""Servers that strangers might have made, run whole over a socket: each turns red what it should, and nothing else."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from conformance import run, stored
from conformance.embedded import MODEL
from conformance.finding import Verdict
from conformance.selection import Selection
from conformance.server.triggers import triggers
from conformance.target import TRIGGERS, Key, Limits, Target, checked
from conformance.verdict import Conclusion
from tests.strangers import STRANGERS, Stranger
from tests.strangers.gateway import Changes, gateway
from tests.strangers.provider import KEY

AT_ONCE = 4  # strangers; they mostly wait


def whole(serving: AbstractContextManager[str]) -> Conclusion:
    """What the whole suite says of a server."""
    selection, key = Selection(), Key(KEY)
    with TemporaryDirectory() as folder:
        with serving as url:
            target = checked(
                Target(
                    url=url,
                    model=MODEL,
                    max_output_tokens=512,
                    capabilities={"tools": True, "vision": True, "audio": True},
                    triggers={trigger.name: trigger.body for trigger in triggers() if trigger.name in TRIGGERS},
                    limits=Limits(timeout=7, deadline=14),
                )
            )
            asked = run.plan(target, selection)
            asyncio.run(run.observed(Path(folder), target=target, key=key, selection=selection, asked=asked))
        return stored.judged(Path(folder)).conclusion


def red(conclusion: Conclusion) -> set[str]:
    return {finding.requirement.id for finding in conclusion.findings if finding.verdict is Verdict.FAIL}


@pytest.fixture(scope="module")
def conclusions() -> Iterator[dict[str, Future[Conclusion]]]:
    """The run of each stranger, under way or done."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {stranger.name: pool.submit(whole, stranger.serving()) for stranger in STRANGERS}


def test_a_gateway_that_changes_nothing_passes_everything() -> None:
    conclusion = whole(gateway(Changes()))

    assert red(conclusion) == set()
    assert conclusion.verdict == "conformant"


@pytest.mark.parametrize("stranger", [pytest.param(each, id=each.name) for each in STRANGERS])
def test_a_stranger_is_blamed_for_its_own_mistakes(
    stranger: Stranger, conclusions: dict[str, Future[Conclusion]]
) -> None:
    conclusion = conclusions[stranger.name].result()

    assert conclusion.ended == "complete"
    assert [finding for finding in conclusion.findings if finding.verdict is Verdict.ERROR] == []
    assert red(conclusion) - {*stranger.perhaps} == {*stranger.red} - {*stranger.perhaps}


def test_a_stranger_of_whom_nothing_is_seen_says_why() -> None:
    assert [stranger.name for stranger in STRANGERS if not stranger.red and not stranger.unseen] == []
