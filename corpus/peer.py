"""Schemathesis' own run against the reference server: a peer that must agree with us (`nox -s schemathesis`).

Its engine and its checks are not ours. They find nothing on the reference server. On servers with one fault they find
that fault, each for its reason, so that agreement means something. `schemathesis.toml` says which checks are on.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from conformance import schema
from conformance.server.changes import GONE, in_answers, refusing, replacing
from conformance.server.deviation import Deviation, served
from conformance.server.hosting import serve_in_thread
from conformance.server.model import built_in
from conformance.server.site import DEFAULT_KEY, Site

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
OPENAPI: Final = ROOT / "schemas" / "openapi.json"
LONGEST: Final = 300.0
"""Seconds for one run, of which the longest needs 20 on an idle machine."""
IGNORED_AUTH: Final = ("--phases", "examples", "--checks", "ignored_auth")
FINISHED: Final = re.compile(r"(\d+) generated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A server, what Schemathesis is asked of it, and what must come of that."""

    server: str
    fault: Deviation | None = None
    options: tuple[str, ...] = ()
    says: str
    """Part of what it must say: of a fault, its reason."""
    least: int = 1
    """Cases that it must have made, so that it does not agree for want of questions."""


RUNS: Final = (
    Run(server="the reference server", says="No issues found", least=700),
    Run(
        server="the reference server, with no key and a wrong one",
        options=IGNORED_AUTH,
        says="No issues found",
        least=3,
    ),
    Run(
        server="a server that leaves out usage",
        fault=Deviation(id="usage-gone", does="leaves out usage", change=in_answers("/data/usage", GONE)),
        options=("--phases", "examples"),
        says='"usage" is a required property',
    ),
    Run(
        server="a server that takes any body",
        fault=Deviation(id="any-body", does="takes any body", change=replacing(validate=lambda _: None)),
        options=("--phases", "coverage", "--mode", "negative", "--max-failures", "1"),
        says="Schema-violating request accepted",
    ),
    Run(
        server="a server that takes any key",
        fault=Deviation(id="any-key", does="takes any key", change=replacing(key_of=lambda _, site: site.keys[0])),
        options=IGNORED_AUTH,
        says="API accepts requests without authentication",
    ),
    Run(
        # With no check on that could see it: the warning alone must fail the run.
        server="a server that refuses every request",
        fault=Deviation(id="refuses-all", does="refuses every request", change=refusing(bool)),
        options=("--phases", "coverage", "--mode", "positive", "--checks", "not_a_server_error"),
        says="Warnings fail the run",
    ),
)


def model() -> str:
    """The slug in the example of the OpenAPI document, with which its cases are made."""
    operation = schema.document("openapi.json")["paths"]["/v1/inference/chat"]["post"]
    slug: str = operation["requestBody"]["content"]["application/json"]["example"]["model"]
    return slug


@contextmanager
def serving(fault: Deviation | None) -> Iterator[str]:
    """The base URL of the reference server, with a fault or none, whose one model has the example's slug."""
    made = served([fault] if fault else [])
    able, *_ = built_in()
    site = Site(services=(replace(able, slug=model()),))
    with serve_in_thread(site, made.conduct, wire=made.wire) as url:
        yield url


def schemathesis(url: str, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """What Schemathesis says of a server, in its own words and by its exit code."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", str(OPENAPI), "--url", url, "--no-color", *options]
    return subprocess.run(  # noqa: S603  # our own command
        command,
        cwd=ROOT,
        # Its hooks are modules of the checkout.
        env=os.environ | {"PEER_KEY": DEFAULT_KEY, "PEER_MODEL": model(), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=LONGEST,
    )


def agrees(run: Run) -> bool:
    """Whether Schemathesis finds what it must; all that it said is printed where it does not."""
    with serving(run.fault) as url:
        told = schemathesis(url, run.options)
    finished = FINISHED.search(told.stdout)
    made = int(finished[1]) if finished else 0
    good = told.returncode == (1 if run.fault else 0) and run.says in told.stdout and made >= run.least
    print(f"{'agrees' if good else 'DISAGREES'}: {run.server}: exit {told.returncode}, {made} cases, {run.says!r}")
    if not good:
        print(told.stdout)
    return good


def main() -> int:
    """All runs; 0 when it agrees with us in each, 1 when it does not."""
    agreed = [agrees(run) for run in RUNS]
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
