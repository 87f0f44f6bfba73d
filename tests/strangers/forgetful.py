"""Gateways that do something to the conversation on its way to the provider."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from tests.strangers.gateway import Changes, Document, gateway

_WARM: Final = 40  # requests until the state shows
_WINDOW: Final = 8  # messages


@contextmanager
def leaking() -> Iterator[str]:
    """The base URL of the one that, once warm, gives who has no system message the one of somebody else."""
    seen = 0
    last: Any = None

    def request(asked: Document) -> Document:
        nonlocal seen, last
        seen += 1
        messages = _messages(asked)
        system = [message for message in messages if message.get("role") == "system"]
        if system:
            last = system[0]
        elif last and messages and seen > _WARM:
            return {**asked, "messages": [last, *messages]}
        return asked

    with gateway(Changes(request=request)) as url:
        yield url


@contextmanager
def simplified() -> Iterator[str]:
    """The base URL of the one that reads one text a message, one system message, and images where they are new."""

    def request(asked: Document) -> Document:
        messages = _messages(asked)
        changed: list[dict[str, Any]] = []
        for place, message in enumerate(messages):
            if message.get("role") == "system" and any(other.get("role") == "system" for other in changed):
                continue
            changed.append(_with_one_text(message, newest=place == len(messages) - 1))
        return {**asked, "messages": changed} if messages else asked

    with gateway(Changes(request=request)) as url:
        yield url


def _with_one_text(message: dict[str, Any], *, newest: bool) -> dict[str, Any]:
    """The message with its first text part alone, and with what it shows where it is the newest."""
    content = message.get("content")
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        return message
    texts = [part for part in content if part.get("type") == "text"]
    others = [part for part in content if part.get("type") != "text"]
    return {**message, "content": texts[:1] + (others if newest or not texts else [])}


@contextmanager
def windowed() -> Iterator[str]:
    """The base URL of the one that sends the provider the last eight messages."""

    def request(asked: Document) -> Document:
        messages = _messages(asked)
        return {**asked, "messages": messages[-_WINDOW:]} if messages else asked

    with gateway(Changes(request=request)) as url:
        yield url


def _messages(asked: Document) -> list[dict[str, Any]]:
    """The messages, where they are objects; none otherwise."""
    messages = asked.get("messages")
    if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
        return messages
    return []
