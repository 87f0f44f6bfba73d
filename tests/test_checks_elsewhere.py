"""The same of the checks that only some runs decide: from both sides of a gateway, and with generated requests."""

from dataclasses import replace

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Ending
from conformance.finding import Verdict
from tests.miniatures.model import Miniature
from tests.miniatures.settings import BEHIND, GENERATED, SETTINGS, Setting, of
from tests.miniatures.undecided import name, undecided
from tests.miniatures.variants import Variant
from tests.miniatures.wire import on, throttled

ELSEWHERE = [pytest.param(each, id=each.name) for each in (BEHIND, GENERATED)]


def test_each_check_is_decided_by_some_kind_of_run() -> None:
    assert {identity for setting in SETTINGS for identity in setting.checks} == CHECKS.keys()


def test_no_two_cases_of_any_run_share_a_name() -> None:
    names = [name(case) for setting in SETTINGS for case in setting.cases]

    assert len(names) == len(set(names))


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_the_innocent_server_passes_every_requirement(setting: Setting) -> None:
    found = setting.findings(setting.observed())

    assert {identity: each.explanation for identity, each in found.items() if each.verdict is not Verdict.PASS} == {}


@pytest.mark.parametrize("setting", ELSEWHERE)
def test_every_check_is_killed_by_a_miniature_made_for_it(setting: Setting) -> None:
    assert setting.checks.keys() - {miniature.red[0] for miniature in setting.miniatures} == set()


@pytest.mark.parametrize(
    "setting, miniature",
    [pytest.param(setting, each, id=name(each)) for setting in (BEHIND, GENERATED) for each in setting.miniatures],
)
def test_a_faulty_server_turns_exactly_its_requirements_red_and_is_told_why(
    setting: Setting, miniature: Miniature
) -> None:
    kept = setting.changed(miniature.change)
    changed = {exchange.id for exchange in kept.exchanges if exchange not in setting.observed().exchanges}
    found = setting.findings(kept)

    assert of(found, Verdict.FAIL) == set(miniature.red)
    assert of(found, Verdict.ERROR) == set()
    assert of(found, Verdict.INCONCLUSIVE) == undecided().get(name(miniature), set())
    assert not [each for each in of(found, Verdict.INCONCLUSIVE) if not each.startswith(miniature.unseen or ("-",))]
    told = [f"{each.where}: {each.expected}; {each.found}" for _, each in found[miniature.red[0]].violations]
    assert any(miniature.says in line for line in told), told
    assert {identity for identity, _ in found[miniature.red[0]].violations} <= changed


@pytest.mark.parametrize(
    "setting, variant",
    [pytest.param(setting, each, id=each.name) for setting in (BEHIND, GENERATED) for each in setting.variants],
)
def test_an_odd_server_turns_nothing_red(setting: Setting, variant: Variant) -> None:
    kept = setting.changed(variant.change)
    assert kept.exchanges != setting.observed().exchanges
    found = setting.findings(kept)

    assert {each: found[each].explanation for each in of(found, Verdict.FAIL) | of(found, Verdict.ERROR)} == {}
    assert of(found, Verdict.INCONCLUSIVE) == undecided().get(variant.name, set())
    assert not [each for each in of(found, Verdict.INCONCLUSIVE) if not each.startswith(variant.unseen or ("-",))]


@pytest.mark.parametrize("setting", ELSEWHERE)
@pytest.mark.parametrize("status, code", [(429, "RATE_LIMITED"), (503, "MODEL_UNAVAILABLE")])
def test_a_target_that_is_busy_is_not_blamed(setting: Setting, status: int, code: str) -> None:
    found = setting.findings(setting.changed(on(lambda _: True, throttled(status, code))))

    assert of(found, Verdict.FAIL) | of(found, Verdict.ERROR) == set()


@pytest.mark.parametrize("setting", ELSEWHERE)
@pytest.mark.parametrize(
    "ending", [Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED, Ending.UNREACHABLE, Ending.UNSENT]
)
def test_what_never_answered_is_not_blamed_for_what_it_did_not_say(setting: Setting, ending: Ending) -> None:
    silent = on(lambda _: True, lambda each: replace(each, response=None, pieces=(), ended=ending, detail=""))
    found = setting.findings(setting.changed(silent))

    assert of(found, Verdict.FAIL) | of(found, Verdict.ERROR) == set()
