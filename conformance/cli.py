"""The command line: a few small verbs; every mistake of the caller is one message and exit code 2."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from conformance import __version__, board, certificate, run, signing
from conformance.baseline import Entry
from conformance.comparison.record import REGRESSION, Run
from conformance.generate.remembered import DEFAULT as DEFAULT_DATABASE
from conformance.listing import listing
from conformance.plan import QUICK_REQUESTS, Plan
from conformance.report import annotations, certified, markdown, record, terminal
from conformance.report.draft import draft
from conformance.report.visible import visible_lines
from conformance.requirement import CLASSES
from conformance.selection import BASES, NOT_SELECTED, Selection, Shard
from conformance.target import DEFAULT_KEY_VARIABLE, BadInput, Limits, Target, checked, key_of, loaded

if TYPE_CHECKING:
    from conformance.embedded import Stage


class _Mistake(click.ClickException):
    """A mistake of the caller, told in one message."""

    exit_code = 2


class _Refusal(click.ClickException):
    """A certificate that is not given, or does not hold."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(f"Refused: {visible_lines(self.message)}", err=True, file=file)


class _Group(click.Group):
    """Commands whose mistakes of input end in one message, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as mistake:
            raise _Mistake(str(mistake)) from None
        except certificate.Refused as reason:
            raise _Refusal(str(reason)) from None
        except KeyboardInterrupt:
            # click would leave with 1, which says nonconformant.
            click.echo("interrupted", err=True)
            ctx.exit(run.INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="chat-conformance")
def main() -> None:
    r"""Does this deployment keep the chat contract, and how do you know?

    \b
    Exit codes: 0 conformant, 1 nonconformant, 2 usage, 3 aborted (target not
    reached, key refused, budget spent), 4 incomplete, 130 interrupted.
    """


def _target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.argument("url", required=False),
            click.option("--config", type=click.Path(path_type=Path), help="Target file (TOML); options override it."),
            click.option("--model", help="Slug of the model to ask."),
            click.option("--api-key-env", metavar="NAME", help=f"Variable with the key. [{DEFAULT_KEY_VARIABLE}]"),
            click.option("--profile", type=click.Choice(["native", "openai"]), help="Which surface the URL speaks."),
            click.option("--max-requests", type=click.IntRange(min=1), metavar="N", help="Most requests to send."),
            click.option("--max-tokens", type=click.IntRange(min=1), metavar="N", help="Most tokens to plan for."),
            click.option("--concurrency", type=click.IntRange(min=1, max=256), metavar="N", help="Requests at once."),
            click.option("--requests-per-minute", type=click.FloatRange(min=0, min_open=True), metavar="N"),
            click.option(
                "--timeout",
                type=click.FloatRange(min=0, min_open=True),
                metavar="S",
                help="Seconds of silence before an answer is given up; twice as many in all. [60]",
            ),
        ]
    ):
        command = option(command)
    return command


def _selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.option(
                "--only", multiple=True, metavar="ID", help="A requirement, or the start of some; repeatable."
            ),
            click.option("--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Repeatable."),
            click.option("--basis", "bases", multiple=True, type=click.Choice(BASES), help="Repeatable."),
            click.option("--strict", is_flag=True, help="A broken SHOULD counts like a broken MUST."),
            click.option("--quick", is_flag=True, help=f"Ask little: at most {QUICK_REQUESTS} requests."),
            click.option("--examples", type=click.IntRange(min=0), default=0, metavar="N", help="Generate N requests."),
            click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Which ones. [0]"),
            click.option(
                "--max-shrinks",
                type=click.IntRange(min=0),
                default=100,
                metavar="N",
                help="Requests to find the smallest that shows a violation. [100]",
            ),
            click.option(
                "--database",
                type=click.Path(path_type=Path, file_okay=False),
                default=DEFAULT_DATABASE,
                metavar="DIR",
                help=f"Where generated requests that showed a violation are kept. [{DEFAULT_DATABASE}]",
            ),
            click.option(
                "--repeat",
                type=click.IntRange(min=1, max=10_000),
                default=1,
                metavar="N",
                help="Ask what can differ from call to call N times.",
            ),
            click.option("--shard", metavar="K/N", help="Send part K of N alone; merge puts the parts together."),
        ]
    ):
        command = option(command)
    return command


_BASELINE: Final = click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Known failures (TOML), which are let pass."
)


def _limits(base: Limits, options: dict[str, Any]) -> Limits:
    names = ("max_requests", "max_tokens", "concurrency", "requests_per_minute", "timeout")
    given = {name: options[name] for name in names if options[name] is not None}
    if "timeout" in given:
        given["deadline"] = 2 * given["timeout"]
    return replace(base, **given)


def _described(url: str | None, options: dict[str, Any]) -> Target:
    """The target that the options and the target file describe; without a URL it is the embedded one."""
    file: Path | None = options["config"]
    described = loaded(file) if file else Target(url="")
    given: dict[str, Any] = {"url": url} if url else {}
    given |= {name: options[name] for name in ("model", "api_key_env", "profile") if options[name] is not None}
    if not url and not described.url and given:
        name = f"--{next(iter(given)).replace('_', '-')}"
        raise BadInput(f"{name} goes with a URL or --config with a [target]; without them the run is embedded")
    target = replace(described, **given)
    target = replace(target, limits=_limits(target.limits, options))
    return checked(target) if target.url else target


@contextmanager
def _stage(described: Target, options: dict[str, Any]) -> Iterator["Stage"]:
    """What the run plays on; where nothing is sent, nothing but an embedded server is started."""
    from conformance.embedded import Stage, staged  # noqa: PLC0415  # a server only where one is wanted

    if described.url and options["dry_run"]:
        yield Stage(target=described, key="")
        return
    with staged(described, key=key_of(described) if described.url else "") as stage:
        yield stage


@main.command("run")
@_target_options
@_selection_options
@_BASELINE
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
    described = _described(url, options)
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
    known = run.baseline(options["baseline"]) if options["baseline"] else None
    before = run.comparable(options["against"]) if options["against"] else None
    console = Console(stderr=False, soft_wrap=False)
    with _stage(described, options) as stage:
        asked = run.plan(stage.target, selection)
        if options["dry_run"]:
            _print_plan(asked)
            return
        directory = run.fresh_directory(stage.target, options["output"])
        with terminal.Bar(console, total=asked.requests + asked.repeats) as bar:
            interrupted = _send(directory, stage, selection=selection, asked=asked, known=known, bar=bar)
    if interrupted and not any(directory.iterdir()):
        raise KeyboardInterrupt  # before there was anything to judge
    code = _tell(directory, console, before)
    ctx.exit(run.INTERRUPTED if interrupted else code)


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


def _tell(directory: Path, console: Console, before: Run | None) -> int:
    """Judge, write the files, print the report and what it says that the run before did not; the exit code."""
    judgement = run.judged(directory)
    run.write_reports(directory, judgement.report, directory)
    code = judgement.exit_code
    _print_report(judgement.report, console)
    if before is not None:
        diff = run.difference(before, directory)
        run.write_difference(directory, judgement.report, diff)
        console.print()
        _print_report(diff, console, printed=terminal.print_difference)
        code = _REGRESSED if diff["result"] == REGRESSION else code
    click.echo(f"report: {directory / 'report.html'}")
    return code


_REGRESSED: Final = 1
"""The exit code of a comparison that found a regression."""


def _print_report(
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


_RUN_DIR: Final = click.argument(
    "run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_DIR"
)


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
    run.merge(run_dirs, output)
    ctx.exit(_tell(output, Console(), None))


@main.command("judge")
@_RUN_DIR
@_BASELINE
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Another place.")
@click.pass_context
def judge_command(ctx: click.Context, /, run_dir: Path, baseline: Path | None, output: Path | None) -> None:
    """Judge stored evidence again, offline, and write its reports.

    The known failures are those of the run, or of --baseline in their place.
    """
    judgement = run.judged(run_dir, run.baseline(baseline) if baseline else None)
    run.write_reports(run_dir, judgement.report, run.made(output) if output else run_dir)
    _print_report(judgement.report, Console())
    ctx.exit(judgement.exit_code)


@main.command("report")
@_RUN_DIR
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([*run.FORMATS, "badge", "github"]),
    help="Only this, and print no report; repeatable. badge: badge.svg and badge.json for shields.io; github:"
    " annotations, printed.",
)
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Another place.")
def report_command(run_dir: Path, formats: tuple[str, ...], output: Path | None) -> None:
    """Write the other formats from report.json."""
    found = run.reported(run_dir)
    run.render(
        run_dir,
        found,
        run.made(output) if output else run_dir,
        formats or run.FORMATS,
        diff=run.told_before(run_dir),
    )
    if not formats:
        _print_report(found, Console())
    if "github" in formats:
        click.echo(annotations.commands(found).encode(), nl=False)  # whatever the locale is


@main.command("diff")
@click.argument("before", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_A")
@click.argument("after", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_B")
@click.option("--format", "form", type=click.Choice(["terminal", "markdown", "json"]), default="terminal")
@click.option("--strict", is_flag=True, help="A SHOULD that broke is a regression too.")
@click.pass_context
def diff_command(ctx: click.Context, /, before: Path, after: Path, *, form: str, strict: bool) -> None:
    r"""Say what run B says that run A did not.

    \b
    Exit codes: 0 no regression, 1 a regression, 2 usage.
    """
    diff = run.difference(run.comparable(before), after, strict=strict)
    match form:
        case "json":
            click.echo(record.written(diff), nl=False)
        case "markdown":
            click.echo(markdown.difference(diff), nl=False)
        case _:
            _print_report(diff, Console(), printed=terminal.print_difference)
    ctx.exit(_REGRESSED if diff["result"] == REGRESSION else 0)


@main.command("baseline")
@_RUN_DIR
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to; else it is printed.")
def baseline_command(run_dir: Path, output: Path | None) -> None:
    """Draft a file of known failures from a run, its reasons left to fill in."""
    text = draft(run.reported(run_dir))
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


def _file_option(*names: str, words: str, required: bool = True) -> Callable[..., Any]:
    return click.option(
        *names, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", required=required, help=words
    )


@main.command("certify")
@_RUN_DIR
@_file_option("--key", words="The issuer's private key (Ed25519, PEM); new-key makes one.")
@click.option("--issuer", metavar="NAME", required=True, help="Who vouches, in words.")
@click.option("--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Repeatable. [all that were seen]")
@_file_option("--output", words="Where it goes. [certificate.json in RUN_DIR]", required=False)
def certify_command(run_dir: Path, **options: Any) -> None:
    """Judge a run again and sign a certificate; exit code 1 says that the run is not fit for one."""
    file, statement, key_id = certificate.certify(run_dir, **options)
    _say(f"{certified.told(statement, key_id)}\ncertificate: {file}")


@main.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE")
@_file_option("--public-key", "key", words="The issuer's public key (PEM), from a source you trust.")
@click.option(
    "--run",
    "directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="RUN_DIR",
    help="The certified run. [the folder of FILE]",
)
def verify_command(file: Path, key: Path, directory: Path | None) -> None:
    """Verify a certificate offline and say what it certifies; exit code 1 says that it does not hold."""
    statement, key_id = certificate.verify(file, key=key, directory=directory or file.parent)
    head = "VERIFIED: the signature is that key's, no file was changed, and the evidence gives these verdicts."
    _say(f"{head}\n\n{certified.told(statement, key_id)}".rstrip("\n"))


def _say(text: str) -> None:
    """Print text that may hold any character, with escapes for what the output's encoding cannot say."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding))


@main.command("new-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
def new_key_command(file: Path) -> None:
    """Make a pair of keys for certificates: FILE, to be kept secret, and FILE.pub."""
    key_id = signing.new_pair(file)
    click.echo(f"{file} (keep it secret), {signing.public_file(file)} (give it away), key {key_id}")


@main.command("board")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="OUT", help="[DIR/board]")
def board_command(directory: Path, output: Path | None) -> None:
    """Show all runs below DIR as pages: targets by classes, and how each went over time."""
    place = output or directory / "board"
    found = board.found(directory, place)
    page = board.write(found, run.made(place))
    for each in found.left_out:
        click.echo(f"warning: left out {each.place}: {each.reason}", err=True)
    runs = sum(len(history.runs) for history in found.targets)
    click.echo(f"targets: {len(found.targets)}, runs: {runs}, left out: {len(found.left_out)}")
    click.echo(f"board: {page}")


@main.command("requirements")
@click.option("--format", "form", type=click.Choice(["table", "json", "markdown"]), default="table")
def requirements_command(form: str) -> None:
    """Print the catalogue of requirements."""
    click.echo(listing(form), nl=False)


@main.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--api-key-env", metavar="NAME", help="Variable with the key to accept; without it one is made.")
@click.option("--upstream", metavar="URL", help="Answer from this OpenAI-compatible server.")
@click.option("--upstream-model", metavar="NAME", help="What the upstream calls its model.")
@click.option("--upstream-key-env", metavar="NAME", help="Variable with the key for the upstream.")
@click.option("--fault", "faults", multiple=True, metavar="ID", help="Break the contract in this way; repeatable.")
@click.option("--variant", "variants", multiple=True, metavar="ID", help="Be odd in this legal way; repeatable.")
@click.option("--list", "listed", is_flag=True, help="Print models, triggers, faults and variants; serve nothing.")
def serve_command(*, listed: bool, **options: Any) -> None:
    """Run the reference server until it is interrupted."""
    from conformance import serving  # noqa: PLC0415  # a server only where one is wanted

    if listed:
        click.echo(serving.described(), nl=False)
        return
    serving.serve(say=click.echo, **options)


@main.command("backend")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9100, show_default=True)
@click.option(
    "--silence",
    type=click.FloatRange(min=0),
    metavar="S",
    help="Seconds that a scenario which falls silent keeps its connection.",
)
@click.option("--list", "listed", is_flag=True, help="Print the scenarios; serve nothing.")
def backend_command(*, listed: bool, **options: Any) -> None:
    """Run the scripted backend until it is interrupted, and print what it receives."""
    from conformance import serving  # noqa: PLC0415  # a server only where one is wanted

    if listed:
        click.echo(serving.scenarios(), nl=False)
        return
    serving.stand_by(say=lambda text: _say(visible_lines(text)), **options)


if __name__ == "__main__":
    sys.exit(main())
