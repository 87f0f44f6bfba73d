"""Servers that take images and sound wrongly."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from conformance.server.changes import Asked, Change, When, failing, mending, one_in, only, refusing, saying
from conformance.server.deviation import Fault
from conformance.server.faults.messages import CRASH, messages
from conformance.server.generation import ChatRequest, Finish, Steps, Text
from conformance.server.media import source

Part = Mapping[str, Any]
Which = Callable[[Part], bool]

HIDDEN: Final = ("multimodal.image-base64-large", "multimodal.image-seen", "multimodal.image-forms-agree")
"""What shows only where images are served."""
_MUCH: Final = 64 * 1024  # characters of base64
_DETAILS: Final = (None, "auto", "low", "high")


def parts(asked: Asked) -> list[Part]:
    """The parts of all messages that are objects."""
    contents = [content for message in messages(asked) if isinstance(content := message.get("content"), list)]
    return [part for content in contents for part in content if isinstance(part, dict)]


def having_part(which: Which) -> When:
    """Requests with a part that `which` picks."""
    return lambda asked: any(map(which, parts(asked)))


def of_type(name: str) -> Which:
    """Parts of this type."""
    return lambda part: part.get("type") == name


def instead_of(which: Which, made: Callable[[Part], tuple[Part, ...]]) -> Change:
    """Other parts in the place of those that `which` picks, before anything looks at them."""

    def of_message(message: Any) -> Any:
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            return message
        return {**message, "content": [new for part in content for new in (made(part) if which(part) else (part,))]}

    def mend(document: Any) -> Any:
        return {**document, "messages": [of_message(message) for message in document["messages"]]}

    return only(having_part(which), mending(mend))


def seeing(words: str) -> Change:
    """A model that says this, whatever it is shown."""

    def edit(_steps: Steps, _request: ChatRequest) -> Steps:
        return said()

    async def said() -> Steps:
        yield Text(text=words)
        yield Finish(reason="stop")

    return saying(edit)


def _shows(part: Part) -> bool:
    return part.get("type") in {"image_url", "image_base64"}


def _inline(part: Part) -> bool:
    return of_type("image_base64")(part) or (_shows(part) and str(source(part).get("url")).startswith("data:"))


def _small_base64(part: Part) -> bool:
    return of_type("image_base64")(part) and len(source(part).get("data", "")) < _MUCH


def _large_base64(part: Part) -> bool:
    return of_type("image_base64")(part) and len(source(part).get("data", "")) >= _MUCH


def _inline_beside_text(asked: Asked) -> bool:
    return having_part(_inline)(asked) and having_part(of_type("text"))(asked)


def _detail(part: Part) -> Any:
    return source(part).get("detail") if of_type("image_url")(part) else None


def _of_detail(word: str) -> Which:
    return lambda part: _detail(part) == word


def _odd_detail(part: Part) -> bool:
    return _detail(part) not in _DETAILS


def _undetailed(part: Part) -> bool:
    return of_type("image_url")(part) and _detail(part) is None


def _without_detail(part: Part) -> tuple[Part, ...]:
    return ({"type": "image_url", "image_url": {"url": source(part)["url"]}},)


def _unknown(part: Part) -> bool:
    return part.get("type", "text") not in {"text", "image_url", "image_base64", "audio_url", "audio_base64"}


def _untyped(part: Part) -> bool:
    return "type" not in part


def _any_array(asked: Asked) -> bool:
    return any(isinstance(message.get("content"), list) for message in messages(asked))


ACCEPTED: Final = (
    Fault(
        id="image-url-refused",
        does="refuses images that are given by an address",
        change=refusing(having_part(of_type("image_url")), "messages"),
        red=("multimodal.image-url",),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.detail-", "multimodal.image-forms-agree"),
    ),
    Fault(
        id="image-detail-demanded",
        does="refuses an image without a detail",
        change=refusing(having_part(_undetailed), "messages"),
        red=("multimodal.image-url",),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.detail-known",),
    ),
    Fault(
        id="image-beside-text-refused",
        does="refuses a text beside an image that is sent inline",
        change=refusing(_inline_beside_text, "messages"),
        red=("multimodal.text-part", "multimodal.image-base64"),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.detail-", *HIDDEN),
    ),
    *(
        Fault(
            id=f"image-detail-{word}-refused",
            does=f"refuses the detail {word}",
            change=refusing(having_part(_of_detail(word)), "messages"),
            red=(f"multimodal.detail-{word}",),
            says="as for multimodal.image-data-url; HTTP 422",
        )
        for word in ("auto", "low", "high")
    ),
    Fault(
        id="image-base64-refused",
        does="refuses images in base64",
        change=refusing(having_part(of_type("image_base64")), "messages"),
        red=("multimodal.image-base64",),
        says="HTTP 200 for one of the forms; HTTP 422",
        unseen=("multimodal.image-base64-large", "multimodal.image-forms-agree"),
    ),
    Fault(
        id="image-large-refused",
        does="has no room for more than 64 kB of base64",
        change=refusing(having_part(_large_base64), "messages", status=413, code="PAYLOAD_TOO_LARGE"),
        red=("multimodal.image-base64-large",),
        says="as for multimodal.image-base64-nested; HTTP 413",
    ),
    Fault(
        id="audio-base64-refused",
        does="refuses sounds in base64",
        change=refusing(having_part(of_type("audio_base64")), "messages"),
        red=("multimodal.audio-base64",),
        says="HTTP 200 for one of the forms; HTTP 422",
    ),
    Fault(
        id="audio-url-refused",
        does="refuses sounds that are given by an address",
        change=refusing(having_part(of_type("audio_url")), "messages"),
        red=("multimodal.audio-url",),
        says="HTTP 200 for one of the forms; HTTP 422",
    ),
    Fault(
        id="part-array-refused",
        does="takes only strings for content",
        change=refusing(_any_array, "messages"),
        red=(
            "messages.parts-accepted",
            "multimodal.image-url",
            "multimodal.text-part",
            "multimodal.image-base64",
            "multimodal.audio-base64",
            "multimodal.audio-url",
        ),
        says="; HTTP 422 VALIDATION_ERROR",
        unseen=("multimodal.detail-", *HIDDEN),
    ),
)

TAKEN: Final = tuple(
    Fault(id=name, does=does, change=change, red=(row,), says="HTTP 4xx for the mistake in the body; HTTP 200")
    for name, does, row, change in (
        (
            "image-detail-unknown-taken",
            "looks as closely as it likes where it does not know the detail",
            "multimodal.detail-known",
            instead_of(_odd_detail, _without_detail),
        ),
        (
            "part-unknown-taken",
            "drops parts of a type that it does not know",
            "multimodal.part-known",
            instead_of(_unknown, lambda _: ()),
        ),
        (
            "part-untyped-taken",
            "takes a part without a type for text",
            "multimodal.part-typed",
            instead_of(_untyped, lambda part: ({"type": "text", **part},)),
        ),
    )
)

FAILING: Final = (
    Fault(
        id="image-detail-unknown-crashes",
        does="fails over a detail that it does not know",
        change=only(having_part(_odd_detail), failing(lambda _: CRASH)),
        red=("multimodal.detail-known",),
        says="HTTP 4xx for the mistake in the body; HTTP 500",
    ),
    Fault(
        id="part-unknown-crashes",
        does="fails over a part of a type that it does not know",
        change=only(having_part(_unknown), failing(lambda _: CRASH)),
        red=("multimodal.part-never-5xx", "multimodal.part-known"),
        says="HTTP 4xx; HTTP 500 INTERNAL_ERROR",
    ),
    Fault(
        id="part-untyped-crashes",
        does="fails over a part without a type",
        change=only(having_part(_untyped), failing(lambda _: CRASH)),
        red=("multimodal.part-never-5xx", "multimodal.part-typed"),
        says="HTTP 4xx; HTTP 500 INTERNAL_ERROR",
    ),
)

SEEN: Final = (
    Fault(
        id="image-channels-swapped",
        does="reads the channels of images the wrong way round",
        change=only(having_part(_inline), seeing("The image is blue.")),
        red=("multimodal.image-seen",),
        says='red; "The image is blue."',
    ),
    Fault(
        id="image-degraded-to-text",
        does="sends the model a word in the place of an image, and the model guesses",
        change=only(having_part(_shows), seeing("White")),
        red=("multimodal.image-seen",),
        says='red; "White"',
        wild=("F-OPT-03",),
    ),
    Fault(
        id="image-base64-unreadable",
        does="shows the model a black image in the place of one in base64",
        change=only(having_part(of_type("image_base64")), seeing("Black.")),
        red=("multimodal.image-forms-agree", "multimodal.image-seen"),
        says="black in multimodal.image-base64-nested, red in multimodal.image-data-url",
    ),
    Fault(
        id="image-url-unreadable",
        does="shows the model a black image in the place of one in a data: URL",
        change=only(having_part(of_type("image_url")), seeing("Black.")),
        red=("multimodal.image-forms-agree", "multimodal.image-seen"),
        says="black in multimodal.image-data-url, red in multimodal.image-base64-nested",
    ),
    Fault(
        id="image-base64-unreadable-now-and-then",
        does="shows the model a black image in the place of every second one in base64",
        change=one_in(2, seeing("Black."), when=having_part(_small_base64)),
        red=("multimodal.image-forms-agree", "multimodal.image-seen"),
        says="one colour for the same image; black in multimodal.image-base64-",
    ),
)

FAULTS: Final[tuple[Fault, ...]] = (*ACCEPTED, *TAKEN, *FAILING, *SEEN)
