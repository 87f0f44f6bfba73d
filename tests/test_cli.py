"""The command line seen from outside: what it prints, what it writes and how it ends."""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from conformance.finding import Verdict
from conformance.requirement import catalogue
from conformance.server.faults import FAULTS
from conformance.server.variants import VARIANTS
from tests import hostile_runs
from tests.commands import COMMAND, FILES, KEY, PATIENCE, called, command, environment, refused, report_in, verdicts


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a whole run against the embedded server."""
    directory = tmp_path_factory.mktemp("embedded")
    done = called("run", "--output", directory, key=None)
    assert done.code == 0, done.said
    return directory


def contents(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in FILES}


def test_the_embedded_run_is_conformant_and_leaves_its_five_files(tmp_path: Path) -> None:
    begun = time.monotonic()
    done = command("run", key=None, cwd=tmp_path)

    assert time.monotonic() - begun < 15
    assert (done.code, done.err) == (0, "")
    assert "CONFORMANT" in done.out
    (directory,) = (tmp_path / "reports" / "runs").iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}-127\.0\.0\.1", directory.name)
    assert {file.name for file in directory.iterdir()} == FILES | {"evidence.jsonl"}
    assert f"report: {(directory / 'report.html').relative_to(tmp_path)}" in done.out
    report = report_in(directory)
    assert (report["verdict"], report["reason"], report["ended"]) == ("conformant", "", "complete")


def test_a_report_counts_what_it_holds(embedded: Path) -> None:
    report = report_in(embedded)
    words = [row["verdict"] for row in report["requirements"]]
    suites = ET.fromstring((embedded / "junit.xml").read_bytes())

    assert [row["id"] for row in report["requirements"]] == list(catalogue())
    assert report["counts"] == {verdict.value: words.count(verdict.value) for verdict in Verdict}
    assert report["counts"]["fail"] == report["counts"]["error"] == 0
    assert report["requests"] == report["plan"]["requests"] == len(report["exchanges"])
    assert report["tokens"]["completion"] <= report["plan"]["output_tokens"]
    assert len(list(suites.iter("testcase"))) == len(words)


def test_judging_again_gives_equal_bytes_here_and_elsewhere(embedded: Path, tmp_path: Path) -> None:
    before = contents(embedded)
    (embedded / "report.json").unlink()
    here = called("judge", embedded, key=None)
    there = called("judge", embedded, "--output", tmp_path / "new" / "place", key=None)

    assert here.code == there.code == 0
    assert here.out.removesuffix(f"report: {embedded / 'report.html'}\n") == there.out.removesuffix(
        f"report: {tmp_path / 'new' / 'place' / 'report.html'}\n"
    )
    assert "report: " in here.out.splitlines()[-1]
    assert contents(embedded) == contents(tmp_path / "new" / "place") == before
    assert not list((tmp_path / "new" / "place").glob("evidence*"))


def test_the_report_command_writes_the_other_formats_again(embedded: Path) -> None:
    before = contents(embedded)
    for name in FILES - {"report.json"}:
        (embedded / name).unlink()
    done = called("report", embedded, key=None)

    assert done.code == 0
    assert contents(embedded) == before


def test_a_dry_run_prints_the_plan_and_its_bounds_and_nobody_is_asked(tmp_path: Path) -> None:
    with hostile_runs.counts_connections() as server:
        done = command("run", server.url, "--model", "acme/m", "--dry-run", key=None, cwd=tmp_path)

    assert server.connections == 0
    assert (done.code, done.err) == (0, "")
    assert list(tmp_path.iterdir()) == []
    *probes, bounds, again = done.out.splitlines()
    told = re.match(r"at most (\d+) requests \(retries aside\) and (\d+) output tokens", bounds)
    assert told
    asked = [line for line in probes if re.match(r"[a-z]+\.[a-z0-9-]+ +\S", line)]
    several = [int(count) for line in asked for count in re.findall(r"\((\d+) requests\)$", line)]
    assert int(told[1]) == len(asked) + sum(several) - len(several)
    assert re.fullmatch(
        r"where a model leaves something undecided, up to \d+ of the requests are made once more", again
    )


def test_a_dry_run_says_what_the_limits_leave_out() -> None:
    done = called("run", "--dry-run", "--max-requests", 5, key=None)

    assert "at most 5 requests" in done.out
    assert re.search(r"left out: \d+ requirements: over the limits of requests or tokens", done.out)


def test_the_bounds_of_a_dry_run_hold_for_the_run(embedded: Path) -> None:
    plan = report_in(embedded)["plan"]
    done = called("run", "--dry-run", key=None)

    assert f"at most {plan['requests']} requests (retries aside) and {plan['output_tokens']} output" in done.out


def test_the_catalogue_is_printed_in_three_forms() -> None:
    table, markdown = called("requirements"), called("requirements", "--format", "markdown")
    document = json.loads(called("requirements", "--format", "json").out)

    ids = [row["id"] for row in document["requirements"]]
    assert ids == list(catalogue())
    assert re.fullmatch("sha256:[0-9a-f]{64}", document["catalogue"])
    *rows, last = table.out.splitlines()
    assert [row.split()[0] for row in rows] == ids
    assert last == f"{len(ids)} requirements, {document['catalogue']}"
    assert sorted(re.findall(r"^### (\S+)$", markdown.out, re.MULTILINE)) == sorted(ids)


def test_every_command_prints_where_the_terminal_knows_ascii_only(tmp_path: Path) -> None:
    for words in (["requirements"], ["requirements", "--format", "json"], ["run", "--dry-run"], ["serve", "--list"]):
        done = subprocess.run(
            [*COMMAND, *words],
            env=environment(None, PYTHONIOENCODING="ascii"),
            cwd=tmp_path,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), words


def test_a_reader_who_leaves_does_not_change_the_exit_code(embedded: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "judge", str(embedded)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(None)
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read()
        code = process.wait(timeout=PATIENCE)

    assert (code, told) == (0, b"")


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in ("run", "judge", "report", "serve"))])
def test_help_tells_what_a_command_is_for(words: list[str]) -> None:
    done = called(*words)

    assert done.code == 0
    assert done.out.startswith("Usage: ")


# The reference server


def test_the_server_lists_its_models_and_its_triggers() -> None:
    done = called("serve", "--list")

    assert done.code == 0
    assert "reference/mini" in done.out
    assert re.search(r"^mid_stream_error +reference/dies-mid-stream ", done.out, re.MULTILINE)


def test_the_server_lists_its_faults_and_its_legal_variants() -> None:
    done = called("serve", "--list")

    for fault in FAULTS:
        assert re.search(rf"^{fault.id} .*; breaks {re.escape(fault.red[0])}$", done.out, re.MULTILINE)
    for variant in VARIANTS:
        assert re.search(rf"^{variant.id} ", done.out, re.MULTILINE)


@contextmanager
def serving(*options: str, key: str | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The served process and its first line."""
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *options],
        env=environment(key),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_server_answers_where_it_says_until_it_is_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    with serving() as (process, line):
        told = re.search(r"serving (\S+) on (http://127\.0\.0\.1:(\d+)) for the key (sgk_\S+);", line)
        assert told
        model, url, port, key = told.groups()
        assert port != "0"
        if stop is signal.SIGINT:
            done = called("run", url, "--model", model, "--quick", "--output", tmp_path, key=key)
            assert done.code == 0, done.said
            assert report_in(tmp_path)["requests"] > 0
        else:
            answer = httpx.post(f"{url}/v1/inference/chat", headers={"Authorization": f"Bearer {key}"}, json={})
            assert answer.status_code == 422
        process.send_signal(stop)
        said, error = process.communicate(timeout=10)

    assert (said, error) == ("", "")
    assert process.returncode == (0 if stop is signal.SIGINT else -signal.SIGTERM)


def test_the_server_takes_the_key_of_a_variable_and_does_not_print_it() -> None:
    with serving("--api-key-env", "SCAIGRID_API_KEY", key=KEY) as (_, line):
        told = re.search(r"on (http://\S+) for the key in SCAIGRID_API_KEY;", line)
        assert told
        good, bad = (
            httpx.post(f"{told[1]}/v1/inference/chat", headers={"Authorization": f"Bearer {key}"}, json={})
            for key in (KEY, KEY[:-1])
        )

    assert KEY not in line
    assert (good.status_code, bad.status_code) == (422, 401)


def test_the_server_breaks_what_it_is_told_to_break_and_is_odd_where_it_is_told(tmp_path: Path) -> None:
    with serving("--fault", "no-done", "--variant", "comments-between") as (_, line):
        told = re.search(r"on (http://\S+) for the key (sgk_\S+), which sends no .*, which puts a comment .*;", line)
        assert told
        selection = ["--only", "stream."]
        done = called("run", told[1], "--model", "reference/mini", "--output", tmp_path, *selection, key=told[2])

    assert done.code == 1
    failed = [identity for identity, verdict in verdicts(report_in(tmp_path)).items() if verdict == Verdict.FAIL]
    assert "stream.done" in failed


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused(called("serve", "--port", port))

    assert message.startswith(f"127.0.0.1:{port}: cannot be listened on: Address already in use")
    assert message.strip().endswith("; give another --port")


@pytest.mark.parametrize(
    "options,said",
    [
        (["--upstream", "http://127.0.0.1:1"], "--upstream needs --upstream-model"),
        (["--upstream-model", "m"], "go with --upstream"),
        (["--api-key-env", "NOBODY_SET_THIS"], "the variable NOBODY_SET_THIS is not set"),
        (["--fault", "no-don"], "--fault 'no-don': there is none; did you mean no-done?"),
        (["--variant", "no-done"], "--variant 'no-done': there is none; "),
        (
            ["--upstream", "http://127.0.0.1:1", "--upstream-model", "m", "--upstream-key-env", "TWO_LINES"],
            "the variable TWO_LINES holds a blank, a line end",
        ),
    ],
)
def test_a_server_that_cannot_serve_as_told_says_so(options: list[str], said: str) -> None:
    assert said in refused(called("serve", "--port", 0, *options, variables={"TWO_LINES": "sk-1\nsk-2"}))


def test_a_run_and_its_judgement_say_the_same_of_each_requirement(embedded: Path, tmp_path: Path) -> None:
    called("judge", embedded, "--output", tmp_path)

    assert verdicts(report_in(tmp_path)) == verdicts(report_in(embedded))
