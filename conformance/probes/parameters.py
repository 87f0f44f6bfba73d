"""The page's section "Request parameters": each member accepted in its forms, refused in a wrong one."""

from conformance.probe import ABOVE_CAP
from conformance.probes import plain

SHORT = plain.GREETING
"""The control of this section."""

WEATHER_TOOL = {
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
}

CLOCK_TOOL = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Get the current time of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

CLOCK_CHOICE = {"type": "function", "function": {"name": "get_time"}}

WEATHER = {"role": "user", "content": "What's the weather in Zürich?"}
"""The page's question that calls for its tool."""

TEMPERATURE_ZERO = SHORT.but("parameters.temperature-zero", "The lower end of temperature.", temperature=0.0)
TEMPERATURE_TWO = SHORT.but("parameters.temperature-two", "The upper end of temperature.", temperature=2.0)
TEMPERATURE_INTEGER = SHORT.but("parameters.temperature-integer", "A temperature without a point.", temperature=1)
TOP_P_ONE = SHORT.but("parameters.top-p-one", "The upper end of top_p.", top_p=1.0)
STOP_STRING = SHORT.but("parameters.stop-string", "A stop sequence as a string.", stop="END")
STOP_ARRAY = SHORT.but("parameters.stop-array", "Two stop sequences as an array.", stop=["END", "FIN"])
SEED = SHORT.but("parameters.seed", "A seed.", seed=42)
STREAM_FALSE = SHORT.but("parameters.stream-false", "A stream turned down in so many words.", stream=False)
METADATA = SHORT.but("parameters.metadata", "Metadata for the backend.", metadata={"purpose": "conformance"})

TOOLS = SHORT.but(
    "parameters.tools", "The page's tool, with a question that does not call for it.", tools=[WEATHER_TOOL]
)
CHOICE_AUTO = TOOLS.but("parameters.tool-choice-auto", "The choice left to the model.", tool_choice="auto")
CHOICE_NONE = TOOLS.but(
    "parameters.tool-choice-none",
    "A question that calls for the tool, and no tool wanted.",
    messages=[WEATHER],
    tool_choice="none",
    max_tokens=48,
)
CHOICE_REQUIRED = TOOLS.but(
    "parameters.tool-choice-required",
    "A question that calls for no tool, and some tool wanted.",
    tool_choice="required",
    max_tokens=160,
)
CHOICE_NAMED = TOOLS.but(
    "parameters.tool-choice-named",
    "A question about the weather, two tools, and the clock wanted by name.",
    messages=[WEATHER],
    tools=[WEATHER_TOOL, CLOCK_TOOL],
    tool_choice=CLOCK_CHOICE,
    max_tokens=96,
)
ALL_TOGETHER = TOOLS.but(
    "parameters.all-together",
    "All eleven members at once, streamed.",
    temperature=0.5,
    top_p=0.9,
    stop=["END"],
    seed=7,
    stream=True,
    tool_choice="auto",
    metadata={"purpose": "conformance"},
)

NO_MODEL = SHORT.but("parameters.no-model", "The body without model.", without="model")
NO_MESSAGES = SHORT.but("parameters.no-messages", "The body without messages.", quick=True, without="messages")
UNKNOWN_MODEL = SHORT.but(
    "parameters.unknown-model", "A slug that names no model.", model="conformance/no-such-model-5f3a9c"
)
MODEL_OBJECT = SHORT.but("parameters.model-object", "A model that is an object.", model={"slug": "x"})
MESSAGES_OBJECT = SHORT.but(
    "parameters.messages-object", "One message where an array is due.", messages={"role": "user", "content": "Hi"}
)
MAX_TOKENS_OBJECT = SHORT.but("parameters.max-tokens-object", "A max_tokens that is an object.", max_tokens={"n": 16})
TEMPERATURE_ARRAY = SHORT.but("parameters.temperature-array", "A temperature that is an array.", temperature=[0.5])
TOP_P_OBJECT = SHORT.but("parameters.top-p-object", "A top_p that is an object.", top_p={"p": 0.5})
STOP_OBJECT = SHORT.but("parameters.stop-object", "A stop that is an object.", stop={"text": "END"})
SEED_OBJECT = SHORT.but("parameters.seed-object", "A seed that is an object.", seed={"n": 1})
STREAM_OBJECT = SHORT.but("parameters.stream-object", "A stream that is an object.", stream={"on": True})
TOOLS_STRING = SHORT.but("parameters.tools-string", "A tools that is a string.", tools="get_weather")
CHOICE_NUMBER = SHORT.but("parameters.tool-choice-number", "A tool_choice that is a number.", tool_choice=7)
METADATA_STRING = SHORT.but("parameters.metadata-string", "A metadata that is a string.", metadata="conformance")

MAX_TOKENS_ZERO = SHORT.but("parameters.max-tokens-zero", "A max_tokens of 0.", max_tokens=0)
MAX_TOKENS_NEGATIVE = SHORT.but("parameters.max-tokens-negative", "A max_tokens below 0.", max_tokens=-1)
MAX_TOKENS_FRACTION = SHORT.but("parameters.max-tokens-fraction", "A max_tokens of one and a half.", max_tokens=1.5)
TEMPERATURE_ABOVE = SHORT.but("parameters.temperature-above", "A temperature above its range.", temperature=2.1)
TEMPERATURE_BELOW = SHORT.but("parameters.temperature-below", "A temperature below its range.", temperature=-0.1)
TOP_P_ZERO = SHORT.but("parameters.top-p-zero", "The lower end of top_p.", top_p=0.0)
TOP_P_ABOVE = SHORT.but("parameters.top-p-above", "A top_p above its range.", top_p=1.1)
TOP_P_BELOW = SHORT.but("parameters.top-p-below", "A top_p below its range.", top_p=-0.1)
OVER_CAP = SHORT.but("parameters.over-cap", "A max_tokens above the model's limit.", max_tokens=ABOVE_CAP)
LONG_OVER_CAP = OVER_CAP.but(
    "parameters.long-over-cap",
    "An answer longer than the model's limit, with a max_tokens above it.",
    messages=[{"role": "user", "content": "Count from 1 to 2000, separated by commas."}],
)

OUT_OF_BOUNDS = (
    MAX_TOKENS_ZERO,
    MAX_TOKENS_NEGATIVE,
    MAX_TOKENS_FRACTION,
    TEMPERATURE_ABOVE,
    TEMPERATURE_BELOW,
    TOP_P_ABOVE,
    TOP_P_BELOW,
)

ACCEPTED = (
    TEMPERATURE_ZERO,
    TEMPERATURE_TWO,
    TEMPERATURE_INTEGER,
    TOP_P_ONE,
    STOP_STRING,
    STOP_ARRAY,
    SEED,
    STREAM_FALSE,
    METADATA,
)

WITH_TOOLS = (TOOLS, CHOICE_AUTO, CHOICE_NONE, CHOICE_REQUIRED, CHOICE_NAMED, ALL_TOGETHER)

MALFORMED = (
    NO_MODEL,
    NO_MESSAGES,
    MODEL_OBJECT,
    MESSAGES_OBJECT,
    MAX_TOKENS_OBJECT,
    TEMPERATURE_ARRAY,
    TOP_P_OBJECT,
    STOP_OBJECT,
    SEED_OBJECT,
    STREAM_OBJECT,
    TOOLS_STRING,
    CHOICE_NUMBER,
    METADATA_STRING,
)

PROBES = (
    *ACCEPTED,
    *WITH_TOOLS,
    *MALFORMED,
    UNKNOWN_MODEL,
    TOP_P_ZERO,
    *OUT_OF_BOUNDS,
    OVER_CAP,
    LONG_OVER_CAP,
)
