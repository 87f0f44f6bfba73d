"""Servers that stream tool calls under wrong indexes, ids and names."""

from collections.abc import Callable
from typing import Any, Final

from conformance.document import at
from conformance.server.answers import Chunk, StreamEvent
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    depending,
    each_chunk,
    each_event,
    put,
)
from conformance.server.deviation import Fault

CALLS: Final = "/choices/0/delta/tool_calls"
ARGUMENTS: Final = "/function/arguments"
NAME: Final = "/function/name"
NAMELESS: Final = ("tools.stream-calls-when-named",)
"""What calls of no declared function do not show."""
Part = Any
"""One of the parts of calls that a delta lists."""


def each_part(made: Callable[[], Callable[[Part], Part]]) -> Change:
    """Other parts of streamed calls; what the edit remembers is of one stream."""

    def change_for(_asked: Asked) -> Change:
        edit = made()

        def rewritten(document: Any) -> Any:
            parts = at(document, CALLS)
            return put(document, CALLS, [edit(part) for part in parts]) if isinstance(parts, list) else document

        return each_chunk(rewritten)

    return depending(change_for)


def in_parts(when: Callable[[Part], bool], pointer: str, value: Any) -> Change:
    """Another value at a pointer of the parts that `when` picks: `/function/name`."""
    return each_part(lambda: lambda part: put(part, pointer, value) if when(part) else part)


def every(_part: Part) -> bool:
    """All of them."""
    return True


def first(part: Part) -> bool:
    """A part with which a call starts."""
    return "id" in part


def later(part: Part) -> bool:
    """A part that goes on with a call."""
    return "id" not in part


def second(part: Part) -> bool:
    """A part of the second of two calls."""
    return bool(part["index"] == 1)


def _fresh_ids() -> Callable[[Part], Part]:
    """Each part has an id of its own."""
    made = iter(range(1_000_000))
    return lambda part: {**part, "id": f"call_{next(made):024x}"}


def _shared_ids() -> Callable[[Part], Part]:
    """All calls have the id of the first."""
    ids: list[str] = []

    def edit(part: Part) -> Part:
        ids.extend([part["id"]] if "id" in part else [])
        return put(part, "/id", lambda _: ids[0])

    return edit


def _cut_name() -> Callable[[Part], Part]:
    """The name comes in two pieces, the second beside the first part of the arguments."""
    rests: dict[int, str] = {}

    def edit(part: Part) -> Part:
        name = at(part, NAME)
        if isinstance(name, str):
            rests[part["index"]] = name[4:]
            return put(part, NAME, name[:4])
        return put(part, NAME, rests.pop(part["index"])) if part["index"] in rests else part

    return edit


def _named_at(number: int, instead: Any) -> Callable[[], Callable[[Part], Part]]:
    """The name comes with the part of this number, and until then something else."""

    def made() -> Callable[[Part], Part]:
        names: dict[int, str] = {}
        seen: dict[int, int] = {}

        def edit(part: Part) -> Part:
            own = part["index"]
            if isinstance(name := at(part, NAME), str):
                names[own] = name
            seen[own] = seen.get(own, -1) + 1
            if seen[own] > number:
                return part
            return put(part, NAME, names[own] if seen[own] == number else instead)

        return edit

    return made


def _without_starts(_number: int, event: StreamEvent) -> list[StreamEvent]:
    """No part with which a call starts."""
    starts = isinstance(event, Chunk) and at(event.document, CALLS + "/0/id")
    return [] if isinstance(starts, str) else [event]


INDEXES: Final = (
    Fault(
        id="call-parts-without-index",
        does="streams the parts of calls without an index",
        change=in_parts(every, "/index", GONE),
        red=("tools.stream-index",),
        says="an integer index; nothing",
        wild=("F-TC-01",),
    ),
    Fault(
        id="call-later-parts-without-index",
        does="gives an index only to the part with which a call starts",
        change=in_parts(later, "/index", None),
        red=("tools.stream-index",),
        says="an integer index; null",
        wild=("F-TC-01",),
    ),
    Fault(
        id="call-index-as-text",
        does="writes the index of a call as a string",
        change=in_parts(every, "/index", str),
        red=("tools.stream-index",),
        says='an integer index; "0"',
    ),
    Fault(
        id="call-indexes-all-zero",
        does="gives all calls of a stream the index 0",
        change=in_parts(every, "/index", 0),
        red=("tools.stream-one-call-one-id", "tools.stream-arguments"),
        says='one id for the call at index 0; ["call_',
        wild=("F-TC-02",),
    ),
)


def _one(identity: str, does: str, change: Change, says: str, *wild: str) -> Fault:
    """A streamed call has not the one id and the one name that it should."""
    return Fault(id=identity, does=does, change=change, red=("tools.stream-one-call-one-id",), says=says, wild=wild)


IDS: Final = (
    _one(
        "call-ids-shared",
        "gives all calls of a stream the id of the first",
        each_part(_shared_ids),
        'another id for the call at index 1; "call_',
    ),
    _one(
        "call-id-for-each-part",
        "makes up an id for every part of a call",
        each_part(_fresh_ids),
        'one id for the call at index 0; ["call_000000000000000000000000", "call_0000',
        "F-TC-06",
    ),
    _one(
        "call-id-missing",
        "streams calls without an id",
        in_parts(first, "/id", GONE),
        "one id for the call at index 0; []",
        "F-TC-06",
    ),
    _one(
        "call-second-id-missing",
        "streams the second of two calls without an id",
        in_parts(second, "/id", GONE),
        "one id for the call at index 1; []",
        "F-TC-06",
    ),
    _one(
        "call-id-taken-away",
        "gives later parts of a call a null id",
        in_parts(later, "/id", None),
        '", null]',
        "F-TC-03",
    ),
    _one(
        "call-id-emptied",
        "gives later parts of a call an empty id",
        in_parts(later, "/id", ""),
        '", ""]',
        "F-TC-03",
    ),
    _one(
        "call-name-taken-away",
        "gives later parts of a call a null name",
        in_parts(later, NAME, None),
        'one name for the call at index 0; ["get_weather", null]',
        "F-TC-03",
    ),
    _one(
        "call-name-emptied",
        "gives later parts of a call an empty name",
        in_parts(later, NAME, ""),
        'one name for the call at index 0; ["get_weather", ""]',
        "F-TC-03",
    ),
    _one(
        "call-begins-with-empty-name",
        "starts a call with an empty name, and names it later",
        each_part(_named_at(1, "")),
        'one name for the call at index 0; ["", "get_weather"]',
        "F-TC-04",
    ),
    _one(
        "call-named-late",
        "names a call after the first part of its arguments",
        each_part(_named_at(3, GONE)),
        'the name of a call before its arguments; "get_weather" later',
        "F-TC-04",
    ),
    _one(
        "call-name-in-parts",
        "cuts the name of a call in two",
        each_part(_cut_name),
        'one name for the call at index 0; ["get_", "weather"]',
    ),
    Fault(
        id="call-start-lost",
        does="loses the id, the type and the name of streamed calls",
        change=each_event(_without_starts),
        red=("tools.stream-one-call-one-id", "tools.stream-name-declared"),
        says="one id for the call at index 0; []",
        unseen=NAMELESS,
        wild=("F-TC-07",),
    ),
)

NAMES: Final = (
    Fault(
        id="call-name-doubled",
        does="joins the name of a streamed call with itself",
        change=in_parts(first, NAME, lambda name: name * 2),
        red=("tools.stream-name-declared",),
        says='get_weather; "get_weatherget_weather"',
        unseen=NAMELESS,
        wild=("F-TC-05",),
    ),
    Fault(
        id="call-name-with-namespace",
        does="puts the template's own word before the name of a call in streams alone",
        change=in_parts(first, NAME, lambda name: f"functions.{name}"),
        red=("tools.stream-name-declared",),
        says='get_weather; "functions.get_weather"',
        unseen=NAMELESS,
        wild=("F-TC-11",),
    ),
    Fault(
        id="call-second-name-missing",
        does="streams the second of two calls without a name",
        change=in_parts(second, NAME, GONE),
        red=("tools.stream-name-declared",),
        says='get_time or get_weather; ""',
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*INDEXES, *IDS, *NAMES)
