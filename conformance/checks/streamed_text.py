"""What a stream's chunks say, joined: page section "SSE event types"."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from conformance.check import Group, Violation, beside_control, check, listed, of
from conformance.checks.chunks import text_pieces
from conformance.checks.garbling import (
    SURROGATE,
    ascii_of,
    cumulative,
    garbled,
    lost,
    mangling,
    regular,
    twice,
    widths,
)
from conformance.checks.streamed_calls import streamed_calls
from conformance.checks.tools import calls
from conformance.document import MISSING, at, shown
from conformance.exchange import Exchange
from conformance.generate.asked import twinned
from conformance.probes import stream as probes
from conformance.probes.failures import DIES_MID_STREAM
from conformance.probes.tools import REQUIRED_CALL
from conformance.reading.requests import asked, streamed
from conformance.reading.streams import finish_reason, stream, streamed_text, text
from conformance.reading.witness import Inconclusive, Unobservable


def _beside_the_same(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each stream with the exchange that asks the same without a stream; one of calls with calls for the same place."""
    plain = {exchange.probe: exchange for exchange in everything if exchange.step == 0}
    for exchange in chosen:
        name = REQUIRED_CALL.name if exchange.probe == probes.TOOL_CALL.name else exchange.control
        if name in plain:
            yield exchange, plain[name]


def _said(exchange: Exchange) -> str:
    """The answer's text, or the arguments of its first tool call, as far as they are text."""
    if asked(exchange, "/tools") is MISSING:
        return text(exchange)
    found = (
        streamed_calls(exchange)[0].arguments
        if streamed(exchange)
        else at(calls(exchange)[0][1], "/function/arguments")
    )
    return found if isinstance(found, str) else ""


SPOKEN: Final = (probes.GREETING, probes.MULTILINGUAL, probes.END_MARKER)
"""Streams whose control is the same question without a stream."""


def _telling(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each stream beside its control, and the others; a count only where it shows a loss, since it shows no more."""
    talks = [exchange for exchange in everything if of(*probes.TALKS)(exchange)]
    for exchange, control in beside_control(chosen, everything):
        if exchange.probe != probes.COUNTING.name or _lost(exchange):
            yield exchange, control, *(other for other in talks if other is not exchange)


def _speaks(exchange: Exchange) -> bool:
    try:
        return bool(streamed_text(exchange))
    except (Unobservable, Inconclusive):
        return False


def _lost(exchange: Exchange) -> bool:
    try:
        return any(_losses(exchange))
    except (Unobservable, Inconclusive):
        return False


@check(
    "stream.text-accumulates",
    when=of(*SPOKEN, probes.COUNTING),
    probes=(probes.GREETING, probes.END_MARKER, probes.COUNTING),
    groups=_telling,
)
def text_accumulates(exchange: Exchange, control: Exchange, *others: Exchange) -> Iterator[Violation]:
    """The contents of the chunks, joined, are the answer, as far as its control shows what that is.

    Two answers of a model may differ; not by what a wire does to a text that is otherwise the same. A count shows by
    itself what it should be. A model may end its turn at once, so one silent stream among others that speak is its
    mood.
    """
    if exchange.probe == probes.COUNTING.name:
        yield from _losses(exchange)
        return
    pieces = [content for content, _ in text_pieces(exchange)]
    if pieces and exchange.probe == probes.GREETING.name:
        return  # so short that it shows no more; it is decided also where its control cannot be read
    if pieces:
        said, plain = "".join(pieces), text(control)
        # That line breaks are lost is a requirement of its own.
        if (found := garbled(pieces, plain)) and ("\n" in said or garbled(pieces, plain.replace("\n", ""))):
            expected = f"the text that comes without a stream: {shown(plain)}"
            yield Violation(expected=expected, found=f"{shown(said)}: {found}")
        return
    if not text(control):
        raise Unobservable("the model wrote no text, streamed or not")
    if finish_reason(exchange) in ("length", "content_filter", "tool_calls"):
        raise Unobservable(f"the model was stopped before it said anything ({finish_reason(exchange)})")
    if speaking := [other.id for other in others if _speaks(other)]:
        raise Unobservable(f"the model said nothing in this stream, and something in {speaking[0]}")
    yield Violation(expected=f"text, as without a stream: {shown(text(control))}", found="none in any delta.content")


def _losses(exchange: Exchange) -> Iterator[Violation]:
    """What a count lacks; a content that is no text is not lost, and a requirement of its own."""
    contents = (at(chunk.payload, "/choices/0/delta/content") for chunk in stream(exchange).chunks)
    if not all(content in (None, MISSING) or isinstance(content, str) for content in contents):
        raise Unobservable("some content is no text")
    written = text_pieces(exchange)
    pieces = [content for content, _ in written]
    place, gone = lost(pieces)
    if gone:
        near = shown("".join(pieces[max(0, place - 4) : place + 3]))
        found = f"{near}: {shown(gone)} is lost " + ("between two chunks" if place else "at the beginning")
        yield Violation(expected="the whole count", found=found, where=written[place][1].where)
    elif re.search(r"\d,[ \t]*\Z", "".join(pieces)) and finish_reason(exchange) == "stop":
        found = f"{shown(''.join(pieces[-4:]))} at its end, and the reason stop"
        yield Violation(expected="the whole count", found=found, where=written[-1][1].where)


@check(
    "stream.deltas-not-repeats",
    when=of(probes.COUNTING, probes.MULTILINGUAL, probes.END_MARKER, DIES_MID_STREAM),
    probes=(probes.COUNTING,),
    groups=beside_control,
)
def deltas_not_repeats(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """Each chunk adds to the text instead of repeating it, also after a failure behind the server."""
    if exchange.probe == DIES_MID_STREAM.name:
        yield from _begun_again(exchange)
        return
    written = text_pieces(exchange)
    if len(written) < 4:
        raise Unobservable(f"the answer came in {len(written)} chunks, too few to tell")
    texts = [content for content, _ in written]
    if place := cumulative(texts):
        found = f"all the text so far: {shown(texts[place])}"
    elif place := twice(texts, regular if exchange.probe == probes.COUNTING.name else text(control).__eq__):
        found = f"the chunk before once more: {shown(texts[place])}"
    if place:
        yield Violation(expected="what is new since the chunk before", found=found, where=written[place][1].where)


def _begun_again(exchange: Exchange) -> Iterator[Violation]:
    """A stream that tells its role once more, and then all its text: somebody asked twice, and sent both answers."""
    said: list[str] = []
    begun = 0
    for chunk in stream(exchange).chunks:
        if not begun and isinstance(at(chunk.payload, "/choices/0/delta/role"), str):
            begun, where = len(said), chunk.where
        if isinstance(content := at(chunk.payload, "/choices/0/delta/content"), str) and content:
            said.append(content)
    if len(set(said[:begun])) > 1 and said[begun:][:begun] == said[:begun]:
        found = f"the role, and from its beginning {shown(''.join(said[:begun]))}"
        yield Violation(expected="what is new since the chunk before", found=found, where=where)


def _shows_characters(exchange: Exchange) -> bool:
    return of(probes.MULTILINGUAL, probes.TOOL_CALL)(exchange) or twinned(exchange)


@check(
    "stream.text-intact",
    when=_shows_characters,
    probes=(probes.MULTILINGUAL,),
    groups=_beside_the_same,
)
def text_intact(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """Characters of two, three and four bytes arrive whole in a stream, as they do in one JSON answer.

    A model can write half a character by itself, so U+FFFD is the server's doing only in a text that is otherwise
    the same, and not where the token limit cut it. What is wrong in another known way is the server's doing where it
    makes the one text of the other.
    """
    plain, found = _said(control), _said(exchange)
    if finish_reason(exchange) == "length":
        found = found.rstrip("\ufffd")
    if (half := SURROGATE.search(found)) and not SURROGATE.search(plain):
        near = found[max(0, half.start() - 12) : half.end() + 12]
        yield Violation(expected="whole characters in each chunk", found=f"half of one: {near!a}")
    elif "\ufffd" in found and "\ufffd" not in plain and not plain.isascii():
        if ascii_of(found) != ascii_of(plain):
            raise Unobservable("the model wrote something else in the stream, with U+FFFD in it")
        yield Violation(expected=shown(plain), found=f"{shown(found)}, with U+FFFD in it")
    elif mangled := mangling(found, plain):
        yield Violation(expected=shown(plain), found=f"{shown(found)}, {mangled}")
    elif found.isascii():
        raise Unobservable("the model wrote nothing beyond ASCII")
    elif lost := widths(plain) - widths(found):
        raise Unobservable(f"in the stream the model wrote no character of {max(lost)} bytes")
    elif exchange.probe == probes.TOOL_CALL.name:
        raise Unobservable("arguments show the characters of one word")


@check("stream.done-in-text", when=of(probes.END_MARKER), probes=(probes.END_MARKER,), groups=beside_control)
def done_in_text(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A model that writes [DONE] does not end the stream.

    A text that ends anywhere but at the marker ended because the model wished so.
    """
    plain, found = text(control), streamed_text(exchange)
    if "[DONE]" in found:
        return
    before, marker, after = plain.partition("[DONE]")
    if not marker:
        raise Unobservable("the model did not write [DONE]")
    if found == before + after and after:
        yield Violation(expected=shown(plain), found=f"{shown(found)}, without the marker alone")
        return
    at_marker = plain.startswith(found.rstrip()) and len(found) >= len(before.rstrip())
    if not found.strip() or not at_marker:
        raise Unobservable("the model wrote something else in the stream")
    if (reason := finish_reason(exchange)) in ("length", "content_filter"):
        raise Unobservable(f"the model was stopped where it wrote the marker ({reason})")
    yield Violation(expected=shown(plain), found=shown(found))


CHECKS: Final = listed(globals())
