"""What goes out: documents, the events of a stream, and their bytes."""

import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from conformance.server.generation import (
    CallArguments,
    CallStart,
    Completion,
    Failure,
    Finish,
    Step,
    Steps,
    Text,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an answer says of itself, the same in every chunk of a stream."""

    id: str
    model: str
    """The slug that the client asked for."""
    created: int
    """Unix seconds."""
    request_id: str
    started: float
    """When the request came, on the monotonic clock, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """An event that carries a chunk."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEvent:
    """The event that tells of a failure in mid-stream (page: SSE event types)."""

    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The event that ends every stream (page: SSE event types)."""


StreamEvent = Chunk | ErrorEvent | Done
StreamEvents = AsyncGenerator[StreamEvent, None]


def envelope(head: Head, completion: Completion) -> dict[str, Any]:
    """The document of a successful answer (page: Response shape); `content` is null beside tool calls alone."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.text}
    if completion.calls:
        message["content"] = completion.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in completion.calls
        ]
    usage = completion.usage
    return {
        "status": "ok",
        "data": {
            "id": head.id,
            "model": head.model,
            "created": head.created,
            "choices": [{"index": 0, "message": message, "finish_reason": completion.reason}],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            },
            "_meta": {
                "request_id": head.request_id,
                "latency_ms": int((time.monotonic() - head.started) * 1000),
            },
        },
    }


def refusal(failure: Failure, request_id: str) -> dict[str, Any]:
    """The document of an HTTP error, the same for every error of the server."""
    error: dict[str, Any] = {"code": failure.code, "message": failure.message}
    if failure.retry_after is not None:
        error["retry_after"] = failure.retry_after
    if failure.details:
        error["details"] = [{"field": detail.field, "message": detail.message} for detail in failure.details]
    return {"status": "error", "error": error, "meta": {"request_id": request_id}}


def chunk(head: Head, delta: Mapping[str, Any], reason: str | None = None) -> Chunk:
    """One chunk of the stream; `reason` is null in all but the last."""
    return Chunk(
        document={
            "id": head.id,
            "model": head.model,
            "created": head.created,
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
        }
    )


async def events(head: Head, steps: Steps) -> StreamEvents:
    """The events of a stream: a role, a chunk a step, the reason or the error, and `[DONE]`."""
    opened = False
    async with aclosing(steps):
        async for step in steps:
            if not opened:
                opened = True
                text = not isinstance(step, CallStart)
                yield chunk(head, {"role": "assistant", "content": ""} if text else {"role": "assistant"})
            yield event(head, step)
    yield Done()


def event(head: Head, step: Step) -> StreamEvent:
    """The one event that tells of a step."""
    match step:
        case Text():
            return chunk(head, {"content": step.text})
        case CallStart():
            function = {"name": step.name, "arguments": ""}
            call = {"index": step.index, "id": step.id, "type": "function", "function": function}
            return chunk(head, {"tool_calls": [call]})
        case CallArguments():
            piece = {"index": step.index, "function": {"arguments": step.fragment}}
            return chunk(head, {"tool_calls": [piece]})
        case Finish():
            return chunk(head, {}, step.reason)
        case Failure():
            return ErrorEvent(document={"code": step.code, "message": step.message})


def frame(told: StreamEvent) -> bytes:
    """The bytes of one event: LF line ends, one space after the colon, one line of ASCII JSON, a blank line.

    The page's clients need each of these; escapes keep U+0085, U+2028 and U+2029 off the wire, where
    `httpx.Response.iter_lines` would cut a line.
    """
    match told:
        case Chunk():
            return b"data: " + body(told.document) + b"\n\n"
        case ErrorEvent():
            return b"event: error\ndata: " + body(told.document) + b"\n\n"
        case Done():
            return b"data: [DONE]\n\n"


def body(document: object) -> bytes:
    """The JSON text of a document, compact and in ASCII."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode("ascii")


async def writes(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[tuple[float, bytes], None]:
    """What is written when: seconds to wait and the bytes that then go out, a frame a write.

    A pause of a millisecond lets a reader see the frames arrive one after the other; the first few hundred show that.
    """
    number = 0
    async with aclosing(frames):
        async for told in frames:
            yield 0.001 if 0 < number < _APART else 0.0, told
            number += 1


_APART: Final = 300
"""Frames of a stream that are written apart."""
