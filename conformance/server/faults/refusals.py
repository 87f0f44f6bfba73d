"""Servers that take what the page forbids, or refuse it wrongly."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
