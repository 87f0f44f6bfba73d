"""What the evidence says: of each requirement, of each class, of the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from conformance.baseline import LAPSED, Entry, Listed, Standing, day, fits
from conformance.check import Check
from conformance.document import at
from conformance.evidence import Evidence
from conformance.exchange import Ending, Exchange
from conformance.finding import DECIDED, Finding, Verdict, gates, judged
from conformance.plan import FAIR_CAP
from conformance.reading.answers import answer
from conformance.reading.requests import asked, authorized, legal
from conformance.requirement import CAPABILITIES, CLASSES, Requirement
from conformance.stability import observed


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """Whether the model has a capability, as declared or as found by asking."""

    has: bool | None
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """All that a run's evidence says."""

    verdict: str
    """conformant, nonconformant, incomplete or aborted."""
    reason: str
    """Why, as a sentence; when conformant, the known failures, or nothing."""
    ended: str
    """complete, interrupted, aborted or cut short."""
    classes: Mapping[str, str]
    capabilities: Mapping[str, Capability]
    findings: tuple[Finding, ...]
    baseline: tuple[Listed, ...] | None = None
    """What the run says of each known failure; None where no baseline was in force."""


_CUT_SHORT: Final = {"ended": "cut short"}
"""What stands for the footer of a run that did not come to write one."""


def concluded(
    evidence: Evidence,
    *,
    catalogue: Mapping[str, Requirement],
    checks: Mapping[str, Check],
    baseline: Sequence[Entry] | None = None,
) -> Conclusion:
    """The verdicts on every requirement of the catalogue, in its order.

    Args:
        evidence: what was kept of the run.
        catalogue: the requirements by id.
        checks: for each requirement's id, how it is seen.
        baseline: the failures that are known; None where no baseline is in force. They change no finding and no
            class, but what the run as a whole amounts to.
    """
    exchanges = tuple(exchange for exchange in evidence.exchanges if not exchange.retried)
    capabilities = _capabilities(evidence.header, exchanges)
    footer = evidence.footer or _CUT_SHORT
    ended = footer["ended"]
    given = _Given(header=evidence.header, capabilities=capabilities, ended=ended, baseline=tuple(baseline or ()))
    findings = tuple(_finding(row, checks.get(row.id), exchanges, given) for row in catalogue.values())
    if ended == "aborted":
        findings = tuple(map(_withheld, findings))
    listed = _listed(given, findings, checks)
    strict = bool(evidence.header["strict"])
    verdict, reason = _run_verdict(findings, listed, strict=strict, footer=footer)
    if lost := sorted(set(evidence.header["promised"]) - {finding.requirement.id for finding in findings}):
        verdict = "incomplete" if verdict == "conformant" else verdict
        reason = "; ".join(filter(None, (reason, f"promised and not judged: {', '.join(lost)}")))
    classes = {name: _class_verdict(name, findings, given, strict=strict) for name in CLASSES}
    if uncounted := _uncounted(evidence):
        verdict = "incomplete" if verdict == "conformant" else verdict
        reason = "; ".join(filter(None, (reason, uncounted)))
    if part := evidence.header.get("shard"):
        verdict = "incomplete" if verdict == "conformant" else verdict
        reason = "; ".join(filter(None, (reason, f"shard {part['number']} of {part['of']}: merge them")))
        classes = {name: "partial" if word == "conformant" else word for name, word in classes.items()}
    return Conclusion(
        verdict=verdict,
        reason=reason,
        ended=ended,
        classes=classes,
        capabilities=capabilities,
        findings=findings,
        baseline=None if baseline is None else listed,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """What the run was given and found out, beside its exchanges."""

    header: Mapping[str, Any]
    capabilities: Mapping[str, Capability]
    ended: str
    baseline: tuple[Entry, ...] = ()

    @property
    def begun(self) -> date:
        """The day on which the run began: judging it later changes no verdict."""
        return day(self.header["started"])

    def in_force(self, requirement: str) -> tuple[Entry, ...]:
        """The entries of a requirement that had not expired when the run began."""
        own = (entry for entry in self.baseline if entry.requirement == requirement)
        return tuple(entry for entry in own if self.begun <= entry.until)

    @property
    def left_out(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.header["left_out"]
        return found

    @property
    def filtered(self) -> frozenset[str]:
        return frozenset(self.header["filtered"])


def _capabilities(header: Mapping[str, Any], exchanges: Sequence[Exchange]) -> dict[str, Capability]:
    declared = header["target"]["capabilities"]
    return {
        name: Capability(has=declared[name], how="declared in the target file")
        if name in declared
        else _found(name, exchanges)
        for name in CAPABILITIES
    }


def _found(name: str, exchanges: Sequence[Exchange]) -> Capability:
    """A capability as the answers show it: a request that uses it was served, or one without fault was refused.

    A request with a mistake in it is refused for that, which says nothing of the model.
    """
    refusal = ""
    for exchange in exchanges:
        if _uses(name, exchange) and authorized(exchange) and exchange.response is not None:
            if 200 <= exchange.response.status < 300:
                return Capability(has=True, how=f"found by asking: {exchange.id} was served")
            if legal(exchange) and 400 <= exchange.response.status < 500 and exchange.response.status not in _ELSE:
                refusal = refusal or f"found by asking: {exchange.id} was refused, {answer(exchange)}"
    return Capability(has=False, how=refusal) if refusal else Capability(has=None, how="not asked")


_ELSE: Final = (401, 403, 429)
"""Refusals that have another reason than what the model lacks."""


_PARTS: Final = {"vision": ("image_url", "image_base64"), "audio": ("audio_url", "audio_base64")}


def _uses(name: str, exchange: Exchange) -> bool:
    """Whether a request asks for what only a model with the capability has."""
    if name == "tools":
        return isinstance(tools := asked(exchange, "/tools"), list) and tools != []
    messages = asked(exchange, "/messages")
    contents = [at(message, "/content") for message in messages] if isinstance(messages, list) else []
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(at(part, "/type") in _PARTS[name] for part in parts)


def _finding(row: Requirement, check: Check | None, exchanges: Sequence[Exchange], given: _Given) -> Finding:
    ruled_out = _not_asked(row, given) or _not_applicable(row, given)
    if ruled_out is not None:
        return ruled_out
    if check is None:
        reason = _lacking(row, given)
        missing = "the suite has no check for it"
        return (
            _untested(row, reason, excused=True)
            if reason
            else Finding(requirement=row, verdict=Verdict.ERROR, explanation=missing)
        )
    found = judged(row, check, exchanges, given.in_force(row.id))
    if not found.seen:
        return _unseen(found, given)
    return _rated(found) if given.header.get("repeat", 1) > 1 else found


def _withheld(found: Finding) -> Finding:
    """A finding of a run that was aborted, which fails nothing: what was seen broken is told and not decided."""
    if found.verdict is not Verdict.FAIL:
        return found
    told = f"the run was aborted, so this decides nothing: {found.explanation}"
    return replace(found, verdict=Verdict.INCONCLUSIVE, explanation=told, listed=(), unlisted=0)


def _rated(found: Finding) -> Finding:
    """A finding of a run that repeated some requests, with what the repetition tells."""
    rate = observed(found.outcomes)
    told = f"; {rate.told}" if rate and found.verdict is Verdict.FAIL else ""
    return replace(found, observed=rate, explanation=found.explanation + told)


def _not_asked(row: Requirement, given: _Given) -> Finding | None:
    """The finding on a requirement that nobody can test, or that the caller filtered out."""
    reason = given.left_out[row.id] if row.id in given.filtered else row.untested
    return _untested(row, reason, excused=True) if reason else None


def _not_applicable(row: Requirement, given: _Given) -> Finding | None:
    """The finding on a requirement that does not speak of this surface, or of what this model has."""
    lacks = [need for need in row.capabilities if given.capabilities[need].has is False]
    if given.header["target"]["profile"] not in row.profiles:
        reason = f"speaks of the {' and '.join(row.profiles)} surface"
    elif lacks:
        reason = f"the model has no {lacks[0]}: {given.capabilities[lacks[0]].how}"
    else:
        return None
    return Finding(requirement=row, verdict=Verdict.NOT_APPLICABLE, explanation=reason, excused=True)


def _lacking(row: Requirement, given: _Given) -> str:
    """What a requirement needs and the target file does not provide; empty where nothing is wanting."""
    target = given.header["target"]
    missing = [name for name in row.triggers if name not in target["triggers"]]
    cap, backing = target["max_output_tokens"], target.get("backend")
    wants = {
        f"needs [triggers.{''.join(missing[:1])}] in the target file": bool(missing),
        "needs generated requests (--examples)": "examples" in row.needs and not given.header.get("examples", 0),
        "needs a scripted backend behind the target": "backend" in row.needs and not backing,
        "needs max_output_tokens under [backend] in the target file": "backend_cap" in row.needs
        and not (backing or {}).get("max_output_tokens"),
        "needs the model's max_output_tokens in the target file": cap is None
        and bool({"max_output_tokens", "small_output_cap"} & set(row.needs)),
        f"an answer of {cap} tokens is too dear; needs a model whose max_output_tokens is {FAIR_CAP} or less": (
            "small_output_cap" in row.needs and cap is not None and cap > FAIR_CAP
        ),
    }
    return next((reason for reason, wanting in wants.items() if wanting), "")


def _unseen(found: Finding, given: _Given) -> Finding:
    """The finding where no exchange decided: untested where none could, inconclusive where one should have."""
    row = found.requirement
    if lacking := _lacking(row, given):
        return _untested(row, lacking, excused=True)
    if row.id in given.left_out:
        return _untested(row, given.left_out[row.id], excused=bool(given.header["quick"] or given.header.get("shard")))
    if given.ended != "complete" and not found.explanation:
        return _untested(row, f"the run was {given.ended} before anything could show it", excused=False)
    explanation = found.explanation or "no exchange could show it"
    return Finding(requirement=row, verdict=Verdict.INCONCLUSIVE, explanation=explanation, evidence=found.evidence)


def _untested(row: Requirement, reason: str, *, excused: bool) -> Finding:
    return Finding(requirement=row, verdict=Verdict.UNTESTED, explanation=reason, excused=excused)


_NAMED: Final = 3  # entries of the baseline that the reason of a run tells


def _listed(given: _Given, findings: Sequence[Finding], checks: Mapping[str, Check]) -> tuple[Listed, ...]:
    """What the run says of each entry of the baseline, in its order."""
    by_id = {finding.requirement.id: finding for finding in findings}
    return tuple(
        _standing(entry, by_id.get(entry.requirement), checks.get(entry.requirement), given) for entry in given.baseline
    )


def _standing(entry: Entry, found: Finding | None, check: Check | None, given: _Given) -> Listed:
    if given.begun > entry.until:
        why = f"it was known until {entry.until}, and the run began on {given.begun}"
        return Listed(entry=entry, standing=Standing.EXPIRED, explanation=why)
    if found is None:
        return Listed(entry=entry, standing=Standing.STALE, explanation="no requirement has this id")
    if entry in found.listed:
        return Listed(entry=entry, standing=Standing.KNOWN)
    if found.verdict not in DECIDED:
        why = f"{found.verdict.replace('_', ' ')}: {found.explanation}"
        return Listed(entry=entry, standing=Standing.UNDECIDED, explanation=why)
    if given.ended != "complete" or check is None or not _looked_for(entry, found, check, given):
        why = "the run did not ask all that could show it"
        return Listed(entry=entry, standing=Standing.UNDECIDED, explanation=why)
    passed = found.verdict is Verdict.PASS
    why = "the requirement passes" if passed else "the requirement fails in another way"
    return Listed(entry=entry, standing=Standing.STALE, explanation=why)


def _looked_for(entry: Entry, found: Finding, check: Check, given: _Given) -> bool:
    """Whether the run asked all that could show a known failure, and something that it was looked for in decided."""
    asked_for = given.header["plan"]["probes"]
    triggers = set(given.header["target"]["triggers"])
    able = (probe for probe in check.probes if probe.triggers <= triggers and fits(entry.probe, probe.name))
    return all(probe.name in asked_for for probe in able) and any(fits(entry.probe, name) for name in found.probes)


def _run_verdict(
    findings: Sequence[Finding],
    listed: Sequence[Listed],
    *,
    strict: bool,
    footer: Mapping[str, Any],
) -> tuple[str, str]:
    """The verdict on the run, and why."""
    gating = [finding for finding in findings if gates(finding.requirement, strict=strict)]
    open_ = [finding for finding in gating if finding.verdict not in DECIDED and not finding.excused]
    failed = [finding for finding in gating if finding.verdict is Verdict.FAIL and not finding.known]
    known = [finding.requirement.id for finding in gating if finding.known]
    lapsed = [f"{each.entry} is {each.standing} ({each.explanation})" for each in listed if each.standing in LAPSED]
    broken = f"{len(failed)} {'requirement' if strict else 'MUST'}{'s' if len(failed) != 1 else ''} failed"
    ended = footer["ended"]
    if ended == "aborted":
        return "aborted", str(footer["reason"])
    if ended != "complete":
        return "incomplete", f"the run was {ended}" + (f"; by then {broken}" if failed else "")
    if failed or lapsed:
        told = f"of the known failures, {_some(lapsed)}" if lapsed else ""
        return "nonconformant", "; ".join(filter(None, (broken if failed else "", told)))
    if not any(finding.verdict in DECIDED for finding in findings):
        return "incomplete", "nothing was judged"
    if open_:
        more = f" and {len(open_) - 1} more" if len(open_) > 1 else ""
        return "incomplete", f"undecided: {open_[0].requirement.id}{more}"
    return "conformant", f"known to fail: {_some(known)}" if known else ""


def _some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return "; ".join(names[:_NAMED]) + (f"; and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _uncounted(evidence: Evidence) -> str:
    """How the exchanges that are there differ in number from those that the run wrote; empty where they do not."""
    there = sum(exchange.ended is not Ending.UNSENT for exchange in evidence.exchanges)
    wrote = (evidence.footer or {}).get("requests", there)
    return "" if wrote == there else f"the footer of the evidence counts {wrote} requests, and {there} are there"


def _class_verdict(name: str, findings: Sequence[Finding], given: _Given, *, strict: bool) -> str:
    """The verdict on one class: as on the run, and `partial` where all that was asked holds but not all was asked."""
    members = [finding for finding in findings if finding.requirement.certifies == name]
    gating = [finding for finding in members if gates(finding.requirement, strict=strict)]
    if any(finding.verdict is Verdict.FAIL for finding in gating):
        return "nonconformant"
    if members and all(finding.verdict is Verdict.NOT_APPLICABLE for finding in members):
        return "not_applicable"
    if not any(finding.verdict in DECIDED for finding in members):
        asked_for = any(not finding.excused for finding in gating)
        return "incomplete" if asked_for else "untested"
    if any(finding.verdict not in DECIDED and not finding.excused for finding in gating):
        return "incomplete"
    if any(finding.requirement.id in given.left_out for finding in gating):
        return "partial"
    return "conformant"
