import re
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import sse
from conformance.sse import Decoder, Frame, Line, decode, lines
from tests.sse_vectors import VECTORS, Vector

MIB = 1024 * 1024

each_vector = pytest.mark.parametrize("vector", [pytest.param(each, id=each.name) for each in VECTORS])

FRAGMENTS = [
    *(b"\r", b"\n", b"\r\n", b"\n\n", b":", b" ", b": ", b"\0", b"x", b"1", b"\xef\xbb\xbf", b"\xef", b"\xbb"),
    *(b"data", b"data:", b"data: ", b"event: a", b"event:", b"id: 7", b"id", b"id:\0", b"retry: 5", b"retry:x"),
    *(b": ping", b"Data:", b"\xe2\x80\xa8", b"\xe2\x80", b"\xff", b"\xc2\x85", b"\x0b", b"\xf0\x9f\x98\x80"),
    *(b"data: {}\n\n", b"data: [DONE]\r\n\r\n", b"event: error\ndata: {}\n\n"),
]
WIRE = st.one_of(st.lists(st.sampled_from(FRAGMENTS), max_size=30).map(b"".join), st.binary(max_size=60))

quick = settings(deadline=None, max_examples=300)


def fed(pieces: Iterable[bytes], *, decoder: Decoder | None = None) -> tuple[tuple[Frame, ...], Decoder]:
    decoder = decoder or Decoder()
    frames = [frame for piece in pieces for frame in decoder.feed(piece)]
    return (*frames, *decoder.close()), decoder


def cut(body: bytes, places: Iterable[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(body)]
    return [body[start:end] for start, end in pairwise(bounds)]


def one_byte_at_a_time(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


def dispatched(frames: Iterable[Frame]) -> list[tuple[str, str, str]]:
    return [(frame.event.type, frame.event.data, frame.event.id) for frame in frames if frame.event]


def state(decoder: Decoder) -> tuple[bool, int | None, str, int]:
    return decoder.bom, decoder.retry, decoder.last_event_id, decoder.offset


def lines_of_text(text: str) -> list[str]:
    ended, line = [], ""
    for place, character in enumerate(text):
        if character == "\n" and text[:place].endswith("\r"):
            continue
        if character in "\r\n":
            ended.append(line)
            line = ""
        else:
            line += character
    return ended


def reference(body: bytes) -> tuple[list[tuple[str, str, str]], str, int | None]:
    """Events, last event id and retry, by the letter of the standard: on text, whole, a character at a time."""
    text = body.decode("utf-8", "replace")
    events, last_id, retry = [], "", None
    data = kind = id_buffer = ""
    for line in lines_of_text(text[1:] if text[:1] == "\ufeff" else text):
        field, _, value = line.partition(":")
        value = value[1:] if value[:1] == " " else value
        if line == "":
            last_id = id_buffer
            if data != "":
                events.append((kind or "message", data[:-1], last_id))
            data = kind = ""
        elif field == "event":
            kind = value
        elif field == "data":
            data += value + "\n"
        elif field == "id":
            id_buffer = id_buffer if "\0" in value else value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            retry = int(value)
    return events, last_id, retry


@each_vector
def test_a_body_is_read_as_the_standard_reads_it(vector: Vector) -> None:
    frames, decoder = fed([vector.body])

    assert tuple(dispatched(frames)) == vector.events
    assert state(decoder) == (vector.bom, vector.retry, vector.last_event_id, len(vector.body))
    assert frames == decode(vector.body)


@each_vector
def test_every_cut_in_two_gives_the_same(vector: Vector) -> None:
    whole, at_once = fed([vector.body])

    for place in range(len(vector.body) + 1):
        frames, decoder = fed(cut(vector.body, [place]))
        assert frames == whole, place
        assert state(decoder) == state(at_once), place


@each_vector
def test_one_byte_at_a_time_gives_the_same(vector: Vector) -> None:
    whole, at_once = fed([vector.body])
    with_empty_reads = [piece for byte in one_byte_at_a_time(vector.body) for piece in (b"", byte, b"")]

    for pieces in (one_byte_at_a_time(vector.body), with_empty_reads):
        frames, decoder = fed(pieces)
        assert frames == whole
        assert state(decoder) == state(at_once)


def test_a_line_of_one_mebibyte_is_one_event_however_it_is_cut() -> None:
    body = b"data: " + b"\xf0\x9f\x98\x80" * (MIB // 4) + b"\r\n\r\n"
    whole = decode(body)
    near_the_ends = [*range(12), *range(len(body) - 12, len(body) + 1)]

    assert dispatched(whole) == [("message", "\N{GRINNING FACE}" * (MIB // 4), "")]
    for place in [*near_the_ends, *range(4096, len(body), 99_991)]:
        assert fed(cut(body, [place]))[0] == whole, place
    for size in (1000, 4093, 65_536):
        assert fed(cut(body, range(size, len(body), size)))[0] == whole, size


def test_a_crlf_cut_in_two_is_one_line_end() -> None:
    (frame,), _ = fed([b"data: x\r", b"\n", b"\r", b"\n"])

    assert [line.terminator for line in frame.lines] == [b"\r\n"]
    assert frame.span == (0, 11)


def test_a_last_cr_is_held_back_until_the_next_byte_or_the_end() -> None:
    decoder = Decoder()

    assert decoder.feed(b"data: x\r\r") == []
    assert len(decoder.feed(b"d")) == 1
    assert decoder.feed(b"ata\n\r") == []
    (frame,) = decoder.close()
    assert frame.closed


def test_a_line_shows_its_field_and_value_as_bytes() -> None:
    def parts(content: bytes) -> tuple[bytes, bytes, bool]:
        line = Line(content=content, terminator=b"\n", start=0)
        return line.field, line.value, line.is_comment

    assert parts(b"data:  x: y") == (b"data", b" x: y", False)
    assert parts(b"data:\xff") == (b"data", b"\xff", False)
    assert parts(b"data") == (b"data", b"", False)
    assert parts(b": ping") == (b"", b"ping", True)
    assert parts(b":") == (b"", b"", True)
    assert parts(b"") == (b"", b"", False)


def test_frames_keep_comments_unknown_lines_and_bytes_that_are_not_utf8() -> None:
    frames = decode(b": ping\n\n{}\n\ndata: \xff\n\n")

    assert [[line.content for line in frame.lines] for frame in frames] == [[b": ping"], [b"{}"], [b"data: \xff"]]
    assert [frame.event and frame.event.data for frame in frames] == [None, None, "\ufffd"]
    assert all(frame.closed for frame in frames)


def test_an_id_and_a_name_that_are_not_utf8_are_read_with_what_is_wrong_replaced() -> None:
    (frame,) = decode(b"id: 7\xff\nevent: a\xff\ndata: x\xff\n\n")

    assert frame.event is not None
    assert (frame.event.id, frame.event.type, frame.event.data) == ("7\ufffd", "a\ufffd", "x\ufffd")


def test_blank_lines_make_no_frames_and_lie_between_the_spans() -> None:
    frames = decode(b"\xef\xbb\xbf\n\ndata: 1\n\n\r\n\rdata: 2\n\n\n")

    assert [frame.span for frame in frames] == [(5, 14), (17, 26)]
    assert [frame.event and frame.event.span for frame in frames] == [(5, 14), (17, 26)]


def test_the_unfinished_tail_is_a_frame_that_dispatches_nothing() -> None:
    (frame,) = decode(b"event: error\ndata: {}")

    assert not frame.closed
    assert frame.event is None
    assert frame.span == (0, 21)
    assert [line.terminator for line in frame.lines] == [b"\n", b""]


def test_a_closed_decoder_takes_no_more_and_has_no_more() -> None:
    decoder = Decoder()
    decoder.feed(b"data: x")

    assert len(decoder.close()) == 1
    assert decoder.close() == []
    with pytest.raises(ValueError, match="closed"):
        decoder.feed(b"\n")


@quick
@given(wire=WIRE, data=st.data())
def test_frames_do_not_depend_on_how_the_bytes_were_cut(wire: bytes, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=8), label="places")
    limit = data.draw(st.one_of(st.just(MIB), st.integers(0, 40)), label="limit")
    whole, at_once = fed([wire], decoder=Decoder(max_frame_bytes=limit))

    for pieces in (cut(wire, places), one_byte_at_a_time(wire)):
        frames, decoder = fed(pieces, decoder=Decoder(max_frame_bytes=limit))
        assert frames == whole
        assert state(decoder) == state(at_once)


@quick
@given(wire=WIRE)
def test_events_are_those_of_a_slow_reader_of_text(wire: bytes) -> None:
    frames, decoder = fed([wire])

    assert (dispatched(frames), decoder.last_event_id, decoder.retry) == reference(wire)


@quick
@given(wire=WIRE)
def test_spans_point_back_at_the_wire(wire: bytes) -> None:
    frames, decoder = fed([wire])
    every = list(lines(wire))
    beginning = 3 if decoder.bom else 0

    assert wire[:beginning] + b"".join(line.content + line.terminator for line in every) == wire
    assert [line.start for line in every] == [beginning, *(line.end for line in every)][: len(every)]
    assert [line for frame in frames for line in frame.lines] == [line for line in every if line.content]
    here = beginning
    for frame in frames:
        start, end = frame.span
        assert wire[here:start].strip(b"\r\n") == b""
        assert start == frame.lines[0].start
        tail = wire[frame.lines[-1].end : end]
        assert tail in ({b"\r", b"\n", b"\r\n"} if frame.closed else {b""})
        assert frame.event is None or frame.event.span == frame.span
        here = end
    assert wire[here:].strip(b"\r\n") == b""


ONE_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)


@quick
@given(
    events=st.lists(st.tuples(ONE_LINE, st.lists(ONE_LINE, min_size=1, max_size=3)), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    between=st.sampled_from(["", ": ping", "nonsense: 1"]),
)
def test_what_was_written_is_read_back(events: list[tuple[str, list[str]]], end: str, between: str) -> None:
    written = ""
    for kind, data in events:
        fields = [f"event: {kind}", between, *(f"data: {each}" for each in data)]
        written += "".join(field + end for field in fields if field) + end

    frames = decode(written.encode())

    assert dispatched(frames) == [(kind or "message", "\n".join(data), "") for kind, data in events]


@quick
@given(wire=WIRE, limit=st.integers(0, 40))
def test_a_frame_over_the_limit_keeps_its_first_bytes_and_no_event(wire: bytes, limit: int) -> None:
    limited, _ = fed([wire], decoder=Decoder(max_frame_bytes=limit))
    unlimited = decode(wire)

    assert [(frame.span, frame.closed) for frame in limited] == [(frame.span, frame.closed) for frame in unlimited]
    for frame, full in zip(limited, unlimited, strict=True):
        start = frame.span[0]
        kept = b"".join(line.content + line.terminator for line in frame.lines)
        assert frame.truncated == (full.lines[-1].end - start > limit)
        if frame.truncated:
            assert frame.event is None
            assert wire[start:].startswith(kept)
            assert len(kept) <= limit
            assert wire[start + len(kept) : start + limit].strip(b"\r\n") == b""
        else:
            assert frame.lines == full.lines
            assert (frame.event is None) == (full.event is None)


def test_a_body_that_ends_with_a_line_end_has_no_line_after_it() -> None:
    assert [line.content for line in lines(b"data: x\n\n")] == [b"data: x", b""]
    assert list(lines(b"")) == []


def test_a_frame_over_the_limit_has_no_event_of_the_lines_that_it_kept() -> None:
    frames, _ = fed([b"data: kept\ndata: too long\n\n"], decoder=Decoder(max_frame_bytes=14))

    assert [(frame.truncated, frame.lines[0].value, frame.event) for frame in frames] == [(True, b"kept", None)]


def test_what_is_past_the_limit_is_not_interpreted() -> None:
    frames, decoder = fed([b"id: 1\nretry: 22\nid: 3\n\ndata: x\n\n"], decoder=Decoder(max_frame_bytes=14))

    assert [frame.truncated for frame in frames] == [True, False]
    assert frames[0].lines[-1] == Line(content=b"retry: 2", terminator=b"", start=6)
    assert decoder.retry is None
    assert dispatched(frames) == [("message", "x", "1")]


def test_a_terminator_that_does_not_fit_is_cut_off_whole() -> None:
    frames, _ = fed([b"data: x\r\ny\r\n\r\n"], decoder=Decoder(max_frame_bytes=8))

    assert frames[0].truncated
    assert frames[0].lines == (Line(content=b"data: x", terminator=b"", start=0),)
    assert frames[0].span == (0, 14)


def peak_of(pieces: Iterable[bytes], decoder: Decoder) -> tuple[int, int, Frame]:
    """Peak of traced memory in bytes, how many frames came, and the last of them."""
    tracemalloc.start()
    try:
        count = 0
        for piece in pieces:
            for frame in decoder.feed(piece):
                count, last = count + 1, frame
        for frame in decoder.close():
            count, last = count + 1, frame
        return tracemalloc.get_traced_memory()[1], count, last
    finally:
        tracemalloc.stop()


def stream_of_events(event: bytes, *, count: int, piece: int) -> Iterator[bytes]:
    """`count` times `event`, in pieces of about `piece` bytes whose cuts wander through the event."""
    batch = event * (piece // len(event))
    left = b""
    for number in range(count // (piece // len(event))):
        ready = left + batch
        place = len(ready) - number % len(event)
        yield ready[:place]
        left = ready[place:]
    yield left


def test_a_hundred_megabytes_of_events_take_little_memory() -> None:
    event = b"data: " + b"x" * 2000 + b"\n\n"
    count = 100_000_000 // len(event)
    decoder = Decoder()

    peak, seen, last = peak_of(stream_of_events(event, count=count, piece=65_536), decoder)

    assert decoder.offset > 99_000_000
    assert seen == decoder.offset // len(event)
    assert last.span == (decoder.offset - len(event), decoder.offset)
    assert peak < 2 * MIB


def test_an_endless_line_takes_no_more_memory_than_the_limit_allows() -> None:
    piece = b"x" * 65_536
    decoder = Decoder(max_frame_bytes=MIB)

    peak, seen, last = peak_of(repeat(piece, 1600), decoder)

    assert decoder.offset > 100_000_000
    assert (seen, last.truncated, last.closed, last.span) == (1, True, False, (0, decoder.offset))
    assert [len(line.content) for line in last.lines] == [MIB]
    assert peak < 4 * MIB


def test_every_byte_is_searched_for_line_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Counting:
        searched = 0

        def finditer(self, piece: bytes) -> Iterator[object]:
            self.searched += len(piece)
            return iter(real.finditer(piece))

    real = sse._LINE_END  # noqa: SLF001 - counting work is how linearity is shown without a clock
    counting = Counting()
    monkeypatch.setattr(sse, "_LINE_END", counting)
    body = b"data: " + b"x" * 300_000 + b"\r\n\r\n" + b": ping\r\r" * 1000

    for size in (1, 7, 1000, len(body)):
        counting.searched = 0
        frames, decoder = fed(cut(body, range(size, len(body), size)))
        assert counting.searched == decoder.offset == len(body)
        assert len(frames) == 1001
