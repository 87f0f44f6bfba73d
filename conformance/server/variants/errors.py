"""Errors that look as if they showed a key or a trace, or came from elsewhere, and are legal."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.server.changes import Asked, Change, each_refusal, failing, in_refusals, only, replacing, with_field
from conformance.server.deviation import Variant
from conformance.server.generation import Failure, Refused

_STARS: Final = "*" * 40


def _said(word: Callable[[Failure], str]) -> Change:
    """Other words for a person."""
    return failing(lambda failure: replace(failure, message=word(failure)))


def _routed(document: Any, failure: Failure) -> Any:
    """What a framework says of a request that reaches no endpoint."""
    words = {404: "Not Found", 405: "Method Not Allowed"}
    return {"detail": words[failure.status]} if failure.code in ("NOT_FOUND", "METHOD_NOT_ALLOWED") else document


def _of_the_holder(document: Any, _failure: Failure) -> Any:
    """Details that name what a missing member is missing from, as some validators do."""
    details = at(document, "/error/details")
    for row in details if isinstance(details, list) else []:
        if "missing" in row["message"] or "required" in row["message"]:
            row["field"] = row["field"].rpartition(".")[0] or "body"
    return document


def _unavailable(asked: Asked) -> bool:
    return "unavailable" in str(asked.get("model"))


def _draining(_document: Any) -> None:
    raise Refused(Failure(status=503, code="DRAINING", message="This server is about to go."))


VARIANTS: Final = (
    Variant(
        id="errors-that-mask-the-key",
        does="masks the whole key by itself in its errors",
        change=_said(lambda failure: f"{failure.message} (Authorization: Bearer {_STARS})"),
    ),
    Variant(
        id="errors-with-a-rule",
        does="draws a line of asterisks in its errors",
        change=_said(lambda failure: f"{failure.message}\n{_STARS}\nSee the manual."),
    ),
    Variant(id="headers-of-stars", does="sends a header of asterisks", change=with_field("X-Banner", _STARS)),
    Variant(
        id="errors-with-a-link",
        does="points to its documentation, which stands among sources",
        change=_said(
            lambda failure: (
                f"Don't panic: {failure.message}. See https://github.com/acme/app/blob/main/docs/errors.py for more."
            )
        ),
    ),
    Variant(
        id="errors-of-a-router",
        does="leaves a wrong path and a wrong method to its framework",
        change=each_refusal(_routed),
    ),
    Variant(
        id="errors-of-the-holder",
        does="names the body where a member is missing, and the member in the message",
        change=each_refusal(_of_the_holder),
    ),
    Variant(
        id="limits-with-null-meta",
        does="gives null for the meta of a request that it limits",
        change=in_refusals("/meta", None, lambda failure: failure.code == "RATE_LIMITED"),
    ),
    Variant(
        id="drains-at-a-trigger",
        does="is about to go when a model without a backend is asked for",
        change=only(_unavailable, replacing(keep_rules=_draining)),
        unseen=("errors.model-unavailable-code",),
    ),
)
