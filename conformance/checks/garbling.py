"""What a wire does to a text: the slips that make one answer of another, and that no model makes by itself."""

import html
import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Half of a character beyond the BMP, which is no character (Unicode, 3.9)."""
AS_HTML: Final = "escaped as HTML"
_WORD: Final = re.compile("[A-Za-z]+")
_BEYOND: Final = re.compile("[\U00010000-\U0010ffff]")
_MOST_OF_IT: Final = 0.6  # of a text; less of it may be another text
_MOST: Final = 400  # pieces in which one that came twice is looked for; each is tried


def garbled(pieces: Sequence[str], plain: str) -> str:
    """What went wrong with a text that is otherwise `plain`; nothing where a model may have written it so.

    `pieces` are the chunks' texts. Blanks between words and whole words may differ as the model likes.
    """
    found = "".join(pieces)
    if sorted("".join(found.split())) == sorted("".join(plain.split())):
        return "the same characters, in other words" if _words(found) != _words(plain) else ""
    return "parts of words are lost between chunks" if _loses(pieces, plain) else ""


def _loses(pieces: Sequence[str], plain: str) -> bool:
    """Whether the pieces are what is left of a text, most of it, and two of them run together into a new word.

    A single letter is not enough: there are words that are spelt with it and without.
    """
    place, before, grown = 0, "", False
    for piece in pieces:
        found = plain.find(piece, place)
        if found < 0:
            return False
        if found > place + 1 and before:
            grown = grown or _WORD.fullmatch(before[-1] + piece[0]) is not None
        place, before = found + len(piece), piece
    return grown and sum(map(len, pieces)) > _MOST_OF_IT * len(plain)


def _words(text: str) -> list[str]:
    return sorted(_WORD.findall(text))


def cumulative(texts: Sequence[str]) -> int:
    """The number of a chunk that repeats all the text before it; 0 where there is none.

    Either each chunk is the text so far, or the last one, of five or more, is all the others once more.
    """
    if all(later.startswith(earlier) for earlier, later in pairwise(texts)) and texts[-1] != texts[0]:
        return next(place for place, text in enumerate(texts) if text != texts[0])
    *before, last = texts
    return len(before) if len(before) > 3 and last == "".join(before) else 0


def twice(texts: Sequence[str], right: Callable[[str], bool]) -> int:
    """The number of the one chunk that came twice, since the text is right without it; 0 where there is none.

    A piece without a letter or a digit may be written twice by the model; so may any other where the text is not
    `right` without it, or is right with it.
    """
    if len(texts) > _MOST or right("".join(texts)):
        return 0
    places = [place for place in range(1, len(texts)) if _comes_again(texts, place)]
    for place in places:
        if right("".join((*texts[:place], *texts[place + 1 :]))):
            return place
    once = "".join(text for place, text in enumerate(texts) if place not in places)
    return places[0] if right(once) else 0


def _comes_again(texts: Sequence[str], place: int) -> bool:
    return texts[place] == texts[place - 1] and any(map(str.isalnum, texts[place]))


def lost(texts: Sequence[str]) -> tuple[int, str]:
    """The number of the chunk of a count before which something is gone, and what; nothing where nothing shows it.

    A number is gone, and what stood around it is not: a model that leaves a number out leaves out its comma too. But
    for that the pieces must be a count from 1, of ten numbers or more for each gap; or one that begins with a comma.
    """
    said = "".join(texts)
    headless = re.match(r"[ \t]*,[ \t]*(\d{1,3}),[ \t]*(\d{1,3}),", said)
    if headless and int(headless[1]) > 1 and int(headless[2]) == int(headless[1]) + 1:
        return 0, str(int(headless[1]) - 1)
    numbers = [int(number) for number in re.findall(r"\d{1,6}", said)]
    between = re.match(r"1(\D{1,4})2\D", said)
    if not between or max(numbers) > 10 * _MOST or re.fullmatch(rf"\d+({re.escape(between[1])}\d+)*\D*", said):
        return 0, ""
    plain = between[1].join(map(str, range(1, max(numbers) + 1))) + between[1]
    gaps: list[tuple[int, str]] = []
    place = 0
    for number, piece in enumerate(texts):
        found = plain.find(piece, place)
        if found > place:
            gaps.append((number, plain[place:found]))
        if found < 0 or not all(re.search(r"\d", gap) for _, gap in gaps):
            return 0, ""
        place = found + len(piece)
    return gaps[0] if 0 < 10 * len(gaps) <= len(numbers) else (0, "")


def regular(text: str) -> bool:
    """Whether a text is a count from 1 to 10 or more, with the same between any two numbers."""
    said = text.strip().removesuffix(".")
    numbers = re.findall(r"\d{1,6}", said)
    between = re.match(r"1(\D+)2\D", said)
    wanted = [str(number) for number in range(1, len(numbers) + 1)]
    return between is not None and len(numbers) >= 10 and said == between[1].join(wanted)


def ascii_of(text: str) -> str:
    """What is left of a text without the characters beyond ASCII."""
    return "".join(character for character in text if character.isascii())


def widths(text: str) -> set[int]:
    """In how many bytes of UTF-8 its characters beyond ASCII are written."""
    return {len(character.encode("utf-8", "surrogatepass")) for character in set(text)} - {1}


def mangling(found: str, plain: str) -> str:
    """How `found` was made of `plain`, where it is one of the known ways; else nothing."""
    if found == plain:
        return ""
    return next((name for name, mangled in _MANGLINGS if found == mangled(plain)), "")


def _replaced(charset: str) -> Callable[[str], str]:
    return lambda text: text.encode(charset, "replace").decode(charset)


_MANGLINGS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("escaped once more", lambda text: json.dumps(text)[1:-1]),
    ("its UTF-8 read as Latin-1", lambda text: text.encode("utf-8", "replace").decode("latin-1")),
    ("question marks for what is not ASCII", _replaced("ascii")),
    ("question marks for what is not Latin-1", _replaced("latin-1")),
    ("a question mark for what is beyond the BMP", lambda text: _BEYOND.sub("?", text)),
    ("two question marks for what is beyond the BMP", lambda text: _BEYOND.sub("??", text)),
    ("U+FFFD for each half of what is beyond the BMP", lambda text: _BEYOND.sub("\ufffd\ufffd", text)),
    (AS_HTML, html.escape),
    (AS_HTML, lambda text: html.escape(text, quote=False)),
    ("cut to 16 bits", lambda text: _BEYOND.sub(lambda match: chr(ord(match[0]) & 0xFFFF), text)),
)
