"""The catalogue of requirements for people and tools."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from conformance.checks import CHECKS
from conformance.requirement import Requirement, catalogue, digest

_COLUMNS: Final = ("id", "level", "class", "basis", "section", "text")


def listing(form: str) -> str:
    """The catalogue as `table`, `json` or `markdown`, ending in a newline."""
    rows = list(catalogue().values())
    match form:
        case "json":
            document = {"catalogue": digest(), "requirements": [_row(row) for row in rows]}
            return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        case "markdown":
            lines = ["| " + " | ".join(_COLUMNS) + " |", "| --- " * len(_COLUMNS) + "|"]
            lines += ["| " + " | ".join(_cell(_row(row)[name]) for name in _COLUMNS) + " |" for row in rows]
            return "\n".join(lines) + "\n"
        case _:
            width = max(len(row.id) for row in rows)
            lines = [f"{row.id:<{width}}  {row.level:<6}  {row.certifies:<10}  {row.text}" for row in rows]
            return "\n".join([*lines, f"{len(rows)} requirements, {digest()}"]) + "\n"


def _cell(value: str) -> str:
    return value.replace("|", "\\|")


def _row(row: Requirement) -> Mapping[str, Any]:
    """The row under the names it has in its file, empty members left out."""
    found = asdict(row) | {"class": row.certifies, "level": row.level.value}
    del found["certifies"]
    ordered = {name: found[name] for name in _COLUMNS} | found
    check = CHECKS.get(row.id)
    probes = [probe.name for probe in check.probes] if check else []
    return {name: value for name, value in (ordered | {"probes": probes}).items() if value}
