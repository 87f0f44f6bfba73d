"""The unstreamed answer: page section "Response shape"."""

import pytest

from conformance.finding import Finding
from conformance.requirement import Requirement
from conformance.suites.settling import settle

SECTION = "response"


def test_response(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
