"""http.server with a thread for each connection."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from tests.strangers.hosting import Threads, in_threads
from tests.strangers.provider import KEY, Provider, fields, frames, provider, streams


@contextmanager
def serving() -> Iterator[str]:
    """The base URL while the block runs."""
    with provider() as behind:
        handler = type("Handler", (_Handler,), {"behind": behind})
        with in_threads(Threads(("127.0.0.1", 0), handler)) as url:
            yield url


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    behind: ClassVar[Provider]
    request_id: ClassVar[str]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        # The id belongs to the class, so that of two requests at once both answers get the later one's.
        type(self).request_id = f"req_{secrets.token_hex(12)}"
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            # The body has not been read, and the connection stays open.
            missing = "Authorization" not in self.headers
            error = {
                "code": "AUTH_TOKEN_MISSING" if missing else "AUTH_TOKEN_INVALID",
                "message": "The key is missing." if missing else "The key is not known.",
            }
            self._whole(401, {}, {"status": "error", "error": error, "meta": {"request_id": self.request_id}})
            return
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.behind.answer(self.command, self.path, dict(self.headers), sent) as response:
            if streams(response):
                self._head(response.status, fields(response))
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for frame in frames(response):
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(frame), frame))
                self.wfile.write(b"0\r\n\r\n")
                return
            document = json.loads(response.read())
        if "data" in document and "_meta" in document["data"]:
            document["data"]["_meta"]["request_id"] = self.request_id
        if "meta" in document:
            document["meta"]["request_id"] = self.request_id
        self._whole(response.status, fields(response), document)

    do_GET = do_POST  # noqa: N815

    def _head(self, status: int, told: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **told, "X-Request-Id": self.request_id}.items():
            self.send_header(name, value)

    def _whole(self, status: int, told: dict[str, str], document: object) -> None:
        text = json.dumps(document).encode()
        self._head(status, told)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
