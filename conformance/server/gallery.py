"""Where inline images get an address of the server's own, so that a backend can fetch them."""

import base64
import binascii
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

PATH: Final = "/v1/media"
_MOST: Final = 256
"""Images kept; the oldest makes room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as it was sent."""

    media_type: str
    data: bytes


class Gallery:
    """Images by a token that nobody can guess; each is there for as long as it is among the newest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Image] = OrderedDict()

    def hung(self, image: Image) -> str:
        """The path at which the image can be fetched from now on."""
        token = secrets.token_urlsafe(24)
        self._kept[token] = image
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return f"{PATH}/{token}"

    def at(self, token: str) -> Image | None:
        """The image of a token; nothing where there is none, or no longer."""
        return self._kept.get(token)

    def address(self, base: str, media_type: str, data: str) -> str:
        """The address of an image that was sent as base64; a `data:` address for what is no base64.

        Args:
            base: scheme, host and port by which the client reached the server.
            media_type: what the client says it is.
            data: base64.
        """
        try:
            image = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return inline(media_type, data)
        return base + self.hung(Image(media_type=media_type, data=image))


def inline(media_type: str, data: str) -> str:
    """The `data:` address of an image (RFC 2397)."""
    return f"data:{media_type};base64,{data}"
