import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests import report_samples as samples

SCHEMA = json.loads((Path(__file__).parent.parent / "schemas" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def errors(report: dict[str, Any]) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(report)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", [samples.mixed(), samples.clean(), samples.aborted(), samples.hostile("a|b\x00")[0]])
def test_every_sample_is_a_report(report: dict[str, Any]) -> None:
    assert errors(report) == []


def test_a_member_that_is_missing_is_seen() -> None:
    report = samples.mixed()

    for name in list(report):
        assert errors({key: value for key, value in report.items() if key != name}) == ["$"]


@pytest.mark.parametrize("place", ["suite", "target", "tokens", "plan", "counts"])
def test_objects_are_closed(place: str) -> None:
    report = samples.mixed()
    report[place] |= {"key": "secret"}

    assert errors(report) == [f"$.{place}"]


def test_a_fail_names_a_violation_and_a_pass_names_none() -> None:
    assert errors(samples.report([samples.row("a.b", "fail", violations=[])])) == ["$.requirements[0].violations"]
    assert errors(samples.report([samples.row("a.b", violations=[samples.violation()])])) == [
        "$.requirements[0].violations"
    ]


@pytest.mark.parametrize(
    "where", ["", "/", "/data/id", "/a\nb", "bytes 0-0", "header content-type", "status", "ending", "whole"]
)
def test_a_place_is_accepted(where: str) -> None:
    assert errors(samples.report([samples.row("a.b", "fail", violations=[samples.violation(where=where)])])) == []


@pytest.mark.parametrize("where", ["data", "bytes 4", "bytes -1-3", "header", "header a b", "statusline"])
def test_a_place_that_nothing_can_point_at_is_refused(where: str) -> None:
    report = samples.report([samples.row("a.b", "fail", violations=[samples.violation(where=where)])])

    assert errors(report) == ["$.requirements[0].violations[0].where"]
