"""How the workers of pytest-xdist observe together: each takes shards of one run, and all judge the merged evidence."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from conformance.selection import Shard
from conformance.target import BadInput

_BLINK: Final = 0.05  # seconds between two looks at a lock that another worker holds


async def spread(
    directory: Path,
    *,
    shards: Sequence[Shard],
    observe: Callable[[Shard, Path], Awaitable[None]],
    merge: Callable[[Sequence[Path]], Path],
) -> Path:
    """The directory of the merged run, which all workers get when every shard was observed by one of them.

    A worker goes through all shards and observes those that nobody has. The lock of a shard ends with the process that
    holds it, so a worker that dies leaves its shard to the next, and one that never gets an item is not waited for.

    Args:
        directory: is there, and the same for all workers, and for no other session.
        shards: all of them, in the order in which this worker tries them.
        observe: sends a shard and leaves its evidence in the empty directory.
        merge: puts the evidence of all shards together; called by one worker.

    Raises:
        BadInput: the system has no locks of this kind.
    """
    places = {shard.number: directory / f"shard-{shard.number}" for shard in shards}
    for shard in shards:
        place = places[shard.number]
        async with _lock(directory / f"{place.name}.lock"):
            if not (done := directory / f"{place.name}.done").exists():
                shutil.rmtree(place, ignore_errors=True)  # what a worker that died has left
                place.mkdir()
                await observe(shard, place)
                done.touch()
    async with _lock(directory / "merge.lock"):
        if not (told := directory / "merged").exists():
            merged = merge([places[number] for number in sorted(places)])
            told.write_text(str(merged.resolve()), encoding="utf-8")
    return Path(told.read_text(encoding="utf-8"))


@asynccontextmanager
async def _lock(file: Path) -> AsyncIterator[None]:
    """A lock between processes, waited for without keeping the loop from being cancelled."""
    try:
        import fcntl  # noqa: PLC0415  # not on every system, and needed under pytest-xdist alone
    except ImportError:
        raise BadInput(
            "pytest-xdist: this system has no file locks for the workers; run without it, or use --shard"
        ) from None

    with file.open("w") as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                await asyncio.sleep(_BLINK)
            else:
                break
        yield
