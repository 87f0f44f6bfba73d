"""The contract as it was frozen for each version: a certificate rests on nothing else.

`python -m conformance.frozen` freezes what a checkout holds for the version that it is.
"""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from conformance import __version__, schema
from conformance.requirement import digest

FILE: Final = "frozen.json"
"""In `schemas/`: for each version the fingerprints of its requirements and of its schemas."""


@cache
def schemas() -> str:
    """The fingerprint of the files of `schemas/` beside the requirements, as `sha256:<hex>`; layout does not count."""
    files = sorted(entry.name for entry in schema.folder().iterdir() if entry.name.endswith(".json"))
    held = {name: schema.document(name) for name in files if name != FILE}
    text = json.dumps(held, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8")).hexdigest()


def working() -> Mapping[str, str]:
    """The fingerprints of what is installed."""
    return {"catalogue": digest(), "schemas": schemas()}


def frozen(version: str) -> Mapping[str, str] | None:
    """The fingerprints that a version was frozen with; None where it was not."""
    found: Mapping[str, str] | None = _all().get(version)
    return found


def _all() -> Mapping[str, Mapping[str, str]]:
    file = schema.folder() / FILE
    held: Mapping[str, Mapping[str, str]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return held


def freeze() -> None:
    """Freeze what is installed for its version; other versions stay as they are."""
    text = json.dumps({**_all(), __version__: working()}, indent=2)
    Path(str(schema.folder() / FILE)).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze()
