"""A backend that breaks its own protocol: what it writes is no chunk, no JSON, no text, or an error out of place."""

from typing import Any, Final

from conformance.scenario import Fate, Scenario, Script
from conformance.scenarios.deaths import FAILED
from conformance.scenarios.writing import DONE, ROLE, STOP, chunk, completion, document, frame, said, spoken, stream

_WORDS: Final = ("So far", ", so good", " it is.")
_TEXT: Final = "".join(_WORDS)
_FIRST: Final = (ROLE, *said(*_WORDS[:2]))
_REST: Final = (*said(_WORDS[2]), STOP, DONE)
_ERROR: Final = {"error": {"message": "the worker died", "type": "server_error", "code": 500}}
_PAGE: Final = b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"


def _among(name: str, does: str, *parts: bytes, fate: Fate = Fate.MENDED, also: tuple[str, ...] = ()) -> Scenario:
    """A stream with something between its words that should not be there, and then goes on."""
    return Scenario(
        name=name,
        does=does,
        fate=fate,
        streamed=stream(*_FIRST, *parts, *_REST),
        whole=document(spoken(_TEXT)),
        text=_TEXT,
        also=also,
        asked=(True,),
    )


def _told(name: str, does: str, streamed: Script, whole: Script, *, asked: tuple[bool, ...] = (True,)) -> Scenario:
    return Scenario(name=name, does=does, fate=Fate.TOLD, streamed=streamed, whole=whole, codes=FAILED, asked=asked)


def _page(script: Script) -> Script:
    return Script(media_type="text/html", sized=True, writes=script.writes)


_AS_PAGE: Final = _page(document(_PAGE))


def _whole(name: str, does: str, body: Any, *, text: str = "", fate: Fate = Fate.TOLD) -> Scenario:
    """A whole answer that is none."""
    return Scenario(
        name=name,
        does=does,
        fate=fate,
        streamed=stream(*_FIRST, *_REST),
        whole=document(body),
        text=text,
        codes=FAILED,
        asked=(False,),
    )


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _among("garbled-json", "sends a chunk that is no JSON", b'data: {"choices": [{"delta": {"content": "x}}]\n\n'),
    _among("garbled-cut-json", "sends a chunk that breaks off", b'data: {"choices": [{"delta"\n\n'),
    _among("garbled-null", "sends null for a chunk", b"data: null\n\n"),
    _among("garbled-number", "sends a number for a chunk", b"data: 42\n\n"),
    _among("garbled-list", "sends a list for a chunk", b"data: []\n\n"),
    _among("garbled-word", "sends a bare word for a chunk", b"data: pending\n\n"),
    _among("garbled-without-choices", "sends a chunk without choices", b'data: {"id": "chatcmpl-__ID__"}\n\n'),
    _among("garbled-choices-null", "sends null for choices", b'data: {"choices": null}\n\n'),
    _among("garbled-choice-null", "sends null for a choice", b'data: {"choices": [null]}\n\n'),
    _among("garbled-without-delta", "sends a choice without a delta", b'data: {"choices": [{"index": 0}]}\n\n'),
    _among("garbled-delta-null", "sends null for a delta", b'data: {"choices": [{"index": 0, "delta": null}]}\n\n'),
    _among(
        "garbled-content-number", "sends a number for a text", b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'
    ),
    _among("garbled-lines", "sends lines that are no field of the standard", b"hello there\n{}\n\n"),
    _among(
        "garbled-utf8",
        "sends bytes that are no UTF-8 in a text",
        frame(chunk({"content": " A"})).replace(b" A", b" \xff\xfe"),
        also=tuple(f"So far, so good {mark} it is." for mark in ("\ufffd\ufffd", "\ufffd", "??", "")),
    ),
    Scenario(
        name="garbled-parts",
        does="sends text as a list of parts, which the page promises to flatten",
        fate=Fate.MENDED,
        streamed=stream(
            ROLE,
            *(frame(chunk({"content": [{"type": "text", "text": word}]})) for word in _WORDS),
            STOP,
            DONE,
        ),
        whole=document(
            completion({"role": "assistant", "content": [{"type": "text", "text": word} for word in _WORDS]})
        ),
        text=_TEXT,
    ),
    Scenario(
        name="garbled-error-chunk",
        does="reports an error in a chunk in the middle of its text, and ends",
        fate=Fate.TOLD,
        streamed=stream(*_FIRST, frame(_ERROR), DONE),
        whole=document(_ERROR),
        text="".join(_WORDS[:2]),
        codes=FAILED,
    ),
    Scenario(
        name="garbled-error-event",
        does="reports an error by an event of that name, and ends",
        fate=Fate.TOLD,
        streamed=stream(*_FIRST, b"event: error\n" + frame(_ERROR), DONE),
        whole=document(_ERROR, status=500),
        text="".join(_WORDS[:2]),
        codes=FAILED,
        asked=(True,),
    ),
    Scenario(
        name="garbled-error-at-once",
        does="answers 200 and reports an error in its first chunk",
        fate=Fate.TOLD,
        streamed=stream(frame(_ERROR), DONE),
        whole=document(_ERROR),
        codes=FAILED,
        asked=(True,),
    ),
    Scenario(
        name="garbled-error-reason",
        does="says error for a reason",
        fate=Fate.TOLD,
        streamed=stream(*_FIRST, frame(chunk({}, "error")), DONE),
        whole=document(spoken(_TEXT, "error")),
        text="".join(_WORDS[:2]),
        codes=FAILED,
        asked=(True,),
    ),
    _told("garbled-page", "answers 200 with a page of HTML", _AS_PAGE, _AS_PAGE, asked=(True, False)),
    Scenario(
        name="garbled-page-in-stream",
        does="sends a page of HTML in the middle of its stream, and ends",
        fate=Fate.TOLD,
        streamed=stream(*_FIRST, _PAGE),
        whole=_AS_PAGE,
        text="".join(_WORDS[:2]),
        codes=FAILED,
        asked=(True,),
    ),
    _told("garbled-nothing", "answers 200 with an empty body", stream(), document(b""), asked=(True, False)),
    _told("garbled-done-alone", "sends [DONE] and nothing else", stream(DONE), document(b"[DONE]")),
    Scenario(
        name="garbled-whole-for-stream",
        does="answers with one JSON document where a stream was asked for",
        fate=Fate.MENDED,
        streamed=document(spoken(_TEXT)),
        whole=document(spoken(_TEXT)),
        text=_TEXT,
        asked=(True,),
    ),
    Scenario(
        name="garbled-stream-for-whole",
        does="answers with a stream where one JSON document was asked for",
        fate=Fate.MENDED,
        streamed=stream(*_FIRST, *_REST),
        whole=stream(*_FIRST, *_REST),
        text=_TEXT,
        asked=(False,),
    ),
    _whole("garbled-whole-json", "answers with JSON that breaks off", b'{"choices": [{"message": {"content": "x"'),
    _whole("garbled-whole-null", "answers with null", b"null"),
    _whole("garbled-whole-without-choices", "answers without choices", {"id": "chatcmpl-__ID__"}),
    _whole("garbled-whole-no-choice", "answers with no choice", {"choices": []}),
    _whole("garbled-whole-message-null", "answers with null for its message", {"choices": [{"message": None}]}),
    _whole("garbled-whole-content-number", "answers with a number for its text", completion({"content": 7})),
)
