"""Servers that get content parts wrong, and models that see and hear as they like."""

from collections.abc import Mapping
from typing import Final

from conformance.probes import messages, multimodal
from tests.miniatures.conversation import declined_as, says, wrongly_refused, wrongly_served
from tests.miniatures.model import faulty
from tests.miniatures.retold import as_told
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import asking, on, with_status

IMAGES: Final = asking(*(probe.name for probe in multimodal.IMAGES))
BASE64: Final = (multimodal.IMAGE_NESTED.name, multimodal.IMAGE_FLAT.name)
BY_URL: Final = (multimodal.IMAGE_DATA_URL.name, multimodal.IMAGE_HTTPS.name)
DETAILS: Final = tuple(probe.name for probe in (multimodal.DETAIL_AUTO, multimodal.DETAIL_LOW, multimodal.DETAIL_HIGH))

ACCEPTED: Final[Mapping[str, tuple[str, ...]]] = {
    "multimodal.image-url": BY_URL,
    "multimodal.detail-auto": DETAILS[:1],
    "multimodal.detail-low": DETAILS[1:2],
    "multimodal.detail-high": DETAILS[2:],
    "multimodal.image-base64": BASE64,
    "multimodal.image-base64-large": (multimodal.LARGE.name,),
    "multimodal.audio-base64": (multimodal.AUDIO_NESTED.name, multimodal.AUDIO_FLAT.name),
    "multimodal.audio-url": (multimodal.AUDIO_URL_NESTED.name, multimodal.AUDIO_URL_FLAT.name),
}
# What is measured against them.
_BESIDE: Final[Mapping[str, tuple[str, ...]]] = {
    "multimodal.image-url": ("multimodal.detail-known",),
    "multimodal.image-base64": ("multimodal.image-forms-agree",),
}

REFUSED: Final[Mapping[str, str]] = {
    "multimodal.part-known": messages.PART_UNKNOWN.name,
    "multimodal.part-typed": messages.PART_UNTYPED.name,
}

SEEN: Final = (
    faulty(
        "sees blue where all is red",
        says(IMAGES, "The image is blue."),
        "multimodal.image-seen",
        says='whole: red; "The image is blue."',
    ),
    faulty(
        "has the channels the wrong way round",
        says(IMAGES, "BLUE"),
        "multimodal.image-seen",
        says='whole: red; "BLUE"',
    ),
    faulty(
        "sees blue in the coloured square that was shared",
        says(IMAGES, "The colored square you shared is rendered in blue."),
        "multimodal.image-seen",
        says="rendered in blue",
    ),
    faulty(
        "puts a black image in the place of base64",
        says(asking(*BASE64), "It is black."),
        "multimodal.image-forms-agree",
        "multimodal.image-seen",
        says="one colour for the same image; black in multimodal.image-base64-nested, red in multimodal.image-data-url",
    ),
    faulty(
        "shows another client's image",
        says(asking(*DETAILS[2:]), "Green"),
        "multimodal.image-forms-agree",
        "multimodal.image-seen",
        says="one colour for the same image; green in multimodal.detail-high, red in multimodal.image-data-url",
    ),
    faulty(
        "sees blue by an address and red in base64",
        says(asking(*BY_URL, *DETAILS), "Blue."),
        "multimodal.image-forms-agree",
        "multimodal.image-seen",
        says="blue in multimodal.image-data-url, red in multimodal.image-base64-nested",
    ),
)

TAKEN: Final = (
    faulty(
        "takes an unknown detail",
        as_told(multimodal.IMAGE_DATA_URL.name, asking(multimodal.DETAIL_UNKNOWN.name)),
        "multimodal.detail-known",
        says="status: HTTP 4xx for the mistake in the body; HTTP 200",
    ),
    *wrongly_served("multimodal.detail-known", multimodal.DETAIL_UNKNOWN.name)[1:],
    faulty(
        "breaks over malformed parts",
        declined_as(asking(*REFUSED.values()), 500, "INTERNAL_ERROR"),
        "multimodal.part-never-5xx",
        *REFUSED,
        says="status: HTTP 4xx; HTTP 500 INTERNAL_ERROR",
    ),
    faulty(
        "lets the backend fail over a part without a type",
        declined_as(asking(messages.PART_UNTYPED.name), 502, "BACKEND_ERROR"),
        "multimodal.part-never-5xx",
        "multimodal.part-typed",
        says="HTTP 4xx; HTTP 502 BACKEND_ERROR",
    ),
)

MIXED: Final = (
    *wrongly_refused(
        "multimodal.text-part",
        *BY_URL[:1],
        *BASE64,
        red=("multimodal.image-base64",),
        unseen=("multimodal.detail-known", "multimodal.image-forms-agree"),
    ),
    faulty(
        "sees no image beside a text",
        declined_as(asking(*BY_URL, *BASE64, *DETAILS, multimodal.LARGE.name), 422, "VALIDATION_ERROR"),
        "multimodal.text-part",
        "multimodal.image-url",
        "multimodal.image-base64",
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.",),
    ),
    faulty(
        "knows no detail",
        declined_as(asking(*DETAILS), 422, "VALIDATION_ERROR"),
        "multimodal.detail-auto",
        "multimodal.detail-low",
        "multimodal.detail-high",
        says="HTTP 200, as for multimodal.image-data-url; HTTP 422",
    ),
    faulty(
        "takes images only by their address",
        declined_as(asking(*BASE64, multimodal.LARGE.name), 422, "VALIDATION_ERROR"),
        "multimodal.image-base64",
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.image-base64-large", "multimodal.image-forms-agree"),
    ),
)

MINIATURES: Final = (
    *SEEN,
    *TAKEN,
    *MIXED,
    *(each for row, probes in ACCEPTED.items() for each in wrongly_refused(row, *probes, unseen=_BESIDE.get(row, ()))),
    *(each for row, probe in REFUSED.items() for each in wrongly_served(row, probe, "multimodal.part-never-5xx")),
)

_NOTHING_SEEN: Final = ("multimodal.image-seen", "multimodal.image-forms-agree")
_MALFORMED: Final = asking(*REFUSED.values(), multimodal.DETAIL_UNKNOWN.name)


def _turned_down(name: str, *probes: str, unseen: tuple[str, ...] = ()) -> Variant:
    return odd(name, declined_as(asking(*probes), 422, "VALIDATION_ERROR"), *unseen)


VARIANTS: Final[tuple[Variant, ...]] = (
    odd("names the colour in a sentence", says(IMAGES, "You shared a plain square, rendered in a strong red tone.")),
    odd("names the colour in capitals and bold", says(IMAGES, "**RED**")),
    odd("names the colour in one form only", says(asking(*DETAILS, *BASE64), "A square."), _NOTHING_SEEN[1]),
    odd("names no colour", says(IMAGES, "I see a square, plain as a whiteboard."), *_NOTHING_SEEN),
    odd("names a shade", says(IMAGES, "Crimson."), *_NOTHING_SEEN),
    odd("names several colours", says(IMAGES, "It is red, neither blue nor green."), *_NOTHING_SEEN),
    odd("sees no image", says(IMAGES, "I cannot look at the images that are shared with me."), *_NOTHING_SEEN),
    odd("says nothing of an image", says(IMAGES, ""), *_NOTHING_SEEN),
    odd("now and then names several colours", says(asking(*DETAILS), "Red on white.")),
    _turned_down("takes sounds only nested", multimodal.AUDIO_FLAT.name, multimodal.AUDIO_URL_FLAT.name),
    _turned_down("takes sounds only flat", multimodal.AUDIO_NESTED.name, multimodal.AUDIO_URL_NESTED.name),
    _turned_down("nests base64 sounds and no others", multimodal.AUDIO_FLAT.name, multimodal.AUDIO_URL_NESTED.name),
    _turned_down("takes base64 images only nested", multimodal.IMAGE_FLAT.name),
    _turned_down(
        "takes base64 images only flat",
        multimodal.IMAGE_NESTED.name,
        multimodal.LARGE.name,
        unseen=("multimodal.image-base64-large",),
    ),
    _turned_down("fetches no image", multimodal.IMAGE_HTTPS.name),
    odd(
        "fails to fetch an image",
        declined_as(asking(multimodal.IMAGE_HTTPS.name), 502, "BACKEND_ERROR"),
    ),
    odd(
        "wants images by a real address",
        declined_as(
            asking(multimodal.IMAGE_DATA_URL.name, *DETAILS, multimodal.DETAIL_UNKNOWN.name), 422, "VALIDATION_ERROR"
        ),
        "multimodal.detail-",
        "multimodal.image-forms-agree",
    ),
    odd("refuses malformed parts with 400", on(_MALFORMED, with_status(400))),
    odd("hears other words in a sound", says(asking(multimodal.AUDIO_FLAT.name), "I hear nothing.")),
)
