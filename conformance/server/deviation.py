"""What a server that deviates is: a fault with what it breaks, or a legal variant that breaks nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from conformance.server.app import Conduct
from conformance.server.changes import Change, conduct, nothing
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
    patience: float = 0.0
    """Seconds of silence to bear before it shows; one that needs more than a few is served on demand only."""
    examples: int = 0
    """How many requests have to be generated before it shows."""
    behind: bool = False
    """It shows only where the scripted backend stands behind the server."""
    seed: int = 0
    """From which seed."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a server with some deviations is made of."""

    site: Site = field(default_factory=Site)
    conduct: Conduct
    wire: Wire | None = None


def served(deviations: Sequence[Deviation]) -> Served:
    """A server with all of these deviations, each made on what the one before it made.

    Raises:
        ValueError: two of them bring a site of their own, or two a wire.
    """
    sites = [each for each in deviations if each.site]
    wires = [each for each in deviations if each.wire]
    for kind, having in (("site", sites), ("wire", wires)):
        if len(having) > 1:
            raise ValueError(f"{having[0].id} and {having[1].id} each bring a {kind} of their own")
    return Served(
        site=(sites[0].site if sites else None) or Site(),
        conduct=conduct(*(each.change for each in deviations)),
        wire=wires[0].wire if wires else None,
    )
