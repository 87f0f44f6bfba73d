"""HTTP written by hand on asyncio streams."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.strangers.hosting import on_a_loop
from tests.strangers.provider import Provider, provider

_BUFFER: Final = 65536  # bytes


@contextmanager
def serving() -> Iterator[str]:
    """The base URL while the block runs."""
    with provider() as behind:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while await _exchange(reader, writer, behind):
                pass

        with on_a_loop(talk) as url:
            yield url


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, behind: Provider) -> bool:
    """One request and its answer; whether another may follow on the connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    # What does not fit into the buffer is read, and forgotten.
    body = (await reader.readexactly(int(fields.get("content-length", 0))))[:_BUFFER]
    source, sink = await asyncio.open_connection(behind.host, behind.port)
    try:
        kept = "".join(f"{name}: {fields[name]}\r\n" for name in ("authorization", "content-type") if name in fields)
        # To a client of HTTP/1.0 the provider writes no chunked bodies.
        sink.write(f"{method} {path} HTTP/1.0\r\n{kept}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body)
        answer = await source.readuntil(b"\r\n\r\n")
        status, *told = answer.decode("latin-1").rstrip().split("\r\n")
        named = [line for line in told if line.partition(":")[0].lower() not in {"content-length", "connection"}]
        if "text/event-stream" in answer.decode("latin-1"):
            writer.write("\r\n".join([status, *named, "Connection: close", "", ""]).encode("latin-1"))
            while piece := await source.read(_BUFFER):
                writer.write(piece)
                await writer.drain()
            return False
        document = await source.read()
        text = json.dumps(json.loads(document), ensure_ascii=False)
        # Characters are counted where bytes are meant, and the rest stays behind.
        writer.write("\r\n".join([status, *named, f"Content-Length: {len(text)}", "", ""]).encode("latin-1"))
        writer.write(text.encode()[: len(text)])
        await writer.drain()
        return True
    finally:
        sink.close()
