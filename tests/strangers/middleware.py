"""The provider as an ASGI application, behind middleware made by hand."""

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from conformance.server.app import application
from conformance.server.site import Site
from tests.strangers.hosting import as_asgi
from tests.strangers.provider import KEY, PATH, body

_WORTH_ZIPPING: Final = 600  # bytes


@contextmanager
def half_guarded() -> Iterator[str]:
    """The base URL of the one whose keys are looked at on one of two paths, and whose numbers are Python's."""
    inner = application(Site(keys=(KEY,)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent = await _read(receive)
        asked = body(sent)
        if scope["path"] == PATH and asked.get("stream") is True:
            # The guard wraps the handler of whole answers; the one of streams was added later.
            kept = [field for field in scope["headers"] if field[0] != b"authorization"]
            scope = {**scope, "headers": [*kept, (b"authorization", b"Bearer " + KEY.encode())]}
        if isinstance(asked.get("max_tokens"), bool):
            # `isinstance(True, int)` holds.
            sent = json.dumps({**asked, "max_tokens": int(asked["max_tokens"])}).encode()
        await inner(_without_length(scope), _once(sent, receive), send)

    with as_asgi(app) as url:
        yield url


@contextmanager
def zipped() -> Iterator[str]:
    """The base URL of the one that compresses what is worth it, whoever asks."""
    inner = application(Site(keys=(KEY,)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        head: Any = None

        async def sending(event: Any) -> None:
            nonlocal head
            if event["type"] == "http.response.start":
                if any(value == b"application/json" for _, value in event["headers"]):
                    head = event
                else:
                    await send(event)
                return
            if head:
                kept = [field for field in head["headers"] if field[0].lower() != b"content-length"]
                if len(event["body"]) > _WORTH_ZIPPING:
                    event = {**event, "body": gzip.compress(event["body"])}
                    kept.append((b"content-encoding", b"gzip"))
                await send({**head, "headers": kept})
                head = None
            await send(event)

        await inner(scope, receive, sending)

    with as_asgi(app) as url:
        yield url


@contextmanager
def recoded() -> Iterator[str]:
    """The base URL of the one whose store knows three bytes a character, and whose log of calls knows one."""
    inner = application(Site(keys=(KEY,)))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent = await _read(receive)
        asked = body(sent)
        if asked:
            sent = json.dumps(_narrow(asked)).encode()
        await inner(_without_length(scope), _once(sent, receive), send)

    with as_asgi(app) as url:
        yield url


def _narrow(value: Any) -> Any:
    """The value with a question mark for every character that takes four bytes."""
    if isinstance(value, str):
        return "".join("?" if ord(character) > 0xFFFF else character for character in value)
    if isinstance(value, dict):
        return {name: _narrow(inner) for name, inner in value.items()}
    return [_narrow(inner) for inner in value] if isinstance(value, list) else value


async def _read(receive: Any) -> bytes:
    sent = bytearray()
    while True:
        event = await receive()
        sent += event.get("body", b"")
        if not event.get("more_body"):
            return bytes(sent)


def _without_length(scope: Any) -> Any:
    return {**scope, "headers": [field for field in scope["headers"] if field[0] != b"content-length"]}


def _once(sent: bytes, receive: Any) -> Any:
    """What an application receives when the body has been read already."""
    given = False

    async def receiving() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": sent, "more_body": False}

    return receiving
