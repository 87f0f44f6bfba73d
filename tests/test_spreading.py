"""The workers of pytest-xdist send one run together, and say what one process says."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from conformance.requirement import catalogue
from conformance.selection import Shard
from conformance.server.deviation import served
from conformance.server.faults import FAULTS
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY
from conformance.suites.spreading import spread
from tests import hostile
from tests.commands import PATIENCE, Done, called, environment, report_in, suites, verdicts

TARGET = ("--model", "reference/mini")


def workers(place: Path, *options: object, number: int = 2, key: str | None = DEFAULT_KEY) -> Done:
    return suites("-n", number, "--conformance-output", place / "run", *options, place=place, key=key)


def test_two_workers_pass_on_the_embedded_server_what_a_run_passes(tmp_path: Path) -> None:
    done = workers(tmp_path)
    called("run", "--output", tmp_path / "other")
    report = report_in(tmp_path / "run")

    assert done.code == 0, done.said
    assert "2 workers" in done.out
    assert verdicts(report) == verdicts(report_in(tmp_path / "other"))
    assert len(verdicts(report)) == len(catalogue())
    assert f"{report['requests']} requests, evidence and reports in {tmp_path / 'run'}" in done.out


def test_more_workers_than_items_wait_for_nobody(tmp_path: Path) -> None:
    with hostile.answers() as server:
        done = workers(tmp_path, "--target", server.url, *TARGET, "-k", "wrong-refused", number=3)

    assert re.search(r"^1 (passed|failed|skipped)|\b1 (passed|failed|skipped|error)", done.out)
    report = report_in(tmp_path / "run")
    assert len(server.seen) == report["requests"] <= 4 + 2
    assert report["selection"] == "1 requirements picked by name"


def test_a_broken_must_is_red_under_workers_too(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.id == "no-done")
    made = served((fault,))
    with serve_in_thread(made.site, made.conduct) as url:
        done = workers(tmp_path, "--target", url, *TARGET, "-k", "stream.done or stream.status")

    assert done.code == 1
    assert "nonconformant: " in done.out
    assert verdicts(report_in(tmp_path / "run"))["stream.done"] == "fail"


def test_a_target_that_refuses_connections_ends_the_session_of_the_workers(tmp_path: Path) -> None:
    with hostile.refuses() as server:
        done = workers(tmp_path, "--target", server.url, "--model", "m")

    assert done.code == 3
    assert "chat-conformance: aborted: http://" in done.out
    assert report_in(tmp_path / "run")["verdict"] == "aborted"


def test_a_mistake_ends_the_session_of_the_workers(tmp_path: Path) -> None:
    done = workers(tmp_path, "--model", "m")

    assert done.code == 2
    assert "--model and --api-key-env go with --target" in done.out
    assert not (tmp_path / "run").exists()


# Who holds which shard.

SHARDS = tuple(Shard(number=number, of=3) for number in (1, 2, 3))


def merge_into(place: Path) -> Path:
    place.mkdir()
    return place


async def together(directory: Path, names: Sequence[str]) -> tuple[list[str], set[Path], list[list[Path]]]:
    """What was observed, where the workers were sent, and what was merged."""
    seen: list[str] = []
    merged: list[list[Path]] = []

    async def work(start: int) -> Path:
        async def observe(shard: Shard, place: Path) -> None:
            assert not os.listdir(place)  # noqa: PTH208  # in a coroutine
            seen.append(f"{shard.number}")
            await asyncio.sleep(0.1)
            (place / "evidence.jsonl").touch()

        def merge(places: Sequence[Path]) -> Path:
            merged.append(list(places))
            return merge_into(directory / "whole")

        return await spread(directory, shards=(*SHARDS[start:], *SHARDS[:start]), observe=observe, merge=merge)

    places = await asyncio.gather(*(work(start) for start, _ in enumerate(names)))
    return sorted(seen), set(places), merged


@pytest.mark.parametrize("names", [["one"], ["one", "two"], ["one", "two", "three"]], ids=len)
def test_each_shard_is_observed_once_however_many_workers_come(tmp_path: Path, names: list[str]) -> None:
    seen, places, merged = asyncio.run(together(tmp_path, names))

    assert seen == ["1", "2", "3"]
    assert places == {(tmp_path / "whole").resolve()}
    assert merged == [[tmp_path / f"shard-{number}" for number in (1, 2, 3)]]


def test_the_shard_of_a_worker_that_died_is_taken_by_another(tmp_path: Path) -> None:
    dying = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from conformance.selection import Shard\n"
        "from conformance.suites.spreading import spread\n"
        "async def observe(shard, place):\n"
        "    (place / 'evidence.jsonl').write_text('half of it')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "shards = [Shard(number=number, of=3) for number in (1, 2, 3)]\n"
        "asyncio.run(spread(Path(sys.argv[1]), shards=shards, observe=observe, merge=None))\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", dying, str(tmp_path)], env=environment(None), timeout=PATIENCE, check=False
    )
    assert died.returncode == -signal.SIGKILL
    assert [file.name for file in (tmp_path / "shard-1").iterdir()] == ["evidence.jsonl"]

    seen, _, _ = asyncio.run(together(tmp_path, ["one"]))
    assert seen == ["1", "2", "3"]
