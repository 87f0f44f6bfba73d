"""What a reading that cannot see raises, and the memory that readings share."""

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Final, TypeVar

from conformance.document import NotJson
from conformance.exchange import Ending, Exchange

OURS: Final = {Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED}
"""Endings of an exchange that we brought about: they say nothing of the target."""


class Unobservable(Exception):
    """This exchange does not show what a check asks; another may."""


class Inconclusive(Exception):
    """This exchange should have shown it, but was cut short by us or clouded by something else."""


_T = TypeVar("_T")


_MOST_REMEMBERED: Final = 4 * 1024 * 1024
"""Bytes of bodies whose readings are kept."""


_OVERHEAD: Final = 1024
"""Bytes that a reading of nothing counts for."""


def _weight(exchange: Exchange) -> int:
    return _OVERHEAD + sum(len(piece.data) for piece in exchange.pieces)


def remembered(reading: Callable[[Exchange], _T]) -> Callable[[Exchange], _T]:
    """The latest results of a reading, which check after check asks for again.

    As many as a bound of bytes of body allows, since each may be many times as large as its body. Keyed by identity:
    hashing an exchange would hash its whole body.
    """
    kept: OrderedDict[int, tuple[Exchange, _T | Exception]] = OrderedDict()
    size = 0

    @wraps(reading)
    def recalled(exchange: Exchange) -> _T:
        nonlocal size
        entry = kept.get(id(exchange))
        if entry is None:  # an exchange that is kept shares its identity with no other
            try:
                result: _T | Exception = reading(exchange)
            except (Unobservable, Inconclusive, NotJson) as reason:
                result = reason
            kept[id(exchange)] = entry = (exchange, result)
            size += _weight(exchange)
            while size > _MOST_REMEMBERED and len(kept) > 1:
                size -= _weight(kept.popitem(last=False)[1][0])
        if isinstance(entry[1], Exception):
            raise entry[1].with_traceback(None)
        return entry[1]

    return recalled
