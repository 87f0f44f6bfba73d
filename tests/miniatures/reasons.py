"""Servers that tell wrongly why the model stopped."""

from typing import Any, Final

from conformance.document import shown
from conformance.server.changes import GONE, put
from tests.miniatures.answers import ONE
from tests.miniatures.framing import COUNTING
from tests.miniatures.model import faulty
from tests.miniatures.wire import (
    Change,
    answers,
    asking,
    each_chunk,
    first,
    on,
    refused,
    rewritten,
    unbroken,
    with_chunk,
    with_nth,
)
from tests.miniatures.wire import with_json as json_at

STOPS: Final = "/choices/0/finish_reason"
CALLING: Final = first("tools.required-call", "parameters.tool-choice-required", "parameters.tool-choice-named")


def _ends(old: str, new: Any) -> Change:
    """One reason in the place of another."""
    return on(answers, json_at("/data" + STOPS, lambda found: new if found == old else found))


def _talked(document: Any) -> Any:
    document["data"]["choices"][0]["message"] = {"role": "assistant", "content": "I will look."}
    return document


ENDS: Final = (
    *(
        faulty(
            name,
            _ends("stop", reason),
            "finish.one-of-four",
            "parameters.stop-reason",
            says=f"content_filter; {shown(reason)}",
            unseen=("finish.stop",),
        )
        for name, reason in (
            ("ends its turn", "end_turn"),
            ("ends with eos", "eos_token"),
            ("ends for null", None),
            ("shouts its reason", "STOP"),
        )
    ),
    faulty(
        "gives no reason",
        on(ONE, json_at("/data" + STOPS, GONE)),
        "finish.one-of-four",
        says="/data/choices/0/finish_reason: stop, length, tool_calls, content_filter; nothing",
    ),
    faulty(
        "always ends for length",
        _ends("stop", "length"),
        "finish.stop",
        "finish.length-only-at-the-limit",
        "parameters.stop-reason",
        says='tokens were written; "length"',
    ),
    faulty(
        "ends a plain answer for a tool",
        _ends("stop", "tool_calls"),
        "finish.stop",
        "finish.tool-calls-means-calls",
        "parameters.stop-reason",
        says='; "tool_calls"',
    ),
    faulty("hides that it was cut off", _ends("length", "stop"), "finish.length", says='"length"; "stop"'),
    faulty(
        "ends one answer for length without cause",
        on(asking("parameters.temperature-zero"), json_at("/data" + STOPS, "length")),
        "finish.length-only-at-the-limit",
        says="another reason: ",
    ),
    faulty("calls a tool and says stop", _ends("tool_calls", "stop"), "finish.tool-calls", says='"tool_calls"; "stop"'),
    faulty(
        "says tool_calls and calls none",
        on(asking("parameters.tools"), json_at("/data" + STOPS, "tool_calls")),
        "finish.tool-calls-means-calls",
        says="a tool call in the message; none",
    ),
    faulty(
        "says tool_calls and loses the call that was wanted",
        on(CALLING, rewritten(_talked)),
        "finish.tool-calls-means-calls",
        "tools.required-calls",
        "tools.named-calls",
        says="a tool call in the message; none",
        unseen=("finish.tool-calls", "tools.echo-accepted", "tools.result-"),
    ),
    faulty(
        "hides that the filter stopped it",
        _ends("content_filter", "stop"),
        "finish.content-filter",
        says='"content_filter"; "stop"',
    ),
    faulty(
        "refuses what the filter stops",
        on(asking("failures.content-filter"), refused(400, "CONTENT_FILTERED")),
        "finish.content-filter",
        says="status: HTTP 200; HTTP 400",
    ),
)

REASON: Final = "/choices/0/finish_reason"


def _reason(old: str, new: Any) -> Any:
    return lambda document: put(document, REASON, lambda found: new if found == old else found)


REASONS: Final = (
    faulty(
        "ends a stream with eos",
        on(COUNTING, each_chunk(_reason("stop", "eos_token"))),
        "finish.stream-one-of-four",
        says='stop, length, tool_calls, content_filter; "eos_token"',
    ),
    faulty(
        "gives an empty reason until the end",
        on(COUNTING, with_chunk(REASON, lambda found: found or "")),
        "finish.stream-one-of-four",
        "finish.stream-reason-once",
        says='; ""',
    ),
    faulty(
        "ends a stream without a reason",
        on(unbroken, with_chunk(REASON, GONE)),
        "finish.stream-says-why",
        says="a finish_reason in a chunk; none in the whole stream",
        unseen=("finish.stream-", "tools.stream-reason"),
    ),
    faulty(
        "hides that a stream was cut off",
        on(asking("stream.cut-short"), each_chunk(_reason("length", "stop"))),
        "finish.stream-length",
        says='"length"; "stop"',
    ),
    faulty(
        "gives its reason in every chunk",
        on(COUNTING, with_chunk(REASON, "stop")),
        "finish.stream-reason-once",
        says="no text after the finish_reason; ",
    ),
    faulty(
        "goes on after its reason",
        on(COUNTING, with_nth(2, lambda document: put(document, REASON, "stop")), with_nth(-1, _reason("stop", None))),
        "finish.stream-reason-once",
        says="no text after the finish_reason; ",
    ),
)

MINIATURES: Final = (*ENDS, *REASONS)
