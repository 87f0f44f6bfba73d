"""What a client asked for, and what of it reached the scripted backend."""

import base64
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any, Final

from conformance.arrival import Arrival
from conformance.check import Violation, check, in_sequence, listed, of
from conformance.checks.delivery import reached
from conformance.checks.request import served
from conformance.document import MISSING, NotJson, at, is_number, parse, shown
from conformance.exchange import Exchange
from conformance.probes import scripted
from conformance.reading.answers import answer
from conformance.reading.requests import asked, scenario_of, sent
from conformance.reading.witness import Inconclusive, Unobservable

_FORWARDED: Final = (scripted.FORWARDED, scripted.FORWARDED_IN_STREAM)
_SENT: Final = (*_FORWARDED, scripted.ZEROS, scripted.HISTORY, scripted.TEXTS)
_CONVERSATIONS: Final = (scripted.TWO_CONVERSATIONS, scripted.TWO_STREAMS)
_IMAGES: Final = (scripted.IMAGE, scripted.IMAGE_IN_STREAM)
_LIMITS: Final = ("max_tokens", "max_completion_tokens")


def _received(arrival: Arrival) -> Any:
    """The document that reached the backend.

    Raises:
        Unobservable: it is not JSON.
    """
    try:
        return parse(arrival.body)
    except NotJson as reason:
        raise Unobservable(f"what reached the backend is no JSON: {reason}") from None


def _each(exchange: Exchange) -> Iterator[Any]:
    """The document of each request that the backend received; a gateway may ask again.

    Raises:
        Unobservable: none did.
    """
    reached(exchange)
    return (_received(arrival) for arrival in exchange.arrivals)


def _other(wanted: Any, found: Any, name: str) -> Iterator[Violation]:
    yield Violation(
        expected=f"{name} {shown(wanted)} at the backend, as sent", found=shown(found), where=f"request /{name}"
    )


@check("parameters.forwarded", when=of(*_SENT), probes=_SENT)
def forwarded(exchange: Exchange) -> Iterator[Violation]:
    """Temperature, top_p, stop, seed and tools reach the backend as sent, and no larger limit or other choice of tools.

    A gateway may leave out what says no more than the rest: the choice `auto`, tools that none of is to be called,
    those beside the one that is named. One stop sequence is the same as a list of it.
    """
    for document in _each(exchange):
        for name in ("temperature", "top_p", "seed", "stop"):
            if (wanted := asked(exchange, f"/{name}")) is not MISSING:
                found = at(document, f"/{name}")
                if _several(found) != _several(wanted):
                    yield from _other(wanted, found, name)
        yield from _other_tools(exchange, document)
        limits = [told for name in _LIMITS if is_number(told := at(document, f"/{name}"))]
        most = asked(exchange, "/max_tokens")
        if most is not MISSING and (not limits or min(limits) > most):
            yield from _other(most, limits[0] if limits else MISSING, "max_tokens")


def _several(value: Any) -> Any:
    """A text, which only a stop sequence is, as the list of it."""
    return [value] if isinstance(value, str) else value


def _other_tools(exchange: Exchange, document: Any) -> Iterator[Violation]:
    wanted, found = asked(exchange, "/tools"), at(document, "/tools")
    choice, chosen = asked(exchange, "/tool_choice"), at(document, "/tool_choice")
    one = [tool for tool in wanted if at(tool, "/function/name") == at(choice, "/function/name")]
    alone, none = bool(one) and _holds(found, one), choice == "none" and found in (MISSING, None, [])
    if not (alone or none or _holds(found, wanted)):
        yield from _other(wanted, found, "tools")
    if chosen != choice and not (
        (chosen in (MISSING, None) and (choice == "auto" or none)) or (chosen == "required" and alone)
    ):
        yield from _other(choice, chosen, "tool_choice")


def _holds(found: Any, wanted: Any) -> bool:
    """Whether a document holds all that another has; it may hold more members."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_holds(found.get(name, MISSING), item) for name, item in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(_holds, found, wanted))
    return bool(found == wanted)


@check("parameters.metadata-forwarded", when=of(*_FORWARDED), probes=_FORWARDED)
def metadata_forwarded(exchange: Exchange) -> Iterator[Violation]:
    """`metadata` reaches the backend with all that it holds, or none of it does: not every backend supports it."""
    wanted, told = asked(exchange, "/metadata"), [at(document, "/metadata") for document in _each(exchange)]
    came = [found for found in told if found not in (MISSING, None, {})]
    if not came:
        raise Unobservable("none of the metadata reached the backend, which the gateway may take for one without it")
    for found in came:
        if not _holds(found, wanted):
            yield from _other(wanted, found, "metadata")


@check("parameters.max-tokens-cap-sent", when=of(scripted.CAPPED), probes=(scripted.CAPPED,))
def max_tokens_cap_sent(exchange: Exchange) -> Iterator[Violation]:
    """A limit above the model's is at the backend no more than the model's."""
    most = asked(exchange, "/max_tokens") - 1
    for document in _each(exchange):
        limits = [told for name in _LIMITS if is_number(told := at(document, f"/{name}"))]
        if not limits or min(limits) > most:
            yield Violation(
                expected=f"a limit of {most} tokens or less at the backend",
                found=shown(limits[0]) if limits else "none",
                where="request /max_tokens",
            )


def _messages(document: Any) -> Sequence[Any]:
    found = at(document, "/messages")
    return found if isinstance(found, list) else ()


def _parts(message: Any) -> list[Any]:
    """What a message says, in parts; one of calls may say nothing, by null, an empty text or no member at all."""
    content = at(message, "/content")
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": "" if content is MISSING else content or ""}]


def _texts(message: Any) -> list[str]:
    """The texts of a message, each part by itself."""
    return [str(at(part, "/text")) for part in _parts(message)]


def _frame(message: Any) -> tuple[Any, ...]:
    """What a message is beside its text: its role, its calls, what it answers."""
    calls, role = at(message, "/tool_calls"), at(message, "/role")
    told = [
        (at(call, "/id"), at(call, "/function/name"), _arguments(at(call, "/function/arguments")))
        for call in (calls if isinstance(calls, list) else ())
    ]
    known = "system" if role == "developer" else role  # the newer name, which a backend may know it by
    return known, told, at(message, "/tool_call_id")


def _count(found: Any, wanted: Sequence[Any]) -> int:
    """How many of the messages that come next one at the backend is: one, or several of a role, joined.

    A system message may say more, since the gateway may write its own rules into it.
    """
    if any(at(part, "/type") != "text" for part in _parts(found)):
        return 0  # what was sent is text and nothing else
    role, *_ = frame = _frame(found)
    # Those with calls, and those that answer one, have no neighbour with the same.
    run = list(takewhile(lambda each: _frame(each) == frame, wanted))
    within = "\n".join(_texts(found))
    for count in range(len(run), 0, -1):
        pieces = [text for each in run[:count] for text in _texts(each)]
        if _in_order(pieces, within, more=role == "system"):
            return count
    return 0


def _in_order(texts: list[str], within: str, *, more: bool) -> bool:
    """Whether texts stand in another, with blanks between them at most, or with more around them where that may be."""
    if len(texts) < 2 and not more:
        return texts == [within]
    for text in filter(None, texts):
        before, found, within = within.partition(text)
        if not found or (before.strip() and not more):
            return False
    return more or not within.strip()


def _arguments(told: Any) -> Any:
    try:
        return parse(told) if isinstance(told, str) else told
    except NotJson:
        return told


def _missing(wanted: Sequence[Any], found: Sequence[Any]) -> Any:
    """The first message that does not follow in its place; `MISSING` where all do."""
    place = 0
    for message in found:
        place += _count(message, wanted[place:])
    return wanted[place] if place < len(wanted) else MISSING


@check("messages.forwarded", when=of(*_SENT), probes=_SENT)
def messages_forwarded(exchange: Exchange) -> Iterator[Violation]:
    """Every message reaches the backend, in its order; others may stand among them."""
    for document in _each(exchange):
        lost = _missing(asked(exchange, "/messages"), _messages(document))
        if lost is not MISSING:
            yield Violation(
                expected=f"the message {shown(lost)} at the backend, in its place",
                found=shown(at(document, "/messages")),
                where="request /messages",
            )


@check(
    "messages.nothing-carried-over",
    when=of(*_CONVERSATIONS),
    probes=_CONVERSATIONS,
    groups=in_sequence,
)
def nothing_carried_over(first: Exchange, second: Exchange) -> Iterator[Violation]:
    """What was said in one conversation does not reach the backend with the next."""
    reached(first)
    reached(second)
    if not any(scripted.WORD.encode() in arrival.body for arrival in first.arrivals):
        raise Unobservable("the first conversation did not reach the backend as it was")
    for arrival in second.arrivals:
        if scripted.WORD.encode() in arrival.body:
            yield Violation(
                expected="nothing of the conversation before",
                found=f"{shown(scripted.WORD)} at the backend",
                where="request /messages",
                on=second.id,
            )


@check("auth.key-not-forwarded", when=lambda exchange: scenario_of(exchange) is not None, probes=(scripted.BARE,))
def key_not_forwarded(exchange: Exchange) -> Iterator[Violation]:
    """The client's key is not among what the backend receives."""
    reached(exchange)
    if any(arrival.key_forwarded for arrival in exchange.arrivals):
        yield Violation(expected="a request without the client's key", found="the key at the backend", where="request")


@check("multimodal.image-proxied", when=of(*_IMAGES), probes=_IMAGES)
def image_proxied(exchange: Exchange) -> Iterator[Violation]:
    """Each base64 image reaches the backend as an address that serves it; the proxy may write it anew."""
    if not served(exchange) and not exchange.arrivals:
        raise Unobservable(f"the model takes no such image: {answer(exchange)}")
    reached(exchange)
    images = list(_images(sent(exchange)))
    for arrival in exchange.arrivals:
        addresses = list(_addresses(_received(arrival)))[-len(images) :]  # others may stand before them
        if len(addresses) != len(images) or not all(each.startswith(("http://", "https://")) for each in addresses):
            yield Violation(
                expected=f"an address of each of {len(images)} images at the backend",
                found=shown(addresses) if addresses else "no image",
                where="request /messages",
            )
            continue
        for address, image in zip(addresses, images, strict=True):
            fetch = next((each for each in arrival.fetches if each.url == address), None)
            if fetch is None or not fetch.status:
                why = fetch.detail if fetch else "it did not try"
                raise Inconclusive(f"the backend could not fetch the image: {why}")
            another = fetch.body != image and (fetch.body in images or not is_whole(fetch.body))
            if fetch.status != 200 or another:
                yield Violation(
                    expected="the image, whole, at its address",
                    found=f"HTTP {fetch.status} with {len(fetch.body)} bytes",
                    where="request /messages",
                )


def is_whole(data: bytes) -> bool:
    """Whether bytes begin and end as an image does in the forms that the web knows: PNG, JPEG, GIF, WebP, AVIF."""
    if data.startswith(b"RIFF"):
        return data[8:12] == b"WEBP" and int.from_bytes(data[4:8], "little") + 8 <= len(data)
    ends = {b"\x89PNG": b"IEND", b"\xff\xd8\xff": b"\xff\xd9", b"GIF8": b";"}
    return data[4:8] == b"ftyp" or any(data.startswith(head) and end in data[-32:] for head, end in ends.items())


def _addresses(document: Any) -> Iterator[str]:
    for message in _messages(document):
        for part in _parts(message):
            if isinstance(url := at(part, "/image_url/url"), str):
                yield url


def _images(document: Any) -> Iterator[bytes]:
    for message in _messages(document):
        for part in _parts(message):
            if isinstance(data := at(part, "/image_base64/data"), str):
                yield base64.b64decode(data)


CHECKS: Final = listed(globals())
