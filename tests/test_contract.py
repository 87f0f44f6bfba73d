"""docs/contract.md says what the catalogue says, and a run's report speaks of the whole catalogue."""

import json
from pathlib import Path

from click.testing import CliRunner

from conformance.checks import DECLARED, SCRIPTED
from conformance.cli import main
from conformance.listing import listing
from conformance.requirement import catalogue
from tests.miniatures.innocent import concluded, innocent

CONTRACT = Path(__file__).parent.parent / "docs" / "contract.md"


def test_the_contract_in_the_docs_is_the_catalogue_as_it_stands() -> None:
    assert CONTRACT.read_text(encoding="utf-8") == listing("markdown")


def test_the_catalogue_and_a_report_speak_of_the_same_requirements() -> None:
    printed = json.loads(CliRunner().invoke(main, ["requirements", "--format", "json"]).output)["requirements"]
    found = concluded(innocent()).findings

    assert [row["id"] for row in printed] == [finding.requirement.id for finding in found] == list(catalogue())
    assert {row["id"] for row in printed if row.get("probes")} == DECLARED.keys() | SCRIPTED.keys()


def test_every_requirement_of_the_embedded_run_is_passed_or_says_what_it_lacks() -> None:
    for finding in concluded(innocent()).findings:
        assert finding.verdict.value in {"pass", "untested"}, finding
        assert (
            finding.verdict.value == "pass"
            or finding.requirement.untested
            or {"backend", "examples"} & {*finding.requirement.needs}
        )


def test_the_whole_run_keeps_within_its_bounds_of_requests_and_tokens() -> None:
    evidence = innocent()
    plan = evidence.header["plan"]

    assert len(evidence.exchanges) <= plan["requests"] <= 134
    reported = [
        json.loads(piece.data)
        for exchange in evidence.exchanges
        for piece in exchange.pieces[:1]
        if exchange.response and exchange.response.status == 200 and piece.data.startswith(b"{")
    ]
    spent = sum(document["data"]["usage"]["total_tokens"] for document in reported)

    assert 1000 < spent <= 10_000
    assert spent <= plan["prompt_tokens"] + plan["output_tokens"] + 512 * plan["unbounded"] <= 20_000


def test_a_requirement_that_was_promised_and_is_not_judged_makes_the_run_incomplete() -> None:
    evidence = innocent()
    header = {**evidence.header, "promised": [*evidence.header["promised"], "stream.of-tomorrow"]}
    conclusion = concluded(type(evidence)(header=header, exchanges=evidence.exchanges, footer=evidence.footer))

    assert conclusion.verdict == "incomplete"
    assert "stream.of-tomorrow" in conclusion.reason
