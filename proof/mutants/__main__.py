"""`python -m proof.mutants [MODULE...]`: change our code in one place at a time, and see whether a test notices.

A module is named as in the table of docs/mutants.md: `sse`, `checks/ending`. Without one, all are run. The tests that a
change of a check must turn red are those of tests/test_checks.py and tests/test_checks_elsewhere.py, so the checks are
judged over the same evidence, of every kind of run.
"""

import argparse
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from conformance.check import listed
from proof.mutants import reach, survivors
from proof.mutants.cases import shown
from proof.mutants.operators import Mutant, mutants
from proof.mutants.survivors import Survivor, Totals
from proof.mutants.trial import ROOT, SURVIVED, TIMEOUT, Killer, outcome, resting_on, settle, tested_by, timed
from tests.miniatures.settings import SETTINGS, Setting

_VERDICTS: Final = ("test_verdict.py", "test_verdict_wants.py", "test_finding.py", "test_baseline.py")
_CHECKS: Final = sorted(found.stem for found in ROOT.glob("conformance/checks/[!_]*.py"))
_BESIDE: Final = {
    **dict.fromkeys(("finish", "refusals", "request"), ("test_triggers.py",)),
    "streamed_calls": ("test_finish.py",),
}
TESTS: Final = {
    "sse": ("test_sse.py",),
    "baseline": ("test_baseline.py",),
    "stability": ("test_stability.py",),
    "finding": _VERDICTS,
    "verdict": _VERDICTS,
    "check": ("test_check.py",),
    "reading/witness": ("test_witness.py", "test_reading.py"),
    **{f"reading/{name}": ("test_reading.py",) for name in ("requests", "answers", "streams")},
    "clients": ("test_clients.py", "test_clients_differential.py"),
    **{
        f"checks/{name}": tuple(
            file for file in (f"test_{name}.py", *_BESIDE.get(name, ())) if (ROOT / "tests" / file).exists()
        )
        for name in _CHECKS
    },
}
"""The tests of a module's own, beside the checks that are judged by it."""
ENOUGH: Final = ("sse", "baseline", "stability", "finding", "verdict")
"""Modules whose own tests must kill every mutant, though checks rest on them."""
MODULES: Final = tuple(dict.fromkeys((*TESTS, *(f"checks/{name}" for name in _CHECKS))))
_PATIENCE: Final = (4, 10.0)
"""A mutant that takes this many times as long as the module unchanged, and these seconds more, is a timeout."""


def main() -> int:
    """The gate: 0 where the survivors are those that are listed with a reason, no more and no fewer; else 1."""
    parser = argparse.ArgumentParser(prog="python -m proof.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"any of {', '.join(MODULES)}")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N", help="modules at once")
    options = parser.parse_args()
    if unknown := [name for name in options.modules if name not in MODULES]:
        parser.error(f"{unknown[0]} is none of {', '.join(MODULES)}")
    settle()
    chosen = [name for name in MODULES if name in options.modules or not options.modules]
    if any(map(_is_check, chosen)):
        _unchanged()
    totals, wrong = [], 0
    # Forked, so that what is shown to the checks is made once for all.
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("fork")) as pool:
        for found, left in pool.map(_run, chosen):
            print(f"{found.module}: {found}", flush=True)
            for complaint in survivors.compared(found, left):
                print(f"  {complaint}", flush=True)
                wrong += 1
            totals.append(found)
            survivors.written(totals, order=MODULES)
    return 1 if wrong else 0


def _is_check(name: str) -> bool:
    return name.startswith("checks/")


def _unchanged() -> None:
    """Judge everything with nothing changed, and stop where that is complained of."""
    for setting in SETTINGS:
        for identity, found in reach.judged(setting).items():
            if found.told:
                sys.exit(f"{identity}: killed though nothing is changed: {found.told}")


def _run(name: str) -> tuple[Totals, list[Survivor]]:
    """What became of the mutants of a module, and which of them live."""
    source = (ROOT / f"conformance/{name}.py").read_text("utf-8")
    module = f"conformance.{name.replace('/', '.')}"
    stale = resting_on(module)
    tests = [tested_by(*(str(Path("tests") / test) for test in TESTS[name]))] if TESTS.get(name) else []
    known = [] if name in ENOUGH else _resting(module, stale)
    is_check = _is_check(name)
    own = _listed(module) if is_check else known
    killers = [*tests, *_judging(own, everywhere=is_check)]
    unchanged, needed = timed(lambda: outcome(module, source, killers, stale, patience=900.0))
    if unchanged != SURVIVED:
        sys.exit(f"{name}: killed though nothing is changed: {unchanged}")
    counts: Counter[str] = Counter()
    left: list[Survivor] = []
    for mutant in mutants(source):
        seconds = needed
        if is_check:
            bearing = reach.bearing(module, mutant.function, known, SETTINGS)
            ours, others = ([each for each in bearing if (each in own) is mine] for mine in (True, False))
            killers = [*_judging(ours, everywhere=True), *tests, *_judging(others, everywhere=True)]
            seconds += sum(
                reach.judged(each)[one].seconds for each in SETTINGS for one in bearing if one in each.checks
            )
        patience = seconds * _PATIENCE[0] + _PATIENCE[1]
        told = outcome(module, mutant.code, killers, stale, patience=patience)
        counts["survived" if told == SURVIVED else "timeout" if told == TIMEOUT else "killed"] += 1
        if told == SURVIVED:
            left.append(_survivor(name, mutant))
            print(
                f"{name}:{mutant.line} survives:\n    - {mutant.was}\n    + {mutant.now}", file=sys.stderr, flush=True
            )
    totals = Totals(module=name, killed=counts["killed"], timeout=counts["timeout"], survived=counts["survived"])
    return totals, left


def _survivor(name: str, mutant: Mutant) -> Survivor:
    return Survivor(module=name, function=mutant.function, was=mutant.was, now=mutant.now)


def _listed(module: str) -> list[str]:
    return [check.requirement for check in listed(vars(sys.modules[module]))]


def _resting(module: str, stale: frozenset[str]) -> list[str]:
    """The requirements whose checks rest on the module, those that it lists itself first.

    By the modules that list them: many a check is made there by a function of another module.
    """
    return list(dict.fromkeys(identity for each in (module, *sorted(stale - {module})) for identity in _listed(each)))


def _judging(ids: Sequence[str], *, everywhere: bool) -> list[Killer]:
    """These requirements over the cases of every kind of run that decides any."""

    def judged(setting: Setting, chosen: tuple[str, ...]) -> Killer:
        everything = shown(setting)

        def killer() -> str:
            from proof.mutants.judging import complaint  # noqa: PLC0415  # its checks are to be the mutant's

            return complaint(everything, chosen, everywhere=everywhere)

        return killer

    deciding = ((setting, tuple(identity for identity in ids if identity in setting.checks)) for setting in SETTINGS)
    return [judged(setting, chosen) for setting, chosen in deciding if chosen]


if __name__ == "__main__":
    sys.exit(main())
