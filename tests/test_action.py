"""The GitHub action: its steps run in order by bash, against real servers."""

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.server.deviation import served
from conformance.server.faults import FAULTS
from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site
from tests import composite, hostile
from tests.commands import FILES, KEY, called, report_in
from tests.hostile import Seen

UPLOADED = FILES | {"evidence.jsonl", "badge.svg", "badge.json"}
ROOT = composite.ROOT
STEPS = composite.action()["runs"]["steps"]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A conforming server."""
    with serve_in_thread(replace(Site(), keys=(KEY,))) as address:
        yield address


@pytest.fixture(scope="module")
def faulty() -> Iterator[str]:
    """A server that sends no `[DONE]`."""
    made = served([fault for fault in FAULTS if fault.id == "no-done"])
    with serve_in_thread(replace(made.site, keys=(KEY,)), made.conduct, wire=made.wire) as address:
        yield address


def asking(url: str) -> dict[str, str]:
    """The inputs that a URL needs."""
    return {"url": url, "model": "reference/mini", "api-key": KEY}


def uploaded(ran: composite.Ran) -> set[str]:
    return {file.name for file in ran.artifact.iterdir()}


def test_a_conformant_target_ends_well_and_shows_what_was_seen(tmp_path: Path, url: str) -> None:
    ran = composite.run(tmp_path, asking(url))

    assert ran.code == 0, ran.log
    assert ran.outputs == {"verdict": "conformant", "exit-code": "0", "directory": "chat-conformance-report"}
    assert ran.summary.startswith("## ✅ conformant: ")
    assert [line.split("%3A")[0] for line in ran.commands] == ["::notice title=conformant"]
    assert uploaded(ran) == UPLOADED
    assert ran.installs == f"install --quiet --disable-pip-version-check {ROOT}\n"


def test_a_faulty_target_fails_the_job_after_all_was_published(tmp_path: Path, faulty: str) -> None:
    ran = composite.run(tmp_path, asking(faulty) | {"class": "streaming"})

    assert ran.code == 1
    assert ran.outputs["verdict"] == "nonconformant"
    assert ran.outputs["exit-code"] == "1"
    assert ran.summary.startswith("## ❌ nonconformant: ")
    assert any(line.startswith("::error title=stream.done (MUST)::") for line in ran.commands)
    assert uploaded(ran) == UPLOADED
    assert json.loads((ran.artifact / "badge.json").read_bytes())["message"] == "nonconformant"
    assert report_in(ran.artifact)["selection"] == "--class streaming"


def test_the_key_is_in_nothing_that_is_kept(tmp_path: Path, url: str) -> None:
    ran = composite.run(tmp_path, asking(url) | {"quick": "true"})

    assert ran.code == 0, ran.log
    assert KEY not in ran.log + ran.summary
    assert not [file.name for file in ran.artifact.iterdir() if KEY.encode() in file.read_bytes()]


def test_a_target_file_and_a_key_of_the_job_are_enough(tmp_path: Path, url: str) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "grid.toml").write_text(
        f'[target]\nurl = "{url}"\nmodel = "reference/mini"\napi_key_env = "GRID_KEY"\n', encoding="utf-8"
    )
    ran = composite.run(tmp_path, {"config": "grid.toml", "quick": "true"}, GRID_KEY=KEY)

    assert ran.code == 0, ran.log


def test_a_wrong_target_file_is_told_in_an_annotation_and_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "grid.toml").write_text('[target]\nmodel = "m"\n', encoding="utf-8")
    ran = composite.run(tmp_path, {"config": "grid.toml", "api-key": KEY})

    assert ran.code == 2
    assert ran.outputs == {"verdict": "", "exit-code": "2", "directory": "chat-conformance-report"}
    (told,) = ran.commands
    assert told.startswith(
        "::error title=chat-conformance left no report (exit code 2)::Error: grid.toml: target: 'url'"
    )
    assert ran.summary == "chat-conformance left no report (exit code 2); the log says why.\n"
    assert not ran.artifact.exists()


def test_a_switch_that_is_neither_on_nor_off_is_told(tmp_path: Path) -> None:
    ran = composite.run(tmp_path, {"strict": "yes"})

    assert ran.code == 2
    assert ran.commands == [
        '::error title=chat-conformance left no report (exit code 2)::strict: "yes" is neither true nor false'
    ]


def test_a_message_of_several_lines_is_one_annotation(tmp_path: Path) -> None:
    ran = composite.run(tmp_path, asking("http://127.0.0.1:9") | {"profile": "azure"})

    assert ran.code == 2
    (line,) = ran.commands
    assert "%0AError: Invalid value for '--profile': 'azure' is not one of 'native', 'openai'." in line


def test_a_target_that_is_not_there_is_aborted_and_told(tmp_path: Path) -> None:
    with hostile.refuses() as nobody:
        ran = composite.run(tmp_path, asking(nobody.url) | {"model": "m"})

    assert ran.code == 3
    assert ran.outputs["verdict"] == "aborted"
    assert ran.commands[0].startswith("::error title=aborted%3A m on http%3A//127.0.0.1%3A")
    assert uploaded(ran) == UPLOADED


def test_an_earlier_run_in_the_same_place_is_not_shown_as_this_one(tmp_path: Path, url: str) -> None:
    (tmp_path / "workspace").mkdir()
    place = tmp_path / "workspace" / "chat-conformance-report"
    assert called("run", "--quick", "--output", place, key=None).code == 0
    ran = composite.run(tmp_path, asking(url))

    assert ran.code == 2
    assert ran.outputs["verdict"] == ""
    assert "holds another run already; give an empty --output" in ran.commands[0]
    assert not ran.artifact.exists()
    assert ran.summary == "chat-conformance left no report (exit code 2); the log says why.\n"


def test_an_output_that_is_empty_is_the_default_one(tmp_path: Path) -> None:
    ran = composite.run(tmp_path, {"output": "", "config": "lost.toml"})

    assert ran.code == 2
    assert ran.outputs["directory"] == "chat-conformance-report"


PLANTED = ("::error::planted", "::add-mask::planted", "##[error]planted", "::stop-commands::planted")


def test_what_the_target_says_is_no_command_to_the_runner(tmp_path: Path) -> None:
    async def script(_: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(hostile.answer("\n".join(PLANTED).encode()))
        await writer.drain()

    with hostile.serves(script) as server:
        ran = composite.run(tmp_path, asking(server.url) | {"quick": "true"})

    assert ran.code == 1
    assert "##[error]planted" in ran.log
    assert ran.commands
    assert [line for line in ran.commands if not re.match("::(error|warning|notice) title=", line)] == []


def recorded(place: Path, inputs: Mapping[str, str]) -> list[str]:
    """The words that the action calls the suite with; a stand-in notes them and does nothing."""
    (place / "temp").mkdir()
    made = composite.python_in

    def noting(tools: Path, installs: Path) -> Path:
        python = made(tools, installs)
        tool = tools / "environment" / "chat-conformance"
        tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{place}/words"\nexit 2\n', encoding="utf-8")
        return python

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(composite, "python_in", noting)
        ran = composite.run(place, inputs)
    assert ran.code == 2
    return (place / "words").read_text(encoding="utf-8").splitlines()


def test_without_inputs_only_the_place_is_told(tmp_path: Path) -> None:
    assert recorded(tmp_path, {}) == ["run", "--output=chat-conformance-report"]


def test_each_input_becomes_its_option(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "tools.toml").touch()  # which a star in an input does not mean
    words = recorded(
        tmp_path,
        {
            "url": "http://127.0.0.1:9",
            "config": "a b.toml",
            "model": "acme/m",
            "profile": "openai",
            "api-key": KEY,
            "class": "core\nstreaming",
            "only": "stream. tools.*",
            "strict": "true",
            "quick": "true",
            "examples": "10",
            "seed": "3",
            "max-requests": "50",
            "baseline": "known.toml",
            "against": "before",
            "output": "now",
        },
    )

    assert words == [
        "run",
        "--output=now",
        "--config=a b.toml",
        "--model=acme/m",
        "--profile=openai",
        "--class=core",
        "--class=streaming",
        "--only=stream.",
        "--only=tools.*",
        "--strict",
        "--quick",
        "--examples=10",
        "--seed=3",
        "--max-requests=50",
        "--baseline=known.toml",
        "--against=before",
        "--api-key-env=SCAIGRID_API_KEY",
        "--",
        "http://127.0.0.1:9",
    ]


def test_an_input_is_data_to_the_shell_and_to_the_command(tmp_path: Path) -> None:
    planted = "\"; touch planted; $(touch planted) `touch planted` ' --help"
    words = recorded(tmp_path, {"model": planted, "url": "--help", "only": "$(touch planted)", "output": "a b"})

    assert f"--model={planted}" in words
    assert words[-2:] == ["--", "--help"]
    assert "--only=$(touch" in words
    assert not list(tmp_path.rglob("planted"))


def test_what_a_cancelled_job_has_seen_is_judged_and_published(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    assert called("run", "--quick", "--output", seen, key=None).code == 0
    lines = (seen / "evidence.jsonl").read_bytes().splitlines(keepends=True)
    made = composite.python_in

    def dying(tools: Path, installs: Path) -> Path:
        python = made(tools, installs)
        (tools / "cut.jsonl").write_bytes(b"".join(lines[:-1]))
        tool = tools / "environment" / "chat-conformance"
        rest = tool.read_text(encoding="utf-8").partition("\n")[2]
        tool.write_text(
            '#!/bin/sh\nif [ "$1" = run ]; then mkdir chat-conformance-report;'
            f' cp "{tools}/cut.jsonl" chat-conformance-report/evidence.jsonl; kill -KILL $$; fi\n{rest}',
            encoding="utf-8",
        )
        return python

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(composite, "python_in", dying)
        ran = composite.run(tmp_path, {})

    assert ran.code == 137
    assert ran.outputs["verdict"] == "incomplete"
    assert "the run was cut short" in ran.summary
    assert uploaded(ran) == UPLOADED


# How it is written.


def test_no_expression_stands_in_a_script() -> None:
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []
    assert sum("run" in step for step in STEPS) == 4


def test_what_it_uses_is_known_and_pinned_as_in_our_own_workflow() -> None:
    used = {step["uses"] for step in STEPS if "uses" in step}
    ours = set(re.findall(r"uses: (\S+)", (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")))

    assert used == composite.KNOWN
    pins = {name: pin for name, _, pin in (each.partition("@") for each in ours)}
    assert all(pins.get(name, pin) == pin for name, _, pin in (each.partition("@") for each in used))


def test_every_input_is_used() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")

    assert [name for name in composite.action()["inputs"] if f"${{{{ inputs.{name} }}}}" not in text] == []


def test_every_script_is_one_that_bash_can_read(tmp_path: Path) -> None:
    for step in (step for step in STEPS if "run" in step):
        (tmp_path / "step.sh").write_text(step["run"], encoding="utf-8")
        read = subprocess.run(
            ["/bin/bash", "-n", str(tmp_path / "step.sh")], capture_output=True, text=True, check=False
        )
        assert (read.returncode, read.stderr) == (0, ""), step["name"]
