"""What repeated observations say of a rate: exact bounds from the binomial distribution, and when enough was seen."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

DOUBT: Final = 0.05
"""How often an interval may miss the rate: one that is told holds it in 95 of 100 runs, or in more."""
CLEAR: Final = 5
"""How often a requirement must be seen broken until asking again would only sharpen what is known."""
_NOTHING: Final = 1e-17  # of a sum
_HALVINGS: Final = 45  # of the interval from 0 to 1, which is finer than the digits of a bound
_DIGITS: Final = 9  # of a bound; the last bits of a logarithm differ between machines

Outcome = tuple[str, bool]
"""The probe that was asked, and whether its answer broke the requirement."""


def tail(broken: int, of: int, rate: float) -> float:
    """How likely it is to see at most `broken` of `of` independent observations broken at a rate."""
    if rate <= 0 or broken >= of:
        return 1.0
    if rate >= 1:
        return 0.0
    if broken > of * rate:
        return 1.0 - tail(of - broken - 1, of, 1.0 - rate)
    term = math.exp(
        math.lgamma(of + 1)
        - math.lgamma(broken + 1)
        - math.lgamma(of - broken + 1)
        + broken * math.log(rate)
        + (of - broken) * math.log1p(-rate)
    )
    total, seen = term, broken
    # Below the mean the terms only fall: each is made of the one above it, down to those that add nothing more. The one
    # below the last is 0.
    while term > total * _NOTHING:
        term *= seen / (of - seen + 1) * (1 - rate) / rate
        total += term
        seen -= 1
    return total


def interval(broken: int, of: int) -> tuple[float, float]:
    """The two-sided interval of Clopper and Pearson (1934): outside of it a rate would make the count too unlikely.

    The lower bound is the rate at which so many broken or more have the probability `DOUBT / 2`, the upper one that at
    which so many or fewer have it.

    Raises:
        ValueError: there are not so many observations, or none.
    """
    if not 0 <= broken <= of or not of:
        raise ValueError(f"{broken} of {of} is no count of observations")
    low = 0.0 if not broken else _rate_at(broken - 1, of, 1 - DOUBT / 2)
    high = 1.0 if broken == of else _rate_at(broken, of, DOUBT / 2)
    return round(low, _DIGITS), round(high, _DIGITS)


def _rate_at(broken: int, of: int, likely: float) -> float:
    """The rate at which at most `broken` of `of` are just so likely; the tail falls as the rate grows."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if tail(broken, of, middle) > likely:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def excluded(of: int) -> float:
    """The rate from which on it is unlikely that `of` observations show nothing: the exact rule of three, one-sided."""
    return round(-math.expm1(math.log(DOUBT) / of), _DIGITS)


def percent(share: float) -> str:
    """A share of 1 as a reader wants it: one decimal, or two digits where that would be 0."""
    digits = f"{100 * share:.1f}" if share >= 0.001 else f"{100 * share:.2g}"
    return f"{digits.removesuffix('.0')} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the repeated observations of one requirement amount to."""

    broken: int
    of: int
    always: tuple[str, ...] = ()
    """The probes that broke it each time, where all that broke it did: what is not intermittent."""

    @property
    def told(self) -> str:
        """A clause for the reader."""
        if not self.broken:
            rate = percent(excluded(self.of))
            return f"none of {self.of} repeated observations broke it, which excludes a rate of {rate}"
        counted = f"{self.broken} of {self.of} repeated observations broke it"
        if self.always:
            return f"{counted}, every one of {', '.join(self.always)}"
        low, high = interval(self.broken, self.of)
        return f"{counted} ({percent(low)} to {percent(high)})"


def observed(outcomes: Iterable[Outcome]) -> Observed | None:
    """What the outcomes of probes that were asked several times amount to; None where none was."""
    seen = tuple(outcomes)
    times = Counter(probe for probe, _ in seen)
    broke = Counter(probe for probe, broken in seen if broken)
    repeated = [probe for probe in times if times[probe] > 1]
    if not repeated:
        return None
    guilty = tuple(probe for probe in repeated if broke[probe])
    always = guilty if all(broke[probe] == times[probe] >= CLEAR for probe in guilty) else ()
    return Observed(
        broken=sum(broke[probe] for probe in guilty), of=sum(times[probe] for probe in repeated), always=always
    )


def clear(outcomes: Sequence[Outcome]) -> bool:
    """Whether so many broke the requirement that its rate is known well enough; nothing but the end makes a pass clear.

    Stopping here leaves the interval honest: `tests/test_stability.py` reckons what it covers under this rule.
    """
    return sum(broken for _, broken in outcomes) >= CLEAR
