"""report.json: a function of the evidence, so that judging the same evidence again gives the same bytes."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from conformance.baseline import Listed, to_json
from conformance.document import MISSING, at, is_integer
from conformance.evidence import Evidence
from conformance.exchange import Exchange
from conformance.finding import Finding, Verdict
from conformance.generate.inputs import Inputs, Share, inputs
from conformance.reading.answers import completion
from conformance.reading.requests import scenario_of, streamed
from conformance.reading.streams import stream
from conformance.reading.witness import Inconclusive, Unobservable
from conformance.report import regression
from conformance.stability import Observed, excluded, interval
from conformance.verdict import Conclusion

FORMAT: Final = "chat-conformance-report/1"
_KEY_VARIABLE: Final = "CHAT_API_KEY"


def report(conclusion: Conclusion, evidence: Evidence) -> dict[str, Any]:
    """The report of a run (its schema: `report.schema.json`)."""
    header, footer = evidence.header, evidence.footer or {}
    by_id = {exchange.id: exchange for exchange in evidence.exchanges}
    key = header["target"]["api_key_env"] or _KEY_VARIABLE
    asks = header["plan"]["probes"]
    counts = Counter(finding.verdict.value for finding in conclusion.findings)
    lacking = {name for name, capability in conclusion.capabilities.items() if capability.has is False}
    last = max((exchange.started + exchange.elapsed for exchange in evidence.exchanges), default=header["started"])
    return {
        "format": FORMAT,
        "suite": header["suite"],
        "target": {name: header["target"][name] for name in ("url", "profile", "model")},
        "started": datetime.fromtimestamp(header["started"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "duration_s": footer.get("duration_s", round(last - header["started"], 3)),
        "requests": footer.get("requests", sum(_was_sent(exchange) for exchange in evidence.exchanges)),
        "tokens": tokens(evidence.exchanges),
        "verdict": conclusion.verdict,
        "reason": conclusion.reason,
        "ended": conclusion.ended,
        "strict": header["strict"],
        "selection": header["selection"],
        **_baseline(conclusion.baseline),
        "classes": dict(conclusion.classes),
        "capabilities": {
            name: {"has": capability.has, "how": capability.how} for name, capability in conclusion.capabilities.items()
        },
        "plan": {name: header["plan"][name] for name in ("requests", "output_tokens", "unbounded")},
        **_backend(evidence),
        "inputs": _inputs(inputs(evidence.exchanges, lacking)),
        "counts": {verdict.value: counts[verdict.value] for verdict in Verdict},
        "requirements": [
            _requirement(finding, by_id, key, header["target"]["model"]) for finding in conclusion.findings
        ],
        "exchanges": [_exchange(exchange, asks) for exchange in evidence.exchanges],
    }


def _baseline(listed: Sequence[Listed] | None) -> dict[str, Any]:
    """The known failures and what the run says of each; no member where no baseline was in force."""
    if listed is None:
        return {}
    told = [to_json(each.entry) | {"standing": each.standing.value, "explanation": each.explanation} for each in listed]
    return {"baseline": told}


def written(record: Mapping[str, Any]) -> str:
    """The report as the text of report.json; anything outside ASCII is escaped."""
    return json.dumps(record, indent=1, ensure_ascii=True) + "\n"


def _requirement(finding: Finding, by_id: Mapping[str, Exchange], key: str, model: str) -> dict[str, Any]:
    row = finding.requirement
    shown = next((by_id[identity] for identity in finding.evidence if identity in by_id), None)
    return {
        "id": row.id,
        "level": row.level.value,
        "class": row.certifies,
        "basis": row.basis,
        "section": row.section,
        "text": row.text,
        "source": row.source,
        "verdict": finding.verdict.value,
        "explanation": finding.explanation,
        "seen": finding.seen,
        **({"observed": _observed(finding.observed)} if finding.observed else {}),
        "evidence": list(finding.evidence),
        "violations": [
            {
                "exchange": identity,
                "where": violation.where,
                "expected": violation.expected,
                "found": violation.found,
            }
            for identity, violation in finding.violations
        ],
        "reproduce": curl(shown, key) if shown is not None and _was_sent(shown) else "",
        "regression": regression.probe(shown, row.id, model) if shown is not None and finding.violations else "",
        **_known(finding),
    }


def _backend(evidence: Evidence) -> dict[str, Any]:
    """What reached the scripted backend, where there was one."""
    backing = evidence.header["target"].get("backend")
    if not backing:
        return {}
    played = [exchange for exchange in evidence.exchanges if scenario_of(exchange) and _was_sent(exchange)]
    return {
        "backend": {
            "model": backing["model"],
            "scenarios": len({scenario.name for each in played if (scenario := scenario_of(each))}),
            "requests": sum(len(each.arrivals) for each in played) + len(evidence.strays),
            "asked_again": sum(len(each.arrivals) > 1 for each in played),
            "unreached": sum(not each.arrivals for each in played),
        }
    }


def _known(finding: Finding) -> dict[str, Any]:
    """The entries that make a failure a known one; no member where it is none."""
    entries = [to_json(entry) for entry in finding.known]
    return (
        {"known": [{name: entry[name] for name in ("reason", "link", "until")} for entry in entries]} if entries else {}
    )


def _observed(found: Observed) -> dict[str, Any]:
    low, high = interval(found.broken, found.of)
    rest = {} if found.broken else {"excludes": excluded(found.of)}
    return {"broken": found.broken, "of": found.of, "low": low, "high": high, **rest, "told": found.told}


def _inputs(made: Inputs) -> dict[str, Any]:
    return {"generated": made.generated, "branches": _share(made.branches), "defects": _share(made.defects)}


def _share(share: Share) -> dict[str, Any]:
    return {
        "exercised": len(share.exercised),
        "of": share.of,
        "missing": list(share.missing),
        "not_asked": [{"reason": reason, "names": list(names)} for reason, names in share.not_asked.items()],
    }


def _exchange(exchange: Exchange, asks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": exchange.id,
        "probe": exchange.probe,
        "asks": asks.get(exchange.probe, ""),
        "status": exchange.response.status if exchange.response else None,
        "ended": exchange.ended.value,
        "elapsed_s": exchange.elapsed,
        "bytes": len(exchange.body),
    }


def _was_sent(exchange: Exchange) -> bool:
    return bool(exchange.request.headers)


def tokens(exchanges: Iterable[Exchange]) -> dict[str, int]:
    """Prompt and completion tokens, as far as the answers report them."""
    total: Counter[str] = Counter()
    for exchange in exchanges:
        usage = _usage(exchange)
        for name in ("prompt", "completion"):
            count = at(usage, f"/{name}_tokens")
            if is_integer(count) and 0 <= count < 2**53:
                total[name] += int(count)
    return {"prompt": total["prompt"], "completion": total["completion"]}


def _usage(exchange: Exchange) -> Any:
    try:
        if not streamed(exchange):
            return at(completion(exchange), "/usage")
        found = [at(chunk.payload, "/usage") for chunk in stream(exchange).chunks]
    except (Unobservable, Inconclusive):
        return MISSING
    return next((usage for usage in reversed(found) if isinstance(usage, Mapping)), MISSING)


def curl(exchange: Exchange, key: str) -> str:
    """One shell line that sends the request again; the key is read from the variable named `key`."""
    request = exchange.request
    words = ["curl", "-sS", "-i", "-N", "-X", request.method, request.url]
    line = " ".join(shlex.quote(word) for word in words)
    for name, value in request.headers:
        if name.lower() in ("host", "content-length", "connection", "accept-encoding", "user-agent"):
            continue
        before, masked, behind = value.partition("***") if name.lower() == "authorization" else (value, "", "")
        quoted = f'"{name}: {before}${key}"{behind}' if masked else shlex.quote(f"{name}: {value}")
        line += f" -H {quoted}"
    return f"{line} --data-binary {shlex.quote(request.body.decode('utf-8', 'backslashreplace'))}"
