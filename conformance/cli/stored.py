"""Runs that are there already: judged again, put together, written in other forms, compared, shown side by side."""

from pathlib import Path

import click
from rich.console import Console

from conformance import board, run, stored
from conformance.cli.group import main
from conformance.cli.options import BASELINE, RUN_DIR
from conformance.cli.telling import REGRESSED, print_report, tell, tell_place
from conformance.comparison.record import REGRESSION
from conformance.report import annotations, markdown, record, terminal
from conformance.report.draft import draft
from conformance.target import BadInput


@main.command("merge")
@click.argument(
    "run_dirs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="RUN_DIR...",
    nargs=-1,
    required=True,
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", required=True)
@click.pass_context
def merge_command(ctx: click.Context, /, run_dirs: tuple[Path, ...], output: Path) -> None:
    """Put the shards of a run together, judge the whole, and write its reports."""
    stored.merge(run_dirs, output)
    ctx.exit(tell(output, Console(), None))


@main.command("judge")
@RUN_DIR
@BASELINE
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Another place.")
@click.pass_context
def judge_command(ctx: click.Context, /, run_dir: Path, baseline: Path | None, output: Path | None) -> None:
    """Judge stored evidence again, offline, and write its reports.

    The known failures are those of the run, or of --baseline in their place.
    """
    judgement = stored.judged(run_dir, run.baseline(baseline) if baseline else None)
    place = stored.place_beside(run_dir, output)
    stored.write_reports(run_dir, judgement.report, place)
    print_report(judgement.report, Console())
    tell_place(place)
    ctx.exit(judgement.exit_code)


@main.command("report")
@RUN_DIR
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([*stored.FORMATS, "badge", "github"]),
    help="Only this, and print no report; repeatable. badge: badge.svg and badge.json for shields.io; github:"
    " annotations, printed.",
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Another place.")
def report_command(run_dir: Path, formats: tuple[str, ...], output: Path | None) -> None:
    """Write the other formats from report.json."""
    found = stored.reported(run_dir)
    place = stored.place_beside(run_dir, output)
    stored.render(run_dir, found, place, formats or stored.FORMATS, diff=stored.told_before(run_dir))
    if not formats:
        print_report(found, Console())
        tell_place(place)
    if "github" in formats:
        click.echo(annotations.commands(found).encode(), nl=False)  # whatever the locale is


@main.command("diff")
@click.argument("before", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_A")
@click.argument("after", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_B")
@click.option("--format", "form", type=click.Choice(["terminal", "markdown", "json"]), default="terminal")
@click.option("--strict", is_flag=True, help="A SHOULD that broke is a regression too.")
@click.pass_context
def diff_command(ctx: click.Context, /, before: Path, after: Path, *, form: str, strict: bool) -> None:
    """Say what run B says that run A did not.

    \b
    Exit codes: 0 no regression, 1 a regression, 2 usage.
    """  # noqa: D301  # click reads the character
    diff = stored.difference(stored.comparable(before), after, strict=strict)
    match form:
        case "json":
            click.echo(record.written(diff), nl=False)
        case "markdown":
            click.echo(markdown.difference(diff), nl=False)
        case _:
            print_report(diff, Console(), printed=terminal.print_difference)
    ctx.exit(REGRESSED if diff["result"] == REGRESSION else 0)


@main.command("baseline")
@RUN_DIR
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else it is printed.")
def baseline_command(run_dir: Path, output: Path | None) -> None:
    """Draft a file of known failures from a run, its reasons left to fill in."""
    text = draft(stored.reported(run_dir))
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{output}: is there already, perhaps filled in; give another --output") from None
    except OSError as error:
        raise BadInput(f"{output}: cannot be written: {error.strerror}; give another --output") from None


@main.command("board")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="OUT", help="[DIR/board]")
def board_command(directory: Path, output: Path | None) -> None:
    """Show all runs below DIR as pages: targets by classes, and how each went over time."""
    place = output or directory / "board"
    found = board.found(directory, place)
    page = board.write(found, stored.made(place))
    for each in found.left_out:
        click.echo(f"warning: left out {each.place}: {each.reason}", err=True)
    runs = sum(len(history.runs) for history in found.targets)
    click.echo(f"targets: {len(found.targets)}, runs: {runs}, left out: {len(found.left_out)}")
    click.echo(f"board: {page}")
