"""What parameters do to an answer, at the edges."""

import json
from dataclasses import replace
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


def thinking(tokens: int, thoughts: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 5,
        "completion_tokens": tokens,
        "total_tokens": 5 + tokens,
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


@pytest.mark.parametrize("tokens, thoughts, most", [(43, 40, 3), (44, 40, 4), (4, 0, 4), (0, 0, 0)])
@pytest.mark.parametrize(
    "requirement, above", [("parameters.max-tokens-kept", 0), ("parameters.max-tokens-cap-kept", 1)]
)
def test_thoughts_are_not_held_against_a_limit(
    requirement: str, above: int, tokens: int, thoughts: int, most: int
) -> None:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi."}, "finish_reason": "length"}
    body = {"status": "ok", "data": {"choices": [choice], "usage": thinking(tokens, thoughts)}}
    exchange = answered(body, asked={"max_tokens": 3 + above})

    found = [(each.expected, each.found) for each in CHECKS[requirement].find(exchange)]
    assert found == ([("at most 3", str(most))] if most > 3 else [])


@pytest.mark.parametrize("tokens, thoughts, most", [(43, 40, 3), (44, 40, 4), (4, 0, 4)])
def test_thoughts_of_a_stream_are_not_held_against_a_limit(tokens: int, thoughts: int, most: int) -> None:
    exchange = counting(USAGE, thinking(tokens, thoughts))
    limited = replace(exchange, request=answered({}, asked={"stream": True, "max_tokens": 3}).request)

    found = [each.found for each in CHECKS["parameters.max-tokens-kept"].find(limited)]
    assert found == ([str(most)] if most > 3 else [])
