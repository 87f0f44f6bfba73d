"""The suite against a real model: llama.cpp's server, the reference server in front of it, one run, a verdict.

Run by `nox -s live`, which installs `requirements.txt`; `--output DIR` chooses where the run's files go, and `--runs N`
asks N times, in DIR/1 and so on, and compares what was decided. The exit code is 0 when no MUST failed, nothing was
decided differently and nothing of ours went wrong: what so small a model will not do leaves a requirement
inconclusive, and that is no failure here. It is 1 otherwise, 2 when a server did not start, and 130 when it was
interrupted.
"""

# ruff: noqa: INP001, T201  # scripts: they stand alone and speak to a terminal

import argparse
import gzip
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
BACKEND_MODEL: Final = "smollm2-135m"
SLUG: Final = "reference/upstream"
STARTING: Final = 60.0  # seconds for a server to be ready; the weights load in one
ENDING: Final = 10.0  # seconds for a process to end after it was told to
LONGEST: Final = 900.0  # seconds for the whole run, which needs about 40 when the machine is idle
ROOM: Final = ("--max-requests=3000", "--max-tokens=400000")  # for generated requests
SETTLED: Final = (0, 4)  # exit codes: conformant, and incomplete because the model would not
TARGET: Final = """\
[target]
url = "http://127.0.0.1:{port}"
model = "{slug}"
api_key_env = "LIVE_GATEWAY_KEY"

[limits]
concurrency = 2
timeout = 120
"""


class NotStarted(Exception):
    """A server ended, or was not ready in time; the message holds the last it said."""


class KeyTold(Exception):
    """A file of the run holds a key."""


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(command: Sequence[str], *, log: Path | None = None, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of its own group, ended when the block is left, however that is."""
    told = log.open("wb") if log else None
    try:
        process = subprocess.Popen(  # noqa: S603  # our own commands
            command,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=subprocess.STDOUT if told else None,
            env=os.environ | variables,
            start_new_session=True,  # Ctrl-C reaches this script alone, which then ends the others in order
        )
        try:
            yield process
        finally:
            end(process)
    finally:
        if told:
            told.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Tell a process to end, and kill it where it does not, or where we are told once more to stop."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def await_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until an address answers 200.

    Raises:
        NotStarted: the process ended, or `STARTING` seconds went by.
    """
    until = time.monotonic() + STARTING
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310  # loopback
                return
        except urllib.error.HTTPError as not_yet:
            not_yet.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise NotStarted(f"{url} was not ready\n{log.read_text('utf-8', 'replace')[-2000:]}")


def observe(output: Path, more: Sequence[str] = ()) -> int:
    """Start both servers, run the suite with more options, end both; the suite's exit code.

    Raises:
        NotStarted: a server was not ready.
        KeyTold: a file of the run holds a key.
        subprocess.TimeoutExpired: the suite took longer than `LONGEST`.
    """
    backend_key, gateway_key = (f"{name}_{secrets.token_hex(20)}" for name in ("sk", "sgk"))
    backend_port, gateway_port = free_port(), free_port()
    suite = [sys.executable, "-m", "conformance.cli"]
    with tempfile.TemporaryDirectory() as directory:
        backend_log, gateway_log, config = (Path(directory) / name for name in ("backend", "gateway", "target.toml"))
        config.write_text(TARGET.format(port=gateway_port, slug=SLUG), "utf-8")
        backend = [sys.executable, str(HERE / "llama_cpp.py"), "--port", str(backend_port)]
        gateway = [*suite, "serve", "--port", str(gateway_port), "--api-key-env", "LIVE_GATEWAY_KEY"]
        gateway += ["--upstream", f"http://127.0.0.1:{backend_port}", "--upstream-model", BACKEND_MODEL]
        gateway += ["--upstream-key-env", "LIVE_BACKEND_KEY"]
        keys = {"LIVE_GATEWAY_KEY": gateway_key, "LIVE_BACKEND_KEY": backend_key}
        with (
            running(backend, log=backend_log, LLAMA_API_KEY=backend_key) as model,
            running(gateway, log=gateway_log, **keys) as server,
        ):
            await_ready(f"http://127.0.0.1:{backend_port}/health", model, backend_log)
            await_ready(f"http://127.0.0.1:{gateway_port}/health", server, gateway_log)
            asking = [*suite, "run", "--config", str(config), "--output", str(output), *more]
            with running(asking, LIVE_GATEWAY_KEY=gateway_key) as run:
                code = run.wait(LONGEST)
    keep_secret(output, (backend_key, gateway_key))
    return code


def keep_secret(output: Path, keys: Sequence[str]) -> None:
    """Make sure that no file of a run holds a key.

    Raises:
        KeyTold: one does.
    """
    for file in output.iterdir() if output.is_dir() else ():
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        if any(key.encode() in data for key in keys):
            raise KeyTold(f"{file} holds a key")


def findings(report: Mapping[str, Any]) -> Iterator[str]:
    """What a person must look into: a line for each requirement that failed, is undecided, or is in error."""
    for row in report["requirements"]:
        if row["verdict"] in ("fail", "inconclusive", "error"):
            yield f"{row['verdict']:<13} {row['level']:<7} {row['id']}: {row['explanation']}"


def acceptable(code: int, report: Mapping[str, Any]) -> bool:
    """Whether the run ended by itself, decided something, broke no MUST, and no check of ours failed."""
    seen = Counter(row["verdict"] for row in report["requirements"])
    broken = any(row["verdict"] == "fail" and row["level"] == "MUST" for row in report["requirements"])
    return code in SETTLED and seen["pass"] > 0 and not seen["error"] and not broken


def unsteady(reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What several runs decided differently: a line for each requirement; undecided is no decision."""
    verdicts: dict[str, list[str]] = {}
    for report in reports:
        for row in report["requirements"]:
            verdicts.setdefault(row["id"], []).append(row["verdict"])
    for identity, given in verdicts.items():
        if len(set(given) - {"inconclusive"}) > 1:
            yield f"{identity} was decided differently: {', '.join(given)}"


def once(output: Path, more: Sequence[str] = ()) -> tuple[bool, Mapping[str, Any]]:
    """One run: whether it is good, and its report; what came of it is printed.

    Raises:
        NotStarted: a server was not ready.
        KeyTold: a file of the run holds a key.
        subprocess.TimeoutExpired: the suite took longer than `LONGEST`.
    """
    code = observe(output, more)
    if not (output / "report.json").exists():
        print(f"live: the suite ended with {code} and left no report")
        return False, {"requirements": []}
    report = json.loads((output / "report.json").read_text("utf-8"))
    print(*findings(report), sep="\n")
    good = acceptable(code, report)
    print(f"live: {report['verdict']} (exit {code}): {'no MUST failed' if good else 'look into the above'}")
    return good, report


def main() -> int:
    """Run as often as asked and say what came of it; the exit code."""
    options = argparse.ArgumentParser(description="Run the suite against llama.cpp behind the reference server.")
    options.add_argument("--output", type=Path, help="an empty directory; one under reports/runs by default")
    options.add_argument("--runs", type=int, default=1, metavar="N", help="so many in a row, compared")
    options.add_argument("--examples", type=int, default=0, metavar="N", help="generate so many requests")
    options.add_argument("--seed", type=int, default=0, metavar="N", help="which ones")
    chosen = options.parse_args()
    more = (f"--examples={chosen.examples}", f"--seed={chosen.seed}", *ROOM) if chosen.examples else ()
    named = HERE.parent / "reports" / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-llama-cpp-smollm2"
    output: Path = chosen.output or named
    places = [output] if chosen.runs == 1 else [output / str(number) for number in range(1, chosen.runs + 1)]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        runs = [once(place, more) for place in places]
    except KeyboardInterrupt:
        print("live: interrupted;", f"what was seen is in {output}" if output.is_dir() else "nothing was asked yet")
        return 130
    except NotStarted as reason:
        print("live:", reason)
        return 2
    except KeyTold as reason:
        print("live:", reason)
        return 1
    except subprocess.TimeoutExpired:
        print(f"live: the run was ended after {LONGEST:.0f} s; what was seen is in {output}")
        return 1
    changed = list(unsteady([report for _, report in runs]))
    print(*changed, sep="\n")
    if len(runs) > 1 and not changed:
        print(f"live: {len(runs)} runs decided nothing differently")
    return 0 if all(good for good, _ in runs) and not changed else 1


if __name__ == "__main__":
    sys.exit(main())
