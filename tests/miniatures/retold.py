"""One exchange told as another: the innocent server's own answers, given elsewhere under ids of their own."""

import hashlib
import re
from dataclasses import replace
from typing import Final

from conformance.exchange import Exchange
from tests.miniatures.wire import (
    Change,
    Exchanges,
    One,
    When,
    each_block,
    on,
    with_body,
    with_header,
    with_json,
    with_status,
)

_IDS: Final = re.compile(rb"(chatcmpl-|req_)[0-9a-f]{24}")


def as_told(probe: str, when: When, *ones: One) -> Change:
    """Give some exchanges the whole answer to another probe, under ids of their own, and change it further."""

    def change(exchanges: Exchanges) -> Exchanges:
        model = next(exchange for exchange in exchanges if exchange.probe == probe)

        def one(exchange: Exchange) -> Exchange:
            own = hashlib.sha256(exchange.id.encode()).hexdigest()[:24]
            copy = replace(exchange, response=model.response, pieces=model.pieces, elapsed=model.elapsed)
            retell = each_block if model.body.startswith(b"data: ") else with_body
            told = retell(lambda data: _IDS.sub(rb"\g<1>" + own.encode(), data))(copy)
            return with_header("X-Request-Id", f"req_{own}")(told)

        return on(when, one, *ones)(exchanges)

    return change


def declined(when: When, *ones: One) -> Change:
    """Refuse some exchanges as a mistake, as the innocent server does."""
    return as_told("parameters.seed-object", when, *ones)


def failing(when: When) -> Change:
    """Fail over some exchanges, and say so as the innocent server would."""
    return declined(when, with_status(500), with_json("/error/code", "INTERNAL_ERROR"))
