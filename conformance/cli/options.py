"""What commands of a run take: the target and how far to go, what it is about, what is known to fail."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from conformance.generate.remembered import DEFAULT as DEFAULT_DATABASE
from conformance.plan import QUICK_REQUESTS
from conformance.requirement import CLASSES
from conformance.selection import BASES
from conformance.target import (
    DEFAULT_KEY_VARIABLE,
    MOST_REQUESTS,
    MOST_TOKENS,
    BadInput,
    Limits,
    Target,
    checked,
    key_of,
    loaded,
    not_a_key,
)

if TYPE_CHECKING:
    from conformance.embedded import Stage


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say whom to ask, and how far to go."""
    for option in reversed(
        [
            click.argument("url", required=False),
            click.option("--config", type=click.Path(path_type=Path), help="Target file (TOML); options override it."),
            click.option("--model", help="Slug of the model to ask."),
            click.option("--api-key-env", metavar="NAME", help=f"Variable with the key. [{DEFAULT_KEY_VARIABLE}]"),
            click.option("--profile", type=click.Choice(["native", "openai"]), help="Which surface the URL speaks."),
            click.option(
                "--max-requests",
                type=click.IntRange(min=1),
                metavar="N",
                help=f"Most requests to send. [{MOST_REQUESTS}, and what is generated or repeated]",
            ),
            click.option(
                "--max-tokens",
                type=click.IntRange(min=1),
                metavar="N",
                help=f"Most tokens to plan for. [{MOST_TOKENS}, and what is generated or repeated]",
            ),
            click.option(
                "--concurrency",
                type=click.IntRange(min=1, max=256),
                metavar="N",
                help=f"Requests at once. [{Limits().concurrency}]",
            ),
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


def selection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what a run is about."""
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


BASELINE: Final = click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Known failures (TOML), which are let pass."
)


def _limits(base: Limits, options: dict[str, Any]) -> Limits:
    names = ("max_requests", "max_tokens", "concurrency", "requests_per_minute", "timeout")
    given = {name: options[name] for name in names if options[name] is not None}
    if "timeout" in given:
        given["deadline"] = 2 * given["timeout"]
    return replace(base, **given)


def target_described(url: str | None, options: dict[str, Any]) -> Target:
    """The target that the options and the target file describe; without a URL it is the embedded one."""
    file: Path | None = options["config"]
    described = loaded(file) if file else Target(url="")
    given: dict[str, Any] = {"url": url} if url else {}
    given |= {name: options[name] for name in ("model", "api_key_env", "profile") if options[name] is not None}
    if not url and not described.url and given:
        name = f"--{next(iter(given)).replace('_', '-')}"
        raise BadInput(f"{name} goes with a URL or --config with a [target]; without them the run is embedded")
    if given.get("api_key_env"):
        not_a_key(given["api_key_env"], option="--api-key-env")
    target = replace(described, **given)
    target = replace(target, limits=_limits(target.limits, options))
    return checked(target, file=file) if target.url else target


@contextmanager
def staging(described: Target, options: dict[str, Any]) -> Iterator["Stage"]:
    """What the run plays on; where nothing is sent, nothing but an embedded server is started."""
    from conformance.embedded import Stage, staged  # noqa: PLC0415  # a server only where one is wanted

    if described.url and options["dry_run"]:
        yield Stage(target=described, key="")
        return
    by_file = options["config"] and not options["api_key_env"]
    named_by = f"api_key_env in {options['config']}" if by_file else "--api-key-env"
    with staged(described, key=key_of(described, named_by=named_by) if described.url else "") as stage:
        yield stage


RUN_DIR: Final = click.argument(
    "run_dir", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN_DIR"
)
