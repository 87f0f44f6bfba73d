"""The commands as a person runs them: as processes, or inside this one where only the words matter."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from conformance import schema
from conformance.cli import main
from conformance.target import DEFAULT_KEY_VARIABLE

KEY = "sgk_TopSecretTopSecretTopSecretTopSe"
FILES = {"report.json", "report.html", "summary.md", "junit.xml"}
"""What is made of the evidence."""
COMMAND = (sys.executable, "-m", "conformance.cli")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:schemathesis")
PATIENCE = 60.0
"""Seconds after which a process of ours hangs; none here should need ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def environment(key: str | None = KEY, **more: str) -> dict[str, str]:
    """The variables of a process; without a key where that is None."""
    kept = {name: value for name, value in os.environ.items() if name != DEFAULT_KEY_VARIABLE}
    kept.pop("PYTEST_ADDOPTS", None)
    kept.pop("NO_COLOR", None)
    return kept | ({} if key is None else {DEFAULT_KEY_VARIABLE: key}) | more


def ended(process: subprocess.CompletedProcess[str]) -> Done:
    """How a process ended, which is never with a traceback."""
    done = Done(code=process.returncode, out=process.stdout, err=process.stderr)
    assert "Traceback" not in done.said, done.said
    return done


def command(*arguments: object, key: str | None = KEY, cwd: Path | None = None) -> Done:
    """`chat-conformance` with these arguments, as a process."""
    return ended(
        subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=cwd,
            env=environment(key),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    )


def called(*arguments: object, key: str | None = KEY, variables: Mapping[str, str] | None = None) -> Done:
    """`chat-conformance` with these arguments, in this process; what it raises beyond its exit is raised here."""
    result = CliRunner().invoke(
        main,
        [str(argument) for argument in arguments],
        env={DEFAULT_KEY_VARIABLE: key, **(variables or {})},
        catch_exceptions=False,
    )
    return Done(code=result.exit_code, out=result.stdout, err=result.stderr)


def refused(done: Done) -> str:
    """The one message of a command that could not work with what it was given."""
    assert done.code == 2, done.said
    assert done.out == ""
    assert done.err.count("Error: ") == 1
    usage, message = done.err.strip().split("Error: ")
    assert usage == "" or usage.startswith("Usage: ")
    assert "\n" not in message
    return message


def report_in(directory: Path) -> dict[str, Any]:
    """The valid report.json of a run whose files are all there."""
    assert {file.name for file in directory.iterdir()} >= FILES
    report: dict[str, Any] = json.loads((directory / "report.json").read_bytes())
    assert schema.defects("report.schema.json", report) == ()
    return report


def verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    return {row["id"]: row["verdict"] for row in report["requirements"]}


def suites(*arguments: object, place: Path, key: str | None = KEY) -> Done:
    """The suites under plain pytest, as a process, far from this project's own settings."""
    settings = place / "pytest.ini"
    settings.write_text("[pytest]\nasyncio_default_fixture_loop_scope = session\n", encoding="ascii")
    options = ["-c", str(settings), "--rootdir", str(place), "-W", "error"]
    return ended(
        subprocess.run(
            [*PYTEST, *options, "--pyargs", "conformance.suites", *map(str, arguments)],
            cwd=place,
            env=environment(key, COLUMNS="200"),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    )
