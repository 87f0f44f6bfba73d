"""What a run is going to ask, and what that can cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from conformance import run
from conformance.checks import CHECKS, DECLARED, SCRIPTED
from conformance.evidence import Evidence
from conformance.finding import Verdict
from conformance.plan import QUICK_REQUESTS, Plan, askable, planned
from conformance.probe import MODEL, Echo, Probe, Step
from conformance.probes import OPENING, PROBES
from conformance.report.record import tokens
from conformance.requirement import Level, Requirement, catalogue
from conformance.selection import Selection
from conformance.target import TRIGGERS, BadInput, Limits, Target
from tests.miniatures.innocent import concluded, ids, innocent, sent

TARGET = Target(url="http://x", model="m", triggers={name: {"model": name} for name in TRIGGERS})


def probe(name: str, *, control: str = "", **members: Any) -> Probe:
    return Probe(
        name=name, asks=name, steps=(Step(body={"model": MODEL, "max_tokens": 8, **members}),), control=control
    )


FIRST, A, B, C = probe("first"), probe("a", control="first"), probe("b", control="a"), probe("c")
BOOK = {each.name: each for each in (FIRST, A, B, C)}


def row(identity: str, **members: Any) -> Requirement:
    return Requirement(
        id=identity, level=Level.MUST, certifies="core", basis="stated", section="A", text="It holds.", **members
    )


def plan(
    wanted: Mapping[str | Requirement, Sequence[Probe]],
    *,
    target: Target = TARGET,
    book: Mapping[str, Probe] = BOOK,
    quick: bool = False,
) -> Plan:
    rows = {row(each) if isinstance(each, str) else each: probes for each, probes in wanted.items()}
    return planned(
        list(rows),
        probes_of={each.id: probes for each, probes in rows.items()},
        catalogue=book,
        opening=FIRST,
        target=target,
        left_out={},
        quick=quick,
    )


def names(found: Plan) -> list[str]:
    return [each.name for each in found.probes]


def test_a_probe_brings_its_control_and_its_control_s_control() -> None:
    assert names(plan({"x.one": [B]})) == ["first", "a", "b"]


def test_the_opening_probe_is_sent_first_whatever_is_selected() -> None:
    backwards = dict(reversed(BOOK.items()))

    assert names(plan({})) == ["first"]
    assert names(plan({"x.one": [C, A]}, book=backwards)) == ["first", "c", "a"]


def test_the_order_is_the_catalogue_s_and_a_probe_is_asked_once() -> None:
    assert names(plan({"x.one": [C], "x.two": [A, C], "x.three": [B, A]})) == ["first", "a", "b", "c"]
    assert plan({"x.one": [C], "x.two": [C]}).requests == 2


def test_what_does_not_fit_is_left_out_whole_with_the_reason_and_the_important_goes_first() -> None:
    tight = replace(TARGET, limits=Limits(max_requests=2))

    found = plan({"x.one": [C], "x.two": [B]}, target=tight)

    assert names(found) == ["first", "c"]
    assert found.requests == 2
    assert found.left_out == {"x.two": "over the limits of requests or tokens (--max-requests, --max-tokens)"}


def test_tokens_are_a_limit_too_and_the_written_ones_count() -> None:
    greedy = probe("greedy", max_tokens=5000)
    book = {**BOOK, "greedy": greedy}

    found = plan({"x.one": [greedy], "x.two": [C]}, target=replace(TARGET, limits=Limits(max_tokens=1000)), book=book)

    assert names(found) == ["first", "c"]
    assert [*found.left_out] == ["x.one"]
    capped = replace(TARGET, limits=Limits(max_tokens=1000), max_output_tokens=100)
    assert plan({"x.one": [greedy]}, target=capped, book=book).output_tokens == 108


def test_an_answer_that_only_the_model_bounds_is_told_apart() -> None:
    free = Probe(name="free", asks="", steps=(Step(body={"model": MODEL}),))

    found = plan({"x.one": [free]}, book={**BOOK, "free": free})

    assert (found.unbounded, found.output_tokens) == (1, 8)
    capped = plan({"x.one": [free]}, book={**BOOK, "free": free}, target=replace(TARGET, max_output_tokens=64))
    assert (capped.unbounded, capped.output_tokens) == (0, 72)


def test_each_step_of_a_sequence_is_a_request_and_an_echo_is_no_text() -> None:
    step = Step(body={"model": MODEL, "messages": [Echo(pointer="/choices/0/message")], "max_tokens": 8})
    pair = Probe(name="pair", asks="", steps=(C.step, step))

    found = plan({"x.one": [pair]}, book={**BOOK, "pair": pair})

    assert found.requests == 3
    assert found.prompt_tokens > plan({}).prompt_tokens


@pytest.mark.parametrize(
    "requirement, target, wanted",
    [
        (row("x.one"), TARGET, True),
        (row("x.one", untested="never"), TARGET, False),
        (row("x.one", needs=("backend",)), TARGET, False),
        (row("x.one", needs=("tools",)), TARGET, True),
        (row("x.one", needs=("tools",)), replace(TARGET, capabilities={"tools": False}), False),
        (row("x.one", needs=("trigger:rate_limited",)), TARGET, True),
        (row("x.one", needs=("trigger:rate_limited",)), replace(TARGET, triggers={}), False),
        (row("x.one", profiles=("native",)), replace(TARGET, profile="openai"), False),
    ],
)
def test_nothing_is_asked_that_cannot_decide(*, requirement: Requirement, target: Target, wanted: bool) -> None:
    assert askable(requirement, target) is wanted
    found = plan({requirement: [C]}, target=target)
    assert ("c" in names(found)) is wanted
    assert found.left_out == {}


def test_a_quick_plan_takes_the_quick_probes_and_says_what_it_leaves_out() -> None:
    swift = replace(A, quick=True)

    found = plan({"x.one": [swift, C], "x.two": [C]}, quick=True, book={**BOOK, "a": swift})

    assert names(found) == ["first", "a"]
    assert found.left_out == {"x.two": "not part of a quick run"}


# The catalogue's own.


def test_every_requirement_that_can_be_tested_has_a_check_and_every_check_a_known_probe() -> None:
    testable = {row.id for row in catalogue().values() if not row.untested}

    assert CHECKS.keys() == testable
    assert SCRIPTED.keys() == {row.id for row in catalogue().values() if "backend" in row.needs}
    generated = {row.id for row in catalogue().values() if "examples" in row.needs}
    assert CHECKS.keys() - DECLARED.keys() - SCRIPTED.keys() == generated
    for check in CHECKS.values():
        assert all(PROBES[each.name] is each for each in check.probes), check.requirement
    assert all(each.control in PROBES for each in PROBES.values() if each.control)


def test_the_whole_catalogue_is_asked_within_the_limits_of_a_run() -> None:
    found = run.plan(TARGET, Selection())

    assert found.left_out == {}
    assert found.probes[0] is OPENING
    assert len({each.name for each in found.probes}) == len(found.probes)


def test_a_probe_never_comes_without_its_control() -> None:
    for identity in CHECKS:
        asked = names(run.plan(TARGET, Selection(only=(identity,))))

        assert {PROBES[name].control for name in asked} - {""} <= set(asked), identity
        assert asked[0] == OPENING.name


def test_a_quick_run_of_everything_has_twelve_requests_at_most_and_says_something_of_each_class() -> None:
    found = run.plan(TARGET, Selection(quick=True))
    asked = {each.certifies for each in catalogue().values() if each.id not in found.left_out and not each.untested}

    assert found.requests <= QUICK_REQUESTS
    assert asked == {each.certifies for each in catalogue().values() if not each.untested}


def test_the_bounds_are_never_less_than_what_a_run_really_spends() -> None:
    bounds = innocent().header["plan"]
    footer = innocent().footer
    spent = tokens(innocent().exchanges)

    assert footer is not None
    assert footer["requests"] == len(innocent().exchanges) <= bounds["requests"]
    assert 0 < spent["completion"] <= bounds["output_tokens"]
    assert 0 < spent["prompt"] <= bounds["prompt_tokens"]


@pytest.mark.parametrize("most", [1, 2, 5, 20, 57])
def test_a_smaller_limit_asks_less_and_leaves_out_more(most: int) -> None:
    found = run.plan(replace(TARGET, limits=Limits(max_requests=most)), Selection())
    more = run.plan(replace(TARGET, limits=Limits(max_requests=most + 10)), Selection())

    assert found.requests <= most
    assert found.left_out.keys() > more.left_out.keys() or found.requests == more.requests
    assert {"limits" in reason for reason in found.left_out.values()} <= {True}


def test_musts_come_before_shoulds_when_not_all_can_be_asked() -> None:
    left = run.plan(replace(TARGET, limits=Limits(max_requests=30)), Selection()).left_out

    assert left
    shoulds = [identity for identity in left if catalogue()[identity].level is Level.SHOULD]
    assert len(shoulds) < len(left), "there are probes that only a MUST needs"


def test_a_run_that_its_limit_cut_is_incomplete_and_judges_what_it_asked() -> None:
    _, asked, kept = sent(Selection(), limits=Limits(max_requests=10))
    conclusion = concluded(kept)

    assert asked.requests == len(kept.exchanges) == 10
    assert ids(conclusion, Verdict.FAIL) == set()
    excused = {finding.requirement.id for finding in conclusion.findings if finding.excused}
    assert ids(conclusion, Verdict.UNTESTED) - excused <= asked.left_out.keys()
    assert conclusion.verdict == "incomplete"


def test_only_narrows_to_what_it_names() -> None:
    _, asked, kept = sent(Selection(only=("finish.stop", "parameters.seed-accepted", "parameters.seed-type")))

    assert names(asked) == ["plain.greeting", "plain.documented", "parameters.seed", "parameters.seed-object"]
    _only_these(kept, {"finish.stop", "parameters.seed-accepted", "parameters.seed-type"})


def _only_these(kept: Evidence, wanted: set[str]) -> None:
    conclusion = concluded(kept)

    assert ids(conclusion, Verdict.PASS) == wanted
    assert ids(conclusion, Verdict.UNTESTED) == catalogue().keys() - wanted
    assert conclusion.verdict == "conformant"


def test_a_selector_that_fits_nothing_is_a_mistake() -> None:
    with pytest.raises(BadInput, match="--only finsh"):
        run.plan(TARGET, Selection(only=("finsh",)))
