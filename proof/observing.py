"""One deviating server: served on a real socket, asked everything, judged."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zlib import crc32

from conformance import run, stored
from conformance.embedded import staged
from conformance.finding import Verdict
from conformance.selection import Selection
from conformance.server.deviation import Deviation, Fault
from conformance.server.faults import FAULTS
from conformance.server.faults.behind import SLUG
from conformance.server.variants import VARIANTS
from conformance.target import Backing, Key, Limits, Target

DEVIATIONS: Final = {deviation.id: deviation for deviation in (*FAULTS, *VARIANTS)}

_KEY: Final = Key("sgk_" + "9c" * 20)
_LIMITS: Final = Limits(timeout=7, deadline=14)
"""Longer than the grace that a stream has to close in, shorter than a person would wait."""
_MOST: Final = Limits(max_requests=5000, max_tokens=500_000)  # where requests are generated
_FEW: Final = 6  # examples for a legal variant: each server sees others
_BACKING: Final = Backing(model=SLUG, max_output_tokens=512, timeout=3)
_PATIENT: Final = 20.0  # seconds, where a stream has ten thousand chunks
_MANY: Final = 48  # requests at once, where many wait for a backend that falls silent
_EVERYTHING: Final = 256  # requests at once: more than a plan holds


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a whole run said of one server."""

    ids: tuple[str, ...]
    """The deviations of the server."""
    red: tuple[str, ...]
    unseen: tuple[str, ...]
    """The requirements that stayed inconclusive."""
    told: tuple[tuple[str, str], ...]
    """Of each violation the requirement, and `where: expected; found`."""
    ended: str
    """How the run ended: empty for well, or why not."""
    seconds: float


def outcome(ids: Sequence[str]) -> Outcome:
    """Serve the deviations together, run the whole suite against them, and judge."""
    deviations = [DEVIATIONS[identity] for identity in ids]
    patience = max(each.patience for each in deviations)
    return judged(deviations, Limits(timeout=patience, deadline=2 * patience) if patience else _LIMITS)


def reference(_number: int) -> Outcome:
    """The reference server as it is, asked everything at once."""
    return judged([], limits=replace(_LIMITS, concurrency=_EVERYTHING))


def judged(deviations: Sequence[Deviation], limits: Limits = _LIMITS) -> Outcome:
    """What the suite says of a server with these deviations, which need not be in a catalogue."""
    begun = time.monotonic()
    hidden = next((each for each in deviations if each.examples), None)
    few = _FEW if deviations and not any(isinstance(each, Fault) for each in deviations) else 0
    selection = Selection(
        examples=hidden.examples if hidden else few,
        seed=hidden.seed if hidden else sum(crc32(each.id.encode()) for each in deviations),
        shrinks=0,
    )
    if selection.examples:
        limits = replace(limits, max_requests=_MOST.max_requests, max_tokens=_MOST.max_tokens)
    with TemporaryDirectory() as folder:
        if backing := _BACKING if any(each.behind for each in deviations) else None:
            limits = replace(limits, timeout=_PATIENT, deadline=3 * _PATIENT, concurrency=_MANY)
        described = Target(url="", limits=limits, backend=backing)
        with staged(described, key=_KEY, deviations=deviations) as stage:
            asked = run.plan(stage.target, selection)
            asyncio.run(
                run.observed(
                    Path(folder),
                    target=stage.target,
                    key=_KEY,
                    selection=selection,
                    asked=asked,
                    behind=stage.behind,
                )
            )
        conclusion = stored.judged(Path(folder)).conclusion
    found = conclusion.findings
    errors = [
        f"{finding.requirement.id}: {finding.explanation}" for finding in found if finding.verdict is Verdict.ERROR
    ]
    return Outcome(
        ids=tuple(deviation.id for deviation in deviations),
        red=tuple(finding.requirement.id for finding in found if finding.verdict is Verdict.FAIL),
        unseen=tuple(finding.requirement.id for finding in found if finding.verdict is Verdict.INCONCLUSIVE),
        told=tuple(
            dict.fromkeys(
                (finding.requirement.id, f"{violation.where}: {violation.expected}; {violation.found}")
                for finding in found
                if finding.verdict is Verdict.FAIL
                for _, violation in finding.violations
            )
        ),
        ended="; ".join(errors) or ("" if conclusion.ended == "complete" else f"{conclusion.ended}"),
        seconds=time.monotonic() - begun,
    )


def complaints(deviations: Sequence[Deviation], seen: Outcome) -> list[str]:
    """How the outcome differs from what the deviations promise; nothing where it does not."""
    wanted = {identity for each in deviations if isinstance(each, Fault) for identity in each.red}
    perhaps = {identity for each in deviations if isinstance(each, Fault) for identity in each.perhaps}
    hidden = tuple(beginning for each in deviations for beginning in each.unseen)
    found = [f"did not turn red: {identity}" for identity in sorted(wanted - set(seen.red))]
    found += [
        f"turned red: {identity}: {next(line for name, line in seen.told if name == identity)}"
        for identity in seen.red
        if identity not in wanted | perhaps
    ]
    found += [f"stayed undecided: {identity}" for identity in seen.unseen if not identity.startswith(hidden or ("-",))]
    for each in deviations:
        if isinstance(each, Fault):
            lines = [line for name, line in seen.told if name == each.red[0]]
            if lines and not any(each.says in line for line in lines):
                found.append(f"{each.red[0]} did not say {each.says!r} but: {' | '.join(lines[:4])}")
    return found + ([f"ended: {seen.ended}"] if seen.ended else [])
