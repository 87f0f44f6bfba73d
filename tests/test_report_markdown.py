import html
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.report import markdown
from conformance.report.visible import visible
from tests import report_samples as samples

OURS = {
    "h2",
    "h3",
    "p",
    "ul",
    "li",
    "strong",
    "code",
    "pre",
    "details",
    "summary",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}
HOSTILE = (
    "<script>alert(1)</script>",
    "a|b",
    "`",
    "@team",
    "![x](https://e.example/p.png)",
    "</details>",
    "[bold]",
    "\\",
    "\x1b[2J",
)


class Page(HTMLParser):
    """The elements, attributes and text of rendered Markdown."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.outside_code = ""
        self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.depth += tag in ("code", "pre")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag in ("code", "pre")
        if tag == "code":
            self.outside_code += "\0"  # what stood in code parts what stands around it

    def handle_data(self, data: str) -> None:
        self.text += data
        if not self.depth:
            self.outside_code += data


def rendered(text: str) -> Page:
    page = Page()
    page.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    page.close()
    return page


def test_the_verdict_comes_first() -> None:
    assert markdown.summary(samples.mixed()).startswith(
        "## ❌ nonconformant: <code>https<!-- -->&#58;//<!-- -->grid.example.com"
    )
    assert markdown.summary(samples.clean()).startswith("## ✅ conformant: ")


def test_a_failure_shows_what_was_expected_and_found() -> None:
    text = rendered(markdown.summary(samples.mixed())).text

    assert "Failures: 2" in text
    assert "response.data-id (MUST, core, stated): The answer keeps response.data-id." in text
    assert "\n/data/id\na string\n7\nresponse.bern\n" in text
    assert samples.CURL in text


def test_every_fate_has_its_section() -> None:
    text = rendered(markdown.summary(samples.mixed())).text

    for title in (
        "Errors of the suite: 1",
        "Inconclusive, and needed for a verdict: 1",
        "Warnings (SHOULD): 1",
        "Notes (MAY): 1",
        "Inconclusive: 1",
        "Untested: 1",
        "Not applicable: 1",
        "1: The target file has no trigger mid_stream_error. (stream.error-event)",
    ):
        assert title in text


def test_a_clean_run_has_no_empty_sections() -> None:
    page = rendered(markdown.summary(samples.clean()))

    assert "h3" not in page.tags
    assert "details" not in page.tags


def test_classes_stand_in_a_table() -> None:
    assert "| audio | ▫️ not applicable |" in markdown.summary(samples.mixed())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_to_the_character(text: str) -> None:
    page = rendered(markdown.summary(samples.hostile(text)[0]))

    assert set(page.tags) <= OURS
    assert page.text.count(visible(text)) > 20


def test_nobody_is_mentioned_and_nothing_is_linked() -> None:
    report, _ = samples.hostile("@team #12 www.e.example https://e.example a@b.example ")
    page = rendered(markdown.summary(report))

    for beginning in ("@t", "#1", "www.e", "https://e", "@b"):
        assert beginning not in page.outside_code
    source = markdown.summary(report).split("```")[0]
    for beginning in ("@t", "www.e", "https://e", "@b"):
        assert beginning not in html.unescape(source)


def test_a_fence_is_longer_than_any_in_the_command() -> None:
    page = rendered(markdown.summary(samples.hostile("\n``````\n<img src=x>\n")[0]))

    assert set(page.tags) <= OURS


def test_a_summary_stays_below_what_github_takes() -> None:
    huge = "|@" * 500_000
    rows = [
        samples.row(f"response.r{number}", "fail", violations=[samples.violation(found=huge)] * 50, reproduce=huge)
        for number in range(300)
    ]

    text = markdown.summary(samples.report(rows))

    assert len(text.encode()) < 1_000_000
    assert text.endswith("The rest is left out here; it is in `report.html`.\n")


@settings(deadline=None, max_examples=40)
@given(text=st.text(st.characters(), max_size=40))
@example(text="|\n| --- |\n")
@example(text="- [ ] x\n# y\n> z\n1. a\n$$x$$ :+1: ~~s~~ ^1 _e_ *e* <!-- ")
def test_any_text_makes_only_our_elements(text: str) -> None:
    report, _ = samples.hostile(text)
    page = rendered(markdown.summary(report))

    assert set(page.tags) <= OURS
    assert {name for name, _ in page.attributes} <= {"class", "style"}
    assert page.tags.count("table") == 4
    assert page.tags.count("tr") == 1 + len(report["classes"]) + 3 * 4
