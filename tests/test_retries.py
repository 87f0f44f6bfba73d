"""What a run sends again, after which wait, and how often."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from conformance.observe import Ended, Outcome, observe
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


def test_a_throttled_request_is_sent_again_after_the_wait_the_body_names() -> None:
    watch = Watch()
    with hostile.throttles_then_answers(2, retry_after=7.5, headers=[("Retry-After", "8")]) as server:
        outcome = watch.run(many(1), at(server))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=4)
    assert watch.waits == [7.5, 7.5]
    assert watch.told == [
        ("opening", "complete", False),
        ("p0", "complete", True),
        ("p0~2", "complete", True),
        ("p0~3", "complete", False),
    ]


@pytest.mark.parametrize(
    "headers,members,waits",
    [
        ([("Retry-After", "3")], {}, [3.0, 3.0, 3.0]),
        ([("Retry-After", "3")], {"retry_after": "soon"}, [3.0, 3.0, 3.0]),
        ([("Retry-After", "3")], {"retry_after": -1}, [3.0, 3.0, 3.0]),
        ([("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT")], {}, [1.0, 2.0, 4.0]),
        ([("Retry-After", "1_0")], {"retry_after": True}, [1.0, 2.0, 4.0]),
        ([], {}, [1.0, 2.0, 4.0]),
        ([], {"retry_after": 90}, [90.0, 90.0, 90.0]),
        ([], {"retry_after": 0}, []),
    ],
)
@pytest.mark.parametrize("code", ["RATE_LIMITED", "BACKEND_RATE_LIMITED", None])
def test_throttling_is_borne_four_times(
    code: str | None, headers: list[tuple[str, str]], members: dict[str, Any], waits: list[float]
) -> None:
    watch = Watch()
    with hostile.throttles_then_answers(9, code, headers=headers, **members) as server:
        outcome = watch.run(many(1), at(server))

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=5)
    assert watch.waits == waits
    assert [record.retried for record in watch.records] == [False, True, True, True, False]


def test_a_wait_without_end_is_no_wait_that_is_named() -> None:
    body = b'{"error":{"code":"RATE_LIMITED","retry_after":1e999}}'
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, hostile.answer(body, status=429), hostile.GOOD) as server:
        watch.run(many(1), at(server))

    assert watch.waits == [1.0]


@pytest.mark.parametrize("wait", [90.5, 10**400])
def test_a_wait_longer_than_ninety_seconds_is_not_waited(wait: float) -> None:
    watch = Watch()
    with hostile.throttles_then_answers(1, retry_after=wait) as server:
        watch.run(many(1), at(server))

    assert (watch.waits, len(server.seen)) == ([], 2)


def test_a_run_waits_three_hundred_seconds_at_most() -> None:
    watch = Watch()
    with hostile.throttles_then_answers(99, retry_after=80) as server:
        outcome = watch.run(many(3), at(server, limits=replace(LIMITS, concurrency=1)))

    assert outcome.ended is Ended.COMPLETE
    assert sum(watch.waits) == 240
    assert len(server.seen) == 1 + 4 + 1 + 1


def test_waits_that_overlap_count_once() -> None:
    both = asyncio.Event()

    async def together(seconds: float) -> None:
        watch.waits.append(seconds)
        if len(watch.waits) == 5:
            both.set()
        await both.wait()

    watch = Watch()
    with hostile.throttles_then_answers(5, retry_after=80) as server:
        outcome = ran(
            observe(many(5), target=at(server), key=KEY, record=watch.records.append, opening="opening", sleep=together)
        )

    assert outcome == Outcome(ended=Ended.COMPLETE, reason="", requests=11)
    assert watch.waits == [80.0] * 5


@pytest.mark.parametrize("code,holds", [("RATE_LIMITED", True), (None, True), ("BACKEND_RATE_LIMITED", False)])
def test_while_the_key_is_throttled_every_slot_holds(code: str | None, holds: bool) -> None:  # noqa: FBT001
    sent_meanwhile: list[int] = []

    async def slept(_: float) -> None:
        before = len(server.seen)
        await asyncio.sleep(0.4)
        sent_meanwhile.append(len(server.seen) - before)

    watch = Watch()
    with hostile.throttles_then_answers(1, code) as server:
        target = at(server, limits=replace(LIMITS, concurrency=2))
        ran(observe(many(20), target=target, key=KEY, record=watch.records.append, opening="opening", sleep=slept))

    # The other slot may have had one request under way when the gate closed.
    assert sent_meanwhile[0] <= 1 if holds else sent_meanwhile[0] >= 5
    assert len(server.seen) == len(watch.records) == 22


def test_a_request_whose_turn_comes_while_the_key_is_throttled_waits_on() -> None:
    watch = Watch()
    limits = replace(LIMITS, requests_per_minute=600)
    with hostile.throttles_then_answers(1, retry_after=0.5) as server:
        ran(observe(many(2), target=at(server, limits=limits), key=KEY, record=watch.records.append, opening="opening"))

    assert len(server.seen) == len(watch.records) == 4
    assert server.seen[2].at - server.seen[1].at > 0.4


def test_what_is_unavailable_gets_two_more_tries() -> None:
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, hostile.failure("MODEL_UNAVAILABLE", status=503, retry_after=9)) as server:
        outcome = watch.run(many(1), at(server))

    assert (outcome.ended, outcome.requests) == (Ended.COMPLETE, 4)
    assert watch.waits == [0.5, 1.5]
    assert [record.retried for record in watch.records] == [False, True, True, False]


@pytest.mark.parametrize(
    "said",
    [
        hostile.failure("RATE_LIMIT_OF_ANOTHER_KIND", status=429),
        hostile.failure("INTERNAL", status=500),
        hostile.failure("BACKEND_ERROR", status=501),
        hostile.failure("RATE_LIMITED", status=400),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
    ],
)
def test_nothing_else_is_sent_again(said: bytes) -> None:
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, said) as server:
        outcome = watch.run(many(1), at(server))

    assert (outcome.ended, outcome.requests, watch.waits) == (Ended.COMPLETE, 2, [])


@pytest.mark.parametrize("said", [hostile.failure("RATE_LIMITED", status=429), hostile.failure("X", status=503)])
def test_a_step_that_may_fail_is_sent_once(said: bytes) -> None:
    watch = Watch()
    with hostile.says_in_turn(hostile.GOOD, said) as server:
        outcome = watch.run([OPENING, probe("limited", replace(PLAIN, may_fail=True))], at(server))

    assert (outcome.requests, watch.waits) == (2, [])
    assert watch.told[-1] == ("limited", "complete", False)


@pytest.mark.parametrize("status", [502, 504])
def test_a_failure_of_the_backend_is_worth_two_more_tries(status: int) -> None:
    watch = Watch()
    failure = hostile.answer(b'{"status":"error","error":{"code":"BACKEND_ERROR","message":"no"}}', status=status)
    with hostile.says_in_turn(hostile.GOOD, failure, failure, failure, failure, hostile.GOOD) as server:
        watch.run(many(1), at(server))

    assert watch.waits == [0.5, 1.5]
    assert watch.told == [
        ("opening", "complete", False),
        ("p0", "complete", True),
        ("p0~2", "complete", True),
        ("p0~3", "complete", False),
    ]
