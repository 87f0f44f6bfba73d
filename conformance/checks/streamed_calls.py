"""Tool calls in streams: of the page's section "Tool calls" what a stream must keep of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.check import Violation, check, listed, of
from conformance.checks.finish import cut_off, may_stop_with_calls
from conformance.checks.tools import declared, must_call
from conformance.document import MISSING, NotJson, at, is_integer, parse, shown
from conformance.exchange import Exchange
from conformance.probes import stream
from conformance.reading.requests import asked, legal, streamed
from conformance.reading.streams import finish_reason, text, undisturbed
from conformance.reading.streams import stream as stream_of
from conformance.reading.witness import Unobservable

STREAMED: Final = (stream.TOOL_CALL, stream.TWO_CALLS)
_PLACE: Final = "/choices/0/delta/tool_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedCall:
    """A tool call put together from a stream's deltas."""

    index: Any
    deltas: tuple[Any, ...]
    """Its parts, in wire order."""

    def told(self, pointer: str) -> list[Any]:
        """The different values that its deltas have at a pointer, in wire order."""
        found: list[Any] = []
        for delta in self.deltas:
            if (value := at(delta, pointer)) is not MISSING and value not in found:
                found.append(value)
        return found

    def early(self) -> tuple[Any, ...]:
        """Its deltas up to the first that brings a part of the arguments."""
        for number, delta in enumerate(self.deltas, 1):
            if at(delta, "/function/arguments") not in (MISSING, None, ""):
                return self.deltas[:number]
        return self.deltas

    @property
    def arguments(self) -> str:
        """Its arguments, joined."""
        parts = (at(delta, "/function/arguments") for delta in self.deltas)
        return "".join(part for part in parts if isinstance(part, str))


def _deltas(exchange: Exchange) -> list[tuple[Any, str]]:
    """Every delta of a tool call in a whole stream, with its chunk's place.

    Raises:
        Unobservable: there is none.
    """
    found = [
        (delta, chunk.where)
        for chunk in undisturbed(exchange).chunks
        if isinstance(listed_ := at(chunk.payload, _PLACE), list)
        for delta in listed_
    ]
    if not found:
        raise Unobservable("the stream has no tool call")
    return found


def streamed_calls(exchange: Exchange) -> list[StreamedCall]:
    """The tool calls of a stream, put together by `index`, or by order where that is missing: a new id begins a call.

    Raises:
        Unobservable: there is none.
    """
    parts: dict[Any, list[Any]] = {}
    current, last, unnumbered = None, None, 0
    for delta, _ in _deltas(exchange):
        index, own = at(delta, "/index"), at(delta, "/id")
        fresh = isinstance(own, str) and bool(own) and own != last
        if is_integer(index):
            current = index
        elif current is None or fresh:
            current, unnumbered = f"unnumbered {unnumbered}", unnumbered + 1
        last = own if fresh else last
        parts.setdefault(current, []).append(delta)
    return [StreamedCall(index=index, deltas=tuple(deltas)) for index, deltas in parts.items()]


def _streaming_tools(exchange: Exchange) -> bool:
    return streamed(exchange) and legal(exchange) and bool(declared(exchange))


@check("tools.stream-calls-when-required", when=of(stream.TOOL_CALL), probes=(stream.TOOL_CALL,))
def stream_calls_when_required(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` required brings a tool call in a stream too; anything but a list of calls is none."""
    told = [at(chunk.payload, _PLACE) for chunk in undisturbed(exchange).chunks]
    if any(isinstance(calls, list) and calls for calls in told):
        return
    must_call(exchange)
    odd = next((calls for calls in told if calls not in (MISSING, None, [])), MISSING)
    found = "none" if odd is MISSING else f"tool_calls is {shown(odd)}"
    yield Violation(expected="a tool call in the deltas", found=f"{found}; text {shown(text(exchange))}")


@check("tools.stream-calls-when-named", when=of(stream.TWO_CALLS), probes=(stream.TWO_CALLS,))
def stream_calls_when_named(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` naming a function brings calls of it and of no other in a stream too."""
    wanted = asked(exchange, "/tool_choice/function/name")
    try:
        told = streamed_calls(exchange)
    except Unobservable:
        must_call(exchange)
        yield Violation(expected=f"a call of {shown(wanted)}", found=f"none; text {shown(text(exchange))}")
        return
    names = ["".join(name for name in call.told("/function/name") if isinstance(name, str)) for call in told]
    for name in sorted(set(names) & declared(exchange).keys() - {wanted}):
        yield Violation(expected=shown(wanted), found=shown(name))
    if wanted not in names:
        raise Unobservable(f"no streamed call names a function that was declared: {shown(names)}")


@check("tools.stream-none-calls-nothing", when=of(stream.CHOICE_NONE), probes=(stream.CHOICE_NONE,))
def stream_none_calls_nothing(exchange: Exchange) -> Iterator[Violation]:
    """`tool_choice` none brings no tool call in a stream either."""
    for chunk in undisturbed(exchange).chunks:
        found = at(chunk.payload, _PLACE)
        if isinstance(found, list) and found:
            yield Violation(expected="no tool call", found=shown(found), where=chunk.where)
            return


@check("tools.stream-index", when=_streaming_tools, probes=STREAMED)
def stream_index(exchange: Exchange) -> Iterator[Violation]:
    """A streamed tool call's deltas carry an integer `index`."""
    for delta, place in _deltas(exchange):
        found = at(delta, "/index")
        if not is_integer(found) or found < 0:
            yield Violation(expected="an integer index", found=shown(found), where=place)


@check("tools.stream-one-call-one-id", when=_streaming_tools, probes=STREAMED)
def stream_one_call_one_id(exchange: Exchange) -> Iterator[Violation]:
    """A streamed call has one id and one name, whole before its arguments, and shares its id with no other.

    That it has no name at all is a requirement of its own.
    """
    owners: dict[str, Any] = {}
    for call in streamed_calls(exchange):
        for word, pointer in (("id", "/id"), ("name", "/function/name")):
            told = call.told(pointer)
            named = [value for value in told if isinstance(value, str) and value]
            if word == "name" and not named:
                continue
            if len(named) != 1 or len(told) != 1:
                yield Violation(expected=f"one {word} for the call at index {call.index}", found=shown(told))
            elif all(at(delta, pointer) is MISSING for delta in call.early()):
                yield Violation(expected=f"the {word} of a call before its arguments", found=f"{shown(told[0])} later")
        for own in call.told("/id"):
            if isinstance(own, str) and own and owners.setdefault(own, call.index) != call.index:
                yield Violation(expected=f"another id for the call at index {call.index}", found=shown(own))


@check("tools.stream-name-declared", when=lambda exchange: streamed(exchange) and legal(exchange), probes=STREAMED)
def stream_name_declared(exchange: Exchange) -> Iterator[Violation]:
    """The function that a streamed call names is one of those declared; a name in parts is joined for that."""
    known = declared(exchange)
    if not known and all(at(chunk.payload, _PLACE) in (MISSING, None, []) for chunk in stream_of(exchange).chunks):
        raise Unobservable("no function was declared, and none is called")
    for call in streamed_calls(exchange):
        names = [name for name in call.told("/function/name") if isinstance(name, str) and name]
        if not names or not (set(names) <= set(known) or "".join(names) in known):
            expected = " or ".join(known) or "no call, since no function was declared"
            yield Violation(expected=expected, found=shown("".join(names)))


@check("tools.stream-arguments", when=_streaming_tools, probes=STREAMED)
def stream_arguments(exchange: Exchange) -> Iterator[Violation]:
    """The arguments of a streamed call, joined, are a JSON object."""
    found = streamed_calls(exchange)
    if why := cut_off(exchange):
        raise Unobservable(f"{why} cut the call off")
    for call in found:
        odd = [part for part in call.told("/function/arguments") if part is not None and not isinstance(part, str)]
        if odd:
            yield Violation(expected="strings that join into a JSON object", found=shown(odd[0]))
            continue
        try:
            right = isinstance(parse(call.arguments), Mapping)
        except NotJson:
            right = False
        if not right:
            yield Violation(expected="a JSON object", found=shown(call.arguments))


@check("tools.stream-reason", when=_streaming_tools, probes=(stream.TOOL_CALL,))
def stream_reason(exchange: Exchange) -> Iterator[Violation]:
    """A stream with tool calls gives the reason tool_calls."""
    _deltas(exchange)
    found = finish_reason(exchange)
    if found is MISSING or cut_off(exchange) or (found == "stop" and may_stop_with_calls(exchange)):
        raise Unobservable(f"the stream's reason is {shown(found)}")
    if found != "tool_calls":
        yield Violation(expected='"tool_calls"', found=shown(found))


CHECKS: Final = listed(globals())
