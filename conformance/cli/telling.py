"""What a command prints: reports, comparisons, and words of others."""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from conformance import stored
from conformance.comparison.record import REGRESSION, Run
from conformance.report import terminal
from conformance.target import BadInput


def tell(directory: Path, console: Console, before: Run | None) -> int:
    """Judge, write the files, print the report and what it says that the run before did not; the exit code."""
    judgement = stored.judged(directory)
    stored.write_reports(directory, judgement.report, directory)
    code = judgement.exit_code
    print_report(judgement.report, console)
    if before is not None:
        diff = stored.difference(before, directory)
        stored.write_difference(directory, judgement.report, diff)
        console.print()
        print_report(diff, console, printed=terminal.print_difference)
        code = REGRESSED if diff["result"] == REGRESSION else code
    tell_place(directory)
    return code


def tell_place(directory: Path) -> None:
    """Say where a report was written."""
    click.echo(f"report: {directory / 'report.html'}")


REGRESSED: Final = 1
"""The exit code of a comparison that found a regression."""


def print_report(
    report: Mapping[str, Any],
    console: Console,
    *,
    printed: Callable[[Mapping[str, Any], Console], None] = terminal.print_report,
) -> None:
    """Print a report as far as somebody reads it; the exit code is the run's all the same.

    Raises:
        BadInput: it cannot be written to where the output goes.
    """
    try:
        # rich leaves with 1 where the reader of a pipe is gone, which would say nonconformant.
        with suppress(SystemExit):
            printed(report, console)
    except OSError as error:
        raise BadInput(f"the report cannot be printed: {error.strerror}") from None


def say(text: str) -> None:
    """Print text that may hold any character, with escapes for what the output's encoding cannot say."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))
