"""A backend that calls tools, in every fragmentation seen in the wild."""

from collections.abc import Sequence
from typing import Any, Final

from conformance.scenario import Called, Fate, Scenario, Script, Write
from conformance.scenarios.writing import (
    ROLE,
    called,
    chunk,
    completion,
    document,
    ending,
    frame,
    said,
    stream,
)

_WEATHER: Final = Called(name="get_weather", arguments='{"location": "Zürich", "unit": "celsius"}')
_TIME: Final = Called(name="get_time", arguments='{"zone":"Europe/Zurich","exact":true}')
_NOTHING: Final = Called(name="get_time", arguments="{}")
_DEEP: Final = Called(
    name="get_weather",
    arguments='{"location":"a\\"b\\\\c 🎈\\u2028","list":[1,{"x":null}],"n":-1.5e3,"s":" ",'
    '"id":9007199254740993}',  # beyond what a double holds exactly
)
_SIZE: Final = 5
"""Characters of a fragment."""


def _delta(*pieces: Any, reason: Any = None) -> bytes:
    return frame(chunk({"tool_calls": list(pieces)}, reason))


def _opened(index: int, call: Called, arguments: str = "") -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"index": index, "id": f"call_{index}__ID__", "type": "function", "function": function}


def _more(index: int, arguments: str, **members: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}} | members


def _pieces(text: str, size: int = _SIZE) -> list[str]:
    return [text[place : place + size] for place in range(0, len(text), size)]


def _told(index: int, call: Called) -> list[bytes]:
    """A call as most providers send it: opened, then its arguments in fragments."""
    return [_delta(_opened(index, call)), *(_delta(_more(index, piece)) for piece in _pieces(call.arguments))]


def _without(piece: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in piece.items() if name not in names}


def _calling(  # noqa: PLR0913  # each is one thing that a scenario may have otherwise
    name: str,
    does: str,
    calls: Sequence[Called],
    *parts: Write | bytes,
    fate: Fate = Fate.DELIVERED,
    text: str = "",
    reason: str = "tool_calls",
    whole: Script | None = None,
    asked: tuple[bool, ...] = (True, False),
) -> Scenario:
    message = {"role": "assistant", "content": text or None, "tool_calls": called(calls)}
    return Scenario(
        name=name,
        does=does,
        fate=fate,
        streamed=stream(ROLE, *parts, *ending(reason)),
        whole=whole or document(completion(message, reason)),
        text=text,
        also=("",) if text else (),  # the page has calls instead of content, so a gateway may leave the word out
        calls=tuple(calls),
        reason="tool_calls" if calls else "",
        asked=asked,
    )


def _in_whole(*entries: Any, reason: str = "tool_calls", **members: Any) -> Script:
    return document(completion({"role": "assistant", "content": None, "tool_calls": list(entries)} | members, reason))


_ONE: Final = (_WEATHER,)
_TWO: Final = (_WEATHER, _TIME)
_INTERLEAVED: Final = [
    delta
    for first, second in zip(_pieces(_WEATHER.arguments), _pieces(_TIME.arguments), strict=False)
    for delta in (_delta(_more(0, first)), _delta(_more(1, second)))
] + [_delta(_more(0, piece)) for piece in _pieces(_WEATHER.arguments)[len(_pieces(_TIME.arguments)) :]]

SCENARIOS: Final[tuple[Scenario, ...]] = (
    _calling("calls-one", "makes one call, its arguments in fragments", _ONE, *_told(0, _WEATHER)),
    _calling(
        "calls-one-event",
        "makes one call in one event, the reason with it",
        _ONE,
        _delta(_opened(0, _WEATHER, _WEATHER.arguments), reason="tool_calls"),
        asked=(True,),
    ),
    _calling(
        "calls-letter-an-event",
        "sends the arguments of a call a letter an event",
        (_DEEP,),
        _delta(_opened(0, _DEEP)),
        *(_delta(_more(0, letter)) for letter in _DEEP.arguments),
    ),
    _calling(
        "calls-bytes",
        "sends a call a byte at a time",
        (_DEEP,),
        Write(data=_delta(_opened(0, _DEEP, _DEEP.arguments)), cut=1),
        asked=(True,),
    ),
    _calling("calls-two", "makes two calls, one after the other", _TWO, *_told(0, _WEATHER), *_told(1, _TIME)),
    _calling(
        "calls-two-in-one-event",
        "makes two calls in one event",
        _TWO,
        _delta(_opened(0, _WEATHER, _WEATHER.arguments), _opened(1, _TIME, _TIME.arguments)),
        asked=(True,),
    ),
    _calling(
        "calls-two-interleaved",
        "sends the fragments of two calls by turns",
        _TWO,
        _delta(_opened(0, _WEATHER)),
        _delta(_opened(1, _TIME)),
        *_INTERLEAVED,
        asked=(True,),
    ),
    _calling(
        "calls-same-twice",
        "makes the same call twice",
        (_TIME, _TIME),
        *_told(0, _TIME),
        *_told(1, _TIME),
    ),
    _calling(
        "calls-after-a-word",
        "says a word before it calls",
        _ONE,
        *said("Let me", " look."),
        *_told(0, _WEATHER),
        text="Let me look.",
    ),
    _calling(
        "calls-without-arguments",
        "calls a function that takes none",
        (_NOTHING,),
        _delta(_opened(0, _NOTHING)),
        _delta(_more(0, "{}")),
    ),
    _calling(
        "calls-id-again",
        "repeats the id of a call in each fragment",
        _ONE,
        _delta(_opened(0, _WEATHER)),
        *(_delta(_more(0, piece, id="call_0__ID__", type="function")) for piece in _pieces(_WEATHER.arguments)),
        asked=(True,),
    ),
    _calling(
        "calls-null-in-fragments",
        "sends null and empty strings for id and name in the fragments of a call",
        _ONE,
        _delta(_opened(0, _WEATHER)),
        *(
            _delta({"index": 0, "id": None, "type": None, "function": {"name": name, "arguments": piece}})
            for piece, name in zip(_pieces(_WEATHER.arguments), [None, ""] * 20, strict=False)
        ),
        fate=Fate.MENDED,
        asked=(True,),
    ),
    _calling(
        "calls-without-index",
        "leaves out the index of its call",
        _ONE,
        _delta(_without(_opened(0, _WEATHER), "index")),
        *(_delta(_without(_more(0, piece), "index")) for piece in _pieces(_WEATHER.arguments)),
        fate=Fate.MENDED,
        asked=(True,),
    ),
    _calling(
        "calls-all-index-zero",
        "gives two calls the same index",
        _TWO,
        _delta(_opened(0, _WEATHER, _WEATHER.arguments)),
        _delta(_opened(1, _TIME, _TIME.arguments) | {"index": 0}),
        fate=Fate.MENDED,
        asked=(True,),
    ),
    _calling(
        "calls-without-id",
        "leaves out the id of its call",
        _ONE,
        _delta(_without(_opened(0, _WEATHER), "id")),
        *(_delta(_more(0, piece)) for piece in _pieces(_WEATHER.arguments)),
        fate=Fate.MENDED,
        whole=_in_whole(_without(called(_ONE)[0], "id")),
    ),
    _calling(
        "calls-name-in-two",
        "sends the name of a function in two fragments",
        _ONE,
        _delta(_opened(0, _WEATHER) | {"function": {"name": "get_", "arguments": ""}}),
        _delta({"index": 0, "function": {"name": "weather", "arguments": ""}}),
        *(_delta(_more(0, piece)) for piece in _pieces(_WEATHER.arguments)),
        fate=Fate.MENDED,
        asked=(True,),
    ),
    _calling(
        "calls-arguments-as-object",
        "sends arguments as an object, not as a string",
        _ONE,
        _delta(
            _opened(0, _WEATHER)
            | {"function": {"name": "get_weather", "arguments": {"location": "Zürich", "unit": "celsius"}}}
        ),
        fate=Fate.MENDED,
        whole=_in_whole(
            called(_ONE)[0]
            | {"function": {"name": "get_weather", "arguments": {"location": "Zürich", "unit": "celsius"}}}
        ),
    ),
    _calling(
        "calls-arguments-empty",
        "sends an empty string for no arguments",
        (_NOTHING,),
        _delta(_opened(0, _NOTHING)),
        fate=Fate.MENDED,
        whole=_in_whole(called((_NOTHING,))[0] | {"function": {"name": "get_time", "arguments": ""}}),
    ),
    _calling(
        "calls-arguments-broken",
        "calls with arguments that are no JSON",
        (),
        _delta(_opened(0, _WEATHER, '{"location": "Zür')),
        fate=Fate.MENDED,
        whole=_in_whole(called((Called(name="get_weather", arguments='{"location": "Zür'),))[0]),
    ),
    _calling(
        "calls-and-says-stop",
        "says stop for a reason though it calls",
        _ONE,
        *_told(0, _WEATHER),
        fate=Fate.MENDED,
        reason="stop",
    ),
    _calling(
        "calls-as-function-call",
        "calls in the older form, function_call",
        _ONE,
        frame(chunk({"function_call": {"name": "get_weather", "arguments": ""}})),
        frame(chunk({"function_call": {"arguments": _WEATHER.arguments}})),
        fate=Fate.MENDED,
        reason="function_call",
        whole=document(
            completion(
                {
                    "role": "assistant",
                    "content": None,
                    "function_call": {"name": "get_weather", "arguments": _WEATHER.arguments},
                },
                "function_call",
            )
        ),
    ),
)
