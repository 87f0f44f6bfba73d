"""The pytest plugin: the options and markers of the suites.

Every pytest run on the machine loads this module, so it imports nothing of the suite; what the suites do with the
options stands in `conformance/suites/conftest.py`.
"""

from pathlib import Path
from typing import Final

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
