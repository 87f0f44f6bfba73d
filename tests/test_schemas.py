import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from jsonschema import Draft202012Validator

from conformance import schema

FILES = tuple(sorted(entry.name for entry in schema.folder().iterdir() if entry.name.endswith(".schema.json")))
CONTRACT = (
    "chunk.schema.json",
    "completion.schema.json",
    "content-part.schema.json",
    "error.schema.json",
    "message.schema.json",
    "request.schema.json",
    "response.schema.json",
    "stream-error.schema.json",
    "tool-choice.schema.json",
    "tool.schema.json",
)
OURS = (*CONTRACT, "requirement.schema.json", "target.schema.json")
SECTIONS = {
    "Basic request",
    "Request parameters",
    "Messages",
    "Multi-turn conversations",
    "Multimodal content",
    "Streaming",
    "SSE event types",
    "Tool calls",
    "Response shape",
    "finish_reason values",
}
EXAMPLES = json.loads((Path(__file__).parent / "examples.json").read_text(encoding="utf-8"))


def nodes(node: Any, pointer: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every subschema of a schema, itself included, with the pointer to it."""
    yield pointer, node
    for keyword in ("properties", "$defs"):
        for name, inner in node.get(keyword, {}).items():
            yield from nodes(inner, f"{pointer}/{keyword}/{name}")
    for keyword in ("oneOf", "anyOf", "allOf", "prefixItems"):
        for index, inner in enumerate(node.get(keyword, [])):
            yield from nodes(inner, f"{pointer}/{keyword}/{index}")
    for keyword in ("items", "if", "then", "else", "not", "additionalProperties", "propertyNames"):
        if isinstance(node.get(keyword), dict):
            yield from nodes(node[keyword], f"{pointer}/{keyword}")


def references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)


# The files.


def test_every_file_of_the_contract_is_there() -> None:
    assert set(OURS) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_schema_file_is_a_valid_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema.document(name))


@pytest.mark.parametrize("name", FILES)
def test_a_schema_file_says_its_dialect_and_is_identified_by_its_name(name: str) -> None:
    document = schema.document(name)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"].rsplit("/", 1)[-1] == name
    assert document["title"]
    assert document["description"]


@pytest.mark.parametrize("name", [*OURS, "openapi.json"])
def test_every_reference_is_by_file_name_and_leads_somewhere(name: str) -> None:
    for reference in set(references(schema.document(name))):
        file, _, pointer = reference.partition("#")
        assert "/" not in file, reference
        node: Any = schema.document(file or name)
        for step in pointer.split("/")[1:]:
            node = node[step]
        assert isinstance(node, dict), reference


@pytest.mark.parametrize("name", CONTRACT)
def test_every_node_of_the_contract_names_its_section(name: str) -> None:
    for pointer, node in nodes(schema.document(name)):
        if set(node) == {"$ref"}:
            continue
        section = node.get("x-section", "")
        assert section in SECTIONS or section.startswith("supplement: "), f"{name}#{pointer}: {section!r}"
        if "x-silence" in node:
            assert node["x-silence"].endswith("."), f"{name}#{pointer}"


@pytest.mark.parametrize("name", OURS)
def test_no_pattern_relies_on_unicode_classes_and_no_format_is_asserted(name: str) -> None:
    for pointer, node in nodes(schema.document(name)):
        assert "format" not in node, f"{name}#{pointer}"
        assert not any(shorthand in node.get("pattern", "") for shorthand in (r"\d", r"\w", r"\s", r"\S"))


def test_the_request_has_the_eleven_documented_members_and_stays_open() -> None:
    request = schema.document("request.schema.json")
    assert len(request["properties"]) == 11
    assert request["required"] == ["model", "messages"]
    assert schema.is_valid("request.schema.json", {**EXAMPLES["basic"], "parallel_tool_calls": True})


def test_the_schemas_of_an_installed_package_come_before_those_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (schema.folder() / "request.schema.json").is_file()
    (tmp_path / "schemas").mkdir()
    monkeypatch.setattr(importlib.resources, "files", lambda _package: tmp_path)
    assert schema.folder() == tmp_path / "schemas"


def test_a_missing_file_and_a_missing_part_are_told_apart() -> None:
    with pytest.raises(FileNotFoundError):
        schema.defects("nothing.schema.json", {})
    with pytest.raises(LookupError, match="leads nowhere"):
        schema.defects("message.schema.json#/$defs/wizard", {})


# What is valid.

VALID: list[tuple[str, Any]] = [
    *(
        ("request.schema.json", body)
        for body in map(
            EXAMPLES.__getitem__, ("basic", "multi_turn", "streamed", "with_tools", "with_result", "everything")
        )
    ),
    *(
        ("request.schema.json", {**EXAMPLES["with_tools"], "tool_choice": word})
        for word in ("auto", "none", "required")
    ),
    ("request.schema.json", {**EXAMPLES["basic"], "stop": "END"}),
    ("request.schema.json", {**EXAMPLES["basic"], "max_tokens": 50.0}),
    ("request.schema.json", {**EXAMPLES["basic"], "temperature": 0, "top_p": 1}),
    ("request.schema.json", {**EXAMPLES["basic"], "temperature": 2.0, "top_p": 0.0, "tools": []}),
    ("message.schema.json", EXAMPLES["image_message"]),
    ("message.schema.json", {"role": "assistant", "tool_calls": [EXAMPLES["tool_call"]]}),
    ("message.schema.json", {"role": "assistant", "content": "", "tool_calls": [EXAMPLES["tool_call"]]}),
    ("message.schema.json", {"role": "assistant", "content": "Hi.", "tool_calls": None}),
    ("message.schema.json", {"role": "assistant", "content": "Hi.", "tool_calls": [], "refusal": None}),
    ("message.schema.json#/$defs/tool", {"role": "tool", "tool_call_id": "call_1", "content": "18"}),
    ("content-part.schema.json", {"type": "text", "text": ""}),
    *(
        ("content-part.schema.json", {"type": "image_url", "image_url": {"url": "x", "detail": detail}})
        for detail in ("auto", "low", "high")
    ),
    *(
        ("content-part.schema.json", {"type": kind, kind: {"data": "aGk=", "media_type": "image/png"}})
        for kind in ("image_base64", "audio_base64")
    ),
    *(
        ("content-part.schema.json", {"type": kind, "data": "aGk=", "media_type": "audio/wav"})
        for kind in ("image_base64", "audio_base64")
    ),
    ("content-part.schema.json", {"type": "audio_url", "audio_url": {"url": "https://example.com/a.wav"}}),
    ("content-part.schema.json", {"type": "audio_url", "url": "https://example.com/a.wav"}),
    ("tool.schema.json", EXAMPLES["tool"]),
    ("tool-choice.schema.json", {"type": "function", "function": {"name": "get_weather"}}),
    ("response.schema.json", EXAMPLES["answer"]),
    ("completion.schema.json", EXAMPLES["answer"]["data"]),
    (
        "response.schema.json",
        {**EXAMPLES["answer"], "data": {**EXAMPLES["answer"]["data"], "system_fingerprint": "fp"}},
    ),
    (
        "completion.schema.json#/$defs/message",
        {"role": "assistant", "content": None, "tool_calls": [EXAMPLES["tool_call"]]},
    ),
    (
        "completion.schema.json#/$defs/message",
        {"role": "assistant", "tool_calls": [{k: v for k, v in EXAMPLES["tool_call"].items() if k != "type"}]},
    ),
    ("completion.schema.json#/$defs/message", {"role": "assistant", "content": "Hi.", "tool_calls": None}),
    ("chunk.schema.json", EXAMPLES["chunk"]),
    ("chunk.schema.json", EXAMPLES["full_chunk"]),
    ("chunk.schema.json", {"choices": [{"delta": {}, "finish_reason": "stop"}], "object": "x"}),
    ("chunk.schema.json", {"choices": [{"delta": {}}], "usage": EXAMPLES["answer"]["data"]["usage"]}),
    ("stream-error.schema.json", EXAMPLES["stream_error"]),
    ("error.schema.json", EXAMPLES["failure"]),
    ("error.schema.json", EXAMPLES["throttled"]),
    ("requirement.schema.json", EXAMPLES["requirements"]),
    ("target.schema.json", EXAMPLES["target"]),
    ("target.schema.json", {"target": {"url": "http://[::1]:8000"}}),
]


@pytest.mark.parametrize("name, instance", VALID)
def test_what_the_page_shows_and_what_it_leaves_open_is_valid(name: str, instance: Any) -> None:
    assert schema.defects(name, instance) == ()
    assert schema.is_valid(name, instance)


# A tool that we did not write reads the contract too.


def test_the_openapi_document_loads_elsewhere_and_its_operation_has_a_body() -> None:
    path = Path(str(schema.folder() / "openapi.json"))
    operation = schemathesis.openapi.from_path(path)["/v1/inference/chat"]["POST"]
    (body,) = operation.body
    assert body.media_type == "application/json"
    assert body.is_required
    assert set(operation.responses.status_codes) == {
        "200",
        *("401", "403", "404", "422", "429", "502", "503", "504"),
    }


def test_the_example_of_the_openapi_document_is_a_valid_request() -> None:
    operation = schema.document("openapi.json")["paths"]["/v1/inference/chat"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert schema.defects("request.schema.json", example) == ()
