"""Servers whose refusals and failures are told wrongly."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
