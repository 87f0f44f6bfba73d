"""Servers that serve what they must refuse, and oddly: only that they serve it is held against them."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange, Response
from conformance.probes import messages, parameters, stream, tools
from conformance.server.changes import GONE
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.streamed_calls import CALL
from tests.miniatures.wire import Change, after, asking, event, on, with_body, with_chunk


def _oddly(body: bytes, media_type: str) -> Callable[[Exchange], Exchange]:
    """HTTP 200 with no header of the server's own."""

    def one(exchange: Exchange) -> Exchange:
        assert exchange.response is not None
        head: Response = replace(exchange.response, status=200, headers=())
        return with_body(body, media_type)(replace(exchange, response=head))

    return one


def _answered(probe: str, message: Any) -> Change:
    document = {
        "status": "success",
        "data": {
            "id": "",
            "model": "backend",
            "choices": [{"index": 1, "message": message, "finish_reason": "eos"}],
            "usage": {"prompt_tokens": 0, "completion_tokens": 9000, "total_tokens": 1},
        },
    }
    return on(asking(probe), _oddly(json.dumps(document).encode(), "text/plain"))


def _streaming(exchange: Exchange) -> Exchange:
    """The request as one for a stream."""
    body = json.dumps(json.loads(exchange.request.body) | {"stream": True}).encode()
    return replace(exchange, request=replace(exchange.request, body=body))


def _unnumbered(probe: str) -> Change:
    """A streamed call without an index."""
    return as_told(stream.TOOL_CALL.name, asking(probe), with_chunk(CALL + "/index", GONE))


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "serves an unknown role in a form of its own",
        _answered(messages.ROLE_UNKNOWN.name, {"role": "model", "content": 7, "tool_calls": "none"}),
        "messages.role-known",
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    faulty(
        "serves an unknown choice of tools in a form of its own",
        _answered(tools.CHOICE_WORD.name, {"content": "It is", "tool_calls": [{"id": 7}, {"id": 7}]}),
        "tools.choice-known",
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    faulty(
        "streams without messages, and in a form of its own",
        on(asking(stream.NO_MESSAGES.name), _oddly(b"data:" + event({"data": {}})[5:].replace(b"\n", b"\r"), "")),
        "stream.errors-before-are-http",
        says="HTTP 200 with an event stream",
    ),
    faulty(
        "streams a call for an unknown choice of tools, and oddly",
        after(_unnumbered(tools.CHOICE_WORD.name), on(asking(tools.CHOICE_WORD.name), _streaming)),
        "tools.choice-known",
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    faulty(
        "streams a call where no stream was asked for, and oddly",
        _unnumbered(parameters.TOOLS.name),
        "response.not-a-stream",
        "response.is-json",
        says="one JSON answer; an event stream",
    ),
)
