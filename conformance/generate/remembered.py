"""The smallest requests that earlier runs found to show a violation; they are asked first the next time."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from hypothesis.database import DirectoryBasedExampleDatabase

from conformance.generate.corpus import SLUG
from conformance.probe import MODEL

DEFAULT: Final = Path("reports") / "examples"


def obstacle(directory: Path) -> str:
    """Why nothing can be kept in a directory, which need not be there yet; empty where something can."""
    place = next((each for each in (directory, *directory.absolute().parents) if each.exists()), directory)
    if not place.is_dir():
        return f"{place} is no directory"
    return "" if os.access(place, os.W_OK | os.X_OK) else f"{place} cannot be written to"


class Remembered:
    """What is kept of one target in a directory; other targets may share it."""

    def __init__(self, directory: Path, target: str) -> None:
        """The examples of a target.

        Args:
            directory: made when something is kept.
            target: what tells targets apart: host and model.
        """
        self._kept = DirectoryBasedExampleDatabase(directory)
        self._target = target.encode()

    def bodies(self) -> tuple[dict[str, Any], ...]:
        """The requests, in an order that depends on nothing else; what cannot be read is left out."""
        return tuple(body for text in sorted(self._kept.fetch(self._target)) if (body := _read(text)))

    def renew(self, found: Iterable[dict[str, Any]], answered: Iterable[dict[str, Any]]) -> None:
        """Keep what was found to show a violation, and forget what was asked and shows none any longer."""
        for body in answered:
            self._kept.delete(self._target, _written(body))
        for body in found:
            self._kept.save(self._target, _written(body))


def _written(body: dict[str, Any]) -> bytes:
    named = {name: SLUG if value is MODEL else value for name, value in body.items()}
    return json.dumps(named, sort_keys=True).encode()


def _read(text: bytes) -> dict[str, Any]:
    try:
        named = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(named, dict):
        return {}
    return {name: MODEL if name == "model" and value == SLUG else value for name, value in named.items()}
