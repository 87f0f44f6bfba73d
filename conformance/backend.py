"""The scripted backend: an OpenAI-compatible provider on a real socket that does what a scenario says, to the byte."""

import asyncio
import secrets
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final

import h11
import httpx

from conformance.arrival import Arrival, Fetch
from conformance.document import MISSING, NotJson, at, parse
from conformance.scenario import Manner, Scenario, Script, Write, cued
from conformance.scenarios import SCENARIOS
from conformance.scenarios.writing import NAMED, document

SILENCE: Final = 4.0
"""Seconds that a backend which falls silent keeps its connection, where nobody says how long the gateway waits."""
_PLAIN: Final = SCENARIOS["request-plain"]
"""Played for a request that names no scenario."""
_CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key"})
_LARGEST: Final = 32 * 1024 * 1024  # bytes of a request, or of what an address in it serves
_MOST: Final = 5000  # arrivals kept
_READ: Final = 30.0  # seconds for a request to come in
_FETCH: Final = 1.5  # seconds for an address to answer; shorter than any gateway waits for its backend
_LEADS: Final = 3  # redirects that an address may have
_START: Final = 10.0  # seconds
_LINGER: Final = 0.05  # seconds for the peer to read what stands before a reset


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def document(self) -> Any:
        try:
            return parse(self.body)
        except NotJson:
            return MISSING


@dataclass(slots=True, kw_only=True)
class _Progress:
    """What becomes of an answer while it is written."""

    begun: float
    written: int = 0
    first: float | None = None
    last: float | None = None
    over: bool = False
    """All is written that will be, and what the gateway does from now on is its own affair."""
    left: float | None = None
    fetches: list[Fetch] = field(default_factory=list)

    def now(self) -> float:
        """Seconds since the request had come."""
        return round(time.monotonic() - self.begun, 4)


class Backend:
    """A running backend and what it received."""

    def __init__(self, *, silence: float, key: str, told: Callable[[Arrival], None]) -> None:
        """Not yet on a socket.

        Args:
            silence: seconds that a connection stays open without a byte where a scenario falls silent.
            key: the client's own key, which should not reach a backend; it is kept nowhere.
            told: called with each arrival when its answer is over.
        """
        self.url = ""
        self._silence, self._key, self._told = silence, key, told
        self._arrivals: list[Arrival] = []
        self._under_way = 0
        self._quiet = threading.Condition()

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """What was received and answered by now, in the order in which the answers ended."""
        with self._quiet:
            return tuple(self._arrivals)

    def settled(self, *, within: float) -> bool:
        """Whether no answer is under way any more; waits for it up to so many seconds."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._under_way, timeout=within)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request from a connection, answer it, and close the connection."""
        with self._quiet:
            self._under_way += 1
        try:
            with suppress(OSError, h11.RemoteProtocolError, asyncio.IncompleteReadError, TimeoutError):
                request = await asyncio.wait_for(_received(reader), _READ)
                if request is not None:
                    await self._answer(request, reader, writer)
        finally:
            writer.close()
            with self._quiet:
                self._under_way -= 1
                self._quiet.notify_all()

    async def _answer(self, request: _Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not (request.method == "POST" and request.path.endswith("/chat/completions")):
            await _play(_elsewhere(request), request, writer, self._silence, _Progress(begun=time.monotonic()))
            return
        asked = request.document
        name, tag = cued(asked)
        scenario = SCENARIOS.get(name, _PLAIN)
        streamed = at(asked, "/stream") is True
        script = scenario.streamed if streamed else scenario.whole
        if name and name not in SCENARIOS:
            script = document({"error": {"message": f"no scenario is called {name}", "type": "scripted"}}, status=404)
        arrival = self._arrival(request, scenario=name, tag=tag, streamed=streamed)
        progress = _Progress(begun=time.monotonic())
        watching = asyncio.ensure_future(_departed(reader, progress))
        playing = asyncio.ensure_future(self._play(scenario, script, request, writer, progress))
        try:
            await asyncio.wait({watching, playing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (watching, playing):
                task.cancel()
            await asyncio.gather(watching, playing, return_exceptions=True)
            done = replace(
                arrival,
                written=progress.written,
                first_write=progress.first,
                last_write=progress.last,
                left=progress.left,
                fetches=tuple(progress.fetches),
            )
            with self._quiet:
                if len(self._arrivals) < _MOST:
                    self._arrivals.append(done)
            self._told(done)

    async def _play(
        self,
        scenario: Scenario,
        script: Script,
        request: _Request,
        writer: asyncio.StreamWriter,
        progress: _Progress,
    ) -> None:
        if scenario.fetches:
            for url in _addresses(request.document):
                progress.fetches.append(await _fetched(url, self._key))
        try:
            await _play(script, request, writer, self._silence, progress)
        except OSError:
            progress.left = progress.left or progress.now()

    def _arrival(self, request: _Request, *, scenario: str, tag: str, streamed: bool) -> Arrival:
        key = self._key

        def masked(text: str) -> str:
            return text.replace(key, "***") if key else text

        forwarded = bool(key) and (
            key.encode() in request.body or any(key in value for _, value in request.headers) or key in request.path
        )
        return Arrival(
            tag=tag,
            scenario=scenario,
            method=request.method,
            path=masked(request.path),
            headers=tuple(
                (name, "***" if name.lower() in _CREDENTIALS else masked(value)) for name, value in request.headers
            ),
            body=request.body.replace(key.encode(), b"***") if key else request.body,
            key_forwarded=forwarded,
            streamed=streamed,
            at=time.time(),
        )


async def _received(reader: asyncio.StreamReader) -> _Request | None:
    """The request that a connection brings; nothing where it closes before.

    Raises:
        h11.RemoteProtocolError: what comes is no HTTP/1.1.
    """
    connection = h11.Connection(h11.SERVER)
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _Request(
                method=head.method.decode("ascii"),
                path=head.target.decode("latin-1").partition("?")[0],
                headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers),
                body=bytes(body),
            )
        else:
            return None


async def _departed(reader: asyncio.StreamReader, progress: _Progress) -> None:
    """Return when the gateway has closed the connection, and keep when."""
    with suppress(OSError):
        while await reader.read(65536):
            pass
    if not progress.over:
        progress.left = progress.now()


async def _play(
    script: Script, request: _Request, writer: asyncio.StreamWriter, silence: float, progress: _Progress
) -> None:
    """Write an answer as its script says, and end the connection as it says.

    Raises:
        OSError: the gateway has closed the connection.
    """
    blanks = {b"__ID__": secrets.token_hex(8).encode(), b"__CREATED__": str(int(time.time())).encode()}
    usage = at(request.document, "/stream_options/include_usage") is True
    due = [replace(each, data=_filled(each.data, blanks)) for each in script.writes if usage or not each.if_asked]
    if script.headed:
        writer.write(_head(script, sum(len(each.data) for each in due)))
    for each in due:
        if each.after and not each.cut:
            await asyncio.sleep(each.after)
        for piece in _pieces(each):
            writer.write(piece if script.sized else b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            progress.written += len(piece)
            progress.last = progress.now()
            progress.first = progress.last if progress.first is None else progress.first
            if each.cut:
                await asyncio.sleep(0)
    match script.ends:
        case Manner.END:
            writer.write(b"" if script.sized or not script.headed else b"0\r\n\r\n")
        case Manner.SILENCE:
            await asyncio.sleep(silence)
        case Manner.RESET:
            await writer.drain()
            await asyncio.sleep(_LINGER)
            progress.over = True
            own: socket.socket = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
    await writer.drain()
    progress.over = True
    writer.close()
    await writer.wait_closed()


def _filled(data: bytes, blanks: Mapping[bytes, bytes]) -> bytes:
    for blank, value in blanks.items():
        data = data.replace(blank, value)
    return data


def _pieces(write: Write) -> Iterator[bytes]:
    size = write.cut or max(len(write.data), 1)
    for place in range(0, len(write.data), size):
        yield write.data[place : place + size]


def _head(script: Script, length: int) -> bytes:
    known = script.status in set(HTTPStatus)
    reason = HTTPStatus(script.status).phrase if known else "Scripted"
    framing = f"Content-Length: {length}" if script.sized else "Transfer-Encoding: chunked"
    more = "".join(f"{name}: {value}\r\n" for name, value in script.headers)
    return (
        f"HTTP/1.1 {script.status} {reason}\r\nContent-Type: {script.media_type}\r\n{framing}\r\n{more}"
        "Connection: close\r\n\r\n"
    ).encode("latin-1")


def _elsewhere(request: _Request) -> Script:
    """The answer to what is no chat: the list of models, or that there is nothing."""
    if request.method == "GET" and request.path.endswith("/models"):
        return document({"object": "list", "data": [{"id": NAMED, "object": "model", "owned_by": "scripted"}]})
    if request.method == "GET" and request.path.endswith(("/health", "/")):
        return document({"status": "ok"})
    return document({"error": {"message": "there is nothing at this path", "type": "scripted"}}, status=404)


def _addresses(asked: Any) -> Iterator[str]:
    """The addresses of images in a request, those that HTTP can fetch."""
    messages = at(asked, "/messages")
    for message in messages if isinstance(messages, list) else ():
        content = at(message, "/content")
        for part in content if isinstance(content, list) else ():
            url = at(part, "/image_url/url")
            if isinstance(url, str) and url.startswith(("http://", "https://")):
                yield url


async def _fetched(url: str, key: str) -> Fetch:
    shown = url.replace(key, "***") if key else url
    try:
        async with (
            httpx.AsyncClient(timeout=_FETCH, trust_env=False, follow_redirects=True, max_redirects=_LEADS) as client,
            client.stream("GET", url) as answer,
        ):
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _LARGEST:
                    return Fetch(url=shown, status=answer.status_code, detail="more bytes than an image has")
            return Fetch(url=shown, status=answer.status_code, body=bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Fetch(url=shown, status=0, detail=str(error) or type(error).__name__)


@contextmanager
def hosted(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    silence: float = SILENCE,
    key: str = "",
    told: Callable[[Arrival], None] = lambda _: None,
) -> Iterator[Backend]:
    """A backend that answers while the block runs, in a thread of its own; port 0 is a free one.

    The other arguments are those of `Backend`.

    Raises:
        OSError: the address cannot be had.
        RuntimeError: it did not start.
    """
    backend = Backend(silence=silence, key=key, told=told)
    with socket.create_server((host, port)) as listener:
        # Accepted connections take it over from the listener; without it small writes wait for one another.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        backend.url = f"http://{host}:{listener.getsockname()[1]}"
        loop = asyncio.new_event_loop()
        ready, over = threading.Event(), asyncio.Event()

        async def serve() -> None:
            # asyncio closes the socket that it is given; this one is closed by its own block.
            server = await asyncio.start_server(backend.converse, sock=listener.dup())
            ready.set()
            await over.wait()
            server.close()
            rest = asyncio.all_tasks() - {asyncio.current_task()}
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)

        def work() -> None:
            try:
                loop.run_until_complete(serve())
            finally:
                loop.close()

        thread = threading.Thread(target=work, name="scripted-backend", daemon=True)
        thread.start()
        try:
            if not ready.wait(_START):
                raise RuntimeError(f"the scripted backend was not ready after {_START:g} seconds")
            yield backend
        finally:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(over.set)
            thread.join()
