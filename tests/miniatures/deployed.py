"""Odd servers as deployments have them: gateways, frameworks and providers that keep the page in their own way."""

import json
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange, Piece
from conformance.server.changes import put
from tests.miniatures.framing import COUNTING
from tests.miniatures.variants import THOUGHT, Variant, odd
from tests.miniatures.wire import (
    answers,
    asking,
    inserted,
    on,
    refusals,
    rewritten,
    streams,
    talks,
    with_body,
    with_chunk,
    with_header,
    with_status,
)

FORBIDDEN: Final = b'{"message":"Missing Authentication Token"}'


def _thinking(document: Any) -> Any:
    """The same answer after forty tokens of thoughts, which are counted and not limited."""
    usage = document["data"]["usage"]
    usage["completion_tokens"] += 40
    usage["total_tokens"] += 40
    return put(document, "/data/usage/completion_tokens_details", {"reasoning_tokens": 40})


def _of_a_language(document: Any) -> Any:
    """Fields as a validator names them that knows the members of a class."""
    for row in document["error"].get("details") or ():
        row["field"] = "ChatRequest." + "".join(word.title() for word in row["field"].split("_"))
    return document


def _aloud(exchange: Exchange) -> Exchange:
    """Thoughts for two seconds, and then the whole text at once."""
    chunk = json.loads(THOUGHT.removeprefix(b"data: "))
    thoughts = tuple(
        Piece(at=0.05 * number, data=b"data: " + json.dumps(chunk).encode() + b"\n\n") for number in range(1, 41)
    )
    text = tuple(replace(piece, at=2.01) for piece in exchange.pieces)
    return replace(exchange, pieces=(*thoughts, *text), elapsed=2.02)


VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "forbids whatever path it does not know",
        on(asking("errors.wrong-path"), with_status(403), with_body(FORBIDDEN, "application/json")),
    ),
    odd("counts thoughts that no limit holds", on(answers, rewritten(_thinking)), "finish.length"),
    odd(
        "counts thoughts that no limit holds in streams",
        on(
            talks,
            with_chunk(
                "/usage",
                {
                    "prompt_tokens": 5,
                    "completion_tokens": 300,
                    "total_tokens": 305,
                    "completion_tokens_details": {"reasoning_tokens": 299},
                },
            ),
        ),
    ),
    odd("names members as its language does", on(refusals, rewritten(_of_a_language))),
    odd(
        "has a media type of its own for errors", on(refusals, with_header("Content-Type", "application/vnd.grid+json"))
    ),
    odd("says from where to come back, and when", on(streams, inserted(0, b"id: 0\nretry: 3000\n\n"))),
    odd("thinks aloud, and then writes at once", on(COUNTING, _aloud), "stream.not-in-one-burst"),
)
