"""The provider behind the strangers: the reference server, asked over a socket with the standard library alone."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final

from conformance.server.app import Conduct, conforming
from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site

KEY: Final = "sgk_" + "5e" * 20
"""The key that every stranger takes."""
PATH: Final = "/v1/inference/chat"

_OF_ONE_CONNECTION: Final = frozenset({"connection", "content-length", "date", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Where the reference server is."""

    host: str
    port: int

    @contextmanager
    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Iterator[HTTPResponse]:
        """What the provider answers, not yet read."""
        wanted = {name: value for name, value in headers.items() if name.lower() in {"authorization", "content-type"}}
        connection = HTTPConnection(self.host, self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=wanted)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()


@contextmanager
def provider(conduct: Conduct = conforming) -> Iterator[Provider]:
    """The reference server, for as long as the block runs."""
    with serve_in_thread(Site(keys=(KEY,)), conduct) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield Provider(host=host, port=int(port))


def fields(response: HTTPResponse) -> dict[str, str]:
    """The header fields that a gateway passes on."""
    return {name: value for name, value in response.getheaders() if name.lower() not in _OF_ONE_CONNECTION}


def streams(response: HTTPResponse) -> bool:
    """Whether the answer is an event stream."""
    return response.headers.get_content_type() == "text/event-stream"


def frames(response: HTTPResponse) -> Iterator[bytes]:
    """The events of a stream, each with the blank line that ends it."""
    lines: list[bytes] = []
    while line := response.readline():
        lines.append(line)
        if line == b"\n":
            yield b"".join(lines)
            lines = []


def chunk(frame: bytes) -> dict[str, Any] | None:
    """The chunk in a frame; none in the one of an error, and none in the last."""
    if not frame.startswith(b"data: {"):
        return None
    parsed: dict[str, Any] = json.loads(frame[6:])
    return parsed


def framed(document: object) -> bytes:
    """The event that carries a document."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def body(text: bytes) -> dict[str, Any]:
    """The request or the answer as a document; an empty one for what is not an object of JSON."""
    try:
        parsed = json.loads(text)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}
