"""The page's sections "Streaming" and "SSE event types"."""

from conformance.probe import Auth, Writing
from conformance.probes import parameters, plain

GREETING = plain.GREETING.but("stream.greeting", "The plain question, streamed.", quick=True, stream=True)

NO_ACCEPT = GREETING.sent("stream.no-accept", "The same without an Accept header.", headers=(("Accept", None),))

SPACED = GREETING.sent("stream.spaced", "The same, its JSON indented, a line a member.", writing=Writing.SPACED)

ACCEPT_JSON = GREETING.sent(
    "stream.accept-json",
    "The same with an Accept header that names another form.",
    headers=(("Accept", "application/json"),),
)

MINIMAL = GREETING.but("stream.minimal", "The same without max_tokens, as the page's example.", without="max_tokens")

COUNTING = GREETING.but(
    "stream.counting",
    "A longer answer, so that it comes in pieces.",
    messages=[{"role": "user", "content": "Count from 1 to 60, separated by commas."}],
    max_tokens=160,
)

MULTILINGUAL = plain.RAW_UTF8.but("stream.multilingual", "The same characters, streamed.", stream=True)

END_MARKER = plain.END_MARKER.but("stream.end-marker", "The same, streamed.", stream=True)

CUT_SHORT = COUNTING.but("stream.cut-short", "The same count, with room for 3 tokens.", max_tokens=3)

WRONG_KEY = GREETING.sent("stream.wrong-key", "A stream asked for with a key that nobody issued.", auth=Auth.WRONG)

NO_KEY = GREETING.sent("stream.no-key", "A stream asked for without an Authorization header.", auth=Auth.NONE)

UNKNOWN_MODEL = GREETING.but(
    "stream.unknown-model", "A stream asked of a slug that names no model.", model="conformance/no-such-model-5f3a9c"
)

STOP_OBJECT = GREETING.but(
    "stream.stop-object", "A stream asked for with a stop that is an object.", stop={"text": "END"}
)

TEMPERATURE_ABOVE = GREETING.but(
    "stream.temperature-above", "A stream asked for with a temperature above its range.", temperature=2.1
)

NO_MESSAGES = GREETING.but("stream.no-messages", "A stream asked for without messages.", without="messages")

TOOL_CALL = GREETING.but(
    "stream.tool-call",
    "A question that calls for no tool, and a tool call forced, streamed.",
    messages=[{"role": "user", "content": "Say hello to Zürich."}],
    tools=[parameters.WEATHER_TOOL],
    tool_choice="required",
    max_tokens=96,
)

CHOICE_NONE = parameters.CHOICE_NONE.but(
    "stream.choice-none", "A question that calls for the tool, and no tool wanted, streamed.", stream=True
)

TWO_CALLS = TOOL_CALL.but(
    "stream.two-calls",
    "A question about the weather in two cities, and the clock wanted by name, streamed.",
    messages=[{"role": "user", "content": "What's the weather in Zürich and Bern?"}],
    tools=[parameters.CLOCK_TOOL, parameters.WEATHER_TOOL],
    tool_choice=parameters.CLOCK_CHOICE,
    max_tokens=160,
)

TALKS = (GREETING, NO_ACCEPT, SPACED, ACCEPT_JSON, COUNTING, MULTILINGUAL, END_MARKER, CUT_SHORT)
"""Streams of text that any model can give."""

REFUSED = (WRONG_KEY, NO_KEY, NO_MESSAGES, UNKNOWN_MODEL, STOP_OBJECT, TEMPERATURE_ABOVE)

PROBES = (*TALKS, MINIMAL, *REFUSED, TOOL_CALL, TWO_CALLS, CHOICE_NONE)
