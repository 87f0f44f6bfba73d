"""Servers that give the wrong reason to finish."""

from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import Any, Final

from conformance.server.answers import Chunk, StreamEvent, StreamEvents
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    depending,
    each_answer,
    each_step,
    finishing,
    having,
    in_answers,
    in_chunks,
    one_in,
    only,
    plain,
    put,
    reason_of,
    streams,
    told,
)
from conformance.server.deviation import Fault
from conformance.server.faults.documents import UNREAD, now_and_then
from conformance.server.generation import CallArguments, Failure, Finish, Step

_PLACE: Final = "/choices/0/finish_reason"
_FILTERED: Final = Failure(status=400, code="CONTENT_FILTERED", message="The answer was stopped by a filter.")


def _instead(old: str, new: Any) -> Callable[[Any], Any]:
    """The other value in the place of one reason; any other reason stays."""
    return lambda reason: new if reason == old else reason


def _in_answers(old: str, new: Any) -> Change:
    return in_answers(f"/data{_PLACE}", _instead(old, new))


def _in_chunks(old: str, new: Any) -> Change:
    return in_chunks(_PLACE, _instead(old, new))


def _by_the_total(asked: Asked) -> Change:
    """The reason length where prompt and answer together reach the limit of the answer."""

    def edit(document: Any) -> Any:
        reached = document["data"]["usage"]["total_tokens"] >= asked["max_tokens"]
        return put(document, f"/data{_PLACE}", _instead("stop", "length")) if reached else document

    return each_answer(edit) if having("max_tokens")(asked) else each_answer(lambda document: document)


def _larger(asked: Asked) -> bool:
    """A limit of more than 16 tokens."""
    limit = asked.get("max_tokens")
    return isinstance(limit, int) and limit > 16


def _talked(document: Any) -> Any:
    """Words in the place of calls."""
    choice = document["data"]["choices"][0]
    if choice["finish_reason"] == "tool_calls":
        choice["message"] = {"role": "assistant", "content": "I will look."}
    return document


def _refused(_number: int, step: Step) -> Iterator[Step]:
    """A refusal in the place of the reason content_filter."""
    yield _FILTERED if isinstance(step, Finish) and step.reason == "content_filter" else step


def _cut_arguments(number: int, step: Step) -> Iterator[Step]:
    """The steps without the arguments beyond the first few."""
    if not isinstance(step, CallArguments) or number < 3:
        yield step


async def _overtaken(events: StreamEvents) -> StreamEvents:
    """The reason before the last text."""
    held: list[StreamEvent] = []
    async with aclosing(events):
        async for event in events:
            ends = not isinstance(event, Chunk) or reason_of(event.document)
            if isinstance(event, Chunk) and ends:
                yield event
            for chunk in held:
                yield chunk
            held = [] if ends else [event]
            if not isinstance(event, Chunk):
                yield event


_ANSWERS: Final = (
    Fault(
        id="finish-end-turn",
        does="passes on one provider's end_turn",
        change=finishing(_instead("stop", "end_turn")),
        red=("finish.one-of-four", "finish.stream-one-of-four", "parameters.stop-reason"),
        says='stop, length, tool_calls, content_filter; "end_turn"',
        unseen=("finish.stop",),
        wild=("F-FIN-05",),
    ),
    Fault(
        id="finish-eos",
        does="ends answers with eos",
        change=_in_answers("stop", "eos"),
        red=("finish.one-of-four", "parameters.stop-reason"),
        says='stop, length, tool_calls, content_filter; "eos"',
        unseen=("finish.stop",),
        wild=("F-FIN-05",),
    ),
    Fault(
        id="finish-in-capitals",
        does="writes the reason of answers in capitals",
        change=in_answers(f"/data{_PLACE}", str.upper),
        red=(
            "finish.one-of-four",
            "finish.length",
            "finish.tool-calls",
            "finish.content-filter",
            "parameters.stop-reason",
        ),
        says='stop, length, tool_calls, content_filter; "STOP"',
        unseen=("finish.stop",),
    ),
    Fault(
        id="finish-null",
        does="gives null for the reason of answers",
        change=_in_answers("stop", None),
        red=("finish.one-of-four", "parameters.stop-reason"),
        says="stop, length, tool_calls, content_filter; null",
        unseen=("finish.stop",),
        wild=("F-FIN-03",),
    ),
    Fault(
        id="finish-null-now-and-then",
        does="gives null for the reason of one answer of twelve",
        change=now_and_then(_in_answers("stop", None)),
        red=("finish.one-of-four",),
        says="stop, length, tool_calls, content_filter; null",
        perhaps=("parameters.stop-reason",),
        unseen=UNREAD,
        wild=("F-FIN-03",),
    ),
    Fault(
        id="finish-missing",
        does="leaves the reason out of answers",
        change=in_answers(f"/data{_PLACE}", GONE),
        red=(
            "finish.one-of-four",
            "finish.length",
            "finish.tool-calls",
            "finish.content-filter",
            "parameters.stop-reason",
        ),
        says="/data/choices/0/finish_reason: stop, length, tool_calls, content_filter; nothing",
        unseen=("finish.stop",),
        wild=("F-FIN-04",),
    ),
    Fault(
        id="finish-length-with-a-limit",
        does="says length wherever max_tokens was asked for",
        change=only(having("max_tokens"), finishing(_instead("stop", "length"))),
        red=("finish.stop", "finish.length-only-at-the-limit", "parameters.stop-reason"),
        says='tokens were written; "length"',
        wild=("F-FIN-11",),
    ),
    Fault(
        id="finish-hides-the-limit",
        does="says stop where the limit cut an answer off",
        change=_in_answers("length", "stop"),
        red=("finish.length",),
        says='/data/choices/0/finish_reason: "length"; "stop"',
        wild=("F-FIN-10",),
    ),
    Fault(
        id="finish-hides-a-larger-limit",
        does="says stop where a limit of more than 16 tokens cut an answer off",
        change=only(_larger, _in_answers("length", "stop")),
        red=("finish.length",),
        says='"length": the limit of 24 tokens ended the count; "stop"',
        wild=("F-FIN-10",),
    ),
    Fault(
        id="finish-hides-the-limit-beside-temperature",
        does="says stop where the limit cut an answer off for which a temperature was asked",
        change=only(having("temperature"), _in_answers("length", "stop")),
        red=("finish.length",),
        says='"length": the limit of 48 tokens ended the count; "stop"',
        wild=("F-FIN-10",),
    ),
    Fault(
        id="finish-length-by-the-total",
        does="says length where prompt and answer together reach the limit of the answer",
        change=depending(_by_the_total),
        red=("finish.length-only-at-the-limit",),
        says="another reason: ",
        wild=("F-FIN-11",),
    ),
    Fault(
        id="finish-stop-with-calls",
        does="says stop where an answer has tool calls",
        change=_in_answers("tool_calls", "stop"),
        red=("finish.tool-calls",),
        says='/data/choices/0/finish_reason: "tool_calls"; "stop"',
        wild=("F-FIN-01",),
    ),
    Fault(
        id="finish-stop-with-named-calls",
        does="says stop where the call was asked for by name",
        change=only(
            lambda asked: isinstance(asked.get("tool_choice"), dict), finishing(_instead("tool_calls", "stop"))
        ),
        red=("finish.tool-calls", "tools.stream-reason"),
        says='/data/choices/0/finish_reason: "tool_calls"; "stop"',
        wild=("F-FIN-01",),
    ),
    Fault(
        id="finish-tool-calls-with-tools",
        does="says tool_calls wherever tools are declared",
        change=only(having("tools"), finishing(_instead("stop", "tool_calls"))),
        red=("finish.tool-calls-means-calls",),
        says="a tool call in the message; none",
        wild=("F-FIN-11",),
    ),
    Fault(
        id="finish-tool-calls-and-no-call",
        does="says tool_calls and loses the call",
        change=each_answer(_talked),
        red=("finish.tool-calls-means-calls", "tools.required-calls", "tools.named-calls"),
        says="a tool call in the message; none",
        unseen=("finish.tool-calls", "tools."),
        wild=("F-FIN-11",),
    ),
    Fault(
        id="finish-hides-cut-arguments",
        does="says tool_calls where a limit cut the arguments of the call off",
        change=each_step(_cut_arguments),
        red=("tools.arguments-json", "tools.stream-arguments"),
        says='/function/arguments: JSON in the string; "{\\""',
        wild=("F-FIN-02",),
    ),
    Fault(
        id="finish-hides-the-filter",
        does="says stop where the filter stopped the answer",
        change=finishing(_instead("content_filter", "stop")),
        red=("finish.content-filter",),
        says='/data/choices/0/finish_reason: "content_filter"; "stop"',
        wild=("F-FIN-11",),
    ),
    Fault(
        id="finish-refuses-the-filtered",
        does="refuses what the filter stopped",
        change=only(plain, each_step(_refused)),
        red=("finish.content-filter",),
        says="status: HTTP 200; HTTP 400 CONTENT_FILTERED",
    ),
)

_STREAMS: Final = (
    Fault(
        id="finish-eos-token-in-streams",
        does="ends streams with eos_token",
        change=_in_chunks("stop", "eos_token"),
        red=("finish.stream-one-of-four",),
        says='stop, length, tool_calls, content_filter; "eos_token"',
        wild=("F-FIN-05",),
    ),
    Fault(
        id="finish-empty-until-the-end",
        does="gives an empty reason in every chunk but the last",
        change=in_chunks(_PLACE, lambda reason: reason or ""),
        red=("finish.stream-one-of-four", "finish.stream-reason-once"),
        says='stop, length, tool_calls, content_filter; ""',
    ),
    Fault(
        id="finish-unsaid-in-streams",
        does="gives no reason in streams",
        change=in_chunks(_PLACE, GONE),
        red=("finish.stream-says-why",),
        says="a finish_reason in a chunk; none in the whole stream",
        unseen=("finish.stream-", "tools.stream-reason"),
        wild=("F-FIN-04", "F-TRU-02"),
    ),
    Fault(
        id="finish-unsaid-now-and-then",
        does="gives no reason in one stream of eight",
        change=one_in(8, in_chunks(_PLACE, None), when=streams, first=3),
        red=("finish.stream-says-why",),
        says="a finish_reason in a chunk; none in the whole stream",
        unseen=("finish.stream-", "tools.stream-reason"),
        wild=("F-FIN-03",),
    ),
    Fault(
        id="finish-hides-the-limit-in-streams",
        does="says stop where the limit cut a stream off",
        change=_in_chunks("length", "stop"),
        red=("finish.stream-length",),
        says='"length"; "stop"',
        wild=("F-FIN-10",),
    ),
    Fault(
        id="finish-in-every-chunk",
        does="says stop in every chunk of a stream",
        change=in_chunks(_PLACE, lambda reason: reason or "stop"),
        red=("finish.stream-reason-once", "stream.error-or-reason"),
        says="no text after the finish_reason; ",
        wild=("F-FIN-06",),
    ),
    Fault(
        id="finish-overtakes-the-text",
        does="sends the reason before the last text",
        change=told(_overtaken),
        red=("finish.stream-reason-once",),
        says="no text after the finish_reason; ",
        wild=("F-FIN-06",),
    ),
)

FAULTS: Final = (*_ANSWERS, *_STREAMS)
