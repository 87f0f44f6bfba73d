"""Why the model stopped: page section "finish_reason values"."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from conformance.check import Group, Violation, beside_control, check, listed, of
from conformance.checks.framing import ASKED as STREAMS
from conformance.checks.framing import streaming
from conformance.checks.request import brought_about, busy
from conformance.checks.response import ASKED, counts
from conformance.document import MISSING, at, is_integer, shown
from conformance.exchange import Exchange
from conformance.probes import failures, parameters, plain, tools
from conformance.probes import stream as streams
from conformance.reading.answers import ROOTS, answer, completion, head, message
from conformance.reading.requests import asked, legal, unstreamed
from conformance.reading.streams import finish_reason, streamed_text, text, undisturbed
from conformance.reading.witness import Inconclusive, Unobservable

REASONS: Final = ("stop", "length", "tool_calls", "content_filter")
SMALL: Final = 200
"""Tokens that every chat model may write, so that no cap of its own ends the answer before."""
_PLACE: Final = "/choices/0/finish_reason"


def _answered(exchange: Exchange) -> bool:
    return unstreamed(exchange) and legal(exchange)


def _where(exchange: Exchange) -> str:
    return ROOTS[exchange.profile] + _PLACE


def limit(exchange: Exchange) -> int:
    """The `max_tokens` that was asked for.

    Raises:
        Unobservable: none was.
    """
    found = asked(exchange, "/max_tokens")
    if not is_integer(found):
        raise Unobservable("no max_tokens was asked for")
    return int(found)


def written(exchange: Exchange) -> int:
    """The completion tokens that an unstreamed answer reports.

    Raises:
        Unobservable: no usable `usage`.
    """
    return counts(at(completion(exchange), "/usage"))[1]


def has_calls(exchange: Exchange) -> bool:
    """Whether the message of an unstreamed answer has a tool call."""
    return bool(message(exchange).get("tool_calls"))


@check("finish.one-of-four", when=_answered, probes=ASKED)
def one_of_four(exchange: Exchange) -> Iterator[Violation]:
    """`finish_reason` of an unstreamed answer is one of the four."""
    found = finish_reason(exchange)
    if found not in REASONS:
        yield Violation(expected=", ".join(REASONS), found=shown(found), where=_where(exchange))


@check("finish.stop", when=of(*ASKED), probes=ASKED)
def stop(exchange: Exchange) -> Iterator[Violation]:
    """An answer that ends before its token limit has the reason stop."""
    found = finish_reason(exchange)
    if has_calls(exchange) or found == "content_filter":
        raise Unobservable(f"the answer ended for another cause ({shown(found)})")
    if found not in REASONS:
        raise Unobservable(f"finish_reason is {shown(found)}")
    if written(exchange) >= limit(exchange):
        raise Unobservable(f"the answer reached its limit of {limit(exchange)} tokens")
    if found != "stop":
        yield Violation(
            expected=f'"stop": {written(exchange)} of {limit(exchange)} tokens were written',
            found=shown(found),
            where=_where(exchange),
        )


def _at_the_cap(exchange: Exchange) -> bool:
    """Whether a count stands where the model's own limit is reached, and is not at its end."""
    try:
        return (
            written(exchange) == limit(exchange) - 1
            and finish_reason(exchange) in REASONS
            and "2000" not in text(exchange)
        )
    except (Unobservable, Inconclusive):
        return False


def _cut_off(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """The short answer beside its control, and the long count by itself, where that shows anything."""
    yield from beside_control([exchange for exchange in chosen if exchange.probe == plain.CUT_SHORT.name], everything)
    for exchange in chosen:
        if exchange.probe == parameters.LONG_OVER_CAP.name and _at_the_cap(exchange):
            yield (exchange,)


@check(
    "finish.length",
    when=of(plain.CUT_SHORT, parameters.LONG_OVER_CAP),
    probes=(plain.CUT_SHORT,),
    groups=_cut_off,
)
def length(exchange: Exchange, *controls: Exchange) -> Iterator[Violation]:
    """An answer cut off by `max_tokens` has the reason length; the control shows that it would have gone on.

    So does a count that is not at its end where the model's own limit is reached.
    """
    if not controls:
        yield from _length_at_the_cap(exchange)
        return
    (control,) = controls
    most = limit(exchange)
    if written(control) <= most:
        raise Unobservable(f"with more room the model wrote {written(control)} tokens: nothing was cut off")
    if written(exchange) != most:
        raise Unobservable(f"{written(exchange)} tokens were written where {most} were allowed")
    if finish_reason(exchange) == "length":
        return
    if not text(control).startswith(text(exchange)):
        raise Unobservable("with more room the model wrote something else: nothing shows a cut")
    yield Violation(expected='"length"', found=shown(finish_reason(exchange)), where=_where(exchange))


def _length_at_the_cap(exchange: Exchange) -> Iterator[Violation]:
    if finish_reason(exchange) == "stop":
        yield Violation(
            expected=f'"length": the model\'s limit of {written(exchange)} tokens ended the count',
            found='"stop"',
            where=_where(exchange),
        )


@check("finish.length-only-at-the-limit", when=_answered, probes=ASKED)
def length_only_at_the_limit(exchange: Exchange) -> Iterator[Violation]:
    """The reason length is given only when the limit is reached; a large limit may be above the model's own."""
    if limit(exchange) > SMALL:
        raise Unobservable(f"the model's own limit may be below {limit(exchange)} tokens")
    if finish_reason(exchange) == "length" and written(exchange) < limit(exchange):
        yield Violation(
            expected=f"another reason: {written(exchange)} of {limit(exchange)} tokens were written",
            found='"length"',
            where=_where(exchange),
        )


@check("finish.tool-calls", when=_answered, probes=(tools.REQUIRED_CALL,))
def tool_calls(exchange: Exchange) -> Iterator[Violation]:
    """A message with tool calls has the reason tool_calls."""
    if not has_calls(exchange):
        raise Unobservable("the message has no tool call")
    found = finish_reason(exchange)
    if found == "length":
        raise Unobservable("the limit cut the tool call off")
    if found != "tool_calls":
        yield Violation(expected='"tool_calls"', found=shown(found), where=_where(exchange))


@check("finish.tool-calls-means-calls", when=_answered, probes=(tools.REQUIRED_CALL, parameters.TOOLS))
def tool_calls_means_calls(exchange: Exchange) -> Iterator[Violation]:
    """The reason tool_calls is never given without a tool call."""
    if finish_reason(exchange) == "tool_calls" and not has_calls(exchange):
        yield Violation(expected="a tool call in the message", found="none", where=_where(exchange))


@check("finish.content-filter", when=of(failures.CONTENT_FILTER), probes=(failures.CONTENT_FILTER,))
def content_filter(exchange: Exchange) -> Iterator[Violation]:
    """An answer stopped by the safety filter is a 200 with the reason content_filter."""
    brought_about(exchange)
    if busy(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if head(exchange).status != 200:
        yield Violation(expected="HTTP 200", found=answer(exchange), where="status")
    elif finish_reason(exchange) != "content_filter":
        yield Violation(expected='"content_filter"', found=shown(finish_reason(exchange)), where=_where(exchange))


def _reasons(exchange: Exchange) -> list[tuple[Any, str]]:
    """Each reason of a whole stream's chunks that is neither null nor missing, and where it stands."""
    pairs = [(at(chunk.payload, _PLACE), chunk.where) for chunk in undisturbed(exchange).chunks]
    return [(reason, place) for reason, place in pairs if reason is not None and reason is not MISSING]


@check("finish.stream-one-of-four", when=streaming, probes=STREAMS)
def stream_one_of_four(exchange: Exchange) -> Iterator[Violation]:
    """A reason in a stream's chunk is one of the four."""
    for reason, place in _reasons(exchange):
        if reason not in REASONS:
            yield Violation(expected=", ".join(REASONS), found=shown(reason), where=place)


@check("finish.stream-says-why", when=streaming, probes=STREAMS)
def stream_says_why(exchange: Exchange) -> Iterator[Violation]:
    """A stream that ran to its end gives a reason."""
    if not _reasons(exchange):
        yield Violation(expected="a finish_reason in a chunk", found="none in the whole stream")


@check("finish.stream-length", when=of(streams.CUT_SHORT), probes=(streams.CUT_SHORT,), groups=beside_control)
def stream_length(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A streamed answer cut off by `max_tokens` has the reason length."""
    longer, shorter = streamed_text(control), streamed_text(exchange)
    if not shorter or not longer.startswith(shorter) or longer == shorter:
        raise Unobservable("with more room the model wrote something else, or no more: nothing shows a cut")
    reasons = _reasons(exchange)
    if not reasons:
        raise Unobservable("no chunk gives a reason")
    if reasons[-1][0] != "length":
        yield Violation(expected='"length"', found=shown(reasons[-1][0]), where=reasons[-1][1])


@check("finish.stream-reason-once", when=streaming, probes=STREAMS)
def stream_reason_once(exchange: Exchange) -> Iterator[Violation]:
    """A stream gives its reason once, and no text follows it."""
    found = _reasons(exchange)
    if not found:
        raise Unobservable("no chunk gives a reason")
    if len(found) > 1:
        yield Violation(expected="one finish_reason", found=f"{len(found)} of them", where=found[1][1])
        return
    ended = False
    for chunk in undisturbed(exchange).chunks:
        content = at(chunk.payload, "/choices/0/delta/content")
        if ended and isinstance(content, str) and content:
            yield Violation(expected="no text after the finish_reason", found=shown(content), where=chunk.where)
        ended = ended or chunk.where == found[0][1]


CHECKS: Final = listed(globals())
