"""Servers that are odd and break nothing: no requirement may turn red on them, not even a SHOULD."""

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.exchange import Exchange, Piece
from conformance.server.changes import GONE, put
from tests.miniatures.answers import WORDS
from tests.miniatures.chunks import CONTENT, DELTA, USAGE
from tests.miniatures.framing import COUNTING
from tests.miniatures.reasons import REASON
from tests.miniatures.wire import (
    Blocks,
    Change,
    Exchanges,
    One,
    after,
    answers,
    asking,
    content,
    each_block,
    each_chunk,
    ended_by,
    event,
    first,
    in_one_body,
    inserted,
    on,
    refusals,
    refused,
    rewritten,
    streams,
    talks,
    with_blocks,
    with_body,
    with_chunk,
    with_header,
    with_json,
    with_nth,
    with_status,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A server that is odd and right."""

    name: str
    """What it does, as a predicate."""
    change: Change
    unseen: tuple[str, ...] = ()
    """Beginnings of the ids that may become inconclusive."""


def odd(name: str, change: Change, *unseen: str) -> Variant:
    """A variant."""
    return Variant(name=name, change=change, unseen=unseen)


MORE: Final = {"x_extra": {"deep": [1, None, "x"]}, "object": "anything", "system_fingerprint": None}
LATER: Final = {"id": None, "model": None, "created": None, "usage": {"total_tokens": None}}
EMPTY: Final = event({"choices": [{"index": 0, "delta": {}, "finish_reason": None}]})
BLANK: Final = event({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": None}]})
THOUGHT: Final = event({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}, "finish_reason": None}]})
CALLING: Final = first("tools.required-call", "parameters.tool-choice-required", "parameters.tool-choice-named")
ABOVE: Final = asking("parameters.over-cap", "parameters.long-over-cap")


def everything(exchange: Exchange) -> bool:
    """Every exchange."""
    return exchange.response is not None


def _widened(value: Any) -> Any:
    """The document with more members in every object."""
    if isinstance(value, dict):
        return {name: _widened(item) for name, item in value.items()} | MORE
    return [_widened(item) for item in value] if isinstance(value, list) else value


def _at_once(blocks: Blocks) -> Blocks:
    """One chunk with the whole text and the reason, then the end marker."""
    documents = [block.document for block in blocks if block.document is not None]
    last = put(documents[-1], CONTENT, "".join(map(content, documents)))
    return [blocks[-2].of(last), blocks[-1]]


def _by_character(blocks: Blocks) -> Blocks:
    found = []
    for block in blocks:
        said = content(block.document) if block.document is not None else ""
        if len(said) < 2:
            found.append(block)
        else:
            found += [block.of(put(block.document, CONTENT, character)) for character in said]
    return found


def _reason_with_text(blocks: Blocks) -> Blocks:
    """The reason in the last chunk that has text."""
    reason = blocks[-2].document["choices"][0]["finish_reason"]
    return [*blocks[:-3], blocks[-3].of(put(blocks[-3].document, REASON, reason)), blocks[-1]]


def _broken_off(code: str) -> One:
    """A failure of the backend in the place of the reason."""
    error = f'event: error\ndata: {{"code":"{code}","message":"the backend stopped"}}\n\n'.encode()
    return with_blocks(lambda blocks: [*blocks[:-2], replace(blocks[-2], data=error), blocks[-1]])


def _bare(document: Any) -> Any:
    """A chunk with nothing but what the page's client reads, and the reason."""
    choice = document["choices"][0]
    kept = {name: choice[name] for name in ("delta", "finish_reason") if choice.get(name) is not None}
    return {"choices": [kept]}


def _packed(coding: str, pack: Callable[[bytes], bytes]) -> tuple[One, One]:
    return with_body(pack), with_header("Content-Encoding", coding)


def _renamed_headers(write: Callable[[str], str]) -> One:
    def one(exchange: Exchange) -> Exchange:
        assert exchange.response is not None
        headers = tuple((write(name), value) for name, value in exchange.response.headers)
        return replace(exchange, response=replace(exchange.response, headers=headers))

    return one


def _old_http(exchange: Exchange) -> Exchange:
    assert exchange.response is not None
    head = replace(exchange.response, http_version="HTTP/1.0", reason="")
    return with_header("Transfer-Encoding", None)(with_header("Content-Length", None)(replace(exchange, response=head)))


def _elsewhere(exchange: Exchange) -> Exchange:
    """The same on the other surface."""
    return replace(exchange, profile="openai")


def _later(seconds: float) -> One:
    """The same, after some silence."""

    def one(exchange: Exchange) -> Exchange:
        pieces = tuple(Piece(at=piece.at + seconds, data=piece.data) for piece in exchange.pieces)
        return replace(exchange, pieces=pieces, elapsed=exchange.elapsed + seconds)

    return one


def _timed(said: float, ended: float) -> One:
    """All but the last word at one time, that and the end at another; in seconds."""

    def one(exchange: Exchange) -> Exchange:
        last = len(exchange.pieces) - 3  # a reason and the end marker follow it
        pieces = tuple(
            Piece(at=said if number < last else ended, data=piece.data) for number, piece in enumerate(exchange.pieces)
        )
        return replace(exchange, pieces=pieces, elapsed=ended)

    return one


def _fast(exchange: Exchange) -> Exchange:
    """A second of silence, and then two pieces in a millisecond."""
    pieces = tuple(replace(piece, at=1.0 + number / 2000) for number, piece in enumerate(exchange.pieces))
    return replace(exchange, pieces=pieces, elapsed=pieces[-1].at)


def _silent(document: Any) -> Any:
    return put(document, CONTENT, "")


def _throttled(*names: str) -> Change:
    """Some requests get a 429 first, and their answer at the second try."""

    def change(exchanges: Exchanges) -> Exchanges:
        found: list[Exchange] = []
        for exchange in exchanges:
            if exchange.probe in names:
                found.append(replace(refused(429, "RATE_LIMITED")(exchange), retried=True))
                found.append(replace(exchange, attempt=2))
            else:
                found.append(exchange)
        return tuple(found)

    return change


def _thinks(document: Any) -> Any:
    usage = document["data"]["usage"]
    usage["completion_tokens_details"] = {"reasoning_tokens": 40}
    usage["total_tokens"] += 40
    return put(document, "/data/choices/0/message/reasoning_content", "Hm.")


def _starved(exchange: Exchange) -> Exchange:
    """A reasoning model that spent its whole limit on thinking."""
    limit = json.loads(exchange.request.body).get("max_tokens")
    if limit is None:
        return exchange
    if ABOVE(exchange):
        limit -= 1  # what was asked is one above the model's own limit

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= {"completion_tokens": limit, "total_tokens": usage["prompt_tokens"] + limit}
        document["data"]["choices"][0] |= {
            "finish_reason": "length",
            "message": {"role": "assistant", "content": "", "reasoning_content": "Hm."},
        }
        return document

    return rewritten(change)(exchange)


def _hidden(exchange: Exchange) -> Exchange:
    """The same, of thoughts that it keeps to itself."""
    return with_json("/data/choices/0/message/reasoning_content", GONE)(_starved(exchange))


def _starved_chunk(document: Any) -> Any:
    reason = document["choices"][0]["finish_reason"]
    return put(put(document, CONTENT, ""), REASON, "length" if reason else None)


def _said(text: str) -> Change:
    """Another wording in every stream."""
    return on(talks, with_nth(1, lambda document: put(document, CONTENT, text)))


def _spaced(block: bytes) -> bytes:
    """The chunk with blanks wherever JSON takes them."""
    if not block.startswith(b"data: {"):
        return block
    return b"data: " + json.dumps(json.loads(block[6:]), separators=(" , ", " : ")).encode() + b" \n\n"


def _without_calls(document: Any, value: Any) -> Any:
    message = document["data"]["choices"][0]["message"]
    message.setdefault("tool_calls", value)
    return document


FRAMING: Final = (
    odd("keeps alive by comments", on(streams, each_block(lambda block: b": keep-alive\n\n" + block))),
    odd("comments within its events", on(streams, each_block(lambda block: b": ping\n" + block))),
    odd("comments after its end marker", on(streams, ended_by(b"data: [DONE]\n\n: bye\n\n:\n"))),
    odd("comments between the error and its end", on(streams, inserted(-1, b": still here\n\n"))),
    odd(
        "separates its events widely", on(streams, in_one_body(lambda body: b"\n" + body.replace(b"\n\n", b"\n\n\n\n")))
    ),
    odd("numbers its events", on(talks, each_block(lambda block: b"id: 7\nretry: 3000\n" + block))),
    odd("names its events message", on(talks, each_block(lambda block: b"event: message\n" + block))),
    odd("sends empty deltas", on(streams, inserted(1, EMPTY), inserted(-2, EMPTY))),
    odd("sends empty texts", on(streams, inserted(1, BLANK), inserted(-2, BLANK))),
    odd(
        "answers in one event", on(talks, with_blocks(_at_once)), "stream.not-in-one-burst", "stream.deltas-not-repeats"
    ),
    odd("answers character by character", on(talks, with_blocks(_by_character))),
    odd("writes spaces into its chunks", on(streams, each_block(_spaced))),
    odd("escapes slashes", on(streams, each_block(lambda block: block.replace(b"reference/", b"reference\\/")))),
    odd("counts what it has written so far", on(talks, with_chunk("/usage", {"completion_tokens": 1}))),
    odd(
        "says null in its later chunks",
        on(talks, each_chunk(lambda document: document | (LATER if content(document) == "" else {}))),
    ),
    odd("says when to come back", on(streams, inserted(0, b"retry: 3000\n\n"))),
    odd(
        "takes as long for a word as for a count",
        after(on(COUNTING, _timed(1.0, 1.01)), on(asking("stream.greeting"), _timed(1.0, 1.01))),
        "stream.not-in-one-burst",
    ),
    odd(
        "thinks for a second about a count, and for ever about a word",
        after(on(COUNTING, _timed(1.0, 1.01)), on(asking("stream.greeting"), with_nth(1, _silent))),
        "stream.not-in-one-burst",
    ),
    odd("thinks for a second, and then writes fast", on(COUNTING, _fast), "stream.not-in-one-burst"),
    odd("answers too fast to tell how", on(COUNTING, _timed(0.05, 0.05)), "stream.not-in-one-burst"),
    odd("pauses before its last word", on(COUNTING, _timed(1.0, 2.0))),
    odd("starts late", on(streams, _later(20.0)), "stream.not-in-one-burst"),
    odd("says the charset of its stream", on(streams, with_header("Content-Type", "text/event-stream; charset=utf-8"))),
    odd(
        "writes its media type in capitals", on(streams, with_header("content-type", "Text/Event-Stream;charset=UTF-8"))
    ),
)


CHUNKS: Final = (
    odd("names no role", on(streams, with_chunk(DELTA + "/role", GONE))),
    odd("names its role in every chunk", on(streams, with_chunk(DELTA + "/role", "assistant"))),
    odd("names the role null", on(streams, with_nth(2, lambda document: put(document, DELTA + "/role", None)))),
    odd("gives the reason with the last text", on(talks, with_blocks(_reason_with_text))),
    odd("sends only what the page's clients read", on(streams, each_chunk(_bare))),
    odd("adds members everywhere in its chunks", on(streams, each_chunk(_widened))),
    odd("calls no tools by null", on(talks, with_chunk(DELTA + "/tool_calls", None))),
    odd("calls no tools by an empty list", on(talks, with_chunk(DELTA + "/tool_calls", []))),
    odd("counts tokens in its last chunk", on(streams, with_nth(-1, lambda document: document | {"usage": USAGE}))),
    odd("gives null for usage until it knows", on(streams, with_chunk("/usage", None))),
    odd("thinks before it talks", on(streams, inserted(0, THOUGHT))),
    odd("names no stream", on(streams, with_chunk("/id", GONE))),
    odd("names its streams in its own way", on(streams, with_chunk("/id", "№ 1 / \N{SNOWMAN}"))),
    odd(
        "tells the time of each chunk",
        on(streams, with_nth(2, lambda document: put(document, "/created", lambda old: old + 3))),
    ),
    odd(
        "words its streams otherwise",
        _said("Well, 1 is"),
        "finish.stream-length",
        "stream.done-in-text",
        "parameters.stop-in-stream",
    ),
)

ANSWERS: Final = (
    odd("adds members everywhere", on(answers, rewritten(_widened))),
    odd("gives tool_calls null where there are none", on(answers, rewritten(lambda d: _without_calls(d, None)))),
    odd("gives tool_calls [] where there are none", on(answers, rewritten(lambda d: _without_calls(d, [])))),
    odd("leaves out content beside tool calls", on(CALLING, with_json("/data/choices/0/message/content", GONE))),
    odd("gives empty content beside tool calls", on(CALLING, with_json("/data/choices/0/message/content", ""))),
    odd("thinks and counts it", on(answers, rewritten(_thinks))),
    odd(
        "names its answers in its own way",
        on(answers, rewritten(lambda d: put(d, "/data/id", lambda old: f"№ {old[-9:]}"))),
    ),
    odd("measures parts of milliseconds", on(answers, with_json("/data/_meta/latency_ms", 0.125))),
    odd(
        "takes its time, and says how long",
        on(answers, lambda exchange: replace(exchange, elapsed=2.0), with_json("/data/_meta/latency_ms", 1990)),
    ),
    odd("measures nothing", on(answers, with_json("/data/_meta/latency_ms", 0))),
    odd("writes its time with a point", on(answers, with_json("/data/created", float))),
    odd("writes its counts with a point", on(answers, with_json("/data/usage/total_tokens", float))),
    odd(
        "indents its JSON",
        on(answers, with_body(lambda body: b"\n " + json.dumps(json.loads(body), indent=3).encode() + b"\r\n\n")),
    ),
    odd(
        "writes raw UTF-8",
        on(answers, with_body(lambda body: json.dumps(json.loads(body), ensure_ascii=False).encode())),
    ),
    odd("says the charset of its JSON", on(answers, with_header("Content-Type", "application/json; charset=utf-8"))),
    odd("writes JSON's name in capitals", on(answers, with_header("Content-Type", "Application/JSON"))),
    odd("packs its JSON with gzip", on(answers, *_packed("gzip", gzip.compress))),
    odd("packs its JSON with x-gzip", on(answers, *_packed("X-GZIP", gzip.compress))),
    odd("packs its JSON with deflate", on(answers, *_packed("deflate", zlib.compress))),
    odd(
        "packs its streams with gzip",
        on(streams, *_packed("gzip", gzip.compress), _later(1.0)),
        "stream.not-in-one-burst",
        "stream.closes",
    ),
    odd("says that it packed nothing", on(everything, with_header("Content-Encoding", "identity"))),
    odd(
        "spends its limit on thoughts that it hides",
        on(asking("plain.greeting", "plain.documented"), _hidden),
        "response.content-not-empty",
        "finish.stop",
        "parameters.metadata-same-shape",
    ),
    odd(
        "spends its limit on thinking",
        after(
            on(lambda exchange: answers(exchange) and exchange.probe != "failures.content-filter", _starved),
            on(talks, each_chunk(_starved_chunk)),
        ),
        "response.",
        "finish.",
        "stream.",
        *WORDS,
        "messages.answers-not-crossed",
        "parameters.stop-",
        "tools.",
    ),
)

HTTP: Final = (
    odd("writes header names in capitals", on(everything, _renamed_headers(str.upper))),
    odd("writes header names in small letters", on(everything, _renamed_headers(str.lower))),
    odd("sends headers of its own", on(everything, with_header("X-Extra", "1"), with_header("Server", "odd/1"))),
    odd("speaks HTTP/1.0 and closes", on(everything, _old_http)),
    odd("throttles now and then", _throttled("plain.minimal", "stream.counting", "parameters.seed", "auth.no-key")),
    odd("throttles the first request", _throttled("plain.greeting")),
    odd("adds members to its refusals", on(refusals, rewritten(_widened))),
    odd(
        "refuses without more than it must",
        on(refusals, rewritten(lambda document: put(document, "/error/details", GONE))),
        "errors.details-name-the-field",
    ),
    odd("calls a bare key missing", on(asking("auth.bare-key"), with_json("/error/code", "AUTH_TOKEN_MISSING"))),
    odd("calls a bare key invalid", on(asking("auth.bare-key"), with_json("/error/code", "AUTH_TOKEN_INVALID"))),
    odd("calls a stream's mistake a bad request", on(asking("stream.no-messages"), with_status(400))),
    odd(
        "has a code of its own for a bare key on the other surface",
        on(asking("auth.bare-key"), with_json("/error/code", "INVALID_API_KEY"), _elsewhere),
    ),
    odd(
        "says more of a failure",
        on(streams, each_block(lambda block: block.replace(b'{"code":', b'{"x": 1, "code" : '))),
    ),
    *(
        odd(
            f"has a backend that fails with {code} before a token limit",
            on(asking("stream.cut-short"), _broken_off(code)),
            "stream.max-tokens",
            "finish.stream-length",
        )
        for code in ("BACKEND_ERROR", "BACKEND_TIMEOUT", "BACKEND_RATE_LIMITED", "MODEL_UNAVAILABLE")
    ),
    odd("fails later", on(asking("failures.mid-stream-error"), inserted(-2, b": waiting\n\n"), _later(4.0))),
)

VARIANTS: Final = (*FRAMING, *CHUNKS, *ANSWERS, *HTTP)
