"""A backend that counts its tokens, rightly, wrongly or not at all."""

from typing import Any, Final

from conformance.scenario import Fate, Scenario, Write
from conformance.scenarios.writing import COUNTED, DONE, ROLE, STOP, USAGE, chunk, document, frame, said, spoken, talk

_TEXT: Final = "Seven words of text in this answer."
_WORDS: Final = ("Seven words", " of text", " in this", " answer.")
_EMPTY: Final[dict[str, Any]] = {"id": "chatcmpl-__ID__", "object": "chat.completion.chunk", "choices": []}


def _counting(name: str, does: str, usage: Any, *parts: Write | bytes, fate: Fate = Fate.DELIVERED) -> Scenario:
    whole = spoken(_TEXT) | {"usage": usage}
    return talk(name, does, _TEXT, *parts, fate=fate, whole=document(whole))


def _last(usage: Any) -> tuple[bytes, ...]:
    return ROLE, *said(*_WORDS), frame(chunk({}, "stop", usage=usage)), DONE


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _counting("usage-in-the-last-chunk", "counts in the chunk with its reason", USAGE, *_last(USAGE)),
    _counting(
        "usage-unasked",
        "counts in a chunk without choices that nobody asked for",
        USAGE,
        ROLE,
        *said(*_WORDS),
        STOP,
        frame({**_EMPTY, "usage": USAGE}),
        DONE,
    ),
    _counting(
        "usage-in-every-chunk",
        "counts in every chunk what was said by then",
        USAGE,
        ROLE,
        *(
            frame(
                chunk(
                    {"content": word},
                    usage={"prompt_tokens": 11, "completion_tokens": number + 1, "total_tokens": 12 + number},
                )
            )
            for number, word in enumerate(_WORDS)
        ),
        frame(chunk({}, "stop", usage=USAGE)),
        DONE,
    ),
    _counting("usage-absent", "counts nothing", None, ROLE, *said(*_WORDS), STOP, DONE),
    _counting("usage-null", "says null for its count", None, *_last(None)),
    _counting(
        "usage-wrong-sum",
        "adds its counts up wrongly",
        USAGE | {"total_tokens": 99},
        *_last(USAGE | {"total_tokens": 99}),
        fate=Fate.MENDED,
    ),
    _counting(
        "usage-zeros",
        "says zero for every count",
        dict.fromkeys(USAGE, 0),
        *_last(dict.fromkeys(USAGE, 0)),
        fate=Fate.MENDED,
    ),
    _counting(
        "usage-negative",
        "says a negative count",
        USAGE | {"completion_tokens": -7, "total_tokens": 4},
        *_last(USAGE | {"completion_tokens": -7, "total_tokens": 4}),
        fate=Fate.MENDED,
    ),
    _counting(
        "usage-in-words",
        "writes its counts as strings",
        {name: str(count) for name, count in USAGE.items()},
        *_last({name: str(count) for name, count in USAGE.items()}),
        fate=Fate.MENDED,
    ),
    _counting(
        "usage-without-a-total",
        "leaves the total out",
        {name: count for name, count in USAGE.items() if name != "total_tokens"},
        *_last({name: count for name, count in USAGE.items() if name != "total_tokens"}),
        fate=Fate.MENDED,
    ),
    talk(
        "usage-before-anything",
        "begins with a chunk that has neither choices nor an id",
        _TEXT,
        frame({"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}),
        ROLE,
        *said(*_WORDS),
        STOP,
        COUNTED,
        DONE,
        asked=(True,),
    ),
)
