"""What a running server is made of: its keys, its limits and what answers to which slug."""

import math
import secrets
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from conformance.server.generation import Service
from conformance.server.model import built_in
from conformance.server.triggers import trigger_services

DEFAULT_KEY: Final = "sgk_reference0000000000000000000000000000"
"""A key that the server takes when it is given no other; it opens nothing else."""
VIEWER_KEY: Final = "sgk_viewer000000000000000000000000000000"
"""A key that may list models and may not use them."""

_WINDOW: Final = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a server is made with."""

    keys: tuple[str, ...] = (DEFAULT_KEY,)
    viewer_keys: tuple[str, ...] = (VIEWER_KEY,)
    services: tuple[Service, ...] = field(default_factory=lambda: built_in() + trigger_services())
    """In the order of the models list; of two with one slug the later answers."""
    requests_per_minute: int = 60_000
    """Of one key; above it the answer is 429 `RATE_LIMITED`."""
    max_body_bytes: int = 16 * 1024 * 1024
    """Of a request; above it the answer is 413."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as it came."""

    path: str
    headers: Mapping[str, str]
    """Names in lower case; of a repeated one the last."""
    body: bytes | None
    """Nothing when it was larger than the site takes."""
    request_id: str
    started: float
    """On the monotonic clock, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a key has left after a request was counted."""

    limit: int
    """Requests in a minute."""
    remaining: int
    reset: int
    """When the window has room again for all, in Unix seconds."""
    retry_after: int
    """Seconds until one more request is admitted; 0 where this one was."""


class Meter:
    """Counts the requests of each key in a sliding minute."""

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._times: dict[str, deque[float]] = {}

    def counted(self, key: str) -> Allowance:
        """What the key has left; a request over the limit is not counted."""
        now = time.monotonic()
        times = self._times.setdefault(key, deque())
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        wait = 0
        if len(times) < self._limit:
            times.append(now)
        else:
            wait = max(1, math.ceil(times[0] + _WINDOW - now)) if times else math.ceil(_WINDOW)
        last = times[-1] if times else now
        return Allowance(
            limit=self._limit,
            remaining=self._limit - len(times),
            reset=math.ceil(time.time() + last + _WINDOW - now),
            retry_after=wait,
        )


def fresh_request_id() -> str:
    """A new id for a request."""
    return f"req_{secrets.token_hex(12)}"
