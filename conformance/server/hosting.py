"""The server on a socket: in a thread for as long as a block runs, or in this thread until it is stopped."""

import asyncio
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from conformance.server.app import Conduct, application, conforming
from conformance.server.site import Site

Wire = Callable[[], Callable[[bytes], bytes]]
"""Made for each connection: what becomes of the bytes that go out on it, a write of the HTTP library at a time."""

_START: Final = 10.0  # seconds
_STOP: Final = 1  # seconds for answers under way


class _Announced(uvicorn.Server):
    """A server that says when it is ready."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def serve_in_thread(
    site: Site | None = None,
    conduct: Conduct = conforming,
    *,
    wire: Wire | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """The base URL of a server that answers while the block runs; port 0 is a free one.

    Without a site it is the default one, with `site.DEFAULT_KEY`; `wire` changes what goes out.
    Leaving the block stops the server and joins its thread; answers under way get a second to end.

    Raises:
        OSError: the address cannot be had.
        RuntimeError: the server did not start.
    """
    with _listener(host, port) as listener:
        server = _Announced(_config(site or Site(), conduct, wire))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="reference-server", daemon=True
        )
        thread.start()
        try:
            if not server.ready.wait(_START):
                raise RuntimeError(f"the reference server was not ready after {_START:g} seconds")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def serve_forever(  # noqa: PLR0913  # what a server is made of
    site: Site | None = None,
    conduct: Conduct = conforming,
    *,
    wire: Wire | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
    announce: Callable[[str], object] = lambda _url: None,
) -> None:
    """Serves until SIGINT, after which it returns, or SIGTERM, which then ends the process.

    `announce` is told the base URL once the port is taken and before the first answer; port 0 is a free one.

    Raises:
        OSError: the address cannot be had.
    """
    with _listener(host, port) as listener:
        announce(f"http://{host}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(_config(site or Site(), conduct, wire)).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))
    # asyncio sets this for sockets it made itself; without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(site: Site, conduct: Conduct, wire: Wire | None) -> uvicorn.Config:
    return uvicorn.Config(
        application(site, conduct),
        http=_protocol(wire) if wire else "h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level=logging.CRITICAL,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_STOP,
    )


class _Rewritten:
    """A transport whose bytes change on their way out."""

    def __init__(self, transport: asyncio.Transport, change: Callable[[bytes], bytes]) -> None:
        self._transport = transport
        self._change = change

    def write(self, data: bytes) -> None:
        """Write what becomes of the bytes."""
        self._transport.write(self._change(bytes(data)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _protocol(wire: Wire) -> type[H11Protocol]:
    class Rewriting(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(cast("asyncio.Transport", _Rewritten(transport, wire())))

    return Rewriting
