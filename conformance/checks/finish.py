"""Why the model stopped: page section "finish_reason values"."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.check import Group, Violation, beside_control, check, listed, of
from conformance.checks.framing import ASKED as STREAMS
from conformance.checks.framing import streaming
from conformance.checks.request import brought_about, busy
from conformance.checks.response import ASKED, counts, sums_up
from conformance.document import MISSING, at, is_integer, shown
from conformance.exchange import Exchange
from conformance.probes import failures, parameters, plain, stopping, tools
from conformance.probes import stream as streams
from conformance.reading.answers import ROOTS, answer, completion, head, message
from conformance.reading.requests import asked, legal, streamed, unstreamed
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


def spent(exchange: Exchange) -> int:
    """The tokens that may count towards the limit: those that were written, and thoughts that are counted beside them.

    Raises:
        Unobservable: no usable `usage`.
    """
    usage = at(completion(exchange), "/usage")
    prompt, _, total = counts(usage)
    return total - prompt if sums_up(usage) else written(exchange)


def has_calls(exchange: Exchange) -> bool:
    """Whether the message of an unstreamed answer has a tool call."""
    return bool(message(exchange).get("tool_calls"))


def may_stop_with_calls(exchange: Exchange) -> bool:
    """Whether one function was to be called on OpenAI's surface, whose own answers give the reason stop then."""
    return exchange.profile == "openai" and isinstance(asked(exchange, "/tool_choice"), Mapping)


def cut_off(exchange: Exchange) -> str:
    """What ended an answer before the model did, by the reason it gives; empty where nothing did."""
    found = finish_reason(exchange)
    return {"length": "the limit", "content_filter": "the filter"}.get(found, "") if isinstance(found, str) else ""


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
    if spent(exchange) >= limit(exchange):
        raise Unobservable(f"the answer reached its limit of {limit(exchange)} tokens")
    if found != "stop":
        yield Violation(
            expected=f'"stop": {written(exchange)} of {limit(exchange)} tokens were written',
            found=shown(found),
            where=_where(exchange),
        )


_COUNTS: Final = {parameters.LONG_OVER_CAP.name: "2000", plain.LIMITED.name: "100", stopping.STOPPED.name: "40"}
"""The last number of each count that is longer than its limit."""


def _in_mid_count(exchange: Exchange) -> bool:
    """Whether a count stands where its limit, or the model's own, is reached, and is not at its end."""
    try:
        return (
            written(exchange) == limit(exchange) - (exchange.probe == parameters.LONG_OVER_CAP.name)
            and finish_reason(exchange) in ("stop", "length")
            and _COUNTS[exchange.probe] not in text(exchange)
            and re.search(r"\d,\s*\d*\s*\Z", text(exchange)) is not None
        )
    except (Unobservable, Inconclusive):
        return False


def _cut_off(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """The short answer beside its control, and the longer counts by themselves, where they show anything."""
    yield from beside_control([exchange for exchange in chosen if exchange.probe == plain.CUT_SHORT.name], everything)
    for exchange in chosen:
        if exchange.probe in _COUNTS and exchange.step == 0 and _in_mid_count(exchange):
            yield (exchange,)


@check(
    "finish.length",
    when=of(plain.CUT_SHORT, plain.LIMITED, parameters.LONG_OVER_CAP, stopping.STOPPED),
    probes=(plain.CUT_SHORT,),
    groups=_cut_off,
)
def length(exchange: Exchange, *controls: Exchange) -> Iterator[Violation]:
    """An answer cut off by `max_tokens` has the reason length; the control shows that it would have gone on.

    So does a count that is not at its end where the limit, or the model's own, is reached.
    """
    if not controls:
        yield from _length_in_mid_count(exchange)
        return
    (control,) = controls
    most = limit(exchange)
    if written(control) <= most:
        raise Unobservable(f"with more room the model wrote {written(control)} tokens: nothing was cut off")
    if written(exchange) != most:
        raise Unobservable(f"{written(exchange)} tokens were written where {most} were allowed")
    if finish_reason(exchange) == "length":
        return
    if finish_reason(exchange) == "content_filter":
        raise Unobservable("the filter may have stopped the answer just where the limit is")
    if not text(control).startswith(text(exchange)):
        raise Unobservable("with more room the model wrote something else: nothing shows a cut")
    yield Violation(expected='"length"', found=shown(finish_reason(exchange)), where=_where(exchange))


def _length_in_mid_count(exchange: Exchange) -> Iterator[Violation]:
    if finish_reason(exchange) == "stop":
        whose = "the model's limit" if exchange.probe == parameters.LONG_OVER_CAP.name else "the limit"
        yield Violation(
            expected=f'"length": {whose} of {written(exchange)} tokens ended the count',
            found='"stop"',
            where=_where(exchange),
        )


def _beside_the_cap(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each exchange, with the one that asked the same model for one token more than its own limit."""
    above = [exchange for exchange in everything if exchange.probe == parameters.OVER_CAP.name]
    for exchange in chosen:
        yield exchange, *(each for each in above if asked(each, "/model") == asked(exchange, "/model"))


@check("finish.length-only-at-the-limit", when=_answered, probes=ASKED, groups=_beside_the_cap)
def length_only_at_the_limit(exchange: Exchange, *above: Exchange) -> Iterator[Violation]:
    """The reason length is given only when the limit is reached: what was asked for, or the model's own.

    A large limit may be above one of the model's that nobody told; one that was told is reached as far as its half.
    """
    own = [limit(other) - 1 for other in above]
    most = min([limit(exchange), *own])
    if most > SMALL and not own:
        raise Unobservable(f"the model's own limit may be below {most} tokens")
    if finish_reason(exchange) == "length" and spent(exchange) < (most if most <= SMALL else most // 2):
        yield Violation(
            expected=f"another reason: {spent(exchange)} of {most} tokens were written",
            found='"length"',
            where=_where(exchange),
        )


@check("finish.tool-calls", when=_answered, probes=(tools.REQUIRED_CALL,))
def tool_calls(exchange: Exchange) -> Iterator[Violation]:
    """A message with tool calls has the reason tool_calls."""
    if not has_calls(exchange):
        raise Unobservable("the message has no tool call")
    found = finish_reason(exchange)
    if why := cut_off(exchange):
        raise Unobservable(f"{why} cut the tool call off")
    if found == "stop" and may_stop_with_calls(exchange):
        raise Unobservable("a call that was asked for by name may end a turn")
    if found != "tool_calls":
        yield Violation(expected='"tool_calls"', found=shown(found), where=_where(exchange))


@check("finish.tool-calls-means-calls", when=_answered, probes=(tools.REQUIRED_CALL, parameters.TOOLS))
def tool_calls_means_calls(exchange: Exchange) -> Iterator[Violation]:
    """The reason tool_calls is never given without a tool call."""
    if finish_reason(exchange) == "tool_calls" and not has_calls(exchange):
        yield Violation(expected="a tool call in the message", found="none", where=_where(exchange))


@check(
    "finish.content-filter",
    when=of(failures.CONTENT_FILTER, failures.FILTERED_STREAM),
    probes=(failures.CONTENT_FILTER, failures.FILTERED_STREAM),
)
def content_filter(exchange: Exchange) -> Iterator[Violation]:
    """An answer stopped by the safety filter is a 200 with the reason content_filter, streamed or not.

    That there is a stream, and a reason in it, are requirements of their own.
    """
    brought_about(exchange)
    if busy(exchange) or (streamed(exchange) and head(exchange).status != 200):
        raise Unobservable(f"the target was busy, or streams nothing of the kind: {answer(exchange)}")
    if streamed(exchange) and finish_reason(exchange) in (MISSING, "length"):
        raise Unobservable(f"the filter did not end the stream ({shown(finish_reason(exchange))})")
    if head(exchange).status != 200:
        yield Violation(expected="HTTP 200", found=answer(exchange), where="status")
    elif finish_reason(exchange) != "content_filter":
        where = "whole" if streamed(exchange) else _where(exchange)
        yield Violation(expected='"content_filter"', found=shown(finish_reason(exchange)), where=where)


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
    if not longer.startswith(shorter) or longer == shorter:
        raise Unobservable("with more room the model wrote something else, or no more: nothing shows a cut")
    if len(shorter.encode("utf-8", "surrogatepass")) < limit(exchange):
        raise Unobservable(f"{shown(shorter)} may be less than {limit(exchange)} tokens: nothing shows a cut")
    reasons = _reasons(exchange)
    if not reasons or reasons[-1][0] == "content_filter":
        raise Unobservable("no chunk gives a reason" if not reasons else "the filter stopped the answer")
    if reasons[-1][0] != "length":
        yield Violation(expected='"length"', found=shown(reasons[-1][0]), where=reasons[-1][1])


@check("finish.stream-reason-once", when=streaming, probes=STREAMS)
def stream_reason_once(exchange: Exchange) -> Iterator[Violation]:
    """A stream gives one reason, repeated at most, and no text follows it."""
    found = _reasons(exchange)
    if not found:
        raise Unobservable("no chunk gives a reason")
    for other, place in found:
        if other != found[0][0]:
            yield Violation(expected=f"one finish_reason: {shown(found[0][0])}", found=shown(other), where=place)
            return
    ended = False
    for chunk in undisturbed(exchange).chunks:
        content = at(chunk.payload, "/choices/0/delta/content")
        if ended and isinstance(content, str) and content:
            yield Violation(expected="no text after the finish_reason", found=shown(content), where=chunk.where)
        ended = ended or chunk.where == found[0][1]


CHECKS: Final = listed(globals())
