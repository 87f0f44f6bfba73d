"""A backend that says a text: every kind of character, in every kind of piece."""

from typing import Final

from conformance.scenario import Fate, Scenario, Write
from conformance.scenarios.writing import DONE, ROLE, chunk, document, ending, frame, said, spoken, talk, told, writes

EVERY_KIND: Final = (
    "Zürich naïve Ω ± ¼ 東京 한국어 עברית हिन्दी 🎈 👨‍👩‍👧 🇨🇭 e\u0301 \u202eback\u202c \u2066x\u2069 "
    "\ufeff zero\u200bwidth \u00a0 𝒳 𐍈 \U0010ffff fin"
)
"""Characters of one to four bytes, that combine, join, turn round or cannot be seen."""
SEPARATED: Final = "one\u2028two\u2029three\u0085four\x0bfive\x0csix\x1cseven"
"""What some readers take for the end of a line."""
LINES: Final = "first\nsecond\r\nthird\rfourth\n\nsixth\ttab"
LIKE_A_STREAM: Final = 'data: [DONE]\n\nevent: error\ndata: {"code":"NONE","message":"none"}\n\n[DONE] : comment'
CONTROLS: Final = "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f nul \x00 end"
MARKUP: Final = '<b>&amp;</b> {"error": {"code": "X"}} ```json\n{}\n``` {0} %s ${HOME} \\n \\u0041 "quoted"'
BLANKS: Final = "  begins with two, ends with three   "
_MANY: Final = 10_000
_COUNTED: Final = "".join(f"{number % 10}" for number in range(_MANY))
_LONG: Final = "A line of some three hundred kilobytes. " * 7_500
_NAMES: Final = "Bern is the capital of Switzerland."
_WORDS: Final = ("Bern ", "is ", "the ", "capital ", "of ", "Switzerland.")

SCENARIOS: Final[tuple[Scenario, ...]] = (
    talk("text-plain", "says a sentence, a word an event", _NAMES, ROLE, *said(*_WORDS), *ending()),
    talk("text-letter-an-event", "says a letter an event", _NAMES, ROLE, *said(*_NAMES), *ending()),
    talk(
        "text-one-event",
        "says all in one event, the role and the reason with it",
        _NAMES,
        frame(chunk({"role": "assistant", "content": _NAMES}, "stop")),
        DONE,
    ),
    talk(
        "text-one-write",
        "sends all events in one write",
        _NAMES,
        b"".join((ROLE, *said(*_WORDS), frame(chunk({}, "stop")), DONE)),
    ),
    talk(
        "text-bytes",
        "sends every kind of character a byte at a time",
        EVERY_KIND,
        ROLE,
        *writes(*said(EVERY_KIND), cut=1),
        *ending(),
    ),
    talk(
        "text-letters-of-every-kind",
        "sends every kind of character, each in an event of its own",
        EVERY_KIND,
        ROLE,
        *said(*EVERY_KIND),
        *ending(),
    ),
    talk(
        "text-escaped",
        "writes every kind of character as JSON escapes",
        EVERY_KIND,
        ROLE,
        *said(EVERY_KIND, ascii_only=True),
        *ending(),
        whole=document(told(spoken(EVERY_KIND), ascii_only=True)),
    ),
    talk(
        "text-halves",
        "cuts the escapes of a character beyond the BMP between two events",
        "a 🎈 b",
        ROLE,
        b'data: {"id":"chatcmpl-__ID__","choices":[{"index":0,"delta":{"content":"a \\ud83c"}}]}\n\n',
        b'data: {"id":"chatcmpl-__ID__","choices":[{"index":0,"delta":{"content":"\\udf88 b"}}]}\n\n',
        *ending(),
        fate=Fate.MENDED,
        also=("a \ufffd b", "a \ufffd\ufffd b", "a ? b", "a ?? b"),
        asked=(True,),
    ),
    talk("text-lines", "says line ends of every kind and a tab", LINES, ROLE, *said(*LINES), *ending()),
    talk(
        "text-separators",
        "says what some readers take for line ends",
        SEPARATED,
        ROLE,
        *said(SEPARATED, ascii_only=False),
        *ending(),
    ),
    talk("text-like-a-stream", "says what stands in streams", LIKE_A_STREAM, ROLE, *said(LIKE_A_STREAM), *ending()),
    talk("text-controls", "says control characters", CONTROLS, ROLE, *said(CONTROLS), *ending()),
    talk("text-markup", "says markup, templates and escapes", MARKUP, ROLE, *said(MARKUP), *ending()),
    talk(
        "text-blanks", "says blanks at both ends, some in events of their own", BLANKS, ROLE, *said(*BLANKS), *ending()
    ),
    talk(
        "text-repeats",
        "says the same in many events, which nobody may take for one",
        "ha" * 24 + "!",
        ROLE,
        *said(*["ha"] * 24, "!"),
        *ending(),
    ),
    talk(
        "text-ten-thousand",
        "says a digit an event in ten thousand events",
        _COUNTED,
        ROLE,
        *(Write(data=b"".join(said(*_COUNTED[begin : begin + 100]))) for begin in range(0, _MANY, 100)),
        *ending(),
    ),
    talk("text-long-line", "says three hundred kilobytes in one event", _LONG, ROLE, *said(_LONG), *ending()),
    talk(
        "text-empty-deltas",
        "sends deltas that say nothing",
        _NAMES,
        ROLE,
        *said("", *_WORDS[:3], "", "", *_WORDS[3:], ""),
        frame(chunk({})),
        *ending(),
    ),
    talk(
        "text-null-deltas",
        "sends null where it says nothing",
        _NAMES,
        frame(chunk({"role": "assistant", "content": None})),
        *said(*_WORDS),
        frame(chunk({"content": None, "tool_calls": None, "refusal": None})),
        frame(chunk({"content": None}, "stop")),
        DONE,
    ),
    talk("text-without-role", "never says its role", _NAMES, *said(*_WORDS), *ending()),
    talk(
        "text-role-again",
        "says its role in each event",
        _NAMES,
        *(frame(chunk({"role": "assistant", "content": word})) for word in _WORDS),
        *ending(),
    ),
    talk(
        "text-more-members",
        "adds members that nobody knows",
        _NAMES,
        frame(chunk({"role": "assistant", "content": "", "mood": 1}, system_fingerprint="fp_x", provider={"a": [1]})),
        *(frame(chunk({"content": word}, timings={"ms": 1.5}, service_tier=None)) for word in _WORDS),
        *ending(),
        whole=document(spoken(_NAMES, system_fingerprint="fp_x", timings={"ms": 1.5})),
    ),
    talk(
        "text-beside-reasoning",
        "thinks aloud in a member of its own, which is no part of the answer",
        _NAMES,
        ROLE,
        *(frame(chunk({"reasoning_content": word})) for word in ("Let me ", "think.")),
        *said(*_WORDS),
        *ending(),
        whole=document(
            spoken(_NAMES)
            | {
                "choices": [
                    {
                        "index": 0,
                        "finish_reason": "stop",
                        "message": {
                            "role": "assistant",
                            "content": _NAMES,
                            "reasoning_content": "Let me think.",
                        },
                    }
                ]
            }
        ),
    ),
    talk(
        "text-after-reasoning-with-null",
        "thinks aloud with null for its text, then answers",
        _NAMES,
        ROLE,
        *(frame(chunk({"content": None, "reasoning": word})) for word in ("Let me ", "think.")),
        *said(*_WORDS),
        *ending(),
    ),
)
