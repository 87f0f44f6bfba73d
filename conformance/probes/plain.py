"""The page's sections "Basic request" and "Response shape": plain questions, one JSON answer."""

from conformance.probe import MODEL, Auth, Probe, Step, Writing

GREETING = Probe(
    name="plain.greeting",
    asks="A plain question with a plain answer; everything else is measured against it.",
    steps=(
        Step(
            body={
                "model": MODEL,
                "messages": [{"role": "user", "content": "Reply with exactly: Hello"}],
                "max_tokens": 32,
            }
        ),
    ),
    quick=True,
)

MINIMAL = GREETING.but("plain.minimal", "The same with only the two required members.", without="max_tokens")

DOCUMENTED = GREETING.but(
    "plain.documented",
    "The page's own first example.",
    messages=[
        {"role": "system", "content": "You are a concise assistant."},
        {"role": "user", "content": "What is the capital of Switzerland?"},
    ],
    max_tokens=50,
)

MULTILINGUAL = "Zürich 東京 🎈 naïve\u2028Ω\u2029¼\u0085fin"
"""A text of several scripts."""

RAW_UTF8 = GREETING.but(
    "plain.raw-utf8",
    "Characters of two, three and four bytes, sent as raw UTF-8, and separators that split lines in some readers.",
    messages=[{"role": "user", "content": f"Reply with exactly: {MULTILINGUAL}"}],
)

ESCAPED = RAW_UTF8.sent(
    "plain.escaped-unicode", "The same text, sent as JSON escapes with surrogate pairs.", writing=Writing.ASCII
)

MARKED_UP = "first lantern\n\ndata: [DONE]\n\n<b>{5%}</b> & last lantern"
"""A text with what streams, pages and templates take for their own."""

END_MARKER = GREETING.but(
    "plain.end-marker",
    "A model asked to write the end marker of streams, and markup, here in one JSON answer.",
    messages=[{"role": "user", "content": f"Reply with exactly:\n{MARKED_UP}"}],
    max_tokens=48,
)

NO_KEY = GREETING.sent("auth.no-key", "The plain question without an Authorization header.", quick=True, auth=Auth.NONE)

WRONG_KEY = GREETING.sent("auth.wrong-key", "The plain question with a key that nobody issued.", auth=Auth.WRONG)

BARE_KEY = GREETING.sent("auth.bare-key", "The plain question, the key sent without the word Bearer.", auth=Auth.BARE)

OTHER_SCHEME = GREETING.sent(
    "auth.other-scheme", "The plain question, the key sent under another scheme than Bearer.", auth=Auth.OTHER_SCHEME
)

LONGER_KEY = GREETING.sent(
    "auth.longer-key", "The plain question with the key and one character more.", auth=Auth.LONGER
)

LOWER_CASE = GREETING.sent(
    "auth.lower-case", "The plain question, the name of the header with the key in lower case.", auth=Auth.LOWER
)

LIMITED = GREETING.but(
    "plain.limited",
    "A long count that surely needs more than 24 tokens.",
    messages=[{"role": "user", "content": "Count from 1 to 100, separated by commas."}],
    max_tokens=24,
)

CUT_SHORT = LIMITED.but("plain.cut-short", "The same count with room for 3 tokens.", quick=True, max_tokens=3)

PROBES = (
    GREETING,
    MINIMAL,
    DOCUMENTED,
    RAW_UTF8,
    ESCAPED,
    END_MARKER,
    NO_KEY,
    WRONG_KEY,
    BARE_KEY,
    OTHER_SCHEME,
    LONGER_KEY,
    LOWER_CASE,
    LIMITED,
    CUT_SHORT,
)
