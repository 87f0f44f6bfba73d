"""What the schema lets a request hold, and what of it requests go through."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from conformance import schema
from conformance.exchange import Ending, Exchange, Request
from conformance.generate.branches import branches, breakable, broken, taken
from conformance.generate.defects import NEEDS, single_defects
from conformance.generate.inputs import exercised, inputs, left_open, needed
from conformance.generate.valid import Body, drawn
from conformance.probe import filled
from conformance.probes import multimodal
from conformance.reading import requests
from tests import report_samples as samples

FILES: Final = ("request", "message", "content-part", "tool", "tool-choice")
WALKED: Final = {"type", "enum", "const", "properties", "required", "items", "oneOf", "anyOf", "$ref", "if", "else"}
BOUNDS: Final = {"minimum", "maximum", "minLength", "minItems"}
NOTES: Final = {"$schema", "$id", "title", "description", "contentEncoding", "x-section", "x-silence"}
ASKED_BY_HAND: Final = {
    # The page shows no members of audio_url: whoever takes the other nesting breaks nothing.
    "messages[user].content[audio_url] with url",
    "messages[user].content[audio_url].url",
}
"""Branches that no drawn request goes through, though a declared one does."""


def written(body: Any) -> Body:
    """The body as it is sent."""
    made: Body = filled(body, model="vendor/model", cap=None, earlier=())
    return made


def defect(body: Any) -> str:
    (found,) = schema.defects("request.schema.json", body)
    return broken(found)


def request(*, content: Any = "Hi.", **members: Any) -> Body:
    return {"model": "m", "messages": [{"role": "user", "content": content}], **members}


PLAIN: Final = frozenset(
    (
        "model",
        "messages",
        "messages[user]",
        "messages[user].content",
        "messages[user].content as string",
    )
)
"""What every such request goes through."""


def exchange(body: Any, **changes: Any) -> Exchange:
    made = samples.answered({}, probe="request.minimal")
    sent = Request(
        method="POST",
        url=made.request.url,
        headers=(("authorization", "Bearer ***"),),
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
    made_of: dict[str, Any] = {"probe": "request.minimal", "request": sent}
    return samples.answered({}, **(made_of | changes))


# The walk.


def keywords(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each keyword of a schema, with the subschema that it stands in."""
    yield from ((key, node) for key in node)
    for key, value in node.items():
        if key in {"properties", "$defs"}:
            for inner in value.values():
                yield from keywords(inner)
        elif key in {"oneOf", "anyOf"}:
            for inner in value:
                yield from keywords(inner)
        elif key in {"items", "if", "else"}:
            yield from keywords(value)


@pytest.mark.parametrize("file", FILES)
def test_the_walk_knows_every_keyword_of_the_request(file: str) -> None:
    found = list(keywords(schema.document(f"{file}.schema.json")))

    assert {key for key, _ in found} <= WALKED | BOUNDS | NOTES | {"$defs"}
    # What stands beside a reference would be passed over.
    assert all(set(node) <= {"$ref"} | NOTES for key, node in found if key == "$ref")


def test_branches_have_names_that_a_person_can_read() -> None:
    assert {
        "tools[].function.parameters",
        "messages[user].content[image_url].image_url.detail",
        'messages[user].content[image_url].image_url.detail="low"',
        'tool_choice="none"',
        "tool_choice as object",
        "stop as string",
        "stop as array",
        "stop[]",
        "stream=true",
        "messages[tool].tool_call_id",
        "messages[assistant].content as null",
        "messages[assistant] without tool_calls",
        "messages[user].content[image_base64] with data, media_type",
    } < set(branches())
    assert len(set(branches())) == len(branches())


def test_the_defects_are_those_that_one_change_makes() -> None:
    made = {defect(written(each.body)) for each in single_defects()}

    assert made == set(breakable())
    assert len(made) == len(breakable())


def test_a_defect_needs_what_the_good_request_needs_that_it_is_made_of() -> None:
    found: dict[str, set[str]] = {}
    for each in single_defects():
        found.setdefault(defect(written(each.body)), set()).add(NEEDS.get(each.base, ""))

    assert {name: min(needs) for name, needs in found.items()} == {name: needed(name) for name in breakable()}


# Drawn requests.


@pytest.fixture(scope="module")
def went() -> frozenset[str]:
    """The branches that six hundred drawn requests go through."""
    return frozenset().union(*(taken(written(body)) for body in drawn(600, 2)))


def test_drawn_requests_go_through_every_branch_that_is_not_left_open(went: frozenset[str]) -> None:
    assert {name for name in branches() if name not in went and not left_open(name)} == ASKED_BY_HAND


def test_drawn_requests_leave_alone_what_the_page_leaves_open(went: frozenset[str]) -> None:
    assert {name for name in went if left_open(name)} == set()
    assert went <= set(branches())


def test_a_declared_request_goes_through_what_is_not_drawn() -> None:
    assert taken(written(multimodal.AUDIO_URL_FLAT.step.body)) > ASKED_BY_HAND


@pytest.mark.parametrize("able", [(), ("tools",), ("vision",), ("audio",)], ids=["nothing", "tools", "vision", "audio"])
def test_what_a_branch_needs_is_not_drawn_without_it(able: tuple[str, ...]) -> None:
    went = frozenset().union(*(taken(written(body)) for body in drawn(40, 3, able)))

    assert {needed(name) for name in went} == {"", *able}


# One request.


@pytest.mark.parametrize(
    "body, more",
    [
        (request(), set()),
        (request(max_tokens=2, unknown=1), {"max_tokens"}),
        (request(stop="."), {"stop", "stop as string"}),
        (request(stop=[]), {"stop", "stop as array"}),
        (request(stop=["."]), {"stop", "stop as array", "stop[]"}),
        (request(stream=False), {"stream", "stream=false"}),
        (request(tool_choice="none"), {"tool_choice", "tool_choice as string", 'tool_choice="none"'}),
        (
            request(tool_choice={"type": "function", "function": {"name": "f"}}),
            {
                "tool_choice",
                "tool_choice as object",
                "tool_choice.type",
                'tool_choice.type="function"',
                "tool_choice.function",
                "tool_choice.function.name",
            },
        ),
    ],
    ids=["plain", "unknown", "word", "no-words", "words", "false", "none", "named"],
)
def test_a_request_goes_through_what_it_holds_and_nothing_else(body: Body, more: set[str]) -> None:
    assert taken(body) == PLAIN | more


@pytest.mark.parametrize(
    "part, inside",
    [
        ({"type": "text", "text": ""}, {"", ".text"}),
        (
            {"type": "image_url", "image_url": {"url": "u", "detail": "low"}},
            {"", ".image_url", ".image_url.url", ".image_url.detail", '.image_url.detail="low"'},
        ),
        (
            {"type": "audio_base64", "data": "", "media_type": ""},
            {"", " with data, media_type", ".data", ".media_type"},
        ),
        (
            {"type": "image_base64", "image_base64": {"data": "", "media_type": ""}},
            {"", " with image_base64", ".image_base64", ".image_base64.data", ".image_base64.media_type"},
        ),
        ({"type": "audio_url", "audio_url": {"url": ""}}, {"", " with audio_url", ".audio_url", ".audio_url.url"}),
    ],
    ids=["text", "image", "flat", "nested", "sound"],
)
def test_a_part_goes_through_its_kind_and_its_form(part: Body, inside: set[str]) -> None:
    kind = f"messages[user].content[{part['type']}]"
    around = {name.replace(" as string", " as array") for name in PLAIN}

    assert taken(request(content=[part])) == around | {kind + name for name in inside}


@pytest.mark.parametrize(
    "turn, inside",
    [
        ({"content": "Hi."}, {"", " without tool_calls", ".content", ".content as string"}),
        (
            {"content": "Hi.", "tool_calls": None},
            {"", " without tool_calls", ".content", ".content as string", ".tool_calls", ".tool_calls as null"},
        ),
        (
            {"content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": ""}}]},
            {
                "",
                " with tool_calls",
                ".content",
                ".content as null",
                ".tool_calls",
                ".tool_calls as array",
                ".tool_calls[]",
                ".tool_calls[].id",
                ".tool_calls[].function",
                ".tool_calls[].function.name",
                ".tool_calls[].function.arguments",
            },
        ),
    ],
    ids=["words", "null", "calls"],
)
def test_a_turn_of_the_assistant_has_calls_or_has_none(turn: Body, inside: set[str]) -> None:
    body = {"model": "m", "messages": [{"role": "assistant", **turn}]}

    assert schema.is_valid("request.schema.json", body)
    assert taken(body) == {"model", "messages"} | {f"messages[assistant]{name}" for name in inside}


# The evidence.


@pytest.mark.parametrize(
    "body, name",
    [
        (request(max_tokens=0, stream=True), "request.max_tokens: minimum"),
        (request(max_tokens="2"), "request.max_tokens: type"),
        ({"model": "m"}, "request: required messages"),
        ({"model": "m", "messages": [{"role": "user"}]}, "message.user: required content"),
        ({"model": "m", "messages": [{"role": "wizard", "content": ""}]}, "message: enum"),
        (request(content=[{"type": "hologram"}]), "content-part: enum"),
        (request(tool_choice="maybe"), "tool-choice: enum"),
        (request(stop=[7]), "request.stop[]: type"),
    ],
)
def test_a_request_with_one_defect_counts_as_that_and_nothing_else(body: Body, name: str) -> None:
    assert name in breakable()
    assert exercised([exchange(body)]) == (frozenset(), frozenset({name}))


@pytest.mark.parametrize(
    "silent",
    [
        exchange(request(max_tokens=0, top_p=2)),
        exchange(b"{"),
        exchange(b"[]"),
        exchange(b'"Hi."'),
        exchange(b"\xff"),
        exchange(request(), retried=True),
        exchange(request(), response=None, ended=Ending.TIMEOUT),
        exchange(request(), request=Request(method="POST", url="", headers=(), body=json.dumps(request()).encode())),
    ],
    ids=["two-defects", "cut", "array", "string", "no-text", "retried", "unanswered", "without-the-key"],
)
def test_what_says_nothing_of_a_request_exercises_nothing(silent: Exchange) -> None:
    assert exercised([silent]) == (frozenset(), frozenset())


def test_a_refused_request_is_exercised_like_a_served_one() -> None:
    head = exchange(request()).response
    assert head is not None

    assert exercised([exchange(request())]) == (PLAIN, frozenset())
    assert exercised([exchange(request(), response=replace(head, status=422))]) == (PLAIN, frozenset())


def test_what_the_model_lacks_is_not_asked_for_that_reason() -> None:
    found = inputs([exchange(request(max_tokens=0))], {"vision"})
    reason = "the model has no vision"

    assert "messages[user].content[image_url]" in found.branches.not_asked[reason]
    assert "messages[user].content[audio_url]" in found.branches.missing
    assert "content-part.image_url: required image_url" in found.defects.not_asked[reason]
    assert found.defects.exercised == ("request.max_tokens: minimum",)
    assert not any(needed(name) == "vision" for name in found.branches.missing + found.defects.missing)


def test_what_was_exercised_is_never_called_not_asked() -> None:
    picture = {"type": "image_url", "image_url": {"url": "u"}}
    seen = {"model": "m", "messages": [{"role": "system", "content": [picture]}]}
    found = inputs([exchange(seen)], {"vision"})

    assert set(found.branches.exercised) == taken(seen)
    assert not taken(seen) & {name for names in found.branches.not_asked.values() for name in names}


def test_every_name_is_exercised_or_missing_or_not_asked() -> None:
    for lacking in ((), ("tools", "vision", "audio")):
        found = inputs([exchange(request(stop=["."]))], lacking)
        for share, names in ((found.branches, branches()), (found.defects, breakable())):
            rest = [name for names in share.not_asked.values() for name in names]
            assert sorted([*share.exercised, *share.missing, *rest]) == sorted(names)
            assert share.of == len(share.exercised) + len(share.missing)


def test_generated_requests_are_counted_by_their_last_attempt() -> None:
    made = [
        exchange(request(), probe="generated.valid-001"),
        exchange(request(), probe="generated.valid-002", retried=True),
        exchange(request(), probe="generated.valid-002", attempt=2),
        exchange(request(), probe="request.minimal"),
    ]

    assert inputs(made, ()).generated == 2


def test_thousands_of_requests_are_held_against_the_schema_once(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [exchange({"n": number}) for number in range(2000)]
    held: list[object] = []

    def noted(name: str, body: object) -> tuple[schema.Defect, ...]:
        held.append(body)
        return (schema.Defect(pointer="", rule="x", expected="y", found="z", schema=name, message="It is wrong."),)

    monkeypatch.setattr(schema, "defects", noted)

    for _ in range(2):
        assert not any(map(requests.legal, many))

    assert len(held) == len(many)
