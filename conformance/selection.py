"""Which requirements a run is about."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.requirement import CLASSES, Requirement
from conformance.target import BadInput

NOT_SELECTED: Final = "not selected"
"""Why a requirement that the caller filtered out is untested."""

BASES: Final = ("stated", "shown", "implied", "supplement")
"""What a requirement can rest on, from the firmest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One part of a run whose parts are sent apart, each by a process or a machine of its own, and then merged."""

    number: int
    """From 1."""
    of: int
    own_server: bool = False
    """Each part starts the embedded server for itself, so that the address says nothing of what was asked."""

    @classmethod
    def named(cls, name: str, *, own_server: bool = False) -> "Shard":
        """The shard of a name like `2/5`.

        Raises:
            BadInput: it is no such name.
        """
        number, _, of = name.partition("/")
        if not (_is_count(number) and _is_count(of) and int(number) <= int(of)):
            raise BadInput(f"--shard {name}: not a part of a whole; write the part and how many there are, as in 2/5")
        return cls(number=int(number), of=int(of), own_server=own_server)


def _is_count(text: str) -> bool:
    return re.fullmatch(r"[1-9][0-9]{0,2}", text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the caller wants judged, and how strictly; everything, unless narrowed."""

    only: tuple[str, ...] = ()
    """Requirement ids, or the start of some; an id that is whole means itself alone."""
    classes: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    chosen: frozenset[str] | None = None
    """Exact ids, as a test runner picked them; None for no such choice."""
    strict: bool = False
    """A broken SHOULD counts like a broken MUST."""
    quick: bool = False
    """The smallest run that says something of every class."""
    examples: int = 0
    """How many requests to generate, beside those that are written down."""
    seed: int = 0
    """Which ones; the same seed gives the same requests."""
    shrinks: int = 100
    """How many requests may be sent to find the smallest that shows a violation."""
    remembered: Path | None = None
    """The directory that holds what earlier runs found; without it nothing is remembered."""
    repeat: int = 1
    """How often to ask what can differ from call to call."""
    shard: Shard | None = None
    """The part of all this that is sent."""

    def __str__(self) -> str:
        """The selection as options, for the report."""
        words = [f"--only {name}" for name in self.only]
        words += [f"--class {name}" for name in self.classes]
        words += [f"--basis {name}" for name in self.bases]
        words += ["--quick"] if self.quick else []
        words += [f"--examples {self.examples} --seed {self.seed}"] if self.examples else []
        words += [f"--repeat {self.repeat}"] if self.repeat > 1 else []
        if self.chosen is not None:
            words.append(f"{len(self.chosen)} requirements picked by name")
        return " ".join(words) or "everything"


def filtered(selection: Selection, catalogue: Mapping[str, Requirement]) -> dict[str, str]:
    """For each requirement that the selection leaves out, why.

    Raises:
        BadInput: a selector that fits no requirement.
    """
    only: set[str] = set()
    for selector in selection.only:
        meant = {selector} & catalogue.keys() or {identity for identity in catalogue if identity.startswith(selector)}
        if not meant:
            raise BadInput(
                f"--only {selector}: no requirement has this id or begins with it; see chat-conformance requirements"
            )
        only |= meant
    for name, known, option in ((selection.classes, CLASSES, "--class"), (selection.bases, BASES, "--basis")):
        for value in name:
            if value not in known:
                raise BadInput(f"{option} {value}: not one of {', '.join(known)}")
    return {row.id: NOT_SELECTED for row in catalogue.values() if not _selected(row, selection, only)}


def _selected(row: Requirement, selection: Selection, only: AbstractSet[str]) -> bool:
    return (
        (not only or row.id in only)
        and (not selection.classes or row.certifies in selection.classes)
        and (not selection.bases or row.basis in selection.bases)
        and (selection.chosen is None or row.id in selection.chosen)
    )
