"""Gateways that change, hold or lose what the backend said."""

import asyncio
import json
import unicodedata
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import Chunk, StreamEvent
from conformance.server.changes import (
    after,
    each_answer,
    each_event,
    each_step,
    finishing,
    framed,
    put,
    saying,
)
from conformance.server.deviation import Fault
from conformance.server.faults.behind import fault, streamed_behind, whole_behind
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Failure,
    Finish,
    Step,
    Steps,
    Text,
)

_LEAKED: Final = "scripted-backend-7b-q4"


async def _held(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Nothing goes out before all is there."""
    async with aclosing(frames):
        kept = [frame async for frame in frames]
    for frame in kept:
        yield frame


async def _undisturbed(steps: Steps, _request: ChatRequest) -> Steps:
    """The backend is listened to whether the client is there or not."""
    queue: asyncio.Queue[Step] = asyncio.Queue()

    async def listen() -> None:
        async with aclosing(steps):
            async for step in steps:
                await queue.put(step)

    listening = asyncio.ensure_future(listen())
    _LISTENING.add(listening)
    listening.add_done_callback(_LISTENING.discard)
    while True:
        step = await queue.get()
        yield step
        if isinstance(step, Finish | Failure):
            return


_LISTENING: Final[set[asyncio.Future[None]]] = set()


def _twins(steps: Steps, _request: ChatRequest) -> Steps:
    """A piece of text that equals the one before is taken for a repetition."""

    async def edited() -> Steps:
        last = ""
        async with aclosing(steps):
            async for step in steps:
                if isinstance(step, Text) and step.text == last:
                    continue
                last = step.text if isinstance(step, Text) else ""
                yield step

    return edited()


def _merged(_number: int, step: Step) -> Iterable[Step]:
    """Calls beyond the first are told as more of it."""
    match step:
        case CallStart(index=index) if index:
            return []
        case CallArguments():
            return [replace(step, index=0)]
    return [step]


def _first_alone(_number: int, step: Step) -> Iterable[Step]:
    return [] if isinstance(step, CallStart | CallArguments) and step.index else [step]


def _rounded(document: Any) -> Any:
    """Arguments read and written again, without what ASCII does not hold."""
    for call in document["data"]["choices"][0]["message"].get("tool_calls") or ():
        call["function"]["arguments"] = call["function"]["arguments"].encode("ascii", "ignore").decode()
    return document


def _composed(_number: int, step: Step) -> Iterable[Step]:
    return [Text(text=unicodedata.normalize("NFC", step.text)) if isinstance(step, Text) else step]


def _trimmed(document: Any) -> Any:
    message = document["data"]["choices"][0]["message"]
    if isinstance(message["content"], str):
        message["content"] = message["content"].strip()
    return document


def _printable(_number: int, step: Step) -> Iterable[Step]:
    return [Text(text="".join(c for c in step.text if c >= " " or c in "\n\r\t")) if isinstance(step, Text) else step]


def _leaking(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    return [Chunk(document={**event.document, "provider": _LEAKED}) if isinstance(event, Chunk) else event]


def _doubled(document: Any) -> Any:
    """Arguments that were read by somebody whose numbers are doubles."""
    for call in document["data"]["choices"][0]["message"].get("tool_calls") or ():
        function = call["function"]
        arguments = json.loads(function["arguments"], parse_int=lambda digits: int(float(digits)))
        function["arguments"] = json.dumps(arguments)
    return document


FAULTS: Final[tuple[Fault, ...]] = (
    fault(
        "buffers",
        "sends a stream when all of it is there",
        framed(_held),
        "stream.as-it-comes",
        says="text some 1.2 s before the backend had written all",
        when=streamed_behind,
        unseen=("stream.stops-when-client-leaves",),
    ),
    fault(
        "keeps-generating",
        "listens to its backend to the end, though its client has left",
        saying(_undisturbed),
        "stream.stops-when-client-leaves",
        says="the backend written to for",
        when=streamed_behind,
    ),
    fault(
        "names-the-backend",
        "says in a member of its own which model the backend runs",
        after(each_event(_leaking), each_answer(lambda document: put(document, "/data/provider", _LEAKED))),
        "response.no-backend-name",
        says="no word of the backend's model",
    ),
    fault(
        "length-as-stop",
        "says stop for every reason but a call",
        finishing(lambda reason: "stop" if reason == "length" else reason),
        "finish.exact",
        says='"length", of a backend that',
    ),
    fault(
        "filter-as-stop",
        "hides that a safety filter stopped its backend",
        finishing(lambda reason: "stop" if reason == "content_filter" else reason),
        "finish.exact",
        says='"content_filter", of a backend that',
    ),
    fault(
        "loses-twins",
        "takes a piece of text that equals the one before for a repetition",
        saying(_twins),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says="at character",
        when=streamed_behind,
    ),
    fault(
        "composes",
        "composes combining characters in streams",
        each_step(_composed),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says="at character",
        when=streamed_behind,
    ),
    fault(
        "drops-controls",
        "drops control characters in streams",
        each_step(_printable),
        "stream.equals-unstreamed",
        "stream.text-exact",
        says="as not streamed",
        when=streamed_behind,
    ),
    fault(
        "trims-answers",
        "takes the blanks from the ends of an answer that is not streamed",
        each_answer(_trimmed),
        "response.text-exact",
        "stream.equals-unstreamed",
        says="begins with two",
        when=whole_behind,
    ),
    fault(
        "merges-calls",
        "tells every call as a part of the first",
        each_step(_merged),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        "stream.garbled-not-relayed",
        "tools.stream-arguments",
        says="the calls",
        when=streamed_behind,
    ),
    fault(
        "one-call-alone",
        "tells the first of several calls",
        each_step(_first_alone),
        "tools.exact-calls",
        "stream.garbled-not-relayed",
        says="the calls",
    ),
    fault(
        "reads-answers-as-doubles",
        "writes the arguments of calls anew, its numbers doubles, where no stream is asked for",
        each_answer(_doubled),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        says="9007199254740993",
        when=whole_behind,
    ),
    fault(
        "ascii-arguments",
        "writes arguments without what ASCII does not hold",
        each_answer(_rounded),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        "stream.garbled-not-relayed",
        says="Zürich",
        when=whole_behind,
    ),
)
