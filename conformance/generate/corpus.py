"""Requests that Schemathesis made of the contract, each with one change; frozen, so that a run needs no Schemathesis.

`nox -s corpus` makes the file anew; `corpus/README.md` says what is in it and what was left out.
"""

import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from conformance.generate.defects import Grade
from conformance.probe import MODEL
from conformance.probes import media

FILE: Final = "schemathesis.json"
SLUG: Final = "<model>"
"""Stands in the file where a request names the target's model."""
PLACEHOLDERS: Final[Mapping[str, str]] = {"<png>": media.one_colour(200, 30, 30), "<wav>": media.silence()}
"""What stands in the file for base64 that would fill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request that keeps the contract, or breaks it in one place."""

    name: str
    where: str
    """The place in the schema as Schemathesis gives it, a JSON pointer; empty for most good requests."""
    scenario: str
    """What was done there, in a word of Schemathesis: `value_above_maximum`."""
    description: str
    base: str
    """The one of `defects.BASES` that is nearest, which needs the same of the model."""
    body: Any
    refused: bool
    grade: Grade
    """How firmly the page asks for the refusal; of a good request, whether the page leaves it open."""


@cache
def cases() -> tuple[Case, ...]:
    """All of them, in the order of the file."""
    return tuple(
        Case(
            name=row["name"],
            where=row["location"],
            scenario=row["scenario"],
            description=row["description"],
            base=row["base"],
            body=_blank(row["body"]),
            refused=row["expected"] == "refused",
            grade=Grade[row["grade"].upper()],
        )
        for row in json.loads(_text())["cases"]
    )


def made_by() -> str:
    """The tool and its version: `schemathesis 4.32.5`."""
    tool: str = json.loads(_text())["made_by"]
    return tool


def _text() -> str:
    text = (importlib.resources.files("conformance.generate") / FILE).read_text(encoding="utf-8")
    for word, meant in PLACEHOLDERS.items():
        text = text.replace(word, meant)
    return text


def _blank(body: Any) -> Any:
    return {**body, "model": MODEL} if isinstance(body, dict) and body.get("model") == SLUG else body
