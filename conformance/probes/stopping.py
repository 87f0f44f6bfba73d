"""Stop sequences, taken from what the model has just said, so that they surely come again."""

from typing import Any

from conformance.probe import MODEL, Excerpt, Probe, Step

_TEXT = "/choices/0/message/content"


def _count(**members: Any) -> Step:
    return Step(
        body={
            "model": MODEL,
            "messages": [{"role": "user", "content": "Count from 1 to 40, separated by commas."}],
            "max_tokens": 48,
            "temperature": 0.0,
            **members,
        }
    )


def _excerpt(length: int) -> Excerpt:
    return Excerpt(pointer=_TEXT, after=12, length=length)


_LATE, _LATER = (Excerpt(pointer=_TEXT, after=after, length=3) for after in (20, 30))
"""As a rule they stand behind the one between them, so that whoever obeys the first or the last alone goes too far."""
_PATTERN = Excerpt(pointer=_TEXT, after=4, length=3, dotted=True)
"""It stands before the others for who reads a full stop as any character, and nowhere for who reads it as it is."""

STOPPED = Probe(
    name="parameters.stopped",
    asks="A count, then the same count stopped at pieces of itself: as a string, as one of an array, and streamed.",
    steps=(
        _count(),
        _count(stop=_excerpt(4)),
        _count(stop=[_LATE, _excerpt(3), _PATTERN, _LATER]),
        _count(stop=_excerpt(2), stream=True),
        _count(stop=[_LATE, _excerpt(6)], stream=True),
    ),
)
STRING, ARRAY, *STREAMED = range(1, len(STOPPED.steps))
"""Which request stops how."""

PROBES = (STOPPED,)
