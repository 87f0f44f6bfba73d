"""Servers whose streams break off: what stood before the break is judged, and what the break cut in two is not."""

from typing import Final

from conformance.exchange import Ending, Exchange
from conformance.probes import stream
from tests.miniatures.framing import ALL_STREAMS, CLIENTS, COUNTING, MULTILINGUAL
from tests.miniatures.garbled import END_MARKER
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    One,
    asking,
    cut,
    each_block,
    ended_by,
    in_one_body,
    inserted,
    on,
)


def _until(mark: bytes) -> One:
    """The stream up to and with some bytes; then we stopped reading."""

    def one(exchange: Exchange) -> Exchange:
        return cut(Ending.DEADLINE, keep=exchange.body.index(mark) + len(mark))(exchange)

    return one


CALLING: Final = asking(stream.TOOL_CALL.name)
RAW: Final = in_one_body(lambda body: body.replace(b"Z\\u00fcrich", "Zürich".encode()))

MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "does three things wrong before we stop reading",
        on(
            COUNTING,
            inserted(1, b"data: \n\n"),
            inserted(1, b"Retry: \xff\n\n"),
            inserted(1, b"data: {\n\n"),
            _until(b'"content":" 4'),
        ),
        "stream.utf8",
        "stream.known-fields",
        "stream.no-empty-events",
        "stream.payload-is-json",
        says="UTF-8; b'\\xff'",
        unseen=(*ALL_STREAMS,),
    ),
    faulty(
        "ends with half a character",
        on(COUNTING, ended_by(b"data: [DONE]\n\n: \xe6\x9d")),
        "stream.utf8",
        says="UTF-8; b'\\xe6\\x9d': unexpected end of data",
    ),
    faulty(
        "ends with an end marker that is neither spaced nor terminated",
        on(COUNTING, ended_by(b"data:[DONE]")),
        "stream.data-space",
        "stream.done-closed",
        *CLIENTS,
        says="data:[DONE]",
    ),
    faulty(
        "ends within an event after its end marker",
        on(COUNTING, ended_by(b'data: [DONE]\n\ndata: {"choices":[]}\n')),
        "stream.blank-line",
        "stream.done-is-last",
        says="a blank line after each event; the last event, with no blank line after it",
    ),
    faulty(
        "comments in Latin-1",
        on(END_MARKER, inserted(1, b": Z\xfcrich\n\n")),
        "stream.utf8",
        says="UTF-8; b'\\xfc'",
    ),
    faulty(
        "does not escape line breaks, and loses an event before",
        on(END_MARKER, each_block(lambda block: block.replace(b"\\n", b"\n")), inserted(0, b"data: {\n\n")),
        "stream.lines-in-text",
        "stream.payload-is-json",
        "stream.known-fields",
        *CLIENTS,
        says=": a line break written as \\n; ",
    ),
    faulty(
        "writes one chunk over two lines",
        on(COUNTING, inserted(1, b'data: {"choices":\ndata: [{"index":0,"delta":{}}]}\n\n')),
        "stream.one-line-per-event",
        *CLIENTS,
        says="one data line an event; 2 data lines",
    ),
    faulty(
        "sends pings as events around a tool call",
        on(CALLING, inserted(2, b"event: ping\ndata: {}\n\n")),
        "stream.known-events",
        says='an event named "ping"',
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("comments with a separator", on(COUNTING, inserted(1, ": one\u2028two\n\n".encode()))),
    odd("is left within a character", on(MULTILINGUAL, RAW, _until(b"Z\xc3")), *ALL_STREAMS),
    odd("is left within the name of a field", on(COUNTING, _until(b"\n\ndat")), *ALL_STREAMS),
    odd("is left within a chunk", on(COUNTING, _until(b'"content":" 4')), *ALL_STREAMS),
)
