"""Servers that take a parameter and do something else."""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.document import is_integer
from conformance.server import answers, bounds
from conformance.server.app import Behaviour
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    after,
    asking,
    depending,
    each_chunk,
    in_answers,
    nothing,
    only,
    plain,
    reason_of,
    replacing,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.generation import ChatRequest, Finish, Service, Steps, Text
from conformance.server.site import Arrival


def limit_becomes(edit: Callable[[int], int | None]) -> Change:
    """Another limit than the one that was asked for, within the model's own."""

    def edited(request: ChatRequest) -> ChatRequest:
        wanted = request.document.get("max_tokens")
        if wanted is None or request.limit != wanted:
            return request
        return replace(request, limit=edit(wanted))

    return asking(edited)


def stops_become(edit: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Change:
    """Other stop sequences than those that were asked for."""
    return asking(lambda request: replace(request, stop=edit(request.stop)))


def ended_at_stop(ending: Callable[[str], Sequence[Text | Finish]]) -> Change:
    """Another end in the place of the one that a stop sequence brings about, made of that sequence."""

    async def stopped(steps: Steps, stop: tuple[str, ...]) -> Steps:
        spoken: list[str] = []

        async def heard() -> Steps:
            async with aclosing(steps):
                async for step in steps:
                    if isinstance(step, Text):
                        spoken.append(step.text)
                    yield step

        shown = ""
        async with aclosing(bounds.stopped(heard(), stop)) as cut:
            async for step in cut:
                if isinstance(step, Text):
                    shown += step.text
                found = [each for each in stop if "".join(spoken).startswith(shown + each)]
                if isinstance(step, Finish) and step.reason == "stop" and found:
                    for made in ending(found[0]):
                        yield made
                    return
                yield step

    return replacing(stopped=stopped)


def carrying_over(*names: str) -> Change:
    """Members of the last request that had them, where this one has none; what was refused is forgotten."""

    def change() -> Reaction:
        kept: dict[str, Any] = {}

        def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            def admitted(document: Asked, service: Service) -> ChatRequest:
                request = behaviour.admitted({**kept, **document}, service)
                kept.update({name: document[name] for name in names if name in document})
                return request

            return replace(behaviour, admitted=admitted)

        return react

    return change


def _counting_no_more(asked: Asked) -> Change:
    """Usage of no more tokens than were asked for, whatever was written."""

    def edit(usage: dict[str, int]) -> dict[str, int]:
        count = min(usage["completion_tokens"], asked["max_tokens"])
        return {**usage, "completion_tokens": count, "total_tokens": usage["prompt_tokens"] + count}

    return in_answers("/data/usage", edit) if is_integer(asked.get("max_tokens")) else nothing


def _sending_back(asked: Asked) -> Change:
    return in_answers("/data/metadata", asked["metadata"]) if "metadata" in asked else nothing


def _with_end_marker(document: Any) -> bytes:
    return answers.body(document) + (b"\n\ndata: [DONE]\n\n" if document["status"] == "ok" else b"")


def _stop_is(kind: type) -> Callable[[Asked], bool]:
    return lambda asked: isinstance(asked.get("stop"), kind)


def _overshot(asked: Asked) -> Change:
    """A usage beside the reason of a stream, of five tokens more than were asked for."""
    if not isinstance(most := asked.get("max_tokens"), int):
        return nothing
    usage = {"prompt_tokens": 9, "completion_tokens": most + 5, "total_tokens": most + 14}
    return each_chunk(lambda document: document | {"usage": usage} if reason_of(document) else document)


def _leaking(stop: str) -> Sequence[Text | Finish]:
    return (*([Text(text=stop[0])] if len(stop) > 1 else []), Finish(reason="stop"))


async def _by_piece(steps: Steps, stop: tuple[str, ...]) -> Steps:
    """Stop sequences looked for in each piece by itself."""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Text) and any(each in step.text for each in stop):
                yield Finish(reason="stop")
                return
            yield step


async def _found_late(steps: Steps, stop: tuple[str, ...]) -> Steps:
    """Stop sequences looked for in all that was said, when their first pieces are out already."""
    said = ""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Text):
                said += step.text
                if found := [each for each in stop if each in said]:
                    rest = step.text.removesuffix(said[said.index(found[0]) :])
                    if rest != step.text:
                        yield Text(text=rest)
                    yield Finish(reason="stop")
                    return
            yield step


FAULTS: Final[tuple[Fault, ...]] = (
    Fault(
        id="max-tokens-ignored",
        does="does not look at max_tokens",
        change=limit_becomes(lambda _: 512),
        red=("parameters.max-tokens-kept", "parameters.max-tokens-kept-in-text"),
        says="at most 3; ",
        unseen=("finish.length", "finish.stream-length"),
        wild=("F-PAR-01", "F-PAR-06"),
    ),
    Fault(
        id="max-tokens-ignored-in-streams",
        does="does not look at the max_tokens of a stream",
        change=only(streams, limit_becomes(lambda _: 512)),
        red=("parameters.max-tokens-kept-in-text",),
        says="what 3 tokens can write; 60 words",
        unseen=("finish.stream-length",),
        wild=("F-PAR-01",),
    ),
    Fault(
        id="max-tokens-off-by-one",
        does="writes one token more than max_tokens",
        change=limit_becomes(lambda limit: limit + 1),
        red=("parameters.max-tokens-kept",),
        says="at most 3; 4",
        unseen=("finish.length",),
    ),
    Fault(
        id="max-tokens-off-by-one-above-16",
        does="writes one token more than a max_tokens above 16",
        change=limit_becomes(lambda limit: limit + 1 if limit > 16 else limit),
        red=("parameters.max-tokens-kept",),
        says="at most 24; 25",
    ),
    Fault(
        id="max-tokens-block-overshot",
        does="drafts tokens in blocks of five and ends with the block",
        change=limit_becomes(lambda limit: -(-limit // 5) * 5),
        red=("parameters.max-tokens-kept",),
        says="at most 24; 25",
        unseen=("finish.length",),
        wild=("F-PAR-03",),
    ),
    Fault(
        id="max-tokens-hidden",
        does="does not look at max_tokens, and reports no more than it",
        change=after(limit_becomes(lambda _: 512), depending(_counting_no_more)),
        red=("parameters.max-tokens-kept-in-text", "finish.length"),
        says="what 3 tokens can write; ",
        unseen=("finish.stream-length",),
    ),
    Fault(
        id="max-tokens-overshot-in-streams",
        does="counts more tokens than max_tokens at the end of each stream",
        change=depending(_overshot),
        red=("parameters.max-tokens-kept",),
        says="at most 32; 37",
    ),
    Fault(
        id="max-tokens-capped-too-low",
        does="writes 64 tokens at most, though the model may write more",
        change=asking(lambda request: replace(request, limit=min(request.limit or 64, 64))),
        red=("finish.length-only-at-the-limit",),
        says='another reason: 64 of 512 tokens were written; "length"',
    ),
    Fault(
        id="max-tokens-cap-ignored",
        does="lets max_tokens lift the model's own limit",
        change=asking(lambda request: replace(request, limit=request.document.get("max_tokens", request.limit))),
        red=("parameters.max-tokens-cap-kept",),
        says="/data/usage/completion_tokens: at most 512; 513",
    ),
    Fault(
        id="stream-never",
        does="answers a stream with one JSON answer",
        change=only(streams, asking(lambda request: replace(request, stream=False))),
        red=("parameters.stream-true",),
        says="an event stream; a body of application/json",
        unseen=("stream.", "finish.stream-", "tools.stream-", "parameters.stop-in-stream"),
        wild=("F-CT-02",),
    ),
    Fault(
        id="stream-when-named",
        does="streams when it finds the member stream, whatever its value",
        change=only(lambda asked: "stream" in asked, asking(lambda request: replace(request, stream=True))),
        red=("parameters.stream-false", "response.is-json", "response.not-a-stream"),
        says="one JSON answer; an event stream",
        wild=("F-CT-01",),
    ),
    Fault(
        id="stream-by-default",
        does="streams unless it is told not to",
        change=only(lambda asked: "stream" not in asked, asking(lambda request: replace(request, stream=True))),
        red=("parameters.stream-default", "response.is-json", "response.not-a-stream"),
        says="one JSON answer; an event stream",
        unseen=("",),
        wild=("F-CT-01",),
    ),
    Fault(
        id="stream-end-marker-after-json",
        does="ends its JSON answers with the end marker of streams",
        change=replacing(body=_with_end_marker),
        red=("response.is-json",),
        says="Extra data",
        unseen=("",),
        wild=("F-CT-01",),
    ),
    Fault(
        id="stop-ignored",
        does="does not look at stop",
        change=stops_become(lambda _: ()),
        red=(
            "parameters.stop-string-stops",
            "parameters.stop-array-stops",
            "parameters.stop-excluded",
            "parameters.stop-in-stream",
        ),
        says="nothing after ",
        unseen=("parameters.stop-reason",),
        wild=("F-PAR-04", "F-PAR-06"),
    ),
    Fault(
        id="stop-string-ignored",
        does="does not look at a stop that is a string",
        change=only(plain, only(_stop_is(str), stops_become(lambda _: ()))),
        red=("parameters.stop-string-stops", "parameters.stop-excluded"),
        says="nothing after ",
    ),
    Fault(
        id="stop-array-ignored",
        does="does not look at a stop that is an array",
        change=only(_stop_is(list), stops_become(lambda _: ())),
        red=("parameters.stop-array-stops", "parameters.stop-excluded", "parameters.stop-in-stream"),
        says="nothing after ",
    ),
    Fault(
        id="stop-array-first-only",
        does="obeys the first member of stop alone",
        change=stops_become(lambda stop: stop[:1]),
        red=("parameters.stop-array-stops", "parameters.stop-excluded", "parameters.stop-in-stream"),
        says="nothing after ",
    ),
    Fault(
        id="stop-array-last-only",
        does="obeys the last member of stop alone",
        change=stops_become(lambda stop: stop[-1:]),
        red=("parameters.stop-array-stops", "parameters.stop-excluded"),
        says="nothing after ",
    ),
    Fault(
        id="stop-array-joined",
        does="joins the members of stop to one sequence",
        change=only(_stop_is(list), stops_become(lambda stop: ("".join(stop),))),
        red=("parameters.stop-array-stops", "parameters.stop-excluded", "parameters.stop-in-stream"),
        says="nothing after ",
    ),
    Fault(
        id="stop-string-spread",
        does="spreads a stop that is a string over its characters",
        change=only(_stop_is(str), stops_become(lambda stop: tuple("".join(stop)))),
        red=("parameters.stop-string-stops",),
        says=", as if each character of ",
        unseen=("parameters.stop-in-stream",),
    ),
    Fault(
        id="stop-kept",
        does="gives the stop text before it stops",
        change=ended_at_stop(lambda stop: (Text(text=stop), Finish(reason="stop"))),
        red=("parameters.stop-excluded", "parameters.stop-in-stream"),
        says="a text without ",
        wild=("F-PAR-05",),
    ),
    Fault(
        id="stop-kept-in-answers",
        does="gives the stop text before it stops, but not in streams",
        change=only(plain, ended_at_stop(lambda stop: (Text(text=stop), Finish(reason="stop")))),
        red=("parameters.stop-excluded",),
        says="a text without ",
        wild=("F-PAR-05",),
    ),
    Fault(
        id="stop-reason-length",
        does="says of a stop sequence that the limit was reached",
        change=ended_at_stop(lambda _: (Finish(reason="length"),)),
        red=("parameters.stop-reason", "finish.length-only-at-the-limit"),
        says='"stop"; "length"',
    ),
    Fault(
        id="stop-reason-own",
        does="has a reason of its own for stop sequences",
        change=only(plain, ended_at_stop(lambda _: (Finish(reason="stop_sequence"),))),
        red=("parameters.stop-reason", "finish.one-of-four"),
        says='"stop"; "stop_sequence"',
    ),
    Fault(
        id="stop-reason-filter",
        does="says of a stop sequence that a filter stopped it",
        change=ended_at_stop(lambda _: (Finish(reason="content_filter"),)),
        red=("parameters.stop-reason",),
        says='"stop"; "content_filter"',
    ),
    Fault(
        id="stop-reason-length-in-streams",
        does="says in streams of a stop sequence that the limit was reached",
        change=only(streams, ended_at_stop(lambda _: (Finish(reason="length"),))),
        red=("parameters.stop-reason",),
        says='whole: "stop"; "length"',
    ),
    Fault(
        id="stop-ignored-in-streams",
        does="does not look at the stop of a stream",
        change=only(streams, stops_become(lambda _: ())),
        red=("parameters.stop-in-stream",),
        says="a text without ",
        wild=("F-PAR-04",),
    ),
    Fault(
        id="stop-leaks-when-cut",
        does="has streamed the start of a stop sequence that comes in two pieces",
        change=only(streams, replacing(stopped=_found_late)),
        red=("parameters.stop-in-stream",),
        says="no part of ",
        wild=("F-PAR-05",),
    ),
    Fault(
        id="stop-first-character-leaks",
        does="streams the first character of a stop sequence that comes in two pieces",
        change=only(streams, ended_at_stop(_leaking)),
        red=("parameters.stop-in-stream",),
        says="no part of ",
        wild=("F-PAR-05",),
    ),
    Fault(
        id="stop-within-pieces-only",
        does="looks for stop sequences in each piece by itself",
        change=replacing(stopped=_by_piece),
        red=(
            "parameters.stop-string-stops",
            "parameters.stop-array-stops",
            "parameters.stop-excluded",
            "parameters.stop-in-stream",
        ),
        unseen=("parameters.stop-reason",),
        says="nothing after ",
        wild=("F-PAR-05",),
    ),
    Fault(
        id="metadata-sent-back",
        does="sends metadata back in the answer",
        change=depending(_sending_back),
        red=("parameters.metadata-same-shape",),
        says="/data/metadata: no such member, as without metadata",
    ),
    Fault(
        id="settings-carried-over-stream",
        does="streams to whoever comes after a client that streams",
        change=carrying_over("stream"),
        red=("parameters.stream-default", "response.is-json", "response.not-a-stream"),
        says="an event stream",
        unseen=("parameters.", "messages.", "multimodal.", "tools.", "finish."),
        wild=("F-PAR-08",),
    ),
)
