import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.report.spans import pointed

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4),
    max_leaves=12,
)


def pointers(document: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Every pointer into a document and its value."""
    found = [(prefix, document)]
    members = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in members:
        token = str(key).replace("~", "~0").replace("/", "~1")
        found += pointers(value, f"{prefix}/{token}")
    return found


@settings(deadline=None, max_examples=80)
@given(document=DOCUMENTS, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 2]))
def test_the_bytes_at_a_pointer_are_its_value(document: Any, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()

    for pointer, value in pointers(document):
        if pointer != "/":  # an empty member name; a report means the whole document
            span = pointed(text, pointer)
            assert span is not None
            assert json.loads(text[slice(*span)]) == value


def test_offsets_count_bytes() -> None:
    text = ' {"ü": "ß", "id": 7}'.encode()

    span = pointed(text, "/id")

    assert span == (20, 21)
    assert text[slice(*span)] == b"7"


def test_the_whole_document_has_two_names() -> None:
    assert pointed(b" [1] \n", "") == pointed(b" [1] \n", "/") == (1, 4)


def test_the_last_of_two_members_with_one_name_counts() -> None:
    assert pointed(b'{"a": 1, "a": 2}', "/a") == (14, 15)


@pytest.mark.parametrize(
    "pointer", ["/b", "/a/0", "/list/2", "/list/-", "/list/01", "/list/x", "/empty/0", "/none/x", "a"]
)
def test_a_pointer_to_nothing_has_no_bytes(pointer: str) -> None:
    text = b'{"a": 1, "list": [1, 2], "empty": [], "none": {}}'

    assert pointed(text, pointer) == (None if pointer != "a" else (0, len(text)))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b'{"a"',
        b'{"a":',
        b'{"a": ',
        b'{"b": 1',
        b'{"b" 1, "a": 2',
        b"[1,",
        b"\xff",
        b"nope",
        b'{"b": [}, "a": 1}',
    ],
)
def test_a_document_that_is_not_json_has_no_bytes(text: bytes) -> None:
    assert pointed(text, "/a") is None
    assert pointed(text, "/1") is None


def test_a_document_nested_too_deep_has_no_bytes() -> None:
    assert pointed(b"[" * 200_000, "/0") is None


def test_a_number_too_long_for_python_is_found() -> None:
    text = b'{"n": ' + b"9" * 10_000 + b', "id": 1}'

    assert pointed(text, "/id") == (len(text) - 2, len(text) - 1)


@settings(deadline=None, max_examples=80)
@given(
    text=st.binary(max_size=60) | st.text('{}[]":,0a \\', max_size=40).map(str.encode),
    pointer=st.text("/a0~1", max_size=6),
)
def test_nothing_makes_it_raise(text: bytes, pointer: str) -> None:
    span = pointed(text, pointer)

    assert span is None or 0 <= span[0] < span[1] <= len(text)
