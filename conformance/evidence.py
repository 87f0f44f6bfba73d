"""The record of a run: JSON lines with a header, one exchange a line, and a footer."""

import gzip
import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeVar

from conformance import arrival as arriving
from conformance.arrival import Arrival
from conformance.document import NotJson, parse
from conformance.exchange import Exchange, from_json, to_json
from conformance.scenario import cued
from conformance.schema import defects
from conformance.target import BadInput

FORMAT: Final = "chat-conformance-evidence/1"
"""What the header's `format` says; another number is another shape."""

_Read = TypeVar("_Read")
_PLAIN: Final = "evidence.jsonl"
_PACKED: Final = "evidence.jsonl.gz"


def _line(record: Mapping[str, Any]) -> bytes:
    # ASCII alone: a lone surrogate can be written, and no editor meets a foreign line end or a bidi control.
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


class Journal:
    """Evidence as it is written: every record is a line of its own and leaves the process at once.

    Left as a context manager without `close`, it ends without a footer: the run was cut short.
    """

    def __init__(self, file: Path, header: Mapping[str, Any]) -> None:
        """Begin a new file.

        Raises:
            FileExistsError: `file`, or its compressed form beside it, is already there.
            OSError: the file cannot be written.
        """
        packed = file.with_name(file.name + ".gz")
        if packed.exists():
            raise FileExistsError(f"{packed} holds another run; give a fresh directory")
        self._file: BinaryIO = file.open("xb")
        self._write({"kind": "header", "format": FORMAT, **header})

    def record(self, exchange: Exchange) -> None:
        """Write one exchange."""
        self._write(to_json(exchange))

    def arrived(self, arrivals: Iterable[Arrival]) -> None:
        """Write what the scripted backend received."""
        for arrival in arrivals:
            self._write(arriving.to_json(arrival))

    def close(self, footer: Mapping[str, Any]) -> None:
        """Write the footer and close the file."""
        self._write({"kind": "footer", **footer})
        self._file.close()

    def _write(self, record: Mapping[str, Any]) -> None:
        self._file.write(_line(record))
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a run left behind."""

    header: Mapping[str, Any]
    """What the journal was begun with."""
    exchanges: tuple[Exchange, ...]
    """In the order in which they ended, each with the requests that it made the scripted backend receive."""
    footer: Mapping[str, Any] | None
    """What the journal was closed with; None where the run was cut short."""
    strays: tuple[Arrival, ...] = ()
    """What the scripted backend received that no exchange here made it receive."""


def _records(lines: Iterable[bytes], file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every record with its place for a message; a last line without its line end is dropped when it is broken.

    A record is written with its line end in one go, so only a torn one lacks it.
    """
    for number, line in enumerate(lines, start=1):
        place = f"{file}, line {number}"
        try:
            record = parse(line)
        except NotJson as error:
            if number > 1 and not line.endswith(b"\n"):
                return
            raise BadInput(f"{place}: {error}; take the run's own file, unedited") from None
        if not isinstance(record, dict):
            raise BadInput(f"{place}: not a record; take the run's own file, unedited")
        yield place, record


def checked(kind: str, record: Mapping[str, Any], place: str) -> None:
    """Stop at a header, footer or exchange that nothing could be judged on.

    Raises:
        BadInput: the record does not keep `evidence.schema.json`; the message begins with `place`.
    """
    for defect in defects(f"evidence.schema.json#/$defs/{kind}", record):
        where = defect.pointer or "the record"
        raise BadInput(f"{place}: the {kind}: {where}: {defect.message}; take the run's own file, unedited")


def _read(made: Callable[[Mapping[str, Any]], _Read], record: Mapping[str, Any], place: str) -> _Read:
    checked(record["kind"], record, place)
    try:
        return made(record)
    except ValueError as error:
        raise BadInput(f"{place}: {error}; take the run's own file, unedited") from None


def _gathered(records: Iterator[tuple[str, Mapping[str, Any]]], file: Path) -> Evidence:
    place, first = next(records, (str(file), {}))
    if first.get("kind") != "header":
        raise BadInput(f"{place}: no header; this is not the evidence of a run, or the run died before it began")
    if first.get("format") != FORMAT:
        raise BadInput(f"{place}: the format is {first.get('format')!r}, and this version reads {FORMAT!r} only")
    exchanges: list[Exchange] = []
    arrivals: list[Arrival] = []
    footer: Mapping[str, Any] | None = None
    for place, record in records:
        if footer is not None:
            raise BadInput(f"{place}: a record after the footer; take the run's own file, unedited")
        match record.get("kind"):
            case "exchange":
                exchanges.append(_read(from_json, record, place))
            case "arrival":
                arrivals.append(_read(arriving.from_json, record, place))
            case "footer":
                footer = {name: value for name, value in record.items() if name != "kind"}
            case "header":
                raise BadInput(f"{place}: a second header; keep each run in a directory of its own")
            case kind:
                raise BadInput(f"{place}: no record is of the kind {kind!r}; take the run's own file, unedited")
    header = {name: value for name, value in first.items() if name not in {"kind", "format"}}
    joined, strays = _joined(exchanges, arrivals)
    return Evidence(header=header, exchanges=joined, footer=footer, strays=strays)


def _joined(
    exchanges: Sequence[Exchange], arrivals: Sequence[Arrival]
) -> tuple[tuple[Exchange, ...], tuple[Arrival, ...]]:
    """Each exchange with the arrivals that it caused, and the arrivals that none did.

    A tag is of one request; where that was sent again, the arrivals of each attempt are told apart by their time.
    """
    tags = [_tag(exchange) for exchange in exchanges]
    begun: dict[str, list[float]] = {}
    for tag, exchange in zip(tags, exchanges, strict=True):
        begun.setdefault(tag, []).append(exchange.started)
    caused: dict[tuple[str, float], list[Arrival]] = {}
    strays: list[Arrival] = []
    for arrival in sorted(arrivals, key=lambda each: each.at):
        if arrival.tag and arrival.tag in begun:
            times = begun[arrival.tag]
            started = max((time for time in times if time <= arrival.at), default=min(times))
            caused.setdefault((arrival.tag, started), []).append(arrival)
        else:
            strays.append(arrival)
    return (
        tuple(
            replace(exchange, arrivals=tuple(caused.get((tag, exchange.started), ()))) if tag else exchange
            for tag, exchange in zip(tags, exchanges, strict=True)
        ),
        tuple(strays),
    )


def _tag(exchange: Exchange) -> str:
    if b"[scenario:" not in exchange.request.body:
        return ""
    try:
        return cued(parse(exchange.request.body))[1]
    except NotJson:
        return ""


def stored(run: Path) -> Path:
    """The file that holds a run's evidence, compressed or not, whether or not it is there."""
    plain, packed = run / _PLAIN, run / _PACKED
    return packed if packed.exists() and not plain.exists() else plain


def read(run: Path) -> Evidence:
    """The evidence in a run's directory, compressed or not.

    A line torn by a crash, which can only be the last, is dropped.

    Raises:
        BadInput: there is none, it has another format, or a line is broken; the message says where.
    """
    file = stored(run)
    try:
        with gzip.open(file, "rb") if file.name == _PACKED else file.open("rb") as lines:
            return _gathered(_records(lines, file), file)
    except FileNotFoundError:
        raise BadInput(f"{run}: holds no {_PLAIN}; give the directory that a run wrote") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadInput(f"{file}: not whole, or no gzip file; take the run's own file, unedited") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None


def compressed(run: Path, *, above_bytes: int = 8 * 1024 * 1024) -> None:
    """Put a compressed file in the place of evidence that is larger than `above_bytes`; leave smaller evidence alone.

    Equal evidence gives equal bytes. Both files are there for a moment and hold the same, so a crash loses nothing.
    """
    plain, packed, draft = run / _PLAIN, run / _PACKED, run / (_PACKED + ".part")
    if not plain.exists() or plain.stat().st_size <= above_bytes:
        return
    try:
        with (
            plain.open("rb") as source,
            draft.open("wb") as raw,
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as target,
        ):
            shutil.copyfileobj(source, target)
        draft.replace(packed)
    finally:
        draft.unlink(missing_ok=True)
    plain.unlink()
