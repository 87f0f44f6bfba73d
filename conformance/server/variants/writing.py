"""Changes of how answers are written, beyond those of the toolbox."""

import zlib
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from conformance.server.app import Answer, Behaviour, Writes
from conformance.server.changes import Change, answering
from conformance.server.site import Arrival


def written(edit: Callable[[Writes], Writes]) -> Change:
    """Other writes, a stream's as a whole."""

    def react(_arrival: Arrival, behaviour: Behaviour) -> Behaviour:
        return replace(behaviour, writes=lambda frames: edit(behaviour.writes(frames)))

    return lambda: react


def field(answer: Answer, name: str) -> str:
    """The value of a header field, however its name is written; empty where there is none."""
    return next((value for known, value in answer.headers.items() if known.lower() == name.lower()), "")


def without(answer: Answer, name: str) -> dict[str, str]:
    """The header fields but one, however its name is written."""
    return {known: value for known, value in answer.headers.items() if known.lower() != name.lower()}


def rewritten(media_type: str, edit: Callable[[Writes], Writes]) -> Change:
    """Other writes of the answers of a media type, whose length is then told by HTTP's chunked coding."""

    def edited(answer: Answer) -> Answer:
        if not field(answer, "Content-Type").lower().startswith(media_type):
            return answer
        return replace(answer, headers=without(answer, "Content-Length"), writes=edit(answer.writes))

    return answering(edited)


def packed(media_type: str, coding: str, wbits: int) -> Change:
    """Answers of a media type in a content coding (RFC 9110, 8.4), each write so that it can be read at once.

    Args:
        media_type: of the answers.
        coding: as Content-Encoding names it.
        wbits: zlib's window and wrapper: 31 for gzip, 15 for deflate.
    """

    async def edited(writes: Writes) -> Writes:
        packer = zlib.compressobj(wbits=wbits)
        async with aclosing(writes):
            async for delay, data in writes:
                yield delay, packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        yield 0.0, packer.flush()

    def marked(answer: Answer) -> Answer:
        if not field(answer, "Content-Type").lower().startswith(media_type):
            return answer
        fields = {**without(answer, "Content-Length"), "Content-Encoding": coding, "Vary": "Accept-Encoding"}
        return replace(answer, headers=fields, writes=edited(answer.writes))

    return answering(marked)


def split(length: int) -> Callable[[Writes], Writes]:
    """For `rewritten`: the same bytes, so many at a time."""

    async def edited(writes: Writes) -> Writes:
        async with aclosing(writes):
            async for delay, data in writes:
                yield delay, data[:length]
                for start in range(length, len(data), length):
                    yield 0.0, data[start : start + length]

    return edited
