"""diff.json: what two runs say differently, as a record that the formats are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from conformance.comparison.changes import Change, changes
from conformance.comparison.manner import manner, shared
from conformance.comparison.moves import Difference, Move, Moves, moves
from conformance.evidence import Evidence
from conformance.requirement import catalogue

FORMAT: Final = "chat-conformance-diff/1"
REGRESSION: Final = "regression"
_VIOLATIONS: Final = 5  # of one requirement; the report has them all


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it is compared: its report, and the evidence where that can be read."""

    report: Mapping[str, Any]
    evidence: Evidence | None
    unread: str = ""
    """Why the evidence cannot be read."""


def compared(before: Run, after: Run, *, strict: bool = False) -> dict[str, Any]:
    """The difference of two runs (its schema: `diff.schema.json`).

    Args:
        before: the earlier run.
        after: the later one.
        strict: whether a broken SHOULD counts like a broken MUST, whatever the later run says.
    """
    strict = strict or bool(after.report["strict"])
    differences = tuple(_differences(before, after))
    moved = moves(before.report, after.report, differences, strict=strict)
    if before.evidence and after.evidence:
        old, new = shared(before.evidence.exchanges, after.evidence.exchanges)
    else:
        old, new = [], []
    found = changes(manner(old), manner(new), moved, reports=(before.report, after.report))
    return {
        "format": FORMAT,
        "result": _result(moved, found),
        "strict": strict,
        "before": _run(before),
        "after": _run(after),
        "differences": [{"what": each.what, "before": each.before, "after": each.after} for each in differences],
        "compared": {"requirements": moved.both, "exchanges": len(new)},
        "fallen": list(moved.fallen),
        "classes": {name: {"before": was, "after": now} for name, (was, now) in moved.classes.items()},
        "regressions": _moves(moved.regressions),
        "warnings": _moves(moved.warnings),
        "improvements": _moves(moved.improvements),
        "options": _moves(moved.options),
        "changes": [_change(each) for each in found],
        "lost": _moves(moved.lost),
        "decided": _moves(moved.decided),
        "added": _moves(moved.added),
        "removed": _moves(moved.removed),
        "moods": list(moved.moods),
        "broken": list(moved.broken),
    }


def _result(moved: Moves, found: Sequence[Change]) -> str:
    if moved.regressions or moved.fallen:
        return REGRESSION
    if moved.improvements:
        return "improvement"
    return "changed" if moved.all or moved.added or moved.removed or moved.classes or found else "unchanged"


def _run(run: Run) -> dict[str, Any]:
    report = run.report
    names = ("suite", "target", "started", "verdict", "reason", "ended", "selection", "strict", "requests")
    return {name: report[name] for name in names} | {"evidence": run.evidence is not None, "unread": run.unread}


def _moves(moved: Sequence[Move]) -> list[dict[str, Any]]:
    return [
        {name: move.row[name] for name in ("id", "level", "class", "basis", "section", "text")}
        | {
            "before": move.was,
            "after": move.now,
            "why": move.why,
            "violations": [dict(each) for each in move.violations[:_VIOLATIONS]],
            "reproduce": move.row["reproduce"] if move.now == "fail" else "",
        }
        for move in moved
    ]


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "names": list(change.names),
        "says": change.says,
        "before": change.before,
        "after": change.after,
        "readings": [_reading(identity) for identity in change.readings],
        "of": list(change.of),
    }


def _reading(identity: str) -> dict[str, Any]:
    readings = catalogue()[identity].readings
    assert readings is not None
    return {"requirement": identity, "taken": readings.taken, "others": list(readings.others)}


# What else was not the same.


def _differences(before: Run, after: Run) -> list[Difference]:
    """What the runs were given that differs, or how they ended; the port of a server is another at each start."""
    told = [
        Difference(what=what, before=str(was), after=str(now))
        for what, was, now in zip(_GIVEN, _given(before.report), _given(after.report), strict=True)
        if was != now
    ]
    if before.evidence and after.evidence:
        old, new = before.evidence.header, after.evidence.header
        told += [
            Difference(what=what, before=_listed(was), after=_listed(now))
            for what in ("triggers", "capabilities", "max_output_tokens")
            if (was := old["target"][what]) != (now := new["target"][what])
        ]
    return told


_GIVEN: Final = ("catalogue", "version", "target", "profile", "model", "selection", "strict", "ended")


def _given(report: Mapping[str, Any]) -> tuple[Any, ...]:
    suite, target = report["suite"], report["target"]
    return (
        suite["catalogue"],
        suite["version"],
        urlsplit(target["url"]).hostname or target["url"],
        target["profile"],
        target["model"],
        report["selection"],
        "yes" if report["strict"] else "no",
        report["ended"],
    )


def _listed(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {'yes' if has else 'no'}" for name, has in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
