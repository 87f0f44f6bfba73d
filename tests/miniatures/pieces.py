"""Servers that stop at pieces of what they said: what shows a stop, and what only looks like one."""

import json
from dataclasses import replace
from typing import Final

from conformance.exchange import Exchange
from conformance.probes import stopping
from conformance.server.changes import put
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.stopping import STEPS, as_always, stopped
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import Change, after, each_chunk, on

SOONER, LATER = stopping.STREAMED
"""The streams: the stop text of the one is short, that of the other is long."""


def _asked_too(stop: str) -> Change:
    """One more stop sequence in the array that was sent."""

    def one(exchange: Exchange) -> Exchange:
        document = json.loads(exchange.request.body)
        document["stop"].append(stop)
        return replace(exchange, request=replace(exchange.request, body=json.dumps(document).encode()))

    return on(lambda each: each.probe == stopping.STOPPED.name and each.step == stopping.ARRAY, one)


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "spreads a stop string over its characters",
        stopped(as_always("1"), stopping.STRING),
        "parameters.stop-string-stops",
        says='"1", as if each character of "',
    ),
    faulty(
        "takes a stop sequence for a pattern that stands behind a blank",
        after(stopped(as_always("1, 2, "), stopping.ARRAY), _asked_too("3.")),
        "parameters.stop-array-stops",
        says='"1, 2,", as if "3." were a pattern',
        unseen=("parameters.stop-",),
    ),
    faulty(
        "gives the stop text wherever it stops",
        stopped(lambda count: count.before + count.stop, *STEPS, *stopping.STREAMED),
        "parameters.stop-excluded",
        "parameters.stop-in-stream",
        says="whole: a text without ",
    ),
)

_AT_THE_LIMIT: Final = each_chunk(
    lambda document: put(document, "/choices/0/finish_reason", lambda reason: reason and "length")
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "comes to its limit within a stop text",
        after(
            stopped(lambda count: count.before + count.stop[:1], LATER),
            on(lambda each: each.probe == stopping.STOPPED.name and each.step == LATER, _AT_THE_LIMIT),
        ),
    ),
    odd("is asked with a stop text that comes late and is first in the alphabet", _asked_too(", 1")),
    odd(
        "streams another text, which begins alike or as the stop text does",
        after(
            stopped(lambda count: count.before + "and so on", SOONER),
            stopped(lambda count: count.stop[:1], LATER),
        ),
        "parameters.stop-in-stream",
    ),
    odd("counts otherwise in its last stream", stopped(as_always("1; 2; 3"), LATER)),
)
