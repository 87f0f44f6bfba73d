"""Servers that lose, mix up and misread what was said."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from conformance.server.app import Behaviour
from conformance.server.changes import Asked, Change, Reaction, asking, in_answers, in_chunks, only, streams
from conformance.server.deviation import Fault
from conformance.server.faults.messages import CONTENT, Message, by, messages
from conformance.server.generation import ChatRequest, Service, Steps
from conformance.server.model import text_of
from conformance.server.site import Arrival
from conformance.server.tokens import count

_MEETING: Final = 0.5  # seconds that a request waits for another of its length


def read_as(edit: Callable[[Sequence[Message]], Sequence[Message]]) -> Change:
    """Other messages for the model, and counted, than those that were admitted."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def admitted(document: Asked, service: Service) -> ChatRequest:
            return behaviour.admitted({**document, "messages": list(edit(document["messages"]))}, service)

        return replace(behaviour, admitted=admitted)

    return lambda: react


def _no_system(found: Sequence[Message]) -> Sequence[Message]:
    return [message for message in found if not by("system")(message)]


def _texts(found: Sequence[Message]) -> Sequence[Message]:
    return [message for message in found if not by("tool")(message) and message.get("content")]


def _strings(found: Sequence[Message]) -> Sequence[Message]:
    return [each if isinstance(each.get("content"), str) else {**each, "content": ""} for each in found]


def _without_text(message: Message) -> Message:
    parts = message.get("content")
    if not isinstance(parts, list):
        return message
    return {**message, "content": [part for part in parts if part["type"] != "text"]}


def _last_of_each_role(found: Sequence[Message]) -> Sequence[Message]:
    return list({message["role"]: message for message in found}.values())


def _as_parts(content: Any) -> Any:
    return content and [{"type": "text", "text": content}]


def _remembering() -> Reaction:
    said: dict[str, list[Message]] = {}

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        before = said.setdefault(arrival.headers.get("authorization", ""), [])

        def admitted(document: Asked, service: Service) -> ChatRequest:
            now = [*before, *document["messages"]]
            before.extend(filter(by("user"), document["messages"]))
            return behaviour.admitted({**document, "messages": now}, service)

        return replace(behaviour, admitted=admitted)

    return react


def _instructed() -> Reaction:
    told: dict[str, list[Message]] = {}

    def react(arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        before = told.setdefault(arrival.headers.get("authorization", ""), [])

        def admitted(document: Asked, service: Service) -> ChatRequest:
            if own := [*filter(by("system"), document["messages"])]:
                before.extend(own)
                return behaviour.admitted(document, service)
            return behaviour.admitted({**document, "messages": [*before, *document["messages"]]}, service)

        return replace(behaviour, admitted=admitted)

    return react


def _length(request: ChatRequest) -> int:
    return sum(len(text_of(message)) for message in request.messages)


def _one_question(asked: Asked) -> bool:
    """A short question of one message, and nothing else that an answer depends on."""
    return len(messages(asked)) == 1 and not asked.keys() & {"tools", "stop"} and len(json.dumps(asked)) < 400


def _crossing() -> Reaction:
    waiting: dict[int, tuple[ChatRequest, asyncio.Future[ChatRequest]]] = {}

    async def other(request: ChatRequest) -> ChatRequest:
        length = _length(request)
        if length in waiting:
            first, told = waiting.pop(length)
            told.set_result(request)
            return first
        told = asyncio.get_running_loop().create_future()
        waiting[length] = request, told
        try:
            await asyncio.wait([told], timeout=_MEETING)
        finally:
            if not told.done():
                del waiting[length]
        return told.result() if told.done() else request

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        async def spoken(service: Service, request: ChatRequest) -> Steps:
            async for step in behaviour.spoken(service, await other(request)):
                yield step

        return replace(behaviour, spoken=spoken)

    return react


def _caching() -> Reaction:
    first: dict[tuple[str, int], ChatRequest] = {}

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        def spoken(service: Service, request: ChatRequest) -> Steps:
            return behaviour.spoken(service, first.setdefault((service.slug, _length(request)), request))

        return replace(behaviour, spoken=spoken)

    return react


SYSTEM: Final = (
    Fault(
        id="conversation-system-dropped",
        does="drops system messages",
        change=read_as(_no_system),
        red=("messages.system-obeyed",),
        says='"OK"; 9 prompt tokens against 12',
    ),
    Fault(
        id="conversation-later-system-dropped",
        does="reads no system message but one that comes first",
        change=read_as(lambda found: [*found[:1], *_no_system(found[1:])]),
        red=("messages.system-obeyed",),
        says='"Zanzibarquartz"; 242 prompt tokens against 242',
    ),
)

HISTORY: Final = (
    *(
        Fault(
            id=name,
            does=does,
            change=read_as(edit),
            red=("messages.history-used", "messages.history-counted", *also),
            says='"Zanzibarquartz" in the answer, or at least more prompt tokens than messages.stateless',
        )
        for name, does, edit, also in (
            (
                "conversation-turns-dropped",
                "reads system messages and the last turn only",
                lambda found: [*filter(by("system"), found[:-1]), found[-1]],
                (),
            ),
            (
                "conversation-cut-to-user",
                "reads the last message of a user only",
                lambda found: [*filter(by("user"), found)][-1:],
                ("messages.system-obeyed", "tools.result-used"),
            ),
            (
                "conversation-cut-to-first",
                "reads the first message only",
                lambda found: found[:1],
                ("messages.system-obeyed", "tools.result-used"),
            ),
            ("conversation-cut-to-two", "reads the last two messages only", lambda found: found[-2:], ()),
            ("conversation-cut-to-ten", "reads the last ten messages only", lambda found: found[-10:], ()),
            ("conversation-cut-to-twenty", "reads the last twenty messages only", lambda found: found[-20:], ()),
            ("conversation-by-role", "keeps the last message of each role only", _last_of_each_role, ()),
        )
    ),
    Fault(
        id="conversation-not-counted",
        does="counts the last message only",
        change=asking(lambda request: replace(request, prompt_tokens=3 + count(text_of(request.messages[-1])))),
        red=("messages.history-counted",),
        says="/data/usage/prompt_tokens: more than 22 prompt tokens; 22",
    ),
    Fault(
        id="conversation-streams-cut-to-user",
        does="reads the last message of a user only where it streams",
        change=only(streams, read_as(lambda found: [*filter(by("user"), found)][-1:])),
        red=("messages.history-used",),
        says='"Zanzibarquartz", as in messages.recall; "I do not know it."',
    ),
    Fault(
        id="conversation-results-dropped",
        does="reads nothing of a conversation but its texts",
        change=read_as(_texts),
        red=("tools.result-used",),
        says="4711 in the answer, or more than ",
    ),
)

PARTS: Final = (
    Fault(
        id="conversation-parts-dropped",
        does="reads only content that is a string",
        change=read_as(_strings),
        red=("messages.parts-accepted",),
        says="the part's text in the answer, or as many prompt tokens",
        unseen=("multimodal.image-seen", "multimodal.image-forms-agree"),
    ),
    Fault(
        id="conversation-parts-without-text",
        does="joins parts without their text",
        change=read_as(lambda found: [_without_text(message) for message in found]),
        red=("messages.parts-accepted",),
        says="the part's text in the answer, or as many prompt tokens",
    ),
    Fault(
        id="conversation-answered-in-parts",
        does="answers in an array of parts",
        change=in_answers(CONTENT, _as_parts),
        red=("response.content-is-text",),
        says='/message/content: a string; [{"type": "text"',
        unseen=(
            "parameters.stop-",
            "messages.system-obeyed",
            "messages.history-used",
            "messages.stateless",
            "multimodal.image-seen",
            "multimodal.image-forms-agree",
            "tools.result-",
            "response.content-not-empty",
        ),
        wild=("F-MSG-06",),
    ),
    Fault(
        id="conversation-streamed-in-parts",
        does="streams arrays of parts",
        change=in_chunks("/choices/0/delta/content", _as_parts),
        red=(
            "stream.content-is-text",
            "stream.text-accumulates",
            "stream.python-client-survives",
            "stream.typescript-client-survives",
        ),
        says='a string; content is [{"type": "text"',
        unseen=(
            "parameters.stop-in-stream",
            "stream.deltas-not-repeats",
            "stream.text-intact",
            "stream.done-in-text",
            "stream.lines-in-text",
            "stream.not-in-one-burst",
            "finish.stream-length",
        ),
        wild=("F-MSG-06",),
    ),
)

MIXED: Final = (
    Fault(
        id="conversation-of-a-key",
        does="puts what the users of a key said before in front of what they say",
        change=_remembering,
        red=("messages.stateless",),
        says="no word of another conversation",
        perhaps=("messages.history-counted",),
    ),
    Fault(
        id="conversation-of-streams",
        does="puts what the users of a key said in streams before in front of what they say in a stream",
        change=only(streams, _remembering),
        red=("messages.stateless",),
        says="no word of another conversation",
    ),
    Fault(
        id="conversation-system-carried-over",
        does="gives a request without system messages those that its key sent before",
        change=_instructed,
        red=("messages.stateless",),
        says="no word of another conversation",
        perhaps=("messages.history-counted",),
        wild=("F-PAR-08",),
    ),
    Fault(
        id="conversation-answers-crossed",
        does="mixes up two questions of one length that are under way at once",
        change=only(_one_question, _crossing),
        red=("messages.answers-not-crossed",),
        says='"marmalade"; "periscope"',
    ),
    Fault(
        id="conversation-answers-cached-by-length",
        does="gives the answer of a question to every question of the same length",
        change=only(_one_question, _caching),
        red=("messages.answers-not-crossed",),
        says='; "',
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*SYSTEM, *HISTORY, *PARTS, *MIXED)
