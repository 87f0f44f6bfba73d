"""The manner in which a target answered: its header fields, the members of its documents, its chunking, its haste.

Nothing here is right or wrong; that is for the checks. What differs between two runs of one target is to be left out:
a trait counts where a run shows it always or never, a value where it is the same throughout, a measure by its median.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from conformance.document import MISSING, at
from conformance.exchange import Ending, Exchange
from conformance.generate.asked import PREFIX
from conformance.reading.answers import document, error_code, error_document
from conformance.reading.requests import asked, streamed
from conformance.reading.streams import Chunk, stream, streamed_text
from conformance.reading.witness import Inconclusive, Unobservable

ENOUGH: Final = 5
"""Answers of one kind below which a run shows no manner: three of three may be chance."""
_ALWAYS: Final = 0.9
_NEVER: Final = 0.1
_RATIO: Final = 2.0  # between two medians, of characters in a delta or of seconds
_TOGETHER: Final = 3.0  # the same for events that arrive together, which a network joins and cuts
_FEWEST_CHUNKS: Final = 3  # fewer do not show what a stream does throughout
_FEWEST_EVENTS: Final = 5
_FEWEST_CHARACTERS: Final = 4
_SLOWER: Final = 0.25  # seconds; less is the weather
_WEATHER: Final = 2.0  # times what a refusal takes longer, which waits for no model: a busy network or machine
_AGREED: Final = 0.9  # of the requests that both runs made: so many are slower, or none is called slower
_DEEPEST: Final = 8
_LONGEST: Final = 200  # characters of one value

_VOLATILE: Final = re.compile(
    r"(?:^|[-_ ])(?:age|after|date|expires|modified|etag|length|cookie|trace\w*|span|ray|nonce|signature|remaining"
    r"|reset|time|timing|timestamp|created|duration|latency|ms|seconds|id|count|cost|served|host\w*|pod|instance|node|worker"
    r"|replica|backend|upstream)(?:$|[-_ ])"
)
_FLEETING: Final = re.compile(
    r"[0-9]{9}|[0-9a-f]{8}-[0-9a-f]{4}-|\b[0-9a-f]{16}|[0-9]{2}:[0-9]{2}:[0-9]{2}", re.IGNORECASE
)
_BESIDE: Final[Mapping[str, str]] = {
    "the role beside text": "/choices/0/delta/role",
    "the finish_reason beside text": "/choices/0/finish_reason",
}
_BUSY: Final = (408, 429)


@dataclass(frozen=True, slots=True, order=True)
class Trait:
    """Something that an answer has or has not."""

    facet: str
    """header, member, stream or protocol."""
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What the answers of one kind have in common."""

    answers: int
    traits: Mapping[Trait, int]
    """In how many of the answers each was seen."""
    values: Mapping[Trait, str]
    """What is the same in all of them."""

    def always(self, trait: Trait) -> bool:
        """Whether the answers have the trait, but for a few that chance may have sent."""
        return self.traits.get(trait, 0) >= _ALWAYS * self.answers

    def never(self, trait: Trait) -> bool:
        """Whether they lack it, but for a few."""
        return self.traits.get(trait, 0) <= _NEVER * self.answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a target answered a run's declared questions."""

    kinds: Mapping[str, Kind]
    measures: Mapping[str, Mapping[str, float]]
    """For each measure, what each exchange shows, by its id."""
    refusing: tuple[float, ...]
    """How long the head of each refusal took, in seconds."""
    outcomes: Mapping[tuple[str, int], frozenset[str]]
    """For each request of each probe, how it was answered: served, or refused with which status and code."""


CHARACTERS: Final = "characters in a delta"
TOGETHER: Final = "events that arrive together"
FIRST_TOKEN: Final = "seconds to the first token"  # noqa: S105  # no password


def manner(exchanges: Sequence[Exchange]) -> Manner:
    """The manner of the answers among some exchanges."""
    seen: dict[str, list[tuple[set[Trait], dict[Trait, str]]]] = defaultdict(list)
    measures: dict[str, dict[str, float]] = {CHARACTERS: {}, TOGETHER: {}, FIRST_TOKEN: {}}
    outcomes: dict[tuple[str, int], set[str]] = defaultdict(set)
    for exchange in exchanges:
        outcomes[exchange.probe, exchange.step].add(_outcome(exchange))
        if kind := _kind(exchange):
            seen[kind].append((set(_traits(exchange)), dict(_values(exchange))))
        for name, value in _measures(exchange):
            measures[name][exchange.id] = value
    return Manner(
        kinds={name: _common(found) for name, found in seen.items()},
        measures=measures,
        refusing=tuple(each.response.at for each in exchanges if each.response and 400 <= each.response.status < 500),
        outcomes={place: frozenset(found) for place, found in outcomes.items()},
    )


def shared(before: Sequence[Exchange], after: Sequence[Exchange]) -> tuple[list[Exchange], list[Exchange]]:
    """The exchanges of each run that ask what the other asked too; none that were generated, or tried again."""
    both = {exchange.probe for exchange in before} & {exchange.probe for exchange in after}

    def of(run: Sequence[Exchange]) -> list[Exchange]:
        declared = (exchange for exchange in run if not exchange.probe.startswith(PREFIX))
        return [exchange for exchange in declared if exchange.probe in both and not exchange.retried]

    return of(before), of(after)


def _common(answers: Sequence[tuple[set[Trait], dict[Trait, str]]]) -> Kind:
    counted = Counter(trait for traits, _ in answers for trait in traits)
    first = answers[0][1]
    same = {trait: value for trait, value in first.items() if all(each.get(trait) == value for _, each in answers)}
    return Kind(answers=len(answers), traits=counted, values=same)


def _outcome(exchange: Exchange) -> str:
    """How a request was answered; empty where the answer is of a bad hour rather than of the target's manner."""
    response = exchange.response
    if response is None or exchange.ended is not Ending.COMPLETE or response.status >= 500 or response.status in _BUSY:
        return ""
    if response.status < 400:
        return "served" if response.status < 300 else f"HTTP {response.status}"
    return f"refused with HTTP {response.status} {error_code(exchange)}".rstrip()


def _kind(exchange: Exchange) -> str:
    """Which kind of answer this is; empty for none that is whole."""
    response = exchange.response
    if response is None or exchange.ended is not Ending.COMPLETE:
        return ""
    if response.status >= 400:
        return "refusals"
    if streamed(exchange):
        chunks = _chunks(exchange)
        called = any(isinstance(at(chunk.payload, "/choices/0/delta/tool_calls/0"), Mapping) for chunk in chunks)
        return ("streams of tool calls" if called else "streams") if len(chunks) >= _FEWEST_CHUNKS else ""
    return "answers with tool calls" if _calls(_document(exchange)) else "answers"


def _calls(found: Any) -> bool:
    return any(isinstance(at(found, f"{root}/choices/0/message/tool_calls/0"), Mapping) for root in ("", "/data"))


def _document(exchange: Exchange) -> Any:
    response = exchange.response
    try:
        return error_document(exchange) if response and response.status >= 400 else document(exchange)
    except (Unobservable, Inconclusive):
        return MISSING


def _chunks(exchange: Exchange) -> tuple[Chunk, ...]:
    try:
        return stream(exchange).chunks
    except (Unobservable, Inconclusive):
        return ()


# Traits and values.


def _traits(exchange: Exchange) -> Iterator[Trait]:
    response = exchange.response
    assert response is not None
    yield Trait("protocol", response.http_version)
    for name, _ in response.headers:
        yield Trait("header", name.lower())
    if response.status < 400 and streamed(exchange):
        yield from _stream_traits(exchange)
    else:
        yield from (Trait("member", name) for name in _members(_document(exchange)))


def _stream_traits(exchange: Exchange) -> Iterator[Trait]:
    chunks = _chunks(exchange)
    each = [set(_members(chunk.payload)) for chunk in chunks]
    yield from (Trait("member", name) for name in set().union(*each))
    if each:
        yield from (Trait("member", f"{name} in every chunk") for name in set.intersection(*each))
    for chunk in chunks:
        if at(chunk.payload, "/choices/0/delta/content") not in (MISSING, None, ""):
            for name, pointer in _BESIDE.items():
                if isinstance(at(chunk.payload, pointer), str):
                    yield Trait("stream", name)
    yield from (Trait("stream", name) for name in _framing(exchange))


def _framing(exchange: Exchange) -> Iterator[str]:
    """What the lines of a stream show that no reader of its events sees."""
    try:
        lines = [line for frame in stream(exchange).frames for line in frame.lines]
    except (Unobservable, Inconclusive):
        return
    for line in lines:
        if line.is_comment:
            yield "comments"
        elif line.field in (b"id", b"retry"):
            yield f"{line.field.decode()} fields"
        elif line.field == b"event" and line.value == b"message":
            yield "events named message"
        if line.terminator == b"\r\n":
            yield "lines that end in CR LF"


def _members(found: Any, pointer: str = "") -> Iterator[str]:
    """The members of a document, as pointers with the type of each; all items of an array are one."""
    if pointer.count("/") > _DEEPEST:
        return
    if isinstance(found, Mapping):
        for name, value in found.items():
            here = f"{pointer}/{name[:_LONGEST]}"
            yield f"{here} ({_type(value)})"
            yield from _members(value, here)
    elif isinstance(found, list):
        for value in found:
            yield from _members(value, f"{pointer}/*")


def _type(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string" if value else "empty string"
        case list():
            return "array" if value else "empty array"
        case _:
            return "object"


def _values(exchange: Exchange) -> Iterator[tuple[Trait, str]]:
    """What a header field or a member of the envelope says, but for what is another at each answer or each start."""
    response = exchange.response
    assert response is not None
    place = urlsplit(exchange.request.url).netloc
    for name in {name.lower() for name, _ in response.headers}:
        value = (response.header(name) or "").replace(place, "the target")
        if not _VOLATILE.search(name) and not _FLEETING.search(value):
            yield Trait("header", name), value[:_LONGEST]
    if response.status < 400:
        payloads = [chunk.payload for chunk in _chunks(exchange)[:1]] if streamed(exchange) else [_document(exchange)]
        for payload in payloads:
            for name, value in _said(payload):
                yield (
                    Trait("member", name),
                    "the model that was asked for" if value == asked(exchange, "/model") else value,
                )


def _said(found: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """The words of the envelope; the model's own stand in `choices` and are left out."""
    if not isinstance(found, Mapping) or pointer.count("/") > _DEEPEST:
        return
    for name, value in found.items():
        if isinstance(value, str) and not _VOLATILE.search(name.lower()) and not _FLEETING.search(value):
            yield f"{pointer}/{name[:_LONGEST]}", value[:_LONGEST]
        elif name != "choices":
            yield from _said(value, f"{pointer}/{name[:_LONGEST]}")


# Measures.


def _measures(exchange: Exchange) -> Iterator[tuple[str, float]]:
    chunks = _chunks(exchange) if streamed(exchange) else ()
    if not chunks or exchange.response is None:
        return
    deltas = [delta for chunk in chunks if isinstance(delta := at(chunk.payload, "/choices/0/delta/content"), str)]
    texts = [delta for delta in deltas if delta]
    if _whole(exchange) and sum(map(len, texts)) >= _FEWEST_CHARACTERS:
        yield CHARACTERS, sum(map(len, texts)) / len(texts)
    events = len(stream(exchange).events)
    if events >= _FEWEST_EVENTS and exchange.pieces:
        yield TOGETHER, events / len(exchange.pieces)
    if exchange.response.header("content-encoding") is None and (first := _first(chunks)) is not None:
        size = 0
        for piece in exchange.pieces:
            size += len(piece.data)
            if size >= first.event.span[1]:
                yield FIRST_TOKEN, piece.at
                return


def _whole(exchange: Exchange) -> bool:
    try:
        streamed_text(exchange)
    except (Unobservable, Inconclusive):
        return False
    return True


def _first(chunks: Sequence[Chunk]) -> Chunk | None:
    """The first chunk in which the model says something."""
    for chunk in chunks:
        delta = at(chunk.payload, "/choices/0/delta")
        if at(delta, "/content") not in (MISSING, None, "") or isinstance(at(delta, "/tool_calls/0"), Mapping):
            return chunk
    return None


def apart(before: Sequence[float], after: Sequence[float], *, ratio: float) -> bool:
    """Whether two samples are far apart: their medians by `ratio` or more, and the middle half of each by itself."""
    if min(len(before), len(after)) < ENOUGH:
        return False
    low, high = sorted((before, after), key=median)
    return median(high) >= ratio * median(low) > 0 and quantiles(low, n=4)[2] < quantiles(high, n=4)[0]


def far(name: str, before: Manner, after: Manner) -> bool:
    """Whether a measure has changed beyond what two runs of one target show."""
    was, now = before.measures[name], after.measures[name]
    both = was.keys() & now.keys()
    old, new = [was[each] for each in both], [now[each] for each in both]
    if name != FIRST_TOKEN:
        return apart(old, new, ratio=_TOGETHER if name == TOGETHER else _RATIO)
    if not apart(old, new, ratio=_RATIO) or min(len(before.refusing), len(after.refusing)) < ENOUGH:
        return False
    weather = abs(median(after.refusing) - median(before.refusing))
    slower = sum(now[each] > was[each] for each in both) / len(both)
    return abs(median(new) - median(old)) >= _SLOWER + _WEATHER * weather and not 1 - _AGREED < slower < _AGREED
