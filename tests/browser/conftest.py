import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from conformance.report import html, overview
from conformance.report.history import histories, run
from tests import report_samples as samples
from tests.board_samples import EVERYTHING, KNOWN, a_year, laid
from tests.commands import called

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Arguments without which a browser as root does not start, or speaks to its maker."""
HOSTILE = "\"'><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>" + "w" * 400
STRANGE = "\x00\x07\x1b[31m\u202eevil\u2066\u061c</pre><script>window.hit = 1</script>" + "w" * 1_000_000
"""Control characters, marks that turn the direction of writing, and a megabyte on one line."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        pytest.fail("no Chromium is there; `nox -s browser` finds one, or says how to get it")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield started
        started.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages that are looked at, by name; those of the board stand beside the runs they lead to."""
    place = tmp_path_factory.mktemp("pages")
    report, exchanges = samples.hostile(HOSTILE)
    laid(a_year(place / "runs") / HOSTILE[:40].replace("/", "-"), report)
    (place / "runs" / "broken").mkdir()
    (place / "runs" / "broken" / "report.json").write_text("{", encoding="ascii")
    assert called("board", place / "runs").code == 0
    board = place / "runs" / "board"
    (target,) = board.glob("grid.example.com-scailabs-*.html")
    (hostile,) = (file for file in board.iterdir() if "script" in file.name)
    (with_known,) = histories([run(samples.mixed() | {"baseline": [KNOWN]}, place="run", page="")])
    written = {
        "run": html.page(samples.mixed(), EVERYTHING),
        "run-hostile": html.page(report, exchanges),
        "run-strange": html.page(*samples.hostile(STRANGE)),
        "run-large": html.page(*samples.large()),
        "target-known": overview.page(with_known),
    }
    for name, text in written.items():
        (place / f"{name}.html").write_text(text, encoding="utf-8")
    return {
        "board": board / "index.html",
        "target": target,
        "target-hostile": hostile,
        **{name: place / f"{name}.html" for name in written},
    }
