"""What shows that a stream was held back, and what only looks like it."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Exchange, Piece
from conformance.reading.witness import Unobservable
from tests.exchanges import DONE, streamed

BURST = CHECKS["stream.not-in-one-burst"]
Delta = tuple[float, Any]
"""When a chunk came, in seconds, and its delta."""


def timed(deltas: Sequence[Delta]) -> Exchange:
    chunks = [(at, {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for at, delta in deltas]
    pieces = [Piece(at=at, data=b"data: " + json.dumps(chunk).encode() + b"\n\n") for at, chunk in chunks]
    return streamed(pieces=(*pieces, Piece(at=pieces[-1].at, data=DONE)))


def said(*times: float) -> list[Delta]:
    return [(at, {"content": f"{number}, "}) for number, at in enumerate(times)]


def thought(*times: float, **members: Any) -> list[Delta]:
    return [(at, members or {"reasoning_content": "Hm."}) for at in times]


def held_back(*deltas: Delta) -> bool:
    """Whether a stream is told to have been held back, beside one whose text began at once."""
    return len(list(BURST.find(timed(deltas), timed(said(0.1))))) == 1


AT_ONCE = said(*[2.0] * 8)
SPREAD = [0.1 * number for number in range(1, 9)]


def test_all_of_a_text_at_once_was_held_back() -> None:
    assert held_back(*AT_ONCE)
    with pytest.raises(Unobservable, match="too few to tell"):
        held_back(*AT_ONCE[1:])


def test_a_model_may_think_aloud_before_it_writes() -> None:
    with pytest.raises(Unobservable, match=r"thought aloud for 1.90 s"):
        held_back(*thought(*SPREAD), *AT_ONCE)
    with pytest.raises(Unobservable, match=r"thought aloud for 0.25 s"):
        held_back(*thought(1.75, *[1.95] * 7), *AT_ONCE)


@pytest.mark.parametrize("times", [SPREAD[1:], SPREAD[:3], [2.0] * 8, [1.9] * 8])
def test_few_thoughts_and_those_that_came_with_the_text_excuse_nothing(times: list[float]) -> None:
    assert held_back(*thought(*times), *AT_ONCE)


@pytest.mark.parametrize(
    "delta", [{"role": "assistant"}, {"content": ""}, {"reasoning_content": ""}, {"n": 1}, {}, None]
)
def test_what_says_nothing_is_no_thought(delta: Any) -> None:
    assert held_back(*[(at, delta) for at in SPREAD], *AT_ONCE)
