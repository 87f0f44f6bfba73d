"""Which requirements a run is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from conformance.requirement import CLASSES, Requirement
from conformance.target import BadInput

NOT_SELECTED: Final = "not selected"
"""Why a requirement that the caller filtered out is untested."""

BASES: Final = ("stated", "shown", "implied", "supplement")
"""What a requirement can rest on, from the firmest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the caller wants judged, and how strictly; everything, unless narrowed."""

    only: tuple[str, ...] = ()
    """Requirement ids, or the start of some."""
    classes: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()
    chosen: frozenset[str] | None = None
    """Exact ids, as a test runner picked them; None for no such choice."""
    strict: bool = False
    """A broken SHOULD counts like a broken MUST."""
    quick: bool = False
    """The smallest run that says something of every class."""

    def __str__(self) -> str:
        """The selection as options, for the report."""
        words = [f"--only {name}" for name in self.only]
        words += [f"--class {name}" for name in self.classes]
        words += [f"--basis {name}" for name in self.bases]
        words += ["--quick"] if self.quick else []
        if self.chosen is not None:
            words.append(f"{len(self.chosen)} requirements picked by name")
        return " ".join(words) or "everything"


def filtered(selection: Selection, catalogue: Mapping[str, Requirement]) -> dict[str, str]:
    """For each requirement that the selection leaves out, why.

    Raises:
        BadInput: a selector that fits no requirement.
    """
    for selector in selection.only:
        if not any(_fits(identity, selector) for identity in catalogue):
            raise BadInput(
                f"--only {selector}: no requirement has this id or begins with it; see chat-conformance requirements"
            )
    for name, known, option in ((selection.classes, CLASSES, "--class"), (selection.bases, BASES, "--basis")):
        for value in name:
            if value not in known:
                raise BadInput(f"{option} {value}: not one of {', '.join(known)}")
    return {row.id: NOT_SELECTED for row in catalogue.values() if not _selected(row, selection)}


def _fits(identity: str, selector: str) -> bool:
    return identity.startswith(selector)


def _selected(row: Requirement, selection: Selection) -> bool:
    return (
        (not selection.only or any(_fits(row.id, selector) for selector in selection.only))
        and (not selection.classes or row.certifies in selection.classes)
        and (not selection.bases or row.basis in selection.bases)
        and (selection.chosen is None or row.id in selection.chosen)
    )
