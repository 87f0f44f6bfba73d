"""An exchange as a person can read it: every byte visible, the offending ones marked, the long middle left out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.arrival import Arrival
from conformance.exchange import Ending, Exchange
from conformance.reading import answers, witness
from conformance.report.spans import Span, pointed
from conformance.report.visible import UNSEEN, cut, mark, visible

_ODD: Final = re.compile(f"(?:{UNSEEN.pattern})+")
_BYTES: Final = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})")
_AROUND: Final = 150  # bytes shown before and after a mark in a long body
_OF_A_MARK: Final = 600  # bytes shown of a long mark before its middle is left out
_HEADERS: Final = 100
_ARRIVALS: Final = 5
_HEADER_LENGTH: Final = 1_000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A run of a body that is shown in one way."""

    text: str
    """Ready to show: nothing unseen is left in it but line feeds."""
    odd: bool = False
    """Marks for what cannot be seen: control and format characters, line ends, bytes that are not UTF-8."""
    marked: bool = False
    gap: bool = False
    """Says how much is left out here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a head."""

    text: str
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """A request that reached the scripted backend, and what became of it."""

    head: tuple[Line, ...]
    body: tuple[Part, ...]
    became: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """An exchange made visible."""

    asked: tuple[Line, ...]
    asked_body: tuple[Part, ...]
    answered: tuple[Line, ...]
    """Empty where no answer began."""
    body: tuple[Part, ...]
    size: int
    """Bytes of the body that offsets count in."""
    ending: Line
    notes: tuple[str, ...]
    """What the reader must know of how it is shown."""
    spans: tuple[Span, ...]
    """The marked bytes, in order and apart from each other."""
    behind: tuple[Behind, ...] = ()


def wire(exchange: Exchange, places: Iterable[str] = (), *, limit: int = 16_384) -> Wire:
    """The exchange with the places of its violations marked.

    Args:
        exchange: what went over the wire.
        places: each violation's `where`.
        limit: about how many bytes are shown; a quarter of it is the request's.
    """
    places = frozenset(places)
    data, notes = _body(exchange)
    spans = _apart(data, (span for place in places if (span := _span(data, place)) is not None))
    shown = limit - limit // 4
    windows = _windows(len(data), spans, limit=shown)
    hidden = sum(not any(start <= first <= end for start, end in windows) for first, _ in spans)
    if hidden:
        notes = (*notes, f"{hidden} more marked places lie in what is left out.")
    asked = exchange.request.body
    return Wire(
        asked=tuple(_asked(exchange)),
        asked_body=_parts(asked, (), _windows(len(asked), (), limit=limit // 4)),
        answered=tuple(_answered(exchange, places)),
        body=_parts(data, spans, windows),
        size=len(data),
        ending=_ending(exchange, marked="ending" in places),
        notes=notes,
        spans=spans,
        behind=tuple(
            _behind(arrival, marked=any(place.startswith("request") for place in places), limit=limit // 4)
            for arrival in exchange.arrivals[:_ARRIVALS]
        ),
    )


def _behind(arrival: Arrival, *, marked: bool, limit: int) -> Behind:
    head = [f"{arrival.method} {arrival.path}", *(f"{name}: {value}" for name, value in arrival.headers[:_HEADERS])]
    form = "streamed" if arrival.streamed else "whole"
    gone = "" if arrival.left is None else f"; the gateway left after {arrival.left:.3f} s"
    got = "".join(f"; {each.url} served {each.status or each.detail}" for each in arrival.fetches)
    last = 0.0 if arrival.last_write is None else arrival.last_write
    told = f"played {arrival.scenario}, {form}: {arrival.written} bytes within {last:.3f} s{gone}{got}"
    return Behind(
        head=tuple(Line(text=_shown(line), marked=marked and not place) for place, line in enumerate(head)),
        body=_parts(arrival.body, (), _windows(len(arrival.body), (), limit=limit)),
        became=Line(text=_shown(told), marked=arrival.key_forwarded),
    )


def _body(exchange: Exchange) -> tuple[bytes, tuple[str, ...]]:
    received = exchange.body
    if exchange.response is None:
        return received, ()
    try:
        data = answers.body(exchange)
    except (witness.Unobservable, witness.Inconclusive) as reason:
        return received, (f"Shown as received: {visible(cut(str(reason), limit=_HEADER_LENGTH))}.",)
    if data == received:
        return received, ()
    return data, (f"Shown with its content coding undone; {len(received):,} bytes were received.",)


def _span(data: bytes, place: str) -> Span | None:
    if match := _BYTES.fullmatch(place):
        start, end = int(match[1]), int(match[2])
        return (min(start, len(data)), min(max(start, end), len(data)))
    if place == "" or place.startswith("/"):
        return pointed(data, place)
    return None


def _apart(data: bytes, spans: Iterable[Span]) -> tuple[Span, ...]:
    """The spans widened to whole characters, in order, with those that overlap made one."""
    apart: list[Span] = []
    for start, end in sorted((_floor(data, start), _ceiling(data, end)) for start, end in spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        elif (start, end) not in apart[-1:]:
            apart.append((start, end))
    return tuple(apart)


def _character(data: bytes, at: int) -> Span:
    """The UTF-8 character that the offset lies inside; the offset twice where it lies between two or in none."""
    for start in range(at - 1, max(at - 4, -1), -1):
        if data[start] & 0xC0 != 0x80:
            length = 4 if data[start] >= 0xF0 else 3 if data[start] >= 0xE0 else 2 if data[start] >= 0xC0 else 1
            try:
                data[start : start + length].decode("utf-8")
            except UnicodeDecodeError:
                break
            return (start, start + length) if at < start + length else (at, at)
    return at, at


def _floor(data: bytes, at: int) -> int:
    return _character(data, at)[0]


def _ceiling(data: bytes, at: int) -> int:
    return _character(data, at)[1]


def _windows(size: int, spans: Sequence[Span], *, limit: int) -> tuple[Span, ...]:
    """Which bytes are shown: all, or the beginning, the end, and what is around the marks, as far as there is room."""
    if size <= limit:
        return ((0, size),)
    head, tail = limit // 4, limit // 8
    room = limit - head - tail
    wanted = [(0, head), (size - tail, size)]
    for start, end in spans:
        around = [(max(0, start - _AROUND), min(end, start + _OF_A_MARK) + _AROUND)]
        if end > start + _OF_A_MARK:
            around.append((end - _AROUND, end + _AROUND))
        room -= sum(last - first for first, last in around)
        if room < 0:
            break
        wanted += around
    windows: list[Span] = []
    for first, last in sorted(wanted):
        if windows and first <= windows[-1][1]:
            windows[-1] = (windows[-1][0], min(size, max(last, windows[-1][1])))
        else:
            windows.append((first, min(size, last)))
    return tuple(windows)


def _parts(data: bytes, spans: Sequence[Span], windows: Sequence[Span]) -> tuple[Part, ...]:
    parts: list[Part] = []
    at = 0
    for first, last in windows:
        start, end = max(at, _floor(data, first)), _ceiling(data, last)
        if start > at:
            parts.append(_gap(start - at))
        at = start
        for begin, stop in spans:
            if stop < start or begin > end or (begin < stop and (stop == start or begin == end)):
                continue
            parts += _runs(data[at : max(at, begin)], marked=False)
            at = max(at, begin)
            if begin == stop:
                parts.append(Part(text="‹here›", odd=True, marked=True))
            parts += _runs(data[at : min(stop, end)], marked=True)
            at = max(at, min(stop, end))
        parts += _runs(data[at:end], marked=False)
        at = end
    if at < len(data):
        parts.append(_gap(len(data) - at))
    return tuple(parts)


def _gap(size: int) -> Part:
    return Part(text=f"\n⋯ {size:,} bytes left out ⋯\n", gap=True)


def _runs(data: bytes, *, marked: bool) -> Iterator[Part]:
    text = data.decode("utf-8", "surrogateescape")
    at = 0
    for match in _ODD.finditer(text):
        if match.start() > at:
            yield Part(text=text[at : match.start()], marked=marked)
        yield Part(text="".join(_stand_in(character) for character in match.group()), odd=True, marked=marked)
        at = match.end()
    if at < len(text):
        yield Part(text=text[at:], marked=marked)


def _stand_in(character: str) -> str:
    if character == "\n":
        return "↵\n"
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02X}"
    return mark(character)


def _asked(exchange: Exchange) -> Iterator[Line]:
    request = exchange.request
    yield Line(text=_shown(f"{request.method} {request.url}"))
    yield from (Line(text=_shown(f"{name}: {value}")) for name, value in request.headers[:_HEADERS])


def _answered(exchange: Exchange, places: frozenset[str]) -> Iterator[Line]:
    response = exchange.response
    if response is None:
        return
    line = f"{response.http_version} {response.status} {response.reason}"
    yield Line(text=_shown(line), marked="status" in places)
    suspects = {place.removeprefix("header ").lower() for place in places if place.startswith("header ")}
    for name, value in response.headers[:_HEADERS]:
        yield Line(text=_shown(f"{name}: {value}"), marked=name.lower() in suspects)
    if len(response.headers) > _HEADERS:
        yield Line(text=f"⋯ {len(response.headers) - _HEADERS} headers left out ⋯")
    present = {name.lower() for name, _ in response.headers}
    for name in sorted(suspects - present):
        yield Line(text=_shown(f"(no header {name})"), marked=True)


def _shown(text: str) -> str:
    return visible(cut(text, limit=_HEADER_LENGTH))


def _ending(exchange: Exchange, *, marked: bool) -> Line:
    detail = f": {exchange.detail}" if exchange.detail else ""
    odd = exchange.ended is not Ending.COMPLETE
    return Line(text=_shown(f"{exchange.ended.value} after {exchange.elapsed:.3f} s{detail}"), marked=marked or odd)
