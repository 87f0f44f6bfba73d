"""Whole runs against servers that misbehave: bounded, with a verdict, and never a traceback."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests import hostile, hostile_runs
from tests.commands import KEY, PATIENCE, called, command, ended, environment, report_in
from tests.hostile import Server, failure, sends

Peer = Callable[[], AbstractContextManager[Server]]
LIMITS = ("--model", "acme/m", "--timeout", 0.5)
OPENING = 5.0
"""Seconds for a run that ends with its first request, two retries of it included."""

SENSELESS: list[tuple[str, Peer, str]] = [
    ("refuses", hostile.refuses, "cannot be reached (Connection refused)"),
    ("never-answers", hostile.never_answers, "no whole answer in time (silent for 0.5 seconds)"),
    ("drips", hostile.drips, "no whole answer in time (not at its end after 1 seconds)"),
    ("drips-a-head", hostile.drips_a_head, "no whole answer in time (not at its end after 1 seconds)"),
    ("falls-silent", hostile.falls_silent, "no whole answer in time (silent for 0.5 seconds)"),
    ("resets-mid-body", hostile.resets_mid_body, "no whole answer (broken off before the body was whole"),
    ("resets-at-once", hostile.resets_at_once, "no whole answer (broken off before the head was whole"),
    ("closes-at-once", hostile.closes_without_answer, "no whole answer (closed before the head was whole"),
    ("speaks-no-http", hostile.speaks_no_http, "does not speak HTTP/1.1"),
    ("floods-headers", hostile.floods_headers, "does not speak HTTP/1.1"),
    ("401", lambda: sends(failure("AUTH_TOKEN_INVALID", status=401)), "refused the key (401, AUTH_TOKEN_INVALID)"),
    ("404", lambda: sends(failure("MODEL_NOT_FOUND", status=404)), "has no model 'acme/m' (404, MODEL_NOT_FOUND)"),
    ("page", hostile.answers_html, "no chat completions endpoint is at"),
    ("budget", lambda: sends(failure("BUDGET_EXCEEDED", status=402)), "the budget of the key is spent (402"),
]


@pytest.mark.parametrize("peer,reason", [pytest.param(peer, reason, id=name) for name, peer, reason in SENSELESS])
def test_a_target_that_cannot_be_asked_aborts_the_run_with_the_reason(tmp_path: Path, peer: Peer, reason: str) -> None:
    begun = time.monotonic()
    with peer() as server:
        done = called("run", server.url, *LIMITS, "--output", tmp_path)

    assert time.monotonic() - begun < OPENING
    assert done.code == 3
    assert done.err == ""
    report = report_in(tmp_path)
    assert (report["verdict"], report["ended"]) == ("aborted", "aborted")
    assert reason in report["reason"]
    assert reason in " ".join(done.out.split())
    assert "ABORTED" in done.out
    assert report["requests"] <= 3


@pytest.mark.parametrize("peer", [hostile.refuses, hostile.never_answers, hostile.speaks_no_http, hostile.answers])
def test_a_process_ends_as_its_run_does_and_says_nothing_on_stderr(tmp_path: Path, peer: Peer) -> None:
    with peer() as server:
        done = command("run", server.url, *LIMITS, "--output", tmp_path)

    assert done.code == (1 if peer is hostile.answers else 3)
    assert done.err == ""
    report_in(tmp_path)


def test_a_target_that_answers_something_else_is_nonconformant(tmp_path: Path) -> None:
    with hostile.answers() as server:
        done = called("run", server.url, *LIMITS, "--output", tmp_path)

    report = report_in(tmp_path)
    assert (done.code, report["verdict"], report["ended"]) == (1, "nonconformant", "complete")
    assert report["counts"]["fail"] >= 20
    assert report["counts"]["error"] == 0
    assert report["requests"] == len(server.seen)


def test_a_target_that_always_fails_breaks_the_one_requirement_it_shows_broken(tmp_path: Path) -> None:
    with sends(failure("INTERNAL_ERROR", status=500)) as server:
        done = called("run", server.url, *LIMITS, "--output", tmp_path)

    report = report_in(tmp_path)
    assert (done.code, report["verdict"]) == (1, "nonconformant")
    failed = [row["id"] for row in report["requirements"] if row["verdict"] == "fail"]
    assert "request.endpoint-answers" in failed
    assert report["counts"]["inconclusive"] > 100


def test_a_target_that_throttles_for_ever_is_neither_waited_for_nor_blamed(tmp_path: Path) -> None:
    begun = time.monotonic()
    with sends(failure("RATE_LIMITED", status=429, retry_after=86_400)) as server:
        done = called("run", server.url, *LIMITS, "--output", tmp_path)

    assert time.monotonic() - begun < 10
    report = report_in(tmp_path)
    assert (done.code, report["verdict"]) == (4, "incomplete")
    assert report["counts"]["fail"] == report["counts"]["error"] == 0
    unsent = sum(exchange["ended"] == "unsent" for exchange in report["exchanges"])
    assert len(server.seen) == report["plan"]["requests"] - unsent, "nothing is asked once more of a busy target"


@pytest.mark.parametrize(
    "peer,reason",
    [
        (lambda: hostile_runs.dies_after(10), "unreachable (Connection refused)"),
        (lambda: hostile.dies_later(10), "timeout (silent for 0.5 seconds)"),
        (hostile.starts_well_then_stalls, "timeout (silent for 0.5 seconds)"),
    ],
    ids=["gone", "silent", "stalled"],
)
def test_a_target_that_dies_on_the_way_aborts_the_run_and_what_came_is_kept(
    tmp_path: Path, peer: Peer, reason: str
) -> None:
    begun = time.monotonic()
    with peer() as server:
        done = called("run", server.url, *LIMITS, "--output", tmp_path)

    assert time.monotonic() - begun < 15
    report = report_in(tmp_path)
    assert (done.code, report["verdict"], report["ended"]) == (3, "aborted", "aborted")
    assert "the target stopped answering: 5 requests in a row" in report["reason"]
    assert reason in report["reason"]
    assert [row["status"] for row in report["exchanges"]].count(200) >= 1
    assert report["requests"] < report["plan"]["requests"]


@pytest.mark.parametrize("peer,bound", [(hostile.endless_line, "8388608 bytes"), (hostile.crumbles, "100000 pieces")])
def test_an_endless_answer_takes_bounded_time_and_memory(tmp_path: Path, peer: Peer, bound: str) -> None:
    # The interpreter and its libraries take 40 MB of this; a body of 8 MB is held a few times over.
    most = 192 * 1024 * 1024
    program = (
        f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({most}, {most})); "
        "from conformance.cli import main; main()"
    )
    begun = time.monotonic()
    with peer() as server:
        done = ended(
            subprocess.run(
                [sys.executable, "-c", program, "run", server.url, "--model", "m", "--output", str(tmp_path)],
                env=environment(KEY),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        )

    assert time.monotonic() - begun < 30
    assert done.code == 3, done.said
    assert done.err == ""
    report = report_in(tmp_path)
    assert f"far too much (more than {bound})" in report["reason"]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 20_000_000


def test_who_connects_is_counted() -> None:
    with hostile_runs.counts_connections() as server, socket.socket() as caller:
        caller.connect(("127.0.0.1", int(server.url.rpartition(":")[2])))

    assert server.connections == 1


def test_the_limit_on_memory_above_is_one_that_bites() -> None:
    program = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (2**27, 2**27)); bytearray(2**28)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr.strip().endswith("MemoryError")
