"""What a server that deviates is: a fault with what it breaks, or a legal variant that breaks nothing."""

from dataclasses import dataclass

from conformance.server.changes import Change, nothing
from conformance.server.hosting import Wire
from conformance.server.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One way to differ from the reference server."""

    id: str
    does: str
    """What such a server does, as a predicate."""
    change: Change = nothing
    wire: Wire | None = None
    """What becomes of the bytes on each connection, below HTTP."""
    site: Site | None = None
    """Other limits and services than the default site's; the keys are the run's."""
    unseen: tuple[str, ...] = ()
    """Requirements, or beginnings of their ids, that may become inconclusive: it hides what they speak of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Deviation):
    """A single defect."""

    red: tuple[str, ...]
    """Exactly the requirements that fail in a whole run: first the one that it was made for."""
    says: str
    """Part of a violation of the first, written as `where: expected; found`."""
    perhaps: tuple[str, ...] = ()
    """Requirements that fail too when chance puts the defect where they look."""
    wild: tuple[str, ...] = ()
    """Ids of the reports in `wild` that it re-creates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant(Deviation):
    """An odd server that keeps the page."""
