"""What parameters do to an answer, at the edges."""

import json
from typing import Any

import pytest

from conformance.checks import CHECKS, parameters
from conformance.exchange import Exchange
from conformance.reading.witness import Unobservable
from tests.exchanges import DONE, answered, completed

USAGE = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}


def counting(*usages: Any) -> Exchange:
    """A stream, each of its chunks with a usage."""
    chunks = [{"choices": [{"index": 0, "delta": {"content": "a"}}], "usage": usage} for usage in usages]
    body = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + DONE
    return answered(body, asked={"stream": True}, kind="text/event-stream")


def test_only_a_usage_that_is_an_object_is_one() -> None:
    assert [usage for usage, _ in parameters.streamed_usage(counting(None, USAGE, 3))] == [USAGE]
    with pytest.raises(Unobservable, match="no chunk of the stream has a usage"):
        parameters.streamed_usage(counting(None, None))


def shaped(*members: str, **given: Any) -> Exchange:
    body = {"status": "ok", "data": dict.fromkeys(members, 1)}
    return answered(body, **{"probe": "y", **given})


def odd(found: Exchange, control: Exchange, *others: Exchange) -> list[str]:
    return [each.found for each in CHECKS["parameters.metadata-same-shape"].find(found, control, *others)]


def test_a_member_that_comes_and_goes_by_itself_excuses_no_other() -> None:
    assert odd(shaped("choices", "a", "z"), shaped("choices"), shaped("choices", "a")) == ["z"]
    assert odd(shaped("choices", "a", "z"), shaped("choices"), shaped("choices", "z")) == ["a"]


def test_an_answer_that_cannot_be_read_hides_no_other() -> None:
    assert odd(shaped("choices", "a"), shaped("choices"), answered({}, status=500), shaped("choices", "a")) == []


def test_metadata_is_judged_beside_every_good_answer_without_any() -> None:
    asked = {"metadata": {"a": "b"}}
    found = shaped("choices", asked=asked, probe="parameters.metadata", control="plain.greeting")
    control, good = completed("Hi.", probe="plain.greeting"), shaped("choices")
    others = (
        shaped("choices", asked={"stream": True}),
        shaped("choices", asked={"max_tokens": 0}),
        shaped("choices", asked=asked),
    )
    (group,) = CHECKS["parameters.metadata-same-shape"].groups([found], [control, found, good, *others])

    assert group == (found, control, good)
