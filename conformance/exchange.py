"""What went over the wire once."""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from conformance.arrival import Arrival
from conformance.document import packed, unpacked


class Ending(StrEnum):
    """How an exchange ended, apart from what it said."""

    COMPLETE = "complete"
    RESET = "reset"  # the peer closed or reset before the message was whole
    TIMEOUT = "timeout"  # silence for longer than the read timeout
    DEADLINE = "deadline"  # bytes kept coming past the total deadline
    TOO_LARGE = "too large"  # more bytes than the run takes
    NOT_HTTP = "not HTTP"  # bytes that HTTP/1.1 does not allow (RFC 9112)
    UNREACHABLE = "unreachable"  # no connection: refused, no such host, TLS failure
    LEFT = "left"  # we hung up in the middle, as the probe has it
    INTERRUPTED = "interrupted"  # we were told to stop
    UNSENT = "unsent"  # an earlier answer of the sequence lacked what this request needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What one read of the body returned."""

    at: float
    """Seconds since the request was begun."""
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was sent; the key is masked in `headers`."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The head of the answer, as received."""

    status: int
    reason: str
    http_version: str
    headers: tuple[tuple[str, str], ...]
    at: float
    """Seconds from the beginning of the request to the end of the head."""

    def header(self, name: str) -> str | None:
        """The value of a header, names compared without case; several values are joined (RFC 9110, 5.2)."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and all that came back, to the byte."""

    probe: str
    step: int = 0
    """Place in the probe's sequence, from 0."""
    attempt: int = 1
    """1 for the first try; more after a retry."""
    retried: bool = False
    """Another attempt followed, since the contract calls this answer retryable."""
    round: int = 1
    """2 and more where the probe was asked once more: a model had left something undecided, or the run repeats some."""
    control: str = ""
    """The probe that asks the same but for one thing; empty where there is none."""
    profile: str = "native"
    request: Request
    response: Response | None = None
    pieces: tuple[Piece, ...] = ()
    ended: Ending
    detail: str = ""
    """The transport's own words on an ending other than complete."""
    started: float
    """Unix time, in seconds."""
    elapsed: float
    """Seconds from beginning to end."""
    arrivals: tuple[Arrival, ...] = ()
    """The requests that reached the scripted backend on account of this one, in their order; in the evidence they are
    records of their own."""

    @property
    def id(self) -> str:
        """Unique within a run: the probe's name, `/2` its second request, `~2` after a retry, `+2` asked once more."""
        marks = (("/", self.step + 1), ("~", self.attempt), ("+", self.round))
        return self.probe + "".join(f"{mark}{number}" for mark, number in marks if number > 1)

    @property
    def body(self) -> bytes:
        """The answer's body as it came, content coding included."""
        return b"".join(piece.data for piece in self.pieces)


def mask(length: int) -> bytes:
    """What the evidence holds in the place of a key of so many bytes: something that nobody else writes."""
    return (b"*key" * (length // 4 + 1))[:length]


def to_json(exchange: Exchange) -> dict[str, Any]:
    """The exchange as one evidence record; bytes are text where they are UTF-8, else base64."""
    response = exchange.response
    return {
        "kind": "exchange",
        "probe": exchange.probe,
        "step": exchange.step,
        "attempt": exchange.attempt,
        "retried": exchange.retried,
        "round": exchange.round,
        "control": exchange.control,
        "profile": exchange.profile,
        "started": exchange.started,
        "request": {
            "method": exchange.request.method,
            "url": exchange.request.url,
            "headers": [list(pair) for pair in exchange.request.headers],
            "body": packed(exchange.request.body),
        },
        "response": None
        if response is None
        else {
            "status": response.status,
            "reason": response.reason,
            "http_version": response.http_version,
            "headers": [list(pair) for pair in response.headers],
            "at": response.at,
        },
        "pieces": [[piece.at, packed(piece.data)] for piece in exchange.pieces],
        "ended": exchange.ended.value,
        "detail": exchange.detail,
        "elapsed": exchange.elapsed,
    }


def from_json(record: Mapping[str, Any]) -> Exchange:
    """The exchange of an evidence record.

    Raises:
        ValueError: the record is not one that `to_json` writes.
    """
    try:
        request, response = record["request"], record["response"]
        return Exchange(
            probe=record["probe"],
            step=record["step"],
            attempt=record["attempt"],
            retried=record["retried"],
            round=record["round"],
            control=record["control"],
            profile=record["profile"],
            started=record["started"],
            request=Request(
                method=request["method"],
                url=request["url"],
                headers=tuple((name, value) for name, value in request["headers"]),
                body=unpacked(request["body"]),
            ),
            response=None
            if response is None
            else Response(
                status=response["status"],
                reason=response["reason"],
                http_version=response["http_version"],
                headers=tuple((name, value) for name, value in response["headers"]),
                at=response["at"],
            ),
            pieces=tuple(Piece(at=at, data=unpacked(data)) for at, data in record["pieces"]),
            ended=Ending(record["ended"]),
            detail=record["detail"],
            elapsed=record["elapsed"],
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError(f"not an exchange record: {error!r}") from error
