"""Exchanges written by hand, for tests that need a few and no server."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Ending, Exchange, Piece, Request, Response

DONE: Final = b"data: [DONE]\n\n"


def answered(
    body: bytes | Mapping[str, Any],
    *,
    asked: Mapping[str, Any] | None = None,
    status: int = 200,
    kind: str = "application/json",
    **members: Any,
) -> Exchange:
    """A legal request with the members of `asked`, and this answer; `members` are those of the exchange."""
    document = {"model": "m", "messages": [{"role": "user", "content": "Hi."}]} | dict(asked or {})
    made = Exchange(
        probe="x",
        request=Request(
            method="POST",
            url="http://x/v1/inference/chat",
            headers=(("Authorization", "Bearer ***"), ("Content-Type", "application/json")),
            body=json.dumps(document).encode(),
        ),
        response=Response(status=status, reason="", http_version="HTTP/1.1", headers=(("Content-Type", kind),), at=0.1),
        pieces=(Piece(at=0.2, data=body if isinstance(body, bytes) else json.dumps(body).encode()),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.3,
    )
    return replace(made, **members)


def completed(
    text: str, *, reason: Any = "stop", tokens: int = 1, asked: Mapping[str, Any] | None = None, **members: Any
) -> Exchange:
    """An unstreamed answer of one text."""
    body = {
        "status": "ok",
        "data": {
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}],
            "usage": {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens},
        },
    }
    return answered(body, asked=asked, **members)


def streamed(*texts: str, reason: Any = "stop", asked: Mapping[str, Any] | None = None, **members: Any) -> Exchange:
    """A streamed answer of these pieces of text, to its end marker."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]} for text in texts]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + DONE
    return answered(body, asked={"stream": True, **(asked or {})}, kind="text/event-stream", **members)
