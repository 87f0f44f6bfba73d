"""Requests with one defect each, derived from the schema.

What is tried is mechanical: every place of some good requests gets a value of every other type, values beyond its
bounds, and none at all. What the schema then calls exactly one defect is kept, once for each place of the schema, rule
and kind of wrong value.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from conformance import schema
from conformance.probe import MODEL
from conformance.probes import media

Body = dict[str, Any]

_PIXEL: Final = media.one_colour(200, 30, 30)
_SOUND: Final = media.silence()
_TOOL: Final = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object", "properties": {}}},
}
_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def _saying(*messages: Body, **members: Any) -> Body:
    return {"model": MODEL, "messages": list(messages), "max_tokens": 2, **members}


def _user(*parts: Body) -> Body:
    return {"role": "user", "content": [*parts]}


BASES: Final[Mapping[str, Body]] = {
    "plain": _saying({"role": "user", "content": "Hi."}),
    "all": _saying(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
        temperature=0.5,
        top_p=0.5,
        stop=["###"],
        seed=1,
        stream=False,
        metadata={"k": "v"},
    ),
    "parts": _saying(_user({"type": "text", "text": "Hi."})),
    "tools": _saying(
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Wait.", "tool_calls": [_CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "2"},
        tools=[_TOOL],
        tool_choice={"type": "function", "function": {"name": "add"}},
    ),
    "tools, a word": _saying({"role": "user", "content": "Hi."}, tools=[_TOOL], tool_choice="none"),
    "image": _saying(
        _user(
            {"type": "text", "text": "Hi."},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}", "detail": "low"}},
            {"type": "image_base64", "image_base64": {"data": _PIXEL, "media_type": "image/png"}},
        )
    ),
    "sound": _saying(
        _user(
            {"type": "text", "text": "Hi."},
            {"type": "audio_base64", "audio_base64": {"data": _SOUND, "media_type": "audio/wav"}},
            {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{_SOUND}"}},
        )
    ),
}
"""Good requests, each of which is the control of its defects; together they use every member and kind of part."""
NEEDS: Final[Mapping[str, str]] = {
    "tools": "tools",
    "tools, a word": "tools",
    "image": "vision",
    "sound": "audio",
}
"""The capability without which a base is refused."""


class Grade(StrEnum):
    """How firmly a defect is forbidden: some servers convert a value, clamp it, or skip an unknown word."""

    STATED = "stated"
    READ = "our reading: a server may convert, clamp or ignore it, and should not"
    OPEN = "left open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defective:
    """A request with one defect."""

    name: str
    """Of the place in the schema, the rule and the wrong value: `properties-max_tokens.type.true`."""
    base: str
    pointer: str
    rule: str
    where: str
    """The place of the broken keyword, as `file#/pointer`."""
    grade: Grade
    body: Body


@cache
def single_defects() -> tuple[Defective, ...]:
    """Every defect that can be derived, in the order of the bases; no two break one rule at one place in one way."""
    found: dict[tuple[str, str], Defective] = {}
    for base, body in BASES.items():
        for kind, wrong in _candidates(_named(body)):
            broken = schema.defects("request.schema.json", wrong)
            if len(broken) != 1:
                continue
            (defect,) = broken
            key = (defect.schema, kind)
            if key not in found:
                found[key] = Defective(
                    name=f"{_slug(defect.schema)}.{kind}",
                    base=base,
                    pointer=defect.pointer,
                    rule=defect.rule,
                    where=defect.schema,
                    grade=_grade(defect, kind),
                    body=_blank(wrong),
                )
    return tuple(found.values())


def grade_of(body: Any) -> tuple[Grade, schema.Defect] | None:
    """The one defect of a request, and how firmly the page forbids it; nothing for a good one, or for several."""
    return grade_among(schema.defects("request.schema.json", body), body)


def grade_among(broken: Sequence[schema.Defect], body: Any) -> tuple[Grade, schema.Defect] | None:
    """As `grade_of`, where the defects of the request are known."""
    if len(broken) != 1:
        return None
    (defect,) = broken
    return _grade(defect, _kind(_at(body, defect.pointer))), defect


_SLUG: Final = "model/of-the-target"


def _named(body: Body) -> Body:
    return {name: _SLUG if value is MODEL else deepcopy(value) for name, value in body.items()}


def _blank(body: Body) -> Body:
    return {name: MODEL if name == "model" and value == _SLUG else value for name, value in body.items()}


# What is tried.

_OTHERS: Final[tuple[Any, ...]] = (None, True, 7, "word", [], {"word": 1})
_BESIDE: Final[Mapping[type, tuple[Any, ...]]] = {
    int: (-1, 0, 2.5, "7", 2.1),
    float: (-0.1, -1, 2.1, 3, "7"),
    str: ("", ["word"]),
    list: (["word"],),
}
"""What else is tried where a value of the type stands: beyond its bounds, and what a lenient parser makes of it."""


def _candidates(document: Body) -> Iterator[tuple[str, Body]]:
    """The document with one place changed, and what was put there."""
    for path in _paths(document):
        *above, last = path
        parent = document
        for step in above:
            parent = parent[step]
        if isinstance(parent, dict):
            yield f"without-{last}", _changed(document, path, remove=True)
        here = parent[last]
        for value in _OTHERS + _BESIDE.get(type(here), ()):
            if value != here or type(value) is not type(here):
                yield _kind(value), _changed(document, path, value=value)


def _kind(value: Any) -> str:
    """A wrong value in a word."""
    match value:
        case str():
            return "digits" if value.isdigit() else "string" if value else "empty-string"
        case list():
            return "array" if value else "empty-array"
        case dict():
            return "object"
    return json.dumps(value)


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if above:
        yield above
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(item, (*above, name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _paths(item, (*above, place))


def _changed(document: Body, path: tuple[Any, ...], *, value: Any = None, remove: bool = False) -> Body:
    copy = deepcopy(document)
    here: Any = copy
    for step in path[:-1]:
        here = here[step]
    if remove:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return copy


def _at(document: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document


def _slug(place: str) -> str:
    file, _, pointer = place.partition("#")
    words = [word for word in pointer.split("/") if word and word not in {"$defs", "properties"}]
    return ".".join([file.removesuffix(".schema.json"), *words])


# How firm it is.

_OPEN: Final[Mapping[str, frozenset[str]]] = {
    "request.schema.json#/properties/stop/items": frozenset({"type"}),
    "message.schema.json#/$defs/system/properties/content": frozenset({"minItems"}),
    "message.schema.json#/$defs/user/properties/content": frozenset({"minItems"}),
    "message.schema.json#/$defs/assistant/properties/content": frozenset({"minItems", "type"}),
    "message.schema.json#/$defs/assistant/properties/tool_calls": frozenset({"type"}),
    "message.schema.json#/$defs/tool/properties/content": frozenset({"minItems"}),
    "message.schema.json#/$defs/tool_call": frozenset({"required"}),
    "message.schema.json#/$defs/tool_call/properties/id": frozenset({"minLength"}),
    "message.schema.json#/$defs/tool_call/properties/type": frozenset({"type"}),
    "message.schema.json#/$defs/tool_call/properties/function/properties/name": frozenset({"minLength"}),
    "tool.schema.json#/properties/function": frozenset({"required"}),
    "content-part.schema.json#/$defs/url_source": frozenset({"required", "type"}),
}
"""Rules of the schema that are our reading of a silence; its own notes there say which."""


_FILLED_IN: Final = frozenset({"'arguments'", "'media_type'", "'type'"})
"""Members that a lenient server can tell from the rest of what lacks them, as the errors of the schema quote them."""


def _grade(defect: schema.Defect, kind: str) -> Grade:
    """Null, and what the page does not say, is open; the rest stands, unless a lenient server has an excuse."""
    node, _, rule = defect.schema.rpartition("/")
    alternative = rule == "anyOf" or "/anyOf/" in defect.schema  # two forms of one payload, neither of them shown
    written_out = kind == "digits" and rule == "type"  # a number as a string: servers that read it break nothing
    if kind == "null" or written_out or rule in _OPEN.get(node, ()) or alternative:
        return Grade.OPEN
    if rule == "required" and defect.message.startswith(tuple(_FILLED_IN)):
        return Grade.READ
    of_another_kind = kind in {"object", "array", "empty-array"} and rule in {"type", "oneOf", "const", "enum"}
    return Grade.STATED if of_another_kind or rule == "required" else Grade.READ
