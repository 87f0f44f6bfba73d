"""A run that is told to stop: what is kept, and that nothing is left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.evidence import read
from conformance.exchange import Ending, Exchange
from conformance.observe import observe
from conformance.target import Limits, Target
from tests import hostile
from tests.sending import (
    KEY,
    LIMITS,
    at,
    many,
    ran,
)


def test_an_interrupt_keeps_what_was_under_way_and_goes_on() -> None:
    records: list[Exchange] = []

    async def interrupted(target: Target) -> None:
        work = asyncio.create_task(observe(many(9), target=target, key=KEY, record=records.append, opening="opening"))
        await asyncio.sleep(0.3)
        work.cancel()
        await work

    with hostile.starts_well_then_stalls() as server, pytest.raises(asyncio.CancelledError):
        ran(interrupted(at(server, limits=Limits(concurrency=3))))

    assert [record.ended for record in records] == [Ending.COMPLETE] + [Ending.INTERRUPTED] * 3
    assert [record.body for record in records[1:]] == [b"data: {}\n\n"] * 3


def test_ctrl_c_leaves_evidence_without_a_footer_and_nothing_else(tmp_path: Path) -> None:
    program = """
import asyncio, pathlib, sys
from conformance.evidence import Journal
from conformance.observe import observe
from conformance.target import Limits, Target
from tests.sending import KEY, many
target = Target(url=sys.argv[1], model="m", limits=Limits(concurrency=3))
with Journal(pathlib.Path(sys.argv[2]), {}) as journal:
    asyncio.run(observe(many(9), target=target, key=KEY, record=journal.record, opening="opening"))
"""
    root = str(Path(__file__).parent.parent)
    with (
        hostile.starts_well_then_stalls() as server,
        subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", program, server.url, str(tmp_path / "evidence.jsonl")],
            cwd=root,
            env={**os.environ, "PYTHONPATH": root},
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        give_up = time.monotonic() + 30
        while server.in_flight < 3 and time.monotonic() < give_up:
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=10)

    assert told.rstrip().endswith("KeyboardInterrupt")
    assert KEY not in told
    assert not any(word in told for word in ("never retrieved", "was destroyed", "unclosed"))
    evidence = read(tmp_path)
    assert evidence.footer is None
    assert [made.ended for made in evidence.exchanges] == [Ending.COMPLETE] + [Ending.INTERRUPTED] * 3
    assert {made.body for made in evidence.exchanges[1:]} == {b"data: {}\n\n"}


@pytest.mark.parametrize("moment", range(20))
def test_an_interrupt_at_any_moment_records_each_request_once_and_strands_nothing(moment: int) -> None:
    records: list[Exchange] = []

    async def interrupted(target: Target) -> None:
        work = asyncio.create_task(observe(many(99), target=target, key=KEY, record=records.append, opening="opening"))
        for _ in range(moment * moment):
            await asyncio.sleep(0)
        work.cancel()
        await work

    limits = replace(LIMITS, concurrency=3)
    with hostile.answers_slowly(0.01) as server, pytest.raises(asyncio.CancelledError):
        ran(interrupted(at(server, limits=limits)))

    assert len({record.id for record in records}) == len(records)
    assert sum(record.ended is Ending.INTERRUPTED for record in records) <= 3
    assert len(server.seen) <= len(records)


def test_an_interrupt_during_a_wait_keeps_the_answer_that_led_to_it() -> None:
    records: list[Exchange] = []

    async def interrupted(target: Target) -> None:
        work = asyncio.create_task(observe(many(1), target=target, key=KEY, record=records.append, opening="opening"))
        await asyncio.sleep(0.3)
        work.cancel()
        await work

    with hostile.throttles_then_answers(1, retry_after=60) as server, pytest.raises(asyncio.CancelledError):
        ran(interrupted(at(server)))

    assert [(record.id, record.retried) for record in records] == [("opening", False), ("p0", False)]
