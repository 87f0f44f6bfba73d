import re
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.report import annotations
from conformance.report.visible import UNSEEN, visible
from tests import report_samples as samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A workflow command as the runner reads it."""

    kind: str
    title: str
    text: str


def unescaped(text: str, characters: str) -> str:
    for character in (*characters, "%"):  # the runner's order: what it undoes last it does not undo twice
        text = text.replace(f"%{ord(character):02X}", character)
    return text


def read(printed: str) -> list[Annotation]:
    """What the runner makes of each line; a line that is no command, or holds another property, is refused."""
    found = []
    for line in printed.removesuffix("\n").split("\n"):
        told = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        assert told, line
        name, _, title = told[2].partition("=")
        assert name == "title"
        assert "," not in title
        found.append(
            Annotation(kind=told[1], title=unescaped(title, "\r\n:,"), text=unescaped(told[3], "\r\n")),
        )
    return found


def shown(report: dict[str, Any]) -> list[Annotation]:
    return read(annotations.commands(report))


def test_the_verdict_comes_first_then_the_gravest() -> None:
    assert [(each.kind, each.title) for each in shown(samples.mixed())] == [
        ("error", "nonconformant: scailabs/poolnoodle-omni on https://grid.example.com"),
        ("error", "response.data-id (MUST)"),
        ("error", "stream.done-is-last (MUST)"),
        ("error", "errors.code (MUST)"),
        ("error", "tools.forced (MUST)"),
        ("warning", "stream.unbuffered (SHOULD)"),
        ("notice", "stream.comments (MAY)"),
    ]


def test_a_strict_run_makes_errors_of_warnings() -> None:
    kinds = {each.title: each.kind for each in shown(samples.mixed(strict=True))}

    assert kinds["stream.unbuffered (SHOULD)"] == kinds["tools.many (SHOULD)"] == "error"


def test_a_failure_says_what_was_asked_what_was_found_and_where() -> None:
    failure = next(each for each in shown(samples.mixed()) if each.title == "response.data-id (MUST)")

    assert failure.text.split("\n") == [
        "The answer keeps response.data-id.",
        "expected: a string",
        "found: 7",
        "where: /data/id, in the exchange response.bern",
    ]


def test_what_is_undecided_says_why() -> None:
    undecided = next(each for each in shown(samples.mixed()) if each.title == "tools.forced (MUST)")

    assert undecided.text.endswith(f"\n{samples.REASONS['inconclusive']}")


def test_a_conformant_run_is_one_notice() -> None:
    (only,) = shown(samples.clean())

    assert (only.kind, only.title.split(":")[0]) == ("notice", "conformant")
    assert only.text.endswith("2 of 2 requirements were seen kept.")


def test_a_run_that_decided_nothing_is_an_error_with_its_reason() -> None:
    (only,) = shown(samples.aborted())

    assert (only.kind, only.title.split(":")[0]) == ("error", "aborted")
    assert "\nThe target could not be reached: connection refused.\n" in only.text


@pytest.mark.parametrize(
    "level,kind,verdict_of_the_same_kind", [("MUST", "error", 1), ("SHOULD", "warning", 0), ("MAY", "notice", 1)]
)
@pytest.mark.parametrize("number", [9, 10, 11, 200])
def test_nothing_is_lost_to_the_ten_that_github_keeps(
    level: str, kind: str, verdict_of_the_same_kind: int, number: int
) -> None:
    rows = [samples.row(f"response.r{number:03}", "fail", level=level) for number in range(number)]
    found = [each for each in shown(samples.report(rows)) if each.kind == kind]
    named = [each for each in found if each.title.startswith("response.")]

    assert len(found) <= 10
    assert len(named) + verdict_of_the_same_kind == len(found) or found[-1].title == f"and {number - len(named)} more"
    if len(named) < number:
        assert found[-1].text.startswith(f"response.r{len(named):03}, ")


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.characters(), max_size=40))
@example(text="\n::add-mask::x")
@example(text="::stop-commands::x\r\n##[add-mask]x")
@example(text="%0A::error::x%250A,title=y:")
def test_any_text_makes_only_our_commands(text: str) -> None:
    found = shown(samples.hostile(text)[0])

    assert len(found) == 8
    assert not any(UNSEEN.search(each.text.replace("\n", "")) for each in found)
    assert all(f"\nfound: {visible(text)}\n" in each.text for each in found if "fail" in each.title)
