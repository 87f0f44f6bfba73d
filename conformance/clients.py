"""The page's own client code as readings: what its four snippets do with a recorded body.

The snippets stand in the page's sections "Basic request" and "Streaming", once in Python and once in TypeScript.
They are run here on bytes: the Python ones with the semantics of httpx 0.28 and CPython, the TypeScript ones with
those of WHATWG Encoding, ECMA-262 and Node.js. Like the snippets, none of the readings looks at the status.
"""

import codecs
import json
import re
import warnings
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

_BOM: Final = b"\xef\xbb\xbf"
_PREFIX: Final = "data: "
_BLANKS: Final = re.compile(r"[ \t\n\r]*")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_UNDEFINED: Final = object()


class Stop(StrEnum):
    """Why a client stopped reading."""

    DONE = "saw [DONE]"
    END = "the input ended"
    CRASH = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRun:
    """What a user of the page's client code would see."""

    printed: str
    """All that was written to standard output, in UTF-8, before the client stopped."""
    stopped: Stop
    crash: str = ""
    """Type and text of the uncaught exception; empty unless the client crashed.

    The types are exact. Texts are CPython's own for Python, and close to V8's for TypeScript.
    """
    line: str = ""
    """The line it crashed on, without its end; empty where the client does not read by line."""


class _ThrownError(Exception):
    """An exception that the TypeScript client does not catch; its text names the type."""


def python_stream(body: bytes, *, charset: str = "utf-8") -> ClientRun:
    """The Python loop of section "Streaming" on a body; never raises.

    `httpx.Response.iter_lines` ends lines where `str.splitlines` does: besides LF, CR and CR LF, at VT, FF, FS,
    GS, RS, U+0085, U+2028 and U+2029. A byte order mark stays in the first line. The branch for `event: error`
    does nothing, so that the next data line is read as a chunk.

    Args:
        body: The body after its content coding is undone.
        charset: The `charset` of the Content-Type; one that Python has no text codec for reads as UTF-8.
    """
    try:
        text = _python_text(body, charset)
    except ValueError as error:
        return _python_crash(error)
    printed = ""
    for line in text.splitlines():
        try:
            if line.startswith(_PREFIX):
                payload = line[len(_PREFIX) :]
                if payload == "[DONE]":
                    return ClientRun(printed=printed, stopped=Stop.DONE)
                chunk = json.loads(payload)
                printed += _python_output(chunk["choices"][0]["delta"].get("content", ""))
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            return _python_crash(error, printed=printed, line=line)
    return ClientRun(printed=printed, stopped=Stop.END)


def typescript_stream(body: bytes) -> ClientRun:
    """The TypeScript loop of section "Streaming" on a body; never raises.

    `TextDecoder` drops a byte order mark and replaces what is not UTF-8. Lines end at LF alone, and what follows
    the last LF is never looked at.

    Args:
        body: The body after its content coding is undone.
    """
    printed = ""
    for line in _javascript_text(body).split("\n")[:-1]:
        if not line.startswith(_PREFIX):
            continue
        payload = line[len(_PREFIX) :]
        if payload == "[DONE]":
            return ClientRun(printed=printed, stopped=Stop.DONE)
        try:
            chunk = _parse(payload)
            delta = _property(_property(_property(chunk, "choices"), "0"), "delta")
            printed += _written(_property(delta, "content"))
        except _ThrownError as error:
            return ClientRun(printed=printed, stopped=Stop.CRASH, crash=str(error), line=line)
    return ClientRun(printed=printed, stopped=Stop.END)


def python_answer(body: bytes) -> ClientRun:
    """The Python snippet of section "Basic request" on a body; never raises.

    `httpx.Response.json` gives the bytes to `json.loads`, which takes UTF-8, UTF-16 and UTF-32.

    Args:
        body: The body after its content coding is undone.
    """
    try:
        data = json.loads(body)["data"]
        printed = _python_output(data["choices"][0]["message"]["content"]) + "\n"
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        return _python_crash(error)
    return ClientRun(printed=printed, stopped=Stop.END)


def typescript_answer(body: bytes) -> ClientRun:
    """The TypeScript snippet of section "Basic request" on a body; never raises.

    `console.log` prints text and numbers as themselves. Of an array or an object only the brackets are given here.

    Args:
        body: The body after its content coding is undone.
    """
    try:
        answer = _parse(_javascript_text(body))
        message = _property(_property(_property(_data(answer), "choices"), "0"), "message")
        printed = _logged(_property(message, "content")) + "\n"
    except _ThrownError as error:
        return ClientRun(printed="", stopped=Stop.CRASH, crash=str(error))
    return ClientRun(printed=printed, stopped=Stop.END)


def _python_text(body: bytes, charset: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unicode_escape warns of its input, and where warnings are errors, raises
        try:
            b"x".decode(charset, "replace")  # refuses codecs that are not of text, such as hex
            codec = codecs.getincrementaldecoder(charset)
        except LookupError:
            codec = codecs.getincrementaldecoder("utf-8")
        decoder = codec(errors="replace")  # not the same as bytes.decode: for UTF-16 it wants a byte order mark
        return decoder.decode(body) + decoder.decode(b"", final=True)


def _python_crash(error: Exception, *, printed: str = "", line: str = "") -> ClientRun:
    crash = f"{type(error).__name__}: {error}"
    return ClientRun(printed=printed, stopped=Stop.CRASH, crash=crash, line=line)


def _python_output(value: Any) -> str:
    """What `print` writes; a lone surrogate has no UTF-8 form, and `print` raises UnicodeEncodeError."""
    text = str(value)
    text.encode("utf-8")
    return text


def _javascript_text(body: bytes) -> str:
    return body.removeprefix(_BOM).decode("utf-8", "replace")


def _property(value: Any, name: str) -> Any:
    """`value.name` or `value[0]`; no prototype has any of the names that the snippets ask for."""
    if value is None or value is _UNDEFINED:
        shown = "null" if value is None else "undefined"
        raise _ThrownError(f"TypeError: Cannot read properties of {shown} (reading '{name}')")
    if isinstance(value, dict):
        return value.get(name, _UNDEFINED)
    if isinstance(value, list | str) and name == "0" and value:
        return value[0]
    return _UNDEFINED


def _data(answer: Any) -> Any:
    """The variable that `const { data } = answer` declares."""
    if answer is None:
        raise _ThrownError("TypeError: Cannot destructure property 'data' of 'null' as it is null.")
    return _property(answer, "data")


def _written(value: Any) -> str:
    """What `process.stdout.write(value || "")` writes: nothing for a falsy value; only text is taken."""
    if value is None or value is _UNDEFINED or value == 0:
        return ""
    if not isinstance(value, str):
        raise _ThrownError(
            'TypeError [ERR_INVALID_ARG_TYPE]: The "chunk" argument must be of type string'
            f" or an instance of Buffer, TypedArray, or DataView. Received {_received(value)}"
        )
    return _utf8(value)


def _received(value: Any) -> str:
    match value:
        case list():
            return "an instance of Array"
        case dict():
            return "an instance of Object"
        case bool():
            return f"type boolean ({_logged(value)})"
        case _:
            return f"type number ({_logged(value)})"


def _logged(value: Any) -> str:
    """What `console.log` writes of a value, without the line end."""
    match value:
        case str():
            return _utf8(value)
        case None | bool():
            return json.dumps(value)
        case float():
            return _number(value)
        case list():
            return "[ ... ]" if value else "[]"
        case dict():
            return "{ ... }" if value else "{}"
        case _:
            return "undefined"


def _number(value: float) -> str:
    """ECMA-262, Number::toString, but for minus zero, which `console.log` shows."""
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return repr(value).removesuffix(".0")
    shortest = Decimal(repr(value)).normalize()
    magnitude = shortest.adjusted() + 1
    if -6 < magnitude <= 21:
        return f"{shortest:f}"
    digits = "".join(map(str, shortest.as_tuple().digits))
    mantissa = f"{digits[0]}.{digits[1:]}" if len(digits) > 1 else digits
    return f"{'-' if value < 0 else ''}{mantissa}e{magnitude - 1:+d}"


def _utf8(text: str) -> str:
    """Text as Node.js writes it: a lone surrogate becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def _constant(name: str) -> float:
    raise _ThrownError(f'SyntaxError: "{name}" is not valid JSON')


_DECODER: Final = json.JSONDecoder(parse_constant=_constant, parse_int=float)


def _parse(text: str) -> Any:
    """`JSON.parse`: no NaN or Infinity, all numbers are doubles, and no limit on nesting."""
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return _parse_nested(text)
    except json.JSONDecodeError as error:
        raise _ThrownError(f"SyntaxError: {_complaint(error)}") from None


def _parse_nested(text: str) -> Any:
    try:
        return _Nested(text).document()
    except json.JSONDecodeError as error:
        raise _ThrownError(f"SyntaxError: {_complaint(error)}") from None


def _complaint(error: json.JSONDecodeError) -> str:
    if error.pos >= len(error.doc):
        return "Unexpected end of JSON input"
    if error.msg == "Extra data":
        return f"Unexpected non-whitespace character after JSON at position {error.pos}"
    return f"Unexpected token '{error.doc[error.pos]}', {_context(error.doc, error.pos)} is not valid JSON"


def _context(text: str, position: int) -> str:
    """The quotation in V8's message: ten characters before and after, or all of a short text."""
    if len(text) <= 20:
        return f'"{text}"'
    before = "..." if position >= 10 else ""
    after = "..." if position < len(text) - 10 else ""
    return f'{before}"{text[max(0, position - 10) : position + 10]}"{after}'


class _Nested:
    """A JSON parser that keeps its own stack, as V8's does, for what is nested deeper than Python recurses."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._open: list[list[Any] | dict[str, Any]] = []
        self._keys: list[str] = []  # of each open object, the key whose value comes next

    def document(self) -> Any:
        """The one value of the text.

        Raises:
            json.JSONDecodeError: the text is not JSON.
        """
        while True:
            value = self._begun()
            while value is not _UNDEFINED:
                if not self._open:
                    if self._next():
                        raise self._wrong("Extra data")
                    return value
                value = self._continued(value)

    def _begun(self) -> Any:
        """The scalar or empty container that stands here, or `_UNDEFINED` if a container was opened."""
        match self._next():
            case "[":
                return self._opened([], "]")
            case "{":
                return self._opened({}, "}")
            case _:
                value, self._position = _DECODER.raw_decode(self._text, self._position)
                return value

    def _opened(self, container: list[Any] | dict[str, Any], close: str) -> Any:
        self._position += 1
        if self._next() == close:
            self._position += 1
            return container
        self._open.append(container)
        self._read_key()
        return _UNDEFINED

    def _continued(self, value: Any) -> Any:
        """The innermost container if `value` was its last, or `_UNDEFINED` if another value follows."""
        container = self._open[-1]
        if isinstance(container, dict):
            container[self._keys.pop()] = value
        else:
            container.append(value)
        mark = self._next()
        if mark not in (",", "}" if isinstance(container, dict) else "]"):
            raise self._wrong("Expecting ',' delimiter")
        self._position += 1
        if mark != ",":
            return self._open.pop()
        self._read_key()
        return _UNDEFINED

    def _read_key(self) -> None:
        if not isinstance(self._open[-1], dict):
            return
        if self._next() != '"':
            raise self._wrong("Expecting property name enclosed in double quotes")
        key, self._position = _DECODER.raw_decode(self._text, self._position)
        if self._next() != ":":
            raise self._wrong("Expecting ':' delimiter")
        self._position += 1
        self._keys.append(key)

    def _next(self) -> str:
        """The next character that is not blank, or nothing at the end."""
        blanks = _BLANKS.match(self._text, self._position)
        self._position = blanks.end() if blanks else self._position
        return self._text[self._position : self._position + 1]

    def _wrong(self, message: str) -> json.JSONDecodeError:
        return json.JSONDecodeError(message, self._text, self._position)
