"""Questions whose answers a scenario decides: they need the scripted backend behind the target."""

from dataclasses import replace
from typing import Any, Final

from conformance.probe import ABOVE_SCRIPTED_CAP, SCRIPTED, Probe, Step
from conformance.probes import media
from conformance.scenario import Fate, Scenario, cue
from conformance.scenarios import SCENARIOS

WORD: Final = "quince-harbour-7741"
"""What is said in one conversation and has no business in the next."""
TOOLS: Final[tuple[dict[str, Any], ...]] = (
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get current weather for a location",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {"type": "string"},
                    "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                },
                "required": ["location"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": "Get the time of a zone",
            "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
        },
    },
)
_NESTED: Final[tuple[dict[str, Any], ...]] = (
    {
        "type": "function",
        "function": {
            "name": "book",
            "description": "Book some rooms",
            "parameters": {
                "type": "object",
                "properties": {
                    "rooms": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"beds": {"type": "integer", "minimum": 1}}},
                    },
                    "until": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": None},
                },
                "required": ["rooms"],
                "additionalProperties": False,
            },
        },
    },
)


def _made(identity: str, name: str, arguments: str) -> dict[str, Any]:
    """A call of the history."""
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _showing(text: str, *images: str) -> dict[str, Any]:
    """A message with a text and images in base64."""
    shown = [{"type": "image_base64", "image_base64": {"data": image, "media_type": "image/png"}} for image in images]
    return {"role": "user", "content": [{"type": "text", "text": text}, *shown]}


def _playing(scenario: str, *before: Any, **members: Any) -> dict[str, Any]:
    """The body of a request that plays a scenario after some messages."""
    return {"model": SCRIPTED, "messages": [*before, _user(f"Play {cue(scenario)} now.")], **members}


def _asked(scenario: Scenario, *, streamed: bool) -> Probe:
    members: dict[str, Any] = {"stream": True} if streamed else {}
    if scenario.calls or "call" in scenario.name:
        members["tools"] = list(TOOLS)
    form = "" if streamed else ", not streamed"
    return Probe(
        name=f"scripted.{scenario.name}" + ("" if streamed else ".whole"),
        asks=f"A backend that {scenario.does}{form}.",
        steps=(Step(body=_playing(scenario.name, **members), may_fail=scenario.fate is not Fate.DELIVERED),),
        alone=scenario.name in _TIMED,
        quick=scenario.name in _QUICK and streamed,
    )


_TIMED: Final = ("pace-halves",)
"""Where it is judged when a piece came: what else is under way on a small machine would make it late."""


_QUICK: Final = ("text-bytes", "death-in-text-close")
_FATES: Final = (Fate.DELIVERED, Fate.MENDED, Fate.TOLD)
PLAYED: Final = tuple(
    _asked(scenario, streamed=streamed)
    # A gateway may stop asking a backend that fails too often, so those that fail are asked last.
    for fate in _FATES
    for scenario in SCENARIOS.values()
    if scenario.fate is fate
    for streamed in scenario.asked
)


def played(*fates: Fate, streamed: bool | None = None) -> tuple[Probe, ...]:
    """The probes of the scenarios of these fates, of one form or both."""
    return tuple(
        probe
        for probe in PLAYED
        if (streamed is None or (probe.step.body.get("stream") is True) is streamed)
        and scenario_named(probe).fate in fates
    )


def scenario_named(probe: Probe) -> Scenario:
    """The scenario that a probe of `PLAYED` plays."""
    return SCENARIOS[probe.name.removeprefix("scripted.").removesuffix(".whole")]


_MADE: Final = _made("call_of_the_history", "get_weather", '{"location": "Zürich"}')
FORWARDED = Probe(
    name="scripted.forwarded",
    asks="A request with everything that should reach a backend.",
    steps=(
        Step(
            body=_playing(
                "request-plain",
                {"role": "system", "content": "You are a concise assistant. Zürich 🎈"},
                _user("What's the weather in Zürich?"),
                {"role": "assistant", "content": None, "tool_calls": [_MADE]},
                {"role": "tool", "tool_call_id": "call_of_the_history", "content": '{"temp": 18}'},
                {"role": "assistant", "content": "18 degrees.\n"},
                max_tokens=64,
                temperature=0.75,
                top_p=0.5,
                stop=["ZEBRA\n", "Äpfel"],
                seed=123456789,
                tools=list(TOOLS),
                tool_choice="auto",
                metadata={"ticket": "T-1", "who": "Zoë"},
            )
        ),
    ),
)
FORWARDED_IN_STREAM = FORWARDED.but("scripted.forwarded-in-stream", "The same, streamed.", stream=True)
ZEROS = Probe(
    name="scripted.forwarded-zeros",
    asks="A request with numbers that are zero or small, a stop sequence that is no list, and tools to leave alone.",
    steps=(
        Step(
            body=_playing(
                "request-plain",
                max_tokens=8,
                temperature=0,
                seed=0,
                stop="ZEBRA",
                tools=list(_NESTED),
                tool_choice="none",
            )
        ),
    ),
)
LONG: Final = "".join(f"Line {number} of the minutes of the harbour: 港の議事録。\n" for number in range(200))
"""Some 12,000 bytes, whose characters lie across the edges of whatever blocks they are read in."""
HISTORY = Probe(
    name="scripted.forwarded-history",
    asks="A long conversation with parts, two calls in one turn and a long text, streamed, which names a function.",
    steps=(
        Step(
            body=_playing(
                "calls-one",
                {"role": "system", "content": "You are a concise assistant."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": text} for text in ("Two zones:", "here and there?")],
                },
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        _made("call_of_the_first", "get_time", '{"zone": "Europe/Zurich", "n": 9007199254740993}'),
                        _made("call_of_the_second", "get_time", '{"zone": "Asia/Tokyo"}'),
                    ],
                },
                {"role": "tool", "tool_call_id": "call_of_the_first", "content": '{"time": "11:00"}'},
                {"role": "tool", "tool_call_id": "call_of_the_second", "content": '{"time": "18:00"}'},
                {"role": "assistant", "content": "Eleven, and six."},
                *(
                    message
                    for number in range(1, 21)
                    for message in (_user(f"And {number}?"), {"role": "assistant", "content": f"{number}, I heard."})
                ),
                _user(LONG),
                {"role": "assistant", "content": "Noted."},
                stream=True,
                max_tokens=64,
                tools=[*TOOLS, *_NESTED],
                tool_choice={"type": "function", "function": {"name": "get_weather"}},
            )
        ),
    ),
)
WORDS: Final = (
    "Cafe\u0301, \ufb01n, \u2460, \uff21",  # other letters in the normal forms of Unicode
    "two  blanks\n\n\n  and\tlines ",
    "one\r\ntwo\r\n",
    "<b>R&D</b> &amp; \"quoted\" 'words'",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \u2028 \u0416",
    "\\u0041 \\n {{ x }} ${HOME} %s",
)
"""Texts that mean something else once they are tidied."""
TEXTS = Probe(
    name="scripted.forwarded-texts",
    asks="Texts that somebody might tidy, and neighbours of one role, in a request that any function may answer.",
    steps=(
        Step(
            body=_playing(
                "calls-one",
                {"role": "system", "content": "You are a concise assistant."},
                {"role": "system", "content": "You write in English."},
                *(message for text in WORDS for message in (_user(text), {"role": "assistant", "content": "Yes."})),
                _user("One thing more."),
                top_p=0,
                tools=list(TOOLS),
                tool_choice="required",
            )
        ),
    ),
)
BARE = Probe(
    name="scripted.bare",
    asks="A request with no more than it needs, which should reach a backend so.",
    steps=(Step(body=_playing("request-plain")),),
)
CAPPED = Probe(
    name="scripted.capped",
    asks="A request for one token more than the model gives.",
    steps=(Step(body=_playing("request-plain", max_tokens=ABOVE_SCRIPTED_CAP)),),
)
TWO_CONVERSATIONS = Probe(
    name="scripted.two-conversations",
    asks="A conversation with a secret in it, then another without.",
    steps=(
        Step(body=_playing("request-plain", _user(f"The word is {WORD}."), {"role": "assistant", "content": "Yes."})),
        Step(body=_playing("request-plain")),
    ),
)
TWO_STREAMS = replace(
    TWO_CONVERSATIONS,
    name="scripted.two-streams",
    asks="The same, streamed.",
    steps=tuple(replace(step, body={**step.body, "stream": True}) for step in TWO_CONVERSATIONS.steps),
)
LEAVING = Probe(
    name="scripted.leaving",
    asks="A long stream that we hang up on soon after it began.",
    steps=(Step(body=_playing("pace-long", stream=True), leaves_after=200),),
)
IMAGE = Probe(
    name="scripted.image",
    asks="Three images as base64, one of them in an earlier turn, which the backend looks at.",
    steps=(
        Step(
            body={
                "model": SCRIPTED,
                "messages": [
                    _showing("What is this?", media.one_colour(20, 20, 220)),
                    {"role": "assistant", "content": "A colour."},
                    _showing(
                        f"Play {cue('request-images')} now.",
                        media.one_colour(220, 20, 20),
                        media.one_colour(20, 160, 20),
                    ),
                ],
            }
        ),
    ),
)
IMAGE_IN_STREAM = IMAGE.but("scripted.image-in-stream", "The same, streamed.", stream=True)
HALVES: Final = next(probe for probe in PLAYED if probe.name == "scripted.pace-halves")

PROBES = (
    FORWARDED,
    FORWARDED_IN_STREAM,
    ZEROS,
    HISTORY,
    TEXTS,
    BARE,
    CAPPED,
    TWO_CONVERSATIONS,
    TWO_STREAMS,
    IMAGE,
    IMAGE_IN_STREAM,
    *PLAYED,
    LEAVING,
)
