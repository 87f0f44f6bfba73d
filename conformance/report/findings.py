"""A report's requirements by what they mean to the reader."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Row = Mapping[str, Any]
"""One of the report's `requirements`."""

MEANING: Final[Mapping[str, str]] = {
    "conformant": "Every MUST in force was kept, as far as this run could show it.",
    "nonconformant": "At least one MUST in force was broken.",
    "incomplete": "Something that had to be decided was not, so this run says neither yes nor no.",
    "aborted": "The run could not ask its questions, so it says nothing about the target.",
}
"""What each verdict on a run says."""

_BUT_FOR_KNOWN: Final = "Every MUST in force was kept, as far as this run could show it, but for known failures."
_LAPSED_ONLY: Final = "An entry of the baseline no longer holds, and nothing in force was broken beside it."

STRICT_MEANING: Final = "This run is strict: a broken SHOULD counts like a broken MUST."


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """The requirements that did not simply pass, in the order of the page."""

    failures: tuple[Row, ...]
    """Broken, and the run is not conformant for it."""
    lapsed: tuple[Row, ...]
    """Entries of the baseline, for which the run is not conformant: stale ones and expired ones."""
    errors: tuple[Row, ...]
    """Not judged, since the suite itself broke."""
    undecided: tuple[Row, ...]
    """Inconclusive, and the run is incomplete for it."""
    warnings: tuple[Row, ...]
    """A broken SHOULD."""
    known: tuple[Row, ...]
    """Broken at any level, in a way that the baseline lists."""
    notes: tuple[Row, ...]
    """A broken MAY."""
    unclear: tuple[Row, ...]
    """Inconclusive, at a level that decides nothing."""
    untested: tuple[tuple[str, tuple[Row, ...]], ...]
    """By reason."""
    not_applicable: tuple[tuple[str, tuple[Row, ...]], ...]
    """By reason."""


def decides(row: Row, *, strict: bool) -> bool:
    """Whether the run's verdict can depend on this requirement, going by its level."""
    return row["level"] == "MUST" or (strict and row["level"] == "SHOULD")


def findings(report: Mapping[str, Any]) -> Findings:
    """The report's requirements, sorted by what they mean."""
    rows: tuple[Row, ...] = tuple(report["requirements"])
    strict = bool(report["strict"])
    failed = [row for row in rows if row["verdict"] == "fail" and not row.get("known")]
    inconclusive = [row for row in rows if row["verdict"] == "inconclusive"]
    return Findings(
        failures=tuple(row for row in failed if decides(row, strict=strict)),
        lapsed=tuple(entry for entry in report.get("baseline", ()) if entry["standing"] in ("stale", "expired")),
        errors=tuple(row for row in rows if row["verdict"] == "error"),
        undecided=tuple(row for row in inconclusive if decides(row, strict=strict)),
        warnings=tuple(row for row in failed if row["level"] == "SHOULD" and not strict),
        known=tuple(row for row in rows if row.get("known")),
        notes=tuple(row for row in failed if row["level"] == "MAY"),
        unclear=tuple(row for row in inconclusive if not decides(row, strict=strict)),
        untested=by_reason(row for row in rows if row["verdict"] == "untested"),
        not_applicable=by_reason(row for row in rows if row["verdict"] == "not_applicable"),
    )


def meaning(report: Mapping[str, Any]) -> str:
    """What the verdict on a run says, in a sentence or two."""
    verdict, found = report["verdict"], findings(report)
    said = MEANING[verdict]
    if verdict == "conformant" and any(decides(row, strict=report["strict"]) for row in found.known):
        said = _BUT_FOR_KNOWN
    elif verdict == "nonconformant" and found.lapsed and not found.failures:
        said = _LAPSED_ONLY
    return f"{said} {STRICT_MEANING}" if report["strict"] else said


def excuse(row: Row) -> str:
    """Why a known failure is let pass: what each entry that lists it says."""
    return "; ".join(f"{entry['reason']}, {entry['link']}, until {entry['until']}" for entry in row["known"])


def entry_named(entry: Row) -> str:
    """The requirement of an entry of the baseline, and what narrows it."""
    finer = ", ".join(f"{name} {entry[name]}" for name in ("probe", "where", "expected", "found") if name in entry)
    return f"{entry['requirement']} ({finer})" if finer else str(entry["requirement"])


def entry_told(entry: Row) -> str:
    """An entry of the baseline in one line: what it lists, what became of it, and what it said."""
    said = f"{entry['reason']}, {entry['link']}, until {entry['until']}"
    return f"{entry_named(entry)} is {entry['standing']}: {entry['explanation']}; it said: {said}"


def by_reason(rows: Iterable[Row]) -> tuple[tuple[str, tuple[Row, ...]], ...]:
    """Requirements by what is said of them, in the order in which that comes."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["explanation"] or "no reason was given", []).append(row)
    return tuple((reason, tuple(group)) for reason, group in groups.items())


def place(where: str) -> str:
    """A violation's `where` in words."""
    if where in ("", "/"):
        return "the whole document"
    return {"status": "the status", "ending": "how it ended", "whole": "the exchange as a whole"}.get(where, where)


def spoken(word: str) -> str:
    """A verdict word as people write it: `not_applicable` is "not applicable"."""
    return word.replace("_", " ")


def inputs_told(inputs: Mapping[str, Any]) -> str:
    """The report's `inputs` in a few words."""
    return ", ".join(
        f"{share['exercised']} of {share['of']} {name}"
        for name, share in (
            ("branches of the request schema", inputs["branches"]),
            ("single defects", inputs["defects"]),
        )
    )


def backend_told(backend: Mapping[str, Any]) -> str:
    """The report's `backend` in a few words."""
    told = f"{backend['scenarios']} scenarios of the scripted backend, which received {backend['requests']} requests"
    again = f"; {backend['asked_again']} of ours made the target ask it again" if backend["asked_again"] else ""
    lost = f"; {backend['unreached']} of ours did not reach it" if backend["unreached"] else ""
    return told + again + lost


def rates_told(rows: Iterable[Row]) -> str:
    """What a run that repeated some requests adds to its verdicts, in a sentence; empty where it repeated none."""
    observed = [row["observed"] for row in rows if "observed" in row]
    if not observed:
        return ""
    times = sorted(each["of"] for each in observed)
    often = str(times[0]) if times[0] == times[-1] else f"{times[0]} to {times[-1]}"
    told = f"{len(observed)} requirement{' was' if len(observed) == 1 else 's were'} observed {often} times."
    kept = [each for each in observed if not each["broken"]]
    if kept:
        least = 100 * max(each["excludes"] for each in kept)
        which = "It was" if len(observed) == 1 else f"{len(kept)} of them {'was' if len(kept) == 1 else 'were'}"
        told += f" {which} kept each time, which excludes a rate of {least:.2g} %, or of less."
    return told


def listed(names: Iterable[str], *, limit: int) -> str:
    """Some names separated by commas; those past `limit` are only counted."""
    names = tuple(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def command(row: Row, *, limit: int = 16_384) -> str:
    """The requirement's curl command, or a comment in its place where it has more than `limit` characters."""
    written: str = row["reproduce"]
    return written if len(written) <= limit else f"# a command of {len(written):,} characters; report.json holds it"
