"""Servers whose streams end wrongly."""

from typing import Final

from conformance.server.changes import ended_by, one_in, streams
from conformance.server.deviation import Fault

FAULTS: Final = (
    Fault(
        id="no-done",
        does="sends no end marker",
        change=ended_by(b""),
        red=("stream.done",),
        says="ending: data: [DONE]; ",
    ),
    Fault(
        id="no-done-now-and-then",
        does="sends no end marker in one stream of twenty",
        change=one_in(20, ended_by(b""), when=streams),
        red=("stream.done",),
        says="ending: data: [DONE]; ",
    ),
)
