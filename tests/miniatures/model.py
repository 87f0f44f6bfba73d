"""What a miniature and a variant are."""

from dataclasses import dataclass

from tests.miniatures.wire import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """A server with one defect."""

    name: str
    """What it does, as a predicate."""
    change: Change
    red: tuple[str, ...]
    """Exactly the requirements that fail: first the one it was made for."""
    says: str
    """Part of a violation of the first, written as `where: expected; found`."""
    unseen: tuple[str, ...] = ()
    """Beginnings of the ids that may become inconclusive, since the defect hides what they speak of."""


def faulty(name: str, change: Change, *red: str, says: str, unseen: tuple[str, ...] = ()) -> Miniature:
    """A miniature."""
    return Miniature(name=name, change=change, red=red, says=says, unseen=unseen)
