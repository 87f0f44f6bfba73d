"""Gateways that deliver otherwise what the scripted backend said, as changes to the evidence of an innocent one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Ending, Exchange
from conformance.reading.requests import scenario_of
from conformance.scenario import Fate
from conformance.scenarios.writing import DONE, NAMED
from conformance.server.changes import GONE, put
from tests.miniatures.behind import received, rewritten
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    One,
    asking,
    cut,
    each_chunk,
    ended_by,
    event,
    inserted,
    on,
    refused,
    throttled,
    with_body,
    with_json,
)

_LEAVING: Final = asking("scripted.leaving")
_HALVES: Final = asking("scripted.pace-halves")
_DELTA: Final = "/choices/0/delta"
_ANSWERED: Final = "/data/choices/0/message/content"
_CALLED: Final = "/data/choices/0/message/tool_calls/0/function"
_FAILED: Final = b'event: error\ndata: {"code": "BACKEND_ERROR", "message": "m"}\n\n' + DONE


def _garbled(exchange: Exchange) -> bool:
    """An exchange whose backend breaks its own protocol."""
    return (found := scenario_of(exchange)) is not None and found.fate is Fate.MENDED


def _chunks(*deltas: Any, reason: str = "tool_calls") -> bytes:
    """A whole stream with one choice."""
    told = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return b"".join(map(event, (*told, last))) + DONE


def _with_stream(*deltas: Any) -> One:
    """A stream of these deltas."""
    return with_body(_chunks(*deltas))


def _of_call(**function: Any) -> dict[str, Any]:
    """A part of a call."""
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


def _without_arrivals(exchange: Exchange) -> Exchange:
    return replace(exchange, arrivals=())


def _held_back(exchange: Exchange) -> Exchange:
    """The role at once, and all else at the end of the stream."""
    first, *rest = exchange.pieces
    return replace(exchange, pieces=(first, *(replace(piece, at=exchange.elapsed) for piece in rest)))


def _in_a_body(exchange: Exchange) -> Exchange:
    """What the gateway asked for as one answer, and sent as a stream that comes at once."""
    moved = _held_back(exchange)
    return replace(moved, arrivals=tuple(replace(each, streamed=False) for each in moved.arrivals))


def _asked_again(seconds: float) -> One:
    """The gateway asks its backend once more, some seconds after all was over here, and nothing is written to it."""

    def one(exchange: Exchange) -> Exchange:
        last = exchange.arrivals[-1]
        at = exchange.started + exchange.elapsed + seconds
        again = replace(last, at=at, written=0, first_write=None, last_write=None, left=None)
        return replace(exchange, arrivals=(*exchange.arrivals, again))

    return one


def _each_text(change: Callable[[str], Any]) -> One:
    """A stream with other texts."""

    def one(document: Any) -> Any:
        text = document["choices"][0]["delta"].get("content")
        return put(document, f"{_DELTA}/content", change(text)) if isinstance(text, str) else document

    return each_chunk(one)


def _mute(exchange: Exchange) -> Exchange:
    """A stream without its texts."""
    return each_chunk(lambda document: put(document, f"{_DELTA}/content", GONE))(exchange)


def _in_halves(second: str) -> One:
    """A character beyond the BMP that is cut in two, with this for its second half."""
    return with_body(
        b'data: {"choices":[{"index":0,"delta":{"content":"a \\ud83c"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"' + second.encode() + b' b"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' + DONE
    )


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "drops the last letter but one of a stream",
        on(asking("scripted.text-plain"), rewritten(b"Switzerland.", b"Switzerlan.")),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says='whole: …"Switzerland." at character 33 of 35; …"Switzerlan.", 34 characters in all',
    ),
    faulty(
        "trims an answer at its beginning",
        on(asking("scripted.text-blanks.whole"), rewritten(b'"  begins', b'"begins')),
        "response.text-exact",
        "stream.equals-unstreamed",
        says=f'{_ANSWERED}: "  begins with two, ends with t" at character 0 of 37; "begins',
    ),
    faulty(
        "trims an answer at its end",
        on(asking("scripted.text-blanks.whole"), rewritten(b'three   "', b'three"')),
        "response.text-exact",
        "stream.equals-unstreamed",
        says='…"with three   " at character 34 of 37; …"with three", 34',
    ),
    faulty(
        "gives one document to who asked for a stream",
        on(asking("scripted.text-plain"), with_body(b"{}", "application/json")),
        "stream.text-exact",
        says="whole: the backend's answer; no event stream but application/json",
    ),
    faulty(
        "refuses a plain answer that its backend gave",
        on(asking("scripted.text-plain.whole"), refused(502, "BACKEND_ERROR")),
        "response.text-exact",
        says="status: the backend's answer; HTTP 502 BACKEND_ERROR",
    ),
    faulty(
        "refuses an answer with a call",
        on(asking("scripted.calls-one.whole"), refused(502, "BACKEND_ERROR")),
        "tools.exact-calls",
        "response.text-exact",
        says='status: the calls [["get_weather", {"location": "Zürich", "unit": "celsius"}]]; HTTP 502',
    ),
    faulty(
        "fails in a stream though its backend does not",
        on(asking("scripted.text-plain"), with_body(_FAILED)),
        "stream.text-exact",
        says="bytes 0-62: the backend's answer; an error event",
    ),
    faulty(
        "says all of a stream and leaves [DONE] out",
        on(asking("scripted.text-plain"), ended_by(b"")),
        "stream.text-exact",
        says="ending: the backend's answer; a stream without [DONE]",
    ),
    faulty(
        "resets the connection behind a whole stream",
        on(asking("scripted.text-plain"), cut(Ending.RESET)),
        "stream.text-exact",
        says="ending: the backend's answer; a stream that broke off: reset",
    ),
    faulty(
        "tears the name of a function in two and loses its end",
        on(
            asking("scripted.calls-one"),
            _with_stream(
                _of_call(name="get_", arguments='{"location": "Zürich", '),
                _of_call(name=None, arguments='"unit": '),
                _of_call(name="wea", arguments='"celsius"}'),
            ),
        ),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says='; [["get_wea", {"location"',
    ),
    faulty(
        "breaks the arguments of a call off",
        on(asking("scripted.calls-one"), _with_stream(_of_call(name="get_weather", arguments='{"location": "Zür'))),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says='; [["get_weather", "{\\"location\\": \\"Zür"]]',
    ),
    faulty(
        "forgets which function an answer calls",
        on(asking("scripted.calls-one.whole"), with_json(f"{_CALLED}/name", None)),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says='; [["", {"location"',
    ),
    faulty(
        "makes an object of arguments, and an English town of Zürich",
        on(
            asking("scripted.calls-one.whole"),
            with_json(f"{_CALLED}/arguments", {"location": "York", "unit": "celsius"}),
        ),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says='; [["get_weather", {"location": "York"',
    ),
    faulty(
        "looks at images otherwise where it does not stream",
        on(asking("scripted.image"), with_json(_ANSWERED, "It was seen.")),
        "response.text-exact",
        "stream.equals-unstreamed",
        says='"It was looked at." at character 7 of 17; "It was seen."',
    ),
    faulty(
        "answers the same question otherwise once",
        on(asking("scripted.bare"), with_json(_ANSWERED, "Understood?")),
        "response.text-exact",
        says='"Understood." at character 10 of 11',
    ),
    faulty(
        "gives another reason without a stream",
        on(asking("scripted.reason-length.whole"), with_json("/data/choices/0/finish_reason", "stop")),
        "finish.exact",
        "stream.equals-unstreamed",
        says='/data/choices/0/finish_reason: "length", of a backend that stops at its limit; "stop"',
    ),
    faulty(
        "takes a limit in a stream for an end",
        on(asking("scripted.reason-length"), rewritten(b'"length"', b'"stop"')),
        "finish.exact",
        "stream.equals-unstreamed",
        says='whole: "length", of a backend that stops at its limit; "stop"',
    ),
    faulty(
        "mends a stream and leaves [DONE] out",
        on(asking("scripted.garbled-delta-null"), ended_by(b"")),
        "stream.garbled-not-relayed",
        says="ending: an error event or [DONE] after the answer of a backend that sends null for a delta; a stream",
    ),
    faulty(
        "passes one document on as it is where a stream was asked for",
        on(
            asking("scripted.garbled-whole-for-stream"),
            with_body(b'{"choices": [{"message": {"content": "So far, so good it is."}}]}', "application/json"),
        ),
        "stream.garbled-not-relayed",
        says="an event stream or an HTTP error, of a backend that answers with one JSON document where a stream",
    ),
    faulty(
        "loses a word of a stream that it mends",
        on(asking("scripted.garbled-delta-null"), rewritten(b" it is.", b"")),
        "stream.garbled-not-relayed",
        says='"So far, so good it is." or a failure, of a backend that sends null for a delta; "So far, so good"',
    ),
    faulty(
        "loses a part of an answer whose parts it joins",
        on(asking("scripted.garbled-parts.whole"), with_json(_ANSWERED, "So far")),
        "stream.garbled-not-relayed",
        says='"So far, so good it is." or a failure, of a backend that sends text as a list of parts',
    ),
    faulty(
        "makes up a call where an id is wanting",
        on(asking("scripted.calls-without-id"), _with_stream(_of_call(name="get_time", arguments="{}"))),
        "stream.garbled-not-relayed",
        says='the calls [["get_weather", {"location": "Zürich", "unit": "celsius"}]] or a failure, of a backend that',
    ),
    faulty(
        "begins a stream at once and holds its text back",
        on(_HALVES, _held_back),
        "stream.as-it-comes",
        says="bytes 187-",
    ),
    faulty(
        "says nothing of a text that comes in halves",
        on(_HALVES, _mute),
        "stream.text-exact",
        says='"The first half of this text co" at character 0',
        unseen=("stream.as-it-comes",),
    ),
    faulty(
        "holds on to a backend that has fallen silent",
        on(_LEAVING, received(lambda each: replace(each, left=9.0))),
        "stream.stops-when-client-leaves",
        says="ending: the end of generation within 3 s after the client hung up; the backend written to for 8.",
    ),
    faulty(
        "answers with a page that begins with the name of the backend's model",
        on(asking("scripted.bare"), with_body(f"{NAMED} is away. Ask {NAMED} later.".encode(), "text/plain")),
        "response.no-backend-name",
        says="bytes 0-22: no word of the backend's model",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "refuses a long answer in so many words that we hang up",
        on(_LEAVING, refused(502, "BACKEND_ERROR", "It was refused. " * 20), cut(Ending.LEFT, keep=200)),
    ),
    odd(
        "is busy with a long answer, and goes on asking for it",
        on(
            _LEAVING,
            throttled(503, "MODEL_UNAVAILABLE"),
            lambda exchange: replace(exchange, ended=Ending.COMPLETE),
            received(lambda each: replace(each, left=None, last_write=8.0)),
        ),
        "stream.stops-when-client-leaves",
    ),
    odd(
        "takes five seconds to begin a long answer",
        on(
            _LEAVING,
            lambda exchange: replace(exchange, elapsed=5.0),
            received(lambda each: replace(each, left=6.0)),
        ),
    ),
    odd("asks its backend in vain once the client has left", on(_LEAVING, _asked_again(2.5))),
    odd(
        "asks its backend twice for a text in halves, and hears nothing the second time",
        on(_HALVES, _asked_again(0.0)),
        "stream.as-it-comes",
    ),
    odd("asks for no stream and makes one of the answer", on(_HALVES, _in_a_body), "stream.as-it-comes"),
    odd(
        "leaves out the word before a call",
        on(asking("scripted.calls-after-a-word"), _each_text(lambda _: "")),
    ),
    odd(
        "leaves out the word before a call where it does not stream",
        on(asking("scripted.calls-after-a-word.whole"), with_json(_ANSWERED, None)),
    ),
    odd(
        "answers one question by itself",
        on(asking("scripted.text-plain.whole"), _without_arrivals, with_json(_ANSWERED, "Ask me later.")),
    ),
    odd("passes the halves of a character on", on(asking("scripted.text-halves"), _in_halves("\\udf88"))),
    odd("passes half of a character on", on(asking("scripted.text-halves"), _in_halves(""))),
    odd(
        "passes on arguments that break off",
        on(
            asking("scripted.calls-arguments-broken"),
            _with_stream(_of_call(name="get_weather", arguments='{"location": "Zür')),
        ),
    ),
    odd(
        "sends blanks to keep the connection",
        on(asking("scripted.garbled-delta-null"), inserted(2, b"data:   \n\n")),
    ),
    odd("refuses whatever its backend garbles", on(_garbled, refused(502, "UPSTREAM_SHAPE_MISMATCH"))),
)
