"""The report for a person at a terminal, and the progress bar of a run."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from conformance.exchange import Ending, Exchange
from conformance.report import difference as differing
from conformance.report.findings import (
    Findings,
    Row,
    backend_told,
    by_reason,
    command,
    entry_told,
    excuse,
    findings,
    inputs_told,
    meaning,
    place,
    rates_told,
    spoken,
)
from conformance.report.visible import cut, visible, visible_lines

_WIDTH: Final = 100  # columns of a log, where rich would guess 80
_LONGEST: Final = 600  # characters of one thing expected or found
_VIOLATIONS: Final = 5  # shown for one requirement
_STYLES: Final[Mapping[str, str]] = {
    "conformant": "green",
    "pass": "green",
    "nonconformant": "red",
    "fail": "red",
    "error": "red",
    "aborted": "red",
    "incomplete": "yellow",
    "inconclusive": "yellow",
    "partial": "cyan",
    "untested": "dim",
    "not_applicable": "dim",
}
_FAULTS: Final = frozenset(Ending) - {Ending.COMPLETE, Ending.LEFT, Ending.INTERRUPTED, Ending.UNSENT}


def print_report(report: Mapping[str, Any], console: Console) -> None:
    """Write the report to `console`: classes, what failed and how to see it again, what was not seen, the verdict.

    Text of the target is shown to the character: it is no markup, and a control character is named.
    """
    with _wide(console):
        _print_all(report, console)


def print_difference(diff: Mapping[str, Any], console: Console) -> None:
    """Write what two runs say differently to `console`, with the care of `print_report`."""
    with _wide(console):
        _print_difference(diff, console)


@contextmanager
def _wide(console: Console) -> Iterator[None]:
    """The console as wide as a log, where it is no terminal."""
    before = console.width
    if not console.is_terminal:
        console.width = max(before, _WIDTH)
    try:
        yield
    finally:
        console.width = before


def _print_all(report: Mapping[str, Any], console: Console) -> None:
    found = findings(report)
    _print(console, Text.assemble(("chat-conformance ", "bold"), visible(report["suite"]["version"])))
    target = report["target"]
    _print(console, Text(visible(f"{target['url']}  model {target['model']}  profile {target['profile']}")))
    if "--seed" in report["selection"]:
        _print(console, Text(visible(f"{report['selection']}: the same options generate the same requests")))
    console.print()
    if report["verdict"] == "aborted":
        _print_aborted(report, found, console)
    else:
        _print_judged(report, found, console)
    _print_verdict(report, found, console)


def _print_aborted(report: Mapping[str, Any], found: Findings, console: Console) -> None:
    """Why nothing was decided, first and by itself; then what was left open, by reason."""
    _print(console, Text(visible(f"Aborted: {report['reason']}"), style="bold red"))
    console.print()
    _print_classes(report, console)
    _print_section("Errors of the suite", found.errors, console, style="red")
    _print_unseen("Undecided", by_reason((*found.undecided, *found.unclear)), console)


def _print_judged(report: Mapping[str, Any], found: Findings, console: Console) -> None:
    _print_classes(report, console)
    _print_section("Failures", found.failures, console, style="red")
    _print_lapsed(found.lapsed, console)
    _print_section("Errors of the suite", found.errors, console, style="red")
    _print_section("Inconclusive, and needed for a verdict", found.undecided, console, style="yellow")
    _print_section("Warnings (SHOULD)", found.warnings, console, style="yellow")
    _print_section("Known failures", found.known, console, style="cyan")
    _print_section("Notes (MAY)", found.notes, console, style="cyan")
    _print_section("Inconclusive", found.unclear, console, style="dim")
    _print_unseen("Untested", found.untested, console)
    _print_unseen("Not applicable", found.not_applicable, console)


def _print(console: Console, text: Text, *, indent: int = 0) -> None:
    console.print(Padding(_writable(text, console), (0, 0, 0, indent), expand=False), highlight=False)


def _print_line(console: Console, text: Text) -> None:
    """Write `text` without breaking its lines, so that it can be copied."""
    console.print(_writable(text, console), soft_wrap=True, highlight=False)


def _writable(text: Text, console: Console) -> Text:
    """`text`, with escapes for what the console's encoding cannot say."""
    encoding = console.encoding or "utf-8"
    plain = text.plain.encode(encoding, "backslashreplace").decode(encoding)
    return text if plain == text.plain else Text(plain, style=text.style)


def _print_classes(report: Mapping[str, Any], console: Console) -> None:
    verdicts = [word for word, number in report["counts"].items() if number]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("class", overflow="fold")
    table.add_column("result", overflow="fold")
    for word in verdicts:
        table.add_column(spoken(word), justify="right", overflow="fold")
    for name, state in report["classes"].items():
        rows = [row["verdict"] for row in report["requirements"] if row["class"] == name]
        numbers = [
            Text(str(rows.count(word) or "-"), style=_STYLES[word] if word in rows else "dim") for word in verdicts
        ]
        cells = [Text(name), Text(spoken(state), style=_STYLES[state]), *numbers]
        table.add_row(*(_writable(cell, console) for cell in cells))
    console.print(table)


def _print_section(title: str, rows: Sequence[Row], console: Console, *, style: str) -> None:
    if rows:
        console.print()
        _print(console, Text(f"{title}: {len(rows)}", style=f"bold {style}"))
    for row in rows:
        console.print()
        head = Text.assemble((visible(row["id"]), f"bold {style}"), f"  {row['level']}, {row['class']}, {row['basis']}")
        _print(console, head, indent=2)
        _print(console, Text(visible(row["text"])), indent=4)
        source = f", from {row['source']}" if row["source"] else ""
        _print(console, Text(visible(f"section {row['section']}{source}"), style="dim"), indent=4)
        if row["explanation"]:
            _print(console, Text(visible(cut(row["explanation"], limit=_LONGEST))), indent=4)
        if row.get("known"):
            _print(console, Text(visible(cut(f"known: {excuse(row)}", limit=_LONGEST)), style=style), indent=4)
        _print_violations(row, console)
        if row["reproduce"]:
            _print_line(console, Text(visible_lines(command(row)), style="dim"))


def _print_lapsed(entries: Sequence[Row], console: Console) -> None:
    if entries:
        console.print()
        _print(console, Text(f"Known failures that no longer hold: {len(entries)}", style="bold red"))
    for entry in entries:
        _print(console, Text(visible(cut(entry_told(entry), limit=_LONGEST))), indent=2)


def _print_violations(row: Row, console: Console) -> None:
    for violation in row["violations"][:_VIOLATIONS]:
        for label, value in (
            ("expected", violation["expected"]),
            ("found", violation["found"]),
            ("where", f"{place(violation['where'])} of {violation['exchange']}"),
        ):
            line = Text.assemble((f"{label:<9}", "dim"), visible(cut(value, limit=_LONGEST)))
            _print(console, line, indent=4)
    if len(row["violations"]) > _VIOLATIONS:
        _print(console, Text(f"and {len(row['violations']) - _VIOLATIONS} more", style="dim"), indent=4)


def _print_unseen(title: str, groups: Sequence[tuple[str, Sequence[Row]]], console: Console) -> None:
    if groups:
        console.print()
        _print(console, Text(f"{title}: {sum(len(rows) for _, rows in groups)}", style="bold"))
    for reason, rows in groups:
        _print(console, Text(f"{len(rows):>4}  {visible(cut(reason, limit=_LONGEST))}"))
        if reason.startswith("needs "):
            _print(console, Text(visible(", ".join(row["id"] for row in rows)), style="dim"), indent=6)


def _print_verdict(report: Mapping[str, Any], found: Findings, console: Console) -> None:
    verdict, tokens = report["verdict"], report["tokens"]
    counts = {
        "failed": len(found.failures),
        "lapsed": len(found.lapsed),
        "in error": len(found.errors),
        "inconclusive": len(found.undecided) + len(found.unclear),
        "warnings": len(found.warnings),
        "known": len(found.known),
        "passed": report["counts"]["pass"],
    }
    console.print()
    spent = f"{report['requests']} requests, {tokens['prompt']} + {tokens['completion']} tokens reported"
    _print(console, Text(f"{spent}, {report['duration_s']:.1f} s, {report['ended']}", style="dim"))
    if (inputs := report.get("inputs")) and inputs["generated"]:
        _print(console, Text(f"{inputs['generated']} generated; exercised: {inputs_told(inputs)}", style="dim"))
    if behind := report.get("backend"):
        _print(console, Text(backend_told(behind), style="dim"))
    if told := rates_told(report["requirements"]):
        _print(console, Text(told, style="dim"))
    _print(console, Text(visible(f"{meaning(report)} {report['reason']}".rstrip())))
    numbers = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing was judged"
    _print(console, Text.assemble((verdict.upper(), f"bold {_STYLES[verdict]}"), f"  {numbers}"))


def _print_difference(diff: Mapping[str, Any], console: Console) -> None:
    _print(console, Text("What changed", style="bold"))
    for sentence in differing.sentences(diff):
        _print(console, Text(visible(cut(sentence, limit=_LONGEST))))
    for name, each in diff["classes"].items():
        words = (spoken(each["before"]), spoken(each["after"]))
        _print(console, Text(visible(f"class {name}: {' before, '.join(words)} now")))
    for section in differing.sections(diff):
        style = _STYLES[section.word]
        console.print()
        _print(console, Text(f"{section.title}: {section.number}", style=f"bold {style}"))
        _print(console, Text(section.says, style="dim"))
        for entry in section.entries:
            console.print()
            head = Text.assemble((visible(cut(entry.name, limit=_LONGEST)), f"bold {style}"), f"  {entry.tags}")
            _print(console, head, indent=2)
            _print(console, Text(visible(cut(entry.text, limit=_LONGEST))), indent=4)
            for label, value in entry.facts:
                line = Text.assemble((f"{label:<11}", "dim"), visible(cut(value, limit=_LONGEST)))
                _print(console, line, indent=4)
            if entry.command:
                _print_line(console, Text(visible_lines(command({"reproduce": entry.command})), style="dim"))
    console.print()
    _print(console, Text(differing.MEANING[diff["result"]]))
    style = _RESULTS[diff["result"]]
    _print(console, Text.assemble((diff["result"].upper(), f"bold {style}"), f"  {differing.headline(diff)}"))


_RESULTS: Final[Mapping[str, str]] = {
    "regression": "red",
    "improvement": "green",
    "changed": "cyan",
    "unchanged": "green",
}


class Bar:
    """A progress bar of a run, for `with`; writes nothing where the console is no terminal."""

    def __init__(self, console: Console, *, total: int) -> None:
        """A bar for `total` planned requests; each retry adds one."""
        self._progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)
        self._total = total
        self._faults = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, exchange: Exchange) -> None:
        """Count one exchange that has ended."""
        self._total += exchange.retried
        self._faults += exchange.ended in _FAULTS
        faults = f"{self._faults} without a whole answer, " if self._faults else ""
        description = f"{faults}{visible(cut(exchange.probe, limit=60))}"
        self._progress.update(self._task, advance=1, total=self._total, description=description)
