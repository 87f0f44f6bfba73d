"""What shows that a stop sequence ended an answer, at the edges."""

from typing import Any

import pytest

from conformance.check import Violation
from conformance.checks import CHECKS
from conformance.reading.witness import Unobservable
from tests.exchanges import completed


def told(requirement: str, unstopped: str, said: str, *, stop: Any, step: int, reason: str = "stop") -> list[Violation]:
    first = completed(unstopped, probe="parameters.stopped")
    stopped = completed(said, asked={"stop": stop}, probe="parameters.stopped", step=step, reason=reason)
    return list(CHECKS[requirement].find(first, stopped))


def string(unstopped: str, said: str, *, stop: str, reason: str = "stop") -> list[Violation]:
    return told("parameters.stop-string-stops", unstopped, said, stop=stop, step=1, reason=reason)


def test_the_characters_of_a_stop_sequence_stop_nothing_by_themselves() -> None:
    assert string("1, 2, 3, 4", "1, 2", stop=", 3") == []
    assert [each.found for each in string("1, 2, 3, 4", "1", stop=", 3")] == [
        '"1", as if each character of ", 3" were to stop at'
    ]


def test_blanks_before_a_character_do_not_hide_that_it_stopped_the_answer() -> None:
    assert len(string("x a bxxbc, d", "x a", stop="bc")) == 1
    assert len(string("x a bxxbc, d", "x a ", stop="bc")) == 1


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_ended_for_another_reason_shows_nothing_of_its_characters(reason: str) -> None:
    with pytest.raises(Unobservable, match="something else"):
        string("1, 2, 3, 4", "1", stop=", 3", reason=reason)


def test_a_silent_model_shows_nothing() -> None:
    with pytest.raises(Unobservable, match="something else"):
        string("1, 2, 12, 13", "", stop=", 12")


@pytest.mark.parametrize("said", ["1,", "1, ", "1,\n"])
def test_a_stop_sequence_of_an_array_is_no_pattern(said: str) -> None:
    found = told("parameters.stop-array-stops", "1, 2, 3, 4, 5", said, stop=["4, ", ".2"], step=2)

    assert [each.found.rpartition(", as")[2] for each in found] == [' if ".2" were a pattern']


def test_the_words_of_a_filter_are_no_text_to_stop_in() -> None:
    first = completed("I only speak of banking.", reason="content_filter", probe="parameters.stopped")
    again = completed("I only speak of banking.", asked={"stop": "nly"}, probe="parameters.stopped", step=1)

    with pytest.raises(Unobservable, match="the filter's"):
        list(CHECKS["parameters.stop-string-stops"].find(first, again))
