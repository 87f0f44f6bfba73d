"""What some exchanges say of one requirement, beside the verdict: what decided it, and what of it was known."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from conformance.baseline import Entry
from conformance.check import Violation, check, together
from conformance.exchange import Exchange
from conformance.finding import Finding, Verdict, judged
from conformance.reading.witness import Unobservable
from tests.test_baseline import entry
from tests.test_verdict import exchange, row, telling


def found(*probes: str | Exchange, known: Sequence[Entry] = ()) -> Finding:
    exchanges = [exchange(each) if isinstance(each, str) else each for each in probes]
    return judged(row(), telling(), exchanges, known)


def asked(probe: str, *, number: int) -> Exchange:
    return replace(exchange(probe), round=number)


@pytest.mark.parametrize(
    "probes, outcomes",
    [
        (["fine-a", "unseen", "fine-b", "fine-a"], [("fine-a", False), ("fine-b", False), ("fine-a", False)]),
        (["fine-a", "broken", "unseen"], [("fine-a", False), ("broken", True)]),
        (["fine-a", "cloudy"], [("fine-a", False)]),
        (["broken", "cloudy"], [("broken", True)]),
        (["unseen", "unseen"], []),
    ],
)
def test_each_exchange_that_decides_is_an_outcome(probes: list[str], outcomes: list[tuple[str, bool]]) -> None:
    assert found(*probes).outcomes == tuple(outcomes)


@pytest.mark.parametrize("probes", [["fine-a", "unseen", "fine-b"], ["fine-a", "unseen", "broken", "cloudy"]])
def test_the_probes_of_a_finding_are_those_that_decided_it(probes: list[str]) -> None:
    assert found(*probes).probes == {*probes} - {"unseen", "cloudy"}


def test_what_was_seen_broken_counts_though_the_rest_could_not_be_seen() -> None:
    def find(*_group: Exchange) -> Iterator[Violation]:
        yield Violation(expected="this", found="that")
        raise Unobservable("no more")

    both = check("x.one", when=lambda _: True, probes=(), groups=together)(find)
    finding = judged(row(), both, [exchange("a"), exchange("b")])

    assert (finding.verdict, finding.outcomes, finding.probes) == (Verdict.FAIL, (("a", True),), frozenset("ab"))


@pytest.mark.parametrize("rounds", [[("cloudy", 1), ("fine", 2)], [("fine", 1), ("cloudy", 2)]])
def test_a_request_that_no_answer_decided_leaves_its_requirement_open(rounds: list[tuple[str, int]]) -> None:
    assert found(*(asked(probe, number=number) for probe, number in rounds)).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    "decided, cut, verdict",
    [
        (1, 2, Verdict.PASS),
        (1, 3, Verdict.PASS),
        (2, 3, Verdict.PASS),
        (2, 1, Verdict.INCONCLUSIVE),
    ],
)
def test_what_was_cut_short_when_asked_once_more_leaves_nothing_open_that_another_answer_decided(
    decided: int, cut: int, verdict: Verdict
) -> None:
    """A first answer that we cut short is a gap of the run; a further one is but one observation less."""

    def find(each: Exchange) -> Iterator[Violation]:
        if each.round == cut:
            yield from telling().find(exchange("cloudy"))

    asked_twice = [asked("a", number=number) for number in sorted((decided, cut))]

    assert judged(row(), replace(telling(), find=find), asked_twice).verdict is verdict


def test_a_finding_is_known_by_the_entries_that_cover_all_of_it() -> None:
    finding = Finding(requirement=row(), verdict=Verdict.FAIL, listed=(entry(),))

    assert finding.known == (entry(),)
    assert replace(finding, unlisted=1).known == ()


@pytest.mark.parametrize(
    "known, explanation",
    [
        ([], "expected this; found broken-1"),
        ([entry()], "expected this; found broken-1"),
        ([entry(found="broken-1")], "beside 1 known: expected this; found broken-2"),
        ([entry(found="broken-9"), entry(found="broken-3")], "beside 1 known: expected this; found broken-1"),
        ([entry(found="broken-1"), entry(found="broken-3")], "beside 2 known: expected this; found broken-2"),
    ],
)
def test_what_is_known_is_counted_beside_what_is_not(known: list[Entry], explanation: str) -> None:
    assert found("broken-1", "broken-2", "broken-3", known=known).explanation == explanation


def _elsewhere(each: Exchange) -> Iterator[Violation]:
    yield Violation(expected="this", found=each.probe, on="elsewhere")
    yield Violation(expected="this", found=each.probe)


ELSEWHERE = check("x.one", when=lambda _: True, probes=())(_elsewhere)


def test_a_violation_on_an_exchange_that_the_run_has_not_is_told_among_the_declared() -> None:
    exchanges = [exchange("b"), exchange("generated.valid.a")]
    finding = judged(row(), ELSEWHERE, exchanges)

    assert [identity for identity, _ in finding.violations] == ["elsewhere", "b", "elsewhere", "generated.valid.a"]


def test_an_entry_of_one_probe_covers_no_violation_on_an_exchange_that_the_run_has_not() -> None:
    finding = judged(row(), ELSEWHERE, [exchange("b")], [entry(probe="b")])

    assert (finding.unlisted, [identity for identity, _ in finding.violations]) == (1, ["elsewhere", "b"])
