"""A baseline drafted from a report: what failed, with the reasons left to a person."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from conformance.baseline import FINER, Entry, Standing
from conformance.generate.asked import PREFIX
from conformance.report.findings import Row, decides
from conformance.report.visible import cut, visible

_SHOWN: Final = 3  # ways told in which one requirement failed
_LONGEST: Final = 200  # characters of one thing expected or found
_BYTES: Final = re.compile(r"bytes [0-9]+-[0-9]+")
_HEAD: Final = """\
# Known failures of {url}, model {model}, drafted from the run of {started}.
#
# Fill in every reason, link and last day (until = 2026-12-31); unfilled it is refused. Take out what is to be mended
# now. `probe`, `where`, `expected` and `found` narrow an entry to the violations that fit; `*` stands for any text.
# docs/known-failures.md of chat-conformance says more.
"""


def draft(report: Mapping[str, Any]) -> str:
    """The text of a baseline for what failed in a run and decided its verdict.

    Entries of the baseline that was in force stand again as they were, but for stale ones, which are left out, and
    expired ones, whose last day is left to fill in.
    """
    target = report["target"]
    facts = {"url": target["url"], "model": target["model"], "started": report["started"]}
    head = _HEAD.format(**{name: visible(value) for name, value in facts.items()})
    blocks = ["\n".join(lines) for lines in _entries(report)]
    return "\n".join([head, *(f"{block}\n" for block in blocks or ["# Nothing that decides the verdict failed."])])


def _entries(report: Mapping[str, Any]) -> Iterator[Iterator[str]]:
    probes = {exchange["id"]: exchange["probe"] for exchange in report["exchanges"]}
    kept = [entry for entry in report.get("baseline", ()) if entry["standing"] != Standing.STALE]
    rows = {row["id"]: row for row in report["requirements"]}
    for entry in kept:
        yield _again(entry, rows.get(entry["requirement"]))
    for row in rows.values():
        if row["verdict"] != "fail" or row.get("known") or not decides(row, strict=report["strict"]):
            continue
        own = [_patterns(entry) for entry in kept if entry["requirement"] == row["id"]]
        if not own:
            yield _new(row, probes, _of_one_kind(row, probes))
        elif {} not in own:  # an expired entry that lists every failure stands above already
            for finer in _ways(row, probes, own):
                yield _new(row, probes, finer)


def _patterns(entry: Row) -> dict[str, str]:
    return {name: entry[name] for name in FINER if name in entry}


def _of_one_kind(row: Row, probes: Mapping[str, str]) -> dict[str, str]:
    """What narrows a new entry: a run without generated requests shows nothing of what only these have shown."""
    names = [probes.get(each["exchange"], "") for each in row["violations"]]
    return {"probe": f"{PREFIX}*"} if all(name.startswith(PREFIX) for name in names) else {}


def _ways(row: Row, probes: Mapping[str, str], own: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The probes and places of the violations that no entry covers, each once."""
    entries = [Entry(requirement=row["id"], reason="", link="", until=date.max, **patterns) for patterns in own]
    ways: list[dict[str, str]] = []
    for each in row["violations"]:
        told = {name: each[name] for name in ("where", "expected", "found")}
        covered = any(entry.covers(probe=probes.get(each["exchange"], ""), **told) for entry in entries)
        way = _way(each, probes)
        ways += [] if covered or way in ways else [way]
    return ways


def _way(violation: Row, probes: Mapping[str, str]) -> dict[str, str]:
    """The patterns that a violation fits, and the same one of a later run."""
    probe = probes.get(violation["exchange"], "")
    named = {"probe": f"{PREFIX}*" if probe.startswith(PREFIX) else probe} if probe else {}
    return {**named, "where": _BYTES.sub("bytes *", violation["where"])}


def _again(entry: Row, row: Row | None) -> Iterator[str]:
    """An entry as it was; of one that has expired, the last day is asked for anew."""
    yield "[[known]]"
    yield f"requirement = {_text(entry['requirement'])}"
    if row is not None:
        yield _comment(row["text"])
    yield from (f"{name} = {_text(value)}" for name, value in _patterns(entry).items())
    yield f"reason = {_text(entry['reason'])}"
    yield f"link = {_text(entry['link'])}"
    yield (
        f'until = ""  # was {entry["until"]}' if entry["standing"] == Standing.EXPIRED else f"until = {entry['until']}"
    )


def _new(row: Row, probes: Mapping[str, str], finer: Mapping[str, str]) -> Iterator[str]:
    """An entry to fill in, and what was seen."""
    yield "[[known]]"
    yield f"requirement = {_text(row['id'])}"
    yield _comment(f"{row['level']}, {row['class']}: {row['text']}")
    yield from (f"{name} = {_text(value)}" for name, value in finer.items())
    yield from (f'{name} = ""' for name in ("reason", "link", "until"))
    if "where" in finer:
        return
    ways = _first_of_each(row, probes, ("probe", "where"))
    if len(ways) > _SHOWN:
        ways = _first_of_each(row, probes, ("where",))  # the same all over, as a rule
    for way, each in list(ways.items())[:_SHOWN]:
        expected, found = (cut(each[name], limit=_LONGEST) for name in ("expected", "found"))
        yield _comment(f"expected {expected}; found {found}; narrowed to it:")
        yield from (f"# {name} = {_text(value)}" for name, value in way)
    if len(ways) > _SHOWN:
        yield f"# and in {len(ways) - _SHOWN} more ways, which report.json tells"


def _first_of_each(
    row: Row, probes: Mapping[str, str], names: Sequence[str]
) -> dict[tuple[tuple[str, str], ...], Mapping[str, str]]:
    """The ways in which a requirement failed, by some of their patterns, each with the first violation of it."""
    ways: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}
    for each in row["violations"]:
        ways.setdefault(tuple((name, text) for name, text in _way(each, probes).items() if name in names), each)
    return ways


def _comment(text: str) -> str:
    """A TOML comment, which holds neither a line end nor a control character."""
    return f"# {visible(text)}"


def _text(value: str) -> str:
    """A TOML string (v1.0.0, String): as JSON writes it, but for what only a surrogate pair or a bare DEL could say."""
    plain = value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007F")
