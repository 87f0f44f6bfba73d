"""What an OpenAI-compatible server says, chunk by chunk, as steps that keep the page's promises."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.document import at
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Failure,
    Finish,
    Step,
    Text,
    Usage,
    fresh_call_id,
)

_REASONS: Final[Mapping[str, str]] = {
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
"""Vendors' words for the reasons of the page; any other, such as `eos` and `end_turn`, is `stop`."""


class Broken(Exception):
    """The backend failed or cannot be understood, and what the client is told of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def mismatch(what: str) -> Broken:
    """A backend that cannot be understood: 502 `UPSTREAM_SHAPE_MISMATCH`."""
    return Broken(
        Failure(status=502, code="UPSTREAM_SHAPE_MISMATCH", message=f"The backend's answer could not be read: {what}.")
    )


def broken_off(what: str) -> Broken:
    """A backend that failed: 502 `BACKEND_ERROR`."""
    return Broken(Failure(status=502, code="BACKEND_ERROR", message=f"The backend failed: {what}."))


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str
    named_by_backend: bool
    name: str = ""
    arguments: str = ""
    wanted: bool = True
    """Whether the client can use a call of this name; one that it cannot is never told."""
    index: int = 0
    shown: int | None = None
    """How many characters of the arguments were told; nothing before the call was."""

    @property
    def whole(self) -> bool:
        """Whether the arguments are a JSON object by now."""
        return isinstance(_parsed(self.arguments), dict)

    def told(self, *, index: int) -> Iterator[Step]:
        """The steps that are certain: the name before any argument, and arguments only of an object.

        `index` is the call's among those told, unless it has been told already.
        """
        if not self.wanted or not self.name or not self.arguments.lstrip().startswith("{"):
            return
        if self.shown is None:
            self.shown, self.index = 0, index
            yield CallStart(index=self.index, id=self.id, name=self.name)
        if fragment := self.arguments[self.shown :]:
            self.shown = len(self.arguments)
            yield CallArguments(index=self.index, fragment=fragment)

    def ended(self, *, cut: bool, index: int) -> Iterator[Step]:
        """The rest of the call; `index` as for `told`, `cut` when the token limit may have ended it early.

        Raises:
            Broken: there is no name, or the arguments are no JSON object though nothing cut them.
        """
        if self.name and not self.wanted:
            return
        if not self.arguments.lstrip().startswith("{"):
            inner = _parsed(self.arguments)
            if self.arguments.strip() in {"", "null", "None"}:
                self.arguments = "{}"
            elif isinstance(inner, str) and isinstance(_parsed(inner), dict):
                self.arguments = inner
        if not cut and not self.name:
            raise mismatch("a tool call has no name")
        if not cut and not self.whole:
            raise mismatch("the arguments of a tool call are not a JSON object")
        yield from self.told(index=index)


@dataclass(slots=True, kw_only=True)
class Reader:
    """Turns the chunks of one answer into steps; it holds what the chunks add up to."""

    request: ChatRequest
    reason: str | None = None
    """The page's word for why the backend stopped, once it has said so."""
    _usage: Usage | None = None
    _calls: list[_Call] = field(default_factory=list)
    _latest: dict[int, _Call] = field(default_factory=dict)
    """The call that fragments of each index of the backend belong to."""
    _half: str = ""
    """The first half of a character that the backend cut in two."""

    def chunk(self, document: Any) -> Iterator[Step]:
        """The steps of one chunk; a chunk without choices has none.

        Raises:
            Broken: the chunk tells of an error, or is no chunk.
        """
        if not isinstance(document, dict):
            raise mismatch("a chunk is not an object")
        if document.get("error"):
            raise broken_off("it reported an error")
        self._usage = _usage(document.get("usage")) or self._usage
        choices = document.get("choices")
        if not isinstance(choices, list):
            raise mismatch("a chunk has no choices")
        if choices:
            yield from self._choice(choices[0])

    def completion(self, document: Any) -> Iterator[Step]:
        """The steps of a whole answer, its end included.

        Raises:
            Broken: as `chunk`, or the answer has no choice.
        """
        yield from self.chunk(document)
        if not document["choices"]:
            raise mismatch("there is no choice")
        if not isinstance(at(document, "/choices/0/message"), dict):
            raise mismatch("there is no message")
        if self.reason is None:
            self.reason = "stop"
        yield from self.end()

    def end(self) -> Iterator[Step]:
        """The steps that the end of the answer brings: the rest of its calls and the reason.

        Raises:
            Broken: the backend never said why it stopped, or a call is no call.
        """
        if self.reason is None:
            raise broken_off("its stream ended early")
        if self._half:
            yield Text(text="\ufffd")
        for call in self._calls:
            yield from call.ended(cut=self.reason in {"length", "content_filter"}, index=self._told)
        if self.reason in {"stop", "tool_calls"}:
            self.reason = "tool_calls" if any(call.wanted for call in self._calls) else "stop"
        yield Finish(reason=self.reason, usage=self._usage)

    @property
    def _told(self) -> int:
        """How many calls the client knows of."""
        return sum(call.shown is not None for call in self._calls)

    def _choice(self, choice: Any) -> Iterator[Step]:
        delta = (choice.get("delta") or choice.get("message") or {}) if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            raise mismatch("a choice has no delta")
        if text := self._joined(_flat(delta.get("content"))):
            yield Text(text=text)
        pieces = delta.get("tool_calls") or []
        if isinstance(delta.get("function_call"), dict):
            pieces = [{"index": 0, "function": delta["function_call"]}]
        if not isinstance(pieces, list):
            raise mismatch("tool calls are not a list")
        for piece in pieces if callable_names(self.request) else ():
            yield from self._piece(piece)
        reason = choice.get("finish_reason")
        if reason is not None and not isinstance(reason, str):
            raise mismatch("a finish reason is not a string")
        if reason and reason.lower() == "error":
            raise broken_off("it stopped with an error")
        if reason:
            self.reason = _REASONS.get(reason.lower(), "stop")

    def _joined(self, text: str) -> str:
        """The text in whole characters: JSON can cut a pair of surrogates, which clients cannot join again."""
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        whole = text.removesuffix(self._half)
        return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _piece(self, piece: Any) -> Iterator[Step]:
        function = (piece.get("function") or {}) if isinstance(piece, dict) else None
        if not isinstance(function, dict):
            raise mismatch("a tool call is not an object")
        name, arguments = function.get("name") or "", function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = json.dumps(arguments)
        if not isinstance(name, str) or not isinstance(arguments, str | None):
            raise mismatch("a tool call has a name or arguments of another type")
        call = self._call_of(piece, name)
        if call.shown is None and name and name != call.name:
            call.name = name if name.startswith(call.name) else call.name + name
            call.wanted = call.name in callable_names(self.request)
        call.arguments += arguments or ""
        yield from call.told(index=self._told)

    def _call_of(self, piece: Mapping[str, Any], name: str) -> _Call:
        """The call that a fragment belongs to, a new one where it opens one.

        Backends leave out indexes and ids, give every call the index 0, or every fragment an id of its own. A
        fragment opens a call when it has a name and either an id not seen before, or nothing that tells it
        apart from a call that is complete.
        """
        given = piece.get("index")
        index = given if isinstance(given, int) and not isinstance(given, bool) else 0
        id_ = piece.get("id") if isinstance(piece.get("id"), str) else None
        known = next((call for call in self._calls if id_ and call.named_by_backend and call.id == id_), None)
        if known:
            return known
        current = self._latest.get(index)
        if current and id_ and not current.named_by_backend and current.shown is None:
            current.id, current.named_by_backend = id_, True
            return current
        if current and not (name and (id_ or current.whole)):
            return current
        call = _Call(id=id_ or fresh_call_id(), named_by_backend=bool(id_))
        self._calls.append(call)
        self._latest[index] = call
        return call


def callable_names(request: ChatRequest) -> frozenset[str]:
    """The functions that the client has a use for being called: those declared, the named one alone, or none."""
    names = {tool["function"]["name"] for tool in request.tools}
    match request.tool_choice:
        case "none":
            return frozenset()
        case "named":
            return frozenset(names & {request.named})
    return frozenset(names)


def dictated_call(text: str, finish: Finish, request: ChatRequest) -> Iterator[Step]:
    """The steps of a call that the backend wrote as text, `{name, arguments}`; none where the limit cut it off.

    Raises:
        Broken: it wrote something else.
    """
    document = _parsed(text)
    name, arguments = at(document, "/name"), at(document, "/arguments")
    if isinstance(arguments, dict) and isinstance(name, str) and name in callable_names(request):
        yield CallStart(index=0, id=fresh_call_id(), name=name)
        yield CallArguments(index=0, fragment=json.dumps(arguments))
        yield Finish(reason="tool_calls" if finish.reason == "stop" else finish.reason, usage=finish.usage)
    elif finish.reason in {"length", "content_filter"}:
        yield finish
    else:
        raise mismatch("a tool call was required, and it made none")


def _flat(content: Any) -> str:
    """The text of a content, of a string or of parts; what is no text is left out.

    Raises:
        Broken: the content is neither, nor null.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise mismatch("content is no text")
    texts = [part if isinstance(part, str) else part.get("text") for part in content if isinstance(part, str | dict)]
    return "".join(text for text in texts if isinstance(text, str))


def _usage(told: Any) -> Usage | None:
    """The counts, where they are counts: whole, and not the zeros of a backend that counts nothing."""
    prompt, completion = at(told, "/prompt_tokens"), at(told, "/completion_tokens")
    if not all(isinstance(count, int) and not isinstance(count, bool) and count > 0 for count in (prompt, completion)):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
