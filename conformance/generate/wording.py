"""Texts for requests: plain words, and the characters over which gateways stumble."""

from functools import cache
from typing import Final

from hypothesis import strategies as st

PLAIN: Final = ("Hi.", "Say OK.", "Count to three.", "What is 2 + 2?", "Name a colour.", "Thanks, go on.")
TROUBLE: Final = (
    "\U0001f388",  # beyond the Basic Multilingual Plane: a surrogate pair in JSON escapes
    "\U0001d518\U0001d52b\U0001d526",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467",  # three of them joined into one glyph
    "e\u0301",  # a letter and a combining accent
    "\u6771\u4eac",
    "\u05d0\u05d1 \u202eabc\u202c",  # right to left, and an override
    "\u2028",  # line ends to some readers, and not in JSON or SSE
    "\u2029",
    "\u0085",
    "\ufeff",
    "\u0000",
    "\u001f",
    "\u007f",
    "\ufffd",
    "\t",
    "\r\n",
    "\n\n",
    "data: [DONE]",
    "[DONE]",
    "data: {}\n\n",
    "event: error",
    ": comment",
    '"}]}',
    "\\u0041",
    "\\",
    "'; --",
    "<script>",
    "</think>",
    "<|im_end|>",
    "<tool_call>",
    "{{ x }}",
    "%s %n",
    "$HOME",
    "../..",
)
REPEAT: Final = "Repeat exactly this: "
"""Asks for a text back; what a server does to it shows where the same is asked with and without a stream."""
LONG: Final = "word " * 300 + "Say OK."
"""Some 300 tokens, seldom drawn."""


@cache
def sentences() -> st.SearchStrategy[str]:
    """What is said: mostly plain, often with trouble in it, seldom long."""
    plain = st.sampled_from(PLAIN * 8 + (LONG,))
    troubled = st.builds(
        lambda words, trouble: " ".join([words, *trouble]),
        plain,
        st.lists(st.sampled_from(TROUBLE), min_size=1, max_size=2),
    )
    return st.one_of(plain, plain, troubled, troubled, st.sampled_from(TROUBLE), any_text())


@cache
def any_text() -> st.SearchStrategy[str]:
    """Any characters that JSON can carry, a few of them."""
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@cache
def names() -> st.SearchStrategy[str]:
    """Names of functions as every provider takes them: letters, digits, `_` and `-`, up to 64 of them."""
    return st.one_of(
        st.sampled_from(("get_weather", "add", "look-up", "f", "A1")),
        st.from_regex(r"[a-z][a-zA-Z0-9_-]{0,11}", fullmatch=True),
        st.sampled_from("abc").map(lambda letter: letter * 64),
    )


@cache
def ids() -> st.SearchStrategy[str]:
    """Ids of calls, some of which look like another's."""
    return st.sampled_from(("call_1", "call_1 ", "CALL_1", "call_01", "0", "a" * 40))
