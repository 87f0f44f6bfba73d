"""The suite against a real gateway: LiteLLM's proxy between the reference server and the scripted backend.

Run by `nox -s live-gateway`, which installs `litellm.txt` into an environment of its own and names its command in
LITELLM. Two runs: at the native surface, through the reference server and LiteLLM; and at LiteLLM's own surface, which
shows what LiteLLM alone makes of the backend. `--output DIR` chooses where their files go. The exit code is 0 when both
ended by themselves and no check of ours failed: what the gateway breaks is printed and is no failure here. It is 1
otherwise, 2 when a server did not start, and 130 when it was interrupted.
"""

# ruff: noqa: INP001, T201  # scripts: they stand alone and speak to a terminal

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from run import HERE, LONGEST, KeyTold, NotStarted, await_ready, findings, free_port, keep_secret, running

NATIVE: Final = """\
[target]
url = "http://127.0.0.1:{native}"
model = "reference/mini"
api_key_env = "LIVE_GATEWAY_KEY"
max_output_tokens = 512

[capabilities]
tools = true
vision = true
audio = true

[backend]
listen = "127.0.0.1:{backend}"
model = "reference/upstream"
timeout = 5

[limits]
concurrency = 8
timeout = 40
"""
OPENAI: Final = """\
[target]
url = "http://127.0.0.1:{litellm}"
profile = "openai"
model = "scripted"
api_key_env = "LITELLM_KEY"

[backend]
listen = "127.0.0.1:{backend}"
model = "scripted"
timeout = 5

[limits]
concurrency = 8
timeout = 40
"""
SURFACES: Final = {"native": NATIVE, "openai": OPENAI}
"""`scripted` has no model behind it, so at LiteLLM's own surface only what both sides show is asked."""
SETTLED: Final = (0, 1, 4)
"""Exit codes of a run that ended by itself."""


@contextmanager
def chain(ports: dict[str, int], keys: dict[str, str], folder: Path) -> Iterator[None]:
    """LiteLLM and the reference server in front of it, ready.

    Raises:
        NotStarted: one was not ready.
    """
    suite = [sys.executable, "-m", "conformance.cli"]
    litellm = [os.environ.get("LITELLM", "litellm"), "--config", str(HERE / "litellm.yaml")]
    litellm += ["--host", "127.0.0.1", "--port", str(ports["litellm"]), "--telemetry", "False"]
    serve = [*suite, "serve", "--port", str(ports["native"]), "--api-key-env", "LIVE_GATEWAY_KEY"]
    serve += ["--upstream", f"http://127.0.0.1:{ports['litellm']}/v1", "--upstream-model", "scripted"]
    serve += ["--upstream-key-env", "LITELLM_KEY"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "1", "DISABLE_ADMIN_UI": "True", "NO_DOCS": "True"}
    behind = {"SCRIPTED_BACKEND": f"http://127.0.0.1:{ports['backend']}/v1"}
    with ExitStack() as stack:
        logs = {name: folder / name for name in ("litellm", "native")}
        proxy = stack.enter_context(running(litellm, log=logs["litellm"], **quiet, **behind, **keys))
        server = stack.enter_context(running(serve, log=logs["native"], **keys))
        await_ready(f"http://127.0.0.1:{ports['litellm']}/health/liveliness", proxy, logs["litellm"])
        await_ready(f"http://127.0.0.1:{ports['native']}/health", server, logs["native"])
        yield


def both_sided(command: list[str]) -> list[str]:
    """The requirements that need the scripted backend."""
    listing = subprocess.run([*command, "requirements", "--format", "json"], check=True, capture_output=True)  # noqa: S603
    return [row["id"] for row in json.loads(listing.stdout)["requirements"] if "backend" in row.get("needs", ())]


def once(surface: str, output: Path, ports: dict[str, int], keys: dict[str, str], folder: Path) -> bool:
    """One run at a surface; whether it ended by itself and no check of ours failed."""
    config = folder / f"{surface}.toml"
    config.write_text(SURFACES[surface].format(**ports), "utf-8")
    command = [sys.executable, "-m", "conformance.cli"]
    suite = [*command, "run", "--config", str(config)]
    warm = [
        *suite,
        "--only",
        "stream.as-it-comes",
        "--only",
        "response.text-exact",
        "--output",
        str(folder / f"w-{surface}"),
    ]
    with running(warm, log=folder / "warm", **keys) as process:
        process.wait(LONGEST)
    only = [] if surface == "native" else [f"--only={name}" for name in both_sided(command)]
    with running([*suite, *only, "--output", str(output)], log=None, **keys) as process:
        code = process.wait(LONGEST)
    keep_secret(output, tuple(keys.values()))
    if not (output / "report.json").exists():
        print(f"live-gateway: {surface}: the suite ended with {code} and left no report")
        return False
    report = json.loads((output / "report.json").read_text("utf-8"))
    print(*findings(report), sep="\n")
    print(f"live-gateway: {surface}: {report['verdict']} (exit {code})")
    return code in SETTLED and not any(row["verdict"] == "error" for row in report["requirements"])


def main() -> int:
    """Run at both surfaces and say what came of it; the exit code."""
    options = argparse.ArgumentParser(description="Run the suite against LiteLLM, from both sides.")
    options.add_argument("--output", type=Path, help="an empty directory; one under reports/runs by default")
    named = HERE.parent / "reports" / "runs" / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-litellm"
    output: Path = options.parse_args().output or named
    ports = {name: free_port() for name in ("litellm", "native", "backend")}
    keys = {"LIVE_GATEWAY_KEY": f"sgk_{secrets.token_hex(20)}", "LITELLM_KEY": f"sk-{secrets.token_hex(20)}"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as place, chain(ports, keys, Path(place)):
            good = [once(surface, output / surface, ports, keys, Path(place)) for surface in SURFACES]
    except KeyboardInterrupt:
        print("live-gateway: interrupted;", f"what was seen is in {output}" if output.is_dir() else "nothing was asked")
        return 130
    except NotStarted as reason:
        print("live-gateway:", reason)
        return 2
    except KeyTold as reason:
        print("live-gateway:", reason)
        return 1
    except subprocess.TimeoutExpired:
        print(f"live-gateway: the run was ended after {LONGEST:.0f} s; what was seen is in {output}")
        return 1
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
