"""Server-sent events as bytes, exactly as WHATWG HTML interprets them, with every place on the wire kept.

The rules are those of WHATWG HTML, section 9.2.5 "Parsing an event stream" and section 9.2.6
`#event-stream-interpretation`. Offsets count bytes of the body after its content coding is undone; a leading
byte order mark counts as three of them and belongs to no line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_DIGITS: Final = re.compile(rb"[0-9]+")
_LONGEST_RETRY: Final = 18  # significant digits; Python refuses to convert more than 4300


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the stream, as bytes."""

    content: bytes
    terminator: bytes
    """What ended the line: LF, CR LF, CR, or nothing where the input (or what is kept of it) ends."""
    start: int
    """Offset of the first byte."""

    @property
    def end(self) -> int:
        """Offset past the terminator."""
        return self.start + len(self.content) + len(self.terminator)

    @property
    def is_comment(self) -> bool:
        """Whether the line begins with a colon."""
        return self.content.startswith(b":")

    @property
    def field(self) -> bytes:
        """The field's name: all before the first colon, the whole line if it has none; empty for a comment."""
        return self.content.partition(b":")[0]

    @property
    def value(self) -> bytes:
        """The field's value: all after the first colon, less one leading space."""
        return self.content.partition(b":")[2].removeprefix(b" ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event that a conforming reader dispatches."""

    type: str
    """`message` unless the event names itself."""
    data: str
    id: str
    """The last event id in force, which an earlier event may have set; empty if none has."""
    span: tuple[int, int]
    """Where its frame stands: offsets of the first byte and past the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A run of lines up to a blank line or the end of the input; never without lines."""

    lines: tuple[Line, ...]
    """The lines in order, without the blank one; their bytes are as received, also where they are not UTF-8."""
    span: tuple[int, int]
    """Offsets of the first line's first byte and past the blank line, or past the input's last byte."""
    closed: bool
    """Whether a blank line ended the frame; what the end of the input cuts off is never dispatched."""
    event: Event | None
    """What the standard dispatches; nothing if there is no `data` line, no blank line, or too many bytes."""
    truncated: bool
    """Whether the frame had more bytes than the decoder keeps; `lines` hold those that it kept."""


class Decoder:
    """An incremental decoder without input or output of its own; no result depends on how the bytes were cut.

    A CR at the end of a piece is held back until the next byte shows whether an LF belongs to it. Work is linear
    in the bytes fed. Memory is bounded by what is kept of one frame: its bytes and a `Line` for each of its lines.

    Args:
        max_frame_bytes: How many bytes of a frame are kept, terminators included and the blank line not. The
            line that crosses the limit is cut and has no terminator. What is cut off is never interpreted.
    """

    def __init__(self, *, max_frame_bytes: int = 16 * 1024 * 1024) -> None:
        self.bom = False
        """Whether the stream began with a byte order mark."""
        self.retry: int | None = None
        """The reconnection time asked for last, in milliseconds; at most 10**18, whatever the digits say."""
        self.last_event_id = ""
        """The id that a reconnecting reader would send; a blank line puts an `id` field in force."""
        self.offset = 0
        """How many bytes were fed."""
        self._max_frame_bytes = max_frame_bytes
        self._begun = False
        self._closed = False
        self._held = b""  # what may still be a byte order mark, or the first half of CR LF
        self._line_start = 0
        self._unfinished = bytearray()  # what is kept of the line at hand
        self._frame_start = 0
        self._kept = 0  # bytes of the frame that are kept, the unfinished line's included
        self._truncated = False
        self._lines: list[Line] = []
        self._data: list[str] = []
        self._type = ""
        self._id = ""

    def feed(self, piece: bytes) -> list[Frame]:
        """The frames that `piece` completes.

        Raises:
            ValueError: the decoder is closed.
        """
        if self._closed:
            raise ValueError("the decoder is closed; a new stream needs a new one")
        self.offset += len(piece)
        piece = self._held + piece
        self._held = b""
        if not self._begun:
            if len(piece) < len(_BOM) and _BOM.startswith(piece):
                self._held = piece
                return []
            self._begun = True
            if piece.startswith(_BOM):
                self.bom = True
                self._line_start = self._frame_start = len(_BOM)
                piece = piece[len(_BOM) :]
        if piece.endswith(b"\r"):
            self._held = b"\r"
            piece = piece[:-1]
        return self._frames(piece, start=self.offset - len(self._held) - len(piece))

    def close(self) -> list[Frame]:
        """The frames that the end of the input completes: what a last CR ends, or the unfinished tail."""
        self._closed = True
        held, self._held = self._held, b""
        frames = self._frames(held, start=self.offset - len(held))
        if self._unfinished:
            self._end_line(terminator=b"")
        if self._lines or self._truncated:
            frames.append(self._end_frame(end=self.offset, closed=False))
        return frames

    def _frames(self, piece: bytes, *, start: int) -> list[Frame]:
        frames = []
        position = 0
        for match in _LINE_END.finditer(piece):
            self._keep(piece[position : match.start()])
            position = match.end()
            if start + match.start() > self._line_start:
                self._end_line(terminator=match.group())
            elif self._frame_start < self._line_start:
                frames.append(self._end_frame(end=start + position, closed=True))
            else:
                self._frame_start = start + position
            self._line_start = start + position
        self._keep(piece[position:])
        return frames

    def _keep(self, part: bytes) -> None:
        if self._truncated:
            return
        room = self._max_frame_bytes - self._kept
        if len(part) > room:
            self._truncated = True
            part = part[:room]
        self._unfinished += part
        self._kept += len(part)

    def _end_line(self, *, terminator: bytes) -> None:
        if self._truncated or self._kept + len(terminator) > self._max_frame_bytes:
            self._truncated = True
            terminator = b""
        content = bytes(self._unfinished)
        self._unfinished.clear()
        self._kept += len(terminator)
        if content:
            line = Line(content=content, terminator=terminator, start=self._line_start)
            self._lines.append(line)
            if terminator:
                self._interpret(line)

    def _interpret(self, line: Line) -> None:
        match line.field:
            case b"data":
                self._data.append(line.value.decode("utf-8", "replace"))
            case b"event":
                self._type = line.value.decode("utf-8", "replace")
            case b"id" if b"\0" not in line.value:
                self._id = line.value.decode("utf-8", "replace")
            case b"retry" if _DIGITS.fullmatch(line.value):
                digits = line.value.lstrip(b"0") or b"0"
                self.retry = int(digits) if len(digits) <= _LONGEST_RETRY else 10**_LONGEST_RETRY

    def _end_frame(self, *, end: int, closed: bool) -> Frame:
        span = (self._frame_start, end)
        event = None
        if closed:
            self.last_event_id = self._id
            if self._data and not self._truncated:
                data = "\n".join(self._data)
                event = Event(type=self._type or "message", data=data, id=self._id, span=span)
        frame = Frame(lines=tuple(self._lines), span=span, closed=closed, event=event, truncated=self._truncated)
        self._frame_start = end
        self._kept = 0
        self._truncated = False
        self._lines = []
        self._data = []
        self._type = ""
        return frame


def decode(body: bytes) -> tuple[Frame, ...]:
    """The frames of a whole body, in wire order; the last one may be unfinished."""
    decoder = Decoder()
    return (*decoder.feed(body), *decoder.close())


def lines(body: bytes) -> Iterator[Line]:
    """All lines of a whole body in wire order, blank ones and an unfinished last one included."""
    start = len(_BOM) if body.startswith(_BOM) else 0
    for match in _LINE_END.finditer(body, start):
        yield Line(content=body[start : match.start()], terminator=match.group(), start=start)
        start = match.end()
    if start < len(body):
        yield Line(content=body[start:], terminator=b"", start=start)
