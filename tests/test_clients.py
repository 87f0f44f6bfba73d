import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.clients import ClientRun, Stop, python_answer, python_stream, typescript_answer, typescript_stream
from tests.client_bodies import BERN, BODIES, DEEP, DONE, ERROR, TABLE, answer, chunk, crashed, ended, seen


@pytest.mark.parametrize(
    "body, python_prints, python_stops, typescript_prints, typescript_stops",
    [pytest.param(*row, id=name) for name, *row in TABLE],
)
def test_the_streaming_loops_meet_what_a_server_may_do(
    body: str,
    python_prints: str,
    python_stops: tuple[Stop, str],
    typescript_prints: str,
    typescript_stops: tuple[Stop, str],
) -> None:
    assert seen(python_stream(body.encode())) == (python_prints, *python_stops)
    assert seen(typescript_stream(body.encode())) == (typescript_prints, *typescript_stops)


def test_a_crash_is_told_with_its_text_and_line() -> None:
    body = (BERN + ERROR + DONE).encode()
    line = 'data: {"code": "BACKEND_ERROR", "message": "gone"}'

    assert python_stream(body) == ClientRun(printed="Bern.", stopped=Stop.CRASH, crash="KeyError: 'choices'", line=line)
    assert typescript_stream(body) == ClientRun(
        printed="Bern.",
        stopped=Stop.CRASH,
        crash="TypeError: Cannot read properties of undefined (reading '0')",
        line=line,
    )


def test_a_client_that_does_not_read_by_line_names_no_line() -> None:
    crashes = [python_answer(b"["), python_stream(b"x\n", charset="undefined"), typescript_answer(b"[")]

    assert [(run.stopped, run.line) for run in crashes] == [(Stop.CRASH, "")] * 3


@pytest.mark.parametrize(
    "text, complaint",
    [
        ("{", "SyntaxError: Unexpected end of JSON input"),
        ("{} x", "SyntaxError: Unexpected non-whitespace character after JSON at position 3"),
        ("[DONE]\r", "SyntaxError: Unexpected token 'D', \"[DONE]\r\" is not valid JSON"),
        ("[" + "1," * 30 + "x]", "SyntaxError: Unexpected token 'x', ...\"1,1,1,1,1,x]\" is not valid JSON"),
        *(
            (text, f"SyntaxError: Unexpected token 'x', {quoted} is not valid JSON")
            for text, quoted in (
                ("x".ljust(20), f'"x{" " * 19}"'),
                ("x".ljust(21), f'"x{" " * 9}"...'),
                ("x".rjust(10).ljust(30), f'"{" " * 9}x{" " * 9}"...'),
                ("x".rjust(11).ljust(30), f'..."{" " * 10}x{" " * 9}"...'),
                ("x".rjust(20).ljust(30), f'..."{" " * 10}x{" " * 9}"...'),
                ("x".rjust(21).ljust(30), f'..."{" " * 10}x{" " * 9}"'),
            )
        ),
        ("Infinity", 'SyntaxError: "Infinity" is not valid JSON'),
        ("[" * DEEP, "SyntaxError: Unexpected end of JSON input"),
        (
            "[" * DEEP + "]" * (DEEP + 1),
            "SyntaxError: Unexpected non-whitespace character after JSON at position 100000",
        ),
    ],
)
def test_javascript_says_why_it_could_not_parse(text: str, complaint: str) -> None:
    assert typescript_stream(f"data: {text}\n".encode()).crash == complaint


@pytest.mark.parametrize(
    "document, complaint",
    [
        ("null", "null (reading 'choices')"),
        ("{}", "undefined (reading '0')"),
        ('{"choices": []}', "undefined (reading 'delta')"),
        ('{"choices": [null]}', "null (reading 'delta')"),
        ('{"choices": [{}]}', "undefined (reading 'content')"),
    ],
)
def test_javascript_says_what_it_could_not_read(document: str, complaint: str) -> None:
    crash = f"TypeError: Cannot read properties of {complaint}"

    assert typescript_stream(f"data: {document}\n".encode()).crash == crash
    in_answer = crash.replace("'delta'", "'message'")
    assert typescript_answer(f'{{"data": {document}}}'.encode()).crash == in_answer


def test_javascript_says_that_nothing_has_no_data() -> None:
    assert typescript_answer(b"null").crash == (
        "TypeError: Cannot destructure property 'data' of 'null' as it is null."
    )


@pytest.mark.parametrize(
    "content, received",
    [
        (5, "type number (5)"),
        (-1.5, "type number (-1.5)"),
        (True, "type boolean (true)"),
        ([], "an instance of Array"),
        ({}, "an instance of Object"),
    ],
)
def test_node_says_what_it_does_not_write(content: object, received: str) -> None:
    assert typescript_stream(chunk(content).encode()).crash == (
        'TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string'
        f" or an instance of Buffer, TypedArray, or DataView. Received {received}"
    )


def test_the_charset_of_the_answer_is_used_by_the_python_client_alone() -> None:
    body = chunk("x").replace("x", "Z\u00fcrich").encode("latin-1")

    assert python_stream(body, charset="iso-8859-1").printed == "Z\u00fcrich"
    assert python_stream(body).printed == "Z\ufffdrich"
    assert typescript_stream(body).printed == "Z\ufffdrich"


def test_a_character_that_the_end_cuts_off_is_still_read_by_the_python_client() -> None:
    body = BERN.encode() + b"data: [DONE]\xe2\x80"

    assert seen(python_stream(body)) == ("Bern.", *crashed("JSONDecodeError"))
    assert seen(typescript_stream(body)) == ("Bern.", *ended)


@pytest.mark.parametrize("charset", ["no-such-charset", "hex", "", "\u2028", "unicode_escape"])
def test_a_charset_that_is_no_use_reads_as_utf8(charset: str) -> None:
    assert python_stream((BERN + r"data: \d" + "\n").encode(), charset=charset).printed == "Bern."


def test_a_charset_that_cannot_read_the_bytes_is_a_crash() -> None:
    assert seen(python_stream(b"data: [DONE]\n", charset="undefined")) == ("", *crashed("UnicodeError"))


@pytest.mark.parametrize(
    "body, python_prints, python_stops, typescript_prints, typescript_stops",
    [
        (answer("Bern."), "Bern.\n", ended, "Bern.\n", ended),
        (answer("Z\u00fcrich"), "Z\u00fcrich\n", ended, "Z\u00fcrich\n", ended),
        (answer(None), "None\n", ended, "null\n", ended),
        (answer(True), "True\n", ended, "true\n", ended),  # noqa: FBT003 - a JSON value
        (answer(5), "5\n", ended, "5\n", ended),
        (answer([]), "[]\n", ended, "[]\n", ended),
        (answer([1]), "[1]\n", ended, "[ ... ]\n", ended),
        (answer({}), "{}\n", ended, "{}\n", ended),
        (answer({"a": 1}), "{'a': 1}\n", ended, "{ ... }\n", ended),
        (answer("\ud800"), "", crashed("UnicodeEncodeError"), "\ufffd\n", ended),
        (b"\xef\xbb\xbf" + answer("x"), "x\n", ended, "x\n", ended),
        (b"\xef\xbb\xbf" * 2 + answer("x"), "", crashed("JSONDecodeError"), "", crashed("SyntaxError")),
        (answer("x").decode().encode("utf-16"), "x\n", ended, "", crashed("SyntaxError")),
        (b'"\xff"', "", crashed("UnicodeDecodeError"), "", crashed("TypeError")),
        (b'{"data": {"choices": [{"message": {}}]}}', "", crashed("KeyError"), "undefined\n", ended),
        (b'{"data": {"choices": []}}', "", crashed("IndexError"), "", crashed("TypeError")),
        (b'{"choices": []}', "", crashed("KeyError"), "", crashed("TypeError")),
        (b"null", "", crashed("TypeError"), "", crashed("TypeError")),
        (b"5", "", crashed("TypeError"), "", crashed("TypeError")),
        (b"", "", crashed("JSONDecodeError"), "", crashed("SyntaxError")),
        (b"<html>", "", crashed("JSONDecodeError"), "", crashed("SyntaxError")),
        ((BERN + DONE).encode(), "", crashed("JSONDecodeError"), "", crashed("SyntaxError")),
        (b"[" * DEEP, "", crashed("RecursionError"), "", crashed("SyntaxError")),
        (b"[" * DEEP + b"]" * DEEP, "", crashed("RecursionError"), "", crashed("TypeError")),
        *(
            (
                b'{"deep": '
                + b"[" * DEEP
                + b"]" * DEEP
                + b', "data": {"choices": [{"message": {"content": %b}}]}}' % empty,
                "",
                crashed("RecursionError"),
                empty.decode() + "\n",
                ended,
            )
            for empty in (b"{}", b"[]")
        ),
        *(
            (b"[" * DEEP + wrong + b"]" * DEEP, "", crashed("RecursionError"), "", crashed("SyntaxError"))
            for wrong in (b"{1: 2}", b'{"a"-1}')
        ),
    ],
)
def test_the_basic_snippets_meet_what_a_server_may_answer(
    body: bytes,
    python_prints: str,
    python_stops: tuple[Stop, str],
    typescript_prints: str,
    typescript_stops: tuple[Stop, str],
) -> None:
    assert seen(python_answer(body)) == (python_prints, *python_stops)
    assert seen(typescript_answer(body)) == (typescript_prints, *typescript_stops)


@settings(deadline=None, max_examples=200)
@given(body=BODIES, charset=st.sampled_from(["utf-8", "utf-16", "utf-7", "shift_jis", "idna", "unicode_escape"]))
def test_no_client_raises_on_any_bytes(body: bytes, charset: str) -> None:
    runs = [read(body) for read in (python_stream, typescript_stream, python_answer, typescript_answer)]

    for run in (*runs, python_stream(body, charset=charset)):
        assert (run.crash != "") == (run.stopped is Stop.CRASH)
        assert run.crash or not run.line
        run.printed.encode("utf-8")
