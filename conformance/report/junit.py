"""The report as JUnit XML: one test case for each requirement."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

from conformance.report.findings import (
    Row,
    command,
    decides,
    entry_named,
    entry_told,
    excuse,
    findings,
    meaning,
    place,
    spoken,
)
from conformance.report.visible import cut, visible, visible_lines

_LONGEST: Final = 2_000  # characters of one thing expected or found
_VIOLATIONS: Final = 20  # shown for one requirement


def document(report: Mapping[str, Any]) -> bytes:
    """The report as an XML document in UTF-8.

    A broken requirement that the verdict depends on is a failure. One in error, and an inconclusive one that the
    verdict needs, is an error. What was not judged is skipped, with the reason. A broken SHOULD passes with a warning
    in its output, unless the run was strict. A known failure is skipped, with why it is known; an entry of the baseline
    that no longer holds is a failure of its own.

    Where the run is not conformant and no requirement is red for it, a case `conformance.run` is, so that a run
    that decided nothing is not shown in green.
    """
    suite = ET.Element("testsuite")
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    for row in report["requirements"]:
        suite.append(_case(row, strict=report["strict"]))
    for entry in findings(report).lapsed:
        suite.append(_lapsed_case(entry))
    red = suite.find("testcase/failure") is not None or suite.find("testcase/error") is not None
    if report["verdict"] != "conformant" and not red:
        suite.append(_verdict_case(report))
    totals = {
        "name": "chat-conformance",
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
        "time": f"{report['duration_s']:.3f}",
    }
    root = ET.Element("testsuites", totals)
    for name, value in (totals | {"timestamp": visible(report["started"])}).items():
        suite.set(name, value)
    root.append(suite)
    ET.indent(root)
    body: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"


def _properties(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "suite.version", report["suite"]["version"]
    yield "suite.catalogue", report["suite"]["catalogue"]
    yield "target.url", report["target"]["url"]
    yield "target.profile", report["target"]["profile"]
    yield "target.model", report["target"]["model"]
    yield "verdict", report["verdict"]
    yield "reason", report["reason"]
    yield "ended", report["ended"]
    yield "selection", report["selection"]
    yield "strict", "true" if report["strict"] else "false"
    for name, state in report["classes"].items():
        yield f"class.{name}", state


def _case(row: Row, *, strict: bool) -> ET.Element:
    case = ET.Element("testcase", classname=f"conformance.{row['class']}", name=visible(row["id"]), time="0.000")
    in_force = decides(row, strict=strict)
    match row["verdict"]:
        case "fail" if row.get("known"):
            ET.SubElement(case, "skipped", message=visible(f"known failure: {excuse(row)}"))
            ET.SubElement(case, "system-out").text = f"{_headline(row)}\n{_account(row)}"
        case "fail" if in_force:
            _say(case, "failure", kind=row["level"], message=_headline(row), text=_account(row))
        case "fail":
            word = "WARNING" if row["level"] == "SHOULD" else "NOTE"
            output = ET.SubElement(case, "system-out")
            output.text = f"{word}: {_headline(row)}\n{_account(row)}"
        case "error":
            _say(case, "error", kind="error", message=_headline(row), text=_account(row))
        case "inconclusive" if in_force:
            _say(case, "error", kind="inconclusive", message=_headline(row), text=_account(row))
        case "inconclusive" | "untested" | "not_applicable" as verdict:
            ET.SubElement(case, "skipped", message=f"{spoken(verdict)}: {_headline(row)}")
    return case


def _lapsed_case(entry: Row) -> ET.Element:
    name = visible(f"{entry_named(entry)} {entry['standing']}")
    case = ET.Element("testcase", classname="conformance.baseline", name=name, time="0.000")
    told = visible(cut(entry_told(entry), limit=_LONGEST))
    _say(case, "failure", kind=entry["standing"], message=told, text=told)
    return case


def _verdict_case(report: Mapping[str, Any]) -> ET.Element:
    case = ET.Element("testcase", classname="conformance.run", name="verdict", time="0.000")
    said = meaning(report)
    text = f"{report['verdict']}: {visible(report['reason'] or said)}"
    _say(case, "error", kind=report["verdict"], message=text, text=f"{text}\n{said}")
    return case


def _say(case: ET.Element, tag: str, *, kind: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, type=kind, message=message).text = text


def _headline(row: Row) -> str:
    if row["explanation"]:
        return visible(cut(row["explanation"], limit=_LONGEST))
    if row["violations"]:
        first = row["violations"][0]
        return visible(f"expected {cut(first['expected'], limit=200)}, found {cut(first['found'], limit=200)}")
    return visible(row["text"])


def _account(row: Row) -> str:
    lines = [f"{row['level']} ({row['basis']}): {visible(row['text'])}", f"section: {visible(row['section'])}"]
    if row["source"]:
        lines.append(f"source: {visible(row['source'])}")
    for violation in row["violations"][:_VIOLATIONS]:
        lines += [
            "",
            f"exchange: {visible(violation['exchange'])}",
            f"where:    {visible(place(violation['where']))}",
            f"expected: {visible(cut(violation['expected'], limit=_LONGEST))}",
            f"found:    {visible(cut(violation['found'], limit=_LONGEST))}",
        ]
    if len(row["violations"]) > _VIOLATIONS:
        lines += ["", f"and {len(row['violations']) - _VIOLATIONS} more violations"]
    if row["reproduce"]:
        lines += ["", "reproduce:", visible_lines(command(row))]
    return "\n".join(lines)
