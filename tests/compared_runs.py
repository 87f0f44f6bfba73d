"""Runs to compare: whole ones of the reference server, of one that deviates, and of models with moods."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from conformance import run, stored
from conformance.embedded import embedded_target
from conformance.selection import Selection
from conformance.server.deviation import Deviation
from conformance.server.faults import FAULTS
from conformance.server.hosting import serve_in_thread
from conformance.server.moods import moody_services
from conformance.server.site import Site
from conformance.server.variants import VARIANTS
from conformance.target import Key, Limits, Target

KEY = Key("sgk_compared00000000000000000000000000000")
DEVIATIONS: Mapping[str, Deviation] = {each.id: each for each in (*FAULTS, *VARIANTS)}


def kept(place: Path, target: Target, selection: Selection) -> Path:
    """The directory of a run, its report written."""
    asked = run.plan(target, selection)
    asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    stored.write_reports(place, stored.judged(place).report, place)
    return place


def embedded(place: Path, *deviations: str, selection: Selection | None = None) -> Path:
    """A run of the reference server with these deviations."""
    made: Sequence[Deviation] = [DEVIATIONS[name] for name in deviations]
    with embedded_target(limits=Limits(), key=KEY, deviations=made) as target:
        return kept(place, target, selection or Selection())


def moody(place: Path, mood: str) -> Path:
    """A run of a model with a mood."""
    site = Site(keys=(KEY,))
    with serve_in_thread(replace(site, services=(*site.services, *moody_services()))) as url:
        able = {"tools": True, "vision": True, "audio": True}
        target = Target(url=url, model=f"reference/mood-{mood}", capabilities=able, max_output_tokens=512)
        return kept(place, target, Selection())


def difference(before: Path, after: Path, *, strict: bool = False) -> dict[str, Any]:
    return stored.difference(stored.comparable(before), after, strict=strict)
