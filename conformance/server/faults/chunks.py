"""Servers whose chunks are wrong."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
