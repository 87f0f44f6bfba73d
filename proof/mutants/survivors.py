"""The mutants that no test kills, each listed in survivors.toml with the reason, and the page that shows them."""

import re
import tomllib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from proof.mutants.trial import ROOT

LIST: Final = ROOT / "proof/survivors.toml"
PAGE: Final = ROOT / "docs/mutants.md"
_ROW: Final = re.compile(
    r"\| `(?P<module>[^`]+)` \| \d+ \| (?P<killed>\d+) \| (?P<timeout>\d+) \| (?P<survived>\d+) \|"
)

_HEAD: Final = """\
# Mutants

Coverage says that a test runs a line; this says that a test would notice if the line were wrong. `nox -s mutants`
changes our own code in one place at a time (mutmut's operators, and a few of ours on conditions and statements) and
runs the tests that speak of it; of the checks, those that enter the changed function when everything is judged
unchanged. A mutant that no test kills is read by a person. Either a test was missing, and was written, or the mutant
stands below with the reason why it may live. A survivor without a reason fails the session, and so does a reason
without its survivor.

`nox -s mutants -- sse checks/ending` runs two modules and renews their rows. The list is `proof/survivors.toml`. A
module that is not in the table was not run since it was changed last, or not yet, and nothing below speaks of it.

| module | mutants | killed | by timeout | survived |
| --- | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Survivor:
    """A mutant by what was changed, so that it is the same when lines move."""

    module: str
    function: str
    was: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What became of a module's mutants."""

    module: str
    killed: int
    timeout: int
    survived: int

    @property
    def mutants(self) -> int:
        """How many there were."""
        return self.killed + self.timeout + self.survived

    def __str__(self) -> str:
        return f"{self.mutants} mutants, {self.killed} killed, {self.survived} survived, {self.timeout} timeout"


def _groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads(LIST.read_text("utf-8"))["reason"]
    return found


def _listed(group: dict[str, Any]) -> Iterator[Survivor]:
    for module, mutants in group["mutants"].items():
        for function, was, now in mutants:
            yield Survivor(module=module, function=function, was=was, now=now)


def compared(totals: Totals, left: Sequence[Survivor]) -> list[str]:
    """What is wrong with the list: survivors of a module that it lacks, and those that it has and that were killed."""
    listed = {each for group in _groups() for each in _listed(group) if each.module == totals.module}
    wrong = [("survives", each) for each in sorted(set(left) - listed)]
    wrong += [("is listed and does not survive", each) for each in sorted(listed - set(left))]
    return [f"{each.function or 'the module'} {word}:\n    - {each.was}\n    + {each.now}" for word, each in wrong]


def last() -> Totals:
    """The sums of docs/mutants.md: of each module, its last run."""
    rows = [{name: int(found[name]) for name in ("killed", "timeout", "survived")} for found in _rows()]
    return Totals(module="all", **{name: sum(row[name] for row in rows) for name in ("killed", "timeout", "survived")})


def _rows() -> Iterator[re.Match[str]]:
    return _ROW.finditer(PAGE.read_text("utf-8") if PAGE.exists() else "")


def written(totals: Sequence[Totals], *, order: Sequence[str]) -> None:
    """Write docs/mutants.md: the rows of these modules anew, those of the others as they are, and the list."""
    rows = {
        found["module"]: Totals(
            module=found["module"],
            killed=int(found["killed"]),
            timeout=int(found["timeout"]),
            survived=int(found["survived"]),
        )
        for found in _rows()
    }
    rows |= {each.module: each for each in totals}
    known = [rows[name] for name in order if name in rows]
    lines = [f"| `{row.module}` | {row.mutants} | {row.killed} | {row.timeout} | {row.survived} |\n" for row in known]
    sums = [sum(getattr(row, name) for row in known) for name in ("mutants", "killed", "timeout", "survived")]
    lines.append(f"| all | {' | '.join(map(str, sums))} |\n")
    shown = {row.module for row in known}
    PAGE.write_text(_HEAD + "".join(lines) + "".join(_told(group, shown) for group in _groups()), "utf-8")


def _told(group: dict[str, Any], modules: Collection[str]) -> str:
    """The reason of a group and its survivors in these modules; empty where there are none."""
    survivors = sorted(each for each in _listed(group) if each.module in modules)
    if not survivors:
        return ""
    lines = [f"\n## {group['title']}\n\n{' '.join(group['why'].split())}\n\n```diff\n"]
    place = ""
    for each in survivors:
        if place != (place := f"@@ {each.module} {each.function} @@\n"):
            lines.append(place)
        lines.append(f"-{each.was}\n+{each.now}\n")
    return "".join(lines) + "```\n"
