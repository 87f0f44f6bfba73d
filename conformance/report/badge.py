"""The verdict as a badge: an SVG that needs nothing else, and the JSON that shields.io draws one from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

from conformance.report.visible import cut, visible

_LABEL: Final = "chat contract"
_LEFT: Final = "#3f4650"
_HEIGHT: Final = 20
_PADDING: Final = 7  # on either side of a text
_WIDE: Final = frozenset("mwMW%@")
_LONGEST: Final = 200  # characters of the model or the URL in the title


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looks:
    """The colours of a verdict."""

    fill: str
    """Behind white text, dark enough to be read on a light page as on a dark one."""
    shields: str
    """What shields.io calls its nearest."""


_LOOKS: Final[Mapping[str, _Looks]] = {
    "conformant": _Looks(fill="#1a7f37", shields="brightgreen"),
    "conformant in part": _Looks(fill="#4f6b00", shields="yellowgreen"),
    "nonconformant": _Looks(fill="#b3261e", shields="red"),
    "incomplete": _Looks(fill="#8a5a00", shields="yellow"),
    "aborted": _Looks(fill="#5c6470", shields="lightgrey"),
}


def svg(report: Mapping[str, Any]) -> bytes:
    """The badge as SVG in UTF-8; its title tells what was judged, when, and by which version."""
    message = _message(report)
    left, right = _width(_LABEL), _width(message)
    root = ET.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "width": str(left + right),
            "height": str(_HEIGHT),
            "role": "img",
            "aria-label": f"{_LABEL}: {message}",
        },
    )
    ET.SubElement(root, "title").text = _title(report, message)
    clip = ET.SubElement(root, "clipPath", id="round")
    ET.SubElement(clip, "rect", width=str(left + right), height=str(_HEIGHT), rx="3")
    boxes = ET.SubElement(root, "g", {"clip-path": "url(#round)"})
    for x, width, fill in ((0, left, _LEFT), (left, right, _looks(report).fill)):
        ET.SubElement(boxes, "rect", x=str(x), width=str(width), height=str(_HEIGHT), fill=fill)
    texts = ET.SubElement(
        root,
        "g",
        {
            "fill": "#fff",
            "font-family": "Verdana,Geneva,DejaVu Sans,sans-serif",
            "font-size": "11",
            "text-anchor": "middle",
            "aria-hidden": "true",
        },
    )
    for middle, text in ((left / 2, _LABEL), (left + right / 2, message)):
        ET.SubElement(texts, "text", x=f"{middle:g}", y="14").text = text
    body: bytes = ET.tostring(root, encoding="utf-8")
    return body + b"\n"


def endpoint(report: Mapping[str, Any]) -> bytes:
    """The badge as shields.io reads it from a URL (its schema, version 1)."""
    shown = {
        "schemaVersion": 1,
        "label": _LABEL,
        "message": _message(report),
        "color": _looks(report).shields,
        "isError": report["verdict"] != "conformant",  # so that no address of the badge paints it green
    }
    return json.dumps(shown, indent=1).encode("ascii") + b"\n"


def _message(report: Mapping[str, Any]) -> str:
    whole, of = _classes(report)
    partly = report["verdict"] == "conformant" and whole < of
    return f"conformant, {whole} of {of} classes" if partly else str(report["verdict"])


def _looks(report: Mapping[str, Any]) -> _Looks:
    whole, of = _classes(report)
    partly = report["verdict"] == "conformant" and whole < of
    return _LOOKS["conformant in part" if partly else report["verdict"]]


def _classes(report: Mapping[str, Any]) -> tuple[int, int]:
    """How many classes are conformant, and how many could be."""
    states = [state for state in report["classes"].values() if state != "not_applicable"]
    return states.count("conformant"), len(states)


def _title(report: Mapping[str, Any], message: str) -> str:
    target = report["target"]
    model, url = (visible(cut(target[name], limit=_LONGEST)) for name in ("model", "url"))
    version = visible(report["suite"]["version"])
    return f"{_LABEL}: {message}. Model {model} on {url}, {visible(report['started'])}, chat-conformance {version}"


def _width(text: str) -> int:
    """The pixels of a text in the widest of the fonts, and of the padding around it."""
    return round(sum(11 if character in _WIDE else 7.5 for character in text)) + 2 * _PADDING
