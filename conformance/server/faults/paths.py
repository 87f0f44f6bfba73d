"""Servers whose way to a stream is not their way to an answer: what the one knows, the other forgot."""

from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Behaviour
from conformance.server.changes import Asked, Change, finishing, mending, only, refusing, streams
from conformance.server.deviation import Fault
from conformance.server.generation import Finish, Steps, Text
from conformance.server.site import Arrival


def _without_a_limit(asked: Asked) -> bool:
    return streams(asked) and "max_tokens" not in asked


def _with_metadata(asked: Asked) -> bool:
    return streams(asked) and "metadata" in asked


def _stopped_by_a_string(document: Any) -> Any:
    if isinstance(document.get("stop"), list):
        del document["stop"]
    return document


async def _unflushed(steps: Steps) -> Steps:
    """The steps without the last piece of a text that ends by itself."""
    held: Text | None = None
    async with aclosing(steps):
        async for step in steps:
            if held and not (isinstance(step, Finish) and step.reason == "stop"):
                yield held
            held = step if isinstance(step, Text) else None
            if held is None:
                yield step


def _forgetful() -> Change:
    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, stopped=lambda steps, stop: _unflushed(behaviour.stopped(steps, stop)))

    return lambda: react


FAULTS: Final = (
    Fault(
        id="stream-without-a-limit-fails",
        does="fails with 500 over a stream that names no max_tokens",
        change=refusing(_without_a_limit, "max_tokens", status=500, code="INTERNAL_ERROR"),
        red=("request.minimal-body",),
        says="status: HTTP 200, as for stream.greeting; HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="stream-with-metadata-refused",
        does="knows no metadata where a stream is asked for",
        change=refusing(_with_metadata, "metadata"),
        red=("parameters.all-together",),
        says="metadata: not supported",
    ),
    Fault(
        id="stream-ignores-stops-in-an-array",
        does="stops its streams at a string alone",
        change=only(streams, mending(_stopped_by_a_string)),
        red=("parameters.stop-in-stream",),
        says="a text without",
    ),
    Fault(
        id="stream-keeps-its-last-piece",
        does="does not flush the last piece of a stream that ends by itself",
        change=only(streams, _forgetful()),
        red=("stream.text-accumulates",),
        says='the whole count; " 58, 59," at its end',
    ),
    Fault(
        id="stream-says-stop-of-the-filter",
        does="says stop where the filter stopped a stream",
        change=only(streams, finishing(lambda reason: "stop" if reason == "content_filter" else reason)),
        red=("finish.content-filter",),
        says='whole: "content_filter"; "stop"',
    ),
)
