"""The space of requests: what the schema lets a request hold, and which of its rules one change can break.

A *branch* is a member, an item of a list, a type or kind where several will do, a value of an enumeration. A *defect*
is a rule of the schema at a place of it; of a missing member, with that member's name. Both are walked out of the
schema, so that a member more in it is a branch more here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, Final

from conformance import schema
from conformance.document import at

_REQUEST: Final = "request.schema.json#"
_DISCRIMINATORS: Final = ("role", "type")
_TYPES: Final[Mapping[str, type]] = {"string": str, "array": list, "object": dict, "null": NoneType}
_RULES: Final = ("type", "enum", "const", "minimum", "maximum", "minLength", "minItems")


class _Every(Enum):
    """Stands for a value that takes every branch."""

    EVERY = "every value"


_EVERY: Final = _Every.EVERY


@cache
def branches() -> tuple[str, ...]:
    """Every branch by name, in the order of the schema: `stop as array`, `messages[user].content[image_url]`.

    The member that tells kinds apart is no branch beside its kinds.
    """
    return tuple(dict.fromkeys(_taken("", _REQUEST, _EVERY)))


def taken(body: Mapping[str, Any]) -> frozenset[str]:
    """The branches that a request without a defect goes through."""
    return frozenset(_taken("", _REQUEST, body))


@cache
def breakable() -> tuple[str, ...]:
    """Every defect that one change to a good request makes, by name, in the order of the schema.

    `request.max_tokens: minimum`; `message.user: required content` where a member is missing. Conditions of the schema
    are passed over: they ask for two changes.
    """
    return tuple(dict.fromkeys(_breakable(_REQUEST, typed=False)))


def broken(defect: schema.Defect) -> str:
    """The name of a defect, which one change may be unable to make."""
    missing = defect.message.partition("'")[2].partition("'")[0] if defect.rule == "required" else ""
    return _named(defect.schema.rpartition("/")[0], defect.rule, missing)


def _named(place: str, rule: str, missing: str = "") -> str:
    file, _, pointer = place.partition("#")
    words = re.sub(r"/(?:oneOf|anyOf)(?:/\d+)?|/\$defs|/properties(?=/)", "", pointer).replace("/items", "[]")
    return f"{file.removesuffix('.schema.json')}{words.replace('/', '.')}: {rule} {missing}".rstrip()


# The schema.


@cache
def _followed(place: str) -> tuple[str, Mapping[str, Any]]:
    """The schema at a place, given as `file#/pointer`, or the one that it refers to, after the place of that."""
    file, _, pointer = place.partition("#")
    node = at(schema.document(file), pointer)
    if "$ref" not in node:
        return place, node
    other, _, pointer = node["$ref"].partition("#")
    return _followed(f"{other or file}#{pointer}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Union:
    """Several schemas, of which a value keeps one."""

    place: str
    alternatives: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """Each after its place."""
    discriminator: str = ""
    """The member whose value says which one is meant; empty where none does."""

    def kind(self, node: Mapping[str, Any]) -> str:
        """What the discriminator says where this alternative is meant."""
        word: str = node["properties"][self.discriminator]["const"]
        return word


@cache
def _union(place: str) -> _Union:
    """The alternatives at a place; none where a value has but one schema to keep."""
    _, node = _followed(place)
    keyword = next((word for word in ("oneOf", "anyOf") if word in node), "")
    found = tuple(_followed(f"{place}/{keyword}/{number}") for number in range(len(node.get(keyword, ()))))
    telling = (
        name
        for name in _DISCRIMINATORS
        if found and all("const" in each.get("properties", {}).get(name, {}) for _, each in found)
    )
    return _Union(place=f"{place}/{keyword}", alternatives=found, discriminator=next(telling, ""))


# Branches.


def _taken(name: str, place: str, value: Any, *, told: str = "") -> Iterator[str]:
    """The branches that a value takes at a place of the schema, and below it; some more than once.

    Args:
        name: what the value is called.
        place: of its schema.
        value: one that keeps it, or `_EVERY`.
        told: the member that the name tells already.
    """
    place, node = _followed(place)
    union = _union(place)
    if name and not union.discriminator:
        yield name
    if isinstance(node.get("type"), list):
        yield from (f"{name} as {word}" for word in node["type"] if value is _EVERY or isinstance(value, _TYPES[word]))
    yield from (f"{name}={json.dumps(each)}" for each in _values(node) if value is _EVERY or value == each)
    yield from _alternative(name, union, value)
    if "if" in node:
        yield from _conditions(name, place, node["if"]["required"], value)
    for member in node.get("properties", {}):
        if member != told and (value is _EVERY or (isinstance(value, dict) and member in value)):
            inner = _EVERY if value is _EVERY else value[member]
            yield from _taken(f"{name}.{member}" if name else member, f"{place}/properties/{member}", inner)
    if "items" in node:
        for item in (_EVERY,) if value is _EVERY else value if isinstance(value, list) else ():
            yield from _taken(f"{name}[]", f"{place}/items", item)


def _values(node: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values that a schema lists, which are of one type."""
    if "const" in node:
        return (node["const"],)
    return (False, True) if node.get("type") == "boolean" else tuple(node.get("enum", ()))


def _alternative(name: str, union: _Union, value: Any) -> Iterator[str]:
    for place, node in union.alternatives:
        if union.discriminator:
            kind = union.kind(node)
            if value is _EVERY or value[union.discriminator] == kind:
                yield from _taken(f"{name.removesuffix('[]')}[{kind}]", place, value, told=union.discriminator)
        elif value is _EVERY or schema.is_valid(place, value):
            required = ", ".join(node.get("required", ()))
            alike = all(each.get("type", "object") == "object" for _, each in union.alternatives)
            yield f"{name} with {required}" if alike else f"{name} as {node['type']}"
            yield from _taken(name, place, value)


def _conditions(name: str, place: str, members: list[str], value: Any) -> Iterator[str]:
    if value is _EVERY:
        words: tuple[str, ...] = ("with", "without")
    else:
        words = ("with",) if schema.is_valid(f"{place}/if", value) else ("without",)
    yield from (f"{name} {word} {', '.join(members)}" for word in words)


# Defects.


def _breakable(place: str, *, typed: bool = True, told: str = "") -> Iterator[str]:
    """The defects at a place of the schema, and below it; some more than once.

    Args:
        place: of the schema.
        typed: another type is a defect here; not of the whole, nor of an alternative, where it is the union's.
        told: the member that says which alternative is meant.
    """
    place, node = _followed(place)
    union = _union(place)
    for rule in _RULES:
        if rule in node and (typed or rule != "type"):
            yield _named(place, rule)
    for member in node.get("required", ()):
        if member != told:
            yield _named(place, "required", member)
    if union.alternatives:
        yield from _of_the_union(union)
    for member in node.get("properties", {}):
        if member != told:
            yield from _breakable(f"{place}/properties/{member}")
    if "items" in node:
        yield from _breakable(f"{place}/items")


def _of_the_union(union: _Union) -> Iterator[str]:
    first, _ = union.alternatives[0]
    if all("type" in node for _, node in union.alternatives):
        yield _named(union.place, "type")
    if union.discriminator:
        yield _named(union.place, "enum")
        yield _named(first, "required", union.discriminator)  # where `schema.defects` puts a kind that is not told
    for each, _ in union.alternatives:
        yield from _breakable(each, typed=False, told=union.discriminator)
