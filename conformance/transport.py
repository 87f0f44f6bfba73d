"""One request over a real connection, recorded to the byte; never judged, never repaired."""

import asyncio
import json
import logging
import os
import re
import secrets
import ssl
import time
import zlib
from dataclasses import dataclass, field
from functools import cache
from types import TracebackType
from typing import Any, Final, Self

import httpx

from conformance import __version__
from conformance.exchange import Ending, Exchange, Piece, Request, Response, mask
from conformance.probe import Auth, Probe, Step, Writing, filled
from conformance.target import Limits, Target

NOBODYS_KEY: Final = "sgk_NobodyIssuedThisKeyItIsForTests0"
"""Well formed and unknown to every target: what `Auth.WRONG` sends."""

MOST_PIECES: Final = 100_000
"""Pieces of one answer's body; more is a hostile server's, and each costs memory beside its bytes."""

LONGEST_CONNECT: Final = 10.0
"""Seconds to wait for a connection; a host that is there accepts far sooner."""

_MORE: Final = "0"  # behind a good key it makes one that nobody issued
_LONGEST_DETAIL: Final = 200  # characters
_SHORT_KEY: Final = 8  # characters; a shorter key may be an innocent part of a word
_MOST_DECODED: Final = 64 * 1024 * 1024  # bytes looked at in search of the key
_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})

# At DEBUG httpcore logs response heads, and a target may echo the key in one.
logging.getLogger("httpcore").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request ready to be sent; its `headers` hold the key."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """In order, apart from Host and Content-Length, which follow from `url` and `body`."""
    body: bytes
    leaves_after: int = 0
    """Bytes of the answer's body after which we hang up; 0 for never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What came back, as it came: a target may have echoed the key in it."""

    response: Response | None = field(repr=False)
    """None where no whole head came."""
    pieces: tuple[Piece, ...] = field(repr=False)
    ended: Ending
    detail: str = field(repr=False)
    """The transport's own words on an ending other than complete."""
    started: float
    """Unix time, in seconds."""
    elapsed: float
    """Seconds from beginning to end."""


class Interrupted(asyncio.CancelledError):
    """The cancellation of a `Slot.send`, with what had come by then."""

    def __init__(self, received: Received) -> None:
        super().__init__()
        self.received = received


def _authorization(auth: Auth, key: str) -> dict[str, str]:
    said = {
        Auth.KEY: f"Bearer {key}",
        Auth.WRONG: f"Bearer {NOBODYS_KEY}",
        Auth.BARE: key,
        Auth.OTHER_SCHEME: f"Token {key}",
        Auth.LONGER: f"Bearer {key}{_MORE}",
        Auth.LOWER: f"Bearer {key}",
    }
    name = "authorization" if auth is Auth.LOWER else "Authorization"
    return {name: said[auth]} if auth in said else {}


_WITH_KEY: Final = (Auth.KEY, Auth.BARE, Auth.OTHER_SCHEME, Auth.LONGER)


def _headers(step: Step, key: str) -> tuple[tuple[str, str], ...]:
    # What the page's Python client sends, in its order, but for the coding: bytes are judged as they come.
    headers = {
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "keep-alive",
        "User-Agent": f"chat-conformance/{__version__}",
        **_authorization(step.auth, key),
        "Content-Type": "application/json",
    }
    own = {name.lower() for name, _ in step.headers}
    kept = [(name, value) for name, value in headers.items() if name.lower() not in own]
    return (*kept, *((name, value) for name, value in step.headers if value is not None))


def outgoing(step: Step, *, target: Target, key: str, earlier: tuple[Any, ...]) -> Outgoing:
    """The request that a step makes of a target: compact JSON, raw UTF-8 unless the step asks for escapes.

    Args:
        step: what to ask.
        target: gives the URL, the model and the members of the step's trigger.
        key: the API key.
        earlier: the completions of the steps before, in order; `MISSING` where there was none.

    Raises:
        Unrenderable: the step echoes what the earlier answers do not hold.
        KeyError: the target has no such trigger and no backend that does it; the plan leaves such a probe out.
    """
    url = target.url.rstrip("/") + step.path if step.path else target.endpoint
    headers = _headers(step, key)
    if step.raw is not None:
        return Outgoing(method=step.method, url=url, headers=headers, body=step.raw)
    members = {**step.body, **(target.causes[step.trigger] if step.trigger else {})}
    body = filled(
        members,
        model=target.model,
        cap=target.max_output_tokens,
        earlier=earlier,
        scripted=target.backend.model if target.backend else "",
        scripted_cap=target.backend.max_output_tokens if target.backend else None,
        tag=secrets.token_hex(6),
    )
    text = _text(body, step.writing)
    # UTF-8 cannot hold a lone surrogate; inside JSON a backslash escape says the same.
    raw = text.encode("utf-8", errors="backslashreplace")
    return Outgoing(method=step.method, url=url, headers=headers, body=raw, leaves_after=step.leaves_after)


def _text(body: object, writing: Writing) -> str:
    match writing:
        case Writing.SPACED:
            return json.dumps(body, ensure_ascii=False, indent=2, allow_nan=False)
        case Writing.ESCAPED:
            plain = json.dumps(body, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
            return _STRING.sub(lambda string: _CHARACTER.sub(_escaped, string.group()[1:-1]).join('""'), plain)
    return json.dumps(body, ensure_ascii=writing is Writing.ASCII, separators=(",", ":"), allow_nan=False)


_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_CHARACTER: Final = re.compile(r"\\u[0-9a-f]{4}|\\.|.")
_SHORT: Final = {'\\"': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\b": "\b", "\\f": "\f"}


def _escaped(character: re.Match[str]) -> str:
    written = character.group()
    return written if len(written) > 2 else f"\\u{ord(_SHORT.get(written, written)):04x}"


@cache
def _trust() -> ssl.SSLContext:
    """The system's certificates, SSL_CERT_FILE and SSL_CERT_DIR included; loading them takes longer than a request."""
    return ssl.create_default_context()


class Slot:
    """Sends one request after another, each on a connection of its own.

    A connection is never used twice, as with the page's own clients: a target that closes an idle one at the wrong
    moment cannot be blamed for it, and what a broken answer leaves behind cannot reach the next exchange.

    It speaks HTTP/1.1 through httpx's transport, below the client that would follow redirects, keep cookies and add
    headers. Proxies and credentials of the environment are not used.
    """

    def __init__(self) -> None:
        self._transport = httpx.AsyncHTTPTransport(
            verify=_trust(), trust_env=False, limits=httpx.Limits(max_connections=1, max_keepalive_connections=0)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.aclose()

    async def send(self, outgoing: Outgoing, *, limits: Limits) -> Received:
        """Send one request and take what comes, within the limits.

        Whatever the peer does is an ending, never an exception.

        Raises:
            Interrupted: the task was cancelled.
        """
        started, begun = time.time(), time.monotonic()
        response: Response | None = None
        body = _Body(limits=limits, leaves_after=outgoing.leaves_after)
        alarm = asyncio.timeout(limits.deadline)

        def received(ended: Ending, detail: str) -> Received:
            return Received(
                response=response,
                pieces=tuple(body.pieces),
                ended=ended,
                detail=detail,
                started=started,
                elapsed=time.monotonic() - begun,
            )

        try:
            async with alarm:
                answer = await self._transport.handle_async_request(_request(outgoing, limits))
                try:
                    response = _head(answer, at=time.monotonic() - begun)
                    async for data in answer.aiter_raw():
                        body.take(data, at=time.monotonic() - begun)
                        if body.enough:
                            # This unwinds the generators inside httpx; leaving the loop would strand them as tasks.
                            alarm.reschedule(0)
                finally:
                    await answer.aclose()
        except asyncio.CancelledError:
            raise Interrupted(received(Ending.INTERRUPTED, "told to stop")) from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, UnicodeError) as error:
            if not alarm.expired():
                return received(*_ending(error, headed=response is not None, limits=limits))
            return received(*(body.enough or (Ending.DEADLINE, f"not at its end after {limits.deadline:g} seconds")))
        return received(*(body.enough or (Ending.COMPLETE, "")))


@dataclass(slots=True, kw_only=True)
class _Body:
    """The pieces of a body as they come, up to where there is enough of it."""

    limits: Limits
    leaves_after: int
    pieces: list[Piece] = field(default_factory=list)
    taken: int = 0
    enough: tuple[Ending, str] | None = None
    """Why no more of it is wanted."""

    def take(self, data: bytes, *, at: float) -> None:
        """Keep what came, as far as it is wanted."""
        if self.enough:
            return
        room = self.limits.max_body_bytes - self.taken
        kept = data[:room] if len(self.pieces) < MOST_PIECES else b""
        if kept:
            self.pieces.append(Piece(at=at, data=kept))
            self.taken += len(kept)
        if len(kept) < len(data):
            self.enough = Ending.TOO_LARGE, _bound(self.pieces, self.limits)
        elif 0 < self.leaves_after <= self.taken:
            self.enough = Ending.LEFT, "we hung up, as was meant"


def _request(outgoing: Outgoing, limits: Limits) -> httpx.Request:
    patience = httpx.Timeout(limits.timeout, connect=min(limits.timeout, LONGEST_CONNECT))
    return httpx.Request(
        outgoing.method,
        outgoing.url,
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in outgoing.headers],
        content=outgoing.body,
        extensions={"timeout": patience.as_dict()},
    )


def _head(answer: httpx.Response, *, at: float) -> Response:
    # Latin-1 gives every byte a character of its own, so nothing is lost (RFC 9110, 5.5).
    return Response(
        status=answer.status_code,
        reason=answer.extensions["reason_phrase"].decode("latin-1"),
        http_version=answer.extensions["http_version"].decode("latin-1"),
        headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers.raw),
        at=at,
    )


def _bound(pieces: list[Piece], limits: Limits) -> str:
    if len(pieces) < MOST_PIECES:
        return f"more than {limits.max_body_bytes} bytes"
    return f"more than {MOST_PIECES} pieces"


def _words(error: BaseException) -> str:
    """What the deepest error of the operating system or of TLS says, which httpx's own words often leave out."""
    words, here = str(error), error.__cause__ or error.__context__
    while here is not None:
        if isinstance(here, BaseExceptionGroup):  # one for each address of the host
            here = here.exceptions[0]
        if isinstance(here, ConnectionError) and here.errno:
            words = os.strerror(here.errno)
        elif isinstance(here, OSError) and here.strerror:
            words = here.strerror
        here = here.__cause__ or here.__context__
    return words or type(error).__name__


def _ending(error: Exception, *, headed: bool, limits: Limits) -> tuple[Ending, str]:
    """How an exchange ended that httpx gave up, and why; `headed` where a whole head had come."""
    part = "body" if headed else "head"
    match error:
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            ending = Ending.TIMEOUT, f"silent for {limits.timeout:g} seconds"
        case httpx.ConnectTimeout():
            ending = Ending.UNREACHABLE, f"no connection within {min(limits.timeout, LONGEST_CONNECT):g} seconds"
        case httpx.LocalProtocolError():
            ending = Ending.UNSENT, f"this request is not HTTP: {error}"
        # h11 and httpcore tell a closed connection from illegal bytes in their words only.
        case httpx.RemoteProtocolError() if str(error).startswith(("peer closed connection", "Server disconnected")):
            ending = Ending.RESET, f"closed before the {part} was whole: {error}"
        case httpx.RemoteProtocolError():
            ending = Ending.NOT_HTTP, str(error)
        case _ if headed or isinstance(error, httpx.ReadError | httpx.WriteError | httpx.CloseError):
            ending = Ending.RESET, f"broken off before the {part} was whole: {_words(error)}"
        case _:
            ending = Ending.UNREACHABLE, _words(error)
    return ending


@cache
def _spellings(key: str) -> re.Pattern[bytes]:
    """The key with any character escaped as JSON allows (RFC 8259, 7), also inside a string that was escaped again."""

    def spelling(character: str) -> str:
        number = f"u00(?i:{ord(character):02x})"
        if character == "\\":
            return rf"\\{{1,8}}(?:{number})?"
        plain = re.escape(character) if character.isalnum() else rf"\\{{0,8}}{re.escape(character)}"
        return rf"(?:{plain}|\\{{1,8}}{number})"

    pattern = "".join(spelling(character) for character in key)
    if len(key) < _SHORT_KEY:
        pattern = rf"(?<![0-9A-Za-z]){pattern}(?![0-9A-Za-z])"
    return re.compile(pattern.encode("ascii"))


def _masked(data: bytes, key: str) -> bytes:
    """`data` with a mask over the key, and over a long part of it where the data was cut off."""
    if not key:
        return data
    if len(key) >= _SHORT_KEY:
        data = data.replace(key.encode("ascii"), mask(len(key)))
    if len(key) < _SHORT_KEY or b"\\" in data:
        data = _spellings(key).sub(lambda found: mask(len(found[0])), data)
    for length in range(len(key) - 1, _SHORT_KEY - 1, -1):
        if data.endswith(key[:length].encode("ascii")):
            return data[:-length] + mask(length)
    return data


def _masked_text(text: str, key: str) -> str:
    return _masked(text.encode("utf-8", errors="backslashreplace"), key).decode("utf-8")


def _masked_header(name: str, value: str, key: str) -> tuple[str, str]:
    if name.lower() == "authorization":
        said = {_authorization(auth, key).get("Authorization", ""): _authorization(auth, "***") for auth in _WITH_KEY}
        return name, said[value]["Authorization"] if value in said else value
    return name, _masked_text(value, key)


def _decoded(body: bytes) -> bytes:
    """As much of a compressed body as can be read."""
    try:
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body, _MOST_DECODED)
    except zlib.error:
        return b""


def _masked_pieces(received: Received, key: str) -> tuple[Piece, ...]:
    body = b"".join(piece.data for piece in received.pieces)
    masked = _masked(body, key)
    coding = (received.response and received.response.header("Content-Encoding")) or ""
    if coding.strip().lower() in _CODINGS and _masked(plain := _decoded(body), key) != plain:
        # Nobody may unpack the key from the evidence, and no part of a compressed body can be masked by itself.
        masked = mask(len(body))
    if masked == body:
        return received.pieces
    pieces, begin = [], 0
    for piece in received.pieces:
        end = begin + len(piece.data)
        pieces.append(Piece(at=piece.at, data=masked[begin:end]))
        begin = end
    return tuple(pieces)


def exchange(  # noqa: PLR0913  # the parts of a record
    probe: Probe,
    step_index: int,
    attempt: int,
    outgoing: Outgoing,
    received: Received,
    *,
    profile: str,
    key: str,
    retried: bool = False,
) -> Exchange:
    """The record of what was sent and received, with the key masked wherever it stands.

    What the target echoed keeps its length, so that spans stay true. A key shorter than 8 characters is masked only
    where no letter or digit touches it, since it may be part of a word. A body in gzip or deflate that holds the key
    is masked whole.
    """
    response = received.response
    detail = "".join(c if c.isprintable() else " " for c in _masked_text(received.detail, key))
    return Exchange(
        probe=probe.name,
        control=probe.control,
        step=step_index,
        attempt=attempt,
        retried=retried,
        profile=profile,
        request=Request(
            method=outgoing.method,
            url=outgoing.url,
            headers=tuple(_masked_header(name, value, key) for name, value in outgoing.headers),
            body=outgoing.body,
        ),
        response=None
        if response is None
        else Response(
            status=response.status,
            reason=_masked_text(response.reason, key),
            http_version=response.http_version,
            headers=tuple((_masked_text(name, key), _masked_text(value, key)) for name, value in response.headers),
            at=response.at,
        ),
        pieces=_masked_pieces(received, key),
        ended=received.ended,
        detail=detail if len(detail) <= _LONGEST_DETAIL else detail[: _LONGEST_DETAIL - 1] + "…",
        started=received.started,
        elapsed=received.elapsed,
    )


def unsent(probe: Probe, step_index: int, reason: str, *, target: Target) -> Exchange:
    """The record of a request that could not be made, since an earlier answer lacked what it echoes."""
    return Exchange(
        probe=probe.name,
        control=probe.control,
        step=step_index,
        profile=target.profile,
        request=Request(method="POST", url=target.endpoint, headers=(), body=b""),
        ended=Ending.UNSENT,
        detail=reason,
        started=time.time(),
        elapsed=0.0,
    )
