"""Servers that write more than they may."""

from typing import Any, Final

from conformance.server.changes import put
from tests.miniatures.model import faulty
from tests.miniatures.variants import odd
from tests.miniatures.wire import Blocks, asking, content, on, rewritten, with_blocks, with_nth
from tests.miniatures.wire import with_json as json_at

LONG: Final = ", ".join(map(str, range(1, 101)))
CUT_SHORT: Final = asking("plain.cut-short")


def _counted(number: int) -> Any:
    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= {"completion_tokens": number, "total_tokens": usage["prompt_tokens"] + number}
        return document

    return rewritten(change)


def _on_and_on(blocks: Blocks) -> Blocks:
    """The first chunk that has text has all of it."""
    place = next(place for place, block in enumerate(blocks) if content(block.document))
    whole = blocks[place].of(put(blocks[place].document, "/choices/0/delta/content", LONG))
    return [*blocks[:place], whole, *blocks[-2:]]


VARIANTS: Final = (
    odd(
        "has tokens of five words", on(CUT_SHORT, json_at("/data/choices/0/message/content", LONG[: LONG.index(" 16")]))
    ),
)
_EIGHT: Final = {"prompt_tokens": 5, "completion_tokens": 8, "total_tokens": 13}

MINIATURES: Final = (
    faulty(
        "writes one token too many",
        on(asking("plain.limited"), _counted(25)),
        "parameters.max-tokens-kept",
        says="/data/usage/completion_tokens: at most 24; 25",
    ),
    faulty(
        "overshoots by a block of drafted tokens",
        on(CUT_SHORT, _counted(8)),
        "parameters.max-tokens-kept",
        says="at most 3; 8",
        unseen=("finish.length",),
    ),
    faulty(
        "counts more tokens than it may have streamed",
        on(asking("stream.cut-short"), with_nth(-1, lambda document: document | {"usage": _EIGHT})),
        "parameters.max-tokens-kept",
        says="at most 3; 8",
    ),
    faulty(
        "does not look at max_tokens",
        on(CUT_SHORT, _counted(199), json_at("/data/choices/0/message/content", LONG)),
        "parameters.max-tokens-kept",
        "parameters.max-tokens-kept-in-text",
        says="at most 3; 199",
        unseen=("finish.length",),
    ),
    faulty(
        "does not look at max_tokens and hides it",
        on(CUT_SHORT, json_at("/data/choices/0/message/content", LONG)),
        "parameters.max-tokens-kept-in-text",
        says="what 3 tokens can write; 100 words",
    ),
    faulty(
        "does not look at the max_tokens of a stream",
        on(asking("stream.cut-short"), with_blocks(_on_and_on)),
        "parameters.max-tokens-kept-in-text",
        says="what 3 tokens can write; 100 words",
        unseen=("finish.stream-length",),
    ),
)
