"""The page's section "Multimodal content"."""

import re
from collections.abc import Iterator
from typing import Final

from conformance.check import Violation, check, listed, of, side_by_side
from conformance.checks.errors import mistaken
from conformance.checks.request import accepted, either
from conformance.document import shown
from conformance.exchange import Exchange
from conformance.probes import multimodal as probes
from conformance.reading.streams import text
from conformance.reading.witness import Inconclusive, Unobservable

COLOURS: Final = frozenset(
    ("red", "green", "blue", "yellow", "orange", "purple", "black", "white", "pink", "brown", "gray")
)
WORDS: Final = re.compile(r"[^\W\d_]+")


ACCEPTED: Final = (
    either("multimodal.image-url", probes.IMAGE_DATA_URL, probes.IMAGE_HTTPS),
    either("multimodal.text-part", probes.IMAGE_DATA_URL, probes.IMAGE_NESTED, probes.IMAGE_FLAT),
    accepted("multimodal.detail-auto", probes.DETAIL_AUTO),
    accepted("multimodal.detail-low", probes.DETAIL_LOW),
    accepted("multimodal.detail-high", probes.DETAIL_HIGH),
    mistaken("multimodal.detail-known", probes.DETAIL_UNKNOWN),
    either("multimodal.image-base64", probes.IMAGE_NESTED, probes.IMAGE_FLAT),
    accepted("multimodal.image-base64-large", probes.LARGE),
    either("multimodal.audio-base64", probes.AUDIO_NESTED, probes.AUDIO_FLAT),
    either("multimodal.audio-url", probes.AUDIO_URL_NESTED, probes.AUDIO_URL_FLAT),
)


def _named(exchange: Exchange) -> str:
    """The one colour that an answer names; empty where it names none or several."""
    found = set(WORDS.findall(text(exchange).lower().replace("grey", "gray"))) & COLOURS
    return found.pop() if len(found) == 1 else ""


@check("multimodal.image-seen", when=of(*probes.IMAGES), probes=probes.IMAGES)
def image_seen(exchange: Exchange) -> Iterator[Violation]:
    """The colour of an image of one colour is named."""
    colour = _named(exchange)
    if not colour:
        raise Unobservable(f"the model named no colour: {shown(text(exchange))}")
    if colour != probes.COLOUR:
        yield Violation(expected=probes.COLOUR, found=shown(text(exchange)))


_AS_BASE64: Final = frozenset(probe.name for probe in (probes.IMAGE_NESTED, probes.IMAGE_FLAT))


@check("multimodal.image-forms-agree", when=of(*probes.IMAGES), probes=probes.IMAGES, groups=side_by_side)
def image_forms_agree(*exchanges: Exchange) -> Iterator[Violation]:
    """The same image sent in either form brings the same colour; both colours are told, and neither form is blamed."""
    named: list[tuple[str, Exchange]] = []
    for exchange in exchanges:
        try:
            if colour := _named(exchange):
                named.append((colour, exchange))
        except (Unobservable, Inconclusive):
            continue
    for colour, exchange in named:
        other = next((each for each in named if each[0] != colour), None)
        # Of colours that differ one is not the image's own: there the evidence is to be looked at first.
        if other and colour != probes.COLOUR:
            yield Violation(
                expected="one colour for the same image",
                found=f"{colour} in {exchange.id}, {other[0]} in {other[1].id}",
                on=exchange.id,
            )
    if len({exchange.probe in _AS_BASE64 for _, exchange in named}) != 2:
        raise Unobservable("the model did not name a colour for both forms")


CHECKS: Final = listed(globals())
