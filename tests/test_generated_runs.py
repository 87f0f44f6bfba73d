"""What no declared request brings out, generated requests do, and the smallest of them is shown."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from conformance import evidence, run, stored
from conformance.check import Violation
from conformance.checks import CHECKS
from conformance.embedded import embedded_target
from conformance.exchange import Exchange
from conformance.finding import Verdict, judged
from conformance.plan import cost
from conformance.probe import MODEL, Probe, Step
from conformance.probes import OPENING
from conformance.reading.requests import sent
from conformance.reading.witness import Unobservable
from conformance.requirement import catalogue
from conformance.selection import Selection
from conformance.server.changes import Asked, refusing
from conformance.server.deviation import Deviation, Fault
from conformance.server.faults.hidden import FAULTS
from conformance.target import Key, Limits, Target
from tests.miniatures.innocent import innocent

KEY: Final = Key("sgk_" + "6a" * 20)
LIMITS: Final = Limits(max_requests=2000, max_tokens=200_000)


def report(place: Path, *deviations: Deviation, selection: Selection) -> dict[str, Any]:
    """The report of a run."""
    place.mkdir(exist_ok=True)
    with embedded_target(limits=LIMITS, key=KEY, deviations=deviations) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    return dict(stored.judged(place).report)


def failing(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in found["requirements"] if row["verdict"] in {"fail", "error"}}


def test_the_reference_server_takes_what_is_good_and_refuses_what_is_not(tmp_path: Path) -> None:
    found = report(tmp_path, selection=Selection(examples=200, seed=1))

    assert failing(found) == {}
    assert found["verdict"] == "conformant"
    seen = {row["id"]: row["seen"] for row in found["requirements"]}
    assert seen["parameters.generated-accepted"] > 200
    assert seen["parameters.generated-refused"] > 100


def test_a_model_without_tools_and_media_is_held_to_nothing_that_it_lacks(tmp_path: Path) -> None:
    selection = Selection(examples=20, seed=1)
    with embedded_target(limits=LIMITS, key=KEY) as whole:
        target = replace(whole, model="reference/text", capabilities={})
        asked = run.plan(target, selection)
        asyncio.run(run.observed(tmp_path, target=target, key=KEY, selection=selection, asked=asked))
    found = stored.judged(tmp_path).report

    assert failing(dict(found)) == {}
    assert found["verdict"] == "conformant"
    sent = [exchange.request.body for exchange in evidence.read(tmp_path).exchanges]
    assert any(b'"tools":' in body for body in sent)
    assert any(b"image_base64" in body for body in sent)


def test_a_search_for_a_smaller_request_keeps_to_the_tokens_of_the_run(tmp_path: Path) -> None:
    selection = Selection(examples=60, seed=1)
    fault = next(fault for fault in FAULTS if fault.id == "hidden-top-p-with-seed")
    with embedded_target(limits=LIMITS, key=KEY, deviations=(fault,)) as whole:
        asked = run.plan(whole, selection)
        planned = sum(cost(probe, whole.max_output_tokens) for probe in asked.probes)
        target = replace(whole, limits=replace(LIMITS, max_tokens=planned + 500))
        asyncio.run(run.observed(tmp_path, target=target, key=KEY, selection=selection, asked=asked))

    smaller = [each for each in evidence.read(tmp_path).exchanges if "-smaller-" in each.probe]
    spent = sum(
        cost(Probe(name="again", asks="The same.", steps=(Step(body=sent(each)),)), whole.max_output_tokens)
        for each in smaller
    )
    assert 0 < spent <= 500


SMALLEST: Final = {
    "hidden-top-p-with-seed": {"model", "messages", "top_p", "seed"},
    "hidden-long-tool-name": {"model", "messages", "tools"},
    "hidden-usage-with-many-stops": {"model", "messages", "stop"},
    "hidden-letters-beyond-the-bmp": {"model", "messages", "stream"},
    "hidden-true-for-max-tokens": {"model", "messages", "max_tokens"},
}
"""The members of the request that is left, for faults of the catalogue."""
HIDDEN: Final = [fault for fault in FAULTS if fault.id in SMALLEST]


def test_no_declared_request_shows_the_hidden_faults(tmp_path: Path) -> None:
    assert failing(report(tmp_path, *FAULTS, selection=Selection())) == {}


@pytest.mark.parametrize("hidden", [pytest.param(each, id=each.id) for each in HIDDEN])
def test_a_hidden_fault_is_found_by_generation_and_made_small(tmp_path: Path, hidden: Fault) -> None:
    requirement = hidden.red[0]
    chosen = frozenset({"parameters.generated-accepted", "parameters.generated-turned-down", requirement})
    selection = Selection(chosen=chosen, examples=hidden.examples, seed=hidden.seed, remembered=tmp_path / "kept")

    found = failing(report(tmp_path / "first", hidden, selection=selection))

    row = found[requirement]
    body = json.loads(row["reproduce"].partition("--data-binary '")[2].rstrip("'"))
    assert set(body) == SMALLEST[hidden.id]
    assert f"'{requirement.partition('.')[0]}.regression-" in row["regression"]
    pasted: dict[str, Any] = {"Probe": Probe, "Step": Step, "MODEL": MODEL, "OPENING": OPENING}
    exec(row["regression"], pasted)  # what the report offers to paste, made by ourselves
    assert pasted["REGRESSION"].step.body == {**body, "model": MODEL}

    # What was found is asked first by the next run, whatever that one draws; on a mended server it is forgotten.
    again = replace(selection, examples=1, shrinks=0)
    assert requirement in failing(report(tmp_path / "again", hidden, selection=again))
    assert failing(report(tmp_path / "mended", selection=again)) == {}
    assert failing(report(tmp_path / "forgotten", hidden, selection=again)) == {}


def test_who_interrupts_a_search_waits_for_nothing_more(tmp_path: Path) -> None:
    selection = Selection(only=("parameters.generated",), examples=60, seed=HIDDEN[0].seed)
    names: list[str] = []
    came: list[Asked] = []
    before: list[int] = []

    def both(asked: Asked) -> bool:
        came.append(asked)
        return "top_p" in asked and "seed" in asked

    async def interrupted(target: Target) -> None:
        def seen(exchange: Exchange) -> None:
            names.append(exchange.probe)
            if "-smaller-" in exchange.probe:
                before.append(len(came))
                running.cancel()

        asked = run.plan(target, selection)
        running = asyncio.ensure_future(
            run.observed(tmp_path, target=target, key=KEY, selection=selection, asked=asked, seen=seen)
        )
        with pytest.raises(asyncio.CancelledError):
            await running

    counting = Deviation(id="counting", does="refuses top_p with seed", change=refusing(both, "top_p"))
    with embedded_target(limits=LIMITS, key=KEY, deviations=(counting,)) as target:
        asyncio.run(interrupted(target))

    assert sum("-smaller-" in name for name in names) == 1
    assert len(came) - before[0] <= 1
    assert stored.judged(tmp_path).conclusion.ended == "interrupted"


@pytest.mark.parametrize("shown,verdict", [(1, Verdict.INCONCLUSIVE), (12, Verdict.PASS)])
def test_next_to_nothing_shown_by_generated_requests_is_no_pass(shown: int, verdict: Verdict) -> None:
    exchanges = innocent().exchanges[:40]

    def find(exchange: Exchange) -> Iterator[Violation]:
        if exchange not in exchanges[:shown]:
            raise Unobservable("the target was busy")
        yield from ()

    busy = replace(
        CHECKS["parameters.generated-accepted"],
        when=lambda _: True,
        groups=lambda chosen, _: [(each,) for each in chosen],
        find=find,
    )
    found = judged(catalogue()["parameters.generated-accepted"], busy, exchanges)

    assert found.verdict is verdict
    assert found.seen == shown
    assert ("only 1 of 40 showed anything: the target was busy" in found.explanation) == (shown == 1)
