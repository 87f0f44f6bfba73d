"""The report as one HTML page that needs nothing else.

All that a target said is untrusted: it is escaped, what cannot be seen in it is named, and the page's own policy
forbids every script but ours.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance.exchange import Exchange
from conformance.report import difference as differing
from conformance.report import timeline as drawing
from conformance.report.findings import (
    Row,
    backend_told,
    command,
    entry_told,
    excuse,
    findings,
    inputs_told,
    meaning,
    place,
    spoken,
)
from conformance.report.visible import cut, visible, visible_lines
from conformance.report.wire import Wire, wire

_MOST_PAGES: Final = 240  # wire pages; more make a page slow to open, and a reader needs fewer
_OTHER_PAGES: Final = 60  # wire pages of exchanges that nobody complains of
_EACH: Final = 3  # exchanges of one undecided requirement that get a page before others have theirs
_BYTES: Final = 2_000_000  # of all wire pages together, before markup
_LARGEST_PAGE: Final = 16_384  # bytes of one exchange
_VIOLATIONS: Final = 20  # shown for one requirement
_EVIDENCE: Final = 40  # exchanges named for one requirement
_LONGEST: Final = 2_000  # characters of one piece of text

GLYPHS: Final[Mapping[str, str]] = {
    "pass": "✓",
    "fail": "✗",
    "inconclusive": "?",
    "error": "!",
    "untested": "-",
    "not_applicable": "○",
    "conformant": "✓",
    "nonconformant": "✗",
    "incomplete": "?",
    "aborted": "!",
    "partial": "◐",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A violation as the page of its exchange shows it."""

    requirement: str
    level: str
    place: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """An exchange shown in full."""

    id: str
    anchor: Markup
    asks: str
    status: str
    wire: Wire
    timeline: drawing.Timeline | None
    complaints: tuple[Complaint, ...]
    more: int
    """Complaints that are left out."""


def page(report: Mapping[str, Any], exchanges: Sequence[Exchange], *, diff: Mapping[str, Any] | None = None) -> str:
    """The report as an HTML document.

    Args:
        report: what `report.json` holds.
        exchanges: the evidence; those that a finding names are shown in full, and a few others.
        diff: what an earlier run says differently, where there is one.
    """
    asks = {each["id"]: each["asks"] for each in report["exchanges"]}
    pages = _pages(report, exchanges, asks)
    shown = frozenset(each.id for each in pages)
    return rendered(
        "page.html",
        style=("page.css",),
        script=("page.js",),
        report=report,
        diff=diff,
        differing=differing,
        found=findings(report),
        sections=_sections(report["requirements"]),
        classes=_classes(report),
        pages=pages,
        shown=shown,
        known=frozenset(asks),
        complaints=_complaints_by_exchange(report["requirements"]),
        meaning=meaning(report),
    )


def rendered(template: str, /, *, style: Sequence[str], script: Sequence[str] = (), **values: Any) -> str:
    """A page that needs nothing else, of templates of ours; its own policy lets nothing in but its style and script.

    Args:
        template: the page; what it shows of `values` is escaped.
        style: the files of its style, in the order of the cascade.
        script: the files of its script.
        values: what it speaks of.
    """
    environment = _environment()
    written, run = ("".join(_source(environment, name) for name in names) for names in (style, script))
    return environment.get_template(template).render(
        style=Markup(written),  # noqa: S704 - our own files
        script=Markup(run),  # noqa: S704 - our own files
        style_hash=_hash(written),
        script_hash=_hash(run),
        **values,
    )


def anchor(exchange: str) -> Markup:
    """The fragment and the element id of an exchange on the page."""
    return escape("exchange:" + quote(exchange, safe="/~:@!*,;=+$()", errors="surrogatepass"))


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters.update(
        anchor=anchor,
        coded=_coded,
        command=command,
        entry_told=entry_told,
        excuse=excuse,
        inputs_told=inputs_told,
        backend_told=backend_told,
        lines=_lines,
        number=lambda number: f"{number:,}",
        place=place,
        seconds=lambda seconds: f"{seconds:.3f} s" if seconds < 60 else f"{seconds:.0f} s",
        spoken=spoken,
    )
    environment.globals.update(
        GLYPHS=GLYPHS, VIOLATIONS=_VIOLATIONS, EVIDENCE=_EVIDENCE, WIDTH=drawing.WIDTH, HEIGHT=drawing.HEIGHT
    )
    return environment


def _shown(value: Any) -> Any:
    """What a template writes for `value`: markup of ours as it is, all other text cut and with nothing unseen in it."""
    return visible(cut(value, limit=_LONGEST)) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _lines(text: str) -> Markup:
    return escape(visible_lines(text))


def _coded(text: str) -> Markup:
    """`text` with what stands in backticks as code, where each has its partner."""
    pieces = visible(cut(text, limit=_LONGEST)).split("`")
    if len(pieces) % 2 == 0:
        return escape("`".join(pieces))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(piece) if index % 2 else piece for index, piece in enumerate(pieces))


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    text = environment.loader.get_source(environment, name)[0]
    return text.replace("\r\n", "\n")  # as a browser reads it before it compares the hash


def _hash(text: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return Markup(f"'sha256-{digest}'")  # noqa: S704 - base64 of our own file


def _sections(rows: Sequence[Row]) -> dict[str, list[Row]]:
    sections: dict[str, list[Row]] = {}
    for row in rows:
        sections.setdefault(row["section"], []).append(row)
    return sections


def _classes(report: Mapping[str, Any]) -> list[tuple[str, str, dict[str, int]]]:
    """Each class, its result, and its number of requirements by verdict."""
    made = []
    for name, state in report["classes"].items():
        numbers = dict.fromkeys(report["counts"], 0)
        for row in report["requirements"]:
            if row["class"] == name:
                numbers[row["verdict"]] += 1
        made.append((name, state, {word: number for word, number in numbers.items() if number}))
    return made


def _complaints_by_exchange(rows: Sequence[Row]) -> dict[str, list[tuple[Row, Mapping[str, str]]]]:
    complaints: dict[str, list[tuple[Row, Mapping[str, str]]]] = {}
    for row in rows:
        for violation in row["violations"]:
            complaints.setdefault(violation["exchange"], []).append((row, violation))
    return complaints


def _wanted(rows: Sequence[Row], exchanges: Sequence[Exchange]) -> Iterator[str]:
    """The ids of exchanges worth a page, the most telling first; some more than once."""
    ranked = sorted(
        (row for row in rows if row["verdict"] in ("fail", "inconclusive", "error")),
        key=lambda row: (row["verdict"] != "fail", ("MUST", "SHOULD", "MAY").index(row["level"])),
    )
    named = [[each["exchange"] for each in row["violations"]] or row["evidence"][:_EACH] for row in ranked]
    for depth in range(max(map(len, named), default=0)):
        yield from (ids[depth] for ids in named if depth < len(ids))
    known = {identity for ids in named for identity in ids}
    yield from [each.id for each in exchanges if each.id not in known][:_OTHER_PAGES]


def _pages(report: Mapping[str, Any], exchanges: Sequence[Exchange], asks: Mapping[str, str]) -> tuple[Page, ...]:
    there = frozenset(each.id for each in exchanges)
    wanted = [identity for identity in dict.fromkeys(_wanted(report["requirements"], exchanges)) if identity in there]
    chosen = frozenset(wanted[:_MOST_PAGES])
    limit = min(_LARGEST_PAGE, _BYTES // max(1, len(chosen)))
    complaints = _complaints_by_exchange(report["requirements"])
    pages = {
        each.id: _page(each, complaints.get(each.id, ()), asks=asks.get(each.id, ""), limit=limit)
        for each in exchanges
        if each.id in chosen
    }
    return tuple(pages.values())


def _page(exchange: Exchange, complaints: Sequence[tuple[Row, Mapping[str, str]]], *, asks: str, limit: int) -> Page:
    visible_wire = wire(exchange, (violation["where"] for _, violation in complaints), limit=limit)
    as_received = visible_wire.size == len(exchange.body)
    response = exchange.response
    return Page(
        id=exchange.id,
        anchor=anchor(exchange.id),
        asks=asks,
        status=str(response.status) if response else exchange.ended.value,
        wire=visible_wire,
        timeline=drawing.timeline(exchange, visible_wire.spans if as_received else ()),
        complaints=tuple(
            Complaint(
                requirement=row["id"],
                level=row["level"],
                place=place(violation["where"]),
                expected=violation["expected"],
                found=violation["found"],
            )
            for row, violation in complaints[:_VIOLATIONS]
        ),
        more=max(0, len(complaints) - _VIOLATIONS),
    )
