"""The report as workflow commands: what GitHub shows as annotations of a run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.report.findings import MEANING, Row, findings, listed, place
from conformance.report.visible import cut, visible

_MOST: Final = 10  # of one kind; GitHub drops those that one step prints beyond these
_NAMES: Final = 30  # requirements named in the last of a kind
_LONGEST: Final = 2_000  # characters of one thing expected or found


def commands(report: Mapping[str, Any]) -> str:
    """One line for the verdict, and one for each requirement that a reader must look at, the gravest first.

    What decides the verdict is an error, a broken SHOULD a warning, a broken MAY a notice. Where there are more than
    GitHub keeps, the last of a kind names the rest.
    """
    found = findings(report)
    errors = (*found.failures, *found.errors, *found.undecided)
    return "".join(
        f"{line}\n"
        for line in (
            _verdict(report),
            *_kind("error", errors, room=_MOST - (report["verdict"] != "conformant")),
            *_kind("warning", found.warnings, room=_MOST),
            *_kind("notice", found.notes, room=_MOST - (report["verdict"] == "conformant")),
        )
    )


def _verdict(report: Mapping[str, Any]) -> str:
    verdict, target = report["verdict"], report["target"]
    kept = f"{report['counts']['pass']} of {len(report['requirements'])} requirements were seen kept."
    kind = "notice" if verdict == "conformant" else "error"
    title = f"{verdict}: {target['model'] or 'the model'} on {target['url']}"
    return _command(kind, title, filter(None, (MEANING[verdict], report["reason"], kept)))


def _kind(kind: str, rows: Sequence[Row], *, room: int) -> Iterator[str]:
    shown = len(rows) if len(rows) <= room else room - 1
    for row in rows[:shown]:
        yield _command(kind, f"{row['id']} ({row['level']})", _account(row))
    if rest := rows[shown:]:
        names = listed((row["id"] for row in rest), limit=_NAMES)
        yield _command(kind, f"and {len(rest)} more", (names, "The summary and report.html show them."))


def _account(row: Row) -> Iterator[str]:
    yield row["text"]
    if not row["violations"]:
        yield row["explanation"]
    for violation in row["violations"][:1]:
        yield f"expected: {violation['expected']}"
        yield f"found: {violation['found']}"
        yield f"where: {place(violation['where'])}, in the exchange {violation['exchange']}"


def _command(kind: str, title: str, lines: Iterable[str]) -> str:
    """A workflow command, escaped as the runner undoes it; nothing in it can end it or begin another."""
    text = "\n".join(map(_shown, lines))
    return f"::{kind} title={_escaped(_shown(title), '%:,')}::" + _escaped(text, "%\n")


def _shown(text: str) -> str:
    return visible(cut(text, limit=_LONGEST))


def _escaped(text: str, characters: str) -> str:
    return re.sub(f"[{characters}]", lambda match: f"%{ord(match.group()):02X}", text)
