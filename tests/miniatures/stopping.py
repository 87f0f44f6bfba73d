"""Servers that do not stop where they were told, and that overlook the bounds of numbers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from conformance.checks.stopping import stop_of
from conformance.exchange import Ending, Exchange
from conformance.probes import parameters, stopping
from conformance.reading.streams import text
from conformance.server.changes import put
from tests.miniatures.conversation import declined_as, wrongly_refused, wrongly_served
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Blocks,
    Change,
    Exchanges,
    One,
    asking,
    content,
    each_chunk,
    on,
    rewritten,
    throttled,
    with_blocks,
    with_json,
    with_status,
)

CONTENT: Final = "/data/choices/0/message/content"
DELTA: Final = "/choices/0/delta/content"
REASON: Final = "/data/choices/0/finish_reason"
STEPS: Final = (stopping.STRING, stopping.ARRAY)
LONGEST: Final = stopping.STREAMED[-1]

REFUSED: Final[Mapping[str, str]] = {
    "parameters.max-tokens-zero": parameters.MAX_TOKENS_ZERO.name,
    "parameters.max-tokens-negative": parameters.MAX_TOKENS_NEGATIVE.name,
    "parameters.max-tokens-fraction": parameters.MAX_TOKENS_FRACTION.name,
    "parameters.temperature-above": parameters.TEMPERATURE_ABOVE.name,
    "parameters.temperature-below": parameters.TEMPERATURE_BELOW.name,
    "parameters.top-p-above": parameters.TOP_P_ABOVE.name,
    "parameters.top-p-below": parameters.TOP_P_BELOW.name,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What the model said unstopped, and where it was then to stop."""

    whole: str
    before: str
    """What stands before the stop text."""
    stop: str


Wording = Callable[[Count], str]


def _worded(blocks: Blocks, said: str) -> Blocks:
    """A stream with another text, spread over its chunks."""
    spoken = [place for place, block in enumerate(blocks) if block.document is not None and content(block.document)]
    found, start = list(blocks), 0
    for number, place in enumerate(spoken):
        end = len(said) * (number + 1) // len(spoken)
        found[place] = blocks[place].of(put(blocks[place].document, DELTA, said[start:end]))
        start = end
    return found


def stopped(wording: Wording, *steps: int) -> Change:
    """Another text in some requests of the sequence that has stop sequences."""

    def change(exchanges: Exchanges) -> Exchanges:
        whole = next(text(each) for each in exchanges if each.probe == stopping.STOPPED.name and each.step == 0)

        def one(exchange: Exchange) -> Exchange:
            stop = stop_of(exchange, whole)
            said = wording(Count(whole=whole, before=whole.partition(stop)[0], stop=stop))
            if exchange.step in STEPS:
                return with_json(CONTENT, said)(exchange)
            return with_blocks(lambda blocks: _worded(blocks, said))(exchange)

        return on(lambda exchange: exchange.probe == stopping.STOPPED.name and exchange.step in steps, one)(exchanges)

    return change


def as_always(said: str) -> Wording:
    """The same text, whatever the stop text is."""
    return lambda _: said


def ends_for(reason: Any, *steps: int) -> Change:
    """Another reason in some of the unstreamed requests that were stopped."""
    return on(
        lambda exchange: exchange.probe == stopping.STOPPED.name and exchange.step in steps, with_json(REASON, reason)
    )


def unsent(exchange: Exchange) -> Exchange:
    """A request that was never made."""
    return replace(exchange, response=None, pieces=(), ended=Ending.UNSENT, detail="the answer is too short")


def _cut_off(exchanges: Exchanges) -> Exchanges:
    """A model that will not count: nothing of its answer can be asked for again."""
    return on(
        lambda exchange: exchange.probe == stopping.STOPPED.name,
        lambda exchange: unsent(exchange) if exchange.step else with_json(CONTENT, "I will not.")(exchange),
    )(exchanges)


def counted(number: int) -> One:
    """An answer of so many completion tokens."""

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= {"completion_tokens": number, "total_tokens": usage["prompt_tokens"] + number}
        return document

    return rewritten(change)


IGNORED: Final = tuple(
    faulty(
        f"{name} stop as {form}",
        stopped(wording, step),
        requirement,
        "parameters.stop-excluded",
        says="whole: nothing after ",
    )
    for requirement, form, step in (
        ("parameters.stop-string-stops", "a string", stopping.STRING),
        ("parameters.stop-array-stops", "an array", stopping.ARRAY),
    )
    for name, wording in (
        ("ignores", lambda count: count.whole),
        ("reads one token beyond", lambda count: count.whole[: len(count.before + count.stop) + 2]),
        ("cuts out, and goes on after,", lambda count: count.before + count.stop + " and so on"),
        ("goes on to the second of", lambda count: count.before + count.stop + " and so on" + count.stop),
    )
)


def _is_asked_with(when: Callable[[int], bool], one: One) -> Change:
    """Something becomes of those requests that have a stop sequence and a place in the sequence."""
    return on(lambda each: each.probe == stopping.STOPPED.name and when(each.step), one)


def _busy_then_deaf(exchanges: Exchanges) -> Exchanges:
    """A server that was busy when it was asked with a string, and overlooks an array."""
    busy = _is_asked_with(lambda step: step == stopping.STRING, throttled(429, "RATE_LIMITED"))
    return busy(stopped(lambda count: count.whole, stopping.ARRAY)(exchanges))


KEPT: Final = (
    faulty(
        "is busy for a string and ignores stop as the second of an array",
        _busy_then_deaf,
        "parameters.stop-excluded",
        "parameters.stop-array-stops",
        says="whole: a text without ",
        unseen=("parameters.stop-string", "parameters.stop-reason"),
    ),
    faulty(
        "gives the stop text of a string",
        stopped(lambda count: count.before + count.stop, stopping.STRING),
        "parameters.stop-excluded",
        says="whole: a text without ",
    ),
    faulty(
        "gives the stop text of an array",
        stopped(lambda count: count.before + count.stop, stopping.ARRAY),
        "parameters.stop-excluded",
        says="whole: a text without ",
    ),
    faulty(
        "gives the stop text and a blank",
        stopped(lambda count: count.before + count.stop + "\n ", *STEPS),
        "parameters.stop-excluded",
        says="whole: a text without ",
        unseen=("parameters.stop-reason",),
    ),
)


def _leaks(length: int, step: int) -> Miniature:
    return faulty(
        f"has streamed {length} characters before it knows them for the {step - 2}. stop text",
        stopped(lambda count: count.before + count.stop[:length], step),
        "parameters.stop-in-stream",
        says="whole: no part of ",
    )


STREAMED: Final = (
    faulty(
        "ignores stop in streams",
        stopped(lambda count: count.whole, *stopping.STREAMED),
        "parameters.stop-in-stream",
        says="whole: a text without ",
    ),
    *(
        faulty(
            f"streams the {step - 2}. stop text",
            stopped(lambda count: count.before + count.stop, step),
            "parameters.stop-in-stream",
            says="whole: a text without ",
        )
        for step in stopping.STREAMED
    ),
    _leaks(1, LONGEST - 1),
    *(_leaks(length, LONGEST) for length in range(1, 6)),
)

REASONS: Final = (
    faulty(
        "says that a stop sequence is a limit",
        ends_for("length", *STEPS),
        "parameters.stop-reason",
        "finish.length-only-at-the-limit",
        says='/data/choices/0/finish_reason: "stop"; "length"',
    ),
    faulty(
        "says that a stop sequence is a filter",
        ends_for("content_filter", stopping.ARRAY),
        "parameters.stop-reason",
        says='"stop"; "content_filter"',
    ),
    faulty(
        "has a reason of its own for stop sequences",
        ends_for("stop_sequence", stopping.STRING),
        "parameters.stop-reason",
        "finish.one-of-four",
        says='"stop"; "stop_sequence"',
    ),
    faulty(
        "gives no reason for a stop sequence",
        ends_for(None, *STEPS),
        "parameters.stop-reason",
        "finish.one-of-four",
        says='"stop"; null',
    ),
    faulty(
        "says of a streamed stop sequence that it is a limit",
        on(
            lambda exchange: exchange.probe == stopping.STOPPED.name and exchange.step in stopping.STREAMED,
            each_chunk(lambda chunk: put(chunk, "/choices/0/finish_reason", lambda reason: reason and "length")),
        ),
        "parameters.stop-reason",
        says='whole: "stop"; "length"',
    ),
    faulty(
        "takes a stop sequence for a tool call",
        ends_for("tool_calls", stopping.STRING),
        "parameters.stop-reason",
        "finish.tool-calls-means-calls",
        says='"stop"; "tool_calls"',
    ),
)

CAP: Final = asking(parameters.LONG_OVER_CAP.name)

LIMITS: Final = (
    *wrongly_refused("parameters.max-tokens-capped", parameters.OVER_CAP.name),
    faulty(
        "refuses whatever asks for more than the model may write",
        declined_as(asking(parameters.OVER_CAP.name, parameters.LONG_OVER_CAP.name), 422, "VALIDATION_ERROR"),
        "parameters.max-tokens-capped",
        says="HTTP 200, as for plain.greeting; HTTP 422",
        unseen=("parameters.max-tokens-cap-kept",),
    ),
    faulty(
        "writes one token more than the model may",
        on(CAP, counted(513)),
        "parameters.max-tokens-cap-kept",
        says="/data/usage/completion_tokens: at most 512; 513",
    ),
    faulty(
        "looks at neither limit",
        on(CAP, counted(2000)),
        "parameters.max-tokens-cap-kept",
        "parameters.max-tokens-kept",
        says="at most 512; 2000",
    ),
    *wrongly_refused("parameters.top-p-zero", parameters.TOP_P_ZERO.name),
    faulty(
        "breaks over all numbers out of bounds",
        declined_as(asking(*REFUSED.values()), 500, "INTERNAL_ERROR"),
        "parameters.bounds-never-5xx",
        *REFUSED,
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
    ),
    faulty(
        "lets the backend fail over a number out of bounds",
        declined_as(asking(parameters.TEMPERATURE_BELOW.name), 502, "BACKEND_ERROR"),
        "parameters.bounds-never-5xx",
        "parameters.temperature-below",
        says="HTTP 4xx; HTTP 502 BACKEND_ERROR",
    ),
)

METADATA: Final = asking(parameters.METADATA.name)
FINGERPRINT: Final = with_json("/data/system_fingerprint", "fp_1")

SHAPE: Final = (
    faulty(
        "sends metadata back",
        on(METADATA, with_json("/data/metadata", {"purpose": "conformance"})),
        "parameters.metadata-same-shape",
        says="/data/metadata: no such member, as without metadata; metadata",
    ),
    faulty(
        "mixes metadata into the answer",
        on(METADATA, with_json("/data/purpose", "conformance")),
        "parameters.metadata-same-shape",
        says="/data/purpose: no such member",
    ),
    faulty(
        "puts metadata in the place of _meta",
        on(METADATA, rewritten(lambda d: put(d, "/data", lambda old: _renamed(old, "_meta", "metadata")))),
        "parameters.metadata-same-shape",
        "response.meta",
        says="/data/_meta: the member, as without metadata; _meta",
    ),
)


def _renamed(completion: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    return {new if name == old else name: value for name, value in completion.items()}


MINIATURES: Final = (
    *IGNORED,
    *KEPT,
    *STREAMED,
    *REASONS,
    *LIMITS,
    *SHAPE,
    *(each for row, probe in REFUSED.items() for each in wrongly_served(row, probe, "parameters.bounds-never-5xx")),
)

_ALL: Final = (*STEPS, *stopping.STREAMED)


def _reversed(document: Any) -> Any:
    return put(document, "/data", lambda old: dict(reversed(old.items())))


def _alike(exchange: Exchange) -> Exchange:
    """The request with one stop sequence twice, as a text that repeats itself would have it."""
    document = json.loads(exchange.request.body)
    document["stop"] = document["stop"][1:2] * 2
    return replace(exchange, request=replace(exchange.request, body=json.dumps(document).encode()))


VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "says what has no two different pieces to stop at",
        on(lambda exchange: exchange.probe == stopping.STOPPED.name and exchange.step == stopping.ARRAY, _alike),
        "parameters.stop-array-stops",
    ),
    odd("cuts blanks off before a stop text", stopped(lambda count: count.before.rstrip(), *_ALL)),
    odd("leaves blanks before a stop text", stopped(lambda count: count.before.rstrip() + " \n", *_ALL)),
    odd(
        "counts otherwise every time",
        stopped(as_always("one, two, three"), *_ALL),
        "parameters.stop-",
    ),
    odd("says nothing the second time", stopped(as_always(""), *_ALL), "parameters.stop-"),
    odd(
        "counts otherwise when it streams",
        stopped(as_always("1; 2; 3"), *stopping.STREAMED),
        "parameters.stop-in-stream",
    ),
    odd("counts otherwise at times", stopped(as_always("one, two"), 1, 3), "parameters.stop-string"),
    odd(
        "was asked with the first stop text only",
        _is_asked_with(lambda step: step > stopping.STRING, unsent),
        "parameters.stop-array-stops",
        "parameters.stop-in-stream",
    ),
    odd("will not count", _cut_off, "parameters.stop-"),
    odd(
        "tires of counting before its limit",
        on(CAP, counted(300), with_json(REASON, "stop")),
        "parameters.max-tokens-cap-kept",
    ),
    odd("stops short of its limit and says so", on(CAP, counted(511), with_json(REASON, "length"))),
    odd("refuses numbers out of bounds with 400", on(asking(*REFUSED.values()), with_status(400))),
    odd("writes its members in another order for metadata", on(METADATA, rewritten(_reversed))),
    odd("sends metadata back within _meta", on(METADATA, with_json("/data/_meta/purpose", "conformance"))),
    odd("has a fingerprint now and then", on(asking("parameters.metadata", "plain.minimal"), FINGERPRINT)),
    odd("leaves its fingerprint out now and then", on(asking("plain.greeting", "plain.minimal"), FINGERPRINT)),
    odd("words its answer otherwise for metadata", on(METADATA, with_json(CONTENT, "Hello, conformance."))),
)
