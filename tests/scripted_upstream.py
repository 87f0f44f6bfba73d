"""A backend for the tests of the gateway: it records each request and writes back the bytes it was given."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(slots=True)
class Backend:
    """A running backend; `pieces` is what the next connection gets, a write each."""

    url: str
    pieces: Sequence[bytes] = ()
    first: Sequence[bytes] = ()
    """What the next connection alone gets instead, where it is not empty."""
    hold: bool = False
    """Whether the connection stays open after the last piece, until the gateway closes it."""
    requests: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)
    """Header fields, names in lower case, and the body of each request."""
    left: threading.Event = field(default_factory=threading.Event)
    """Set when the gateway closed a connection that was held."""

    @property
    def body(self) -> dict[str, Any]:
        """The body of the last request."""
        return self.requests[-1][1]

    def says(self, *pieces: bytes, hold: bool = False) -> None:
        """What the next connections get."""
        self.pieces = pieces
        self.hold = hold

    def streams(self, *chunks: Any, done: bool = True) -> None:
        """A stream of these documents."""
        frames = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
        self.says(EVENT_STREAM, *frames, *([b"data: [DONE]\n\n"] if done else []))

    def answers(self, document: Any, *, status: int = 200, headers: str = "") -> None:
        """One JSON document."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self.says((head + headers + "Connection: close\r\n\r\n").encode() + body)

    def serve(self, listener: socket.socket) -> None:
        """Takes one connection after the other until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection.makefile("rb") as stream:
            if not stream.readline():
                return
            fields = {}
            while line := stream.readline().strip():
                name, _, value = line.decode().partition(": ")
                fields[name.lower()] = value
            body = stream.read(int(fields["content-length"]))
            self.requests.append((fields, json.loads(body)))
            try:
                pieces, self.first = self.first or self.pieces, ()
                for piece in pieces:
                    connection.sendall(piece)
                if self.hold and not stream.read(1):
                    self.left.set()
            except ConnectionError:
                self.left.set()


@contextmanager
def scripted() -> Iterator[Backend]:
    """A backend on a free loopback port while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        backend = Backend(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=backend.serve, args=(listener,))
        thread.start()
        try:
            yield backend
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
