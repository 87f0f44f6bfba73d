"""Generated requests: the good ones are accepted, the broken ones are refused for what is broken."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from conformance.check import Check, Group, Violation, beside_control, check, listed
from conformance.checks.errors import spelt
from conformance.checks.request import busy, served
from conformance.document import at, shown
from conformance.exchange import Exchange
from conformance.generate.asked import AGAIN, BASE, DEFECT, PREFIX, TEXT, VALID
from conformance.generate.defects import Grade, grade_among
from conformance.generate.texts import TEXTS
from conformance.generate.valid import forms
from conformance.reading.answers import answer, error_code, error_document, head
from conformance.reading.requests import mistakes, sent
from conformance.reading.witness import Unobservable
from conformance.schema import Defect


def valid(exchange: Exchange) -> bool:
    """Whether the request was drawn from the schema."""
    return exchange.probe.startswith((VALID, BASE))


def graded(*grades: Grade) -> Callable[[Exchange], bool]:
    """A predicate: a generated request with one defect of these grades."""
    return lambda exchange: exchange.probe.startswith((DEFECT, TEXT)) and defect_of(exchange)[0] in grades


def defect_of(exchange: Exchange) -> tuple[Grade | None, Defect | None]:
    """What is broken in the request: read from what was sent, unless it is the text itself."""
    if text := TEXTS.get(exchange.probe.removeprefix(TEXT)):
        return text.grade, Defect(
            pointer="", rule="text", expected="JSON", found=text.breaks, schema="", message=text.breaks
        )
    return grade_among(mistakes(exchange), sent(exchange)) or (None, None)


def between_controls(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each exchange with the same request without its defect, sent before it and once more after it."""
    controls = {exchange.probe: exchange for exchange in everything if exchange.step == 0}
    for exchange in chosen:
        if exchange.control in controls and exchange.control + AGAIN in controls:
            yield exchange, controls[exchange.control], controls[exchange.control + AGAIN]


def _beside_served_forms(chosen: Sequence[Exchange], everything: Sequence[Exchange]) -> Iterable[Group]:
    """Each exchange with its control, and one that was served for each form that a server need not take."""
    shown: dict[str, Exchange] = {}
    for exchange in everything:
        if exchange.response is not None and 200 <= exchange.response.status < 300:
            for form in forms(sent(exchange)):
                shown.setdefault(form, exchange)
    for group in beside_control(chosen, everything):
        yield (*group, *shown.values())


@check("parameters.generated-accepted", when=valid, probes=(), groups=_beside_served_forms)
def accepted(exchange: Exchange, control: Exchange, *others: Exchange) -> Iterator[Violation]:
    """A request that keeps the schema is served, whatever it combines.

    Where the page leaves it open which form a server takes, one that takes none of that form breaks nothing here.
    """
    if served(exchange):
        return
    if busy(exchange) or not served(control):
        raise Unobservable(f"refused, and so may be the plain question: {answer(exchange)}")
    if open_here := forms(sent(exchange)) - {form for other in others for form in forms(sent(other))}:
        raise Unobservable(f"the server takes no {min(open_here)}, as it may: {answer(exchange)}")
    yield Violation(expected="the request to be served", found=answer(exchange), where="status")


def _refused(requirement: str, *grades: Grade, find: Callable[[Exchange, Defect], Iterator[Violation]]) -> Check:
    def between(exchange: Exchange, before: Exchange, after: Exchange) -> Iterator[Violation]:
        for control in (before, after):
            if not served(control):
                raise Unobservable(f"the same request without the defect is refused too: {answer(control)}")
        if busy(exchange):
            raise Unobservable(f"the target was busy: {answer(exchange)}")
        _, defect = defect_of(exchange)
        if defect is None:
            raise Unobservable("the request has no single defect")
        yield from find(exchange, defect)

    return check(requirement, when=graded(*grades), probes=(), groups=between_controls)(between)


def _turned_away(exchange: Exchange, defect: Defect) -> Iterator[Violation]:
    status = head(exchange).status
    if status >= 500:
        raise Unobservable(f"a failure, and no refusal: {answer(exchange)}")
    if not status >= 400 or status in (401, 403):
        yield Violation(
            expected=f"HTTP 4xx for {defect.pointer or 'the body'} ({defect.rule}): {defect.message}",
            found=answer(exchange),
            where="status",
        )


def _client_error(exchange: Exchange) -> None:
    if not 400 <= head(exchange).status < 500:
        raise Unobservable(f"not refused: {answer(exchange)}")


def _as_validation(exchange: Exchange, defect: Defect) -> Iterator[Violation]:
    _client_error(exchange)
    if defect.rule == "text":
        raise Unobservable("a body that is no JSON may have a code of its own")
    if (code := error_code(exchange)) != "VALIDATION_ERROR":
        yield Violation(
            expected=f"VALIDATION_ERROR for {defect.pointer or 'the body'} ({defect.rule})",
            found=shown(code) if code else "no code",
            where="/error/code",
        )


def _named(exchange: Exchange, defect: Defect) -> Iterator[Violation]:
    """The member that is wrong, or the missing one, or what holds it, is named: unions blur which of them it was."""
    _client_error(exchange)
    details = at(error_document(exchange), "/error/details")
    if not isinstance(details, list) or not details:
        raise Unobservable("the error has no details")
    fields = [found for row in details if isinstance(found := at(row, "/field"), str)]
    names = [word for word in defect.pointer.split("/") if word and not word.isdigit()]
    if defect.rule == "required":
        names.append(defect.message.partition("'")[2].partition("'")[0])
    if names and not any(spelt(name) in spelt(field) for name in names for field in fields):
        yield Violation(expected=f"a field of {'.'.join(names)}", found=shown(fields), where="/error/details")


REFUSED: Final = (
    _refused("parameters.generated-refused", Grade.STATED, find=_turned_away),
    _refused("parameters.generated-turned-down", Grade.READ, find=_turned_away),
    _refused("parameters.generated-says-validation", Grade.STATED, Grade.READ, find=_as_validation),
    _refused("parameters.generated-names-the-field", Grade.STATED, Grade.READ, find=_named),
)


@check("parameters.generated-never-5xx", when=lambda e: e.probe.startswith(PREFIX), probes=(), groups=beside_control)
def never_5xx(exchange: Exchange, control: Exchange) -> Iterator[Violation]:
    """No generated request is answered with a failure of the server."""
    if busy(exchange) or not served(control):
        raise Unobservable(f"the target was busy, or fails over the control too: {answer(exchange)}")
    if head(exchange).status >= 500:
        yield Violation(expected="an answer or a refusal, no failure", found=answer(exchange), where="status")


CHECKS: Final = listed(globals())
