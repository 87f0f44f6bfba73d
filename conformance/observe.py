"""A plan, sent: concurrently, within its limits, every answer recorded."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from conformance.document import MISSING, NotJson, at, is_number, parse
from conformance.exchange import Ending, Exchange
from conformance.probe import Probe, Unrenderable
from conformance.reading.answers import whole
from conformance.reading.witness import Inconclusive, Unobservable
from conformance.target import PATHS, Target
from conformance.transport import Interrupted, Outgoing, Received, Slot, exchange, outgoing, unsent

_TRIES_WHEN_THROTTLED: Final = 4
_BACKOFF: Final = (1.0, 2.0, 4.0)  # seconds, where a throttled answer names none
_LONGEST_WAIT: Final = 90.0  # seconds before one try
_MOST_WAITING: Final = 300.0  # seconds of a whole run
_BREATHERS: Final = (0.5, 1.5)  # seconds before another try of what was away
_AWAY: Final = frozenset({502, 503, 504})
"""Statuses of what is behind the target. The vendor's page on errors has clients ask once more after 502; a run asks
many times over, and a backend that fails one request in thirty would by chance fail one of them twice in a row."""
_SILENCES_TO_GIVE_UP: Final = 5

_THROTTLED: Final = frozenset({"RATE_LIMITED", "BACKEND_RATE_LIMITED"})
_SPENDING: Final = frozenset({402, 403, 429})  # the page's sister pages do not agree on one status
_SPENT: Final = frozenset({"BUDGET_EXCEEDED", "QUOTA_EXCEEDED"})
_KEY_LACKS: Final = frozenset({"AUTHZ_PERMISSION_DENIED", "AUTH_INSUFFICIENT_SCOPE"})
_NOT_THERE: Final = frozenset({404, 405})
_LONGEST_URL: Final = 300  # characters that a message quotes
_NO_MODEL: Final = "model_not_found"  # in any case: OpenAI's surface writes it small
_SILENT: Final = frozenset({Ending.UNREACHABLE, Ending.TIMEOUT, Ending.DEADLINE, Ending.NOT_HTTP})


class Ended(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"  # everything was asked
    INTERRUPTED = "interrupted"  # we were told to stop; the caller's word, as `observe` is cancelled then
    ABORTED = "aborted"  # there was no sense in asking on


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a run."""

    ended: Ended
    reason: str
    """A sentence for a person; empty when complete."""
    requests: int
    """Requests begun, retries included."""


def _status(answer: Exchange) -> int:
    return 0 if answer.response is None else answer.response.status


def _document(answer: Exchange) -> Any:
    try:
        return parse(whole(answer))
    except (NotJson, Unobservable, Inconclusive):
        return MISSING


def _completion(answer: Exchange) -> Any:
    document = _document(answer)
    return at(document, "/data") if answer.profile == "native" else document


def _code(answer: Exchange) -> str:
    """The error's code; empty where there is none to read."""
    code = at(_document(answer), "/error/code")
    return code if isinstance(code, str) else ""


_FOREVER: Final = 1e9
"""Seconds; a float cannot hold every integer that JSON can."""


def _asked_wait(answer: Exchange) -> float | None:
    """Seconds that a throttled answer asks for: the body's `retry_after`, else Retry-After (RFC 9110, 10.2.3)."""
    named = at(_document(answer), "/error/retry_after")
    if is_number(named) and 0 <= named < math.inf:
        return float(min(named, _FOREVER))
    header = answer.response and answer.response.header("Retry-After")
    if header and header.isascii() and header.isdigit() and len(header) < 10:
        return float(header)
    return None


def _throttled(answer: Exchange) -> bool:
    code = _code(answer)
    return _status(answer) == 429 and (not code or code in _THROTTLED)


def _no_answer(answer: Exchange, target: Target) -> str:
    """Why the target gave the opening request no answer; empty where it gave one."""
    detail = f" ({answer.detail})" if answer.detail else ""
    match answer.ended:
        case Ending.COMPLETE:
            return ""
        case Ending.UNREACHABLE:
            what = f"cannot be reached{detail}; look at the URL, the network, and whether the server runs"
        case Ending.TIMEOUT | Ending.DEADLINE:
            what = (
                f"gave a plain request no whole answer in time{detail}; look at the server, or give it a longer limit"
            )
        case Ending.NOT_HTTP:
            what = f"does not speak HTTP/1.1{detail}; look at the port, and at http:// or https://"
        case Ending.TOO_LARGE:
            what = f"answered a plain request with far too much{detail}; look at what listens there"
        case _:
            what = f"gave no whole answer{detail}; look at the server's log, and at what stands between"
    return f"{target.endpoint} {what}"


def _no_endpoint(answer: Exchange, target: Target) -> str:
    """Why nothing speaks the chat contract where the opening request was sent; empty where something may."""
    response = answer.response
    if response is None:
        return ""
    status = response.status
    if 300 <= status < 400:
        place = response.header("Location") or ""
        led = f" to {place}" if place and place.isascii() and place.isprintable() and len(place) <= _LONGEST_URL else ""
        return (
            f"{target.endpoint} redirects{led} ({status}), and no redirect is followed;"
            " give the URL that serves the endpoint itself"
        )
    kind = (response.header("Content-Type") or "").partition(";")[0].strip().casefold()
    page = 200 <= status < 300 and kind == "text/html" and _document(answer) is MISSING
    if not page and (status not in _NOT_THERE or _code(answer).casefold() == _NO_MODEL):
        return ""
    other = " or ".join(name for name in PATHS if name != target.profile)
    return (
        f"no chat completions endpoint is at {target.endpoint} ({'a page of HTML' if page else status});"
        " give the URL without the endpoint's path, look at `path` in the target file,"
        f" or try --profile {other}"
    )


def _no_use(answer: Exchange, target: Target) -> str:
    """Why no request can succeed after the opening one's answer; empty where one may."""
    code = _code(answer)
    match _status(answer):
        case 401:
            named = f", {code}" if code.isascii() and code.isidentifier() else ""
            return f"the target refused the key (401{named}); look at what the variable {target.api_key_env} holds"
        case 403 if code in _KEY_LACKS:
            return f"the key may not use chat completions (403, {code}); look at the permissions of its user"
        case 403 if code == "MODEL_ACCESS_DENIED":
            return f"the key may not use the model {target.model!r} (403, {code}); look at the tenant's model access"
        case 404 if code.casefold() == _NO_MODEL:
            return f"the target has no model {target.model!r} (404, {code}); look at `model`, or --model"
        case _:
            return _no_endpoint(answer, target)


class _Patience:
    """The waiting that a run grants throttled requests; waits that overlap count once."""

    def __init__(self) -> None:
        self._left = _MOST_WAITING
        self._waiting = 0
        self._until = 0.0

    def grant(self, seconds: float) -> bool:
        """Whether the run can wait so long; `returned` is due when the wait is over."""
        now = time.monotonic()
        covered = max(self._until, now) if self._waiting else now
        more = max(now + seconds - covered, 0.0)
        if seconds > _LONGEST_WAIT or more > self._left:
            return False
        self._left -= more
        self._until = max(now + seconds, covered)
        self._waiting += 1
        return True

    def returned(self) -> None:
        """A granted wait is over."""
        self._waiting -= 1


class _Run:
    """What the slots of a run share."""

    def __init__(
        self,
        opening: Probe | None,
        *,
        target: Target,
        key: str,
        record: Callable[[Exchange], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.requests = 0
        self.reason = ""
        """Why the run is over before its end; empty while it is not."""
        self._opening, self._target, self._key, self._record, self._sleep = opening, target, key, record, sleep
        per_minute = target.limits.requests_per_minute
        self._gap = 60.0 / per_minute if per_minute else 0.0
        self._next = 0.0
        self._turn = asyncio.Lock()
        self._over = asyncio.Event()
        self._gate = asyncio.Event()
        self._gate.set()
        self._holding = 0
        self._patience = _Patience()
        self._silences = 0

    async def open(self, slot: Slot, opening: Probe) -> None:
        """Send the opening probe, and stop the run where its answer leaves no sense in another."""
        answer = await self.ask(slot, opening)
        if answer is not None and (reason := _no_answer(answer, self._target) or _no_use(answer, self._target)):
            self._stop(reason)

    async def ask(self, slot: Slot, probe: Probe) -> Exchange | None:
        """Send a probe's requests in order; the last answer, or None where the run was over first."""
        earlier: list[Any] = []
        answer: Exchange | None = None
        for index, step in enumerate(probe.steps):
            if answer is not None:
                earlier.append(_completion(answer))
            try:
                request = outgoing(step, target=self._target, key=self._key, earlier=tuple(earlier))
            except Unrenderable as lack:
                for rest in range(index, len(probe.steps)):
                    self._record(unsent(probe, rest, str(lack), target=self._target))
                return answer
            answer = await self._answer(slot, probe, index, request)
            if answer is None:
                return None
        return answer

    async def spread(self, probes: Sequence[Probe], *, slots: int) -> None:
        """Send probes in as many slots, each taking the next when it is done with one."""
        queue = deque(probes)

        async def work() -> None:
            async with Slot() as slot:
                while queue and not self.reason:
                    await self.ask(slot, queue.popleft())

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(slots, len(queue))):
                    group.create_task(work())
        except BaseExceptionGroup as several:
            # Only `record` and our own mistakes raise; the caller handles them as if it had called them itself.
            raise several.exceptions[0] from None

    def _stop(self, reason: str) -> None:
        """Begin no other request; what is under way may end."""
        self.reason = self.reason or reason
        self._over.set()

    async def _answer(self, slot: Slot, probe: Probe, index: int, request: Outgoing) -> Exchange | None:
        """The answer that stands after what retries the contract allows; None where the run was over first."""
        answer: Exchange | None = None
        try:
            while True:
                if not await self._may_begin():
                    break
                attempt = 1
                if answer is not None:
                    attempt = answer.attempt + 1
                    before, answer = answer, None
                    self._record(replace(before, retried=True))
                answer = await self._sent(slot, probe, index, attempt, request)
                self._note(answer, expected=probe.steps[index].may_fail)
                if probe.steps[index].may_fail or not await self._again(probe, answer):
                    break
        finally:
            # An answer is recorded when it is known whether another try follows it, also when we are told to stop.
            if answer is not None:
                self._record(answer)
        return answer

    async def _sent(self, slot: Slot, probe: Probe, index: int, attempt: int, request: Outgoing) -> Exchange:
        def made(received: Received) -> Exchange:
            return exchange(
                probe, index, attempt, request, received, profile=self._target.profile, key=self._key, retried=False
            )

        try:
            return made(await slot.send(request, limits=self._target.limits))
        except Interrupted as cut:
            self._record(made(cut.received))
            raise

    async def _may_begin(self) -> bool:
        """Wait for this request's turn; False where the run is over."""
        async with self._turn:
            while not self.reason:
                await self._gate.wait()
                begin = max(self._next, time.monotonic())
                await self._pause(begin - time.monotonic())
                if self._gate.is_set():
                    break
            if self.reason or self._at_limit():
                return False
            self.requests += 1
            self._next = begin + self._gap
            return True

    def _at_limit(self) -> bool:
        """Whether no request is left, though one was wanted; the run is over then."""
        most = self._target.limits.requests
        if self.requests < most:
            return False
        self._stop(f"the limit of {most} requests was reached; raise it with --max-requests, or select less")
        return True

    def _note(self, answer: Exchange, *, expected: bool) -> None:
        """Stop the run where an answer shows that there is no sense in another request; silence may be `expected`."""
        code = _code(answer)
        if _status(answer) in _SPENDING and code in _SPENT:
            self._stop(f"the budget of the key is spent ({_status(answer)}, {code}); raise it, or wait for its period")
        if not expected:
            self._silences = self._silences + 1 if answer.ended in _SILENT else 0
        if self._silences >= _SILENCES_TO_GIVE_UP:
            self._stop(
                f"the target stopped answering: {self._silences} requests in a row ended without an answer,"
                f" the last one {answer.ended} ({answer.detail})"
            )

    async def _again(self, probe: Probe, answer: Exchange) -> bool:
        """Whether another try is due; returns when it is time for it."""
        if _throttled(answer):
            return answer.attempt < _TRIES_WHEN_THROTTLED and not self._at_limit() and await self._throttle(answer)
        tries = 1
        if answer.ended is Ending.UNREACHABLE or _status(answer) in _AWAY:
            tries = 1 + len(_BREATHERS)
        elif probe is self._opening and answer.ended is Ending.RESET:
            tries = 2
        if answer.attempt >= tries or self._at_limit():
            return False
        await self._pause(_BREATHERS[answer.attempt - 1])
        return True

    async def _throttle(self, answer: Exchange) -> bool:
        """Wait as a throttled answer asks; False where it asks too much."""
        asked = _asked_wait(answer)
        seconds = _BACKOFF[answer.attempt - 1] if asked is None else asked
        if not self._patience.grant(seconds):
            return False
        # A backend's limit is not ours; any other may be the key's, which all slots share.
        alone = _code(answer) == "BACKEND_RATE_LIMITED"
        try:
            with nullcontext() if alone else self._gate_closed():
                await self._pause(seconds)
        finally:
            self._patience.returned()
        return True

    @contextmanager
    def _gate_closed(self) -> Iterator[None]:
        self._holding += 1
        self._gate.clear()
        try:
            yield
        finally:
            self._holding -= 1
            if not self._holding:
                self._gate.set()

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the end of the run."""
        if seconds <= 0 or self.reason:
            return
        waits = asyncio.ensure_future(self._sleep(seconds)), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


async def observe(  # noqa: PLR0913  # what a run is made of
    probes: Sequence[Probe],
    *,
    target: Target,
    key: str,
    record: Callable[[Exchange], None],
    opening: str | None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Outcome:
    """Send the probes and record every exchange, within the target's limits.

    The opening probe goes first and by itself; the probes marked `alone` follow it, one at a time.

    Args:
        probes: the plan.
        target: where to, and within which limits.
        key: the API key; it reaches no record.
        record: called once for each exchange, when it has ended and it is known whether another try follows it.
        opening: the name of a plain legal request among `probes`; without an answer to it nothing else is sent;
            None where an earlier call has had one.
        sleep: waits for so many seconds.

    Raises:
        ValueError: no probe is called `opening`.
        asyncio.CancelledError: the run was told to stop; what was under way has been recorded as interrupted.
    """
    first = next((probe for probe in probes if probe.name == opening), None)
    if first is None and opening is not None:
        raise ValueError(f"no probe of the plan is called {opening!r}")
    run = _Run(first, target=target, key=key, record=record, sleep=sleep)
    if first is not None:
        async with Slot() as slot:
            await run.open(slot, first)
    others = [probe for probe in probes if probe is not first]
    await run.spread([probe for probe in others if probe.alone], slots=1)
    await run.spread([probe for probe in others if not probe.alone], slots=target.limits.concurrency)
    ended = Ended.ABORTED if run.reason else Ended.COMPLETE
    return Outcome(ended=ended, reason=run.reason, requests=run.requests)
