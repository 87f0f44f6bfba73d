"""The pages for people who work elsewhere: pipelines and releases."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import schema
from conformance.requirement import CLASSES
from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site
from conformance.stored import EXITS, INTERRUPTED
from conformance.target import Limits
from tests import composite
from tests.commands import KEY, called

DOCS = composite.ROOT / "docs"
PAGES = {
    name: (DOCS / name).read_text(encoding="utf-8") for name in ("in-ci.md", "before-a-release.md", "target-file.md")
}


def first_cells(page: str) -> list[str]:
    """The words in code that stand in the first cell of a row."""
    return [
        word for cell in re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE) for word in re.findall(r"`([^`]+)`", cell)
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", PAGES[name])

    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_the_inputs_of_the_action_are_all_told() -> None:
    told = first_cells(PAGES["in-ci.md"])

    assert sorted(name for name in told if name != "--strict") == sorted(composite.action()["inputs"])


def test_the_outputs_of_the_action_are_all_told() -> None:
    (told,) = re.findall(r"^Outputs: (.*?)\. ", PAGES["in-ci.md"], re.MULTILINE)

    assert set(re.findall(r"`([^`]+)`", told)) == composite.action()["outputs"].keys()


def test_every_exit_code_has_its_row() -> None:
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGES["in-ci.md"], re.MULTILINE)}

    assert told == {*EXITS.values(), 2, INTERRUPTED}


@pytest.mark.parametrize("table", ["target", "backend", "limits"])
def test_every_member_of_a_target_file_has_its_row(table: str) -> None:
    (told,) = re.findall(rf"## `\[{table}\]`\n(.*?)(?:\n## |\Z)", PAGES["target-file.md"], re.DOTALL)

    assert sorted(first_cells(told)) == sorted(schema.document("target.schema.json")["properties"][table]["properties"])


def test_the_defaults_of_limits_are_told_as_they_are() -> None:
    cells = dict(re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", PAGES["target-file.md"], re.MULTILINE))
    limits = Limits()

    assert {name: int(number.replace(",", "")) for name, number in cells.items()} == {
        "concurrency": limits.concurrency,
        "max_requests": limits.requests,
        "max_tokens": limits.tokens,
        "timeout": limits.timeout,
    }


def test_every_trigger_has_its_row() -> None:
    known = schema.document("target.schema.json")["properties"]["triggers"]["properties"]

    assert first_cells(PAGES["before-a-release.md"]) == list(known)


def test_every_class_is_named() -> None:
    (told,) = re.findall(r"## Choose the classes\n(.*?)\n##", PAGES["before-a-release.md"], re.DOTALL)

    assert set(CLASSES) <= set(re.findall(r"`([^`]+)`", told))


def test_the_first_runs_of_a_release_work_as_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(
        r"<!-- run by tests/test_pages.py -->\n```sh\n(.*?)```", PAGES["before-a-release.md"], re.DOTALL
    )
    with serve_in_thread(replace(Site(), keys=(KEY,))) as url:
        (tmp_path / "grid.toml").write_text(f'[target]\nurl = "{url}"\nmodel = "reference/mini"\n', encoding="utf-8")
        for line in block.splitlines():
            program, *arguments = shlex.split(line)
            done = called(*arguments)
            assert (program, done.code) == ("chat-conformance", 0), f"{line}\n{done.said}"

    assert json.loads((tmp_path / "full" / "report.json").read_bytes())["verdict"] == "conformant"
