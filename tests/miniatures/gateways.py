"""Servers that lose or add something on a text's way to the model and back, and models that write oddly."""

import html
from collections.abc import Callable
from typing import Any, Final

from conformance.probes import parameters, plain, stopping, stream
from conformance.server.changes import put
from tests.miniatures.framing import COUNTING, DYING
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.stopping import Count, stopped
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Blocks,
    Change,
    One,
    after,
    asking,
    content,
    each_chunk,
    on,
    refused,
    with_blocks,
    with_chunk,
    with_json,
)

MARKED_UP: Final = asking(plain.END_MARKER.name)
MULTILINGUAL: Final = asking(plain.RAW_UTF8.name, plain.ESCAPED.name)
TEXT: Final = "/data/choices/0/message/content"
DELTA: Final = "/choices/0/delta/content"
NAME: Final = "/choices/0/delta/tool_calls/0/function/name"
REASON: Final = "/data/choices/0/finish_reason"
UNREAD: Final = ("stream.done-in-text", "stream.lines-in-text", "stream.text-accumulates", "stream.deltas-not-repeats")


def _told_twice(blocks: Blocks) -> Blocks:
    """The chunks before the error, and all of them again."""
    said = [block for block in blocks if block.document is not None]
    place = blocks.index(said[-1]) + 1
    return [*blocks[:place], *said, *blocks[place:]]


def _without(*places: int) -> One:
    """A stream that lacks some of its pieces of text."""

    def change(blocks: Blocks) -> Blocks:
        told = [block for block in blocks if block.document is not None and content(block.document)]
        gone = [told[place] for place in places]
        return [block for block in blocks if block not in gone]

    return with_blocks(change)


def _as_a_pattern(count: Count) -> str:
    return count.whole[:4]


def _escaped(text: Any) -> Any:
    return html.escape(text) if isinstance(text, str) else text


def _both(change: Callable[[str], str]) -> Change:
    return on(MULTILINGUAL, with_json(TEXT, change))


def _worded(document: Any) -> Any:
    """A chunk of a call as one of text."""
    called = "tool_calls" in document["choices"][0]["delta"]
    told = put(document, "/choices/0/delta", {"content": "It is mild."}) if called else document
    return put(told, "/choices/0/finish_reason", lambda old: old and "stop")


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "fails over braces",
        on(MARKED_UP, refused(500, "INTERNAL_ERROR")),
        "request.markup-in-text",
        says="status: HTTP 200, as for plain.greeting; HTTP 500 INTERNAL_ERROR",
        unseen=UNREAD,
    ),
    faulty(
        "escapes its answers as HTML",
        after(
            on(MARKED_UP, with_json(TEXT, _escaped)),
            on(asking(stream.END_MARKER.name), with_chunk(DELTA, _escaped)),
        ),
        "request.markup-in-text",
        says='/data/choices/0/message/content: "first lantern',
    ),
    faulty(
        "has no characters beyond the BMP in any answer",
        after(
            _both(lambda text: text.replace("🎈", "?")),
            on(asking(stream.MULTILINGUAL.name), with_chunk(DELTA, lambda text: text.replace("🎈", "?"))),
        ),
        "request.raw-utf8",
        "request.escaped-unicode",
        says='which was asked for; "Zürich 東京 ? naïve',
        unseen=("stream.text-intact",),
    ),
    faulty(
        "has no pairs of surrogates in any answer",
        after(
            _both(lambda text: text.replace("🎈", "\ufffd\ufffd")),
            on(asking(stream.MULTILINGUAL.name), with_chunk(DELTA, lambda text: text.replace("🎈", "\ufffd\ufffd"))),
        ),
        "request.raw-utf8",
        "request.escaped-unicode",
        says="U+FFFD for each half of what is beyond the BMP",
    ),
    faulty(
        "loses the beginning of a count",
        on(COUNTING, _without(0)),
        "stream.text-accumulates",
        says='the whole count; ", 2,": "1" is lost at the beginning',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "loses a chunk with a number",
        on(COUNTING, _without(48)),
        "stream.text-accumulates",
        says='the whole count; " 23, 24,, 26,": " 25" is lost between two chunks',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "answers once more after a failure, and sends both answers",
        on(DYING, with_blocks(_told_twice)),
        "stream.deltas-not-repeats",
        says='the role, and from its beginning "This answer breaks off"',
    ),
    faulty(
        "says that a count is done where the model's limit ended it",
        on(asking(parameters.LONG_OVER_CAP.name), with_json(REASON, "stop")),
        "finish.length",
        says='"length": the model\'s limit of 512 tokens ended the count; "stop"',
        unseen=("parameters.max-tokens-cap-kept",),
    ),
    faulty(
        "takes stop sequences for patterns",
        stopped(_as_a_pattern, stopping.ARRAY),
        "parameters.stop-array-stops",
        says='"1, 2", as if ",.3" were a pattern',
        unseen=("parameters.stop-",),
    ),
    faulty(
        "streams calls of another function than the one named",
        on(asking(stream.TWO_CALLS.name), with_chunk(NAME, "get_weather")),
        "tools.stream-calls-when-named",
        says='"get_time"; "get_weather"',
    ),
    faulty(
        "streams words though a function is named",
        on(asking(stream.TWO_CALLS.name), each_chunk(_worded)),
        "tools.stream-calls-when-named",
        says='a call of "get_time"; none; text "It is mild.',
        unseen=("tools.stream-",),
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("leaves a number out of a count", on(COUNTING, _without(48, 49)), "finish.stream-length"),
    odd("leaves a comma out of a count", on(COUNTING, _without(49)), "finish.stream-length"),
    odd("leaves markup out", on(MARKED_UP, with_json(TEXT, lambda text: text.replace("<b>", "").replace("</b>", "")))),
    odd("sees a balloon as a word", _both(lambda text: text.replace("🎈", "balloon")), "stream.text-intact"),
    odd(
        "ends a count where it likes",
        stopped(lambda count: count.whole[:7], stopping.ARRAY),
        "parameters.stop-",
    ),
)
