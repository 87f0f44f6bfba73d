"""The failures that are known: which requirement, in which way, why, and until when."""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from conformance import schema
from conformance.target import BadInput, content_of, others, way_out

ANY: Final = "*"
"""What fits every text; also what stands for any run of characters inside a longer pattern."""
FINER: Final = ("probe", "where", "expected", "found")
"""The members of an entry that narrow it to some violations of its requirement."""
_BLANKS: Final[Mapping[str, str]] = {
    "reason": "say why this failure is known, in a sentence",
    "link": "give the address where more of it stands, such as https://issues.example.com/17",
    "until": "give the last day on which it is known, such as 2026-12-31",
}
"""What a draft leaves to a person, and how each is filled in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One known failure: all violations of a requirement that fit its patterns."""

    requirement: str
    reason: str
    link: str
    until: date
    """The last day on which it is known, in UTC."""
    probe: str = ANY
    where: str = ANY
    expected: str = ANY
    found: str = ANY

    def __str__(self) -> str:
        """The requirement, and what narrows the entry."""
        finer = ", ".join(f"{name} {value}" for name, value in self.finer.items())
        return f"{self.requirement} ({finer})" if finer else self.requirement

    @property
    def excuse(self) -> str:
        """Why it is let pass, and until when."""
        return f"{self.reason}, {self.link}, until {self.until}"

    @property
    def finer(self) -> dict[str, str]:
        """The patterns that narrow it, by name; none where every failure of the requirement is known."""
        return {name: value for name in FINER if (value := getattr(self, name)) != ANY}

    def covers(self, *, probe: str, where: str, expected: str, found: str) -> bool:
        """Whether a violation of its requirement is one that is known."""
        told = {"probe": probe, "where": where, "expected": expected, "found": found}
        return all(fits(pattern, told[name]) for name, pattern in self.finer.items())


class Standing(StrEnum):
    """What a run says of an entry."""

    KNOWN = "known"  # the requirement failed in this way
    STALE = "stale"  # it was looked at, and did not fail in this way
    EXPIRED = "expired"  # the run began after its last day
    UNDECIDED = "undecided"  # the run did not show enough


LAPSED: Final = (Standing.STALE, Standing.EXPIRED)
"""The standings that no gate lets pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An entry and what a run says of it."""

    entry: Entry
    standing: Standing
    explanation: str = ""


def fits(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern says: `*` stands for any run of characters, all else for itself."""
    first, *rest = pattern.split("*")
    if not rest:
        return text == pattern
    *middle, last = rest
    end = len(text) - len(last)
    if not text.startswith(first) or not text.endswith(last) or end < len(first):
        return False
    at = len(first)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def day(moment: float) -> date:
    """The day of a Unix time, in UTC."""
    return datetime.fromtimestamp(moment, UTC).date()


def to_json(entry: Entry) -> dict[str, str]:
    """The entry as the evidence keeps it."""
    told = {"reason": entry.reason, "link": entry.link, "until": entry.until.isoformat()}
    return {"requirement": entry.requirement, **entry.finer, **told}


def from_json(record: Mapping[str, str]) -> Entry:
    """The entry of a record that keeps `baseline.schema.json#/$defs/entry`.

    Raises:
        ValueError: its last day is none of the calendar.
    """
    texts = {name: value for name, value in record.items() if name != "until"}
    return Entry(**texts, until=date.fromisoformat(record["until"]))


def loaded(file: Path, *, requirements: Collection[str], probes: Collection[str]) -> tuple[Entry, ...]:
    """The known failures that a TOML file lists (its schema: `baseline.schema.json`).

    Args:
        file: the baseline.
        requirements: the ids that there are.
        probes: the names of probes that there are; one that ends in a dot stands for all that begin with it.

    Raises:
        BadInput: the file is not there, not TOML, no baseline, or not filled in; the message names the entry.
    """
    content = _dated(content_of(file, kind="baseline"))
    _stop_at(_unfilled(content), file)
    _stop_at((_told(defect, content) for defect in schema.defects("baseline.schema.json", content)), file)
    records: Sequence[Mapping[str, str]] = content.get("known", [])
    _stop_at(_no_days(records), file)
    entries = tuple(from_json(record) for record in records)
    _stop_at(_strays(entries, requirements, probes), file)
    _stop_at(_overlaps(entries), file)
    return entries


def _stop_at(mistakes: Iterator[str], file: Path) -> None:
    found = list(mistakes)
    if found:
        raise BadInput(f"{file}: {found[0]}{others(len(found) - 1)}")


def _dated(content: Mapping[str, Any]) -> dict[str, Any]:
    """A file's content with the dates of its entries as text, which is how the schema and the evidence know them."""
    known = content.get("known")
    if not isinstance(known, list):
        return dict(content)
    return {**content, "known": [_with_text(table) if isinstance(table, Mapping) else table for table in known]}


def _with_text(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in table.items()}


def _tables(content: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """What stands under `known`, as far as it has the form of entries, each with its number from 1."""
    known = content.get("known")
    for number, table in enumerate(known if isinstance(known, list) else (), start=1):
        if isinstance(table, Mapping):
            yield number, table


def _named(number: int, table: Mapping[str, Any]) -> str:
    identity = table.get("requirement")
    return f"known {number} ({identity})" if isinstance(identity, str) and identity else f"known {number}"


def _told(defect: schema.Defect, content: Mapping[str, Any]) -> str:
    """A defect of the file with its place in the words that all messages use, and the cure where there is one."""
    within = re.fullmatch(r"/known/([0-9]+)/?(.*)", defect.pointer)
    if not within:
        return f"{defect.pointer.strip('/').replace('/', '.') or 'the file'}: {defect.message}{way_out(defect)}"
    number, member = int(within[1]) + 1, within[2]
    named = _named(number, dict(_tables(content)).get(number, {}))
    place = f"{named}: {member}" if member else named
    lacking = defect.expected.removeprefix("the member ").strip("'") if defect.rule == "required" else member
    return f"{place}: {defect.message}" + (f"; {_BLANKS[lacking]}" if lacking in _BLANKS else way_out(defect))


def _unfilled(content: Mapping[str, Any]) -> Iterator[str]:
    for number, table in _tables(content):
        for name, cure in _BLANKS.items():
            value = table.get(name)
            if isinstance(value, str) and not value.strip():
                yield f"{_named(number, table)}: {name} is left to fill in; {cure}"


def _no_days(records: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for number, record in enumerate(records, start=1):
        try:
            date.fromisoformat(record["until"])
        except ValueError:
            yield f"{_named(number, record)}: until: {record['until']} is no day of the calendar; {_BLANKS['until']}"


def _strays(entries: Sequence[Entry], requirements: Collection[str], probes: Collection[str]) -> Iterator[str]:
    """The entries that could never list anything: they speak of what is not there."""
    for number, entry in enumerate(entries, start=1):
        if entry.requirement not in requirements:
            cure = _meant(entry.requirement, requirements) or "see chat-conformance requirements"
            yield f"known {number}: no requirement has the id {entry.requirement!r}; {cure}"
        if not any(fits(entry.probe, name) or _may_begin(entry.probe, name) for name in probes):
            cure = _meant(entry.probe, probes) or "report.json names the exchanges by their probes"
            yield f"{_named(number, to_json(entry))}: no probe is called {entry.probe!r}; {cure}"


def _may_begin(pattern: str, name: str) -> bool:
    """Whether a pattern may fit a name that begins as `name` does, where that is a beginning."""
    return name.endswith(".") and pattern.startswith(name)


def _meant(word: str, known: Collection[str]) -> str:
    nearest = difflib.get_close_matches(word, known)
    return f"did you mean {nearest[0]}?" if nearest else ""


def _overlaps(entries: Sequence[Entry]) -> Iterator[str]:
    """The entries that say twice what is known."""
    first: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    for number, entry in enumerate(entries, start=1):
        earlier = first.setdefault((entry.requirement, tuple(entry.finer.items())), number)
        if earlier != number:
            yield f"known {number} ({entry}): known {earlier} lists the same; keep one of them"
    whole = {identity: number for (identity, finer), number in first.items() if not finer}
    for number, entry in enumerate(entries, start=1):
        if entry.finer and entry.requirement in whole:
            yield (
                f"known {number} ({entry}): known {whole[entry.requirement]} lists every failure of it already;"
                " keep one of them"
            )
