"""What a stream's text is held against."""

from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.exchange import Exchange
from conformance.reading.streams import stream as read
from conformance.reading.witness import Unobservable
from tests.exchanges import answered, completed, streamed

WHOLE = CHECKS["stream.text-accumulates"]


def silent(probe: str = "stream.greeting") -> Exchange:
    return streamed(probe=probe, control="plain.greeting")


def test_a_stream_stands_beside_its_control_and_the_other_talks() -> None:
    stream, control, talk = silent(), completed("Hi.", probe="plain.greeting"), silent("stream.spaced")
    others = completed("Hi."), streamed("Hi.", probe="stream.tool-call")

    (group,) = WHOLE.groups([stream], [stream, control, talk, *others])

    assert group == (stream, control, talk)


def test_one_silent_stream_among_others_that_speak_is_a_mood() -> None:
    control = completed("Hi.", probe="plain.greeting")
    refused = answered({}, status=500, probe="stream.spaced")

    assert len(list(WHOLE.find(silent(), control, silent("stream.spaced"), refused))) == 1


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_a_stream_that_was_stopped_before_it_said_anything_lost_nothing(reason: str) -> None:
    stopped = streamed(reason=reason, probe="stream.greeting", control="plain.greeting")

    with pytest.raises(Unobservable, match=f"stopped before it said anything \\({reason}\\)"):
        list(WHOLE.find(stopped, completed("Hi.", probe="plain.greeting")))


def counted(*texts: str, reason: Any = "stop") -> list[tuple[str, str]]:
    exchange = streamed(*texts, reason=reason, probe="stream.counting")
    last = read(exchange).chunks[-2].where
    told = [(each.where, each.found) for each in WHOLE.find(exchange, completed("1, 2, 3"))]
    return [("the last", found) if where == last else (where, found) for where, found in told]


@pytest.mark.parametrize(
    "pieces", [("1, 2, 3, ", "4, ", "5, "), ("1, 2, ", "3, 4", ", 5", ","), ("1, 2", ", 3", ",\t")]
)
def test_a_count_that_ends_with_its_comma_lost_its_last_number(pieces: tuple[str, ...]) -> None:
    ((where, found),) = counted(*pieces)

    assert where == "the last"
    assert found.endswith("at its end, and the reason stop")
    assert counted(*pieces, reason="length") == []


@pytest.mark.parametrize("pieces", [("1, 2, ", "3"), ("1, 2, ", "3."), ("Hi, ", "there,"), ("1, 2, 3,", " and so on")])
def test_a_count_that_ends_otherwise_is_all_there_as_far_as_it_shows(pieces: tuple[str, ...]) -> None:
    assert counted(*pieces) == []


def test_a_stream_without_a_word_says_nothing_of_the_marker() -> None:
    stream = streamed(" ", probe="stream.end-marker")

    with pytest.raises(Unobservable, match="something else"):
        list(CHECKS["stream.done-in-text"].find(stream, completed("[DONE] lantern")))
