"""Servers whose streams break off: what stood before the break is judged, and what the break cut in two is not."""

from typing import Final

from conformance.exchange import Ending, Exchange
from tests.miniatures.framing import ALL_STREAMS, CLIENTS, COUNTING, MULTILINGUAL
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import One, cut, ended_by, in_one_body, inserted, on


def _until(mark: bytes) -> One:
    """The stream up to and with some bytes; then we stopped reading."""

    def one(exchange: Exchange) -> Exchange:
        return cut(Ending.DEADLINE, keep=exchange.body.index(mark) + len(mark))(exchange)

    return one


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
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("is left within a character", on(MULTILINGUAL, RAW, _until(b"Z\xc3")), *ALL_STREAMS),
    odd("is left within the name of a field", on(COUNTING, _until(b"\n\ndat")), *ALL_STREAMS),
    odd("is left within a chunk", on(COUNTING, _until(b'"content":" 4')), *ALL_STREAMS),
)
