"""Proxies between a client and the provider: one of bare TCP, and two that count chunks."""

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from tests.strangers.gateway import Changes, Document, gateway
from tests.strangers.hosting import on_a_loop
from tests.strangers.provider import chunk, provider

_LOST: Final = 50  # every such chunk


@contextmanager
def collapsing() -> Iterator[str]:
    """The base URL of the one that takes blank lines for waste."""
    with provider() as behind:

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            source, sink = await asyncio.open_connection(behind.host, behind.port)
            outward = asyncio.ensure_future(_old(reader, sink))
            try:
                while piece := await source.read(65536):
                    writer.write(re.sub(rb"\n\n+", b"\n", piece))
                    await writer.drain()
            finally:
                outward.cancel()
                sink.close()

        with on_a_loop(talk) as url:
            yield url


async def _old(reader: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Passes a request on as one of HTTP/1.0, as proxies do unless told otherwise."""
    first = await reader.readuntil(b"\r\n")
    sink.write(first.replace(b"HTTP/1.1", b"HTTP/1.0"))
    while piece := await reader.read(65536):
        sink.write(piece)
        await sink.drain()


@contextmanager
def lossy() -> Iterator[str]:
    """The base URL of the one whose queue drops every fiftieth chunk, and which passes on the fields it knows."""

    def stream(_asked: Document, told: Iterable[bytes], _again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        for number, frame in enumerate(told, 1):
            if number % _LOST or not chunk(frame):
                yield frame

    def fields(sent: Mapping[str, str]) -> Mapping[str, str]:
        return {name: value for name, value in sent.items() if name.lower() != "retry-after"}

    with gateway(Changes(stream=stream, fields=fields)) as url:
        yield url
