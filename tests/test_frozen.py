"""The contract as it was frozen for a version."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conformance import __version__
from conformance.frozen import FILE, frozen, working

ROOT = Path(__file__).parent.parent


def test_the_contract_is_frozen_for_this_version() -> None:
    assert frozen(__version__) == working(), (
        "schemas/ was changed: freeze it again with `python -m conformance.frozen`, and look at the difference;"
        " where this version has been released, raise the version first"
    )


def test_a_version_that_was_never_frozen_has_nothing() -> None:
    assert frozen("0.0.0") is None


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("conformance", "schemas"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def there(checkout: Path, code: str) -> str:
    """What a piece of Python prints that runs on another checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


SAME = "from conformance.frozen import frozen, working; print(frozen('" + __version__ + "') == working())"
FREEZE = "import runpy; runpy.run_module('conformance.frozen', run_name='__main__')"


def test_freezing_writes_this_version_and_leaves_the_others(checkout: Path) -> None:
    file = checkout / "schemas" / FILE
    old = {"catalogue": "sha256:1", "schemas": "sha256:2"}
    file.write_text(json.dumps({"0.0.9": old}), encoding="utf-8")
    assert there(checkout, SAME) == "False"

    there(checkout, FREEZE)

    assert there(checkout, SAME) == "True"
    assert json.loads(file.read_bytes()) == {"0.0.9": old, __version__: dict(working())}


def test_freezing_again_changes_no_byte(checkout: Path) -> None:
    file = checkout / "schemas" / FILE
    before = file.read_bytes()

    there(checkout, FREEZE)

    assert file.read_bytes() == before


def test_a_checkout_without_the_file_is_frozen_by_nothing(checkout: Path) -> None:
    (checkout / "schemas" / FILE).unlink()

    assert there(checkout, SAME) == "False"


@pytest.mark.parametrize(
    "name, found, other",
    [
        ("requirements/stream.toml", 'level = "MUST"', 'level = "MAY"'),
        ("chunk.schema.json", '"string"', '"number"'),
    ],
)
def test_one_word_of_the_contract_breaks_the_seal(checkout: Path, name: str, found: str, other: str) -> None:
    file = checkout / "schemas" / name
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(found, other, 1), encoding="utf-8")

    assert text != file.read_text(encoding="utf-8")
    assert there(checkout, SAME) == "False"


def test_the_layout_of_a_schema_does_not_count(checkout: Path) -> None:
    file = checkout / "schemas" / "chunk.schema.json"
    file.write_text(json.dumps(json.loads(file.read_bytes())), encoding="utf-8", newline="\r\n")

    assert there(checkout, SAME) == "True"


def test_contributing_tells_the_command() -> None:
    assert re.search(r"`python -m conformance\.frozen`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
