"""`chat-conformance report`: which formats, and where they go."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.commands import COMMAND, FILES, PATIENCE, called, environment, refused


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a small run against the embedded server."""
    directory = tmp_path_factory.mktemp("report") / "run"
    done = called("run", "--class", "core", "--output", directory, key=None)
    assert done.code == 0, done.said
    return directory


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


@pytest.mark.parametrize(
    "form,files",
    [
        ("html", {"report.html"}),
        ("markdown", {"summary.md"}),
        ("junit", {"junit.xml"}),
        ("badge", {"badge.svg", "badge.json"}),
    ],
)
def test_a_format_is_written_alone_and_nothing_is_printed(
    run: Path, tmp_path: Path, form: str, files: set[str]
) -> None:
    done = called("report", run, "--format", form, "--output", tmp_path / "new", key=None)

    assert (done.code, done.said) == (0, "")
    assert names(tmp_path / "new") == files
    for name in files & FILES:
        assert (tmp_path / "new" / name).read_bytes() == (run / name).read_bytes()


def test_formats_are_written_together_and_beside_the_report(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    before = names(tmp_path / "run")
    done = called("report", tmp_path / "run", "--format", "badge", "--format", "junit", key=None)

    assert done.code == 0
    assert names(tmp_path / "run") == before | {"badge.svg", "badge.json"}
    assert json.loads((tmp_path / "run" / "badge.json").read_bytes())["message"] == "conformant, 1 of 9 classes"


def test_without_a_format_the_three_of_every_run_go_where_they_are_told_to(run: Path, tmp_path: Path) -> None:
    done = called("report", run, "--output", tmp_path / "new", key=None)

    assert done.code == 0
    assert "CONFORMANT" in done.out
    assert names(tmp_path / "new") == FILES - {"report.json"}


def test_annotations_are_printed_and_are_utf_8_whatever_the_terminal_knows(run: Path, tmp_path: Path) -> None:
    report = json.loads((run / "report.json").read_bytes())
    report["target"]["model"] = "modèle"
    (tmp_path / "report.json").write_text(json.dumps(report), encoding="ascii")
    done = subprocess.run(
        [*COMMAND, "report", str(tmp_path), "--format", "github"],
        env=environment(None, PYTHONIOENCODING="ascii"),
        capture_output=True,
        timeout=PATIENCE,
        check=True,
    )

    assert done.stdout.decode("utf-8").startswith("::notice title=conformant%3A modèle on http%3A//127.0.0.1")
    assert names(tmp_path) == {"report.json"}


def test_only_html_needs_the_evidence(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "report.json", tmp_path)
    rest = [word for form in ("markdown", "junit", "badge", "github") for word in ("--format", form)]

    assert called("report", tmp_path, *rest, key=None).code == 0
    assert "evidence" in refused(called("report", tmp_path, "--format", "html", key=None))


def test_a_format_that_is_none_is_told(run: Path) -> None:
    message = refused(called("report", run, "--format", "sarif", key=None))

    assert "'sarif' is not one of 'html', 'markdown', 'junit', 'badge', 'github'" in message


def test_a_place_that_cannot_be_made_is_told(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="ascii")
    message = refused(called("report", run, "--format", "badge", "--output", tmp_path / "file" / "new", key=None))

    assert message.strip() == f"{tmp_path / 'file' / 'new'}: cannot be made: Not a directory; give another --output"
