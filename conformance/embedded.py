"""The embedded default: the reference server on a free loopback port, and what is known of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from conformance.server.hosting import serve_in_thread
from conformance.server.site import Site
from conformance.server.triggers import triggers
from conformance.target import TRIGGERS, Limits, Target, checked

MODEL: Final = "reference/mini"


@contextmanager
def embedded_target(*, limits: Limits, key: str) -> Iterator[Target]:
    """The reference server as a target, for as long as the block runs.

    Raises:
        BadInput: a limit is no usable number.
        OSError: no loopback port is to be had.
        RuntimeError: the server did not start.
    """
    with serve_in_thread(replace(Site(), keys=(key,))) as url:
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
