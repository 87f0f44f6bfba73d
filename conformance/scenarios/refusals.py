"""A backend that refuses or fails with an HTTP status, before it says anything."""

from typing import Any, Final

from conformance.scenario import Fate, Manner, Scenario, Script
from conformance.scenarios.deaths import FAILED
from conformance.scenarios.writing import document

RETRY_AFTER: Final = 1
"""Seconds."""
_THROTTLED: Final = frozenset({"BACKEND_RATE_LIMITED", "MODEL_UNAVAILABLE"})


def _refusing(  # noqa: PLR0913  # each is one thing that a refusal may have otherwise
    name: str,
    does: str,
    status: int,
    *,
    codes: frozenset[str] = FAILED,
    body: Any = None,
    headers: tuple[tuple[str, str], ...] = (),
    media_type: str = "application/json",
) -> Scenario:
    error = {"error": {"message": f"refused by the scenario {name}", "type": "scripted", "param": None, "code": None}}
    made = document(error if body is None else body, status=status, headers=headers)
    script = Script(
        status=status, media_type=media_type, headers=headers, sized=True, writes=made.writes, ends=Manner.END
    )
    return Scenario(name=name, does=does, fate=Fate.TOLD, streamed=script, whole=script, codes=codes)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    _refusing("http-400", "finds the request wrong (400)", 400, codes=FAILED | {"VALIDATION_ERROR"}),
    _refusing("http-401", "does not know the gateway's key (401)", 401),
    _refusing("http-402", "says that the gateway has not paid (402)", 402),
    _refusing("http-403", "does not let the gateway in (403)", 403),
    _refusing("http-404", "does not know the model (404)", 404),
    _refusing("http-429", "throttles (429) and does not say how long", 429, codes=_THROTTLED),
    _refusing(
        "http-429-retry-after",
        "throttles (429) and says how many seconds",
        429,
        codes=_THROTTLED,
        headers=(("Retry-After", str(RETRY_AFTER)),),
    ),
    _refusing(
        "http-429-page",
        "throttles (429) with a page of HTML",
        429,
        codes=_THROTTLED,
        body=b"<h1>429 Too Many Requests</h1>",
        media_type="text/html",
    ),
    _refusing("http-500", "fails (500)", 500),
    _refusing(
        "http-500-page",
        "fails (500) with a page of HTML",
        500,
        body=b"<h1>Internal Server Error</h1>",
        media_type="text/html",
    ),
    _refusing("http-500-empty", "fails (500) with an empty body", 500, body=b""),
    _refusing("http-502", "is itself behind something that fails (502)", 502),
    _refusing("http-503", "is not available (503)", 503),
    _refusing("http-504", "is itself behind something that is too slow (504)", 504),
    _refusing("http-529", "is overloaded (529, no status of HTTP's registry)", 529, codes=FAILED | _THROTTLED),
    _refusing("http-302", "points elsewhere (302)", 302, headers=(("Location", "/elsewhere"),)),
)
