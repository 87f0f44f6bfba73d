"""What is judged of generated requests, and beside what."""

from dataclasses import replace
from typing import Any

import pytest

from conformance.check import Violation
from conformance.checks import CHECKS, generated
from conformance.exchange import Exchange
from conformance.generate.asked import AGAIN, DEFECT, TEXT, VALID
from conformance.generate.defects import Grade
from conformance.generate.texts import TEXTS
from conformance.generate.valid import forms
from conformance.reading.witness import Unobservable
from tests.exchanges import answered, completed

CONTROL = "generated.valid-1"
NO_CONTENT = {"messages": [{"role": "user"}]}
"""A message without its content: a defect that the page states."""
FIVE = {"stop": ["a", "b", "c", "d", "e"]}
"""A form that a server need not take."""


def refused(asked: dict[str, Any], *, status: int = 422, code: str = "VALIDATION_ERROR", **members: Any) -> Exchange:
    body = {"status": "error", "error": {"code": code, "message": "no", **members}}
    return answered(body, asked=asked, status=status, probe=f"{DEFECT}1", control=CONTROL)


def served(probe: str, **members: Any) -> Exchange:
    return completed("Hi.", probe=probe, **members)


def told(requirement: str, exchange: Exchange) -> list[Violation]:
    return list(CHECKS[requirement].find(exchange, served(CONTROL), served(CONTROL + AGAIN)))


def test_only_generated_requests_are_graded() -> None:
    stated = generated.graded(Grade.STATED)

    assert stated(refused(NO_CONTENT))
    assert not stated(refused({"max_tokens": 0}))
    assert not stated(replace(refused(NO_CONTENT), probe="messages.no-content"))


def test_a_request_that_keeps_the_schema_has_no_defect() -> None:
    assert generated.defect_of(refused({})) == (None, None)


def test_a_defect_stands_between_the_same_request_without_it_before_and_after() -> None:
    broken, before, after = refused(NO_CONTENT), served(CONTROL), served(CONTROL + AGAIN)

    assert list(generated.between_controls([broken], [before, broken, after])) == [(broken, before, after)]
    assert not list(generated.between_controls([broken], [before, broken]))
    assert not list(generated.between_controls([broken], [broken, after]))


@pytest.mark.parametrize("requirement", ["parameters.generated-refused", "parameters.generated-says-validation"])
@pytest.mark.parametrize("status", [429, 503])
def test_a_target_that_is_busy_has_not_refused(requirement: str, status: int) -> None:
    with pytest.raises(Unobservable, match="busy"):
        told(requirement, refused(NO_CONTENT, status=status, code="RATE_LIMITED"))


def test_a_request_without_a_single_defect_shows_nothing() -> None:
    with pytest.raises(Unobservable, match="no single defect"):
        told("parameters.generated-refused", refused({}, status=200))


@pytest.mark.parametrize("status, takes_them", [(200, True), (299, True), (300, False), (301, False), (422, False)])
def test_a_form_that_is_open_is_asked_for_where_the_server_took_it_elsewhere(status: int, *, takes_them: bool) -> None:
    check, control = CHECKS["parameters.generated-accepted"], served("plain.greeting")
    turned_down = replace(refused(FIVE), probe=f"{VALID}1", control="plain.greeting")
    elsewhere = answered({}, asked=FIVE, status=status, probe=f"{VALID}2")
    (group,) = check.groups([turned_down], [control, turned_down, elsewhere])

    if takes_them:
        assert [each.where for each in check.find(*group)] == ["status"]
    else:
        with pytest.raises(Unobservable, match="takes no 5 stop sequences"):
            list(check.find(*group))


def detailed(field: str) -> list[dict[str, str]]:
    return [{"field": field, "message": "no"}]


@pytest.mark.parametrize(
    "field, named", [("messages.0.content", True), ("content", True), ("0", False), ("role", False)]
)
def test_the_field_is_named_by_a_member_and_not_by_a_place(field: str, *, named: bool) -> None:
    found = told("parameters.generated-names-the-field", refused(NO_CONTENT, details=detailed(field)))

    assert [(each.expected, each.where) for each in found] == (
        [] if named else [("a field of messages.content", "/error/details")]
    )


@pytest.mark.parametrize("status", [200, 500])
def test_what_was_not_refused_names_no_field(status: int) -> None:
    with pytest.raises(Unobservable, match="not refused"):
        told("parameters.generated-names-the-field", refused(NO_CONTENT, status=status, details=detailed("role")))


@pytest.mark.parametrize("details", [None, "content", [], {}])
def test_an_error_without_details_names_no_field(details: Any) -> None:
    with pytest.raises(Unobservable, match="no details"):
        told("parameters.generated-names-the-field", refused(NO_CONTENT, details=details))


def test_what_is_no_json_may_have_a_code_of_its_own() -> None:
    text = replace(refused({}, code="MALFORMED_BODY"), probe=TEXT + min(TEXTS))

    with pytest.raises(Unobservable, match="a code of its own"):
        told("parameters.generated-says-validation", text)


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def calling(call: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "messages": [{"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f"}, **call}], **members}]
    }


def declaring(schema: Any) -> dict[str, Any]:
    return {"tools": [{"function": {"name": "f", "description": "d", "parameters": schema}}]}


FORMS = {
    "text parts": user([{"type": "text", "text": "Hi."}]),
    "content of blanks": user("\t\u001f"),
    "stop sequence of blanks": {"stop": ["a", "\n"]},
    "calls without content": calling({"type": "function"}),
    "null beside calls": calling({"type": "function"}, content=None),
    "call without a type": calling({}, content="Hi."),
    "a schema of several types": declaring({"properties": {"a": {"type": ["string", "null"]}}}),
    "an empty member of an enum": declaring({"items": [{"enum": ["a", ""]}]}),
}


@pytest.mark.parametrize("form, body", FORMS.items())
def test_a_form_is_open_that_the_page_does_not_show(form: str, body: dict[str, Any]) -> None:
    assert form in forms(body)


@pytest.mark.parametrize(
    "body",
    [
        user("Hi."),
        {"stop": "a"},
        {"stop": ["a", "b"]},
        {"messages": [{"role": "assistant"}, {"role": "assistant", "content": None}]},
        {"messages": "Hi.", "stop": 3},
        [],
    ],
)
def test_what_the_page_shows_is_open_nowhere(body: Any) -> None:
    assert forms(body) == frozenset()


def test_a_call_and_a_schema_as_the_page_has_them_are_open_in_what_they_are_alone() -> None:
    assert forms(calling({"type": "function"}, content="Hi.")) == {"call that is named 'a'"}
    assert forms(declaring({"type": "object", "properties": {"a": {"enum": ["b"]}}})) == {"tools"}
