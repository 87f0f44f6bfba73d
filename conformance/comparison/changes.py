"""What a target does in another manner than before: legal by itself, or the other side of a verdict that moved."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from conformance.checks import CHECKS
from conformance.comparison.manner import CHARACTERS, ENOUGH, FIRST_TOKEN, TOGETHER, Kind, Manner, Trait, far
from conformance.comparison.moves import Move, Moves
from conformance.requirement import catalogue

_FACETS: Final = ("protocol", "header", "stream", "member")
_WORDS: Final = re.compile(r"[a-z0-9]+(?:[-_][a-z0-9]+)*")
_ANSWER: Final = re.compile(r"\b(?:[1-5][0-9]{2}|[A-Z]+_[A-Z_]+)\b")
"""A status or a code in the words of a reading."""
_MEASURES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    CHARACTERS: ("chunking", ()),
    TOGETHER: ("chunking", ("burst", "piece", "pieces", "buffered")),
    FIRST_TOKEN: ("timing", ("burst", "buffered")),
}
"""For each measure, what kind of change it is, and the words of a requirement that speaks of the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that a target does otherwise."""

    kind: str
    """header, member, stream, protocol, chunking, timing, reading, answer or capability."""
    names: tuple[str, ...]
    """What it is about: names of fields or probes, pointers, a measure."""
    says: str
    """The change as a sentence."""
    before: str
    after: str
    readings: tuple[str, ...] = ()
    """Requirements whose clause can be read in several ways, and that look at these answers."""
    of: tuple[str, ...] = ()
    """Requirements with another verdict than before, of which this is the other side."""


def changes(
    before: Manner, after: Manner, moved: Moves, *, reports: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> tuple[Change, ...]:
    """What the target of the later run does in another manner than that of the earlier.

    Args:
        before: the manner of the earlier run.
        after: that of the later.
        moved: the requirements with another verdict.
        reports: both reports.
    """
    found = (
        *_capabilities(*reports),
        *_readings(before, after, moved),
        *_traits(before, after, moved),
        *_said(before, after, moved),
        *_measures(before, after, moved),
    )
    return tuple(found)


def _capabilities(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    words = {True: "yes", False: "no"}
    for name, was in before["capabilities"].items():
        now = after["capabilities"].get(name, was)
        if None not in (was["has"], now["has"]) and was["has"] != now["has"]:
            yield Change(
                kind="capability",
                names=(name,),
                says=f"the model {'now has it' if now['has'] else 'no longer has it'} ({now['how']})",
                before=words[was["has"]],
                after=words[now["has"]],
            )


# Requests that are answered in another way.


def _readings(before: Manner, after: Manner, moved: Moves) -> Iterator[Change]:
    """What is served now and was refused, the reverse, or refused with other words; by what became of it."""
    groups: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for place, was in before.outcomes.items():
        now = after.outcomes.get(place, was)
        if len(was) == len(now) == 1 and was != now and "" not in was | now:
            probe, step = place
            name = f"{probe}/{step + 1}" if step else probe
            (was_so,), (now_so,) = was, now
            of = _of_probe(probe, name, moved)
            # What a verdict calls broken or mended is no matter of an unclear clause.
            readings = () if of else _unclear(probe, f"{was_so}, {now_so}")
            groups[was_so, now_so, readings, of].append(name)
    for (was_so, now_so, readings, of), names in groups.items():
        yield Change(
            kind="reading" if readings else "answer",
            names=tuple(names),
            says=f"{_counted(len(names), 'request')} answered otherwise",
            before=was_so,
            after=now_so,
            readings=readings,
            of=of,
        )


def _unclear(probe: str, outcomes: str) -> tuple[str, ...]:
    """The requirements whose clause can be read in several ways, and that are decided by this probe.

    Of a request that both refuse, with other words, only those that speak of such words.
    """
    found = ((row.id, row.readings) for row in catalogue().values() if row.readings and probe in _asks(row.id))
    return tuple(
        identity
        for identity, readings in found
        if "served" in outcomes or _ANSWER.search(" ".join((readings.taken, *readings.others)))
    )


def _of_probe(probe: str, name: str, moved: Moves) -> tuple[str, ...]:
    return tuple(
        move.row["id"]
        for move in moved.broken_or_mended
        if probe in _asks(move.row["id"]) or name in {each["exchange"] for each in move.violations}
    )


def _asks(requirement: str) -> frozenset[str]:
    """The names of the probes that decide a requirement."""
    check = CHECKS.get(requirement)
    return frozenset(probe.name for probe in check.probes) if check else frozenset()


# Answers that look different.


def _traits(before: Manner, after: Manner, moved: Moves) -> Iterator[Change]:
    """What every answer of a kind has now and none had, or the reverse; told once for all kinds that share it."""
    places: dict[tuple[Trait, bool], list[str]] = defaultdict(list)
    for kind, was, now in _pairs(before, after):
        for trait in sorted(was.traits.keys() | now.traits.keys()):
            if was.never(trait) and now.always(trait):
                places[trait, True].append(kind)
            elif was.always(trait) and now.never(trait):
                places[trait, False].append(kind)
    groups: dict[tuple[str, bool, str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (trait, new), kinds in places.items():
        if not _echoed(trait, new=new, places=places):
            groups[trait.facet, new, ", ".join(kinds), _of_name(trait.name, moved)].append(trait.name)
    for (facet, new, on, of), names in sorted(groups.items(), key=lambda item: _FACETS.index(item[0][0])):
        yield Change(
            kind=facet,
            names=tuple(names),
            says=f"now with {on}, and not before" if new else f"no longer with {on}",
            before="absent" if new else "present",
            after="present" if new else "absent",
            of=of,
        )


def _echoed(trait: Trait, *, new: bool, places: Mapping[tuple[Trait, bool], Sequence[str]]) -> bool:
    """Whether a change follows from another: of a member that is new, or gone, with all that is inside it."""
    if trait.facet != "member":
        return False
    plain = trait.name.removesuffix(" in every chunk")
    if plain != trait.name and (Trait("member", plain), new) in places:
        return True
    pointer = plain.rpartition(" (")[0]
    return any(
        pointer.startswith(f"{other.name.rpartition(' (')[0]}/") and same == new
        for other, same in places
        if other.facet == "member"
    )


def _said(before: Manner, after: Manner, moved: Moves) -> Iterator[Change]:
    """What says one thing throughout, and now another."""
    groups: dict[tuple[Trait, str, str], list[str]] = defaultdict(list)
    for kind, was, now in _pairs(before, after):
        for trait, value in was.values.items():
            if now.values.get(trait, value) != value:
                groups[trait, value, now.values[trait]].append(kind)
    for (trait, value, other), kinds in sorted(groups.items()):
        yield Change(
            kind=trait.facet,
            names=(trait.name,),
            says=f"says something else in {', '.join(kinds)}",
            before=value,
            after=other,
            of=_of_name(trait.name, moved),
        )


def _pairs(before: Manner, after: Manner) -> Iterator[tuple[str, Kind, Kind]]:
    for kind, was in before.kinds.items():
        now = after.kinds.get(kind)
        if now is not None and min(was.answers, now.answers) >= ENOUGH:
            yield kind, was, now


def _measures(before: Manner, after: Manner, moved: Moves) -> Iterator[Change]:
    for name, (kind, words) in _MEASURES.items():
        was, now = before.measures[name], after.measures[name]
        if far(name, before, after):
            both = was.keys() & now.keys()
            old, new = (median(run[each] for each in both) for run in (was, now))
            yield Change(
                kind=kind,
                names=(name,),
                says=f"{'more' if new > old else 'fewer'} than before, in the median of {len(both)} streams",
                before=f"{old:.3g}",
                after=f"{new:.3g}",
                of=_of(words, moved) if words else (),
            )


# What belongs together.


def _of_name(name: str, moved: Moves) -> tuple[str, ...]:
    """The moved requirements that speak of a header field or a member, going by its name."""
    last = name.rpartition(" (")[0].rpartition("/")[2] or name
    return _of((last.lower(),), moved)


def _of(words: Iterable[str], moved: Moves) -> tuple[str, ...]:
    wanted = set(words)
    return tuple(move.row["id"] for move in moved.broken_or_mended if wanted & _words(move))


def _words(move: Move) -> set[str]:
    told = (f"{each['where']} {each['expected']}" for each in move.violations)
    return set(_WORDS.findall(" ".join([move.row["text"], *told]).lower()))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun} is" if number == 1 else f"{number} {noun}s are"
