"""Runs of several targets over time, as directories, for the tests of the board."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.report import html
from tests import report_samples as samples

GRID = {"url": "https://grid.example.com", "profile": "native", "model": "scailabs/poolnoodle-omni"}
OTHER = {"url": "https://other.example.com:8443/chat", "profile": "openai", "model": "small"}
EVERYTHING = (samples.GREETING, samples.BERN, samples.DEAD)
KNOWN = {
    "requirement": "stream.done-is-last",
    "reason": "The gateway of this year closes without it.",
    "link": "https://tracker.example.com/7",
    "until": "2027-01-31",
    "standing": "known",
    "explanation": "",
}


def laid(directory: Path, report: Mapping[str, Any], *, page: bool = True) -> Path:
    """The directory of a run that holds this report, and what people read of it."""
    directory.mkdir(parents=True)
    (directory / "report.json").write_text(json.dumps(report), encoding="ascii")
    if page:
        (directory / "report.html").write_text(html.page(report, EVERYTHING), encoding="utf-8")
    return directory


def a_year(place: Path) -> Path:
    """Four runs of one target and one of another: it breaks, is mended, and is looked at through a keyhole."""
    begun = "2026-0{}-01T08:00:00Z"
    laid(place / "grid" / "1", samples.clean() | {"started": begun.format(1), "target": GRID})
    laid(place / "grid" / "2", samples.mixed(started=begun.format(3), target=GRID))
    laid(place / "grid" / "3", samples.clean() | {"started": begun.format(5), "target": GRID}, page=False)
    laid(place / "grid" / "4", samples.mixed(started=begun.format(7), target=GRID, selection="--only stream"))
    laid(place / "other", samples.clean() | {"started": begun.format(2), "target": OTHER})
    return place
