"""Ways to write whole answers otherwise, from which the faults of their members are made."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final

from conformance import schema
from conformance.server.answers import Head
from conformance.server.app import Behaviour
from conformance.server.changes import Asked, Change, Reaction, in_answers, one_in, only, plain
from conformance.server.generation import Completion
from conformance.server.site import Arrival

WORDED: Final = (
    "messages.history-used",
    "messages.stateless",
    "messages.system-obeyed",
    "multimodal.image-",
    "parameters.stop-",
    "stream.text-intact",
    "stream.done-in-text",
    "tools.result-",
)
"""What needs the text of answers."""
UNREAD: Final = (
    *WORDED,
    "finish.",
    "messages.history-counted",
    "messages.parts-accepted",
    "parameters.max-tokens-",
    "parameters.metadata-same-shape",
    "response.",
    "tools.",
)
"""What needs answers that can be read."""


def member(pointer: str, value: Any) -> Change:
    """Another value in the completion of answers."""
    return in_answers(f"/data{pointer}", value)


def headed(edit: Callable[[Head], Head]) -> Change:
    """Another head of answers; the heads of streams stay."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def envelope(head: Head, completion: Completion) -> Mapping[str, Any]:
            return behaviour.envelope(edit(head), completion)

        return replace(behaviour, envelope=envelope)

    return lambda: react


def twice(change_for: Callable[[str], Change]) -> Change:
    """Answers with ids from two workers that drew the same numbers: each id comes twice in a row."""

    def change() -> Reaction:
        numbers = count()

        def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
            return change_for(f"{next(numbers) // 2:08x}")()(arrival, behaviour)

        return react

    return only(plain, change)


def bodies(edit: Callable[[bytes], bytes]) -> Change:
    """Other bytes in the place of a successful answer's; the `Content-Length` is theirs."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def body(document: Any) -> bytes:
            written = behaviour.body(document)
            failed = isinstance(document, Mapping) and document.get("status") == "error"
            return written if failed else edit(written)

        return replace(behaviour, body=body)

    return lambda: react


def now_and_then(*changes: Change) -> Change:
    """Changes for one in twelve of the requests that ask for one JSON answer and keep the schema."""
    return one_in(12, *changes, when=_sound, first=7)


def _sound(asked: Asked) -> bool:
    return plain(asked) and schema.is_valid("request.schema.json", asked)
