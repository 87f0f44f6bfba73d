"""Servers whose unstreamed answers are wrong."""

import json
from typing import Any, Final

from conformance.server.changes import GONE, put
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.wire import Change, after, answers, asking, on, rewritten, with_body, with_header
from tests.miniatures.wire import with_json as json_at

# What needs the text or the counts of an unstreamed answer, some of it as the control of a stream.
CONTROLS: Final = ("stream.text-intact", "stream.done-in-text")
WORDS: Final = (
    "messages.history-used",
    "messages.stateless",
    "messages.system-obeyed",
    "multimodal.image-seen",
    "multimodal.image-forms-agree",
    "tools.result-",
)
UNSAID: Final = (*WORDS, "parameters.stop-", *CONTROLS)
UNCOUNTED: Final = (
    "response.usage",
    "finish.stop",
    "finish.length",
    "messages.history-counted",
    "parameters.max-tokens-kept",
    "parameters.max-tokens-cap-kept",
)
UNREAD: Final = (
    *UNSAID,
    *UNCOUNTED,
    "finish.",
    "messages.parts-accepted",
    "parameters.metadata-same-shape",
    "response.",
    "tools.arguments-",
    "tools.call-",
    "tools.calls-",
    "tools.echo-accepted",
    "tools.named-calls",
    "tools.no-call-is-falsy",
    "tools.none-calls-nothing",
    "tools.required-calls",
)
ONE: Final = asking("plain.greeting")


def _each(pointer: str, value: Any) -> Change:
    return on(answers, json_at("/data" + pointer, value))


def member(name: str, pointer: str, value: Any, *red: str, says: str = "", unseen: tuple[str, ...] = ()) -> Miniature:
    """Every unstreamed answer has another value at a pointer."""
    return faulty(name, _each(pointer, value), *red, says=says or f"/data{pointer}: ", unseen=unseen)


def _as_list(document: Any) -> Any:
    return [document]


def _moved_up(document: Any) -> Any:
    return {**document, "_meta": document["data"].pop("_meta")}


def _at_length(document: Any) -> Any:
    """Seven tokens written."""
    usage = document["data"]["usage"]
    usage |= {"completion_tokens": 7, "total_tokens": usage["prompt_tokens"] + 7}
    return document


def _as_stream(body: bytes) -> bytes:
    chunk = json.loads(body)["data"]
    return b"data: " + json.dumps(chunk).encode() + b"\n\ndata: [DONE]\n\n"


STREAMED: Final = with_body(_as_stream, "text/event-stream")
ENVELOPE: Final = ("response.is-json", "response.status-ok", "response.data-object")

BODIES: Final = (
    faulty(
        "answers with a page of HTML and HTTP 200",
        on(answers, with_body(b"<html><body>Bad gateway</body></html>")),
        "response.is-json",
        says='it begins "<html><body>',
        unseen=UNREAD,
    ),
    faulty(
        "answers with nothing", on(answers, with_body(b"")), "response.is-json", says="at character 0", unseen=UNREAD
    ),
    faulty(
        "ends its JSON with an end marker",
        on(answers, with_body(lambda body: body + b"\ndata: [DONE]\n\n")),
        "response.is-json",
        says="Extra data",
        unseen=UNREAD,
    ),
    faulty(
        "stops in the middle of its JSON",
        on(answers, with_body(lambda body: body[:-20])),
        "response.is-json",
        says="one JSON object in UTF-8",
        unseen=UNREAD,
    ),
    faulty(
        "writes NaN for the latency",
        on(answers, with_body(lambda body: body.replace(b'"latency_ms":', b'"latency_ms":NaN,"was":'))),
        "response.is-json",
        says="NaN is not JSON",
        unseen=UNREAD,
    ),
    faulty(
        "answers in UTF-16",
        on(answers, with_body(lambda body: body.decode().encode("utf-16"))),
        "response.is-json",
        says="not UTF-8",
        unseen=UNREAD,
    ),
    faulty(
        "answers in Latin-1",
        on(
            asking("plain.raw-utf8", "plain.escaped-unicode"),
            with_body(lambda body: body.replace(b"Z\\u00fcrich", "Zürich".encode("latin-1"))),
        ),
        "response.is-json",
        says="not UTF-8",
        unseen=CONTROLS,
    ),
    faulty(
        "begins its JSON with a byte order mark",
        on(answers, with_body(lambda body: b"\xef\xbb\xbf" + body)),
        "response.is-json",
        says="one JSON object in UTF-8",
        unseen=UNREAD,
    ),
    faulty(
        "wraps its answer in an array",
        on(answers, rewritten(_as_list)),
        *ENVELOPE,
        says="/: one JSON object",
        unseen=UNREAD,
    ),
    faulty(
        "says that its JSON is plain text",
        on(answers, with_header("Content-Type", "text/plain; charset=utf-8")),
        "response.content-type",
        says="header content-type: application/json; text/plain",
    ),
    faulty(
        "names no media type",
        on(answers, with_header("Content-Type", None)),
        "response.content-type",
        says="no media type",
    ),
    faulty(
        "streams whatever was asked for",
        on(answers, STREAMED),
        "response.not-a-stream",
        "response.is-json",
        "parameters.stream-default",
        "parameters.stream-false",
        says="one JSON answer; an event stream",
        unseen=UNREAD,
    ),
    faulty(
        "calls its JSON an event stream",
        on(answers, with_header("Content-Type", "text/event-stream")),
        "response.not-a-stream",
        "response.content-type",
        "parameters.stream-default",
        "parameters.stream-false",
        says="one JSON answer; an event stream",
    ),
    faulty(
        "streams when nothing is said of it",
        on(ONE, STREAMED),
        "parameters.stream-default",
        "response.not-a-stream",
        "response.is-json",
        says="one JSON answer; an event stream",
        unseen=("response.documented-clients", "parameters.metadata-same-shape"),
    ),
    faulty(
        "streams when told not to",
        on(asking("parameters.stream-false"), STREAMED),
        "parameters.stream-false",
        "response.not-a-stream",
        "response.is-json",
        says="one JSON answer; an event stream",
    ),
)

MEMBERS: Final = (
    faulty(
        "leaves out status",
        on(answers, json_at("/status", GONE)),
        "response.status-ok",
        says='/status: "ok"; nothing',
    ),
    faulty("says success", on(answers, json_at("/status", "success")), "response.status-ok", says='"success"'),
    faulty("says status true", on(answers, json_at("/status", value=True)), "response.status-ok", says="true"),
    faulty(
        "answers without the envelope",
        on(answers, rewritten(lambda document: document["data"])),
        "response.data-object",
        "response.status-ok",
        says="/data: an object; nothing",
        unseen=UNREAD,
    ),
    faulty(
        "calls the completion result",
        on(answers, rewritten(lambda document: {"status": "ok", "result": document["data"]})),
        "response.data-object",
        says="/data: an object; nothing",
        unseen=UNREAD,
    ),
    faulty(
        "answers with a list of completions",
        on(answers, json_at("/data", lambda data: [data])),
        "response.data-object",
        says="/data: an object; [",
        unseen=UNREAD,
    ),
    faulty(
        "answers with JSON inside a string",
        on(answers, json_at("/data", json.dumps)),
        "response.data-object",
        says="/data: an object; ",
        unseen=UNREAD,
    ),
    member("gives no id", "/id", GONE, "response.id", says="nothing", unseen=("response.id-unique",)),
    member("gives an empty id", "/id", "", "response.id", says='""', unseen=("response.id-unique",)),
    member("counts its ids", "/id", 7, "response.id", says=": a non-empty string; 7", unseen=("response.id-unique",)),
    member("gives all answers one id", "/id", "chatcmpl-abc", "response.id-unique", says="chatcmpl-abc"),
    member("names no model", "/model", GONE, "response.model", says="/model: a non-empty string; nothing"),
    member("names null as its model", "/model", None, "response.model", says="null"),
    member(
        "names the backend's model", "/model", "gpt-4o-2024-08-06", "response.model-is-the-slug", says="/data/model: "
    ),
    member("gives no time", "/created", GONE, "response.created", says="nothing"),
    member("gives the time as text", "/created", str, "response.created", says="an integer; "),
    member("gives an ISO date", "/created", "2026-01-01T00:00:00Z", "response.created", says="an integer; "),
    member("gives parts of seconds", "/created", lambda old: old + 0.5, "response.created", says=".5"),
    member(
        "gives milliseconds", "/created", lambda old: old * 1000, "response.created-in-seconds", says="/data/created: "
    ),
    member("gives a time of 400 digits", "/created", 10**400, "response.created-in-seconds", says="/data/created: "),
    member("gives no real time", "/created", 0, "response.created-in-seconds", says="; 0"),
    member("copies the page's time", "/created", 1713888000, "response.created-in-seconds", says="; 1713888000"),
    member("chooses nothing", "/choices", [], "response.choices", says="; []", unseen=UNREAD),
    member("leaves out choices", "/choices", GONE, "response.choices", says="; nothing", unseen=UNREAD),
    member(
        "gives one choice, not a list", "/choices", lambda old: old[0], "response.choices", says="; {", unseen=UNREAD
    ),
    member("gives the choice null", "/choices", [None], "response.choices", says="; [null]", unseen=UNREAD),
    member(
        "chooses twice",
        "/choices",
        lambda old: [*old, {**old[0], "index": 1}],
        "response.one-choice",
        says="/data/choices: one",
    ),
    member("counts choices from 1", "/choices/0/index", 1, "response.choice-index", says="0; 1"),
    member("gives the index as text", "/choices/0/index", "0", "response.choice-index", says='0; "0"'),
    member("gives no index", "/choices/0/index", GONE, "response.choice-index", says="nothing"),
    member("gives no message", "/choices/0/message", GONE, "response.message", says="nothing", unseen=UNREAD),
    member(
        "gives its text for a message",
        "/choices/0/message",
        lambda old: old["content"],
        "response.message",
        says="an object; ",
        unseen=UNREAD,
    ),
    member("gives no role", "/choices/0/message/role", GONE, "response.role", says="nothing"),
    member("calls itself model", "/choices/0/message/role", "model", "response.role", says='"assistant"; "model"'),
    member("gives an empty role", "/choices/0/message/role", "", "response.role", says='"assistant"; ""'),
)


def _said(value: Any) -> Change:
    """Another content where there is text."""
    return on(
        answers,
        rewritten(
            lambda document: (
                put(document, "/data/choices/0/message/content", value)
                if isinstance(document["data"]["choices"][0]["message"]["content"], str)
                else document
            )
        ),
    )


TEXT: Final = (
    faulty(
        "answers in parts",
        _said(lambda old: [{"type": "text", "text": old}]),
        "response.content-is-text",
        says="/data/choices/0/message/content: a string; [",
        unseen=("response.content-not-empty", *UNSAID),
    ),
    faulty(
        "answers null",
        _said(None),
        "response.content-is-text",
        says="a string; null",
        unseen=("response.content-not-empty", "response.usage-completion-counted", *UNSAID),
    ),
    faulty(
        "leaves out the content",
        _said(GONE),
        "response.content-is-text",
        "response.documented-clients-read-it",
        says="a string; nothing",
        unseen=("response.content-not-empty", "response.usage-completion-counted", *UNSAID),
    ),
    faulty(
        "loses what the model said",
        after(_said(""), on(ONE, rewritten(_at_length))),
        "response.content-not-empty",
        says='/data/choices/0/message/content: the text of 7 completion tokens; ""',
        unseen=("response.usage-completion-counted", *UNSAID),
    ),
    faulty(
        "loses a text that is not in English",
        on(asking("plain.raw-utf8"), json_at("/data/choices/0/message/content", "")),
        "response.content-not-empty",
        says='/data/choices/0/message/content: the text of 11 completion tokens; ""',
        unseen=CONTROLS,
    ),
    faulty(
        "loses one half of each surrogate pair",
        on(
            asking("plain.raw-utf8", "plain.escaped-unicode"),
            json_at("/data/choices/0/message/content", lambda old: old.replace("\U0001f388", "\ud83c")),
        ),
        "response.documented-clients-read-it",
        says="the Python snippet prints the text; UnicodeEncodeError",
        unseen=CONTROLS,
    ),
    faulty(
        "cuts a surrogate pair in half",
        on(ONE, json_at("/data/choices/0/message/content", "\ud83c")),
        "response.documented-clients-read-it",
        says="the Python snippet prints the text; UnicodeEncodeError",
    ),
)

META: Final = (
    member("leaves out _meta", "/_meta", GONE, "response.meta", says="nothing", unseen=("response.",)),
    member("gives null for _meta", "/_meta", None, "response.meta", says="null", unseen=("response.",)),
    faulty(
        "puts _meta beside data",
        on(answers, rewritten(_moved_up)),
        "response.meta",
        says="/data/_meta: an object; nothing",
        unseen=("response.request-id", "response.latency"),
    ),
    member(
        "names no request", "/_meta/request_id", GONE, "response.request-id", unseen=("response.request-id-unique",)
    ),
    member("names it emptily", "/_meta/request_id", "", "response.request-id", unseen=("response.request-id-unique",)),
    member(
        "numbers requests",
        "/_meta/request_id",
        12,
        "response.request-id",
        says=": a non-empty string; 12",
        unseen=("response.request-id-unique",),
    ),
    faulty(
        "gives all requests one id",
        on(answers, json_at("/data/_meta/request_id", "req_xyz"), with_header("X-Request-Id", "req_xyz")),
        "response.request-id-unique",
        says="req_xyz",
    ),
    member("tells no latency", "/_meta/latency_ms", GONE, "response.latency", says=": a number of 0 or more; "),
    member("tells the latency as text", "/_meta/latency_ms", "310", "response.latency", says='"310"'),
    member("answers before it was asked", "/_meta/latency_ms", -5, "response.latency", says="-5"),
    member(
        "tells when, not how long", "/_meta/latency_ms", 1713888000000, "response.latency-plausible", says="s: at most"
    ),
)

MINIATURES: Final = (*BODIES, *MEMBERS, *TEXT, *META)
