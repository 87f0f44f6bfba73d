import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import board
from conformance.report import overview
from conformance.report.history import WHAT, Identity, Run, histories, identity, run
from conformance.report.trend import MOST, trend
from conformance.report.visible import UNSEEN, visible
from tests import report_samples as samples
from tests.board_samples import GRID, KNOWN, OTHER, a_year, laid
from tests.commands import called, command, refused
from tests.test_report_html import HOSTILE, Document


def made(report: dict[str, Any], place: str = "run") -> Run:
    return run(report, place=place, page="")


def page(*reports: dict[str, Any]) -> Document:
    (history,) = histories(map(made, reports))
    return Document(overview.page(history))


def files(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def assert_sound(document: Document) -> None:
    """Nothing from outside, no script, no handler, and no link to a section that is not there."""
    assert document.open == []
    assert len(document.ids) == len(set(document.ids))
    for tag, attributes in document.elements:
        assert tag not in ("script", "img", "iframe", "link", "form", "object")
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "style", "title")]
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in document.ids
        for identity_ in attributes.get("aria-labelledby", "").split():
            assert identity_ in document.ids
    assert ":" not in "".join(attributes.get("href", "") for _, attributes in document.elements)
    assert len(document.all("h1")) == 1
    levels = [int(tag[1]) for tag, _ in document.elements if re.fullmatch("h[1-6]", tag)]
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


# The command.


def test_a_board_is_an_index_and_a_page_for_each_target(tmp_path: Path) -> None:
    a_year(tmp_path)
    done = command("board", tmp_path)

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "targets: 2, runs: 5, left out: 0",
        f"board: {tmp_path / 'board' / 'index.html'}",
    ]
    assert sorted(files(tmp_path / "board")) == sorted(
        ["index.html", *(f"{identity(target).slug}.html" for target in (GRID, OTHER))]
    )
    index = Document((tmp_path / "board" / "index.html").read_text(encoding="utf-8"))
    links = [each["href"] for each in index.all("a") if not each["href"].startswith("#")]
    assert links == [f"{identity(target).slug}.html" for target in (GRID, OTHER)]


def test_equal_reports_give_equal_bytes_wherever_they_stand(tmp_path: Path) -> None:
    for name in ("one", "another"):
        a_year(tmp_path / name)
        assert called("board", tmp_path / name).code == 0
    before = files(tmp_path / "one" / "board")
    assert called("board", tmp_path / "one").code == 0

    assert before == files(tmp_path / "another" / "board") == files(tmp_path / "one" / "board")


def test_the_links_lead_from_the_pages_to_the_reports(tmp_path: Path) -> None:
    laid(tmp_path / "runs" / "a:b #1?%20 <i>", samples.mixed())
    laid(tmp_path / "runs" / "without", samples.clean(), page=False)
    output = tmp_path / "elsewhere" / "board"
    assert called("board", tmp_path / "runs", "--output", output).code == 0
    (target,) = (file for file in output.iterdir() if file.name != "index.html")

    (link,) = [
        each["href"]
        for each in Document(target.read_text(encoding="utf-8")).all("a")
        if each["href"].endswith("report.html")
    ]
    assert not re.search(r"[:#? <]", link)
    assert (output / unquote(link)).resolve() == tmp_path / "runs" / "a:b #1?%20 <i>" / "report.html"


def test_what_is_no_report_is_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    a_year(tmp_path)
    broken = {
        "cut": b'{"format": ',
        "foreign": b'{"format": "another/1"}',
        "latin": b"\xe9",
        "time": json.dumps(samples.clean() | {"started": "2026-13-01T00:00:00Z"}).encode(),
    }
    for name, content in broken.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes(content)
    (tmp_path / "folder" / "report.json").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "report.json")
    (tmp_path / "unread").mkdir()
    (tmp_path / "unread" / "report.json").symlink_to("/proc/self/mem")  # a file that nobody can read, not even root
    laid(tmp_path / "twice", json.loads((tmp_path / "other" / "report.json").read_text(encoding="ascii")))
    done = command("board", tmp_path)

    assert done.code == 0
    assert done.out.startswith("targets: 2, runs: 5, left out: 7\n")
    assert [line.partition(": ")[2] for line in done.err.splitlines()] == [
        "left out cut/report.json: not JSON: Expecting value at character 11",
        "left out foreign/report.json: no report of this version: the whole: 'capabilities' is missing",
        "left out latin/report.json: not JSON: not UTF-8: byte 0 (unexpected end of data)",
        "left out pipe/report.json: not a file",
        "left out time/report.json: no report of this version: /started: 2026-13-01T00:00:00Z is no time",
        "left out twice/report.json: the same report as other/report.json",
        "left out unread/report.json: cannot be read: Input/output error",
    ]
    text = Document((tmp_path / "board" / "index.html").read_text(encoding="utf-8")).text
    assert "the same report as other/report.json" in text
    assert "Left out 7" in text


def test_a_folder_without_a_report_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    assert "no report to show; chat-conformance run --output" in refused(called("board", tmp_path))
    (tmp_path / "report.json").write_text("[]", encoding="ascii")
    assert "no report to show; report.json: no report of this version" in refused(called("board", tmp_path))
    assert not (tmp_path / "board").exists()
    assert "does not exist" in refused(called("board", tmp_path / "nowhere"))


def test_a_report_too_deep_down_is_not_looked_for_and_that_is_told(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"12345678")
    laid(deep, samples.clean())
    laid(deep / "9", samples.mixed())
    done = called("board", tmp_path)

    assert done.out.startswith("targets: 1, runs: 1, left out: 1\n")
    assert done.err == "warning: left out 1/2/3/4/5/6/7/8: not searched below, 8 folders deep\n"


def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    laid(tmp_path / "run", samples.clean())
    (tmp_path / "run" / "again").symlink_to(tmp_path)

    assert called("board", tmp_path).out.startswith("targets: 1, runs: 1, left out: 0\n")


def test_too_many_reports_are_refused_before_they_are_shown(tmp_path: Path) -> None:
    for number in range(board.MOST_REPORTS + 1):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "report.json").write_bytes(b"")

    assert "more than 2,000 reports; give a directory further down" in refused(called("board", tmp_path))


def test_a_report_beyond_all_measure_is_not_read(tmp_path: Path) -> None:
    laid(tmp_path / "run", samples.clean())
    (tmp_path / "huge").mkdir()
    with (tmp_path / "huge" / "report.json").open("wb") as file:
        file.truncate(board.LARGEST + 1)

    assert called("board", tmp_path).err == "warning: left out huge/report.json: larger than 67,108,864 bytes\n"


def test_a_board_that_cannot_be_written_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    laid(tmp_path / "run", samples.clean())
    (tmp_path / "board" / "index.html").mkdir(parents=True)

    assert "index.html: cannot be written: Is a directory" in refused(called("board", tmp_path))


# Who is the same target.


@pytest.mark.parametrize(
    "url, place",
    [
        ("https://Grid.Example.com", "grid.example.com"),
        ("https://grid.example.com:443/", "grid.example.com"),
        ("http://grid.example.com", "grid.example.com"),
        ("http://grid.example.com:443", "grid.example.com:443"),
        ("https://grid.example.com/eu/", "grid.example.com/eu"),
        ("http://127.0.0.1:33441", "127.0.0.1"),
        ("http://localhost:8080/a", "localhost/a"),
        ("http://[::1]:9/", "[::1]"),
        ("http://[2001:db8::1]:9", "[2001:db8::1]:9"),
        ("http://key:secret@grid.example.com", "grid.example.com"),
        ("http://host:99999", "http://host:99999"),
        ("http://[", "http://["),
        ("\udcff", "\udcff"),
    ],
)
def test_a_target_is_known_by_its_place(url: str, place: str) -> None:
    assert identity(GRID | {"url": url}).place == place


def test_another_model_or_profile_is_another_target() -> None:
    names = {identity(GRID), identity(GRID | {"model": "small"}), identity(GRID | {"profile": "openai"})}

    assert len({name.slug for name in names}) == 3


@given(place=st.text(), model=st.text())
def test_the_file_of_a_target_has_a_tame_name(place: str, model: str) -> None:
    one, another = (Identity(place=place, model=name, profile="native") for name in (model, f"{model}."))

    assert re.fullmatch(r"[a-z0-9.-]{13,80}", f"{one.slug}")
    assert not one.slug.startswith(("-", ".")) or one.slug[1:].isalnum()
    assert one.slug != another.slug


# What a page tells.


def test_runs_stand_in_the_order_of_time_not_of_names() -> None:
    times = ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z")
    (history,) = histories(
        made(samples.clean() | {"started": time}, place) for time, place in zip(times, "abc", strict=True)
    )

    assert [each.place for each in history.runs] == ["c", "b", "a"]


def test_the_first_page_tells_the_newest_verdict_of_each_class_in_words(tmp_path: Path) -> None:
    called("board", a_year(tmp_path))
    text = " ".join(Document((tmp_path / "board" / "index.html").read_text(encoding="utf-8")).text.split())

    for told in (
        "2 targets, 5 runs.",
        "1 conformant 1 nonconformant 0 incomplete 0 aborted",
        "grid.example.com scailabs/poolnoodle-omni native, 4 runs",
        "✗ nonconformant was conformant 2026-07-01 08:00 looked at --only stream only suite 0.1.0, catalogue 0a0a0a0a",
        "core✗ nonconformant",
        "streaming◐ partial",
        "audio○ not applicable",
        "toolsnot told",
    ):
        assert told in text


def test_the_table_holds_the_numbers_of_the_drawing() -> None:
    runs = [made(report) for report in (samples.clean(), samples.mixed(), samples.aborted())]
    drawing = trend(runs)

    assert [[bar.number for bar in panel.bars] for panel in drawing.panels] == [
        [each.kept for each in runs],
        [each.broken for each in runs],
        [each.in_doubt for each in runs],
    ]
    assert [each.kept for each in runs] == [2, 1, 0]
    assert [(each.broken, each.broken_musts, each.in_doubt, each.unseen) for each in runs] == [
        (0, 0, 0, 0),
        (4, 2, 3, 2),
        (0, 0, 0, 1),
    ]
    assert drawing.text == "Runs 1 to 3, the oldest first. Kept: 2, 1, 0. Broken: 0, 4, 0. In doubt: 0, 3, 0."


def test_of_many_runs_the_newest_are_drawn() -> None:
    drawing = trend([made(samples.clean())] * (MOST + 12))

    assert [column.number for column in drawing.columns] == list(range(13, MOST + 13))
    assert drawing.text.startswith(f"Runs 13 to {MOST + 12},")


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), min_size=1, max_size=5))
@settings(deadline=None, max_examples=30)
def test_every_bar_stands_inside_the_drawing(numbers: list[tuple[int, int]]) -> None:
    runs = []
    for kept, broken in numbers:
        rows = [samples.row(f"a.k{n}") for n in range(kept)] + [samples.row(f"a.b{n}", "fail") for n in range(broken)]
        runs.append(made(samples.report(rows)))
    drawing = trend(runs)

    for panel in drawing.panels:
        for bar in panel.bars:
            assert drawing.bar // 2 <= bar.x <= drawing.width - drawing.bar // 2
            assert 20 <= bar.y <= panel.floor < drawing.height
            assert bar.y + bar.height == panel.floor
            assert bool(bar.height) == bool(bar.number)


def test_what_changed_is_told_by_gravity() -> None:
    before = {"b": "pass", "m": "fail", "l": "pass", "d": "inconclusive", "c": "untested", "g": "pass", "same": "fail"}
    after = {"same": "fail", "n": "pass", "c": "inconclusive", "d": "pass", "l": "error", "m": "pass", "b": "fail"}
    reports = [
        samples.report([samples.row(f"a.{name}", verdict) for name, verdict in each.items()], started=started)
        for each, started in ((before, "2026-01-01T00:00:00Z"), (after, "2026-01-02T00:00:00Z"))
    ]
    (history,) = histories(map(made, reports))
    (step,) = history.steps

    assert [(turn.what, turn.row.id) for turn in step.turns] == [
        (what, f"a.{name}") for what, name in zip(WHAT, "bmldcng", strict=True)
    ]
    text = page(*reports).text
    assert "Run 1 to run 2 1 broken, 1 mended, 1 no longer decided" in text


def test_a_new_requirement_that_fails_is_broken_first_of_all() -> None:
    (history,) = histories(map(made, (samples.clean() | {"started": "2025-01-01T00:00:00Z"}, samples.mixed())))

    assert [(turn.row.id, turn.what, turn.before) for turn in history.steps[0].turns][:2] == [
        ("response.data-id", "broken", ""),
        ("stream.done-is-last", "broken", "pass"),
    ]


def test_what_only_one_selection_tested_is_no_change() -> None:
    wide = samples.report(
        [samples.row(f"a.{name}", verdict) for name, verdict in zip("xyz", ("pass",) * 3, strict=True)]
    )
    narrow = samples.report(
        [samples.row("a.x", "untested"), samples.row("a.y"), samples.row("a.z", "fail")],
        selection="--only a.y",
        started="2026-12-01T00:00:00Z",
    )
    (history,) = histories(map(made, (wide, narrow)))
    (step,) = history.steps

    assert ([turn.row.id for turn in step.turns], step.one_sided) == (["a.z"], 1)
    assert "Run 1 was of everything, run 2 of --only a.y." in page(wide, narrow).text


def test_another_catalogue_is_told_beside_the_changes() -> None:
    later = samples.mixed(started="2027-01-01T00:00:00Z") | {
        "suite": {"version": "0.2.0", "catalogue": "sha256:" + "1b" * 32}
    }

    assert "two versions of the suite or of its catalogue" in page(samples.mixed(), later).text


def test_known_failures_are_told_where_the_report_has_them() -> None:
    report = samples.mixed() | {"baseline": [KNOWN]}
    document = page(report)

    assert_sound(document)
    for told in (KNOWN["requirement"], KNOWN["reason"], KNOWN["link"], KNOWN["until"], "Known failures 1"):
        assert told in document.text
    assert "with 1 known failure" in overview.index(histories([made(report)]), ())
    assert "Known failures" not in page(samples.mixed()).text


def test_a_single_run_has_nothing_to_be_compared_with() -> None:
    assert "There is one run only" in page(samples.clean()).text


# What targets say is text.


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text: str, tmp_path: Path) -> None:
    first, _ = samples.hostile(text[:100_000])
    second = first | {"started": "2027-01-01T00:00:00Z", "selection": "everything"}
    for number, report in enumerate((first, second)):
        laid(tmp_path / str(number), report, page=False)
    done = called("board", tmp_path)
    pages = {name: Document(content.decode()) for name, content in files(tmp_path / "board").items()}

    assert done.out.startswith("targets: 1, runs: 2, left out: 0\n")
    assert len(pages) == 2
    for name, document in pages.items():
        assert_sound(document)
        assert not UNSEEN.search(document.text.replace("\n", ""))
        assert visible(text)[:200] in document.text, name


@settings(deadline=None, max_examples=30)
@given(text=st.text(st.characters(), min_size=1, max_size=30))
def test_any_text_makes_sound_pages(text: str) -> None:
    report, _ = samples.hostile(text)
    targets = histories([made(report, text)])
    left_out = (overview.LeftOut(place=text, reason=text),)

    for written in (overview.index(targets, left_out), overview.page(targets[0])):
        assert_sound(Document(written))
        written.encode("utf-8")
