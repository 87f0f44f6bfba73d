"""Connections and heads that are odd and legal HTTP (RFC 9110, RFC 9112)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from conformance.server.changes import Change, after, answering, each_head, with_field
from conformance.server.deviation import Variant
from conformance.server.hosting import Wire

_CHUNK: Final = re.compile(rb"\A([0-9a-f]+)\r\n(.*)\r\n\Z", re.DOTALL)
_LAST: Final = b"0\r\n\r\n"
_CLOSING: Final = with_field("Connection", "close")


def _named(write: Callable[[str], str]) -> Change:
    """Header fields with their names in another case."""
    return answering(
        lambda answer: replace(answer, headers={write(name): value for name, value in answer.headers.items()})
    )


def _with(more: Mapping[str, str]) -> Change:
    return each_head(lambda fields, _: {**fields, **more})


def _heads(edit: Callable[[bytes], bytes]) -> Wire:
    """Another head for each answer: from the status line to the blank line, which are one write."""

    def wire() -> Callable[[bytes], bytes]:
        return lambda data: edit(data) if data.startswith(b"HTTP/1.1 ") else data

    return wire


def _each_field(edit: Callable[[bytes], bytes]) -> Wire:
    """Other lines for the header fields."""

    def rewritten(head: bytes) -> bytes:
        status, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        return b"\r\n".join([status, *map(edit, fields)]) + b"\r\n\r\n"

    return _heads(rewritten)


def _each_chunk(edit: Callable[[bytes, bytes], bytes], last: bytes = _LAST) -> Wire:
    """Other bytes for each chunk of HTTP's chunked coding, from its size in hexadecimal digits and its data."""

    def wire() -> Callable[[bytes], bytes]:
        chunked = False

        def change(data: bytes) -> bytes:
            nonlocal chunked
            if data.startswith(b"HTTP/1.1 "):
                chunked = b"\r\ntransfer-encoding: chunked\r\n" in data.lower()
            elif chunked and data == _LAST:
                return last
            elif chunked and (found := _CHUNK.match(data)):
                return edit(found[1], found[2])
            return data

        return change

    return wire


def _to_the_end(version: bytes) -> Wire:
    """Bodies that end with the connection, and do not say how long they are (RFC 9112, 6.3)."""
    bodies = _each_chunk(lambda _, data: data, last=b"")

    def wire() -> Callable[[bytes], bytes]:
        body = bodies()

        def change(data: bytes) -> bytes:
            changed = body(data)
            if not data.startswith(b"HTTP/1.1 "):
                return changed
            shorter = re.sub(rb"(?i)\r\n(?:transfer-encoding|content-length): [^\r]*", b"", changed)
            return version + shorter.removeprefix(b"HTTP/1.1")

        return change

    return wire


def _folded(field: bytes) -> bytes:
    """More blanks around a value than most servers write (RFC 9112, 5)."""
    name, _, value = field.partition(b":")
    return name + b":\t  " + value.strip() + b"  \t"


def _tight(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return name + b":" + value.strip()


_FIELDS: Final = (
    Variant(id="names-in-capitals", does="writes the names of header fields in capitals", change=_named(str.upper)),
    Variant(
        id="names-in-small-letters", does="writes the names of header fields in small letters", change=_named(str.lower)
    ),
    Variant(
        id="names-in-mixed-case", does="writes the names of header fields in changing case", change=_named(str.swapcase)
    ),
    Variant(
        id="fields-of-a-proxy",
        does="sends the header fields of a proxy and of a browser's safety",
        change=_with(
            {
                "Server": "odd/1",
                "Via": "1.1 edge, 2 core",
                "Alt-Svc": 'h3=":443"; ma=86400',
                "Strict-Transport-Security": "max-age=63072000",
                "Access-Control-Allow-Origin": "*",
                "X-Accel-Buffering": "no",
                "Cache-Control": "no-cache, no-store, no-transform",
                "Set-Cookie": "session=0123456789abcdef; Path=/; HttpOnly; Secure; SameSite=Lax",
                "Server-Timing": "model;dur=12.5",
                "ETag": 'W/"1"',
                "Upgrade": "h2c",
            }
        ),
    ),
    Variant(
        id="fields-many",
        does="sends sixty header fields of its own",
        change=_with({f"X-Extra-{number}": f"{number}" for number in range(60)}),
    ),
    Variant(id="fields-long", does="sends a header field of 8 KiB", change=_with({"X-Long": "x" * 8192})),
    Variant(
        id="fields-empty", does="sends header fields without a value", change=_with({"X-Empty": "", "X-Blank": ""})
    ),
    Variant(
        id="fields-of-other-limits",
        does="tells its limits in the fields of other servers too",
        change=_with({"RateLimit": "limit=9, remaining=0, reset=1", "X-RateLimit-Remaining": "0"}),
    ),
    Variant(id="fields-spread", does="puts blanks around the values of header fields", wire=_each_field(_folded)),
    Variant(id="fields-tight", does="puts no blank before the values of header fields", wire=_each_field(_tight)),
    Variant(
        id="fields-twice",
        does="sends some header fields twice",
        wire=_heads(
            lambda head: head[:-2] + b"Vary: Accept\r\nVary: Origin\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
        ),
    ),
    Variant(
        id="fields-beyond-ascii",
        does="sends a header field in Latin-1",
        wire=_heads(lambda head: head[:-2] + b"X-Region: Z\xfcrich\r\n\r\n"),
    ),
)

_STATUS: Final = (
    Variant(
        id="status-without-words",
        does="gives no words beside its status",
        wire=_heads(lambda head: re.sub(rb"\A(HTTP/1\.1 \d{3} )[^\r]*", rb"\1", head)),
    ),
    Variant(
        id="status-in-its-own-words",
        does="gives words of its own beside its status",
        wire=_heads(lambda head: re.sub(rb"\A(HTTP/1\.1 \d{3} )[^\r]*", rb"\1As you (wish): 42", head)),
    ),
    Variant(
        id="status-after-hints",
        does="sends two interim answers before each answer",
        wire=_heads(
            lambda head: (
                b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" + head
            )
        ),
    ),
)

_BODIES: Final = (
    Variant(id="connection-closed", does="closes the connection after each answer, and says so", change=_CLOSING),
    Variant(
        id="connection-kept",
        does="says for how long it would keep a connection open",
        change=after(with_field("Connection", "keep-alive"), with_field("Keep-Alive", "timeout=5, max=1000")),
    ),
    Variant(
        id="http-1-0",
        does="speaks HTTP/1.0: each body ends with its connection",
        change=_CLOSING,
        wire=_to_the_end(b"HTTP/1.0"),
    ),
    Variant(
        id="http-without-lengths",
        does="ends each body with its connection, in HTTP/1.1",
        change=_CLOSING,
        wire=_to_the_end(b"HTTP/1.1"),
    ),
    Variant(
        id="chunk-sizes-in-capitals",
        does="writes the sizes of HTTP chunks in capitals, with zeros before them",
        wire=_each_chunk(lambda size, data: b"000" + size.upper() + b"\r\n" + data + b"\r\n", last=b"0000\r\n\r\n"),
    ),
    Variant(
        id="chunk-extensions",
        does="says more of each HTTP chunk than its size",
        wire=_each_chunk(lambda size, data: size + b';sig="a b";x\r\n' + data + b"\r\n", last=b"0;last=1\r\n\r\n"),
    ),
    Variant(
        id="chunk-trailers",
        does="sends fields after its chunked bodies",
        wire=_each_chunk(
            lambda size, data: size + b"\r\n" + data + b"\r\n",
            last=b"0\r\nServer-Timing: total;dur=1\r\nX-Checksum: 0\r\n\r\n",
        ),
    ),
)

VARIANTS: Final = (*_FIELDS, *_STATUS, *_BODIES)
