"""`python -m proof`: serve every fault and every legal variant, and hold what the suite says against what it should."""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from conformance.checks import CHECKS
from conformance.server.faults import FAULTS
from conformance.server.variants import VARIANTS
from proof.observing import DEVIATIONS, Outcome, complaints, outcome


def main() -> int:
    """The gate: 0 where everything is as promised, 1 where anything is not."""
    parser = argparse.ArgumentParser(prog="python -m proof", description=__doc__)
    parser.add_argument("--only", action="append", metavar="ID", help="a fault or a variant, or the start of some")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), metavar="N", help="servers at once")
    options = parser.parse_args()
    chosen = [identity for identity in DEVIATIONS if identity.startswith(tuple(options.only or ("",)))]
    failures = list(_told(outcomes(chosen, options.workers), verbose=bool(options.only)))
    if options.only:
        return 1 if failures or not chosen else 0
    killed = {fault.red[0] for fault in FAULTS}
    for identity in sorted(CHECKS.keys() - killed):
        failures.append(identity)
        print(f"no fault was made for {identity}")
    print(
        f"checks {len(CHECKS)}, with a killer {len(killed & CHECKS.keys())}; faults {len(FAULTS)}, legal variants"
        f" {len(VARIANTS)}; {len(failures)} not as promised"
    )
    return 1 if failures else 0


def outcomes(ids: Iterable[str], workers: int) -> Iterator[Outcome]:
    """The outcome of each, in parallel, as they come."""
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(outcome, [(identity,) for identity in ids])


def _told(seen: Iterable[Outcome], *, verbose: bool) -> Iterator[str]:
    for each in seen:
        deviations = [DEVIATIONS[identity] for identity in each.ids]
        if verbose:
            print(f"{'+'.join(each.ids)}: {each.seconds:.1f} s, red {list(each.red)}, undecided {list(each.unseen)}")
            for name, line in each.told:
                print(f"    {name}: {line}")
        for complaint in complaints(deviations, each):
            print(f"{'+'.join(each.ids)}: {complaint}", flush=True)
            yield complaint


if __name__ == "__main__":
    sys.exit(main())
