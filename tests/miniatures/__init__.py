"""Faulty and odd servers, each as a change to the evidence of an innocent run.

A miniature breaks one thing; it says which requirements turn red by it, and no other may. A variant is odd and
breaks nothing.
"""

from typing import Final

from tests.miniatures import answers, chunks, endings, framing, limits, reasons, refusals
from tests.miniatures.model import Miniature
from tests.miniatures.variants import VARIANTS as VARIANTS

MINIATURES: Final[tuple[Miniature, ...]] = (
    *answers.MINIATURES,
    *reasons.MINIATURES,
    *limits.MINIATURES,
    *refusals.MINIATURES,
    *framing.MINIATURES,
    *chunks.MINIATURES,
    *endings.MINIATURES,
)
