"""Ways to answer otherwise: exchanges of an innocent run, as another server would have made them.

Everything here is pure. Arrival times are kept where a body keeps its parts.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from conformance.checks.chunks import arrival
from conformance.exchange import Ending, Exchange, Piece, Response
from conformance.server.changes import put

Exchanges = tuple[Exchange, ...]
Change = Callable[[Exchanges], Exchanges]
One = Callable[[Exchange], Exchange]
When = Callable[[Exchange], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a stream, up to and with its blank line."""

    at: float
    data: bytes

    @property
    def document(self) -> Any:
        """The chunk it holds; None where it holds none."""
        return json.loads(self.data[6:]) if self.data.startswith(b"data: {") else None

    def of(self, document: Any) -> "Block":
        """The same moment with another chunk."""
        return replace(self, data=event(document))


Blocks = list[Block]


# Which exchanges.


def answers(exchange: Exchange) -> bool:
    """A JSON answer with a completion."""
    return _is(exchange, "application/json") and _status(exchange) == 200


def streams(exchange: Exchange) -> bool:
    """An answer that is an event stream."""
    return _is(exchange, "text/event-stream") and _status(exchange) == 200


def refusals(exchange: Exchange) -> bool:
    """An error answer."""
    return _status(exchange) >= 400


def asking(*names: str) -> When:
    """The exchanges of some probes."""
    return lambda exchange: exchange.probe in names


def first(*names: str) -> When:
    """The first requests of some probes."""
    return lambda exchange: exchange.probe in names and exchange.step == 0


def talks(exchange: Exchange) -> bool:
    """A stream of text that ran to its end."""
    return streams(exchange) and exchange.probe not in (
        "stream.tool-call",
        "stream.two-calls",
        "failures.mid-stream-error",
    )


def unbroken(exchange: Exchange) -> bool:
    """A stream that no failure ends."""
    return streams(exchange) and exchange.probe != "failures.mid-stream-error"


def _status(exchange: Exchange) -> int:
    return exchange.response.status if exchange.response else 0


def _is(exchange: Exchange, media_type: str) -> bool:
    return exchange.response is not None and (exchange.response.header("content-type") or "").startswith(media_type)


def on(when: When, *ones: One) -> Change:
    """Change the exchanges that `when` picks, and leave the others as they are."""

    def change(exchanges: Exchanges) -> Exchanges:
        found = []
        for exchange in exchanges:
            changed = exchange
            for one in ones if when(exchange) else ():
                changed = one(changed)
            found.append(changed)
        return tuple(found)

    return change


def after(*changes: Change) -> Change:
    """One change after the other."""

    def change(exchanges: Exchanges) -> Exchanges:
        for each in changes:
            exchanges = each(exchanges)
        return exchanges

    return change


# Heads and whole bodies.


def _response(exchange: Exchange) -> Response:
    assert exchange.response is not None
    return exchange.response


def with_header(name: str, value: str | None) -> One:
    """A header in the place of all of its name; None takes it away."""

    def change(exchange: Exchange) -> Exchange:
        head = _response(exchange)
        rest = tuple(pair for pair in head.headers if pair[0].lower() != name.lower())
        added = ((name, value),) if value is not None else ()
        return replace(exchange, response=replace(head, headers=rest + added))

    return change


def with_status(status: int) -> One:
    """Another status, and nothing else."""
    return lambda exchange: replace(exchange, response=replace(_response(exchange), status=status))


def with_body(body: bytes | Callable[[bytes], bytes], media_type: str = "") -> One:
    """Another body, come in one piece."""

    def change(exchange: Exchange) -> Exchange:
        data = body if isinstance(body, bytes) else body(exchange.body)
        moment = exchange.pieces[-1].at if exchange.pieces else _response(exchange).at
        changed = replace(exchange, pieces=(Piece(at=moment, data=data),) if data else ())
        changed = with_header("Content-Length", str(len(data)))(changed)
        return with_header("Content-Type", media_type)(changed) if media_type else changed

    return change


def refused(status: int, code: str, message: str = "It was refused.", **members: Any) -> One:
    """The JSON error envelope, with a request id and more members of `error`."""

    def change(exchange: Exchange) -> Exchange:
        own = f"req-{exchange.id}"
        document = {
            "status": "error",
            "error": {"code": code, "message": message, **members},
            "meta": {"request_id": own},
        }
        answered = with_body(json.dumps(document).encode(), "application/json")(with_status(status)(exchange))
        return with_header("X-Request-Id", own)(answered)

    return change


def throttled(status: int, code: str) -> One:
    """A target that is too busy to serve, and says for how long."""
    return lambda exchange: with_header("Retry-After", "1")(refused(status, code, retry_after=1)(exchange))


def cut(ending: Ending, *, keep: int | None = None, detail: str = "the peer closed the connection") -> One:
    """The body up to some bytes, and then another ending."""

    def change(exchange: Exchange) -> Exchange:
        left = len(exchange.body) if keep is None else keep
        pieces = []
        for piece in exchange.pieces:
            if left > 0:
                pieces.append(replace(piece, data=piece.data[:left]))
            left -= len(piece.data)
        return replace(exchange, pieces=tuple(pieces), ended=ending, detail=detail)

    return change


def answered_as(probe: str, change: Callable[[Any], Any] = lambda document: document) -> Callable[[When], Change]:
    """Give some exchanges the answer of another probe, with an id and a request id of their own."""

    def for_those(when: When) -> Change:
        def every(exchanges: Exchanges) -> Exchanges:
            model = next(exchange for exchange in exchanges if exchange.probe == probe)

            def one(exchange: Exchange) -> Exchange:
                document = json.loads(model.body)
                own = f"req-{exchange.id}"
                document["data"]["id"] = f"chatcmpl-{exchange.id}"
                document["data"]["_meta"]["request_id"] = own
                copy = replace(exchange, response=model.response, pieces=model.pieces, elapsed=model.elapsed)
                return with_body(json.dumps(change(document)).encode())(with_header("X-Request-Id", own)(copy))

            return on(when, one)(exchanges)

        return every

    return for_those


# JSON.


def with_json(pointer: str, value: Any) -> One:
    """An answer's document with another value at a pointer."""
    return rewritten(lambda document: put(document, pointer, value))


def rewritten(change: Callable[[Any], Any]) -> One:
    """An answer's document as `change` makes it."""
    return with_body(lambda body: json.dumps(change(json.loads(body))).encode())


# Streams.


def event(document: Any) -> bytes:
    """A chunk as an event."""
    return b"data: " + json.dumps(document, separators=(",", ":")).encode() + b"\n\n"


def blocks_of(exchange: Exchange) -> Blocks:
    """The stream's parts, each with the time at which its end came."""
    body = exchange.body
    ends = [match.end() for match in re.finditer(rb"\n\n", body)]
    starts = [0, *ends[:-1]]
    return [
        Block(at=arrival(exchange, end), data=body[start:end]) for start, end in zip(starts, ends, strict=True) if end
    ]


def with_blocks(change: Callable[[Blocks], Blocks]) -> One:
    """A stream with other parts."""

    def one(exchange: Exchange) -> Exchange:
        made = change(blocks_of(exchange))
        return replace(exchange, pieces=tuple(Piece(at=block.at, data=block.data) for block in made if block.data))

    return one


def each_block(change: Callable[[bytes], bytes]) -> One:
    """A stream with every part rewritten."""
    return with_blocks(lambda blocks: [replace(block, data=change(block.data)) for block in blocks])


def each_chunk(change: Callable[[Any], Any]) -> One:
    """A stream with every chunk rewritten; None takes a chunk away."""

    def every(blocks: Blocks) -> Blocks:
        found = []
        for block in blocks:
            if block.document is None:
                found.append(block)
            elif (made := change(block.document)) is not None:
                found.append(block.of(made))
        return found

    return with_blocks(every)


def with_chunk(pointer: str, value: Any) -> One:
    """A stream with another value at a pointer of every chunk."""
    return each_chunk(lambda document: put(document, pointer, value))


def with_nth(number: int, change: Callable[[Any], Any]) -> One:
    """A stream with its chunk of this number rewritten; negative numbers count from the last."""

    def one(blocks: Blocks) -> Blocks:
        place = [place for place, block in enumerate(blocks) if block.document is not None][number]
        return [*blocks[:place], blocks[place].of(change(blocks[place].document)), *blocks[place + 1 :]]

    return with_blocks(one)


def inserted(number: int, data: bytes) -> One:
    """A stream with bytes put before the part of this number; negative numbers count from the end."""

    def one(blocks: Blocks) -> Blocks:
        place = number % len(blocks)
        return [*blocks[:place], Block(at=blocks[place].at, data=data), *blocks[place:]]

    return with_blocks(one)


def ended_by(data: bytes) -> One:
    """A stream with other bytes in the place of its last part, the end marker."""
    return with_blocks(lambda blocks: [*blocks[:-1], replace(blocks[-1], data=data)])


def in_one_body(change: Callable[[bytes], bytes]) -> One:
    """A stream whose bytes are rewritten as a whole, and spread over the same moments in the same proportion."""

    def one(exchange: Exchange) -> Exchange:
        data, before, seen, start = change(exchange.body), len(exchange.body), 0, 0
        pieces = []
        for piece in exchange.pieces:
            seen += len(piece.data)
            end = len(data) * seen // before
            pieces.append(Piece(at=piece.at, data=data[start:end]))
            start = end
        return replace(exchange, pieces=tuple(piece for piece in pieces if piece.data))

    return one


def content(document: Any) -> str:
    """The text that a chunk adds."""
    found = document["choices"][0]["delta"].get("content")
    return found if isinstance(found, str) else ""
