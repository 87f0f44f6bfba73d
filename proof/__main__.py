"""`python -m proof`: serve every fault and every legal variant, and hold what the suite says against what it should."""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from conformance.checks import CHECKS
from conformance.server.deviation import Fault
from conformance.server.faults import FAULTS
from conformance.server.variants import VARIANTS
from conformance.server.wild import WILD
from proof.combinations import combined
from proof.mutants import survivors
from proof.observing import DEVIATIONS, Outcome, complaints, outcome, reference
from proof.page import Totals, page
from proof.steadiness import changes
from proof.wild import account

ROOT: Final = Path(__file__).parent.parent
_RUNS: Final = 20  # of the reference server in a row
PAGE: Final = ROOT / "docs" / "accuracy.md"


def main() -> int:
    """The gate: 0 where everything is as promised, 1 where anything is not."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--only", action="append", metavar="ID", help="a fault or a variant, or the start of some")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N", help="servers at once")
    parser.add_argument("--combinations", type=int, default=30, metavar="N", help="legal variants drawn together")
    parser.add_argument("--write", action="store_true", help="write docs/accuracy.md where everything held")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # violations quote lone surrogates
    if options.only:
        chosen = [identity for identity in DEVIATIONS if identity.startswith(tuple(options.only))]
        wrong = [complaint for each in outcomes(chosen, options.workers) for complaint in _shown(each)]
        return 1 if wrong or not chosen else 0
    return _gate(workers=options.workers, combinations=options.combinations, write=options.write)


def outcomes(ids: Iterable[str], workers: int) -> Iterator[Outcome]:
    """The outcome of each, in parallel, in their order."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(outcome, [(identity,) for identity in ids])


def _shown(seen: Outcome) -> list[str]:
    print(f"{'+'.join(seen.ids)}: {seen.seconds:.1f} s, red {list(seen.red)}, undecided {list(seen.unseen)}")
    for name, line in seen.told:
        print(f"    {name}: {line}")
    return _complained(seen)


def _complained(seen: Outcome) -> list[str]:
    found = complaints([DEVIATIONS[identity] for identity in seen.ids], seen)
    for complaint in found:
        print(f"{'+'.join(seen.ids)}: {complaint}", flush=True)
    return found


def _gate(*, workers: int, combinations: int, write: bool) -> int:
    begun = time.monotonic()
    wrong = list(_catalogued())
    for complaint in wrong:
        print(complaint)
    killed, alarms, as_promised = set(), 0, 0
    for seen in _settled([identity for identity, each in DEVIATIONS.items() if not each.patience], workers):
        found = _complained(seen)
        wrong += found
        (deviation,) = (DEVIATIONS[identity] for identity in seen.ids)
        if isinstance(deviation, Fault):
            as_promised += not found
            killed |= set() if found else {deviation.red[0]}
        else:
            alarms += bool(seen.red)
    steady = [reference(number) for number in range(_RUNS)]
    unsteady = changes(steady)
    tried, fired = combined(combinations)
    for complaint in (*unsteady, *fired):
        print(complaint)
    patient = {fault.red[0] for fault in FAULTS if fault.patience}
    unkilled = sorted(CHECKS.keys() - killed - patient)
    wrong += [*unsteady, *fired, *(f"no fault kills {identity}" for identity in unkilled)]
    mutants = survivors.last()
    totals = Totals(
        checks=len(CHECKS),
        killed=len(killed & CHECKS.keys()),
        patient=tuple(sorted(patient - killed)),
        faults=as_promised,
        wild=len(WILD.keys() & {identity for fault in FAULTS for identity in fault.wild}),
        variants=len(VARIANTS),
        combinations=tried,
        alarms=alarms + len(fired),
        runs=0 if unsteady else _RUNS,
        mutants=mutants.mutants,
        survivors=mutants.survived,
    )
    print(f"\n{totals.sentence()} ({time.monotonic() - begun:.0f} s)")
    wrong += _published(page(totals, FAULTS, VARIANTS, WILD), write=write and not wrong)
    if totals.sentence() not in (ROOT / "README.md").read_text(encoding="utf-8"):
        wrong.append(f"README.md does not say: {totals.sentence()}")
    for complaint in wrong:
        print(f"not as promised: {complaint}")
    return 1 if wrong else 0


def _settled(ids: list[str], workers: int) -> Iterator[Outcome]:
    """The outcome of each; where chance may have had a hand in it, of a second run, and that is said.

    Chance decides which answer a fault hits that comes now and then, and a machine that is busy with other things can
    leave a requirement undecided. What turns red on a legal variant has no such excuse.
    """
    again = []
    for seen in outcomes(ids, workers):
        (deviation,) = (DEVIATIONS[identity] for identity in seen.ids)
        found = complaints([deviation], seen)
        if found and (isinstance(deviation, Fault) or not seen.red):
            print(f"{deviation.id}: served once more, since it {'; '.join(found)}", flush=True)
            again.append(deviation.id)
        else:
            yield seen
    yield from outcomes(again, workers)


def _catalogued() -> Iterator[str]:
    """What is wrong with the catalogues before anything is served."""
    for identity, number in Counter(each.id for each in (*FAULTS, *VARIANTS)).items():
        if number > 1:
            yield f"{identity}: {number} deviations have this id"
    for fault in FAULTS:
        if unknown := {*fault.red, *fault.perhaps} - CHECKS.keys():
            yield f"{fault.id}: no check is called {', '.join(sorted(unknown))}"
    accounted = account(FAULTS, WILD)
    yield from (f"{identity}: seen in the wild, and no fault re-creates it" for identity in accounted.missing)
    yield from (f"{identity}: named by a fault, and not in the list of the wild" for identity in accounted.unknown)
    yield from (f"{identity}: said to be re-created elsewhere, and a fault does it" for identity in accounted.excused)


def _published(made: str, *, write: bool) -> list[str]:
    if write:
        PAGE.write_text(made, encoding="utf-8")
    stands = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return [] if stands == made else ["docs/accuracy.md is not what was seen; `nox -s proof -- --write` writes it"]


if __name__ == "__main__":
    sys.exit(main())
