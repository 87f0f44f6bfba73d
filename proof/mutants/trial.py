"""One mutant in a process of its own, forked from one that has imported all it can, and what killed it there."""

import ast
import importlib
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import Phase, settings

from conformance.reading import witness

ROOT: Final = Path(__file__).parents[2]
_MEMORY: Final = 6 * 1024**3  # bytes; a mutant may never stop asking
SURVIVED: Final = ""
TIMEOUT: Final = "timeout"

Killer = Callable[[], str]
"""Run where the mutant is imported: what killed it, or nothing."""


def imported(module: str) -> frozenset[str]:
    """The modules of ours that a loaded module's source imports, wherever it does."""
    source = getattr(sys.modules[module], "__file__", None)
    if source is None:
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(ast.parse(Path(source).read_text("utf-8"))):
        match node:
            case ast.Import(names=names):
                found.update(each.name for each in names)
            case ast.ImportFrom(module=str(name), names=names):
                found.update((name, *(f"{name}.{each.name}" for each in names)))
    return frozenset(found & sys.modules.keys())


def _ours() -> tuple[str, ...]:
    return tuple(name for name in sys.modules if name.partition(".")[0] in {"conformance", "tests", "proof"})


def resting_on(module: str) -> frozenset[str]:
    """The module and all loaded ones that import it, directly or not."""
    imports = {name: imported(name) for name in _ours()}
    found = {module}
    while more := {name for name, needed in imports.items() if needed & found} - found:
        found |= more
    return frozenset(found)


@dataclass(frozen=True)
class _Source(MetaPathFinder, Loader):
    """Imports one module from a text."""

    module: str
    code: str

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        origin = str(ROOT / self.module.replace(".", "/")) + ".py"
        return spec_from_loader(fullname, self, origin=origin) if fullname == self.module else None

    def exec_module(self, module: ModuleType) -> None:
        # An import of this project's own code, which a person wrote and a mutation operator changed.
        exec(compile(self.code, f"<mutant of {self.module}>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102


def _forget(modules: frozenset[str]) -> None:
    """Leave the modules to be imported anew; a package holds its modules as attributes too."""
    for name in modules:
        package, _, last = name.rpartition(".")
        sys.modules.pop(name, None)
        if package in sys.modules:
            vars(sys.modules[package]).pop(last, None)


def settle() -> None:
    """Make property tests the same for every mutant: the same examples, none remembered, none made smaller.

    What the checks are shown is small, and is read for every mutant: its readings are all kept.
    """
    vars(witness)["_MOST_REMEMBERED"] = 2**31
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=(Phase.explicit, Phase.generate)
    )
    settings.load_profile("mutants")


class _First:
    """What failed first."""

    def __init__(self) -> None:
        self.name = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.name = self.name or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.name = self.name or f"{report.nodeid} cannot be imported"


def tested_by(*files: str) -> Killer:
    """The tests in these files, up to the first that fails."""

    def killer() -> str:
        first = _First()
        # What is imported here already is not ours to rewrite, and requests may have been drawn before pytest came;
        # the tests themselves are imported in the child.
        known = ("pytest.PytestAssertRewriteWarning", "hypothesis.errors.HypothesisSideeffectWarning")
        warm = [word for warning in known for word in ("-W", f"ignore::{warning}")]
        ended = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *warm, *files], plugins=[first])
        return SURVIVED if ended == 0 else first.name or f"pytest ended with {ended}"

    return killer


def outcome(module: str, code: str, killers: Sequence[Killer], stale: frozenset[str], *, patience: float) -> str:
    """What killed the mutant: a test, a case, an exception at import, `timeout`; empty where nothing did.

    `stale` is what must be imported anew, `patience` in seconds.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        told = "the process ended"
        try:
            told = _alone(module, code, killers, stale)
        except BaseException as error:  # noqa: BLE001  # whatever a mutant raises kills it
            told = f"{type(error).__name__}: {error}"
        finally:
            os.write(writing, told.encode("utf-8", "replace")[:4000] or b"\n")
            os._exit(0)
    os.close(writing)
    ready, _, _ = select.select([reading], [], [], patience)
    told = os.read(reading, 4096).decode("utf-8", "replace") if ready else TIMEOUT
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return told.strip() if told else "the process ended"


def _alone(module: str, code: str, killers: Sequence[Killer], stale: frozenset[str]) -> str:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # Not the address space, of which Node.js, that a test starts, reserves more than it uses.
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    _forget(stale)
    sys.meta_path.insert(0, _Source(module=module, code=code))
    importlib.import_module(module)
    return next(filter(None, (killer() for killer in killers)), SURVIVED)


def timed(run: Callable[[], str]) -> tuple[str, float]:
    """What it returned and the seconds it took."""
    began = time.monotonic()
    return run(), time.monotonic() - began
