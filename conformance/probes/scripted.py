"""Questions whose answers a scenario decides: they need the scripted backend behind the target."""

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
_CALL: Final = {
    "id": "call_of_the_history",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"location": "Zürich"}'},
}


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _showing(text: str, image: str) -> dict[str, Any]:
    """A message with a text and an image in base64."""
    source = {"data": image, "media_type": "image/png"}
    return {
        "role": "user",
        "content": [{"type": "text", "text": text}, {"type": "image_base64", "image_base64": source}],
    }


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
        quick=scenario.name in _QUICK and streamed,
    )


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


FORWARDED = Probe(
    name="scripted.forwarded",
    asks="A request with everything that should reach a backend.",
    steps=(
        Step(
            body=_playing(
                "request-plain",
                {"role": "system", "content": "You are a concise assistant. Zürich 🎈"},
                _user("What's the weather in Zürich?"),
                {"role": "assistant", "content": None, "tool_calls": [_CALL]},
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
LEAVING = Probe(
    name="scripted.leaving",
    asks="A long stream that we hang up on soon after it began.",
    steps=(Step(body=_playing("pace-long", stream=True), leaves_after=200),),
)
IMAGE = Probe(
    name="scripted.image",
    asks="Two images as base64, one of them in an earlier turn, which the backend looks at.",
    steps=(
        Step(
            body={
                "model": SCRIPTED,
                "messages": [
                    _showing("What is this?", media.one_colour(20, 20, 220)),
                    {"role": "assistant", "content": "A colour."},
                    _showing(f"Play {cue('request-images')} now.", media.one_colour(220, 20, 20)),
                ],
            }
        ),
    ),
)
IMAGE_IN_STREAM = IMAGE.but("scripted.image-in-stream", "The same, streamed.", stream=True)
HALVES: Final = next(probe for probe in PLAYED if probe.name == "scripted.pace-halves")

PROBES = (FORWARDED, FORWARDED_IN_STREAM, BARE, CAPPED, TWO_CONVERSATIONS, IMAGE, IMAGE_IN_STREAM, *PLAYED, LEAVING)
