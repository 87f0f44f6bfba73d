"""What Schemathesis makes of the schema and is not to send, because no verdict follows from the answer."""

from typing import Any

import schemathesis
from schemathesis.core import NotSet
from schemathesis.generation import GenerationMode

from conformance import schema
from conformance.server.admission import keep_rules
from conformance.server.generation import Refused


@schemathesis.hook
def filter_case(_context: Any, case: Any) -> bool:
    """Whether to send a case: all but what the contract leaves open, and what breaks a rule that no schema can say."""
    if case.meta is None or isinstance(case.body, NotSet):
        return True
    if case.meta.generation.mode is GenerationMode.POSITIVE:
        return _keeps_the_rules(case.body)
    return not _differs_by_null(case.body)


def _keeps_the_rules(body: Any) -> bool:
    """Whether a forced choice has its tool, and no stop sequence is empty."""
    try:
        keep_rules(body)
    except Refused:
        return False
    return True


def _differs_by_null(body: Any) -> bool:
    """Whether nothing is wrong but null for an optional member, which the contract leaves open."""
    if not isinstance(body, dict) or None not in body.values():
        return False
    return schema.is_valid("request.schema.json", {name: value for name, value in body.items() if value is not None})
