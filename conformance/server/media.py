"""What the built-in model sees and hears: the colour of a small PNG, the length of a WAV."""

import base64
import binascii
import io
import struct
import wave
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final[Mapping[int, int]] = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_LARGEST: Final = 4 * 1024 * 1024  # bytes of pixels; a bomb is not unpacked
_COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "red": (255, 0, 0),
    "green": (0, 160, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "orange": (255, 150, 0),
    "purple": (128, 0, 128),
    "pink": (255, 170, 190),
    "brown": (130, 75, 30),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "white": (255, 255, 255),
    "lime green": (0, 255, 0),
}


def source(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a part carries: the object named after its type, or the part itself where it is flat."""
    nested = part.get(part["type"])
    return nested if isinstance(nested, Mapping) else part


def payload(part: Mapping[str, Any]) -> bytes | None:
    """The bytes that a part carries inline, as base64 or a `data:` URL; `None` for an address or what is neither."""
    carried = source(part)
    text = carried.get("data")
    if text is None:
        head, comma, text = str(carried.get("url", "")).partition(",")
        if not (comma and head.startswith("data:") and head.endswith(";base64")):
            return None
    try:
        return base64.b64decode(str(text), validate=False)
    except (binascii.Error, ValueError):
        return None


def colour(image: bytes) -> str | None:
    """The name of the one colour that a PNG of 8-bit samples shows; `None` for any other image."""
    try:
        pixel = _pixel(image)
    except (ValueError, KeyError, IndexError, struct.error, zlib.error):
        return None
    return min(_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], pixel, strict=True)))


def seconds(sound: bytes) -> float | None:
    """How long a WAV plays; `None` for what is no WAV."""
    try:
        with wave.open(io.BytesIO(sound)) as recording:
            return float(recording.getnframes() / recording.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def _pixel(image: bytes) -> tuple[int, ...]:
    """Red, green and blue of the one pixel that a PNG repeats (PNG, third edition, sections 5.3, 9 and 11.2).

    Raises:
        ValueError, KeyError, IndexError, struct.error, zlib.error: the image is another, or none.
    """
    if not image.startswith(_SIGNATURE):
        raise ValueError("no PNG signature")
    chunks = list(_chunks(image))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", dict(chunks)[b"IHDR"])
    if depth != 8 or interlaced:
        raise ValueError("only 8-bit samples without interlacing are read")
    channels = _CHANNELS[kind]
    size = height * (width * channels + 1)
    if not width or not 0 < size <= _LARGEST:
        raise ValueError("no pixels, or too many")
    raw = zlib.decompressobj().decompress(b"".join(data for name, data in chunks if name == b"IDAT"), size)
    if len(raw) < size:
        raise ValueError("the pixels break off")
    pixel = raw[1 : 1 + channels]
    if any(row != pixel * width for row in _rows(raw, stride=width * channels, channels=channels)):
        raise ValueError("more than one colour")
    if kind == 3:
        return tuple(dict(chunks)[b"PLTE"][pixel[0] * 3 : pixel[0] * 3 + 3])
    return (pixel[0],) * 3 if channels < 3 else tuple(pixel[:3])


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(_SIGNATURE)
    while place < len(image):
        length, name = struct.unpack_from(">I4s", image, place)
        yield name, image[place + 8 : place + 8 + length]
        place += 12 + length


def _rows(raw: bytes, *, stride: int, channels: int) -> Iterator[bytes]:
    """The rows without their filters; the caller stops at the first that has a second colour."""
    above = bytes(stride)
    for start in range(0, len(raw), stride + 1):
        filtering, filtered = raw[start], raw[start + 1 : start + 1 + stride]
        # Large images of one colour are mostly such rows, and byte by byte they would take seconds.
        if filtering == 0:
            row = filtered
        elif filtering == 1 and not any(filtered[channels:]):
            row = filtered[:channels] * (stride // channels)
        elif filtering in {2, 4} and not any(filtered):
            row = above  # what stands above is of one colour, and there Paeth predicts it too
        else:
            row = _unfiltered(filtering, filtered, above, channels)
        yield row
        above = row


def _unfiltered(filtering: int, filtered: bytes, above: bytes, channels: int) -> bytes:
    row = bytearray(filtered)
    for place in range(len(row)):
        left = row[place - channels] if place >= channels else 0
        corner = above[place - channels] if place >= channels else 0
        row[place] = (row[place] + _predicted(filtering, left, above[place], corner)) & 255
    return bytes(row)


def _predicted(filtering: int, left: int, up: int, corner: int) -> int:
    """What a filter type adds to a byte (PNG, section 9.2)."""
    estimate = left + up - corner
    paeth = min((left, up, corner), key=lambda value: abs(estimate - value))
    return (0, left, up, (left + up) // 2, paeth)[filtering]
