"""Servers that end their answers early or oddly: what shows a cut, and what shows nothing."""

from typing import Any, Final

from conformance.probes import plain, stream
from conformance.server.changes import put
from tests.miniatures.framing import COUNTING
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.reasons import REASON, STOPS
from tests.miniatures.stopping import CAP, CONTENT, counted
from tests.miniatures.variants import BLANK, EMPTY, Variant, odd
from tests.miniatures.wire import One, after, asking, each_chunk, inserted, on, throttled, with_json, with_nth

SHORT: Final = asking(plain.CUT_SHORT.name)
LONGER: Final = asking(plain.LIMITED.name)
STOP: Final = with_json("/data" + STOPS, "stop")


def _ending(reason: Any) -> One:
    return with_nth(-1, lambda document: put(document, REASON, reason))


def _mute(document: Any) -> Any:
    """A chunk that says nothing, and ends for no limit."""
    told = put(document, "/choices/0/delta/content", "")
    return put(told, REASON, lambda old: old and "stop")


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "is busy for a short count, and has a reason of its own for a long one",
        after(on(SHORT, throttled(429, "RATE_LIMITED")), on(CAP, with_json("/data" + STOPS, "max_tokens"))),
        "finish.one-of-four",
        says='content_filter; "max_tokens"',
        unseen=("finish.length", "parameters.max-tokens-accepted", "parameters.max-tokens-cap-kept"),
    ),
    faulty(
        "gives its reason twice",
        on(COUNTING, with_nth(-2, lambda document: put(document, REASON, "stop"))),
        "finish.stream-reason-once",
        says="one finish_reason; 2 of them",
    ),
    faulty(
        "goes on after its reason and a pause",
        on(COUNTING, with_nth(0, lambda document: put(document, REASON, "stop")), inserted(1, EMPTY), _ending(None)),
        "finish.stream-reason-once",
        says="no text after the finish_reason; ",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("has counted to the end where its limit is", on(CAP, counted(512), with_json(CONTENT, "1, 2000."), STOP)),
    odd("stops one token short of a small limit", on(SHORT, counted(2), STOP)),
    odd(
        "will count to three and no further",
        on(lambda exchange: SHORT(exchange) or LONGER(exchange), counted(3), with_json(CONTENT, "1, 2, 3"), STOP),
    ),
    odd("declines to count where it has little room", on(SHORT, with_json(CONTENT, "I will not"), STOP)),
    odd("filters its greeting", on(asking(plain.GREETING.name), with_json("/data" + STOPS, "content_filter"))),
    odd(
        "streams nothing where it has little room",
        on(asking(stream.CUT_SHORT.name), each_chunk(_mute)),
        "finish.stream-length",
    ),
    odd("sends an empty text after its reason", on(COUNTING, inserted(-1, BLANK))),
)
