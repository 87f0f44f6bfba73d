"""Gateways that decide by themselves where an answer ends."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.strangers.gateway import Changes, Document, gateway
from tests.strangers.provider import chunk, framed

_MOST: Final = 200  # chunks
_LONGEST: Final = 1000  # characters


@contextmanager
def short_of_breath() -> Iterator[str]:
    """The base URL of the one that ends long answers early, and says that they are whole."""

    def answer(_asked: Document, said: Document) -> Document:
        for choice in said["data"].get("choices", []):
            content = choice["message"]["content"]
            if content and len(content) > _LONGEST:
                choice["message"]["content"] = content[:_LONGEST]
                choice["finish_reason"] = "stop"
        return said

    def stream(_asked: Document, told: Iterable[bytes], _again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        for number, frame in enumerate(told):
            said = chunk(frame)
            if number == _MOST and said:
                yield framed({**said, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                yield b"data: [DONE]\n\n"
                return
            yield frame

    with gateway(Changes(answer=answer, stream=stream)) as url:
        yield url


@contextmanager
def stopping() -> Iterator[str]:
    """The base URL of the one that looks for stop sequences with patterns, stripped, and in a stream chunk by chunk."""

    def request(asked: Document) -> Document:
        # What is wrong is left in, so that the provider refuses it.
        return {name: value for name, value in asked.items() if name != "stop" or not _stops(asked)}

    def answer(asked: Document, said: Document) -> Document:
        for choice in said["data"].get("choices", []):
            if (found := _found(asked, choice["message"]["content"] or "")) is not None:
                choice["message"]["content"] = found
                choice["finish_reason"] = "stop"
        return said

    def stream(asked: Document, told: Iterable[bytes], _again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        for frame in told:
            said = chunk(frame)
            found = _found(asked, said["choices"][0]["delta"].get("content") or "") if said else None
            if said and found is not None:
                yield framed({**said, "choices": [{"index": 0, "delta": {"content": found}, "finish_reason": None}]})
                yield framed({**said, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                yield b"data: [DONE]\n\n"
                return
            yield frame

    with gateway(Changes(request=request, answer=answer, stream=stream)) as url:
        yield url


def _stops(asked: Document) -> list[str]:
    stop: Any = asked.get("stop")
    listed = [stop] if isinstance(stop, str) else stop
    return listed if isinstance(listed, list) and all(isinstance(each, str) and each for each in listed) else []


def _found(asked: Document, text: str) -> str | None:
    """What stands before the first stop sequence; nothing where there is none."""
    try:
        places = [match.start() for each in _stops(asked) if each.strip() and (match := re.search(each.strip(), text))]
    except re.error:
        return None
    return text[: min(places)] if places else None


@contextmanager
def calling() -> Iterator[str]:
    """The base URL of the one whose streams of tool calls were an afterthought."""

    def request(asked: Document) -> Document:
        # The path of streams passes on the words for a choice, and reads an object as "call something".
        if asked.get("stream") is True and isinstance(asked.get("tool_choice"), dict) and asked.get("tools"):
            return {**asked, "tool_choice": "required"}
        return asked

    def stream(_asked: Document, told: Iterable[bytes], _again: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
        called = False
        for frame in told:
            said = chunk(frame)
            called = called or bool(said and said["choices"][0]["delta"].get("tool_calls"))
            # After calls the reason is the end.
            if said or not called:
                yield frame

    with gateway(Changes(request=request, stream=stream)) as url:
        yield url
