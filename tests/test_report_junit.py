from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.report import junit
from conformance.report.visible import visible
from tests import report_samples as samples


def parsed(report: dict[str, Any]) -> ET.Element:
    return ET.fromstring(junit.document(report))


def case(root: ET.Element, identity: str) -> ET.Element:
    (found,) = [each for each in root.iter("testcase") if each.get("name") == identity]
    return found


def outcomes(root: ET.Element) -> dict[str, list[str]]:
    return {each.get("name", ""): [child.tag for child in each] for each in root.iter("testcase")}


def test_every_requirement_is_one_case_and_the_level_decides_its_outcome() -> None:
    assert outcomes(parsed(samples.mixed())) == {
        "response.data-id": ["failure"],
        "response.status-ok": [],
        "stream.done-is-last": ["failure"],
        "stream.unbuffered": ["system-out"],
        "stream.comments": ["system-out"],
        "tools.forced": ["error"],
        "tools.many": ["skipped"],
        "errors.code": ["error"],
        "stream.error-event": ["skipped"],
        "audio.base64": ["skipped"],
    }


def test_a_strict_run_fails_on_a_should() -> None:
    found = outcomes(parsed(samples.mixed(strict=True)))

    assert found["stream.unbuffered"] == ["failure"]
    assert found["tools.many"] == ["error"]
    assert found["stream.comments"] == ["system-out"]


def test_the_totals_are_what_stands_below_them() -> None:
    root = parsed(samples.mixed())
    (suite,) = root

    for element in (root, suite):
        totals = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
        assert totals == {"tests": "10", "failures": "2", "errors": "2", "skipped": "3", "time": "41.250"}


def test_a_failure_says_what_where_and_how_to_see_it_again() -> None:
    failure = case(parsed(samples.mixed()), "response.data-id").find("failure")

    assert failure is not None
    assert failure.get("type") == "MUST"
    text = failure.text or ""
    for part in ("section: Response shape", "response.bern", "/data/id", "a string", "found:    7", samples.CURL):
        assert part in text


def test_a_broken_should_says_warning_and_why() -> None:
    output = case(parsed(samples.mixed()), "stream.unbuffered").find("system-out")

    assert output is not None
    assert (output.text or "").startswith("WARNING: 1 of 1 exchanges broke it.")


def test_an_inconclusive_must_has_its_own_type() -> None:
    error = case(parsed(samples.mixed()), "tools.forced").find("error")

    assert error is not None
    assert (error.get("type"), error.get("message")) == ("inconclusive", samples.REASONS["inconclusive"])


def test_a_skip_gives_its_reason() -> None:
    skipped = case(parsed(samples.mixed()), "stream.error-event").find("skipped")

    assert skipped is not None
    assert skipped.get("message") == "untested: The target file has no trigger mid_stream_error."


def test_the_properties_name_the_suite_the_target_and_the_verdict() -> None:
    properties = {each.get("name"): each.get("value") for each in parsed(samples.mixed()).iter("property")}

    assert properties["suite.version"] == "0.1.0"
    assert properties["target.url"] == "https://grid.example.com"
    assert properties["verdict"] == "nonconformant"
    assert properties["class.audio"] == "not_applicable"


def test_a_run_that_decided_nothing_is_not_green() -> None:
    root = parsed(samples.aborted())

    assert outcomes(root) == {"response.status-ok": ["skipped"], "verdict": ["error"]}
    assert root.get("errors") == "1"


def test_a_conformant_run_is_green() -> None:
    root = parsed(samples.clean())

    assert outcomes(root) == {"response.status-ok": [], "stream.done-is-last": []}
    assert (root.get("failures"), root.get("errors")) == ("0", "0")


@pytest.mark.parametrize("text", ["]]>", "</failure>", "&lt;", "\x00\x0b\ufffe", "\ud800"])
def test_hostile_text_is_shown(text: str) -> None:
    failure = case(parsed(samples.hostile(text)[0]), "response.fail-must").find("failure")

    assert failure is not None
    assert f"found:    {visible(text)}\n" in (failure.text or "")


@settings(deadline=None, max_examples=40)
@given(text=st.text(st.characters(), max_size=40))
@example(text="\x0b\x1f\x7f\x85\ufffe\uffff\ud800\U0001f600")
def test_any_text_makes_well_formed_xml(text: str) -> None:
    root = parsed(samples.hostile(text)[0])

    assert len(list(root.iter("testcase"))) == 18
