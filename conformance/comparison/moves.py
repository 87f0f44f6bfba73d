"""What two reports say differently of the requirements that both of them hold."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.report.findings import Row, decides
from conformance.requirement import catalogue
from conformance.selection import NOT_SELECTED

_DECIDED: Final = ("pass", "fail")
_HELD: Final = ("conformant", "partial")
_HARMLESS: Final = frozenset({"target", "version"})
"""What may differ between two runs that must still come to the same verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A requirement that has another verdict than before, or that one of the reports lacks."""

    row: Row
    """As the later report has it; as the earlier one does where the later lacks it."""
    was: str
    """Its verdict before; empty where the requirement is new."""
    now: str
    """Its verdict after; empty where it was removed."""
    why: str
    """What the report that saw less, or saw it broken, says of it."""
    violations: tuple[Mapping[str, str], ...] = ()
    """What was wrong, before or after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Something that the two runs were given, so that the target need not have changed."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """The requirements whose verdict is another, by what that means."""

    both: int
    """How many requirements both runs decided."""
    regressions: tuple[Move, ...]
    """Kept before and broken now, at a level that decides the run."""
    warnings: tuple[Move, ...]
    """A SHOULD that was kept and is broken, where no SHOULD decides."""
    options: tuple[Move, ...]
    """A MAY that is done in another way than before."""
    improvements: tuple[Move, ...]
    lost: tuple[Move, ...]
    """Decided before and not now."""
    decided: tuple[Move, ...]
    """Decided now and not before."""
    moods: tuple[str, ...]
    """Kept in one run and left undecided in the other, as a model's mood does from one run to the next."""
    broken: tuple[str, ...]
    """Broken in both."""
    added: tuple[Move, ...]
    removed: tuple[Move, ...]
    fallen: tuple[str, ...]
    """What was conformant and no longer is, with nothing else in the way: classes, and `run` for all together."""
    classes: Mapping[str, tuple[str, str]]
    """The classes with another verdict than before, with both."""

    @property
    def all(self) -> tuple[Move, ...]:
        """The moves of requirements that both reports hold."""
        return (
            *self.regressions,
            *self.warnings,
            *self.options,
            *self.improvements,
            *self.lost,
            *self.decided,
        )

    @property
    def broken_or_mended(self) -> tuple[Move, ...]:
        """Those of them that are broken in one of the runs."""
        return tuple(move for move in self.all if "fail" in (move.was, move.now))


def moves(
    before: Mapping[str, Any], after: Mapping[str, Any], differences: Iterable[Difference], *, strict: bool
) -> Moves:
    """What the later report says of its requirements that the earlier does not.

    Args:
        before: the report of the earlier run.
        after: that of the later.
        differences: what the runs were given that was not the same.
        strict: whether a broken SHOULD counts like a broken MUST.
    """
    old = {row["id"]: row for row in before["requirements"]}
    new = {row["id"]: row for row in after["requirements"]}
    pairs = [(old[identity], row) for identity, row in new.items() if identity in old]
    pairs = [pair for pair in pairs if not any(_left_alone(row) for row in pair)]
    broke = [_broken(*pair) for pair in pairs if _went(pair, "pass", "fail")]
    gating = [move for move in broke if decides(move.row, strict=strict)]
    swayed = [pair for pair in pairs if _swayed(*pair)]
    firm = [pair for pair in pairs if pair not in swayed]
    comparable = {difference.what for difference in differences} <= _HARMLESS
    classes = {
        name: (was, now)
        for name, was in before["classes"].items()
        if (now := after["classes"].get(name, was)) != was and not _swayed_class(name, was, now, swayed)
    }
    fallen = [name for name, (was, now) in classes.items() if was in _HELD and now == "nonconformant"]
    fallen += ["run"] if before["verdict"] == "conformant" and after["verdict"] == "nonconformant" else []
    return Moves(
        both=sum(was["verdict"] in _DECIDED and now["verdict"] in _DECIDED for was, now in pairs),
        regressions=tuple(gating),
        warnings=tuple(move for move in broke if move not in gating and move.row["level"] == "SHOULD"),
        options=tuple(move for move in broke if move not in gating and move.row["level"] == "MAY"),
        improvements=tuple(_mended(*pair) for pair in pairs if _went(pair, "fail", "pass")),
        lost=tuple(_lost(*pair) for pair in firm if _decided(pair) == (True, False)),
        decided=tuple(_newly_decided(*pair) for pair in firm if _decided(pair) == (False, True)),
        moods=tuple(now["id"] for _, now in swayed),
        broken=tuple(now["id"] for was, now in pairs if was["verdict"] == now["verdict"] == "fail"),
        added=tuple(_alone(row, now=row["verdict"]) for identity, row in new.items() if identity not in old),
        removed=tuple(_alone(row, was=row["verdict"]) for identity, row in old.items() if identity not in new),
        fallen=tuple(fallen) if comparable else (),
        classes=classes,
    )


def _left_alone(row: Row) -> bool:
    return bool(row["verdict"] == "untested" and row["explanation"] == NOT_SELECTED)


def _went(pair: tuple[Row, Row], was: str, now: str) -> bool:
    return (pair[0]["verdict"], pair[1]["verdict"]) == (was, now)


def _decided(pair: tuple[Row, Row]) -> tuple[bool, bool]:
    return pair[0]["verdict"] in _DECIDED, pair[1]["verdict"] in _DECIDED


def _swayed(was: Row, now: Row) -> bool:
    """Whether a model's mood is enough to explain the two verdicts."""
    row = catalogue().get(now["id"])
    return row is not None and "model" in row.needs and {was["verdict"], now["verdict"]} == {"pass", "inconclusive"}


def _swayed_class(name: str, was: str, now: str, swayed: Iterable[tuple[Row, Row]]) -> bool:
    return {was, now} <= {*_HELD, "incomplete"} and any(row["class"] == name for _, row in swayed)


def _broken(_was: Row, now: Row) -> Move:
    return Move(row=now, was="pass", now="fail", why=now["explanation"], violations=tuple(now["violations"]))


def _mended(was: Row, now: Row) -> Move:
    return Move(row=now, was="fail", now="pass", why=was["explanation"], violations=tuple(was["violations"]))


def _lost(was: Row, now: Row) -> Move:
    return Move(row=now, was=was["verdict"], now=now["verdict"], why=now["explanation"])


def _newly_decided(was: Row, now: Row) -> Move:
    why = now["explanation"] or was["explanation"]
    return Move(row=now, was=was["verdict"], now=now["verdict"], why=why, violations=tuple(now["violations"]))


def _alone(row: Row, *, was: str = "", now: str = "") -> Move:
    return Move(row=row, was=was, now=now, why=row["explanation"], violations=tuple(row["violations"]))
