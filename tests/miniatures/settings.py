"""The kinds of run that decide checks: what each observes of an innocent server, and the servers it is shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from conformance.check import Check
from conformance.checks import CHECKS, DECLARED, SCRIPTED
from conformance.evidence import Evidence
from conformance.finding import Finding, Verdict, judged
from conformance.requirement import catalogue
from tests import miniatures
from tests.miniatures import behind, delivered, died, forwarded, generated
from tests.miniatures.innocent import innocent
from tests.miniatures.model import Miniature
from tests.miniatures.variants import Variant
from tests.miniatures.wire import Change


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """A kind of run."""

    name: str
    observed: Callable[[], Evidence]
    """The evidence of an innocent server, observed once a session."""
    checks: Mapping[str, Check]
    """Those that such a run decides."""
    miniatures: tuple[Miniature, ...]
    variants: tuple[Variant, ...]

    @property
    def cases(self) -> tuple[Miniature | Variant, ...]:
        return (*self.miniatures, *self.variants)

    def changed(self, change: Change) -> Evidence:
        """The innocent evidence as another server would have made it."""
        return replace(self.observed(), exchanges=change(self.observed().exchanges))

    def findings(self, kept: Evidence) -> dict[str, Finding]:
        """What the evidence says of each requirement that is decided here."""
        final = tuple(exchange for exchange in kept.exchanges if not exchange.retried)
        return {name: judged(catalogue()[name], check, final) for name, check in self.checks.items()}


def of(found: Mapping[str, Finding], verdict: Verdict) -> set[str]:
    """The requirements with a verdict."""
    return {name for name, finding in found.items() if finding.verdict is verdict}


FRONT: Final = Setting(
    name="from the front",
    observed=innocent,
    checks=DECLARED,
    miniatures=miniatures.MINIATURES,
    variants=miniatures.VARIANTS,
)
BEHIND: Final = Setting(
    name="from both sides",
    observed=behind.observed,
    checks=SCRIPTED,
    miniatures=(*behind.MINIATURES, *delivered.MINIATURES, *died.MINIATURES, *forwarded.MINIATURES),
    variants=(*behind.VARIANTS, *delivered.VARIANTS, *died.VARIANTS, *forwarded.VARIANTS),
)
GENERATED: Final = Setting(
    name="with generated requests",
    observed=generated.observed,
    checks={
        name: check
        for name, check in CHECKS.items()
        if name.startswith(generated.REQUIREMENTS) or name == generated.ECHOED
    },
    miniatures=generated.MINIATURES,
    variants=generated.VARIANTS,
)
SETTINGS: Final = (FRONT, BEHIND, GENERATED)
