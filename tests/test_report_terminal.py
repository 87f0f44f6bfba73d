import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from conformance.exchange import Ending
from conformance.report import difference, terminal
from conformance.report.findings import rates_told
from conformance.report.visible import UNSEEN, visible
from tests import report_samples as samples


def printed(report: dict[str, Any], **options: Any) -> str:
    file = io.StringIO()
    terminal.print_report(report, Console(file=file, _environ={}, **options))
    return file.getvalue()


def test_a_log_is_plain_and_at_most_a_hundred_wide() -> None:
    text = printed(samples.mixed())
    lines = [line for line in text.splitlines() if line not in samples.CURL.splitlines()]

    assert "\x1b" not in text
    assert 80 < max(len(line) for line in lines) <= 100


def test_a_terminal_has_colours() -> None:
    assert "\x1b[1;31m" in printed(samples.mixed(), force_terminal=True, color_system="standard")


def test_a_failure_shows_expected_found_where_and_the_command_in_one_piece() -> None:
    text = printed(samples.mixed())

    assert "Failures: 2\n" in text
    assert "  response.data-id  MUST, core, stated\n" in text
    assert "    expected a string\n    found    7\n    where    /data/id of response.bern\n" in text
    assert samples.CURL in text


def test_every_fate_is_told() -> None:
    text = printed(samples.mixed())

    for line in (
        "Errors of the suite: 1",
        "Inconclusive, and needed for a verdict: 1",
        "Warnings (SHOULD): 1",
        "Notes (MAY): 1",
        "Untested: 1",
        "   1  The target file has no trigger mid_stream_error.",
        "Not applicable: 1",
    ):
        assert line in text.splitlines()


def test_classes_stand_in_a_table_with_their_counts() -> None:
    lines = [line.split() for line in printed(samples.mixed()).splitlines()]

    assert ["class", "result", "pass", "fail", "inconclusive", "error", "untested", "not", "applicable"] in lines
    assert ["core", "nonconformant", "1", "1", "-", "-", "-", "-"] in lines


@pytest.mark.parametrize(
    "report, verdict",
    [
        (samples.mixed(), "NONCONFORMANT  2 failed, 1 in error, 2 inconclusive, 1 warnings, 1 passed"),
        (samples.clean(), "CONFORMANT  2 passed"),
        (samples.aborted(), "ABORTED  nothing was judged"),
    ],
)
def test_the_verdict_is_the_last_line(report: dict[str, Any], verdict: str) -> None:
    assert printed(report).splitlines()[-1] == verdict


def test_an_aborted_run_says_why_before_all_else_and_tells_what_it_left_open_by_reason() -> None:
    report = samples.aborted()
    rows = [samples.row(f"a.{name}", "inconclusive", explanation="no answer: unreachable") for name in ("one", "two")]
    lines = printed({**report, "requirements": rows}).splitlines()

    assert lines[3] == f"Aborted: {report['reason']}"
    assert "Undecided: 2" in lines
    assert "   2  no answer: unreachable" in lines


KEPT = "kept each time, which excludes a rate of 9 %, or of less."


@pytest.mark.parametrize(
    "observed,told",
    [
        (
            [(20, 0)],
            "1 requirement was observed 20 times. It was kept each time, which excludes a rate of 9 %, or of less.",
        ),
        ([(20, 1), (8, 2)], "2 requirements were observed 8 to 20 times."),
        ([(20, 1), (20, 0)], f"2 requirements were observed 20 times. 1 of them was {KEPT}"),
    ],
)
def test_rates_are_told_in_numbers_that_agree(observed: list[tuple[int, int]], told: str) -> None:
    rows = [{"observed": {"of": of, "broken": broken, "excludes": 0.09}} for of, broken in observed]

    assert rates_told(rows) == told


def test_a_section_of_a_difference_counts_requirements_where_an_entry_names_several() -> None:
    empty = dict.fromkeys(("changes", "regressions", "warnings", "improvements", "options", "decided", "added"), ())
    row = {"before": "pass", "after": "untested", "why": "not selected", "violations": []}
    lost = [{"id": identity, **row} for identity in ("a.one", "a.two")]
    diff = {**empty, "removed": (), "lost": lost, "strict": False}
    (section,) = difference.sections(diff)

    assert (section.number, len(section.entries)) == (2, 1)
    assert difference.headline(diff) == "2 lost sight of"


def test_markup_of_the_target_is_shown_and_not_obeyed() -> None:
    text = printed(samples.hostile("[bold]x[/bold] [link=e]")[0], force_terminal=True, color_system=None)

    assert "found    [bold]x[/bold] [link=e]" in text


def test_emoji_codes_and_addresses_are_left_alone() -> None:
    assert "found    :smile: http://e.example" in printed(samples.hostile(":smile: http://e.example")[0])


def test_an_escape_sequence_does_not_reach_the_terminal() -> None:
    assert "found    ‹ESC›[2J‹ESC›]8;;e‹BEL›" in printed(samples.hostile("\x1b[2J\x1b]8;;e\x07")[0])


def test_a_console_of_few_characters_gets_escapes() -> None:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    terminal.print_report(samples.hostile("Grüß\x1b")[0], Console(file=file, _environ={}))
    file.flush()

    assert rb"found    Gr\xfc\xdf\u2039ESC\u203a" in raw.getvalue()


@settings(deadline=None, max_examples=40)
@given(text=st.text(st.characters(), max_size=40))
def test_any_text_reaches_a_terminal_only_in_print(text: str) -> None:
    colours = re.compile(r"\x1b\[[0-9;]*m")
    out = printed(samples.hostile(text)[0], force_terminal=True, color_system="standard", width=10_000)

    assert not UNSEEN.search(colours.sub("", out).replace("\n", ""))


@settings(deadline=None, max_examples=40)
@given(text=st.text("[]/bold@`|<>:\\ ", min_size=1, max_size=20).map(str.strip).filter(bool))
def test_any_markup_is_shown_to_the_character(text: str) -> None:
    assert f"found    {visible(text)}" in printed(samples.hostile(text)[0])


def test_a_bar_says_nothing_to_a_log() -> None:
    file = io.StringIO()
    with terminal.Bar(Console(file=file, _environ={}), total=2) as bar:
        bar.advance(samples.GREETING)

    assert file.getvalue() == ""


def test_a_bar_tells_how_far_it_is_where_and_what_broke() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=120, _environ={"TERM": "xterm"})
    with terminal.Bar(console, total=3) as bar:
        bar.advance(samples.GREETING)
        bar.advance(samples.unanswered(probe="errors.[bold]\x1b", ended=Ending.RESET))

    assert "2/3" in file.getvalue()
    assert "1 without a whole answer, errors.[bold]‹ESC›" in file.getvalue()


def test_a_retry_makes_the_bar_longer() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=120, _environ={"TERM": "xterm"})
    with terminal.Bar(console, total=1) as bar:
        bar.advance(samples.streamed([b"busy"], retried=True))
        bar.advance(samples.streamed([b"done"], attempt=2))

    assert "2/2" in file.getvalue()
