"""Servers that stream tool calls wrongly, and some that stream them oddly and right."""

import json
from collections.abc import Callable
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import GONE, put
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import Block, Blocks, One, after, asking, each_chunk, on, with_blocks, with_chunk, with_nth

STREAM: Final = asking("stream.tool-call")
CHOSEN: Final = asking("stream.two-calls")
IN_WORDS: Final = as_told("stream.greeting", STREAM)
DELTA: Final = "/choices/0/delta"
CALLS: Final = DELTA + "/tool_calls"
CALL: Final = CALLS + "/0"
NAME: Final = "/function/name"
ARGUMENTS: Final = CALL + "/function/arguments"
REASON: Final = "/choices/0/finish_reason"
HERMES: Final = '<tool_call>{"name": "get_weather", "arguments": {"location": "Bern"}}</tool_call>'


def _calls(blocks: Blocks) -> Blocks:
    """The parts of a stream that hold a part of a call."""
    return [block for block in blocks if isinstance(at(block.document, CALLS), list)]


def _with_calls(change: Callable[[Blocks], Blocks]) -> One:
    """A stream with other parts of calls, in the place where they stood."""

    def every(blocks: Blocks) -> Blocks:
        calls = _calls(blocks)
        start = blocks.index(calls[0])
        return [*blocks[:start], *change(calls), *blocks[start + len(calls) :]]

    return with_blocks(every)


def _each_call(change: Callable[[int, Any], Any]) -> One:
    """A stream with every part of a call rewritten; the change is told its number."""

    def every(calls: Blocks) -> Blocks:
        return [
            block.of(put(block.document, CALL, change(number, at(block.document, CALL))))
            for number, block in enumerate(calls)
        ]

    return _with_calls(every)


def _joined(blocks: Blocks) -> str:
    return "".join(at(block.document, ARGUMENTS) for block in _calls(blocks))


def _at_once(calls: Blocks) -> Blocks:
    """The whole call in one part, as it comes."""
    return [calls[-1].of(put(calls[0].document, ARGUMENTS, _joined(calls)))]


def _by_character(calls: Blocks) -> Blocks:
    found = []
    for block in calls:
        said = at(block.document, ARGUMENTS)
        found += [block.of(put(block.document, ARGUMENTS, each)) for each in said] if len(said) > 1 else [block]
    return found


def _swelling(calls: Blocks) -> Blocks:
    """Each part of the arguments with all before it."""
    return [
        block.of(put(block.document, ARGUMENTS, _joined(calls[: number + 1]))) for number, block in enumerate(calls)
    ]


def _again(block: Block, index: int) -> Block:
    """The same part, of another call."""

    def other(call: Any) -> Any:
        return {**call, "index": index} | ({"id": "call_" + "0" * 24} if "id" in call else {})

    return block.of(put(block.document, CALL, other))


def _one_after_the_other(index: int) -> Callable[[Blocks], Blocks]:
    return lambda calls: [*calls, *(_again(block, index) for block in calls)]


def _interleaved(calls: Blocks) -> Blocks:
    return [each for block in calls for each in (block, _again(block, 1))]


def _side_by_side(calls: Blocks) -> Blocks:
    """Two calls in the list of every part."""
    return [
        block.of(put(block.document, CALLS, [at(block.document, CALL), at(_again(block, 1).document, CALL)]))
        for block in calls
    ]


def _spread(calls: Blocks) -> Blocks:
    """The arguments with blanks and line breaks in them."""
    wide = json.dumps(json.loads(_joined(calls)), indent=4) + "\n"
    return [calls[0], calls[1].of(put(calls[1].document, ARGUMENTS, wide))]


def _with_reason(blocks: Blocks) -> Blocks:
    """The reason in the last part of the call."""
    *before, last, reason, end = blocks
    return [*before, last.of(put(last.document, REASON, at(reason.document, REASON))), end]


def _streamed(name: str, change: One, *red: str, says: str) -> Miniature:
    return faulty(name, on(STREAM, change), *red, says=says)


def _indexed(name: str, value: Any, says: str) -> Miniature:
    """Every part of a call has another index."""
    return _streamed(name, with_chunk(CALL + "/index", value), "tools.stream-index", says=f"an integer index; {says}")


def _without_index(calls: Blocks) -> Blocks:
    return [block.of(put(block.document, CALL + "/index", GONE)) for block in calls]


def _twins(calls: Blocks) -> Blocks:
    """Two calls, one after the other, with one id."""
    own = at(calls[0].document, CALL + "/id")
    seconds = [_again(block, 1) for block in calls]
    return [*calls, *(block.of(put(block.document, CALL + "/id", lambda _: own)) for block in seconds)]


def _named_second(number: int, call: Any) -> Any:
    return put(call, "/function/name", GONE if number == 0 else "get_weather")


def _named_in_parts(number: int, call: Any) -> Any:
    return put(call, NAME, ("get_", "time", None)[min(number, 2)])


def _later(name: str, pointer: str, value: Any, says: str) -> Miniature:
    """Every part of a call but the first has this id or name."""
    change = _each_call(lambda number, call: put(call, pointer, value) if number else call)
    return _streamed(name, change, "tools.stream-one-call-one-id", says=says)


MERGED: Final = ("tools.stream-arguments",)

MINIATURES: Final = (
    faulty(
        "calls a tool in a stream though none is wanted",
        as_told("stream.tool-call", asking("stream.choice-none")),
        "tools.stream-none-calls-nothing",
        says='no tool call; [{"index": 0',
    ),
    faulty(
        "calls a tool in a stream where none was declared",
        as_told("stream.tool-call", asking("stream.no-accept")),
        "tools.stream-name-declared",
        says='no call, since no function was declared; "get_weather"',
        unseen=("stream.",),
    ),
    _indexed("streams calls without an index", GONE, "nothing"),
    _streamed(
        "streams two calls without an index",
        _with_calls(lambda calls: _without_index(_one_after_the_other(1)(calls))),
        "tools.stream-index",
        says="an integer index; nothing",
    ),
    _streamed(
        "streams an index with the start of a call alone",
        _each_call(lambda number, call: put(call, "/index", None) if number else call),
        "tools.stream-index",
        says="an integer index; null",
    ),
    _streamed(
        "tells the id in every other part of a call, and no index",
        _each_call(lambda number, call: put(put(call, "/id", GONE if number % 2 else "call_7"), "/index", GONE)),
        "tools.stream-index",
        says="an integer index; nothing",
    ),
    _streamed(
        "tells an empty id from the second part of a call on, and no index",
        _each_call(lambda number, call: put(put(call, "/id", "" if number else "call_7"), "/index", GONE)),
        "tools.stream-index",
        "tools.stream-one-call-one-id",
        says="an integer index; nothing",
    ),
    _indexed("writes an index as a string", "0", '"0"'),
    _indexed("counts calls from below", -1, "-1"),
    _indexed("gives no call an index but null", None, "null"),
    _indexed("counts calls in halves", 0.5, "0.5"),
    _streamed(
        "gives every call the index 0",
        _with_calls(_one_after_the_other(0)),
        "tools.stream-one-call-one-id",
        *MERGED,
        says='", "call_000000',
    ),
    _streamed(
        "gives parallel calls one index at a time",
        _with_calls(lambda calls: [*_at_once(calls), *(_again(block, 0) for block in _at_once(calls))]),
        "tools.stream-one-call-one-id",
        *MERGED,
        says="one id for the call at index 0; ",
    ),
    _streamed(
        "makes up an id for every part",
        _each_call(lambda number, call: {**call, "id": f"call_{number}"}),
        "tools.stream-one-call-one-id",
        says='one id for the call at index 0; ["call_0", "call_1", "',
    ),
    _streamed(
        "streams a call without an id",
        with_chunk(CALL + "/id", GONE),
        "tools.stream-one-call-one-id",
        says="one id for the call at index 0; []",
    ),
    _streamed(
        "streams a call with an empty id",
        with_chunk(CALL + "/id", ""),
        "tools.stream-one-call-one-id",
        says='one id for the call at index 0; [""]',
    ),
    _streamed(
        "gives two indexes one id",
        _with_calls(_twins),
        "tools.stream-one-call-one-id",
        says='whole: another id for the call at index 1; "call_',
    ),
    _streamed(
        "gives its streamed calls lists of ids",
        with_chunk(CALL + "/id", ["call_7"]),
        "tools.stream-one-call-one-id",
        says='one id for the call at index 0; [["call_7"]]',
    ),
    _later("takes the id away", "/id", None, says='one id for the call at index 0; ["call_'),
    _later("empties the id", "/id", "", says=', ""]'),
    _later(
        "takes the name away", "/function/name", None, says='one name for the call at index 0; ["get_weather", null]'
    ),
    _later("empties the name", "/function/name", "", says='one name for the call at index 0; ["get_weather", ""]'),
    _streamed(
        "begins a call without its name",
        _each_call(lambda number, call: put(call, "/function/name", "get_weather" if number else "")),
        "tools.stream-one-call-one-id",
        says='one name for the call at index 0; ["", "get_weather"]',
    ),
    _streamed(
        "streams a name in parts",
        _each_call(
            lambda number, call: put(call, "/function/name", ("get_", "weather")[number]) if number < 2 else call
        ),
        "tools.stream-one-call-one-id",
        says='one name for the call at index 0; ["get_", "weather"]',
    ),
    _streamed(
        "names a call after its arguments",
        _each_call(lambda number, call: put(call, "/function/name", GONE if number < 2 else "get_weather")),
        "tools.stream-one-call-one-id",
        says='the name of a call before its arguments; "get_weather" later',
    ),
    _streamed(
        "doubles the name of a streamed call",
        with_nth(1, lambda document: put(document, CALL + "/function/name", lambda old: old * 2)),
        "tools.stream-name-declared",
        says='get_weather; "get_weatherget_weather"',
    ),
    _streamed(
        "never names the tool that it calls",
        with_chunk(CALL + "/function/name", lambda _: ""),
        "tools.stream-name-declared",
        says='get_weather; ""',
    ),
    _streamed(
        "cuts streamed arguments off",
        _with_calls(lambda calls: calls[:-3]),
        "tools.stream-arguments",
        says='whole: a JSON object; "{',
    ),
    _streamed(
        "streams an object for arguments",
        _with_calls(lambda calls: [calls[0].of(put(calls[0].document, ARGUMENTS, json.loads(_joined(calls))))]),
        "tools.stream-arguments",
        says='strings that join into a JSON object; {"location"',
    ),
    _streamed(
        "streams no arguments",
        with_chunk(ARGUMENTS, lambda _: None),
        "tools.stream-arguments",
        says='a JSON object; ""',
    ),
    _streamed(
        "repeats all arguments so far", _with_calls(_swelling), "tools.stream-arguments", says='a JSON object; "{{'
    ),
    _streamed(
        "encodes streamed arguments twice",
        _with_calls(lambda calls: [calls[0].of(put(calls[0].document, ARGUMENTS, json.dumps(_joined(calls))))]),
        "tools.stream-arguments",
        says="a JSON object; ",
    ),
    _streamed(
        "says stop after a streamed call",
        each_chunk(lambda document: put(document, REASON, lambda old: old and "stop")),
        "tools.stream-reason",
        says='whole: "tool_calls"; "stop"',
    ),
    faulty(
        "streams words though a call is required",
        IN_WORDS,
        "tools.stream-calls-when-required",
        says='a tool call in the deltas; none; text "Hello"',
        unseen=("tools.stream-",),
    ),
    faulty(
        "streams its model's markers",
        after(IN_WORDS, on(STREAM, with_nth(1, lambda document: put(document, DELTA + "/content", HERMES)))),
        "tools.stream-calls-when-required",
        says='none; text "<tool_call>',
        unseen=("tools.stream-",),
    ),
    faulty(
        "streams a call that is in no list",
        on(STREAM, with_chunk(CALLS, lambda calls: calls[0])),
        "tools.stream-calls-when-required",
        says='a tool call in the deltas; tool_calls is {"index": 0, ',
        unseen=("tools.stream-",),
    ),
    faulty(
        "streams words and an empty list of calls",
        after(IN_WORDS, on(STREAM, with_chunk(CALLS, []))),
        "tools.stream-calls-when-required",
        says='a tool call in the deltas; none; text "Hello"',
        unseen=("tools.stream-",),
    ),
    faulty(
        "streams the name that was wanted in parts, and takes it away",
        after(as_told("stream.tool-call", CHOSEN), on(CHOSEN, _each_call(_named_in_parts))),
        "tools.stream-one-call-one-id",
        says='one name for the call at index 0; ["get_", "time", null]',
    ),
    faulty(
        "names two functions in one call",
        on(CHOSEN, _each_call(lambda number, call: put(call, NAME, "get_time" if number else "get_weather"))),
        "tools.stream-one-call-one-id",
        says='one name for the call at index 0; ["get_weather", "get_time"]',
        unseen=("tools.stream-calls-when-named",),
    ),
    faulty(
        "numbers the functions that it calls",
        on(STREAM, with_chunk(CALL + NAME, 7)),
        "tools.stream-name-declared",
        says='get_weather; ""',
    ),
    faulty(
        "streams a call of what nobody declared",
        on(CHOSEN, with_chunk(CALL + NAME, "get_rocket")),
        "tools.stream-name-declared",
        says='get_time or get_weather; "get_rocket"',
        unseen=("tools.stream-calls-when-named",),
    ),
    faulty(
        "drops streamed calls and keeps their reason",
        on(STREAM, _with_calls(lambda _: [])),
        "tools.stream-calls-when-required",
        says='none; text ""',
        unseen=("tools.stream-",),
    ),
)

FULL: Final = each_chunk(lambda document: put(document, REASON, lambda old: old and "length"))

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("has no room for a required call beside its words", after(IN_WORDS, on(STREAM, FULL)), "tools.stream-"),
    odd(
        "has no room for the call that was named beside its words",
        after(as_told("stream.greeting", CHOSEN), on(CHOSEN, FULL)),
        "tools.stream-",
    ),
    odd("streams arguments one character at a time", on(STREAM, _with_calls(_by_character))),
    odd("streams a call in one part", on(STREAM, _with_calls(_at_once))),
    odd("streams arguments with blanks in them", on(STREAM, _with_calls(_spread))),
    odd("repeats the id in every part", on(STREAM, with_chunk(CALL + "/id", "call_7"))),
    odd("repeats the name in every part", on(STREAM, with_chunk(CALL + "/function/name", "get_weather"))),
    odd("names a call in its second part", on(STREAM, _each_call(_named_second))),
    odd("repeats the type in every part", on(STREAM, with_chunk(CALL + "/type", "function"))),
    odd("streams calls without a type", on(STREAM, with_chunk(CALL + "/type", GONE))),
    odd("streams one call after the other", on(STREAM, _with_calls(_one_after_the_other(1)))),
    odd("streams two calls interleaved", on(STREAM, _with_calls(_interleaved))),
    odd("streams two calls side by side", on(STREAM, _with_calls(_side_by_side))),
    odd("gives the reason with the end of a call", on(STREAM, with_blocks(_with_reason))),
    odd("streams empty texts beside a call", on(STREAM, with_chunk(DELTA + "/content", ""))),
    odd("writes an index with a point", on(STREAM, with_chunk(CALL + "/index", float))),
    odd(
        "has no room for a whole streamed call",
        on(
            STREAM,
            _with_calls(lambda calls: calls[:4]),
            FULL,
        ),
        "tools.stream-",
    ),
)
