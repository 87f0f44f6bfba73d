"""The catalogue, and the servers of the suite's own."""

from typing import Any

import click

from conformance.cli.group import main
from conformance.cli.telling import say
from conformance.listing import listing
from conformance.report.visible import visible_lines


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
    serving.stand_by(say=lambda text: say(visible_lines(text)), **options)
