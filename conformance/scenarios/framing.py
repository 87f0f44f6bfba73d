"""A backend that frames its stream as WHATWG HTML, 9.2, allows and few do."""

from typing import Final

from conformance.scenario import Fate, Scenario, Write
from conformance.scenarios.writing import DONE, ROLE, chunk, dumped, ending, frame, said, talk

_TEXT: Final = "Bern, on the Aare."
_WORDS: Final = ("Bern,", " on", " the", " Aare.")
_FRAMES: Final = (ROLE, *said(*_WORDS), frame(chunk({}, "stop")), DONE)
_PRETTY: Final = b"\n".join(
    b"data: " + line
    for line in (
        b"{",
        b'  "id": "chatcmpl-__ID__",',
        b'  "choices": [',
        b'    {"index": 0, "delta": {"content": ' + dumped(_TEXT) + b'}, "finish_reason": null}',
        b"  ]",
        b"}",
    )
)


def _framed(name: str, does: str, *parts: Write | bytes, fate: Fate = Fate.DELIVERED) -> Scenario:
    return talk(name, does, _TEXT, *parts, fate=fate, asked=(True,))


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _framed(
        "frames-without-blank",
        "leaves out the blank after `data:`",
        *(piece.replace(b"data: ", b"data:") for piece in _FRAMES),
    ),
    _framed("frames-crlf", "ends lines with CR LF", *(piece.replace(b"\n", b"\r\n") for piece in _FRAMES)),
    _framed("frames-cr", "ends lines with CR alone", *(piece.replace(b"\n", b"\r") for piece in _FRAMES)),
    _framed(
        "frames-cut-crlf",
        "cuts each CR LF in two",
        *(Write(data=piece.replace(b"\n", b"\r\n"), cut=1) for piece in _FRAMES[:3]),
        *(piece.replace(b"\n", b"\r\n") for piece in _FRAMES[3:]),
    ),
    _framed(
        "frames-comments",
        "sends comments and blank lines between events and inside them",
        b": connected\n\n\n",
        *(b": keep-alive\n\n" + piece.replace(b"data:", b": here too\ndata:") for piece in _FRAMES),
    ),
    _framed("frames-many-lines", "writes a chunk over several data lines", ROLE, _PRETTY + b"\n\n", *ending()),
    _framed(
        "frames-with-ids",
        "gives its events ids and a time to reconnect",
        b"retry: 3000\n\n",
        *(b"id: %d\n" % number + piece for number, piece in enumerate(_FRAMES)),
    ),
    _framed(
        "frames-named-message",
        "names its events message, as the standard does for those without a name",
        *(b"event: message\n" + piece for piece in _FRAMES),
    ),
    _framed("frames-bom", "begins with a byte order mark", b"\xef\xbb\xbf", *_FRAMES),
    _framed("frames-last-line-open", "leaves the line of [DONE] without its end", *_FRAMES[:-1], b"data: [DONE]"),
    _framed(
        "frames-two-in-a-write",
        "sends two events in a write",
        *(a + b for a, b in zip(_FRAMES[::2], _FRAMES[1::2], strict=False)),
        DONE,
    ),
    _framed(
        "frames-keep-alive-data",
        "sends empty data lines to keep the connection",
        ROLE,
        b"data:\n\n",
        *said(*_WORDS[:2]),
        b"data: \n\n",
        *said(*_WORDS[2:]),
        *ending(),
        fate=Fate.MENDED,
    ),
    _framed(
        "frames-other-events",
        "sends events of other names that carry no chunk",
        ROLE,
        b'event: ping\ndata: {"type": "ping"}\n\n',
        *said(*_WORDS),
        *ending(),
        fate=Fate.MENDED,
    ),
    _framed(
        "frames-done-twice",
        "sends [DONE] twice",
        *_FRAMES,
        DONE,
    ),
    talk(
        "frames-after-done",
        "goes on talking after [DONE]",
        _TEXT,
        *_FRAMES,
        frame(chunk({"content": " And more."})),
        fate=Fate.MENDED,
        also=(f"{_TEXT} And more.",),
        asked=(True,),
    ),
)
