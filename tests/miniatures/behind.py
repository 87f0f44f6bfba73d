"""Gateways that fail between the scripted backend and the client, as changes to the evidence of an innocent one."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, Final

from conformance.arrival import Arrival
from conformance.checks import SCRIPTED
from conformance.evidence import Evidence
from conformance.exchange import Ending, Exchange
from conformance.reading.requests import scenario_of, streamed
from conformance.scenario import Fate
from conformance.scenarios.writing import NAMED
from conformance.selection import Selection
from conformance.server.faults.behind import SLUG
from conformance.target import Backing, Limits
from tests.miniatures import innocent
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import Change, One, When, asking, on, with_body, with_json, with_status

BACKING: Final = Backing(model=SLUG, max_output_tokens=512, timeout=3)
LIMITS: Final = Limits(concurrency=32, timeout=20, deadline=60)


@cache
def observed() -> Evidence:
    """What the requirements that need the scripted backend are judged on, seen once."""
    _, _, kept = innocent.sent(Selection(chosen=frozenset(SCRIPTED)), limits=LIMITS, backing=BACKING)
    return kept


def playing(*names: str) -> When:
    """The exchanges of some scenarios."""
    return lambda exchange: (found := scenario_of(exchange)) is not None and found.name in names


def failing(exchange: Exchange) -> bool:
    """An exchange whose backend fails."""
    return (found := scenario_of(exchange)) is not None and found.fate is Fate.TOLD


def failing_whole_alone(exchange: Exchange) -> bool:
    """An exchange whose backend fails only over an answer that is not streamed."""
    return failing(exchange) and (found := scenario_of(exchange)) is not None and found.asked == (False,)


def dead_streams(exchange: Exchange) -> bool:
    return failing(exchange) and streamed(exchange) and b"event: error" in exchange.body


def received(edit: Callable[[Arrival], Arrival]) -> One:
    """Otherwise received by the backend."""
    return lambda exchange: replace(exchange, arrivals=tuple(edit(each) for each in exchange.arrivals))


def asked_of_it(edit: Callable[[Any], Any]) -> One:
    """Another document at the backend."""
    return received(lambda each: replace(each, body=json.dumps(edit(json.loads(each.body))).encode()))


def _joined(document: Any) -> Any:
    """Its first two messages are one, and its last two."""
    first, second, *rest, third, last = document["messages"]
    return document | {
        "messages": [
            first | {"content": f"{first['content']}\n{second['content']}"},
            *rest,
            last | {"content": f"{third['content']}\n\n{last['content']}"},
        ]
    }


def with_messages(edit: Callable[[Any], Any]) -> One:
    """Each message another at the backend."""
    return asked_of_it(lambda document: document | {"messages": [edit(each) for each in document["messages"]]})


def without(*names: str) -> One:
    """Some members are not in the document at the backend."""
    return asked_of_it(lambda document: {name: value for name, value in document.items() if name not in names})


def saying(**members: Any) -> One:
    """Some members of the document at the backend are these."""
    return asked_of_it(lambda document: document | members)


def rewritten(old: bytes, new: bytes) -> One:
    """Other bytes in a body, as one piece."""
    return lambda exchange: replace(
        exchange,
        pieces=(replace(exchange.pieces[0], data=exchange.body.replace(old, new)),) if exchange.pieces else (),
    )


def without_error_event(exchange: Exchange) -> Exchange:
    begin = exchange.body.index(b"event: error")
    end = exchange.body.index(b"\n\n", begin) + 2
    return replace(exchange, pieces=(replace(exchange.pieces[0], data=exchange.body[:begin] + exchange.body[end:]),))


def _late(exchange: Exchange) -> Exchange:
    """All of a stream at its end."""
    return replace(exchange, pieces=tuple(replace(piece, at=exchange.pieces[-1].at) for piece in exchange.pieces))


def _retried(exchange: Exchange) -> Exchange:
    """The gateway asked its backend twice."""
    return replace(exchange, arrivals=exchange.arrivals * 2)


_FORWARDED: Final = asking("scripted.forwarded", "scripted.forwarded-in-stream")
_ZEROS: Final = asking("scripted.forwarded-zeros")
_NAMING: Final = asking("scripted.forwarded-history")
_SHOWN: Final = asking("scripted.image", "scripted.image-in-stream")
_ERROR: Final = '{"status": "error", "error": {"code": "%s", "message": "m"}, "meta": {"request_id": "req_1"}}'


def told_as(status: int, code: str, *, but: tuple[str, ...] = (), of: tuple[str, ...] = ()) -> Change:
    """HTTP errors of failing backends with another code: those of some scenarios, or of all, or of all but some."""
    return on(
        lambda exchange: (
            failing(exchange)
            and (playing(*of)(exchange) if of else not playing(*but)(exchange))
            and exchange.response is not None
            and exchange.response.status >= 400
        ),
        with_status(status),
        with_body((_ERROR % code).encode(), "application/json"),
    )


def _mismatched(name: str, member: str, value: Any, says: str) -> Miniature:
    return faulty(name, on(_FORWARDED, saying(**{member: value})), "parameters.forwarded", says=says)


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "drops the limit",
        on(_FORWARDED, without("max_tokens")),
        "parameters.forwarded",
        says="request /max_tokens: max_tokens 64 at the backend, as sent; nothing",
    ),
    _mismatched("raises the limit", "max_tokens", 65, "max_tokens 64 at the backend, as sent; 65"),
    _mismatched("sends top_p as a string", "top_p", "0.5", "top_p 0.5"),
    _mismatched("sends one of two stop sequences", "stop", ["ZEBRA\n"], "stop"),
    _mismatched("sends no tools", "tools", [], "request /tools: tools [{"),
    _mismatched("forces a call", "tool_choice", "required", 'tool_choice "auto"'),
    faulty(
        "drops half of the metadata",
        on(_FORWARDED, saying(metadata={"ticket": "T-1"})),
        "parameters.metadata-forwarded",
        says='request /metadata: metadata {"ticket": "T-1", "who"',
    ),
    faulty(
        "takes zero for nothing",
        on(_ZEROS, without("temperature", "seed")),
        "parameters.forwarded",
        says="request /temperature: temperature 0 at the backend, as sent; nothing",
    ),
    faulty(
        "spreads a stop sequence into its letters",
        on(_ZEROS, saying(stop=list("ZEBRA"))),
        "parameters.forwarded",
        says='stop "ZEBRA"',
    ),
    faulty(
        "forgets that no tool is to be called",
        on(_ZEROS, without("tool_choice")),
        "parameters.forwarded",
        says='tool_choice "none"',
    ),
    faulty(
        "names no function",
        on(_NAMING, saying(tool_choice="required")),
        "parameters.forwarded",
        says='tool_choice {"type": "function"',
    ),
    faulty(
        "leaves a required call to the model",
        on(asking("scripted.forwarded-texts"), without("tool_choice")),
        "parameters.forwarded",
        says='tool_choice "required"',
    ),
    faulty(
        "sends the last of two users",
        on(
            asking("scripted.forwarded-texts"),
            asked_of_it(
                lambda document: (
                    document
                    | {"messages": [each for each in document["messages"] if each["content"] != "One thing more."]}
                )
            ),
        ),
        "messages.forwarded",
        says='request /messages: the message {"role": "user", "content": "One thing more."}',
    ),
    faulty(
        "writes a number of a call as a double",
        on(asking("scripted.calls-letter-an-event.whole"), rewritten(b"9007199254740993", b"9007199254740992")),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says="9007199254740993",
    ),
    faulty(
        "serves one image for both",
        on(
            _SHOWN,
            received(
                lambda each: replace(
                    each, fetches=tuple(replace(got, body=each.fetches[0].body) for got in each.fetches)
                )
            ),
        ),
        "multimodal.image-proxied",
        says="request /messages: the image, whole, at its address; HTTP 200",
    ),
    faulty(
        "sends one of two images",
        on(
            _SHOWN,
            asked_of_it(
                lambda document: (
                    document | {"messages": [{"role": "user", "content": "What is this?"}, *document["messages"][1:]]}
                )
            ),
        ),
        "multimodal.image-proxied",
        says="request /messages: an address of each of 3 images",
    ),
    faulty(
        "asks for the limit plus one",
        on(asking("scripted.capped"), saying(max_tokens=513)),
        "parameters.max-tokens-cap-sent",
        says="request /max_tokens: a limit of 512 tokens or less at the backend; 513",
    ),
    faulty(
        "asks for no limit at all",
        on(asking("scripted.capped"), without("max_tokens")),
        "parameters.max-tokens-cap-sent",
        says="none",
    ),
    faulty(
        "turns messages round",
        on(_FORWARDED, asked_of_it(lambda document: document | {"messages": document["messages"][::-1]})),
        "messages.forwarded",
        says="in its place",
    ),
    faulty(
        "sends a conversation with the next",
        on(
            lambda exchange: exchange.probe == "scripted.two-conversations" and exchange.step == 1,
            received(lambda each: replace(each, body=each.body + b" quince-harbour-7741")),
        ),
        "messages.nothing-carried-over",
        says='request /messages: nothing of the conversation before; "quince-harbour-7741" at the backend',
    ),
    faulty(
        "sends the key on",
        on(asking("scripted.bare"), received(lambda each: replace(each, key_forwarded=True))),
        "auth.key-not-forwarded",
        says="request: a request without the client's key; the key at the backend",
    ),
    faulty(
        "serves no image at its address",
        on(
            _SHOWN,
            received(
                lambda each: replace(each, fetches=tuple(replace(got, status=403, body=b"") for got in each.fetches))
            ),
        ),
        "multimodal.image-proxied",
        says="HTTP 403 with 0 bytes",
    ),
    faulty(
        "sends no image",
        on(
            _SHOWN,
            asked_of_it(lambda document: document | {"messages": [{"role": "user", "content": "Look."}]}),
        ),
        "multimodal.image-proxied",
        says="no image",
    ),
    faulty(
        "loses a letter in a stream",
        on(asking("scripted.text-plain"), rewritten(b"Switzerland.", b"Switzerlan.")),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says="at character",
    ),
    faulty(
        "loses a letter in an answer",
        on(asking("scripted.text-plain.whole"), rewritten(b"Switzerland.", b"Switzerlan.")),
        "response.text-exact",
        "stream.equals-unstreamed",
        says="at character",
    ),
    faulty(
        "calls another function in a stream alone",
        on(asking("scripted.calls-one"), rewritten(b'"get_weather"', b'"get_climate"')),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says="get_weather",
    ),
    faulty(
        "gives another reason in a stream alone",
        on(asking("scripted.reason-length"), rewritten(b'"length"', b'"stop"')),
        "stream.equals-unstreamed",
        "finish.exact",
        says='"length", as not streamed; "stop"',
    ),
    faulty(
        "gives a vendor's reason",
        on(asking("scripted.reason-of-a-vendor"), rewritten(b'"finish_reason":"stop"', b'"finish_reason":"eos"')),
        "finish.exact",
        says='"eos"',
    ),
    faulty(
        "ends a dead stream in silence",
        on(dead_streams, without_error_event),
        "stream.error-for-every-death",
        says="[DONE], with no word of the failure",
    ),
    faulty(
        "ends a dead stream without [DONE]",
        on(dead_streams, rewritten(b"data: [DONE]\n\n", b"")),
        "stream.error-for-every-death",
        says="[DONE] after the error event",
    ),
    faulty(
        "gives no code for a death",
        on(dead_streams, rewritten(b'"code"', b'"kind"')),
        "stream.error-for-every-death",
        says="an error event with a `code`",
    ),
    faulty(
        "passes on what is no JSON",
        on(
            playing("garbled-json"),
            rewritten(b"event: error\n", b'data: {"choices": [{"delta": {"content": "x}}]\n\nevent: error\n'),
        ),
        "stream.garbled-not-relayed",
        says="chunks of JSON",
    ),
    faulty(
        "answers 200 when its backend failed",
        on(
            lambda exchange: failing(exchange) and not streamed(exchange),
            with_status(200),
        ),
        "errors.backend-failure-told",
        says="an HTTP error, of a backend that",
    ),
    faulty(
        "tells failures as plain text",
        on(
            lambda exchange: failing(exchange) and not streamed(exchange),
            with_body(b"Bad Gateway", "text/plain"),
        ),
        "errors.backend-failure-told",
        says="no JSON",
    ),
    faulty(
        "tells failures with an error that has no code",
        on(lambda exchange: failing(exchange) and not streamed(exchange), with_json("/error/code", None)),
        "errors.backend-failure-told",
        says="/error/code",
    ),
    faulty(
        "calls every failure an internal one",
        told_as(500, "INTERNAL_ERROR"),
        "errors.backend-failure-code",
        says='"INTERNAL_ERROR"',
    ),
    faulty(
        "tells a failure with a status that is not its code's",
        on(
            lambda exchange: playing("http-500")(exchange) and not streamed(exchange),
            with_status(500),
        ),
        "errors.backend-failure-code",
        says="HTTP 502 for BACKEND_ERROR",
    ),
    faulty(
        "tells a code in an error event that fits nothing",
        on(playing("death-in-text-close"), rewritten(b'"BACKEND_ERROR"', b'"RATE_LIMITED"')),
        "errors.backend-failure-code",
        says='"RATE_LIMITED"',
    ),
    faulty(
        "begins a stream for a backend that refused",
        on(
            lambda exchange: playing("http-500")(exchange) and streamed(exchange),
            with_status(200),
            with_body(
                b'event: error\ndata: {"code": "BACKEND_ERROR", "message": "m"}\n\ndata: [DONE]\n\n',
                "text/event-stream",
            ),
        ),
        "stream.failure-before-first-token",
        says="an HTTP error, of a backend that fails (500)",
    ),
    faulty(
        "holds a stream back", on(asking("scripted.pace-halves"), _late), "stream.as-it-comes", says="the first of it"
    ),
    faulty(
        "listens to its backend for nobody",
        on(
            asking("scripted.leaving"),
            received(lambda each: replace(each, left=None, last_write=8.0)),
        ),
        "stream.stops-when-client-leaves",
        says="the backend written to for",
    ),
    faulty(
        "names the backend's model in a header",
        on(
            asking("scripted.bare"),
            lambda exchange: replace(
                exchange,
                response=exchange.response
                and replace(exchange.response, headers=(*exchange.response.headers, ("X-Model", NAMED))),
            ),
        ),
        "response.no-backend-name",
        says="header X-Model",
    ),
    faulty(
        "names the backend's model in its answer",
        on(asking("scripted.bare"), rewritten(b'"data":{', b'"data":{"by":"scripted-backend-7b-q4",')),
        "response.no-backend-name",
        says="bytes",
    ),
)


VARIANTS: Final[tuple[Variant, ...]] = (
    odd("asks its backend twice", on(lambda exchange: bool(exchange.arrivals), _retried)),
    odd(
        "puts a system message of its own before the others",
        on(
            _FORWARDED,
            asked_of_it(
                lambda document: (
                    document | {"messages": [{"role": "system", "content": "Be kind."}, *document["messages"]]}
                )
            ),
        ),
    ),
    odd(
        "writes texts as parts",
        on(
            _FORWARDED,
            asked_of_it(
                lambda document: (
                    document
                    | {
                        "messages": [
                            each | {"content": [{"type": "text", "text": each["content"]}]} if each["content"] else each
                            for each in document["messages"]
                        ]
                    }
                )
            ),
        ),
    ),
    odd(
        "sends the newer name of the limit, and members of its own",
        on(
            _FORWARDED,
            asked_of_it(
                lambda document: (
                    {name: value for name, value in document.items() if name != "max_tokens"}
                    | {"max_completion_tokens": document["max_tokens"], "user": "t-1", "n": 1}
                )
            ),
        ),
    ),
    odd("leaves out the choice of tools that is no choice", on(_FORWARDED, without("tool_choice"))),
    odd("leaves out tools that none of is to be called", on(_ZEROS, without("tool_choice", "tools"))),
    odd("writes one stop sequence as a list", on(_ZEROS, saying(stop=["ZEBRA"]))),
    odd(
        "sends the named tool alone, and asks for any",
        on(
            _NAMING,
            asked_of_it(lambda document: document | {"tools": document["tools"][:1], "tool_choice": "required"}),
        ),
    ),
    odd("joins neighbours of one role", on(asking("scripted.forwarded-texts"), asked_of_it(_joined))),
    odd("passes no metadata on", on(_FORWARDED, without("metadata")), "parameters.metadata-forwarded"),
    odd(
        "writes its rules into the system message, as the developer",
        on(
            _FORWARDED,
            with_messages(
                lambda each: (
                    each | {"role": "developer", "content": f"Be safe.\n\n{each['content']}\n\nNo lies."}
                    if each["role"] == "system"
                    else each
                )
            ),
        ),
    ),
    odd(
        "serves an image as a JPEG",
        on(
            _SHOWN,
            received(
                lambda each: replace(
                    each, fetches=tuple(replace(got, body=b"\xff\xd8\xff...\xff\xd9") for got in each.fetches)
                )
            ),
        ),
    ),
    odd(
        "serves an image as WebP",
        on(
            _SHOWN,
            received(
                lambda each: replace(
                    each, fetches=tuple(replace(got, body=b"RIFF\4\0\0\0WEBP") for got in each.fetches)
                )
            ),
        ),
    ),
    odd("calls overload throttling", told_as(429, "BACKEND_RATE_LIMITED", of=("http-529",))),
    odd(
        "asks for a stream always, and collects a good one",
        on(
            failing_whole_alone,
            received(lambda each: replace(each, streamed=True)),
            with_status(200),
        ),
    ),
    odd(
        "sends a lower limit than it was asked for",
        on(asking("scripted.capped"), saying(max_tokens=100)),
    ),
    odd(
        "has stopped asking a backend that fails too often",
        on(
            failing,
            lambda exchange: replace(exchange, arrivals=()),
            with_status(503),
            with_body((_ERROR % "MODEL_UNAVAILABLE").encode(), "application/json"),
        ),
        "errors.backend-failure",
        "stream.error-for-every-death",
        "stream.failure-before-first-token",
    ),
    odd(
        "calls every death a mismatch",
        told_as(502, "UPSTREAM_SHAPE_MISMATCH", but=("http-429", "http-429-retry-after", "http-429-page")),
    ),
    odd(
        "hides nothing and shows nothing: no request reached the backend",
        on(lambda exchange: bool(exchange.arrivals), lambda exchange: replace(exchange, arrivals=())),
        "",
    ),
    odd(
        "cannot be seen to the end",
        on(
            lambda exchange: scenario_of(exchange) is not None and exchange.ended is Ending.COMPLETE,
            lambda exchange: replace(exchange, ended=Ending.TIMEOUT, pieces=exchange.pieces[:1]),
        ),
        "",
    ),
)
