"""What came back: the head, the body, and the JSON document in it."""

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final

from conformance.document import MISSING, NotJson, at, parse, shown
from conformance.exchange import Ending, Exchange, Response
from conformance.reading.witness import OURS, Inconclusive, Unobservable, remembered

_LARGEST_INFLATED: Final = 64 * 1024 * 1024  # bytes; a small gzip body can hold gigabytes
_CHARSET: Final = re.compile(r';[ \t]*charset="?([^ \t;"]+)', re.IGNORECASE)


def head(exchange: Exchange) -> Response:
    """The head of the answer.

    Raises:
        Unobservable: no answer began; the reason says how the exchange ended.
        Inconclusive: we stopped waiting for it.
    """
    if exchange.response is None:
        reason = f"no answer: {exchange.ended.value}" + (f" ({exchange.detail})" if exchange.detail else "")
        raise Inconclusive(reason) if exchange.ended in OURS else Unobservable(reason)
    return exchange.response


def media_type(exchange: Exchange) -> str:
    """The answer's media type in lower case without parameters; empty where there is none (RFC 9110, 8.3)."""
    return (head(exchange).header("content-type") or "").partition(";")[0].strip().lower()


def charset(exchange: Exchange) -> str:
    """The charset that the answer's media type names; empty where it names none (RFC 9110, 8.3.1)."""
    found = _CHARSET.search(head(exchange).header("content-type") or "")
    return found[1] if found else ""


@remembered
def body(exchange: Exchange) -> bytes:
    """The answer's body with its content coding undone; byte spans count from here.

    Raises:
        Unobservable: no answer, or a coding that was not asked for and that we cannot undo.
    """
    coding = (head(exchange).header("content-encoding") or "identity").strip().lower()
    if coding == "identity":
        return exchange.body
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise Unobservable(f"the body is coded as {coding}, though identity was asked for")
    inflate = zlib.decompressobj(wbits=47 if "gzip" in coding else 15)
    try:
        data = inflate.decompress(exchange.body, _LARGEST_INFLATED)
    except zlib.error as error:
        raise Unobservable(f"the body is not the {coding} that its header names: {error}") from None
    if inflate.unconsumed_tail:
        raise Inconclusive(f"the body grows beyond {_LARGEST_INFLATED} bytes when its {coding} is undone")
    if inflate.unused_data:
        raise Unobservable(f"the body goes on after the end of its {coding}")
    return data


def succeeded(exchange: Exchange) -> Response:
    """The head of an answer that says the request was served (2xx).

    Raises:
        Unobservable: another status, or no answer.
    """
    response = head(exchange)
    if not 200 <= response.status < 300:
        raise Unobservable(f"answered {answer(exchange)}")
    return response


def refused(exchange: Exchange) -> Response:
    """The head of an answer that refuses the request (4xx or 5xx).

    Raises:
        Unobservable: another status, or no answer.
    """
    response = head(exchange)
    if response.status < 400:
        raise Unobservable(f"answered HTTP {response.status}, not an error")
    return response


@remembered
def error_document(exchange: Exchange) -> Any:
    """The JSON document of an error answer; `MISSING` where there is none to read.

    Raises:
        Unobservable: the answer is not an error, or there is none.
        Inconclusive: we stopped waiting for it.
    """
    refused(exchange)
    try:
        return parse(whole(exchange))
    except NotJson:
        return MISSING


def error_code(exchange: Exchange) -> str:
    """The `error.code` of an error answer; empty where there is none to read."""
    return _error_member(exchange, "code")


def error_message(exchange: Exchange) -> str:
    """The `error.message` of an error answer; empty where there is none to read."""
    return _error_member(exchange, "message")


def _error_member(exchange: Exchange, name: str) -> str:
    try:
        found = at(error_document(exchange), f"/error/{name}")
    except (Unobservable, Inconclusive):
        return ""
    return found if isinstance(found, str) else ""


def answer(exchange: Exchange) -> str:
    """The answer in a few words, for a violation or a reason: status, code and message.

    Raises:
        Unobservable: there was no answer.
        Inconclusive: we stopped waiting for it.
    """
    words = [f"HTTP {head(exchange).status}", error_code(exchange)]
    said = error_message(exchange)
    return " ".join(word for word in words if word) + (f": {shown(said)}" if said else "")


@remembered
def whole(exchange: Exchange) -> bytes:
    """The body of an answer that arrived to its end.

    Raises:
        Unobservable: the peer cut it off (a requirement of its own).
        Inconclusive: we cut it off: timeout, deadline, size, interruption.
    """
    data = body(exchange)
    if exchange.ended is Ending.COMPLETE:
        return data
    reason = f"the answer ended early after {len(data)} bytes: {exchange.ended.value}"
    raise Inconclusive(reason) if exchange.ended in OURS else Unobservable(reason)


@remembered
def document(exchange: Exchange) -> Any:
    """The JSON document of a successful, unstreamed answer.

    Raises:
        Unobservable: not a 2xx, not JSON (requirements of their own), or cut off.
        Inconclusive: cut off by us.
    """
    succeeded(exchange)
    try:
        return parse(whole(exchange))
    except NotJson as reason:
        raise Unobservable(f"the body is not JSON: {reason}") from None


ROOTS: Final[Mapping[str, str]] = {"native": "/data", "openai": ""}
"""Where the completion stands in a JSON answer, for each profile."""


@remembered
def completion(exchange: Exchange) -> Mapping[str, Any]:
    """The completion of an unstreamed answer: what stands in `data` (page: Response shape).

    Raises:
        Unobservable: as `document`, or there is no such object.
        Inconclusive: cut off by us.
    """
    root = ROOTS[exchange.profile]
    found = at(document(exchange), root)
    if not isinstance(found, Mapping):
        raise Unobservable(f"there is no object at {root or 'the top'}: {shown(found)}")
    return found


@remembered
def message(exchange: Exchange) -> Mapping[str, Any]:
    """The message of the first choice.

    Raises:
        Unobservable: as `completion`, or there is no such object.
        Inconclusive: cut off by us.
    """
    found = at(completion(exchange), "/choices/0/message")
    if not isinstance(found, Mapping):
        raise Unobservable(f"choices[0].message is {shown(found)}")
    return found
