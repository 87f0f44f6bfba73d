import copy
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from conformance import schema

EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text(encoding="utf-8"))
FILES = tuple(sorted(entry.name for entry in schema.folder().iterdir() if entry.name.endswith(".schema.json")))


def changed(instance: Any, pointer: str, value: Any) -> Any:
    """A copy of the instance with another value at the pointer; `...` takes the member away."""
    whole = copy.deepcopy(instance)
    steps = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    if not steps:
        return value
    node = whole
    for step in steps[:-1]:
        node = node[step]
    if value is ...:
        del node[steps[-1]]
    else:
        node[steps[-1]] = value
    return whole


# What is wrong, once: a valid example, the place where it is changed, the new value (`...` takes the member
# away), and the rule that breaks. The defect is at that place, or at the parent of what was taken away, unless
# a row ends with another pointer.

BROKEN: dict[tuple[str, str], list[tuple[Any, ...]]] = {
    ("request.schema.json", "basic"): [
        ("", [], "type"),
        ("/model", ..., "required"),
        ("/messages", ..., "required"),
        ("/model", ["a"], "type"),
        ("/messages", "Hi.", "type"),
        ("/messages", [], "minItems"),
        ("/messages/0", "Hi.", "type"),
        ("/messages/1/role", ..., "required"),
        ("/messages/1/role", "wizard", "enum"),
        ("/messages/1/role", 7, "enum"),
        ("/messages/1/content", ..., "required"),
        ("/messages/1/content", 7, "type"),
        ("/messages/1/content", None, "type"),
        ("/messages/1/content", [], "minItems"),
    ],
    ("request.schema.json", "multi_turn"): [
        ("/messages/2/content", ..., "required"),
        ("/messages/2/content", None, "type"),
        ("/messages/2/content", True, "type"),
    ],
    ("request.schema.json", "everything"): [
        ("/max_tokens", 0, "minimum"),
        ("/max_tokens", 1.5, "type"),
        ("/max_tokens", True, "type"),
        ("/max_tokens", {}, "type"),
        ("/temperature", 2.1, "maximum"),
        ("/temperature", -0.1, "minimum"),
        ("/temperature", "hot", "type"),
        ("/top_p", 1.1, "maximum"),
        ("/top_p", -0.1, "minimum"),
        ("/stop", 7, "type"),
        ("/stop/1", 7, "type"),
        ("/seed", 0.5, "type"),
        ("/stream", "yes", "type"),
        ("/metadata", [], "type"),
        ("/tools", {}, "type"),
        ("/tools/0", 7, "type"),
        ("/tools/0/type", "gadget", "const"),
        ("/tools/0/function", ..., "required"),
        ("/tools/0/function/name", ..., "required"),
        ("/tools/0/function/parameters", "x", "type"),
        ("/tool_choice", 7, "type"),
        ("/tool_choice", "sometimes", "enum"),
        ("/tool_choice/type", "gadget", "const"),
        ("/tool_choice/type", ..., "required"),
        ("/tool_choice/function", ..., "required"),
        ("/tool_choice/function/name", ..., "required"),
    ],
    ("request.schema.json", "with_result"): [
        ("/messages/1/tool_calls", [], "type", "/messages/1/content"),
        ("/messages/1/tool_calls", ..., "type", "/messages/1/content"),
        ("/messages/1/tool_calls/0/id", ..., "required"),
        ("/messages/1/tool_calls/0/function/arguments", {}, "type"),
        ("/messages/2/tool_call_id", ..., "required"),
        ("/messages/2/tool_call_id", 7, "type"),
        ("/messages/2/content", {}, "type"),
    ],
    ("request.schema.json", "parts"): [
        ("/messages/0/content/0", "Hi.", "type"),
        ("/messages/0/content/0/type", ..., "required"),
        ("/messages/0/content/0/type", "hologram", "enum"),
        ("/messages/0/content/0/text", ..., "required"),
        ("/messages/0/content/1/image_url", ..., "required"),
        ("/messages/0/content/1/image_url", "x", "type"),
        ("/messages/0/content/1/image_url/url", ..., "required"),
        ("/messages/0/content/1/image_url/detail", "max", "enum"),
    ],
    ("request.schema.json", "image_nested"): [
        ("/messages/0/content/0/image_base64", ..., "required"),
        ("/messages/0/content/0/image_base64", "x", "type"),
        ("/messages/0/content/0/image_base64/media_type", ..., "required"),
    ],
    ("request.schema.json", "sound_flat"): [
        ("/messages/0/content/0/media_type", ..., "required"),
        ("/messages/0/content/0/data", 7, "type"),
    ],
    ("request.schema.json", "sound_nested"): [
        ("/messages/0/content/0/audio_url/url", ..., "required"),
    ],
    ("response.schema.json", "answer"): [
        ("/status", "OK", "const"),
        ("/data", None, "type"),
        ("/data/id", "", "minLength"),
        ("/data/created", 1.5, "type"),
        ("/data/choices", [], "minItems"),
        ("/data/choices/0/index", -1, "minimum"),
        ("/data/choices/0/finish_reason", None, "type"),
        ("/data/choices/0/finish_reason", "done", "enum"),
        ("/data/choices/0/message/role", "user", "const"),
        ("/data/choices/0/message/content", [], "type"),
        ("/data/choices/0/message/content", ..., "required"),
        ("/data/usage/total_tokens", ..., "required"),
        ("/data/usage/prompt_tokens", -1, "minimum"),
        ("/data/_meta", ..., "required"),
        ("/data/_meta/latency_ms", "310", "type"),
    ],
    ("chunk.schema.json", "chunk"): [
        ("/choices", [], "minItems"),
        ("/choices/0/delta", ..., "required"),
        ("/choices/0/delta", None, "type"),
        ("/choices/0/delta/content", ["a"], "type"),
        ("", {"status": "ok", "data": {}}, "required"),
    ],
    ("chunk.schema.json", "full_chunk"): [
        ("/choices/0/finish_reason", "eos", "enum"),
        ("/choices/0/delta/role", "user", "enum"),
        ("/usage", 7, "type"),
    ],
    ("stream-error.schema.json", "stream_error"): [
        ("/code", 502, "type"),
        ("/message", ..., "required"),
        ("", "boom", "type"),
    ],
    ("error.schema.json", "failure"): [
        ("/status", "ok", "const"),
        ("/meta", ..., "required"),
        ("/error/code", ..., "required"),
        ("/error", "boom", "type"),
        ("/error/details/0/field", ..., "required"),
    ],
    ("error.schema.json", "throttled"): [
        ("/error/retry_after", "15", "type"),
        ("/error/retry_after", -1, "minimum"),
    ],
    ("requirement.schema.json", "requirements"): [
        ("/stream.done-is-last/level", "HARD", "enum"),
        ("/stream.done-is-last/text", ..., "required"),
        ("/stream.done-is-last/anchor", "a b c d e f g h i", "pattern"),
        ("/stream.done-is-last/needs/1", "trigger:luck", "enum"),
        ("/stream.done-is-last/needs/1", "model", "uniqueItems", "/stream.done-is-last/needs"),
        ("/stream.done-is-last/readings/others", [], "minItems"),
        ("/stream.done-is-last/severity", 1, "additionalProperties"),
        ("/errors.retry-after/source", ..., "required"),
        ("/Errors.Retry", EXAMPLES["requirements"]["errors.retry-after"], "pattern", ""),
    ],
    ("target.schema.json", "target"): [
        ("/target/url", ..., "required"),
        ("/backend/model", ..., "required"),
        ("/backend/timeout", 1, "minimum"),
        ("/target/url", "grid.example.com", "pattern"),
        ("/target/path", "v1/chat", "pattern"),
        ("/target/profile", "azure", "enum"),
        ("/target/modle", "x", "additionalProperties"),
        ("/capabilities/smell", True, "additionalProperties"),
        ("/triggers/luck", {"body": {}}, "additionalProperties"),
        ("/triggers/mid_stream_error/body", ..., "required"),
        ("/backend/listen", "9100", "pattern"),
        ("/limits/concurrency", 0, "minimum"),
        ("/limits/requests_per_minute", 0, "exclusiveMinimum"),
        ("/limits/timeout", 0, "exclusiveMinimum"),
    ],
}

ROWS = [
    pytest.param(
        file,
        example,
        row,
        id=f"{example}{row[0]}={'absent' if row[1] is ... else str(row[1])[:20]}",
    )
    for (file, example), rows in BROKEN.items()
    for row in rows
]


@pytest.mark.parametrize("file, example, row", ROWS)
def test_one_mistake_is_one_defect_where_it_was_made(file: str, example: str, row: tuple[Any, ...]) -> None:
    place, value, rule, *elsewhere = row
    parent, _, member = place.rpartition("/")
    pointer = elsewhere[0] if elsewhere else parent if value is ... else place
    (defect,) = schema.defects(file, changed(EXAMPLES[example], place, value))
    assert (defect.pointer, defect.rule) == (pointer, rule)
    if value is ... and rule == "required":
        assert defect.message == f"'{member}' is missing"
        assert member in defect.found
    blamed, _, where = defect.schema.partition("#")
    assert blamed in FILES
    assert where


# How defects are told.


def test_a_defect_says_what_was_expected_what_was_found_and_by_which_rule() -> None:
    (defect,) = schema.defects("request.schema.json", changed(EXAMPLES["basic"], "/messages/1/role", "wizard"))
    assert defect == schema.Defect(
        pointer="/messages/1/role",
        rule="enum",
        expected='one of "system", "user", "assistant", "tool"',
        found='"wizard"',
        schema="message.schema.json#/oneOf",
        message='expected one of "system", "user", "assistant", "tool", found "wizard"',
    )


def test_the_place_of_a_rule_is_found_across_files() -> None:
    (defect,) = schema.defects("request.schema.json", changed(EXAMPLES["with_result"], "/messages/2/tool_call_id", ...))
    assert defect.schema == "message.schema.json#/$defs/tool/required"


def test_every_defect_of_a_document_is_told_in_the_order_of_pointers() -> None:
    wrong = {**EXAMPLES["basic"], "temperature": 3, "top_p": 3, "max_tokens": 0, "messages": [{"role": "tool"}]}
    assert [(defect.pointer, defect.message) for defect in schema.defects("request.schema.json", wrong)] == [
        ("/max_tokens", "expected at least 1, found 0"),
        ("/messages/0", "'content' is missing"),
        ("/messages/0", "'tool_call_id' is missing"),
        ("/temperature", "expected at most 2, found 3"),
        ("/top_p", "expected at most 1, found 3"),
    ]


def test_a_long_value_is_cut_and_a_container_is_only_counted() -> None:
    (long,) = schema.defects("request.schema.json", {**EXAMPLES["basic"], "temperature": "x" * 10_000})
    (container,) = schema.defects("request.schema.json", {**EXAMPLES["basic"], "temperature": [[1], [2]]})
    assert len(long.message) < 200
    assert container.found == "an array of 2"


def test_a_value_that_only_toml_has_is_told_by_its_type() -> None:
    (defect,) = schema.defects("target.schema.json", {"target": {"url": dt.date(2024, 4, 23)}})
    assert defect.message == "expected string, found a date"


def test_an_unknown_member_is_pointed_at_and_its_name_is_escaped() -> None:
    wrong = {"target": {"url": "http://x", "a/b~c": 1, "q": 2}}
    assert [defect.pointer for defect in schema.defects("target.schema.json", wrong)] == [
        "/target/a~1b~0c",
        "/target/q",
    ]


# Whatever comes, the validator answers.

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["system", "user", "assistant", "tool", "text", "image_base64", "function", "\ud800"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "type", "content", "choices", "delta", "usage", "tool_calls", "function", "error"])
            | st.text(st.characters(), max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


# The same files, resolved by their own ids and judged without any of our machinery.
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema.document(name)["$id"], DRAFT202012.create_resource(schema.document(name))) for name in FILES
)
PLAIN = {name: Draft202012Validator(schema.document(name), registry=REGISTRY) for name in FILES}


@settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(FILES), instance=ANY)
def test_any_json_is_judged(name: str, instance: Any) -> None:
    found = schema.defects(name, instance)
    assert (found == ()) == PLAIN[name].is_valid(instance)
    assert [defect.pointer for defect in found] == sorted(defect.pointer for defect in found)
    for defect in found:
        assert defect.message
        assert defect.found.encode("utf-8")
        assert len(defect.found) < 400


@settings(deadline=None, max_examples=60)
@given(messages=st.lists(ANY, min_size=1, max_size=3), choice=ANY)
def test_any_json_in_the_unions_of_a_request_is_judged(messages: list[Any], choice: Any) -> None:
    for defect in schema.defects(
        "request.schema.json", {**EXAMPLES["basic"], "messages": messages, "tool_choice": choice}
    ):
        assert defect.pointer.startswith(("/messages/", "/tool_choice"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-0.0", "1" * 4000])
def test_odd_numbers_are_judged(number: str) -> None:
    for member in ("temperature", "max_tokens", "stop"):
        for defect in schema.defects("request.schema.json", {**EXAMPLES["basic"], member: json.loads(number)}):
            assert defect.pointer == f"/{member}"
            assert len(defect.found) <= 60


def test_a_number_that_python_does_not_print_is_a_defect_and_no_crash() -> None:
    (defect,) = schema.defects("request.schema.json", {**EXAMPLES["basic"], "temperature": 10**6000})
    assert (defect.pointer, defect.rule) == ("", "size")


def test_nesting_too_deep_to_walk_is_a_defect_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    (defect,) = schema.defects("request.schema.json", {**EXAMPLES["basic"], "messages": deep})
    assert (defect.pointer, defect.rule) == ("", "depth")
    assert schema.is_valid("request.schema.json", {**EXAMPLES["basic"], "metadata": {"deep": deep}})
