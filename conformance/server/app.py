"""The server as an ASGI application: a pipeline of small steps, each a field of `Behaviour`."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from conformance.server import admission, answers, bounds
from conformance.server.answers import Head, StreamEvent, StreamEvents
from conformance.server.gallery import PATH as MEDIA
from conformance.server.gallery import Gallery
from conformance.server.generation import (
    ChatRequest,
    Completion,
    Failure,
    Refused,
    Service,
    Step,
    Steps,
    collected,
)
from conformance.server.site import Allowance, Arrival, Meter, Site, fresh_request_id

PATH: Final = "/v1/inference/chat"
"""Where the page puts the endpoint."""

_DRAINED: Final = 8  # times the largest body that is still read before a refusal, so that the client gets to see it
_Result = TypeVar("_Result")
Writes = AsyncGenerator[tuple[float, bytes], None]
"""Seconds to wait and the bytes that then go out."""


class Dropped(Exception):
    """Raised among the writes of an answer, it closes the connection in the middle of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer that writes itself, piece by piece, and stops when the client has gone."""

    status: int
    headers: Mapping[str, str]
    writes: Writes

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Writes the head and the pieces; the connection ends the body."""
        await _unless_gone(receive, self._write(send))

    async def _write(self, send: Send) -> None:
        fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": fields})
        async with aclosing(self.writes):
            async for delay, piece in self.writes:
                if delay:
                    await asyncio.sleep(delay)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def proxied(request: ChatRequest, arrival: Arrival, gallery: Gallery) -> ChatRequest:
    """The request with addresses of the server's own for inline images (page: Multimodal content)."""
    host = arrival.headers.get("host")
    return replace(request, address=partial(gallery.address, f"http://{host}")) if host else request


def spoken(service: Service, request: ChatRequest) -> Steps:
    """What the service says, unbounded."""
    return service.steps(request)


def head(document: Mapping[str, Any], arrival: Arrival) -> Head:
    """What the answer will say of itself."""
    return Head(
        id=f"chatcmpl-{secrets.token_hex(12)}",
        model=document["model"],
        created=int(time.time()),
        request_id=arrival.request_id,
        started=arrival.started,
    )


def headers(media_type: str, request_id: str, allowance: Allowance | None, failure: Failure | None) -> dict[str, str]:
    """The header fields of an answer (facts of the pages on rate limits and on the request's way through)."""
    fields = {"Content-Type": media_type, "X-Request-Id": request_id}
    if media_type == "text/event-stream":
        fields["Cache-Control"] = "no-cache"
    if allowance:
        fields["X-Scaigrid-Ratelimit-Limit"] = str(allowance.limit)
        throttled = failure is not None and failure.code == "RATE_LIMITED"
        fields["X-Scaigrid-Ratelimit-Remaining"] = "0" if throttled else str(allowance.remaining)
        fields["X-Scaigrid-Ratelimit-Reset"] = str(allowance.reset)
    if failure and failure.retry_after is not None:
        fields["Retry-After"] = f"{failure.retry_after:.0f}"
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The steps from a request to the bytes of its answer, in order; a faulty server replaces some of them."""

    key_of: Callable[[Arrival, Site], str] = admission.key_of
    authorise: Callable[[str, Site], None] = admission.authorise
    body_of: Callable[[Arrival, Site], bytes] = admission.body_of
    parsed: Callable[[bytes], Any] = admission.parsed
    validate: Callable[[Any], None] = admission.validate
    keep_rules: Callable[[Mapping[str, Any]], None] = admission.keep_rules
    route: Callable[[Mapping[str, Any], Site], Service] = admission.route
    admitted: Callable[[Mapping[str, Any], Service], ChatRequest] = admission.admitted
    proxied: Callable[[ChatRequest, Arrival, Gallery], ChatRequest] = proxied
    spoken: Callable[[Service, ChatRequest], Steps] = spoken
    limited: Callable[[Steps, int | None], Steps] = bounds.limited
    stopped: Callable[[Steps, tuple[str, ...]], Steps] = bounds.stopped
    collected: Callable[[Steps, ChatRequest], Awaitable[Completion | Failure]] = collected
    head: Callable[[Mapping[str, Any], Arrival], Head] = head
    envelope: Callable[[Head, Completion], Mapping[str, Any]] = answers.envelope
    failure: Callable[[Failure], Failure] = lambda failure: failure
    refusal: Callable[[Failure, str], Mapping[str, Any]] = answers.refusal
    body: Callable[[object], bytes] = answers.body
    events: Callable[[Head, Steps], StreamEvents] = answers.events
    frame: Callable[[StreamEvent], bytes] = answers.frame
    frames: Callable[[AsyncGenerator[bytes, None]], AsyncGenerator[bytes, None]] = lambda frames: frames
    writes: Callable[[AsyncGenerator[bytes, None]], Writes] = answers.writes
    headers: Callable[[str, str, Allowance | None, Failure | None], Mapping[str, str]] = headers
    answer: Callable[[Answer], Answer] = lambda answer: answer


CONFORMING: Final = Behaviour()
"""Every step as the page asks for it."""
Conduct = Callable[[Arrival], Behaviour]
"""The behaviour that answers a request."""


def conforming(_arrival: Arrival) -> Behaviour:
    """The same for every request."""
    return CONFORMING


def application(site: Site, conduct: Conduct = conforming) -> Starlette:
    """The server, not yet on a socket."""
    meter = Meter(limit=site.requests_per_minute)
    gallery = Gallery()

    async def chat(request: Request) -> Answer:
        arrival = await _arrival(request, site)
        answered = await _unless_gone(request.receive, _answered(arrival, site, conduct(arrival), meter, gallery))
        return answered or _gone(arrival)

    async def models(request: Request) -> Answer:
        arrival = await _arrival(request, site)
        behaviour = conduct(arrival)
        try:
            behaviour.key_of(arrival, site)
        except Refused as refused:
            return _refused(refused.failure, arrival.request_id, None, behaviour)
        items = [_listed(service) for service in site.services if service.listed]
        return _whole({"status": "ok", "data": {"items": items}}, arrival.request_id, None, None, behaviour)

    async def health(request: Request) -> Answer:
        arrival = await _arrival(request, site)
        return _whole({"status": "ok"}, arrival.request_id, None, None, conduct(arrival))

    async def media(request: Request) -> Response:
        image = gallery.at(request.path_params["token"])
        if image is None:
            raise HTTPException(404)
        # Whoever fetches an image asks for nothing more, and an odd server may have no other way to end the body.
        fields = {"X-Content-Type-Options": "nosniff", "Connection": "close"}
        return Response(image.data, media_type=image.media_type, headers=fields)

    async def misdirected(request: Request, error: Exception) -> Answer:
        arrival = await _arrival(request, site)
        status = error.status_code if isinstance(error, HTTPException) else 500
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "BAD_REQUEST")
        message = "There is nothing at this path." if status == 404 else "This path does not take this method."
        failure = Failure(status=status, code=code, message=message)
        answer = _refused(failure, arrival.request_id, None, conduct(arrival))
        allowed = error.headers if isinstance(error, HTTPException) else None
        return replace(answer, headers={**answer.headers, **(allowed or {})})

    async def crashed(request: Request, _error: Exception) -> Answer:
        failure = Failure(status=500, code="INTERNAL_ERROR", message="The server failed; the fault is not yours.")
        arrival = _told(request, None)
        answer = _refused(failure, arrival.request_id, None, conduct(arrival))
        # uvicorn closes the connection after an exception, so the client must not send another request on it.
        return replace(answer, headers={**answer.headers, "Connection": "close"})

    server = Starlette(
        routes=[
            Route(PATH, chat, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/health", health, methods=["GET"]),
            Route(f"{MEDIA}/{{token}}", media, methods=["GET"]),
        ],
        # Starlette asks for responses of its own class, and calls whatever it gets as an ASGI application.
        exception_handlers={HTTPException: misdirected, Exception: crashed},  # type: ignore[dict-item]
    )
    server.router.redirect_slashes = False
    return server


async def _answered(arrival: Arrival, site: Site, behaviour: Behaviour, meter: Meter, gallery: Gallery) -> Answer:
    allowance = None
    try:
        key = behaviour.key_of(arrival, site)
        allowance = meter.counted(key)
        _keep_pace(allowance)
        behaviour.authorise(key, site)
        document = behaviour.parsed(behaviour.body_of(arrival, site))
        behaviour.validate(document)
        behaviour.keep_rules(document)
        service = behaviour.route(document, site)
        request = behaviour.proxied(behaviour.admitted(document, service), arrival, gallery)
    except Refused as refused:
        return _refused(refused.failure, arrival.request_id, allowance, behaviour)
    steps = behaviour.spoken(service, request)
    if service.limited_here:
        steps = behaviour.limited(steps, request.limit)
    steps = behaviour.stopped(steps, request.stop)
    told = behaviour.head(document, arrival)
    if not request.stream:
        completion = await behaviour.collected(steps, request)
        if isinstance(completion, Failure):
            return _refused(completion, arrival.request_id, allowance, behaviour)
        return _whole(behaviour.envelope(told, completion), arrival.request_id, allowance, None, behaviour)
    first = await anext(steps)
    if isinstance(first, Failure):
        await steps.aclose()
        return _refused(first, arrival.request_id, allowance, behaviour)
    frames = _frames(behaviour.events(told, _rejoined(first, steps)), behaviour)
    return behaviour.answer(
        Answer(
            status=200,
            headers=behaviour.headers("text/event-stream", arrival.request_id, allowance, None),
            writes=behaviour.writes(behaviour.frames(frames)),
        )
    )


async def _rejoined(first: Step, steps: Steps) -> Steps:
    async with aclosing(steps):
        yield first
        async for step in steps:
            yield step


async def _frames(events: StreamEvents, behaviour: Behaviour) -> AsyncGenerator[bytes, None]:
    async with aclosing(events):
        async for told in events:
            yield behaviour.frame(told)


async def _arrival(request: Request, site: Site) -> Arrival:
    """The request, read to its end, so that a refusal is not lost in a connection that is still being written to."""
    told = _told(request, None)
    body = bytearray()
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received <= site.max_body_bytes:
            body += piece
        if received > _DRAINED * site.max_body_bytes:
            break
    return replace(told, body=bytes(body) if received <= site.max_body_bytes else None)


def _told(request: Request, body: bytes | None) -> Arrival:
    return Arrival(
        path=request.url.path,
        headers=dict(request.headers),
        body=body,
        request_id=fresh_request_id(),
        started=time.monotonic(),
    )


def _keep_pace(allowance: Allowance) -> None:
    if allowance.retry_after:
        message = f"More than {allowance.limit} requests in a minute; wait and try again."
        raise Refused(Failure(status=429, code="RATE_LIMITED", message=message, retry_after=allowance.retry_after))


def _refused(failure: Failure, request_id: str, allowance: Allowance | None, behaviour: Behaviour) -> Answer:
    failure = behaviour.failure(failure)
    return _whole(behaviour.refusal(failure, request_id), request_id, allowance, failure, behaviour)


def _whole(
    document: Mapping[str, Any],
    request_id: str,
    allowance: Allowance | None,
    failure: Failure | None,
    behaviour: Behaviour,
) -> Answer:
    """An answer of one JSON document."""
    body = behaviour.body(document)

    async def writes() -> Writes:
        yield 0.0, body

    fields = behaviour.headers("application/json", request_id, allowance, failure)
    return behaviour.answer(
        Answer(
            status=failure.status if failure else 200,
            headers={**fields, "Content-Length": str(len(body))},
            writes=writes(),
        )
    )


def _gone(arrival: Arrival) -> Answer:
    """What is left to say when nobody listens."""

    async def writes() -> Writes:
        yield 0.0, b""

    return Answer(status=499, headers={"X-Request-Id": arrival.request_id}, writes=writes())


def _listed(service: Service) -> dict[str, Any]:
    """An item of the models list (quickstart and models reference)."""
    cap = {} if service.max_output_tokens is None else {"max_output_tokens": service.max_output_tokens}
    return {
        "slug": service.slug,
        "display_name": service.display_name,
        "modality": "chat",
        "context_window": service.context_window,
        **cap,
        "status": "active",
        "health_status": "healthy",
    }


async def _unless_gone(receive: Receive, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """What the work comes to; nothing when the client closes the connection first, and the work is cancelled."""
    task = asyncio.ensure_future(work)
    departure = asyncio.ensure_future(_departure(receive))
    try:
        await asyncio.wait({task, departure}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        departure.cancel()
        await asyncio.gather(task, departure, return_exceptions=True)


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
