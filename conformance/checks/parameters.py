"""The page's section "Request parameters": what is accepted, and what it brings about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.check import Group, Violation, beside_control, check, listed, of
from conformance.checks.errors import beside, mistaken, never_5xx
from conformance.checks.finish import limit, written
from conformance.checks.framing import streaming
from conformance.checks.request import accepted, busy, served
from conformance.checks.response import counts, thought
from conformance.document import MISSING, at
from conformance.exchange import Exchange
from conformance.probes import parameters as probes
from conformance.probes import plain, stream
from conformance.reading.answers import ROOTS, answer, completion, media_type
from conformance.reading.requests import asked, legal, streamed, unstreamed
from conformance.reading.streams import finish_reason, looks_streamed, text
from conformance.reading.streams import stream as stream_of
from conformance.reading.witness import Inconclusive, Unobservable

WORDS_PER_TOKEN: Final = 16
"""More words than any tokenizer puts into one token, those whose tokens span words too, so that a text too long is too
long for all of them."""


def _beside_one_without(_chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """The request with few tokens beside the one with more, or beside one without `max_tokens` where all are refused.

    Nearly every request has the member, so that a target that will not have it refuses the controls as well.
    """
    found = {exchange.probe: exchange for exchange in everything}
    few, more, usual, without = (
        found.get(probe.name) for probe in (plain.CUT_SHORT, plain.LIMITED, plain.GREETING, plain.MINIMAL)
    )
    control = without if _refused(more) and _refused(usual) else more
    if few and control:
        yield few, control


def _refused(exchange: Exchange | None) -> bool:
    return bool(exchange and exchange.response and exchange.response.status >= 400 and not busy(exchange))


ACCEPTED: Final = (
    accepted("parameters.max-tokens-accepted", plain.CUT_SHORT, plain.MINIMAL, groups=_beside_one_without),
    accepted("parameters.temperature-zero", probes.TEMPERATURE_ZERO),
    accepted("parameters.temperature-two", probes.TEMPERATURE_TWO),
    accepted("parameters.temperature-integer", probes.TEMPERATURE_INTEGER),
    accepted("parameters.top-p-one", probes.TOP_P_ONE),
    accepted("parameters.stop-string", probes.STOP_STRING),
    accepted("parameters.stop-array", probes.STOP_ARRAY),
    accepted("parameters.seed-accepted", probes.SEED),
    accepted("parameters.tools-accepted", probes.TOOLS),
    accepted("parameters.tool-choice-auto", probes.CHOICE_AUTO),
    accepted("parameters.tool-choice-none", probes.CHOICE_NONE),
    accepted("parameters.tool-choice-required", probes.CHOICE_REQUIRED),
    accepted("parameters.tool-choice-named", probes.CHOICE_NAMED),
    accepted("parameters.metadata-accepted", probes.METADATA),
    accepted("parameters.all-together", probes.ALL_TOGETHER),
)


def streamed_usage(exchange: Exchange) -> list[tuple[Any, str]]:
    """The `usage` of those chunks of a stream that have one, as far as it came, each with its chunk's place.

    Raises:
        Unobservable: none has.
    """
    pairs = [(at(chunk.payload, "/usage"), chunk.where) for chunk in stream_of(exchange).chunks]
    if not (found := [(usage, place) for usage, place in pairs if isinstance(usage, Mapping)]):
        raise Unobservable("no chunk of the stream has a usage")
    return found


def _said(exchange: Exchange) -> int:
    """The completion tokens that an unstreamed answer reports, but for its thoughts."""
    return written(exchange) - thought(at(completion(exchange), "/usage"))


@check("parameters.max-tokens-kept", when=legal, probes=(plain.CUT_SHORT, plain.LIMITED))
def max_tokens_kept(exchange: Exchange) -> Iterator[Violation]:
    """An answer has no more completion tokens than `max_tokens`; a stream that counts them neither.

    Of thoughts that a limit need not bound the page does not speak.
    """
    if streamed(exchange):
        for usage, place in streamed_usage(exchange)[-1:]:
            if (told := counts(usage)[1] - thought(usage)) > limit(exchange):
                yield Violation(expected=f"at most {limit(exchange)}", found=str(told), where=place)
    elif (told := _said(exchange)) > limit(exchange):
        yield Violation(
            expected=f"at most {limit(exchange)}",
            found=str(told),
            where=ROOTS[exchange.profile] + "/usage/completion_tokens",
        )


@check(
    "parameters.max-tokens-kept-in-text",
    when=of(plain.CUT_SHORT, stream.CUT_SHORT),
    probes=(plain.CUT_SHORT, stream.CUT_SHORT),
)
def max_tokens_kept_in_text(exchange: Exchange) -> Iterator[Violation]:
    """An answer's text is no longer than `max_tokens` tokens can write."""
    words = len(text(exchange).split())
    if words > WORDS_PER_TOKEN * limit(exchange):
        yield Violation(expected=f"what {limit(exchange)} tokens can write", found=f"{words} words")


def _beside_a_control(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """Each exchange with the one of its control, or alone where it has none."""
    controls = {exchange.probe: exchange for exchange in everything if exchange.step == 0}
    for exchange in chosen:
        yield (exchange, controls[exchange.control]) if exchange.control in controls else (exchange,)


def _of_stream_alone(exchange: Exchange) -> bool:
    """Whether a legal request asks for a stream, and nothing in it has a requirement of its own that says so."""
    return streaming(exchange) and asked(exchange, "/tools") is MISSING and not _TOLD_ELSEWHERE(exchange)


_TOLD_ELSEWHERE: Final = of(stream.NO_ACCEPT, stream.UNKNOWN_MODEL)


@check(
    "parameters.stream-true",
    when=_of_stream_alone,
    probes=(stream.GREETING, stream.SPACED, stream.ACCEPT_JSON),
    groups=_beside_a_control,
)
def stream_true(exchange: Exchange, *controls: Exchange) -> Iterator[Violation]:
    """`stream` true brings an event stream, however the body is written and whatever the headers say."""
    if not served(exchange):
        plain_too = exchange.probe in (stream.GREETING.name, stream.SPACED.name)
        if not plain_too or busy(exchange) or not all(served(control) for control in controls):
            raise Unobservable(f"refused, and so may be the request without stream: {answer(exchange)}")
        yield Violation(expected="an event stream", found=answer(exchange), where="status")
    elif not looks_streamed(exchange):
        yield Violation(
            expected="an event stream", found=f"a body of {media_type(exchange) or 'no media type'}", where="whole"
        )


@check("parameters.stream-false", when=of(probes.STREAM_FALSE), probes=(probes.STREAM_FALSE,), groups=beside_control)
def stream_false(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """`stream` false brings one JSON answer."""
    if not served(exchange):
        if busy(exchange) or not served(control):
            raise Unobservable(f"refused, and so may be the request without stream: {answer(exchange)}")
        yield Violation(expected="one JSON answer", found=answer(exchange), where="status")
    elif looks_streamed(exchange):
        yield Violation(expected="one JSON answer", found="an event stream")


@check("parameters.stream-default", when=of(plain.GREETING), probes=(plain.GREETING,))
def stream_default(exchange: Exchange) -> Iterator[Violation]:
    """Without `stream` there is one JSON answer."""
    if not served(exchange):
        raise Unobservable(f"refused: {answer(exchange)}")
    if looks_streamed(exchange):
        yield Violation(expected="one JSON answer", found="an event stream")


BOUNDS: Final = (
    accepted("parameters.top-p-zero", probes.TOP_P_ZERO),
    accepted("parameters.max-tokens-capped", probes.OVER_CAP),
    mistaken("parameters.max-tokens-zero", probes.MAX_TOKENS_ZERO),
    mistaken("parameters.max-tokens-negative", probes.MAX_TOKENS_NEGATIVE),
    mistaken("parameters.max-tokens-fraction", probes.MAX_TOKENS_FRACTION),
    mistaken("parameters.temperature-above", probes.TEMPERATURE_ABOVE, stream.TEMPERATURE_ABOVE),
    mistaken("parameters.temperature-below", probes.TEMPERATURE_BELOW),
    mistaken("parameters.top-p-above", probes.TOP_P_ABOVE),
    mistaken("parameters.top-p-below", probes.TOP_P_BELOW),
    beside("parameters.bounds-never-5xx", *probes.OUT_OF_BOUNDS, find=never_5xx),
)


@check("parameters.max-tokens-cap-kept", when=of(probes.LONG_OVER_CAP), probes=(probes.LONG_OVER_CAP,))
def max_tokens_cap_kept(exchange: Exchange) -> Iterator[Violation]:
    """An answer has no more completion tokens than the model's limit, which is one below what was asked."""
    cap = limit(exchange) - 1
    if (told := _said(exchange)) > cap:
        yield Violation(
            expected=f"at most {cap}",
            found=str(told),
            where=ROOTS[exchange.profile] + "/usage/completion_tokens",
        )
    elif written(exchange) < cap and finish_reason(exchange) != "length":
        raise Unobservable(f"the model stopped after {written(exchange)} tokens, before its limit of {cap}")


def _beside_all_without(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """The request with metadata beside its control, and beside all other good requests without any."""
    without = [each for each in everything if _answers_one_without(each)]
    for exchange, control in beside_control(chosen, everything):
        yield exchange, control, *(each for each in without if each is not control)


def _answers_one_without(exchange: Exchange) -> bool:
    return unstreamed(exchange) and legal(exchange) and asked(exchange, "/metadata") is MISSING


def _members(exchanges: Sequence[Exchange]) -> Iterator[set[str]]:
    for exchange in exchanges:
        try:
            yield set(completion(exchange))
        except (Unobservable, Inconclusive):
            continue


@check(
    "parameters.metadata-same-shape", when=of(probes.METADATA), probes=(probes.METADATA,), groups=_beside_all_without
)
def metadata_same_shape(exchange: Exchange, control: Exchange, *others: Exchange) -> Iterator[Violation]:
    """`metadata` does not change the members of the answer.

    What some answers have without it, and some have not, is not its doing.
    """
    found, usual = set(completion(exchange)), set(completion(control))
    rest = [*_members(others)]
    for name in sorted(found ^ usual):
        if any((name in other) is not (name in usual) for other in rest):
            continue
        wanted = "no such member" if name in found else "the member"
        yield Violation(
            expected=f"{wanted}, as without metadata", found=name, where=f"{ROOTS[exchange.profile]}/{name}"
        )


CHECKS: Final = listed(globals())
