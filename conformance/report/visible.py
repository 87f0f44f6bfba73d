"""Untrusted text made safe to look at: nothing in it is invisible, moves the cursor or turns the line around."""

import re
from typing import Final

_UNSEEN: Final = (
    (0x00, 0x1F),  # C0: escape sequences begin here
    (0x7F, 0x9F),  # DEL and C1; U+009B begins an escape sequence too
    (0xAD, 0xAD),  # soft hyphen
    (0x61C, 0x61C),  # bidi: Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x180B, 0x180F),  # Mongolian selectors and vowel separator
    (0x200B, 0x200F),  # zero width, and the bidi marks
    (0x2028, 0x202E),  # line and paragraph separators, bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xDFFF),  # lone surrogates, which no encoding can write
    (0xFDD0, 0xFDEF),  # noncharacters
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFB),  # interlinear annotation
    (0xFFFE, 0xFFFF),  # noncharacters; XML 1.0 forbids them
    (0x1D173, 0x1D17A),  # musical format characters
    (0xE0000, 0xE0FFF),  # tags and selectors, which can hide a whole text
    *((plane | 0xFFFE, plane | 0xFFFF) for plane in range(0x10000, 0x110000, 0x10000)),
)
UNSEEN: Final = re.compile("[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in _UNSEEN) + "]")
"""One character that has no shape of its own, or acts instead of showing."""

_NAMES: Final = (
    *("NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI"),
    *("DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS", "US"),
)
"""The control characters below U+0020, by code; fonts that hold Unicode's pictures of them are rare."""


def mark(character: str) -> str:
    """What stands for an unseen character: `‹ESC›` for one that has a short name, `‹U+202E›` for another."""
    code = ord(character)
    return f"‹{_NAMES[code]}›" if code < len(_NAMES) else f"‹U+{code:04X}›"


def visible(text: str) -> str:
    """`text` on one line, with a mark for everything that cannot be seen; line ends are `‹LF›` and `‹CR›`."""
    return UNSEEN.sub(lambda match: mark(match.group()), text)


def visible_lines(text: str) -> str:
    """`text` with its line feeds kept and all else as in `visible`."""
    return "\n".join(visible(line) for line in text.split("\n"))


def cut(text: str, *, limit: int) -> str:
    """`text`, or its first `limit` characters and how many more there were."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text) - limit:,} more characters)"
