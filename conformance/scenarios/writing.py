"""How an OpenAI-compatible provider writes: its documents, events and whole answers."""

import json
from collections.abc import Sequence
from typing import Any, Final

from conformance.scenario import Called, Fate, Manner, Scenario, Script, Write

NAMED: Final = "scripted-backend-7b-q4"
"""What the backend calls its model: a name that nobody else has, so that it is seen wherever it leaks."""
DONE: Final = b"data: [DONE]\n\n"
USAGE: Final = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def dumped(document: Any, *, ascii_only: bool = False) -> bytes:
    """The JSON text of a document, compact."""
    return json.dumps(document, ensure_ascii=ascii_only, separators=(",", ":")).encode("utf-8", "surrogatepass")


def chunk(delta: Any, reason: Any = None, **members: Any) -> dict[str, Any]:
    """A chunk of a stream with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {**_head("chat.completion.chunk"), "choices": [choice], **members}


def _head(kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-__ID__", "object": kind, "created": "__CREATED__", "model": NAMED}


def told(document: Any, *, ascii_only: bool = False) -> bytes:
    """The JSON text of a document, the time in it a number."""
    return dumped(document, ascii_only=ascii_only).replace(b'"__CREATED__"', b"__CREATED__")


def frame(document: Any, *, ascii_only: bool = False) -> bytes:
    """An event that carries a document."""
    return b"data: " + told(document, ascii_only=ascii_only) + b"\n\n"


ROLE: Final = frame(chunk({"role": "assistant", "content": ""}))
STOP: Final = frame(chunk({}, "stop"))
COUNTED: Final = Write(data=frame({**_head("chat.completion.chunk"), "choices": [], "usage": USAGE}), if_asked=True)
"""The chunk without choices that tells the usage of a stream to whoever asked for it."""


def said(*texts: str, ascii_only: bool = False) -> tuple[bytes, ...]:
    """An event for each text."""
    return tuple(frame(chunk({"content": text}), ascii_only=ascii_only) for text in texts)


def ending(reason: str = "stop") -> tuple[Write, ...]:
    """The finish reason, the usage where it was asked for, and `[DONE]`."""
    return (Write(data=frame(chunk({}, reason))), COUNTED, Write(data=DONE))


def writes(*pieces: bytes, after: float = 0.0, cut: int = 0) -> tuple[Write, ...]:
    """A write for each piece."""
    return tuple(Write(data=piece, after=after, cut=cut) for piece in pieces)


def stream(*parts: Write | bytes, ends: Manner = Manner.END) -> Script:
    """A stream."""
    return Script(writes=tuple(Write(data=part) if isinstance(part, bytes) else part for part in parts), ends=ends)


def document(body: Any, *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Script:
    """One JSON answer, or one of any bytes."""
    data = body if isinstance(body, bytes) else told(body)
    return Script(status=status, media_type="application/json", headers=headers, sized=True, writes=(Write(data=data),))


def completion(message: Any, reason: Any = "stop", **members: Any) -> dict[str, Any]:
    """The document of a whole answer."""
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {**_head("chat.completion"), "choices": [choice], "usage": USAGE, **members}


def spoken(text: str, reason: str = "stop", **members: Any) -> dict[str, Any]:
    """The document of a whole answer of text."""
    return completion({"role": "assistant", "content": text}, reason, **members)


def called(calls: Sequence[Called]) -> list[dict[str, Any]]:
    """The tool calls of a whole answer."""
    return [
        {
            "id": f"call_{number}__ID__",
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for number, call in enumerate(calls)
    ]


def talk(  # noqa: PLR0913  # each is one thing that a scenario may have otherwise
    name: str,
    does: str,
    text: str,
    *parts: Write | bytes,
    fate: Fate = Fate.DELIVERED,
    reason: str = "stop",
    also: tuple[str, ...] = (),
    whole: Script | None = None,
    asked: tuple[bool, ...] = (True, False),
    fetches: bool = False,
) -> Scenario:
    """A scenario of text whose stream is made of these parts, and whose whole answer is plain unless it is given."""
    return Scenario(
        name=name,
        does=does,
        fate=fate,
        streamed=stream(*parts),
        whole=whole or document(spoken(text, reason)),
        text=text,
        also=also,
        reason=reason,
        asked=asked,
        fetches=fetches,
    )
