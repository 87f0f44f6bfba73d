"""Servers that take tools, choices and results wrongly."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.document import at
from conformance.server.app import Behaviour
from conformance.server.changes import (
    Asked,
    Change,
    Reaction,
    after,
    asking,
    each_answer,
    mending,
    only,
    put,
    refusing,
    streams,
)
from conformance.server.deviation import Fault
from conformance.server.generation import ChatRequest, Service
from conformance.server.site import Arrival

MESSAGE: Final = "/data/choices/0/message"
CALLS: Final = MESSAGE + "/tool_calls"
FIRST: Final = CALLS + "/0"
SECOND: Final = CALLS + "/1"
NAME: Final = "/function/name"
ARGUMENTS: Final = "/function/arguments"
ROUND: Final = ("tools.echo-accepted", "tools.result-answered", "tools.result-used")
"""What is seen of the second request, which brings the call and its result back."""


def choice(asked: Asked) -> Any:
    """The `tool_choice` of a request; nothing where it has none."""
    return asked.get("tool_choice")


def declared(asked: Asked) -> list[Any]:
    """The names of the functions that a request declares."""
    tools = asked.get("tools")
    return [at(tool, NAME) for tool in tools] if isinstance(tools, list) else []


def _unchosen(asked: Asked) -> bool:
    """Tools, and no word on which to call."""
    return bool(asked.get("tools")) and "tool_choice" not in asked


def _undeclared(asked: Asked) -> bool:
    """A function chosen that is not declared."""
    name = at(choice(asked), NAME)
    return isinstance(name, str) and bool(declared(asked)) and name not in declared(asked)


def _alone(asked: Asked) -> bool:
    """A call required, and no tool to call."""
    return choice(asked) == "required" and not asked.get("tools")


def messages(asked: Asked) -> list[Any]:
    """The messages of a request; none where they are no list."""
    found = asked.get("messages")
    return found if isinstance(found, list) else []


def _bringing(asked: Asked) -> bool:
    """A tool's result, brought under the id of a call."""
    last = at(messages(asked), f"/{len(messages(asked)) - 1}")
    return at(last, "/role") == "tool" and isinstance(at(last, "/tool_call_id"), str)


def _calls_with(asked: Asked, *, content: Any) -> bool:
    """A history in which a message with calls has this content."""
    return any(at(m, "/content") == content for m in messages(asked) if isinstance(at(m, "/tool_calls"), list))


def _unissued(asked: Asked) -> bool:
    """A result of a call whose id has not the form of the server's own."""
    ids = [at(message, "/tool_call_id") for message in messages(asked)]
    return _bringing(asked) and any(isinstance(own, str) and len(own) != len("call_") + 24 for own in ids)


def _choosing(word: str, other: str) -> Change:
    """One kind of choice taken for another."""

    def edit(request: ChatRequest) -> ChatRequest:
        return replace(request, tool_choice=other, named=None) if request.tool_choice == word else request

    return asking(edit)


def _forgiven(document: Any) -> Any:
    return {name: value for name, value in document.items() if name != "tool_choice"}


def _choice_word(asked: Asked) -> bool:
    return isinstance(choice(asked), str) and choice(asked) not in ("auto", "none", "required")


def _without_results(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
    """Calls and their results left out of the history."""

    def admitted(document: Mapping[str, Any], service: Service) -> ChatRequest:
        kept = [m for m in document["messages"] if m["role"] != "tool" and not m.get("tool_calls")]
        return behaviour.admitted({**document, "messages": kept}, service)

    return replace(behaviour, admitted=admitted)


def _deaf() -> Reaction:
    return _without_results


def calling(document: Any) -> bool:
    """Whether an answer calls tools."""
    return isinstance(at(document, CALLS), list)


def beside_calls(content: Any) -> Change:
    """Content beside tool calls."""
    return each_answer(lambda document: put(document, MESSAGE + "/content", content) if calling(document) else document)


CHOICES: Final = (
    Fault(
        id="tools-need-a-choice",
        does="refuses tools without tool_choice",
        change=refusing(_unchosen, "tool_choice"),
        red=("tools.definition-accepted", "parameters.tools-accepted"),
        says="status: HTTP 200, as for plain.greeting; HTTP 422",
        unseen=("messages.tool-accepted", "tools.choice-known", "tools.choice-declared", "tools.history-by-hand"),
    ),
    Fault(
        id="tools-empty-list-fails",
        does="fails over an empty list of tools",
        change=refusing(lambda asked: asked.get("tools") == [], status=500, code="INTERNAL_ERROR"),
        red=("tools.empty-list",),
        says="HTTP 500",
    ),
    Fault(
        id="tools-required-is-auto",
        does="takes tool_choice required for auto",
        change=_choosing("required", "auto"),
        red=("tools.required-calls", "tools.stream-calls-when-required"),
        says='a tool call; none; content "Hello"',
        unseen=("tools.stream-",),
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-required-is-auto-in-streams",
        does="takes tool_choice required for auto in streams",
        change=only(streams, _choosing("required", "auto")),
        red=("tools.stream-calls-when-required",),
        says='a tool call in the deltas; none; text "hello to',
        unseen=("tools.stream-",),
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-named-is-required",
        does="takes a named tool_choice for required",
        change=_choosing("named", "required"),
        red=("tools.named-calls", "tools.stream-calls-when-named"),
        says=f'{FIRST}{NAME}: "get_time"; "get_weather"',
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-named-is-none",
        does="calls nothing where tool_choice names a function",
        change=_choosing("named", "none"),
        red=("tools.named-calls", "tools.stream-calls-when-named"),
        says='whole: a call of "get_time"; none',
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-none-is-auto",
        does="takes tool_choice none for auto",
        change=_choosing("none", "auto"),
        red=("tools.none-calls-nothing", "tools.stream-none-calls-nothing"),
        says=f'{FIRST}: no tool call; [{{"id": "call_',
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-none-is-auto-in-streams",
        does="takes tool_choice none for auto in streams",
        change=only(streams, _choosing("none", "auto")),
        red=("tools.stream-none-calls-nothing",),
        says='no tool call; [{"index": 0, "id": "call_',
        wild=("F-TC-14",),
    ),
    Fault(
        id="tools-choice-word-taken",
        does="takes a tool_choice that it does not know for auto",
        change=only(_choice_word, mending(_forgiven)),
        red=("tools.choice-known",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="tools-choice-undeclared-taken",
        does="takes the choice of a function that is not declared for auto",
        change=only(_undeclared, mending(_forgiven)),
        red=("tools.choice-declared",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="tools-choice-alone-taken",
        does="passes over tool_choice where no tool is declared",
        change=only(_alone, mending(_forgiven)),
        red=("tools.choice-needs-tools",),
        says="HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    Fault(
        id="tools-choice-undeclared-fails",
        does="fails over the choice of a function that is not declared",
        change=refusing(_undeclared, status=500, code="INTERNAL_ERROR"),
        red=("tools.choice-never-5xx", "tools.choice-declared"),
        says="HTTP 500",
    ),
    Fault(
        id="tools-choice-alone-fails",
        does="asks the backend for a call though no tool is declared, and tells of its refusal as a bad gateway",
        change=refusing(_alone, status=502, code="BACKEND_ERROR"),
        red=("tools.choice-never-5xx", "tools.choice-needs-tools"),
        says="HTTP 502",
    ),
)

RESULTS: Final = (
    Fault(
        id="tools-history-unknown",
        does="refuses the results of calls that it did not make",
        change=refusing(_unissued, "messages"),
        red=("tools.history-by-hand",),
        says="HTTP 422",
    ),
    Fault(
        id="tools-own-message-refused",
        does="sends empty content beside its calls, and refuses it when it comes back",
        change=after(beside_calls(""), refusing(lambda asked: _calls_with(asked, content=""), "messages")),
        red=("tools.echo-accepted",),
        says="status: HTTP 200; HTTP 422",
        unseen=ROUND[1:],
        wild=("F-TC-15",),
    ),
    Fault(
        id="tools-null-content-refused",
        does="refuses null content in its own message with calls",
        change=refusing(lambda asked: _calls_with(asked, content=None), "messages"),
        red=("tools.echo-accepted", "tools.history-by-hand", "messages.tool-accepted"),
        says="status: HTTP 200; HTTP 422",
        unseen=ROUND[1:],
        wild=("F-TC-15",),
    ),
    Fault(
        id="tools-result-fails",
        does="fails over every tool's result",
        change=refusing(_bringing, status=500, code="INTERNAL_ERROR"),
        red=("tools.echo-accepted", "tools.history-by-hand", "messages.tool-accepted"),
        says="status: HTTP 200; HTTP 500",
        unseen=ROUND[1:],
    ),
    Fault(
        id="tools-called-again",
        does="calls the tool again when its result is there",
        change=only(_bringing, asking(lambda request: replace(request, tool_choice="required"))),
        red=("tools.result-answered",),
        says="plain text; another tool call",
        unseen=ROUND[2:],
    ),
    Fault(
        id="tools-result-dropped",
        does="leaves calls and their results out of the history",
        change=_deaf,
        red=("tools.result-used",),
        says="4711 in the answer, or more than",
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*CHOICES, *RESULTS)
