"""From a request that shows a violation to the smallest that shows it, asking the target within a bound."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from itertools import islice
from typing import Any, Final

from conformance import schema
from conformance.generate.valid import Body, explore, one
from conformance.probe import filled

_SLUG: Final = "model/of-the-target"


class Shown(Exception):
    """A request shows the violation."""


class Spent(Exception):
    """No more may be asked."""


class Search:
    """One search: what is known, and how much may still be asked."""

    def __init__(self, shows: Callable[[Body], bool], *, known: Mapping[str, bool], most: int, cost: int = 1) -> None:
        """A search that begins with what was asked before.

        Args:
            shows: asks the target, and says whether the answer shows the violation.
            known: the same of requests that were asked before, by `key`.
            most: how many requests may be sent.
            cost: how many it takes to see whether one shows it.
        """
        self._shows, self._known, self.left, self._cost = shows, dict(known), most, cost
        self.smallest: Body = {}
        self.kept = 0
        """How many requests are to be left over."""

    def shows(self, body: Body) -> bool:
        """Whether the request shows the violation.

        Raises:
            Spent: that is not known, and may not be asked.
        """
        name = key(body)
        if name not in self._known:
            if self.left - self.kept < self._cost:
                raise Spent
            self.left -= self._cost
            self._known[name] = self._shows(body)
        if self._known[name] and (not self.smallest or size(body) < size(self.smallest)):
            self.smallest = body
        return self._known[name]


def key(body: Body) -> str:
    """What tells requests apart: their JSON, members in any order."""
    return json.dumps(_plain(body), sort_keys=True)


def size(body: Body) -> tuple[int, str]:
    """Smaller is less to read."""
    text = key(body)
    return len(text), text


def shrunk(  # noqa: PLR0913  # what was drawn, and how far to go
    search: Search,
    found: Body,
    *,
    examples: int,
    seed: int,
    capabilities: Collection[str],
    keeps: Callable[[Body], bool],
) -> Body:
    """The smallest request that still shows what `found` shows, as far as the search's bound lets it be found.

    Where it is one that was drawn, Hypothesis draws it again and shrinks it; then whatever can be left out is.

    Args:
        search: knows whether a request shows it.
        found: a request that does.
        examples: how many were drawn.
        seed: from what.
        capabilities: for what.
        keeps: whether a smaller request is still one of its kind: without a defect, or with the same.
    """

    def test(body: Body) -> None:
        if search.shows(body):
            raise Shown

    search.smallest, search.kept = found, search.left // 2
    numbers = (number for number in range(2 * examples) if key(one(seed, number, capabilities)) == key(found))
    with suppress(Shown, Spent):
        for number in islice(numbers, 1):
            explore(test, seed, number, capabilities, shrinking=True)
    search.kept = 0
    return without_the_needless(search, search.smallest, keeps)


def without_the_needless(search: Search, body: Body, keeps: Callable[[Body], bool]) -> Body:
    """The request less every member, message, part and tool that it can do without."""
    left, needed, less = body, set[Path](), False
    with suppress(Spent):
        while True:
            path = next((path for path in _removable(left) if path not in needed), None)
            if path is None:
                if not less:
                    break
                needed, less = set(), False  # what was needed once may not be any longer
                continue
            smaller = _without(left, path)
            if keeps(smaller) and search.shows(smaller):
                left, less = smaller, True
                if isinstance(path[-1], int):  # what follows in the list has moved up
                    needed = {other for other in needed if other[: len(path) - 1] != path[:-1]}
            else:
                needed.add(path)
    return left


def keeps_the_page(body: Body) -> bool:
    """Whether a request is one that must be accepted: in form, and in what no schema says."""
    document = _plain(body)
    if not schema.is_valid("request.schema.json", document):
        return False
    names = [tool["function"]["name"] for tool in document.get("tools", ())]
    choice = document.get("tool_choice", "auto")
    named = choice["function"]["name"] in names if isinstance(choice, dict) else choice != "required" or bool(names)
    messages = document["messages"]
    called = {call["id"] for message in messages for call in message.get("tool_calls") or ()}
    answered = {message["tool_call_id"] for message in messages if message["role"] == "tool"}
    return named and called == answered and messages[-1]["role"] in {"user", "tool"} and document.get("stop") != ""


Path = tuple[str | int, ...]


def _removable(body: Body) -> list[Path]:
    """What could be left out, the largest first."""
    return sorted(_paths(body), key=lambda path: (len(path), -len(json.dumps(_plain(_held(body, path))))))


def _without(body: Body, path: Path) -> Body:
    smaller = deepcopy(body)
    del _held(smaller, path[:-1])[path[-1]]
    return smaller


def _paths(value: Any, above: Path = ()) -> Iterator[Path]:
    if above and above != ("model",):
        yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _paths(item, (*above, name))


def _held(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def _plain(value: Any) -> Any:
    return filled(value, model=_SLUG, cap=None, earlier=())
