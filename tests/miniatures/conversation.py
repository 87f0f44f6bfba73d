"""Servers that get roles, turns and histories wrong, and models that do as they like with them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Exchange
from conformance.probes import messages, multimodal, tools
from conformance.server.changes import put
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told, declined
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    When,
    after,
    asking,
    content,
    on,
    refused,
    rewritten,
    with_blocks,
    with_json,
    with_nth,
    with_status,
)

CONTENT: Final = "/data/choices/0/message/content"
SYSTEM: Final = asking(messages.SYSTEM.name)
LATER: Final = asking(messages.SYSTEM_LATER.name)
PART: Final = asking(messages.TEXT_PART.name)
RECALL: Final = asking(messages.RECALL.name)
PLAINLY: Final = asking(messages.APART[0].name)
STREAMED: Final = asking(messages.APART[1].name)
FIRST, SECOND = messages.MARKERS
KEPT: Final = messages.UNLIKELY[::-1]

ACCEPTED: Final[Mapping[str, str]] = {
    "messages.system-accepted": messages.SYSTEM.name,
    "messages.system-anywhere": messages.SYSTEM_LATER.name,
    "messages.history-accepted": messages.HISTORY.name,
    "messages.assistant-accepted": messages.RECALL.name,
    "messages.parts-accepted": messages.TEXT_PART.name,
}

REFUSED: Final[Mapping[str, str]] = {
    "messages.tool-call-id-required": messages.TOOL_WITHOUT_ID.name,
    "messages.role-required": messages.NO_ROLE.name,
    "messages.role-type": messages.ROLE_NUMBER.name,
    "messages.role-known": messages.ROLE_UNKNOWN.name,
    "messages.content-required": messages.NO_CONTENT.name,
    "messages.content-type": messages.CONTENT_NUMBER.name,
    "messages.message-object": messages.STRING_MESSAGE.name,
    "messages.not-empty": messages.NO_MESSAGE.name,
}
# What a refused conversation no longer shows.
_HIDDEN: Final[Mapping[str, tuple[str, ...]]] = {
    "messages.system-accepted": ("messages.system-obeyed",),
    "messages.assistant-accepted": ("messages.history-counted",),
}


def declined_as(when: When, status: int, code: str) -> Change:
    """Refuse some exchanges in the envelope, with a status and a code."""
    return declined(when, with_status(status), with_json("/error/code", code))


def wrongly_refused(
    requirement: str, *probes: str, red: tuple[str, ...] = (), unseen: tuple[str, ...] = ()
) -> tuple[Miniature, ...]:
    """The probes refused as a mistake, as too much, and a failure over them."""
    return tuple(
        faulty(
            f"{does} {', '.join(probes)}",
            declined_as(asking(*probes), status, code),
            requirement,
            *red,
            says=f"; HTTP {status} {code}",
            unseen=unseen,
        )
        for does, status, code in (
            ("refuses", 422, "VALIDATION_ERROR"),
            ("has no room for", 413, "PAYLOAD_TOO_LARGE"),
            ("breaks over", 500, "INTERNAL_ERROR"),
        )
    )


def wrongly_served(
    requirement: str, probe: str, *never_5xx: str, served: Change | None = None
) -> tuple[Miniature, ...]:
    """The probe served, failed over, and refused for the sake of a key that is good."""
    wanted = "status: HTTP 4xx for the mistake in the body; HTTP "
    return (
        faulty(f"takes {probe}", served or as_told("parameters.seed", asking(probe)), requirement, says=wanted + "200"),
        faulty(
            f"breaks over {probe}",
            declined_as(asking(probe), 500, "INTERNAL_ERROR"),
            requirement,
            *never_5xx,
            says=wanted + "500 INTERNAL_ERROR",
        ),
        faulty(
            f"asks for another key over {probe}",
            declined_as(asking(probe), 401, "AUTH_TOKEN_INVALID"),
            requirement,
            says=wanted + "401",
        ),
    )


def second(probe: str) -> When:
    """The second exchange of a probe."""
    return lambda exchange: exchange.probe == probe and exchange.step == 1


def says(when: When, text: str | Callable[[str], str]) -> Change:
    """Another text in some unstreamed answers."""
    return on(when, with_json(CONTENT, text))


def streams(when: When, text: str) -> Change:
    """Another text in some streams, all of it in their second chunk."""

    def one(exchange: Exchange) -> Exchange:
        silent = with_blocks(lambda blocks: [block for block in blocks if not content(block.document or _NO_TEXT)])
        return with_nth(0, lambda chunk: put(chunk, "/choices/0/delta/content", text))(silent(exchange))

    return on(when, one)


_NO_TEXT: Final[dict[str, Any]] = {"choices": [{"delta": {}}]}


def reads(prompt: int) -> Any:
    """An answer to a prompt of so many tokens."""

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        return put(
            put(document, "/data/usage/total_tokens", prompt + usage["completion_tokens"]),
            "/data/usage/prompt_tokens",
            prompt,
        )

    return rewritten(change)


def told_in_a_stream(exchange: Exchange) -> bool:
    """The stream that was told the secret word."""
    return exchange.probe == messages.STREAMED.name and exchange.step == 0


USED: Final = ("plain.greeting", messages.SYSTEM.name)
"""The shortest conversations with a user."""
MEDIA: Final = tuple(probe.name for probe in multimodal.PROBES)
ALONE: Final = 220
"""Prompt tokens of the question about the secret word, asked without the turns that tell it."""
TURNED: Final = 242
"""Prompt tokens of the same question with all its turns."""
GREETING: Final = 9
"""Prompt tokens of the plain question."""

ROLES: Final = (
    *(
        faulty(
            name,
            declined_as(asking(*probes), status, code),
            requirement,
            "request.endpoint-answers",
            says=f"status: HTTP 200{wanted[requirement]}; HTTP {status} {code}",
            unseen=("",),
        )
        for wanted in [
            {
                "messages.user-accepted": " for one of the forms",
                "messages.system-optional": ", as for messages.system, which has one",
            }
        ]
        for requirement, name, probes, status, code in (
            ("messages.user-accepted", "knows no user", USED, 422, "VALIDATION_ERROR"),
            ("messages.user-accepted", "breaks over a user", USED, 500, "INTERNAL_ERROR"),
            ("messages.user-accepted", "knows no user, whatever is shown", (*USED, *MEDIA), 422, "VALIDATION_ERROR"),
            ("messages.system-optional", "wants a system message", USED[:1], 422, "VALIDATION_ERROR"),
            ("messages.system-optional", "breaks for want of a system message", USED[:1], 500, "INTERNAL_ERROR"),
        )
    ),
    faulty(
        "forgets the system message",
        after(says(SYSTEM, "OK"), on(SYSTEM, reads(GREETING))),
        "messages.system-obeyed",
        says='or at least more prompt tokens than plain.documented, which is shorter; "OK"; 9',
    ),
    faulty(
        "puts the system message in the place of the question",
        after(says(SYSTEM, "How can I help?"), on(SYSTEM, reads(7))),
        "messages.system-obeyed",
        says="7 prompt tokens against 23",
    ),
    faulty(
        "reads only the system message that comes first",
        after(says(LATER, messages.UNLIKELY), on(LATER, reads(TURNED))),
        "messages.system-obeyed",
        says=f'"{messages.UNLIKELY}"; {TURNED} prompt tokens against {TURNED}',
    ),
    faulty(
        "loses the text of a part",
        after(says(PART, "How can I help?"), on(PART, reads(4))),
        "messages.parts-accepted",
        says=f'as many prompt tokens as for plain.greeting: {GREETING}; "How can I help?"; 4 prompt tokens',
    ),
)

TURNS: Final = (
    faulty(
        "sends only the last turn",
        after(says(RECALL, "unknown"), on(RECALL, reads(ALONE))),
        "messages.history-used",
        "messages.history-counted",
        says=f'"{messages.UNLIKELY}" in the answer, or at least more prompt tokens than messages.stateless/2,',
    ),
    faulty(
        "sends only the first turn",
        after(says(RECALL, "I will."), on(RECALL, reads(14))),
        "messages.history-used",
        "messages.history-counted",
        says=f"14 prompt tokens against {ALONE}",
    ),
    faulty(
        "sends only the last turn of a stream",
        streams(told_in_a_stream, "Unknown."),
        "messages.history-used",
        says=f'"{messages.UNLIKELY}", as in messages.recall; "Unknown."',
    ),
    faulty(
        "loses the turns before a stream's last",
        streams(told_in_a_stream, "I haven't been told a secret word."),
        "messages.history-used",
        says="been told a secret word",
    ),
    faulty(
        "counts only the last turn",
        on(RECALL, reads(ALONE)),
        "messages.history-counted",
        says=f"/data/usage/prompt_tokens: more than {ALONE} prompt tokens; {ALONE}",
    ),
    faulty(
        "counts every prompt as one token",
        on(asking(messages.RECALL.name, messages.STATELESS.name), reads(1)),
        "messages.history-counted",
        says="more than 1 prompt tokens; 1",
    ),
    faulty(
        "keeps the word of another request",
        says(second(messages.STATELESS.name), KEPT),
        "messages.stateless",
        says=f'no word of another conversation; "{KEPT}"',
    ),
    faulty(
        "tells the word of yet another conversation",
        says(second(messages.STATELESS.name), messages.UNLIKELY),
        "messages.stateless",
        says=f'no word of another conversation; "{messages.UNLIKELY}"',
    ),
    faulty(
        "tells a stream the word of another",
        streams(second(messages.STREAMED.name), f"It is {messages.UNLIKELY}."),
        "messages.stateless",
        says=f'no word of another conversation; "It is {messages.UNLIKELY}."',
    ),
    faulty(
        "obeys the system message of another conversation",
        says(second(messages.STATELESS.name), f"{messages.SYSTEM_WORD} unknown"),
        "messages.stateless",
        says=f'no word of another conversation; "{messages.SYSTEM_WORD} unknown"',
    ),
    faulty(
        "keeps the history of a key",
        after(
            says(second(messages.STATELESS.name), f"You told me: it is {KEPT.upper()}."),
            on(second(messages.STATELESS.name), reads(40)),
        ),
        "messages.stateless",
        says=f"it is {KEPT.upper()}",
    ),
)

CROSSED: Final = (
    faulty(
        "gives two clients each the other's answer",
        after(says(PLAINLY, SECOND), streams(STREAMED, FIRST)),
        "messages.answers-not-crossed",
        says=f'"{FIRST}"; "{SECOND}"',
    ),
    faulty(
        "mixes another client's stream into an answer",
        streams(STREAMED, f"peri{FIRST}scope"),
        "messages.answers-not-crossed",
        says=f'"{SECOND}"; "peri{FIRST}scope"',
    ),
    faulty(
        "answers from a cache that does not look at the question",
        says(PLAINLY, "first lantern\n\ndata: [DONE]\n\nlast lantern"),
        "messages.answers-not-crossed",
        says=f'"{FIRST}"; "first lantern',
    ),
    faulty(
        "appends the answer before",
        says(PLAINLY, lambda said: f"Zürich 東京 🎈 naïve {said}"),
        "messages.answers-not-crossed",
        says=f"naïve {FIRST}",
    ),
)

FAILING: Final = (
    faulty(
        "breaks over every malformed message",
        declined_as(asking(*REFUSED.values()), 500, "INTERNAL_ERROR"),
        "messages.never-5xx",
        *REFUSED,
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
    ),
    faulty(
        "passes a backend's failure over a malformed message on",
        declined_as(asking(messages.NO_CONTENT.name), 502, "BACKEND_ERROR"),
        "messages.never-5xx",
        "messages.content-required",
        says="status: HTTP 4xx; HTTP 502 BACKEND_ERROR",
    ),
    faulty(
        "takes whatever stands in messages",
        after(*(as_told("parameters.seed", asking(probe)) for probe in REFUSED.values())),
        *REFUSED,
        says="HTTP 200",
    ),
)


def _brings_a_result(exchange: Exchange) -> bool:
    return b'"role":"tool"' in exchange.request.body and exchange.probe != messages.TOOL_WITHOUT_ID.name


MINIATURES: Final = (
    *ROLES,
    *TURNS,
    *CROSSED,
    *FAILING,
    *(each for row, probe in ACCEPTED.items() for each in wrongly_refused(row, probe, unseen=_HIDDEN.get(row, ()))),
    *wrongly_refused("tools.history-by-hand", tools.BY_HAND.name),
    faulty(
        "knows no role called tool",
        declined_as(_brings_a_result, 422, "VALIDATION_ERROR"),
        "messages.tool-accepted",
        "tools.history-by-hand",
        "tools.echo-accepted",
        says="status: HTTP 200 for one of the forms; HTTP 422",
        unseen=("tools.result-",),
    ),
    *(each for row, probe in REFUSED.items() for each in wrongly_served(row, probe, "messages.never-5xx")),
)


def _throttled(when: When) -> Change:
    """A 429 first, and the answer at the second try."""

    def change(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
        found: list[Exchange] = []
        for exchange in exchanges:
            if when(exchange):
                found += [replace(refused(429, "RATE_LIMITED")(exchange), retried=True), replace(exchange, attempt=2)]
            else:
                found.append(exchange)
        return tuple(found)

    return change


APART: Final = asking(*(probe.name for probe in messages.APART))
MISTAKES: Final = asking(*REFUSED.values())

VARIANTS: Final[tuple[Variant, ...]] = (
    odd("reads the system message and does as it likes", says(SYSTEM, "OK"), "messages.system-obeyed"),
    odd("writes the system message's word in small letters", says(SYSTEM, "brackwater: OK")),
    odd("does the system message's bidding at the end", says(SYSTEM, "OK, and Brackwater.")),
    odd("obeys a system message that it does not count", on(SYSTEM, reads(GREETING))),
    odd("reads a later system message and does as it likes", says(LATER, messages.UNLIKELY)),
    odd("obeys a later system message that it does not count", on(LATER, reads(TURNED))),
    odd("reads a part and does as it likes", says(PART, "Good morning.")),
    odd("repeats a part that it does not count", on(PART, reads(4))),
    odd("reads the history and says that it was not told", says(RECALL, "unknown")),
    odd("keeps the secret to itself", says(RECALL, "I must not tell it.")),
    odd("keeps the secret to itself in a stream", streams(told_in_a_stream, "I must not tell it.")),
    odd("tells the secret in a stream in small letters", streams(told_in_a_stream, messages.UNLIKELY.lower())),
    odd("says nothing in a stream of what it was told", streams(told_in_a_stream, "")),
    odd(
        "forgets what it was told, streamed or not",
        after(says(RECALL, "unknown"), streams(told_in_a_stream, "unknown")),
        "messages.history-used",
    ),
    odd(
        "has a system message of its own for who sends none, and does as it likes",
        after(
            says(SYSTEM, "OK"),
            says(LATER, messages.UNLIKELY),
            on(asking("plain.greeting"), reads(GREETING + 100)),
            on(RECALL, reads(TURNED + 100)),
        ),
        "messages.system-obeyed",
    ),
    odd("tells the secret in a sentence", says(RECALL, f"It is **{messages.UNLIKELY.upper()}**, you said.")),
    odd("says nothing of what it was told", says(RECALL, "")),
    odd("guesses a word", says(second(messages.STATELESS.name), "Perhaps swordfish?")),
    odd("says unknown", says(second(messages.STATELESS.name), "unknown")),
    odd("says nothing when it was not told", says(second(messages.STATELESS.name), "")),
    odd(
        "repeats a word in a sentence", after(says(PLAINLY, f"Sure: {FIRST}!"), streams(STREAMED, f" {SECOND.upper()}"))
    ),
    odd("repeats no word", after(says(PLAINLY, "I would rather not."), streams(STREAMED, "No."))),
    odd("says nothing where a word is wanted", after(says(PLAINLY, ""), streams(STREAMED, ""))),
    odd("translates in its own way", says(asking(messages.HISTORY.name), "Bonne soirée !")),
    odd("refuses malformed messages with 400", on(MISTAKES, with_status(400))),
    odd("throttles malformed messages", _throttled(MISTAKES)),
    odd("throttles requests that are sent at once", _throttled(APART)),
)
