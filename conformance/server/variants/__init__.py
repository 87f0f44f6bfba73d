"""The catalogue of legal variants: servers that are odd and keep the contract."""

from typing import Final

from conformance.server.deviation import Variant
from conformance.server.variants import streamed

VARIANTS: Final[tuple[Variant, ...]] = (*streamed.VARIANTS,)
"""Every variant; no two share an id."""
