"""What a scenario is: what the scripted backend does with one request, to the byte, and what a client may then see."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from conformance.document import at


class Manner(Enum):
    """How a connection ends once all is written."""

    END = "as HTTP has it: the body is whole"
    CLOSE = "closed with the body cut short"
    RESET = "reset with the body cut short"
    SILENCE = "left open without a byte until nobody can be waiting any more, then closed with the body cut short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Bytes that go out together."""

    data: bytes
    """`__ID__` and `__CREATED__` in it become a fresh id and the time of the answer."""
    after: float = 0.0
    """Seconds to wait before."""
    cut: int = 0
    """Bytes at a time, each by itself; 0 for all at once."""
    if_asked: bool = False
    """Only where the request asks for the usage of a stream (`stream_options.include_usage`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An answer to the byte: what is said of it, what is written, and how it ends."""

    status: int = 200
    media_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    sized: bool = False
    """With Content-Length and so unable to be cut short; else in chunks (RFC 9112, 7.1)."""
    headed: bool = True
    """Whether there is a head; without one the connection ends before any byte."""
    writes: tuple[Write, ...] = ()
    ends: Manner = Manner.END


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A tool call that the backend makes."""

    name: str
    arguments: str
    """JSON text, as the client must get it or as equal JSON."""


class Fate(Enum):
    """What must become of an answer on its way to the client."""

    DELIVERED = "the client gets what the backend said, exactly"
    MENDED = "the same, or the word that it failed: what the backend wrote breaks its own protocol"
    TOLD = "the client is told that it failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One thing that a provider may do."""

    name: str
    does: str
    """What the backend does, as a predicate."""
    fate: Fate = Fate.DELIVERED
    streamed: Script
    """Where a stream is asked of the backend."""
    whole: Script
    """Where one JSON answer is."""
    text: str = ""
    """What the backend says."""
    also: tuple[str, ...] = ()
    """Other texts that a client may get instead, where the page or the backend's own cuts leave that open."""
    calls: tuple[Called, ...] = ()
    reason: str = "stop"
    """Why it stopped, in the page's words; empty where that is open."""
    codes: frozenset[str] = frozenset()
    """The error codes that fit a failure before the first token."""
    asked: tuple[bool, ...] = (True, False)
    """Whether to ask it with `stream` true, and false."""
    fetches: bool = False
    """The backend fetches the addresses of images that it is given."""

    @property
    def at_once(self) -> bool:
        """Whether the backend fails before it begins a stream."""
        script = self.streamed
        return self.fate is Fate.TOLD and (not script.headed or script.status != 200)


_MARK: Final = re.compile(r"\[scenario:([a-z0-9-]+):([0-9a-f]*)\]")
_UNTAGGED: Final = re.compile(r"\[scenario:([a-z0-9-]+):\]")


def cue(name: str) -> str:
    """The text that names a scenario in a message; `tagged` says in which request it stands."""
    return f"[scenario:{name}:]"


def tagged(text: str, tag: str) -> str:
    """A text whose cues say in which request they stand."""
    return _UNTAGGED.sub(lambda found: f"[scenario:{found[1]}:{tag}]", text) if "[scenario:" in text else text


def cued(body: Any) -> tuple[str, str]:
    """The scenario that a chat request names, and its tag; both empty where it names none.

    The last user message counts first. A gateway may put others behind it, or turn its text into parts.
    """
    messages = at(body, "/messages")
    for message in reversed(messages) if isinstance(messages, list) else ():
        for text in _texts(message):
            if found := _MARK.search(text):
                return found[1], found[2]
    return "", ""


def _texts(message: Any) -> Iterator[str]:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        yield content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, Mapping) and isinstance(text := part.get("text"), str):
            yield text
