"""Content parts: page section "Multimodal content"."""

import pytest

from conformance.finding import Finding
from conformance.requirement import Requirement
from conformance.suites.settling import settle

SECTION = "multimodal"


def test_multimodal(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
