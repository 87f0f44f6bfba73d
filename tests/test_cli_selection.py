"""Selection and limits narrow what is sent, and the report says so."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.plan import QUICK_REQUESTS
from conformance.probes import OPENING, PROBES
from conformance.requirement import catalogue
from conformance.server import answers
from conformance.server.answers import StreamEvent
from conformance.server.app import Behaviour
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY
from tests import hostile
from tests.commands import called, report_in


def with_crlf(event: StreamEvent) -> bytes:
    return answers.frame(event).replace(b"\n", b"\r\n")


def ran(output: Path, *options: object, url: str = "") -> tuple[int, dict[str, Any]]:
    """The exit code and the report of a run."""
    target = [url, "--model", "reference/mini"] if url else []
    done = called("run", *target, "--output", output, *options, key=DEFAULT_KEY)
    return done.code, report_in(output)


def asked(report: Mapping[str, Any]) -> set[str]:
    return {exchange["probe"] for exchange in report["exchanges"]}


def needed(requirements: Iterable[str]) -> set[str]:
    """The probes that decide some requirements, those they are measured against, and the one that opens a run."""
    names = {OPENING.name} | {probe.name for identity in requirements for probe in CHECKS[identity].probes}
    for _ in PROBES:
        names |= {PROBES[name].control for name in names} - {""}
    return names


@pytest.mark.parametrize(
    "options,most",
    [
        ([], 160),
        (["--quick"], QUICK_REQUESTS),
        (["--only", "stream.done-"], 12),
        (["--only", "auth.wrong-refused"], 4),
        (["--class", "tools"], 24),
        (["--basis", "supplement"], 48),
        (["--only", "response", "--class", "core", "--basis", "shown"], 14),
    ],
)
def test_what_is_sent_is_what_the_selection_needs(tmp_path: Path, options: list[str], most: int) -> None:
    with hostile.answers() as server:
        _, report = ran(tmp_path, *options, url=server.url)

    assert 0 < len(server.seen) <= most
    assert len(server.seen) == report["requests"]
    again = sum(exchange["id"].endswith("+2") for exchange in report["exchanges"])
    unsent = sum(exchange["ended"] == "unsent" for exchange in report["exchanges"])
    assert report["requests"] == report["plan"]["requests"] + again - unsent
    assert report["selection"] == (" ".join(options) or "everything")
    judged = {row["id"] for row in report["requirements"] if row["verdict"] != "untested"}
    assert asked(report) <= needed(judged)


def test_a_requirement_alone_is_judged_alone(tmp_path: Path) -> None:
    code, report = ran(tmp_path, "--only", "auth.wrong-refused")

    assert code == 0
    judged = [row["id"] for row in report["requirements"] if row["verdict"] != "untested"]
    assert judged == ["auth.wrong-refused"]
    assert {row["explanation"] for row in report["requirements"] if row["verdict"] == "untested"} == {"not selected"}
    assert asked(report) == {probe.name for probe in CHECKS["auth.wrong-refused"].probes} | {"plain.greeting"}


@pytest.mark.parametrize(
    "options,full,partial",
    [
        (["--class", "streaming"], {"streaming"}, set()),
        (["--class", "streaming", "--class", "tools"], {"streaming", "tools"}, set()),
        (["--only", "stream.done-"], set(), {"streaming"}),
        (["--basis", "shown"], set(), {"core", "parameters"}),
    ],
)
def test_a_class_that_was_asked_about_in_part_is_called_partial(
    tmp_path: Path, options: list[str], full: set[str], partial: set[str]
) -> None:
    code, report = ran(tmp_path, *options)

    assert (code, report["verdict"]) == (0, "conformant"), report["reason"]
    said = report["classes"]
    assert {name for name, word in said.items() if word == "conformant"} >= full
    assert {name for name, word in said.items() if word == "partial"} >= partial
    assert "nonconformant" not in said.values()
    judged = {row["class"] for row in report["requirements"] if row["verdict"] == "pass"}
    assert all(said[name] == "untested" for name in said.keys() - judged)


def test_a_basis_leaves_every_other_basis_unjudged(tmp_path: Path) -> None:
    _, report = ran(tmp_path, "--basis", "stated", "--basis", "shown")

    judged = {row["basis"] for row in report["requirements"] if row["verdict"] != "untested"}
    assert judged == {"stated", "shown"}


def test_a_quick_run_says_something_of_every_class_that_has_rows(tmp_path: Path) -> None:
    code, report = ran(tmp_path, "--quick")

    assert code == 0
    assert report["requests"] <= QUICK_REQUESTS
    populated = {row.certifies for row in catalogue().values()}
    assert {name for name, word in report["classes"].items() if word in ("partial", "conformant")} == populated


def test_a_broken_should_fails_a_strict_run_only(tmp_path: Path) -> None:
    with serve_in_thread(conduct=lambda _: Behaviour(frame=with_crlf)) as url:
        mild, tolerated = ran(tmp_path / "mild", "--only", "stream.line-feeds", url=url)
        hard, counted = ran(tmp_path / "hard", "--only", "stream.line-feeds", "--strict", url=url)

    assert (mild, tolerated["verdict"]) == (0, "conformant")
    assert (hard, counted["verdict"]) == (1, "nonconformant")
    assert tolerated["counts"]["fail"] == counted["counts"]["fail"] == 1
    assert (tolerated["strict"], counted["strict"]) == (False, True)


def test_a_limit_of_requests_is_kept_and_leaves_the_run_incomplete(tmp_path: Path) -> None:
    with serve_in_thread() as url:
        code, report = ran(tmp_path, "--max-requests", 5, url=url)

    assert (code, report["verdict"]) == (4, "incomplete")
    assert report["requests"] == report["plan"]["requests"] == len(report["exchanges"]) == 5
    assert "over the limits of requests or tokens" in json.dumps(report)


def test_a_limit_of_requests_counts_retries(tmp_path: Path) -> None:
    with hostile.throttles_then_answers(3, retry_after=0) as server:
        code, report = ran(tmp_path, "--max-requests", 5, url=server.url)

    assert code == 3
    assert len(server.seen) == report["requests"] == 5
    assert report["reason"].startswith("the limit of 5 requests was reached; raise it with --max-requests")


def test_a_limit_of_tokens_narrows_the_plan(tmp_path: Path) -> None:
    code, report = ran(tmp_path, "--max-tokens", 600)

    assert code == 4
    assert 0 < report["requests"] < 20
    assert sum(report["tokens"].values()) <= 600


def test_options_override_the_target_file(tmp_path: Path) -> None:
    file = tmp_path / "target.toml"
    with hostile.answers() as server:
        file.write_text(
            '[target]\nurl = "http://127.0.0.1:9"\nmodel = "of/the-file"\napi_key_env = "NOT_SET"\n'
            "[limits]\nmax_requests = 50\ntimeout = 5\n",
            encoding="ascii",
        )
        words = ["--config", file, server.url, "--model", "of/the-option", "--api-key-env", "SET", "--max-requests", 2]
        called("run", *words, "--output", tmp_path / "run", variables={"SET": "sgk_1234567890"})

    assert len(server.seen) == 2
    assert {seen.header("Authorization") for seen in server.seen} <= {"Bearer sgk_1234567890", None}
    assert json.loads(server.seen[0].body)["model"] == "of/the-option"
    assert report_in(tmp_path / "run")["target"]["url"] == server.url
