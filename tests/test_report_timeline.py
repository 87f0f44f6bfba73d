from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.exchange import Piece
from conformance.report.timeline import HEIGHT, WIDTH, timeline
from tests import report_samples as samples


def test_one_piece_of_json_needs_no_drawing() -> None:
    assert timeline(samples.BERN) is None
    assert timeline(samples.DEAD) is None


def test_a_stream_in_one_piece_is_drawn() -> None:
    line = timeline(samples.streamed([b"data: [DONE]\n\n"]))

    assert line is not None
    assert line.text.startswith("1 piece, 14 bytes in 0.310 s.")


def test_the_sentence_tells_the_first_byte_and_the_longest_silence() -> None:
    pieces = (Piece(at=0.5, data=b"abc"), Piece(at=2.0, data=b"d" * 1200), Piece(at=2.1, data=b"e"))
    line = timeline(replace(samples.GREETING, pieces=pieces, elapsed=2.2))

    assert line is not None
    assert line.text == (
        "3 pieces, 1,204 bytes in 2.200 s. Head after 0.210 s, first byte of the body after 0.500 s."
        " Longest silence 1.500 s, from 0.500 s on. Largest piece 1,200 bytes."
    )


def test_silence_after_the_last_piece_counts() -> None:
    line = timeline(replace(samples.GREETING, elapsed=60.0))

    assert line is not None
    assert "Longest silence 59.550 s, from 0.450 s on." in line.text


def test_bars_stand_in_time_and_grow_with_bytes() -> None:
    pieces = (Piece(at=0.0, data=b"a"), Piece(at=1.0, data=b"b" * 400), Piece(at=2.0, data=b"c" * 100))
    line = timeline(replace(samples.GREETING, pieces=pieces, elapsed=2.0))

    assert line is not None
    assert [bar.x for bar in line.bars] == [12.0, 360.0, 708.0]
    assert line.bars[1].height == 2 * line.bars[2].height


def test_only_the_bar_that_holds_an_offending_byte_is_marked() -> None:
    starts = [0, len(samples.GREETING.pieces[0].data)]
    line = timeline(samples.GREETING, [(starts[1] + 1, starts[1] + 3)])

    assert line is not None
    assert [bar.marked for bar in line.bars] == [False, True, False, False]


def test_thousands_of_pieces_make_few_bars() -> None:
    pieces = tuple(Piece(at=number / 1000, data=b"x") for number in range(20_000))
    line = timeline(replace(samples.GREETING, pieces=pieces, elapsed=20.0))

    assert line is not None
    assert len(line.bars) < 260
    assert line.text.startswith("20,000 pieces, 20,000 bytes")


@settings(deadline=None, max_examples=80)
@given(
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=20).map(sorted),
    elapsed=st.floats(0, 1e6),
    sizes=st.integers(0, 5000),
)
def test_any_times_stay_inside_the_drawing(times: list[float], elapsed: float, sizes: int) -> None:
    pieces = tuple(Piece(at=at, data=b"x" * sizes) for at in times)
    line = timeline(replace(samples.GREETING, pieces=pieces, elapsed=elapsed))

    assert line is not None
    for x in (
        *(bar.x for bar in line.bars),
        *(tick.x for tick in line.ticks),
        line.head,
        line.silence[0],
        sum(line.silence),
    ):
        assert 0 <= x <= WIDTH
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in line.bars)
    assert 1 <= len(line.ticks) <= 8
