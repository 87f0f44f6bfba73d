"""The reports of faults seen in the wild, and whether the catalogue answers to them."""

import re

from conformance.server.deviation import Fault
from conformance.server.wild import WILD, Report
from proof.wild import Account, account


def fault(*wild: str) -> Fault:
    return Fault(id="x", does="breaks it", red=("x.one",), says="it", wild=wild)


def test_every_report_is_a_sentence_with_a_tier_and_citations_that_can_be_followed() -> None:
    for identity, report in WILD.items():
        assert re.fullmatch(r"F-[A-Z]{2,4}-\d\d", identity)
        assert report.what.endswith(".")
        assert report.tier
        assert set(report.tier) <= set("NSUO")
        assert len(report.tier) == len(set(report.tier))
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+(#\d+)?", citation) for citation in report.reported)


def test_what_only_the_openai_surface_shows_is_re_created_elsewhere() -> None:
    assert all(report.elsewhere for report in WILD.values() if report.tier == "O")


def test_a_report_against_the_contract_that_no_fault_re_creates_is_missing() -> None:
    wild = {
        "F-A-01": Report(what="It is re-created.", tier="N"),
        "F-A-02": Report(what="It is not.", tier="SU"),
        "F-A-03": Report(what="The contract is silent of it.", tier="S"),
        "F-A-04": Report(what="It cannot be.", tier="NO", elsewhere="only there"),
    }

    assert account([fault("F-A-01")], wild) == Account(missing=("F-A-02",), unknown=(), excused=())


def test_a_fault_that_names_no_report_or_an_excused_one_is_told() -> None:
    wild = {"F-A-01": Report(what="It cannot be.", tier="N", elsewhere="only there")}

    assert account([fault("F-A-01", "F-A-02")], wild) == Account(missing=(), unknown=("F-A-02",), excused=("F-A-01",))
