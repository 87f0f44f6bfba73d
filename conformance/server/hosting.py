"""The server on a socket: in a thread for as long as a block runs, or in this thread until it is stopped."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn

from conformance.server.app import CONFORMING, Behaviour, application
from conformance.server.site import Site

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
    behaviour: Behaviour = CONFORMING,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[str]:
    """The base URL of a server that answers while the block runs; port 0 is a free one.

    Without a site it is the default one, with `site.DEFAULT_KEY`. Leaving the block stops the server and joins
    its thread; answers under way get a second to end.

    Raises:
        OSError: the address cannot be had.
        RuntimeError: the server did not start.
    """
    with _listener(host, port) as listener:
        server = _Announced(_config(site or Site(), behaviour))
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


def serve_forever(
    site: Site | None = None,
    behaviour: Behaviour = CONFORMING,
    *,
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
            uvicorn.Server(_config(site or Site(), behaviour)).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port))
    # asyncio sets this for sockets it made itself; without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _config(site: Site, behaviour: Behaviour) -> uvicorn.Config:
    return uvicorn.Config(
        application(site, behaviour),
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level=logging.CRITICAL,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_STOP,
    )
