"""What some exchanges say of one requirement."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from conformance.baseline import Entry
from conformance.check import Check, Group, Violation, grouped
from conformance.exchange import Exchange
from conformance.reading.witness import Inconclusive, Unobservable
from conformance.requirement import Level, Requirement
from conformance.stability import Observed, Outcome


class Verdict(StrEnum):
    """What the evidence says of one requirement (design: verdicts)."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"
    UNTESTED = "untested"
    NOT_APPLICABLE = "not_applicable"


DECIDED: Final = (Verdict.PASS, Verdict.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The verdict on one requirement, and what it rests on."""

    requirement: Requirement
    verdict: Verdict
    explanation: str = ""
    seen: int = 0
    """How many times it was decided: the exchanges, or groups of them, that showed it kept or broken."""
    evidence: tuple[str, ...] = ()
    """Ids of exchanges: those that broke it first, then some that kept it."""
    violations: tuple[tuple[str, Violation], ...] = ()
    """Each with the id of its exchange."""
    outcomes: tuple[Outcome, ...] = ()
    """What each exchange, or group of them, that decided it showed."""
    observed: Observed | None = None
    """What the observations amount to, where the run repeated some."""
    excused: bool = False
    """Undecided for want of what the target file does not provide, or since it was not asked for."""
    probes: frozenset[str] = frozenset()
    """Names of those whose exchanges decided it."""
    listed: tuple[Entry, ...] = ()
    """The entries of the baseline that cover some of its violations."""
    unlisted: int = 0
    """How many of its violations no entry covers."""

    @property
    def known(self) -> tuple[Entry, ...]:
        """The entries that together cover all its violations; none where it is no known failure."""
        return () if self.unlisted else self.listed


_EVIDENCE: Final = 5
_TELLING: Final = 0.1  # of the generated requests: fewer that show something are no pass
_VIOLATIONS: Final = 20


def gates(row: Requirement, *, strict: bool) -> bool:
    """Whether a broken requirement decides the run: every MUST, and under `--strict` every SHOULD."""
    return row.level is Level.MUST or (strict and row.level is Level.SHOULD)


def judged(row: Requirement, check: Check, exchanges: Sequence[Exchange], baseline: Sequence[Entry] = ()) -> Finding:
    """What some exchanges say of one requirement: the gravest of what each says.

    A finding with `seen` 0 decided nothing; its explanation gathers the reasons, those of the requests that were
    made to decide it before any other's. `baseline` holds the entries of this requirement that are in force.
    """
    kept: list[str] = []
    broken: list[tuple[str, Violation]] = []
    clouded: list[tuple[Exchange, str]] = []
    outcomes: list[Outcome] = []
    unshown: list[tuple[Exchange, str]] = []
    probes: set[str] = set()
    for group in grouped(check, exchanges):
        first = group[0].id
        try:
            found, reason = _shown(check, group)
        except Exception as error:  # noqa: BLE001  # a fault of ours must not be told as the target's
            explanation = f"the suite's own check failed on {first}: {type(error).__name__}: {error}"
            return Finding(requirement=row, verdict=Verdict.ERROR, explanation=explanation, seen=1, evidence=(first,))
        broken += [(violation.on or first, violation) for violation in found]
        if found or reason is None:
            outcomes.append((group[0].probe, bool(found)))
            probes |= {exchange.probe for exchange in group}
        if isinstance(reason, Inconclusive):
            clouded.append((group[0], str(reason)))
        elif reason is not None:
            unshown.append((group[0], str(reason)))
        elif not found:
            kept.append(first)
    if broken:
        failure = _failure(row, kept, broken, exchanges, baseline)
        return replace(failure, probes=frozenset(probes), outcomes=tuple(outcomes))
    if left_open := _left_open(clouded, outcomes):
        return _clouded(row, left_open, kept, outcomes)
    if kept and ("examples" not in row.needs or len(kept) >= _TELLING * (len(kept) + len(unshown))):
        return Finding(
            requirement=row,
            verdict=Verdict.PASS,
            seen=len(kept),
            evidence=tuple(kept[:_EVIDENCE]),
            probes=frozenset(probes),
            outcomes=tuple(outcomes),
        )
    return _undecided(row, check, kept, unshown)


def _failure(
    row: Requirement,
    kept: Sequence[str],
    broken: Sequence[tuple[str, Violation]],
    exchanges: Sequence[Exchange],
    baseline: Sequence[Entry],
) -> Finding:
    """The finding on what was broken: what nobody knows of first, of either kind the most telling first."""
    by_id = {exchange.id: exchange for exchange in exchanges}

    def covering(identity: str, violation: Violation) -> tuple[Entry, ...]:
        probe = by_id[identity].probe if identity in by_id else ""
        told = {"where": violation.where, "expected": violation.expected, "found": violation.found}
        return tuple(entry for entry in baseline if entry.covers(probe=probe, **told))

    def rank(pair: tuple[str, Violation]) -> tuple[bool, bool, int]:
        known = bool(covering(*pair))
        return known, *(_telling(by_id[pair[0]]) if pair[0] in by_id else (False, 0))

    ordered = sorted(broken, key=rank)
    ids = tuple(dict.fromkeys(identity for identity, _ in ordered))
    violation = ordered[0][1]
    covered = [covering(*pair) for pair in ordered]
    unlisted = sum(not entries for entries in covered)
    beside = f"beside {len(covered) - unlisted} known: " if 0 < unlisted < len(covered) else ""
    return Finding(
        requirement=row,
        verdict=Verdict.FAIL,
        explanation=f"{beside}expected {violation.expected}; found {violation.found}",
        seen=len(kept) + len(ids),
        evidence=(ids + tuple(kept))[:_EVIDENCE],
        violations=tuple(ordered[:_VIOLATIONS]),
        listed=tuple(dict.fromkeys(entry for entries in covered for entry in entries)),
        unlisted=unlisted,
    )


def _shown(check: Check, group: Group) -> tuple[list[Violation], Unobservable | Inconclusive | None]:
    """What a group shows, and why no more where a check says so."""
    found: list[Violation] = []
    try:
        # What was seen broken stays seen, though the check then finds that the rest cannot be.
        found.extend(check.find(*group))
    except (Unobservable, Inconclusive) as reason:
        return found, reason
    return found, None


def _left_open(clouded: Sequence[tuple[Exchange, str]], outcomes: Sequence[Outcome]) -> list[tuple[Exchange, str]]:
    """What leaves a requirement open: not who was asked once more, where another answer to the same has decided it."""
    shown = {probe for probe, _ in outcomes}
    return [(exchange, reason) for exchange, reason in clouded if exchange.round == 1 or exchange.probe not in shown]


def _clouded(
    row: Requirement, clouded: Sequence[tuple[Exchange, str]], kept: Sequence[str], outcomes: Sequence[Outcome]
) -> Finding:
    """The finding where what was shown cannot be told from innocence."""
    exchange, explanation = clouded[0]
    ids = tuple(dict.fromkeys(exchange.id for exchange, _ in clouded))
    return Finding(
        requirement=row,
        verdict=Verdict.INCONCLUSIVE,
        explanation=f"{exchange.id}: {explanation}",
        seen=len(kept),
        evidence=(*ids, *kept)[:_EVIDENCE],
        outcomes=tuple(outcomes),
    )


def _undecided(row: Requirement, check: Check, kept: Sequence[str], unshown: Sequence[tuple[Exchange, str]]) -> Finding:
    """The finding where nothing was broken, and nothing, or next to nothing of what was generated, showed anything."""
    made_for = {probe.name for probe in check.probes}
    told = [(exchange, reason) for exchange, reason in unshown if exchange.probe in made_for] or unshown
    reasons = Counter(reason for _, reason in told).most_common(2)
    ids = tuple(dict.fromkeys(exchange.id for exchange, _ in told))
    return Finding(
        requirement=row,
        verdict=Verdict.INCONCLUSIVE,
        explanation=(f"only {len(kept)} of {len(kept) + len(unshown)} showed anything: " if kept else "")
        + "; ".join(reason for reason, _ in reasons),
        seen=len(kept),
        evidence=(ids + tuple(kept))[:_EVIDENCE],
    )


def _telling(exchange: Exchange) -> tuple[bool, int]:
    """What tells best what is wrong: a declared probe before a generated one, and of these the smallest."""
    generated = exchange.probe.startswith("generated.")
    return generated, len(exchange.request.body) if generated else 0
