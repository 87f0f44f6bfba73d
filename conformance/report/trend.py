"""How a target's runs went one after the other, as a drawing and as a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.report.history import Run

MOST: Final = 30
"""Runs that are drawn, the newest; the page's table holds them all."""
_LEFT: Final = 68  # the names of the panels
_COLUMN: Final = 38
_BAR: Final = 24
_TOP: Final = 26  # the verdicts
_PANEL: Final = 74
_TALLEST: Final = 44
_FOOT: Final = 24  # the numbers of the runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A number of one run."""

    x: int
    y: int
    height: int
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One number of each run, on a scale of its own."""

    name: str
    tone: str
    """The verdict whose colour it has."""
    floor: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A run: its number, and what it came to."""

    x: int
    number: int
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A drawing, `width` by `height` units, and what it shows in words."""

    width: int
    height: int
    bar: int
    """The width of each bar."""
    columns: tuple[Column, ...]
    panels: tuple[Panel, ...]
    text: str


def trend(runs: Sequence[Run]) -> Trend:
    """The drawing of a target's runs, the oldest first; at least one, and of many the newest."""
    first = max(1, len(runs) - MOST + 1)
    drawn = runs[first - 1 :]
    places = tuple(_LEFT + _COLUMN * index + _COLUMN // 2 for index in range(len(drawn)))
    numbers = (
        ("kept", "pass", tuple(run.kept for run in drawn)),
        ("broken", "fail", tuple(run.broken for run in drawn)),
        ("in doubt", "inconclusive", tuple(run.in_doubt for run in drawn)),
    )
    return Trend(
        width=_LEFT + _COLUMN * len(drawn),
        height=_TOP + _PANEL * len(numbers) + _FOOT,
        bar=_BAR,
        columns=tuple(
            Column(x=x, number=number, verdict=run.report["verdict"])
            for number, (x, run) in enumerate(zip(places, drawn, strict=True), first)
        ),
        panels=tuple(
            Panel(name=name, tone=tone, floor=floor, bars=_bars(places, of, floor))
            for floor, (name, tone, of) in zip(_floors(len(numbers)), numbers, strict=True)
        ),
        text=" ".join(
            (
                f"Runs {first} to {len(runs)}, the oldest first." if len(drawn) > 1 else f"Run {len(runs)}.",
                *(f"{name.capitalize()}: {_listed(of)}." for name, _, of in numbers),
            )
        ),
    )


def _floors(panels: int) -> tuple[int, ...]:
    return tuple(_TOP + _PANEL * (index + 1) for index in range(panels))


def _bars(places: Iterable[int], numbers: Sequence[int], floor: int) -> tuple[Bar, ...]:
    most = max(1, *numbers)
    heights = [max(round(_TALLEST * number / most), 2) if number else 0 for number in numbers]
    return tuple(
        Bar(x=x, y=floor - height, height=height, number=number)
        for x, number, height in zip(places, numbers, heights, strict=True)
    )


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(f"{number:,}" for number in numbers)
