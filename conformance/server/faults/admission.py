"""Servers that refuse what the page allows."""

from collections.abc import Callable
from typing import Any, Final

from conformance.document import is_number
from conformance.server.changes import Asked, When, having, refusing, streams
from conformance.server.deviation import Fault
from conformance.server.model import MINI


def _number(name: str, wrong: Callable[[float], bool]) -> When:
    """Requests whose member of this name is a number, and one that the server will not have."""
    return lambda asked: is_number(asked.get(name)) and wrong(asked[name])


def _value(name: str, wrong: Callable[[Any], bool]) -> When:
    """Requests whose member of this name is there, and one that the server will not have."""
    return lambda asked: name in asked and wrong(asked[name])


def _choice(word: str) -> When:
    return _value("tool_choice", lambda choice: bool(choice == word))


def _newer_model_limited(asked: Asked) -> bool:
    return asked.get("model") == MINI and "max_tokens" in asked


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        id="max-tokens-below-16-refused",
        does="wants a max_tokens of at least 16",
        change=refusing(_number("max_tokens", lambda value: 0 < value < 16), "max_tokens"),
        red=("parameters.max-tokens-accepted",),
        says="max_tokens: not supported",
        unseen=("parameters.max-tokens-kept-in-text", "stream.max-tokens", "finish.length", "finish.stream-length"),
    ),
    Fault(
        id="max-tokens-refused",
        does="refuses max_tokens for a model that knows it under a newer name only",
        change=refusing(_newer_model_limited, "max_tokens", status=400),
        red=("parameters.max-tokens-accepted", "request.endpoint-answers", "messages.user-accepted"),
        says="HTTP 200, as for plain.minimal; HTTP 400",
        unseen=("",),
        wild=("F-PAR-02",),
    ),
    Fault(
        id="temperature-zero-refused",
        does="wants a temperature above 0",
        change=refusing(_number("temperature", lambda value: value == 0), "temperature"),
        red=("parameters.temperature-zero",),
        says="temperature: not supported",
        unseen=("parameters.stop-",),
    ),
    Fault(
        id="temperature-zero-breaks",
        does="divides by the temperature, and fails at 0",
        change=refusing(
            _number("temperature", lambda value: value == 0), "temperature", status=500, code="INTERNAL_ERROR"
        ),
        red=("parameters.temperature-zero",),
        says="HTTP 500 INTERNAL_ERROR",
        unseen=("parameters.stop-",),
    ),
    Fault(
        id="temperature-above-one-refused",
        does="takes temperatures up to 1 only",
        change=refusing(_number("temperature", lambda value: value > 1), "temperature"),
        red=("parameters.temperature-two",),
        says="temperature: not supported",
    ),
    Fault(
        id="temperature-integer-refused",
        does="wants a point in a temperature",
        change=refusing(_value("temperature", lambda value: isinstance(value, int)), "temperature"),
        red=("parameters.temperature-integer",),
        says="temperature: not supported",
    ),
    Fault(
        id="top-p-one-refused",
        does="wants a top_p below 1",
        change=refusing(_number("top_p", lambda value: value == 1), "top_p"),
        red=("parameters.top-p-one",),
        says="top_p: not supported",
    ),
    Fault(
        id="top-p-zero-refused",
        does="wants a top_p above 0",
        change=refusing(_number("top_p", lambda value: value == 0), "top_p"),
        red=("parameters.top-p-zero",),
        says="top_p: not supported",
    ),
    Fault(
        id="stop-string-refused",
        does="wants stop as an array",
        change=refusing(_value("stop", lambda value: isinstance(value, str)), "stop"),
        red=("parameters.stop-string",),
        says="stop: not supported",
        unseen=("parameters.stop-string-stops", "parameters.stop-in-stream"),
    ),
    Fault(
        id="stop-array-of-two-refused",
        does="takes no more than one stop sequence",
        change=refusing(_value("stop", lambda value: isinstance(value, list) and len(value) > 1), "stop"),
        red=("parameters.stop-array",),
        says="stop: not supported",
        unseen=("parameters.stop-array-stops",),
    ),
    Fault(
        id="stop-array-refused",
        does="wants stop as a string",
        change=refusing(_value("stop", lambda value: isinstance(value, list)), "stop"),
        red=("parameters.stop-array", "parameters.all-together"),
        says="stop: not supported",
        unseen=("parameters.stop-array-stops",),
    ),
    Fault(
        id="seed-refused",
        does="refuses a seed since its provider has none",
        change=refusing(having("seed"), "seed"),
        red=("parameters.seed-accepted", "parameters.all-together"),
        says="seed: not supported",
    ),
    Fault(
        id="stream-false-refused",
        does="takes no stream but true",
        change=refusing(_value("stream", lambda value: value is False), "stream"),
        red=("parameters.stream-false",),
        says="stream: not supported",
    ),
    Fault(
        id="stream-refused",
        does="has no streams, and refuses to make one",
        change=refusing(streams, "stream", status=501, code="NOT_IMPLEMENTED"),
        red=("parameters.stream-true", "stream.status", "parameters.all-together"),
        says="HTTP 501 NOT_IMPLEMENTED",
        unseen=(
            "stream.",
            "finish.stream-",
            "tools.stream-",
            "parameters.stop-in-stream",
            "request.no-accept-needed",
            "auth.refused-before-stream",
        ),
    ),
    Fault(
        id="tools-refused",
        does="refuses tools where tool_choice is left out",
        change=refusing(lambda asked: "tools" in asked and "tool_choice" not in asked, "tools"),
        red=("parameters.tools-accepted", "tools.definition-accepted"),
        says="tools: not supported",
        unseen=("messages.tool-accepted", "tools.choice-", "tools.history-by-hand"),
    ),
    Fault(
        id="tool-choice-auto-refused",
        does="refuses tool_choice auto",
        change=refusing(_choice("auto"), "tool_choice"),
        red=("parameters.tool-choice-auto", "parameters.all-together"),
        says="tool_choice: not supported",
    ),
    Fault(
        id="tool-choice-none-refused",
        does="refuses tool_choice none beside tools",
        change=refusing(_choice("none"), "tool_choice"),
        red=("parameters.tool-choice-none", "tools.echo-accepted"),
        says="tool_choice: not supported",
        unseen=("tools.none-calls-nothing", "tools.stream-none", "tools.result-"),
    ),
    Fault(
        id="tool-choice-required-refused",
        does="refuses tool_choice required",
        change=refusing(_choice("required"), "tool_choice"),
        red=("parameters.tool-choice-required",),
        says="tool_choice: not supported",
        unseen=("tools.", "stream.tool-framing"),
    ),
    Fault(
        id="tool-choice-named-refused",
        does="refuses a tool_choice that names a function",
        change=refusing(_value("tool_choice", lambda choice: isinstance(choice, dict)), "tool_choice"),
        red=("parameters.tool-choice-named",),
        says="tool_choice: not supported",
        unseen=("tools.named-calls", "tools.stream-calls-when-named"),
    ),
    Fault(
        id="metadata-refused",
        does="refuses metadata unless the answer is to be stored",
        change=refusing(having("metadata"), "metadata", status=400),
        red=("parameters.metadata-accepted", "parameters.all-together"),
        says="metadata: not supported",
        unseen=("parameters.metadata-same-shape",),
    ),
    Fault(
        id="temperature-with-top-p-refused",
        does="takes temperature or top_p, but not both",
        change=refusing(having("temperature", "top_p"), "top_p"),
        red=("parameters.all-together",),
        says="top_p: not supported",
    ),
    Fault(
        id="stop-with-tools-refused",
        does="refuses stop sequences beside tools",
        change=refusing(having("stop", "tools"), "stop"),
        red=("parameters.all-together",),
        says="stop: not supported",
    ),
    Fault(
        id="all-members-break",
        does="fails when metadata and tools come together",
        change=refusing(having("metadata", "tools"), status=500, code="INTERNAL_ERROR"),
        red=("parameters.all-together",),
        says="HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="max-tokens-above-cap-refused",
        does="refuses a max_tokens above the model's limit",
        change=refusing(_number("max_tokens", lambda value: value > 512), "max_tokens"),
        red=("parameters.max-tokens-capped",),
        says="max_tokens: not supported",
        unseen=("parameters.max-tokens-cap-kept",),
    ),
)
