"""What the suite costs beside a bare client that sends the same requests to the same server, as ratios of one run.

`nox -s benchmark`, or `python -m benchmarks.overhead`. The machine's speed falls out of a ratio; its noise does not, so
each figure is the middle of several rounds, with the smallest and the largest beside it.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from conformance import run, stored
from conformance.embedded import Stage, staged
from conformance.evidence import read
from conformance.exchange import Exchange
from conformance.plan import Plan
from conformance.selection import Selection
from conformance.target import Backing, Key, Limits, Target

_KEY: Final = Key("sgk_" + "5c" * 20)
_LIMITS: Final = Limits(max_requests=5000, max_tokens=1_000_000)
_SETTINGS: Final = {
    "the declared requests": (Selection(), None),
    "200 generated examples": (Selection(examples=200, seed=1, shrinks=0), None),
    "both sides of a gateway": (Selection(), Backing(model="reference/scripted", max_output_tokens=512, timeout=2)),
}


def main() -> None:
    """Print a table of ratios."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    options.add_argument("--rounds", type=int, default=3, metavar="N")
    rounds: int = options.parse_args().rounds
    print("| run | requests | sent, as many times as long as a bare client | judged and reported, the same |")
    print("| --- | ---: | ---: | ---: |")
    for name, (selection, backing) in _SETTINGS.items():
        measured = [_measured(selection, backing) for _ in range(rounds)]
        sent = _middle(sending / bare for _, bare, sending, _ in measured)
        judged = _middle(judging / bare for _, bare, _, judging in measured)
        print(f"| {name} | {measured[0][0]} | {sent} | {judged} |", flush=True)


def _measured(selection: Selection, backing: Backing | None) -> tuple[int, float, float, float]:
    """How many requests, and the seconds of a bare client, of the suite's sending, and of its judging and reporting."""
    with TemporaryDirectory() as folder:
        place = Path(folder)
        with staged(Target(url="", limits=_LIMITS, backend=backing), key=_KEY) as stage:
            asked = run.plan(stage.target, selection)
            sending = _timed(lambda: asyncio.run(_observed(place, stage, selection, asked)))
            exchanges = read(place).exchanges
            bare = _timed(lambda: asyncio.run(_sent(exchanges, stage.target.limits.concurrency)))
        judging = _timed(lambda: stored.write_reports(place, stored.judged(place).report, place))
    return len(exchanges), bare, sending, judging


async def _observed(place: Path, stage: Stage, selection: Selection, asked: Plan) -> None:
    await run.observed(place, target=stage.target, key=stage.key, selection=selection, asked=asked, behind=stage.behind)


async def _sent(exchanges: Iterable[Exchange], concurrency: int) -> None:
    """Send what was sent, as many at once, read each answer to its end, and keep nothing."""
    queue = [replace(exchange, pieces=()) for exchange in exchanges if exchange.request.headers]

    async def work(client: httpx.AsyncClient) -> None:
        while queue:
            request = queue.pop().request
            headers = {name: value.replace("***", _KEY) for name, value in request.headers}
            try:
                async with client.stream(request.method, request.url, headers=headers, content=request.body) as answer:
                    async for _ in answer.aiter_raw():
                        pass
            except httpx.HTTPError:
                continue

    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        await asyncio.gather(*(work(client) for _ in range(concurrency)))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _middle(ratios: Iterable[float]) -> str:
    found = sorted(ratios)
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"


if __name__ == "__main__":
    main()
