"""Servers that misbehave, each in its own way, on a loopback socket of their own.

Every one is a context manager that yields a `Server`. They run on raw sockets in a thread, since no framework would
send what they send, and each stops when its block ends, whatever its connections are doing.
"""

import asyncio
import contextlib
import gzip
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

LONGEST = 20.0
"""Seconds after which a server gives up a connection by itself."""

COMPLETION = {
    "id": "chatcmpl-1",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Bern."}, "finish_reason": "stop"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request as the server read it."""

    at: float
    head: bytes
    body: bytes = b""
    number: int = 0
    """1 for the first request of the server."""

    def header(self, name: str) -> str | None:
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@dataclass(slots=True, kw_only=True)
class Server:
    url: str
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_at_once: int = 0


Script = Callable[[Seen, asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes | Mapping[str, Any], *, status: int = 200, headers: Sequence[tuple[str, str]] = (), kind: str = ""
) -> bytes:
    """A whole and legal answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = kind or ("application/octet-stream" if isinstance(body, bytes) else "application/json")
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers), "", ""]).encode("latin-1") + data


GOOD = answer({"status": "ok", "data": COMPLETION})


def failure(code: str | None, *, status: int, headers: Sequence[tuple[str, str]] = (), **members: Any) -> bytes:
    error = {"message": "no", **({"code": code} if code is not None else {}), **members}
    return answer({"status": "error", "error": error}, status=status, headers=headers)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Seen:
    head = await reader.readuntil(b"\r\n\r\n")
    seen = Seen(at=time.monotonic(), head=head)
    return replace(seen, body=await reader.readexactly(int(seen.header("Content-Length") or 0)))


async def _meet(connection: socket.socket, server: Server, script: Script) -> None:
    reader, writer = await asyncio.open_connection(sock=connection)
    server.connections += 1
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(LONGEST):
                # Numbered when it is whole: requests that arrive together must not share a number.
                seen = replace(await _read(reader), number=len(server.seen) + 1)
                server.seen.append(seen)
                server.in_flight += 1
                server.most_at_once = max(server.most_at_once, server.in_flight)
                try:
                    await script(seen, writer)
                finally:
                    server.in_flight -= 1
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _serve(door: socket.socket, server: Server, script: Script, over: asyncio.Event) -> None:
    # Not `asyncio.start_server`: closed while a connection is being accepted, it leaves that one open.
    loop = asyncio.get_running_loop()
    connections: list[socket.socket] = []
    tasks: set[asyncio.Task[None]] = set()

    def welcome() -> None:
        try:
            connection, _ = door.accept()
        except BlockingIOError:  # the peer has gone again
            return
        connections.append(connection)
        task = asyncio.create_task(_meet(connection, server, script))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    door.settimeout(0)
    loop.add_reader(door, welcome)
    await over.wait()
    loop.remove_reader(door)
    door.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    # A task that is cancelled before it begins closes nothing.
    for connection in connections:
        connection.close()


@contextlib.contextmanager
def serves(script: Script) -> Iterator[Server]:
    """A server that reads each request whole and then does what `script` says; what it leaves open is closed."""
    door = socket.create_server(("127.0.0.1", 0))
    server = Server(url=f"http://127.0.0.1:{door.getsockname()[1]}")
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(_serve(door, server, script, over))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(timeout=5)
        assert not thread.is_alive()


async def _stay() -> None:
    await asyncio.sleep(LONGEST)


def sends(*parts: bytes, pause: float = 0.0, stays: bool = False) -> contextlib.AbstractContextManager[Server]:
    """Writes the parts, with a pause between them, and closes; or stays silent on the open connection."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        for number, part in enumerate(parts):
            if number and pause:
                await asyncio.sleep(pause)
            writer.write(part)
            await writer.drain()
        if stays:
            await _stay()

    return serves(script)


@contextlib.contextmanager
def refuses() -> Iterator[Server]:
    """Holds a port that nobody listens at."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        yield Server(url=f"http://127.0.0.1:{door.getsockname()[1]}")


def answers() -> contextlib.AbstractContextManager[Server]:
    return sends(GOOD)


def answers_html() -> contextlib.AbstractContextManager[Server]:
    return sends(answer(b"<!doctype html><title>Welcome to nginx</title>", kind="text/html"))


def never_answers() -> contextlib.AbstractContextManager[Server]:
    return sends(stays=True)


def falls_silent() -> contextlib.AbstractContextManager[Server]:
    """Begins a stream and says no more."""
    return sends(CHUNKED + chunk(b"data: {}\n\n"), stays=True)


def drips() -> contextlib.AbstractContextManager[Server]:
    """One byte at a time, for ever."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(chunk(b"."))
            await writer.drain()
            await asyncio.sleep(0.02)

    return serves(script)


def drips_a_head() -> contextlib.AbstractContextManager[Server]:
    """One header line at a time, for ever."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    return serves(script)


def endless_line() -> contextlib.AbstractContextManager[Server]:
    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        block = chunk(b"a" * 65_536)
        while True:
            writer.write(block)
            await writer.drain()

    return serves(script)


def crumbles() -> contextlib.AbstractContextManager[Server]:
    """A byte in each chunk, as fast as it can."""

    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        block = chunk(b"a") * 1000
        while True:
            writer.write(block)
            await writer.drain()

    return serves(script)


def resets_mid_body() -> contextlib.AbstractContextManager[Server]:
    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(b"data: {}\n\n"))
        await writer.drain()
        await asyncio.sleep(0.1)  # RST throws away what the peer has not read yet
        reset(writer)

    return serves(script)


def resets_at_once() -> contextlib.AbstractContextManager[Server]:
    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    return serves(script)


def speaks_no_http() -> contextlib.AbstractContextManager[Server]:
    return sends(b"220 mail.example ESMTP\r\n\r\n", stays=True)


def greets_and_closes() -> contextlib.AbstractContextManager[Server]:
    return sends(b"SSH-2.0-OpenSSH_9.6\r\n")


def closes_without_answer() -> contextlib.AbstractContextManager[Server]:
    return sends()


def truncates_chunked() -> contextlib.AbstractContextManager[Server]:
    return sends(CHUNKED + chunk(b"data: 1\n\n") + b"ff\r\ndata: 2")


def breaks_chunk_framing() -> contextlib.AbstractContextManager[Server]:
    return sends(CHUNKED + chunk(b"data: 1\n\n") + b"zz\r\ndata: 2\r\n")


def lies_about_length() -> contextlib.AbstractContextManager[Server]:
    return sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")


def says_more_than_its_length() -> contextlib.AbstractContextManager[Server]:
    return sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort" + GOOD)


def floods_headers() -> contextlib.AbstractContextManager[Server]:
    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(20_000):
            writer.write(b"X-%d: %s\r\n" % (number, b"y" * 100))
            await writer.drain()

    return serves(script)


def echoes_the_key(cut: int = 0) -> contextlib.AbstractContextManager[Server]:
    """Says the Authorization header again in a header, in the reason and, cut in two, in the body."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        said = (seen.header("Authorization") or "").encode()
        body = json.dumps({"error": {"code": "X", "message": f"bad header {said.decode()}"}}).encode()
        writer.write(b"HTTP/1.1 400 No %s\r\nX-You-Said: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % (said, said))
        writer.write(b"".join(chunk(part) for part in (body[:cut], body[cut:]) if part) + b"0\r\n\r\n")
        await writer.drain()

    return serves(script)


def blurts_the_key() -> contextlib.AbstractContextManager[Server]:
    """Puts the Authorization header where a status line belongs."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write((seen.header("Authorization") or "").encode() + b"\r\n\r\n")
        await writer.drain()

    return serves(script)


def gzip_anyway() -> contextlib.AbstractContextManager[Server]:
    """Compresses though it was told identity, and says the Authorization header again."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        body = gzip.compress(f"you said {seen.header('Authorization')}".encode())
        writer.write(answer(body, headers=[("Content-Encoding", "gzip")]))
        await writer.drain()

    return serves(script)


def sets_cookies_and_redirects() -> contextlib.AbstractContextManager[Server]:
    return sends(answer(b"", status=307, headers=[("Location", "/elsewhere"), ("Set-Cookie", "a=b")]))


def says_in_turn(*answers_: bytes) -> contextlib.AbstractContextManager[Server]:
    """The first answer to the first request, and so on; the last to all that follow."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answers_[min(seen.number, len(answers_)) - 1])
        await writer.drain()

    return serves(script)


def throttles_then_answers(
    times: int, code: str | None = "RATE_LIMITED", *, headers: Sequence[tuple[str, str]] = (), **members: Any
) -> contextlib.AbstractContextManager[Server]:
    """A good answer first, then 429 so many times, then good answers."""
    return says_in_turn(GOOD, *[failure(code, status=429, headers=headers, **members)] * times, GOOD)


def answers_slowly(seconds: float) -> contextlib.AbstractContextManager[Server]:
    return sends(b"", GOOD, pause=seconds)


def dies_later(after: int) -> contextlib.AbstractContextManager[Server]:
    """Answers so many requests; later ones find a peer that reads and says nothing."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        if seen.number > after:
            await _stay()
        writer.write(GOOD)
        await writer.drain()

    return serves(script)


def starts_well_then_stalls() -> contextlib.AbstractContextManager[Server]:
    """A good answer first; then streams that begin and never end."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(GOOD if seen.number == 1 else CHUNKED + chunk(b"data: {}\n\n"))
        await writer.drain()
        if seen.number > 1:
            await _stay()

    return serves(script)
