"""The memory that readings share: what it keeps, what it lets go, and what it raises again."""

from dataclasses import replace

import pytest

from conformance.exchange import Ending, Exchange, Piece, Request
from conformance.reading import witness
from conformance.reading.witness import Inconclusive, Unobservable, remembered

BYTES = 100


def exchanges(count: int, *, size: int = BYTES) -> list[Exchange]:
    asked = Request(method="POST", url="http://x/", headers=(), body=b"{}")
    one = Exchange(
        probe="x",
        request=asked,
        response=None,
        pieces=(Piece(at=0.1, data=b"a" * (size - 1)), Piece(at=0.2, data=b"b")),
        ended=Ending.RESET,
        started=0.0,
        elapsed=0.3,
    )
    return [replace(one, attempt=number) for number in range(count)]


class Reading:
    """Reads which attempt an exchange is, and keeps what it was asked."""

    def __init__(self, *, fails: type[Exception] | None = None) -> None:
        self.asked: list[int] = []
        self.fails = fails

    def read(self, exchange: Exchange) -> int:
        self.asked.append(exchange.attempt)
        if self.fails:
            raise self.fails(f"attempt {exchange.attempt}")
        return exchange.attempt


@pytest.fixture(autouse=True)
def _room_for_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_MOST_REMEMBERED", 3 * (1024 + BYTES))


def test_what_was_read_is_not_read_again() -> None:
    reading, kept = Reading(), exchanges(3)
    recalled = remembered(reading.read)

    assert [recalled(each) for each in kept * 2] == [0, 1, 2, 0, 1, 2]
    assert reading.asked == [0, 1, 2]


def test_the_first_goes_where_the_bound_is_passed() -> None:
    reading, (first, *others) = Reading(), exchanges(4)
    recalled = remembered(reading.read)

    for each in (first, *others, *others, first):
        recalled(each)

    assert reading.asked == [0, 1, 2, 3, 0]


def test_room_is_made_for_each_that_comes() -> None:
    reading, kept = Reading(), exchanges(20)
    recalled = remembered(reading.read)

    for each in (*kept, *kept[-3:], kept[-4]):
        recalled(each)

    assert reading.asked == [*range(20), 16]


def test_what_is_larger_than_the_bound_is_kept_until_the_next() -> None:
    reading, (small,), (large,) = Reading(), exchanges(1), exchanges(1, size=100_000)
    recalled = remembered(reading.read)

    for each in (large, large, small, small, large):
        recalled(each)

    assert len(reading.asked) == 3


def test_two_heavy_ones_are_not_kept_beside_each_other() -> None:
    reading, (first, second) = Reading(), exchanges(2, size=2000)
    recalled = remembered(reading.read)

    for each in (first, second, first):
        recalled(each)

    assert reading.asked == [0, 1, 0]


@pytest.mark.parametrize("reason", [Unobservable, Inconclusive])
def test_a_reading_that_cannot_see_says_so_again(reason: type[Exception]) -> None:
    reading, (one,) = Reading(fails=reason), exchanges(1)
    recalled = remembered(reading.read)

    for _ in range(2):
        with pytest.raises(reason, match="attempt 0"):
            recalled(one)

    assert reading.asked == [0]


def test_our_own_mistakes_are_not_remembered() -> None:
    reading, (one,) = Reading(fails=KeyError), exchanges(1)
    recalled = remembered(reading.read)

    for _ in range(2):
        with pytest.raises(KeyError):
            recalled(one)

    assert reading.asked == [0, 0]
