"""Who may ask: page section "Basic request", and other pages of the vendor."""

import pytest

from conformance.finding import Finding
from conformance.requirement import Requirement
from conformance.suites.settling import settle

SECTION = "auth"


def test_auth(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
