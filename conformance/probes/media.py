"""Small pictures and sounds, made here so that no file has to be trusted or fetched."""

import base64
import struct
import zlib


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG image (RFC 2083) of 8-bit RGB pixels; `rows` has `width * 3` bytes for each of `height` lines."""
    lines = b"".join(b"\0" + rows[y * width * 3 : (y + 1) * width * 3] for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def one_colour(red: int, green: int, blue: int) -> str:
    """A square of one colour as a PNG in base64, 64 pixels a side, which is enough for any vision model."""
    return base64.b64encode(png(64, 64, bytes((red, green, blue)) * 64 * 64)).decode("ascii")


def noise() -> str:
    """A PNG of some 100 kB in base64: pixels that do not compress, the same each time."""
    state, pixels = 1, bytearray()
    for _ in range(180 * 180 * 3):
        state = (state * 1103515245 + 12345) % 2**31  # the example generator of ISO C, 7.22.2
        pixels.append(state >> 16 & 255)
    return base64.b64encode(png(180, 180, bytes(pixels))).decode("ascii")


def silence() -> str:
    """A tenth of a second of silence as a WAV file in base64: 8,000 samples a second, 16 bits, one channel."""
    samples = bytes(1600)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return base64.b64encode(b"RIFF" + struct.pack("<I", len(body)) + body).decode("ascii")
