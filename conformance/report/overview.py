"""The pages of a board: all targets by classes, and one page for each of them; nothing but files, no script."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from conformance import __version__
from conformance.report.findings import MEANING, STRICT_MEANING
from conformance.report.history import History
from conformance.report.html import rendered
from conformance.report.trend import trend
from conformance.requirement import CLASSES

_STYLE: Final = ("page.css", "board.css")
_STEPS: Final = 50  # neighbouring runs whose changes are told, the newest
_TURNS: Final = 200  # changes told of one pair
_URLS: Final = 10  # addresses named of one target


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that was found and is not shown."""

    place: str
    reason: str


def index(histories: Sequence[History], left_out: Sequence[LeftOut]) -> str:
    """The first page: the newest run of each target, by classes, and what is missing and why."""
    verdicts = Counter(history.newest.report["verdict"] for history in histories)
    return rendered(
        "board.html",
        style=_STYLE,
        histories=histories,
        left_out=left_out,
        runs=sum(len(history.runs) for history in histories),
        verdicts={word: verdicts[word] for word in MEANING},
        version=__version__,
        CLASSES=CLASSES,
    )


def page(history: History) -> str:
    """The page of one target: its runs, how they went, and what changed from each to the next."""
    return rendered(
        "target.html",
        style=_STYLE,
        history=history,
        trend=trend(history.runs),
        steps=tuple(reversed(history.steps[-_STEPS:])),
        places=tuple(dict.fromkeys(run.report["target"]["url"] for run in reversed(history.runs))),
        version=__version__,
        CLASSES=CLASSES,
        MEANING=MEANING,
        STRICT_MEANING=STRICT_MEANING,
        TURNS=_TURNS,
        URLS=_URLS,
    )
