"""A question to a target, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from conformance.document import MISSING, at, is_integer


class Blank(Enum):
    """What the run fills in when it sends."""

    MODEL = "the target's model"


MODEL: Final = Blank.MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """What an earlier answer of the same sequence holds at a pointer."""

    step: int = 0
    pointer: str
    """JSON pointer below the completion (`data` on the native surface)."""


class Auth(Enum):
    """What the Authorization header says."""

    KEY = "Bearer and the key"
    NONE = "no header"
    WRONG = "Bearer and a key nobody issued"
    BARE = "the key without Bearer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a probe."""

    body: Mapping[str, Any] = field(default_factory=dict)
    """The JSON body; may hold `MODEL` and `Echo` at any depth."""
    ascii: bool = False
    """Write everything beyond ASCII as escapes, instead of raw UTF-8."""
    auth: Auth = Auth.KEY
    headers: tuple[tuple[str, str | None], ...] = ()
    """Headers to add or replace; None leaves the header out."""
    trigger: str = ""
    """The target file's trigger whose members are merged into the body."""
    may_fail: bool = False
    """A retryable answer is what the probe is after, so it is never sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One request, or a short sequence, and what it is meant to bring out."""

    name: str
    asks: str
    """For the reader of the report."""
    steps: tuple[Step, ...]
    control: str = ""
    """The name of the probe that is the same but for the one thing this one is about."""
    alone: bool = False
    """Sent last and by itself, since it would disturb others or they it."""
    quick: bool = False
    """Part of the smallest run that says something of every class."""

    @property
    def step(self) -> Step:
        """The first step: the only one of most probes."""
        return self.steps[0]

    @property
    def triggers(self) -> frozenset[str]:
        """The triggers without which the probe cannot be sent."""
        return frozenset(step.trigger for step in self.steps if step.trigger)

    def but(self, name: str, asks: str, *, without: str = "", quick: bool = False, **members: Any) -> "Probe":
        """This probe with other body members, or without one; it becomes the new one's control."""
        body = {key: value for key, value in self.step.body.items() if key != without} | members
        return Probe(name=name, asks=asks, steps=(replace(self.step, body=body),), control=self.name, quick=quick)

    def sent(self, name: str, asks: str, *, quick: bool = False, **changes: Any) -> "Probe":
        """This probe with its first step sent differently: other `auth`, `headers`, `trigger` and so on."""
        return Probe(name=name, asks=asks, steps=(replace(self.step, **changes),), control=self.name, quick=quick)


class Unrenderable(LookupError):
    """An earlier answer lacks what a later request echoes."""


def filled(value: Any, *, model: str, earlier: tuple[Any, ...]) -> Any:
    """`value` with `MODEL` and every `Echo` replaced.

    Args:
        value: a step's body or a part of it.
        model: the target's slug.
        earlier: the completions of the steps before, in order; None where there was none.

    Raises:
        Unrenderable: an `Echo` points at nothing.
    """
    match value:
        case Blank.MODEL:
            return model
        case Echo(step=step, pointer=pointer):
            found = at(earlier[step], pointer) if step < len(earlier) else MISSING
            if found is MISSING:
                raise Unrenderable(f"the answer to request {step + 1} has nothing at {pointer or 'its top'}")
            return found
        case dict():
            return {key: filled(item, model=model, earlier=earlier) for key, item in value.items()}
        case list() | tuple():
            return [filled(item, model=model, earlier=earlier) for item in value]
        case _:
            return value


def output_bound(step: Step, *, cap: int | None) -> int | None:
    """The most tokens that the request lets the model write; None where only the model bounds it.

    Args:
        step: the request.
        cap: the model's max_output_tokens, where the target file tells it.
    """
    asked: Any = step.body.get("max_tokens")
    if is_integer(asked) and asked > 0:
        return int(asked) if cap is None else min(int(asked), cap)
    return cap
