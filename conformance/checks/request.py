"""The endpoint itself: page sections "Chat Completions" and "Basic request"."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from conformance.check import Check, Group, Grouping, Violation, beside_control, check, listed, of
from conformance.checks.garbling import AS_HTML, ascii_of, mangling
from conformance.document import shown
from conformance.exchange import Ending, Exchange
from conformance.probe import Probe
from conformance.probes import OPENING, plain, stream
from conformance.reading.answers import ROOTS, answer, head, media_type
from conformance.reading.requests import legal, scenario_of
from conformance.reading.streams import looks_streamed, text
from conformance.reading.witness import Inconclusive, Unobservable


def served(exchange: Exchange) -> bool:
    """Whether the request was answered with a 2xx.

    Raises:
        Unobservable: there was no answer.
        Inconclusive: we stopped waiting for it.
    """
    return 200 <= head(exchange).status < 300


def busy(exchange: Exchange) -> bool:
    """Whether the answer says that the target cannot serve anyone just now (429 or 503)."""
    return head(exchange).status in (429, 503)


def brought_about(exchange: Exchange) -> None:
    """Nothing, where what was to happen behind the target could.

    Raises:
        Unobservable: a scenario of the scripted backend was to bring it about, and no request reached the backend.
    """
    if scenario_of(exchange) is not None and not exchange.arrivals:
        raise Unobservable(f"no request reached the scripted backend: {answer(exchange)}")


def accepted(requirement: str, *probes: Probe, groups: Grouping = beside_control) -> Check:
    """The probes are served; each is judged beside its control, so that a refusal has one suspect."""

    def find(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
        if served(exchange):
            return
        if not served(control):
            raise Unobservable(f"the same request without what this is about is refused too: {answer(control)}")
        if busy(exchange):
            raise Unobservable(f"the target was busy: {answer(exchange)}")
        yield Violation(
            expected=f"HTTP {head(control).status}, as for {control.id}", found=answer(exchange), where="status"
        )

    return check(requirement, when=of(*probes), probes=probes, groups=groups)(find)


def either(requirement: str, *forms: Probe, when: Callable[[Exchange], bool] = lambda _: True) -> Check:
    """At least one of several forms that the page leaves open is served; nothing is said where nothing else is.

    `when` picks those requests of the forms that are judged.
    """
    names = frozenset(form.name for form in forms)

    def beside_controls(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
        controls = {exchange.control for exchange in chosen} - names
        if chosen:
            yield (*chosen, *(exchange for exchange in everything if exchange.probe in controls and exchange.step == 0))

    def find(*exchanges: Exchange) -> Iterator[Violation]:
        chosen = [exchange for exchange in exchanges if exchange.probe in names]
        controls = [exchange for exchange in exchanges if exchange.probe not in names]
        if any(served(exchange) for exchange in chosen):
            return
        if controls and not any(served(control) for control in controls):
            raise Unobservable(f"the same request without what this is about is refused too: {answer(controls[0])}")
        if any(busy(exchange) for exchange in chosen) or len(chosen) < len(forms):
            raise Unobservable("not every form was answered: " + "; ".join(answer(exchange) for exchange in chosen))
        for exchange in chosen:
            yield Violation(
                expected="HTTP 200 for one of the forms", found=answer(exchange), where="status", on=exchange.id
            )

    return check(
        requirement,
        when=lambda exchange: exchange.probe in names and when(exchange),
        probes=forms,
        groups=beside_controls,
    )(find)


@check("request.endpoint-answers", when=of(OPENING), probes=(OPENING,))
def endpoint_answers(exchange: Exchange) -> Iterator[Violation]:
    """A POST to the endpoint with a known model and a message is answered with HTTP 200."""
    if busy(exchange):
        raise Unobservable(f"the target was busy: {answer(exchange)}")
    if head(exchange).status != 200:
        yield Violation(expected="HTTP 200", found=answer(exchange), where="status")


@check("request.answer-is-whole", when=lambda _: True, probes=(OPENING,))
def answer_is_whole(exchange: Exchange) -> Iterator[Violation]:
    """Every request gets one complete HTTP answer."""
    if exchange.ended in (Ending.RESET, Ending.NOT_HTTP):
        yield Violation(
            expected="a complete HTTP answer", found=f"{exchange.ended.value}: {exchange.detail}", where="ending"
        )
        return
    head(exchange)
    if exchange.ended is not Ending.COMPLETE:
        raise Unobservable(f"we stopped reading before the answer ended: {exchange.ended.value}")


@check("auth.bearer-accepted", when=legal, probes=(OPENING, plain.LOWER_CASE))
def bearer_accepted(exchange: Exchange) -> Iterator[Violation]:
    """The key is accepted in an Authorization header with the Bearer scheme."""
    if head(exchange).status == 401:
        yield Violation(expected="the key is accepted", found=answer(exchange), where="status")


def understood(requirement: str, probe: Probe, *, twin: Probe) -> Check:
    """The probe is served, and not misread, as far as the answer to the same text in another form shows."""
    acceptance = accepted(requirement, probe)

    def beside_twin(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterator[Group]:
        twins = [exchange for exchange in everything if exchange.probe == twin.name]
        for group in beside_control(chosen, everything):
            yield (*group, *twins)

    def find(exchange: Exchange, control: Exchange, *twins: Exchange) -> Iterator[Violation]:
        yield from acceptance.find(exchange, control)
        for other in twins:
            if _said(other) and (how := _misread(_said(exchange), _said(other))):
                yield Violation(
                    expected=f"{shown(_said(other))}, as in {other.id}",
                    found=f"{shown(_said(exchange))}, {how}",
                    where=ROOTS[exchange.profile] + "/choices/0/message/content",
                )
                return
        if how := mangling(_said(exchange), plain.MULTILINGUAL):
            yield _otherwise(exchange, plain.MULTILINGUAL, how)

    return check(requirement, when=of(probe), probes=(probe, twin), groups=beside_twin)(find)


def _otherwise(exchange: Exchange, words: str, how: str) -> Violation:
    where = "whole" if looks_streamed(exchange) else ROOTS[exchange.profile] + "/choices/0/message/content"
    return Violation(
        expected=f"{shown(words)}, which was asked for", found=f"{shown(_said(exchange))}, {how}", where=where
    )


@check(
    "request.markup-in-text",
    when=of(plain.END_MARKER, stream.END_MARKER),
    probes=(plain.END_MARKER, stream.END_MARKER),
    groups=beside_control,
)
def markup_in_text(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """A text with braces and markup is served, and comes back as it is, as far as the model repeats it."""
    if exchange.probe == plain.END_MARKER.name:
        yield from accepted("request.markup-in-text", plain.END_MARKER).find(exchange, control)
    elif not served(exchange):
        raise Unobservable(f"no stream came: {answer(exchange)}")
    if (how := mangling(_said(exchange), plain.MARKED_UP)) == AS_HTML:
        yield _otherwise(exchange, plain.MARKED_UP, how)


def formed_alike(requirement: str, probe: Probe) -> Check:
    """The probe is served, and as a stream where its control is."""
    acceptance = accepted(requirement, probe)

    def find(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
        yield from acceptance.find(exchange, control)
        if served(exchange) and served(control) and looks_streamed(control) and not looks_streamed(exchange):
            found = f"a body of {media_type(exchange) or 'no media type'}"
            yield Violation(expected=f"an event stream, as for {control.id}", found=found)

    return check(requirement, when=of(probe), probes=(probe,), groups=beside_control)(find)


def _said(exchange: Exchange) -> str:
    """The text of an answer; empty where there is none to read."""
    try:
        return text(exchange)
    except (Unobservable, Inconclusive):
        return ""


def _misread(found: str, plain: str) -> str:
    """How a text was misread that is otherwise `plain`; nothing where a model may have written it so."""
    kept = found.rstrip("\ufffd")  # the limit may cut a character in half
    lost = "\ufffd" in kept and "\ufffd" not in plain and ascii_of(plain).startswith(ascii_of(kept))
    return "with U+FFFD in it" if lost else mangling(found, plain)


ACCEPTED: Final = (
    accepted("request.minimal-body", plain.MINIMAL, stream.MINIMAL),
    accepted("request.documented-example", plain.DOCUMENTED),
    understood("request.raw-utf8", plain.RAW_UTF8, twin=plain.ESCAPED),
    understood("request.escaped-unicode", plain.ESCAPED, twin=plain.RAW_UTF8),
    formed_alike("request.no-accept-needed", stream.NO_ACCEPT),
)

CHECKS: Final = listed(globals())
