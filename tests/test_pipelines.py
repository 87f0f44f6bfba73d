"""The pipelines under examples/, and what GitHub and GitLab have published of the form of theirs."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.server.deviation import served
from conformance.server.faults import FAULTS
from conformance.server.hosting import serve_in_thread
from tests import composite
from tests.commands import KEY, PATIENCE, report_in

ROOT = composite.ROOT
EXAMPLES = ROOT / "examples"
GITLAB: dict[str, Any] = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8"))
GITHUB: dict[str, Any] = yaml.safe_load((EXAMPLES / "github-workflow.yml").read_text(encoding="utf-8"))
JENKINS = (EXAMPLES / "Jenkinsfile").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A job that has ended."""

    code: int
    log: str


def job(place: Path, lines: list[str], *, after: list[str], **variables: str) -> Ended:
    """Run the lines of a job as one script of bash that stops at the first that fails, then those that come after."""
    python = composite.python_in(place / "tools", place / "installs")
    around = {"PATH": f"{python.parent}:/usr/bin:/bin", "LANG": "C.UTF-8", "SCAIGRID_API_KEY": KEY, **variables}

    def ran(script: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-e", "-o", "pipefail", "-c", "\n".join(script)],
            cwd=place,
            env=around,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    done = ran(lines)
    more = ran(after).stdout if after else ""
    return Ended(code=done.returncode, log=done.stdout + more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A pipeline as lines of shell, with what it defines and keeps."""

    lines: list[str]
    after: list[str]
    variables: dict[str, str]
    kept: str
    junit: str


EACH = {
    "gitlab": Example(
        lines=GITLAB["conformance"]["script"],
        after=GITLAB["conformance"]["after_script"],
        variables=GITLAB["variables"],
        kept=GITLAB["conformance"]["artifacts"]["paths"][0],
        junit=GITLAB["conformance"]["artifacts"]["reports"]["junit"],
    ),
    "jenkins": Example(
        lines=re.findall(r"sh '(.*)'", JENKINS),
        after=[],
        variables=dict(re.findall(r"(CHAT_CONFORMANCE) = '(.*)'", JENKINS)) | {"BUILD_NUMBER": "7"},
        kept="conformance-report/7/",
        junit=re.findall(r'testResults: "(.*)",', JENKINS)[0].replace("${env.BUILD_NUMBER}", "7"),
    ),
}


@pytest.mark.parametrize(
    "name,fault,code", [("gitlab", (), 0), ("gitlab", ("no-done",), 1), ("jenkins", ("no-done",), 1)]
)
def test_a_pipeline_works_as_it_stands(tmp_path: Path, name: str, fault: tuple[str, ...], code: int) -> None:
    example = EACH[name]
    made = served([each for each in FAULTS if each.id in fault])
    with serve_in_thread(replace(made.site, keys=(KEY,)), made.conduct, wire=made.wire) as url:
        (tmp_path / "conformance.toml").write_text(
            f'[target]\nurl = "{url}"\nmodel = "reference/mini"\n', encoding="utf-8"
        )
        ended = job(tmp_path, example.lines, after=example.after, **example.variables)

    assert ended.code == code, ended.log
    assert (tmp_path / "installs").read_text(encoding="utf-8").endswith(f" {example.variables['CHAT_CONFORMANCE']}\n")
    assert report_in(tmp_path / example.kept)["verdict"] == ("nonconformant" if fault else "conformant")
    assert (tmp_path / example.junit).is_file()
    assert Path(example.junit).parent == Path(example.kept)
    assert (tmp_path / example.kept / "badge.json").is_file() == bool(example.after)


@pytest.mark.parametrize("example", EACH.values(), ids=EACH)
def test_a_pipeline_without_a_target_file_stops_with_the_reason(tmp_path: Path, example: Example) -> None:
    ended = job(tmp_path, example.lines, after=example.after, **example.variables)

    assert ended.code == 2
    assert "conformance.toml: no such file; give the path of a target file" in ended.log
    assert "Traceback" not in ended.log


def test_gitlab_keeps_what_was_seen_whatever_the_end() -> None:
    assert GITLAB["conformance"]["artifacts"]["when"] == "always"


def test_the_workflow_gives_the_action_inputs_that_it_has_and_reads_outputs_that_it_has(tmp_path: Path) -> None:
    told = composite.action()
    steps = GITHUB["jobs"]["conformance"]["steps"]
    (ours,) = (step for step in steps if "chat-conformance@" in step.get("uses", ""))
    read = set(re.findall(r"steps\.conformance\.outputs\.([a-z-]+)", json.dumps(steps)))
    (last,) = (step["run"] for step in steps if "run" in step)

    assert ours["id"] == "conformance"
    assert ours["with"].keys() <= told["inputs"].keys()
    assert read == {"verdict", "directory"}
    assert read <= told["outputs"].keys()
    (tmp_path / "badge.json").write_text("{}", encoding="ascii")
    assert job(tmp_path, [last], after=[], DIRECTORY=str(tmp_path)) == Ended(code=0, log="{}")


def test_no_key_stands_in_an_example() -> None:
    for file in EXAMPLES.iterdir():
        assert not re.search(r"sgk_|Bearer|api[-_]key:\s*[\"']?\w", file.read_text(encoding="utf-8")), file.name


@pytest.mark.parametrize(
    "schema,file",
    [
        ("github-actions", "action.yml"),
        ("github-workflows", "examples/github-workflow.yml"),
        ("github-workflows", ".github/workflows/ci.yml"),
        ("gitlab-ci", "examples/gitlab-ci.yml"),
    ],
)
def test_a_file_keeps_to_the_published_schema_of_its_place(schema: str, file: str) -> None:
    judged = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / file)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert judged.returncode == 0, judged.stdout + judged.stderr
