"""The suites under plain pytest: the same run, through the other door."""

import re
import signal
import subprocess
import time
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from conformance.checks import DECLARED
from conformance.requirement import catalogue
from conformance.server import answers
from conformance.server.answers import Head, StreamEvent
from conformance.server.app import Behaviour
from conformance.server.generation import Completion
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY
from tests import hostile
from tests.commands import KEY, PATIENCE, PYTEST, called, ended, environment, report_in, suites, verdicts

TARGET = ("--model", "reference/mini")


def outcomes(place: Path) -> dict[str, str]:
    """What pytest's own JUnit file says of each item: passed, failure, error or skipped, by requirement."""
    found = {}
    for case in ET.fromstring((place / "own.xml").read_bytes()).iter("testcase"):
        name = re.fullmatch(r"test_[a-z]+\[(.+)\]", case.attrib["name"])
        assert name
        tags = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[name[1]] = tags[0] if tags else "passed"
    return found


def judged(place: Path, *options: object, key: str = DEFAULT_KEY) -> tuple[int, str, dict[str, str], dict[str, Any]]:
    """Exit code, output, outcomes and report of the suites."""
    wanted = [f"--junitxml={place / 'own.xml'}", "--conformance-output", place / "run"]
    done = suites(*wanted, *options, place=place, key=key)
    assert done.err == ""
    return done.code, done.out, outcomes(place), report_in(place / "run")


def test_every_requirement_passes_on_the_embedded_server_as_it_does_on_the_command_line(tmp_path: Path) -> None:
    code, said, items, report = judged(tmp_path)
    called("run", "--output", tmp_path / "other")

    assert code == 0
    assert set(items) == set(catalogue())
    assert {name for name, outcome in items.items() if outcome == "passed"} == DECLARED.keys()
    assert {name for name, outcome in items.items() if outcome == "skipped"} == set(catalogue()) - DECLARED.keys()
    assert f"{report['requests']} requests, evidence and reports in {tmp_path / 'run'}" in said
    assert verdicts(report) == verdicts(report_in(tmp_path / "other"))
    assert (report["selection"], report["verdict"]) == ("everything", "conformant")


@pytest.mark.parametrize(
    "options,most",
    [(["-k", "done"], 20), (["-m", "tools"], 24), (["-k", "wrong-refused"], 4)],
)
def test_what_pytest_deselects_is_not_asked(tmp_path: Path, options: list[str], most: int) -> None:
    with hostile.answers() as server:
        _, _, items, report = judged(tmp_path, "--target", server.url, *TARGET, *options)

    assert 0 < len(server.seen) == report["requests"] <= most
    assert set(items) == {row["id"] for row in report["requirements"] if row["explanation"] != "not selected"}
    assert report["selection"] == f"{len(items)} requirements picked by name"


def test_a_node_id_chooses_one_requirement(tmp_path: Path) -> None:
    # With --pyargs the module's name stands for its file.
    module = "conformance.suites.test_stream::test_stream[stream.done]"
    settings = tmp_path / "pytest.ini"
    settings.write_text("[pytest]\nasyncio_default_fixture_loop_scope = session\n", encoding="ascii")
    done = ended(
        subprocess.run(
            [*PYTEST, "-c", str(settings), "--pyargs", module, "--conformance-output", str(tmp_path / "run")],
            cwd=tmp_path,
            env=environment(None),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    )

    assert done.code == 0, done.said
    assert "1 passed" in done.out
    assert [name for name, word in verdicts(report_in(tmp_path / "run")).items() if word == "pass"] == ["stream.done"]


# Faulty servers


def status_not_ok(head: Head, completion: Completion) -> Mapping[str, Any]:
    return {**answers.envelope(head, completion), "status": "fine"}


def no_done(event: StreamEvent) -> bytes:
    framed = answers.frame(event)
    return b"" if b"[DONE]" in framed else framed


def crlf(event: StreamEvent) -> bytes:
    return answers.frame(event).replace(b"\n", b"\r\n")


async def without_empty(pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[tuple[float, bytes], None]:
    async for delay, piece in answers.writes(pieces):
        if piece:
            yield delay, piece


def test_a_broken_must_fails_with_what_was_expected_and_found(tmp_path: Path) -> None:
    with serve_in_thread(conduct=lambda _: Behaviour(envelope=status_not_ok)) as url:
        code, said, items, report = judged(tmp_path, "--target", url, *TARGET)
        called("run", url, *TARGET, "--output", tmp_path / "other", key=DEFAULT_KEY)

    assert (code, report["verdict"]) == (1, "nonconformant")
    assert verdicts(report) == verdicts(report_in(tmp_path / "other"))
    assert items["response.status-ok"] == "failure"
    assert [name for name, word in verdicts(report).items() if word == "fail"] == [
        name for name, word in items.items() if word == "failure"
    ]
    row = next(row for row in report["requirements"] if row["id"] == "response.status-ok")
    assert row["text"] in said
    assert re.search(r'plain\.greeting, /status: expected .*"ok".*; found "fine"', said)
    assert "nonconformant: " in said


def test_a_stream_without_its_end_fails_what_speaks_of_the_end(tmp_path: Path) -> None:
    with serve_in_thread(conduct=lambda _: Behaviour(frame=no_done, writes=without_empty)) as url:
        code, said, items, _ = judged(tmp_path, "--target", url, *TARGET, "-m", "streaming")

    assert code == 1
    assert items["stream.done"] == "failure"
    assert items["stream.status"] == "passed"
    assert "A stream contains `data: [DONE]`." in said


def test_a_broken_should_is_seen_and_fails_no_build_unless_it_is_to(tmp_path: Path) -> None:
    (tmp_path / "mild").mkdir()
    (tmp_path / "hard").mkdir()
    with serve_in_thread(conduct=lambda _: Behaviour(frame=crlf)) as url:
        options = ["--target", url, *TARGET, "-k", "line-feeds or stream.status", "-rx"]
        mild, said, items, report = judged(tmp_path / "mild", *options)
        hard, counted, strictly, _ = judged(tmp_path / "hard", *options, "--conformance-strict")

    assert (mild, report["verdict"]) == (0, "conformant")
    assert "1 passed" in said
    assert "1 xfailed" in said
    assert re.search(r"XFAIL .*\[stream\.line-feeds\] - SHOULD: expected ", said)
    assert items == {"stream.line-feeds": "skipped", "stream.status": "passed"}
    assert hard == 1
    assert strictly["stream.line-feeds"] == "failure"
    assert "Lines end in LF" in counted


def test_what_the_target_file_does_not_provide_is_skipped_with_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    with serve_in_thread() as url:
        file.write_text(f'[target]\nurl = "{url}"\nmodel = "reference/mini"\n', encoding="ascii")
        code, said, items, report = judged(tmp_path, "--target", file, "-rs", "-m", "resilience or core")

    assert (code, report["verdict"]) == (0, "conformant")
    skipped = {name for name, word in items.items() if word == "skipped"}
    assert skipped == {row["id"] for row in report["requirements"] if "needs " in row["explanation"]}
    assert "finish.content-filter" in skipped
    assert "untested: needs [triggers.content_filter] in the target file" in said


def test_what_nothing_could_decide_is_an_error_and_no_failure_of_the_target(tmp_path: Path) -> None:
    with hostile.sends(hostile.failure("RATE_LIMITED", status=429, retry_after=86_400)) as server:
        code, said, items, report = judged(tmp_path, "--target", server.url, *TARGET, "-m", "core")

    assert (code, report["verdict"]) == (1, "incomplete")
    assert "failure" not in items.values()
    assert items["request.endpoint-answers"] == "error"
    assert "inconclusive: " in said


def test_a_run_in_which_nothing_was_judged_is_never_green(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    with serve_in_thread() as url:
        file.write_text(f'[target]\nurl = "{url}"\nmodel = "reference/mini"\n', encoding="ascii")
        code, said, items, _ = judged(tmp_path, "--target", file, "-k", "content-filter")

    assert set(items.values()) == {"skipped"}
    assert code == 1
    assert "incomplete: nothing was judged" in said


# What ends the session


def test_a_target_that_refuses_connections_ends_the_session_in_one_line(tmp_path: Path) -> None:
    with hostile.refuses() as server:
        done = suites(
            "--target", server.url, "--model", "m", "--conformance-output", tmp_path / "run", "-q", place=tmp_path
        )

    assert done.code == 3
    (line,) = [line for line in done.said.splitlines() if "Exit" in line]
    assert "chat-conformance: aborted: http://" in line
    assert "cannot be reached (Connection refused); look at the URL" in line
    assert report_in(tmp_path / "run")["verdict"] == "aborted"


@pytest.mark.parametrize(
    "options,key,said",
    [
        (["--target", "http://127.0.0.1:9", "--model", "m"], None, "the variable SCAIGRID_API_KEY is not set"),
        (["--target", "http://127.0.0.1:9"], KEY, "no model is named"),
        (["--target", "lost.toml"], KEY, "lost.toml: no such file"),
        (["--model", "m"], KEY, "--model and --api-key-env go with --target"),
    ],
)
def test_a_mistake_ends_the_session_in_one_line(tmp_path: Path, options: list[str], key: str | None, said: str) -> None:
    done = suites(*options, "-q", "-k", "wrong-refused", place=tmp_path, key=key)

    assert done.code == 2
    (line,) = [line for line in done.said.splitlines() if "Exit" in line]
    assert "chat-conformance: " in line
    assert said in line
    assert not (tmp_path / "reports").exists()


def test_ctrl_c_keeps_the_evidence_and_reports_the_run_as_interrupted(tmp_path: Path) -> None:
    settings = tmp_path / "pytest.ini"
    settings.write_text("[pytest]\nasyncio_default_fixture_loop_scope = session\n", encoding="ascii")
    options = ["-c", str(settings), "--full-trace", "--showlocals", "--model", "m"]
    options += ["--conformance-output", str(tmp_path / "run")]
    with (
        hostile.answers_slowly(0.2) as server,
        subprocess.Popen(
            [*PYTEST, *options, "--pyargs", "conformance.suites", "--target", server.url],
            cwd=tmp_path,
            env=environment(KEY),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        give_up = time.monotonic() + 30
        while len(server.seen) < 10 and time.monotonic() < give_up:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=20)

    assert process.returncode == 2
    assert "KeyboardInterrupt" in said
    assert KEY not in said
    report = report_in(tmp_path / "run")
    assert (report["verdict"], report["ended"]) == ("incomplete", "interrupted")
    assert report["requests"] >= 10


# The plugin elsewhere


def test_the_plugin_changes_nothing_of_another_project_but_its_help(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\naddopts = --strict-markers --strict-config\nasyncio_default_fixture_loop_scope = function\n",
        encoding="ascii",
    )
    (tmp_path / "test_theirs.py").write_text(
        "import sys\nimport pytest\n\n"
        "def test_theirs():\n"
        "    assert {m for m in sys.modules if m.startswith('conformance.')} <= {'conformance.plugin'}\n\n"
        "def test_red():\n    assert 0\n\n"
        "@pytest.mark.skip(reason='theirs')\ndef test_skipped():\n    pass\n",
        encoding="ascii",
    )

    def pytest_says(*options: str) -> tuple[int, str]:
        done = subprocess.run(
            [*PYTEST, "-W", "error", *options],
            cwd=tmp_path,
            env=environment(None),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.stderr == ""
        return done.returncode, re.sub(
            r"\d+\.\d+s|, chat-conformance-[0-9.]+|chat-conformance-[0-9.]+, ", "", done.stdout
        )

    assert pytest_says() == pytest_says("-p", "no:chat_conformance")
    assert pytest_says()[0] == 1
    with_us, without = pytest_says("--help")[1], pytest_says("--help", "-p", "no:chat_conformance")[1]
    assert "conformance of a chat completions endpoint:" in with_us
    assert "--conformance-output" in with_us
    assert "--conformance-output" not in without


def test_each_item_is_marked_as_its_row_says_and_collecting_asks_nobody(tmp_path: Path) -> None:
    done = suites("--collect-only", "-q", "-m", "must and streaming and not shown", place=tmp_path)

    assert re.findall(r"::test_[a-z]+\[(.+)\]", done.out)
    assert set(re.findall(r"::test_[a-z]+\[(.+)\]", done.out)) == {
        row.id
        for row in catalogue().values()
        if (row.level.value, row.certifies) == ("MUST", "streaming") and row.basis != "shown"
    }
    assert not (tmp_path / "reports").exists()
