"""A WSGI application under wsgiref, written by people who otherwise write web pages."""

import html
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import responses
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tests.strangers.hosting import in_threads
from tests.strangers.provider import Provider, body, chunk, fields, framed, frames, provider, streams


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256


@contextmanager
def escaping() -> Iterator[str]:
    """The base URL of the one that makes answers safe for a page, and knows no streams but a list of one string."""
    with _served(_application(as_it_is, _safe, html.escape)) as url:
        yield url


@contextmanager
def filling() -> Iterator[str]:
    """The base URL of the one that puts what users say into a template, twice."""
    with _served(_application(_filled, as_it_is, as_it_is)) as url:
        yield url


@contextmanager
def _served(application: Callable[[Provider], Callable[..., Iterable[bytes]]]) -> Iterator[str]:
    with provider() as behind:
        server = make_server("127.0.0.1", 0, application(behind), server_class=_Server, handler_class=_Quiet)
        with in_threads(server) as url:
            yield url


def as_it_is(value: Any) -> Any:
    """What leaves alone what it is given."""
    return value


def _application(
    asked: Callable[[bytes], bytes], framed_: Callable[[bytes], bytes], said: Callable[[str], str]
) -> Callable[[Provider], Callable[..., Iterable[bytes]]]:
    """An application that passes on `asked` of a body, `framed_` of an event and `said` of a text."""

    def made(behind: Provider) -> Callable[..., Iterable[bytes]]:
        def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            head = {"content-type": environ["CONTENT_TYPE"] or "application/json"}
            if "HTTP_AUTHORIZATION" in environ:
                head["authorization"] = environ["HTTP_AUTHORIZATION"]
            sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0))
            try:
                sent = asked(sent)
            except (KeyError, IndexError, ValueError):
                told = [("Content-Type", "application/json"), ("X-Request-Id", "req_crashed")]
                start_response("500 Internal Server Error", told)
                error = {"code": "INTERNAL_ERROR", "message": "Something went wrong."}
                return [json.dumps({"status": "error", "error": error, "meta": {"request_id": "req_crashed"}}).encode()]
            with behind.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], head, sent) as response:
                start_response(f"{response.status} {responses[response.status]}", list(fields(response).items()))
                if streams(response):
                    return [b"".join(map(framed_, frames(response)))]
                answer = json.loads(response.read())
            if response.status == 200 and "choices" in answer["data"]:
                message = answer["data"]["choices"][0]["message"]
                if message["content"]:
                    message["content"] = said(message["content"])
            return [json.dumps(answer).encode()]

        return application

    return made


def _filled(sent: bytes) -> bytes:
    """The request with the user's words put into a template, twice, so that braces in them are taken for fields."""
    asked = body(sent)
    messages = asked.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict) and message.get("role") == "user" and isinstance(message.get("content"), str):
            message["content"] = ("{prefix}" + message["content"]).format(prefix="")
    return json.dumps(asked).encode() if asked else sent


def _safe(frame: bytes) -> bytes:
    """The frame with its text made safe to be put into a page."""
    told = chunk(frame)
    if not told or not told["choices"][0]["delta"].get("content"):
        return frame
    delta = told["choices"][0]["delta"]
    delta["content"] = html.escape(delta["content"])
    return framed(told)
