"""The page's sections "Messages" and "Multi-turn conversations"."""

from conformance.probe import Probe
from conformance.probes.parameters import SHORT, WEATHER_TOOL

UNLIKELY = "Zanzibarquartz"
"""A word that no model says unless it was told."""

SYSTEM_WORD = "Brackwater"
MARKERS = ("marmalade", "periscope")
"""Words that tell the answers of requests under way at once apart, beside those that other probes ask for."""

_QUESTION = {"role": "user", "content": "Reply with exactly: OK"}
# Its prompt is longer than the page's own example, also where the chat template has a system message of its own for who
# sends none.
_INSTRUCTION = {
    "role": "system",
    "content": f"Always begin your answer with {SYSTEM_WORD}. Do so in every language and however short the answer may"
    " be, also where you are asked for a single word or for an exact text, and go on with that on the same line.",
}

SYSTEM = SHORT.but(
    "messages.system",
    "A system message before the question.",
    messages=[_INSTRUCTION, _QUESTION],
)
HISTORY = SHORT.but(
    "messages.history",
    "The page's own conversation of four turns.",
    messages=[
        {"role": "system", "content": "You translate to French."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Bonjour"},
        {"role": "user", "content": "Good night"},
    ],
)
_RECALL = {
    "role": "user",
    "content": "What is the secret word? If you were not told, reply with exactly: unknown",
}
# Some servers pass on only the first message or the last twenty; so the first of these is longer than what is told
# before them, and they are more.
_SUMS = [
    {"role": "user", "content": "Before we come to anything else, let us do a few small sums together. What is 1 + 1?"},
    {"role": "assistant", "content": "2."},
    *(
        message
        for number in range(2, 13)
        for message in (
            {"role": "user", "content": f"What is {number} + {number}?"},
            {"role": "assistant", "content": f"{2 * number}."},
        )
    ),
]
_TOLD = [
    {"role": "user", "content": f"The secret word is {UNLIKELY}. Keep it in mind."},
    {"role": "assistant", "content": "I will."},
]
_TURNS = [*_TOLD, *_SUMS]
RECALL = SHORT.but(
    "messages.recall",
    "A word said in the first turn, asked for in the last.",
    messages=[*_TURNS, _RECALL],
    max_tokens=48,
)
SYSTEM_LATER = RECALL.but(
    "messages.system-later",
    "The same with a system message before the last question.",
    messages=[*_TURNS, _INSTRUCTION, _RECALL],
)
TEXT_PART = SHORT.but(
    "messages.text-part",
    "The plain question as two typed parts.",
    messages=[
        {"role": "user", "content": [{"type": "text", "text": text} for text in ("Reply with exactly:", " Hello")]}
    ],
)

STATELESS = Probe(
    name="messages.stateless",
    asks="A word told in one request, by its user and its system message; the next, of its own, asks for it.",
    steps=(
        SHORT.but(
            "",
            "",
            messages=[
                {"role": "system", "content": f"Always begin your answer with {UNLIKELY[::-1]}."},
                {"role": "user", "content": f"The secret word is {UNLIKELY[::-1]}. Reply with exactly: OK"},
            ],
        ).step,
        SHORT.but("", "", messages=[*_SUMS, _RECALL], max_tokens=48).step,
    ),
)

STREAMED = Probe(
    name="messages.streamed",
    asks="A word said in the first turn, asked for in a stream; the next stream, of its own, asks for it untold.",
    steps=tuple(
        SHORT.but("", "", messages=messages, max_tokens=48, stream=True).step
        for messages in ([*_TOLD, _RECALL], [_RECALL])
    ),
)

APART = tuple(
    SHORT.but(
        f"messages.apart-{number + 1}",
        "One of several requests sent at once, each with a word of its own.",
        messages=[{"role": "user", "content": f"Reply with exactly: {word}"}],
        stream=number % 2 == 1,
    )
    for number, word in enumerate(MARKERS)
)

NO_ROLE = SHORT.but("messages.no-role", "A message without a role.", messages=[{"content": "Hi"}])
ROLE_NUMBER = SHORT.but("messages.role-number", "A role that is a number.", messages=[{"role": 7, "content": "Hi"}])
ROLE_UNKNOWN = SHORT.but(
    "messages.role-unknown", "A role that nobody has.", messages=[{"role": "wizard", "content": "Hi"}]
)
NO_CONTENT = SHORT.but("messages.no-content", "A user message without content.", messages=[{"role": "user"}])
CONTENT_NUMBER = SHORT.but(
    "messages.content-number", "A content that is a number.", messages=[{"role": "user", "content": 7}]
)
STRING_MESSAGE = SHORT.but("messages.string", "A message that is a bare string.", messages=["Hi"])
NO_MESSAGE = SHORT.but("messages.none", "An empty list of messages.", messages=[])
TOOL_WITHOUT_ID = SHORT.but(
    "messages.tool-without-id",
    "A tool's result that does not say which call it answers.",
    messages=[
        {"role": "user", "content": "What's the weather in Zürich?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"location": "Zürich"}'},
                }
            ],
        },
        {"role": "tool", "content": '{"temp": 18}'},
    ],
    tools=[WEATHER_TOOL],
)
PART_UNKNOWN = SHORT.but(
    "messages.part-unknown",
    "A content part of a type that nobody has.",
    messages=[{"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "hologram", "hologram": {}}]}],
)
PART_UNTYPED = SHORT.but(
    "messages.part-untyped", "A content part without a type.", messages=[{"role": "user", "content": [{"text": "Hi"}]}]
)

REFUSED_MESSAGES = (
    NO_ROLE,
    ROLE_NUMBER,
    ROLE_UNKNOWN,
    NO_CONTENT,
    CONTENT_NUMBER,
    STRING_MESSAGE,
    NO_MESSAGE,
    TOOL_WITHOUT_ID,
)
REFUSED_PARTS = (PART_UNKNOWN, PART_UNTYPED)

PROBES = (
    SYSTEM,
    HISTORY,
    RECALL,
    SYSTEM_LATER,
    TEXT_PART,
    STATELESS,
    STREAMED,
    *APART,
    *REFUSED_MESSAGES,
    *REFUSED_PARTS,
)
