"""The catalogue of faults: servers that each break the contract in one way."""

from typing import Final

from conformance.server.deviation import Fault
from conformance.server.faults import (
    access,
    admission,
    chunks,
    endings,
    errors,
    finish,
    framing,
    messages,
    multimodal,
    parameters,
    refusals,
    response,
    tools,
)

FAULTS: Final[tuple[Fault, ...]] = (
    *access.FAULTS,
    *admission.FAULTS,
    *chunks.FAULTS,
    *endings.FAULTS,
    *errors.FAULTS,
    *finish.FAULTS,
    *framing.FAULTS,
    *messages.FAULTS,
    *multimodal.FAULTS,
    *parameters.FAULTS,
    *refusals.FAULTS,
    *response.FAULTS,
    *tools.FAULTS,
)
"""Every fault; no two share an id."""
