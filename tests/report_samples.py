"""Reports and exchanges for the tests of the formats."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from conformance.exchange import Ending, Exchange, Piece, Request, Response

CURL = """curl -sS -N 'https://grid.example.com/v1/inference/chat' \\
  -H "Authorization: Bearer $SCAIGRID_API_KEY" \\
  -H 'Content-Type: application/json' \\
  --data '{"model": "scailabs/poolnoodle-omni", "stream": true, "messages": [{"role": "user", "content": "Hi"}]}'"""

REASONS = {
    "inconclusive": "The model wrote no tool call in 2 of 2 answers.",
    "error": "The check raised KeyError; this is a fault of the suite.",
    "untested": "The target file has no trigger mid_stream_error.",
    "not_applicable": "The target declares that it lacks audio.",
}


def violation(
    exchange: str = "stream.greeting",
    *,
    where: str = "bytes 6-12",
    expected: str = "data: [DONE]",
    found: str = "the end of the body",
) -> dict[str, Any]:
    return {"exchange": exchange, "where": where, "expected": expected, "found": found}


def row(identity: str, verdict: str = "pass", **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": identity,
        "level": "MUST",
        "class": "core",
        "basis": "stated",
        "section": "Response shape",
        "text": f"The answer keeps {identity}.",
        "source": "",
        "verdict": verdict,
        "explanation": REASONS.get(verdict, ""),
        "seen": 0 if verdict in ("untested", "not_applicable") else 1,
        "evidence": [] if verdict in ("untested", "not_applicable") else ["stream.greeting"],
        "violations": [],
        "reproduce": "",
    }
    if verdict == "fail":
        made |= {
            "explanation": "1 of 1 exchanges broke it.",
            "violations": [violation()],
            "reproduce": CURL,
        }
    return made | changes


def summary_of(exchange: Exchange, *, asks: str = "Whether a greeting is streamed.") -> dict[str, Any]:
    return {
        "id": exchange.id,
        "probe": exchange.probe,
        "asks": asks,
        "status": exchange.response.status if exchange.response else None,
        "ended": exchange.ended.value,
        "elapsed_s": exchange.elapsed,
        "bytes": len(exchange.body),
    }


def report(rows: Iterable[Mapping[str, Any]], exchanges: Sequence[Exchange] = (), **changes: Any) -> dict[str, Any]:
    rows = [dict(each) for each in rows]
    counts = Counter(each["verdict"] for each in rows)
    words = ("pass", "fail", "inconclusive", "error", "untested", "not_applicable")
    broken = any(each["verdict"] == "fail" and each["level"] == "MUST" for each in rows)
    return {
        "format": "chat-conformance-report/1",
        "suite": {"version": "0.1.0", "catalogue": "sha256:" + "0a" * 32},
        "target": {"url": "https://grid.example.com", "profile": "native", "model": "scailabs/poolnoodle-omni"},
        "started": "2026-11-22T17:42:15Z",
        "duration_s": 41.25,
        "requests": max(1, len(exchanges)),
        "tokens": {"prompt": 1210, "completion": 377},
        "verdict": "nonconformant" if broken else "conformant",
        "reason": "A MUST was broken: stream.done-is-last." if broken else "",
        "ended": "complete",
        "strict": False,
        "selection": "everything",
        "classes": {
            "core": "nonconformant" if broken else "conformant",
            "streaming": "partial",
            "audio": "not_applicable",
        },
        "capabilities": {
            "tools": {"has": True, "how": "found out by asking"},
            "vision": {"has": None, "how": "not asked"},
            "audio": {"has": False, "how": "declared in the target file"},
        },
        "plan": {"requests": 60, "output_tokens": 4800, "unbounded": 3},
        "counts": {word: counts[word] for word in words},
        "requirements": rows,
        "exchanges": [summary_of(each) for each in exchanges],
    } | changes


def streamed(
    texts: Iterable[bytes], *, probe: str = "stream.greeting", ended: Ending = Ending.COMPLETE, **changes: Any
) -> Exchange:
    pieces = tuple(Piece(at=0.3 + 0.05 * number, data=text) for number, text in enumerate(texts))
    made: dict[str, Any] = {
        "probe": probe,
        "request": Request(
            method="POST",
            url="https://grid.example.com/v1/inference/chat",
            headers=(("authorization", "Bearer ***"), ("content-type", "application/json")),
            body=b'{"model": "scailabs/poolnoodle-omni", "stream": true, "messages": []}',
        ),
        "response": Response(
            status=200,
            reason="OK",
            http_version="HTTP/1.1",
            headers=(("content-type", "text/event-stream"), ("x-request-id", "req_1")),
            at=0.21,
        ),
        "pieces": pieces,
        "ended": ended,
        "started": 1_795_369_335.0,
        "elapsed": (pieces[-1].at if pieces else 0.3) + 0.01,
    }
    return Exchange(**(made | changes))


def answered(document: Any, *, probe: str = "response.bern", **changes: Any) -> Exchange:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    head = Response(
        status=200, reason="OK", http_version="HTTP/1.1", headers=(("content-type", "application/json"),), at=0.2
    )
    return streamed([body], probe=probe, **({"response": head} | changes))


def unanswered(*, probe: str = "errors.unreachable", ended: Ending = Ending.UNREACHABLE) -> Exchange:
    return streamed([], probe=probe, ended=ended, response=None, detail="connection refused")


GREETING = streamed(
    [
        b'data: {"choices": [{"delta": {"content": "Gr\xc3\xbc\xc3\x9f Gott"}}]}\n\n',
        b"data: [DO",
        b"NE]\n\n",
        b": late\n\n",
    ]
)
BERN = answered({"status": "ok", "data": {"id": 7, "choices": [{"message": {"content": "Bern."}}]}})
DEAD = unanswered()


def mixed(**changes: Any) -> dict[str, Any]:
    """One requirement of every fate."""
    rows = [
        row(
            "response.data-id",
            "fail",
            violations=[violation("response.bern", where="/data/id", expected="a string", found="7")],
        ),
        row("response.status-ok"),
        row("stream.done-is-last", "fail", **{"class": "streaming"}, section="SSE event types"),
        row("stream.unbuffered", "fail", level="SHOULD", **{"class": "streaming"}, section="Streaming"),
        row("stream.comments", "fail", level="MAY", **{"class": "streaming"}, section="Streaming"),
        row("tools.forced", "inconclusive", **{"class": "tools"}, section="Tool calls"),
        row("tools.many", "inconclusive", level="SHOULD", **{"class": "tools"}, section="Tool calls"),
        row("errors.code", "error", **{"class": "errors"}, section="Errors", basis="supplement", source="errors page"),
        row("stream.error-event", "untested", **{"class": "resilience"}, section="SSE event types"),
        row("audio.base64", "not_applicable", **{"class": "audio"}, section="Multimodal content"),
    ]
    return report(rows, [GREETING, BERN, DEAD], **changes)


def clean() -> dict[str, Any]:
    """Everything passed."""
    return report([row("response.status-ok"), row("stream.done-is-last", section="SSE event types")], [GREETING, BERN])


def aborted() -> dict[str, Any]:
    """Nothing could be asked."""
    return report(
        [row("response.status-ok", "untested", explanation="The target could not be reached.")],
        [DEAD],
        verdict="aborted",
        reason="The target could not be reached: connection refused.",
        ended="aborted",
        classes={"core": "untested"},
    )


def large() -> tuple[dict[str, Any], tuple[Exchange, ...]]:
    """A report of 5,000 long exchanges, with a violation in each."""
    exchanges = tuple(
        answered(b'{"status": "ok", "data": ' + b"[1]" * 3000, probe=f"p.{number}") for number in range(5000)
    )
    rows = [
        row(
            f"response.r{number}",
            "fail",
            violations=[violation(f"p.{number * 20 + at}", where="bytes 9000-9003") for at in range(20)],
        )
        for number in range(250)
    ]
    return report(rows, exchanges), exchanges


def hostile(text: str) -> tuple[dict[str, Any], tuple[Exchange, ...]]:
    """A report and exchanges in which everything a target can say is `text`."""
    raw = text.encode("utf-8", "surrogatepass")
    name = text[:200] or "x"
    exchanges = (
        streamed([raw, b"\n", raw], probe=name, detail=text),
        answered({text: text, "list": [text]}, probe=f"{name}.2"),
        streamed(
            [raw],
            probe=f"{name}.3",
            response=Response(status=500, reason=text, http_version=text, headers=((text, text),), at=0.1),
            request=Request(method=text, url=text, headers=((text, text),), body=raw),
        ),
    )
    spot = violation(exchanges[0].id, where="bytes 0-2", expected=text, found=text)
    pointed = violation(
        exchanges[1].id, where="/" + text.replace("~", "~0").replace("/", "~1"), expected=text, found=text
    )
    rows = [
        row(f"response.{verdict.replace('_', '-')}-{level.lower()}", verdict, level=level)
        | {"explanation": "" if verdict == "pass" else text, "source": text, "section": name, "reproduce": text}
        for verdict in ("pass", "fail", "inconclusive", "error", "untested", "not_applicable")
        for level in ("MUST", "SHOULD", "MAY")
    ]
    for each in rows:
        if each["verdict"] == "fail":
            each["violations"] = [spot, pointed, violation(name + "unknown", expected=text, found=text)]
        each["evidence"] = [exchanges[0].id, name + "unknown"]
    made = report(
        rows, exchanges, reason=text, selection=name, target={"url": name, "profile": "native", "model": text}
    )
    made["capabilities"]["tools"]["how"] = text
    made["exchanges"][0]["asks"] = text
    return made, exchanges
