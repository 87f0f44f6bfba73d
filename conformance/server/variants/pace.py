"""Servers that take their time, have too much to do, or fail now and then, and say so as the page has it."""

import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from itertools import count
from typing import Final

from conformance.server.app import Behaviour, Writes
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    each_write,
    lingering,
    one_in,
    only,
    replacing,
    saying,
    streams,
    with_field,
)
from conformance.server.deviation import Variant
from conformance.server.generation import ChatRequest, Failure, Refused, Steps
from conformance.server.model import MINI
from conformance.server.site import Arrival, Site
from conformance.server.variants.writing import rewritten, written

_THROTTLED: Final = Failure(status=429, code="RATE_LIMITED", message="Too many requests.", retry_after=0.3)
_BURST: Final = ("stream.not-in-one-burst",)
_BROKEN_OFF: Final = (
    "finish.stream-length",
    "parameters.stop-in-stream",
    "stream.text-intact",
    "stream.done-in-text",
    "stream.lines-in-text",
    "stream.max-tokens",
    "stream.tool-framing",
    "tools.stream-",
    *_BURST,
)
"""What a stream that breaks off does not show."""
_GUST: Final = 30  # events
_ONCE: Final = 1_000_000
"""More requests than a run has."""


def _for_the_model(asked: Asked) -> bool:
    """Whether it is the model that is asked, and not one of those that stand for failures."""
    return asked.get("model") == MINI


def _streamed_by_the_model(asked: Asked) -> bool:
    return _for_the_model(asked) and streams(asked)


def _at_first_sight(change: Change) -> Change:
    """A change that spares whatever was asked before: who asks again is served."""

    def made() -> Reaction:
        reaction, seen = change(), set[bytes]()

        def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            body = arrival.body or b""
            again = body in seen
            seen.add(body)
            return behaviour if again else reaction(arrival, behaviour)

        return react

    return made


def _turning_away(failure: Failure) -> Change:
    """A request with a good key, turned away before it is looked at."""

    def refuse(_key: str, _site: Site) -> None:
        raise Refused(failure)

    return replacing(authorise=refuse)


def _limited(most: int, seconds: float) -> Change:
    """No more than so many requests in each window of so many seconds; the others are told when it ends."""

    def change() -> Reaction:
        begun, served = 0.0, 0

        def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            nonlocal begun, served
            now = time.monotonic()
            if now >= begun + seconds:
                begun, served = now, 0
            served += 1
            if served <= most:
                return behaviour
            wait = replace(_THROTTLED, retry_after=round(begun + seconds - now + 0.01, 2))
            return _turning_away(wait)()(arrival, behaviour)

        return react

    return change


def _broken_off(after: int, *, code: str = "BACKEND_ERROR") -> Change:
    """A failure of the backend after so many steps."""
    failure = Failure(status=502, code=code, message="The backend broke off.")

    async def broken(steps: Steps, _request: ChatRequest) -> Steps:
        number = 0
        async with aclosing(steps):
            async for step in steps:
                if number == after:
                    yield failure
                    return
                number += 1
                yield step

    return saying(broken)


def _begun_after(seconds: float) -> Callable[[Writes], Writes]:
    """The same writes, after a silence."""

    async def edited(writes: Writes) -> Writes:
        yield seconds, b""
        async with aclosing(writes):
            async for write in writes:
                yield write

    return edited


async def _late_and_gathered(writes: Writes) -> Writes:
    """A silence, then thirty writes in one, again and again."""
    yield 0.8, b""
    held = []
    async with aclosing(writes):
        async for _, data in writes:
            held.append(data)
            if len(held) == _GUST:
                yield 0.0, b"".join(held)
                held = []
    yield 0.0, b"".join(held)


def _paused(before: Callable[[int, bytes], float]) -> Change:
    """Pauses before some writes of a stream, in seconds."""
    return each_write(lambda number, delay, data: [(delay + before(number, data), data)])


def _answered_after(seconds: float) -> Change:
    """JSON answers whose body comes a while after their head."""
    return rewritten("application/json", _begun_after(seconds))


def _slower_and_slower() -> Reaction:
    """A longer silence before each stream than before the last."""
    numbers = count()

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return written(_begun_after(0.02 * next(numbers)))()(arrival, behaviour)

    return react


_SLOW: Final = (
    Variant(
        id="slow-first-token",
        does="waits most of a second before the first token",
        change=written(_begun_after(0.8)),
        unseen=_BURST,
    ),
    Variant(
        id="slow-tokens",
        does="takes five milliseconds for each token",
        change=_paused(lambda *_: 0.005),
    ),
    Variant(
        id="slow-in-gusts",
        does="says ten tokens at a time, with a pause between",
        change=_paused(lambda number, _: 0.12 if number % 10 == 0 else 0.0),
    ),
    Variant(
        id="slow-in-the-middle",
        does="falls silent for two seconds in the middle of an answer",
        change=one_in(4, _paused(lambda number, _: 2.0 if number == 2 else 0.0), when=streams),
    ),
    Variant(
        id="slow-to-end",
        does="takes a second from the last word to the end marker",
        change=_paused(lambda _, data: 1.0 if data.startswith(b"data: [DONE]") else 0.0),
    ),
    Variant(id="slow-to-close", does="keeps a stream open for a second after its end marker", change=lingering(1.0)),
    Variant(
        id="slow-first-token-in-gusts",
        does="waits most of a second before the first token, and then writes thirty events at a time",
        change=written(_late_and_gathered),
        unseen=_BURST,
    ),
    Variant(id="slow-answers", does="sends the body of an answer a while after its head", change=_answered_after(0.25)),
    Variant(
        id="slower-and-slower",
        does="waits longer before each stream than before the last",
        change=only(streams, _slower_and_slower),
        unseen=_BURST,
    ),
)

_BUSY: Final = (
    Variant(
        id="busy-now-and-then",
        does="throttles one request in nine, with fractions of seconds to wait",
        change=one_in(9, _turning_away(_THROTTLED), when=_for_the_model, first=4),
    ),
    Variant(
        id="busy-at-first",
        does="throttles the very first request",
        change=one_in(_ONCE, _turning_away(_THROTTLED), when=_for_the_model),
    ),
    Variant(
        id="busy-backend",
        does="has a backend that throttles one request in forty, and sends no Retry-After for it",
        change=one_in(
            40,
            _turning_away(replace(_THROTTLED, code="BACKEND_RATE_LIMITED")),
            with_field("Retry-After", None),
            when=_for_the_model,
            first=7,
        ),
    ),
    Variant(
        id="busy-in-bursts",
        does="serves thirty requests in each second and throttles the others",
        change=only(_for_the_model, _limited(30, 1.0)),
    ),
    Variant(
        id="busy-for-a-minute",
        does="serves a hundred requests in a minute and throttles the others",
        site=Site(requests_per_minute=100),
    ),
    Variant(
        id="away-once",
        does="has no healthy backend for one request",
        change=one_in(
            _ONCE,
            _turning_away(Failure(status=503, code="MODEL_UNAVAILABLE", message="Draining.", retry_after=1)),
            when=_for_the_model,
            first=5,
        ),
    ),
    Variant(
        id="away-now-and-then",
        does="has no healthy backend for one request in thirty",
        change=one_in(
            30,
            _turning_away(Failure(status=503, code="MODEL_UNAVAILABLE", message="Draining.")),
            when=_for_the_model,
            first=11,
        ),
    ),
)

_FAILING: Final = (
    Variant(
        id="fails-now-and-then",
        does="has a backend that fails before the first token of one request in thirty",
        change=_at_first_sight(
            one_in(
                30,
                _turning_away(Failure(status=502, code="BACKEND_ERROR", message="The backend failed.")),
                when=_for_the_model,
                first=2,
            )
        ),
    ),
    Variant(
        id="times-out-now-and-then",
        does="has a backend that is too slow for one request in thirty",
        change=_at_first_sight(
            one_in(
                30,
                _turning_away(Failure(status=504, code="BACKEND_TIMEOUT", message="The backend took too long.")),
                when=_for_the_model,
                first=17,
            )
        ),
    ),
    Variant(
        id="breaks-off-now-and-then",
        does="has a backend that breaks off in the middle of one stream in ten",
        change=one_in(10, _broken_off(2), when=_streamed_by_the_model, first=3),
        unseen=_BROKEN_OFF,
    ),
    Variant(
        id="breaks-off-in-another-way",
        does="has a backend that breaks off every stream with what nobody understands",
        change=only(_streamed_by_the_model, _broken_off(2, code="UPSTREAM_SHAPE_MISMATCH")),
        unseen=_BROKEN_OFF,
    ),
    Variant(
        id="breaks-off-every-stream",
        does="has a backend that breaks off in the middle of every stream",
        change=only(_streamed_by_the_model, _broken_off(2)),
        unseen=_BROKEN_OFF,
    ),
)

VARIANTS: Final = (*_SLOW, *_BUSY, *_FAILING)
