"""The probes of generated requests: good ones, and defects between two controls."""

import random
from collections.abc import Collection, Iterable, Mapping
from itertools import chain
from typing import Final

from hypothesis.database import ExampleDatabase

from conformance.generate.defects import BASES, NEEDS, Defective, single_defects
from conformance.generate.valid import Body, drawn
from conformance.probe import Probe, Step, Writing

PREFIX: Final = "generated."
VALID: Final = PREFIX + "valid-"
DEFECT: Final = PREFIX + "defect."
BASE: Final = PREFIX + "base-"
AGAIN: Final = "-again"
"""What the name of a base ends in when it is sent once more, after its defects."""
DEFECTS_PER_EXAMPLE: Final = 2
"""So many defects are sent for each good request, as long as there are any: they cost no tokens."""

_WRITINGS: Final = tuple(Writing)


def generated(
    examples: int,
    seed: int,
    capabilities: Collection[str],
    *,
    opening: str,
    database: ExampleDatabase | None = None,
) -> Mapping[str, Probe]:
    """The probes by name, in the order of sending: the same for the same arguments.

    Args:
        examples: how many good requests; there are up to `DEFECTS_PER_EXAMPLE` times as many defects.
        seed: what the choice depends on.
        capabilities: what the model has; nothing else is asked of it.
        opening: the name of the probe that a good request is measured against.
        database: failures of earlier runs, which come first.
    """
    if not examples:
        return {}
    chance = random.Random(seed)  # noqa: S311  # no secret
    valid = [
        good(f"{number:03}", body, opening=opening, writing=chance.choice(_WRITINGS))
        for number, body in enumerate(drawn(examples, seed, capabilities, database=database), start=1)
    ]
    defects = _chosen(chance, DEFECTS_PER_EXAMPLE * examples, capabilities)
    bases = {defect.base: None for defect in defects}
    probes = chain(
        valid,
        (_base(name, opening) for name in bases),
        map(_defect, defects),
        (_base(name, opening, AGAIN) for name in bases),
    )
    return {probe.name: probe for probe in probes}


def good(name: str, body: Body, *, opening: str, writing: Writing = Writing.PLAIN) -> Probe:
    """A request that must be accepted."""
    return Probe(
        name=VALID + name,
        asks="A generated request that keeps the schema.",
        steps=(Step(body=body, writing=writing),),
        control=opening,
    )


def _chosen(chance: random.Random, most: int, capabilities: Collection[str]) -> list[Defective]:
    """Some of the defects that the model's capabilities let show, in the order of all."""
    shown = [each for each in single_defects() if NEEDS.get(each.base, "") in {"", *capabilities}]
    kept = set(chance.sample(range(len(shown)), min(most, len(shown))))
    return [defect for place, defect in enumerate(shown) if place in kept]


def _base(name: str, opening: str, ending: str = "") -> Probe:
    return Probe(
        name=f"{BASE}{_slug(name)}{ending}",
        asks="A good request, whose defects are sent after it." if not ending else "The same again, after them.",
        steps=(Step(body=BASES[name]),),
        control=opening,
    )


def _defect(defect: Defective) -> Probe:
    return Probe(
        name=DEFECT + defect.name,
        asks=f"{defect.pointer or 'the whole'}: breaks {defect.rule} ({defect.grade}).",
        steps=(Step(body=defect.body),),
        control=f"{BASE}{_slug(defect.base)}",
    )


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")


def bodies(probes: Iterable[Probe]) -> list[Body]:
    """What the probes ask."""
    return [dict(step.body) for probe in probes for step in probe.steps]
