"""Servers that break over an honest request, or answer it in another form than was asked for."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Answer, Behaviour
from conformance.server.changes import (
    Asked,
    Change,
    answering,
    asking,
    one_in,
    only,
    plain,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.faults.telling import VALIDATION, arriving, coded, cut, refused_as, telling
from conformance.server.site import Arrival

CRASH: Final = refused_as(500, "INTERNAL_ERROR", "The server failed; the fault is not yours.")
BAD_TEXT: Final = refused_as(422, VALIDATION, "The request is not valid: body: not text")
HALF: Final = rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
"""Half of a surrogate pair, as JSON escapes it."""


def reading(edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of those that came."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, parsed=lambda raw: behaviour.parsed(edit(raw)))

    return lambda: react


def _sends(pattern: bytes) -> Callable[[Arrival], bool]:
    return lambda arrival: re.search(pattern, arrival.body or b"") is not None


def _accepts_nothing(arrival: Arrival) -> bool:
    return "accept" not in arrival.headers


def _role_given(asked: Asked) -> bool:
    """Whether the first message tells the assistant who it is."""
    first: Any = next(iter(asked.get("messages") or [{}]), {})
    return isinstance(first, dict) and first.get("role") == "system" and str(first.get("content")).startswith("You are")


def _has_system(asked: Asked) -> bool:
    messages = asked.get("messages")
    return any(isinstance(each, dict) and each.get("role") == "system" for each in messages or ())


def _unbounded(asked: Asked) -> bool:
    return plain(asked) and "messages" in asked and "max_tokens" not in asked


def _created(answer: Answer) -> Answer:
    return replace(answer, status=201) if answer.status == 200 else answer


REQUEST: Final = (
    Fault(
        id="request-answered-201",
        does="answers plain requests with 201",
        change=only(plain, answering(_created)),
        red=("request.endpoint-answers", "finish.content-filter"),
        says="status: HTTP 200; HTTP 201",
    ),
    Fault(
        id="request-cold-start",
        does="fails over the first request after its start",
        change=one_in(10**6, CRASH),
        red=("request.endpoint-answers", "messages.system-optional"),
        says="status: HTTP 200; HTTP 500 INTERNAL_ERROR",
        unseen=(
            "auth.",
            "errors.",
            "messages.",
            "multimodal.",
            "parameters.",
            "request.",
            "response.",
            "stream.",
            "tools.",
        ),
    ),
    Fault(
        id="request-long-answers-cut",
        does="closes the connection in the middle of a long answer",
        change=only(plain, answering(lambda answer: cut(answer, above=1500))),
        red=("request.answer-is-whole",),
        says="ending: a complete HTTP answer; reset: closed before the body was whole",
        unseen=("parameters.max-tokens-cap-kept",),
    ),
    Fault(
        id="request-answers-cut-now-and-then",
        does="closes the connection in the middle of one JSON answer of thirty",
        change=one_in(30, answering(cut), when=plain, first=20),
        red=("request.answer-is-whole",),
        says="ending: a complete HTTP answer; reset: closed before the body was whole",
        unseen=("parameters.metadata-same-shape",),
    ),
    Fault(
        id="request-refusals-cut",
        does="closes the connection in the middle of a refusal of a body that it cannot read",
        change=only(lambda asked: not asked, telling(coded(VALIDATION), cut)),
        red=("request.answer-is-whole",),
        says="ending: a complete HTTP answer; reset: closed before the body was whole",
        unseen=("errors.malformed-json-enveloped",),
    ),
    Fault(
        id="request-max-tokens-required",
        does="wants max_tokens in every request",
        change=only(_unbounded, refused_as(422, VALIDATION, "max_tokens is missing")),
        red=("request.minimal-body",),
        says="status: HTTP 200, as for plain.greeting",
    ),
    Fault(
        id="request-crashes-without-max-tokens",
        does="fails with 500 over a request without max_tokens",
        change=only(_unbounded, CRASH),
        red=("request.minimal-body",),
        says="HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="request-guard-against-roles",
        does="takes a conversation that begins by telling the assistant who it is for an attack",
        change=only(_role_given, refused_as(403, "PROMPT_BLOCKED", "This prompt is not allowed.")),
        red=("request.documented-example",),
        says="status: HTTP 200, as for plain.greeting",
    ),
    Fault(
        id="request-no-system-messages",
        does="refuses system messages",
        change=only(_has_system, refused_as(422, VALIDATION, "messages[0].role: not supported")),
        red=(
            "request.documented-example",
            "messages.system-accepted",
            "messages.system-anywhere",
            "messages.history-accepted",
        ),
        says="status: HTTP 200, as for plain.greeting",
        unseen=("messages.",),
    ),
    Fault(
        id="request-firewall-against-four-bytes",
        does="stands behind a firewall that takes characters of four bytes for an attack",
        change=only(plain, arriving(_sends(b"[\xf0-\xf4]"), BAD_TEXT)),
        red=("request.raw-utf8",),
        says="status: HTTP 200, as for plain.greeting",
        unseen=("stream.text-intact",),
    ),
    Fault(
        id="request-reads-ascii",
        does="refuses bytes beyond ASCII",
        change=arriving(_sends(b"[\x80-\xff]"), BAD_TEXT),
        red=(
            "request.raw-utf8",
            "parameters.tool-choice-none",
            "parameters.tool-choice-named",
            "tools.history-by-hand",
        ),
        says="status: HTTP 200, as for plain.greeting",
        unseen=("stream.text-intact", "stream.tool-framing", "messages.tool-accepted", "tools."),
    ),
    Fault(
        id="request-reads-latin-1",
        does="reads UTF-8 as Latin-1",
        change=reading(lambda raw: raw.decode("latin-1").encode()),
        red=("request.raw-utf8",),
        says="its UTF-8 read as Latin-1",
    ),
    Fault(
        id="request-loses-bytes-beyond-ascii",
        does="reads a replacement character for each byte beyond ASCII",
        change=reading(lambda raw: raw.decode("ascii", "replace").encode()),
        red=("request.raw-utf8",),
        says="with U+FFFD in it",
    ),
    Fault(
        id="request-loses-surrogate-pairs",
        does="reads a replacement character for each half of a surrogate pair",
        change=reading(lambda raw: re.sub(HALF, rb"\\ufffd", raw)),
        red=("request.escaped-unicode",),
        says="with U+FFFD in it",
    ),
    Fault(
        id="request-refuses-surrogate-pairs",
        does="refuses escapes of characters beyond the first plane",
        change=arriving(_sends(HALF), BAD_TEXT),
        red=("request.escaped-unicode",),
        says="status: HTTP 200, as for plain.raw-utf8",
    ),
    Fault(
        id="request-stream-needs-accept",
        does="answers 406 to a stream that is asked for without Accept",
        change=only(streams, arriving(_accepts_nothing, refused_as(406, "NOT_ACCEPTABLE", "Send Accept."))),
        red=("request.no-accept-needed",),
        says="status: HTTP 200, as for stream.greeting; HTTP 406 NOT_ACCEPTABLE",
    ),
    Fault(
        id="request-accept-chooses-the-form",
        does="answers with JSON when there is no Accept, whatever stream says",
        change=arriving(_accepts_nothing, asking(lambda request: replace(request, stream=False))),
        red=("request.no-accept-needed",),
        says="whole: an event stream, as for stream.greeting; a body of application/json",
    ),
)

STREAM_FLAG: Final = (
    Fault(
        id="request-unbounded-answers-are-streamed",
        does="streams the answers whose length is not bounded",
        change=only(_unbounded, asking(lambda request: replace(request, stream=True))),
        red=("response.not-a-stream", "response.is-json"),
        says="whole: one JSON answer; an event stream",
        wild=("F-CT-01",),
    ),
)

FAULTS: Final = (*REQUEST, *STREAM_FLAG)
