"""Asking a target."""

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from conformance import run, stored
from conformance.baseline import Entry
from conformance.cli.group import main
from conformance.cli.options import BASELINE, selection_options, staging, target_described, target_options
from conformance.cli.telling import tell
from conformance.generate.remembered import obstacle
from conformance.plan import Plan
from conformance.report import terminal
from conformance.selection import NOT_SELECTED, Selection, Shard
from conformance.target import BadInput

if TYPE_CHECKING:
    from conformance.embedded import Stage


@main.command("run")
@target_options
@selection_options
@BASELINE
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the files go.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="RUN_DIR",
    help="Say what an earlier run says differently; exit 1 on a regression.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and its bounds, send nothing.")
@click.pass_context
def run_command(ctx: click.Context, /, url: str | None, **options: Any) -> None:
    """Ask a target, judge its answers, write a report.

    Without URL and --config the embedded reference server is asked.
    """
    described = target_described(url, options)
    selection = Selection(
        only=options["only"],
        classes=options["classes"],
        bases=options["bases"],
        strict=options["strict"],
        quick=options["quick"],
        examples=options["examples"],
        seed=options["seed"],
        shrinks=options["max_shrinks"],
        remembered=options["database"],
        repeat=options["repeat"],
        shard=Shard.named(options["shard"], own_server=not described.url) if options["shard"] else None,
    )
    if selection.examples and not selection.shard and (reason := obstacle(options["database"])):
        raise BadInput(f"--database: {reason}; give another directory for what generated requests show")
    known = run.baseline(options["baseline"]) if options["baseline"] else None
    before = stored.comparable(options["against"]) if options["against"] else None
    console = Console(stderr=False, soft_wrap=False)
    with staging(described, options) as stage:
        asked = run.plan(stage.target, selection)
        if options["dry_run"]:
            _print_plan(asked)
            return
        directory = stored.fresh_directory(stage.target, options["output"])
        with terminal.Bar(console, total=asked.requests + asked.repeats) as bar:
            interrupted = _send(directory, stage, selection=selection, asked=asked, known=known, bar=bar)
    if interrupted and not any(directory.iterdir()):
        raise KeyboardInterrupt  # before there was anything to judge
    try:
        code = tell(directory, console, before)
    except KeyboardInterrupt:
        click.echo(
            f"interrupted; the evidence is in {directory}, and chat-conformance judge {directory} makes the reports",
            err=True,
        )
        ctx.exit(stored.INTERRUPTED)
    ctx.exit(stored.INTERRUPTED if interrupted else code)


def _send(  # noqa: PLR0913  # what a run is made of
    directory: Path,
    stage: "Stage",
    *,
    selection: Selection,
    asked: Plan,
    known: Sequence[Entry] | None,
    bar: terminal.Bar,
) -> bool:
    """Observe the target; whether the sending was interrupted, which the evidence says too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # asyncio makes a cancellation of SIGINT; an exception in the middle of the loop would lose what is under way.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)  # a CI job is ended with TERM, not with INT
    try:
        asyncio.run(
            run.observed(
                directory,
                target=stage.target,
                key=stage.key,
                selection=selection,
                asked=asked,
                behind=stage.behind,
                known=known,
                seen=bar.advance,
            )
        )
    except KeyboardInterrupt:
        return True
    else:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_plan(asked: Plan) -> None:
    for probe in asked.probes:
        steps = f" ({len(probe.steps)} requests)" if len(probe.steps) > 1 else ""
        click.echo(f"{probe.name:<38} {probe.asks}{steps}")
    reasons = Counter(reason for reason in asked.left_out.values() if reason != NOT_SELECTED)
    for reason, count in reasons.items():
        click.echo(f"left out: {count} requirements: {reason}")
    unbounded = f", and {asked.unbounded} answers that only the model bounds" if asked.unbounded else ""
    click.echo(
        f"\nat most {asked.requests} requests (retries aside) and {asked.output_tokens} output tokens{unbounded};"
        f" about {asked.prompt_tokens} prompt tokens"
    )
    if asked.repeats:
        click.echo(f"in further rounds, up to {asked.repeats} requests repeat what can differ from call to call")
    if asked.again:
        click.echo(f"where a model leaves something undecided, up to {asked.again} of the requests are made once more")
