"""A backend whose timing is the point: slow, pausing, endless."""

from typing import Final

from conformance.scenario import Scenario, Write
from conformance.scenarios.writing import DONE, ROLE, STOP, ending, said, talk, writes

PAUSE: Final = 1.2
"""Seconds between the two halves of a text: what has come by then must not wait for the rest."""
_FIRST: Final = ("The first half", " of this text", " comes at once,")
_SECOND: Final = (" and the second", " after a while.")
_TOKENS: Final = tuple(f"{number} " for number in range(1, 161))
_EACH: Final = 0.05

SCENARIOS: Final[tuple[Scenario, ...]] = (
    talk(
        "pace-halves",
        "pauses between the halves of its text",
        "".join(_FIRST + _SECOND),
        ROLE,
        *said(*_FIRST),
        Write(data=said(_SECOND[0])[0], after=PAUSE),
        *said(*_SECOND[1:]),
        *ending(),
        asked=(True,),
    ),
    talk(
        "pace-slow-start",
        "thinks for a while before its first token",
        "At last.",
        Write(data=ROLE, after=0.8),
        *said("At", " last."),
        *ending(),
        asked=(True,),
    ),
    talk(
        "pace-trickle",
        "takes its time for each token",
        "a b c d e f",
        ROLE,
        *writes(*said("a ", "b ", "c ", "d ", "e ", "f"), after=0.12),
        *ending(),
        asked=(True,),
    ),
    talk(
        "pace-long",
        "goes on talking for eight seconds",
        "".join(_TOKENS),
        ROLE,
        *writes(*said(*_TOKENS), after=_EACH),
        STOP,
        DONE,
        asked=(),
    ),
)
