"""Servers that misbehave over a whole run, each on a loopback socket of its own."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from tests.hostile import COMPLETION, GOOD, Seen, Server, answer, serves


@contextlib.contextmanager
def dies_after(answers: int) -> Iterator[Server]:
    """Answers so many requests, then is gone: nobody listens at its port any more."""
    door = socket.create_server(("127.0.0.1", 0))
    server = Server(url=f"http://127.0.0.1:{door.getsockname()[1]}")

    def live() -> None:
        with door, contextlib.suppress(OSError):
            for _ in range(answers):
                connection, _ = door.accept()
                with connection, connection.makefile("rb") as lines:
                    head = b"".join(iter(lines.readline, b"\r\n"))
                    seen = Seen(at=0.0, head=head)
                    lines.read(int(seen.header("Content-Length") or 0))
                    server.seen.append(seen)
                    connection.sendall(GOOD)

    life = threading.Thread(target=live, daemon=True)
    life.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        life.join(timeout=5)
        assert not life.is_alive()


def parrots_the_key() -> contextlib.AbstractContextManager[Server]:
    """Serves every request, and says the key in the text, the ids, a header and the error of a stream."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        said = (seen.header("Authorization") or "nothing").removeprefix("Bearer ")
        choice = {"index": 0, "message": {"role": "assistant", "content": f"It is {said}."}, "finish_reason": said}
        answered = answer(
            {"status": said, "data": {**COMPLETION, "id": said, "choices": [choice]}}, headers=[("X-Key", said)]
        )
        if json.loads(seen.body).get("stream") is True:
            delta = json.dumps({"id": said, "choices": [{"index": 0, "delta": {"content": said}}]})
            error = json.dumps({"code": said, "message": f"no key {said}"})
            stream = f"id: {said}\ndata: {delta}\n\nevent: error\ndata: {error}\n\ndata: {said}\n\n"
            answered = answer(stream.encode(), kind="text/event-stream")
        writer.write(answered)
        await writer.drain()

    return serves(script)


@contextlib.contextmanager
def counts_connections() -> Iterator[Server]:
    """Listens and says nothing; who came is known when the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        server = Server(url=f"http://127.0.0.1:{door.getsockname()[1]}")
        yield server
        door.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = door.accept()
                connection.close()
                server.connections += 1
