"""A backend that answers plainly: what the gateway asked of it is the point."""

from typing import Final

from conformance.scenario import Scenario
from conformance.scenarios.writing import ROLE, ending, said, talk

SEEN: Final = "It was looked at."
ANSWERED: Final = "Understood."

SCENARIOS: Final[tuple[Scenario, ...]] = (
    talk("request-plain", "answers plainly", ANSWERED, ROLE, *said(ANSWERED), *ending(), asked=()),
    talk(
        "request-images",
        "fetches the images that it is given an address of, then answers",
        SEEN,
        ROLE,
        *said(SEEN),
        *ending(),
        asked=(),
        fetches=True,
    ),
)
