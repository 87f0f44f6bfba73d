import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.report import badge
from conformance.report.visible import visible
from tests import report_samples as samples

SVG = "{http://www.w3.org/2000/svg}"
INCOMPLETE = {"verdict": "incomplete", "reason": "undecided: tools.forced"}
REPORTS = {
    "conformant": samples.clean() | {"classes": {"core": "conformant", "audio": "not_applicable"}},
    "conformant, 1 of 3 classes": samples.clean()
    | {"classes": {"core": "conformant", "tools": "partial", "errors": "untested", "audio": "not_applicable"}},
    "nonconformant": samples.mixed(),
    "incomplete": samples.clean() | INCOMPLETE,
    "aborted": samples.aborted(),
}


def drawn(report: dict[str, Any]) -> ET.Element:
    return ET.fromstring(badge.svg(report))


def read(report: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(badge.endpoint(report))
    return found


@pytest.mark.parametrize("message", REPORTS)
def test_both_say_the_verdict_and_of_how_many_classes(message: str) -> None:
    root = drawn(REPORTS[message])

    assert [text.text for text in root.iter(f"{SVG}text")] == ["chat contract", message]
    assert root.get("aria-label") == f"chat contract: {message}"
    assert read(REPORTS[message])["message"] == message


def test_only_a_conformant_run_is_green_and_only_a_whole_one_brightly() -> None:
    colours = {message: read(report)["color"] for message, report in REPORTS.items()}

    assert colours == {
        "conformant": "brightgreen",
        "conformant, 1 of 3 classes": "yellowgreen",
        "nonconformant": "red",
        "incomplete": "yellow",
        "aborted": "lightgrey",
    }


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_endpoint_keeps_to_the_schema_of_shields(report: dict[str, Any]) -> None:
    found = read(report)

    # Shields refuses what it does not know; these are its required members and two of its optional ones.
    assert found.keys() == {"schemaVersion", "label", "message", "color", "isError"}
    assert found["schemaVersion"] == 1
    assert found["isError"] is (report["verdict"] != "conformant")
    assert found["label"] == "chat contract"


def luminance(colour: str) -> float:
    digits = colour.removeprefix("#")
    digits = "".join(2 * digit for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_texts_can_be_read(report: dict[str, Any]) -> None:
    """WCAG asks for a contrast of 4.5."""
    root = drawn(report)
    (texts,) = (group for group in root.iter(f"{SVG}g") if group.get("fill"))
    fills = [box.get("fill", "") for box in root.iter(f"{SVG}rect") if box.get("fill")]

    assert len(fills) == 2
    for fill in fills:
        assert (luminance(texts.get("fill", "")) + 0.05) / (luminance(fill) + 0.05) >= 4.5


WIDTHS = {
    **dict.fromkeys("fijlrt ,'", 5.1),
    **dict.fromkeys("acegkopqsvxyz0123456789bdhnu", 7.0),
    **dict.fromkeys("mw", 10.7),
}
"""The widest of a few characters in Verdana at 11 pixels, rounded up."""


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_the_texts_fit_into_their_boxes_and_the_boxes_fill_the_badge(report: dict[str, Any]) -> None:
    root = drawn(report)
    boxes = [box for box in root.iter(f"{SVG}rect") if box.get("fill")]
    texts = list(root.iter(f"{SVG}text"))

    assert sum(int(box.get("width", "")) for box in boxes) == int(root.get("width", ""))
    for box, text in zip(boxes, texts, strict=True):
        left, width = float(box.get("x", "")), float(box.get("width", ""))
        needed = sum(WIDTHS[character] for character in text.text or "")
        assert needed + 8 <= width
        assert float(text.get("x", "")) == left + width / 2


def test_the_title_tells_what_was_judged_and_when() -> None:
    title = drawn(samples.mixed()).findtext(f"{SVG}title")

    assert title == (
        "chat contract: nonconformant. Model scailabs/poolnoodle-omni on https://grid.example.com,"
        " 2026-11-22T17:42:15Z, chat-conformance 0.1.0"
    )


@settings(deadline=None, max_examples=40)
@given(text=st.text(st.characters(), max_size=40))
@example(text="</title><script>alert(1)</script>")
@example(text='"onload="x')
@example(text="\0\ud800\ufffe]]>")
def test_any_text_stays_text(text: str) -> None:
    root = drawn(samples.hostile(text)[0])

    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg",
        "title",
        "clipPath",
        "rect",
        "g",
        "text",
    }
    assert f"Model {visible(text)} on " in (root.findtext(f"{SVG}title") or "")
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]
