"""Server-Sent Events: page sections "Streaming" and "SSE event types"."""

import pytest

from conformance.finding import Finding
from conformance.requirement import Requirement
from conformance.suites.settling import settle

SECTION = "stream"


def test_stream(requirement: Requirement, finding: Finding, pytestconfig: pytest.Config) -> None:
    """The target keeps the requirement."""
    assert finding.requirement is requirement
    settle(finding, strict=pytestconfig.getoption("--conformance-strict"))
