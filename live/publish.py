"""The published reports, made anew: the embedded run and the live ones, into `reports/`.

Run by `nox -s publish`. Nothing is replaced unless all runs are good, no file names this machine, and
`reports/README.md` names every finding: what is published has been looked into.
"""

# ruff: noqa: INP001, T201  # scripts: they stand alone and speak to a terminal

import gzip
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
REPORTS: Final = HERE.parent / "reports"
BOTH_SIDES: Final = ["--config", str(HERE.parent / "examples" / "both-sides.toml"), "--examples", "200", "--seed", "1"]
RUNS: Final = {
    "embedded": [sys.executable, "-m", "conformance.cli", "run", *BOTH_SIDES],
    "llama-cpp-smollm2": [sys.executable, str(HERE / "run.py")],
    "litellm": [sys.executable, str(HERE / "gateway.py")],
}
FINDINGS: Final = frozenset({"fail", "inconclusive", "error"})
MACHINE: Final = re.compile(rb"/(?:home|root|tmp|work|Users|var/folders)/|\.venv|site-packages")


def machine_names(directory: Path) -> Iterator[str]:
    """A line for each file of a run that holds a path of the machine that made it."""
    for file in sorted(directory.iterdir()):
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        if found := MACHINE.search(data):
            around = data[max(0, found.start() - 40) : found.end() + 40]
            yield f"{file.name} names this machine: {around.decode('utf-8', 'replace')}"


def undescribed(directory: Path) -> Iterator[str]:
    """A line for each finding of a run that the reports' README does not name."""
    told = (REPORTS / "README.md").read_text("utf-8")
    for row in json.loads((directory / "report.json").read_text("utf-8"))["requirements"]:
        if row["verdict"] in FINDINGS and f"`{row['id']}`" not in told:
            yield f"reports/README.md does not tell of {row['id']}: {row['verdict']}: {row['explanation']}"


def main() -> int:
    """Make, look, replace; the exit code."""
    with tempfile.TemporaryDirectory() as place:
        wrong: list[str] = []
        for name, command in RUNS.items():
            made = Path(place) / name
            code = subprocess.run([*command, "--output", str(made)], check=False).returncode  # noqa: S603  # our own
            if code:
                print(f"publish: {name} ended with {code}")
                return 1
            for run in sorted(file.parent for file in made.rglob("report.json")):
                wrong += [f"{name}: {line}" for line in (*machine_names(run), *undescribed(run))]
        if wrong:
            print("publish: nothing was replaced", *wrong, sep="\n")
            return 1
        for name in RUNS:
            shutil.rmtree(REPORTS / name, ignore_errors=True)
            shutil.copytree(Path(place) / name, REPORTS / name)
            print("publish: wrote", REPORTS / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
