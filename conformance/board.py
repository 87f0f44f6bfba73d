"""A folder of runs as a board: pages that show every target by classes, and how it went over time."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from conformance.document import NotJson, parse
from conformance.report import overview
from conformance.report.history import History, Run, histories, run
from conformance.report.overview import LeftOut
from conformance.report.visible import cut, visible
from conformance.schema import defects
from conformance.target import BadInput

DEEPEST: Final = 8
"""Folders below the one that is searched in which a report is looked for."""
MOST_REPORTS: Final = 2_000
"""Reports of one board; each takes a tenth of a second to check."""
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of one report.json; a run's own has some 400 kB."""
_LONGEST: Final = 300  # characters of one reason


class _Foreign(ValueError):
    """A report.json that cannot be shown; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a folder holds: the targets, and what of it cannot be shown."""

    targets: tuple[History, ...]
    left_out: tuple[LeftOut, ...]


def found(directory: Path, output: Path) -> Found:
    """The runs below a directory, by target.

    Args:
        directory: what holds the runs, at any depth to `DEEPEST`.
        output: where the pages will be, for their links to the runs.

    Raises:
        BadInput: there is no report that can be shown, or there are more than `MOST_REPORTS`.
    """
    runs: list[Run] = []
    left_out: list[LeftOut] = []
    seen: dict[bytes, str] = {}
    for number, file in enumerate(_reports(directory, left_out), 1):
        if number > MOST_REPORTS:
            raise BadInput(f"{directory}: more than {MOST_REPORTS:,} reports; give a directory further down")
        place = file.relative_to(directory)
        try:
            content = _content(file)
            _note(content, place.as_posix(), seen)
            runs.append(_run(content, place=place.parent.as_posix(), page=_page(file, output)))
        except _Foreign as reason:
            left_out.append(LeftOut(place=place.as_posix(), reason=cut(visible(str(reason)), limit=_LONGEST)))
    if not runs:
        told = f"; {left_out[0].place}: {left_out[0].reason}" if left_out else ""
        cure = f"chat-conformance run --output {directory / 'NAME'} makes one"
        raise BadInput(f"{directory}: no report to show{told}; {cure}")
    return Found(targets=histories(runs), left_out=tuple(left_out))


def write(board: Found, output: Path) -> Path:
    """Write the pages of a board into a directory, and say which is the first.

    Equal reports give equal bytes: nothing on the pages comes from the clock, or from where the directory stands.
    Pages of an earlier board are overwritten, nothing else is touched.

    Raises:
        BadInput: a page cannot be written.
    """
    for history in board.targets:
        _written(output / f"{history.identity.slug}.html", overview.page(history))
    return _written(output / "index.html", overview.index(board.targets, board.left_out))


def _reports(directory: Path, left_out: list[LeftOut]) -> Iterator[Path]:
    """The files named report.json below a directory, by name; a folder that is a link is not followed."""

    def unread(error: OSError) -> None:
        place = Path(error.filename).relative_to(directory).as_posix()
        left_out.append(LeftOut(place=place, reason=f"cannot be read: {error.strerror}"))

    for here, folders, files in os.walk(directory, onerror=unread):
        folders.sort()
        place = Path(here)
        if len(place.relative_to(directory).parts) >= DEEPEST and folders:
            below = place.relative_to(directory).as_posix()
            left_out.append(LeftOut(place=below, reason=f"not searched below, {DEEPEST} folders deep"))
            folders.clear()
        if "report.json" in files:
            yield place / "report.json"


def _content(file: Path) -> bytes:
    try:
        if not file.is_file():  # a pipe would never end
            raise _Foreign("not a file")
        if file.stat().st_size > LARGEST:
            raise _Foreign(f"larger than {LARGEST:,} bytes")
        return file.read_bytes()
    except OSError as error:
        raise _Foreign(f"cannot be read: {error.strerror}") from None


def _note(content: bytes, place: str, seen: dict[bytes, str]) -> None:
    first = seen.setdefault(sha256(content).digest(), place)
    if first != place:
        raise _Foreign(f"the same report as {first}")


def _run(content: bytes, *, place: str, page: str) -> Run:
    try:
        report = parse(content)
    except NotJson as reason:
        raise _Foreign(f"not JSON: {reason}") from None
    if wrong := defects("report.schema.json", report):
        raise _Foreign(f"no report of this version: {wrong[0].pointer or 'the whole'}: {wrong[0].message}")
    try:
        return run(report, place=place, page=page)
    except ValueError:
        raise _Foreign(f"no report of this version: /started: {report['started']} is no time") from None


def _page(file: Path, output: Path) -> str:
    """The URL of the report.html beside a report.json, from the pages of the board; empty where there is none."""
    page = file.with_name("report.html")
    return quote(os.fsencode(os.path.relpath(page, output))) if page.is_file() else ""


def _written(file: Path, text: str) -> Path:
    try:
        file.write_bytes(text.encode("utf-8"))
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}; give another --output") from None
    return file
