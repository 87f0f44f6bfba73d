"""The pytest plugin: the options and markers of the suites.

Every pytest run on the machine loads this module, so it imports nothing of the suite; what the suites do with the
options stands in `conformance/suites/conftest.py`.
"""

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

_MARKERS: Final = {
    "a requirement of the level {}": ("must", "should", "may"),
    "a requirement of the class {}": (
        "core",
        "parameters",
        "messages",
        "streaming",
        "tools",
        "vision",
        "audio",
        "errors",
        "resilience",
    ),
    "a requirement whose basis is {}": ("stated", "shown", "implied", "supplement"),
}


_HANDED: Final = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Keep what a worker of pytest-xdist hands over: what its run amounts to, as far as it came."""
    handed = getattr(node, "workeroutput", {}).get("conformance", {})
    node.config.stash[_HANDED] = node.config.stash.get(_HANDED, {}) | handed


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that the workers found not conformant is not green in the process that they answer to."""
    handed = session.config.stash.get(_HANDED, {})
    if "verdict" in handed:  # without one, what the workers have seen is nowhere else
        shutil.rmtree(handed["shared"], ignore_errors=True)
    if code := handed.get("code"):
        session.exitstatus = int(code)
    elif exitstatus == 0 and handed.get("verdict", "conformant") != "conformant":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the run of the workers amounts to, and where its report is."""
    handed = config.stash.get(_HANDED, {})
    if "verdict" in handed:
        terminalreporter.section("chat conformance")
        terminalreporter.write_line(handed["verdict"] + (f": {handed['reason']}" if handed["reason"] else ""))
        terminalreporter.write_line(f"{handed['requests']} requests, evidence and reports in {handed['place']}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suites."""
    group = parser.getgroup("chat-conformance", "conformance of a chat completions endpoint")
    group.addoption("--target", metavar="URL|FILE", help="What to judge; the embedded reference server by default.")
    group.addoption("--model", metavar="SLUG", help="Slug of the model to ask.")
    group.addoption("--api-key-env", metavar="NAME", help="Variable with the API key. [SCAIGRID_API_KEY]")
    group.addoption("--conformance-output", metavar="DIR", type=Path, help="Where evidence and reports go.")
    group.addoption("--conformance-strict", action="store_true", help="A broken SHOULD fails too.")
    group.addoption("--conformance-baseline", metavar="FILE", type=Path, help="Known failures (TOML).")
    group.addoption("--conformance-examples", metavar="N", type=int, default=0, help="Generate N requests.")
    group.addoption("--conformance-seed", metavar="N", type=int, default=0, help="Which ones. [0]")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest the markers that `-m` can choose by."""
    for meaning, names in _MARKERS.items():
        for name in names:
            config.addinivalue_line("markers", f"{name}: {meaning.format(name)}")
