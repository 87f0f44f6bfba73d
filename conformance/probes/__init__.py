"""Every declared probe, in the order of the page."""

from collections.abc import Mapping
from typing import Final

from conformance.probe import Probe
from conformance.probes import (
    errors,
    failures,
    messages,
    multimodal,
    parameters,
    plain,
    scripted,
    stopping,
    stream,
    tools,
)

OPENING: Final = plain.GREETING
"""Sent first and alone: without an answer to it there is no run."""

PROBES: Final[Mapping[str, Probe]] = {
    probe.name: probe
    for module in (plain, parameters, stopping, messages, multimodal, stream, tools, errors, failures, scripted)
    for probe in module.PROBES
}
