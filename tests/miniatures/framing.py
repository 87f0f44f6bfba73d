"""Servers whose streams are cut into lines and events in a wrong way."""

import json
from dataclasses import replace
from typing import Final

from tests.miniatures.model import faulty
from tests.miniatures.wire import (
    Blocks,
    One,
    asking,
    each_block,
    ended_by,
    in_one_body,
    inserted,
    on,
    refused,
    streams,
    talks,
    with_blocks,
    with_body,
    with_header,
    with_status,
)

CLIENTS: Final = ("stream.python-client-survives", "stream.typescript-client-survives")
PYTHON, TYPESCRIPT = CLIENTS
GREETING: Final = asking("stream.greeting")
COUNTING: Final = asking("stream.counting")
MULTILINGUAL: Final = asking("stream.multilingual")
DYING: Final = asking("failures.mid-stream-error")
ALL_STREAMS: Final = (
    "stream.",
    "finish.stream-",
    "parameters.max-tokens-kept-in-text",
    "parameters.stop-in-stream",
    "tools.stream-",
)
ERROR: Final = b'event: error\ndata: {"code":"BACKEND_ERROR","message":"gone"}\n\n'


def _joined(blocks: Blocks) -> Blocks:
    """The second and the third chunk without a blank line between them."""
    return [*blocks[:1], replace(blocks[1], data=blocks[1].data[:-1]), *blocks[2:]]


def _pretty(block: bytes) -> bytes:
    if not block.startswith(b"data: {"):
        return block
    lines = json.dumps(json.loads(block[6:]), indent=1).splitlines()
    return b"".join(b"data: " + line.encode() + b"\n" for line in lines) + b"\n"


def _raw(block: bytes) -> bytes:
    """The chunk with raw UTF-8, separators included."""
    if not block.startswith(b"data: {"):
        return block
    return b"data: " + json.dumps(json.loads(block[6:]), ensure_ascii=False).encode() + b"\n\n"


def _split(blocks: Blocks) -> Blocks:
    """One character's bytes over two chunks."""
    before, after = blocks[2].data.split(b"\\u6771")
    rest = b'"},"finish_reason":null}]}\n\n'
    start = blocks[2].data[: blocks[2].data.index(b'"content":"') + len(b'"content":"')]
    character = "東".encode()
    first = replace(blocks[2], data=before + character[:2] + rest)
    second = replace(blocks[2], data=start + character[2:] + after)
    return [*blocks[:2], first, second, *blocks[3:]]


def _nth_bytes(number: int, old: bytes, new: bytes) -> One:
    def one(blocks: Blocks) -> Blocks:
        place = number % len(blocks)
        changed = replace(blocks[place], data=blocks[place].data.replace(old, new, 1))
        return [*blocks[:place], changed, *blocks[place + 1 :]]

    return with_blocks(one)


def _unescaped(block: bytes) -> bytes:
    return block.replace(b"\\n", b"\n")


WHOLE: Final = (
    faulty(
        "answers a stream with 201",
        on(GREETING, with_status(201)),
        "stream.status",
        says="status: HTTP 200; HTTP 201",
    ),
    faulty(
        "refuses to stream",
        on(streams, refused(501, "NOT_IMPLEMENTED")),
        "parameters.stream-true",
        "stream.status",
        "parameters.all-together",
        says="status: an event stream; HTTP 501 NOT_IMPLEMENTED",
        unseen=(*ALL_STREAMS, "auth.refused-before-stream", "request.no-accept-needed"),
    ),
    faulty(
        "answers a stream with one JSON body",
        on(streams, with_body(b'{"status":"ok","data":{"choices":[]}}', "application/json")),
        "parameters.stream-true",
        says="whole: an event stream; a body of application/json",
        unseen=ALL_STREAMS,
    ),
    faulty(
        "answers a stream of a tool call with one JSON body",
        on(asking("stream.tool-call"), with_body(b'{"status":"ok","data":{"choices":[]}}', "application/json")),
        "stream.tool-framing",
        says="an event stream, as without tools; a body of application/json",
        unseen=("tools.stream-",),
    ),
    faulty(
        "calls its stream JSON",
        on(streams, with_header("Content-Type", "application/json")),
        "stream.content-type",
        says="header content-type: text/event-stream; application/json",
    ),
    faulty(
        "calls its stream JSON lines",
        on(streams, with_header("Content-Type", "application/x-ndjson")),
        "stream.content-type",
        says="application/x-ndjson",
    ),
    faulty(
        "does not say that it streams",
        on(streams, with_header("Content-Type", None)),
        "stream.content-type",
        says="no media type",
    ),
    faulty(
        "streams in Latin-1",
        on(MULTILINGUAL, in_one_body(lambda body: body.replace(b"Z\\u00fcrich", b"Z\xfcrich"))),
        "stream.utf8",
        "stream.text-intact",
        says="UTF-8; b'\\xfc'",
    ),
    faulty(
        "sends a stray byte",
        on(COUNTING, _nth_bytes(3, b'"content":"', b'"content":"\xff')),
        "stream.utf8",
        says="UTF-8",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "cuts a character in two",
        on(MULTILINGUAL, with_blocks(_split)),
        "stream.utf8",
        "stream.text-intact",
        says="UTF-8; ",
    ),
    faulty(
        "replaces what it cannot read",
        on(MULTILINGUAL, in_one_body(lambda body: body.replace(b"\\ud83c\\udf88", b"\\ufffd"))),
        "stream.text-intact",
        says="with U+FFFD in it",
    ),
    faulty(
        "calls its UTF-8 Latin-1",
        on(
            MULTILINGUAL,
            with_header("Content-Type", "text/event-stream;charset=ISO-8859-1"),
            in_one_body(lambda body: body.replace(b"Z\\u00fcrich", "Zürich".encode())),
        ),
        PYTHON,
        says="; it prints",
    ),
    faulty(
        "begins its stream with a byte order mark",
        on(streams, in_one_body(lambda body: b"\xef\xbb\xbf" + body)),
        "stream.no-bom",
        says="bytes 0-3: data or a comment; a byte order mark",
    ),
)

LINES: Final = (
    faulty(
        "ends its lines in CR LF",
        on(talks, in_one_body(lambda body: body.replace(b"\n", b"\r\n"))),
        "stream.line-feeds",
        TYPESCRIPT,
        says="a line that ends in LF; ",
    ),
    faulty(
        "ends one line in CR LF",
        on(COUNTING, _nth_bytes(-1, b"[DONE]\n", b"[DONE]\r\n")),
        "stream.line-feeds",
        TYPESCRIPT,
        says="data: [DONE]\\r\\n",
    ),
    faulty(
        "ends its lines in CR",
        on(talks, in_one_body(lambda body: body.replace(b"\n", b"\r"))),
        "stream.not-cr-only",
        TYPESCRIPT,
        says="a line that ends in LF; ",
    ),
    faulty(
        "leaves out the space after data:",
        on(talks, each_block(lambda block: block.replace(b"data: ", b"data:"))),
        "stream.data-space",
        *CLIENTS,
        says='a data line that begins with `data: `; "data:{',
    ),
    faulty(
        "leaves out the space before the end marker",
        on(talks, ended_by(b"data:[DONE]\n\n")),
        "stream.data-space",
        *CLIENTS,
        says="data:[DONE]",
    ),
    faulty(
        "indents its data with a tab",
        on(COUNTING, _nth_bytes(2, b"data: ", b"data:\t")),
        "stream.data-space",
        *CLIENTS,
        says="data:\\t{",
    ),
    faulty(
        "tells of an error in a field of its own",
        on(COUNTING, inserted(-1, b'error: {"code":500,"message":"gone"}\n\n')),
        "stream.known-fields",
        says="error: {",
    ),
    faulty(
        "writes JSON between its events",
        on(COUNTING, inserted(3, b'{"error":"overloaded"}\n\n')),
        "stream.known-fields",
        says="a data, event, id or retry line, or a comment; ",
    ),
    faulty(
        "spells a field in capitals",
        on(COUNTING, inserted(1, b"Retry: 3000\n\n")),
        "stream.known-fields",
        says="Retry: 3000",
    ),
    faulty(
        "sends separators raw",
        on(MULTILINGUAL, each_block(_raw)),
        "stream.separators-escaped",
        PYTHON,
        says="U+2028, U+2029 and U+0085 as JSON escapes; ",
    ),
)

EVENTS: Final = (
    faulty(
        "runs its error event into the end marker",
        on(DYING, each_block(lambda block: block[:-1] if block.startswith(b"event: error") else block)),
        "stream.blank-line",
        says="a blank line after each event; 2 events in one",
    ),
    faulty(
        "runs its last chunk into the error event",
        on(
            DYING,
            with_blocks(lambda blocks: [*blocks[:-3], replace(blocks[-3], data=blocks[-3].data[:-1]), *blocks[-2:]]),
        ),
        "stream.blank-line",
        says="a blank line after each event; 2 events in one",
    ),
    faulty(
        "forgets a blank line",
        on(COUNTING, with_blocks(_joined)),
        "stream.blank-line",
        says="a blank line after each event; 2 events in one",
    ),
    faulty(
        "never ends an event",
        on(talks, in_one_body(lambda body: body.replace(b"\n\n", b"\n") + b"\n")),
        "stream.blank-line",
        says="events in one",
    ),
    faulty(
        "prints its JSON over many lines",
        on(talks, each_block(_pretty)),
        "stream.one-line-per-event",
        *CLIENTS,
        says="one data line an event; ",
    ),
    faulty(
        "sends pings as events",
        on(COUNTING, inserted(2, b"event: ping\ndata: {}\n\n")),
        "stream.known-events",
        *CLIENTS,
        says='an event named "ping"',
    ),
    faulty(
        "names its usage event",
        on(COUNTING, inserted(-1, b'event: usage\ndata: {"choices":[{"delta":{}}]}\n\n')),
        "stream.known-events",
        says='an event named "usage"',
    ),
    faulty(
        "names its chunks",
        on(streams, each_block(lambda block: b"event: chunk\n" + block if block.startswith(b"data: {") else block)),
        "stream.known-events",
        says='an event named "chunk"',
    ),
    faulty(
        "names its end marker",
        on(streams, each_block(lambda block: block.replace(b"data: [DONE]", b"event: done\ndata: [DONE]"))),
        "stream.known-events",
        says='an event named "done"',
    ),
    faulty(
        "keeps alive by events without data",
        on(streams, inserted(0, b"event: keepalive\n\n")),
        "stream.no-empty-events",
        says="a block of event without data",
    ),
    faulty(
        "sends an id by itself",
        on(COUNTING, inserted(1, b": openrouter\nid: 5\n\n")),
        "stream.no-empty-events",
        says="a block of id without data",
    ),
    faulty(
        "sends empty data",
        on(COUNTING, inserted(2, b"data: \n\n")),
        "stream.no-empty-events",
        *CLIENTS,
        says="an event with empty data",
    ),
    faulty(
        "doubles the prefix",
        on(COUNTING, _nth_bytes(2, b"data: ", b"data: data: ")),
        "stream.payload-is-json",
        *CLIENTS,
        says='one JSON text; "data: {',
        unseen=("finish.stream-length",),
    ),
    faulty(
        "sends comments as data",
        on(COUNTING, inserted(0, b"data: : keepalive\n\n")),
        "stream.payload-is-json",
        *CLIENTS,
        says=": keepalive",
    ),
    faulty(
        "prints a Python dict",
        on(COUNTING, inserted(-1, b"data: {'choices': [{'delta': {}}]}\n\n")),
        "stream.payload-is-json",
        *CLIENTS,
        says="{'choices'",
    ),
    faulty(
        "writes NaN into a chunk",
        on(COUNTING, _nth_bytes(2, b'"created":', b'"score":NaN,"created":')),
        "stream.payload-is-json",
        TYPESCRIPT,
        PYTHON,
        says="NaN is not JSON",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "loses the end of a chunk",
        on(COUNTING, _nth_bytes(2, b"}]}", b"}")),
        "stream.payload-is-json",
        *CLIENTS,
        says="bytes ",
        unseen=("finish.stream-length",),
    ),
    faulty(
        "does not escape line breaks",
        on(asking("stream.end-marker"), each_block(_unescaped)),
        "stream.lines-in-text",
        "stream.payload-is-json",
        "stream.known-fields",
        *CLIENTS,
        says="bytes 694-852: a line break written as \\n; ",
    ),
    faulty(
        "drops its line breaks",
        on(asking("stream.end-marker"), each_block(lambda block: block.replace(b"\\n", b""))),
        "stream.lines-in-text",
        says='last lantern"; "first lanterndata: [DONE]<b>{5%}</b> & last lantern"',
    ),
    faulty(
        "escapes its line breaks twice",
        on(asking("stream.end-marker"), each_block(lambda block: block.replace(b"\\n", b"\\\\n"))),
        "stream.lines-in-text",
        says="first lantern\\\\n",
    ),
)

MINIATURES: Final = (*WHOLE, *LINES, *EVENTS)
