"""Where an answer is cut: at the token limit and before a stop sequence."""

from collections.abc import Sequence
from contextlib import aclosing

from conformance.server.generation import CallArguments, CallStart, Finish, Step, Steps, Text


async def limited(steps: Steps, limit: int | None) -> Steps:
    """The steps of at most `limit` tokens, each step being one; `None` is no limit.

    An answer whose last token is the limit's last ends with `length`: the model had no room to say that it was
    done. A tool call comes whole or not at all.
    """
    left = limit
    call: list[Step] = []
    async with aclosing(steps):
        async for step in steps:
            if call and not isinstance(step, CallArguments):
                for held in call:
                    yield held
                call = []
            if left is None or not isinstance(step, Text | CallStart | CallArguments):
                yield step
                continue
            if left == 0:
                yield Finish(reason="length", cut=True)
                return
            left -= 1
            if isinstance(step, Text):
                yield step
                if left == 0:
                    yield Finish(reason="length", cut=True)
                    return
            else:
                call.append(step)


async def stopped(steps: Steps, stop: Sequence[str]) -> Steps:
    """The steps up to the first stop sequence in the text, which is left out, wherever steps cut it.

    Text that may be the start of a stop sequence is held back until it is known. Of two sequences the one that
    ends first wins; of those that end together the longest, so that no part of either is shown.
    """
    held = ""
    async with aclosing(steps):
        async for step in steps:
            if not isinstance(step, Text) or not stop:
                if held:
                    yield Text(text=held)
                    held = ""
                yield step
                continue
            before, held, found = _split(held + step.text, stop)
            if before:
                yield Text(text=before)
            if found:
                yield Finish(reason="stop")
                return


def _split(text: str, stop: Sequence[str]) -> tuple[str, str, bool]:
    """What may be shown, what must be held back, and whether a stop sequence was found."""
    found = [(start + len(sequence), start) for sequence in stop if (start := text.find(sequence)) >= 0]
    if found:
        return text[: min(found)[1]], "", True
    held = max(
        (length for sequence in stop for length in range(1, len(sequence)) if text.endswith(sequence[:length])),
        default=0,
    )
    return text[: len(text) - held], text[len(text) - held :], False
