"""Servers whose answers have the wrong shape."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
