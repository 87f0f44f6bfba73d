"""Evidence: what is written is read back, and what cannot be read is told in one sentence."""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.evidence import FORMAT, Evidence, Journal, compressed, read
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.target import BadInput

NAME = "evidence.jsonl"
HEADER = {"target": {"url": "http://x"}, "suite": "0.1.0"}
FOOTER = {"ended": "complete", "reason": ""}

seconds = st.floats(0, 1e10)
headers = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3).map(tuple)
data = st.binary(max_size=30) | st.text(max_size=9).map(str.encode)


def exchanges() -> st.SearchStrategy[Exchange]:
    return st.builds(
        Exchange,
        probe=st.text(max_size=9),
        step=st.integers(0, 5),
        attempt=st.integers(1, 5),
        retried=st.booleans(),
        profile=st.sampled_from(["native", "openai"]),
        request=st.builds(Request, method=st.just("POST"), url=st.text(max_size=9), headers=headers, body=data),
        response=st.none()
        | st.builds(
            Response,
            status=st.integers(100, 999),
            reason=st.text(max_size=9),
            http_version=st.just("HTTP/1.1"),
            headers=headers,
            at=seconds,
        ),
        pieces=st.lists(st.builds(Piece, at=seconds, data=data), max_size=4).map(tuple),
        ended=st.sampled_from(Ending),
        detail=st.text(max_size=9),
        started=seconds,
        elapsed=seconds,
    )


ONE = Exchange(
    probe="core.plain",
    request=Request(method="POST", url="http://x/v1", headers=(("A", "b"),), body=b"{}"),
    response=Response(status=200, reason="OK", http_version="HTTP/1.1", headers=(), at=0.1),
    pieces=(Piece(at=0.2, data=b"\xff\x00"), Piece(at=0.3, data="a\u2028\x85\n\u202e".encode())),
    ended=Ending.COMPLETE,
    started=1.5,
    elapsed=0.3,
)


def written(run: Path, *records: Exchange, footer: dict[str, Any] | None = FOOTER) -> Path:
    with Journal(run / NAME, HEADER) as journal:
        for record in records:
            journal.record(record)
        if footer is not None:
            journal.close(footer)
    return run


@given(records=st.lists(exchanges(), max_size=4))
@settings(deadline=None, max_examples=60)
def test_what_is_read_is_what_was_written_compressed_or_not(records: list[Exchange]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = written(Path(folder), *records)
        expected = Evidence(header=HEADER, exchanges=tuple(records), footer=FOOTER)
        assert read(run) == expected
        compressed(run, above_bytes=0)
        assert read(run) == expected


def test_a_record_is_one_line_of_ascii_that_any_json_reader_takes(tmp_path: Path) -> None:
    file = written(tmp_path, ONE) / NAME
    lines = file.read_text("ascii").splitlines()

    assert [json.loads(line)["kind"] for line in lines] == ["header", "exchange", "footer"]
    assert json.loads(lines[0])["format"] == FORMAT


def test_a_record_is_in_the_file_as_soon_as_it_is_made(tmp_path: Path) -> None:
    with Journal(tmp_path / NAME, HEADER) as journal:
        assert read(tmp_path) == Evidence(header=HEADER, exchanges=(), footer=None)
        journal.record(ONE)
        assert read(tmp_path).exchanges == (ONE,)


def test_a_run_that_was_cut_short_has_no_footer(tmp_path: Path) -> None:
    assert read(written(tmp_path, ONE, footer=None)) == Evidence(header=HEADER, exchanges=(ONE,), footer=None)


def test_a_killed_process_leaves_what_it_recorded(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from conformance.evidence import Journal;"
        "from tests.test_evidence import ONE, HEADER, NAME;"
        "journal = Journal(Path(sys.argv[1]) / NAME, HEADER); journal.record(ONE);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        timeout=60,
    )

    assert done.returncode == -signal.SIGKILL
    assert read(tmp_path).exchanges == (ONE,)


def test_a_last_line_torn_anywhere_is_dropped_and_the_run_counts_as_cut_short(tmp_path: Path) -> None:
    whole = (written(tmp_path, ONE, ONE) / NAME).read_bytes()
    begin = whole.rindex(b"\n", 0, -1) + 1
    for end in range(begin, len(whole) - 1):
        (tmp_path / NAME).write_bytes(whole[:end])
        assert read(tmp_path) == Evidence(header=HEADER, exchanges=(ONE, ONE), footer=None)


def test_a_last_line_that_lacks_its_line_end_alone_is_kept(tmp_path: Path) -> None:
    whole = (written(tmp_path, ONE) / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:-1])

    assert read(tmp_path).footer == FOOTER


def test_another_runs_evidence_is_never_overwritten(tmp_path: Path) -> None:
    written(tmp_path, ONE)
    with pytest.raises(FileExistsError):
        Journal(tmp_path / NAME, HEADER)
    compressed(tmp_path, above_bytes=0)
    with pytest.raises(FileExistsError):
        Journal(tmp_path / NAME, HEADER)

    assert read(tmp_path).exchanges == (ONE,)


EXCHANGE = b'{"kind":"exchange"}\n'
HEAD = b'{"kind":"header","format":"chat-conformance-evidence/1"}\n'
FOOT = b'{"kind":"footer"}\n'


@pytest.mark.parametrize(
    "content,said",
    [
        (b"", "no header"),
        (EXCHANGE, "line 1: no header"),
        (b"{", "line 1: Expecting"),
        (b'{"kind":"header","format":"chat-conformance-evidence/9"}\n', "line 1: the format is .*evidence/9'.*reads"),
        (b'{"kind":"header"}\n', "line 1: the format is None"),
        (HEAD + b'{"kind":\n' + FOOT, "line 2: Expecting value"),
        (HEAD + b"\xff\n" + FOOT, "line 2: not UTF-8"),
        (HEAD + b"[" * 100_000 + b"\n" + FOOT, "line 2: nested too deep"),
        (HEAD + b"[]\n", "line 2: not a record"),
        (HEAD + b"{broken}\n", "line 2: Expecting"),
        (HEAD + EXCHANGE + FOOT, "line 2: the exchange: the record: "),
        (HEAD + HEAD, "line 2: a second header"),
        (HEAD + FOOT + FOOT, "line 3: a record after the footer"),
        (HEAD + b'{"kind":"note"}\n', "line 2: no record is of the kind 'note'"),
    ],
)
def test_a_broken_file_is_told_with_its_place_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(BadInput, match=said) as told:
        read(tmp_path)

    assert str(tmp_path / NAME) in str(told.value)
    assert "\n" not in str(told.value)


def test_a_directory_without_evidence_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no evidence\.jsonl; give the directory"):
        read(tmp_path)


def test_evidence_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_a_damaged_compressed_file_is_told(tmp_path: Path) -> None:
    written(tmp_path, ONE)
    compressed(tmp_path, above_bytes=0)
    packed = tmp_path / (NAME + ".gz")
    whole = packed.read_bytes()
    for broken in (whole[:-9], whole[:20] + b"\x00" * 9 + whole[29:], b"no gzip"):
        packed.write_bytes(broken)
        with pytest.raises(BadInput, match="not whole"):
            read(tmp_path)


def test_only_large_evidence_is_compressed_and_equal_evidence_gives_equal_bytes(tmp_path: Path) -> None:
    packed: list[bytes] = []
    for name in ("a", "b"):
        run = tmp_path / name
        run.mkdir()
        size = (written(run, ONE) / NAME).stat().st_size
        plain = (run / NAME).read_bytes()
        compressed(run, above_bytes=size)
        assert [file.name for file in run.iterdir()] == [NAME]
        compressed(run, above_bytes=size - 1)
        assert [file.name for file in run.iterdir()] == [NAME + ".gz"]
        packed.append((run / (NAME + ".gz")).read_bytes())
        assert gzip.decompress(packed[-1]) == plain
        assert packed[-1][3:8] == bytes(5), "a name or a time in the gzip header (RFC 1952, 2.3)"
        compressed(run, above_bytes=0)

    assert packed[0] == packed[1]


def test_a_crash_while_compressing_leaves_the_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    written(tmp_path, ONE)
    monkeypatch.setattr("shutil.copyfileobj", full)
    with pytest.raises(OSError, match="No space"):
        compressed(tmp_path, above_bytes=0)

    assert [file.name for file in tmp_path.iterdir()] == [NAME]
