"""Every mistake of the caller is one message that says what, where and the cure, and exit code 2."""

import errno
import json
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance import evidence
from conformance.exchange import Exchange
from tests import hostile, hostile_runs
from tests.commands import COMMAND, KEY, PATIENCE, called, command, environment, refused, report_in

URL = "http://127.0.0.1:9"
GOOD = f'[target]\nurl = "{URL}"\nmodel = "acme/m"\n'
TRIGGER = GOOD + "[triggers.mid_stream_error]\n"


@pytest.mark.parametrize(
    "content,said",
    [
        (b"url = [", "not TOML: "),
        (b"\xff\xfe", "byte 0 is not UTF-8"),
        (GOOD + f"n = {'1' * 5000}", "not TOML: Exceeds the limit"),
        (GOOD + f"n = {'[' * 5000}", "nested too deep"),
        ("", "the file: 'target' is missing"),
        ('[target]\nmodel = "m"', "target: 'url' is missing; say where the deployment is, such as url = "),
        (
            GOOD + '[backend]\nlisten = "127.0.0.1:9"',
            "backend: 'model' is missing; name the slug that leads",
        ),
        (GOOD.replace(URL, "grid"), "target.url: expected a URL such as https://grid.example.com, without the"),
        (GOOD + "colour = 'red'", "target.colour: 'colour' is not a known member; known are url, path, profile, "),
        (GOOD + "modell = 'red'", "target.modell: 'modell' is not a known member; did you mean model?"),
        (
            GOOD + f"api_key = '{KEY}'",
            "; no file holds the key: give the name of the variable",
        ),
        (GOOD + f"api_key_env = '{KEY}'", "target.api_key_env holds what looks like a key; give the name of the var"),
        (GOOD + f"api_key_env = 'is {KEY}'", "expected the name of a variable, such as SCAIGRID_API_KEY"),
        (GOOD + "[limit]\n", "limit: 'limit' is not a known member; did you mean limits?"),
        (GOOD.replace('"acme/m"', "5"), "target.model: expected string, found 5"),
        (GOOD + "[capabilities]\ntools = 'yes'", "capabilities.tools: expected boolean, found"),
        (GOOD + "[limits]\nconcurrency = 0", "limits.concurrency: "),
        (GOOD + "[limits]\nmax_tokens = 1979-05-27", "limits.max_tokens: expected integer"),
        (GOOD + "[triggers.earthquake]\nbody = {}", "'earthquake' is not a known member"),
        (TRIGGER + "body = { when = 1979-05-27 }", "triggers.mid_stream_error.body: JSON cannot say this"),
        (TRIGGER + "body = { temperature = nan }", "triggers.mid_stream_error.body: JSON cannot say this"),
        (
            GOOD + '[backend]\nlisten = "127.0.0.1"\nmodel = "m"',
            "backend.listen: expected host:port, such as",
        ),
        (GOOD + "a = 1\nb = 2", "(and 1 more mistake)"),
    ],
)
def test_a_broken_target_file_is_told_with_the_place(tmp_path: Path, content: str | bytes, said: str) -> None:
    file = tmp_path / "target.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(called("run", "--config", file, "--output", tmp_path / "run"))

    assert message.startswith(f"{file}: ")
    assert said in message
    assert KEY not in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "content,said",
    [
        (GOOD.replace("acme/m", "").replace("model", "# model"), "no model is named; give --model SLUG, or `model`"),
        (GOOD + "[limits]\ntimeout = nan", "the timeout is not a number of seconds above 0"),
        (GOOD + f"[limits]\ntimeout = 1{'0' * 400}", "the timeout is not a number of seconds above 0"),
        (GOOD + "[limits]\nrequests_per_minute = nan", "the requests per minute are not a number above 0"),
        (GOOD.replace("http:", "https:").replace(":9", ":99999"), ": its port is no number from 1 to 65535"),
        (GOOD.replace('model = "acme/m"', ""), "target.toml: no model is named; give --model SLUG, or `model`"),
        (GOOD + '[backend]\nmodel = "m"', "target.toml: [backend] has no `listen`; give host:port where the"),
        (
            GOOD + "api_key_env = 'UNSET_'",
            "the variable UNSET_ is not set; export the key in it, or name another",
        ),
    ],
)
def test_a_target_file_that_no_run_can_use_is_told_with_the_cure(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "target.toml"
    file.write_text(content, encoding="utf-8")

    assert said in refused(called("run", "--config", file, "--output", tmp_path / "run"))


def test_a_target_file_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    lost = tmp_path / "lost.toml"

    assert refused(called("run", "--config", lost)).strip() == (
        f"{lost}: no such file; give the path of a target file (TOML)"
    )
    assert refused(called("run", "--config", tmp_path)).strip() == f"{tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    "url,said",
    [
        ("localhost:8080", "is not an http:// or https:// URL with a host; give one like https://"),
        ("ftp://127.0.0.1", "is not an http:// or https:// URL"),
        ("http://", "is not an http:// or https:// URL"),
        ("http://[::1", "is not an http:// or https:// URL"),
        ("http://127.0.0.1:0", "is not an http:// or https:// URL"),
        ("http://127.0.0.1:99999", "'http://127.0.0.1:99999': its port is no number from 1 to 65535"),
        (
            "http://127.0.0.1:1/v1/inference/chat/",
            "ends in the endpoint's path, which the profile adds; give 'http://127",
        ),
        ("http://127.0.0.1:1/a/v1/chat/completions", "give 'http://127.0.0.1:1/a', and the profile openai"),
        ("http://127.0.0.1:1/a b", "holds a blank or control character at place 21; take it out"),
        ("http://127.0.0.1:1/\n", "holds a blank or control character at place 20; take it out"),
        ("http://127.0.0.1:1?", "'http://127.0.0.1:1' goes on with a query or fragment"),
        ("http://127.0.0.1:1/#top", "'http://127.0.0.1:1/' goes on with a query or fragment"),
    ],
)
def test_a_url_that_is_none_is_told_with_the_cure(tmp_path: Path, url: str, said: str) -> None:
    assert said in refused(called("run", url, "--model", "m", "--output", tmp_path / "run"))


@pytest.mark.parametrize(
    "url",
    [
        "http://me:hunter2@127.0.0.1:1",
        "http://hunter2@127.0.0.1:1/x",
        "http://me:hunter2@host:99999",
        "http://me:hunter2@[::1",
        "me:hunter2@127.0.0.1",
        "http://127.0.0.1:1/?key=hunter2",
    ],
)
def test_a_url_with_credentials_is_refused_and_they_are_not_repeated(url: str) -> None:
    message = refused(called("run", url, "--model", "m"))

    assert "hunter2" not in message
    assert "api_key_env" in message or "query" in message


@pytest.mark.parametrize(
    "key,said",
    [
        (None, "the variable SCAIGRID_API_KEY is not set; export the key in it, or name another with --api-key-env"),
        ("", "the variable SCAIGRID_API_KEY is not set"),
        (KEY + "\n", "the variable SCAIGRID_API_KEY holds a blank, a line end or another character"),
        (f"Bearer {KEY}", "the variable SCAIGRID_API_KEY holds a blank, a line end or another character"),
        ("sgk_ключ", "the variable SCAIGRID_API_KEY holds a blank, a line end or another character"),
    ],
)
def test_a_key_that_cannot_be_sent_is_told_and_not_repeated(tmp_path: Path, key: str | None, said: str) -> None:
    with hostile_runs.counts_connections() as server:
        done = command("run", server.url, "--model", "m", "--output", tmp_path / "run", key=key)

    assert said in refused(done)
    assert not key or key.strip() not in done.said
    assert server.connections == 0
    assert not (tmp_path / "run").exists()


def test_a_key_in_the_place_of_its_variables_name_is_not_repeated() -> None:
    message = refused(called("run", URL, "--model", "m", "--api-key-env", KEY))

    assert refused(called("run", URL, "--model", "m", "--api-key-env", KEY, "--dry-run")) == message
    assert KEY not in message
    assert "--api-key-env holds what looks like a key; give the name of the variable" in message


@pytest.mark.parametrize(
    "words,said",
    [
        (["run", URL], "no model is named; give --model SLUG"),
        (["run", "--model", "m"], "--model goes with a URL or --config"),
        (["run", "--profile", "openai"], "--profile goes with a URL or --config"),
        (["run", "--api-key-env", "X"], "--api-key-env goes with a URL or --config"),
        (["run", "--only", "streams"], "--only streams: no requirement has this id or begins with it; see"),
        (["run", "--class", "chrome"], "'chrome' is not one of 'core'"),
        (["run", "--basis", "rumour"], "'rumour' is not one of 'stated'"),
        (["run", "--profile", "soap"], "'soap' is not one of 'native', 'openai'"),
        (["run", "--colour"], "o such option"),
        (["run", "--max-requests", "0"], "0 is not in the range x>=1"),
        (["run", "--max-requests", "few"], "'few' is not a valid integer"),
        (["run", "--timeout", "0"], "0.0 is not in the range x>0"),
        (["run", "--timeout", "nan"], "the timeout is not a number of seconds above 0"),
        (["run", "--timeout", "inf"], "the timeout is not a number of seconds above 0"),
        (["run", "--requests-per-minute", "nan"], "the requests per minute are not a number above 0"),
        (["run", URL, URL], "Got unexpected extra argument"),
        (["requirements", "--format", "pdf"], "'pdf' is not one of"),
        (["serve", "--port", "70000"], "70000 is not in the range 0<=x<=65535"),
        (["marry"], "No such command 'marry'"),
        (["judge"], "Missing argument 'RUN_DIR'"),
        (["judge", "nowhere"], "Directory 'nowhere' does not exist"),
    ],
)
def test_a_wrong_option_is_told(tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert said in refused(called(*words))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("room", [0, 4])
def test_a_disk_that_is_full_is_told_with_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    written = []
    record = evidence.Journal.record

    def full(journal: evidence.Journal, exchange: Exchange) -> None:
        written.append(exchange)
        if len(written) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        record(journal, exchange)

    monkeypatch.setattr(evidence.Journal, "record", full)
    message = refused(called("run", "--quick", "--output", tmp_path))

    cure = f"what was seen is kept: make room, and chat-conformance judge {tmp_path} judges it"
    assert message.strip() == (
        f"{tmp_path}: the evidence cannot be written: No space left on device;"
        f" {cure if room else 'make room, or give another --output'}"
    )
    assert called("judge", tmp_path).code == 4


@pytest.mark.parametrize("content", [b"", b"<html>not here</html>"])
def test_a_wrong_path_fails_nothing_and_names_the_url(tmp_path: Path, content: bytes) -> None:
    with hostile.sends(hostile.answer(content, status=404)) as server:
        done = called("run", f"{server.url}/v1", "--model", "m", "--output", tmp_path)
    report = report_in(tmp_path)

    assert (done.code, report["verdict"], report["counts"]["fail"]) == (3, "aborted", 0)
    assert f"no chat completions endpoint is at {server.url}/v1/v1/inference/chat (404); give the" in report["reason"]
    assert "nonconformant" not in report["classes"].values()
    junit = (tmp_path / "junit.xml").read_text("utf-8")
    assert 'failures="0"' in junit
    assert 'classname="conformance.run"' in junit


# Run directories


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pristine")
    assert called("run", "--quick", "--output", directory).code == 0
    return directory


@pytest.fixture
def ran(pristine: Path, tmp_path: Path) -> Path:
    """The directory of a run of its own, to be spoiled."""
    return Path(shutil.copytree(pristine, tmp_path / "ran"))


def test_another_runs_directory_is_not_written_over(ran: Path) -> None:
    before = {file.name: file.read_bytes() for file in ran.iterdir()}
    message = refused(called("run", "--output", ran))

    assert message.strip() == f"{ran}: holds another run already; give an empty --output"
    assert {file.name: file.read_bytes() for file in ran.iterdir()} == before


@pytest.mark.parametrize("verb", ["judge", "report"])
def test_what_is_made_of_a_run_goes_into_no_directory_of_another_run(ran: Path, tmp_path: Path, verb: str) -> None:
    other = Path(shutil.copytree(ran, tmp_path / "other"))
    before = {file.name: file.stat().st_mtime_ns for file in other.iterdir()}
    message = refused(called(verb, ran, "--output", other))

    assert message.strip() == f"{other}: holds another run already; give an empty --output"
    assert {file.name: file.stat().st_mtime_ns for file in other.iterdir()} == before
    done = called(verb, ran, "--output", ran)
    assert (done.code, done.out.splitlines()[-1]) == (0, f"report: {ran / 'report.html'}")


@pytest.mark.parametrize("verb", ["run", "judge"])
def test_an_output_that_cannot_be_a_directory_is_told(ran: Path, verb: str) -> None:
    file = ran / "report.json"
    words = [verb] if verb == "run" else [verb, ran]

    assert f"Directory '{file}' is a file" in refused(called(*words, "--output", file))
    assert refused(called(*words, "--output", file / "below")).strip() == (
        f"{file / 'below'}: cannot be made: Not a directory; give another --output"
    )


@pytest.mark.parametrize("name", ["report.json", "report.html", "summary.md", "junit.xml"])
def test_a_file_that_cannot_be_written_is_told(ran: Path, name: str) -> None:
    (ran / name).unlink()
    (ran / name).mkdir()

    assert refused(called("judge", ran)).strip() == (
        f"{ran / name}: cannot be written: Is a directory;"
        f" chat-conformance judge {ran} --output DIR writes the reports elsewhere"
    )
    assert not list(ran.glob(".*"))


def test_a_report_that_is_not_written_whole_leaves_the_one_before(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in ran.iterdir()}

    def full(file: Path, content: bytes) -> int:
        with file.open("wb") as begun:
            begun.write(content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    message = refused(called("judge", ran))

    assert message.startswith(f"{ran / 'report.json'}: cannot be written: No space left on device; ")
    assert {file.name: file.read_bytes() for file in ran.iterdir()} == before


def test_output_that_cannot_be_written_is_told(ran: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to write to")
    with full.open("wb") as out:
        process = subprocess.run(
            [*COMMAND, "judge", str(ran)],
            env=environment(),
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    assert (process.returncode, process.stderr) == (2, "Error: the report cannot be printed: No space left on device\n")


def test_a_directory_without_evidence_is_told_by_every_command_that_reads_it(ran: Path) -> None:
    (ran / "evidence.jsonl").unlink()
    for verb in ("judge", "report"):
        assert refused(called(verb, ran)).strip() == (
            f"{ran}: holds no evidence.jsonl; give the directory that a run wrote"
        )


def test_a_directory_without_a_report_is_told_how_to_make_one(ran: Path) -> None:
    (ran / "report.json").unlink()

    assert refused(called("report", ran)).strip() == (
        f"{ran / 'report.json'}: no such file; chat-conformance judge {ran} makes it from the evidence"
    )


@pytest.mark.parametrize(
    "content,said",
    [
        (b"{", "makes it anew"),
        (b"\xff", "not UTF-8"),
        (b"[]", "the whole: expected object, found an array of 0; is it of another version? chat-conformance judge "),
        (b"{}", "makes it anew"),
        (b'{"format": "chat-conformance-report/9"}', "is it of another version?"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_broken_report_is_told_with_the_cure(ran: Path, content: bytes, said: str) -> None:
    (ran / "report.json").write_bytes(content)
    message = refused(called("report", ran))

    assert message.startswith(f"{ran / 'report.json'}: ")
    assert said in message


def test_a_report_that_is_a_directory_is_told(ran: Path) -> None:
    (ran / "report.json").unlink()
    (ran / "report.json").mkdir()

    assert refused(called("report", ran)).strip() == f"{ran / 'report.json'}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    "spoil,said",
    [
        (lambda lines: [lines[0].replace(b"evidence/1", b"evidence/7"), *lines[1:]], "line 1: the format is "),
        (lambda lines: lines[1:], "line 1: no header"),
        (lambda lines: [*lines[:2], b"{}\n", *lines[2:]], "line 3: no record is of the kind None"),
        (lambda lines: [*lines[:2], lines[2][:50] + b"\n", *lines[3:]], "line 3: "),
        (lambda lines: [*lines, lines[-1]], "a record after the footer"),
        (lambda lines: lines[:0], "no header"),
    ],
)
def test_spoiled_evidence_is_told_with_its_line(
    ran: Path, spoil: Callable[[list[bytes]], list[bytes]], said: str
) -> None:
    file = ran / "evidence.jsonl"
    file.write_bytes(b"".join(spoil(file.read_bytes().splitlines(keepends=True))))
    message = refused(called("judge", ran))

    assert message.startswith(str(file))
    assert said in message


def test_evidence_that_lacks_an_exchange_is_incomplete_and_says_so(ran: Path) -> None:
    file = ran / "evidence.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    requests = len(lines) - 2
    file.write_bytes(b"".join(lines[:2] + lines[3:]))
    done = called("judge", ran)
    report = report_in(ran)

    assert (done.code, report["verdict"]) == (4, "incomplete")
    assert report["reason"].endswith(
        f"the footer of the evidence counts {requests} requests, and {requests - 1} are there"
    )


@pytest.mark.parametrize("verb", ["judge", "report"])
def test_evidence_that_has_an_exchange_twice_is_told(ran: Path, verb: str) -> None:
    file = ran / "evidence.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines[:3], lines[1], *lines[3:]]))
    twice = refused(called(verb, ran))
    name = json.loads(lines[1])["probe"]
    assert twice.strip() == f"{ran}: the evidence holds {name} 2 times; take the run's own file, unedited"


def test_evidence_torn_in_its_last_line_is_judged_as_cut_short(ran: Path) -> None:
    file = ran / "evidence.jsonl"
    file.write_bytes(file.read_bytes()[:-10])
    done = called("judge", ran)

    assert (done.code, done.err) == (4, "")
    report = report_in(ran)
    assert (report["verdict"], report["ended"]) == ("incomplete", "cut short")


def edited(file: Path, line: int, change: Callable[[dict[str, Any]], object]) -> None:
    lines = file.read_bytes().splitlines(keepends=True)
    record = json.loads(lines[line])
    change(record)
    lines[line] = json.dumps(record).encode() + b"\n"
    file.write_bytes(b"".join(lines))


HEADER = [
    *("suite", "target", "started", "selection", "strict", "quick", "plan", "left_out", "filtered", "promised"),
    *("suite/version", "suite/catalogue", "target/url", "target/profile", "target/model", "target/api_key_env"),
    *("target/capabilities", "target/triggers", "plan/probes", "plan/requests", "plan/output_tokens", "plan/unbounded"),
]


@pytest.mark.parametrize("member", HEADER)
@pytest.mark.parametrize("verb", ["judge", "report"])
def test_a_header_that_lacks_a_member_or_holds_another_is_told(ran: Path, member: str, verb: str) -> None:
    *way, name = member.split("/")

    def holder(record: dict[str, Any]) -> dict[str, Any]:
        return record[way[0]] if way else record

    edited(ran / "evidence.jsonl", 0, lambda record: holder(record).pop(name))
    lacking = refused(called(verb, ran))
    edited(ran / "evidence.jsonl", 0, lambda record: holder(record).update({name: [None]}))
    holding = refused(called(verb, ran))

    assert lacking.startswith(f"{ran}: evidence: the header: ")
    assert f"{name!r} is missing; " in lacking
    assert holding.startswith(f"{ran}: evidence: the header: /{member}")
    assert lacking.strip().endswith("take the run's own file, unedited")


@pytest.mark.parametrize(
    "member,value",
    [("ended", "happily"), ("ended", None), ("reason", None), ("requests", -1), ("duration_s", "long")],
)
def test_a_footer_that_says_what_none_says_is_told(ran: Path, member: str, value: object) -> None:
    edited(ran / "evidence.jsonl", -1, lambda record: record.update({member: value}))

    assert f": the footer: /{member}: " in refused(called("judge", ran))


@pytest.mark.parametrize(
    "member,value",
    [("started", "x"), ("elapsed", None), ("step", "0"), ("request", []), ("response", {"status": "200"})],
)
def test_an_exchange_that_says_what_none_says_is_told(ran: Path, member: str, value: object) -> None:
    edited(ran / "evidence.jsonl", 1, lambda record: record.update({member: value}))

    assert f"line 2: the exchange: /{member}" in refused(called("judge", ran))


def test_a_time_that_no_calendar_has_is_told(ran: Path) -> None:
    for time in (1e300, -1, 1e12):
        edited(ran / "evidence.jsonl", 0, partial(dict.update, started=time))
        assert "the header: /started: " in refused(called("judge", ran))


def test_a_requirement_filtered_without_a_reason_is_told(ran: Path) -> None:
    edited(ran / "evidence.jsonl", 0, lambda record: record.update(filtered=["stream.done"], left_out={}))

    assert "gives no reason in left_out for stream.done" in refused(called("judge", ran))
