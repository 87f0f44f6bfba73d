"""What a run hosts itself: the reference server on a free loopback port, and the scripted backend."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from conformance.backend import SILENCE, Backend, hosted
from conformance.server.deviation import Deviation, served
from conformance.server.hosting import serve_in_thread
from conformance.server.triggers import triggers
from conformance.server.upstream import Upstream, service
from conformance.target import TRIGGERS, Backing, BadInput, Key, Limits, Target, checked, in_words

MODEL: Final = "reference/mini"
_CAP: Final = 512
_BACKENDS_NAME: Final = "scripted"
_BACKENDS_KEY: Final = "sk-the-gateways-own-key-0000"
_PATIENCE: Final = 60.0
"""Seconds that the server waits for a backend that says nothing, where nobody says how long."""


@contextmanager
def embedded_target(
    *, limits: Limits, key: str, deviations: Sequence[Deviation] = (), backing: Backing | None = None, behind: str = ""
) -> Iterator[Target]:
    """The reference server as a target, with these deviations, for as long as the block runs.

    Args:
        limits: of the run.
        key: what the server takes for a key.
        deviations: how it differs from the reference server.
        backing: the slug that leads to the scripted backend, and how long the server waits for it; none for no such.
        behind: the URL of that backend, running.

    Raises:
        BadInput: a limit is no usable number.
        OSError: no loopback port is to be had.
        RuntimeError: the server did not start.
        ValueError: two deviations cannot be had in one server.
    """
    made = served(deviations)
    site = replace(made.site, keys=(key,))
    if backing:
        upstream = Upstream(
            url=behind,
            model=_BACKENDS_NAME,
            slug=backing.model,
            key=_BACKENDS_KEY,
            max_output_tokens=backing.max_output_tokens,
            silence=backing.timeout or _PATIENCE,
        )
        site = replace(site, services=(*site.services, service(upstream)))
    with serve_in_thread(site, made.conduct, wire=made.wire) as url:
        parts = urlsplit(behind)
        yield checked(
            Target(
                url=url,
                model=MODEL,
                max_output_tokens=_CAP,
                capabilities={"tools": True, "vision": True, "audio": True},
                triggers={trigger.name: trigger.body for trigger in triggers() if trigger.name in TRIGGERS},
                limits=limits,
                backend=replace(backing, host=parts.hostname or "", port=parts.port or 0) if backing else None,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a run plays on: its target, the key, and the scripted backend where there is one."""

    target: Target
    key: str
    behind: Backend | None = None


@contextmanager
def staged(described: Target, *, key: str = "", deviations: Sequence[Deviation] = ()) -> Iterator[Stage]:
    """All that a run hosts, running: the scripted backend, and the reference server where there is no URL.

    Args:
        described: the target as options and target file have it.
        key: of the target; the embedded server gets a fresh one where none is given.
        deviations: how the embedded server differs from the reference server.

    Raises:
        BadInput: where the backend is to listen cannot be listened on.
        OSError, RuntimeError, ValueError: as from `embedded_target`.
    """
    with ExitStack() as stack:
        key = key or ("" if described.url else Key("sgk_" + secrets.token_hex(20)))
        behind = stack.enter_context(_hosted(described.backend, key)) if described.backend else None
        target = described
        if not described.url:
            target = stack.enter_context(
                embedded_target(
                    limits=described.limits,
                    key=key,
                    deviations=deviations,
                    backing=described.backend,
                    behind=behind.url if behind else "",
                )
            )
        yield Stage(target=target, key=key, behind=behind)


@contextmanager
def _hosted(backing: Backing, key: str) -> Iterator[Backend]:
    silence = SILENCE if backing.silence is None else backing.silence
    with ExitStack() as stack:
        try:
            backend = stack.enter_context(hosted(host=backing.host, port=backing.port, silence=silence, key=key))
        except OSError as error:
            raise BadInput(
                f"backend.listen: {backing.host}:{backing.port} cannot be listened on: {in_words(error)}; give another"
            ) from None
        yield backend
