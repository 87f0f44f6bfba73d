"""How to bring about each failure that the pages document, as data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from conformance.server.generation import ChatRequest, Failure, Finish, Service, Step, Steps, Text

_SAID: Final = tuple(Text(text=piece) for piece in ("This", " answer", " breaks", " off"))


class PlannedCrash(RuntimeError):
    """The fault of our own that the trigger `internal_error` is there to show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A behaviour and what brings it about: members merged into the body of a request, or another key."""

    name: str
    outcome: str
    """What a client then sees, for a person."""
    slug: str = ""
    key: str = ""
    """What the key must be; empty for any."""
    steps: tuple[Step, ...] = ()
    """What the trigger's model says instead of an answer; none for a crash, or where no model is involved."""

    @property
    def body(self) -> Mapping[str, str]:
        """The members to merge into a request, as in a target file; none where the key does it."""
        return MappingProxyType({"model": self.slug} if self.slug else {})


def triggers() -> tuple[Trigger, ...]:
    """Every failure that the server can be made to show, in the order of the page on error codes."""
    return _TRIGGERS


def trigger_services() -> tuple[Service, ...]:
    """What answers to the slugs of the triggers; the list of models does not show it."""
    return tuple(
        Service(slug=trigger.slug, display_name=trigger.name, steps=_played(trigger), listed=False)
        for trigger in _TRIGGERS
        if trigger.slug
    )


def _played(trigger: Trigger) -> Callable[[ChatRequest], Steps]:
    async def steps(_request: ChatRequest) -> Steps:
        if not trigger.steps:
            raise PlannedCrash(trigger.name)
        for step in trigger.steps:
            yield step

    return steps


def _failing(name: str, slug: str, failure: Failure) -> Trigger:
    wait = "" if failure.retry_after is None else f", retry_after {failure.retry_after:g}"
    return Trigger(
        name=name,
        slug=f"reference/{slug}",
        outcome=f"{failure.status} {failure.code}{wait}",
        steps=(failure,),
    )


_TRIGGERS: Final = (
    Trigger(
        name="permission_denied",
        outcome="403 AUTHZ_PERMISSION_DENIED",
        key="one of the server's viewer keys",
    ),
    _failing(
        "model_access_denied",
        "not-for-you",
        Failure(status=403, code="MODEL_ACCESS_DENIED", message="This model is not enabled for your tenant."),
    ),
    _failing(
        "model_unavailable",
        "unavailable",
        Failure(status=503, code="MODEL_UNAVAILABLE", message="No backend of this model is healthy."),
    ),
    _failing(
        "backend_error",
        "backend-error",
        Failure(status=502, code="BACKEND_ERROR", message="The backend answered with an error."),
    ),
    _failing(
        "backend_timeout",
        "backend-timeout",
        Failure(status=504, code="BACKEND_TIMEOUT", message="The backend took too long."),
    ),
    _failing(
        "backend_rate_limited",
        "backend-rate-limited",
        Failure(status=429, code="BACKEND_RATE_LIMITED", message="The backend asks for fewer requests.", retry_after=2),
    ),
    _failing(
        "shape_mismatch",
        "shape-mismatch",
        Failure(status=502, code="UPSTREAM_SHAPE_MISMATCH", message="The backend's answer could not be read."),
    ),
    _failing(
        "rate_limited",
        "rate-limited",
        Failure(status=429, code="RATE_LIMITED", message="Too many requests; wait and try again.", retry_after=2),
    ),
    _failing(
        "budget_exceeded",
        "over-budget",
        Failure(status=429, code="BUDGET_EXCEEDED", message="The budget of this period is spent."),
    ),
    _failing(
        "quota_exceeded",
        "over-quota",
        Failure(status=429, code="QUOTA_EXCEEDED", message="The quota of this tenant is used up."),
    ),
    Trigger(name="internal_error", slug="reference/crashes", outcome="500 INTERNAL_ERROR"),
    Trigger(
        name="content_filter",
        slug="reference/filtered",
        outcome="200 with finish_reason content_filter, streamed or not",
        steps=(Text(text="I"), Text(text=" would"), Text(text=" say"), Finish(reason="content_filter")),
    ),
    Trigger(
        name="mid_stream_error",
        slug="reference/dies-mid-stream",
        outcome="streamed: a few chunks, an error event BACKEND_ERROR, [DONE]; not streamed: 502 BACKEND_ERROR",
        steps=(
            *_SAID,
            Failure(status=502, code="BACKEND_ERROR", message="The backend broke off in the middle of its answer."),
        ),
    ),
)
