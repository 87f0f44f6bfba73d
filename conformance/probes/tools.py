"""The page's section "Tool calls"."""

from dataclasses import replace

from conformance.probe import Echo, Probe
from conformance.probes.parameters import SHORT, TOOLS, WEATHER

READING = 4711
"""An odd value in the tool's result, to be found in the answer."""
_RESULT = f'{{"temp": {READING}, "unit": "celsius"}}'

_CALL = TOOLS.but("", "", messages=[WEATHER], tool_choice="required", max_tokens=96).step
REQUIRED_CALL = Probe(
    name="tools.required-call",
    asks="A tool call required; then the server's own call sent back as it came, with the tool's result.",
    control=TOOLS.name,
    quick=True,
    steps=(
        _CALL,
        replace(
            _CALL,
            body={
                **_CALL.body,
                "messages": [
                    WEATHER,
                    Echo(pointer="/choices/0/message"),
                    {
                        "role": "tool",
                        "tool_call_id": Echo(pointer="/choices/0/message/tool_calls/0/id"),
                        "content": _RESULT,
                    },
                ],
                "tool_choice": "none",
            },
        ),
    ),
)
TWO_CITIES = TOOLS.but(
    "tools.two-cities",
    "A question that calls for two calls at once.",
    messages=[{"role": "user", "content": "What's the weather in Zürich and Bern?"}],
    tool_choice="required",
    max_tokens=160,
)
EMPTY = SHORT.but("tools.empty", "An empty list of tools.", tools=[])
CHOICE_WORD = TOOLS.but("tools.choice-word", "A tool_choice that is an unknown word.", tool_choice="sometimes")
CHOICE_UNDECLARED = TOOLS.but(
    "tools.choice-undeclared",
    "A tool_choice that names a function nobody declared.",
    tool_choice={"type": "function", "function": {"name": "launch_rocket"}},
)
CHOICE_ALONE = SHORT.but("tools.choice-alone", "A tool call required, and no tools.", tool_choice="required")

BY_HAND = TOOLS.but(
    "tools.history-by-hand",
    "A call and its result that nobody made, written as history.",
    messages=[
        WEATHER,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_byhand1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"location": "Zürich"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_byhand1", "content": _RESULT},
    ],
    max_tokens=64,
)

MISTAKEN_CHOICES = (CHOICE_WORD, CHOICE_UNDECLARED, CHOICE_ALONE)

PROBES = (
    REQUIRED_CALL,
    TWO_CITIES,
    EMPTY,
    *MISTAKEN_CHOICES,
    BY_HAND,
)
