"""Gateways that fail between the scripted backend and the client: they show only from both sides."""

from typing import Final

from conformance.server.changes import (
    Asked,
    Change,
    When,
    only,
    streams,
)
from conformance.server.deviation import Fault

SLUG: Final = "reference/scripted"
"""The slug that these gateways route to the backend."""


def behind(asked: Asked) -> bool:
    """A request that the scripted backend answers."""
    return asked.get("model") == SLUG


def streamed_behind(asked: Asked) -> bool:
    """One that asks for a stream."""
    return behind(asked) and streams(asked)


def whole_behind(asked: Asked) -> bool:
    """One that asks for one JSON answer."""
    return behind(asked) and not streams(asked)


def fault(  # noqa: PLR0913  # each is one thing that a fault is made of
    identity: str,
    does: str,
    change: Change,
    *red: str,
    says: str,
    when: When = behind,
    perhaps: tuple[str, ...] = (),
    unseen: tuple[str, ...] = (),
    wild: tuple[str, ...] = (),
) -> Fault:
    """A fault of these requests that shows only from both sides; `red` begins with what it was made for."""
    return Fault(
        id=f"behind-{identity}",
        does=does,
        change=only(when, change),
        behind=True,
        red=red,
        says=says,
        perhaps=perhaps,
        unseen=unseen,
        wild=wild,
    )
