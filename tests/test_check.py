"""Which exchanges a check is shown side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from conformance.check import Group, beside_control, check, grouped, in_sequence, side_by_side, singly, together
from conformance.exchange import Ending, Exchange
from tests.test_verdict import exchange


def step(probe: str, number: int, *, ended: Ending = Ending.COMPLETE, control: str = "") -> Exchange:
    return replace(exchange(probe), step=number, ended=ended, control=control)


def names(*groups: Group) -> list[list[str]]:
    return [[f"{each.probe}{each.step}" for each in group] for group in groups]


def test_each_by_itself_is_every_exchange() -> None:
    chosen = [step("a", 0), step("b", 0)]

    assert names(*singly(chosen, chosen)) == [["a0"], ["b0"]]


def test_beside_its_control_stands_what_has_one_that_was_sent() -> None:
    chosen = [step("a", 0, control="plain"), step("b", 0, control="gone"), step("c", 0)]
    everything = [*chosen, step("plain", 0), step("plain", 1)]

    assert names(*beside_control(chosen, everything)) == [["a0", "plain0"]]


def test_together_are_two_or_more_and_side_by_side_also_one() -> None:
    two = [step("a", 0), step("b", 0)]

    assert names(*together(two, two)) == names(*side_by_side(two, two)) == [["a0", "b0"]]
    assert names(*together(two[:1], two)) == []
    assert names(*side_by_side(two[:1], two)) == [["a0"]]
    assert names(*side_by_side([], two)) == names(*together([], two)) == []


def test_a_sequence_is_in_order_without_what_was_not_sent() -> None:
    chosen = [step("a", 2), step("a", 0), step("a", 1, ended=Ending.UNSENT)]

    assert names(*in_sequence(chosen, chosen)) == [["a0", "a2"]]


def test_a_sequence_of_which_one_was_sent_is_none() -> None:
    chosen = [step("a", 0), step("a", 1, ended=Ending.UNSENT), step("b", 0), replace(step("b", 1), round=2)]

    assert names(*in_sequence(chosen, chosen)) == []


def test_each_round_is_judged_beside_its_own_answers_or_beside_the_first_where_it_has_none() -> None:
    exchanges = [
        exchange("a"),
        exchange("b"),
        replace(exchange("a"), round=2),
        replace(exchange("c"), round=2),
        replace(exchange("a"), round=3),
    ]
    shown: list[tuple[list[str], list[str]]] = []

    def noted(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
        shown.append(([each.id for each in chosen], [each.id for each in everything]))
        return [tuple(chosen)]

    rows = check("x.one", when=lambda each: each.probe == "a", probes=(), groups=noted)(lambda *_: [])

    assert [[each.id for each in group] for group in grouped(rows, exchanges)] == [["a"], ["a+2"], ["a+3"]]
    assert shown == [(["a"], ["a", "b"]), (["a+2"], ["b", "a+2", "c+2"]), (["a+3"], ["b", "a+3"])]


def test_what_compares_all_answers_of_a_run_compares_its_rounds() -> None:
    exchanges = [exchange("a"), replace(exchange("a"), round=2), exchange("b")]
    rows = check("x.one", when=lambda each: each.probe == "a", probes=(), groups=together)(lambda *_: [])

    assert [[each.id for each in group] for group in grouped(rows, exchanges)] == [["a", "a+2"]]
