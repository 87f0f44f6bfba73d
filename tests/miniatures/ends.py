"""Servers that end their answers early or oddly: what shows a cut, and what shows nothing."""

import json
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange
from conformance.probes import parameters, plain, stopping, stream
from conformance.server.changes import put
from tests.miniatures.framing import COUNTING
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.reasons import REASON, STOPS
from tests.miniatures.stopping import CAP, CONTENT, counted
from tests.miniatures.variants import BLANK, EMPTY, Variant, odd
from tests.miniatures.wire import (
    Change,
    One,
    after,
    asking,
    content,
    each_chunk,
    inserted,
    on,
    rewritten,
    throttled,
    with_json,
    with_nth,
)

SHORT: Final = asking(plain.CUT_SHORT.name)
LONGER: Final = asking(plain.LIMITED.name)
STOP: Final = with_json("/data" + STOPS, "stop")


def _unstopped(exchange: Exchange) -> bool:
    """The count that has no stop sequence."""
    return exchange.probe == stopping.STOPPED.name and exchange.step == 0


def _ending(reason: Any) -> One:
    return with_nth(-1, lambda document: put(document, REASON, reason))


def _mute(document: Any) -> Any:
    """A chunk that says nothing, and ends for no limit."""
    told = put(document, "/choices/0/delta/content", "")
    return put(told, REASON, lambda old: old and "stop")


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "is busy for a short count, and has a reason of its own for a long one",
        after(on(SHORT, throttled(429, "RATE_LIMITED")), on(CAP, with_json("/data" + STOPS, "max_tokens"))),
        "finish.one-of-four",
        says='content_filter; "max_tokens"',
        unseen=("finish.length", "parameters.max-tokens-accepted", "parameters.max-tokens-cap-kept"),
    ),
    faulty(
        "gives two reasons",
        on(COUNTING, with_nth(-2, lambda document: put(document, REASON, "length"))),
        "finish.stream-reason-once",
        says='one finish_reason: "length"; "stop"',
    ),
    faulty(
        "hides that a longer count was cut off",
        on(LONGER, STOP),
        "finish.length",
        says='"length": the limit of 24 tokens ended the count; "stop"',
    ),
    faulty(
        "hides that a count was cut off at temperature 0",
        on(_unstopped, STOP),
        "finish.length",
        says='"length": the limit of 48 tokens ended the count; "stop"',
    ),
    faulty(
        "writes less than the limit that it was told to have",
        on(CAP, counted(64), with_json("/data" + STOPS, "length")),
        "finish.length-only-at-the-limit",
        says='another reason: 64 of 512 tokens were written; "length"',
    ),
    faulty(
        "goes on after its reason and a pause",
        on(COUNTING, with_nth(0, lambda document: put(document, REASON, "stop")), inserted(1, EMPTY), _ending(None)),
        "finish.stream-reason-once",
        says="no text after the finish_reason; ",
    ),
)


def _has_of_its_own(limit: int) -> Change:
    """A model that may write no more than so many tokens, in a target file that says so."""

    def asked(exchange: Exchange) -> Exchange:
        document = json.loads(exchange.request.body) | {"max_tokens": limit + 1}
        return replace(exchange, request=replace(exchange.request, body=json.dumps(document).encode()))

    return after(
        on(asking(parameters.OVER_CAP.name, parameters.LONG_OVER_CAP.name), asked),
        on(lambda exchange: CAP(exchange) or _unstopped(exchange), counted(limit)),
    )


def _counted_beside(exchange: Exchange) -> Exchange:
    """Thoughts that fill what the answer leaves of the limit, counted beside it."""
    room = json.loads(exchange.request.body)["max_tokens"]

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= {"total_tokens": usage["prompt_tokens"] + room, "reasoning_tokens": room - usage["completion_tokens"]}
        return put(document, "/data" + STOPS, "length")

    return rewritten(change)(exchange)


def _says_one(document: Any) -> Any:
    return put(_mute(document), "/choices/0/delta", {"content": "1"}) if content(document) == "1" else _mute(document)


VARIANTS: Final[tuple[Variant, ...]] = (
    odd("may write 32 tokens and says so", _has_of_its_own(32)),
    odd("thinks as far as its limit and counts that beside", on(asking(plain.DOCUMENTED.name), _counted_beside)),
    odd(
        "counts to one and no further where it streams with little room",
        on(asking(stream.CUT_SHORT.name), each_chunk(_says_one)),
        "finish.stream-length",
    ),
    odd("filters a count where its limit is", on(SHORT, with_json("/data" + STOPS, "content_filter"))),
    odd(
        "filters a streamed count where its limit is",
        on(
            asking(stream.CUT_SHORT.name),
            each_chunk(lambda document: put(document, REASON, lambda reason: reason and "content_filter")),
        ),
        "finish.stream-length",
    ),
    odd("gives its reason twice", on(COUNTING, with_nth(-2, lambda document: put(document, REASON, "stop")))),
    odd("ends a longer count in words", on(LONGER, with_json(CONTENT, "1, 2, 3, and so on"), STOP)),
    odd("has counted to the end where its limit is", on(CAP, counted(512), with_json(CONTENT, "1, 2000."), STOP)),
    odd("stops one token short of a small limit", on(SHORT, counted(2), STOP)),
    odd(
        "will count to three and no further",
        on(lambda exchange: SHORT(exchange) or LONGER(exchange), counted(3), with_json(CONTENT, "1, 2, 3"), STOP),
    ),
    odd("declines to count where it has little room", on(SHORT, with_json(CONTENT, "I will not"), STOP)),
    odd("filters its greeting", on(asking(plain.GREETING.name), with_json("/data" + STOPS, "content_filter"))),
    odd(
        "streams nothing where it has little room",
        on(asking(stream.CUT_SHORT.name), each_chunk(_mute)),
        "finish.stream-length",
    ),
    odd("sends an empty text after its reason", on(COUNTING, inserted(-1, BLANK))),
)
