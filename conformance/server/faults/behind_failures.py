"""Gateways that tell their client wrongly, or not at all, that the backend failed."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from conformance.server.answers import ErrorEvent, StreamEvent
from conformance.server.changes import (
    Change,
    each_event,
    each_frame,
    failing,
    framed,
    saying,
)
from conformance.server.deviation import Fault
from conformance.server.faults.behind import fault, streamed_behind, whole_behind
from conformance.server.generation import (
    ChatRequest,
    Failure,
    Finish,
    Step,
    Steps,
    Text,
)

_MISMATCH: Final = b"UPSTREAM_SHAPE_MISMATCH"


def _relayed(_number: int, frame: bytes) -> Iterable[bytes]:
    garbage = b'data: {"choices": [{"delta": {"content": "x}}]\n\n'
    return [garbage if frame.startswith(b"event: error") and _MISMATCH in frame else frame]


def _after_text(edit: Callable[[Failure], Step]) -> Change:
    """Another end in the place of a failure after some text."""

    async def edited(steps: Steps, _request: ChatRequest) -> Steps:
        said = False
        async with aclosing(steps):
            async for step in steps:
                said = said or isinstance(step, Text)
                yield edit(step) if said and isinstance(step, Failure) else step

    return saying(edited)


def _well(_failure: Failure) -> Step:
    return Finish(reason="stop")


def _well_where_clean(failure: Failure) -> Step:
    return Finish(reason="stop") if "ended early" in failure.message else failure


def _well_where_reset(failure: Failure) -> Step:
    return Finish(reason="stop") if "connection broke" in failure.message else failure


def _without_errors(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    return [] if isinstance(event, ErrorEvent) else [event]


def _without_messages(_number: int, event: StreamEvent) -> Iterable[StreamEvent]:
    return [ErrorEvent(document={"code": event.document["code"]})] if isinstance(event, ErrorEvent) else [event]


def _unended_when_slow(frames: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async def edited() -> AsyncGenerator[bytes, None]:
        slow = False
        async with aclosing(frames):
            async for frame in frames:
                slow = slow or b"BACKEND_TIMEOUT" in frame
                if not (slow and frame.startswith(b"data: [DONE]")):
                    yield frame

    return edited()


async def _begun(steps: Steps, _request: ChatRequest) -> Steps:
    """A stream begins whatever becomes of it."""
    yield Text(text="")
    async with aclosing(steps):
        async for step in steps:
            yield step


def _named(code: str, status: int, when: Callable[[Failure], bool]) -> Change:
    return failing(lambda failure: replace(failure, code=code, status=status) if when(failure) else failure)


def _throttled(failure: Failure) -> bool:
    return failure.code == "BACKEND_RATE_LIMITED"


def _refusing_key(failure: Failure) -> bool:
    return "answered 401" in failure.message


FAULTS: Final[tuple[Fault, ...]] = (
    fault(
        "relays-the-malformed",
        "passes a chunk on that is no JSON",
        each_frame(_relayed),
        "stream.garbled-not-relayed",
        "stream.payload-is-json",
        "stream.error-for-every-death",
        "tools.stream-arguments",
        "finish.stream-says-why",
        "finish.exact",
        says="chunks of JSON",
        when=streamed_behind,
    ),
    fault(
        "ends-the-dead-well",
        "ends a stream whose backend died as if it were whole",
        _after_text(_well),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        says="an error event, of a backend that ends the body as if it were whole",
        when=streamed_behind,
    ),
    fault(
        "trusts-a-clean-end",
        "takes the clean end of a connection for the end of an answer",
        _after_text(_well_where_clean),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        says="ends the body as if it were whole",
        when=streamed_behind,
    ),
    fault(
        "trusts-a-reset",
        "takes a reset for the end of an answer",
        _after_text(_well_where_reset),
        "stream.error-for-every-death",
        says="with no word of the failure",
        when=streamed_behind,
    ),
    fault(
        "swallows-the-error",
        "says nothing of a backend that died but [DONE]",
        each_event(_without_errors),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        "tools.stream-arguments",
        "finish.stream-says-why",
        "finish.exact",
        says="[DONE], with no word of the failure",
        when=streamed_behind,
    ),
    fault(
        "errors-without-message",
        "tells of a backend that died with a code alone",
        each_event(_without_messages),
        "stream.error-for-every-death",
        says="an error event with a `message`",
        when=streamed_behind,
    ),
    fault(
        "unended-when-slow",
        "leaves out [DONE] after a backend that fell silent",
        framed(_unended_when_slow),
        "stream.error-for-every-death",
        says="[DONE] after the error event, of a backend that falls silent",
        when=streamed_behind,
    ),
    fault(
        "streams-its-refusals",
        "begins a stream before it knows whether there is one",
        saying(_begun),
        "stream.failure-before-first-token",
        says="an HTTP error, of a backend that",
        when=streamed_behind,
        unseen=("stream.stops-when-client-leaves",),
    ),
    fault(
        "failures-as-200",
        "answers 200 when its backend failed, with the error in the body",
        failing(lambda failure: replace(failure, status=200)),
        "errors.backend-failure-told",
        "response.status-ok",
        "response.data-object",
        says="an HTTP error, of a backend that",
        when=whole_behind,
    ),
    fault(
        "leads-elsewhere",
        "redirects who asked for a stream when its backend failed",
        failing(lambda failure: replace(failure, status=302)),
        "stream.failure-before-first-token",
        "stream.error-for-every-death",
        says="status: an HTTP error, of a backend that",
        when=streamed_behind,
    ),
    fault(
        "one-code-for-all",
        "calls every failure of its backend an internal error",
        _named("INTERNAL_ERROR", 500, lambda _: True),
        "errors.backend-failure-code",
        says='"INTERNAL_ERROR"',
        when=whole_behind,
    ),
    fault(
        "throttled-as-failed",
        "calls a backend that throttles one that failed",
        _named("BACKEND_ERROR", 502, _throttled),
        "errors.backend-failure-code",
        says="BACKEND_RATE_LIMITED or MODEL_UNAVAILABLE",
    ),
    fault(
        "blames-the-client",
        "tells its client that the key is wrong when its own is",
        _named("AUTH_TOKEN_INVALID", 401, _refusing_key),
        "errors.backend-failure-code",
        "auth.bearer-accepted",
        says='"AUTH_TOKEN_INVALID"',
    ),
)
