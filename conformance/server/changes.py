"""Ways to answer otherwise: changes of the reference server's steps, from which faults and legal variants are made.

A `Change` is made anew for each server, so that what it remembers is that server's. It then turns the behaviour for
each request into another. Changes made of changes (`after`, `only`, `one_in`) keep both properties.
"""

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from enum import Enum
from itertools import count
from typing import Any, Final

from conformance.document import NotJson, parse
from conformance.server.answers import Chunk, Head, StreamEvent, StreamEvents
from conformance.server.app import CONFORMING, Answer, Behaviour, Conduct, Writes
from conformance.server.generation import (
    ChatRequest,
    Completion,
    Failure,
    Finish,
    Refused,
    Service,
    Step,
    Steps,
    Text,
)
from conformance.server.site import Allowance, Arrival

Asked = Mapping[str, Any]
"""The document of a request; empty where the body holds none."""
When = Callable[[Asked], bool]
Reaction = Callable[[Arrival, Behaviour], Behaviour]
Change = Callable[[], Reaction]
Frames = AsyncGenerator[bytes, None]


class Gone(Enum):
    """The value that takes a member away."""

    GONE = "gone"


GONE: Final = Gone.GONE


def conduct(*changes: Change) -> Conduct:
    """The conduct of one server with these changes, each made on the behaviour that the one before it made."""
    reactions = [change() for change in changes]

    def conducted(arrival: Arrival) -> Behaviour:
        behaviour = CONFORMING
        for reaction in reactions:
            behaviour = reaction(arrival, behaviour)
        return behaviour

    return conducted


# Changes made of changes.


def nothing() -> Reaction:
    """No change."""
    return lambda _, behaviour: behaviour


def after(*changes: Change) -> Change:
    """One change after the other."""

    def change() -> Reaction:
        reactions = [each() for each in changes]

        def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            for reaction in reactions:
                behaviour = reaction(arrival, behaviour)
            return behaviour

        return react

    return change


def only(when: When, *changes: Change) -> Change:
    """Changes for the requests that `when` picks."""

    def change() -> Reaction:
        reaction = after(*changes)()
        return lambda arrival, behaviour: reaction(arrival, behaviour) if when(asked(arrival)) else behaviour

    return change


def one_in(number: int, *changes: Change, when: When = bool, first: int = 0) -> Change:
    """Changes for one request in so many of those that `when` picks: the first, or the one of that number."""

    def change() -> Reaction:
        reaction, arrived = after(*changes)(), count()

        def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            hit = when(asked(arrival)) and next(arrived) % number == first
            return reaction(arrival, behaviour) if hit else behaviour

        return react

    return change


def depending(change_for: Callable[[Asked], Change]) -> Change:
    """A change that depends on the request, and remembers nothing."""
    return lambda: lambda arrival, behaviour: change_for(asked(arrival))()(arrival, behaviour)


def asked(arrival: Arrival) -> Asked:
    """The document of a request; empty where the body holds none."""
    try:
        document = parse(arrival.body or b"")
    except NotJson:
        return {}
    return document if isinstance(document, dict) else {}


def replacing(**steps: Any) -> Change:
    """Steps of the behaviour in the place of its own."""
    return lambda: lambda _, behaviour: replace(behaviour, **steps)


# Which requests.


def streams(asked: Asked) -> bool:
    """One that asks for a stream."""
    return asked.get("stream") is True


def plain(asked: Asked) -> bool:
    """One that asks for one JSON answer."""
    return bool(asked) and not streams(asked)


def having(*names: str) -> When:
    """Those that carry all of these members."""
    return lambda asked: all(name in asked for name in names)


# What is admitted.


def refusing(when: When, field: str = "body", *, status: int = 422, code: str = "VALIDATION_ERROR") -> Change:
    """Requests that the page allows, refused."""

    def refuse(_document: Asked) -> None:
        message = f"The request is not valid: {field}: not supported"
        raise Refused(Failure(status=status, code=code, message=message))

    return only(when, replacing(keep_rules=refuse))


def mending(edit: Callable[[Any], Any]) -> Change:
    """Requests that the page forbids, silently mended before they are looked at, or changed into others."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, parsed=lambda body: edit(behaviour.parsed(body)))

    return lambda: react


def asking(edit: Callable[[ChatRequest], ChatRequest]) -> Change:
    """Another request for the model than the one that was admitted."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, admitted=lambda document, service: edit(behaviour.admitted(document, service)))

    return lambda: react


# What the model says.


def saying(edit: Callable[[Steps, ChatRequest], Steps]) -> Change:
    """Other steps from the model, before they are limited and stopped."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def spoken(service: Service, request: ChatRequest) -> Steps:
            return edit(behaviour.spoken(service, request), request)

        return replace(behaviour, spoken=spoken)

    return lambda: react


def each_step(edit: Callable[[int, Step], Iterable[Step]]) -> Change:
    """Other steps in the place of each, after they were limited and stopped; the number counts from 0."""

    async def edited(steps: Steps) -> Steps:
        number = 0
        async with aclosing(steps):
            async for step in steps:
                for made in edit(number, step):
                    yield made
                number += 1

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, stopped=lambda steps, stop: edited(behaviour.stopped(steps, stop)))

    return lambda: react


def wording(edit: Callable[[str], str]) -> Change:
    """Other text, piece by piece."""
    return each_step(lambda _, step: [Text(text=edit(step.text)) if isinstance(step, Text) else step])


def finishing(edit: Callable[[str], str]) -> Change:
    """Other reasons to finish, in streams and in answers."""
    return each_step(lambda _, step: [replace(step, reason=edit(step.reason)) if isinstance(step, Finish) else step])


# JSON answers.


def put(document: Any, pointer: str, value: Any) -> Any:
    """The document with another value at a pointer; without it, for `GONE`; with a function of what stood there.

    The document is changed in place. Where the pointer has no place it stays as it is.
    """
    *path, last = pointer.split("/")[1:]
    here = document
    for name in path:
        here = here[int(name)] if isinstance(here, list) and int(name) < len(here) else _member(here, name)
        if not isinstance(here, dict | list) or here == []:
            return document
    if isinstance(here, list):
        here[int(last)] = value(here[int(last)]) if callable(value) else value
    elif value is GONE:
        here.pop(last, None)
    elif callable(value):
        if last in here:
            here[last] = value(here[last])
    else:
        here[last] = value
    return document


def _member(here: Any, name: str) -> Any:
    return here.get(name) if isinstance(here, dict) else None


def _copied(document: Any) -> Any:
    return json.loads(json.dumps(document))


def each_answer(edit: Callable[[Any], Any]) -> Change:
    """The document of a successful answer, as `edit` makes it; it may change the document in place and return it."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def envelope(head: Head, completion: Completion) -> Any:
            return edit(_copied(behaviour.envelope(head, completion)))

        return replace(behaviour, envelope=envelope)

    return lambda: react


def in_answers(pointer: str, value: Any) -> Change:
    """Another value at a pointer of successful answers: `/data/choices/0/message/content`."""
    return each_answer(lambda document: put(document, pointer, value))


def each_refusal(edit: Callable[[Any, Failure], Any], when: Callable[[Failure], bool] = lambda _: True) -> Change:
    """The document of an HTTP error, as `edit` makes it."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def refusal(failure: Failure, request_id: str) -> Any:
            document = behaviour.refusal(failure, request_id)
            return edit(_copied(document), failure) if when(failure) else document

        return replace(behaviour, refusal=refusal)

    return lambda: react


def in_refusals(pointer: str, value: Any, when: Callable[[Failure], bool] = lambda _: True) -> Change:
    """Another value at a pointer of HTTP errors: `/error/code`."""
    return each_refusal(lambda document, _: put(document, pointer, value), when)


def failing(edit: Callable[[Failure], Failure]) -> Change:
    """Other failures, with their status, in the place of those that are told over HTTP."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, failure=lambda failure: edit(behaviour.failure(failure)))

    return lambda: react


# Streams.


def each_event(edit: Callable[[int, StreamEvent], Iterable[StreamEvent]]) -> Change:
    """Other events in the place of each; the number counts from 0."""

    async def edited(events: StreamEvents) -> StreamEvents:
        number = 0
        async with aclosing(events):
            async for event in events:
                for made in edit(number, event):
                    yield made
                number += 1

    return told(edited)


def told(edit: Callable[[StreamEvents], StreamEvents]) -> Change:
    """Other events, the stream's as a whole."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, events=lambda head, steps: edit(behaviour.events(head, steps)))

    return lambda: react


def each_chunk(edit: Callable[[Any], Any]) -> Change:
    """The document of each chunk, as `edit` makes it; None leaves the chunk out."""

    def edited(_number: int, event: StreamEvent) -> Iterator[StreamEvent]:
        if not isinstance(event, Chunk):
            yield event
        elif (document := edit(_copied(event.document))) is not None:
            yield Chunk(document=document)

    return each_event(edited)


def in_chunks(pointer: str, value: Any) -> Change:
    """Another value at a pointer of every chunk: `/choices/0/delta/role`."""
    return each_chunk(lambda document: put(document, pointer, value))


def reason_of(document: Any) -> Any:
    """Why a chunk ends the answer; nothing where it does not."""
    return document["choices"][0]["finish_reason"]


def each_frame(edit: Callable[[int, bytes], Iterable[bytes]]) -> Change:
    """Other bytes in the place of each event of a stream, blank line and all; the number counts from 0.

    An `edit` that raises `Dropped` closes the connection.
    """

    async def edited(frames: Frames) -> Frames:
        number = 0
        async with aclosing(frames):
            async for frame in frames:
                for made in edit(number, frame):
                    yield made
                number += 1

    return framed(edited)


def framed(edit: Callable[[Frames], Frames]) -> Change:
    """Other bytes, the stream's as a whole."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, frames=lambda frames: edit(behaviour.frames(frames)))

    return lambda: react


def ended_by(data: bytes) -> Change:
    """Other bytes in the place of the end marker."""
    return each_frame(lambda _, frame: [data if frame.startswith(b"data: [DONE]") else frame])


def in_error_events(data: bytes | Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of the error event."""
    return each_frame(
        lambda _, frame: [
            (data if isinstance(data, bytes) else data(frame)) if frame.startswith(b"event: error") else frame
        ]
    )


def each_write(edit: Callable[[int, float, bytes], Iterable[tuple[float, bytes]]]) -> Change:
    """Other writes in the place of each of a stream: seconds to wait, and bytes; the number counts from 0."""

    async def edited(writes: Writes) -> Writes:
        number = 0
        async with aclosing(writes):
            async for delay, data in writes:
                for made in edit(number, delay, data):
                    yield made
                number += 1

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, writes=lambda frames: edited(behaviour.writes(frames)))

    return lambda: react


def lingering(seconds: float) -> Change:
    """Streams whose connection stays open for a while after their last byte."""

    async def edited(writes: Writes) -> Writes:
        async with aclosing(writes):
            async for write in writes:
                yield write
        yield seconds, b""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, writes=lambda frames: edited(behaviour.writes(frames)))

    return lambda: react


# Heads and whole answers.


def each_head(edit: Callable[[dict[str, str], Failure | None], dict[str, str]]) -> Change:
    """Other header fields; the names are written as the reference server writes them (`Content-Type`)."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def headers(
            media_type: str, request_id: str, allowance: Allowance | None, failure: Failure | None
        ) -> Mapping[str, str]:
            return edit(dict(behaviour.headers(media_type, request_id, allowance, failure)), failure)

        return replace(behaviour, headers=headers)

    return lambda: react


def with_field(name: str, value: str | None) -> Change:
    """A header field with this value on every answer; None takes it away."""

    def edit(fields: dict[str, str], _failure: Failure | None) -> dict[str, str]:
        rest = {known: said for known, said in fields.items() if known.lower() != name.lower()}
        return rest if value is None else {**rest, name: value}

    return each_head(edit)


def answering(edit: Callable[[Answer], Answer]) -> Change:
    """Another answer, the last thing before it is written: refusals, JSON and streams."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, answer=lambda answer: edit(behaviour.answer(answer)))

    return lambda: react


def instead(status: int, body: bytes, media_type: str = "application/json") -> Callable[[Answer], Answer]:
    """For `answering`: the same answer to everything."""

    def edit(answer: Answer) -> Answer:
        async def writes() -> Writes:
            await answer.writes.aclose()
            yield 0.0, body

        rest = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY}
        fields = {**rest, "Content-Type": media_type, "Content-Length": str(len(body))}
        return Answer(status=status, headers=fields, writes=writes())

    return edit


_OF_THE_BODY: Final = frozenset({"content-type", "content-length"})
