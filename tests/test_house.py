import ast
import importlib
import json
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance import schema
from conformance.check import Check
from conformance.checks import CHECKS, DECLARED
from conformance.cli import main
from conformance.probe import Probe
from conformance.probes import OPENING, PROBES
from conformance.requirement import CLASSES, SECTIONS, Level, catalogue
from conformance.selection import BASES
from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
HEADINGS = {
    "Chat Completions",
    "Basic request",
    "Request parameters",
    "Messages",
    "Multi-turn conversations",
    "Multimodal content",
    "Streaming",
    "SSE event types",
    "Tool calls",
    "Response shape",
    "finish_reason values",
}
KEY = "sgk_" + "5" * 40


def tracked() -> list[Path]:
    """The files of the repository: those in git, and those that are about to be."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    files = (ROOT / name for name in listing.stdout.decode().split("\0") if name)
    return [file for file in files if file.is_file()]


def modules(package: str) -> list[str]:
    """The names of a package's modules."""
    return [module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)]


def declared(package: str, name: str) -> list[object]:
    """What the modules of a package list under a name, one after the other; a module may list nothing."""
    return [
        item
        for module in modules(package)
        for item in getattr(importlib.import_module(f"{package}.{module}"), name, ())
    ]


# Requirements, checks, probes and suites.


def test_every_requirement_has_one_check_or_says_why_nobody_can_test_it() -> None:
    found = Counter(check.requirement for check in declared("conformance.checks", "CHECKS"))  # type: ignore[attr-defined]
    testable = [row.id for row in catalogue().values() if not row.untested]

    assert found == Counter(testable)


def test_the_table_of_checks_leaves_none_out() -> None:
    assert {id(check) for check in declared("conformance.checks", "CHECKS")} == {id(check) for check in CHECKS.values()}


def test_the_table_of_probes_leaves_none_out() -> None:
    assert {id(probe) for probe in declared("conformance.probes", "PROBES")} == {id(probe) for probe in PROBES.values()}


@pytest.mark.parametrize("module", modules("conformance.probes"))
def test_every_probe_that_a_module_names_is_declared(module: str) -> None:
    named = vars(importlib.import_module(f"conformance.probes.{module}")).values()

    assert [probe.name for probe in named if isinstance(probe, Probe) and PROBES.get(probe.name) is not probe] == []


@pytest.mark.parametrize("check", DECLARED.values(), ids=list(DECLARED))
def test_the_probes_of_a_check_are_declared(check: Check) -> None:
    assert check.probes
    assert [probe.name for probe in check.probes if PROBES.get(probe.name) is not probe] == []


def test_every_declared_probe_serves_a_check() -> None:
    used = {probe.name for check in CHECKS.values() for probe in check.probes}
    controls = {probe.control for probe in PROBES.values() if probe.name in used}

    assert set(PROBES) - used - controls == set()


def test_the_control_of_a_probe_is_declared_before_it() -> None:
    order = list(PROBES)

    for probe in PROBES.values():
        assert not probe.control or order.index(probe.control) < order.index(probe.name)
    assert OPENING.name == order[0]


def test_no_two_probes_ask_the_same() -> None:
    def written(probe: Probe) -> str:
        # As text, since Python holds 1, 1.0 and true for equal.
        return json.dumps([asdict(step) for step in probe.steps], sort_keys=True, default=repr)

    same = [(one.name, two.name) for one, two in combinations(PROBES.values(), 2) if written(one) == written(two)]

    assert same == []


@pytest.mark.parametrize("section", SECTIONS)
def test_an_id_begins_with_the_file_it_stands_in(section: str) -> None:
    rows = tomllib.loads((ROOT / "schemas" / "requirements" / f"{section}.toml").read_text(encoding="utf-8"))

    assert rows
    assert [name for name in rows if not name.startswith(f"{section}.")] == []


def test_every_file_of_requirements_is_read_and_has_a_suite() -> None:
    files = {file.stem for file in (ROOT / "schemas" / "requirements").glob("*.toml")}
    suites = [name for name in modules("conformance.suites") if name.startswith("test_")]

    assert files == set(SECTIONS)
    assert sorted(suites) == sorted(f"test_{section}" for section in SECTIONS)


@pytest.mark.parametrize("section", SECTIONS)
def test_a_suite_is_of_the_section_it_is_named_for(section: str) -> None:
    suite = importlib.import_module(f"conformance.suites.test_{section}")

    assert section == suite.SECTION


def test_rows_point_at_headings_of_the_page() -> None:
    assert {row.section for row in catalogue().values() if row.basis != "supplement"} <= HEADINGS


def test_anchors_have_at_most_eight_words() -> None:
    assert [row.id for row in catalogue().values() if len(row.anchor.split()) > 8] == []


def test_no_two_rows_say_the_same() -> None:
    assert [text for text, count in Counter(row.text for row in catalogue().values()).items() if count > 1] == []


def test_the_markers_are_the_words_of_the_rows(pytestconfig: pytest.Config) -> None:
    told = {line.partition(":")[0] for line in pytestconfig.getini("markers")}

    assert {*(level.lower() for level in Level), *CLASSES, *BASES} <= told


# The code.


@pytest.mark.parametrize("file", sorted((ROOT / "conformance").rglob("*.py")), ids=lambda file: file.stem)
def test_every_module_says_what_it_is(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))


def imports_kept(place: Path) -> subprocess.CompletedProcess[str]:
    """The import contract, checked on a checkout."""
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=place,
        env={"PYTHONPATH": str(place), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    "file, line, broken",
    [
        ("verdict.py", "import conformance.checks", "Data flows one way"),
        ("leftovers.py", "", "Data flows one way"),
        ("cli.py", "import conformance.server.site", "The reference server is a branch"),
        ("server/model.py", "import conformance.probe", "Data flows one way"),
        ("checks/finish.py", "import asyncio", "Judging and reporting need no network"),
        ("plugin.py", "import conformance.target", "The pytest plugin"),
        ("observe.py", "import httpx", "Only the transport sends"),
        ("certificate.py", "import cryptography", "Only signing knows"),
    ],
)
def test_the_import_contract_breaks_when_it_should(tmp_path: Path, file: str, line: str, broken: str) -> None:
    shutil.copytree(ROOT / "conformance", tmp_path / "conformance")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "conformance" / file).open("a", encoding="utf-8") as module:
        module.write(f"\n{line}\n")

    found = imports_kept(tmp_path)

    assert found.returncode == 1, found.stderr
    assert re.search(rf"{broken}.* BROKEN", found.stdout)


# What is committed.


@pytest.fixture(scope="module")
def repository() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("outside a git checkout nobody knows which files are the project's")
    return tracked()


def test_no_file_names_a_machine_or_a_registry(repository: list[Path]) -> None:
    foreign = re.compile(r"/(?:work|root|home|farm|tmp)/\w|py[p]i\.org|python[h]osted")
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in repository
        for number, line in enumerate(file.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if foreign.search(line)
    ]

    assert found == []


def test_no_run_and_no_environment_is_committed(repository: list[Path]) -> None:
    inside = {file.relative_to(ROOT).as_posix() for file in repository}

    assert [name for name in inside if name.startswith((".venv/", ".nox/", "dist/", "reports/runs/"))] == []


# Documents.


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """The shell blocks of a page: who runs each, and its lines."""
    for mark, block in re.findall(r"(?:<!-- run by (\S+) -->\n)?```sh\n(.*?)```", text, re.DOTALL):
        yield mark, block.splitlines()


def test_every_command_of_the_readme_is_run_by_something() -> None:
    assert {mark for mark, _ in blocks(README)} == {".ci/run", "tests/test_house.py"}


def test_ci_runs_the_commands_that_the_readme_gives() -> None:
    promised = [line for mark, lines in blocks(README) if mark == ".ci/run" for line in lines]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    steps = [step.strip() for step in script.replace("&&\n", "&& ").split("\n") if step.lstrip().startswith("python3 ")]

    assert len(promised) == 2
    assert [" ".join(step.split()) for step in steps] == [" && ".join(promised)]


def test_ci_is_a_script_that_can_be_run() -> None:
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_the_commands_of_the_readme_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line as it stands there, but for the deployment, which is the reference server."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with serve_in_thread(replace(Site(), keys=(KEY,))) as url:

        def here(text: str) -> str:
            text = text.replace("https://grid.example.com", url).replace("scailabs/poolnoodle-omni", "reference/mini")
            text = text.replace("staging/dies-mid-stream", "reference/dies-mid-stream")
            return text.replace("requests_per_minute = 60", "requests_per_minute = 60000")

        (target,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
        (tmp_path / "grid.toml").write_text(here(target), encoding="utf-8")
        lines = [here(line) for mark, each in blocks(README) if mark == "tests/test_house.py" for line in each]
        for line in lines:
            program, *arguments = shlex.split(line)
            match program:
                case "export":
                    name, _, _ = arguments[0].partition("=")
                    monkeypatch.setenv(name, KEY)
                case "chat-conformance":
                    ran = CliRunner().invoke(main, arguments)
                    assert ran.exit_code == 0, f"{line}\n{ran.output}"
                case "pytest":
                    judged = subprocess.run(
                        [sys.executable, "-m", "pytest", *arguments],
                        capture_output=True,
                        text=True,
                        check=False,
                        timeout=60,
                    )
                    assert judged.returncode == 0, f"{line}\n{judged.stdout}"
                    assert "conformant" in judged.stdout
                case _:
                    pytest.fail(f"nobody knows how to run {line}")

    for name in ("before", "quick", "stream", "after", "again"):
        assert (tmp_path / name / "report.json").is_file()
    assert (tmp_path / "again" / "report.json").read_bytes() == (tmp_path / "before" / "report.json").read_bytes()


def test_contributing_lists_the_sessions_of_nox() -> None:
    listing = subprocess.run(
        [sys.executable, "-m", "nox", "--list"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    sessions = re.findall(r"^([*-]) (\S+)", listing.stdout, re.MULTILINE)
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `([a-z-]+)` \| (yes|no) \|", text, re.MULTILINE)

    assert told == [(name, "yes" if mark == "*" else "no") for mark, name in sessions]


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert text.startswith(f"# {page.name[:3]}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences", "Alternatives"]


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(page.name[:3]) for page in (ROOT / "docs" / "decisions").glob("*.md"))

    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_a_link_of_a_page_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text(encoding="utf-8"))

    assert links
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


def test_the_map_of_the_code_names_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = " ".join(re.findall(r"^\|(.*?)\|", text, re.MULTILINE))
    rooms = set(modules("conformance"))

    assert set(re.findall(r"`([a-z_]+)`", table)) == rooms


def test_every_class_is_covered_by_some_requirement() -> None:
    assert {row.certifies for row in catalogue().values()} == set(CLASSES)


def test_the_schemas_stand_where_the_checkout_has_them() -> None:
    assert schema.folder() == ROOT / "schemas"
