"""Servers whose answers have the wrong shape: their bodies and the envelope."""

import json
import math
import time
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import Head
from conformance.server.app import Answer, Dropped, Writes
from conformance.server.changes import (
    GONE,
    Change,
    Reaction,
    after,
    answering,
    each_answer,
    each_head,
    having,
    in_answers,
    only,
    plain,
)
from conformance.server.deviation import Fault
from conformance.server.faults.documents import UNREAD, bodies, headed, member, now_and_then, twice
from conformance.server.generation import Failure

_NOT_ASCII: Final = ("stream.text-intact", "tools.named-calls", "tools.echo-accepted", "tools.result-")
"""What asks for text that is not ASCII, or whose model writes some."""


def _field(name: str, value: str | None) -> Change:
    """Another header field of successful answers; None takes it away."""

    def edit(fields: dict[str, str], failure: Failure | None) -> dict[str, str]:
        if failure:
            return fields
        rest = {known: said for known, said in fields.items() if known != name}
        return rest if value is None else {**rest, name: value}

    return only(plain, each_head(edit))


def _raw(body: bytes) -> str:
    """The JSON text without escapes."""
    return json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))


def _cut_by_characters(body: bytes) -> bytes:
    """As many bytes as the text has characters."""
    text = _raw(body)
    return text.encode()[: len(text)]


def _broken_off(answer: Answer) -> Answer:
    """A good answer without its last bytes, and the connection closed."""
    if answer.status != 200:
        return answer

    async def writes() -> Writes:
        async for delay, data in answer.writes:
            yield delay, data[:-20]
        raise Dropped

    return replace(answer, writes=writes())


def _meta_on_top(document: Any) -> Any:
    """The meta data where errors have it, under the name that it has there."""
    return {**document, "meta": document["data"].pop("_meta")}


def _request_id(identity: str) -> Change:
    return after(member("/_meta/request_id", identity), _field("X-Request-Id", identity))


def _microseconds(head: Head) -> Head:
    return replace(head, started=time.monotonic() - (time.monotonic() - head.started) * 1000)


def _since_start() -> Reaction:
    """A clock that was started with the server."""
    started = time.monotonic()
    return headed(lambda head: replace(head, started=started))()


_BODIES: Final = (
    Fault(
        id="response-html-now-and-then",
        does="answers one request of twelve with a page of HTML and HTTP 200",
        change=now_and_then(bodies(lambda _: b"<html><body>Bad gateway</body></html>")),
        red=("response.is-json",),
        says='it begins "<html><body>',
        unseen=UNREAD,
    ),
    Fault(
        id="response-empty-now-and-then",
        does="answers one request of twelve with no body and HTTP 200",
        change=now_and_then(bodies(lambda _: b"")),
        red=("response.is-json",),
        says="at character 0; it begins",
        unseen=UNREAD,
    ),
    Fault(
        id="response-end-marker-after-json",
        does="sends the end marker of streams after its JSON",
        change=bodies(lambda body: body + b"\n\ndata: [DONE]\n\n"),
        red=("response.is-json",),
        says="Extra data",
        unseen=UNREAD,
        wild=("F-CT-01",),
    ),
    Fault(
        id="response-trailing-comma",
        does="writes its JSON with a comma before the last brace",
        change=bodies(lambda body: body[:-1] + b",}"),
        red=("response.is-json",),
        says="one JSON object in UTF-8; ",
        unseen=UNREAD,
    ),
    Fault(
        id="response-nan-without-limit",
        does="tells how much of max_tokens was used, as NaN where none was asked for",
        change=only(
            lambda asked: plain(asked) and not having("max_tokens")(asked), member("/_meta/limit_used", math.nan)
        ),
        red=("response.is-json",),
        says="NaN is not JSON",
    ),
    Fault(
        id="response-single-quotes",
        does="writes its answers as its language shows them",
        change=bodies(lambda body: repr(json.loads(body)).encode("ascii", "backslashreplace")),
        red=("response.is-json",),
        says="Expecting property name enclosed in double quotes",
        unseen=UNREAD,
    ),
    Fault(
        id="response-byte-order-mark",
        does="begins its answers with a byte order mark",
        change=bodies(lambda body: b"\xef\xbb\xbf" + body),
        red=("response.is-json",),
        says="one JSON object in UTF-8; ",
        unseen=UNREAD,
    ),
    Fault(
        id="response-utf-16",
        does="answers in UTF-16 and says so",
        change=after(
            bodies(lambda body: body.decode().encode("utf-16")),
            _field("Content-Type", "application/json; charset=utf-16"),
        ),
        red=("response.is-json",),
        says="not UTF-8",
        unseen=UNREAD,
    ),
    Fault(
        id="response-latin-1",
        does="answers in Latin-1 where it has no other characters, and says so",
        change=after(
            bodies(lambda body: _raw(body).encode("latin-1", "replace")),
            _field("Content-Type", "application/json; charset=iso-8859-1"),
        ),
        red=("response.is-json",),
        says="not UTF-8",
        unseen=_NOT_ASCII,
    ),
    Fault(
        id="response-length-in-characters",
        does="counts characters for its Content-Length, and the bytes beyond it are lost",
        change=bodies(_cut_by_characters),
        red=("response.is-json",),
        says="one JSON object in UTF-8; ",
        unseen=_NOT_ASCII,
    ),
    Fault(
        id="response-broken-off",
        does="closes the connection before the end of one body of twelve",
        change=now_and_then(answering(_broken_off)),
        red=("request.answer-is-whole",),
        says="ending: a complete HTTP answer; ",
        unseen=UNREAD,
    ),
    Fault(
        id="response-in-a-list",
        does="answers with a list of one answer",
        change=each_answer(lambda document: [document]),
        red=("response.is-json", "response.status-ok", "response.data-object"),
        says="/: one JSON object; [",
        unseen=UNREAD,
    ),
    Fault(
        id="response-as-plain-text",
        does="calls its JSON plain text",
        change=_field("Content-Type", "text/plain; charset=utf-8"),
        red=("response.content-type",),
        says="header content-type: application/json; text/plain",
    ),
    Fault(
        id="response-without-media-type",
        does="names no media type where no stream was asked for",
        change=_field("Content-Type", None),
        red=("response.content-type",),
        says="header content-type: application/json; no media type",
    ),
)

_ENVELOPE: Final = (
    Fault(
        id="response-says-success",
        does='says "success" where "ok" is due',
        change=in_answers("/status", "success"),
        red=("response.status-ok",),
        says='/status: "ok"; "success"',
    ),
    Fault(
        id="response-without-status",
        does="leaves out status",
        change=in_answers("/status", GONE),
        red=("response.status-ok",),
        says='/status: "ok"; nothing',
    ),
    Fault(
        id="response-without-envelope",
        does="answers with the bare completion, as the OpenAI surface does",
        change=each_answer(lambda document: document["data"]),
        red=("response.data-object", "response.status-ok"),
        says="/data: an object; nothing",
        unseen=UNREAD,
    ),
    Fault(
        id="response-data-in-a-string",
        does="writes the completion as JSON in a string",
        change=in_answers("/data", json.dumps),
        red=("response.data-object",),
        says='/data: an object; "{',
        unseen=UNREAD,
    ),
    Fault(
        id="response-without-meta",
        does="leaves out _meta",
        change=member("/_meta", GONE),
        red=("response.meta",),
        says="/data/_meta: an object; nothing",
        unseen=("response.request-id", "response.latency"),
    ),
    Fault(
        id="response-meta-beside-data",
        does="puts the meta data beside data, where errors have it",
        change=each_answer(_meta_on_top),
        red=("response.meta",),
        says="/data/_meta: an object; nothing",
        unseen=("response.request-id", "response.latency"),
    ),
    Fault(
        id="response-without-request-id",
        does="names the request in the header only",
        change=member("/_meta/request_id", GONE),
        red=("response.request-id",),
        says="/data/_meta/request_id: a non-empty string; nothing",
        unseen=("response.request-id-unique",),
    ),
    Fault(
        id="response-request-numbered",
        does="names requests by numbers",
        change=member("/_meta/request_id", 4242),
        red=("response.request-id",),
        says="/data/_meta/request_id: a non-empty string; 4242",
        unseen=("response.request-id-unique",),
    ),
    Fault(
        id="response-request-id-of-the-page",
        does="copies the page's request id into every answer",
        change=_request_id("req_xyz"),
        red=("response.request-id-unique",),
        says="/data/_meta/request_id: another value than in",
    ),
    Fault(
        id="response-request-id-of-two",
        does="gives two answers in a row one request id",
        change=twice(_request_id),
        red=("response.request-id-unique",),
        says="/data/_meta/request_id: another value than in",
    ),
    Fault(
        id="response-without-latency",
        does="tells no latency",
        change=member("/_meta/latency_ms", GONE),
        red=("response.latency",),
        says="/data/_meta/latency_ms: a number of 0 or more; nothing",
    ),
    Fault(
        id="response-latency-with-unit",
        does="writes the latency as text with its unit",
        change=member("/_meta/latency_ms", "310ms"),
        red=("response.latency",),
        says='/data/_meta/latency_ms: a number of 0 or more; "310ms"',
    ),
    Fault(
        id="response-latency-backwards",
        does="subtracts its times the wrong way round",
        change=member("/_meta/latency_ms", lambda old: -old - 1),
        red=("response.latency",),
        says="/data/_meta/latency_ms: a number of 0 or more; -",
    ),
    Fault(
        id="response-latency-in-microseconds",
        does="measures the latency in microseconds",
        change=headed(_microseconds),
        red=("response.latency-plausible",),
        says="/data/_meta/latency_ms: at most ",
    ),
    Fault(
        id="response-latency-is-a-date",
        does="tells when the answer was ready where it should tell how long it took",
        change=member("/_meta/latency_ms", lambda _: int(time.time() * 1000)),
        red=("response.latency-plausible",),
        says="/data/_meta/latency_ms: at most ",
    ),
    Fault(
        id="response-latency-since-start",
        does="measures the latency from the start of the server",
        change=_since_start,
        red=("response.latency-plausible",),
        says="/data/_meta/latency_ms: at most ",
    ),
)

FAULTS: Final = (*_BODIES, *_ENVELOPE)
