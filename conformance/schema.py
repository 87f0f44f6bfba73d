"""The contract as JSON Schema, and what in a document breaks it.

The files of `schemas/` follow JSON Schema 2020-12. They are read from the package or from the checkout,
never from a network. A document is judged whole: every defect is named, and in a union of kinds (the four
roles, the types of parts) only the defects of the kind that was meant.
"""

import importlib.resources
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

_LOCATION = "https://chat-conformance.example/schemas/"
_DISCRIMINATORS = ("role", "type")
_LONGEST = 60  # characters of a found value that a person is shown
_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} characters long",
    "minItems": "at least {} items long",
    "pattern": "of the form {}",
    "uniqueItems": "free of repetition",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One way in which a document breaks its schema.

    `pointer` is a JSON pointer (RFC 6901) into the document; of a missing member it names the object that
    lacks it. `rule` is the keyword of JSON Schema that was broken, or `depth` or `size` where the document
    could not be walked. `schema` is the place of that keyword, as `file#/pointer`, as well as it is known.
    """

    pointer: str
    rule: str
    expected: str
    found: str
    schema: str
    message: str


def folder() -> Traversable:
    """The folder of the schema files: inside an installed package, beside the package in a checkout."""
    installed = importlib.resources.files("conformance") / "schemas"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "schemas"


@cache
def document(name: str) -> Mapping[str, Any]:
    """The parsed schema file of that name, such as `request.schema.json`; shared, so not to be changed.

    Raises:
        FileNotFoundError: there is no such file.
    """
    parsed: Mapping[str, Any] = json.loads((folder() / name).read_text(encoding="utf-8"))
    return parsed


def defects(name: str, instance: object) -> tuple[Defect, ...]:
    """All defects of a document under a schema, sorted by pointer; none when it is valid.

    `name` is a file name, with a fragment where a part of the file is meant: `chunk.schema.json`,
    `message.schema.json#/$defs/tool`. Any JSON is judged, also what Python's parser lets through beyond
    RFC 8259 (NaN, lone surrogates).

    Raises:
        FileNotFoundError: there is no such file.
        LookupError: the file has no such part.
    """
    validator = _validator(name)
    try:
        leaves = [leaf for error in validator.iter_errors(instance) for leaf in _meant(error)]
        found = {defect for leaf in _distinct(leaves) for defect in _described(leaf, name)}
    except RecursionError:
        return (_unwalked("depth", "a document that can be walked", "deeper nesting", name),)
    except ValueError:
        # Python refuses to print an integer of thousands of digits, and the validator prints what it rejects.
        return (_unwalked("size", "numbers that can be printed", "an integer too long to print", name),)
    return tuple(sorted(found, key=lambda defect: (defect.pointer, defect.rule, defect.message)))


def is_valid(name: str, instance: object) -> bool:
    """Whether a document keeps a schema; `name` as for `defects`."""
    return not defects(name, instance)


# Schemas and the references between them.


@cache
def _validator(name: str) -> Draft202012Validator:
    reference = _absolute(name, within=name)
    _resolved(reference)
    resources = [(_LOCATION + file, DRAFT202012.create_resource(_linked(file))) for file in _closure(_file(reference))]
    registry: Registry[bool | Mapping[str, Any]] = Registry().with_resources(resources).crawl()
    return Draft202012Validator({"$ref": reference}, registry=registry)


def _absolute(reference: str, *, within: str) -> str:
    file, _, fragment = reference.partition("#")
    return f"{_LOCATION}{file or within}#{fragment}"


def _file(reference: str) -> str:
    return reference.removeprefix(_LOCATION).partition("#")[0]


@cache
def _linked(file: str) -> Mapping[str, Any]:
    """The schema file with absolute references, so that a subschema can be followed without its base."""

    def linked(node: Any) -> Any:
        if isinstance(node, list):
            return [linked(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {key: _absolute(value, within=file) if key == "$ref" else linked(value) for key, value in node.items()}

    # The location is the file's name whatever its $id says: that is how the files refer to each other.
    whole: Mapping[str, Any] = linked({**document(file), "$id": _LOCATION + file})
    return whole


def _closure(file: str) -> tuple[str, ...]:
    """The file and all that it refers to, directly or not."""
    known: dict[str, None] = {}
    waiting = [file]
    while waiting:
        name = waiting.pop()
        if name not in known:
            known[name] = None
            waiting.extend(_file(reference) for reference in _references(_linked(name)))
    return tuple(known)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from _references(value)


def _resolved(reference: str) -> Mapping[str, Any]:
    node: Any = _linked(_file(reference))
    for step in unquote(reference.partition("#")[2]).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(key)] if isinstance(node, list) else node[key]
        except (LookupError, TypeError, ValueError) as error:
            raise LookupError(f"{reference.removeprefix(_LOCATION)} leads nowhere, from {key!r} on") from error
    schema: Mapping[str, Any] = node
    return schema


def _followed(schema: Any) -> Mapping[str, Any]:
    while isinstance(schema, Mapping) and "$ref" in schema and "properties" not in schema:
        schema = _resolved(schema["$ref"])
    return schema if isinstance(schema, Mapping) else {}


def _place(error: ValidationError, name: str) -> str:
    """Where the broken keyword stands; the path of the validator leaves references out."""
    node: Any = {"$ref": _absolute(name, within=name)}
    place = ""
    for step in error.absolute_schema_path:
        while isinstance(node, Mapping) and step not in node and "$ref" in node:
            place = node["$ref"].removeprefix(_LOCATION)
            node = _resolved(node["$ref"])
        node = node[step]
        place += f"/{_escaped(str(step))}"
    return place


# Unions, collapsed to the kind that was meant.


def _meant(error: ValidationError) -> list[ValidationError]:
    """The errors of the branch of a union that the author of the document meant; else the error itself."""
    if error.validator not in {"oneOf", "anyOf"} or not error.context:
        return [error]
    branches = [
        [inner for inner in error.context if inner.schema_path[0] == index] for index in range(len(_value(error)))
    ]
    live = [index for index, errors in enumerate(branches) if not any(map(_of_another_type, errors))]
    if not live:
        return [_merged_types(error)]
    meant = [index for index in live if not any(map(_of_another_kind, branches[index]))]
    if not meant and len(live) > 1:
        return [_merged_kinds(error, [branches[index] for index in live])]
    leaves = {index: [leaf for inner in branches[index] for leaf in _meant(inner)] for index in meant or live}
    recognised = {index: _recognised(_value(error)[index], error.instance) for index in leaves}
    return leaves[min(leaves, key=lambda index: (-recognised[index], len(leaves[index])))]


def _of_another_type(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _of_another_kind(error: ValidationError) -> bool:
    if error.validator == "required":
        return not error.relative_path and _missing(error) in _DISCRIMINATORS
    return error.validator in {"const", "enum"} and tuple(error.relative_path) in {(name,) for name in _DISCRIMINATORS}


def _recognised(branch: Any, instance: object) -> int:
    """How many members of the document the branch knows."""
    known = _properties(_followed(branch))
    return sum(member in known for member in _members(instance))


def _merged_types(union: ValidationError) -> ValidationError:
    wrong = [error for error in union.context or () if _of_another_type(error)]
    types = [name for error in wrong for name in _types(error)]
    return _replaced(union, validator="type", value=list(dict.fromkeys(types)))


def _merged_kinds(union: ValidationError, branches: Sequence[Sequence[ValidationError]]) -> ValidationError:
    """One error in place of every branch's complaint about the member that tells the kinds apart."""
    wrong = [error for errors in branches for error in errors if _of_another_kind(error)]
    absent = [error for error in wrong if error.validator == "required"]
    if absent:
        return absent[0]
    kinds = [kind for error in wrong for kind in (_value(error) if error.validator == "enum" else [_value(error)])]
    merged = _replaced(wrong[0], validator="enum", value=kinds)
    merged.parent, merged.relative_schema_path = union, type(wrong[0].schema_path)()
    return merged


def _properties(schema: object) -> Mapping[str, Any]:
    return schema.get("properties", {}) if isinstance(schema, Mapping) else {}


def _members(instance: object) -> Sequence[str]:
    return tuple(instance) if isinstance(instance, Mapping) else ()


def _replaced(error: ValidationError, *, validator: str, value: object) -> ValidationError:
    copy = ValidationError.create_from(error)
    copy.validator, copy.validator_value, copy.parent = validator, value, error.parent
    return copy


def _distinct(errors: Sequence[ValidationError]) -> list[ValidationError]:
    """The errors without echoes: a value of the wrong type has one defect, told by the strictest keyword."""
    strictest: dict[str, ValidationError] = {}
    for error in errors:
        if error.validator == "type":
            kept = strictest.setdefault(error.json_path, error)
            if len(_types(error)) < len(_types(kept)):
                strictest[error.json_path] = error
    return [error for error in errors if strictest.get(error.json_path, error) is error]


# What people read.


def _described(error: ValidationError, name: str) -> Iterator[Defect]:
    pointer = "".join(f"/{_escaped(str(step))}" for step in error.absolute_path)
    rule, place = str(error.validator), _place(error, name)
    if rule == "required":
        member = f"'{_missing(error)}'"
        yield Defect(
            pointer=pointer,
            rule=rule,
            expected=f"the member {member}",
            found=f"no {member}",
            schema=place,
            message=f"{member} is missing",
        )
    elif rule == "additionalProperties":
        known = tuple(_properties(error.schema))
        for member in _members(error.instance):
            if member not in known:
                yield Defect(
                    pointer=f"{pointer}/{_escaped(str(member))}",
                    rule=rule,
                    expected=f"one of the members {', '.join(known)}",
                    found=_shown(member),
                    schema=place,
                    message=f"'{_shown(member)[1:-1]}' is not a known member",
                )
    else:
        expected, found = _expectation(error), _shown(error.instance)
        if "propertyNames" in error.absolute_schema_path:
            expected = f"a name {expected}"
        yield Defect(
            pointer=pointer,
            rule=rule,
            expected=expected,
            found=found,
            schema=place,
            message=f"expected {expected}, found {found}",
        )


def _expectation(error: ValidationError) -> str:
    match error.validator:
        case "type":
            return " or ".join(_types(error))
        case "enum":
            return f"one of {', '.join(_shown(item) for item in _value(error))}"
        case "const":
            return _shown(_value(error))
        case rule:
            return _BOUNDS.get(str(rule), f"as {rule} asks").format(_value(error))


def _types(error: ValidationError) -> tuple[str, ...]:
    value = _value(error)
    return (value,) if isinstance(value, str) else tuple(value)


def _value(error: ValidationError) -> Any:
    """What the schema has under the broken keyword."""
    return error.validator_value


def _missing(error: ValidationError) -> str:
    """The member that a `required` error speaks of; the validator tells it in its message only."""
    return next(name for name in map(str, _value(error)) if error.message.startswith(f"{name!r} "))


def _shown(value: object) -> str:
    """A value as JSON, cut to what a line can hold, and free of lone surrogates."""
    match value:
        case str():
            cut = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
            return json.dumps(cut, ensure_ascii=False).encode("utf-8", "backslashreplace").decode("utf-8")
        case bool() | None:
            return json.dumps(value)
        case int() | float():
            return json.dumps(value)[:_LONGEST]
        case Mapping():
            return f"an object of {len(value)}"
        case list():
            return f"an array of {len(value)}"
        case _:
            return f"a {type(value).__name__}"


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unwalked(rule: str, expected: str, found: str, name: str) -> Defect:
    return Defect(
        pointer="",
        rule=rule,
        expected=expected,
        found=found,
        schema=name,
        message=f"expected {expected}, found {found}",
    )
