"""What a stream's chunks hold: page section "SSE event types", and what the documented clients need."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from conformance import clients
from conformance.check import Check, Violation, beside_control, check, listed, of
from conformance.checks.framing import ASKED, streaming
from conformance.checks.response import COUNTS, is_near, sums_up
from conformance.document import MISSING, at, is_number, shown
from conformance.exchange import Exchange
from conformance.probes import stream as probes
from conformance.reading.answers import body, charset, whole
from conformance.reading.requests import asked
from conformance.reading.streams import Chunk, lasting, stream, streamed_text, undisturbed
from conformance.reading.witness import Unobservable

SPREAD: Final = 0.1
"""The least part of a stream's time over which its text must arrive, when there is time to tell."""
TELLING: Final = 0.5
"""Seconds of waiting below which a burst is no sign of buffering."""
MOMENT: Final = 0.001
"""Seconds within which chunks arrive together."""
APART: Final = 0.25
"""The part of the chunks that a buffer can at most let come at moments of their own."""


def _each_chunk(requirement: str, expected: str, wrong: Callable[[Exchange, Any], str]) -> Check:
    """No chunk of a stream is wrong: `wrong` takes the exchange and the payload, and says what it found, or nothing."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        chunks = stream(exchange).chunks
        if not chunks:
            raise Unobservable("the stream has no chunk")
        for chunk in chunks:
            if found := wrong(exchange, chunk.payload):
                yield Violation(expected=expected, found=found, where=chunk.where)

    return check(requirement, when=streaming, probes=ASKED)(find)


def _without_choices(_exchange: Exchange, payload: Any) -> str:
    if not isinstance(payload, Mapping):
        return shown(payload)
    if isinstance(payload.get("choices"), list):
        return ""
    wrapped = isinstance(at(payload, "/data/choices"), list)
    return "a chunk wrapped in `data`" if wrapped else f"an object with {', '.join(list(payload)[:6]) or 'no member'}"


def _without_choice(_exchange: Exchange, payload: Any) -> str:
    choices = at(payload, "/choices")
    if not isinstance(choices, list):
        return ""  # a requirement of its own
    if not choices:
        return "choices is []"
    return "" if isinstance(choices[0], Mapping) else f"choices[0] is {shown(choices[0])}"


def _without_delta(_exchange: Exchange, payload: Any) -> str:
    choice = at(payload, "/choices/0")
    if not isinstance(choice, Mapping) or isinstance(choice.get("delta"), Mapping):
        return ""
    return f"delta is {shown(choice.get('delta', MISSING))}"


def _odd_content(_exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/choices/0/delta/content")
    return "" if found is MISSING or found is None or isinstance(found, str) else f"content is {shown(found)}"


def _null_content(_exchange: Exchange, payload: Any) -> str:
    return "content is null" if at(payload, "/choices/0/delta/content") is None else ""


def _odd_index(_exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/choices/0/index")
    right = found is MISSING or (is_number(found) and found == 0)
    return "" if right else f"index is {shown(found)}"


def _odd_role(_exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/choices/0/delta/role")
    return "" if found in (MISSING, None, "assistant") else f"role is {shown(found)}"


def _odd_model(exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/model")
    return "" if found in (MISSING, None, asked(exchange, "/model")) else f"model is {shown(found)}"


def _odd_time(exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/created")
    return "" if found is MISSING or found is None or is_near(found, exchange) else f"created is {shown(found)}"


def _odd_usage(_exchange: Exchange, payload: Any) -> str:
    found = at(payload, "/usage")
    if any(at(found, f"/{name}") in (MISSING, None) for name in COUNTS):
        return ""
    try:
        return "" if sums_up(found) else f"usage is {shown(found)}"
    except Unobservable as reason:
        return str(reason)


CHUNKS: Final = (
    _each_chunk("stream.chunk-object", "an object with `choices` at its top", _without_choices),
    _each_chunk("stream.choices-not-empty", "a first choice", _without_choice),
    _each_chunk("stream.delta-object", "an object at choices[0].delta", _without_delta),
    _each_chunk("stream.content-is-text", "a string", _odd_content),
    _each_chunk("stream.content-not-null", "a string, or no content at all", _null_content),
    _each_chunk("stream.choice-index", "0", _odd_index),
    _each_chunk("stream.role", '"assistant", or no role', _odd_role),
    _each_chunk("stream.same-model", "the slug that was asked for", _odd_model),
    _each_chunk("stream.created-in-seconds", "Unix seconds of now", _odd_time),
    _each_chunk("stream.usage-sum", "three counts, the total their sum", _odd_usage),
)


@check("stream.same-id", when=streaming, probes=ASKED)
def same_id(exchange: Exchange) -> Iterator[Violation]:
    """Chunks of one stream carry the same non-empty `id` where they carry one."""
    first: Any = MISSING
    for chunk in stream(exchange).chunks:
        found = at(chunk.payload, "/id")
        if found is MISSING or found is None:
            continue
        first = found if first is MISSING else first
        if found != first or not isinstance(found, str) or not found:
            yield Violation(
                expected=shown(first) if found != first else "a non-empty string", found=shown(found), where=chunk.where
            )


def text_pieces(exchange: Exchange) -> list[tuple[str, Chunk]]:
    """The pieces of text of an undisturbed stream that are not empty, with their chunks."""
    pairs = [(at(chunk.payload, "/choices/0/delta/content"), chunk) for chunk in undisturbed(exchange).chunks]
    return [(content, chunk) for content, chunk in pairs if isinstance(content, str) and content]


def _arrivals(exchange: Exchange) -> list[float]:
    """When each piece of a stream's text had come, in seconds from the beginning of the request."""
    return [arrival(exchange, chunk.event.span[1]) for _, chunk in text_pieces(exchange)]


def _thoughts(exchange: Exchange) -> list[float]:
    """When each piece of what a model says beside its text had come."""
    return [
        arrival(exchange, chunk.event.span[1])
        for chunk in undisturbed(exchange).chunks
        if isinstance(delta := at(chunk.payload, "/choices/0/delta"), Mapping)
        and any(value and isinstance(value, str) for name, value in delta.items() if name not in ("role", "content"))
    ]


_MANY: Final = 8
"""Pieces that are enough to tell how they came."""


@check("stream.not-in-one-burst", when=of(probes.COUNTING), probes=(probes.COUNTING,), groups=beside_control)
def not_in_one_burst(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """The chunks of a longer answer arrive spread over its time, as far as it is longer than a short one's."""
    arrivals = _arrivals(exchange)
    if len(arrivals) < _MANY:
        raise Unobservable(f"the answer came in {len(arrivals)} chunks, too few to tell")
    first, last = arrivals[0], arrivals[-1]
    if last - first >= SPREAD * last:
        return
    if len({round(moment / MOMENT) for moment in arrivals}) > len(arrivals) * APART:
        raise Unobservable(f"nothing for {first:.2f} s, then a chunk at a time: late, and fast from then on")
    thoughts = _thoughts(exchange)
    if len(thoughts) >= _MANY and first - thoughts[0] >= SPREAD * last:
        raise Unobservable(f"the model thought aloud for {first - thoughts[0]:.2f} s, and wrote fast from then on")
    begun = min(_arrivals(control), default=last)
    if last - begun < TELLING:
        raise Unobservable(
            f"the whole answer was there after {last:.2f} s, and the beginning of a short one after {begun:.2f} s"
        )
    yield Violation(
        expected="text while it is being written",
        found=f"nothing for {first:.2f} s, then {len(arrivals)} chunks within {last - first:.2f} s",
    )


LONGEST_GAP: Final = 600.0
"""Seconds of silence after which the page's Python client gives up: the timeout that it sets."""


@check("stream.idle-gap", when=streaming, probes=ASKED)
def idle_gap(exchange: Exchange) -> Iterator[Violation]:
    """No silence in a stream is longer than the documented client waits; what we did not wait for shows neither."""
    stream(exchange)
    times = [0.0, *(piece.at for piece in exchange.pieces), exchange.elapsed]
    longest = max(later - earlier for earlier, later in pairwise(times))
    if longest > LONGEST_GAP:
        yield Violation(expected=f"something at least every {LONGEST_GAP:.0f} s", found=f"silence for {longest:.0f} s")
    elif not stream(exchange).done:
        lasting(exchange)


def arrival(exchange: Exchange, offset: int) -> float:
    """Seconds from the beginning of the request until the body's first `offset` bytes had come.

    Raises:
        Unobservable: the body is coded, so that its bytes are not those that came.
    """
    if body(exchange) != exchange.body:
        raise Unobservable("the body is coded, which hides when its parts came")
    seen = 0
    for piece in exchange.pieces:
        seen += len(piece.data)
        if seen >= offset:
            return piece.at
    return exchange.elapsed


def _python(exchange: Exchange) -> clients.ClientRun:
    return clients.python_stream(body(exchange), charset=charset(exchange))


def _typescript(exchange: Exchange) -> clients.ClientRun:
    return clients.typescript_stream(body(exchange))


def _survives(requirement: str, read: Callable[[Exchange], clients.ClientRun]) -> Check:
    """A documented client reads the stream to `[DONE]` and prints its text."""

    def find(exchange: Exchange) -> Iterator[Violation]:
        expected = streamed_text(exchange)
        run = read(exchange)
        if run.stopped is clients.Stop.CRASH:
            yield Violation(expected="no exception", found=f"{run.crash} on the line {shown(run.line)}")
        elif run.stopped is clients.Stop.END:
            yield Violation(expected="the client sees [DONE]", found="the client reads to the end of the body")
        elif run.printed != expected:
            yield Violation(expected=f"it prints {shown(expected)}", found=f"it prints {shown(run.printed)}")
        whole(exchange)

    return check(requirement, when=of(*probes.TALKS), probes=ASKED)(find)


CLIENTS: Final = (
    _survives("stream.python-client-survives", _python),
    _survives("stream.typescript-client-survives", _typescript),
)

CHECKS: Final = listed(globals())
