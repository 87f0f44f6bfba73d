"""Reports put in order: the runs of one target, what became of its requirements, and who is the same target."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any, Final
from urllib.parse import urlsplit

from conformance.requirement import CLASSES

_DEFAULT_PORTS: Final[Mapping[str, int]] = {"http": 80, "https": 443}
_LOOPBACK: Final = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")

WHAT: Final = ("broken", "mended", "no longer decided", "decided now", "changed", "new", "gone")
"""What can become of a requirement, the gravest first."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identity:
    """What tells one target from another: where it is, what it speaks, and which model was asked for."""

    place: str
    """Host, port and path of the URL; without the port on the loopback, which is another at each start."""
    model: str
    profile: str

    @property
    def slug(self) -> str:
        """A file name for the target: what can be read of it, and a digest that keeps two apart."""
        readable = re.sub(r"[^a-z0-9.]+", "-", f"{self.place} {self.model} {self.profile}".lower())
        digest = sha256(json.dumps([self.place, self.model, self.profile]).encode("ascii")).hexdigest()
        return f"{readable[:60].strip('-.')}-{digest[:12]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A requirement as a run left it."""

    id: str
    level: str
    certifies: str
    text: str
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the board keeps of one report."""

    place: str
    """The directory of the report, below the one that was searched."""
    page: str
    """A relative URL of the run's report.html; empty where there is none."""
    report: Mapping[str, Any]
    """All of report.json but its requirements and exchanges."""
    rows: Mapping[str, Row]
    began: datetime
    """When, in UTC."""

    @property
    def identity(self) -> Identity:
        """Whose run it is."""
        return identity(self.report["target"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The result of each class, in the order of `CLASSES`; empty where the report does not speak of one."""
        return tuple(self.report["classes"].get(name, "") for name in CLASSES)

    @property
    def known(self) -> tuple[Mapping[str, str], ...]:
        """The known failures that the run was judged with; reports of earlier versions have none."""
        return tuple(self.report.get("baseline", ()))

    @property
    def kept(self) -> int:
        """Requirements that passed."""
        return self._counted("pass")

    @property
    def broken(self) -> int:
        """Requirements that failed, of any level."""
        return self._counted("fail")

    @property
    def broken_musts(self) -> int:
        """Those of them that are a MUST."""
        return sum(row.verdict == "fail" and row.level == "MUST" for row in self.rows.values())

    @property
    def in_doubt(self) -> int:
        """Requirements that were looked at and not decided."""
        return self._counted("inconclusive") + self._counted("error")

    @property
    def unseen(self) -> int:
        """Requirements that were not tested, or do not apply."""
        return self._counted("untested") + self._counted("not_applicable")

    def _counted(self, verdict: str) -> int:
        return Counter(row.verdict for row in self.rows.values())[verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A requirement of which two neighbouring runs do not say the same."""

    what: str
    """One of `WHAT`."""
    row: Row
    before: str
    """The verdict of the earlier run, empty where it did not know the requirement."""
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Two neighbouring runs."""

    number: int
    """The later one's, counted from 1."""
    before: Run
    after: Run

    @property
    def narrowed(self) -> bool:
        """Whether the two were asked to look at different things."""
        return bool(self.before.report["selection"] != self.after.report["selection"])

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What changed, by gravity, then in the order of the page; without what only one of two selections tested."""
        return tuple(turn for turn in self._all if not self._is_one_sided(turn))

    @property
    def one_sided(self) -> int:
        """How many requirements only one of two selections tested, and did not find broken."""
        return sum(map(self._is_one_sided, self._all))

    @property
    def counts(self) -> Mapping[str, int]:
        """How many requirements became what."""
        return Counter(turn.what for turn in self.turns)

    @property
    def _all(self) -> Iterator[Turn]:
        names = dict.fromkeys((*self.after.rows, *self.before.rows))
        turns = (_turn(self.before.rows.get(name), self.after.rows.get(name)) for name in names)
        return iter(sorted((turn for turn in turns if turn), key=lambda turn: WHAT.index(turn.what)))

    def _is_one_sided(self, turn: Turn) -> bool:
        verdicts = (turn.before, turn.after)
        return self.narrowed and "untested" in verdicts and "fail" not in verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All runs of one target, the oldest first."""

    identity: Identity
    runs: tuple[Run, ...]

    @property
    def newest(self) -> Run:
        """The run that says how the target is now."""
        return self.runs[-1]

    @property
    def before(self) -> Run | None:
        """The run before the newest."""
        return self.runs[-2] if len(self.runs) > 1 else None

    @property
    def steps(self) -> tuple[Step, ...]:
        """What happened from each run to the next."""
        return tuple(
            Step(number=number, before=before, after=after)
            for number, (before, after) in enumerate(pairwise(self.runs), 2)
        )


def run(report: Mapping[str, Any], *, place: str, page: str) -> Run:
    """What the board keeps of a report that its schema has passed.

    Raises:
        ValueError: its `started` has the form of a time and is none.
    """
    return Run(
        place=place,
        page=page,
        report={name: value for name, value in report.items() if name not in ("requirements", "exchanges", "inputs")},
        rows={
            each["id"]: Row(
                id=each["id"],
                level=each["level"],
                certifies=each["class"],
                text=each["text"],
                verdict=each["verdict"],
            )
            for each in report["requirements"]
        },
        began=datetime.fromisoformat(report["started"]),
    )


def identity(target: Mapping[str, str]) -> Identity:
    """Whose report this is.

    The scheme takes no part: a deployment that learns TLS is the same one. A URL that cannot be read stands for itself.
    """
    url = target["url"]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    place = url
    if host:
        shown = f"[{host}]" if ":" in host else host
        chosen = port is not None and port != _DEFAULT_PORTS.get(parts.scheme) and not _LOOPBACK.fullmatch(host)
        place = f"{shown}:{port}" if chosen else shown
        place += parts.path.rstrip("/")
    return Identity(place=place, model=target["model"], profile=target["profile"])


def histories(runs: Iterable[Run]) -> tuple[History, ...]:
    """The targets in alphabetical order, each with its runs in the order of time."""
    by_target: dict[Identity, list[Run]] = {}
    for each in runs:
        by_target.setdefault(each.identity, []).append(each)
    return tuple(
        History(identity=target, runs=tuple(sorted(of, key=lambda each: (each.began, each.place))))
        for target, of in sorted(by_target.items())
    )


def _turn(before: Row | None, after: Row | None) -> Turn | None:
    if after is None:
        return Turn(what="gone", row=before, before=before.verdict, after="") if before else None
    said = before.verdict if before else ""
    if said == after.verdict:
        return None
    return Turn(what=_what(said, after.verdict), row=after, before=said, after=after.verdict)


def _what(before: str, after: str) -> str:
    match before, after:
        case _, "fail":
            return "broken"
        case "", _:
            return "new"
        case "fail", "pass":
            return "mended"
        case _, "pass":
            return "decided now"
        case "pass" | "fail", _:
            return "no longer decided"
    return "changed"
