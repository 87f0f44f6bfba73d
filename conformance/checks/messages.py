"""The page's sections "Messages" and "Multi-turn conversations"."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.check import (
    Check,
    Group,
    Grouping,
    Violation,
    beside_control,
    check,
    in_sequence,
    listed,
    of,
    together,
)
from conformance.checks.errors import beside, mistaken, never_5xx
from conformance.checks.request import accepted, busy, either, served
from conformance.checks.response import counts
from conformance.document import MISSING, at, shown
from conformance.exchange import Exchange
from conformance.probe import Probe
from conformance.probes import messages as probes
from conformance.probes import parameters, plain, stream, tools
from conformance.reading.answers import ROOTS, answer, completion
from conformance.reading.requests import asked
from conformance.reading.streams import text
from conformance.reading.witness import Inconclusive, Unobservable

ACCEPTED: Final = (
    accepted("messages.system-accepted", probes.SYSTEM),
    accepted("messages.system-anywhere", probes.SYSTEM_LATER),
    accepted("messages.history-accepted", probes.HISTORY),
    accepted("messages.assistant-accepted", probes.RECALL),
)

REFUSED: Final = (
    mistaken("messages.tool-call-id-required", probes.TOOL_WITHOUT_ID),
    mistaken("messages.role-required", probes.NO_ROLE),
    mistaken("messages.role-type", probes.ROLE_NUMBER),
    mistaken("messages.role-known", probes.ROLE_UNKNOWN),
    mistaken("messages.content-required", probes.NO_CONTENT),
    mistaken("messages.content-type", probes.CONTENT_NUMBER),
    mistaken("messages.message-object", probes.STRING_MESSAGE),
    mistaken("messages.not-empty", probes.NO_MESSAGE),
    beside("messages.never-5xx", *probes.REFUSED_MESSAGES, find=never_5xx),
    mistaken("multimodal.part-known", probes.PART_UNKNOWN),
    mistaken("multimodal.part-typed", probes.PART_UNTYPED),
    beside("multimodal.part-never-5xx", *probes.REFUSED_PARTS, find=never_5xx),
)


def unanswered(exchange: Exchange) -> bool:
    """Whether a request brings the result of the first of several calls, and of no other."""
    return asked(exchange, "/messages/1/tool_calls/1") is not MISSING and asked(exchange, "/messages/3") is MISSING


def _answers_a_call(exchange: Exchange) -> bool:
    return asked(exchange, "/messages/2/role") == "tool" and not unanswered(exchange)


EITHER: Final = (
    either("messages.user-accepted", parameters.SHORT, probes.SYSTEM),
    either("messages.tool-accepted", tools.BY_HAND, tools.REQUIRED_CALL, when=_answers_a_call),
)


def _beside_system(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """Each exchange, with the conversation that has a system message where that was asked."""
    found = [exchange for exchange in everything if exchange.probe == probes.SYSTEM.name]
    for exchange in chosen:
        yield exchange, *found[-1:]


@check(
    "messages.system-optional",
    when=of(parameters.SHORT),
    probes=(parameters.SHORT, probes.SYSTEM),
    groups=_beside_system,
)
def system_optional(exchange: Exchange, *with_system: Exchange) -> Iterator[Violation]:
    """What is served with a system message is served without one."""
    if served(exchange):
        return
    if busy(exchange) or not any(served(other) for other in with_system):
        raise Unobservable(f"refused, and not for want of a system message: {answer(exchange)}")
    yield Violation(
        expected=f"HTTP 200, as for {with_system[0].id}, which has one", found=answer(exchange), where="status"
    )


def prompt_tokens(exchange: Exchange) -> int:
    """The prompt tokens that an unstreamed answer reports.

    Raises:
        Unobservable: no usable `usage`, or a prompt counted as 0, which tells nothing of its length.
    """
    found = counts(at(completion(exchange), "/usage"))[0]
    if not found:
        raise Unobservable("the prompt is counted as 0 tokens")
    return found


def in_sequence_with(control: Probe) -> Grouping:
    """The exchanges of each probe that has several, and after them the last of another probe."""

    def groups(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
        beside = [exchange for exchange in everything if exchange.probe == control.name]
        for group in in_sequence(chosen, everything):
            if beside:
                yield (*group, beside[-1])

    return groups


def _beside_question_alone(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """The question after its history, with the same question asked without one."""
    alone = [exchange for exchange in everything if exchange.probe == probes.STATELESS.name and exchange.step == 1]
    for exchange in chosen:
        if alone:
            yield exchange, alone[-1]


def _told(requirement: str, chosen: Sequence[Probe], word: str, what: str, *needed: Probe, groups: Grouping) -> Check:
    """A word in the request shows in the answer; where it does not, the prompt's length says whether it was read."""

    def find(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
        said = text(exchange)
        if word.lower() in said.lower():
            return
        longer, shorter = prompt_tokens(exchange), prompt_tokens(control)
        if longer > shorter:
            raise Unobservable(f"the model read {what} ({longer} prompt tokens) and did not act on it: {shown(said)}")
        yield Violation(
            expected=f"{shown(word)} in the answer, or at least more prompt tokens than without {what}",
            found=f"{shown(said)}; {longer} prompt tokens with it, {shorter} without",
        )

    return check(requirement, when=of(*chosen), probes=(*chosen, *needed), groups=groups)(find)


OBEYED: Final = (
    _told(
        "messages.system-obeyed",
        (probes.SYSTEM, probes.SYSTEM_LATER),
        probes.SYSTEM_WORD,
        "the system message",
        groups=beside_control,
    ),
    _told(
        "messages.history-used",
        (probes.RECALL,),
        probes.UNLIKELY,
        "the turns before",
        probes.STATELESS,
        groups=_beside_question_alone,
    ),
)


@check(
    "messages.history-counted",
    when=of(probes.RECALL),
    probes=(probes.RECALL, probes.STATELESS),
    groups=_beside_question_alone,
)
def history_counted(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A longer history has more prompt tokens."""
    longer, shorter = prompt_tokens(exchange), prompt_tokens(control)
    if longer <= shorter:
        yield Violation(
            expected=f"more than {shorter} prompt tokens",
            found=str(longer),
            where=ROOTS[exchange.profile] + "/usage/prompt_tokens",
        )


@check("messages.parts-accepted", when=of(probes.TEXT_PART), probes=(probes.TEXT_PART,), groups=beside_control)
def parts_accepted(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A content of two text parts is served, and read: one is repeated, or the prompt is as long as the string's."""
    if not (served(exchange) and served(control)):
        yield from accepted("messages.parts-accepted", probes.TEXT_PART).find(exchange, control)
    elif "hello" not in (said := text(exchange)).lower():
        as_part, as_string = prompt_tokens(exchange), prompt_tokens(control)
        if as_part < as_string:
            yield Violation(
                expected=f"the part's text in the answer, or as many prompt tokens as for {control.id}: {as_string}",
                found=f"{shown(said)}; {as_part} prompt tokens",
            )


@check("messages.stateless", when=of(probes.STATELESS), probes=(probes.STATELESS,), groups=in_sequence)
def stateless(told: Exchange, asked: Exchange) -> Iterator[Violation]:
    """What one request said is not known to the next."""
    if not served(told):
        raise Unobservable(f"the first request was refused: {answer(told)}")
    said = text(asked)
    if any(word.lower() in said.lower() for word in (probes.UNLIKELY, probes.UNLIKELY[::-1], probes.SYSTEM_WORD)):
        yield Violation(expected="no word of another conversation", found=shown(said), on=asked.id)
    elif not said:
        raise Unobservable("the model said nothing, which gives nothing away")


WORDS: Final[Mapping[str, str]] = {
    **{probe.name: word for probe, word in zip(probes.APART, probes.MARKERS, strict=True)},
    plain.RAW_UTF8.name: "naïve",
    stream.MULTILINGUAL.name: "naïve",
    plain.END_MARKER.name: "lantern",
    stream.END_MARKER.name: "lantern",
}
"""A word of each question that is to be repeated exactly, in lower case."""


@check(
    "messages.answers-not-crossed",
    when=lambda exchange: exchange.probe in WORDS,
    probes=(*probes.APART, plain.RAW_UTF8, stream.MULTILINGUAL, plain.END_MARKER, stream.END_MARKER),
    groups=together,
)
def answers_not_crossed(*exchanges: Exchange) -> Iterator[Violation]:
    """Requests that are under way at once get each its own answer."""
    own = 0
    for exchange in exchanges:
        try:
            said = text(exchange).lower()
        except (Unobservable, Inconclusive):
            continue
        mine = WORDS[exchange.probe]
        own += mine in said
        for word in sorted(set(WORDS.values()) - {mine}):
            if word in said:
                yield Violation(expected=shown(mine), found=shown(said), on=exchange.id)
    if not own:
        raise Unobservable("the model repeated none of the words")


CHECKS: Final = listed(globals())
