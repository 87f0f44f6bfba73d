"""Models with a will of their own, in front of which the server still keeps the page.

A suite that blames the server for any of them has taken a model's mood for a broken promise.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from conformance.server.calls import wanted
from conformance.server.generation import CallArguments, CallStart, ChatRequest, Finish, Service, Steps, Text
from conformance.server.model import text_of
from conformance.server.tokens import tokens

_LAST: Final = "You have come to the end of what there is to say. "
_CHATTER: Final = "Well, since you ask, and I am glad that you do, there is a great deal to be said about it. "
_REASONING: Final = "<think>The user wants something. Let me think about what it could be, and why.</think>\n\n"


def _asked(request: ChatRequest) -> str:
    return next((text_of(message) for message in reversed(request.messages) if message["role"] == "user"), "")


MOODS: Final[Mapping[str, Callable[[ChatRequest], str]]] = {
    "silent": lambda _: "",
    "chatty": lambda _: _CHATTER * 12 + _LAST,
    "curt": lambda _: "No",
    "refusing": lambda _: "I'm sorry, but I can't help with that.",
    "repeating": lambda request: _asked(request) or "again",
    "stuttering": lambda _: "the " * 200,
    "tool-shy": lambda _: "I would rather not use any tool for this.",
    "tool-happy": lambda _: "All done.",
    "marker-printing": lambda _: "data: [DONE]\n\n[DONE]\nevent: error\ndata: {}\n\n",
    "multi-byte": lambda _: "Ünïcödé \u2028 東京 \u2029 🎈👩‍👩‍👧 \u0085 e\u0301 \ufffd \u202eabc\u202c 𝔘𝔫𝔦𝔠𝔬𝔡𝔢",
    "reasoning-first": lambda request: _REASONING + (_asked(request) or "Done."),
    "blank": lambda _: "\n\n   \n",
}
"""What each says to a request that does not ask for a tool call."""


def moody_services() -> tuple[Service, ...]:
    """A service `reference/mood-<name>` for each; the list of models does not show them."""
    return tuple(
        Service(
            slug=f"reference/mood-{name}",
            display_name=f"mood: {name}",
            steps=_steps(name, said),
            max_output_tokens=512,
            listed=False,
        )
        for name, said in MOODS.items()
    )


def _steps(name: str, said: Callable[[ChatRequest], str]) -> Callable[[ChatRequest], Steps]:
    async def steps(request: ChatRequest) -> Steps:
        forced = request.tool_choice in ("required", "named")
        answering = any(message["role"] == "tool" for message in request.messages)
        eager = name == "tool-happy" and request.tools and request.tool_choice != "none" and not answering
        if forced or eager:
            choice = request.tool_choice if forced else "required"
            for index, call in enumerate(wanted(replace(request, tool_choice=choice), _asked(request))[:1]):
                yield CallStart(index=index, id=call.id, name=call.name)
                for fragment in tokens(call.arguments):
                    yield CallArguments(index=index, fragment=fragment)
            yield Finish(reason="tool_calls")
            return
        for piece in tokens(said(request)):
            yield Text(text=piece)
        yield Finish(reason="stop")

    return steps
