"""The bounds of a rate are the exact ones, and stopping early leaves them honest."""

import math
from fractions import Fraction
from functools import cache
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.stability import CLEAR, clear, excluded, interval, observed, percent, tail

COUNTS = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


def exact_tail(broken: int, of: int, rate: Fraction) -> Fraction:
    return sum(
        (math.comb(of, seen) * rate**seen * (1 - rate) ** (of - seen) for seen in range(broken + 1)), start=Fraction(0)
    )


# Bounds.


@pytest.mark.parametrize(
    "broken,of,low,high",
    [  # Clopper and Pearson (1934), as published tables of the 95 % limits give them
        (0, 10, 0.0000, 0.3085),
        (1, 10, 0.0025, 0.4450),
        (5, 10, 0.1871, 0.8129),
        (10, 10, 0.6915, 1.0000),
        (0, 20, 0.0000, 0.1684),
        (2, 20, 0.0123, 0.3170),
        (10, 100, 0.0490, 0.1762),
        (0, 1, 0.0000, 0.9750),
        (1, 1, 0.0250, 1.0000),
    ],
)
def test_the_interval_is_that_of_the_tables(broken: int, of: int, low: float, high: float) -> None:
    assert interval(broken, of) == pytest.approx((low, high), abs=5e-5)


@given(count=st.integers(1, 60).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of))), per=st.integers(1, 99))
def test_the_tail_is_the_sum_of_the_exact_terms(count: tuple[int, int], per: int) -> None:
    assert tail(*count, per / 100) == pytest.approx(float(exact_tail(*count, Fraction(per, 100))), rel=1e-9)


@pytest.mark.parametrize(
    "broken,of,rate,likely",
    [
        (0, 5, 0.0, 1.0),
        (3, 5, 0.0, 1.0),
        (3, 5, 1.0, 0.0),
        (4, 5, 1.0, 0.0),
        (5, 5, 1.0, 1.0),
        (5, 5, 0.5, 1.0),
        (9_000, 10_000, 0.001, 1.0),
        (1_000, 10_000, 0.999, 0.0),
    ],
)
def test_the_tail_of_what_is_certain_is_exact(broken: int, of: int, rate: float, likely: float) -> None:
    assert tail(broken, of, rate) == likely


@given(count=COUNTS)
def test_each_bound_is_where_its_tail_has_half_the_doubt(count: tuple[int, int]) -> None:
    broken, of = count
    low, high = interval(broken, of)

    if broken:
        assert 1 - tail(broken - 1, of, low) == pytest.approx(0.025, abs=1e-6)
    if broken < of:
        assert tail(broken, of, high) == pytest.approx(0.025, abs=1e-6)


@given(count=COUNTS)
def test_the_interval_holds_the_share_that_was_seen_and_is_the_mirror_of_what_was_kept(count: tuple[int, int]) -> None:
    broken, of = count
    low, high = interval(broken, of)

    assert 0 <= low <= broken / of <= high <= 1
    assert interval(of - broken, of) == pytest.approx((1 - high, 1 - low), abs=2e-9)


@given(count=COUNTS)
def test_more_broken_moves_the_interval_up_and_more_observations_narrow_it(count: tuple[int, int]) -> None:
    broken, of = count
    low, high = interval(broken, of)

    if broken < of:
        assert interval(broken + 1, of) >= (low, high)
    wider, narrower = high - low, interval(2 * broken, 2 * of)
    assert narrower[1] - narrower[0] < wider


@given(of=st.integers(1, 10_000))
def test_what_a_pass_excludes_would_have_shown_itself_nineteen_times_of_twenty(of: int) -> None:
    assert (1 - excluded(of)) ** of == pytest.approx(0.05, rel=0.02)
    assert excluded(of) < 3 / of  # the rule of three


@pytest.mark.parametrize("broken,of", [(-1, 3), (4, 3), (0, 0)])
def test_what_is_no_count_has_no_interval(broken: int, of: int) -> None:
    with pytest.raises(ValueError, match="no count of observations"):
        interval(broken, of)


bounds = cache(interval)


def covered(rate: float, *, batch: int, rounds: int, stops: int) -> float:
    """How often the interval holds the rate, where asking stops after the round in which `stops` are broken."""
    terms = [math.comb(batch, seen) * rate**seen * (1 - rate) ** (batch - seen) for seen in range(batch + 1)]
    going, held = {0: 1.0}, 0.0
    for number in range(1, rounds + 1):
        after: dict[int, float] = {}
        for (before, weight), (more, term) in product(going.items(), enumerate(terms)):
            after[before + more] = after.get(before + more, 0.0) + weight * term
        ended = {seen: weight for seen, weight in after.items() if seen >= stops or number == rounds}
        going = {seen: weight for seen, weight in after.items() if seen not in ended}
        for seen, weight in ended.items():
            low, high = bounds(seen, number * batch)
            held += weight * (low <= rate <= high)
    return held


@pytest.mark.parametrize("batch,rounds", [(1, 10), (1, 40), (4, 10), (8, 10), (8, 20)])
def test_who_stops_when_it_is_clear_is_told_an_interval_that_holds_the_rate(batch: int, rounds: int) -> None:
    rates = [number / 100 for number in range(1, 100, 2)]

    assert min(covered(rate, batch=batch, rounds=rounds, stops=CLEAR) for rate in rates) > 0.94
    assert min(covered(rate, batch=batch, rounds=rounds, stops=10**6) for rate in rates) >= 0.95


# Words.


def outcomes(**counts: tuple[int, int]) -> list[tuple[str, bool]]:
    """Outcomes by probe: so many broken, of so many."""
    return [(probe, seen < broken) for probe, (broken, of) in counts.items() for seen in range(of)]


@pytest.mark.parametrize(
    "seen,told",
    [
        (outcomes(a=(3, 200)), "3 of 200 repeated observations broke it (0.3 % to 4.3 %)"),
        (outcomes(a=(0, 200)), "none of 200 repeated observations broke it, which excludes a rate of 1.5 %"),
        (outcomes(a=(0, 20), b=(20, 20)), "20 of 40 repeated observations broke it, every one of b"),
        (outcomes(a=(1, 20), b=(20, 20)), "21 of 40 repeated observations broke it (36.1 % to 68.5 %)"),
        (outcomes(a=(0, 10), b=(5, 5)), "5 of 15 repeated observations broke it, every one of b"),
        (outcomes(a=(0, 2)), "none of 2 repeated observations broke it, which excludes a rate of 77.6 %"),
        (outcomes(a=(0, 10), b=(4, 4)), "4 of 14 repeated observations broke it (8.4 % to 58.1 %)"),
        (
            outcomes(a=(0, 10), once=(1, 1)),
            "none of 10 repeated observations broke it, which excludes a rate of 25.9 %",
        ),
    ],
)
def test_a_rate_is_told_with_its_interval_unless_a_request_breaks_it_each_time(
    seen: list[tuple[str, bool]], told: str
) -> None:
    found = observed(seen)

    assert found is not None
    assert found.told == told


def test_what_was_asked_once_has_no_rate() -> None:
    assert observed(outcomes(a=(1, 1), b=(0, 1))) is None
    assert observed([]) is None


@pytest.mark.parametrize("share,told", [(0, "0 %"), (1, "100 %"), (0.0432, "4.3 %"), (0.00012, "0.012 %")])
def test_a_share_is_told_so_that_it_is_never_nothing(share: float, told: str) -> None:
    assert percent(share) == told


def test_only_what_was_broken_often_is_clear() -> None:
    assert not clear(outcomes(a=(0, 10_000)))
    assert not clear(outcomes(a=(CLEAR - 1, 100)))
    assert clear(outcomes(a=(2, 10), b=(CLEAR - 2, 10)))
