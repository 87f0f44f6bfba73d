"""Tools: page section "Tool calls", and `tool_choice` of "Request parameters"."""

import pytest

from conformance.requirement import Requirement
from conformance.suites.settling import settle
from conformance.verdict import Finding

SECTION = "tools"


def test_tools(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
