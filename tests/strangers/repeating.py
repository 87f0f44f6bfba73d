"""Proxies that ask once for several, or several times for one."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final

from tests.strangers.gateway import Changes, Document, Whole, gateway
from tests.strangers.provider import body, chunk, framed

_TELLING: Final = 200  # characters of a conversation


@contextmanager
def cached() -> Iterator[str]:
    """The base URL of the one that knows a request by its body alone, not by who sends it."""
    with gateway(Changes(kept=_store(lambda _caller, sent: sent.decode("latin-1")))) as url:
        yield url


@contextmanager
def cached_by_prefix() -> Iterator[str]:
    """The base URL of the one that knows a conversation by how it begins."""

    def name(caller: str, sent: bytes) -> str:
        asked = body(sent)
        said = json.dumps(asked.pop("messages", None))
        return caller + said[:_TELLING] + json.dumps(asked, sort_keys=True)

    with gateway(Changes(kept=_store(name))) as url:
        yield url


def _store(name: Callable[[str, bytes], str]) -> Callable[[str, bytes, Callable[[], Whole]], Whole]:
    stored: dict[str, Whole] = {}

    def kept(caller: str, sent: bytes, ask: Callable[[], Whole]) -> Whole:
        known = name(caller, sent)
        if body(sent) and known in stored:
            return stored[known]
        answer = ask()
        if answer[0] == 200:
            stored[known] = answer
        return answer

    return kept


@contextmanager
def merged() -> Iterator[str]:
    """The base URL of the one that asks once for equal requests that come together."""
    under_way: dict[tuple[str, bytes], Future[Whole]] = {}
    lock = threading.Lock()

    def kept(caller: str, sent: bytes, ask: Callable[[], Whole]) -> Whole:
        with lock:
            first = (caller, sent) not in under_way
            answer = under_way.setdefault((caller, sent), Future())
        if not first:
            return answer.result()
        try:
            answer.set_result(ask())
        except OSError as error:
            answer.set_exception(error)
        finally:
            with lock:
                del under_way[caller, sent]
        return answer.result()

    with gateway(Changes(kept=kept)) as url:
        yield url


@contextmanager
def retried() -> Iterator[str]:
    """The base URL of the one that asks again when a stream breaks, and appends what it then gets."""

    def stream(_asked: Document, told: Iterable[bytes], again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        shown = None
        for frame in told:
            said = chunk(frame)
            shown = shown or said
            if frame.startswith(b"event: error"):
                for other in again():
                    repeated = chunk(other)
                    # One id a stream: that much was thought of.
                    yield framed({**repeated, "id": (shown or repeated)["id"]}) if repeated else other
                return
            yield frame

    with gateway(Changes(stream=stream)) as url:
        yield url


@contextmanager
def balanced() -> Iterator[str]:
    """The base URL of the one that gives every second request to a server of last year."""
    turn = 0

    def old() -> bool:
        nonlocal turn
        turn += 1
        return turn % 2 == 0

    def answer(_asked: Document, said: Document) -> Document:
        if old() and "choices" in said["data"]:
            said["data"]["created"] = time.time()
            said["data"]["usage"].pop("total_tokens")
        return said

    def stream(_asked: Document, told: Iterable[bytes], _again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        outdated = old()
        for frame in told:
            if (said := chunk(frame)) and outdated:
                said["choices"][0].pop("finish_reason")
                yield framed(said)
            else:
                yield frame

    with gateway(Changes(answer=answer, stream=stream)) as url:
        yield url
