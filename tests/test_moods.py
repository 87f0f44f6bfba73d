"""No model's mood turns a requirement red, and where a mood can leave one undecided the row says so."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import run, stored
from conformance.finding import Finding, Verdict
from conformance.requirement import Level, catalogue
from conformance.selection import Selection
from conformance.server.generation import ChatRequest, Finish, Service, Steps
from conformance.server.hosting import serve_in_thread
from conformance.server.model import reply
from conformance.server.moods import MOODS, moody_services
from conformance.server.site import Site
from conformance.target import Key, Target

CARELESS = {"tools.arguments-fit"}
"""A model that fills in a tool's arguments carelessly is a warning of this SHOULD; none of the moods does."""
KEY = "sgk_moods0000000000000000000000000000000"
CAPABILITIES = {"tools": True, "vision": True, "audio": True}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    site = Site(keys=(KEY,))
    with serve_in_thread(replace(site, services=(*site.services, *moody_services()))) as address:
        yield address


@pytest.fixture(scope="module")
def findings(url: str, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Finding]]:
    """For each mood, what a whole run says of each requirement."""

    def judged(mood: str) -> Mapping[str, Finding]:
        target = Target(url=url, model=f"reference/mood-{mood}", capabilities=CAPABILITIES, max_output_tokens=512)
        place, selection = tmp_path_factory.mktemp(mood), Selection()
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=Key(KEY), selection=selection, asked=asked))
        return {found.requirement.id: found for found in stored.judged(place).conclusion.findings}

    return {mood: judged(mood) for mood in MOODS}


@pytest.mark.parametrize("mood", MOODS)
def test_no_mood_is_told_as_a_failure_of_the_server(findings: Mapping[str, Mapping[str, Finding]], mood: str) -> None:
    blamed = {
        identity: found.explanation
        for identity, found in findings[mood].items()
        if found.verdict in (Verdict.FAIL, Verdict.ERROR)
    }

    assert blamed == {}


def test_what_a_mood_can_leave_undecided_says_that_it_needs_a_model(
    findings: Mapping[str, Mapping[str, Finding]],
) -> None:
    undecided = {
        identity
        for judged in findings.values()
        for identity, found in judged.items()
        if found.verdict is Verdict.INCONCLUSIVE
    }
    declared = {row.id for row in catalogue().values() if "model" in row.needs}

    assert undecided - declared == set()


def test_what_says_that_it_needs_a_model_is_left_undecided_by_some_mood(
    findings: Mapping[str, Mapping[str, Finding]],
) -> None:
    declared = {row.id for row in catalogue().values() if "model" in row.needs and "backend" not in row.needs}
    shaken = {
        identity
        for judged in findings.values()
        for identity, found in judged.items()
        if found.verdict is Verdict.INCONCLUSIVE
    }

    assert declared - shaken == CARELESS


@pytest.mark.parametrize("mood", MOODS)
def test_a_must_that_needs_no_model_is_decided_whatever_the_mood(
    findings: Mapping[str, Mapping[str, Finding]], mood: str
) -> None:
    firm = [found for found in findings[mood].values() if "model" not in found.requirement.needs]
    musts = [found for found in firm if found.requirement.level is Level.MUST and not found.excused]

    assert len(musts) > 100
    assert {found.requirement.id for found in musts if found.verdict is not Verdict.PASS} == set()


def drowsy() -> Service:
    """A model that says nothing the first time it is asked something, and then answers."""
    asked: set[str] = set()

    async def steps(request: ChatRequest) -> Steps:
        question = repr(request.messages)
        if question in asked or request.tool_choice in {"required", "named"}:
            async for step in reply(request):
                yield step
        else:
            asked.add(question)
            yield Finish(reason="stop")

    return Service(slug="reference/mood-drowsy", display_name="drowsy", steps=steps, max_output_tokens=512)


def test_what_a_mood_left_undecided_is_asked_once_more(tmp_path: Path) -> None:
    site = Site(keys=(KEY,))
    with serve_in_thread(replace(site, services=(*site.services, drowsy()))) as address:
        target = Target(url=address, model="reference/mood-drowsy", capabilities=CAPABILITIES, max_output_tokens=512)
        selection = Selection(only=("stream.text-accumulates", "parameters.stop-string-stops"))
        asked = run.plan(target, selection)
        asyncio.run(run.observed(tmp_path, target=target, key=Key(KEY), selection=selection, asked=asked))
    judged = stored.judged(tmp_path)
    again = [exchange["id"] for exchange in judged.report["exchanges"] if exchange["id"].endswith("+2")]

    assert "parameters.stopped+2" in again
    assert 0 < len(again) <= asked.again
    found = {finding.requirement.id: finding.verdict for finding in judged.conclusion.findings}
    assert found["parameters.stop-string-stops"] is Verdict.PASS
