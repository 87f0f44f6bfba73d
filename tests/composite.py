"""A runner of composite actions, as small as ours needs: `run` steps by bash, `uses` steps by what is known of them."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.commands import PATIENCE

ROOT = Path(__file__).parent.parent
KNOWN = {"actions/setup-python@v5", "actions/upload-artifact@v4"}
SCRIPT = """#!/bin/sh
{body}
exec {python} {words}"$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """An action that has run."""

    code: int
    """0 where each step that was to run succeeded, else the exit code of the last that did not."""
    log: str
    """What the steps printed, both streams."""
    summary: str
    outputs: Mapping[str, str]
    """Those of the action."""
    artifact: Path
    """A copy of what was uploaded; not there where nothing was."""
    installs: str
    """What pip was told, a line each time."""

    @property
    def commands(self) -> list[str]:
        """The lines of the log that the runner would obey."""
        found, token = [], ""
        for line in self.log.splitlines():
            if token:
                token = "" if line.strip() == f"::{token}::" else token
            elif told := re.match(r"\s*::stop-commands::(.*)", line):
                token = told[1]
            elif line.lstrip().startswith("::") or "##[" in line:
                found.append(line)
        return found


@dataclass(slots=True, kw_only=True)
class _Job:
    """What the steps have done so far."""

    inputs: Mapping[str, str]
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    code: int = 0

    def value(self, text: str) -> str:
        """A scalar of the action with its expressions replaced; of these it knows two."""

        def replaced(expression: re.Match[str]) -> str:
            match expression[1].split("."):
                case ["inputs", name]:
                    return self.inputs[name]
                case ["steps", step, "outputs", name]:
                    return self.outputs.get(step, {}).get(name, "")
            raise AssertionError(f"nobody knows what {expression[0]} is")

        return re.sub(r"\$\{\{ (\S+) \}\}", replaced, text)

    def due(self, step: Mapping[str, Any]) -> bool:
        """Whether a step is to run: after a failure only one that says so."""
        if "if" not in step:
            return self.code == 0
        always, *others = step["if"].removeprefix("${{ ").removesuffix(" }}").split(" && ")
        assert always == "always()", step["if"]
        return all(map(self._holds, others))

    def _holds(self, condition: str) -> bool:
        told = re.fullmatch(r"steps\.(\S+?)\.(outcome|outputs\.(\S+)) != '(\w+)'", condition)
        assert told, f"nobody knows what {condition} is"
        step, _, output, value = told.groups()
        return (self.outputs.get(step, {}).get(output, "") if output else self.outcomes[step]) != value


def action() -> dict[str, Any]:
    """The action of this repository."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return found


def python_in(place: Path, installs: Path) -> Path:
    """A Python whose environments hold the suite as it is here, and whose pip only notes what it was told."""

    def script(name: str, body: str = "", words: str = "") -> Path:
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SCRIPT.format(body=body, python=sys.executable, words=words), encoding="utf-8")
        file.chmod(0o755)
        return file

    pip = f'if [ "$1 $2" = "-m pip" ]; then shift 2; echo "$@" >>"{installs}"; exit 0; fi'
    script("environment/python", pip)
    script("environment/chat-conformance", words="-m conformance.cli ")
    venv = f'if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3" && cp -R "{place}/environment" "$3/bin"; exit; fi'
    return script("bin/python", venv)


def run(place: Path, inputs: Mapping[str, str], **variables: str) -> Ran:
    """Run the action in the workspace `place / "workspace"`, in a job with these variables."""
    told = action()
    given = dict(inputs)
    assert given.keys() <= told["inputs"].keys()
    job = _Job(inputs={name: each["default"] for name, each in told["inputs"].items()} | given)
    workspace, temp, artifact = place / "workspace", place / "temp", place / "artifact"
    files = {name: place / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for directory in (workspace, temp):
        directory.mkdir(exist_ok=True)
    installs = place / "installs"
    python = python_in(place / "tools", installs)
    around = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "RUNNER_TEMP": str(temp),
        "GITHUB_ACTION_PATH": str(ROOT),
        **{name: str(file) for name, file in files.items()},
        **variables,
    }
    log = ""
    for number, step in enumerate(told["runs"]["steps"]):
        name = step.get("id", f"step {number}")
        job.outcomes[name] = "success" if job.due(step) else "skipped"
        if job.outcomes[name] == "skipped":
            continue
        if "uses" in step:
            assert step["uses"] in KNOWN
            source = workspace / job.value(step["with"].get("path", "nothing"))
            if step["uses"].startswith("actions/setup-python@"):
                job.outputs[name] = {"python-path": str(python)}
            elif source.is_dir():
                shutil.copytree(source, artifact)
            continue
        assert step["shell"] == "bash"
        file = place / "step.sh"
        file.write_text(step["run"], encoding="utf-8")
        files["GITHUB_OUTPUT"].write_text("", encoding="ascii")
        done = subprocess.run(
            ["/bin/bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(file)],
            cwd=workspace,
            env=around | {key: job.value(text) for key, text in step.get("env", {}).items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        log += done.stdout
        lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
        job.outputs[name] = {key: text for key, _, text in (line.partition("=") for line in lines)}
        if done.returncode:
            job.outcomes[name], job.code = "failure", done.returncode
    summary = files["GITHUB_STEP_SUMMARY"]
    return Ran(
        code=job.code,
        log=log,
        summary=summary.read_text(encoding="utf-8") if summary.exists() else "",
        outputs={name: job.value(each["value"]) for name, each in told["outputs"].items()},
        artifact=artifact,
        installs=installs.read_text(encoding="utf-8") if installs.exists() else "",
    )
