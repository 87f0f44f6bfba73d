"""Refusals that are odd and legal, and what a server may refuse or take where the page leaves it open."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any, Final

from conformance.document import at
from conformance.server.app import Behaviour
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    Reaction,
    after,
    answering,
    each_head,
    each_refusal,
    failing,
    in_refusals,
    only,
    put,
    refusing,
    replacing,
    streams,
    with_field,
)
from conformance.server.deviation import Variant
from conformance.server.generation import Detail, Failure
from conformance.server.site import Arrival, Site
from conformance.server.variants.chunks import widened
from conformance.server.variants.writing import field, without

_KNOWN: Final = {"model", "messages", "max_tokens", "temperature", "top_p", "stop", "seed", "stream"} | {
    "tools",
    "tool_choice",
    "metadata",
}
_DETAILS: Final = "/error/details"
_WAIT: Final = "/error/retry_after"
_UNNAMED: Final = ("errors.details-name-the-field", "parameters.generated-names-the-field")


def _coded(code: str) -> Callable[[Failure], bool]:
    return lambda failure: failure.code == code


def _answered_with(status: int, when: Callable[[Failure], bool]) -> Change:
    """Another status for some failures."""
    return failing(lambda failure: replace(failure, status=status) if when(failure) else failure)


def _in_messages(failure: Failure) -> bool:
    """Whether what is wrong is inside the messages."""
    return bool(failure.details) and all(detail.field.startswith("messages[") for detail in failure.details)


def _of_choice(failure: Failure) -> bool:
    return any(detail.field == "tool_choice" for detail in failure.details)


def _unreadable(failure: Failure) -> bool:
    return any(detail.field == "body" for detail in failure.details)


def _out_of_bounds(asked: Asked) -> bool:
    """Whether a number is one and out of its bounds."""
    limit, temperature, top_p = (asked.get(name) for name in ("max_tokens", "temperature", "top_p"))
    return (
        (isinstance(limit, int | float) and (limit < 1 or limit % 1 != 0))
        or (isinstance(temperature, int | float) and not 0 <= temperature <= 2)
        or (isinstance(top_p, int | float) and not 0 <= top_p <= 1)
    )


def _said(word: Callable[[Failure], str]) -> Change:
    """Other words for a person."""
    return failing(lambda failure: replace(failure, message=word(failure)))


def _at_fields(write: Callable[[str], str]) -> Change:
    """Other ways to say which member is wrong."""

    def renamed(detail: Detail) -> Detail:
        return replace(detail, field=write(detail.field))

    return failing(lambda failure: replace(failure, details=tuple(map(renamed, failure.details))))


def _in_waits(write: Callable[[float], float | None]) -> Change:
    """Other seconds to wait, in the body and the header."""
    return failing(
        lambda failure: (
            failure if failure.retry_after is None else replace(failure, retry_after=write(failure.retry_after))
        )
    )


def _dated(fields: dict[str, str], failure: Failure | None) -> dict[str, str]:
    """Retry-After as a date (RFC 9110, 10.2.3)."""
    if failure is None or failure.retry_after is None:
        return fields
    return fields | {"Retry-After": formatdate(time.time() + failure.retry_after, usegmt=True)}


def _without_wait(fields: dict[str, str], failure: Failure | None) -> dict[str, str]:
    backend = failure is not None and failure.code == "BACKEND_RATE_LIMITED"
    return {name: value for name, value in fields.items() if not (backend and name == "Retry-After")}


def _challenging(fields: dict[str, str], failure: Failure | None) -> dict[str, str]:
    """What RFC 9110, 11.6.1, wants beside a 401."""
    challenge = 'Bearer realm="api", error="invalid_token"'
    return fields | ({"WWW-Authenticate": challenge} if failure and failure.status == 401 else {})


def _bare_key_missing() -> Reaction:
    """A key without its scheme is no key."""

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        if " " in arrival.headers.get("authorization", " "):
            return behaviour
        bare = replace(arrival, headers={k: v for k, v in arrival.headers.items() if k != "authorization"})

        def key_of(_arrival: Arrival, site: Site) -> str:
            return behaviour.key_of(bare, site)

        return replace(behaviour, key_of=key_of)

    return react


def _with_the_id_in(name: str) -> Change:
    """The request id in another header field."""
    return answering(
        lambda answer: replace(answer, headers={**without(answer, "X-Request-Id"), name: field(answer, "X-Request-Id")})
    )


def _taken(arrival: Arrival, _site: Site) -> bytes:
    """The body, whatever it is called."""
    return arrival.body or b""


def _parts(asked: Asked, kind: str) -> list[Any]:
    messages = asked.get("messages")
    contents = [at(message, "/content") for message in (messages if isinstance(messages, list) else [])]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return [part for part in parts if at(part, "/type") == kind]


def _flat(*kinds: str) -> Change:
    """Parts that hold their payload beside their type, refused."""
    return refusing(lambda asked: any(kind not in part for kind in kinds for part in _parts(asked, kind)), "messages")


def _nested(*kinds: str) -> Change:
    """Parts that hold their payload under the name of their type, refused."""
    return refusing(lambda asked: any(kind in part for kind in kinds for part in _parts(asked, kind)), "messages")


def _images_at(scheme: str, **refusal: Any) -> Change:
    """Images by addresses of a scheme, refused."""

    def found(asked: Asked) -> bool:
        return any(str(at(part, "/image_url/url")).startswith(scheme) for part in _parts(asked, "image_url"))

    return refusing(found, "messages", **refusal)


_FORM: Final = (
    Variant(id="errors-without-details", does="gives no details", change=in_refusals(_DETAILS, GONE), unseen=_UNNAMED),
    Variant(
        id="errors-with-null-details",
        does="gives null for details",
        change=in_refusals(_DETAILS, None),
        unseen=_UNNAMED,
    ),
    Variant(
        id="errors-with-empty-details", does="gives empty details", change=in_refusals(_DETAILS, []), unseen=_UNNAMED
    ),
    Variant(
        id="errors-with-more-details",
        does="says more in each detail",
        change=in_refusals(
            _DETAILS,
            lambda rows: rows and [{**row, "type": "value_error", "loc": ["body", 0], "input": None} for row in rows],
        ),
    ),
    Variant(
        id="errors-by-pointers",
        does="points at the wrong member with a slash before it",
        change=_at_fields(lambda name: f"/{name}"),
    ),
    Variant(
        id="errors-by-whole-paths",
        does="gives the whole path of the wrong member",
        change=_at_fields(lambda name: f"body.{name}"),
    ),
    Variant(
        id="errors-widened",
        does="adds members to every object of its errors",
        change=each_refusal(lambda d, _: widened(d)),
    ),
    Variant(
        id="errors-of-problems",
        does="calls its errors problem+json, and says their charset",
        change=each_head(
            lambda fields, failure: (
                fields | ({"Content-Type": "application/problem+json; charset=utf-8"} if failure else {})
            )
        ),
    ),
    Variant(
        id="errors-with-null-data",
        does="gives null for data beside its errors, and more in meta",
        change=each_refusal(
            lambda document, _: put(document | {"data": None, "path": "/v1", "timestamp": 1}, "/meta/region", "x")
        ),
    ),
)

_WORDS: Final = (
    Variant(
        id="errors-in-german", does="words its errors in German", change=_said(lambda _: "Die Anfrage ist ungültig – ß")
    ),
    Variant(
        id="errors-in-many-lines",
        does="words its errors in many lines and 10,000 characters",
        change=_said(lambda failure: f"{failure.message}\n\t" + "Please look at the manual. \n" * 400),
    ),
    Variant(
        id="errors-of-files-and-panics",
        does="speaks of files and panics in its errors",
        change=_said(lambda failure: f"Don't panic at 12:30, see /usr/docs: {failure.code}."),
    ),
    Variant(
        id="errors-that-show-stars",
        does="shows a key behind stars of its own",
        change=_said(lambda failure: f"{failure.message} Key: sgk_5f" + "*" * 32 + "5f5f."),
    ),
    Variant(
        id="errors-that-quote-json",
        does="quotes JSON and an event stream in its errors",
        change=_said(lambda failure: json.dumps({"error": failure.message}) + "\n\ndata: [DONE]\n\n"),
    ),
)

_STATUS: Final = (
    Variant(
        id="errors-400-for-bounds",
        does="calls a number out of bounds a bad request",
        change=only(_out_of_bounds, failing(lambda failure: replace(failure, status=400))),
    ),
    Variant(
        id="errors-400-for-messages",
        does="calls a malformed message or part a bad request",
        change=_answered_with(400, _in_messages),
    ),
    Variant(
        id="errors-400-for-what-is-no-json",
        does="calls a body that it cannot read a bad request, with a code of its own",
        change=failing(
            lambda failure: replace(failure, status=400, code="MALFORMED_BODY") if _unreadable(failure) else failure
        ),
    ),
    Variant(
        id="errors-404-for-a-tool",
        does="has no such tool to choose",
        change=_answered_with(
            404, lambda failure: any(detail.field.startswith("tool_choice.function") for detail in failure.details)
        ),
    ),
    Variant(
        id="errors-400-for-a-choice",
        does="calls an unknown tool_choice a bad request",
        change=only(lambda asked: isinstance(asked.get("tool_choice"), str), _answered_with(400, _of_choice)),
    ),
)

_HEADERS: Final = (
    Variant(id="errors-with-a-challenge", does="says beside a 401 how to authenticate", change=each_head(_challenging)),
    Variant(id="key-bare-is-missing", does="calls a key without its scheme missing", change=_bare_key_missing),
    Variant(
        id="request-id-elsewhere", does="tells the request id in a field of its own", change=_with_the_id_in("Trace")
    ),
    Variant(
        id="request-id-twice",
        does="tells the request id in a second field too",
        change=answering(
            lambda answer: replace(answer, headers={**answer.headers, "CF-Request-Id": field(answer, "X-Request-Id")})
        ),
    ),
    Variant(
        id="request-id-not-on-streams",
        does="gives a stream no request id",
        change=only(streams, with_field("X-Request-Id", None)),
    ),
)

_WAITS: Final = (
    Variant(id="waits-of-fractions", does="asks to wait for two and a half seconds", change=_in_waits(lambda _: 2.5)),
    Variant(
        id="waits-rounded-up",
        does="rounds Retry-After up",
        change=in_refusals(_WAIT, 1.2, _coded("RATE_LIMITED")),
    ),
    Variant(
        id="waits-not-at-all",
        does="asks not to wait when its backend throttles",
        change=in_refusals(_WAIT, 0, _coded("BACKEND_RATE_LIMITED")),
    ),
    Variant(
        id="waits-of-null",
        does="gives null for retry_after where there is nothing to wait for",
        change=in_refusals(_WAIT, None, lambda failure: failure.retry_after is None),
    ),
    Variant(
        id="waits-for-others-too",
        does="asks to wait for a backend that was too slow, and for a model that is not there",
        change=failing(lambda failure: replace(failure, retry_after=3) if failure.status in (503, 504) else failure),
    ),
    Variant(
        id="waits-until-a-date",
        does="dates its Retry-After",
        change=each_head(_dated),
    ),
    Variant(id="waits-told-in-the-body", does="sends no Retry-After for the backend", change=each_head(_without_wait)),
    Variant(
        id="limits-without-meta",
        does="gives a request that it limits no request id",
        change=in_refusals("/meta", GONE, _coded("RATE_LIMITED")),
    ),
)

_OPEN: Final = (
    Variant(
        id="takes-no-unknown-member",
        does="refuses members that the page does not know",
        change=refusing(lambda asked: bool(set(asked) - _KNOWN), "body"),
    ),
    Variant(id="takes-any-label", does="takes a body of any label for JSON", change=replacing(body_of=_taken)),
    Variant(
        id="takes-no-empty-tools",
        does="takes an empty list of tools for a mistake",
        change=refusing(lambda asked: asked.get("tools") == [], "tools"),
    ),
    Variant(
        id="takes-nested-sounds",
        does="takes sounds only under the name of their type",
        change=_flat("audio_base64", "audio_url"),
    ),
    Variant(
        id="takes-flat-sounds", does="takes sounds only beside their type", change=_nested("audio_base64", "audio_url")
    ),
    Variant(
        id="takes-sounds-both-ways",
        does="takes inline sounds under the name of their type, and others beside it",
        change=after(_flat("audio_base64"), _nested("audio_url")),
    ),
    Variant(
        id="takes-nested-images",
        does="takes inline images only under the name of their type",
        change=_flat("image_base64"),
    ),
    Variant(
        id="takes-flat-images",
        does="takes inline images only beside their type",
        change=_nested("image_base64"),
        unseen=("multimodal.image-base64-large",),
    ),
    Variant(id="takes-no-distant-image", does="fetches no image", change=_images_at("https:")),
    Variant(
        id="takes-no-broken-image",
        does="fails to fetch an image that is not there",
        change=_images_at("https:", status=502, code="BACKEND_ERROR"),
    ),
    Variant(
        id="takes-no-image-in-a-url",
        does="wants images by an address that it can fetch",
        change=_images_at("data:"),
        unseen=("multimodal.detail-", "multimodal.image-forms-agree"),
    ),
)

VARIANTS: Final = (*_FORM, *_WORDS, *_STATUS, *_HEADERS, *_WAITS, *_OPEN)
