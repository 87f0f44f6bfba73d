"""What all commands hang on, and how a mistake of the caller is told."""

from typing import Any

import click

from conformance import __version__, certificate, stored
from conformance.report.visible import visible_lines
from conformance.target import BadInput


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
            ctx.exit(stored.INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="chat-conformance")
def main() -> None:
    """Does this deployment keep the chat contract, and how do you know?

    \b
    Exit codes: 0 conformant, 1 nonconformant, 2 usage, 3 aborted (target or
    endpoint not reached, key refused, budget spent), 4 incomplete, 130 interrupted.
    """  # noqa: D301  # click reads the character
