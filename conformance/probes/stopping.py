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


UNUSED = "no such words"

STOPPED = Probe(
    name="parameters.stopped",
    asks="A count, then the same count stopped at pieces of itself: as a string, as one of an array, and streamed.",
    steps=(
        _count(),
        _count(stop=_excerpt(4)),
        _count(stop=[UNUSED, _excerpt(3)]),
        *(_count(stop=_excerpt(length), stream=True) for length in (1, 2, 6)),
    ),
)
STRING, ARRAY, *STREAMED = range(1, len(STOPPED.steps))
"""Which request stops how."""

PROBES = (STOPPED,)
