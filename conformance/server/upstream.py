"""The gateway: a slug answered by an OpenAI-compatible server, with the page's promises kept whatever it does."""

import asyncio
import math
import re
import ssl
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from conformance.document import NotJson, at
from conformance.document import parse as parsed_json
from conformance.server.generation import (
    ChatRequest,
    Detail,
    Failure,
    Finish,
    Refused,
    Service,
    Step,
    Steps,
    Text,
)
from conformance.server.openai_answer import Broken, Reader, broken_off, dictated_call, mismatch
from conformance.server.openai_request import dictated, translated
from conformance.sse import Decoder, Frame

_CONNECT: Final = 5.0  # seconds
_AFTERWARDS: Final = 2.0  # seconds that a backend may be silent between its finish reason and the end
_LONGEST_MESSAGE: Final = 300
_MEDIA: Final = r"\b(?:images?|audio|vision|multi-?modal)\b"
_NO_MEDIA: Final = re.compile(rf"(?i){_MEDIA}.{{0,40}}(?:not |n't |un)support|support.{{0,40}}{_MEDIA}")
"""How model servers say that a model takes no images or no sound."""
_SECRET: Final = re.compile(r"(?i)\b(?:bearer\s+\S+|(?:sk|sgk|key|token)[-_][\w-]{6,})|https?://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """An OpenAI-compatible server, and what the gateway promises of it."""

    url: str
    """With or without `/v1`."""
    model: str
    """The backend's name of the model, which no client gets to see."""
    slug: str = "reference/upstream"
    key: str | None = field(default=None, repr=False)
    max_output_tokens: int | None = None
    tools: bool = True
    vision: bool = True
    audio: bool = True
    silence: float = 60.0
    """Seconds without a byte after which the backend is given up."""


def service(upstream: Upstream) -> Service:
    """What answers to the upstream's slug."""
    trust = ssl.create_default_context()

    def steps(request: ChatRequest) -> Steps:
        return _steps(request, upstream, trust)

    return Service(
        slug=upstream.slug,
        display_name=upstream.slug.rpartition("/")[2],
        steps=steps,
        max_output_tokens=upstream.max_output_tokens,
        tools=upstream.tools,
        vision=upstream.vision,
        audio=upstream.audio,
        limited_here=False,
    )


async def _steps(request: ChatRequest, upstream: Upstream, trust: ssl.SSLContext) -> Steps:
    """The backend's answer; its failures are a `Failure` each, and the connection is closed before the last step."""
    last: Step
    try:
        last = Failure(status=502, code="BACKEND_ERROR", message="The backend failed: it said nothing.")
        forced = request.tool_choice in {"required", "named"}
        answered = _forced(request, upstream, trust) if forced else _asked(request, upstream, trust)
        async with aclosing(answered) as steps:
            async for step in steps:
                if isinstance(step, Finish):
                    last = step
                else:
                    yield step
    except (Broken, Refused) as error:
        last = error.failure
    except (httpx.ConnectError, httpx.ConnectTimeout):
        last = Failure(status=503, code="MODEL_UNAVAILABLE", message="The backend of this model cannot be reached.")
    except (httpx.TimeoutException, TimeoutError):
        last = Failure(status=504, code="BACKEND_TIMEOUT", message="The backend took too long.")
    except httpx.HTTPError:
        last = broken_off("the connection broke").failure
    yield last


def _asked(request: ChatRequest, upstream: Upstream, trust: ssl.SSLContext) -> Steps:
    return _exchanged(translated(request, model=upstream.model), request, upstream, trust)


async def _forced(request: ChatRequest, upstream: Upstream, trust: ssl.SSLContext) -> Steps:
    """The answer to a request that forces a call: a call, whatever the backend makes of `tool_choice`.

    Text beside the call is left out (page: a call comes instead of content). A backend that made no such call is
    asked once more, for the call as structured output; where it cannot do that either, it is the one that failed.

    Raises:
        Broken: the backend failed, or made no call in either way.
    """
    said, called = [], False
    async with aclosing(_asked(request, upstream, trust)) as steps:
        async for step in steps:
            match step:
                case Text():
                    said.append(step)
                case Finish(reason="content_filter") if not called:
                    for text in said:
                        yield text
                    yield step
                    return
                case Finish() if not called:
                    break
                case _:
                    called = True
                    yield step
    if not called:
        async with aclosing(_dictated(request, upstream, trust)) as steps:
            async for step in steps:
                yield step


async def _dictated(request: ChatRequest, upstream: Upstream, trust: ssl.SSLContext) -> Steps:
    """A forced call, asked for as structured output.

    Raises:
        Broken: the backend failed, or wrote no call.
    """
    text = ""
    try:
        async with aclosing(_exchanged(dictated(request, model=upstream.model), request, upstream, trust)) as steps:
            async for step in steps:
                match step:
                    case Text():
                        text += step.text
                    case Finish():
                        for told in dictated_call(text, step, request):
                            yield told
    except Broken as error:
        # What is wrong with this second request is not the client's doing.
        if error.failure.status == 422:
            raise mismatch("a tool call was required, and it made none") from None
        raise


async def _exchanged(body: Mapping[str, Any], request: ChatRequest, upstream: Upstream, trust: ssl.SSLContext) -> Steps:
    headers = {"Authorization": f"Bearer {upstream.key}"} if upstream.key else {}
    headers |= request.passed_on
    timeout = httpx.Timeout(upstream.silence, connect=min(_CONNECT, upstream.silence))
    async with (
        httpx.AsyncClient(verify=trust, timeout=timeout, headers=headers, trust_env=False) as client,
        client.stream("POST", _endpoint(upstream.url), json=body) as response,
    ):
        if response.status_code != 200:
            raise Broken(_failure(response, await response.aread(), upstream, request))
        reader = Reader(request=request)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            async with aclosing(_streamed(response, reader, upstream)) as steps:
                async for step in steps:
                    yield step
        else:
            for step in reader.completion(_document(await response.aread())):
                yield step


async def _streamed(response: httpx.Response, reader: Reader, upstream: Upstream) -> Steps:
    async with aclosing(_events(response, reader, upstream.silence)) as documents:
        async for document in documents:
            for step in reader.chunk(document):
                yield step
    for step in reader.end():
        yield step


async def _events(response: httpx.Response, reader: Reader, silence: float) -> AsyncGenerator[Any, None]:
    """The documents of the stream up to `[DONE]` or its end."""
    decoder = Decoder()
    async with aclosing(_pieces(response, reader, silence)) as pieces:
        async for piece in pieces:
            for document in _documents(decoder.feed(piece)):
                if document is None:
                    return
                yield document
    # A last event without its blank line is none to a browser; a backend that ends so means it as one.
    for document in _documents([*decoder.feed(b"\n\n"), *decoder.close()]):
        if document is None:
            return
        yield document


async def _pieces(response: httpx.Response, reader: Reader, silence: float) -> AsyncGenerator[bytes, None]:
    """What arrives; once the backend has said why it stopped, however the connection ends is an end.

    Raises:
        TimeoutError: nothing came for `silence` seconds.
        httpx.HTTPError: the connection broke.
    """
    stream = response.aiter_bytes()
    while True:
        try:
            async with asyncio.timeout(_AFTERWARDS if reader.reason else silence):
                piece = await anext(stream, None)
        except (httpx.HTTPError, TimeoutError):
            if reader.reason:
                return
            raise
        if piece is None:
            return
        yield piece


def _documents(frames: list[Frame]) -> Iterator[Any]:
    """The JSON of each event that carries some; `None` for `[DONE]`.

    Comments that a proxy sent on as data, events of other names without a chunk, and empty ones say nothing.

    Raises:
        Broken: an error, under whatever name, or what is no JSON.
    """
    for frame in frames:
        if any(line.field == b"error" or line.content.lstrip().startswith(b"{") for line in frame.lines):
            raise broken_off("it reported an error")
        if frame.event is None:
            continue
        data = frame.event.data.strip()
        if frame.event.type == "error":
            raise broken_off("it reported an error")
        if data == "[DONE]":
            yield None
        elif data and not data.startswith(":"):
            document = _document(data)
            if frame.event.type == "message" or (isinstance(document, dict) and {"choices", "error"} & set(document)):
                yield document


def _document(text: bytes | str) -> Any:
    try:
        return parsed_json(text)
    except NotJson:
        raise mismatch("it is not JSON") from None


def _endpoint(url: str) -> str:
    root = url.rstrip("/")
    return f"{root}/chat/completions" if urlsplit(root).path.endswith("/v1") else f"{root}/v1/chat/completions"


def _failure(response: httpx.Response, body: bytes, upstream: Upstream, request: ChatRequest) -> Failure:
    """What a client is told of the backend's HTTP error (pages on errors and error codes).

    A request that the backend finds wrong is the client's mistake, and its message is the only one that is
    passed on, without what it may give away. That it takes no images or no sound is such a mistake under any
    status: llama.cpp says so with 500.
    """
    if details := _unseen(body, request):
        message = f"The request is not valid: {details[0].field}: {details[0].message}"
        return Failure(status=422, code="VALIDATION_ERROR", message=message, details=details)
    match response.status_code:
        case 400 | 413 | 422:
            message = _shown(body, upstream)
            detail = Detail(field="body", message=message)
            return Failure(status=422, code="VALIDATION_ERROR", message=message, details=(detail,))
        case 429:
            return Failure(
                status=429,
                code="BACKEND_RATE_LIMITED",
                message="The backend asks for fewer requests.",
                retry_after=_wait(response.headers.get("retry-after", "")),
            )
        case 503:
            return Failure(status=503, code="MODEL_UNAVAILABLE", message="The backend of this model is not available.")
        case 408 | 504:
            return Failure(status=504, code="BACKEND_TIMEOUT", message="The backend took too long.")
    return broken_off(f"it answered {response.status_code}").failure


def _unseen(body: bytes, request: ChatRequest) -> tuple[Detail, ...]:
    """The parts of media in a request to which the backend answers that it takes none; empty for any other error."""
    if not _NO_MEDIA.search(_message(body)):
        return ()
    return tuple(
        Detail(field=f"messages[{place}].content[{number}]", message=f"this model takes no {part['type']}")
        for place, message in enumerate(request.messages)
        if isinstance(content := message.get("content"), list)
        for number, part in enumerate(content)
        if part["type"] != "text"
    )


def _wait(header: str) -> float:
    """The seconds of a `Retry-After`, a number or a date (RFC 9110, section 10.2.3); 1 where it says neither."""
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(header).timestamp() - time.time()
        except ValueError:
            seconds = 1.0
    return max(0, math.ceil(seconds)) if math.isfinite(seconds) else 1.0


def _shown(body: bytes, upstream: Upstream) -> str:
    """The backend's own message on one line, cut short, without addresses, keys, traces or its name of the model."""
    message = _message(body).partition("Traceback (most recent call last)")[0].replace(upstream.model, upstream.slug)
    if upstream.key:
        message = message.replace(upstream.key, "…")
    message = " ".join(_SECRET.sub("…", message).split())
    return message[:_LONGEST_MESSAGE] or "The backend finds the request wrong."


def _message(body: bytes) -> str:
    """The message in the body of an error, wherever it stands; empty where there is none."""
    try:
        document = parsed_json(body)
    except NotJson:
        return ""
    told = [at(document, pointer) for pointer in ("/error/message", "/error", "/message", "/detail")]
    return next((text for text in told if isinstance(text, str) and text.strip()), "")
