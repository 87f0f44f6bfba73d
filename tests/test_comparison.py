"""Two runs compared: what broke, what changed and is legal, and what is noise."""

import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from conformance import schema
from conformance.comparison.manner import FIRST_TOKEN, TOGETHER, Manner, apart, far
from conformance.comparison.record import Run, compared
from conformance.report import html, markdown, terminal
from conformance.selection import NOT_SELECTED, Selection
from tests import report_samples as samples
from tests.compared_runs import difference, embedded, moody

LISTS = ("regressions", "warnings", "improvements", "options", "changes", "lost", "decided", "added", "removed")
NAMES = ("response.id", "stream.done-is-last", "errors.json")
Place = Callable[[str], Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return tmp_path_factory.mktemp


@pytest.fixture(scope="module")
def reference(place: Place) -> Path:
    return embedded(place("reference"))


def ids(diff: Mapping[str, Any], name: str) -> list[str]:
    return [each["id"] for each in diff[name]]


def legal(diff: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What changed without a verdict, each as its kind and its names."""
    return ((each["kind"], tuple(each["names"])) for each in diff["changes"] if not each["of"])


def assert_unchanged(diff: Mapping[str, Any]) -> None:
    assert {name: diff[name] for name in LISTS if diff[name]} == {}
    assert (diff["result"], diff["moods"], diff["fallen"], diff["classes"]) == ("unchanged", [], [], {})


# Noise.


def test_a_run_of_the_same_server_changes_nothing(reference: Path, place: Place) -> None:
    diff = difference(reference, embedded(place("again")))

    assert_unchanged(diff)
    assert diff["compared"] == {"requirements": 262, "exchanges": 134}
    assert diff["differences"] == []


def test_generated_requests_change_nothing_whatever_they_were_drawn_from(place: Place) -> None:
    first, *others = (
        embedded(place("seed"), selection=Selection(examples=6, seed=seed, shrinks=0)) for seed in (1, 1, 2, 3)
    )

    for other in others:
        assert_unchanged(difference(first, other))


@pytest.mark.parametrize("mood", ["silent", "stuttering", "tool-happy", "reasoning-first"])
def test_a_model_with_a_mood_changes_nothing(place: Place, mood: str) -> None:
    assert_unchanged(difference(moody(place(mood), mood), moody(place(mood), mood)))


@pytest.mark.parametrize("variant", ["busy-now-and-then", "breaks-off-now-and-then"])
def test_a_bad_hour_is_no_change(reference: Path, place: Place, variant: str) -> None:
    assert list(legal(difference(reference, embedded(place(variant), variant)))) == []


# Changed, but legal.


ODD = {
    "looks": (
        "fields-of-a-proxy",
        "comments-between",
        "role-in-every-chunk",
        "answers-with-tool-calls-null",
        "takes-no-unknown-member",
        "key-bare-is-missing",
        "errors-400-for-bounds",
    ),
    "pace": ("deltas-of-a-character", "slow-first-token", "takes-flat-sounds", "stream-with-charset"),
    "pieces": ("bytes-of-thirty-events",),
    "protocol": ("http-1-0",),
}
"""Legal servers, each odd in several ways."""


@pytest.fixture(scope="module")
def odd(reference: Path, place: Place) -> Mapping[str, Mapping[str, Any]]:
    return {name: difference(reference, embedded(place(name), *variants)) for name, variants in ODD.items()}


@pytest.mark.parametrize("name", ODD)
def test_a_legal_change_is_no_regression(odd: Mapping[str, Mapping[str, Any]], name: str) -> None:
    diff = odd[name]

    assert diff["result"] == "changed"
    assert [diff[each] for each in ("regressions", "warnings", "improvements", "fallen")] == [[], [], [], []]
    assert schema.defects("diff.schema.json", diff) == ()


@pytest.mark.parametrize(
    "server,kind,name",
    [
        ("looks", "header", "server"),
        ("looks", "stream", "comments"),
        ("looks", "member", "/choices/*/delta/role (string) in every chunk"),
        ("looks", "member", "/data/choices/*/message/tool_calls (null)"),
        ("looks", "reading", "errors.unknown-member"),
        ("looks", "reading", "auth.bare-key"),
        ("looks", "answer", "parameters.temperature-above"),
        ("pace", "header", "content-type"),
        ("pace", "chunking", "characters in a delta"),
        ("pace", "timing", "seconds to the first token"),
        ("pace", "reading", "multimodal.audio-base64-nested"),
        ("pieces", "chunking", "events that arrive together"),
        ("protocol", "protocol", "HTTP/1.0"),
    ],
)
def test_a_legal_change_is_told(odd: Mapping[str, Mapping[str, Any]], server: str, kind: str, name: str) -> None:
    assert [names for each, names in legal(odd[server]) if each == kind and name in names] != []


def test_another_reading_is_told_with_its_clause(odd: Mapping[str, Mapping[str, Any]]) -> None:
    (change,) = [each for each in odd["looks"]["changes"] if "errors.unknown-member" in each["names"]]

    assert (change["before"], change["after"]) == ("served", "refused with HTTP 422 VALIDATION_ERROR")
    assert [each["requirement"] for each in change["readings"]] == ["errors.unknown-member"]
    assert "It may be ignored or refused" in markdown.difference(odd["looks"])


# What broke, and what was mended.


@pytest.fixture(scope="module")
def faulty(place: Place) -> Path:
    return embedded(place("faulty"), "errors-of-streams-are-200")


def test_what_broke_is_a_regression_with_its_violation(reference: Path, faulty: Path) -> None:
    diff = difference(reference, faulty)

    assert (diff["result"], ids(diff, "regressions")) == ("regression", ["stream.errors-before-are-http"])
    assert diff["regressions"][0]["violations"][0]["found"] == "HTTP 200"
    assert diff["regressions"][0]["reproduce"].startswith("curl ")
    assert diff["fallen"] == ["errors", "run"]
    assert list(legal(diff)) == []


def test_what_was_mended_is_an_improvement(reference: Path, faulty: Path) -> None:
    diff = difference(faulty, reference)

    assert diff["result"] == "improvement"
    assert ids(diff, "improvements") == ["parameters.temperature-above", "stream.errors-before-are-http"]
    assert diff["improvements"][1]["violations"][0]["found"] == "HTTP 200"
    assert (diff["regressions"], diff["fallen"]) == ([], [])


def test_an_upgrade_with_three_faults_and_a_legal_change_is_told_as_that(reference: Path, place: Place) -> None:
    upgraded = embedded(
        place("upgraded"),
        "errors-of-streams-are-200",
        "usage-without-total",
        "error-without-an-end-marker",
        "fields-of-a-proxy",
    )
    diff = difference(reference, upgraded)

    assert diff["result"] == "regression"
    assert ids(diff, "regressions") == ["stream.errors-before-are-http", "stream.done-after-error", "response.usage"]
    assert ids(diff, "warnings") == ["parameters.temperature-above"]
    assert [diff[name] for name in ("improvements", "added", "removed")] == [[], [], []]
    assert {kind for kind, _ in legal(diff)} == {"header"}
    assert any("via" in names for _, names in legal(diff))


def test_what_stays_broken_is_no_change(faulty: Path, place: Place) -> None:
    diff = difference(faulty, embedded(place("faulty again"), "errors-of-streams-are-200"))

    assert_unchanged(diff)
    assert diff["broken"] == ["parameters.temperature-above", "stream.errors-before-are-http"]


def test_a_should_that_broke_is_a_warning_and_strictly_a_regression(reference: Path, place: Place) -> None:
    after = embedded(place("plain"), "errors-called-plain-text")

    lenient, strict = difference(reference, after), difference(reference, after, strict=True)

    assert (lenient["result"], ids(lenient, "warnings")) == ("changed", ["errors.json"])
    assert (strict["result"], ids(strict, "regressions")) == ("regression", ["errors.json"])
    assert [(each["names"], each["of"]) for each in lenient["changes"]] == [(["content-type"], ["errors.json"])]


# Reports alone.


def reports(was: str, now: str, *, level: str = "MUST", name: str = NAMES[0], **changes: Any) -> dict[str, Any]:
    """The comparison of two reports that differ in one requirement."""
    before = samples.report([samples.row(name, was, level=level), samples.row(NAMES[2])])
    after = samples.report([samples.row(name, now, level=level), samples.row(NAMES[2])], **changes)
    diff = compared(*(Run(report=each, evidence=None, unread="it is gone") for each in (before, after)))
    assert schema.defects("diff.schema.json", diff) == ()
    return diff


@pytest.mark.parametrize(
    "was,now,level,told",
    [
        ("pass", "fail", "MUST", "regressions"),
        ("pass", "fail", "SHOULD", "warnings"),
        ("pass", "fail", "MAY", "options"),
        ("fail", "pass", "MUST", "improvements"),
        ("fail", "pass", "MAY", "improvements"),
        ("pass", "inconclusive", "MUST", "lost"),
        ("fail", "error", "MUST", "lost"),
        ("pass", "untested", "MUST", "lost"),
        ("pass", "not_applicable", "MUST", "lost"),
        ("inconclusive", "fail", "MUST", "decided"),
        ("untested", "pass", "MUST", "decided"),
        ("untested", "inconclusive", "MUST", ""),
        ("fail", "fail", "MUST", ""),
    ],
)
def test_a_verdict_moves(was: str, now: str, level: str, told: str) -> None:
    diff = reports(was, now, level=level)

    assert [name for name in LISTS if diff[name]] == ([told] if told else [])
    assert (diff["result"] == "regression") == (told == "regressions" or (was, now) == ("inconclusive", "fail"))


def test_a_target_that_is_no_longer_conformant_has_regressed_though_nothing_was_kept_before() -> None:
    assert reports("not_applicable", "fail")["fallen"] == ["core", "run"]
    assert reports("not_applicable", "fail", selection="--only stream")["fallen"] == []


def test_what_a_mood_leaves_undecided_is_no_change() -> None:
    diff = reports("pass", "inconclusive", name="messages.history-used")

    assert (diff["result"], diff["moods"], diff["lost"]) == ("unchanged", ["messages.history-used"], [])


def test_what_was_not_selected_is_not_compared() -> None:
    before = samples.report([samples.row(NAMES[0], "untested", explanation=NOT_SELECTED)])
    after = samples.report([samples.row(NAMES[0])])

    diff = compared(*(Run(report=each, evidence=None) for each in (before, after)))

    assert (diff["result"], diff["decided"]) == ("unchanged", [])


def test_requirements_of_one_report_only_are_new_or_removed() -> None:
    suite = {"version": "0.2.0", "catalogue": "sha256:" + "0b" * 32}
    before = samples.report([samples.row(name) for name in NAMES[:2]])
    after = samples.report([samples.row(NAMES[1]), samples.row(NAMES[2], "fail")], suite=suite)

    diff = compared(*(Run(report=each, evidence=None) for each in (before, after)))

    assert (ids(diff, "added"), ids(diff, "removed"), diff["fallen"]) == ([NAMES[2]], [NAMES[0]], [])
    assert [each["what"] for each in diff["differences"]] == ["catalogue", "version"]
    assert diff["result"] == "changed"


def test_what_the_runs_were_given_is_told_where_it_differs() -> None:
    other = {"url": "https://other.example.com:81", "profile": "openai", "model": "m"}
    diff = reports("pass", "pass", target=other, selection="--class core", strict=True, ended="interrupted")

    assert [each["what"] for each in diff["differences"]] == [
        "target",
        "profile",
        "model",
        "selection",
        "strict",
        "ended",
    ]
    assert diff["result"] == "unchanged"


def test_another_port_is_no_other_target() -> None:
    other = {"url": "https://grid.example.com:8443", "profile": "native", "model": "scailabs/poolnoodle-omni"}

    assert reports("pass", "pass", target=other)["differences"] == []


def test_a_run_without_evidence_is_compared_by_its_report() -> None:
    diff = reports("pass", "fail")

    assert (diff["result"], diff["before"]["evidence"], diff["compared"]["exchanges"]) == ("regression", False, 0)
    assert "cannot be read" in markdown.difference(diff)
    assert "it is gone" in markdown.difference(diff)


def test_a_capability_that_is_gone_is_told() -> None:
    capabilities = {"tools": {"has": False, "how": "found by asking"}, "vision": {"has": None, "how": "not asked"}}
    diff = reports("pass", "pass", capabilities=capabilities)

    assert [(each["kind"], each["names"], each["after"]) for each in diff["changes"]] == [
        ("capability", ["tools"], "no")
    ]


# Measures.


@pytest.mark.parametrize(
    "before,after,expected",
    [
        ([1.0] * 5, [2.0] * 5, True),
        ([2.0] * 5, [1.0] * 5, True),
        ([1.0] * 4, [2.0] * 4, False),
        ([1.0] * 5, [1.9] * 5, False),
        ([1, 1, 1, 4, 4], [1, 2, 2, 2, 2], False),
        ([0.0] * 5, [2.0] * 5, False),
    ],
)
def test_samples_are_apart_by_their_medians_and_their_middle_halves(
    before: list[float], after: list[float], *, expected: bool
) -> None:
    assert apart(before, after, ratio=2) == expected


def timed(seconds: list[float], refusing: list[float]) -> Manner:
    measures = {FIRST_TOKEN: {str(number): each for number, each in enumerate(seconds)}, TOGETHER: {}}
    return Manner(kinds={}, measures=measures, refusing=tuple(refusing), outcomes={})


@pytest.mark.parametrize(
    "seconds,refusing,expected",
    [
        ([0.9] * 6, [0.01] * 6, True),
        ([0.9] * 6, [0.5] * 6, False),
        ([0.2] * 6, [0.01] * 6, False),
        ([0.9] * 6, [0.01] * 2, False),
        ([0.9] * 5 + [0.01], [0.01] * 6, False),
    ],
    ids=["slow", "all is slow", "hardly slower", "no refusals to tell it by", "not all of them"],
)
def test_a_slow_first_token_is_told_from_a_slow_network(
    seconds: list[float], refusing: list[float], *, expected: bool
) -> None:
    assert far(FIRST_TOKEN, timed([0.05] * 6, [0.01] * 6), timed(seconds, refusing)) == expected


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\x1b[31m@team #1", "a|b\u202e`c`"])
def test_what_a_target_says_forms_no_markup_and_moves_no_cursor(text: str) -> None:
    before, _ = samples.hostile("calm")
    after, exchanges = samples.hostile(text)
    diff = compared(*(Run(report=each, evidence=None, unread=text) for each in (before, after)))
    diff["changes"] = [{"kind": "header", "names": [text], "says": text, "before": text, "after": text}]
    diff["changes"][0] |= {"readings": [], "of": []}
    console = Console(file=io.StringIO(), width=100)
    terminal.print_difference(diff, console)
    told = (console.file.getvalue(), markdown.difference(diff), html.page(after, exchanges, diff=diff))  # type: ignore[attr-defined]

    assert [page for page in told if "\x1b" in page or "\u202e" in page] == []
    assert [page for page in told[1:] if "<script>alert" in page] == []
    assert "@team" not in told[1]
