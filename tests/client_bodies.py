"""Bodies that a server may send, good and bad, and what the page's two streaming loops make of some."""

import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from conformance.clients import ClientRun, Stop

BERN = 'data: {"choices": [{"index": 0, "delta": {"content": "Bern."}}]}\n\n'
DONE = "data: [DONE]\n\n"
ERROR = 'event: error\ndata: {"code": "BACKEND_ERROR", "message": "gone"}\n\n'

DEEP = 50_000  # deeper than any CPython recurses


def chunk(content: Any) -> str:
    return f"data: {json.dumps({'choices': [{'delta': {'content': content}}]})}\n\n"


def seen(run: ClientRun) -> tuple[str, Stop, str]:
    """What is printed, why the client stopped, and the type of the crash."""
    return run.printed, run.stopped, run.crash.split(":")[0].split(" ")[0]


done = Stop.DONE, ""
ended = Stop.END, ""


def crashed(kind: str) -> tuple[Stop, str]:
    return Stop.CRASH, kind


# What the server does, the body, what Python prints and how it ends, what TypeScript prints and how it ends.
TABLE: list[tuple[str, str, str, tuple[Stop, str], str, tuple[Stop, str]]] = [
    ("LF line ends", BERN + DONE, "Bern.", done, "Bern.", done),
    (
        *("CR LF line ends", (BERN + DONE).replace("\n", "\r\n")),
        *("Bern.", done),
        *("Bern.", crashed("SyntaxError")),
    ),
    ("CR line ends", (BERN + DONE).replace("\n", "\r"), "Bern.", done, "", ended),
    ("no space after data:", (BERN + DONE).replace("data: ", "data:"), "", ended, "", ended),
    (
        *("a blank after [DONE]", BERN + "data: [DONE] \n\n"),
        *("Bern.", crashed("JSONDecodeError")),
        *("Bern.", crashed("SyntaxError")),
    ),
    ("[DONE] without a line end", BERN + "data: [DONE]", "Bern.", done, "Bern.", ended),
    (
        *("one document on several data lines", 'data: {\ndata:   "choices": []\ndata: }\n\n' + DONE),
        *("", crashed("JSONDecodeError")),
        *("", crashed("SyntaxError")),
    ),
    (
        *("a chunk in the envelope", 'data: {"status": "ok", "data": {"choices": []}}\n\n' + DONE),
        *("", crashed("KeyError")),
        *("", crashed("TypeError")),
    ),
    (
        *("empty choices", BERN + 'data: {"choices": [], "usage": {}}\n\n' + DONE),
        *("Bern.", crashed("IndexError")),
        *("Bern.", crashed("TypeError")),
    ),
    (
        *("a last chunk without delta", BERN + 'data: {"choices": [{"finish_reason": "stop"}]}\n\n' + DONE),
        *("Bern.", crashed("KeyError")),
        *("Bern.", crashed("TypeError")),
    ),
    ("an empty delta", BERN + 'data: {"choices": [{"delta": {}}]}\n\n' + DONE, "Bern.", done, "Bern.", done),
    ("content null", chunk(None) + BERN + DONE, "NoneBern.", done, "Bern.", done),
    (
        *("the page's own error frame", BERN + ERROR + DONE),
        *("Bern.", crashed("KeyError")),
        *("Bern.", crashed("TypeError")),
    ),
    (
        *("another named event with data", 'event: status\ndata: {"thinking": true}\n\n' + BERN + DONE),
        *("", crashed("KeyError")),
        *("", crashed("TypeError")),
    ),
    ("comments", ": ping\n\n" + BERN + ": ping\n\n" + DONE, "Bern.", done, "Bern.", done),
    *(
        (
            *(f"raw U+{ord(mark):04X} in content", BERN.replace(".", mark) + DONE),
            *("", crashed("JSONDecodeError")),
            *(f"Bern{mark}", done),
        )
        for mark in "\u2028\u2029\u0085"
    ),
    ("a byte order mark", "\ufeff" + BERN + BERN + DONE, "Bern.", done, "Bern.Bern.", done),
    ("a JSON error body", '{"status": "error", "error": {"code": "X"}}', "", ended, "", ended),
    ("lines after [DONE]", BERN + DONE + BERN + "data: {\n", "Bern.", done, "Bern.", done),
    ("no [DONE]", BERN, "Bern.", ended, "Bern.", ended),
    ("nothing", "", "", ended, "", ended),
    ("half an event at the end", BERN + BERN.strip(), "Bern.Bern.", ended, "Bern.", ended),
    ("content that is a number", chunk(5) + DONE, "5", done, "", crashed("TypeError")),
    ("content that is zero", chunk(0) + DONE, "0", done, "", done),
    ("content that is false", chunk(False) + DONE, "False", done, "", done),  # noqa: FBT003 - a JSON value
    ("content that is an empty array", chunk([]) + DONE, "[]", done, "", crashed("TypeError")),
    ("content in parts", chunk([{"type": "text"}]) + DONE, "[{'type': 'text'}]", done, "", crashed("TypeError")),
    ("delta null", 'data: {"choices": [{"delta": null}]}\n', "", crashed("AttributeError"), "", crashed("TypeError")),
    ("delta a string", 'data: {"choices": [{"delta": "x"}]}\n', "", crashed("AttributeError"), "", ended),
    ("choices an object", 'data: {"choices": {"0": {"delta": {}}}}\n', "", crashed("KeyError"), "", ended),
    ("choices a string", 'data: {"choices": "x"}\n', "", crashed("TypeError"), "", crashed("TypeError")),
    ("a chunk that is null", "data: null\n", "", crashed("TypeError"), "", crashed("TypeError")),
    ("NaN", BERN.replace("0", "NaN") + DONE, "Bern.", done, "", crashed("SyntaxError")),
    (
        *("an integer of 5000 digits", BERN.replace("0", "9" * 5000) + DONE),
        *("", crashed("ValueError")),
        *("Bern.", done),
    ),
    (
        *("nested deeper than Python recurses", BERN.replace("0", "[" * DEEP + "]" * DEEP) + DONE),
        *("", crashed("RecursionError")),
        *("Bern.", done),
    ),
    (
        *("half of a surrogate pair", 'data: {"choices": [{"delta": {"content": "\\ud83d"}}]}\n' + DONE),
        *("", crashed("UnicodeEncodeError")),
        *("\ufffd", done),
    ),
]


def answer(content: Any) -> bytes:
    return json.dumps({"data": {"choices": [{"message": {"content": content}}]}}).encode()


PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "delta", "content", "message", "data", "0"]), inner)
        | inner.map(lambda value: {"choices": [{"delta": {"content": value}, "message": {"content": value}}]})
        | inner.map(lambda value: {"data": value})
    ),
    max_leaves=6,
)
FRAGMENTS = [
    *(BERN, DONE, ERROR, ": ping\n\n", "data: ", "data:", "event: error", "\ufeff", "\n", "\r", "\r\n", " ", "x"),
    *("\u2028", "\u0085", "\x0b", "\x1c", "\0", "\u00fc", '"', "[", "{", "}", "NaN", "-Infinity", "1e999", "-0", "01"),
    *("\\ud83d", "\\ud83d\\ude00", "\\x", "\\", "1.", "1e", "tru", "null", ",", ":", "\U0001f600"),
    *('data: {"choices": [{"delta": {"content": "', '"}}]}\n'),
]
BODIES = st.lists(
    st.one_of(
        st.sampled_from(FRAGMENTS).map(str.encode),
        PAYLOADS.map(lambda value: f"data: {json.dumps(value)}\n\n".encode()),
        PAYLOADS.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"),
        st.binary(max_size=4),
    ),
    max_size=8,
).map(b"".join)


ODD_CONTENTS: list[Any] = [
    *("", "%s %d", "\u2028", "\ud83d", "\ude00\ud83d", "\ufeff", "\0", None, True, [], {}, [1], {"a": 1}),
    *(1e21, 1e20, -1.5e-7, 1e-6, 123456789012345680000, 5e-324, 0.1, -25.0, 1e300),
]
HAND_PICKED = [
    *(body.encode() for _, body, *_ in TABLE),
    *(
        b'{"data": {"choices": [{"message": {"content": %s}}]}}' % number
        for number in (b"1e999", b"-1e999", b"-0", b"0", b"-0.0", b"1E2", b"9" * 5000, b"1.", b"01", b"+1", b".5")
    ),
    *map(answer, ODD_CONTENTS),
    *(chunk(content).encode() for content in ODD_CONTENTS),
    *(b"\xef\xbb\xbf" * marks + (BERN + BERN + DONE).encode() for marks in range(3)),
    *(b"\xef\xbb\xbf" * marks + answer("x") for marks in range(2)),  # of two marks Node.js 20 drops both, Fetch one
    *(
        b'data: {"choices": [{"delta": {"content": "%s"}}]}\n' % content
        for content in (b"\xff", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98|\xed\xa0\x80|\xc0\x80|\xf5\x80", b"\x7f", b"\x01")
    ),
    *(f"data: {text}\n".encode() for text in ("", "{}", "[]", "5", '"x"', "true", "\ufeff{}", "\u00a0{}", "{} {}")),
    *(
        text.encode()
        for text in ("", "null", "5", '"x"', "[]", "true", '{"data": null}', '{"data": 5}', "{} {}", "\x0c{}")
    ),
    b'data: {"choices": [1], "choices": [{"__proto__": {"delta": {}}}]}\n',
    b'data: {"choices": "x"}\n',
    b'data: {"choices": [[]]}\n',
    b'data: {"choices": [{"delta": [1]}]}\n',
    b"data: " + b"[" * DEEP + b"]" * DEEP + b"\n",
    b"data: " + b"[" * DEEP + b"1 2" + b"]" * DEEP + b"\n",
    b'data: {"deep": ' + b'{"a": [' * DEEP + b"]}" * DEEP + b', "choices": [{"delta": {"content": "x"}}]}\n',
    b'{"deep": ' + b'[ {"a" : 1 ,"b":' * DEEP + b"[]" + b"} ]" * DEEP + b"}",
    b'{"deep": ' + b'[{"a":' * DEEP + b"{" + b"}}]" * DEEP + b"}}",
    b'{"deep": ' + b'{"a":' * DEEP + b"x",
    b"[" * DEEP + b"{1}",
    b"[" * DEEP + b'{"a" 1}',
    b"[" * DEEP + b'{"a": 1]',
    b"[" * DEEP + b"1,]",
]


NAMES = ["choices", "delta", "content", "message", "data", "0"]


def random_value(source: random.Random, depth: int = 3) -> Any:
    number = source.uniform(-1, 1) * 10 ** source.randint(-30, 30)
    scalars = ["Bern.", "", "\u2028", "Z\u00fcrich", "\ud83d", "0", 0, 1, -0.0, number, number, None, True, False]
    if depth == 0 or source.randrange(2):
        return source.choice(scalars)
    inner = random_value(source, depth - 1)
    choices = {"choices": [{"delta": {"content": inner}, "message": {"content": inner}}]}
    return source.choice([[], [inner], {source.choice(NAMES): inner}, choices, choices])


def random_part(source: random.Random) -> bytes:
    document = json.dumps(random_value(source), ensure_ascii=False).encode("utf-8", "replace")
    event = f"data: {json.dumps(random_value(source))}{source.choice(['', ' '])}\n\n".encode()
    parts = [source.choice(FRAGMENTS).encode(), source.randbytes(source.randrange(4)), document, event]
    return source.choices(parts, weights=[3, 1, 1, 3])[0]


def random_bodies(*, count: int, seed: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for _ in range(count):
        body = b"".join(random_part(source) for _ in range(source.randrange(7)))
        if body and source.randrange(4) == 0:
            place = source.randrange(len(body))
            body = body[:place] + source.choice([b"", b"x", b"\xff", b"\n"]) + body[place + 1 :]
        yield body
        yield json.dumps({"data": random_value(source)}).encode()
