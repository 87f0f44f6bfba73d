"""What the scripted backend received once, and what it did about it."""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.document import packed, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """What an address in a request served when the backend fetched it."""

    url: str
    status: int
    """0 where nothing answered."""
    body: bytes = b""
    detail: str = ""
    """Why nothing answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One request that reached the backend."""

    tag: str
    """Of the exchange that caused it; empty where the request names no scenario."""
    scenario: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    """Without the values of credentials: whether the client's key is among them is said by `key_forwarded`."""
    body: bytes
    key_forwarded: bool = False
    """The client's own key stands in the request."""
    streamed: bool
    """Which of the scenario's answers was played."""
    at: float
    """Unix time of its arrival, in seconds."""
    written: int = 0
    """Bytes of the answer that were written."""
    first_write: float | None = None
    """Seconds after `at`, on the clock of the backend, as are the next two."""
    last_write: float | None = None
    left: float | None = None
    """When the gateway closed the connection before the answer was over; None where it did not."""
    fetches: tuple[Fetch, ...] = ()


def to_json(arrival: Arrival) -> dict[str, Any]:
    """The arrival as one evidence record."""
    return {
        "kind": "arrival",
        "tag": arrival.tag,
        "scenario": arrival.scenario,
        "method": arrival.method,
        "path": arrival.path,
        "headers": [list(pair) for pair in arrival.headers],
        "body": packed(arrival.body),
        "key_forwarded": arrival.key_forwarded,
        "streamed": arrival.streamed,
        "at": arrival.at,
        "written": arrival.written,
        "first_write": arrival.first_write,
        "last_write": arrival.last_write,
        "left": arrival.left,
        "fetches": [
            {"url": each.url, "status": each.status, "body": packed(each.body), "detail": each.detail}
            for each in arrival.fetches
        ],
    }


def from_json(record: Mapping[str, Any]) -> Arrival:
    """The arrival of an evidence record.

    Raises:
        ValueError: the record is not one that `to_json` writes.
    """
    try:
        return Arrival(
            tag=record["tag"],
            scenario=record["scenario"],
            method=record["method"],
            path=record["path"],
            headers=tuple((name, value) for name, value in record["headers"]),
            body=unpacked(record["body"]),
            key_forwarded=record["key_forwarded"],
            streamed=record["streamed"],
            at=record["at"],
            written=record["written"],
            first_write=record["first_write"],
            last_write=record["last_write"],
            left=record["left"],
            fetches=tuple(
                Fetch(url=each["url"], status=each["status"], body=unpacked(each["body"]), detail=each["detail"])
                for each in record["fetches"]
            ),
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"not an arrival record: {error!r}") from error
