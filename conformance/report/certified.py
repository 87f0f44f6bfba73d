"""A certificate in plain words: what was certified, by whom, and what was not tested."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.report.findings import spoken
from conformance.report.visible import cut, visible

EXTENSION: Final = "chatConformance"
"""The predicate's member that is ours: what the predicate has no words for."""
_LONGEST: Final = 300  # characters of one reason


def told(statement: Mapping[str, Any], key_id: str) -> str:
    """The statement as lines for a person; what a target said is shown to the character."""
    return "".join(f"{visible(line)}\n" for line in _lines(statement, key_id))


def _lines(statement: Mapping[str, Any], key_id: str) -> Iterator[str]:
    predicate = statement["predicate"]
    ours = predicate[EXTENSION]
    target, run, suite = ours["target"], ours["run"], ours["suite"]
    strict = " (a broken SHOULD counts)" if run["strict"] else ""
    yield f"certified      {', '.join(ours['certified'])}: every MUST that could be tested was kept{strict}"
    yield f"target         {target['url']}, model {target['model']}, profile {target['profile']}"
    for remark in target["remarks"]:
        yield f"               {remark}"
    yield f"observed       {run['started']}, {run['requests']} requests"
    yield f"judged with    chat-conformance {suite['version']}, requirements {suite['catalogue']}"
    yield f"issued         {ours['issued']}, by {ours['issuer']}"
    yield f"               key {key_id}"
    yield from _others(ours)
    yield from _broken(predicate)
    yield from _untested(ours["notTested"], ours["certified"])
    yield ""
    yield "to see it again"
    yield f"  {ours['reproduce']['command']}"
    for line in ours["reproduce"]["targetFile"]:
        yield f"    target.toml says: {line}"


def _others(ours: Mapping[str, Any]) -> Iterator[str]:
    others = [name for name in ours["classes"] if name not in ours["certified"]]
    words = ", ".join(f"{name} ({spoken(ours['classes'][name])})" for name in others)
    yield f"not certified  {words or 'no class was left out'}"


def _broken(predicate: Mapping[str, Any]) -> Iterator[str]:
    for name, label in (("failedTests", "broken, in classes not certified"), ("warnedTests", "broken, and no MUST")):
        if predicate[name]:
            yield ""
            yield f"{label}: {len(predicate[name])}"
            yield from (f"  {identity}" for identity in predicate[name])


def _untested(rows: Sequence[Mapping[str, Any]], certified: Sequence[str]) -> Iterator[str]:
    """What the certificate is silent on though its class is certified, by reason."""
    reasons: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["class"] in certified:
            reasons.setdefault(f"{spoken(row['verdict'])}: {row['reason']}", []).append(row)
    yield ""
    yield f"not tested, of the certified classes: {sum(map(len, reasons.values()))}"
    for reason, group in reasons.items():
        yield f"{len(group):>4}  {cut(reason, limit=_LONGEST)}"
        yield "      " + ", ".join(f"{row['id']} ({row['level']})" for row in group)
