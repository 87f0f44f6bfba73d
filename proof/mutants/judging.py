"""Some checks over every case that bears on them; imported where the mutant is, so that these are its checks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from conformance.check import Check, Group
from conformance.checks import CHECKS
from conformance.finding import Finding, Verdict, judged
from conformance.requirement import Requirement
from proof.mutants.cases import Case, Shown


def complaint(shown: Shown, ids: Sequence[str], *, everywhere: bool) -> str:
    """The first assertion of those tests on these requirements that does not hold; empty where all do.

    A faulty server is shown to the checks that it turns red, and `everywhere` to the others too.
    """
    if lost := sorted(set(ids) - CHECKS.keys()):
        return f"no check for {lost[0]}"
    judges = {name: _Judge(CHECKS[name], shown.rows[name], shown.innocent) for name in ids}
    cases = (*shown.others, *shown.moods, *(shown.miniatures if everywhere else ()))
    return next(_complaints(shown, judges, cases), "")


@dataclass(frozen=True)
class _Judge:
    """A check that remembers the innocent run: of what another server answers alike, it asks no more than it must.

    The verdict is that of `judged` on the whole. Groups of exchanges that passed in the innocent run are shown again
    only once, for a witness; those that showed nothing show nothing.
    """

    check: Check
    row: Requirement
    innocent: Case

    @cached_property
    def _chosen(self) -> frozenset[int]:
        return frozenset(id(exchange) for exchange in self.innocent.exchanges if self.check.when(exchange))

    @cached_property
    def _groups(self) -> dict[tuple[int, ...], bool]:
        """The groups of the innocent run, each with whether it passed by itself."""
        chosen = [exchange for exchange in self.innocent.exchanges if id(exchange) in self._chosen]
        groups = list(self.check.groups(chosen, self.innocent.exchanges))
        return {tuple(map(id, group)): self._passes(group) for group in groups}

    def _passes(self, group: Group) -> bool:
        alone = replace(self.check, when=lambda _: True, groups=lambda _chosen, _all: (group,))
        return judged(self.row, alone, group).verdict is Verdict.PASS

    @cached_property
    def whole(self) -> Finding:
        """What the innocent run says."""
        return judged(self.row, self.check, self.innocent.exchanges)

    def on(self, case: Case) -> Finding:
        """The verdict, as `judged` gives it on the whole."""
        chosen = {id(exchange) for exchange in case.changed if self.check.when(exchange)} | self._chosen
        everything = case.exchanges
        new: list[Group] = []
        witness: list[Group] = []
        for group in self.check.groups([exchange for exchange in everything if id(exchange) in chosen], everything):
            passed = self._groups.get(tuple(map(id, group)))
            if passed is None:
                new.append(group)
            elif passed:
                witness = witness or [group]
        if witness and not new:
            return self.whole
        if "examples" in self.row.needs:  # how many showed something decides too
            return judged(self.row, self.check, everything)
        shown = replace(self.check, when=lambda _: True, groups=lambda _chosen, _all: (*new, *witness))
        return judged(self.row, shown, everything)


def _complaints(shown: Shown, judges: dict[str, _Judge], cases: Sequence[Case]) -> Iterator[str]:
    for identity, judge in judges.items():
        if (verdict := judge.whole.verdict) is not Verdict.PASS:
            yield f"innocent: {identity} is {verdict}"
    for case in shown.miniatures:
        yield from _on(case, judges, [identity for identity in case.red if identity in judges])
    for case in cases:
        yield from _on(case, judges, [identity for identity in judges if identity not in case.red])
    for identity in shown.shaken:
        if identity in judges:
            verdicts = {judges[identity].on(case).verdict for case in shown.moods}
            if Verdict.INCONCLUSIVE not in verdicts:
                yield f"no mood leaves {identity} undecided"


def _on(case: Case, judges: dict[str, _Judge], ids: Iterable[str]) -> Iterator[str]:
    for identity in ids:
        if wrong := _wrong(case, identity, judges[identity].on(case)):
            yield f"{case.name}: {identity}: {wrong}"


def _wrong(case: Case, identity: str, finding: Finding) -> str:
    if identity in case.red:
        return _unfit(case, identity, finding)
    if case.exact is not None:
        asked = Verdict.INCONCLUSIVE if identity in case.exact else Verdict.PASS
        return "" if finding.verdict is asked else str(finding.verdict)
    if finding.verdict is Verdict.INCONCLUSIVE:
        return "" if identity.startswith((*case.unseen, *case.blind)) else "inconclusive"
    if finding.verdict is not Verdict.PASS or identity.startswith(case.blind):
        return str(finding.verdict)
    return ""


def _unfit(case: Case, identity: str, finding: Finding) -> str:
    """What is wrong about a failure that was asked for."""
    if finding.verdict is not Verdict.FAIL:
        return str(finding.verdict)
    if identity != case.red[0]:
        return ""
    told = [f"{violation.where}: {violation.expected}; {violation.found}" for _, violation in finding.violations]
    if not any(case.says in line for line in told):
        return f"says {told}"
    blamed = {name for name, _ in finding.violations} - {exchange.id for exchange in case.changed}
    return f"blames {sorted(blamed)}" if blamed else ""
