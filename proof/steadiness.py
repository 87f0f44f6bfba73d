"""Whether the suite says the same of the same server each time."""

from collections.abc import Sequence

from proof.observing import Outcome


def changes(runs: Sequence[Outcome]) -> list[str]:
    """What the runs of one server say differently; nothing where they agree."""
    first = runs[0]
    return [
        f"run {number} of the same server: {kind}: {', '.join(sorted(set(before) ^ set(after)))}"
        for number, run in enumerate(runs[1:], start=2)
        for kind, before, after in (("red", first.red, run.red), ("undecided", first.unseen, run.unseen))
        if set(before) != set(after)
    ]
