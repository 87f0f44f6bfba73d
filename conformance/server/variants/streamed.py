"""Streams that are odd and legal."""

from typing import Final

from conformance.server.changes import each_frame
from conformance.server.deviation import Variant

VARIANTS: Final = (
    Variant(
        id="comments-between",
        does="puts a comment before every event",
        change=each_frame(lambda _, frame: [b": on it\n\n" + frame]),
    ),
)
