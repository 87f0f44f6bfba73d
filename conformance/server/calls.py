"""Which tools the built-in model calls, and with what arguments."""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from jsonschema import Draft202012Validator, SchemaError

from conformance.server.generation import ChatRequest, ToolCall, fresh_call_id

_MOST_CALLS: Final = 8
_DEEPEST: Final = 24  # nested schemas; a schema that refers to itself ends here
_GENERIC: Final = frozenset(
    (
        "about",
        "answer",
        "back",
        "call",
        "city",
        "current",
        "data",
        "fetch",
        "find",
        "from",
        "function",
        "given",
        "info",
        "information",
        "into",
        "item",
        "list",
        "location",
        "look",
        "make",
        "name",
        "number",
        "place",
        "please",
        "result",
        "return",
        "search",
        "string",
        "take",
        "tell",
        "text",
        "that",
        "this",
        "today",
        "tool",
        "user",
        "value",
        "what",
        "when",
        "where",
        "which",
        "with",
        "word",
        "your",
    )
)
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
}
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")


def wanted(request: ChatRequest, prompt: str) -> tuple[ToolCall, ...]:
    """The calls that answer a prompt, under the request's tool choice; empty where text answers it.

    `required` and a named choice always bring a call. `auto` brings one where the prompt shares a word with a
    tool's name or description. A prompt that names several places brings one call for each.
    """
    forced = request.tool_choice in {"required", "named"}
    if request.tool_choice == "none" or (not forced and not _matching(request.tools, prompt)):
        return ()
    functions = [tool["function"] for tool in request.tools if tool["function"]["name"]]
    if request.tool_choice == "named":
        chosen = [function for function in functions if function["name"] == request.named][:1]
    else:
        chosen = _matching(request.tools, prompt) or functions[:1]
    calls = [
        ToolCall(id=fresh_call_id(), name=function["name"], arguments=_arguments(function, words, prompt))
        for function in chosen
        for words in _occasions(function, prompt)
    ]
    return tuple(calls[:_MOST_CALLS])


def _matching(tools: Sequence[Mapping[str, Any]], prompt: str) -> list[Mapping[str, Any]]:
    functions = [tool["function"] for tool in tools if tool["function"]["name"]]
    spoken = _significant(prompt)
    by_name = [function for function in functions if spoken & _significant(function["name"])]
    return by_name or [function for function in functions if spoken & _significant(function.get("description", ""))]


def _significant(text: str) -> frozenset[str]:
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower()
    words = {word.removesuffix("s") for word in re.findall(r"[^\W\d_]{4,}", parted)}
    return frozenset(words - _GENERIC)


def _occasions(function: Mapping[str, Any], prompt: str) -> list[tuple[str, ...]]:
    """The proper names for each call: all of them for one call, or one for each of several."""
    names = _proper_names(prompt)
    parameters = function.get("parameters", {})
    properties = parameters.get("properties", {}) if isinstance(parameters, Mapping) else {}
    free = [
        schema
        for schema in (properties.values() if isinstance(properties, Mapping) else ())
        if isinstance(schema, Mapping) and schema.get("type") == "string" and not {"enum", "format"} & set(schema)
    ]
    return [(name,) for name in names] if len(names) > 1 and len(free) == 1 else [tuple(names)]


def _proper_names(prompt: str) -> list[str]:
    """Capitalised words that no sentence begins with, neighbours joined, each once."""
    found = [(match.group(), match.start(), match.end()) for match in re.finditer(r"[^\W\d_][\w'-]*", prompt)]
    names: list[str] = []
    open_end = -1
    for (_, _, previous_end), (word, start, end) in pairwise([("", 0, 0), *found]):
        gap = prompt[previous_end:start]
        begins = previous_end == 0 or any(mark in gap for mark in ".!?:\n")
        if not word[0].isupper() or begins or word == "I":
            continue
        if previous_end == open_end and gap == " ":
            names[-1] += f" {word}"
        else:
            names.append(word)
        open_end = end
    return list(dict.fromkeys(name.removesuffix("'s") for name in names))


def _arguments(function: Mapping[str, Any], names: Sequence[str], prompt: str) -> str:
    schema = function.get("parameters", {})
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        return "{}"
    made = _Maker(root=schema, names=names, prompt=prompt).made(schema or {"type": "object"})
    return json.dumps(made if isinstance(made, dict) else {}, ensure_ascii=False)


class _Maker:
    """Makes an instance of a JSON Schema, with words and numbers of the prompt where they fit."""

    def __init__(self, *, root: Any, names: Sequence[str], prompt: str) -> None:
        self._root = root
        self._names = list(names)
        self._prompt = prompt
        self._numbers = [float(match) for match in _NUMBER.findall(prompt)]

    def made(self, schema: Any, *, key: str = "", depth: int = 0) -> Any:
        """An instance of `schema`, which is named `key` in its object."""
        schema = self._plain(schema, depth)
        if depth > _DEEPEST:
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(choices := schema.get("enum"), list) and choices:
            lower = self._prompt.lower()
            return next((choice for choice in choices if str(choice).lower() in lower), choices[0])
        match self._kind(schema):
            case "object":
                made: Any = self._object(schema, depth)
            case "array":
                made = self._array(schema, key, depth)
            case "string":
                made = self._string(schema, key)
            case "integer" | "number" as kind:
                made = self._number(schema, whole=kind == "integer")
            case kind:
                made = True if kind == "boolean" else None
        return made

    def _plain(self, schema: Any, depth: int) -> Mapping[str, Any]:
        """The schema with its reference followed and its branches folded in."""
        if not isinstance(schema, Mapping):
            return {"type": "string"} if schema is True else {}
        whole = dict(schema)
        if isinstance(reference := whole.pop("$ref", None), str) and depth <= _DEEPEST:
            here = self._root
            for step in reference.removeprefix("#").split("/")[1:]:
                here = here.get(step, {}) if isinstance(here, Mapping) else {}
            whole = {**self._plain(here, depth + 1), **whole}
        branches = list(whole.pop("allOf", []))
        for union in ("anyOf", "oneOf"):
            options = [option for option in whole.pop(union, []) if option != {"type": "null"}]
            branches.extend(options[:1])
        for branch in branches if depth <= _DEEPEST else []:
            extra = self._plain(branch, depth + 1)
            properties = {**whole.get("properties", {}), **extra.get("properties", {})}
            needed = [*whole.get("required", []), *extra.get("required", [])]
            whole = {**extra, **whole, "properties": properties, "required": needed}
        return whole

    @staticmethod
    def _kind(schema: Mapping[str, Any]) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if isinstance(kind, str):
            return kind
        if schema.get("properties") or schema.get("required"):
            return "object"
        return "array" if "items" in schema else "string"

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        needed = schema.get("required")
        if not isinstance(needed, list) or not needed:
            needed = list(properties)
        if depth == _DEEPEST:
            return {}
        return {name: self.made(properties.get(name, True), key=name, depth=depth + 1) for name in needed}

    def _array(self, schema: Mapping[str, Any], key: str, depth: int) -> list[Any]:
        items = schema.get("items", True)
        size = max(1, min(int(schema.get("minItems", 1)), 16)) if schema.get("maxItems") != 0 else 0
        text = isinstance(items, Mapping) and items.get("type") == "string" and "enum" not in items
        if text and self._names and "maxItems" not in schema:
            size = max(size, len(self._names))
        return [self.made(items, key=key, depth=depth + 1) for _ in range(size)]

    def _string(self, schema: Mapping[str, Any], key: str) -> str:
        if example := _FORMATS.get(str(schema.get("format"))):
            return example
        text = self._names.pop(0) if self._names else (key or "text")
        shortest, longest = int(schema.get("minLength", 0)), int(schema.get("maxLength", 10_000))
        return text.ljust(min(shortest, 10_000), "x")[:longest]

    def _number(self, schema: Mapping[str, Any], *, whole: bool) -> float:
        step = schema.get("multipleOf") or 1
        least = schema.get("minimum", -(2**53))
        most = schema.get("maximum", 2**53)
        least = max(least, schema.get("exclusiveMinimum", least - step) + step)
        most = min(most, schema.get("exclusiveMaximum", most + step) - step)
        fitting = [number for number in self._numbers if least <= number <= most and number % step == 0]
        number: float = fitting[0] if fitting else max(least, min(1, most))
        if not fitting and number % step:
            number = -(-number // step) * step
        if fitting:
            self._numbers.remove(number)
        return int(number) if whole or float(number).is_integer() else number
