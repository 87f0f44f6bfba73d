"""Every check, by the requirement it decides."""

from collections.abc import Mapping
from typing import Final

from conformance.check import Check
from conformance.checks import chunks, ending, errors, finish, framing, parameters, request, response

CHECKS: Final[Mapping[str, Check]] = {
    found.requirement: found
    for module in (request, errors, parameters, framing, chunks, ending, response, finish)
    for found in module.CHECKS
}
