"""How strangers are put on a socket: threads, an event loop, or uvicorn."""

import asyncio
import socketserver
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any, Final

import uvicorn

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_START: Final = 10.0  # seconds
_TURNS: Final = 10
_TURN: Final = 0.02  # seconds


class Threads(ThreadingHTTPServer):
    """A thread for each connection; a client that has gone is no news."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def in_threads(server: socketserver.TCPServer) -> Iterator[str]:
    """The base URL of a server of the standard library while the block runs."""
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def on_a_loop(talk: Talk) -> Iterator[str]:
    """The base URL of a server of bare streams while the block runs; a connection is one call of `talk`."""
    ready = threading.Event()
    port = 0
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def serve() -> None:
        nonlocal port
        server = await asyncio.start_server(quietly, "127.0.0.1", 0, backlog=256)
        port = server.sockets[0].getsockname()[1]
        ready.set()
        await over.wait()
        server.close()
        # A connection just taken gets its task some turns of the loop later; a closed one then loses its socket.
        for _ in range(_TURNS):
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(_TURN)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(_START)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@contextmanager
def as_asgi(app: Any) -> Iterator[str]:
    """The base URL of an ASGI application on uvicorn while the block runs."""
    config = uvicorn.Config(
        app,
        port=0,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        server_header=False,
        backlog=256,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    with listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
