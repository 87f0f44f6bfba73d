"""The probes of generated requests: good ones, and defects between two controls."""

import json
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain
from math import ceil
from typing import Final, TypeVar

from conformance.exchange import Exchange
from conformance.generate.corpus import Case, cases
from conformance.generate.defects import BASES, NEEDS, Defective, Grade, grade_of, single_defects
from conformance.generate.texts import TEXTS
from conformance.generate.valid import Body, drawn
from conformance.generate.wording import REPEAT, TROUBLE
from conformance.probe import MODEL, Probe, Step, Writing, filled

PREFIX: Final = "generated."
VALID: Final = PREFIX + "valid-"
DEFECT: Final = PREFIX + "defect."
BASE: Final = PREFIX + "base-"
PLAIN: Final = "-plain"
"""What the name of a request ends in that asks without a stream what another asks with one."""
AGAIN: Final = "-again"
"""What the name of a base ends in when it is sent once more, after its defects."""
TEXT: Final = PREFIX + "text."
OPEN: Final = PREFIX + "open."
"""A request that the page leaves open: anything but a failure may come of it."""
KEPT: Final = "kept-"
"""What the name of a request begins with, after its kind, that an earlier run found."""
PER_EXAMPLE: Final[Mapping[str, float]] = {"defects": 2, "cases": 1, "echoes": 0.05, "texts": 0.15}
"""How many of the other kinds are sent for each request that is drawn; what is refused costs no tokens."""

T = TypeVar("T")
_TOGETHER: Final = 4
_WRITINGS: Final = tuple(Writing)


def generated(  # noqa: PLR0913  # what the requests depend on
    examples: int,
    seed: int,
    capabilities: Collection[str],
    *,
    model: str,
    opening: str,
    kept: Sequence[Body] = (),
) -> Mapping[str, Probe]:
    """The probes by name, in the order of sending: the same for the same arguments.

    Args:
        examples: how many requests to draw; the other kinds are as many as `PER_EXAMPLE` says, while there are any.
        seed: what the choice depends on.
        capabilities: what the model has; nothing else is asked of it.
        model: its slug.
        opening: the name of the probe that a good request is measured against.
        kept: requests that showed a violation in earlier runs; they come first.
    """
    if not examples:
        return {}
    chance = random.Random(seed)  # noqa: S311  # no secret
    able = {"", *capabilities}

    def some(kind: str, of: Sequence[T]) -> list[T]:
        places = set(chance.sample(range(len(of)), min(ceil(PER_EXAMPLE[kind] * examples), len(of))))
        return [each for place, each in enumerate(of) if place in places]

    before = [probe for number, body in enumerate(kept, start=1) for probe in _kept(number, body, model, opening)]
    drawn_ = [
        probe
        for number, body in enumerate(drawn(examples, seed, capabilities), start=1)
        for probe in good(f"{number:03}", body, opening=opening, writing=chance.choice(_WRITINGS))
    ]
    echoes = [probe for name, body in some("echoes", _echoes()) for probe in good(name, body, opening=opening)]
    derived = [each for each in single_defects() if NEEDS.get(each.base, "") in able]
    picked = some("defects", derived)
    foreign = some("cases", [each for each in cases() if NEEDS.get(each.base, "") in able])
    texts = some("texts", tuple(TEXTS))
    # However few, one that any model shows for each requirement that speaks of defects.
    sure = [
        chance.choice([each for each in derived if each.grade is grade and each.base not in NEEDS])
        for grade in (Grade.STATED, Grade.READ)
    ]
    defects = [each for each in derived if each in picked or each in sure]
    bases = dict.fromkeys(
        ["plain", *(defect.base for defect in defects), *(case.base for case in foreign if case.refused)]
    )
    probes = chain(
        before,
        drawn_,
        echoes,
        (_base(name, opening) for name in bases),
        map(_defect, defects),
        (_case(case, opening) for case in foreign),
        (_text(name, model) for name in texts),
        (_base(name, opening, AGAIN) for name in bases),
    )
    return {probe.name: probe for probe in probes}


def _kept(number: int, body: Body, model: str, opening: str) -> Iterator[Probe]:
    if grade_of(filled(body, model=model, cap=None, earlier=())) is None:
        yield from good(f"{KEPT}{number}", body, opening=opening)
    else:
        yield Probe(
            name=f"{DEFECT}{KEPT}{number}",
            asks="A request with one defect, which was taken in an earlier run.",
            steps=(Step(body=body),),
            control=BASE + "plain",
        )


def _echoes() -> list[tuple[str, Body]]:
    """Streams that give back every text that makes trouble, a few in each."""
    few = [TROUBLE[start : start + _TOGETHER] for start in range(0, len(TROUBLE), _TOGETHER)]
    return [
        (
            f"echo-{number}",
            {
                "model": MODEL,
                "messages": [{"role": "user", "content": REPEAT + " ".join(words)}],
                "max_tokens": 40,
                "temperature": 0,
                "stream": True,
            },
        )
        for number, words in enumerate(few, start=1)
    ]


def good(name: str, body: Body, *, opening: str, writing: Writing = Writing.PLAIN) -> Iterator[Probe]:
    """A request that must be accepted; one that wants a text back in a stream comes after the same without one."""
    twin = body.get("stream") is True and REPEAT in json.dumps(body["messages"][-1]["content"])
    if twin:
        yield Probe(
            name=VALID + name + PLAIN,
            asks="The next request without a stream.",
            steps=(Step(body={**body, "stream": False}, writing=writing),),
            control=opening,
        )
    yield Probe(
        name=VALID + name,
        asks="A generated request that keeps the schema.",
        steps=(Step(body=body, writing=writing),),
        control=VALID + name + PLAIN if twin else opening,
    )


def twinned(exchange: Exchange) -> bool:
    """Whether the control of a generated request asks the same without a stream."""
    return exchange.probe.startswith(VALID) and exchange.control == exchange.probe + PLAIN


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


def _case(case: Case, opening: str) -> Probe:
    """One of Schemathesis' cases: a good request, one that the page leaves open, or one with a defect."""
    kind = DEFECT if case.refused else VALID if case.grade is Grade.STATED else OPEN
    whole = isinstance(case.body, dict)
    return Probe(
        name=f"{kind}{case.name}",
        asks=f"Schemathesis: {case.description}.",
        steps=(Step(body=case.body) if whole else Step(raw=json.dumps(case.body).encode()),),
        control=f"{BASE}{_slug(case.base)}" if case.refused else opening,
    )


def _text(name: str, model: str) -> Probe:
    text = TEXTS[name]
    written = json.dumps(filled(BASES["plain"], model=model, cap=None, earlier=()), separators=(",", ":"))
    return Probe(
        name=TEXT + name,
        asks=f"A good request with {text.breaks}.",
        steps=(Step(raw=text.made(written), headers=text.headers),),
        control=BASE + "plain",
    )


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "-")
