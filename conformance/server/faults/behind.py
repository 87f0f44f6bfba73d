"""Gateways that fail between the scripted backend and the client: they show only from both sides."""

import asyncio
import unicodedata
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final

from conformance.server.answers import Chunk, ErrorEvent, StreamEvent
from conformance.server.app import Behaviour
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    When,
    after,
    asking,
    each_answer,
    each_event,
    each_frame,
    each_step,
    failing,
    finishing,
    framed,
    only,
    put,
    saying,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.gallery import Gallery
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Failure,
    Finish,
    Service,
    Step,
    Steps,
    Text,
)
from conformance.server.site import Arrival

SLUG: Final = "reference/scripted"
"""The slug that these gateways route to the backend."""
_LEAKED: Final = "scripted-backend-7b-q4"
_MISMATCH: Final = b"UPSTREAM_SHAPE_MISMATCH"


def _behind(asked: Asked) -> bool:
    return asked.get("model") == SLUG


def _streamed(asked: Asked) -> bool:
    return _behind(asked) and streams(asked)


def _told_whole(asked: Asked) -> bool:
    return _behind(asked) and not streams(asked)


def _fault(  # noqa: PLR0913  # each is one thing that a fault is made of
    identity: str,
    does: str,
    change: Change,
    *red: str,
    says: str,
    when: When = _behind,
    perhaps: tuple[str, ...] = (),
    unseen: tuple[str, ...] = (),
    wild: tuple[str, ...] = (),
) -> Fault:
    return Fault(
        id=f"behind-{identity}",
        does=does,
        change=only(when, change),
        behind=True,
        red=red,
        says=says,
        perhaps=perhaps,
        unseen=unseen,
        wild=wild,
    )


# What the client is told of failures.


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


# What reaches the backend.


def _document(edit: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    return asking(lambda request: replace(request, document=edit(dict(request.document))))


def _without(name: str) -> Change:
    return _document(lambda document: {key: value for key, value in document.items() if key != name})


def _other_temperature(document: dict[str, Any]) -> dict[str, Any]:
    return document | ({"temperature": round(document["temperature"])} if "temperature" in document else {})


def _with_messages(edit: Callable[[tuple[Any, ...]], tuple[Any, ...]]) -> Change:
    return asking(lambda request: replace(request, messages=edit(request.messages)))


def _without_systems(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "system")


def _stripped(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        {**message, "content": message["content"].strip()} if isinstance(message.get("content"), str) else message
        for message in messages
    )


def _without_calls(messages: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(message for message in messages if message["role"] != "tool" and "tool_calls" not in message)


def _bare_tools(request: ChatRequest) -> ChatRequest:
    bare = tuple({"type": "function", "function": {"name": tool["function"]["name"]}} for tool in request.tools)
    return replace(request, tools=bare)


def _remembering() -> Reaction:
    """Each conversation begins with those before."""
    before: list[Any] = []

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def admitted(document: Asked, service: Service) -> ChatRequest:
            request = behaviour.admitted(document, service)
            kept = tuple(before)
            before.extend(request.messages[:-1])
            return replace(request, messages=(*kept, *request.messages))

        return replace(behaviour, admitted=admitted)

    return react


def _uncapped(request: ChatRequest) -> ChatRequest:
    return replace(request, limit=request.document.get("max_tokens"))


def _with_key() -> Reaction:
    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        passed = {"X-Client-Authorization": arrival.headers.get("authorization", "")}
        return replace(
            behaviour,
            admitted=lambda document, service: replace(behaviour.admitted(document, service), passed_on=passed),
        )

    return react


def _proxied(address: Callable[[Gallery, str, str, str], str]) -> Change:
    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def proxied(request: ChatRequest, arrival: Arrival, gallery: Gallery) -> ChatRequest:
            base = f"http://{arrival.headers['host']}"
            return replace(request, address=lambda media_type, data: address(gallery, base, media_type, data))

        return replace(behaviour, proxied=proxied)

    return lambda: react


def _inline(_gallery: Gallery, _base: str, media_type: str, data: str) -> str:
    return f"data:{media_type};base64,{data}"


def _halved(gallery: Gallery, base: str, media_type: str, data: str) -> str:
    return gallery.address(base, media_type, data[: len(data) // 8 * 4])


def _nowhere(_gallery: Gallery, base: str, _media_type: str, _data: str) -> str:
    return f"{base}/v1/media/gone"


# What reaches the client.


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


FAULTS: Final[tuple[Fault, ...]] = (
    _fault(
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
        when=_streamed,
    ),
    _fault(
        "ends-the-dead-well",
        "ends a stream whose backend died as if it were whole",
        _after_text(_well),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        says="an error event, of a backend that ends the body as if it were whole",
        when=_streamed,
    ),
    _fault(
        "trusts-a-clean-end",
        "takes the clean end of a connection for the end of an answer",
        _after_text(_well_where_clean),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        says="ends the body as if it were whole",
        when=_streamed,
    ),
    _fault(
        "trusts-a-reset",
        "takes a reset for the end of an answer",
        _after_text(_well_where_reset),
        "stream.error-for-every-death",
        says="with no word of the failure",
        when=_streamed,
    ),
    _fault(
        "swallows-the-error",
        "says nothing of a backend that died but [DONE]",
        each_event(_without_errors),
        "stream.error-for-every-death",
        "stream.garbled-not-relayed",
        "tools.stream-arguments",
        "finish.stream-says-why",
        "finish.exact",
        says="[DONE], with no word of the failure",
        when=_streamed,
    ),
    _fault(
        "errors-without-message",
        "tells of a backend that died with a code alone",
        each_event(_without_messages),
        "stream.error-for-every-death",
        says="an error event with a `message`",
        when=_streamed,
    ),
    _fault(
        "unended-when-slow",
        "leaves out [DONE] after a backend that fell silent",
        framed(_unended_when_slow),
        "stream.error-for-every-death",
        says="[DONE] after the error event, of a backend that falls silent",
        when=_streamed,
    ),
    _fault(
        "streams-its-refusals",
        "begins a stream before it knows whether there is one",
        saying(_begun),
        "stream.failure-before-first-token",
        says="an HTTP error, of a backend that",
        when=_streamed,
        unseen=("stream.stops-when-client-leaves",),
    ),
    _fault(
        "failures-as-200",
        "answers 200 when its backend failed, with the error in the body",
        failing(lambda failure: replace(failure, status=200)),
        "errors.backend-failure-told",
        "response.status-ok",
        "response.data-object",
        says="an HTTP error, of a backend that",
        when=_told_whole,
    ),
    _fault(
        "one-code-for-all",
        "calls every failure of its backend an internal error",
        _named("INTERNAL_ERROR", 500, lambda _: True),
        "errors.backend-failure-code",
        says='"INTERNAL_ERROR"',
        when=_told_whole,
    ),
    _fault(
        "throttled-as-failed",
        "calls a backend that throttles one that failed",
        _named("BACKEND_ERROR", 502, _throttled),
        "errors.backend-failure-code",
        says="BACKEND_RATE_LIMITED or MODEL_UNAVAILABLE",
    ),
    _fault(
        "blames-the-client",
        "tells its client that the key is wrong when its own is",
        _named("AUTH_TOKEN_INVALID", 401, _refusing_key),
        "errors.backend-failure-code",
        "auth.bearer-accepted",
        says='"AUTH_TOKEN_INVALID"',
    ),
    _fault("loses-metadata", "drops metadata", _without("metadata"), "parameters.metadata-forwarded", says="metadata"),
    _fault("drops-the-seed", "drops the seed", _without("seed"), "parameters.forwarded", says="seed 123456789"),
    _fault(
        "rounds-the-temperature",
        "takes the temperature for an integer",
        _document(_other_temperature),
        "parameters.forwarded",
        says="temperature 0.75",
    ),
    _fault(
        "strips-tools",
        "sends the names of tools alone",
        asking(_bare_tools),
        "parameters.forwarded",
        says="tools",
    ),
    _fault(
        "stops-by-itself",
        "keeps stop sequences to itself",
        asking(lambda request: replace(request, stop=())),
        "parameters.forwarded",
        says="stop",
    ),
    _fault(
        "sends-no-limit",
        "asks its backend for as much as the client did, whatever the model's limit",
        asking(_uncapped),
        "parameters.max-tokens-cap-sent",
        says="a limit of 512 tokens or less",
    ),
    _fault(
        "loses-the-system",
        "drops system messages",
        _with_messages(_without_systems),
        "messages.forwarded",
        says='"role": "system"',
    ),
    _fault(
        "trims-messages",
        "takes the blanks from the ends of messages",
        _with_messages(_stripped),
        "messages.forwarded",
        says="18 degrees",
    ),
    _fault(
        "loses-tool-turns",
        "drops calls and their results from the history",
        _with_messages(_without_calls),
        "messages.forwarded",
        says="call_of_the_history",
    ),
    _fault(
        "remembers",
        "begins each conversation with those before",
        _remembering,
        "messages.nothing-carried-over",
        says="quince-harbour",
    ),
    _fault(
        "forwards-the-key",
        "sends its client's key to its backend",
        _with_key,
        "auth.key-not-forwarded",
        says="the key at the backend",
    ),
    _fault(
        "inlines-images",
        "sends images on as base64",
        _proxied(_inline),
        "multimodal.image-proxied",
        says="an address of the image",
    ),
    _fault(
        "halves-images",
        "serves half of an image at its address",
        _proxied(_halved),
        "multimodal.image-proxied",
        says="the bytes of the image at its address; HTTP 200",
    ),
    _fault(
        "forgets-images",
        "gives images an address at which nothing is",
        _proxied(_nowhere),
        "multimodal.image-proxied",
        says="the bytes of the image at its address; HTTP 404",
    ),
    _fault(
        "buffers",
        "sends a stream when all of it is there",
        framed(_held),
        "stream.as-it-comes",
        says="text some 1.2 s before the backend had written all",
        when=_streamed,
        unseen=("stream.stops-when-client-leaves",),
    ),
    _fault(
        "keeps-generating",
        "listens to its backend to the end, though its client has left",
        saying(_undisturbed),
        "stream.stops-when-client-leaves",
        says="the backend written to for",
        when=_streamed,
    ),
    _fault(
        "names-the-backend",
        "says in a member of its own which model the backend runs",
        after(each_event(_leaking), each_answer(lambda document: put(document, "/data/provider", _LEAKED))),
        "response.no-backend-name",
        says="no word of the backend's model",
    ),
    _fault(
        "length-as-stop",
        "says stop for every reason but a call",
        finishing(lambda reason: "stop" if reason == "length" else reason),
        "finish.exact",
        says='"length", of a backend that',
    ),
    _fault(
        "filter-as-stop",
        "hides that a safety filter stopped its backend",
        finishing(lambda reason: "stop" if reason == "content_filter" else reason),
        "finish.exact",
        says='"content_filter", of a backend that',
    ),
    _fault(
        "loses-twins",
        "takes a piece of text that equals the one before for a repetition",
        saying(_twins),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says="at character",
        when=_streamed,
    ),
    _fault(
        "composes",
        "composes combining characters in streams",
        each_step(_composed),
        "stream.text-exact",
        "stream.equals-unstreamed",
        says="at character",
        when=_streamed,
    ),
    _fault(
        "drops-controls",
        "drops control characters in streams",
        each_step(_printable),
        "stream.equals-unstreamed",
        "stream.text-exact",
        says="as not streamed",
        when=_streamed,
    ),
    _fault(
        "trims-answers",
        "takes the blanks from the ends of an answer that is not streamed",
        each_answer(_trimmed),
        "response.text-exact",
        "stream.equals-unstreamed",
        says="begins with two",
        when=_told_whole,
    ),
    _fault(
        "merges-calls",
        "tells every call as a part of the first",
        each_step(_merged),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        "stream.garbled-not-relayed",
        "tools.stream-arguments",
        says="the calls",
        when=_streamed,
    ),
    _fault(
        "one-call-alone",
        "tells the first of several calls",
        each_step(_first_alone),
        "tools.exact-calls",
        "stream.garbled-not-relayed",
        says="the calls",
    ),
    _fault(
        "ascii-arguments",
        "writes arguments without what ASCII does not hold",
        each_answer(_rounded),
        "tools.exact-calls",
        "stream.equals-unstreamed",
        "stream.garbled-not-relayed",
        says="Zürich",
        when=_told_whole,
    ),
)
