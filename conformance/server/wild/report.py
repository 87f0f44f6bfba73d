"""What a report is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A defect that people met in servers of this kind."""

    what: str
    tier: str
    """One or more letters: N, it breaks the contract or the page's own clients; S, the contract is silent of it;
    U, it is the fault of a backend, which a gateway has to absorb or to tell; O, only the OpenAI surface shows it."""
    reported: tuple[str, ...] = ()
    """`owner/repo#n`, or `owner/repo` where the code says it; empty where reading the page led to it."""
    elsewhere: str = ""
    """Why no server of the catalogue re-creates it; empty where one should."""


def cited(text: str) -> tuple[str, ...]:
    """Citations that blanks separate."""
    return tuple(text.split())
