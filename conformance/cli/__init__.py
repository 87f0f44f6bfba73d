"""The command line: a few small verbs; every mistake of the caller is one message and exit code 2."""

from conformance.cli import certifying, hosting, running, stored
from conformance.cli.group import main

__all__ = ["certifying", "hosting", "main", "running", "stored"]
