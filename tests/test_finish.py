"""How an answer ends, at the edges: what is a limit reached, and what only looks like one."""

import json
from typing import Any

import pytest

from conformance.checks import CHECKS, finish
from conformance.exchange import Exchange
from conformance.finding import Finding, Verdict, judged
from conformance.requirement import catalogue
from tests.exchanges import DONE, answered, completed, streamed


def found(requirement: str, *exchanges: Any) -> Finding:
    return judged(catalogue()[requirement], CHECKS[requirement], exchanges)


@pytest.mark.parametrize(
    "reason, ended",
    [("length", "the limit"), ("content_filter", "the filter"), ("stop", ""), (None, ""), (["length"], ""), ({}, "")],
)
def test_what_cut_an_answer_off_is_told_by_its_reason(reason: Any, ended: str) -> None:
    assert finish.cut_off(completed("Hi.", reason=reason)) == ended


FILTERED = ("failures.content-filter", "failures.content-filter-streamed")
COUNTS = {"plain.limited": (24, 100), "parameters.long-over-cap": (512, 2000), "parameters.stopped": (48, 40)}


def counted(probe: str, text: str, *, reason: str = "stop", step: int = 0) -> Finding:
    """What a count shows that stands at its limit."""
    limit, _ = COUNTS[probe]
    above = probe == "parameters.long-over-cap"
    asked = {"max_tokens": limit + above}
    return found("finish.length", completed(text, reason=reason, tokens=limit, asked=asked, probe=probe, step=step))


@pytest.mark.parametrize("probe", COUNTS)
def test_a_count_that_its_limit_ends_is_not_at_an_end_of_its_own(probe: str) -> None:
    told = counted(probe, "1, 2, 3,")

    assert told.verdict is Verdict.FAIL
    assert [(each.where, each.found) for _, each in told.violations] == [("/data/choices/0/finish_reason", '"stop"')]
    assert counted(probe, "1, 2, 3,", reason="length").verdict is Verdict.PASS


@pytest.mark.parametrize("probe", COUNTS)
def test_a_count_whose_end_falls_on_its_limit_shows_nothing(probe: str) -> None:
    assert counted(probe, f"1, 2, 3, {COUNTS[probe][1]}").verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("probe", COUNTS)
@pytest.mark.parametrize("reason", ["content_filter", "tool_calls", "enough"])
def test_a_count_that_something_else_ends_shows_nothing(probe: str, reason: str) -> None:
    assert counted(probe, "1, 2, 3,", reason=reason).verdict is Verdict.INCONCLUSIVE


def test_a_count_that_is_asked_to_stop_may_do_so_at_its_limit() -> None:
    assert counted("parameters.stopped", "1, 2, 3, ", step=1).verdict is Verdict.INCONCLUSIVE


def ended_early(limit: int, *, spent: int, cap: int | None = None) -> Verdict:
    """What is said of the reason length, beside a request above the model's own limit where that is told."""
    early = completed("1, 2, 3,", reason="length", tokens=spent, asked={"max_tokens": limit})
    above = [] if cap is None else [completed("Hi.", asked={"max_tokens": cap + 1}, probe="parameters.over-cap")]
    return found("finish.length-only-at-the-limit", early, *above).verdict


@pytest.mark.parametrize("limit, cap", [(150, None), (200, None), (150, 512), (200, 512), (512, 200)])
def test_a_small_limit_is_reached_when_it_is_full(limit: int, cap: int | None) -> None:
    most = min(limit, cap or limit)

    assert ended_early(limit, spent=most - 1, cap=cap) is Verdict.FAIL
    assert ended_early(limit, spent=most, cap=cap) is Verdict.PASS


def test_a_large_limit_may_be_above_one_that_nobody_told() -> None:
    assert ended_early(201, spent=30) is Verdict.INCONCLUSIVE
    assert ended_early(1000, spent=500) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("limit, cap, half", [(1000, 511, 255), (400, 512, 200), (201, 512, 100)])
def test_a_large_limit_that_was_told_is_reached_as_far_as_its_half(limit: int, cap: int, half: int) -> None:
    assert ended_early(limit, spent=half, cap=cap) is Verdict.PASS
    assert ended_early(limit, spent=half - 1, cap=cap) is Verdict.FAIL


def short_stream(*texts: str, control: tuple[str, ...], reason: str = "stop") -> Verdict:
    """What is said of a stream of three tokens at the most, beside the same with more room."""
    short = streamed(
        *texts, reason=reason, asked={"max_tokens": 3}, probe="stream.cut-short", control="stream.counting"
    )
    return found("finish.stream-length", short, streamed(*control, probe="stream.counting")).verdict


def test_a_stream_of_as_many_bytes_as_tokens_was_cut_off() -> None:
    assert short_stream("1, ", control=("1, ", "2, 3")) is Verdict.FAIL
    assert short_stream("1, ", control=("1, ", "2, 3"), reason="length") is Verdict.PASS


def test_a_stream_that_ends_within_a_character_was_cut_off() -> None:
    assert short_stream("1, \ud83d", control=("1, \ud83d", "2, 3")) is Verdict.FAIL


@pytest.mark.parametrize(
    "texts, control",
    [(("1,",), ("1, 2",)), (("1, 2",), ("1, 2",)), (("a, b",), ("1, 2, 3",)), (("",), ("1, 2, 3",)), ((), ("1, 2",))],
)
def test_a_stream_that_may_have_ended_by_itself_shows_nothing(texts: tuple[str, ...], control: tuple[str, ...]) -> None:
    assert short_stream(*texts, control=control) is Verdict.INCONCLUSIVE


CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
NAMED = {
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
}


def called(choice: Any, *, profile: str, reason: str = "stop") -> list[Verdict]:
    """What is said of the reason of a call, unstreamed and streamed."""
    asked = NAMED | {"tool_choice": choice}
    message = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
    whole = answered(body if profile == "openai" else {"status": "ok", "data": body}, asked=asked, profile=profile)
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": reason}]}
    data = b"data: " + json.dumps(chunk).encode() + b"\n\n" + DONE
    stream = answered(data, asked=asked | {"stream": True}, kind="text/event-stream", profile=profile)
    return [found("finish.tool-calls", whole).verdict, found("tools.stream-reason", stream).verdict]


@pytest.mark.parametrize(
    "choice, profile, verdict",
    [
        (NAMED["tool_choice"], "openai", Verdict.INCONCLUSIVE),
        (NAMED["tool_choice"], "native", Verdict.FAIL),
        ("required", "openai", Verdict.FAIL),
        ("required", "native", Verdict.FAIL),
    ],
)
def test_a_call_that_was_asked_for_by_name_may_end_a_turn_on_the_other_surface(
    choice: Any, profile: str, verdict: Verdict
) -> None:
    assert called(choice, profile=profile) == [verdict, verdict]
    assert called(choice, profile=profile, reason="tool_calls") == [Verdict.PASS, Verdict.PASS]


def filtered(exchange: Exchange) -> Finding:
    return found("finish.content-filter", exchange)


@pytest.mark.parametrize("status", [201, 302, 400, 401, 500])
def test_a_filtered_answer_is_a_200_and_a_stream_of_another_status_is_judged_elsewhere(status: int) -> None:
    assert filtered(completed("", reason="content_filter", status=status, probe=FILTERED[0])).verdict is Verdict.FAIL
    assert filtered(streamed("", status=status, probe=FILTERED[1])).verdict is Verdict.INCONCLUSIVE


def test_the_reason_of_the_filter_is_missed_where_it_should_stand() -> None:
    whole, stream = completed("Hi.", probe=FILTERED[0]), streamed("Hi.", probe=FILTERED[1])

    assert [each.where for _, each in filtered(whole).violations] == ["/data/choices/0/finish_reason"]
    assert [each.where for _, each in filtered(stream).violations] == ["whole"]


@pytest.mark.parametrize("reason", [None, "length"])
def test_a_stream_that_the_filter_did_not_end_shows_nothing_of_it(reason: str | None) -> None:
    assert filtered(streamed("Hi.", reason=reason, probe=FILTERED[1])).verdict is Verdict.INCONCLUSIVE
    assert filtered(streamed("Hi.", reason="content_filter", probe=FILTERED[1])).verdict is Verdict.PASS
