"""JSON off the wire: parsed strictly, reached into without raising."""

import base64
import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

_LONGEST_INTEGER: Final = 4000  # digits; Python refuses to parse more than 4300


class Missing(Enum):
    """The answer of `at` where a document has nothing; not the same as `null`."""

    MISSING = "nothing"


MISSING: Final = Missing.MISSING


class NotJson(ValueError):
    """The bytes are not one JSON text in UTF-8 (RFC 8259)."""


def _constant(name: str) -> float:
    raise NotJson(f"{name} is not JSON (RFC 8259, section 6)")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < _LONGEST_INTEGER else float(digits)


def parse(text: bytes | str) -> Any:
    """The document that `text` holds.

    Raises:
        NotJson: not UTF-8, not JSON, `NaN` or `Infinity`, or nested too deep to read.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, parse_constant=_constant, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8: byte {error.start} ({error.reason})") from None
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise NotJson("nested too deep to read") from None


def at(document: Any, pointer: str) -> Any:
    """What stands at a JSON pointer (RFC 6901), or `MISSING`; never raises."""
    here = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, Mapping):
            here = here.get(key, MISSING)
        elif isinstance(here, Sequence) and not isinstance(here, str | bytes):
            inside = key.isascii() and key.isdigit() and len(key) < 10 and int(key) < len(here)
            here = here[int(key)] if inside else MISSING
        else:
            return MISSING
    return here


def is_integer(value: Any) -> bool:
    """Whether `value` is a JSON integer: `True` is not one, `50.0` is (JSON Schema 2020-12, 6.1.1)."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (isinstance(value, float) and value.is_integer())


def is_number(value: Any) -> bool:
    """Whether `value` is a JSON number; `True` is not one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: Any, *, limit: int = 120) -> str:
    """`value` as one line of JSON for a person, cut to `limit` characters."""
    if value is MISSING:
        return "nothing"
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = repr(type(value))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def packed(data: bytes) -> str | dict[str, str]:
    """Bytes as a value of a JSON document: text where they are UTF-8, else base64."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def unpacked(value: Any) -> bytes:
    """The bytes that `packed` made a value of.

    Raises:
        TypeError, KeyError, AttributeError, binascii.Error: it made no such value.
    """
    return value.encode("utf-8") if isinstance(value, str) else base64.b64decode(value["base64"], validate=True)
