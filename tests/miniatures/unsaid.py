"""Servers whose streams end their text at the wrong place or say it again, and models that say little by themselves."""

from typing import Any, Final

from conformance.probes import plain
from conformance.server.changes import GONE, put
from tests.miniatures.framing import CLIENTS, DYING, GREETING, MULTILINGUAL
from tests.miniatures.garbled import CONTENT, END_MARKER, saying
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Block,
    Blocks,
    Change,
    One,
    after,
    asking,
    content,
    each_chunk,
    on,
    with_blocks,
    with_chunk,
    with_json,
)

TEXT: Final = "/data/choices/0/message/content"
UNSTREAMED: Final = asking(plain.RAW_UTF8.name, plain.ESCAPED.name)
MARKED_UP: Final = asking(plain.END_MARKER.name)
UNWRITTEN: Final = ("stream.done-in-text", "stream.lines-in-text")
TWICE: Final = "first [DONE] then [DONE] at last"


def _ending(reason: str) -> One:
    return with_chunk("/choices/0/finish_reason", lambda old: old and reason)


def _spoken(unstreamed: str, streamed: str) -> Change:
    """Other texts in the place of the one of several scripts."""
    return after(on(UNSTREAMED, with_json(TEXT, unstreamed)), on(MULTILINGUAL, saying(lambda _: streamed)))


def _marked(unstreamed: str, streamed: str) -> Change:
    """Other texts in the place of the one with the end marker in it."""
    return after(on(MARKED_UP, with_json(TEXT, unstreamed)), on(END_MARKER, saying(lambda _: streamed)))


def _thinking(document: Any) -> Any:
    """A chunk whose text stands among the thoughts."""
    said = content(document)
    return put(put(document, CONTENT, GONE), "/choices/0/delta/reasoning_content", said) if said else document


def _wordless(block: Block) -> Block:
    return block.of(put(block.document, CONTENT, GONE))


def _begun(*texts: str) -> One:
    """A failing stream of these texts; a star before one says that its chunk tells the role."""

    def change(blocks: Blocks) -> Blocks:
        start, spoken = blocks[0], blocks[1]
        rest = [block for block in blocks if block.document is None]
        told = [(start if text.startswith("*") else spoken, text.removeprefix("*")) for text in texts]
        first, *others = (block.of(put(block.document, CONTENT, text)) for block, text in told)
        return [first, *(block if content(block.document) else _wordless(block) for block in others), *rest]

    return with_blocks(change)


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "asks three times and sends all answers",
        on(DYING, _begun("*", "So", " so", "*", "So", " so", "*", "So", " so")),
        "stream.deltas-not-repeats",
        says='the role, and from its beginning "So so"',
    ),
    faulty(
        "stops at the first of two end markers",
        _marked(TWICE, "first "),
        "stream.done-in-text",
        says=f'whole: "{TWICE}"; "first "',
        unseen=("stream.lines-in-text",),
    ),
    faulty(
        "stops at an end marker and drops the blank before it",
        on(END_MARKER, saying(lambda text: text[: text.index(" [DONE]")])),
        "stream.done-in-text",
        says='; "first lantern\\n\\ndata:"',
    ),
    faulty(
        "stops at an end marker and breaks the line",
        on(END_MARKER, saying(lambda text: text[: text.index(" [DONE]")] + "\n")),
        "stream.done-in-text",
        says='; "first lantern\\n\\ndata:\\n"',
    ),
    faulty(
        "has no room for its last character",
        _spoken("Zürich 東京", "Zürich 東\ufffd"),
        "stream.text-intact",
        says=", with U+FFFD in it",
    ),
    faulty(
        "has half a character in every answer, streamed or not",
        _spoken("Zürich \ud83c", "Zürich \ud83c"),
        *CLIENTS,
        "response.documented-clients-read-it",
        says="no exception; UnicodeEncodeError",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    *(
        odd(f"says nothing in a stream for the reason {reason}", on(GREETING, with_chunk(CONTENT, ""), _ending(reason)))
        for reason in ("length", "content_filter", "tool_calls")
    ),
    odd("says nothing in one stream of many", on(GREETING, with_chunk(CONTENT, ""))),
    odd("thinks in one stream of many what it should say", on(GREETING, each_chunk(_thinking))),
    *(
        odd(
            f"ends within the end marker for the reason {reason}",
            on(END_MARKER, saying(lambda text: text[: text.index("DONE")]), _ending(reason)),
            "stream.done-in-text",
        )
        for reason in ("length", "content_filter")
    ),
    odd("names its role again in the middle", on(DYING, _begun("*", "So", " so", "*", "it", " is"))),
    odd("says its first word twice, and its role too", on(DYING, _begun("*So", "*So"))),
    odd(
        "ends at a limit within its last character",
        after(_spoken("Zürich 東京", "Zürich 東\ufffd"), on(MULTILINGUAL, _ending("length"))),
    ),
    odd("writes half a character after a plain word", _spoken("fin", "fin\ufffd")),
    odd(
        "streams something else, with half a character",
        on(MULTILINGUAL, saying(lambda _: "Zürich, \ufffd?")),
        "stream.text-intact",
    ),
    odd("ends before the end marker", on(END_MARKER, saying(lambda _: "first")), *UNWRITTEN),
    odd(
        "would rather not write markup",
        on(END_MARKER, saying(lambda _: "I would rather not write any of that.")),
        *UNWRITTEN,
    ),
    odd(
        "has no room for an end marker alone",
        after(_marked("[DONE]", ""), on(END_MARKER, _ending("length"))),
        *UNWRITTEN,
    ),
)
