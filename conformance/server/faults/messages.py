"""Servers that read the conversation wrongly."""

from typing import Final

from conformance.server.deviation import Fault

FAULTS: Final[tuple[Fault, ...]] = ()
