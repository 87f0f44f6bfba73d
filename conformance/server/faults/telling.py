"""Ways to tell a failure otherwise, from which the faults of keys, refusals and errors are made."""

import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import body
from conformance.server.app import Answer, Behaviour, Dropped, Writes
from conformance.server.changes import Asked, Change, Reaction, after, failing, replacing
from conformance.server.generation import Failure, Refused
from conformance.server.site import Arrival

Which = Callable[[Failure], bool]

VALIDATION: Final = "VALIDATION_ERROR"
BROKEN: Final = {"status": 500, "code": "INTERNAL_ERROR", "message": "The server failed; the fault is not yours."}
"""For `turning`: what a server says that fails over a request."""


def coded(*codes: str) -> Which:
    """Failures with one of these codes."""
    return lambda failure: failure.code in codes


def every(_failure: Failure) -> bool:
    """All failures."""
    return True


def arriving(when: Callable[[Arrival], bool], *changes: Change) -> Change:
    """Changes for the requests that `when` picks by their head or their bytes."""

    def change() -> Reaction:
        reaction = after(*changes)()
        return lambda arrival, behaviour: reaction(arrival, behaviour) if when(arrival) else behaviour

    return change


def refused_as(status: int, code: str, message: str) -> Change:
    """Requests that the page allows, refused in these words."""

    def refuse(_document: Asked) -> None:
        raise Refused(Failure(status=status, code=code, message=message))

    return replacing(keep_rules=refuse)


def turning(which: Which, **members: Any) -> Change:
    """Failures with other members: `status`, `code`, `message`, `retry_after` or `details`."""
    return failing(lambda failure: replace(failure, **members) if which(failure) else failure)


def echoing(which: Which, words: Callable[[Arrival], str]) -> Change:
    """Words of the request at the end of the message of such failures."""

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def failure(failed: Failure) -> Failure:
            told = behaviour.failure(failed)
            return replace(told, message=f"{told.message} {words(arrival)}") if which(told) else told

        return replace(behaviour, failure=failure)

    return lambda: react


def telling(which: Which, edit: Callable[[Answer], Answer]) -> Change:
    """Another answer to tell of such failures with."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        told: list[Failure] = []

        def failure(failed: Failure) -> Failure:
            told.append(behaviour.failure(failed))
            return told[-1]

        def answer(made: Answer) -> Answer:
            made = behaviour.answer(made)
            return edit(made) if told and which(told[-1]) else made

        return replace(behaviour, failure=failure, answer=answer)

    return lambda: react


def document_instead(status: int, document: Any) -> Callable[[Answer], Answer]:
    """For `telling`: another document, however much of an envelope it is."""
    return lambda answer: _rewritten(answer, lambda _: body(document), status=status, media_type="application/json")


def streamed(answer: Answer) -> Answer:
    """For `telling`: HTTP 200 and an event stream of one error event and the end marker."""

    def events(told: bytes) -> bytes:
        error = json.loads(told)["error"]
        payload = body({"code": error["code"], "message": error["message"]})
        return b"event: error\ndata: " + payload + b"\n\ndata: [DONE]\n\n"

    return _rewritten(answer, events, status=200, media_type="text/event-stream")


def cut(answer: Answer, *, above: int = 0) -> Answer:
    """For `telling` and `answering`: the connection closed in the middle of a write of more than so many bytes."""

    async def writes() -> Writes:
        async with aclosing(answer.writes):
            async for delay, data in answer.writes:
                if len(data) > above:
                    yield delay, data[: len(data) // 2]
                    raise Dropped
                yield delay, data

    return replace(answer, writes=writes())


def _rewritten(answer: Answer, edit: Callable[[bytes], bytes], *, status: int, media_type: str) -> Answer:
    async def writes() -> Writes:
        async with aclosing(answer.writes):
            async for delay, data in answer.writes:
                yield delay, edit(data)

    fields = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
    return Answer(status=status, headers={**fields, "Content-Type": media_type}, writes=writes())
