"""The built-in model, its tokenizer, its eyes and the bounds of an answer, without a socket."""

import asyncio
import base64
import io
import json
import struct
import wave
import zlib
from itertools import pairwise
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.server.admission import admitted
from conformance.server.bounds import limited, stopped
from conformance.server.calls import wanted
from conformance.server.generation import (
    CallArguments,
    CallStart,
    ChatRequest,
    Completion,
    Finish,
    Step,
    Steps,
    Text,
    collected,
)
from conformance.server.media import colour
from conformance.server.model import built_in, reply
from conformance.server.tokens import count, tokens

QUICK = settings(deadline=None, max_examples=60)
(MINI, _) = built_in()


def request(*messages: dict[str, Any], **members: Any) -> ChatRequest:
    return admitted({"model": MINI.slug, "messages": list(messages), **members}, MINI)


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def completion(*messages: dict[str, Any], **members: Any) -> Completion:
    asked = request(*messages, **members)
    whole = asyncio.run(collected(reply(asked), asked))
    assert isinstance(whole, Completion)
    return whole


def said(*messages: dict[str, Any], **members: Any) -> str:
    return completion(*messages, **members).text


async def played(*steps: Step) -> Steps:
    for step in steps:
        yield step


def listed(steps: Steps) -> list[Step]:
    async def all_of_them() -> list[Step]:
        return [step async for step in steps]

    return asyncio.run(all_of_them())


def png(*pixels: tuple[int, ...], kind: int = 2, filtering: int = 0) -> bytes:
    """A PNG of one row; the bytes of the row are taken as already filtered."""
    row = bytes([filtering]) + bytes(sample for pixel in pixels for sample in pixel)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", len(pixels), 1, 8, kind, 0, 0, 0)),
        *([(b"PLTE", bytes([0, 0, 0, 255, 0, 0]))] if kind == 3 else []),
        (b"IDAT", zlib.compress(row)),
        (b"IEND", b""),
    ]
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def inline(image: bytes) -> dict[str, Any]:
    data = base64.b64encode(image).decode()
    return {"type": "image_base64", "image_base64": {"data": data, "media_type": "image/png"}}


@given(st.text())
@QUICK
def test_tokens_join_to_the_text_and_its_start_has_its_first_tokens(text: str) -> None:
    pieces = tokens(text)

    assert "".join(pieces) == text
    assert all(1 <= len(piece) <= 7 for piece in pieces)
    for some in range(len(pieces) + 1):
        assert count("".join(pieces[:some])) == some


@given(
    st.text(alphabet="ab ", max_size=12),
    st.lists(st.text(alphabet="ab ", min_size=1, max_size=4), max_size=3),
    st.data(),
)
@QUICK
def test_where_an_answer_stops_does_not_depend_on_how_it_was_cut(
    text: str, stop: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text))), label="cuts") | {0, len(text)})
    pieces = [Text(text=text[start:end]) for start, end in pairwise(cuts)]
    whole = listed(stopped(played(Text(text=text), Finish(reason="length")), stop))
    cut = listed(stopped(played(*pieces, Finish(reason="length")), stop))
    shown = "".join(step.text for step in whole if isinstance(step, Text))

    assert "".join(step.text for step in cut if isinstance(step, Text)) == shown
    assert cut[-1] == whole[-1] == Finish(reason="stop" if any(end in text for end in stop) else "length")
    assert not any(end in shown for end in stop)


def test_the_limit_lets_whole_calls_through_and_no_part_of_one() -> None:
    call: list[Step] = [CallStart(index=0, id="a", name="f"), CallArguments(index=0, fragment="{}")]
    other: list[Step] = [CallStart(index=1, id="b", name="f"), CallArguments(index=1, fragment="{}")]
    end = Finish(reason="tool_calls")

    assert listed(limited(played(*call, *other, end), 4)) == [*call, *other, end]
    assert listed(limited(played(*call, *other, end), 3)) == [*call, Finish(reason="length", cut=True)]
    assert listed(limited(played(*call, end), 1)) == [Finish(reason="length", cut=True)]
    assert listed(limited(played(*call, end), None)) == [*call, end]


@pytest.mark.parametrize(
    "prompt, answer",
    [
        ("Reply with exactly: one: two", "one: two"),
        ("Please respond with only the following text:\nfirst\nsecond\n", "first\nsecond\n"),
        ("Reply with the single word OK.", "OK"),
        ("Say hello.", "hello"),
        ("Count from 3 to 6.", "3, 4, 5, 6"),
        ("Count down from 3 to 1, please.", "3, 2, 1"),
        ("Count from 1 to 3, one number per line.", "1\n2\n3"),
        ("What is 17 + 25?", "42."),
        ("What is 6 times 7?", "42."),
        ("What is 50 minus 8?", "42."),
        ("What is the secret word?", "I do not know it."),
        ("Translate to French: Good night", "Bonne nuit"),
        ("Hi there", "Hello, it is good to hear from you."),
        ("Hm.", "I have read your message and have nothing to add."),
    ],
)
def test_a_plain_prompt_has_a_plain_answer(prompt: str, answer: str) -> None:
    assert said(user(prompt)) == answer
    assert said(user([{"type": "text", "text": prompt}])) == answer


def test_the_pages_translation_goes_on() -> None:
    turns = [{"role": "system", "content": "You translate to French."}, user("Hello")]

    assert said(*turns, {"role": "assistant", "content": "Bonjour"}, user("Good night")) == "Bonne nuit"


@pytest.mark.parametrize(
    "system, answer",
    [
        ("Always begin your answer with ZEBRA.", "ZEBRA Bern."),
        ('Start every reply with the word "ZEBRA", whatever is asked.', "ZEBRA Bern."),
        ("End every answer with OVER.", "Bern. OVER"),
        ("You are a concise assistant.", "Bern."),
    ],
)
def test_system_messages_are_obeyed_wherever_they_stand(system: str, answer: str) -> None:
    told = {"role": "system", "content": system}
    question = user("What is the capital of Switzerland?")

    assert said(told, question) == said(question, told) == answer


@pytest.mark.parametrize(
    "fact, question",
    [
        ("The secret word is heron.", "What is the secret word?"),
        ("Remember: my favourite colour is heron!", "Which is my favourite colour? Tell me my favourite colour."),
        ("The code is heron, keep it.", "Please repeat the code I gave you."),
    ],
)
def test_what_this_conversation_told_is_known(fact: str, question: str) -> None:
    assert said(user(fact), {"role": "assistant", "content": "Noted."}, user(question)) == "heron"


def test_every_value_of_every_tool_result_is_in_the_answer() -> None:
    result = {"role": "tool", "tool_call_id": "a", "content": '{"at": [{"temp": -3.5}, true], "sky": "grey"}'}
    other = {"role": "tool", "tool_call_id": "b", "content": "plain words"}

    told = said(user("Weather?"), result, other)
    assert told == "The tool answered: at temp is -3.5, at is true, sky is grey. The tool answered: plain words."


@pytest.mark.parametrize(
    "image, name",
    [
        (png((255, 0, 0), (255, 0, 0)), "red"),
        (png((0, 0, 250), (0, 0, 0), filtering=1), "blue"),
        (png((0, 128, 0), filtering=4), "green"),
        (png((255, 255, 255, 0), kind=6), "white"),
        (png((1,), (1,), kind=3), "red"),
        (png((0,), (0,), kind=0), "black"),
        (png((255, 0, 0), (0, 0, 255)), None),
        (png((255, 0, 0))[:-24], None),
        (b"GIF89a", None),
    ],
)
def test_an_image_of_one_colour_is_named(image: bytes, name: str | None) -> None:
    assert colour(image) == name


def test_images_and_sound_are_told_of() -> None:
    red, blue = inline(png((250, 5, 5))), inline(png((0, 0, 255)))
    as_url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{red['image_base64']['data']}"}}
    remote = {"type": "image_url", "image_url": {"url": "https://example.com/photo.jpg"}}
    recording = io.BytesIO()
    with wave.open(recording, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(8000))
    data = base64.b64encode(recording.getvalue()).decode()
    heard = {"type": "audio_base64", "data": data, "media_type": "audio/wav"}

    assert said(user([{"type": "text", "text": "What colour is this?"}, red])) == "The image is red."
    assert said(user([as_url])) == "The image is red."
    assert said(user([red, blue])) == "The images are red and blue."
    assert said(user([remote])) == "I was given an image."
    assert said(user([remote, red])) == "I was given 2 images."
    assert said(user([heard])) == "The recording lasts 0.50 seconds."
    assert said(user([{"type": "audio_url", "url": "https://example.com/a.wav"}])) == "I was given a recording."


SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 2, "maxLength": 40},
        "days": {"type": "integer", "minimum": 2, "maximum": 14},
        "step": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
        "unit": {"enum": ["celsius", "fahrenheit"]},
        "tags": {"type": "array", "minItems": 2, "items": {"type": "string"}},
        "where": {"$ref": "#/$defs/where"},
        "when": {"anyOf": [{"type": "null"}, {"type": "string", "format": "date"}]},
        "sure": {"type": ["boolean", "null"]},
        "kind": {"const": "forecast"},
    },
    "required": ["city", "days", "step", "unit", "tags", "where", "when", "sure", "kind"],
    "$defs": {
        "where": {"type": "object", "properties": {"lat": {"type": "number", "minimum": 40}}, "required": ["lat"]}
    },
}


def test_arguments_are_made_from_the_schema_and_the_prompt() -> None:
    tool = {"type": "function", "function": {"name": "forecast", "parameters": SCHEMA}}
    (call,) = completion(user("The forecast for New York for 5 days in fahrenheit?"), tools=[tool]).calls
    arguments = json.loads(call.arguments)

    jsonschema.validate(arguments, SCHEMA)
    assert (arguments["city"], arguments["days"], arguments["unit"]) == ("New York", 5, "fahrenheit")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "properties", "items", "required", "enum", "anyOf", "$ref", "minimum", "allOf", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "properties", "required", "anyOf", "$ref", "minimum"]), JSON))
@QUICK
def test_any_parameters_bring_arguments_that_are_an_object(parameters: dict[str, Any]) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters}}
    (call,) = wanted(request(user("Now."), tools=[tool], tool_choice="required"), "Now.")

    assert isinstance(json.loads(call.arguments), dict)


def test_a_schema_that_refers_to_itself_ends() -> None:
    parameters = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    loop = {"$ref": "#"}
    for schema in (parameters, loop):
        tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
        (call,) = completion(user("Now."), tools=[tool], tool_choice="required").calls
        assert isinstance(json.loads(call.arguments), dict)


def test_a_tool_is_called_where_the_prompt_speaks_of_it() -> None:
    weather = {"type": "function", "function": {"name": "getWeather"}}
    mail = {"type": "function", "function": {"name": "dispatch", "description": "Sends an e-mail letter"}}

    def called(prompt: str) -> list[str]:
        return [call.name for call in completion(user(prompt), tools=[weather, mail]).calls]

    assert called("How is the weather?") == ["getWeather"]
    assert called("Write a letter, please.") == ["dispatch"]
    assert called("Reply with exactly: weather") == []
    assert called("Tell me a joke.") == []
