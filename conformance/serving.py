"""The reference server and the scripted backend as commands."""

import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from conformance.arrival import Arrival
from conformance.backend import SILENCE, hosted
from conformance.scenarios import SCENARIOS
from conformance.server.deviation import Deviation, Served, served
from conformance.server.faults import FAULTS
from conformance.server.hosting import serve_forever
from conformance.server.site import Site
from conformance.server.triggers import triggers
from conformance.server.upstream import Upstream, service
from conformance.server.variants import VARIANTS
from conformance.target import BadInput, in_words, key_in

_FAULTS: Final = {fault.id: fault for fault in FAULTS}
_VARIANTS: Final = {variant.id: variant for variant in VARIANTS}


def described() -> str:
    """What the server serves, how each documented failure is brought about, and how it can deviate, for a person."""
    models = [f"{service.slug:<32} {service.display_name}" for service in Site().services if service.listed]
    failures = [f"{trigger.name:<22} {trigger.slug or trigger.key:<34} {trigger.outcome}" for trigger in triggers()]
    faults = [f"{fault.id:<40} {fault.does}; breaks {fault.red[0]}" for fault in FAULTS]
    variants = [f"{variant.id:<40} {variant.does}" for variant in VARIANTS]
    sections = {
        "models": models,
        "triggers: what to ask for, and what then shows": failures,
        "faults, for --fault: a server that": faults,
        "legal variants, for --variant: a server that": variants,
    }
    return "\n".join("\n".join([title, *lines, ""]) for title, lines in sections.items())


def _deviating(chosen: Sequence[Deviation]) -> Served:
    try:
        return served(chosen)
    except ValueError as clash:
        raise BadInput(f"{clash}; serve them one by one") from None


def _known(identity: str, catalogue: Mapping[str, Deviation], option: str) -> Deviation:
    if identity in catalogue:
        return catalogue[identity]
    near = get_close_matches(identity, catalogue, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BadInput(f"{option} {identity!r}: there is none; {hint}chat-conformance serve --list names them all")


def serve(  # noqa: PLR0913  # each is an option of the command
    *,
    host: str,
    port: int,
    api_key_env: str | None,
    upstream: str | None,
    upstream_model: str | None,
    upstream_key_env: str | None,
    faults: Sequence[str],
    variants: Sequence[str],
    say: Callable[[str], None],
) -> None:
    """Serve until interrupted; `say` is told where and with which key.

    Raises:
        BadInput: a variable is not set, an option lacks its partner, a deviation is not known, or the address
            cannot be had.
    """
    if upstream and not upstream_model:
        raise BadInput("--upstream needs --upstream-model: the name by which that server knows its model")
    if not upstream and (upstream_model or upstream_key_env):
        raise BadInput("--upstream-model and --upstream-key-env go with --upstream")
    key = key_in(api_key_env, option="--api-key-env") if api_key_env else "sgk_" + secrets.token_hex(20)
    chosen = [_known(identity, _FAULTS, "--fault") for identity in faults]
    chosen += [_known(identity, _VARIANTS, "--variant") for identity in variants]
    made = _deviating(chosen)
    site = replace(made.site, keys=(key,))
    model = "reference/mini"
    if upstream:
        secret = key_in(upstream_key_env, option="--upstream-key-env") if upstream_key_env else None
        behind = service(Upstream(url=upstream, model=upstream_model or "", key=secret))
        site = replace(site, services=(*site.services, behind))
        model = behind.slug
    shown = f"the key in {api_key_env}" if api_key_env else f"the key {key}"
    deviating = "".join(f", which {each.does}" for each in chosen)
    try:
        serve_forever(
            site,
            made.conduct,
            wire=made.wire,
            host=host,
            port=port,
            announce=lambda url: say(f"serving {model} on {url} for {shown}{deviating}; stop with Ctrl-C"),
        )
    except OSError as error:
        raise BadInput(f"{host}:{port}: cannot be listened on: {in_words(error)}; give another --port") from None


def scenarios() -> str:
    """Every scenario of the scripted backend, for a person."""
    return "".join(f"{each.name:<36} {each.does} [{each.fate.name.lower()}]\n" for each in SCENARIOS.values())


def stand_by(*, host: str, port: int, silence: float | None, say: Callable[[str], None]) -> None:
    """Run the scripted backend until interrupted; `say` is told where, and what it receives.

    Raises:
        BadInput: the address cannot be had.
    """
    try:
        with hosted(
            host=host,
            port=port,
            silence=SILENCE if silence is None else silence,
            told=lambda arrival: say(_received(arrival)),
        ) as backend:
            say(f"a scripted backend on {backend.url}/v1; name a scenario as [scenario:NAME:1] in a user message")
            threading.Event().wait()
    except OSError as error:
        raise BadInput(f"{host}:{port}: cannot be listened on: {in_words(error)}; give another --port") from None
    except KeyboardInterrupt:
        return


def _received(arrival: Arrival) -> str:
    """A request and what became of it, on one line."""
    form = "streamed" if arrival.streamed else "whole"
    left = "" if arrival.left is None else f", left after {arrival.left:.2f} s"
    body = arrival.body.decode("utf-8", "backslashreplace")
    return f"{arrival.scenario or 'no scenario'} {form}, {arrival.written} bytes{left}: {body}"
