"""What the tests that send have in common: a key, limits, small plans, and a run that strands nothing."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from conformance.exchange import Ending, Exchange, Piece, Response
from conformance.observe import Outcome, observe
from conformance.probe import MODEL, Probe, Step
from conformance.target import Limits, Target
from conformance.transport import Received, Slot, exchange, outgoing
from tests import hostile

KEY = "sgk_TopSecretTopSecretTopSecretTopSe"
LIMITS = Limits(timeout=5.0, deadline=10.0, max_body_bytes=100_000)
HASTY = replace(LIMITS, timeout=0.3, deadline=0.7)
ASK = Step(body={"model": MODEL, "messages": [{"role": "user", "content": "Zürich?"}]})
PROBE = Probe(name="core.plain", asks="A plain request.", steps=(ASK,))


def target(url: str = "http://127.0.0.1:1", **members: Any) -> Target:
    return Target(url=url, model="acme/m", limits=LIMITS, **members)


T = TypeVar("T")


def ran(work: Coroutine[Any, Any, T]) -> T:
    async def alone() -> T:
        try:
            return await work
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return asyncio.run(alone())


async def sent_to(server: hostile.Server, *, step: Step = ASK, limits: Limits = LIMITS) -> Received:
    async with Slot() as slot:
        request = outgoing(step, target=target(server.url), key=KEY, earlier=())
        return await slot.send(request, limits=limits)


def body(received: Received) -> bytes:
    return b"".join(piece.data for piece in received.pieces)


def recorded(received: Received, *, key: str = KEY) -> Exchange:
    request = outgoing(ASK, target=target(), key=key, earlier=())
    return exchange(PROBE, 0, 1, request, received, profile="native", key=key)


def came(*parts: bytes, headers: tuple[tuple[str, str], ...] = (), detail: str = "") -> Received:
    head = Response(status=400, reason="No", http_version="HTTP/1.1", headers=headers, at=0.1)
    pieces = tuple(Piece(at=0.1, data=part) for part in parts)
    return Received(response=head, pieces=pieces, ended=Ending.COMPLETE, detail=detail, started=1.0, elapsed=0.2)


PLAIN = Step(body={"model": MODEL, "messages": [{"role": "user", "content": "Hello"}]})
OPENING = Probe(name="opening", asks="A plain request.", steps=(PLAIN,))


def probe(name: str, *steps: Step, alone: bool = False) -> Probe:
    return Probe(name=name, asks="Something.", steps=steps or (PLAIN,), alone=alone)


def many(number: int) -> list[Probe]:
    return [OPENING, *(probe(f"p{i}") for i in range(number))]


def at(server: hostile.Server, *, limits: Limits = LIMITS, profile: str = "native") -> Target:
    return Target(url=server.url, profile=profile, model="acme/m", api_key_env="GRID_KEY", limits=limits)


@dataclass(slots=True)
class Watch:
    """Collects what a run records, and the waits it asks for, which take no time."""

    records: list[Exchange] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def run(self, probes: Sequence[Probe], target: Target) -> Outcome:
        return ran(
            observe(probes, target=target, key=KEY, record=self.records.append, opening="opening", sleep=self.sleep)
        )

    @property
    def told(self) -> list[tuple[str, str, bool]]:
        return [(record.id, record.ended.value, record.retried) for record in self.records]
