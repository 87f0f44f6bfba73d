"""A gateway of http.server in front of the provider, which can be told to change what goes through it."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.strangers.hosting import Threads, in_threads
from tests.strangers.provider import Provider, body, fields, frames, provider, streams

Document = dict[str, Any]
Whole = tuple[int, Mapping[str, str], bytes]
"""Status, fields and body of an answer that is no stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a gateway does to what goes through it; the request is given as the client sent it."""

    request: Callable[[Document], Document] = lambda asked: asked
    kept: Callable[[str, bytes, Callable[[], Whole]], Whole] = lambda _caller, _sent, ask: ask()
    """Given who asks for what and for no stream (method, path and key; the body), and a way to ask the provider."""
    answer: Callable[[Document, Document], Document] = lambda _asked, said: said
    """Of a 200 that is no stream."""
    stream: Callable[[Document, Iterable[bytes], Callable[[], Iterator[bytes]]], Iterable[bytes]] = (
        lambda _asked, told, _again: told
    )
    """Frames in, frames out; the last argument asks the provider the same again."""
    fields: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda sent: sent


@contextmanager
def gateway(changes: Changes) -> Iterator[str]:
    """The base URL of such a gateway while the block runs."""
    with provider() as behind, in_threads(Threads(("127.0.0.1", 0), _handler(behind, changes))) as url:
        yield url


def _handler(behind: Provider, changes: Changes) -> type[BaseHTTPRequestHandler]:  # noqa: C901  # a class with few paths
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = body(sent)
            changed = changes.request(asked)
            # What the gateway leaves alone, and what it cannot read, goes on as it came.
            passed = sent if changed == asked else json.dumps(changed).encode()
            if asked.get("stream") is True:
                self._stream(asked, passed)
            else:
                caller = f"{self.command} {self.path} {self.headers.get('Authorization')}"
                self._whole(*changes.kept(caller, sent, lambda: self._ask(asked, passed)))

        do_GET = do_POST  # noqa: N815

        def _ask(self, asked: Document, passed: bytes) -> Whole:
            with behind.answer(self.command, self.path, dict(self.headers), passed) as response:
                whole = response.read()
                if response.status == 200 and asked:
                    whole = json.dumps(changes.answer(asked, json.loads(whole))).encode()
                return response.status, fields(response), whole

        def _stream(self, asked: Document, passed: bytes) -> None:
            def again() -> Iterator[bytes]:
                with behind.answer(self.command, self.path, dict(self.headers), passed) as response:
                    yield from frames(response)

            with behind.answer(self.command, self.path, dict(self.headers), passed) as response:
                if not streams(response):
                    self._whole(response.status, fields(response), response.read())
                    return
                self._head(200, fields(response))
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for frame in changes.stream(asked, frames(response), again):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

        def _whole(self, status: int, told: Mapping[str, str], whole: bytes) -> None:
            self._head(status, told)
            self.send_header("Content-Length", str(len(whole)))
            self.end_headers()
            self.wfile.write(whole)

        def _head(self, status: int, told: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in changes.fields(told).items():
                self.send_header(name, value)

    return Handler
