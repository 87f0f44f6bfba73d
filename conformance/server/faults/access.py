"""Servers that let in whom they should not, and shut out whom they should let in."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
