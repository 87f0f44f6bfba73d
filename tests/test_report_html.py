import base64
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conformance.exchange import Exchange
from conformance.report import html
from conformance.report.visible import UNSEEN, visible
from tests import report_samples as samples

VOID = {"meta", "input"}
EVERYTHING = (samples.GREETING, samples.BERN, samples.DEAD)
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "\"' onmouseover='x'",
    "javascript:alert(1)",
    "]]>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202eevil\u2066",
    "\x00\x1b[2J",
    "\ud800",
    "x" * 1_000_000,
)


class Document(HTMLParser):
    """The elements of a page, in order, with the text inside them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.places: list[int] = []
        self.text = ""
        self.inside: dict[str, str] = {}
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
            self.places.append(len(self.texts))
            self.texts.append((tag, ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        self.places.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.inside[self.open[-1]] = self.inside.get(self.open[-1], "") + data
        else:
            self.text += data
            if self.places:
                tag, before = self.texts[self.places[-1]]
                self.texts[self.places[-1]] = (tag, before + data)

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]

    def all(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag
            and all(attributes.get(key.rstrip("_").replace("_", "-")) == value for key, value in wanted.items())
        ]


def parsed(report: dict[str, Any], exchanges: Sequence[Exchange] = EVERYTHING) -> Document:
    return Document(html.page(report, exchanges))


def assert_sound(document: Document) -> None:
    """Nothing that a page needs from outside, no handler, no stray element, no link into nothing."""
    assert document.open == []
    assert max(Counter(document.ids).values()) == 1
    for tag, attributes in document.elements:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("src", "style", "srcset", "action")
        ]
        if "href" in attributes:
            assert (tag, attributes["href"][0]) == ("a", "#")
            assert attributes["href"][1:] in document.ids
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in document.ids
    assert len(document.all("script")) == len(document.all("style")) == 1


def test_a_page_is_sound() -> None:
    for report in (samples.mixed(), samples.clean(), samples.aborted(), samples.report([])):
        assert_sound(parsed(report))


def test_the_policy_allows_our_script_and_style_and_nothing_else() -> None:
    document = parsed(samples.mixed())
    (policy,) = document.all("meta", http_equiv="Content-Security-Policy")
    hashes = {
        name: "'sha256-" + base64.b64encode(hashlib.sha256(document.inside[name].encode()).digest()).decode() + "'"
        for name in ("style", "script")
    }

    assert policy["content"].split("; ") == [
        "default-src 'none'",
        f"style-src {hashes['style']}",
        f"script-src {hashes['script']}",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_page_names_no_address_but_the_target() -> None:
    text = html.page(samples.mixed(), ())

    assert set(re.findall(r"https?://[a-z0-9.]+", text)) == {"https://grid.example.com"}


def test_headings_go_down_one_level_at_a_time() -> None:
    levels = [int(tag[1]) for tag, _ in parsed(samples.mixed()).elements if re.fullmatch("h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_top_says_the_verdict_in_words() -> None:
    text = parsed(samples.mixed()).text

    for part in (
        "nonconformant",
        "At least one MUST in force was broken.",
        "A MUST was broken: stream.done-is-last.",
        "2026-11-22 17:42:15 UTC",
        "41.250 s",
        "3 sent, 60 planned",
        "found out by asking",
    ):
        assert part in text


def test_every_requirement_has_one_place_with_its_verdict() -> None:
    report = samples.mixed()
    document = parsed(report)

    for row in report["requirements"]:
        (details,) = document.all("details", id=row["id"])
        assert (details["data-verdict"], details["data-level"], details["data-class"]) == (
            row["verdict"],
            row["level"],
            row["class"],
        )


def test_failures_come_first_and_are_open() -> None:
    details = [attributes for tag, attributes in parsed(samples.mixed()).elements if tag == "details"]

    assert [each["id"] for each in details[:2]] == ["response.data-id", "stream.done-is-last"]
    assert [each["id"] for each in details if "open" in each] == [
        "response.data-id",
        "stream.done-is-last",
        "errors.code",
        "tools.forced",
        "all-exchanges",
    ]


def test_every_control_has_a_name() -> None:
    document = parsed(samples.mixed())
    controls = [tag for tag, _ in document.elements if tag in ("input", "select", "button")]

    assert controls.count("input") == 6 + 3 + 2
    assert len(document.all("label")) == controls.count("input") + controls.count("select")
    assert all(
        attributes.get("class") == "copy" or attributes.get("type") == "reset" for attributes in document.all("button")
    )


def test_the_offending_bytes_are_marked() -> None:
    marks = [text for tag, text in parsed(samples.mixed()).texts if tag == "mark"]

    assert "7" in marks  # /data/id of BERN
    assert samples.GREETING.body[6:12].decode() in marks


def test_a_stream_is_drawn_and_told() -> None:
    document = parsed(samples.mixed())
    (drawing,) = document.all("svg", role="img")

    assert drawing["aria-label"].startswith("Arrival of the answer over time: 4 pieces, ")
    assert "first byte of the body after 0.300 s" in drawing["aria-label"]
    assert len([attributes for attributes in document.all("rect") if attributes["class"].startswith("bar")]) == 4


def test_the_command_is_there_to_copy() -> None:
    text = parsed(samples.mixed()).text

    assert text.count(samples.CURL) == 4


def test_names_in_backticks_are_code() -> None:
    document = parsed(
        samples.report(
            [samples.row("a.b", text="Both `n<b>` and `max_tokens` count."), samples.row("a.c", text="a ` b")]
        )
    )

    assert [text for tag, text in document.texts if tag == "code"] == ["n<b>", "max_tokens"]
    assert "a ` b" in document.text


def test_an_exchange_that_the_evidence_lacks_is_named_and_not_linked_in_vain() -> None:
    report = samples.report(
        [samples.row("a.b", "fail", violations=[samples.violation("lost.one")], evidence=["lost.one"])]
    )
    document = parsed(report, ())

    assert_sound(document)
    assert "lost.one" in document.text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_as_text(text: str) -> None:
    report, exchanges = samples.hostile(text)
    page = html.page(report, exchanges)
    document = Document(page)

    assert_sound(document)
    assert {tag for tag, _ in document.elements} <= {tag for tag, _ in parsed(samples.mixed()).elements} | {"i"}
    assert visible(text)[:400] in document.text
    assert len(page) < 2_000_000


@settings(deadline=None, max_examples=30)
@given(text=st.text(st.characters(), max_size=30))
@example(text="</style>&lt;&#0;%00%")
def test_any_text_makes_a_sound_page(text: str) -> None:
    report, exchanges = samples.hostile(text)
    page = html.page(report, exchanges)

    assert_sound(Document(page))
    assert not UNSEEN.search(page.replace("\n", ""))
    page.encode("utf-8")


def test_five_thousand_exchanges_make_a_small_page() -> None:
    page = html.page(*samples.large())

    assert len(page.encode()) < 6_000_000
    assert page.count('<details class="exchange"') == 240
    assert page.count("<tr") == 5001


def test_findings_get_their_pages_before_others_do() -> None:
    exchanges = [samples.answered({"n": number}, probe=f"p.{number}") for number in range(300)]
    rows = [
        samples.row("a.a", evidence=["p.0"]),
        samples.row("a.b", "inconclusive", evidence=[f"p.{number}" for number in range(200, 210)]),
        samples.row("a.c", "fail", violations=[samples.violation("p.299", where="whole")]),
    ]
    shown = [
        each["id"] for each in parsed(samples.report(rows, exchanges), exchanges).all("details", class_="exchange")
    ]

    assert shown == [f"exchange:p.{number}" for number in (*range(60), 200, 201, 202, 299)]
