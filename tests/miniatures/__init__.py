"""Faulty and odd servers, each as a change to the evidence of an innocent run.

A miniature breaks one thing; it says which requirements turn red by it, and no other may. A variant is odd and
breaks nothing.
"""

from typing import Final

from tests.miniatures import (
    answers,
    broken_off,
    calls,
    chunks,
    conversation,
    counts,
    deployed,
    endings,
    ends,
    errors,
    forms,
    framing,
    garbled,
    gateways,
    keys,
    limits,
    parts,
    pieces,
    reasons,
    refusals,
    served,
    shapes,
    sparse,
    stopping,
    unsaid,
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
    *pieces.MINIATURES,
    *ends.MINIATURES,
    *keys.MINIATURES,
    *refusals.MINIATURES,
    *served.MINIATURES,
    *sparse.MINIATURES,
    *forms.MINIATURES,
    *shapes.MINIATURES,
    *errors.MINIATURES,
    *conversation.MINIATURES,
    *parts.MINIATURES,
    *calls.MINIATURES,
    *framing.MINIATURES,
    *chunks.MINIATURES,
    *broken_off.MINIATURES,
    *garbled.MINIATURES,
    *unsaid.MINIATURES,
    *gateways.MINIATURES,
    *endings.MINIATURES,
)

VARIANTS: Final[tuple[Variant, ...]] = (
    *variants.VARIANTS,
    *deployed.VARIANTS,
    *limits.VARIANTS,
    *stopping.VARIANTS,
    *pieces.VARIANTS,
    *ends.VARIANTS,
    *sparse.VARIANTS,
    *forms.VARIANTS,
    *shapes.VARIANTS,
    *errors.VARIANTS,
    *conversation.VARIANTS,
    *parts.VARIANTS,
    *calls.VARIANTS,
    *broken_off.VARIANTS,
    *garbled.VARIANTS,
    *unsaid.VARIANTS,
    *gateways.VARIANTS,
    *endings.VARIANTS,
)
