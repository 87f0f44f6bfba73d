"""Bodies and what WHATWG HTML, `#event-stream-interpretation`, makes of them.

The vectors named `format-...` and `event-data` are written anew after the tests of the same name in the web
platform tests (folder `eventsource`); the blank line that ends the last event is part of the body here.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    name: str
    body: bytes
    events: tuple[tuple[str, str, str], ...]
    """Type, data and last event id of each dispatched event."""
    retry: int | None = None
    last_event_id: str = ""
    bom: bool = False


def _messages(*data: str) -> tuple[tuple[str, str, str], ...]:
    return tuple(("message", each, "") for each in data)


VECTORS = (
    Vector(
        name="format-field-parsing",
        body=b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\n"
        b"data:4\n\n",
        events=_messages("\0\n 2\n1\n3\n\n4"),
    ),
    Vector(
        name="format-newlines",
        body=b"data:test\r\ndata\ndata:test\r\n\r",
        events=_messages("test\n\ntest"),
    ),
    Vector(
        name="format-leading-space",
        body=b"data:\ttest\rdata: \ndata:test\n\n",
        events=_messages("\ttest\n\ntest"),
    ),
    Vector(
        name="format-field-data, the last event ended",
        body=b"data:\n\ndata\ndata\n\ndata:test\n\n",
        events=_messages("", "\n", "test"),
    ),
    Vector(
        name="format-field-data, the last event not ended",
        body=b"data:\n\ndata\ndata\n\ndata:test\n",
        events=_messages("", "\n"),
    ),
    Vector(
        name="format-field-unknown",
        body=b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test\n\n",
        events=_messages("test\n\ntest"),
    ),
    Vector(
        name="format-comments",
        body=b"data:1\r:\0\n:\r\ndata:2\n:" + b"x" * 2048 + b"\rdata:3\n:data:fail\r:" + b"x" * 2048 + b"\ndata:4\n\n",
        events=_messages("1\n2\n3\n4"),
    ),
    Vector(
        name="format-bom",
        body=b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n",
        events=_messages("1", "3"),
        bom=True,
    ),
    Vector(
        name="format-bom-2",
        body=b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\ndata:3\n\n",
        events=_messages("2", "3"),
        bom=True,
    ),
    Vector(
        name="format-data-before-final-empty-line",
        body=b"retry:1000\ndata:test1\n\nid:test\ndata:test2\n",
        events=_messages("test1"),
        retry=1000,
    ),
    Vector(
        name="format-field-event",
        body=b"event:test\ndata:x\n\ndata:x\n\n",
        events=(("test", "x", ""), ("message", "x", "")),
    ),
    Vector(name="format-field-event-empty", body=b"event: \ndata:data\n\n", events=_messages("data")),
    Vector(
        name="format-field-id",
        body=b"id: 1\xe2\x80\xa6\ndata:hello\n\n",
        events=(("message", "hello", "1\u2026"),),
        last_event_id="1\u2026",
    ),
    Vector(
        name="format-field-id-2, an id stays in force",
        body=b"data:before\n\nid: 1\ndata:hello\n\ndata:hello\n\ndata:hello\n\n",
        events=(("message", "before", ""), *(("message", "hello", "1"),) * 3),
        last_event_id="1",
    ),
    Vector(
        name="format-field-id-3, an empty id takes it back",
        body=b"id: 1\ndata:x\n\nid\ndata:y\n\n",
        events=(("message", "x", "1"), ("message", "y", "")),
    ),
    Vector(
        name="format-field-id-null",
        body=b"id: kept\ndata:x\n\nid: a\0b\ndata:y\n\nid:\0\ndata:z\n\n",
        events=(("message", "x", "kept"), ("message", "y", "kept"), ("message", "z", "kept")),
        last_event_id="kept",
    ),
    Vector(name="format-field-retry", body=b"retry:3000\ndata:x\n\n", events=_messages("x"), retry=3000),
    Vector(
        name="format-field-retry-bogus",
        body=b"retry:3000\nretry:1000x\nretry: -5\nretry:1_0\nretry:\xd9\xa3\nretry:1 \nretry:  1\ndata:x\n\n",
        events=_messages("x"),
        retry=3000,
    ),
    Vector(name="format-field-retry-empty", body=b"retry\nretry:\nretry: \ndata:test\n\n", events=_messages("test")),
    Vector(name="format-null-character", body=b"data:\0\n\n\n\n", events=_messages("\0")),
    Vector(name="format-utf-8", body=b"data:ok\xe2\x80\xa6\n\n", events=_messages("ok\u2026")),
    Vector(
        name="event-data",
        body=b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        events=_messages("msg\nmsg", "", "end"),
    ),
    Vector(
        name="the page's stream",
        body=b'data: {"choices": [{"delta": {"content": "Z\xc3\xbcrich"}}]}\n\ndata: [DONE]\n\n',
        events=_messages('{"choices": [{"delta": {"content": "Z\u00fcrich"}}]}', "[DONE]"),
    ),
    Vector(
        name="the page's error event",
        body=b'event: error\ndata: {"code": "X", "message": "y"}\n\ndata: [DONE]\n\n',
        events=(("error", '{"code": "X", "message": "y"}', ""), ("message", "[DONE]", "")),
    ),
    Vector(name="CR LF alone", body=b"data: 1\r\ndata: 2\r\n\r\ndata: 3\r\n\r\n", events=_messages("1\n2", "3")),
    Vector(name="CR alone, also at the end", body=b"data: 1\rdata: 2\r\rdata: 3\r\r", events=_messages("1\n2", "3")),
    Vector(name="LF CR is two line ends", body=b"data: 1\n\rdata: 2\n\r", events=_messages("1", "2")),
    Vector(name="a last CR ends a line but no event", body=b"data: 1\r", events=()),
    Vector(
        name="invalid UTF-8 is replaced, by the maximal subpart",
        body=b"data: \xffa\xc3\ndata: \xe2\x82|\xed\xa0\x80|\xf0\x9f\x98\n\n",
        events=_messages("\ufffda\ufffd\n\ufffd|\ufffd\ufffd\ufffd|\ufffd"),
    ),
    Vector(
        name="invalid UTF-8 in a field's name makes it unknown",
        body=b"da\xffta: 1\ndata: 2\n\n",
        events=_messages("2"),
    ),
    Vector(
        name="what Python calls a line end and the standard does not",
        body="data: a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei\n\n".encode(),
        events=_messages("a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1dh\x1ei"),
    ),
    Vector(
        name="the last of several types counts, and a type without data is forgotten",
        body=b"event: a\nevent: b\ndata: 1\n\nevent: c\n\ndata: 2\n\n",
        events=(("b", "1", ""), ("message", "2", "")),
    ),
    Vector(
        name="an id without data is in force",
        body=b"id: 7\n\n: ping\n\ndata: x\n\n",
        events=(("message", "x", "7"),),
        last_event_id="7",
    ),
    Vector(name="an id that no blank line follows is not in force", body=b"data: x\n\nid: 7\n", events=_messages("x")),
    Vector(name="a retry counts before its event ends", body=b"retry: 0012\n", events=(), retry=12),
    Vector(name="a line without an end has no effect", body=b"retry: 5\nretry: 77", events=(), retry=5),
    Vector(name="a retry longer than any clock", body=b"retry: " + b"9" * 5000 + b"\n", events=(), retry=10**18),
    Vector(name="a retry of no time", body=b"retry: 000\n", events=(), retry=0),
    Vector(name="the longest retry that is kept", body=b"retry: " + b"9" * 18 + b"\n", events=(), retry=10**18 - 1),
    Vector(name="a retry with many zeros", body=b"retry: " + b"0" * 5000 + b"4\n", events=(), retry=4),
    Vector(name="a space before the colon belongs to the name", body=b"data : 1\ndata: 2\n\n", events=_messages("2")),
    Vector(name="a line of one space is not blank", body=b"data: 1\n \ndata: 2\n\n", events=_messages("1\n2")),
    Vector(name="nothing", body=b"", events=()),
    Vector(name="a byte order mark alone", body=b"\xef\xbb\xbf", events=(), bom=True),
    Vector(
        name="a byte order mark before a blank line", body=b"\xef\xbb\xbf\ndata: 1\n\n", events=_messages("1"), bom=True
    ),
    Vector(name="two thirds of a byte order mark", body=b"\xef\xbb", events=()),
    Vector(
        name="two thirds of a byte order mark, then a line", body=b"\xef\xbbdata: 1\ndata: 2\n\n", events=_messages("2")
    ),
    Vector(name="blank lines alone", body=b"\n\r\n\r\r\n\n", events=()),
)
