"""JSON answers that are odd and legal (page: Response shape)."""

import json
import re
from collections.abc import Callable
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import (
    Change,
    after,
    each_answer,
    each_head,
    in_answers,
    one_in,
    plain,
    put,
    replacing,
    with_field,
)
from conformance.server.deviation import Variant
from conformance.server.variants.chunks import widened
from conformance.server.variants.writing import packed, rewritten, split

_CHOICE: Final = "/data/choices/0"
_MESSAGE: Final = "/data/choices/0/message"
_USAGE: Final = "/data/usage"
_TEN_DIGITS: Final = re.compile(r'"created":(\d)(\d{9})(?![\d.])')


def _written(form: Callable[[Any], str]) -> Change:
    """Other JSON text for the same documents, refusals too."""
    return replacing(body=lambda document: form(document).encode())


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reversed(item) for name, item in reversed(value.items())}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def _escaped(document: Any) -> str:
    """Every letter of every string as an escape; capitals in the hexadecimal digits."""

    def escapes(found: re.Match[str]) -> str:
        text = json.loads(found[0]).encode("utf-16-be").hex().upper()
        return '"' + "".join(f"\\u{text[start : start + 4]}" for start in range(0, len(text), 4)) + '"'

    return re.sub(r'"(?:[^"\\]|\\.)*"', escapes, json.dumps(document))


def _exponential(document: Any) -> str:
    """The time with an exponent, as JSON numbers may be written (RFC 8259, 6)."""
    return _TEN_DIGITS.sub(r'"created":\1.\2E+9', json.dumps(document, separators=(",", ":")))


def _media_type(said: str) -> Change:
    """JSON under another spelling of its name."""
    return each_head(
        lambda fields, _: fields | ({"Content-Type": said} if fields["Content-Type"] == "application/json" else {})
    )


def _without_calls(value: Any) -> Change:
    """Another value for the calls of a message that has none."""

    def edit(document: Any) -> Any:
        calling = isinstance(at(document, _MESSAGE + "/tool_calls"), list)
        return document if calling else put(document, _MESSAGE + "/tool_calls", value)

    return each_answer(edit)


def _counted(edit: Callable[[Any], dict[str, int]]) -> Change:
    """Other counts, and the total that is theirs."""

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage |= edit(document["data"])
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        return document

    return each_answer(change)


def _with_the_end(data: Any) -> dict[str, int]:
    """The token that ends a turn counts, where the model came to it."""
    ended = data["choices"][0]["finish_reason"] == "stop"
    return {"completion_tokens": data["usage"]["completion_tokens"] + ended}


def _thinks(document: Any) -> Any:
    """Thoughts in a member of their own, counted beside the answer's tokens."""
    usage = document["data"]["usage"]
    usage["completion_tokens_details"] = {"reasoning_tokens": 40}
    usage["total_tokens"] += 40
    return put(document, _MESSAGE + "/reasoning_content", "Hm. [DONE]\n\ndata: [DONE]")


def _usual(document: Any) -> Any:
    """What other servers of this kind say beside."""
    data = document["data"]
    data |= {"object": "chat.completion", "system_fingerprint": None, "service_tier": "default"}
    data["choices"][0] |= {"logprobs": None, "stop_reason": None, "content_filter_results": {}}
    data["choices"][0]["message"] |= {"refusal": None, "annotations": [], "audio": None, "function_call": None}
    data["usage"] |= {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}
    return document | {"meta": {"request_id": data["_meta"]["request_id"]}, "error": None}


_MEMBERS: Final = (
    Variant(id="answers-widened", does="adds members to every object of its answers", change=each_answer(widened)),
    Variant(id="answers-of-the-usual-names", does="says what other servers say beside", change=each_answer(_usual)),
    Variant(
        id="answers-with-tool-calls-null", does="gives null for tool_calls without calls", change=_without_calls(None)
    ),
    Variant(
        id="answers-with-tool-calls-empty", does="gives [] for tool_calls without calls", change=_without_calls([])
    ),
    Variant(
        id="answers-with-thoughts", does="thinks in a member of its own, and counts it", change=each_answer(_thinks)
    ),
    Variant(
        id="answers-of-their-own-id",
        does="names its answers and requests in its own way",
        change=after(
            in_answers("/data/id", lambda old: f"№ {old[-9:]}"),
            in_answers("/data/choices/0/id", "c-0"),
        ),
    ),
    Variant(
        id="answers-of-two-replicas",
        does="is two replicas, one of which tells its fingerprint",
        change=one_in(2, in_answers("/data/system_fingerprint", "fp_1"), when=plain),
    ),
    Variant(
        id="answers-of-another-clock",
        does="has a clock that is two minutes fast",
        change=in_answers("/data/created", lambda seconds: seconds + 120),
    ),
)

_NUMBERS: Final = (
    Variant(
        id="latency-of-fractions",
        does="measures fractions of milliseconds",
        change=in_answers("/data/_meta/latency_ms", 0.125),
    ),
    Variant(
        id="latency-in-tenths",
        does="measures tenths of a second, rounded up",
        change=in_answers("/data/_meta/latency_ms", lambda old: (old // 100 + 1) * 100),
    ),
    Variant(id="latency-of-nothing", does="measures no time", change=in_answers("/data/_meta/latency_ms", 0)),
    Variant(
        id="numbers-with-a-point",
        does="writes whole numbers with a point",
        change=after(
            in_answers("/data/created", float),
            in_answers(_CHOICE + "/index", 0.0),
            *(in_answers(f"{_USAGE}/{name}_tokens", float) for name in ("prompt", "completion", "total")),
        ),
    ),
    Variant(id="numbers-with-an-exponent", does="writes the time with an exponent", change=_written(_exponential)),
    Variant(
        id="tokens-of-a-hidden-prompt",
        does="counts a prompt of its own before each conversation",
        change=_counted(lambda data: {"prompt_tokens": data["usage"]["prompt_tokens"] + 100}),
    ),
    Variant(id="tokens-of-the-end", does="counts the token that ends its turn", change=_counted(_with_the_end)),
    Variant(
        id="tokens-of-another-tokenizer",
        does="counts the words of the page's form otherwise than the reference model",
        change=_counted(lambda data: {"prompt_tokens": 2 * data["usage"]["prompt_tokens"] + 1}),
    ),
)

_TEXTS: Final = (
    Variant(
        id="json-indented",
        does="indents its JSON, with blank lines around it",
        change=_written(lambda document: "\r\n " + json.dumps(document, indent=3) + "\r\n\n"),
    ),
    Variant(
        id="json-indented-by-tabs",
        does="indents its JSON by tabs",
        change=_written(lambda document: json.dumps(document, indent="\t")),
    ),
    Variant(
        id="json-reversed",
        does="writes the members of its JSON in another order",
        change=_written(lambda document: json.dumps(_reversed(document))),
    ),
    Variant(
        id="json-raw",
        does="writes its JSON in raw UTF-8",
        change=_written(lambda document: json.dumps(document, ensure_ascii=False)),
    ),
    Variant(id="json-escaped", does="escapes every character of its JSON's strings", change=_written(_escaped)),
    Variant(
        id="json-slashes-escaped",
        does="escapes the slashes in its JSON",
        change=_written(lambda document: json.dumps(document).replace("/", "\\/")),
    ),
    Variant(
        id="json-with-charset",
        does="says the charset of its JSON",
        change=_media_type("application/json; charset=utf-8"),
    ),
    Variant(id="json-in-capitals", does="writes JSON's name in capitals", change=_media_type("Application/JSON")),
)

_CODINGS: Final = (
    Variant(
        id="json-in-gzip",
        does="packs its JSON with gzip, whatever was asked for",
        change=packed("application/json", "gzip", 31),
    ),
    Variant(
        id="json-in-x-gzip",
        does="packs its JSON with gzip, under its older name in capitals",
        change=packed("application/json", "X-GZIP", 31),
    ),
    Variant(
        id="json-in-deflate",
        does="packs its JSON with deflate",
        change=packed("application/json", "deflate", 15),
    ),
    Variant(
        id="json-in-identity", does="says that it packed nothing", change=with_field("Content-Encoding", "identity")
    ),
    Variant(
        id="json-without-length",
        does="does not say how long its JSON is",
        change=rewritten("application/json", lambda writes: writes),
    ),
    Variant(
        id="json-in-pieces",
        does="writes its JSON in pieces of seven bytes",
        change=rewritten("application/json", split(7)),
    ),
)

VARIANTS: Final = (*_MEMBERS, *_NUMBERS, *_TEXTS, *_CODINGS)
