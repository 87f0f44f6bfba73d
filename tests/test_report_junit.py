import re
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
        totals = {name: element.get(name) for name in ("tests", "failures", "errors", "time")}
        assert totals == {"tests": "10", "failures": "2", "errors": "2", "time": "41.250"}
    assert suite.get("skipped") == "3"


def test_a_failure_says_what_where_and_how_to_see_it_again() -> None:
    failure = case(parsed(samples.mixed()), "response.data-id").find("failure")

    assert failure is not None
    assert failure.get("type") == "MUST"
    text = failure.text or ""
    for part in (
        "MUST (stated), core: The answer keeps response.data-id.",
        "section: Response shape",
        "report: report.html#response.data-id",
        "exchange: response.bern",
        "where:    /data/id",
        "expected: a string",
        "found:    7",
        samples.CURL,
    ):
        assert part in text


@pytest.mark.parametrize("strict", [False, True])
def test_the_first_line_of_a_text_is_its_message(*, strict: bool) -> None:
    said = [element for name in ("failure", "error") for element in parsed(samples.mixed(strict=strict)).iter(name)]

    assert len(said) == (6 if strict else 4)
    assert [(element.text or "").splitlines()[0] for element in said] == [element.get("message") for element in said]


def test_a_failure_without_an_explanation_says_what_was_expected_and_found() -> None:
    failure = case(parsed(samples.report([samples.row("a.b", "fail", explanation="")])), "a.b").find("failure")

    assert failure is not None
    assert failure.get("message") == "expected data: [DONE]; found the end of the body"


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
    assert skipped.text == "untested: The target file has no trigger mid_stream_error."


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


KEPT: dict[str, tuple[tuple[str, ...], dict[str, bool]]] = {
    "testsuites": (
        ("testsuite",),
        {"name": False, "time": False, "tests": False, "failures": False, "errors": False},
    ),
    "testsuite": (
        ("properties", "testcase", "system-out", "system-err"),
        {"name": True, "tests": True, "failures": True, "errors": True, "time": False, "skipped": False}
        | dict.fromkeys(("timestamp", "hostname", "id", "package"), False),
    ),
    "properties": (("property",), {}),
    "property": ((), {"name": True, "value": True}),
    "testcase": (
        ("skipped", "error", "failure", "system-out", "system-err"),
        {"name": True, "time": False, "classname": False},
    ),
    "skipped": ((), {}),
    "error": ((), {"type": False, "message": False}),
    "failure": ((), {"type": False, "message": False}),
    "system-out": ((), {}),
}
"""What Jenkins' two published schemas (junit-4.xsd of dtkit, junit-10.xsd of xunit) both allow: the children of each
element in their order, and its attributes, with whether it must have them."""


@pytest.mark.parametrize(
    "report",
    [samples.mixed(), samples.mixed(strict=True), samples.clean(), samples.aborted(), samples.hostile("\0<]]>")[0]],
    ids=["mixed", "strict", "clean", "aborted", "hostile"],
)
def test_it_keeps_to_what_the_published_schemas_have_in_common(report: dict[str, Any]) -> None:
    root = parsed(report)

    assert root.tag == "testsuites"
    for element in root.iter():
        children, attributes = KEPT[element.tag]
        order = [children.index(child.tag) for child in element]
        assert order == sorted(order)
        assert set(element.attrib) <= set(attributes)
        assert {name for name, needed in attributes.items() if needed} <= set(element.attrib)
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))


def test_no_type_is_one_that_gitlab_would_convert_the_text_by() -> None:
    # Its reader, Rails' Hash.from_xml, makes a date or a file of an element whose `type` names one.
    root = parsed(samples.mixed(strict=True))
    converted = {"symbol", "date", "datetime", "duration", "integer", "float", "double", "decimal", "boolean"}
    converted |= {"string", "yaml", "base64binary", "hexbinary", "file", "array"}

    kinds = {element.get("type", "").lower() for element in root.iter()} - {""}
    assert kinds == {"must", "should", "error", "inconclusive"}
    assert not kinds & converted


def test_what_a_warning_is_about_stands_where_jenkins_keeps_it() -> None:
    warning = samples.row("a.b", "fail", level="SHOULD", explanation="x" * 5000)
    output = case(parsed(samples.report([warning])), "a.b").find("system-out")

    assert output is not None
    first, _ = (output.text or "").split("\n", 1)
    assert len(first) < 500
    assert first.startswith("WARNING: xxx")
    assert first.endswith(" more characters)")


@pytest.mark.parametrize("text", ["x", "\0", "\U0001f600"])
def test_it_stays_below_what_its_readers_take(text: str) -> None:
    huge = text * 100_000
    rows = [
        samples.row(
            f"response.r{number}",
            "fail",
            explanation=huge,
            violations=[samples.violation(where=huge, expected=huge, found=huge)] * 50,
            reproduce=huge[:8_000],
        )
        for number in range(300)
    ]
    content = junit.document(samples.report(rows))
    texts = [element.text or "" for element in ET.fromstring(content).iter("failure")]

    assert len(content) < 20_000_000  # GitLab: 30 MB
    assert max(map(len, texts)) < 65_535  # GitHub: of one annotation
    assert "and 40 more violations" in texts[0]
    left_out = [text for text in texts if text.endswith("for want of room; report.html shows it")]
    assert bool(left_out) == (text != "x")
    assert all("report: report.html#response.r" in text for text in texts)


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
