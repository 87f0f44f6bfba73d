"""Requests that keep the schema and could come from a real client, drawn from a seed.

Every member, role, kind of part and combination of them can be drawn. What the page leaves open is left alone, so
that a refusal of such a request is a violation: no empty stop sequence, no seed that needs more than 31 bits, no
forced choice without a tool.
"""

import json
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from conformance.generate.wording import any_text, ids, names, sentences
from conformance.probe import MODEL
from conformance.probes import media

CAPABILITIES: Final = ("tools", "vision", "audio")
_PIXEL: Final = media.one_colour(200, 30, 30)
_SOUND: Final = media.silence()
_NONE: Final[frozenset[str]] = frozenset()
_STOPS: Final = range(1, 5)
"""How many stop sequences every provider takes."""
_LONG: Final = 512
"""Characters that every provider takes in a value of metadata or a description."""

Body = dict[str, Any]


def drawn(examples: int, seed_: int, capabilities: Collection[str] = CAPABILITIES) -> tuple[Body, ...]:
    """Requests in the order in which they were drawn, no two alike.

    Args:
        examples: how many.
        seed_: the same seed gives the same requests, with the same version of Hypothesis.
        capabilities: what the model has; nothing else is asked of it.
    """
    found: dict[str, Body] = {}
    for number in range(2 * examples):  # some are drawn twice
        if len(found) < examples:
            body = one(seed_, number, capabilities)
            found.setdefault(repr(body), body)
    return tuple(found.values())


def one(seed_: int, number: int, capabilities: Collection[str] = CAPABILITIES) -> Body:
    """The request that a seed and a number give.

    Each is explored by itself: in one long exploration Hypothesis makes most examples from the one before, which looks
    for what it already has.
    """
    found: list[Body] = []
    explore(found.append, seed_, number, capabilities)
    return found[-1]  # the first is the simplest there is, whatever the seed


def explore(
    test: Callable[[Body], None],
    seed_: int,
    number: int,
    capabilities: Collection[str] = CAPABILITIES,
    *,
    shrinking: bool = False,
) -> None:
    """Call `test` with the simplest request, with that of a seed and a number, and, when shrinking, with smaller ones.

    Raises:
        Exception: what `test` raises for the smallest request that makes it raise, when shrinking.
    """
    phases = (Phase.generate, *((Phase.shrink,) if shrinking else ()))

    @seed(f"{seed_} {number}")
    @settings(
        max_examples=2,
        phases=phases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(requests(frozenset(capabilities)))
    def asked(body: Body) -> None:
        test(body)

    with _undisturbed():
        asked()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A block that an interrupt waits for: inside Hypothesis it would be lost, or told as a fault of the strategies."""
    if threading.current_thread() is not threading.main_thread():
        yield  # a signal comes to the main thread alone
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    for number in came[:1]:
        signal.raise_signal(number)


@st.composite
def requests(draw: st.DrawFn, capabilities: frozenset[str] = frozenset(CAPABILITIES)) -> Body:
    """Bodies of requests; `model` is the blank that the run fills in, and few tokens are asked for."""
    tools = draw(st.one_of(st.just([]), _tools())) if "tools" in capabilities else []
    body: Body = {"model": MODEL, "messages": draw(_conversations(tools, capabilities))}
    body["max_tokens"] = draw(st.sampled_from((1, 2, 3, 5, 8, 16)))
    optional = dict(_optional())
    if tools:
        optional["tool_choice"] = _choices([tool["function"]["name"] for tool in tools])
        body["tools"] = tools
    for name, values in optional.items():
        if draw(st.booleans()):
            body[name] = draw(values)
    order = draw(st.permutations(sorted(body)))
    return {name: body[name] for name in order}


@cache
def _optional() -> Mapping[str, st.SearchStrategy[Any]]:
    """The members that no other depends on."""
    return {
        "temperature": st.one_of(st.sampled_from((0, 2, 1, 0.0, 0.7, 1e-9, 1.9999999)), st.floats(0, 2)),
        "top_p": st.one_of(st.sampled_from((1, 0.5, 1e-9, 0.999999)), st.floats(0.01, 1)),
        "stop": st.one_of(_stops(), st.lists(_stops(), max_size=6)),
        "seed": st.one_of(st.sampled_from((0, 1, 42, 2**31 - 1)), st.integers(0, 2**31 - 1)),
        "stream": st.booleans(),
        "metadata": _metadata(),
    }


@cache
def _stops() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(("\n", "###", "END", ".", "\U0001f388", "[DONE]")), any_text())


@cache
def _metadata() -> st.SearchStrategy[Body]:
    values = st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31), st.floats(-1e6, 1e6), sentences())
    nested = st.recursive(values, lambda inner: st.lists(inner, max_size=2) | _objects(inner), max_leaves=5)
    return _objects(nested)


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Body]:
    return st.dictionaries(
        st.one_of(st.sampled_from(("user", "trace id", "model", "\u00fc")), any_text()), values, max_size=3
    )


# Tools.


@st.composite
def _tools(draw: st.DrawFn) -> list[Body]:
    found = []
    for name in draw(st.lists(names(), min_size=1, max_size=3, unique=True)):
        function: Body = {"name": name}
        if draw(st.booleans()):
            function["description"] = draw(sentences())
        if draw(st.booleans()):
            function["parameters"] = draw(_parameters())
        found.append({"type": "function", "function": function})
    return found


@cache
def _parameters() -> st.SearchStrategy[Body]:
    """Schemas of arguments: shallow, or nested deep."""
    leaves: st.SearchStrategy[Body] = st.sampled_from(
        (
            {"type": "string"},
            {"type": "integer", "minimum": 0},
            {"type": "boolean"},
            {"type": "string", "enum": ["a", "\u00fc", ""]},
            {"type": ["string", "null"], "description": 'one of "these"'},
        )
    )
    deeper = st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda items: {"type": "array", "items": items}),
            st.builds(lambda name, member: {"type": "object", "properties": {name: member}}, names(), inner),
        ),
        max_leaves=6,
    )
    return st.one_of(
        st.just({"type": "object", "properties": {}}),
        st.builds(
            lambda name, member: {"type": "object", "properties": {name: member}, "required": [name]}, names(), deeper
        ),
    )


def _choices(declared: list[str]) -> st.SearchStrategy[Any]:
    named = st.sampled_from(declared).map(lambda name: {"type": "function", "function": {"name": name}})
    return st.one_of(st.sampled_from(("auto", "none", "required")), named)


# Messages.


def forms(body: Any) -> frozenset[str]:
    """What a request holds that a server need not take: what a model may lack, forms that the page does not show."""
    messages = body.get("messages") if isinstance(body, Mapping) else None
    found = set(_unshown(body)) if isinstance(body, Mapping) else set()
    for message in messages if isinstance(messages, list) else ():
        parts = message.get("content") if isinstance(message, Mapping) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, Mapping) and isinstance(kind := part.get("type"), str):
                if kind == "text":
                    found.add("text parts")
                else:
                    payload = part.get(kind)
                    address = str((payload if isinstance(payload, Mapping) else part).get("url", ""))
                    scheme = address.partition(":")[0]
                    found.add(" ".join(filter(None, (kind, "nested" if kind in part else "flat", scheme))))
                if message.get("role") != "user":
                    found.add(f"{kind} part from the role {message.get('role')}")
    return frozenset(found)


def _unshown(body: Mapping[str, Any]) -> Iterator[str]:
    """What the members of a request hold of which the page gives no example, and for which providers have limits."""
    if isinstance(stop := body.get("stop"), list) and len(stop) not in _STOPS:
        yield f"{len(stop)} stop sequences"
    if any(map(_blank, stop if isinstance(stop, list) else [stop])):
        yield "stop sequence of blanks"
    metadata = body.get("metadata")
    for value in metadata.values() if isinstance(metadata, Mapping) else ():
        if not isinstance(value, str):
            yield f"{type(value).__name__} in metadata"
        elif len(value) > _LONG:
            yield "a long text in metadata"
    if body.get("tools"):
        yield "tools"
    for function in _listed([tool.get("function") for tool in _listed(body.get("tools"))]):
        yield from (f"tool without {name}" for name in ("description", "parameters") if name not in function)
        if len(str(function.get("description", ""))) > _LONG:
            yield "a long description of a tool"
        yield from _unshown_schemas(function.get("parameters"))
    yield from _unshown_messages(body.get("messages"))
    yield from (f"U+0000 in {name}" for name, value in body.items() if "\\u0000" in json.dumps(value))


def _unshown_messages(messages: Any) -> Iterator[str]:
    """The same of its conversation."""
    for message in _listed(messages):
        calls = [*_listed(message.get("tool_calls"))]
        yield from (f"call that is named {call.get('id')!r}" for call in calls)
        yield from ("call without a type" for call in calls if "type" not in call)
        if calls and message.get("content") is None:
            yield "null beside calls" if "content" in message else "calls without content"
        if _blank(message.get("content")):
            yield "content of blanks"


def _unshown_schemas(schema: Any) -> Iterator[str]:
    """The same of a schema of arguments and of all within it."""
    if isinstance(schema, Mapping):
        if isinstance(schema.get("type"), list):
            yield "a schema of several types"
        if isinstance(named := schema.get("enum"), list) and "" in named:
            yield "an empty member of an enum"
    for inner in schema.values() if isinstance(schema, Mapping) else schema if isinstance(schema, list) else ():
        yield from _unshown_schemas(inner)


def _blank(text: Any) -> bool:
    """Whether a text has nothing to see."""
    return isinstance(text, str) and not any(letter.isprintable() and not letter.isspace() for letter in text)


def _listed(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in (value if isinstance(value, list) else ()) if isinstance(each, Mapping))


@st.composite
def _conversations(draw: st.DrawFn, tools: list[Body], capabilities: frozenset[str]) -> list[Body]:
    messages: list[Body] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(_contents(_NONE))})
    for _ in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
        messages.append({"role": "user", "content": draw(_contents(capabilities))})
        if draw(st.booleans()) and tools:
            messages += draw(_called(tools))
        messages.append({"role": "assistant", "content": draw(_contents(_NONE))})
    messages.append({"role": "user", "content": draw(_contents(capabilities))})
    if draw(st.booleans()) and tools:
        messages += draw(_called(tools))
    return messages


@st.composite
def _called(draw: st.DrawFn, tools: list[Body]) -> list[Body]:
    """A turn that calls tools, and a result for each call."""
    calls = []
    for identity in draw(st.lists(ids(), min_size=1, max_size=2, unique=True)):
        name = draw(st.sampled_from(tools))["function"]["name"]
        arguments = draw(st.sampled_from(("{}", '{"city":"K\u00f6ln"}', '{ "a": [1, {"b": "\\u0041"}] }')))
        call: Body = {"id": identity, "function": {"name": name, "arguments": arguments}}
        if draw(st.booleans()):
            call["type"] = "function"
        calls.append(call)
    turn: Body = {"role": "assistant", "tool_calls": calls}
    match draw(st.sampled_from(("absent", "null", "text"))):
        case "null":
            turn["content"] = None
        case "text":
            turn["content"] = draw(sentences())
    results = [{"role": "tool", "tool_call_id": call["id"], "content": draw(_results())} for call in calls]
    return [turn, *results]


@cache
def _results() -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(('{"celsius": 21}', "[]", "null", "21")), _contents(_NONE))


@cache
def _contents(capabilities: frozenset[str]) -> st.SearchStrategy[Any]:
    kinds = [_texts()]
    kinds += map(st.just, _images()) if "vision" in capabilities else ()
    kinds += map(st.just, _sounds()) if "audio" in capabilities else ()
    parts = st.builds(lambda first, more: [first, *more], _texts(), st.lists(_either(*kinds), max_size=2))
    return _either(sentences(), parts)


@st.composite
def _either(draw: st.DrawFn, *kinds: st.SearchStrategy[Any]) -> Any:
    """One is as likely as another; `one_of` goes by the number of alternatives inside them, and sentences have many."""
    return draw(kinds[draw(st.integers(0, len(kinds) - 1))])


@cache
def _texts() -> st.SearchStrategy[Body]:
    return sentences().map(lambda text: {"type": "text", "text": text})


def _images() -> tuple[Body, ...]:
    source = {"data": _PIXEL, "media_type": "image/png"}
    address: Mapping[str, Any] = {"url": f"data:image/png;base64,{_PIXEL}"}
    return (
        {"type": "image_url", "image_url": dict(address)},
        *({"type": "image_url", "image_url": {**address, "detail": word}} for word in ("auto", "low", "high")),
        {"type": "image_base64", "image_base64": source},
        {"type": "image_base64", **source},
    )


def _sounds() -> tuple[Body, ...]:
    source = {"data": _SOUND, "media_type": "audio/wav"}
    return (
        {"type": "audio_base64", "audio_base64": source},
        {"type": "audio_base64", **source},
        {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{_SOUND}"}},
    )
