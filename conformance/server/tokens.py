"""The built-in tokenizer: pieces of at most six characters, and how many of them a text has."""

import re
from typing import Final

_TOKEN: Final = re.compile(r" ?[^\W_]{1,6}|\s{1,6}|[\w]|.", re.DOTALL)


def tokens(text: str) -> tuple[str, ...]:
    """The pieces of a text; joined they are the text again, and the first few are the pieces of their own join."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    """How many tokens a text has; 0 only for the empty one."""
    return len(tokens(text))
