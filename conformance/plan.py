"""What will be asked: the probes that the selected requirements need, and what they can cost."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.probe import Probe, Step, output_bound
from conformance.requirement import Requirement
from conformance.target import Target

_BYTES_PER_TOKEN: Final = 3  # of a request's text; tokenizers of English need about four
_LONGEST_TEXT: Final = 400  # bytes
_MEDIA_TOKENS: Final = 100  # reckoned for a small picture or sound
FAIR_CAP: Final = 1024
"""The largest max_output_tokens that is worth writing out to see it kept."""
_UNBOUNDED: Final = 512  # tokens reckoned for an answer that only the model bounds
QUICK_REQUESTS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of a whole a plan is."""

    number: int
    """From 1."""
    of: int
    own_server: bool
    """Whether each part has a server of its own."""
    whole: "Plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The probes of a run in the order they are sent, and the upper bounds that are known before."""

    probes: tuple[Probe, ...]
    left_out: Mapping[str, str]
    """For each requirement that is not asked about, why."""
    requests: int
    """Requests, without retries."""
    prompt_tokens: int
    """An estimate from the length of the requests."""
    output_tokens: int
    """The most that the requests let the model write, those aside that bound nothing."""
    unbounded: int
    """Answers that only the model bounds, since the request must do without `max_tokens`."""
    again: int
    """Requests more, at most, where a model leaves something undecided: what depends on it is asked once more."""
    repeated: tuple[Probe, ...] = ()
    """What is asked in further rounds."""
    rounds: int = 1
    """The most rounds in which it is asked, the first included."""
    part: Part | None = None
    """Where the plan is a part of another: the shard of a run."""

    @property
    def repeats(self) -> int:
        """Requests more, at most, in further rounds."""
        return (self.rounds - 1) * sum(len(probe.steps) for probe in self.repeated)


def _prompt(step: Step) -> int:
    return math.ceil(_characters(step.body) / _BYTES_PER_TOKEN)


def _characters(value: Any) -> int:
    """The bytes of a body's text; what is longer than any text of a probe is a picture or a sound."""
    if isinstance(value, Mapping):
        return sum(len(name) + 6 + _characters(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return sum(2 + _characters(item) for item in value)
    size = len(str(value).encode("utf-8"))
    return size if size <= _LONGEST_TEXT else _MEDIA_TOKENS * _BYTES_PER_TOKEN


def _output(step: Step, cap: int | None) -> int:
    bound = output_bound(step, cap=cap)
    return _UNBOUNDED if bound is None else bound


def cost(probe: Probe, cap: int | None) -> int:
    """The tokens that a probe may take, read and written, as a plan counts them; a scripted backend has no model."""
    return 0 if probe.behind else sum(_prompt(step) + _output(step, cap) for step in probe.steps)


def _with_controls(probes: Iterable[Probe], catalogue: Mapping[str, Probe]) -> dict[str, Probe]:
    """The probes by name, each after the controls it is measured against."""
    found: dict[str, Probe] = {}

    def add(probe: Probe) -> None:
        if probe.name not in found:
            if probe.control:
                add(catalogue[probe.control])
            found[probe.name] = probe

    for probe in probes:
        add(probe)
    return found


def planned(  # noqa: PLR0913  # each is one thing the plan depends on
    requirements: Sequence[Requirement],
    *,
    probes_of: Mapping[str, Sequence[Probe]],
    catalogue: Mapping[str, Probe],
    opening: Probe,
    target: Target,
    left_out: Mapping[str, str],
    quick: bool = False,
    examples: int = 0,
) -> Plan:
    """The plan for some requirements.

    Args:
        requirements: those to decide, in the order of their importance when the limits cannot hold all.
        probes_of: for each requirement's id, the probes that decide it.
        catalogue: every declared probe by name, in the order of sending; controls are looked up here.
        opening: sent first whatever is selected.
        target: its claims say what need not be asked, its limits what may be.
        left_out: requirements that were filtered out before, with the reasons.
        quick: only the probes marked so.
        examples: how many requests were generated.
    """
    chosen: dict[str, Probe] = {opening.name: opening}
    moody: set[str] = set()
    dropped: dict[str, str] = dict(left_out)
    fits = _budget(target)
    fits((opening,))
    for requirement in requirements:
        if not askable(requirement, target) or ("examples" in requirement.needs and not examples):
            continue
        wanted = [probe for probe in probes_of.get(requirement.id, ()) if probe.quick or not quick]
        if not wanted:
            dropped[requirement.id] = "not part of a quick run"
            continue
        reached = False
        for probe in wanted:
            if not probe.triggers <= target.causes.keys() or (probe.behind and target.backend is None):
                continue
            needed = _with_controls([probe], catalogue)
            if fits([item for name, item in needed.items() if name not in chosen]):
                chosen |= needed
                reached = True
                moody |= {probe.name} if "model" in requirement.needs else set()
        if not reached:
            dropped[requirement.id] = "over the limits of requests or tokens (--max-requests, --max-tokens)"
    probes = tuple(probe for name, probe in catalogue.items() if name in chosen)
    return bounded(
        (opening, *(probe for probe in probes if probe is not opening)),
        left_out=dropped,
        cap=target.max_output_tokens,
        again=sum(len(probe.steps) for probe in probes if probe.name in moody) + bool(moody - {opening.name}),
    )


def bounded(probes: Sequence[Probe], *, left_out: Mapping[str, str], cap: int | None, again: int) -> Plan:
    """The plan of some probes, with what they can cost."""
    steps = [step for probe in probes for step in probe.steps if not probe.behind]
    return Plan(
        probes=tuple(probes),
        left_out=left_out,
        requests=sum(len(probe.steps) for probe in probes),
        prompt_tokens=sum(_prompt(step) for step in steps),
        output_tokens=sum(output_bound(step, cap=cap) or 0 for step in steps),
        unbounded=sum(output_bound(step, cap=cap) is None for step in steps),
        again=again,
    )


def askable(requirement: Requirement, target: Target) -> bool:
    """Whether asking can decide a requirement, by what the target file says."""
    return (
        not requirement.untested
        and ("backend" not in requirement.needs or target.backend is not None)
        and target.profile in requirement.profiles
        and all(target.capabilities.get(need, True) for need in requirement.capabilities)
        and all(trigger in target.causes for trigger in requirement.triggers)
        and ("backend_cap" not in requirement.needs or bool(target.backend and target.backend.max_output_tokens))
        and ("max_output_tokens" not in requirement.needs or target.max_output_tokens is not None)
        and ("small_output_cap" not in requirement.needs or (target.max_output_tokens or FAIR_CAP + 1) <= FAIR_CAP)
    )


def _budget(target: Target) -> Callable[[Sequence[Probe]], bool]:
    requests, tokens = 0, 0

    def fits(probes: Sequence[Probe]) -> bool:
        """Whether the probes fit beside those taken before; if so they are taken."""
        nonlocal requests, tokens
        steps = [step for probe in probes for step in probe.steps]
        more = sum(cost(probe, target.max_output_tokens) for probe in probes)
        if requests + len(steps) > target.limits.requests or tokens + more > target.limits.tokens:
            return False
        requests, tokens = requests + len(steps), tokens + more
        return True

    return fits
