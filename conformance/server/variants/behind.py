"""Gateways that do their own way, and rightly, what lies between the scripted backend and the client."""

import asyncio
import base64
import json
import struct
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Behaviour
from conformance.server.changes import (
    Change,
    Reaction,
    asking,
    each_answer,
    each_frame,
    each_step,
    failing,
    only,
    saying,
    with_field,
)
from conformance.server.deviation import Variant
from conformance.server.faults.behind import behind
from conformance.server.gallery import Gallery
from conformance.server.generation import (
    CallStart,
    ChatRequest,
    Failure,
    Finish,
    Service,
    Step,
    Steps,
    Text,
    fresh_call_id,
)
from conformance.server.site import Arrival

_PATIENCE: Final = 1.2
"""Seconds that a gateway goes on listening after its client has left."""
_FAILURES: Final = 8
_AWAY: Final = 0.4  # seconds


def _retrying(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
    """A backend that fails before it says anything is asked once more."""

    async def again(service: Service, request: ChatRequest) -> Steps:
        async with aclosing(behaviour.spoken(service, request)) as steps:
            first = await anext(steps)
            if not isinstance(first, Failure):
                yield first
                async for step in steps:
                    yield step
                return
        async with aclosing(behaviour.spoken(service, request)) as steps:
            async for step in steps:
                yield step

    return replace(behaviour, spoken=again)


def _breaking() -> Reaction:
    """After so many failures in a row nobody is asked for a while."""
    state = {"failed": 0, "until": 0.0}

    async def watched(steps: Steps) -> Steps:
        async with aclosing(steps):
            async for step in steps:
                state["failed"] = state["failed"] + 1 if isinstance(step, Failure) else 0
                if state["failed"] >= _FAILURES:
                    state["failed"], state["until"] = 0, time.monotonic() + _AWAY
                yield step

    async def away() -> Steps:
        yield Failure(status=503, code="MODEL_UNAVAILABLE", message="No backend of this model is healthy.")

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def spoken(service: Service, request: ChatRequest) -> Steps:
            return away() if time.monotonic() < state["until"] else watched(behaviour.spoken(service, request))

        return replace(behaviour, spoken=spoken)

    return react


def _prompted(request: ChatRequest) -> ChatRequest:
    return replace(request, messages=({"role": "system", "content": "Be kind."}, *request.messages))


def _half_the_limit(request: ChatRequest) -> ChatRequest:
    return replace(request, limit=request.limit // 2) if request.limit else request


def _calls_alone(document: Any) -> Any:
    message = document["data"]["choices"][0]["message"]
    return document if not message.get("tool_calls") else _with(document, message | {"content": None})


def _written_anew(document: Any) -> Any:
    message = document["data"]["choices"][0]["message"]
    for call in message.get("tool_calls") or ():
        arguments = json.loads(call["function"]["arguments"])
        call["function"]["arguments"] = json.dumps(arguments, indent=1, sort_keys=True)
    return document


def _with(document: Any, message: Any) -> Any:
    document["data"]["choices"][0]["message"] = message
    return document


def _mismatched(failure: Failure) -> Failure:
    dead = failure.code == "BACKEND_ERROR"
    return replace(failure, code="UPSTREAM_SHAPE_MISMATCH", status=502) if dead else failure


def _mismatched_event(_number: int, frame: bytes) -> Iterable[bytes]:
    return [frame.replace(b"BACKEND_ERROR", b"UPSTREAM_SHAPE_MISMATCH") if frame.startswith(b"event: error") else frame]


async def _in_pairs(steps: Steps, _request: ChatRequest) -> Steps:
    """Two pieces of text are sent as one."""
    held = ""
    async with aclosing(steps):
        async for step in steps:
            if isinstance(step, Text) and not held:
                held = step.text
                continue
            if isinstance(step, Text):
                yield Text(text=held + step.text)
            elif held:
                yield Text(text=held)
                yield step
            else:
                yield step
            held = ""


async def _lingering(steps: Steps, _request: ChatRequest) -> Steps:
    """The backend is listened to for a while after the client has left."""
    ended = False
    try:
        async for step in steps:
            ended = isinstance(step, Finish | Failure)
            yield step
    finally:
        if ended:
            await steps.aclose()
        else:
            _LEAVING.add(leaving := asyncio.ensure_future(_left(steps)))
            leaving.add_done_callback(_LEAVING.discard)


async def _left(steps: AsyncGenerator[Step, None]) -> None:
    async with aclosing(steps):
        try:
            async with asyncio.timeout(_PATIENCE):
                async for _ in steps:
                    pass
        except TimeoutError:
            return


_LEAVING: Final[set[asyncio.Future[None]]] = set()


def _own_ids(_number: int, step: Step) -> Iterable[Step]:
    return [replace(step, id=fresh_call_id()) if isinstance(step, CallStart) else step]


def _without_metadata(request: ChatRequest) -> ChatRequest:
    kept = {name: value for name, value in request.document.items() if name != "metadata"}
    return replace(request, document=kept)


def _of_systems(**members: Callable[[Any], Any]) -> Change:
    """System messages that are otherwise at the backend."""

    def edited(message: Any) -> Any:
        return message | {name: edit(message[name]) for name, edit in members.items()}

    return asking(
        lambda request: replace(
            request,
            messages=tuple(edited(each) if each["role"] == "system" else each for each in request.messages),
        )
    )


def _ruled(content: Any) -> Any:
    return f"Be safe and lawful.\n\n{content}" if isinstance(content, str) else content


def _joined(request: ChatRequest) -> ChatRequest:
    """Neighbours of one role are one message, as some templates of models will have it."""
    found: list[Any] = []
    for message in request.messages:
        alike = found and found[-1]["role"] == message["role"] in {"system", "user"}
        if alike and isinstance(message["content"], str) and isinstance(found[-1]["content"], str):
            found[-1] = found[-1] | {"content": f"{found[-1]['content']}\n\n{message['content']}"}
        else:
            found.append(message)
    return replace(request, messages=tuple(found))


def _streaming(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
    return replace(behaviour, spoken=lambda service, request: behaviour.spoken(service, replace(request, stream=True)))


def _throttled(failure: Failure) -> Failure:
    overloaded = "529" in failure.message
    return replace(failure, status=429, code="BACKEND_RATE_LIMITED", retry_after=1) if overloaded else failure


_HEADER_END: Final = 33
"""Bytes of a PNG up to the end of its header (RFC 2083, 3.2 and 4.1.1)."""


def _signed(data: str) -> str:
    """The same PNG with a text in it that says who wrote it."""
    image, text = base64.b64decode(data), b"tEXtSoftware\0proxy"
    written = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return base64.b64encode(image[:_HEADER_END] + written + image[_HEADER_END:]).decode()


def _rewriting(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
    def proxied(request: ChatRequest, arrival: Arrival, gallery: Gallery) -> ChatRequest:
        made = behaviour.proxied(request, arrival, gallery)
        return replace(made, address=lambda media_type, data: made.address(media_type, _signed(data)))

    return replace(behaviour, proxied=proxied)


def _variant(identity: str, does: str, *changes: Change, unseen: tuple[str, ...] = ()) -> Variant:
    return Variant(id=f"behind-{identity}", does=does, change=only(behind, *changes), behind=True, unseen=unseen)


VARIANTS: Final[tuple[Variant, ...]] = (
    _variant("asks-again", "asks a backend once more that fails before it says anything", lambda: _retrying),
    _variant(
        "gives-up-for-a-while",
        "stops asking a backend for a while after eight failures in a row",
        _breaking,
        unseen=("stream.failure-before-first-token", "stream.stops-when-client-leaves"),
    ),
    _variant("adds-a-prompt", "puts a system message of its own before the others", asking(_prompted)),
    _variant("asks-for-less", "asks its backend for half of the tokens", asking(_half_the_limit)),
    _variant("calls-instead-of-content", "leaves out what is said beside a call", each_answer(_calls_alone)),
    _variant("writes-arguments-anew", "writes arguments in a form of its own", each_answer(_written_anew)),
    _variant(
        "calls-deaths-mismatches",
        "says of every backend that died that it could not be understood",
        failing(_mismatched),
        each_frame(_mismatched_event),
    ),
    _variant("sends-in-pairs", "sends two pieces of text as one", saying(_in_pairs)),
    _variant("leaves-late", "listens to its backend for a second after its client has left", saying(_lingering)),
    _variant("own-call-ids", "gives calls ids of its own", each_step(_own_ids)),
    _variant(
        "keeps-metadata",
        "passes no metadata to a backend that nobody said supports it",
        asking(_without_metadata),
        unseen=("parameters.metadata-forwarded",),
    ),
    _variant("adds-its-rules", "writes its rules into the system message", _of_systems(content=_ruled)),
    _variant("says-developer", "calls the system the developer", _of_systems(role=lambda _: "developer")),
    _variant("joins-neighbours", "joins neighbours of one role", asking(_joined)),
    _variant("always-streams", "asks its backend for a stream whatever it was asked", lambda: _streaming),
    _variant("calls-overload-throttling", "says of an overloaded backend that it throttles", failing(_throttled)),
    _variant("writes-images-anew", "serves images with a word of its own in them", lambda: _rewriting),
    _variant("names-its-pool", "says in a header of its own which pool answered", with_field("X-Pool", "pool-7")),
)
