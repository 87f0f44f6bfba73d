"""How much of the space of requests a run's requests went through, read from the evidence alone."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.exchange import Exchange
from conformance.generate.asked import PREFIX
from conformance.generate.branches import branches, breakable, broken, taken
from conformance.reading.requests import authorized, legal, mistakes, sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What of a list of names was exercised, and why the rest was not, each in the order of the list."""

    exercised: tuple[str, ...]
    missing: tuple[str, ...]
    not_asked: Mapping[str, tuple[str, ...]]
    """By the reason why nobody asks it of this target."""

    @property
    def of(self) -> int:
        """How many are asked of this target."""
        return len(self.exercised) + len(self.missing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run's requests were like."""

    generated: int
    """Requests that nobody wrote by hand."""
    branches: Share
    defects: Share


def inputs(exchanges: Sequence[Exchange], lacking: Collection[str]) -> Inputs:
    """The share of the branches and defects that a run exercised.

    Args:
        exchanges: those of the run.
        lacking: the capabilities that the model does not have.
    """
    went, broke = exercised(exchanges)
    return Inputs(
        generated=sum(exchange.probe.startswith(PREFIX) for exchange in exchanges if _answered(exchange)),
        branches=_share(branches(), went, lacking),
        defects=_share(breakable(), broke, lacking),
    )


def exercised(exchanges: Iterable[Exchange]) -> tuple[frozenset[str], frozenset[str]]:
    """The branches that requests without a defect went through, and the defects that were the only one of a request.

    A request counts by its last attempt, where it came with the target's own key and was answered in any way.
    A request with several defects says of none of them what a target makes of it, so it counts for nothing.
    """
    went: set[str] = set()
    broke: set[str] = set()
    bodies = {exchange.request.body: exchange for exchange in exchanges if _answered(exchange)}
    for exchange in bodies.values():
        body = sent(exchange)
        if legal(exchange):
            went |= taken(body)
        elif isinstance(body, dict) and len(found := mistakes(exchange)) == 1:
            broke.add(broken(found[0]))
    return frozenset(went), frozenset(broke)


def _answered(exchange: Exchange) -> bool:
    return not exchange.retried and exchange.response is not None and authorized(exchange)


def _share(names: Sequence[str], met: Collection[str], lacking: Collection[str]) -> Share:
    missing: list[str] = []
    not_asked: dict[str, tuple[str, ...]] = {}
    for name in names:
        if name in met:
            continue
        if reason := left_open(name) or (f"the model has no {needed(name)}" if needed(name) in lacking else ""):
            not_asked[reason] = (*not_asked.get(reason, ()), name)
        else:
            missing.append(name)
    return Share(exercised=tuple(name for name in names if name in met), missing=tuple(missing), not_asked=not_asked)


_OPEN: Final[Mapping[str, str]] = {
    r"messages\[(system|assistant|tool)\]\.content\[(image|audio)_": "the page shows images and sounds of users only",
    r"messages\[assistant\]\.tool_calls as null": "the page shows no null in the place of calls",
}
_NEEDS: Final[Mapping[str, str]] = {
    r".*\[image_|content-part\.(image_|base64_source)": "vision",
    r".*\[audio_|content-part\.(audio_|url_source)": "audio",
    r"(request\.)?tool|messages\[tool\]|message\.(tool|assistant)": "tools",
    r"messages\[assistant\]( with |\.tool_calls|\.content as null)": "tools",
}


def left_open(name: str) -> str:
    """Why the page leaves open whether a branch must be served, so that no request goes through it; else empty."""
    return next((reason for form, reason in _OPEN.items() if re.match(form, name)), "")


def needed(name: str) -> str:
    """The capability without which nobody asks for a branch or a defect; empty where none is needed."""
    return next((capability for form, capability in _NEEDS.items() if re.match(form, name)), "")
