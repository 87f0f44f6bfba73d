"""What two runs say differently, in words: the sections that the terminal, Markdown and HTML show alike."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.report.findings import listed, place, spoken

_NAMES: Final = 30  # requirements named for one reason
_EACH: Final = 3  # violations shown for one requirement

MEANING: Final[Mapping[str, str]] = {
    "regression": "Something broke that a verdict depends on.",
    "improvement": "Something that was broken is kept, and nothing broke that a verdict depends on.",
    "changed": "Nothing broke that a verdict depends on; something else is not as before.",
    "unchanged": "Nothing differs but what differs between two runs of one target.",
}
"""What each result of a comparison says."""

_DIFFERENT: Final[Mapping[str, str]] = {
    "catalogue": "Other requirements; judge the earlier run again, and both are judged by the same rules",
    "version": "Another version of the suite",
    "target": "Another host",
    "profile": "Another surface",
    "model": "Another model",
    "selection": "Another selection",
    "strict": "Strict in one run only",
    "ended": "One of the runs did not end as the other",
    "triggers": "Other triggers in the target file",
    "capabilities": "Other capabilities in the target file",
    "max_output_tokens": "Another max_output_tokens in the target file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that differs."""

    name: str
    tags: str
    text: str
    facts: tuple[tuple[str, str], ...] = ()
    """What is said of it, each with a label."""
    command: str = ""
    """A line for the shell that asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Things that differ and mean the same to the reader."""

    title: str
    word: str
    """The verdict whose colours it has."""
    says: str
    entries: tuple[Entry, ...]
    number: int
    """How many differ; an entry may name several."""


def sections(diff: Mapping[str, Any]) -> tuple[Section, ...]:
    """What differs, the gravest first; what is empty is left out."""
    legal = [_changed(each) for each in diff["changes"] if not each["of"]]
    beside = [_changed(each) for each in diff["changes"] if each["of"]]
    level = "MUST or SHOULD" if diff["strict"] else "MUST"
    told = (
        ("Regressions", "fail", f"A {level} that was kept and is broken.", _moved(diff["regressions"])),
        ("Warnings (SHOULD)", "inconclusive", "A SHOULD that was kept and is broken.", _moved(diff["warnings"])),
        ("Improvements", "pass", "Broken before, and kept.", _moved(diff["improvements"])),
        ("Options (MAY)", "partial", "A MAY that is now done in another way.", _moved(diff["options"])),
        ("Beside these verdicts", "untested", "What else is new about the answers that they speak of.", beside),
        ("Changed, but legal", "partial", "No requirement forbids the one or the other.", legal),
        ("Lost sight of", "inconclusive", "Decided before, and not now.", _grouped(diff["lost"])),
        ("Newly decided", "partial", "Not decided before.", _grouped(diff["decided"])),
        ("New requirements", "untested", "The earlier report does not know them.", _moved(diff["added"])),
        ("Removed requirements", "untested", "The later report does not know them.", _moved(diff["removed"])),
    )
    return tuple(
        Section(
            title=title,
            word=word,
            says=says,
            entries=tuple(entries),
            number=len(diff[several]) if (several := _SEVERAL.get(title)) else len(entries),
        )
        for title, word, says, entries in told
        if entries
    )


_SEVERAL: Final = {"Lost sight of": "lost", "Newly decided": "decided"}
"""The sections whose entries may name several requirements, and where these stand in the difference."""


def sentences(diff: Mapping[str, Any]) -> tuple[str, ...]:
    """What must be known to read the sections: what was compared, and what was not the same about the runs."""
    return tuple(_sentences(diff))


def headline(diff: Mapping[str, Any]) -> str:
    """The result with its numbers: `3 regressions, 1 improvement`."""
    legal = sum(not each["of"] for each in diff["changes"])
    counts = (
        (len(diff["regressions"]), "regression"),
        (len(diff["warnings"]), "warning"),
        (len(diff["improvements"]), "improvement"),
        (legal + len(diff["options"]), "legal change"),
    )
    told = [f"{number} {noun}{'' if number == 1 else 's'}" for number, noun in counts if number]
    told += [f"{len(diff[name])} {words}" for name, words in _REST if diff[name]]
    return ", ".join(told) or "nothing changed"


_REST: Final = (
    ("lost", "lost sight of"),
    ("decided", "newly decided"),
    ("added", "new"),
    ("removed", "removed"),
)


def _sentences(diff: Mapping[str, Any]) -> Iterator[str]:
    before, after, compared = diff["before"], diff["after"], diff["compared"]
    yield (
        f"Before: {before['verdict']}, {before['target']['url']}, begun {before['started']}."
        f" After: {after['verdict']}, {after['target']['url']}, begun {after['started']}."
    )
    decided, broken = compared["requirements"], len(diff["broken"])
    yield f"{decided} requirements were decided in both runs; {broken} of them are broken in both."
    if diff["fallen"]:
        names = ["the run" if name == "run" else f"class {name}" for name in diff["fallen"]]
        yield f"No longer conformant: {', '.join(names)}."
    for each in diff["differences"]:
        words = _DIFFERENT.get(each["what"], each["what"])
        yield f"{words}: {each['before']} before, {each['after']} after."
    for when, run in (("before", before), ("after", after)):
        if not run["evidence"]:
            yield (
                f"The evidence of the run {when} cannot be read, so header fields, members, chunking, times and"
                f" readings are not compared: {run['unread']}"
            )
    if diff["moods"]:
        number = len(diff["moods"])
        yield (
            f"{number} requirement{' was' if number == 1 else 's were'} left undecided in one run only, as by a"
            f" model's mood: {', '.join(diff['moods'])}."
        )


def _moved(rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    return [
        Entry(
            name=row["id"],
            tags=f"{row['level']}, {row['class']}, {_way(row)}",
            text=row["text"],
            facts=tuple(_told(row)),
            command=row["reproduce"],
        )
        for row in rows
    ]


def _grouped(rows: Sequence[Mapping[str, Any]]) -> list[Entry]:
    """The rows, those with one reason and without a violation as one entry."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((_way(row), row["id"] if row["violations"] else row["why"]), []).append(row)
    return [
        Entry(name=listed((row["id"] for row in group), limit=_NAMES), tags=way, text=why or "no reason was given")
        if len(group) > 1
        else _moved(group)[0]
        for (way, why), group in groups.items()
    ]


def _way(row: Mapping[str, Any]) -> str:
    return " → ".join(spoken(word) for word in (row["before"], row["after"]) if word)


def _told(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if row["violations"]:
        for violation in row["violations"][:_EACH]:
            yield "expected", violation["expected"]
            yield "found" if row["after"] == "fail" else "found then", violation["found"]
            yield "where", f"{place(violation['where'])} of {violation['exchange']}"
    elif row["why"]:
        yield "why", row["why"]


def _changed(change: Mapping[str, Any]) -> Entry:
    facts = [("before", change["before"]), ("after", change["after"])]
    for each in change["readings"]:
        others = " ".join(each["others"])
        facts.append(("unclear", f"{each['requirement']}; read so: {each['taken']} It could be read so: {others}"))
    if change["of"]:
        facts.append(("beside", ", ".join(change["of"])))
    return Entry(
        name=listed(change["names"], limit=_NAMES), tags=change["kind"], text=change["says"], facts=tuple(facts)
    )
