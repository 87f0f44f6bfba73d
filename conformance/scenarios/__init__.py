"""Every scenario of the scripted backend, by its name."""

from collections.abc import Mapping
from typing import Final

from conformance.scenario import Scenario
from conformance.scenarios import calls, counts, deaths, framing, garbled, pacing, reasons, refusals, requests, texts

SCENARIOS: Final[Mapping[str, Scenario]] = {
    scenario.name: scenario
    for module in (requests, texts, framing, counts, reasons, calls, pacing, garbled, refusals, deaths)
    for scenario in module.SCENARIOS
}
