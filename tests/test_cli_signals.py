"""Runs that are told to stop, or are killed: what was observed is kept, and nobody takes it for a whole run."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance import __main__, evidence
from conformance.cli import running as command
from conformance.exchange import Ending
from conformance.generate import asked
from conformance.generate.valid import Body, explore
from tests import hostile
from tests.commands import COMMAND, KEY, called, environment, report_in, verdicts
from tests.hostile import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run against a slow server, `answered` requests of which have an answer."""

    process: subprocess.Popen[str]
    server: Server


@contextmanager
def running(directory: Path, *, answered: int) -> Iterator[Running]:
    with (
        hostile.answers_slowly(0.15) as server,
        subprocess.Popen(
            [*COMMAND, "run", server.url, "--model", "m", "--concurrency", "2", "--output", str(directory)],
            env=environment(KEY),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        try:
            give_up = time.monotonic() + 30
            # Another request comes only when an answer was recorded, so there are two more than answers.
            while len(server.seen) < answered + 2 and time.monotonic() < give_up:
                time.sleep(0.005)
            yield Running(process=process, server=server)
        finally:
            process.kill()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("answered", [1, 6])
def test_a_run_told_to_stop_keeps_what_it_saw_and_reports_itself_incomplete(
    tmp_path: Path, stop: signal.Signals, answered: int
) -> None:
    with running(tmp_path, answered=answered) as run:
        run.process.send_signal(stop)
        begun = time.monotonic()
        said, error = run.process.communicate(timeout=20)
        took = time.monotonic() - begun

    assert (run.process.returncode, error) == (130, "")
    assert took < 10
    report = report_in(tmp_path)
    assert (report["verdict"], report["ended"]) == ("incomplete", "interrupted")
    assert "INCOMPLETE" in said
    assert report["requests"] < report["plan"]["requests"]
    kept = evidence.read(tmp_path)
    assert kept.footer
    assert kept.footer["ended"] == "interrupted"
    endings = [exchange.ended for exchange in kept.exchanges]
    assert endings.count(Ending.COMPLETE) >= answered
    assert set(endings) <= {Ending.COMPLETE, Ending.INTERRUPTED}
    assert len(run.server.seen) <= len(endings)

    before = (tmp_path / "report.json").read_bytes()
    assert called("judge", tmp_path).code == 130
    assert (tmp_path / "report.json").read_bytes() == before


def test_a_run_told_to_stop_while_its_target_is_silent_stops_at_once(tmp_path: Path) -> None:
    with (
        hostile.never_answers() as server,
        subprocess.Popen(
            [*COMMAND, "run", server.url, "--model", "m", "--output", str(tmp_path)],
            env=environment(KEY),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        give_up = time.monotonic() + 30
        while not server.seen and time.monotonic() < give_up:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)

    assert (process.returncode, error) == (130, "")
    report = report_in(tmp_path)
    assert (report["verdict"], report["ended"], report["requests"]) == ("incomplete", "interrupted", 1)
    assert report["counts"]["pass"] == report["counts"]["fail"] == 0


def test_the_evidence_of_a_killed_run_is_judged_as_cut_short(tmp_path: Path) -> None:
    with running(tmp_path, answered=5) as run:
        run.process.kill()
        said, error = run.process.communicate(timeout=20)

    assert (said, error) == ("", "")
    assert [file.name for file in tmp_path.iterdir()] == ["evidence.jsonl"]
    done = called("judge", tmp_path)
    assert (done.code, done.err) == (4, "")
    report = report_in(tmp_path)
    assert (report["verdict"], report["ended"]) == ("incomplete", "cut short")
    assert report["requests"] >= 5
    assert report["counts"]["pass"] > 0
    assert set(verdicts(report).values()) >= {"pass", "untested"}


@pytest.mark.parametrize("size", [0, 20])
def test_a_run_killed_before_its_header_was_whole_is_told_as_such(tmp_path: Path, size: int) -> None:
    (tmp_path / "evidence.jsonl").write_bytes(b'{"kind":"header","format"'[:size])
    done = called("judge", tmp_path)

    assert done.code == 2
    assert done.err.startswith(f"Error: {tmp_path / 'evidence.jsonl'}")
    assert done.err.count("\n") == 1


class Interrupting:
    """A finder that is interrupted as it looks for the command line."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "conformance.cli":
            raise KeyboardInterrupt


def test_a_program_told_to_stop_while_it_loads_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "conformance.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupting, *sys.meta_path])
    with pytest.raises(SystemExit) as left:
        __main__.entered()

    assert left.value.code == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_an_interrupt_waits_until_a_request_is_drawn() -> None:
    seen: list[Body] = []

    def interrupted(body: Body) -> None:
        seen.append(body)
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        explore(interrupted, 1, 1)

    assert len(seen) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_told_to_stop_while_it_generates_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(asked, "drawn", lambda *_: explore(interrupted, 1, 1))
    done = called("run", "--examples", 3, "--output", tmp_path / "run")

    assert (done.code, done.out, done.err) == (130, "", "interrupted\n")
    assert not (tmp_path / "run").exists()


def test_an_interrupt_while_the_report_is_made_says_where_the_evidence_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "tell", interrupted)
    done = called("run", "--only", "auth", "--output", tmp_path)

    assert (done.code, done.out) == (130, "")
    assert done.err == (
        f"interrupted; the evidence is in {tmp_path}, and chat-conformance judge {tmp_path} makes the reports\n"
    )
    monkeypatch.undo()
    assert called("judge", tmp_path).code in (0, 4)
