"""Two runs compared from the command line: exit codes, forms, files, and mistakes."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import schema
from conformance.server.deviation import served
from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site
from tests.commands import FILES, called, refused
from tests.compared_runs import DEVIATIONS, KEY, embedded


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return embedded(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a server that answers a bad request for a stream with 200."""
    return embedded(tmp_path_factory.mktemp("bad"), "errors-of-streams-are-200")


@pytest.fixture
def url() -> Iterator[str]:
    with serve_in_thread(Site(keys=(KEY,))) as address:
        yield address


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "copy"))


def test_a_regression_exits_with_1_and_nothing_else_does(good: Path, bad: Path) -> None:
    worse, better, same = (called("diff", *pair) for pair in ((good, bad), (bad, good), (bad, bad)))

    assert (worse.code, better.code, same.code) == (1, 0, 0)
    assert "stream.errors-before-are-http  MUST, errors, pass → fail" in worse.out
    assert worse.out.endswith("REGRESSION  1 regression, 1 warning\n")
    assert better.out.endswith("IMPROVEMENT  2 improvements\n")
    assert same.out.endswith("UNCHANGED  nothing changed\n")


def test_the_json_keeps_its_schema(good: Path, bad: Path) -> None:
    done = called("diff", good, bad, "--format", "json")
    diff = json.loads(done.out)

    assert done.code == 1
    assert schema.defects("diff.schema.json", diff) == ()
    assert (diff["format"], diff["result"]) == ("chat-conformance-diff/1", "regression")


def test_the_markdown_names_what_broke(good: Path, bad: Path) -> None:
    done = called("diff", good, bad, "--format", "markdown")

    assert done.code == 1
    assert done.out.startswith("## ❌ regression: 1 regression, 1 warning\n")
    assert "**<code>stream.errors-before-are-http</code>**" in done.out


def test_evidence_that_cannot_be_read_leaves_the_reports(good: Path, copy: Path) -> None:
    (copy / "evidence.jsonl").write_text("torn", encoding="ascii")
    done = called("diff", copy, good)

    assert done.code == 0
    assert "The evidence of the run before cannot be read" in done.out


@pytest.mark.parametrize(
    "content,said",
    [
        (None, "no such file; chat-conformance judge"),
        ("{", "chat-conformance judge"),
        ("{}", "is it of another version?"),
        ("[]", "is it of another version?"),
    ],
)
def test_a_report_that_cannot_be_read_is_a_mistake(good: Path, copy: Path, content: str | None, said: str) -> None:
    file = copy / "report.json"
    file.unlink()
    if content is not None:
        file.write_text(content, encoding="ascii")

    for pair in ((copy, good), (good, copy)):
        message = refused(called("diff", *pair))
        assert message.startswith(f"{file}: ")
        assert said in message


def test_a_run_against_another_tells_what_changed_in_its_files(bad: Path, url: str, tmp_path: Path) -> None:
    place = tmp_path / "run"
    done = called("run", url, "--model", "reference/mini", "--output", place, "--against", bad, key=KEY)
    diff = json.loads((place / "diff.json").read_bytes())

    assert done.code == 0, done.said
    assert "IMPROVEMENT  2 improvements" in done.out
    assert schema.defects("diff.schema.json", diff) == ()
    assert [each["id"] for each in diff["improvements"]] == [
        "parameters.temperature-above",
        "stream.errors-before-are-http",
    ]
    assert "## ✅ improvement: 2 improvements" in (place / "summary.md").read_text(encoding="utf-8")
    assert 'id="changes"' in (place / "report.html").read_text(encoding="utf-8")

    before = {name: (place / name).read_bytes() for name in FILES}
    assert called("report", place).code == 0
    assert {name: (place / name).read_bytes() for name in FILES} == before
    assert called("judge", place).code == 0
    assert (place / "report.json").read_bytes() == before["report.json"]


def test_a_run_that_regressed_exits_with_1_and_compares_what_both_judged(good: Path, tmp_path: Path) -> None:
    broken = DEVIATIONS["errors-of-streams-are-200"]
    made = served([broken])
    with serve_in_thread(replace(made.site, keys=(KEY,)), made.conduct) as url:
        target = (url, "--model", "reference/mini", "--only", "stream.errors-before-are-http")
        done = called("run", *target, "--output", tmp_path / "run", "--against", good, key=KEY)

    assert done.code == 1, done.said
    assert "REGRESSION  1 regression" in done.out
    diff = json.loads((tmp_path / "run" / "diff.json").read_bytes())
    assert [each["what"] for each in diff["differences"]] == [
        "selection",
        "triggers",
        "capabilities",
        "max_output_tokens",
    ]
    assert (diff["compared"]["requirements"], diff["lost"], diff["removed"]) == (1, [], [])


def test_nothing_is_sent_where_the_earlier_run_cannot_be_read(url: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    message = refused(
        called("run", url, "--model", "m", "--output", tmp_path / "run", "--against", tmp_path / "empty", key=KEY)
    )

    assert "no such file" in message
    assert not (tmp_path / "run").exists()


def test_a_diff_that_was_edited_is_a_mistake(copy: Path) -> None:
    (copy / "diff.json").write_text("{}", encoding="ascii")

    assert "is it of another version?" in refused(called("report", copy))
