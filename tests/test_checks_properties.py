"""What holds of all checks, whatever they are shown."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from conformance.checks import CHECKS
from conformance.exchange import Ending, Exchange, Piece, Response, from_json, to_json
from conformance.finding import Finding
from conformance.reading.witness import Inconclusive, Unobservable
from conformance.report import record
from conformance.requirement import CAPABILITIES
from conformance.verdict import Conclusion
from tests.miniatures import MINIATURES, VARIANTS
from tests.miniatures.innocent import changed, concluded, innocent
from tests.miniatures.model import Miniature
from tests.miniatures.variants import Variant

QUICKLY = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

ENVELOPE = ("status", "data", "error", "code", "_meta", "request_id", "latency_ms")
COMPLETION = ("id", "model", "created", "choices", "index", "message", "finish_reason", "delta", "role", "content", "0")
COUNTS = ("usage", "prompt_tokens", "completion_tokens", "total_tokens", "reasoning", "tool_calls")
NAMES = st.sampled_from((*ENVELOPE, *COMPLETION, *COUNTS))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["stop", "length", "tool_calls", "assistant", "ok", "[DONE]", "\ud83c", 10**400, 1e308])
    | st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


def _completion(choice: Any) -> Any:
    return {"status": "ok", "data": {"choices": [choice], "usage": choice, "_meta": choice, "created": choice}}


DOCUMENTS = JSON | JSON.map(_completion) | JSON.map(lambda value: {"status": "error", "error": value})
CHUNKS = (
    JSON
    | JSON.map(lambda value: {"choices": [value], "usage": value})
    | JSON.map(
        lambda value: {
            "choices": [{"index": value, "delta": {"content": value, "role": value}, "finish_reason": value}]
        }
    )
)
LINES = st.one_of(
    CHUNKS.map(lambda chunk: b"data: " + json.dumps(chunk).encode()),
    st.sampled_from(
        [b"", b"", b"data: [DONE]", b"event: error", b"event:error", b"id: 1", b":", b"data", b"data:", b"x"]
    ),
    st.binary(max_size=12),
)
BODIES = st.one_of(
    st.binary(max_size=60),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\n\n", b"\r\n", b"\r"])), max_size=12).map(
        lambda lines: b"".join(line + end for line, end in lines)
    ),
)
TYPES = st.sampled_from(["application/json", "text/event-stream", "text/event-stream; charset=x", "", ";", "text/html"])
CODINGS = st.sampled_from(["", "", "", "gzip", "deflate", "br"])
STATUSES = st.sampled_from([200, 200, 200, 200, 201, 204, 302, 400, 401, 404, 422, 429, 500, 503])
ENDINGS = st.sampled_from([Ending.COMPLETE, Ending.COMPLETE, *Ending])


@st.composite
def answers(draw: st.DrawFn) -> tuple[Response, tuple[Piece, ...], Ending]:
    headers = (("Content-Type", draw(TYPES)), ("Content-Encoding", draw(CODINGS)))
    response = Response(
        status=draw(STATUSES), reason="", http_version="HTTP/1.1", headers=tuple(h for h in headers if h[1]), at=0.01
    )
    body = draw(BODIES)
    return response, (Piece(at=0.02, data=body),) if body else (), draw(ENDINGS)


def _reasons(exchanges: Sequence[Exchange], everything: Sequence[Exchange]) -> list[str]:
    """Why checks could say nothing of some exchanges; any other exception than theirs reaches the caller."""
    reasons = []
    for check in CHECKS.values():
        for group in check.groups([exchange for exchange in exchanges if check.when(exchange)], everything):
            try:
                list(check.find(*group))
            except (Unobservable, Inconclusive) as reason:
                reasons.append(str(reason))
    return reasons


@pytest.mark.parametrize("part", range(4))
@given(data=st.data())
@QUICKLY
def test_every_check_survives_every_answer(part: int, data: st.DataObject) -> None:
    response, pieces, ended = data.draw(answers())
    for exchange in data.draw(st.lists(st.sampled_from(innocent().exchanges[part::4]), min_size=1, max_size=3)):
        shown = replace(exchange, response=response, pieces=pieces, ended=ended, detail="gone")
        control = [other for other in innocent().exchanges if other.probe == exchange.control]

        assert all(_reasons([shown], [shown, *control]))


@given(answer=answers())
@QUICKLY
def test_every_check_survives_a_server_that_gives_everyone_the_same_answer(
    answer: tuple[Response, tuple[Piece, ...], Ending],
) -> None:
    response, pieces, ended = answer
    every = [replace(each, response=response, pieces=pieces, ended=ended) for each in innocent().exchanges[::3]]

    assert all(_reasons(every, every))


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"status":"ok","data":' * 5000,
        b"data: " + b"[" * 100_000 + b"\n\n",
        b'data: {"choices":[{"delta":{"content":' + b"[" * 900 + b"]" * 900 + b"}}]}\n\n",
        b'{"data":{"created":' + b"9" * 5000 + b"}}",
        b"data\n" * 5_000,
        b"\x00\xff" * 1000,
    ],
    ids=["deep", "deep envelope", "deep chunk", "deep content", "long number", "empty data", "no text"],
)
def test_every_check_survives_what_is_hard_to_read(body: bytes) -> None:
    pieces = (Piece(at=0.02, data=body),)

    shown = [replace(each, pieces=pieces) for each in innocent().exchanges[::3]]

    assert all(_reasons(shown, innocent().exchanges))


# The cuts.


def _findings(conclusion: Conclusion) -> list[Finding]:
    return list(conclusion.findings)


def _byte_by_byte(exchange: Exchange) -> Exchange:
    pieces = tuple(Piece(at=piece.at, data=bytes([byte])) for piece in exchange.pieces for byte in piece.data)
    return replace(exchange, pieces=pieces)


def _recut(exchange: Exchange, cuts: list[float]) -> Exchange:
    """The same body in other pieces; each comes when its last byte came, so that nothing comes too soon."""
    times = [piece.at for piece in exchange.pieces for _ in piece.data]
    ends = sorted({int(cut * len(times)) for cut in cuts} - {0, len(times)} | ({len(times)} if times else set()))
    starts = [0, *ends[:-1]]
    body = exchange.body
    pieces = [Piece(at=times[end - 1], data=body[start:end]) for start, end in zip(starts, ends, strict=False)]
    return replace(exchange, pieces=tuple(pieces))


def test_no_verdict_depends_on_a_body_that_comes_byte_by_byte() -> None:
    kept = innocent()
    cut = replace(kept, exchanges=tuple(_byte_by_byte(exchange) for exchange in kept.exchanges))

    assert _findings(concluded(cut)) == _findings(concluded(kept))


@given(
    case=st.sampled_from([*MINIATURES, *VARIANTS]),
    cuts=st.lists(st.floats(0, 1, exclude_max=True), max_size=12),
)
@settings(deadline=None, max_examples=20)
def test_no_verdict_depends_on_where_the_network_cut_a_body(case: Miniature | Variant, cuts: list[float]) -> None:
    kept = changed(case.change)
    cut = replace(kept, exchanges=tuple(_recut(exchange, cuts) for exchange in kept.exchanges))

    assert [exchange.body for exchange in cut.exchanges] == [exchange.body for exchange in kept.exchanges]
    # Whether text came while it was written is a question of arrival times, and these do depend on the cuts.
    timed = {"stream.not-in-one-burst"}
    before, after = (
        {f.requirement.id: (f.verdict, f.seen) for f in concluded(each).findings if f.requirement.id not in timed}
        for each in (kept, cut)
    )
    assert after == before


# The report.


@given(case=st.sampled_from([*MINIATURES, *VARIANTS]))
@example(case=next(each for each in MINIATURES if each.name == "halves a surrogate pair"))
@settings(deadline=None, max_examples=12)
def test_judging_the_same_evidence_twice_gives_the_same_bytes(case: Miniature | Variant) -> None:
    kept = changed(case.change)
    stored = tuple(from_json(json.loads(json.dumps(to_json(exchange)))) for exchange in kept.exchanges)
    again = replace(kept, exchanges=stored)

    first = record.written(record.report(concluded(kept), kept))
    assert first == record.written(record.report(concluded(again), again))
    assert [*json.loads(first)["capabilities"]] == list(CAPABILITIES)
