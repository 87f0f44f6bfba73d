"""Every check turns red on a server that breaks its requirement, on no other, and for its own reason."""

from dataclasses import replace

import pytest

from conformance.checks import DECLARED
from conformance.exchange import Ending, Exchange
from conformance.finding import Verdict
from tests.miniatures import MINIATURES, VARIANTS
from tests.miniatures.framing import DYING
from tests.miniatures.innocent import changed, concluded, ids, innocent
from tests.miniatures.model import Miniature
from tests.miniatures.undecided import name, undecided
from tests.miniatures.variants import Variant
from tests.miniatures.wire import asking, cut, on, refused, streams, throttled


def test_the_innocent_server_passes_every_requirement() -> None:
    conclusion = concluded(innocent())

    assert conclusion.verdict == "conformant"
    assert ids(conclusion, Verdict.PASS) == DECLARED.keys()


def test_every_check_is_killed_by_a_miniature_made_for_it() -> None:
    killed = {miniature.red[0] for miniature in MINIATURES}

    assert DECLARED.keys() - killed == set(), "these checks have not been seen to fail for their own reason"


def test_no_two_miniatures_and_no_two_variants_share_a_name() -> None:
    names = [(miniature.red[0], miniature.name) for miniature in MINIATURES]

    assert len(names) == len(set(names))
    assert len(VARIANTS) == len({variant.name for variant in VARIANTS})


@pytest.mark.parametrize("miniature", [pytest.param(each, id=f"{each.red[0]}: {each.name}") for each in MINIATURES])
def test_a_faulty_server_turns_exactly_its_requirements_red_and_is_told_why(miniature: Miniature) -> None:
    kept = changed(miniature.change)
    conclusion = concluded(kept)

    assert ids(conclusion, Verdict.FAIL) == set(miniature.red)
    unseen = ids(conclusion, Verdict.INCONCLUSIVE)
    assert {identity for identity in unseen if not identity.startswith(miniature.unseen or ("-",))} == set()
    assert unseen == undecided().get(name(miniature), set())
    assert len(ids(conclusion, Verdict.PASS)) + len(unseen) + len(miniature.red) == len(DECLARED)

    finding = next(finding for finding in conclusion.findings if finding.requirement.id == miniature.red[0])
    told = [f"{violation.where}: {violation.expected}; {violation.found}" for _, violation in finding.violations]
    assert miniature.says
    assert any(miniature.says in line for line in told), told
    broken = {exchange.id for exchange in kept.exchanges if exchange not in innocent().exchanges}
    assert {identity for identity, _ in finding.violations} <= broken


@pytest.mark.parametrize("variant", [pytest.param(each, id=each.name) for each in VARIANTS])
def test_an_odd_server_turns_nothing_red(variant: Variant) -> None:
    kept = changed(variant.change)

    assert kept.exchanges != innocent().exchanges
    conclusion = concluded(kept)
    red = {f.requirement.id: f.explanation for f in conclusion.findings if f.verdict in (Verdict.FAIL, Verdict.ERROR)}
    assert red == {}
    unseen = ids(conclusion, Verdict.INCONCLUSIVE)
    assert {identity for identity in unseen if not identity.startswith(variant.unseen or ("-",))} == set()
    assert unseen == undecided().get(name(variant), set())
    assert len(ids(conclusion, Verdict.PASS)) + len(unseen) == len(DECLARED)


PROBES = sorted({exchange.probe for exchange in innocent().exchanges})


@pytest.mark.parametrize("probe", PROBES)
def test_a_target_that_was_busy_once_is_not_blamed(probe: str) -> None:
    conclusion = concluded(changed(on(asking(probe), throttled(429, "RATE_LIMITED"))))

    assert ids(conclusion, Verdict.FAIL) == set()


@pytest.mark.parametrize("status, code", [(429, "RATE_LIMITED"), (503, "MODEL_UNAVAILABLE")])
def test_a_target_that_is_always_busy_is_not_blamed(status: int, code: str) -> None:
    conclusion = concluded(changed(on(lambda _: True, throttled(status, code))))

    assert ids(conclusion, Verdict.FAIL) == set()
    assert conclusion.verdict == "incomplete"


def _begins_nothing(exchange: Exchange, ending: Ending) -> Exchange:
    return replace(exchange, response=None, pieces=(), ended=ending, detail="")


@pytest.mark.parametrize(
    "ending", [Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED, Ending.UNREACHABLE, Ending.UNSENT]
)
def test_what_never_answered_is_not_blamed_for_what_it_did_not_say(ending: Ending) -> None:
    conclusion = concluded(changed(on(lambda _: True, lambda exchange: _begins_nothing(exchange, ending))))

    assert ids(conclusion, Verdict.FAIL) == set()
    assert ids(conclusion, Verdict.PASS) == set()
    assert ids(conclusion, Verdict.INCONCLUSIVE) == set(DECLARED)
    assert conclusion.verdict == "incomplete"


@pytest.mark.parametrize("keep", [0, 1, 150, 400])
@pytest.mark.parametrize("ending", [Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED])
def test_a_stream_that_we_stopped_reading_is_not_blamed_for_its_missing_end(ending: Ending, keep: int) -> None:
    conclusion = concluded(changed(on(streams, cut(ending, keep=keep))))

    assert ids(conclusion, Verdict.FAIL) == set()
    assert "stream.done" in ids(conclusion, Verdict.INCONCLUSIVE)


def test_a_failure_before_the_stream_began_decides_nothing_about_failures_in_mid_stream() -> None:
    conclusion = concluded(changed(on(DYING, refused(502, "BACKEND_ERROR"))))

    assert ids(conclusion, Verdict.FAIL) == set()
    assert {"stream.error-event", "stream.done-after-error"} <= ids(conclusion, Verdict.INCONCLUSIVE)
