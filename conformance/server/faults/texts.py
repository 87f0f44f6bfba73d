"""Servers whose streams make another text of the model's, or bring it at the wrong time."""

import json
import re
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Writes
from conformance.server.changes import (
    Asked,
    Change,
    Frames,
    depending,
    each_chunk,
    each_step,
    each_write,
    framed,
    having,
    one_in,
    only,
    put,
    reason_of,
    replacing,
    streams,
    wording,
)
from conformance.server.deviation import Fault
from conformance.server.faults.chunks import CLIENTS, CONTENT, TEXTLESS, tools_aside
from conformance.server.generation import CallArguments, Step, Text

_READ: Final = 512
"""Bytes of a network read."""
_TOKEN: Final = 0.008
"""Seconds that a model takes for a token."""
Edit = Callable[[int, Step], Iterable[Step]]


def _remembering(made: Callable[[], Edit]) -> Change:
    """Other steps in a stream; what the edit remembers is of that stream."""
    return only(streams, depending(lambda _: each_step(made())))


def _long(asked: Asked) -> bool:
    """A stream with room for more than 100 tokens, and no tools."""
    limit = asked.get("max_tokens")
    return streams(asked) and tools_aside(asked) and isinstance(limit, int) and limit > 100


def _cumulative() -> Edit:
    said = ""

    def edit(_number: int, step: Step) -> list[Step]:
        nonlocal said
        if not isinstance(step, Text):
            return [step]
        said += step.text
        return [Text(text=said)]

    return edit


def _twice(wanted: int) -> Callable[[], Edit]:
    """The piece of text of this number comes twice."""

    def made() -> Edit:
        seen = 0

        def edit(_number: int, step: Step) -> list[Step]:
            nonlocal seen
            seen += isinstance(step, Text)
            return [step, step] if seen == wanted and isinstance(step, Text) else [step]

        return edit

    return made


def _headless() -> Edit:
    """The first piece of text is lost."""
    seen = False

    def edit(_number: int, step: Step) -> list[Step]:
        nonlocal seen
        lost, seen = isinstance(step, Text) and not seen, seen or isinstance(step, Text)
        return [] if lost else [step]

    return edit


def _swapping() -> Edit:
    """The second piece of text comes after the third."""
    seen, held = 0, list[Step]()

    def edit(_number: int, step: Step) -> list[Step]:
        nonlocal seen, held
        seen += isinstance(step, Text)
        if seen == 2 and isinstance(step, Text):
            held = [step]
            return []
        told, held = [step, *held] if isinstance(step, Text) else [*held, step], []
        return told

    return edit


def _until_the_marker() -> Edit:
    said = ""

    def edit(_number: int, step: Step) -> list[Step]:
        nonlocal said
        if not isinstance(step, Text):
            return [step]
        said += step.text
        return [] if "[DONE]" in said else [step]

    return edit


def _all_at_last() -> Change:
    """The whole text once more, beside the reason."""

    def change_for(_asked: Asked) -> Change:
        said: list[str] = []

        def edit(document: Any) -> Any:
            said.append(document["choices"][0]["delta"].get("content") or "")
            return put(document, CONTENT, "".join(said)) if reason_of(document) else document

        return each_chunk(edit)

    return depending(change_for)


def _renamed(name: str) -> Change:
    """The text in another member of the delta."""

    def edit(document: Any) -> Any:
        delta = document["choices"][0]["delta"]
        if "content" in delta:
            delta[name] = delta.pop("content")
        return document

    return only(tools_aside, each_chunk(edit))


def _in_bytes(_number: int, step: Step) -> list[Step]:
    """Pieces of two bytes, each decoded by itself."""

    def cut(text: str) -> list[str]:
        data = text.encode()
        return [data[place : place + 2].decode("utf-8", "replace") for place in range(0, len(data), 2)]

    match step:
        case Text():
            return [Text(text=piece) for piece in cut(step.text)]
        case CallArguments():
            return [replace(step, fragment=piece) for piece in cut(step.fragment)]
        case _:
            return [step]


def _halved(_number: int, step: Step) -> list[Step]:
    """A character beyond the BMP as two pieces, a half of its surrogate pair in each."""
    if not isinstance(step, Text) or not any(character > "\uffff" for character in step.text):
        return [step]
    units = step.text.encode("utf-16-le")
    return [Text(text=half.decode("utf-16-le", "surrogatepass")) for half in (units[:2], units[2:])]


async def _without_what_two_reads_share(frames: Frames) -> Frames:
    """Of the chunks only those that came within one network read."""
    start = 0
    async with aclosing(frames):
        async for frame in frames:
            end = start + len(frame)
            if start // _READ == (end - 1) // _READ or not frame.startswith(b"data: {"):
                yield frame
            start = end


async def _at_once(frames: Frames) -> Writes:
    """All that the model wrote, when it is done."""
    told = [frame async for frame in frames]
    yield _TOKEN * len(told), b"".join(told)


def _spoken(edit: Callable[[str], str]) -> Change:
    """Other text in streams, piece by piece."""
    return only(streams, wording(edit))


_BEYOND: Final = re.compile("[\U00010000-\U0010ffff]")
STOP: Final = ("parameters.stop-in-stream",)
MISSING: Final = (
    Fault(
        id="text-under-another-name",
        does="streams its text as delta.text",
        change=_renamed("text"),
        red=("stream.text-accumulates",),
        says='text, as without a stream: "Hello"; none in any delta.content',
        unseen=TEXTLESS,
    ),
    Fault(
        id="text-taken-for-reasoning",
        does="streams the answer as the model's reasoning",
        change=_renamed("reasoning_content"),
        red=("stream.text-accumulates",),
        says="none in any delta.content",
        unseen=TEXTLESS,
        wild=("F-MSG-05",),
    ),
    Fault(
        id="text-without-blanks",
        does="trims the blanks off every piece of a stream's text",
        change=_spoken(lambda text: text.strip(" ")),
        red=("stream.text-accumulates",),
        says="the same characters, in other words",
    ),
    Fault(
        id="text-without-line-breaks",
        does="loses the line breaks of a stream's text",
        change=_spoken(lambda text: text.replace("\n", "")),
        red=("stream.lines-in-text",),
        says="data: [DONE]<b>",
    ),
    Fault(
        id="text-lost-between-reads",
        does="loses the chunks that two network reads share",
        change=only(tools_aside, framed(_without_what_two_reads_share)),
        red=("stream.text-accumulates", "finish.stream-says-why"),
        says="parts of words are lost between chunks",
        unseen=(*STOP, "stream.done-in-text"),
        wild=("F-SSE-14",),
    ),
    Fault(
        id="text-without-its-beginning",
        does="loses the first piece of a stream's text",
        change=_remembering(_headless),
        red=("stream.text-accumulates",),
        says='"1" is lost at the beginning',
        unseen=STOP,
    ),
    Fault(
        id="text-swapped",
        does="sends the second piece of a stream's text after the third",
        change=_remembering(_swapping),
        red=("stream.text-accumulates",),
        says="the same characters, in other words",
        unseen=STOP,
    ),
)

REPEATED: Final = (
    Fault(
        id="text-so-far",
        does="sends all the text so far in each chunk",
        change=_remembering(_cumulative),
        red=("stream.deltas-not-repeats",),
        says='what is new since the chunk before; all the text so far: "1,"',
        unseen=STOP,
        wild=("F-SSE-10",),
    ),
    Fault(
        id="text-once-more-at-the-end",
        does="sends the whole text once more in the last chunk of a stream",
        change=_all_at_last(),
        red=("stream.deltas-not-repeats",),
        says='all the text so far: "1, 2, 3',
        unseen=(*STOP, "finish.stream-length"),
    ),
    Fault(
        id="text-piece-twice",
        does="sends the 41st piece of a stream's text twice",
        change=_remembering(_twice(41)),
        red=("stream.deltas-not-repeats",),
        says='the chunk before once more: " 21"',
    ),
    Fault(
        id="text-piece-twice-now-and-then",
        does="sends a piece of text twice in one long stream of five",
        change=one_in(5, _remembering(_twice(41)), when=_long),
        red=("stream.deltas-not-repeats",),
        says='the chunk before once more: " 21"',
    ),
)

MANGLED: Final = (
    Fault(
        id="text-cut-in-bytes",
        does="cuts a stream's text into bytes, and decodes each piece by itself",
        change=only(streams, only(tools_aside, each_step(_in_bytes))),
        red=("stream.text-intact",),
        says=", with U+FFFD in it",
        wild=("F-UTF-01",),
    ),
    Fault(
        id="text-of-calls-cut-in-bytes",
        does="cuts the arguments of streamed calls into bytes, and decodes each piece by itself",
        change=only(streams, only(having("tools"), each_step(_in_bytes))),
        red=("stream.text-intact",),
        says=", with U+FFFD in it",
        wild=("F-UTF-01",),
    ),
    Fault(
        id="text-in-halves-of-characters",
        does="cuts a stream's text between the halves of a surrogate pair",
        change=only(streams, each_step(_halved)),
        red=("stream.text-intact", *CLIENTS),
        says="whole characters in each chunk; half of one: ",
    ),
    Fault(
        id="text-within-the-bmp",
        does="writes a question mark for every character beyond the BMP in streams",
        change=_spoken(lambda text: _BEYOND.sub("?", text)),
        red=("stream.text-intact",),
        says="a question mark for what is beyond the BMP",
    ),
    Fault(
        id="text-in-16-bits",
        does="cuts every character to 16 bits in streams",
        change=_spoken(lambda text: "".join(chr(ord(character) & 0xFFFF) for character in text)),
        red=("stream.text-intact",),
        says=", cut to 16 bits",
    ),
    Fault(
        id="text-taken-for-latin-1",
        does="takes the backend's UTF-8 for Latin-1 in streams",
        change=_spoken(lambda text: text.encode().decode("latin-1")),
        red=("stream.text-intact",),
        says=", its UTF-8 read as Latin-1",
    ),
    Fault(
        id="text-escaped-twice",
        does="escapes what is not ASCII twice in streams",
        change=_spoken(lambda text: text if text.isascii() else json.dumps(text)[1:-1]),
        red=("stream.text-intact",),
        says=", escaped once more",
    ),
    Fault(
        id="text-ends-at-the-marker",
        does="ends the text of a stream where the model writes [DONE]",
        change=_remembering(_until_the_marker),
        red=("stream.done-in-text",),
        says="data: [DONE]",
    ),
    Fault(
        id="text-without-the-marker",
        does="drops the tokens of the end marker from a stream's text",
        change=_spoken(lambda text: "" if text in ("[", "DONE", "]") else text),
        red=("stream.done-in-text",),
        says=", without the marker alone",
    ),
)

TIMES: Final = (
    Fault(
        id="text-in-one-burst",
        does="holds a stream back until the model is done",
        change=only(streams, replacing(writes=_at_once)),
        red=("stream.not-in-one-burst",),
        says="text while it is being written; nothing for ",
        wild=("F-BUF-01",),
    ),
)

SILENCE: Final = (
    Fault(
        id="text-held-up-for-ten-minutes",
        does="falls silent in the middle of a long stream for longer than the page's client waits",
        change=only(
            _long,
            each_write(lambda number, delay, data: [(601.0 if number == 40 else delay, data)]),
        ),
        patience=700.0,
        red=("stream.idle-gap",),
        says="silence for 601 s",
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*SILENCE, *MISSING, *REPEATED, *MANGLED, *TIMES)
