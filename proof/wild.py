"""Whether the catalogue re-creates the faults that were seen in the wild."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.server.deviation import Fault
from conformance.server.wild import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where the reports and the faults do not agree: ids of reports, in order; all empty where they do."""

    missing: tuple[str, ...]
    """Against the contract, or a backend's fault, and re-created neither here nor elsewhere."""
    unknown: tuple[str, ...]
    """Named by a fault and no report."""
    excused: tuple[str, ...]
    """Said to be re-created elsewhere only, and re-created by a fault after all."""


def account(faults: Sequence[Fault], wild: Mapping[str, Report]) -> Account:
    """How the faults answer to the reports."""
    made = {identity for fault in faults for identity in fault.wild}
    excused = {identity for identity, report in wild.items() if report.elsewhere}
    due = {identity for identity, report in wild.items() if set("NU") & set(report.tier)}
    return Account(
        missing=tuple(sorted(due - made - excused)),
        unknown=tuple(sorted(made - wild.keys())),
        excused=tuple(sorted(made & excused)),
    )
