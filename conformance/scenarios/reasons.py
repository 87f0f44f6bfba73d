"""A backend that says why it stopped, in one way or another."""

from typing import Final

from conformance.scenario import Fate, Scenario
from conformance.scenarios.writing import DONE, ROLE, STOP, chunk, document, ending, frame, said, spoken, talk

_TEXT: Final = "One, two, three"
_WORDS: Final = ("One,", " two,", " three")


def _ended(name: str, does: str, word: str, reason: str, *, fate: Fate = Fate.DELIVERED) -> Scenario:
    return talk(
        name,
        does,
        _TEXT,
        ROLE,
        *said(*_WORDS),
        *ending(word),
        fate=fate,
        reason=reason,
        whole=document(spoken(_TEXT, word)),
    )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _ended("reason-stop", "stops by itself", "stop", "stop"),
    _ended("reason-length", "stops at its limit", "length", "length"),
    _ended("reason-content-filter", "is stopped by its safety filter", "content_filter", "content_filter"),
    talk(
        "reason-content-filter-at-once",
        "is stopped by its safety filter before it says anything",
        "",
        ROLE,
        *ending("content_filter"),
        reason="content_filter",
        whole=document(spoken("", "content_filter")),
    ),
    talk(
        "reason-with-the-last-text",
        "says why it stopped in the event of its last word",
        _TEXT,
        ROLE,
        *said(*_WORDS[:-1]),
        frame(chunk({"content": _WORDS[-1]}, "length")),
        DONE,
        reason="length",
        asked=(True,),
    ),
    talk(
        "reason-twice",
        "says twice why it stopped",
        _TEXT,
        ROLE,
        *said(*_WORDS),
        STOP,
        STOP,
        DONE,
        fate=Fate.MENDED,
        asked=(True,),
    ),
    _ended("reason-of-a-vendor", "stops for a reason that only its vendor has", "eos", "stop", fate=Fate.MENDED),
    _ended(
        "reason-of-a-vendor-for-length",
        "stops at its limit and calls it max_tokens",
        "max_tokens",
        "length",
        fate=Fate.MENDED,
    ),
    _ended("reason-in-capitals", "writes its reason in capitals", "STOP", "stop", fate=Fate.MENDED),
)
