"""Error answers: what the page implies, and the vendor's pages on errors and rate limits."""

import pytest

from conformance.finding import Finding
from conformance.requirement import Requirement
from conformance.suites.settling import settle

SECTION = "errors"


def test_errors(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
