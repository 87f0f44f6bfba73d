"""Bytes, lines and events of a stream: page sections "Streaming" and "SSE event types", and WHATWG HTML, 9.2."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from conformance import sse
from conformance.check import Check, Violation, beside_control, check, listed, of
from conformance.checks.request import busy, served
from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Exchange
from conformance.probes import stream as probes
from conformance.reading.answers import answer, body, head, media_type
from conformance.reading.requests import legal, streamed
from conformance.reading.streams import (
    data_lines,
    looks_streamed,
    run_together,
    stream,
    streamed_text,
    text,
    undisturbed,
    where,
)
from conformance.reading.witness import Unobservable

ASKED: Final = (probes.GREETING, probes.COUNTING)
FIELDS: Final = (b"data", b"event", b"id", b"retry")
SEPARATORS: Final = re.compile(b"\xe2\x80[\xa8\xa9]|\xc2\x85")  # U+2028, U+2029, U+0085 in UTF-8


def streaming(exchange: Exchange) -> bool:
    """Whether a legal request asked for a stream."""
    return streamed(exchange) and legal(exchange)


@check("stream.status", when=of(probes.GREETING), probes=(probes.GREETING,), groups=beside_control)
def status(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A request with `stream` true is answered with HTTP 200."""
    if not served(control):
        raise Unobservable(f"the same request without stream is refused too: {answer(control)}")
    if busy(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if head(exchange).status != 200:
        yield Violation(expected="HTTP 200", found=answer(exchange), where="status")


@check("stream.content-type", when=streaming, probes=ASKED)
def content_type(exchange: Exchange) -> Iterator[Violation]:
    """The media type of a stream is text/event-stream."""
    stream(exchange)
    if media_type(exchange) != "text/event-stream":
        yield Violation(
            expected="text/event-stream", found=media_type(exchange) or "no media type", where="header content-type"
        )


@check("stream.utf8", when=streaming, probes=(*ASKED, probes.MULTILINGUAL))
def utf8(exchange: Exchange) -> Iterator[Violation]:
    """A stream is valid UTF-8; a character that the end of a cut stream splits is not held against it."""
    cut = stream(exchange).cut
    try:
        body(exchange).decode("utf-8")
    except UnicodeDecodeError as error:
        if cut and error.reason == "unexpected end of data":
            return
        found = body(exchange)[error.start : error.end]
        yield Violation(expected="UTF-8", found=f"{found!r}: {error.reason}", where=where((error.start, error.end)))


@check("stream.no-bom", when=streaming, probes=ASKED)
def no_bom(exchange: Exchange) -> Iterator[Violation]:
    """A stream does not begin with a byte order mark."""
    stream(exchange)
    if body(exchange).startswith(b"\xef\xbb\xbf"):
        yield Violation(expected="data or a comment", found="a byte order mark", where=where((0, 3)))


def _each_line(requirement: str, expected: str, wrong: Callable[[sse.Line], bool]) -> Check:
    """No line of a stream is wrong; the first that is stands for all, and what a cut left of a line is none."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        cut = bool(stream(exchange).cut)
        bad = [line for line in sse.lines(body(exchange)) if wrong(line) and not (cut and not line.terminator)]
        if bad:
            more = f" (and {len(bad) - 1} more lines)" if len(bad) > 1 else ""
            text = (bad[0].content[:80] + bad[0].terminator).decode("utf-8", "backslashreplace")
            yield Violation(expected=expected, found=shown(text) + more, where=where((bad[0].start, bad[0].end)))

    return check(requirement, when=streaming, probes=ASKED)(find)


LINES: Final = (
    _each_line("stream.line-feeds", "a line that ends in LF", lambda line: line.terminator == b"\r\n"),
    _each_line("stream.not-cr-only", "a line that ends in LF", lambda line: line.terminator == b"\r"),
    _each_line(
        "stream.data-space",
        "a data line that begins with `data: `",
        lambda line: line.field == b"data" and not line.content.startswith(b"data: "),
    ),
    _each_line(
        "stream.known-fields",
        "a data, event, id or retry line, or a comment",
        lambda line: bool(line.content) and not line.is_comment and line.field not in FIELDS,
    ),
    _each_line(
        "stream.separators-escaped",
        "U+2028, U+2029 and U+0085 as JSON escapes",
        lambda line: line.field == b"data" and bool(SEPARATORS.search(line.content)),
    ),
)


def _each_frame(requirement: str, expected: str, wrong: Callable[[sse.Frame], str]) -> Check:
    """No frame of a stream is wrong: `wrong` says what it found, or nothing."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        cut = bool(stream(exchange).cut)
        for frame in stream(exchange).frames:
            if not frame.truncated and not (cut and not frame.closed) and (found := wrong(frame)):
                yield Violation(expected=expected, found=found, where=where(frame.span))

    return check(requirement, when=streaming, probes=ASKED)(find)


def _unseparated(frame: sse.Frame) -> str:
    if run_together(frame):
        return f"{len(data_lines(frame))} events in one"
    lines = data_lines(frame)
    if not frame.closed and lines and lines[-1].value.strip() != b"[DONE]":
        return "the last event, with no blank line after it"
    return ""


def _spread(frame: sse.Frame) -> str:
    count = len(data_lines(frame))
    return f"{count} data lines" if count > 1 and not run_together(frame) else ""


def _foreign(frame: sse.Frame) -> str:
    kind = frame.event.type if frame.event else "message"
    return "" if kind in ("message", "error") else f"an event named {shown(kind)}"


_BARE: Final[Sequence[Sequence[str]]] = ([], ["retry"], ["id", "retry"])
"""The fields of a block without data that says when to come back, and from where."""


def _dataless(frame: sse.Frame) -> str:
    if data_lines(frame):
        return "an event with empty data" if frame.event and not frame.event.data else ""
    fields = sorted({line.field.decode("utf-8", "replace") for line in frame.lines if line.field in FIELDS})
    return f"a block of {', '.join(fields)} without data" if fields not in _BARE else ""


FRAMES: Final = (
    _each_frame("stream.blank-line", "a blank line after each event", _unseparated),
    _each_frame("stream.one-line-per-event", "one data line an event", _spread),
    _each_frame("stream.known-events", "an unnamed event, or one named error", _foreign),
    _each_frame("stream.no-empty-events", "data in every event", _dataless),
)


@check("stream.payload-is-json", when=streaming, probes=ASKED)
def payload_is_json(exchange: Exchange) -> Iterator[Violation]:
    """The data of every unnamed event is one JSON text or `[DONE]`."""
    for event in stream(exchange).events:
        if event.type != "message" or event.data.strip() == "[DONE]" or not event.data:
            continue
        if stream(exchange).cut and event is stream(exchange).events[-1]:
            continue
        try:
            parse(event.data)
        except NotJson as reason:
            yield Violation(expected="one JSON text", found=f"{shown(event.data)}: {reason}", where=where(event.span))


@check("stream.lines-in-text", when=of(probes.END_MARKER), probes=(probes.END_MARKER,), groups=beside_control)
def lines_in_text(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """Line breaks in the text are escaped in the chunk's JSON, once, and break no event.

    A model may write none by itself, so it is the server that lost them only where the words run into one another.
    """
    stream(exchange)
    raw = body(exchange).decode("utf-8", "replace")
    broken = False
    for start in (match.end() for match in re.finditer(r"^data: (?=\{)", raw, re.MULTILINE)):
        try:
            _, end = json.JSONDecoder(strict=False).raw_decode(raw, start)
        except ValueError:
            continue
        if "\n" in raw[start:end]:
            broken = True
            yield Violation(
                expected="a line break written as \\n", found=shown(raw[start:end]), where=_span_of(raw, start, end)
            )
    if broken or "\n" in (said := streamed_text(exchange)):
        return
    plain = text(control).strip()
    if "\n" not in plain or said.strip() not in (plain.replace("\n", ""), plain.replace("\n", "\\n")):
        raise Unobservable("the model wrote no line break")
    yield Violation(expected=shown(plain), found=shown(said))


def _span_of(text: str, start: int, end: int) -> str:
    return where((len(text[:start].encode("utf-8")), len(text[:end].encode("utf-8"))))


@check("stream.tool-framing", when=of(probes.TOOL_CALL), probes=(probes.TOOL_CALL,), groups=beside_control)
def tool_framing(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A stream of a tool call keeps the framing; where tools alone make it a JSON answer, it has none."""
    if served(exchange) and not looks_streamed(exchange) and looks_streamed(control):
        yield Violation(
            expected="an event stream, as without tools", found=f"a body of {media_type(exchange) or 'no media type'}"
        )
        return
    found = undisturbed(exchange)
    for event in found.events:
        if event in found.done:
            break  # what follows it is a requirement of its own
        if event.type == "message":
            try:
                delta = at(parse(event.data), "/choices/0/delta")
            except NotJson:
                delta = MISSING
            if not isinstance(delta, dict):
                yield Violation(
                    expected="a chunk with a delta object", found=shown(event.data), where=where(event.span)
                )
    if not found.done:
        yield Violation(expected="data: [DONE]", found="the end of the body", where="ending")


CHECKS: Final = listed(globals())
