"""Servers whose wire makes another text of the model's, and models that write otherwise by themselves."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from conformance.server.changes import put
from tests.miniatures.framing import CLIENTS, COUNTING, GREETING, MULTILINGUAL
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.streamed_calls import ARGUMENTS, STREAM
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import Block, Blocks, One, asking, content, on, with_blocks, with_chunk

END_MARKER: Final = asking("stream.end-marker")
CONTENT: Final = "/choices/0/delta/content"
LOST: Final = ("stream.lines-in-text", "stream.done-in-text")


def _texts(change: Callable[[Blocks], Blocks]) -> One:
    """A stream with other chunks in the place of those that hold text."""

    def every(blocks: Blocks) -> Blocks:
        told = [block for block in blocks if block.document is not None and content(block.document)]
        start = blocks.index(told[0])
        return [*blocks[:start], *change(told), *blocks[start + len(told) :]]

    return with_blocks(every)


def saying(change: Callable[[str], str]) -> One:
    """A stream whose text is rewritten as a whole, and told in one chunk."""

    def one(told: Blocks) -> Blocks:
        text = change("".join(content(block.document) for block in told))
        return [told[-1].of(put(told[-1].document, CONTENT, text))]

    return _texts(one)


def _without(place: int) -> One:
    return _texts(lambda told: [*told[:place], *told[place + 1 :]])


def _swapped(place: int) -> One:
    return _texts(lambda told: [*told[:place], told[place + 1], told[place], *told[place + 2 :]])


def _again(place: int) -> One:
    return _texts(lambda told: [*told[: place + 1], *told[place:]])


def _every_one_again(told: Blocks) -> Blocks:
    return [block for each in told for block in (each, each)]


def _all_at_last(told: Blocks) -> Blocks:
    whole = "".join(content(block.document) for block in told)
    return [*told, told[-1].of(put(told[-1].document, CONTENT, whole))]


def _halved(told: Blocks) -> Blocks:
    """Every character beyond the BMP in two chunks."""
    found: list[Block] = []
    for block in told:
        units = content(block.document).encode("utf-16-le")
        halves = [units[:2].decode("utf-16-le", "surrogatepass"), units[2:].decode("utf-16-le", "surrogatepass")]
        beyond = any(character > "\uffff" for character in content(block.document))
        found += [block.of(put(block.document, CONTENT, half)) for half in halves] if beyond else [block]
    return found


def _mangled(name: str, change: Callable[[str], str], says: str) -> Miniature:
    """The text of several scripts arrives otherwise in a stream."""
    return faulty(name, on(MULTILINGUAL, saying(change)), "stream.text-intact", says=says)


def _garbled(name: str, change: One, says: str) -> Miniature:
    """The text of three lines arrives otherwise in a stream."""
    return faulty(name, on(END_MARKER, change), "stream.text-accumulates", says=says, unseen=LOST)


SAME: Final = "the same characters, in other words"
MINIATURES: Final = (
    _garbled("loses the blanks around its chunks", with_chunk(CONTENT, str.strip), SAME),
    _garbled("sends its second chunk first", _swapped(0), SAME),
    _garbled("sends the last two chunks in the wrong order", _swapped(-3), SAME),
    _garbled("loses a chunk", _without(1), "parts of words are lost between chunks"),
    faulty(
        "says one of many chunks twice",
        on(COUNTING, _again(40)),
        "stream.deltas-not-repeats",
        says='what is new since the chunk before; the chunk before once more: " 2',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "says one of few chunks twice",
        on(END_MARKER, _again(1)),
        "stream.deltas-not-repeats",
        says='the chunk before once more: " lanter"',
    ),
    faulty(
        "says everything twice",
        on(COUNTING, _texts(_every_one_again)),
        "stream.deltas-not-repeats",
        says='the chunk before once more: "1"',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "ends with all its text",
        on(COUNTING, _texts(_all_at_last)),
        "stream.deltas-not-repeats",
        says='all the text so far: "1, 2, 3',
    ),
    faulty(
        "sends half a character in each of two chunks",
        on(MULTILINGUAL, _texts(_halved)),
        "stream.text-intact",
        *CLIENTS,
        says="whole characters in each chunk; half of one: ",
    ),
    _mangled("escapes its text twice", lambda text: json.dumps(text)[1:-1], "escaped once more"),
    _mangled("takes UTF-8 for Latin-1", lambda text: text.encode().decode("latin-1"), "read as Latin-1"),
    _mangled("can write ASCII only", lambda text: text.encode("ascii", "replace").decode(), "what is not ASCII"),
    _mangled("has no characters beyond the BMP", lambda text: re.sub("[^\0-\uffff]", "?", text), "beyond the BMP"),
    _mangled("has 16 bits for a character", lambda text: text.replace("🎈", "\uf388"), "cut to 16 bits"),
    faulty(
        "cuts characters in streamed arguments",
        on(STREAM, with_chunk(ARGUMENTS, lambda old: old.replace("ü", "\ufffd\ufffd"))),
        "stream.text-intact",
        says=", with U+FFFD in it",
    ),
    faulty(
        "leaves the end marker out of its text",
        on(END_MARKER, saying(lambda text: text.replace("[DONE]", ""))),
        "stream.done-in-text",
        says=", without the marker alone",
    ),
)


def _odd(name: str, when: Any, said: str | Callable[[str], str], *unseen: str) -> Variant:
    """A model that says something else in its stream."""
    return odd(name, on(when, saying(said if callable(said) else lambda _: said)), *unseen)


VARIANTS: Final[tuple[Variant, ...]] = (
    _odd("greets otherwise", GREETING, "Hello!"),
    _odd("leaves a word out", END_MARKER, lambda text: text.replace("first ", ""), "stream.done-in-text"),
    _odd("writes on one line", END_MARKER, lambda text: " ".join(text.split()), "stream.lines-in-text"),
    _odd("writes its lines in another order", END_MARKER, lambda text: "\n".join(reversed(text.splitlines()))),
    _odd("says a word twice", END_MARKER, lambda text: text.replace("first", "first first")),
    _odd("spells otherwise", END_MARKER, lambda text: text.replace("lantern", "lantrn")),
    _odd("leaves its picture out", MULTILINGUAL, lambda text: text.replace(" 🎈", ""), "stream.text-intact"),
    _odd("writes other signs", MULTILINGUAL, lambda text: text.replace("東", "东")),
    _odd("doubles its pictures", MULTILINGUAL, lambda text: text.replace("🎈", "🎈🎈")),
    odd("counts a number twice", on(COUNTING, _texts(lambda told: [*told[:42], *told[40:]])), "finish.stream-length"),
    odd("greets in halves", on(GREETING, _texts(lambda told: told * 2))),
)
