"""When the pieces of an answer came, as a drawing and as a sentence."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from conformance.exchange import Exchange
from conformance.report.spans import Span

WIDTH: Final = 720
HEIGHT: Final = 96
_LEFT: Final = 12
_RIGHT: Final = 12
_FLOOR: Final = 68  # where bars stand
_TALLEST: Final = 48
_COLUMN: Final = 3  # pieces that come within so many units are one bar
_TICKS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What came within one column of the drawing."""

    x: float
    y: float
    height: float
    marked: bool
    """Whether an offending byte is among it."""
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One label of the time axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A drawing, `WIDTH` by `HEIGHT` units, and what it shows in words."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    floor: float
    head: float
    """Where the head was complete."""
    silence: tuple[float, float]
    """Beginning and width of the longest time without a byte, after the first one."""
    text: str


def timeline(exchange: Exchange, spans: Sequence[Span] = ()) -> Timeline | None:
    """The drawing of an answer that came in more than one piece, or as an event stream; None for any other.

    Args:
        exchange: what went over the wire.
        spans: offending bytes, counted in the body as received.
    """
    response, pieces = exchange.response, exchange.pieces
    if response is None or not pieces:
        return None
    if len(pieces) < 2 and "event-stream" not in (response.header("content-type") or "").lower():
        return None
    whole = max(exchange.elapsed, pieces[-1].at, 0.001)

    def across(moment: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * min(max(moment, 0.0), whole) / whole, 1)

    moments = [piece.at for piece in pieces] + [whole]
    wait, since = max((later - earlier, earlier) for earlier, later in pairwise(moments))
    size = sum(len(piece.data) for piece in pieces)
    largest = max(len(piece.data) for piece in pieces)
    number = "1 piece" if len(pieces) == 1 else f"{len(pieces):,} pieces"
    return Timeline(
        bars=tuple(_bars(exchange, spans, [across(piece.at) for piece in pieces])),
        ticks=tuple(Tick(x=across(moment), label=label) for moment, label in _ticks(whole)),
        floor=_FLOOR,
        head=across(response.at),
        silence=(across(since), round(across(since + wait) - across(since), 1)),
        text=(
            f"{number}, {size:,} bytes in {whole:.3f} s. Head after {response.at:.3f} s,"
            f" first byte of the body after {pieces[0].at:.3f} s."
            f" Longest silence {max(wait, 0.0):.3f} s, from {since:.3f} s on. Largest piece {largest:,} bytes."
        ),
    )


def _bars(exchange: Exchange, spans: Sequence[Span], places: Sequence[float]) -> list[Bar]:
    columns: dict[int, list[int]] = {}
    for index, place in enumerate(places):
        columns.setdefault(int(place // _COLUMN), []).append(index)
    ends: list[int] = []
    for piece in exchange.pieces:
        ends.append((ends[-1] if ends else 0) + len(piece.data))
    sizes = {column: sum(len(exchange.pieces[index].data) for index in indexes) for column, indexes in columns.items()}
    most = max(1, *sizes.values())
    bars = []
    for column, indexes in columns.items():
        start, end = ends[indexes[0]] - len(exchange.pieces[indexes[0]].data), ends[indexes[-1]]
        height = max(3.0, round(_TALLEST * math.sqrt(sizes[column] / most), 1))
        pieces = f"{len(indexes)} pieces, " if len(indexes) > 1 else ""
        bars.append(
            Bar(
                x=places[indexes[0]],
                y=round(_FLOOR - height, 1),
                height=height,
                marked=any(first < end and last > start for first, last in spans),
                title=f"{exchange.pieces[indexes[0]].at:.3f} s: {pieces}{sizes[column]:,} bytes, from byte {start:,}",
            )
        )
    return bars


def _ticks(whole: float) -> list[tuple[float, str]]:
    rough = whole / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return [(index * step, f"{index * step:.{digits}f} s") for index in range(int(whole / step + 1e-9) + 1)]
