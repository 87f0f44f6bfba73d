"""The key reaches the target and nothing else, whatever the target says back."""

import gzip
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from conformance.target import Key, Target, key_of
from tests import hostile, hostile_runs
from tests.commands import KEY, Done, called, command, suites
from tests.hostile import Server

Peer = Callable[[], AbstractContextManager[Server]]
LIMITS = ("--model", "acme/m", "--timeout", 0.5)
ECHOES: list[Peer] = [
    hostile_runs.parrots_the_key,
    hostile.echoes_the_key,
    lambda: hostile.echoes_the_key(45),
    hostile.blurts_the_key,
    hostile.gzip_anyway,
]
NAMES = ["parrots", "echoes", "echoes-in-two-pieces", "blurts", "gzip"]


def assert_silent(done: Done, directory: Path) -> None:
    """Neither the output nor a file holds the key, in plain or compressed."""
    assert KEY not in done.said
    files = [file for file in directory.rglob("*") if file.is_file()]
    assert len(files) >= 5
    for file in files:
        content = file.read_bytes()
        content = gzip.decompress(content) if file.suffix == ".gz" else content
        assert KEY.encode() not in content, file.name
        assert KEY[4:-4].encode() not in content, file.name


@pytest.mark.parametrize("peer", ECHOES, ids=NAMES)
def test_no_file_and_no_output_holds_a_key_that_the_target_says_again(tmp_path: Path, peer: Peer) -> None:
    with peer() as server:
        ran = called("run", server.url, *LIMITS, "--output", tmp_path)

    assert any(seen.header("Authorization") == f"Bearer {KEY}" for seen in server.seen)
    assert ran.code in (1, 3)
    assert_silent(ran, tmp_path)
    for verb in ("judge", "report"):
        assert_silent(called(verb, tmp_path), tmp_path)


def test_a_process_does_not_say_the_key_either(tmp_path: Path) -> None:
    with hostile_runs.parrots_the_key() as server:
        assert_silent(command("run", server.url, *LIMITS, "--output", tmp_path), tmp_path)


@pytest.mark.parametrize("peer", [hostile_runs.parrots_the_key, hostile.blurts_the_key])
def test_pytest_does_not_say_the_key_either(tmp_path: Path, peer: Peer) -> None:
    with peer() as server:
        options = [
            "-vv",
            "--showlocals",
            "--full-trace",
            "-k",
            "stream.done-is-last or wrong-refused",
            f"--junitxml={tmp_path / 'own.xml'}",
        ]
        done = suites("--target", server.url, "--model", "m", *options, place=tmp_path)

    assert done.code in (1, 3)
    assert_silent(done, tmp_path)


def test_pytest_does_not_show_the_key_where_a_run_cannot_be_written(tmp_path: Path) -> None:
    place = tmp_path / "run"
    (place / "report.json").mkdir(parents=True)
    with hostile_runs.parrots_the_key() as server:
        options = ["--showlocals", "--full-trace", "-k", "auth", "--conformance-output", place]
        done = suites("--target", server.url, "--model", "m", *options, place=tmp_path)

    assert done.code == 2
    assert "report.json: cannot be written: Is a directory" in done.said
    assert KEY not in done.said


def test_a_key_hides_in_its_own_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAIGRID_API_KEY", KEY)
    key = key_of(Target(url="http://127.0.0.1:1"))

    assert isinstance(key, Key)
    assert key == KEY
    assert f"Bearer {key}" == f"Bearer {KEY}"
    assert KEY not in f"{key!r} {[key]} { ({'key': key}) }"
