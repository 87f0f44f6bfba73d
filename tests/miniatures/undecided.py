"""What each faulty or odd server leaves undecided, exactly; `python -m tests.miniatures.undecided` writes it anew.

A case's `unseen` is a person's word on what may become inconclusive, and an upper bound. This list is exact, since a
check that passes an answer which shows nothing is green on nothing, and no other test would notice.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from conformance.finding import Verdict
from tests.miniatures.model import Miniature
from tests.miniatures.settings import SETTINGS, of
from tests.miniatures.variants import Variant

FILE: Final = Path(__file__).with_suffix(".toml")
_HEAD: Final = "# Written by `python -m tests.miniatures.undecided`. A change here is a change of verdicts: read it.\n"


def name(case: Miniature | Variant) -> str:
    """A case's name, which no other has."""
    return f"{case.red[0]}: {case.name}" if isinstance(case, Miniature) else case.name


@cache
def undecided() -> Mapping[str, frozenset[str]]:
    """The requirements that are inconclusive, by the names of the cases where some are."""
    groups = tomllib.loads(FILE.read_text("utf-8")).values()
    return {case: frozenset(group["undecided"]) for group in groups for case in group["cases"]}


def _written() -> str:
    groups: dict[tuple[str, ...], list[str]] = {}
    for setting in SETTINGS:
        for case in setting.cases:
            if found := of(setting.findings(setting.changed(case.change)), Verdict.INCONCLUSIVE):
                groups.setdefault(tuple(sorted(found)), []).append(name(case))
    return _HEAD + "".join(
        f"\n[group-{number}]\ncases = {_list(cases)}\nundecided = {_list(found)}\n"
        for number, (found, cases) in enumerate(groups.items(), start=1)
    )


def _list(texts: tuple[str, ...] | list[str]) -> str:
    lines = "".join(f"  {_quoted(text)},\n" for text in texts)
    return f"[\n{lines}]"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


if __name__ == "__main__":
    FILE.write_text(_written(), "utf-8")
