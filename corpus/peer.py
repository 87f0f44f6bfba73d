"""Schemathesis' own run against the reference server: a peer that must agree with us (`nox -s schemathesis`).

Its engine and its checks are not ours. They find nothing on the reference server. On servers with one fault they find
that fault, each for its reason, so that agreement means something. `schemathesis.toml` says which checks are on.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conformance import schema
from conformance.server.changes import GONE, in_answers, replacing
from conformance.server.deviation import Deviation, served
from conformance.server.hosting import serve_in_thread
from conformance.server.model import built_in
from conformance.server.site import DEFAULT_KEY, Site

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
OPENAPI: Final = Path(str(schema.folder())) / "openapi.json"
LONGEST: Final = 300.0
"""Seconds for one run, of which the longest needs 20 on an idle machine."""
IGNORED_AUTH: Final = ("--phases", "examples", "--checks", "ignored_auth")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A server, what Schemathesis is asked of it, and what must come of that."""

    server: str
    deviations: tuple[Deviation, ...] = ()
    options: tuple[str, ...] = ()
    finds: str = ""
    """Part of what it says of the fault; empty where it must find none."""


RUNS: Final = (
    Run(server="the reference server"),
    Run(server="the reference server, without the key", options=IGNORED_AUTH),
    Run(
        server="a server that leaves out usage",
        deviations=(Deviation(id="usage-gone", does="leaves out usage", change=in_answers("/data/usage", GONE)),),
        options=("--phases", "examples"),
        finds='"usage" is a required property',
    ),
    Run(
        server="a server that takes any body",
        deviations=(Deviation(id="all-taken", does="takes any body", change=replacing(validate=lambda _: None)),),
        options=("--phases", "coverage", "--mode", "negative", "--max-failures", "1"),
        finds="Schema-violating request accepted",
    ),
    Run(
        server="a server that takes any key",
        deviations=(Deviation(id="key-any", does="takes any key", change=replacing(key_of=lambda _, site: site.keys[0])),),
        options=IGNORED_AUTH,
        finds="accepts",
    ),
)


def model() -> str:
    """The slug in the example of the OpenAPI document, with which its cases are made."""
    operation = schema.document("openapi.json")["paths"]["/v1/inference/chat"]["post"]
    slug: str = operation["requestBody"]["content"]["application/json"]["example"]["model"]
    return slug


@contextmanager
def serving(deviations: Sequence[Deviation]) -> Iterator[str]:
    """The base URL of the reference server with some deviations, whose one model has the example's slug."""
    made = served(deviations)
    with_all, *_ = built_in()
    site = Site(services=(replace(with_all, slug=model()),))
    with serve_in_thread(site, made.conduct, wire=made.wire) as url:
        yield url


def schemathesis(url: str, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """What Schemathesis says of a server, in its own words and by its exit code."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", str(OPENAPI), "--url", url, "--no-color", *options]
    return subprocess.run(  # noqa: S603  # our own command
        command,
        cwd=ROOT,
        env=os.environ | {"PEER_KEY": DEFAULT_KEY, "PEER_MODEL": model(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LONGEST,
    )


def agrees(run: Run) -> bool:
    """Whether Schemathesis finds what it must; what it says is printed where it does not."""
    with serving(run.deviations) as url:
        told = schemathesis(url, run.options)
    good = told.returncode == 1 and run.finds in told.stdout if run.finds else told.returncode == 0
    found = f"exit {told.returncode}, {'finds the fault' if run.finds else 'finds nothing'}" if good else told.stdout
    print(f"{'agrees' if good else 'DISAGREES'}: {run.server}: {found}")
    return good


def main() -> int:
    """All runs; 0 when it agrees with us in each, 1 when it does not."""
    return 0 if all([agrees(run) for run in RUNS]) else 1


if __name__ == "__main__":
    sys.exit(main())
