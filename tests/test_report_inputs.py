"""The input space in the report: its figures are those of the evidence, in every format."""

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from rich.console import Console

from conformance import evidence, run, schema, stored
from conformance.document import NotJson, parse
from conformance.embedded import embedded_target
from conformance.generate.branches import branches, breakable, taken
from conformance.report import html, markdown, terminal
from conformance.report.visible import visible
from conformance.selection import Selection
from conformance.target import Key, Limits
from tests import report_samples as samples
from tests.test_report_html import HOSTILE, Document, assert_sound

KEY: Final = Key("sgk_" + "7b" * 20)

Runs = dict[int, tuple[Path, dict[str, Any]]]


def made(place: Path, examples: int) -> dict[str, Any]:
    """The report of an embedded run."""
    selection = Selection(examples=examples, seed=4)
    with embedded_target(limits=Limits(max_requests=1000, max_tokens=200_000), key=KEY) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    return dict(stored.judged(place).report)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Two runs by the number of their examples: where the evidence is, and the report."""
    found = {}
    for examples in (0, 20):
        place = tmp_path_factory.mktemp(f"examples-{examples}")
        found[examples] = (place, made(place, examples))
    return found


def share(exercised: int = 1, *, missing: tuple[str, ...] = (), not_asked: dict[str, list[str]] | None = None) -> Any:
    return {
        "exercised": exercised,
        "of": exercised + len(missing),
        "missing": list(missing),
        "not_asked": [{"reason": reason, "names": names} for reason, names in (not_asked or {}).items()],
    }


SAMPLE: Final = {
    "generated": 7,
    "branches": share(5, missing=("stop[]", 'tool_choice="none"'), not_asked={"the model has no audio": ["sound"]}),
    "defects": share(3),
}


def printed(report: dict[str, Any]) -> str:
    file = io.StringIO()
    terminal.print_report(report, Console(file=file, _environ={}))
    return file.getvalue()


def bodies(place: Path) -> Iterator[Any]:
    """The JSON objects that a run asked with the key; one change to a good request makes nothing but objects."""
    for exchange in evidence.read(place).exchanges:
        if ("authorization", "Bearer ***") in [(name.lower(), value) for name, value in exchange.request.headers]:
            try:
                body = parse(exchange.request.body)
            except NotJson:
                continue
            if isinstance(body, dict):
                yield body


# Runs.


@pytest.mark.parametrize("examples", [0, 20])
def test_the_figures_are_those_of_the_evidence(places: Runs, examples: int) -> None:
    place, report = places[examples]
    good: set[str] = set()
    broke: set[tuple[str, str, str]] = set()
    for body in bodies(place):
        found = schema.defects("request.schema.json", body)
        if not found:
            good |= taken(body)
        elif len(found) == 1 and "/else/" not in found[0].schema:  # which takes two changes to a good request
            missing = found[0].expected if found[0].rule == "required" else ""
            broke.add((found[0].schema, found[0].rule, missing))
    shares = report["inputs"]

    assert shares["branches"]["exercised"] == len(good)
    assert not good & set(shares["branches"]["missing"])
    assert shares["defects"]["exercised"] == len(broke)
    for each, names in ((shares["branches"], branches()), (shares["defects"], breakable())):
        not_asked = [name for row in each["not_asked"] for name in row["names"]]
        assert each["exercised"] + len(each["missing"]) == each["of"]
        assert each["of"] + len(not_asked) == len(names)
        assert {*each["missing"], *not_asked} <= set(names)


def test_generated_requests_exercise_more_than_declared_ones(places: Runs) -> None:
    plain, more = (places[examples][1]["inputs"] for examples in (0, 20))

    assert plain["generated"] == 0
    assert more["generated"] > 20
    assert set(more["branches"]["missing"]) < set(plain["branches"]["missing"])
    assert set(more["defects"]["missing"]) < set(plain["defects"]["missing"])


@pytest.mark.parametrize("examples", [0, 20])
def test_a_report_with_its_inputs_keeps_its_schema_and_comes_out_the_same_again(places: Runs, examples: int) -> None:
    place, report = places[examples]

    assert schema.defects("report.schema.json", report) == ()
    assert stored.judged(place).report == report


def test_the_terminal_tells_it_where_requests_were_generated(places: Runs) -> None:
    assert "exercised" not in printed(places[0][1])
    assert "single defects" in printed(places[20][1])


# Formats.


def test_the_terminal_has_one_line_of_it() -> None:
    lines = printed(samples.mixed(inputs=SAMPLE)).splitlines()

    assert "7 generated; exercised: 5 of 7 branches of the request schema, 3 of 3 single defects" in lines
    assert printed(samples.mixed(inputs=SAMPLE | {"generated": 0})) == printed(samples.mixed())


def test_the_summary_has_one_line_of_it() -> None:
    line = "- Exercised: 5 of 7 branches of the request schema, 3 of 3 single defects"
    text = markdown.summary(samples.mixed(inputs=SAMPLE))

    assert text.splitlines().count(line) == 1
    assert text.replace(f"{line}\n", "") == markdown.summary(samples.mixed())


def test_the_page_names_what_is_missing_and_what_was_not_asked_folded() -> None:
    document = Document(html.page(samples.mixed(inputs=SAMPLE), ()))
    names = [text for tag, text in document.texts if tag == "li"]

    assert_sound(document)
    assert document.all("a", href="#inputs")
    assert {"stop[]", 'tool_choice="none"', "sound"} <= set(names)
    assert "Not asked: the model has no audio" in document.text
    assert document.text.count("All of them were exercised.") == 1
    assert sum("open" in each for each in document.all("details", class_="all")) == 1  # the table of exchanges


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_shown_as_text(text: str) -> None:
    name = text[:400]
    report = samples.mixed(inputs=SAMPLE | {"defects": share(missing=(name,), not_asked={name: [name]})})
    page = html.page(report, ())
    document = Document(page)

    assert_sound(document)
    assert document.text.count(visible(name)) >= 3


def test_a_report_of_an_earlier_version_is_still_shown() -> None:
    report = samples.mixed()

    assert "inputs" not in report
    assert not Document(html.page(report, ())).all("h2", id="inputs")


@pytest.mark.parametrize(
    "changed, place",
    [
        ({"generated": -1}, "/inputs/generated"),
        ({"branches": share() | {"of": "7"}}, "/inputs/branches/of"),
        ({"defects": share() | {"names": []}}, "/inputs/defects/names"),
        ({"defects": share(missing=("",))}, "/inputs/defects/missing/0"),
        ({"defects": share(not_asked={"why": []})}, "/inputs/defects/not_asked/0/names"),
    ],
)
def test_other_inputs_are_no_report(changed: dict[str, Any], place: str) -> None:
    report = json.loads(json.dumps(samples.mixed(inputs=SAMPLE | changed)))

    assert [defect.pointer for defect in schema.defects("report.schema.json", report)] == [place]
    assert schema.is_valid("report.schema.json", samples.mixed(inputs=SAMPLE))
