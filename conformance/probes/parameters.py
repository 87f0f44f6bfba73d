"""The page's section "Request parameters": each member accepted in its forms, refused in a wrong one."""

from conformance.probe import MODEL, Probe, Step

SHORT = Probe(
    name="parameters.none",
    asks="A short question without any optional member but a token limit: the control of this section.",
    steps=(
        Step(
            body={
                "model": MODEL,
                "messages": [{"role": "user", "content": "Reply with exactly: OK"}],
                "max_tokens": 16,
            }
        ),
    ),
    quick=True,
)

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

NAMED_CHOICE = {"type": "function", "function": {"name": "get_weather"}}

TEMPERATURE_ZERO = SHORT.but("parameters.temperature-zero", "The lower end of temperature.", temperature=0.0)
TEMPERATURE_MIDDLE = SHORT.but("parameters.temperature-middle", "A common temperature.", temperature=0.7)
TEMPERATURE_TWO = SHORT.but("parameters.temperature-two", "The upper end of temperature.", temperature=2.0)
TEMPERATURE_INTEGER = SHORT.but("parameters.temperature-integer", "A temperature without a point.", temperature=1)
TOP_P_MIDDLE = SHORT.but("parameters.top-p-middle", "A top_p within its range.", top_p=0.5)
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
CHOICE_NONE = TOOLS.but("parameters.tool-choice-none", "No tool wanted.", tool_choice="none")
CHOICE_REQUIRED = TOOLS.but(
    "parameters.tool-choice-required", "Some tool wanted.", tool_choice="required", max_tokens=96
)
CHOICE_NAMED = TOOLS.but(
    "parameters.tool-choice-named", "One tool wanted by name.", tool_choice=NAMED_CHOICE, max_tokens=96
)
ALL_TOGETHER = TOOLS.but(
    "parameters.all-together",
    "All eleven members at once.",
    temperature=0.5,
    top_p=0.9,
    stop=["END"],
    seed=7,
    stream=False,
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

ACCEPTED = (
    TEMPERATURE_ZERO,
    TEMPERATURE_MIDDLE,
    TEMPERATURE_TWO,
    TEMPERATURE_INTEGER,
    TOP_P_MIDDLE,
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

PROBES = (SHORT, *ACCEPTED, *WITH_TOOLS, *MALFORMED, UNKNOWN_MODEL)
