"""The contract's testable sentences, as rows."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from conformance import schema


class Level(StrEnum):
    """How strongly the contract asks (the words of RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


CLASSES = ("core", "parameters", "messages", "streaming", "tools", "vision", "audio", "errors", "resilience")
"""What one can be certified for, in the order of reports."""

CAPABILITIES = ("tools", "vision", "audio")
"""Needs that a model may lack."""

SECTIONS = (
    "request",
    "auth",
    "parameters",
    "messages",
    "multimodal",
    "stream",
    "tools",
    "response",
    "finish",
    "errors",
)
"""The files of `schemas/requirements/`, in the order of the page; also the first part of every id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """How an unclear clause can be understood."""

    taken: str
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One testable sentence of the contract, or the reason why nobody can test it."""

    id: str
    level: Level
    certifies: str
    """The conformance class, one of `CLASSES`."""
    basis: str
    section: str
    text: str
    source: str = ""
    """For basis `supplement`: the page of the same vendor that says it."""
    anchor: str = ""
    needs: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ("native", "openai")
    readings: Readings | None = None
    untested: str = ""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """The needs that a model may lack: any of tools, vision, audio."""
        return tuple(need for need in self.needs if need in CAPABILITIES)

    @property
    def triggers(self) -> tuple[str, ...]:
        """The names of the triggers without which nothing shows it."""
        return tuple(need.removeprefix("trigger:") for need in self.needs if need.startswith("trigger:"))


def _requirement(identity: str, row: Mapping[str, Any]) -> Requirement:
    readings = row.get("readings")
    return Requirement(
        id=identity,
        level=Level(row["level"]),
        certifies=row["class"],
        basis=row["basis"],
        section=row["section"],
        text=row["text"],
        source=row.get("source", ""),
        anchor=row.get("anchor", ""),
        needs=tuple(row.get("needs", ())),
        profiles=tuple(row.get("profiles", ("native", "openai"))),
        readings=readings and Readings(taken=readings["taken"], others=tuple(readings["others"])),
        untested=row.get("untested", ""),
    )


def _rows(section: str) -> dict[str, Any]:
    file = schema.folder() / "requirements" / f"{section}.toml"
    rows = tomllib.loads(file.read_text(encoding="utf-8"))
    if wrong := schema.defects("requirement.schema.json", rows):
        raise ValueError(f"requirements/{section}.toml: {wrong[0].pointer}: {wrong[0].message}")
    if strays := [identity for identity in rows if identity.partition(".")[0] != section]:
        raise ValueError(f"requirements/{section}.toml: {strays[0]} belongs in another file")
    return rows


@cache
def catalogue() -> Mapping[str, Requirement]:
    """Every requirement by its id, in the order of the page.

    Raises:
        ValueError: a row does not keep `requirement.schema.json`; the message says which and why.
    """
    return {identity: _requirement(identity, row) for section in SECTIONS for identity, row in _rows(section).items()}


@cache
def digest() -> str:
    """The catalogue's fingerprint: SHA-256 over its rows in canonical JSON, as `sha256:<hex>`."""
    rows = {section: _rows(section) for section in SECTIONS}
    text = json.dumps(rows, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()
