"""Where the value of a JSON pointer stands in the bytes of a document."""

import re
from json.decoder import JSONDecodeError, JSONDecoder
from typing import Final

Span = tuple[int, int]
"""Offsets of the first byte and past the last."""

_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_DECODER: Final = JSONDecoder(parse_int=str, parse_float=str)  # only the ends matter, and Python limits integers


def pointed(document: bytes, pointer: str) -> Span | None:
    """The bytes of the value at a JSON pointer (RFC 6901); None where there is none or the document cannot be read.

    The empty pointer and `/` mean the whole document. Of members with one name the last counts, as in `json`.
    """
    try:
        text = document.decode("utf-8")
        start = _after_blanks(text, 0)
        for token in pointer.split("/")[1:] if pointer != "/" else ():
            found = _child(text, start, token.replace("~1", "/").replace("~0", "~"))
            if found is None:
                return None
            start = found
        end = _end(text, start)
    except (UnicodeDecodeError, JSONDecodeError, RecursionError, IndexError):
        return None
    first = len(text[:start].encode())
    return first, first + len(text[start:end].encode())


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


def _end(text: str, start: int) -> int:
    return _DECODER.raw_decode(text, start)[1]


def _child(text: str, start: int, token: str) -> int | None:
    match text[start]:
        case "{":
            return _member(text, start, token)
        case "[":
            return _item(text, start, token)
    return None


def _member(text: str, start: int, name: str) -> int | None:
    found = None
    at = _after_blanks(text, start + 1)
    while text[at] == '"':
        key, at = _DECODER.raw_decode(text, at)
        at = _after_blanks(text, _after_blanks(text, at) + 1)
        if key == name:
            found = at
        at = _after_blanks(text, _end(text, at))
        if text[at] == "}":
            break
        at = _after_blanks(text, at + 1)
    return found


def _item(text: str, start: int, index: str) -> int | None:
    at = _after_blanks(text, start + 1)
    if not _INDEX.fullmatch(index) or text[at] == "]":
        return None
    for _ in range(int(index)):
        at = _after_blanks(text, _end(text, at))
        if text[at] != ",":
            return None
        at = _after_blanks(text, at + 1)
    return at
