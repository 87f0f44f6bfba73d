"""`docs/accuracy.md`: what the gate holds, as a page."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from conformance.server.deviation import Fault, Variant
from conformance.server.wild import Report

_HEAD = """\
# Accuracy

How well the suite tells a broken server from an odd one. `nox -s proof` starts each server below on a real socket,
runs the whole suite against it and compares what turned red with what is listed here; `nox -s proof -- --write` writes
this page, and only where all of it held.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The figures of the page's first table."""

    checks: int
    killed: int
    """Checks for which a fault was made, and that it turned red."""
    patient: tuple[str, ...]
    """Checks whose only fault takes minutes to show; it is served on demand (`--only ID`), not in the gate."""
    faults: int
    wild: int
    """Reports from the wild that some fault re-creates."""
    variants: int
    combinations: int
    alarms: int
    """Legal servers, alone and in combination, on which anything turned red."""
    runs: int
    """Runs in a row against the reference server, everything asked at once, that gave the same verdicts."""
    mutants: int
    """Changes of our own code, as the last `nox -s mutants` wrote it to docs/mutants.md."""
    survivors: int
    """Those that no test notices, each listed there with the reason."""

    def lines(self) -> Mapping[str, int]:
        """Each figure and what it counts."""
        return {
            "checks": self.checks,
            "checks with a fault made for them that turned them red": self.killed,
            "checks whose fault takes ten minutes to show, and is served on demand only": len(self.patient),
            "faults, each of which turned red exactly the requirements listed for it": self.faults,
            "faults reported of servers in the wild that are among them": self.wild,
            "legal variants": self.variants,
            "combinations of legal variants": self.combinations,
            "legal servers on which anything turned red": self.alarms,
            "runs in a row against the reference server that gave the same verdicts": self.runs,
            "mutants of our own decoder, readings, checks and verdicts ([the list](mutants.md))": self.mutants,
            "mutants that survive, each with its reason": self.survivors,
        }

    def sentence(self) -> str:
        """The figures for the README."""
        return (
            f"{self.checks} checks, {self.killed} with a killer and {len(self.patient)} with one that takes ten"
            f" minutes; {self.faults} faults, which re-create {self.wild} reports of servers in the wild;"
            f" {self.variants} legal variants and {self.combinations} combinations of them; {self.alarms} false alarms;"
            f" {self.mutants} mutants of our own code, {self.survivors} of which live, for a reason that is told"
        )


def page(totals: Totals, faults: Sequence[Fault], variants: Sequence[Variant], wild: Mapping[str, Report]) -> str:
    """The Markdown of the whole page."""
    return "\n".join([_HEAD, *_totals(totals), *_faults(faults), *_variants(variants), *_wild(faults, wild)])


def _totals(totals: Totals) -> Iterator[str]:
    yield from _table(("what", "number"), ([what, str(number)] for what, number in totals.lines().items()))


def _faults(faults: Sequence[Fault]) -> Iterator[str]:
    yield "## Faults\n"
    yield "The first requirement named is the one that the fault was made for. A server has a fault with"
    yield "`chat-conformance serve --fault ID`.\n"
    section = lambda fault: fault.red[0].partition(".")[0]  # noqa: E731
    for name, group in groupby(sorted(faults, key=section), key=section):
        listed = list(group)
        yield f"### {name}: {len(listed)}\n"
        rows = (
            [
                f"`{fault.id}`",
                fault.does,
                ", ".join(f"`{identity}`" for identity in fault.red)
                + (f"; by chance {', '.join(f'`{identity}`' for identity in fault.perhaps)}" if fault.perhaps else ""),
            ]
            for fault in listed
        )
        yield from _table(("fault", "a server that", "turns red"), rows)


def _variants(variants: Sequence[Variant]) -> Iterator[str]:
    yield "## Legal variants\n"
    yield "Odd servers that keep the page; nothing may turn red. `chat-conformance serve --variant ID` serves one.\n"
    yield from _table(("variant", "a server that"), ([f"`{each.id}`", each.does] for each in variants))


def _wild(faults: Sequence[Fault], wild: Mapping[str, Report]) -> Iterator[str]:
    yield "## Seen in the wild\n"
    yield "Faults that users reported of other servers, and where they are re-created here. N: it breaks the page or"
    yield "the page's own clients; S: the page is silent; U: a gateway's backend does it; O: it concerns the OpenAI"
    yield "surface alone.\n"
    rows = (
        [
            identity,
            report.tier,
            report.what,
            ", ".join(f"`{fault.id}`" for fault in faults if identity in fault.wild) or report.elsewhere or "",
            ", ".join(report.reported),
        ]
        for identity, report in wild.items()
    )
    yield from _table(("id", "tier", "fault", "re-created by", "reported in"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join('---' for _ in head)} |"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
    yield ""
