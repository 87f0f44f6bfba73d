import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.report.visible import UNSEEN, cut, visible, visible_lines

ANYTHING = st.text(st.characters())


def test_an_escape_sequence_is_named() -> None:
    assert visible("\x1b[31mred\x9b0m\x7f") == "‹ESC›[31mred‹U+009B›0m‹U+007F›"


def test_text_cannot_turn_the_line_around() -> None:
    assert visible("a\u202eb\u2066c\u200fd") == "a‹U+202E›b‹U+2066›c‹U+200F›d"


def test_line_ends_are_shown_or_kept() -> None:
    assert visible("a\r\nb") == "a‹CR›‹LF›b"
    assert visible_lines("a\r\nb\n") == "a‹CR›\nb\n"


def test_ordinary_text_stays_as_it_is() -> None:
    text = "Grüß Gott, 你好, नमस्ते, 👍🏽, a|b `c` <d>"

    assert visible(text) == text


def test_a_cut_says_how_much_is_gone() -> None:
    assert cut("x" * 1500, limit=10) == "x" * 10 + "… (1,490 more characters)"
    assert cut("x" * 10, limit=10) == "x" * 10


def test_every_control_and_format_character_is_unseen() -> None:
    # The prepended format characters of Arabic, Syriac and Kaithi, and Egyptian joiners, are visible.
    visible_formats = {
        *range(0x600, 0x606),
        0x6DD,
        0x70F,
        0x890,
        0x891,
        0x8E2,
        0x110BD,
        0x110CD,
        *range(0x13430, 0x13460),
    }
    visible_formats |= set(range(0x1BCA0, 0x1BCA4))
    left = {
        code
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and not UNSEEN.match(chr(code))
    }

    assert left <= visible_formats


@settings(deadline=None, max_examples=100)
@given(text=ANYTHING)
def test_what_is_visible_can_be_written_and_stays_visible(text: str) -> None:
    shown = visible(text)

    assert not UNSEEN.search(shown)
    assert visible(shown) == shown
    assert shown.encode("utf-8").decode("utf-8") == shown
