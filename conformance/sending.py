"""What a run sends, stage after stage: within its limits, every exchange written as it comes."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from conformance.evidence import Journal
from conformance.exchange import Ending, Exchange
from conformance.observe import Outcome, observe
from conformance.plan import Plan, cost
from conformance.probe import Probe
from conformance.probes import OPENING
from conformance.target import Target


class Sending:
    """The stages of one run; what is left of the limits goes from each to the next."""

    def __init__(
        self, journal: Journal, *, target: Target, key: str, asked: Plan, seen: Callable[[Exchange], None]
    ) -> None:
        """The sending of a plan to a target, within its limits; `seen` is called with each exchange once it is kept."""
        self.exchanges: list[Exchange] = []
        self.requests = 0
        """Those that were sent, retries included."""
        self._journal, self._target, self._key, self._asked, self._seen = journal, target, key, asked, seen
        self._tokens = sum(self._cost(probe) for probe in asked.probes)

    async def plan(self) -> Outcome:
        """Send the plan."""
        return await observe(
            self._asked.probes, target=self._target, key=self._key, record=self._kept(1), opening=OPENING.name
        )

    async def second(self, probes: Sequence[Probe]) -> None:
        """Send some of the plan's probes once more, where the limits hold them."""
        if self._left > sum(len(probe.steps) for probe in probes):
            await observe(
                (OPENING, *probes), target=self._rest, key=self._key, record=self._kept(2), opening=OPENING.name
            )

    async def one(self, probe: Probe) -> Exchange | None:
        """The last exchange of a probe that the plan does not hold; None where nothing more may be sent."""
        before = len(self.exchanges)
        if self._taken((probe,)):
            await observe((probe,), target=self._rest, key=self._key, record=self._kept(1), opening=probe.name)
        return self.exchanges[-1] if len(self.exchanges) > before else None

    async def further(self, probes: Sequence[Probe], number: int) -> Outcome | None:
        """Send probes as the round of that number; None where the limits do not hold them."""
        if not self._taken(probes):
            return None
        return await observe(probes, target=self._rest, key=self._key, record=self._kept(number), opening=None)

    def _kept(self, number: int) -> Callable[[Exchange], None]:
        def kept(exchange: Exchange) -> None:
            of_the_round = replace(exchange, round=number)
            self.requests += exchange.ended is not Ending.UNSENT
            self.exchanges.append(of_the_round)
            self._journal.record(of_the_round)
            self._seen(of_the_round)

        return kept

    def _taken(self, probes: Sequence[Probe]) -> bool:
        """Whether what is left of the limits holds the probes; if so their tokens are taken from it."""
        more = sum(self._cost(probe) for probe in probes)
        requests = sum(len(probe.steps) for probe in probes)
        if self._left < requests or self._tokens + more > self._target.limits.tokens:
            return False
        self._tokens += more
        return True

    def _cost(self, probe: Probe) -> int:
        return cost(probe, self._target.max_output_tokens)

    @property
    def _left(self) -> int:
        return self._target.limits.requests - self.requests

    @property
    def _rest(self) -> Target:
        return replace(self._target, limits=replace(self._target.limits, max_requests=self._left))
