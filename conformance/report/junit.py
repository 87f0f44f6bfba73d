"""The report as JUnit XML: one test case for each requirement.

Its readers show different parts of it. GitLab drops every `message` and every attribute of a skipped case, dorny's
reporter titles a failure with the first line of its text, and Jenkins keeps 500 characters from either end of what a
passing case printed. So the text of a case says all, the gist in its first line.
"""

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

_LARGEST: Final = 16_000_000  # bytes of all cases; GitLab refuses a file of 30 MB
_HEADLINE: Final = 400  # characters; what Jenkins keeps of a passing case holds it
_LONGEST: Final = 800  # characters of one thing expected or found
_PLACE: Final = 200  # characters that say where
_VIOLATIONS: Final = 10  # shown for one requirement
_CURL: Final = 8_000  # characters; GitHub takes 65,535 of a whole failure


def document(report: Mapping[str, Any]) -> bytes:
    """The report as an XML document in UTF-8.

    A broken requirement that the verdict depends on is a failure. One in error, and an inconclusive one that the
    verdict needs, is an error. What was not judged is skipped, with the reason. A broken SHOULD passes with a warning
    in its output, unless the run was strict. A known failure is skipped, with why it is known; an entry of the baseline
    that no longer holds is a failure of its own.

    Where the run is not conformant and no requirement is red for it, a case `conformance.run` is, so that a run
    that decided nothing is not shown in green; where it was aborted, that case says why beside the others.

    It keeps to what the schemas that Jenkins has published for its readers have in common.
    """
    suite = ET.Element("testsuite")
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(report):
        ET.SubElement(properties, "property", name=name, value=visible(value))
    room = _LARGEST
    for row in report["requirements"]:
        case = _case(row, strict=report["strict"], brief=room < 0)
        room -= len(ET.tostring(case, encoding="utf-8"))
        suite.append(case)
    for entry in findings(report).lapsed:
        suite.append(_lapsed_case(entry))
    red = suite.find("testcase/failure") is not None or suite.find("testcase/error") is not None
    if report["verdict"] == "aborted" or (report["verdict"] != "conformant" and not red):
        suite.append(_verdict_case(report))
    totals = {
        "name": "chat-conformance",
        "tests": str(len(suite.findall("testcase"))),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "time": f"{report['duration_s']:.3f}",
    }
    root = ET.Element("testsuites", totals)
    skipped = {"skipped": str(len(suite.findall("testcase/skipped")))}
    for name, value in (totals | skipped | {"timestamp": visible(report["started"])}).items():
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


def _case(row: Row, *, strict: bool, brief: bool) -> ET.Element:
    case = ET.Element("testcase", classname=f"conformance.{row['class']}", name=visible(row["id"]), time="0.000")
    in_force = decides(row, strict=strict)
    match row["verdict"]:
        case "fail" if row.get("known"):
            ET.SubElement(case, "skipped").text = visible(f"known failure: {excuse(row)}")
            ET.SubElement(case, "system-out").text = _account(row, brief=brief)
        case "fail" if in_force:
            _say(case, "failure", kind=row["level"], message=_headline(row), text=_account(row, brief=brief))
        case "fail":
            word = "WARNING" if row["level"] == "SHOULD" else "NOTE"
            ET.SubElement(case, "system-out").text = f"{word}: {_account(row, brief=brief)}"
        case "error":
            _say(case, "error", kind="error", message=_headline(row), text=_account(row, brief=brief))
        case "inconclusive" if in_force:
            _say(case, "error", kind="inconclusive", message=_headline(row), text=_account(row, brief=brief))
        case "inconclusive" | "untested" | "not_applicable" as verdict:
            ET.SubElement(case, "skipped").text = f"{spoken(verdict)}: {_headline(row)}"
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
    text = f"{report['verdict']}: {_shown(report['reason'] or said, limit=_LONGEST)}"
    _say(case, "error", kind=report["verdict"], message=text, text=f"{text}\n{said}")
    return case


def _say(case: ET.Element, tag: str, *, kind: str, message: str, text: str) -> None:
    ET.SubElement(case, tag, type=kind, message=message).text = text


def _shown(text: str, *, limit: int) -> str:
    # Twice, since what stands for a character that cannot be seen has up to nine.
    return cut(visible(cut(text, limit=limit)), limit=2 * limit)


def _headline(row: Row) -> str:
    if row["explanation"]:
        return _shown(row["explanation"], limit=_HEADLINE)
    if row["violations"]:
        first = row["violations"][0]
        return f"expected {_shown(first['expected'], limit=150)}; found {_shown(first['found'], limit=150)}"
    return _shown(row["text"], limit=_HEADLINE)


def _account(row: Row, *, brief: bool) -> str:
    """All that a reader needs who sees nothing else of the report."""
    lines = [
        _headline(row),
        "",
        f"{row['level']} ({row['basis']}), {row['class']}: {_shown(row['text'], limit=_LONGEST)}",
        f"section: {_shown(row['section'], limit=_LONGEST)}",
    ]
    if row["source"]:
        lines.append(f"source: {_shown(row['source'], limit=_LONGEST)}")
    lines.append(f"report: report.html#{visible(row['id'])}")
    if brief:
        return "\n".join([*lines, "", "what was found is left out here for want of room; report.html shows it"])
    for violation in row["violations"][:_VIOLATIONS]:
        lines += [
            "",
            f"exchange: {_shown(violation['exchange'], limit=_PLACE)}",
            f"where:    {_shown(place(violation['where']), limit=_PLACE)}",
            f"expected: {_shown(violation['expected'], limit=_LONGEST)}",
            f"found:    {_shown(violation['found'], limit=_LONGEST)}",
        ]
    if len(row["violations"]) > _VIOLATIONS:
        lines += ["", f"and {len(row['violations']) - _VIOLATIONS} more violations"]
    if row["reproduce"]:
        lines += ["", "reproduce:", cut(visible_lines(command(row, limit=_CURL)), limit=2 * _CURL)]
    return "\n".join(lines)
