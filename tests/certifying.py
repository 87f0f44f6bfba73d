"""Runs to certify, as the command leaves them, with a pair of keys."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance import run, signing, stored
from conformance.certificate import NAME, certify
from conformance.embedded import embedded_target
from conformance.selection import Selection
from conformance.server.deviation import Deviation
from conformance.target import Key, Limits

KEY: Final = Key("sgk_" + "7b" * 20)
ISSUER: Final = "Example Lab, Zürich"
WHOLE: Final = Selection(examples=2, seed=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A run's directory with its certificate, and the issuer's keys."""

    run: Path
    private: Path
    public: Path

    @property
    def file(self) -> Path:
        return self.run / NAME

    def copied(self, place: Path) -> "Certified":
        """The same in another place, to be changed."""
        shutil.copytree(self.run, place)
        return Certified(run=place, private=self.private, public=self.public)


def keys(place: Path) -> tuple[Path, Path]:
    """A new pair of keys: the private file, the public one."""
    private = place / "issuer.pem"
    signing.new_pair(private)
    return private, signing.public_file(private)


def ran(place: Path, *deviations: Deviation, selection: Selection = WHOLE, limits: Limits | None = None) -> Path:
    """The directory of a whole run against a server of ours."""
    place.mkdir(parents=True, exist_ok=True)
    with embedded_target(limits=limits or Limits(), key=KEY, deviations=deviations) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    stored.write_reports(place, stored.judged(place).report, place)
    return place


def certified(place: Path) -> Certified:
    """A run of the reference server with a certificate over all that it shows."""
    private, public = keys(place)
    made = Certified(run=ran(place / "run"), private=private, public=public)
    certify(made.run, key=private, issuer=ISSUER)
    return made
