"""Servers whose errors say too little, too much or the wrong thing, and some that say it oddly and well."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange, Piece, mask
from conformance.server.changes import GONE
from conformance.transport import NOBODYS_KEY
from tests.miniatures import failures
from tests.miniatures.failures import but, plain
from tests.miniatures.framing import COUNTING, GREETING
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    One,
    answered_as,
    answers,
    asking,
    on,
    refusals,
    refused,
    rewritten,
    streams,
    with_body,
    with_header,
    with_json,
    with_status,
)

SERVED: Final = answered_as("plain.greeting")
FAILED: Final = refused(500, "INTERNAL_ERROR")
PATH: Final = asking("errors.wrong-path")
METHOD: Final = asking("errors.wrong-method")
BROKEN: Final = asking("errors.malformed-json")
NO_MESSAGES: Final = asking("parameters.no-messages")
SEED: Final = asking("parameters.seed-object")
NAMED: Final = asking(
    "parameters.no-messages",
    "parameters.no-model",
    "parameters.max-tokens-object",
    "parameters.temperature-array",
    "parameters.stream-object",
)
DETAILS: Final = "/error/details"
KEY: Final = mask(44).decode()
"""What the evidence holds in the place of a key of 44 characters."""
STARS: Final = "*" * 44
"""What a server may write in that place."""


NGINX: Final = "<html><head><title>404 Not Found</title></head><body><hr>nginx</body></html>"
FORM: Final = (
    faulty(
        "gives its errors no meta",
        but(PATH, "/meta", GONE),
        "errors.request-id",
        says="/meta/request_id: a non-empty s",
    ),
    faulty(
        "asks for a key without meta",
        but(asking("auth.no-key"), "/meta", GONE),
        "errors.request-id",
        says="/meta/request_id: a non-empty string; nothing",
    ),
    faulty(
        "writes meta as it does in answers",
        on(refusals, rewritten(lambda document: {**document, "meta": {}, "_meta": document.get("meta")})),
        "errors.request-id",
        says="/meta/request_id: a non-empty string; nothing",
        unseen=("errors.request-id-header",),
    ),
    faulty("names no request", but(PATH, "/meta/request_id", ""), "errors.request-id", says='a non-empty string; ""'),
    faulty("numbers requests", but(PATH, "/meta/request_id", 7), "errors.request-id", says="a non-empty string; 7"),
    faulty(
        "gives its error as a string",
        on(BROKEN, with_json("/error", "Invalid JSON")),
        "errors.malformed-json-enveloped",
        says="/error/code: a non-empty string; nothing",
    ),
    faulty(
        "writes codes in small letters",
        but(PATH, "/error/code", str.lower),
        "errors.code-form",
        says='; "not_found"',
    ),
    faulty(
        "writes codes with hyphens",
        but(PATH, "/error/code", "NOT-FOUND"),
        "errors.code-form",
        says="upper snake case",
    ),
    faulty(
        "writes codes as words",
        but(METHOD, "/error/code", "Method Not Allowed"),
        "errors.code-form",
        says="Method No",
    ),
    faulty(
        "writes codes as digits",
        but(METHOD, "/error/code", "405"),
        "errors.code-form",
        says="/error/code: upper",
    ),
    faulty(
        "calls what it cannot read a bad request, in words",
        on(BROKEN, with_status(400), with_json("/error/code", "Bad Request")),
        "errors.code-form",
        says='/error/code: upper snake case; "Bad Request"',
    ),
    faulty("words its details", but(SEED, DETAILS, "seed is wrong"), "errors.details-form", says='"seed is wrong"'),
    faulty(
        "maps its details",
        but(SEED, DETAILS, {"seed": "wrong"}),
        "errors.details-form",
        says='; {"seed": "wrong"}',
    ),
    faulty(
        "gives one detail that is no list",
        but(SEED, DETAILS, {"field": "seed", "message": "No."}),
        "errors.details-form",
        says='an array of objects with field and message; {"field"',
    ),
    faulty(
        "lists words for details",
        but(SEED, DETAILS, ["seed is wrong"]),
        "errors.details-form",
        says='; ["seed is',
    ),
    faulty(
        "gives a framework's details",
        but(SEED, DETAILS, [{"loc": ["body", "seed"], "msg": "not an integer", "type": "int_type"}]),
        "errors.details-form",
        says=f'{DETAILS}: an array of objects with field and message; [{{"loc"',
    ),
    faulty(
        "blames the whole body for every mistake",
        but(NAMED, DETAILS, [{"field": "body", "message": "Not valid."}]),
        "errors.details-name-the-field",
        says=f'{DETAILS}: messages; ["body"]',
    ),
    faulty(
        "blames the wrong member",
        but(asking("parameters.stream-object"), DETAILS, [{"field": "model", "message": "Not valid."}]),
        "errors.details-name-the-field",
        says=f'{DETAILS}: stream; ["model"]',
    ),
    faulty("answers in plain text", on(PATH, *plain(404, "Not Found")), "errors.json", says='a JSON body; "Not Found"'),
    faulty("answers in HTML", on(PATH, *plain(404, NGINX, "text/html")), "errors.json", says='a JSON body; "<html>'),
    faulty("answers with nothing", on(METHOD, with_body(b"")), "errors.json", says='whole: a JSON body; ""'),
    faulty(
        "calls its JSON plain text",
        on(PATH, with_header("Content-Type", "text/plain")),
        "errors.json",
        says="header content-type: application/json; text/plain",
    ),
    faulty(
        "calls its JSON nothing",
        on(PATH, with_header("Content-Type", None)),
        "errors.json",
        says="header content-type: application/json; no media type",
    ),
)


PYTHON: Final = (
    'Traceback (most recent call last):\n  File "/srv/app/chat.py", line 7, in chat\n    x = body["y"]\nKeyError'
)
JAVA: Final = "java.lang.NullPointerException\n\tat com.example.chat.Handler.serve(Handler.java:42)"
KOTLIN: Final = "kotlin.KotlinNullPointerException\n\tat com.example.ChatKt$main$1.invokeSuspend(Chat.kt:9)"
NODE: Final = "TypeError: x is undefined\n    at Object.chat (/srv/app/dist/chat.js:10:5)"
MODULE: Final = "TypeError: x is undefined\n    at async file:///srv/app/chat.mjs:10:5"
GO: Final = "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()"
RUBY: Final = "/srv/app/chat.rb:12:in `chat': undefined method (NoMethodError)"
RUST: Final = "could not open /opt/gateway/src/chat.rs"
RECOVERED: Final = "recovered from panic: runtime error: invalid memory address"
SOURCE: Final = "Not found:\n/srv/app/chat.rb"
PANIC: Final = "thread 'main' panicked at src/chat.rs:42:17:\nindex out of bounds"
DOTNET: Final = "Not set.\n   at Gateway.Chat.Handle(Request request) in C:\\src\\Chat.cs:line 42"
PHP: Final = "Undefined key\n#0 /var/www/html/chat.php(42): handle()"
TRACES: Final = {
    "Python": (PYTHON, "Traceback (most recent call last)"),
    "Java": (JAVA, "\\\\tat com.example.chat.Handler.serve(Handler.java:4"),
    "Kotlin": (KOTLIN, "\\\\tat com.example.ChatKt$main$1.invokeSuspend(Chat.kt:9"),
    "JavaScript": (NODE, "at Object.chat (/srv/app/dist/chat.js:1"),
    "JavaScript modules": (MODULE, "at async file:///srv/app/chat.mjs:1"),
    "Go": (GO, "panic: "),
    "Ruby": (RUBY, "/srv/app/chat.rb"),
    "Rust": (RUST, "/opt/gateway/src/chat.rs"),
    "Go that recovered": (RECOVERED, "panic: runtime error"),
    "Ruby on a line of its own": (SOURCE, "/srv/app/chat.rb"),
    "a file's URL": ("file:///srv/app/chat.py is missing", "/srv/app/chat.py"),
    "a panic": (PANIC, "panicked at src/chat.rs:4"),
    ".NET": (DOTNET, "at Gateway.Chat.Handle(Request request) in C:"),
    "PHP": (PHP, "/var/www/html/chat.php(4"),
}


TOO_MUCH: Final = (
    *(
        faulty(
            f"shows a trace of {language}",
            but(NO_MESSAGES, "/error/message", trace),
            "errors.no-trace",
            says=f'words for a client; "{says}',
        )
        for language, (trace, says) in TRACES.items()
    ),
    faulty(
        "debugs in public",
        on(BROKEN, *plain(400, PYTHON)),
        "errors.no-trace",
        "errors.json",
        "errors.malformed-json-enveloped",
        says='words for a client; "Traceback',
    ),
    faulty(
        "says which key was wrong",
        but(asking("auth.bare-key"), "/error/message", f"No Bearer {KEY}"),
        "errors.no-key",
        says="no key; the key",
    ),
    faulty(
        "repeats a key that nobody issued",
        but(asking("auth.wrong-key"), "/error/message", f"Incorrect key: {NOBODYS_KEY}"),
        "errors.no-key",
        says=": no key; the key",
    ),
    faulty(
        "repeats the headers of a mistake",
        but(NO_MESSAGES, "/error/request", {"headers": {"authorization": f"Bearer {KEY}"}}),
        "errors.no-key",
        says="no key; the key",
    ),
    faulty(
        "sends the key back in a header",
        on(GREETING, with_header("X-Api-Key", KEY)),
        "errors.no-key",
        says="header x-api-key: no key; the key in X-Api-Key",
    ),
    faulty(
        "packs the key with gzip",
        on(asking("auth.bare-key"), with_body(mask(180)), with_header("Content-Encoding", "gzip")),
        "errors.no-key",
        says="bytes 0-12: no key; the key",
        unseen=("auth.scheme-needed",),
    ),
    faulty(
        "sends the key back in an answer",
        on(asking("plain.greeting"), with_json("/data/_meta/key", KEY)),
        "errors.no-key",
        says="no key; the key",
    ),
)


def _takes(probe: str, requirement: str, says: str) -> Miniature:
    return faulty(f"serves {probe}", SERVED(asking(probe)), requirement, says=says)


def _fails(probe: str, requirement: str, says: str) -> Miniature:
    return faulty(f"fails over {probe}", on(asking(probe), FAILED), requirement, says=says)


WRONG: Final = (
    faulty(
        "makes do with half a body",
        SERVED(BROKEN),
        "errors.malformed-json",
        says="status: HTTP 400 or 422; HTTP 200",
        unseen=("errors.malformed-json-enveloped",),
    ),
    _fails("errors.malformed-json", "errors.malformed-json", "HTTP 400 or 422; HTTP 500"),
    faulty("forbids what it cannot read", on(BROKEN, with_status(403)), "errors.malformed-json", says="422; HTTP 403"),
    faulty(
        "gives a framework's word on what it cannot read",
        on(BROKEN, rewritten(lambda document: {"detail": "JSON decode error", "meta": document["meta"]})),
        "errors.malformed-json-enveloped",
        says='/status: "error"; nothing',
    ),
    _takes("errors.json-array", "errors.not-an-object", "HTTP 4xx for the mistake in the body; HTTP 200"),
    _fails("errors.json-array", "errors.not-an-object", "HTTP 4xx for the mistake in the body; HTTP 500"),
    _takes("errors.empty-body", "errors.empty-body", "HTTP 4xx for the mistake in the body; HTTP 200"),
    _fails("errors.empty-body", "errors.empty-body", "HTTP 4xx for the mistake in the body; HTTP 500"),
    faulty(
        "asks for a key over nothing",
        on(asking("errors.empty-body"), with_status(401)),
        "errors.empty-body",
        says="401",
    ),
    _takes("errors.wrong-method", "errors.wrong-method", "status: HTTP 405; HTTP 200"),
    faulty(
        "has nothing to GET", on(METHOD, with_status(404)), "errors.wrong-method", says="status: HTTP 405; HTTP 404"
    ),
    _takes("errors.wrong-path", "errors.wrong-path", "status: HTTP 404, or another 4xx; HTTP 200"),
    faulty(
        "fails on a wrong path",
        on(PATH, FAILED),
        "errors.wrong-path",
        says="status: HTTP 404, or another 4xx; HTTP 500",
    ),
    faulty(
        "answers every path with its page",
        on(PATH, *plain(200, NGINX, "text/html")),
        "errors.wrong-path",
        "response.is-json",
        "errors.rate-limit-headers",
        says="status: HTTP 404, or another 4xx; HTTP 200",
    ),
    _fails("errors.plain-text", "errors.wrong-media-type", "status: HTTP 4xx; HTTP 500"),
    _fails("errors.unknown-member", "errors.unknown-member", "status: HTTP 4xx; HTTP 500"),
)


def _silent(seconds: float, after: int) -> One:
    """A stream with a silence after some of its pieces."""

    def one(exchange: Exchange) -> Exchange:
        pieces = tuple(
            piece if number < after else Piece(at=piece.at + seconds, data=piece.data)
            for number, piece in enumerate(exchange.pieces)
        )
        return replace(exchange, pieces=pieces, elapsed=exchange.elapsed + seconds)

    return one


HEADERS: Final = (
    faulty(
        "tells the request id in the body alone",
        on(asking("plain.greeting"), with_header("X-Request-Id", None)),
        "errors.request-id-header",
        says="whole: a header with the value ",
    ),
    faulty(
        "tells another request id in the header",
        on(NO_MESSAGES, with_header("X-Request-Id", "req_7")),
        "errors.request-id-header",
        says="; none",
    ),
    *(
        faulty(
            f"hides the {name} of its rate",
            on(asking(probe), with_header(f"X-Scaigrid-Ratelimit-{name}", None)),
            "errors.rate-limit-headers",
            says=f"header x-scaigrid-ratelimit-{name.lower()}: X-Scaigrid-Ratelimit-{name}; no such header",
        )
        for name, probe in (("Limit", "plain.greeting"), ("Remaining", "stream.greeting"), ("Reset", "parameters.seed"))
    ),
    faulty(
        "says in words how many requests are left",
        on(GREETING, with_header("X-Scaigrid-Ratelimit-Remaining", "-17 of 60")),
        "errors.rate-limit-headers",
        says='header x-scaigrid-ratelimit-remaining: a number of requests; "-17 of 60"',
    ),
    faulty(
        "falls silent in a stream", on(COUNTING, _silent(700.0, 3)), "stream.idle-gap", says="600 s; silence for 700 s"
    ),
    faulty(
        "is silent before a stream", on(GREETING, _silent(600.5, 0)), "stream.idle-gap", says="600 s; silence for 60"
    ),
)

MINIATURES: Final[tuple[Miniature, ...]] = (*FORM, *TOO_MUCH, *WRONG, *HEADERS, *failures.MINIATURES)


def _renamed(rename: Callable[[str], str]) -> One:
    """The request id in a header of another name."""

    def one(exchange: Exchange) -> Exchange:
        assert exchange.response is not None
        headers = tuple(
            (rename(name) if name.lower() == "x-request-id" else name, value)
            for name, value in exchange.response.headers
        )
        return replace(exchange, response=replace(exchange.response, headers=headers))

    return one


def _widened(document: Any) -> Any:
    document["error"] |= {"type": "x", "param": None, "doc_url": "https://example.org/errors"}
    return {**document, "meta": {**document.get("meta", {}), "region": "x"}, "path": "/", "timestamp": 1}


def _fielded(write: Callable[[str], str]) -> One:
    return with_json(DETAILS + "/0/field", write)


DOCUMENTATION: Final = "https://github.com/acme/app/blob/main/docs/errors.py"
MASKED: Final = "Incorrect API key provided: sgk_5f" + "*" * 32 + "5f5f."
VARIANTS: Final[tuple[Variant, ...]] = (
    odd("gives no details", on(refusals, with_json(DETAILS, GONE)), "errors.details-name-the-field"),
    odd("gives null for details", on(refusals, with_json(DETAILS, None)), "errors.details-name-the-field"),
    odd("gives empty details", on(refusals, with_json(DETAILS, [])), "errors.details-name-the-field"),
    odd("points at members", on(NAMED, _fielded(lambda field: f"/{field}"))),
    odd("gives the whole path of a member", on(NAMED, _fielded(lambda field: f"body.{field}"))),
    odd("adds members to its errors", on(refusals, rewritten(_widened))),
    odd("answers problems", on(PATH, with_header("Content-Type", "application/problem+json; charset=utf-8"))),
    odd("writes the request id's header in capitals", on(answers, _renamed(str.upper))),
    odd("writes the request id's header in small letters", on(refusals, _renamed(str.lower))),
    odd(
        "names the request id's header in its own way",
        on(lambda e: answers(e) or refusals(e), _renamed(lambda _: "Trace")),
    ),
    odd("gives a stream no request id", on(streams, with_header("X-Request-Id", None))),
    odd("masks a key by itself", but(asking("auth.bare-key"), "/error/message", f"Authorization: Bearer {STARS}")),
    odd("sends a header of stars", on(GREETING, with_header("X-Banner", STARS))),
    odd("points to its documentation", but(NO_MESSAGES, "/error/message", f"See {DOCUMENTATION} for the codes.")),
    odd("tells nobody to panic", but(NO_MESSAGES, "/error/message", "Don't panic: messages is missing.")),
    odd(
        "leaves what it cannot read to its framework",
        on(lambda exchange: PATH(exchange) or METHOD(exchange), rewritten(lambda _: {"detail": "Not Found"})),
    ),
    odd(
        "lets a validator name the body where a member is missing",
        but(NO_MESSAGES, DETAILS, [{"field": "body", "message": "must have required property 'messages'"}]),
    ),
    odd("shows a key behind stars of its own", on(asking("auth.wrong-key"), with_json("/error/message", MASKED))),
    odd(
        "draws a rule of stars",
        on(asking("plain.greeting"), with_json("/data/choices/0/message/content", "Hello\n" + "*" * 40)),
    ),
    odd(
        "speaks of files and panics",
        on(NO_MESSAGES, with_json("/error/message", "Don't panic at 12:30, see /usr/docs.")),
    ),
    odd("calls what it cannot read a bad request", on(BROKEN, with_status(400))),
    odd("takes a body of any label", SERVED(asking("errors.plain-text"))),
    odd("refuses what it does not know", on(asking("errors.unknown-member"), refused(422, "VALIDATION_ERROR"))),
    odd("is silent for almost ten minutes", on(streams, _silent(599.0, 2)), "stream.not-in-one-burst"),
    *failures.VARIANTS,
)
