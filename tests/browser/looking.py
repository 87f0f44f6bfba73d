"""A page as a reader has it: opened in a browser, with all it asked for and all it complained of."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]

UNFOLD = "document.querySelectorAll('details').forEach(each => each.open = true)"
FAINT = """() => {
  const parsed = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => Object.fromEntries(
    ["r", "g", "b"].map((name) => [name, top[name] * top.a + under[name] * (1 - top.a)]).concat([["a", 1]]));
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((value) => value / 255)
      .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(parsed(getComputedStyle(each).backgroundColor));
    }
    const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? 0 : 255;
    return layers.reverse().reduce((under, top) => over(top, under), { r: canvas, g: canvas, b: canvas, a: 1 });
  };
  const faint = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || element.closest("script, style, title, desc")) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    seen += 1;
    const style = getComputedStyle(element);
    const under = ground(element);
    const ink = over(parsed(element.closest("svg") ? style.fill : style.color), under);
    const [dark, bright] = [light(ink), light(under)].sort((one, other) => one - other);
    const ratio = (bright + 0.05) / (dark + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 60)}`);
  }
  return { faint, seen };
}"""
"""Each text whose contrast to what it stands on is less than 4.5 (WCAG 2.2, 1.4.3), and how many were looked at."""
FOCUS = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    index: window.stops.indexOf(element),
    what: element.outerHTML.slice(0, 120),
    outline: style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth),
    visible: box.right > 0 && box.bottom > 0 && box.left < innerWidth && box.top < innerHeight,
  };
}"""
STOPS = """() => {
  window.stops = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex]")]
    .filter((each) => each.checkVisibility({ visibilityProperty: true }));
  return window.stops.length;
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A page that is open."""

    page: Page
    asked: list[str] = field(default_factory=list)
    """Every URL that was asked for."""
    complaints: list[str] = field(default_factory=list)
    """What stands in the console, and each error of a script."""

    def unfolded(self) -> Page:
        """The page with all that can be opened open."""
        self.page.evaluate(UNFOLD)
        return self.page

    def spoken(self) -> list[tuple[str, str]]:
        """Role and name of all that a screen reader is told, in its order."""
        session = self.page.context.new_cdp_session(self.page)
        nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
        return [
            (str(node["role"]["value"]), str(node.get("name", {}).get("value", "")))
            for node in nodes
            if not node["ignored"]
        ]


@contextmanager
def opened(browser: Browser, file: Path, *, scheme: Scheme = "light", width: int = 1280) -> Iterator[Opened]:
    """The page of a file, in a browser that has never seen another."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    found = Opened(page=context.new_page())
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.goto(file.as_uri())
    try:
        yield found
    finally:
        context.close()
