"""Certificates: given, verified, and the keys for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from conformance import certificate, signing
from conformance.cli.group import main
from conformance.cli.options import RUN_DIR
from conformance.cli.telling import say
from conformance.report import certified
from conformance.requirement import CLASSES


def _file_option(*names: str, words: str, required: bool = True) -> Callable[..., Any]:
    return click.option(
        *names, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", required=required, help=words
    )


@main.command("certify")
@RUN_DIR
@_file_option("--key", words="The issuer's private key (Ed25519, PEM); new-key makes one.")
@click.option("--issuer", metavar="NAME", required=True, help="Who vouches, in words.")
@click.option("--class", "classes", multiple=True, type=click.Choice(CLASSES), help="Repeatable. [all that were seen]")
@_file_option("--output", words="Where it goes. [certificate.json in RUN_DIR]", required=False)
def certify_command(run_dir: Path, **options: Any) -> None:
    """Judge a run again and sign a certificate; exit code 1 says that the run is not fit for one."""
    file, statement, key_id = certificate.certify(run_dir, **options)
    say(f"{certified.told(statement, key_id)}\ncertificate: {file}")


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
    say(f"{head}\n\n{certified.told(statement, key_id)}".rstrip("\n"))


@main.command("new-key")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
def new_key_command(file: Path) -> None:
    """Make a pair of keys for certificates: FILE, to be kept secret, and FILE.pub."""
    key_id = signing.new_pair(file)
    click.echo(f"{file} (keep it secret), {signing.public_file(file)} (give it away), key {key_id}")
