"""Faulty and odd servers, each as a change to the evidence of an innocent run.

A miniature breaks one thing; it says which requirements turn red by it, and no other may. A variant is odd and
breaks nothing.
"""

from typing import Final

from tests.miniatures import (
    answers,
    calls,
    chunks,
    conversation,
    counts,
    endings,
    errors,
    framing,
    garbled,
    gateways,
    keys,
    limits,
    parts,
    reasons,
    refusals,
    stopping,
    variants,
)
from tests.miniatures.model import Miniature
from tests.miniatures.variants import Variant

MINIATURES: Final[tuple[Miniature, ...]] = (
    *answers.MINIATURES,
    *counts.MINIATURES,
    *reasons.MINIATURES,
    *limits.MINIATURES,
    *stopping.MINIATURES,
    *keys.MINIATURES,
    *refusals.MINIATURES,
    *errors.MINIATURES,
    *conversation.MINIATURES,
    *parts.MINIATURES,
    *calls.MINIATURES,
    *framing.MINIATURES,
    *chunks.MINIATURES,
    *garbled.MINIATURES,
    *gateways.MINIATURES,
    *endings.MINIATURES,
)

VARIANTS: Final[tuple[Variant, ...]] = (
    *variants.VARIANTS,
    *stopping.VARIANTS,
    *errors.VARIANTS,
    *conversation.VARIANTS,
    *parts.VARIANTS,
    *calls.VARIANTS,
    *garbled.VARIANTS,
    *gateways.VARIANTS,
    *endings.VARIANTS,
)
