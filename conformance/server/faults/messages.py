"""Servers that refuse, mend and fail over messages."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.server.changes import Asked, Change, When, after, failing, in_answers, mending, only, refusing
from conformance.server.deviation import Fault
from conformance.server.generation import Failure
from conformance.server.model import MINI

Message = Mapping[str, Any]
Which = Callable[[Message], bool]
CONTENT: Final = "/data/choices/0/message/content"
CRASH: Final = Failure(status=500, code="INTERNAL_ERROR", message="The server failed; the fault is not yours.")


def messages(asked: Asked) -> list[Message]:
    """The messages of a request that are objects."""
    found = asked.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def having_message(which: Which) -> When:
    """Requests with a message that `which` picks."""
    return lambda asked: any(map(which, messages(asked)))


def by(role: str) -> Which:
    """Messages of a role."""
    return lambda message: message.get("role") == role


def without(name: str, role: str) -> Which:
    """Messages of a role that lack a member."""
    return lambda message: message.get("role") == role and name not in message


def mended(which: Which, **members: str) -> Change:
    """Other members in the messages that `which` picks, before anything looks at them."""

    def mend(document: Any) -> Any:
        if not (isinstance(document, dict) and having_message(which)(document)):
            return document
        found = document["messages"]
        return {**document, "messages": [{**each, **members} if which(each) else each for each in found]}

    return mending(mend)


def _for_the_model(when: When) -> When:
    """Of the requests that `when` picks those for the model with every capability, and none for the others."""
    return lambda asked: asked.get("model") == MINI and when(asked)


def _later_system(asked: Asked) -> bool:
    return any(map(by("system"), messages(asked)[1:]))


def _no_system_first(asked: Asked) -> bool:
    return not any(map(by("system"), messages(asked)[:1]))


def _turns_after_system(asked: Asked) -> bool:
    return not _no_system_first(asked) and having_message(by("assistant"))(asked)


def _text_of_assistant(message: Message) -> bool:
    return message.get("role") == "assistant" and not message.get("tool_calls")


def _null(message: Message) -> bool:
    return "content" in message and message["content"] is None


def _empty(message: Message) -> bool:
    return message.get("content") == ""


def _parts_of_text(message: Message) -> bool:
    parts = message.get("content")
    return isinstance(parts, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in parts)


def _odd_role(message: Message) -> bool:
    return "role" in message and not isinstance(message["role"], str)


def _unknown_role(message: Message) -> bool:
    role = message.get("role")
    return isinstance(role, str) and role not in {"system", "user", "assistant", "tool"}


def _number(message: Message) -> bool:
    return isinstance(message.get("content"), int)


def _none(asked: Asked) -> bool:
    return asked.get("messages") == []


def _bare_string(asked: Asked) -> bool:
    found = asked.get("messages")
    return isinstance(found, list) and any(isinstance(message, str) for message in found)


def _from_strings(document: Any) -> Any:
    made = [{"role": "user", "content": each} if isinstance(each, str) else each for each in document["messages"]]
    return {**document, "messages": made}


def _begun(document: Any) -> Any:
    return {**document, "messages": [{"role": "user", "content": "Hello"}]}


ACCEPTED: Final = (
    Fault(
        id="message-system-refused",
        does="refuses every system message",
        change=refusing(having_message(by("system")), "messages"),
        red=(
            "messages.system-accepted",
            "messages.system-anywhere",
            "messages.history-accepted",
            "request.documented-example",
        ),
        says="; HTTP 422 VALIDATION_ERROR",
        unseen=("messages.system-obeyed", "messages.stateless"),
    ),
    Fault(
        id="message-system-refused-later",
        does="refuses a system message that is not the first",
        change=refusing(_later_system, "messages"),
        red=("messages.system-anywhere",),
        says="as for messages.recall; HTTP 422",
    ),
    Fault(
        id="message-system-demanded",
        does="has a model that answers no conversation without a system message at its head",
        change=refusing(_for_the_model(_no_system_first), "messages"),
        red=("messages.system-optional", "request.endpoint-answers"),
        says="which has one; HTTP 422",
        unseen=("",),
    ),
    Fault(
        id="message-user-refused",
        does="has a model that knows no role called user",
        change=refusing(_for_the_model(having_message(by("user"))), "messages"),
        red=("messages.user-accepted", "request.endpoint-answers"),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("",),
    ),
    Fault(
        id="message-assistant-text-refused",
        does="refuses an assistant's message without tool calls",
        change=refusing(having_message(_text_of_assistant), "messages"),
        red=("messages.assistant-accepted", "messages.history-accepted"),
        says="; HTTP 422 VALIDATION_ERROR",
        unseen=("messages.system-anywhere", "messages.history-", "messages.stateless"),
    ),
    Fault(
        id="message-history-after-system-refused",
        does="refuses an assistant's turns in a conversation that a system message begins",
        change=refusing(_turns_after_system, "messages"),
        red=("messages.history-accepted",),
        says="; HTTP 422 VALIDATION_ERROR",
    ),
    Fault(
        id="message-tool-refused",
        does="knows no role called tool",
        change=refusing(having_message(by("tool")), "messages"),
        red=("messages.tool-accepted", "tools.history-by-hand", "tools.echo-accepted"),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("tools.result-",),
    ),
    Fault(
        id="message-null-content-refused",
        does="refuses its own message of tool calls, since its content is null",
        change=refusing(having_message(_null), "messages"),
        red=("tools.echo-accepted", "tools.history-by-hand", "messages.tool-accepted"),
        says="HTTP 200; HTTP 422",
        unseen=("tools.result-",),
        wild=("F-TC-15",),
    ),
    Fault(
        id="message-empty-content-refused",
        does="puts empty content beside tool calls, and refuses it when it comes back",
        change=after(in_answers(CONTENT, lambda content: content or ""), refusing(having_message(_empty), "messages")),
        red=("tools.echo-accepted",),
        says="HTTP 200; HTTP 422",
        unseen=("tools.result-",),
        wild=("F-TC-15",),
    ),
    Fault(
        id="message-parts-refused",
        does="refuses content that is an array of texts",
        change=refusing(having_message(_parts_of_text), "messages"),
        red=("messages.parts-accepted",),
        says="; HTTP 422 VALIDATION_ERROR",
    ),
)

TAKEN: Final = tuple(
    Fault(id=name, does=does, change=change, red=(row,), says="HTTP 4xx for the mistake in the body; HTTP 200")
    for name, does, row, change in (
        (
            "message-tool-without-id-taken",
            "takes a tool's result that names no call",
            "messages.tool-call-id-required",
            mended(without("tool_call_id", "tool"), tool_call_id=""),
        ),
        (
            "message-without-role-taken",
            "takes a message without a role for the user's",
            "messages.role-required",
            mended(lambda message: "role" not in message, role="user"),
        ),
        (
            "message-of-odd-role-taken",
            "takes a message whose role is no string for the user's",
            "messages.role-type",
            mended(_odd_role, role="user"),
        ),
        (
            "message-of-unknown-role-taken",
            "takes a message of an unknown role for the user's",
            "messages.role-known",
            mended(_unknown_role, role="user"),
        ),
        (
            "message-without-content-taken",
            "takes a user's message without content for an empty one",
            "messages.content-required",
            mended(without("content", "user"), content=""),
        ),
        (
            "message-number-taken",
            "takes content that is a number for none",
            "messages.content-type",
            mended(_number, content=""),
        ),
        (
            "message-string-taken",
            "takes a bare string for the user's message",
            "messages.message-object",
            only(_bare_string, mending(_from_strings)),
        ),
        (
            "message-none-taken",
            "begins a conversation of no messages by itself",
            "messages.not-empty",
            only(_none, mending(_begun)),
        ),
    )
)

FAILING: Final = (
    *(
        Fault(
            id=name,
            does=does,
            change=only(when, failing(lambda _: CRASH)),
            red=("messages.never-5xx", row),
            says="HTTP 4xx; HTTP 500 INTERNAL_ERROR",
        )
        for name, does, row, when in (
            (
                "message-without-content-crashes",
                "fails over a user's message without content",
                "messages.content-required",
                having_message(without("content", "user")),
            ),
            (
                "message-of-unknown-role-crashes",
                "fails over a role that it does not know",
                "messages.role-known",
                having_message(_unknown_role),
            ),
            (
                "message-string-crashes",
                "fails over a message that is a bare string",
                "messages.message-object",
                _bare_string,
            ),
            (
                "message-none-crashes",
                "fails over a conversation of no messages",
                "messages.not-empty",
                _none,
            ),
        )
    ),
    Fault(
        id="message-tool-without-id-is-bad-gateway",
        does="lets its backend refuse a tool's result that names no call, and calls that a failure of the backend",
        change=only(
            having_message(without("tool_call_id", "tool")),
            failing(lambda failure: replace(failure, status=502, code="BACKEND_ERROR")),
        ),
        red=("messages.never-5xx", "messages.tool-call-id-required"),
        says="HTTP 4xx; HTTP 502 BACKEND_ERROR",
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*ACCEPTED, *TAKEN, *FAILING)
