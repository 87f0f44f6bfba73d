"""The run of a plan: order, pace, limits, and what ends it early."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.evidence import Journal, read
from conformance.exchange import Ending, Exchange
from conformance.observe import Ended, Outcome, observe
from conformance.probe import MODEL, Echo, Step
from tests import hostile
from tests.sending import (
    KEY,
    LIMITS,
    OPENING,
    PLAIN,
    Watch,
    at,
    many,
    probe,
    ran,
)

# Order


def test_the_opening_goes_first_and_alone_and_the_lonely_probes_follow_it_one_at_a_time() -> None:
    probes = [
        probe("lone-a", alone=True),
        *(probe(f"p{i}") for i in range(6)),
        OPENING,
        probe("lone-b", alone=True),
    ]
    in_flight: list[int] = []

    async def script(_: hostile.Seen, writer: Any) -> None:
        in_flight.append(server.in_flight)
        await asyncio.sleep(0.05)
        writer.write(hostile.GOOD)

    watch = Watch()
    with hostile.serves(script) as server:
        outcome = watch.run(probes, at(server, limits=replace(LIMITS, concurrency=3)))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=9)
    names = [record.probe for record in watch.records]
    assert names[0] == "opening"
    assert names[1:3] == ["lone-a", "lone-b"]
    assert sorted(names[3:]) == [f"p{i}" for i in range(6)]
    assert in_flight[:3] == [1, 1, 1]
    assert server.most_at_once == 3


def test_probes_overlap_up_to_the_number_of_slots() -> None:
    with hostile.answers_slowly(0.2) as server:
        begun = time.monotonic()
        watch = Watch()
        watch.run(many(8), at(server, limits=replace(LIMITS, concurrency=4)))
        took = time.monotonic() - begun

    assert server.most_at_once == 4
    assert took < 0.2 * 9
    assert len(watch.records) == 9


def test_a_plan_without_its_opening_is_refused() -> None:
    with hostile.refuses() as server, pytest.raises(ValueError, match="'opening'"):
        Watch().run([probe("other")], at(server))


@pytest.mark.parametrize("profile", ["native", "openai"])
def test_a_later_step_echoes_what_an_earlier_answer_said(profile: str) -> None:
    said = hostile.COMPLETION if profile == "openai" else {"status": "ok", "data": hostile.COMPLETION}
    second = Step(body={"model": MODEL, "messages": [Echo(pointer="/choices/0/message")]})
    watch = Watch()
    with hostile.sends(hostile.answer(said)) as server:
        outcome = watch.run([OPENING, probe("turns", PLAIN, second)], at(server, profile=profile))

    assert outcome.requests == 3
    assert [record.id for record in watch.records] == ["opening", "turns", "turns/2"]
    assert json.loads(server.seen[2].body)["messages"] == [{"role": "assistant", "content": "Bern."}]


@pytest.mark.parametrize(
    "first",
    [
        hostile.failure("BACKEND_ERROR", status=500),
        hostile.answer(b"<html>"),
        hostile.answer(b"\xff"),
        hostile.GOOD.replace(b"Content-Length: ", b"Content-Length: 9"),
    ],
)
def test_what_cannot_be_echoed_is_recorded_as_unsent_with_the_rest_of_the_sequence(first: bytes) -> None:
    echo = Step(body={"messages": [Echo(pointer="/choices/0/message")]})
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, first) as server:
        outcome = watch.run([OPENING, probe("turns", PLAIN, echo, PLAIN)], at(server))

    assert (outcome.ended, outcome.requests, len(server.seen)) == (Ended.COMPLETE, 2, 2)
    assert [record.id for record in watch.records] == ["opening", "turns", "turns/2", "turns/3"]
    for record in watch.records[2:]:
        assert record.ended is Ending.UNSENT
        assert record.detail == "the answer to request 1 has nothing at /choices/0/message"


# Pace and limits


def test_starts_are_evenly_spaced_retries_included() -> None:
    limits = replace(LIMITS, requests_per_minute=1200, concurrency=4)
    with hostile.throttles_then_answers(2, retry_after=0) as server:
        records: list[Exchange] = []
        ran(observe(many(8), target=at(server, limits=limits), key=KEY, record=records.append, opening="opening"))

    starts = sorted(record.started for record in records)
    assert len(starts) == 11
    assert starts[-1] - starts[0] > 0.05 * 10 * 0.8
    assert all(later - sooner > 0.05 * 2 for sooner, later in zip(starts, starts[4:], strict=False))


def test_the_limit_of_requests_is_never_passed_retries_included() -> None:
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, hostile.failure("MODEL_UNAVAILABLE", status=503)) as server:
        outcome = watch.run(many(5), at(server, limits=replace(LIMITS, max_requests=5, concurrency=3)))

    assert outcome.ended is Ended.ABORTED
    assert "the limit of 5 requests was reached" in outcome.reason
    assert outcome.requests == len(server.seen) == len(watch.records) == 5
    answered = {record.id for record in watch.records}
    for record in watch.records:
        follower = replace(record, attempt=record.attempt + 1).id
        assert record.retried == (follower in answered)


def test_a_limit_reached_between_probes_ends_the_run() -> None:
    with hostile.answers() as server:
        outcome = Watch().run(many(9), at(server, limits=replace(LIMITS, max_requests=4)))

    assert (outcome.ended, outcome.requests, len(server.seen)) == (Ended.ABORTED, 4, 4)


def test_a_limit_that_is_just_enough_is_no_reason_to_abort() -> None:
    with hostile.answers() as server:
        outcome = Watch().run(many(4), at(server, limits=replace(LIMITS, max_requests=5)))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=5)


# What ends a run


def test_a_target_that_refuses_connections_ends_the_run_after_three_tries() -> None:
    watch = Watch()
    with hostile.refuses() as server:
        outcome = watch.run(many(3), at(server))

    assert outcome.ended is Ended.ABORTED
    assert outcome.reason == (
        f"{server.url}/v1/inference/chat cannot be reached (Connection refused);"
        " look at the URL, the network, and whether the server runs"
    )
    assert watch.told == [
        ("opening", "unreachable", True),
        ("opening~2", "unreachable", True),
        ("opening~3", "unreachable", False),
    ]


@pytest.mark.parametrize(
    "peer,ended,tries,said",
    [
        (hostile.never_answers, "timeout", 1, "no whole answer in time"),
        (hostile.drips, "deadline", 1, "no whole answer in time"),
        (hostile.endless_line, "too large", 1, "far too much"),
        (hostile.speaks_no_http, "not HTTP", 1, "does not speak HTTP/1.1"),
        (hostile.closes_without_answer, "reset", 2, "gave no whole answer"),
    ],
)
def test_an_opening_without_an_answer_ends_the_run(peer: Callable[[], Any], ended: str, tries: int, said: str) -> None:
    watch = Watch()
    limits = replace(LIMITS, timeout=0.3, deadline=0.6) if ended in {"timeout", "deadline"} else LIMITS
    with peer() as server:
        outcome = watch.run(many(3), at(server, limits=limits))

    assert (outcome.ended, outcome.requests) == (Ended.ABORTED, tries)
    assert said in outcome.reason
    assert "; look at " in outcome.reason
    assert [record.ended.value for record in watch.records] == [ended] * tries


def test_an_opening_cut_off_once_is_tried_once_more() -> None:
    watch = Watch()
    with hostile.says_in_turn(b"", hostile.GOOD) as server:
        outcome = watch.run(many(1), at(server))

    assert outcome.ended is Ended.COMPLETE
    assert watch.told == [("opening", "reset", True), ("opening~2", "complete", False), ("p0", "complete", False)]


@pytest.mark.parametrize(
    "status,code,said",
    [
        (401, "AUTH_TOKEN_INVALID", "refused the key (401, AUTH_TOKEN_INVALID); look at what the variable GRID_KEY"),
        (401, None, "refused the key (401); look at what the variable GRID_KEY holds"),
        (401, "\u202eevil words", "refused the key (401); look at what the variable GRID_KEY holds"),
        (403, "AUTHZ_PERMISSION_DENIED", "may not use chat completions"),
        (403, "AUTH_INSUFFICIENT_SCOPE", "may not use chat completions"),
        (403, "MODEL_ACCESS_DENIED", "may not use the model 'acme/m'"),
        (404, "MODEL_NOT_FOUND", "no model 'acme/m'"),
        (404, "model_not_found", "no model 'acme/m'"),
        (429, "BUDGET_EXCEEDED", "the budget of the key is spent"),
        (402, "QUOTA_EXCEEDED", "the budget of the key is spent"),
    ],
)
def test_an_opening_that_shows_the_run_to_be_senseless_ends_it(status: int, code: str | None, said: str) -> None:
    watch = Watch()
    with hostile.sends(hostile.failure(code, status=status)) as server:
        outcome = watch.run(many(3), at(server))

    assert (outcome.ended, outcome.requests) == (Ended.ABORTED, 1)
    assert said in outcome.reason


@pytest.mark.parametrize(
    "said,told",
    [
        (hostile.answer(b"", status=404), "404"),
        (hostile.failure("NOT_FOUND", status=404), "404"),
        (hostile.answer(b"nothing here", status=405), "405"),
        (hostile.answer(b"<html>", kind="text/html; charset=utf-8"), "a page of HTML"),
    ],
)
def test_an_opening_that_finds_no_endpoint_ends_the_run_and_names_the_url(said: bytes, told: str) -> None:
    with hostile.sends(said) as server:
        outcome = Watch().run(many(3), at(server))

    assert (outcome.ended, outcome.requests) == (Ended.ABORTED, 1)
    assert outcome.reason == (
        f"no chat completions endpoint is at {server.url}/v1/inference/chat ({told}); give the URL without the"
        " endpoint's path, look at `path` in the target file, or try --profile openai"
    )


@pytest.mark.parametrize(
    "headers,led",
    [
        ([("Location", "https://grid.example/v1/inference/chat")], " to https://grid.example/v1/inference/chat"),
        ([("Location", "/" + "a" * 299)], " to /" + "a" * 299),
        ([("Location", "/" + "a" * 300)], ""),
        ([("Location", "/\xe9")], ""),
        ([("Location", "/\x1b[2J")], ""),
        ([], ""),
    ],
)
def test_an_opening_that_is_redirected_ends_the_run_and_says_where_it_leads(
    headers: list[tuple[str, str]], led: str
) -> None:
    with hostile.sends(hostile.answer(b"", status=308, headers=headers)) as server:
        outcome = Watch().run(many(3), at(server))

    assert (outcome.ended, outcome.requests) == (Ended.ABORTED, 1)
    assert outcome.reason == (
        f"{server.url}/v1/inference/chat redirects{led} (308), and no redirect is followed;"
        " give the URL that serves the endpoint itself"
    )


@pytest.mark.parametrize(
    "said",
    [
        hostile.answer(b"{}", kind="text/html"),
        hostile.failure("INTERNAL", status=500),
        hostile.failure("FORBIDDEN", status=403),
    ],
)
def test_any_other_answer_to_the_opening_is_evidence_and_the_run_goes_on(said: bytes) -> None:
    with hostile.sends(said) as server:
        outcome = Watch().run(many(3), at(server))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=4)


def test_a_budget_spent_on_the_way_ends_the_run_and_what_is_under_way_is_kept() -> None:
    async def script(seen: hostile.Seen, writer: Any) -> None:
        if seen.number == 3:
            writer.write(hostile.failure("BUDGET_EXCEEDED", status=429))
            return
        await asyncio.sleep(0.1)
        writer.write(hostile.GOOD)

    watch = Watch()
    with hostile.serves(script) as server:
        outcome = watch.run(many(20), at(server, limits=replace(LIMITS, concurrency=4)))

    assert outcome.ended is Ended.ABORTED
    assert outcome.reason.startswith("the budget of the key is spent (429, BUDGET_EXCEEDED)")
    assert outcome.requests == len(watch.records) == len(server.seen) <= 6
    assert {record.ended for record in watch.records} == {Ending.COMPLETE}


def test_the_end_of_a_run_cuts_waits_short() -> None:
    """One probe is told to wait long for a backend; meanwhile another finds the budget spent."""

    async def script(seen: hostile.Seen, writer: Any) -> None:
        if seen.number == 2:
            writer.write(hostile.failure("BACKEND_RATE_LIMITED", status=429, retry_after=60))
        elif seen.number == 3:
            await asyncio.sleep(0.2)
            writer.write(hostile.failure("BUDGET_EXCEEDED", status=429))
        else:
            writer.write(hostile.GOOD)

    records: list[Exchange] = []
    with hostile.serves(script) as server:
        begun = time.monotonic()
        outcome = ran(observe(many(2), target=at(server), key=KEY, record=records.append, opening="opening"))

    assert time.monotonic() - begun < 5
    assert (outcome.ended, outcome.requests) == (Ended.ABORTED, 3)
    assert [record.retried for record in records] == [False] * 3


def test_five_silences_in_a_row_end_the_run() -> None:
    watch = Watch()
    with hostile.dies_later(3) as server:
        outcome = watch.run(many(30), at(server, limits=replace(LIMITS, concurrency=2, timeout=0.2)))

    assert outcome.ended is Ended.ABORTED
    assert outcome.reason == (
        "the target stopped answering: 5 requests in a row ended without an answer,"
        " the last one timeout (silent for 0.2 seconds)"
    )
    assert 8 <= outcome.requests <= 9
    assert len(watch.records) == outcome.requests


def test_silences_with_an_answer_between_do_not_end_the_run() -> None:
    async def script(seen: hostile.Seen, writer: Any) -> None:
        if seen.number % 4:
            writer.write(hostile.GOOD)
        else:
            writer.write(b"nonsense\r\n\r\n")

    with hostile.serves(script) as server:
        outcome = Watch().run(many(30), at(server, limits=replace(LIMITS, concurrency=1)))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=31)


def test_what_the_recorder_raises_reaches_the_caller_as_it_is() -> None:
    def full(record: Exchange) -> None:
        if record.probe != "opening":
            raise OSError(28, "No space left on device")

    with hostile.answers() as server, pytest.raises(OSError, match="No space"):
        ran(observe(many(5), target=at(server), key=KEY, record=full, opening="opening"))


# The whole


def test_no_file_of_a_run_against_an_echoing_target_holds_the_key(tmp_path: Path) -> None:
    with hostile.echoes_the_key(40) as server, Journal(tmp_path / "evidence.jsonl", {}) as journal:
        outcome = ran(observe(many(3), target=at(server), key=KEY, record=journal.record, opening="opening"))
        journal.close({"ended": outcome.ended, "reason": outcome.reason})

    assert KEY.encode() not in (tmp_path / "evidence.jsonl").read_bytes()
    evidence = read(tmp_path)
    assert len(evidence.exchanges) == 4
    assert all(b"bad header Bearer *key*key" in made.body for made in evidence.exchanges)
