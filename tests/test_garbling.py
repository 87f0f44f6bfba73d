"""What a wire does to a text is told from what a model may write by itself."""

import pytest

from conformance.checks.garbling import ascii_of, cumulative, garbled, lost, mangling, regular, twice, widths

FIVE = "one two three four five"
OTHERWISE = "the same characters, in other words"
LOST = "parts of words are lost between chunks"


@pytest.mark.parametrize(
    "pieces, plain, wrong",
    [
        pytest.param([FIVE], FIVE, "", id="nothing where it is the same"),
        pytest.param(["oof", " bar"], "foo bar", OTHERWISE, id="the same letters in other words"),
        pytest.param(["bar ", "foo"], "foo bar", "", id="nothing where words change places"),
        pytest.param(["one tw", "ree four five"], FIVE, LOST, id="the end of one word and the beginning of the next"),
        pytest.param(["one tw", "three four five"], FIVE, LOST, id="two characters"),
        pytest.param(["x a b", "fg hij"], "x a bcd efg hij", LOST, id="what stood after a word of one letter"),
        pytest.param(["one tw", "five"], FIVE, "", id="nothing where most of it is gone"),
        pytest.param(["two three four five"], FIVE, "", id="nothing where the beginning is left out"),
        pytest.param(["spel", "ing it so"], "spelling it so", "", id="nothing where a letter is left out"),
        pytest.param(["alpha ", "gamma delta"], "alpha beta gamma delta", "", id="nothing where a word is left out"),
        pytest.param(["al", "pha ", "gamma delta"], "alpha beta gamma delta", "", id="the same, a word in two chunks"),
        pytest.param(["six ", "seven"], FIVE, "", id="nothing where it is another text"),
    ],
)
def test_a_text_is_held_against_the_one_that_it_should_be(pieces: list[str], plain: str, wrong: str) -> None:
    assert garbled(pieces, plain) == wrong


@pytest.mark.parametrize(
    "texts, place",
    [
        (["1", "1, 2", "1, 2, 3"], 1),
        (["1", "1", "1, 2"], 2),
        (["1", "1, 2", "1, 2"], 1),
        (["a", "a"], 0),
        (["a", "b", "ab"], 0),
        (["a", "b", "c", "abc"], 0),
        (["a", "b", "c", "d", "abcd"], 4),
        (["a", "b", "c", "d", "abc"], 0),
    ],
)
def test_a_chunk_that_repeats_all_before_it_is_found_by_its_number(texts: list[str], place: int) -> None:
    assert cumulative(texts) == place


@pytest.mark.parametrize(
    "texts, right, place",
    [
        pytest.param(["a", "a", "b"], {"ab"}, 1, id="one chunk"),
        pytest.param(["a", "a", "b", "b", "c"], {"aabc"}, 3, id="the one of two without which it is right"),
        pytest.param(["a", "a", "b", "b", "c"], {"abc"}, 1, id="every chunk but the last"),
        pytest.param(["a", "b"], {"abc"}, 0, id="none"),
        pytest.param(["a", "a"], {"a", "aa"}, 0, id="none where it is right with it too"),
        pytest.param(["a", "a"], {"b"}, 0, id="none where it is not right without it"),
        pytest.param(["1", ", ", ", ", "2"], {"1, 2"}, 0, id="none where it has no letter and no digit"),
        pytest.param(["a"] * 500, {"a" * 499}, 0, id="none where there are too many to try"),
    ],
)
def test_a_chunk_that_came_twice_is_found_by_its_number(texts: list[str], right: set[str], place: int) -> None:
    assert twice(texts, right.__contains__) == place


def _count(first: int, last: int) -> str:
    return ", ".join(map(str, range(first, last + 1)))


@pytest.mark.parametrize(
    "texts, found",
    [
        pytest.param([_count(1, 3) + ", ", ", " + _count(5, 11)], (1, "4"), id="a number of eleven"),
        pytest.param([_count(1, 4), _count(6, 12)], (0, ""), id="none where two numbers may be one"),
        pytest.param(["1, 2, 3", ", ", ", ", _count(5, 12) + ", "], (2, "4"), id="a number, which was a chunk"),
        pytest.param([_count(1, 3) + ", ", ", " + _count(5, 10)], (0, ""), id="none of ten: too few"),
        pytest.param(
            [_count(1, 3) + ", ", ", 5, ", ", " + _count(7, 14)], (0, ""), id="none where two of few are gone"
        ),
        pytest.param([_count(1, 3) + ", ", _count(5, 20)], (0, ""), id="none where its comma is gone too"),
        pytest.param([_count(1, 3), _count(4, 20)], (0, ""), id="none where a comma is"),
        pytest.param([_count(1, 20)], (0, ""), id="none where nothing is gone"),
        pytest.param([_count(1, 3) + ", ", ", five, " + _count(6, 20)], (0, ""), id="none where words stand between"),
        pytest.param([_count(1, 10) + ",", "5000"], (0, ""), id="none before a leap"),
        pytest.param([", ", "2, 3, 4"], (0, "1"), id="the first number"),
        pytest.param([" ,4, 5,"], (0, "3"), id="the first numbers"),
        pytest.param([", 1, 2, 3"], (0, ""), id="none where a comma is too many"),
        pytest.param([", 2, 4, 6"], (0, ""), id="none where it counts otherwise"),
        pytest.param(["2, 3, 4"], (0, ""), id="none where the comma is gone too"),
        pytest.param(["I will not count."], (0, ""), id="none where nothing is counted"),
    ],
)
def test_a_number_that_is_gone_from_a_count_is_found_by_the_chunk_after_it(
    texts: list[str], found: tuple[int, str]
) -> None:
    assert lost(texts) == found


@pytest.mark.parametrize("text", [_count(1, 10), f" {_count(1, 12)}.\n", "1 2 3 4 5 6 7 8 9 10"])
def test_a_count_of_ten_is_regular(text: str) -> None:
    assert regular(text) is True


@pytest.mark.parametrize("text", [_count(1, 9), _count(2, 12), "1, 2 3 4 5 6 7 8 9 10", "one", f"{_count(1, 12)}!"])
def test_anything_else_is_not_regular(text: str) -> None:
    assert regular(text) is False


MIXED = "é 🎈 日"


@pytest.mark.parametrize(
    "plain, found, how",
    [
        (MIXED, MIXED, ""),
        (MIXED, "e o n", ""),
        (MIXED, "\\u00e9 \\ud83c\\udf88 \\u65e5", "escaped once more"),
        (MIXED, "Ã© ð\x9f\x8e\x88 æ\x97¥", "its UTF-8 read as Latin-1"),
        (MIXED, "? ? ?", "question marks for what is not ASCII"),
        (MIXED, "é ? ?", "question marks for what is not Latin-1"),
        (MIXED, "é ? 日", "a question mark for what is beyond the BMP"),
        (MIXED, "é ?? 日", "two question marks for what is beyond the BMP"),
        (MIXED, "é \ufffd\ufffd 日", "U+FFFD for each half of what is beyond the BMP"),
        (MIXED, "é \ufffd 日", ""),
        (MIXED, "é \uf388 日", "cut to 16 bits"),
        ('<b> & "q"', "&lt;b&gt; &amp; &quot;q&quot;", "escaped as HTML"),
        ('<b> & "q"', '&lt;b&gt; &amp; "q"', "escaped as HTML"),
        ("Z \ud83c", "Z ü", ""),
    ],
)
def test_a_known_way_to_mangle_a_text_has_a_name(plain: str, found: str, how: str) -> None:
    assert mangling(found, plain) == how


def test_characters_beyond_ascii_are_left_out_and_measured() -> None:
    assert ascii_of("Zürich 東") == "Zrich "
    assert widths("aü東🎈") == {2, 3, 4}
    assert widths("\ud83c") == {3}
    assert widths("plain") == set()
