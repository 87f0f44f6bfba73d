"""Faults seen in the wild: what was reported of servers that speak this protocol or one like it."""

from collections.abc import Mapping
from typing import Final

from conformance.server.wild.answers import ANSWERS
from conformance.server.wild.report import Report
from conformance.server.wild.streams import STREAMS

WILD: Final[Mapping[str, Report]] = {**STREAMS, **ANSWERS}
"""Each report by its id."""

__all__ = ["WILD", "Report"]
