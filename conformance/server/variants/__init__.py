"""The catalogue of legal variants: servers that are odd and keep the contract."""

from typing import Final

from conformance.server.deviation import Variant
from conformance.server.variants import (
    answers,
    behind,
    calls,
    chunks,
    connection,
    errors,
    pace,
    refused,
    silent,
    streamed,
    streamed_calls,
    words,
)

VARIANTS: Final[tuple[Variant, ...]] = (
    *streamed.VARIANTS,
    *chunks.VARIANTS,
    *answers.VARIANTS,
    *calls.VARIANTS,
    *streamed_calls.VARIANTS,
    *words.VARIANTS,
    *silent.VARIANTS,
    *refused.VARIANTS,
    *errors.VARIANTS,
    *connection.VARIANTS,
    *pace.VARIANTS,
    *behind.VARIANTS,
)
"""Every variant; no two share an id."""
