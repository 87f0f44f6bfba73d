"""The page's section "Multimodal content"."""

from typing import Any

from conformance.probe import Probe
from conformance.probes import media
from conformance.probes.parameters import SHORT

COLOUR = "red"
_RED = media.one_colour(230, 20, 20)
_RED_URL = f"data:image/png;base64,{_RED}"
_QUESTION = {"type": "text", "text": "Which colour is this image? Reply with one word."}
_WAV = media.silence()


def _shown(name: str, asks: str, part: dict[str, Any], *, quick: bool = False) -> Probe:
    return SHORT.but(name, asks, quick=quick, messages=[{"role": "user", "content": [_QUESTION, part]}])


def _heard(name: str, asks: str, part: dict[str, Any], *, quick: bool = False) -> Probe:
    question = {"type": "text", "text": "Reply with exactly: OK"}
    return SHORT.but(name, asks, quick=quick, messages=[{"role": "user", "content": [question, part]}])


def _image_url(**members: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": members}


IMAGE_DATA_URL = _shown(
    "multimodal.image-data-url", "A red square as a data: URL.", _image_url(url=_RED_URL), quick=True
)
IMAGE_HTTPS = _shown(
    "multimodal.image-https", "The page's own image address.", _image_url(url="https://example.com/photo.jpg")
)


def _detailed(word: str, asks: str) -> Probe:
    part = _image_url(url=_RED_URL, detail=word)
    return IMAGE_DATA_URL.but(
        f"multimodal.detail-{word}", asks, messages=[{"role": "user", "content": [_QUESTION, part]}]
    )


DETAIL_AUTO = _detailed("auto", "The detail auto.")
DETAIL_LOW = _detailed("low", "The detail low.")
DETAIL_HIGH = _detailed("high", "The detail high.")
DETAIL_UNKNOWN = _detailed("wizard", "A detail that is none of the three.")
IMAGE_NESTED = _shown(
    "multimodal.image-base64-nested",
    "A red square as base64, under the name of its type.",
    {"type": "image_base64", "image_base64": {"data": _RED, "media_type": "image/png"}},
)
IMAGE_FLAT = _shown(
    "multimodal.image-base64-flat",
    "A red square as base64, beside its type.",
    {"type": "image_base64", "data": _RED, "media_type": "image/png"},
)
LARGE = IMAGE_NESTED.but(
    "multimodal.image-large",
    "An image of some 100 kB in its place.",
    messages=[
        {
            "role": "user",
            "content": [
                _QUESTION,
                {"type": "image_base64", "image_base64": {"data": media.noise(), "media_type": "image/png"}},
            ],
        }
    ],
)
AUDIO_NESTED = _heard(
    "multimodal.audio-base64-nested",
    "A short sound as base64, under the name of its type.",
    {"type": "audio_base64", "audio_base64": {"data": _WAV, "media_type": "audio/wav"}},
    quick=True,
)
AUDIO_FLAT = _heard(
    "multimodal.audio-base64-flat",
    "A short sound as base64, beside its type.",
    {"type": "audio_base64", "data": _WAV, "media_type": "audio/wav"},
)
AUDIO_URL_NESTED = _heard(
    "multimodal.audio-url-nested",
    "A short sound by its address, under the name of its type.",
    {"type": "audio_url", "audio_url": {"url": f"data:audio/wav;base64,{_WAV}"}},
)
AUDIO_URL_FLAT = _heard(
    "multimodal.audio-url-flat",
    "A short sound by its address, beside its type.",
    {"type": "audio_url", "url": f"data:audio/wav;base64,{_WAV}"},
)

IMAGES = (IMAGE_DATA_URL, DETAIL_AUTO, DETAIL_LOW, DETAIL_HIGH, IMAGE_NESTED, IMAGE_FLAT)
"""Ways of showing the same red square."""

PROBES = (
    IMAGE_DATA_URL,
    IMAGE_HTTPS,
    DETAIL_AUTO,
    DETAIL_LOW,
    DETAIL_HIGH,
    DETAIL_UNKNOWN,
    IMAGE_NESTED,
    IMAGE_FLAT,
    LARGE,
    AUDIO_NESTED,
    AUDIO_FLAT,
    AUDIO_URL_NESTED,
    AUDIO_URL_FLAT,
)
