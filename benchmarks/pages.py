"""What a report's page costs a browser beside the same bytes as plain text, as ratios of one run.

`nox -s benchmark-pages`, or `CHROMIUM=... python -m benchmarks.pages`. Both are opened from disk, each in a window of
its own, until all is painted; each figure is the middle of several rounds, with the extremes beside it.
"""

import argparse
import asyncio
import html as escaping
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from conformance import run, stored
from conformance.embedded import staged
from conformance.report import html
from conformance.selection import Selection
from conformance.target import Limits, Target
from tests import report_samples as samples
from tests.browser.conftest import QUIET

_LIMITS = Limits(max_requests=5000, max_tokens=1_000_000)
_PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"


def main() -> None:
    """Print a table of ratios."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    options.add_argument("--rounds", type=int, default=5, metavar="N")
    rounds: int = options.parse_args().rounds
    report, exchanges = samples.large()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        pages = {
            "a run of declared requests": _page_of_a_run(place / "declared", Selection()),
            "a run of 200 generated examples": _page_of_a_run(place / "generated", Selection(examples=200, seed=1)),
            f"{len(exchanges)} exchanges, a violation in each": html.page(report, exchanges),
        }
        print("| page | kB | opens, as many times as long as its bytes as plain text |")
        print("| --- | ---: | ---: |")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=QUIET)
            for name, page in pages.items():
                ratios = [_ratio(browser, place, page) for _ in range(rounds)]
                told = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
                print(f"| {name} | {len(page.encode()) // 1000} | {told} |", flush=True)
            browser.close()


def _page_of_a_run(place: Path, selection: Selection) -> str:
    place.mkdir()
    with staged(Target(url="", limits=_LIMITS)) as stage:
        asked = run.plan(stage.target, selection)
        asyncio.run(run.observed(place, target=stage.target, key=stage.key, selection=selection, asked=asked))
    stored.write_reports(place, stored.judged(place).report, place)
    return (place / "report.html").read_text("utf-8")


def _ratio(browser: Browser, place: Path, page: str) -> float:
    plain = "<!doctype html><title>plain</title><pre>" + escaping.escape(page)
    return _opened(browser, place / "page.html", page) / _opened(browser, place / "plain.html", plain)


def _opened(browser: Browser, file: Path, content: str) -> float:
    """Seconds until it is painted."""
    file.write_text(content, "utf-8")
    window = browser.new_page()
    begun = time.perf_counter()
    window.goto(file.as_uri())
    window.evaluate(_PAINTED)
    took = time.perf_counter() - begun
    window.close()
    return took


if __name__ == "__main__":
    main()
