"""The evidence of a run against the embedded reference server, in which nothing is wrong."""

import asyncio
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance import evidence, run, verdict
from conformance.checks import CHECKS
from conformance.embedded import staged
from conformance.evidence import Evidence
from conformance.finding import Verdict
from conformance.plan import Plan
from conformance.requirement import catalogue
from conformance.selection import Selection
from conformance.target import Backing, Key, Limits, Target
from conformance.verdict import Conclusion
from tests.miniatures.wire import Change

KEY = Key("sgk_" + "5f" * 20)


def sent(
    selection: Selection, *, limits: Limits | None = None, backing: Backing | None = None
) -> tuple[Target, Plan, Evidence]:
    """The target, the plan and the evidence of one run, its exchanges in the order of the plan."""
    described = Target(url="", limits=limits or Limits(), backend=backing)
    with TemporaryDirectory() as folder, staged(described, key=KEY) as stage:
        target, place = stage.target, Path(folder)
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked, behind=stage.behind))
        kept = evidence.read(place)
    places = list(kept.header["plan"]["probes"])
    ordered = sorted(kept.exchanges, key=lambda exchange: (places.index(exchange.probe), exchange.step))
    return target, asked, replace(kept, exchanges=tuple(ordered))


@cache
def innocent() -> Evidence:
    """The evidence of the whole catalogue, observed once a session."""
    _, _, kept = sent(Selection())
    return kept


def changed(change: Change) -> Evidence:
    """The innocent evidence as another server would have made it."""
    return replace(innocent(), exchanges=change(innocent().exchanges))


def concluded(kept: Evidence) -> Conclusion:
    """What the suite concludes."""
    return verdict.concluded(kept, catalogue=catalogue(), checks=CHECKS)


def ids(conclusion: Conclusion, found: Verdict) -> set[str]:
    """The requirements with a verdict."""
    return {finding.requirement.id for finding in conclusion.findings if finding.verdict is found}
