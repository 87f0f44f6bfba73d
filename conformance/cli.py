"""The command line: a few small verbs; every mistake of the caller is one message and exit code 2."""

import asyncio
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, Final

import click
from rich.console import Console

from conformance import __version__, run
from conformance.document import NotJson, parse
from conformance.generate.remembered import DEFAULT as DEFAULT_DATABASE
from conformance.listing import listing
from conformance.plan import QUICK_REQUESTS, Plan
from conformance.report import terminal
from conformance.requirement import CLASSES
from conformance.schema import defects
from conformance.selection import BASES, NOT_SELECTED, Selection, Shard
from conformance.target import DEFAULT_KEY_VARIABLE, BadInput, Limits, Target, checked, key_of, loaded


class _Mistake(click.ClickException):
    """A mistake of the caller, told in one message."""

    exit_code = 2


class _Group(click.Group):
    """Commands whose mistakes of input end in one message, never in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BadInput as mistake:
            raise _Mistake(str(mistake)) from None
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


def _limits(base: Limits, options: dict[str, Any]) -> Limits:
    names = ("max_requests", "max_tokens", "concurrency", "requests_per_minute", "timeout")
    given = {name: options[name] for name in names if options[name] is not None}
    if "timeout" in given:
        given["deadline"] = 2 * given["timeout"]
    return replace(base, **given)


def _described(url: str | None, options: dict[str, Any]) -> Target | None:
    """The target that the options and the target file describe; None for the embedded one."""
    file: Path | None = options["config"]
    if file is None and url is None:
        for name in ("model", "api_key_env", "profile"):
            if options[name] is not None:
                raise BadInput(
                    f"--{name.replace('_', '-')} goes with a URL or --config; without them the run is embedded"
                )
        return None
    described = loaded(file) if file else Target(url=url or "")
    given: dict[str, Any] = {"url": url} if url else {}
    given |= {name: options[name] for name in ("model", "api_key_env", "profile") if options[name] is not None}
    target = replace(described, **given)
    return checked(replace(target, limits=_limits(target.limits, options)))


@contextmanager
def _target(url: str | None, options: dict[str, Any]) -> Iterator[tuple[Target, str]]:
    """The target and its key, the embedded server running where it is the target."""
    described = _described(url, options)
    if described is not None:
        yield described, "" if options["dry_run"] else key_of(described)
        return
    from conformance.embedded import embedded_target  # noqa: PLC0415  # a server only where one is wanted

    key = "sgk_" + secrets.token_hex(20)
    with embedded_target(limits=_limits(Limits(), options), key=key) as target:
        yield target, key


@main.command("run")
@_target_options
@_selection_options
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the files go.")
@click.option("--dry-run", is_flag=True, help="Print the plan and its bounds, send nothing.")
@click.pass_context
def run_command(ctx: click.Context, /, url: str | None, **options: Any) -> None:
    """Ask a target, judge its answers, write a report.

    Without URL and --config the embedded reference server is asked.
    """
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
        shard=Shard.named(options["shard"], own_server=not (url or options["config"])) if options["shard"] else None,
    )
    console = Console(stderr=False, soft_wrap=False)
    with _target(url, options) as (target, key):
        asked = run.plan(target, selection)
        if options["dry_run"]:
            _print_plan(asked)
            return
        directory = run.fresh_directory(target, options["output"])
        with terminal.Bar(console, total=asked.requests + asked.repeats) as bar:
            interrupted = _send(directory, target=target, key=key, selection=selection, asked=asked, bar=bar)
    if interrupted and not any(directory.iterdir()):
        raise KeyboardInterrupt  # before there was anything to judge
    code = _tell(directory, console)
    ctx.exit(run.INTERRUPTED if interrupted else code)


def _send(  # noqa: PLR0913  # what a run is made of
    directory: Path, *, target: Target, key: str, selection: Selection, asked: Plan, bar: terminal.Bar
) -> bool:
    """Observe the target; whether the sending was interrupted, which the evidence says too."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        # asyncio makes a cancellation of SIGINT; an exception in the middle of the loop would lose what is under way.
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, interrupt)  # a CI job is ended with TERM, not with INT
    try:
        asyncio.run(run.observed(directory, target=target, key=key, selection=selection, asked=asked, seen=bar.advance))
    except KeyboardInterrupt:
        return True
    else:
        return False
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell(directory: Path, console: Console) -> int:
    """Judge, write the files, print the report; the exit code."""
    judgement = run.judged(directory)
    run.write_reports(directory, judgement.report, directory)
    _print_report(judgement.report, console)
    click.echo(f"report: {directory / 'report.html'}")
    return judgement.exit_code


def _print_report(report: Mapping[str, Any], console: Console) -> None:
    """Print a report as far as somebody reads it; the exit code is the run's all the same.

    Raises:
        BadInput: it cannot be written to where the output goes.
    """
    try:
        # rich leaves with 1 where the reader of a pipe is gone, which would say nonconformant.
        with suppress(SystemExit):
            terminal.print_report(report, console)
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
    ctx.exit(_tell(output, Console()))


@main.command("judge")
@_RUN_DIR
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Another place.")
@click.pass_context
def judge_command(ctx: click.Context, /, run_dir: Path, output: Path | None) -> None:
    """Judge stored evidence again, offline, and write its reports."""
    judgement = run.judged(run_dir)
    run.write_reports(run_dir, judgement.report, run.made(output) if output else run_dir)
    _print_report(judgement.report, Console())
    ctx.exit(judgement.exit_code)


@main.command("report")
@_RUN_DIR
def report_command(run_dir: Path) -> None:
    """Write the other formats from report.json."""
    file = run_dir / "report.json"
    try:
        found = parse(file.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file; chat-conformance judge {run_dir} makes it from the evidence") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None
    except NotJson as reason:
        raise BadInput(f"{file}: {reason}; chat-conformance judge {run_dir} makes it anew") from None
    if wrong := defects("report.schema.json", found):
        raise BadInput(f"{file}: {wrong[0].pointer or 'the whole'}: {wrong[0].message}; is it of another version?")
    run.render(run_dir, found, run_dir)
    _print_report(found, Console())


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


if __name__ == "__main__":
    sys.exit(main())
