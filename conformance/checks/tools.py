"""The page's section "Tool calls", and what `tool_choice` brings about."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from conformance.check import Check, Violation, check, in_sequence, listed, of
from conformance.checks.errors import beside, mistaken, never_5xx
from conformance.checks.finish import cut_off, has_calls
from conformance.checks.messages import in_sequence_with, prompt_tokens, unanswered
from conformance.checks.request import accepted, busy, served
from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Exchange
from conformance.probes import parameters
from conformance.probes import tools as probes
from conformance.reading.answers import ROOTS, answer, head, message
from conformance.reading.requests import asked, legal, scenario_of, unstreamed
from conformance.reading.streams import text
from conformance.reading.witness import Inconclusive, Unobservable

ACCEPTED: Final = (
    accepted("tools.definition-accepted", parameters.TOOLS),
    accepted("tools.history-by-hand", probes.BY_HAND),
    mistaken("tools.choice-known", probes.CHOICE_WORD),
    mistaken("tools.choice-declared", probes.CHOICE_UNDECLARED),
    mistaken("tools.choice-needs-tools", probes.CHOICE_ALONE),
    beside("tools.choice-never-5xx", *probes.MISTAKEN_CHOICES, find=never_5xx),
    beside("tools.empty-list", probes.EMPTY, find=never_5xx),
)


def calls(exchange: Exchange) -> list[tuple[str, Any]]:
    """The tool calls of an unstreamed answer, each with its place.

    Raises:
        Unobservable: there is none.
    """
    found = message(exchange).get("tool_calls")
    if not isinstance(found, list) or not found:
        raise Unobservable("the message has no tool call")
    root = ROOTS[exchange.profile] + "/choices/0/message/tool_calls"
    return [(f"{root}/{number}", call) for number, call in enumerate(found)]


def declared(exchange: Exchange) -> dict[str, Any]:
    """The parameters' schema of each declared function, by its name."""
    listed_ = asked(exchange, "/tools")
    tools = listed_ if isinstance(listed_, list) else []
    return {
        name: at(tool, "/function/parameters") for tool in tools if isinstance(name := at(tool, "/function/name"), str)
    }


def _made(exchange: Exchange) -> list[tuple[str, Any]]:
    """As `calls`; an answer that was not read to its end leaves nothing open where no tool was declared."""
    try:
        return calls(exchange)
    except Inconclusive as reason:
        if declared(exchange):
            raise
        raise Unobservable(str(reason)) from reason


def must_call(exchange: Exchange) -> None:
    """Nothing, where an answer without calls shows that none was made.

    Raises:
        Unobservable: the limit or the filter may have cut the call off.
    """
    if why := cut_off(exchange):
        raise Unobservable(f"{why} cut the answer off before a call was whole")


@check(
    "tools.required-calls",
    when=lambda exchange: _with_tools(exchange) and asked(exchange, "/tool_choice") == "required",
    probes=(parameters.CHOICE_REQUIRED, probes.REQUIRED_CALL),
)
def required_calls(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` required brings a tool call; to ignore it is a failure, not a mood."""
    if not has_calls(exchange):
        must_call(exchange)
        yield Violation(expected="a tool call", found=f"none; content {shown(message(exchange).get('content'))}")


@check("tools.named-calls", when=of(parameters.CHOICE_NAMED), probes=(parameters.CHOICE_NAMED,))
def named_calls(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` naming a function brings a call of that function, and of no other."""
    wanted = asked(exchange, "/tool_choice/function/name")
    if not has_calls(exchange):
        must_call(exchange)
        yield Violation(expected=f"a call of {shown(wanted)}", found="none")
        return
    for place, call in calls(exchange):
        if (name := at(call, "/function/name")) != wanted:
            yield Violation(expected=shown(wanted), found=shown(name), where=f"{place}/function/name")


@check("tools.none-calls-nothing", when=of(parameters.CHOICE_NONE), probes=(parameters.CHOICE_NONE,))
def none_calls_nothing(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` none brings no tool call."""
    if has_calls(exchange):
        yield Violation(
            expected="no tool call", found=shown(message(exchange)["tool_calls"]), where=calls(exchange)[0][0]
        )


def _with_tools(exchange: Exchange) -> bool:
    return unstreamed(exchange) and legal(exchange) and bool(declared(exchange))


def _answered(exchange: Exchange) -> bool:
    return unstreamed(exchange) and legal(exchange)


def _each_call(
    requirement: str,
    expected: str,
    wrong: Callable[[Exchange, Any], str],
    pointer: str,
    when: Callable[[Exchange], bool] = _with_tools,
) -> Check:
    """No tool call is wrong: `wrong` takes the exchange and the call, and says what it found, or nothing."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        for place, call in _made(exchange):
            if found := wrong(exchange, call):
                yield Violation(expected=expected, found=found, where=place + pointer)

    return check(requirement, when=when, probes=(probes.REQUIRED_CALL,))(find)


def _odd_id(_exchange: Exchange, call: Any) -> str:
    found = at(call, "/id")
    return "" if isinstance(found, str) and found else f"id is {shown(found)}"


def _odd_type(_exchange: Exchange, call: Any) -> str:
    found = at(call, "/type")
    return "" if found in (MISSING, "function") else f"type is {shown(found)}"


def _undeclared(exchange: Exchange, call: Any) -> str:
    found = at(call, "/function/name")
    return "" if isinstance(found, str) and found in declared(exchange) else f"name is {shown(found)}"


def _odd_arguments(_exchange: Exchange, call: Any) -> str:
    found = at(call, "/function/arguments")
    return "" if isinstance(found, str) else f"arguments is {shown(found)}"


def _arguments(call: Any) -> Any:
    """The document in a call's arguments; `MISSING` where they are no string or hold no JSON."""
    found = at(call, "/function/arguments")
    try:
        return parse(found) if isinstance(found, str) else MISSING
    except NotJson:
        return MISSING


def _no_json(exchange: Exchange, call: Any) -> str:
    found = at(call, "/function/arguments")
    if not isinstance(found, str) or _arguments(call) is not MISSING:
        return ""
    if why := cut_off(exchange):
        raise Unobservable(f"{why} cut the arguments off")
    return shown(found)


def _no_object(_exchange: Exchange, call: Any) -> str:
    found = _arguments(call)
    return "" if found is MISSING or isinstance(found, Mapping) else shown(found)


def _unfit(exchange: Exchange, call: Any) -> str:
    found, schema = _arguments(call), declared(exchange).get(str(at(call, "/function/name")))
    if not isinstance(found, Mapping):
        return ""
    required, properties = at(schema, "/required"), at(schema, "/properties")
    missing = [name for name in (required if isinstance(required, list) else []) if name not in found]
    if missing:
        return f"{shown(found)} without {', '.join(map(str, missing))}"
    for name, value in found.items():
        allowed = at(properties, f"/{name}/enum")
        if isinstance(allowed, list) and value not in allowed:
            return f"{name} is {shown(value)}, not one of {shown(allowed)}"
    return ""


EACH: Final = (
    _each_call("tools.call-id", "a non-empty string", _odd_id, "/id"),
    _each_call("tools.call-type", '"function", or no type', _odd_type, "/type"),
    _each_call(
        # Where nothing was declared, there is nothing to call.
        "tools.call-name-declared",
        "the name of a declared function",
        _undeclared,
        "/function/name",
        when=_answered,
    ),
    _each_call("tools.arguments-string", "a string", _odd_arguments, "/function/arguments"),
    _each_call("tools.arguments-json", "JSON in the string", _no_json, "/function/arguments"),
    _each_call("tools.arguments-object", "a JSON object in the string", _no_object, "/function/arguments"),
    _each_call("tools.arguments-fit", "what the tool's schema asks for", _unfit, "/function/arguments"),
)


@check("tools.call-id-unique", when=_with_tools, probes=(probes.REQUIRED_CALL, probes.TWO_CITIES))
def call_id_unique(exchange: Exchange) -> Iterator[Violation]:
    """Tool calls of one message have different ids."""
    seen: set[str] = set()
    for place, call in calls(exchange):
        found = at(call, "/id")
        if isinstance(found, str) and found:
            if found in seen:
                yield Violation(expected="another id for each call", found=shown(found), where=f"{place}/id")
            seen.add(found)


@check(
    "tools.calls-instead-of-content",
    # A scenario may have the backend say a word beside its call, which the gateway has no right to keep back.
    when=lambda exchange: _with_tools(exchange) and scenario_of(exchange) is None,
    probes=(probes.REQUIRED_CALL,),
)
def calls_instead_of_content(exchange: Exchange) -> Iterator[Violation]:
    """A message with tool calls has no content beside them."""
    calls(exchange)
    found = message(exchange).get("content")
    if found not in (None, "", []):
        yield Violation(
            expected="null, empty or no content",
            found=shown(found),
            where=ROOTS[exchange.profile] + "/choices/0/message/content",
        )


@check(
    "tools.no-call-is-falsy",
    when=_answered,
    probes=(parameters.SHORT,),
)
def no_call_is_falsy(exchange: Exchange) -> Iterator[Violation]:
    """A message without calls has `tool_calls` absent, null or empty."""
    found = message(exchange).get("tool_calls")
    if found and not isinstance(found, list):
        yield Violation(
            expected="no tool_calls, null or []",
            found=shown(found),
            where=ROOTS[exchange.profile] + "/choices/0/message/tool_calls",
        )


# The round trip.


@check("tools.echo-accepted", when=of(probes.REQUIRED_CALL), probes=(probes.REQUIRED_CALL,), groups=in_sequence)
def echo_accepted(first: Exchange, second: Exchange) -> Iterator[Violation]:
    """The server's own message with tool calls is accepted back as it came, with the tool's result."""
    calls(first)
    if busy(second):
        raise Unobservable(f"the target was busy: {answer(second)}")
    if unanswered(second) and 400 <= head(second).status < 500:
        raise Unobservable(f"refused, perhaps since the other calls have no result: {answer(second)}")
    if not served(second):
        yield Violation(expected="HTTP 200", found=answer(second), where="status", on=second.id)


@check("tools.result-answered", when=of(probes.REQUIRED_CALL), probes=(probes.REQUIRED_CALL,), groups=in_sequence)
def result_answered(first: Exchange, second: Exchange) -> Iterator[Violation]:
    """After a tool's result the model answers in plain text; a silent model proves nothing."""
    calls(first)
    if has_calls(second):
        yield Violation(expected="plain text", found="another tool call, though none was wanted", on=second.id)
    elif not text(second):
        raise Unobservable("the model said nothing")


@check(
    "tools.result-used",
    when=of(probes.REQUIRED_CALL),
    probes=(probes.REQUIRED_CALL, parameters.CHOICE_NONE),
    groups=in_sequence_with(parameters.CHOICE_NONE),
)
def result_used(first: Exchange, second: Exchange, alone: Exchange) -> Iterator[Violation]:
    """What the tool's result said shows in the answer, or at least in the length of the prompt."""
    calls(first)
    said = text(second)
    if str(probes.READING) in said.replace(",", "").replace(".", ""):
        return
    # The question alone under the same choice: some servers hide the tools from the model beside `none`.
    before, after = prompt_tokens(alone), prompt_tokens(second)
    if after > before:
        raise Unobservable(f"the model read the result ({after} prompt tokens) and did not use it: {shown(said)}")
    yield Violation(
        expected=f"{probes.READING} in the answer, or more than {before} prompt tokens",
        found=f"{shown(said)}; {after} prompt tokens",
        on=second.id,
    )


CHECKS: Final = listed(globals())
