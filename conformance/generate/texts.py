"""Bodies whose fault is in the text of the JSON itself, or in how it is labelled: no schema derives these."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from conformance.generate.defects import Grade

_DEEP: Final = 3000  # levels; readers that recurse give up at a thousand or so
_PADDING: Final = 1_500_000  # bytes; many proxies take a million


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is done to the JSON text of a good request."""

    breaks: str
    grade: Grade
    made: Callable[[str], bytes]
    """From the good request's compact JSON text: the bytes to send."""
    headers: tuple[tuple[str, str | None], ...] = ()


def _as_it_is(text: str) -> bytes:
    return text.encode()


def _ending(more: str) -> Callable[[str], bytes]:
    """With more members at the end of the object, or after it."""
    return lambda text: (text.removesuffix("}") + more).encode()


def _written(was: str, now: str) -> Callable[[str], bytes]:
    return lambda text: text.replace(was, now).encode()


def _labelled(breaks: str, media_type: str | None) -> Text:
    return Text(breaks=breaks, grade=Grade.OPEN, made=_as_it_is, headers=(("Content-Type", media_type),))


TEXTS: Final[Mapping[str, Text]] = {
    "no-end": Text(breaks="JSON without its last brace", grade=Grade.STATED, made=_ending("")),
    "blank": Text(breaks="blanks and no JSON", grade=Grade.STATED, made=lambda _: b" \n"),
    "words": Text(breaks="a sentence and no JSON", grade=Grade.STATED, made=lambda _: b"Hi there."),
    "unquoted": Text(breaks="a member name without quotes", grade=Grade.READ, made=_written('"model"', "model")),
    "single-quotes": Text(breaks="single quotes", grade=Grade.READ, made=_written('"', "'")),
    "trailing-comma": Text(breaks="a comma after the last member", grade=Grade.OPEN, made=_ending(",}")),
    "comment": Text(breaks="a comment", grade=Grade.OPEN, made=_ending("/* no */}")),
    "two-documents": Text(breaks="one document after another", grade=Grade.READ, made=_ending("}{}")),
    "raw-newline": Text(breaks="a raw line end in a string", grade=Grade.OPEN, made=_written("Hi.", "Hi\n.")),
    "nul": Text(breaks="a raw NUL in a string", grade=Grade.OPEN, made=_written("Hi.", "Hi\0.")),
    "bad-escape": Text(breaks="an escape that JSON lacks", grade=Grade.READ, made=_written("Hi.", "Hi\\x2e")),
    "not-utf-8": Text(
        breaks="a byte that is not UTF-8", grade=Grade.READ, made=lambda text: text.encode().replace(b"Hi.", b"Hi\xff.")
    ),
    "nan": Text(breaks="NaN for a number", grade=Grade.READ, made=_ending(',"temperature":NaN}')),
    "infinity": Text(breaks="Infinity for a number", grade=Grade.READ, made=_ending(',"temperature":Infinity}')),
    "hexadecimal": Text(breaks="a hexadecimal number", grade=Grade.READ, made=_ending(',"temperature":0x1}')),
    "huge-float": Text(breaks="a number beyond a double", grade=Grade.READ, made=_ending(',"temperature":1e999}')),
    "huge-integer": Text(
        breaks="a seed of five hundred digits", grade=Grade.OPEN, made=_ending(f',"seed":{"9" * 500}}}')
    ),
    "tiny": Text(breaks="a number next to zero", grade=Grade.OPEN, made=_ending(',"temperature":1e-999}')),
    "repeated-name": Text(breaks="a member twice", grade=Grade.OPEN, made=_ending(',"max_tokens":2}')),
    "lone-surrogate": Text(breaks="half of a surrogate pair", grade=Grade.OPEN, made=_written("Hi.", "Hi\\ud83c.")),
    "byte-order-mark": Text(
        breaks="a byte order mark", grade=Grade.OPEN, made=lambda text: b"\xef\xbb\xbf" + text.encode()
    ),
    "utf-16": Text(breaks="UTF-16", grade=Grade.OPEN, made=lambda text: text.encode("utf-16")),
    "deep": Text(
        breaks=f"{_DEEP} arrays in one another",
        grade=Grade.OPEN,
        made=_ending(f',"metadata":{{"k":{"[" * _DEEP}{"]" * _DEEP}}}}}'),
    ),
    "padded": Text(
        breaks=f"{_PADDING} blanks before the end", grade=Grade.OPEN, made=lambda text: text.encode() + b" " * _PADDING
    ),
    "no-label": _labelled("no Content-Type", None),
    "form": _labelled("the Content-Type of a form", "application/x-www-form-urlencoded"),
    "latin-1": _labelled("another charset in the Content-Type", "application/json; charset=iso-8859-1"),
    "another-json": _labelled("another JSON type", "application/problem+json"),
}
"""By name. The first three are no JSON to any reader; a lenient one takes some of the others, and may take comments,
commas at an end and raw controls, which many do on purpose (RFC 8259, 9)."""
