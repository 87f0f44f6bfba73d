"""The report as GitHub-flavoured Markdown, for the summary of a CI step."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.report import difference as differing
from conformance.report.findings import (
    Findings,
    Row,
    backend_told,
    command,
    entry_told,
    excuse,
    findings,
    inputs_told,
    listed,
    meaning,
    place,
    rates_told,
    spoken,
)
from conformance.report.visible import cut, visible, visible_lines

_LARGEST: Final = 800_000  # bytes; GitHub refuses a step's summary above 1 MiB
_ROOM_FOR_DIFFERENCE: Final = 200_000  # bytes
_LONGEST: Final = 400  # characters of one piece of text; a character may take seven bytes when escaped
_VIOLATIONS: Final = 5  # shown for one requirement
_NAMES: Final = 200  # requirements named for one reason
_CURL: Final = 8_000  # characters

_MARKUP: Final = re.compile(r"[!#$&*:<>@\[\\\]^_`|~]")
_LINKS: Final = re.compile(
    r"&#64;|&#58;//|www\.", re.IGNORECASE
)  # what GitHub makes a mention or a link of, once escaped

_SIGNS: Final[Mapping[str, str]] = {
    "conformant": "✅",
    "nonconformant": "❌",
    "incomplete": "⚠️",
    "aborted": "⛔",
    "partial": "◐",
    "untested": "▫️",
    "not_applicable": "▫️",
}


def summary(report: Mapping[str, Any]) -> str:
    """The report as Markdown, less than 1 MiB of UTF-8, ending in a line end.

    Text of the target stands in entities and code, so that it forms no markup, link, image or mention.
    """
    return _kept(_blocks(report, findings(report)), room=_LARGEST)


def difference(diff: Mapping[str, Any]) -> str:
    """What two runs say differently, with the limits and the care of `summary`; both fit into one step's summary."""
    return _kept(_difference(diff), room=_ROOM_FOR_DIFFERENCE)


def _kept(blocks: Iterator[str], *, room: int) -> str:
    """The blocks, as far as they fit into so many bytes."""
    kept: list[str] = []
    for block in blocks:
        room -= len(block.encode()) + 2
        if room < 0:
            kept.append("The rest is left out here; it is in `report.html`.")
            break
        kept.append(block)
    return "\n\n".join(kept) + "\n"


def _blocks(report: Mapping[str, Any], found: Findings) -> Iterator[str]:
    verdict = report["verdict"]
    yield f"## {_SIGNS[verdict]} {verdict}: {_code(report['target']['url'])}"
    yield " ".join(filter(None, (meaning(report), _prose(report["reason"]))))
    yield _facts(report)
    yield _classes(report)
    yield from _section("Failures", found.failures)
    yield from _lapsed(found.lapsed)
    yield from _section("Errors of the suite", found.errors)
    yield from _section("Inconclusive, and needed for a verdict", found.undecided)
    yield from _section("Warnings (SHOULD)", found.warnings)
    yield from _section("Known failures", found.known)
    yield from _section("Notes (MAY)", found.notes)
    yield from _section("Inconclusive", found.unclear)
    yield from _unseen("Untested", found.untested)
    yield from _unseen("Not applicable", found.not_applicable)


def _facts(report: Mapping[str, Any]) -> str:
    target, tokens = report["target"], report["tokens"]
    counts = ", ".join(f"{number} {spoken(word)}" for word, number in report["counts"].items() if number)
    spent = f"{report['requests']} requests, {tokens['prompt']} + {tokens['completion']} tokens reported"
    exercised = (f"Exercised: {inputs_told(report['inputs'])}",) if "inputs" in report else ()
    behind = (f"Behind: {backend_told(report['backend'])}",) if "backend" in report else ()
    rates = (f"Repeated: {told}",) if (told := rates_told(report["requirements"])) else ()
    facts = (
        f"Model {_code(target['model'])}, profile {target['profile']}, selection {_code(report['selection'])}",
        f"Requirements: {counts or 'none'}",
        *exercised,
        *behind,
        *rates,
        f"{spent}, {report['duration_s']:.1f} s, begun {_prose(report['started'])}, {report['ended']}",
        f"chat-conformance {_prose(report['suite']['version'])}",
    )
    return "\n".join(f"- {fact}" for fact in facts)


def _classes(report: Mapping[str, Any]) -> str:
    rows = [f"| {name} | {_SIGNS[state]} {spoken(state)} |" for name, state in report["classes"].items()]
    return "\n".join(("| class | result |", "| --- | --- |", *rows))


def _section(title: str, rows: Sequence[Row]) -> Iterator[str]:
    if rows:
        yield f"### {title}: {len(rows)}"
    for row in rows:
        yield "\n\n".join(_requirement(row))


def _lapsed(entries: Sequence[Row]) -> Iterator[str]:
    if entries:
        yield f"### Known failures that no longer hold: {len(entries)}"
        yield "\n".join(f"- {_prose(entry_told(entry))}" for entry in entries)


def _requirement(row: Row) -> Iterator[str]:
    source = f", from {_code(row['source'])}" if row["source"] else ""
    yield f"**{_prose(row['id'])}** ({row['level']}, {row['class']}, {row['basis']}): {_prose(row['text'])}"
    yield f"Section {_prose(row['section'])}{source}. {_prose(row['explanation'])}".rstrip()
    if row.get("known"):
        yield f"Known: {_prose(excuse(row))}"
    if row["violations"]:
        lines = ["| where | expected | found | exchange |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {_code(place(violation['where']))} | {_code(violation['expected'])} | {_code(violation['found'])}"
            f" | {_code(violation['exchange'])} |"
            for violation in row["violations"][:_VIOLATIONS]
        ]
        yield "\n".join(lines)
        if len(row["violations"]) > _VIOLATIONS:
            yield f"and {len(row['violations']) - _VIOLATIONS} more."
    if row["reproduce"]:
        yield "<details><summary>Reproduce</summary>"
        yield _fenced(command(row, limit=_CURL))
        if row.get("regression"):
            yield "As a probe, for every later run:"
            yield _fenced(cut(row["regression"], limit=_CURL), "python")
        yield "</details>"


def _unseen(title: str, groups: Sequence[tuple[str, Sequence[Row]]]) -> Iterator[str]:
    if groups:
        number = sum(len(rows) for _, rows in groups)
        lines = [
            f"- {len(rows)}: {_prose(reason)} ({listed((_code(row['id']) for row in rows), limit=_NAMES)})"
            for reason, rows in groups
        ]
        yield f"<details><summary>{title}: {number}</summary>\n\n" + "\n".join(lines) + "\n\n</details>"


def _difference(diff: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {_RESULTS[diff['result']]} {diff['result']}: {differing.headline(diff)}"
    yield differing.MEANING[diff["result"]]
    yield "\n".join(f"- {_prose(sentence)}" for sentence in differing.sentences(diff))
    if diff["classes"]:
        rows = [
            f"| {_prose(name)} | {spoken(each['before'])} | {spoken(each['after'])} |"
            for name, each in diff["classes"].items()
        ]
        yield "\n".join(("| class | before | after |", "| --- | --- | --- |", *rows))
    for section in differing.sections(diff):
        yield f"### {section.title}: {section.number}"
        yield section.says
        for entry in section.entries:
            yield f"**{_code(entry.name)}** ({entry.tags}): {_prose(entry.text)}"
            if entry.facts:
                yield "\n".join(f"- {label}: {_code(value)}" for label, value in entry.facts)
            if entry.command:
                again = _fenced(command({"reproduce": entry.command}, limit=_CURL))
                yield f"<details><summary>Reproduce</summary>\n\n{again}\n\n</details>"


_RESULTS: Final[Mapping[str, str]] = {"regression": "❌", "improvement": "✅", "changed": "◐", "unchanged": "✅"}


def _entities(text: str) -> str:
    return _MARKUP.sub(lambda match: f"&#{ord(match.group())};", visible(cut(text, limit=_LONGEST)))


def _code(text: str) -> str:
    """`text` as an inline `<code>` element, where GitHub looks for no mention.

    Not a span in backticks, since in a table a bar would end the cell before the span is seen. The empty comments keep
    GitHub from finding a bare address, which it looks for in the text after entities are undone.
    """
    return "<code>" + _LINKS.sub(lambda match: f"<!-- -->{match.group()}<!-- -->", _entities(text) or " ") + "</code>"


def _prose(text: str) -> str:
    """`text` outside of code, but for the characters that GitHub would make a mention, an issue or a link of."""
    return re.sub(f"{_LINKS.pattern}|&#35;", lambda match: f"<code>{match.group()}</code>", _entities(text))


def _fenced(text: str, language: str = "sh") -> str:
    content = visible_lines(text)
    longest = max((len(run) for run in re.findall("`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"
