"""How a verdict becomes the outcome of a test."""

import pytest

from conformance.finding import Finding, Verdict, gates


def settle(found: Finding, *, strict: bool) -> None:
    """Pass, fail, or show a broken SHOULD or a known failure as an expected one: it is seen and fails no build."""
    if found.verdict is not Verdict.FAIL:
        return
    row = found.requirement
    if found.known:
        pytest.xfail("known failure: " + "; ".join(entry.excuse for entry in found.known))
    lines = [row.text, f"({row.level}, {row.section}{', ' + row.source if row.source else ''})"]
    lines += [
        f"{identity}, {violation.where}: expected {violation.expected}; found {violation.found}"
        for identity, violation in found.violations
    ]
    if gates(row, strict=strict):
        pytest.fail("\n".join(lines), pytrace=False)
    pytest.xfail(f"{row.level}: {found.explanation}")
