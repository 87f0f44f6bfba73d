"""Which checks enter which functions of a module: only they can tell a mutant of one."""

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import CodeType, FrameType, ModuleType

from proof.mutants.cases import shown
from proof.mutants.judging import complaint
from tests.miniatures.settings import SETTINGS, Setting

Place = tuple[str, str]
"""A source file, and a function in it, dotted as a mutant names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What it is to judge one requirement over every case of a kind of run, with nothing changed."""

    told: str
    """What is complained of; empty, if all is well."""
    entered: frozenset[Place]
    seconds: float


@contextmanager
def entering() -> Iterator[set[Place]]:
    """The functions that are entered meanwhile; whole when the block ends."""
    codes: set[CodeType] = set()
    found: set[Place] = set()

    def note(frame: FrameType, _event: str, _arg: object) -> None:
        codes.add(frame.f_code)

    before = sys.gettrace()
    sys.settrace(note)
    try:
        yield found
    finally:
        sys.settrace(before)
        found.update((code.co_filename, _named(code)) for code in codes)


def _named(code: CodeType) -> str:
    """Dotted from the module; what a function holds in a lambda or a comprehension is its own."""
    return ".".join(part for part in code.co_qualname.split(".") if not part.startswith("<"))


@cache
def judged(setting: Setting) -> dict[str, Judged]:
    """Every requirement of a kind of run by itself; some minutes, once a process."""
    shown(setting)  # made before the workers are forked, for all of them
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
        return dict(zip(setting.checks, pool.map(partial(_judged, setting.name), setting.checks), strict=True))


def _judged(name: str, identity: str) -> Judged:
    (everything,) = (shown(setting) for setting in SETTINGS if setting.name == name)
    began = time.monotonic()
    with entering() as entered:
        told = complaint(everything, (identity,), everywhere=True)
    return Judged(told=told, entered=frozenset(entered), seconds=time.monotonic() - began)


def bearing(module: str, function: str, ids: Sequence[str], settings: Sequence[Setting]) -> list[str]:
    """Those of the requirements whose checks a change of the function could turn.

    A function that runs when the checks are made may change any of them, and so may the module's own statements.
    """
    file = str(sys.modules[module].__file__)
    if not function or (file, function) in made_by():
        return list(ids)
    chosen = [
        identity
        for identity in ids
        if any((file, function) in judged(each)[identity].entered for each in settings if identity in each.checks)
    ]
    return chosen or list(ids)


@cache
def made_by() -> frozenset[Place]:
    """The functions that are entered while the modules of the checks are imported."""
    modules = [each for name, each in sys.modules.items() if name.startswith("conformance.checks.")]
    with entering() as entered:
        for each in modules:
            source = Path(str(each.__file__))
            code = compile(source.read_text("utf-8"), str(source), "exec", dont_inherit=True)
            exec(code, ModuleType(each.__name__).__dict__)  # noqa: S102  # an import of our own, made once more
    return frozenset(entered)
