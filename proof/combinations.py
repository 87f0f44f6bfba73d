"""Legal variants together: what none of them breaks alone, several must not break at once."""

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from itertools import combinations
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from conformance.server.variants import VARIANTS
from proof.observing import DEVIATIONS, Outcome, complaints, outcome

_WORKERS: Final = 2
_FEWEST: Final = 2
_MOST: Final = 5
"""Variants in one server."""
_TOO_SLOW: Final = frozenset(("busy-for-a-minute",))
_AT_MOST_ONE: Final = (
    # Two would keep a request waiting, or refused, for longer than the suite has patience.
    ("busy-", "away-", "fails-", "times-out-", "breaks-off-", "waits-"),
    ("slow",),
    ("bytes-",),
    # With more to say no stream comes to its end before it is broken off, so that none shows one.
    ("breaks-off-", "says-it-in-", "says-more-"),
    # Two would contradict each other on the wire.
    ("json-in-gzip", "json-in-x-gzip", "json-in-deflate", "json-in-identity", "stream-in-gzip"),
    ("connection-", "http-"),
    ("arguments-",),
    ("streams-calls-",),
    # Two would leave none of the forms that the page has.
    ("takes-nested-sounds", "takes-flat-sounds", "takes-sounds-both-ways"),
    ("takes-nested-images", "takes-flat-images"),
    ("takes-no-distant-image", "takes-no-broken-image", "takes-no-image-in-a-url"),
)
"""Beginnings of ids; no more than one variant of each row goes into a server."""


def combined(examples: int) -> tuple[int, list[str]]:
    """How many different combinations were served, and of each that fired the smallest part that still does."""
    drawn = drawings(examples)
    with ProcessPoolExecutor(_WORKERS, mp_context=multiprocessing.get_context("spawn")) as pool:
        fired = [seen for seen in pool.map(outcome, drawn) if _said(seen)]
        return len(drawn), [f"{'+'.join(small.ids)}: {'; '.join(_said(small))}" for small in _smallest(fired, pool)]


def drawings(examples: int) -> tuple[tuple[str, ...], ...]:
    """Different combinations of two to five variants that go together, by their ids; the same every time."""
    drawn: dict[tuple[str, ...], None] = {}

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example, HealthCheck.data_too_large],
    )
    @given(_TOGETHER)
    def draw(together: tuple[str, ...]) -> None:
        drawn.setdefault(together)

    draw()
    return tuple(drawn)


def go_together(ids: Sequence[str]) -> bool:
    """Whether one server can have all of these variants and keep the page."""
    chosen = [DEVIATIONS[identity] for identity in ids]
    return (
        sum(each.wire is not None for each in chosen) <= 1
        and sum(each.site is not None for each in chosen) <= 1
        and all(sum(identity.startswith(row) for identity in ids) <= 1 for row in _AT_MOST_ONE)
    )


def _chosen(order: Sequence[str], number: int) -> tuple[str, ...]:
    """The first so many of an order that go together."""
    chosen: list[str] = []
    for identity in order:
        if len(chosen) < number and go_together([*chosen, identity]):
            chosen.append(identity)
    return tuple(chosen)


_TOGETHER: Final = st.builds(
    _chosen,
    st.permutations([variant.id for variant in VARIANTS if variant.id not in _TOO_SLOW]),
    st.integers(_FEWEST, _MOST),
)


def _said(seen: Outcome) -> list[str]:
    return complaints([DEVIATIONS[identity] for identity in seen.ids], seen)


def _smallest(fired: Iterable[Outcome], pool: Executor) -> Iterator[Outcome]:
    """The smallest part of each that fires; what holds a part that is told already is not told again.

    All parts of a size are tried before a larger one, so that no part of what is told fires by itself.
    """
    told: list[frozenset[str]] = []
    for seen in fired:
        if any(known <= set(seen.ids) for known in told):
            continue
        parts = (part for size in range(1, len(seen.ids)) for part in combinations(seen.ids, size))
        small = next((smaller for part in parts if _said(smaller := pool.submit(outcome, part).result())), seen)
        told.append(frozenset(small.ids))
        yield small
