import re
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from conformance.requirement import CLASSES
from tests.browser.looking import FAINT, FOCUS, STOPS, Scheme, opened

OF_THE_BOARD = ("board", "target", "target-known", "target-hostile")
ALL = (*OF_THE_BOARD, "run", "run-hostile")
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
every_page = pytest.mark.parametrize("name", ALL)
either_scheme = pytest.mark.parametrize("scheme", SCHEMES)
either_width = pytest.mark.parametrize("width", [360, 1280])


@every_page
@either_scheme
def test_a_page_asks_for_itself_alone_and_complains_of_nothing(
    browser: Browser, pages: dict[str, Path], name: str, scheme: Scheme
) -> None:
    with opened(browser, pages[name], scheme=scheme) as found:
        found.unfolded().wait_for_load_state("networkidle")

        assert found.asked == [pages[name].as_uri()]
        assert found.complaints == []
        assert found.page.evaluate("window.hit") is None


@every_page
def test_the_policy_of_a_page_lets_no_other_script_run_and_nothing_be_sent(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    with opened(browser, pages[name]) as found:
        found.page.evaluate(
            """() => {
              const script = document.createElement("script");
              script.textContent = "window.hit = 1";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend", "<i onclick='window.hit = 2'>x</i>");
              document.body.lastElementChild.click();
            }"""
        )
        refused = found.page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', (error) => error.name)")

        assert found.page.evaluate("window.hit") is None
        assert refused == "TypeError"
        assert [text for text in found.complaints if "Content Security Policy" in text]


@every_page
@either_scheme
@either_width
def test_axe_has_nothing_against_a_page(
    browser: Browser, pages: dict[str, Path], name: str, scheme: Scheme, width: int
) -> None:
    with opened(browser, pages[name], scheme=scheme, width=width) as found:
        results = Axe().run(found.unfolded())

        assert results.violations_count == 0, results.generate_report()
        assert results.response["testEngine"]["name"] == "axe-core"


@every_page
@either_scheme
def test_all_text_stands_out_from_what_it_stands_on(
    browser: Browser, pages: dict[str, Path], name: str, scheme: Scheme
) -> None:
    with opened(browser, pages[name], scheme=scheme) as found:
        texts = found.unfolded().evaluate(FAINT)

        assert texts["seen"] > 20
        assert texts["faint"] == []


def test_a_text_that_is_too_faint_would_be_found(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["board"]) as found:
        found.page.evaluate("document.querySelector('h1').style.setProperty('color', '#999')")

        assert found.page.evaluate(FAINT)["faint"] == ["2.75: Conformance board"]


@every_page
def test_a_page_is_dark_where_its_reader_wants_it_dark(browser: Browser, pages: dict[str, Path], name: str) -> None:
    grounds = {}
    for scheme in SCHEMES:
        with opened(browser, pages[name], scheme=scheme) as found:
            ground = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
            grounds[scheme] = sum(map(int, re.findall(r"\d+", ground)[:3])) / 3

    assert grounds["dark"] < 50
    assert grounds["light"] > 200


@every_page
@pytest.mark.parametrize("width", [320, 360, 768])
def test_a_page_is_never_wider_than_its_screen(browser: Browser, pages: dict[str, Path], name: str, width: int) -> None:
    with opened(browser, pages[name], width=width) as found:
        page = found.unfolded()

        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate("window.scrollTo(1000, 0)")
        assert page.evaluate("window.scrollX") == 0


@every_page
@either_width
def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Browser, pages: dict[str, Path], name: str, width: int
) -> None:
    with opened(browser, pages[name], width=width) as found:
        page = found.unfolded()
        stops = page.evaluate(STOPS)
        reached = []
        for _ in range(stops + 5):
            page.keyboard.press("Tab")
            focus = page.evaluate(FOCUS)
            if focus is None:
                break
            assert focus["outline"] >= 2, focus["what"]
            assert focus["visible"], focus["what"]
            reached.append(focus["index"])

        assert reached == list(range(stops))


@every_page
def test_the_first_stop_of_the_keyboard_skips_to_what_matters(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    with opened(browser, pages[name]) as found:
        found.page.keyboard.press("Tab")
        assert found.page.evaluate("document.activeElement.className") == "skip"
        found.page.keyboard.press("Enter")
        found.page.keyboard.press("Tab")

        assert found.page.evaluate("document.activeElement.closest('main') !== null")


@every_page
def test_a_page_is_arranged_for_those_who_hear_it(browser: Browser, pages: dict[str, Path], name: str) -> None:
    with opened(browser, pages[name]) as found:
        page = found.unfolded()
        spoken = found.spoken()
        roles = [role for role, _ in spoken]
        levels = [
            int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName)")
        ]

        assert page.evaluate("document.documentElement.lang") == "en"
        assert page.title().endswith(" · chat-conformance")
        assert (roles.count("main"), roles.count("banner"), roles.count("contentinfo")) == (1, 1, 1)
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
        nameless = {"link", "button", "table", "region", "img", "image", "navigation", "heading", "columnheader"}
        assert [(role, said) for role, said in spoken if role in nameless and not said.strip()] == []
        assert page.evaluate("[...document.querySelectorAll('table')].filter(t => !t.caption).length") == 0
        assert page.evaluate("[...document.querySelectorAll('th')].filter(th => !th.scope).length") == 0


@pytest.mark.parametrize("name", OF_THE_BOARD)
def test_nothing_on_a_board_waits_for_a_pointer_or_a_script(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    with opened(browser, pages[name]) as found:
        assert found.page.evaluate("document.querySelectorAll('script, [title], svg *> title').length") == 0


@either_width
def test_the_targets_are_a_table_to_those_who_hear_them_on_any_screen(
    browser: Browser, pages: dict[str, Path], width: int
) -> None:
    with opened(browser, pages["board"], width=width) as found:
        spoken = found.spoken()

    assert [said for role, said in spoken if role == "columnheader"] == ["target", "newest run", *CLASSES]
    assert len([role for role, _ in spoken if role == "row"]) == 4
    cells = [said for role, said in spoken if role in ("cell", "gridcell")]
    assert len(cells) == 3 * (1 + len(CLASSES))
    assert "nonconformant" in cells[1]


def test_the_drawing_says_what_it_shows(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["target"]) as found:
        drawn = found.page.evaluate(
            """() => {
              const svg = document.querySelector("svg");
              return {
                role: svg.getAttribute("role"),
                named: svg.getAttribute("aria-labelledby").split(" ").map((id) => document.getElementById(id).tagName),
                told: svg.querySelector("desc").textContent,
                bars: svg.querySelectorAll("rect").length,
                numbers: [...svg.querySelectorAll(".value")].map((each) => each.textContent),
              };
            }"""
        )
        rows = found.page.evaluate(
            "[...document.querySelectorAll('.runs tbody tr')].map(r => [...r.cells].map(c => c.textContent.trim()))"
        )

    assert (drawn["role"], drawn["named"]) == ("img", ["title", "desc"])
    assert drawn["told"] == "Runs 1 to 4, the oldest first. Kept: 2, 1, 2, 1. Broken: 0, 4, 0, 4. In doubt: 0, 3, 0, 3."
    oldest_first = rows[::-1]
    columns = [[row[place] for row in oldest_first] for place in (3, 4, 6, 0)]
    assert drawn["numbers"] == [number for column in columns for number in column]
    assert drawn["bars"] == len([number for column in columns[:3] for number in column if number != "0"])


def test_one_goes_from_the_board_to_a_report_and_back_by_keyboard(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["board"]) as found:
        page = found.page
        page.get_by_role("link", name="scailabs/poolnoodle-omni").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/grid.example.com-*.html")
        assert page.get_by_role("heading", level=1).inner_text() == "grid.example.com"
        page.get_by_role("link", name="All targets").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/index.html")
        page.go_back()
        page.get_by_role("link", name="report of run 4").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/grid/4/report.html")

        assert page.get_by_role("heading", level=1).inner_text() == "https://grid.example.com"
        assert found.complaints == []


def test_the_newest_run_of_a_long_drawing_is_in_sight(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["target"], width=320) as found:
        sight = found.page.evaluate(
            """() => {
              const box = document.querySelector(".drawing").getBoundingClientRect();
              const glyphs = [...document.querySelectorAll(".drawing .glyph")];
              const last = glyphs.at(-1).getBoundingClientRect();
              return [box.left, last.left, last.right, box.right];
            }"""
        )

    assert sight == sorted(sight)


def test_a_hostile_answer_is_shown_as_text(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["run-strange"]) as found:
        shown = found.unfolded().evaluate("document.body.textContent")

        assert "<script>window.hit = 1</script>" in shown
        assert re.findall("[\x00-\x08\x0b-\x1f\x7f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", shown) == []
        assert found.page.evaluate("window.hit") is None
        assert (found.asked, found.complaints) == ([pages["run-strange"].as_uri()], [])
        assert pages["run-strange"].stat().st_size < 2_000_000  # bytes; what is long is cut, and what is cut is counted


def test_a_page_of_5000_exchanges_opens_whole(browser: Browser, pages: dict[str, Path]) -> None:
    with opened(browser, pages["run-large"]) as found:
        assert found.page.locator("details.exchange").count() == 240
        assert found.page.locator("tr").count() == 5001
        assert (found.asked, found.complaints) == ([pages["run-large"].as_uri()], [])
