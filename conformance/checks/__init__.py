"""Every check, by the requirement it decides."""

from collections.abc import Mapping
from typing import Final

from conformance.check import Check
from conformance.checks import (
    chunks,
    codes,
    deaths,
    delivery,
    ending,
    errors,
    finish,
    forwarding,
    framing,
    generated,
    messages,
    multimodal,
    parameters,
    refusals,
    request,
    response,
    stopping,
    streamed_calls,
    streamed_text,
    tools,
)

CHECKS: Final[Mapping[str, Check]] = {
    found.requirement: found
    for module in (
        request,
        errors,
        parameters,
        stopping,
        messages,
        multimodal,
        framing,
        chunks,
        streamed_text,
        ending,
        tools,
        streamed_calls,
        response,
        finish,
        refusals,
        codes,
        delivery,
        forwarding,
        deaths,
        generated,
    )
    for found in module.CHECKS
}
SCRIPTED: Final[Mapping[str, Check]] = {
    identity: check for identity, check in CHECKS.items() if check.probes and all(each.behind for each in check.probes)
}
"""Those that only a run with the scripted backend decides."""
DECLARED: Final[Mapping[str, Check]] = {
    identity: check for identity, check in CHECKS.items() if check.probes and identity not in SCRIPTED
}
"""Those that a run decides which generates no requests and sees the target from one side."""
