"""The page's sections "Messages" and "Multi-turn conversations"."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.check import (
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
from conformance.reading.requests import asked, streamed
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


def _beside_questions(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """The question after its history, as above; in a stream, with those that ask the same without one."""
    yield from _beside_question_alone([exchange for exchange in chosen if not streamed(exchange)], everything)
    unstreamed = [exchange for exchange in everything if of(probes.RECALL, probes.SYSTEM_LATER)(exchange)]
    for exchange in chosen:
        if streamed(exchange) and exchange.step == 0 and unstreamed:
            yield exchange, *unstreamed


def _beside_shorter(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
    """Each request with a system message, beside one that is shorter where the message was read.

    That is the page's example for the first: it has a system message too. For the later one it is the same without,
    and two more that show whether a system message makes a prompt longer.
    """
    found = {exchange.probe: exchange for exchange in everything if exchange.step == 0}
    for exchange in chosen:
        names = (
            [plain.DOCUMENTED.name]
            if exchange.probe == probes.SYSTEM.name
            else [exchange.control, probes.SYSTEM.name, plain.GREETING.name]
        )
        if all(name in found for name in names):
            yield exchange, *(found[name] for name in names)


@check(
    "messages.system-obeyed",
    when=of(probes.SYSTEM, probes.SYSTEM_LATER),
    probes=(probes.SYSTEM, probes.SYSTEM_LATER, plain.DOCUMENTED),
    groups=_beside_shorter,
)
def system_obeyed(exchange: Exchange, shorter: Exchange, *pair: Exchange) -> Iterator[Violation]:
    """What a system message asks for shows in the answer; where it does not, the prompt's length says if it was read.

    A chat template may have a longer system message of its own for who sends none.
    """
    yield from _told(exchange, shorter, probes.SYSTEM_WORD, "the system message", *pair)


@check(
    "messages.history-used",
    when=of(probes.RECALL, probes.STREAMED),
    probes=(probes.RECALL, probes.STATELESS, probes.STREAMED),
    groups=_beside_questions,
)
def history_used(exchange: Exchange, *others: Exchange) -> Iterator[Violation]:
    """What an earlier turn said is told in a later one; where it is not, the prompt's length says if it was read.

    A stream need not tell a length. It is held to what the same model told without one, if it says that it was not
    told.
    """
    if not streamed(exchange):
        yield from _told(exchange, others[0], probes.UNLIKELY, "the turns before")
        return
    said = text(exchange)
    if _holds(said, probes.UNLIKELY):
        return
    if not all(_holds(text(other), probes.UNLIKELY) for other in others):
        raise Unobservable("the model keeps the word to itself without a stream too")
    if not UNTOLD.search(said):
        raise Unobservable(f"the model neither told the word nor said that it was not told it: {shown(said)}")
    yield Violation(expected=f"{shown(probes.UNLIKELY)}, as in {others[0].id}", found=shown(said))


UNTOLD: Final = re.compile(r"\bunknown\b|(?:\bnot|n['\u2019]t|\bnever)(?: been)? (?:know|told)\b", re.IGNORECASE)
"""How a model says that it was not told something."""


def _holds(said: str, word: str) -> bool:
    return word.lower() in said.lower()


def _told(exchange: Exchange, shorter: Exchange, word: str, what: str, *pair: Exchange) -> Iterator[Violation]:
    """A word in the request shows in the answer, or the prompt is longer than another.

    Of a `pair`, the first has what is looked for and the second has not; they too must differ in length, since else it
    may be taken in and not make a prompt longer.
    """
    said = text(exchange)
    if _holds(said, word):
        return
    longer, than = prompt_tokens(exchange), prompt_tokens(shorter)
    if longer > than:
        raise Unobservable(f"the model read {what} ({longer} prompt tokens) and did not act on it: {shown(said)}")
    if pair and prompt_tokens(pair[0]) <= prompt_tokens(pair[1]):
        raise Unobservable(f"{pair[0].id} has no more prompt tokens than {pair[1].id}: they do not show {what}")
    yield Violation(
        expected=f"{shown(word)} in the answer, or at least more prompt tokens than {shorter.id}, which is shorter",
        found=f"{shown(said)}; {longer} prompt tokens against {than}",
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


@check(
    "messages.stateless",
    when=of(probes.STATELESS, probes.STREAMED),
    probes=(probes.STATELESS, probes.STREAMED),
    groups=in_sequence,
)
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
