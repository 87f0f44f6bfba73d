"""A backend that dies: at each place of its answer, in each way that a connection can end."""

from collections.abc import Iterator
from typing import Final

from conformance.scenario import Fate, Manner, Scenario, Script, Write
from conformance.scenarios.writing import ROLE, STOP, chunk, document, frame, said, spoken, stream

FAILED: Final = frozenset({"BACKEND_ERROR", "BACKEND_TIMEOUT", "MODEL_UNAVAILABLE", "UPSTREAM_SHAPE_MISMATCH"})
"""What a gateway may call a backend that died: which of them it saw, it alone can tell."""
_WORDS: Final = ("This", " answer", " breaks")
_TEXT: Final = "".join(_WORDS)
_SPOKEN: Final = said(*_WORDS)
_CALL: Final = frame(
    chunk(
        {
            "tool_calls": [
                {
                    "index": 0,
                    "id": "call_0__ID__",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"location": "Zü'},
                }
            ]
        }
    )
)
_HALF: Final = frame(chunk({"content": " here and goes on"}))
_PLACES: Final[dict[str, tuple[str, tuple[bytes, ...]]]] = {
    "after-head": ("after the head of its stream", ()),
    "after-role": ("after its role", (ROLE,)),
    "in-text": ("in the middle of its text", (ROLE, *_SPOKEN)),
    "in-event": ("in the middle of an event", (ROLE, *_SPOKEN, _HALF[: len(_HALF) // 2])),
    "in-character": (
        "in the middle of a character",
        (ROLE, *_SPOKEN, frame(chunk({"content": "é"})).partition("é".encode())[0] + b"\xc3"),
    ),
    "before-finish": (
        "after a whole event, before it said why it stopped",
        (ROLE, *_SPOKEN, frame(chunk({"content": " off."}))),
    ),
    "in-call": ("in the arguments of a call", (ROLE, _CALL)),
}
_MANNERS: Final[dict[str, tuple[str, Manner]]] = {
    "end": ("ends the body as if it were whole", Manner.END),
    "close": ("closes the connection", Manner.CLOSE),
    "reset": ("resets the connection", Manner.RESET),
    "silence": ("falls silent", Manner.SILENCE),
}
_BODY: Final = document(spoken("This answer breaks off in the middle.")).writes[0].data


def _whole(manner: Manner) -> Script:
    """A whole answer that dies in the middle of its body."""
    half = (Write(data=_BODY[: len(_BODY) // 2]),)
    return Script(media_type="application/json", writes=half, ends=manner)


def _deaths() -> Iterator[Scenario]:
    for place, (where, parts) in _PLACES.items():
        for way, (how, manner) in _MANNERS.items():
            yield Scenario(
                name=f"death-{place}-{way}",
                does=f"{how} {where}",
                fate=Fate.TOLD,
                streamed=stream(*parts, ends=manner),
                whole=_whole(manner),
                text=_TEXT if any(piece in parts for piece in _SPOKEN) else "",
                codes=FAILED,
                asked=(True, False) if place == "in-text" else (True,),
            )


def _before_the_first_byte() -> Iterator[Scenario]:
    for way, (how, manner) in _MANNERS.items():
        if manner is not Manner.END:  # which is no answer at all, and the same as to close
            script = Script(headed=False, ends=manner)
            yield Scenario(
                name=f"death-at-once-{way}",
                does=f"{how} before it wrote a byte",
                fate=Fate.TOLD,
                streamed=script,
                whole=script,
                codes=FAILED,
            )


def _after_the_reason() -> Iterator[Scenario]:
    for way, (how, manner) in _MANNERS.items():
        yield Scenario(
            name=f"death-before-done-{way}",
            does=f"{how} after it said why it stopped, before [DONE]",
            fate=Fate.MENDED,
            streamed=stream(ROLE, *_SPOKEN, STOP, ends=manner),
            whole=document(spoken(_TEXT)),
            text=_TEXT,
            asked=(True,),
        )


def _slow() -> Iterator[Scenario]:
    """Deaths that come when what was said before has surely gone on to the client."""
    slow = tuple(Write(data=piece, after=0.3) for piece in _SPOKEN)
    for way, (how, manner) in _MANNERS.items():
        yield Scenario(
            name=f"death-of-a-slow-one-{way}",
            does=f"is slow, then {how} in the middle of its text",
            fate=Fate.TOLD,
            streamed=stream(ROLE, *slow, Write(data=b"", after=0.3), ends=manner),
            whole=_whole(manner),
            text=_TEXT,
            codes=FAILED,
            asked=(True,),
        )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    *_before_the_first_byte(),
    *_deaths(),
    *_after_the_reason(),
    *_slow(),
)
