"""A question to a target, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from conformance.document import MISSING, at, is_integer
from conformance.scenario import tagged


class Blank(Enum):
    """What the run fills in when it sends."""

    MODEL = "the target's model"
    ABOVE_CAP = "one token more than the model's max_output_tokens"
    SCRIPTED = "the slug that leads to the scripted backend"
    ABOVE_SCRIPTED_CAP = "one token more than that slug's max_output_tokens"


MODEL: Final = Blank.MODEL
ABOVE_CAP: Final = Blank.ABOVE_CAP
SCRIPTED: Final = Blank.SCRIPTED
ABOVE_SCRIPTED_CAP: Final = Blank.ABOVE_SCRIPTED_CAP


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """What an earlier answer of the same sequence holds at a pointer."""

    step: int = 0
    pointer: str
    """JSON pointer below the completion (`data` on the native surface)."""

    def taken(self, found: Any) -> Any:
        """What was found, as it is.

        Raises:
            Unrenderable: nothing was.
        """
        if found is MISSING:
            raise Unrenderable(f"the answer to request {self.step + 1} has nothing at {self.pointer or 'its top'}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """A piece of an earlier answer's text that first occurs where it was taken, with no blank at its ends."""

    step: int = 0
    pointer: str
    after: int
    """Characters of the text to leave before it, at least."""
    length: int
    """Characters."""
    dotted: bool = False
    """With a full stop for its second character: then it is not in the text, but for who takes it for a pattern."""

    def taken(self, text: Any) -> str:
        """The piece.

        Raises:
            Unrenderable: the text is none, or holds no such piece.
        """
        if isinstance(text, str):
            for start in range(self.after, len(text) - self.length):
                piece = text[start : start + self.length]
                if piece == piece.strip() and text.index(piece) == start:
                    told = f"{piece[0]}.{piece[2:]}" if self.dotted else piece
                    if told == piece or told not in text:
                        return told
        raise Unrenderable(f"the answer to request {self.step + 1} is too short, or repeats itself, at {self.pointer}")


class Writing(Enum):
    """How a body is written as JSON text; all of them say the same (RFC 8259)."""

    PLAIN = "compact, raw UTF-8"
    ASCII = "compact, everything beyond ASCII as escapes"
    SPACED = "indented, a line a member"
    ESCAPED = "every character of every string as an escape"


class Auth(Enum):
    """What the Authorization header says."""

    KEY = "Bearer and the key"
    NONE = "no header"
    WRONG = "Bearer and a key nobody issued"
    BARE = "the key without Bearer"
    OTHER_SCHEME = "another scheme and the key"
    LONGER = "Bearer and the key, with more behind it"
    LOWER = "Bearer and the key, under a name in lower case"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of a probe."""

    body: Mapping[str, Any] = field(default_factory=dict)
    """The JSON body; may hold `MODEL`, `ABOVE_CAP`, `SCRIPTED`, `Echo` and `Excerpt` at any depth, and cues of
    scenarios in its texts."""
    raw: bytes | None = None
    """Sent as it is instead of the body."""
    method: str = "POST"
    path: str = ""
    """Another path than the endpoint's, behind the target's URL."""
    writing: Writing = Writing.PLAIN
    auth: Auth = Auth.KEY
    headers: tuple[tuple[str, str | None], ...] = ()
    """Headers to add or replace; None leaves the header out."""
    trigger: str = ""
    """The target file's trigger whose members are merged into the body."""
    may_fail: bool = False
    """A retryable answer is what the probe is after, so it is never sent again."""
    leaves_after: int = 0
    """Bytes of the answer's body after which we hang up; 0 for never."""


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
    """Sent before the others and by itself, since it would disturb them or they it."""
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

    @property
    def behind(self) -> bool:
        """Whether it can be asked only where the scripted backend answers."""
        return any(step.body.get("model") is Blank.SCRIPTED for step in self.steps)

    def but(self, name: str, asks: str, *, without: str = "", quick: bool = False, **members: Any) -> "Probe":
        """This probe with other body members, or without one; it becomes the new one's control."""
        body = {key: value for key, value in self.step.body.items() if key != without} | members
        return Probe(name=name, asks=asks, steps=(replace(self.step, body=body),), control=self.name, quick=quick)

    def sent(self, name: str, asks: str, *, quick: bool = False, **changes: Any) -> "Probe":
        """This probe with its first step sent differently: other `auth`, `headers`, `trigger` and so on."""
        return Probe(name=name, asks=asks, steps=(replace(self.step, **changes),), control=self.name, quick=quick)


class Unrenderable(LookupError):
    """An earlier answer lacks what a later request echoes."""


def filled(  # noqa: PLR0913  # what a run fills in
    value: Any,
    *,
    model: str,
    cap: int | None,
    earlier: tuple[Any, ...],
    scripted: str = "",
    scripted_cap: int | None = None,
    tag: str = "",
) -> Any:
    """`value` with every blank, echo and excerpt replaced, and its cues tagged.

    Args:
        value: a step's body or a part of it.
        model: the target's slug.
        cap: the model's max_output_tokens, where the target file tells it.
        earlier: the completions of the steps before, in order; `MISSING` where there was none.
        scripted: the slug that leads to the scripted backend, where there is one.
        scripted_cap: that slug's max_output_tokens, where the target file tells it.
        tag: says to the scripted backend which request this is.

    Raises:
        Unrenderable: an earlier answer, or the target file, lacks what is asked for.
    """

    def inside(part: Any) -> Any:
        return filled(
            part, model=model, cap=cap, earlier=earlier, scripted=scripted, scripted_cap=scripted_cap, tag=tag
        )

    if isinstance(value, dict):
        return {key: inside(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [inside(item) for item in value]
    if isinstance(value, Echo | Excerpt):
        found = at(earlier[value.step], value.pointer) if value.step < len(earlier) else MISSING
        return value.taken(found)
    blanks = {
        Blank.MODEL: model,
        Blank.ABOVE_CAP: cap and cap + 1,
        Blank.SCRIPTED: scripted,
        Blank.ABOVE_SCRIPTED_CAP: scripted_cap and scripted_cap + 1,
    }
    told = blanks[value] if isinstance(value, Blank) else value
    if isinstance(value, Blank) and told is None:
        raise Unrenderable("the target file does not tell max_output_tokens")
    return tagged(told, tag) if isinstance(told, str) else told


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
