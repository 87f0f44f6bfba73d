"""The embedded default: the reference server on a free loopback port, or one that deviates, and what is known of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from conformance.server.deviation import Deviation, served
from conformance.server.hosting import serve_in_thread
from conformance.server.triggers import triggers
from conformance.target import TRIGGERS, Limits, Target, checked

MODEL: Final = "reference/mini"


@contextmanager
def embedded_target(*, limits: Limits, key: str, deviations: Sequence[Deviation] = ()) -> Iterator[Target]:
    """The reference server as a target, with these deviations, for as long as the block runs.

    Raises:
        BadInput: a limit is no usable number.
        OSError: no loopback port is to be had.
        RuntimeError: the server did not start.
        ValueError: two deviations cannot be had in one server.
    """
    made = served(deviations)
    with serve_in_thread(replace(made.site, keys=(key,)), made.conduct, wire=made.wire) as url:
        yield checked(
            Target(
                url=url,
                model=MODEL,
                max_output_tokens=512,
                capabilities={"tools": True, "vision": True, "audio": True},
                triggers={trigger.name: trigger.body for trigger in triggers() if trigger.name in TRIGGERS},
                limits=limits,
            )
        )
