"""Servers that no declared request finds out: what they break depends on what a client happens to combine."""

import re
from typing import Any, Final

from conformance.server.changes import (
    GONE,
    Asked,
    in_answers,
    in_refusals,
    mending,
    only,
    put,
    refusing,
    streams,
    wording,
)
from conformance.server.deviation import Fault
from conformance.server.generation import Failure

_ENOUGH: Final = 60  # examples, of the seed that each fault gives


def _named_at_length(asked: Asked) -> bool:
    tools = asked.get("tools")
    named = [tool["function"]["name"] for tool in tools] if isinstance(tools, list) else []
    return any(len(name) == 64 for name in named)


def _ended_often(asked: Asked) -> bool:
    stop = asked.get("stop")
    return isinstance(stop, list) and len(stop) > 4


def _with_letters_beyond_the_bmp(asked: Asked) -> bool:
    return streams(asked) and re.search("[\U0001d400-\U0001d7ff]", str(asked.get("messages"))) is not None


def _with_true_as_one(document: Any) -> Any:
    taken = isinstance(document, dict) and document.get("max_tokens") is True
    return put(document, "/max_tokens", 1) if taken else document


def _without_a_tool_s_type(document: Any) -> Any:
    tools = document.get("tools") if isinstance(document, dict) else None
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict) and isinstance(tool.get("type"), dict):
            tool["type"] = "function"
    return document


def _about_a_tool_s_parameters(failure: Failure) -> bool:
    return "parameters" in failure.message


FAULTS: Final = (
    Fault(
        id="hidden-top-p-with-seed",
        does="refuses top_p together with seed, unless there is metadata too",
        change=refusing(lambda asked: {*asked} & {"top_p", "seed", "metadata"} == {"top_p", "seed"}, "top_p"),
        examples=_ENOUGH,
        seed=1,
        red=("parameters.generated-accepted",),
        says="the request to be served",
    ),
    Fault(
        id="hidden-long-tool-name",
        does="fails over a tool whose name has 64 characters",
        change=refusing(_named_at_length, "tools", status=500, code="INTERNAL_ERROR"),
        examples=_ENOUGH,
        seed=1,
        red=("parameters.generated-never-5xx", "parameters.generated-accepted"),
        says="HTTP 500",
    ),
    Fault(
        id="hidden-usage-with-many-stops",
        does="leaves out usage when stop has more than four members",
        change=only(_ended_often, in_answers("/data/usage", GONE)),
        examples=_ENOUGH,
        seed=3,
        red=("response.usage",),
        says="usage",
    ),
    Fault(
        id="hidden-letters-beyond-the-bmp",
        does="writes question marks for what is beyond the BMP, in streams that speak of letters there",
        change=only(_with_letters_beyond_the_bmp, wording(lambda text: re.sub("[\U00010000-\U0010ffff]", "?", text))),
        examples=_ENOUGH,
        seed=3,
        red=("stream.text-intact",),
        says="a question mark for what is beyond the BMP",
    ),
    Fault(
        id="hidden-true-for-max-tokens",
        does="takes true for max_tokens, as 1",
        change=mending(_with_true_as_one),
        examples=_ENOUGH,
        seed=2,
        red=("parameters.generated-turned-down",),
        says="/max_tokens (type)",
    ),
    Fault(
        id="hidden-object-for-a-tool-s-type",
        does="takes an object for the type of a tool",
        change=mending(_without_a_tool_s_type),
        examples=_ENOUGH,
        seed=1,
        red=("parameters.generated-refused",),
        says="/tools/0/type",
    ),
    Fault(
        id="hidden-code-for-tool-parameters",
        does="calls it a bad request when the parameters of a tool are wrong",
        change=in_refusals("/error/code", "BAD_REQUEST", _about_a_tool_s_parameters),
        examples=_ENOUGH,
        seed=1,
        red=("parameters.generated-says-validation",),
        says="BAD_REQUEST",
    ),
    Fault(
        id="hidden-field-of-tool-parameters",
        does="names the body when the parameters of a tool are wrong",
        change=in_refusals("/error/details/0/field", "body", _about_a_tool_s_parameters),
        examples=_ENOUGH,
        seed=1,
        red=("parameters.generated-names-the-field",),
        says="a field of tools.function.parameters",
    ),
)
