"""The reference server as a command."""

import secrets
from collections.abc import Callable
from dataclasses import replace

from conformance.server.hosting import serve_forever
from conformance.server.site import Site
from conformance.server.triggers import triggers
from conformance.server.upstream import Upstream, service
from conformance.target import BadInput, key_in


def described() -> str:
    """What the server serves and how each documented failure is brought about, for a person."""
    models = [f"{service.slug:<32} {service.display_name}" for service in Site().services if service.listed]
    failures = [f"{trigger.name:<22} {trigger.slug or trigger.key:<34} {trigger.outcome}" for trigger in triggers()]
    return "\n".join(["models", *models, "", "triggers: what to ask for, and what then shows", *failures]) + "\n"


def serve(  # noqa: PLR0913  # each is an option of the command
    *,
    host: str,
    port: int,
    api_key_env: str | None,
    upstream: str | None,
    upstream_model: str | None,
    upstream_key_env: str | None,
    say: Callable[[str], None],
) -> None:
    """Serve until interrupted; `say` is told where and with which key.

    Raises:
        BadInput: a variable is not set, an option lacks its partner, or the address cannot be had.
    """
    if upstream and not upstream_model:
        raise BadInput("--upstream needs --upstream-model: the name by which that server knows its model")
    if not upstream and (upstream_model or upstream_key_env):
        raise BadInput("--upstream-model and --upstream-key-env go with --upstream")
    key = key_in(api_key_env, option="--api-key-env") if api_key_env else "sgk_" + secrets.token_hex(20)
    site = replace(Site(), keys=(key,))
    model = "reference/mini"
    if upstream:
        secret = key_in(upstream_key_env, option="--upstream-key-env") if upstream_key_env else None
        behind = service(Upstream(url=upstream, model=upstream_model or "", key=secret))
        site = replace(site, services=(*site.services, behind))
        model = behind.slug
    shown = f"the key in {api_key_env}" if api_key_env else f"the key {key}"
    try:
        serve_forever(
            site,
            host=host,
            port=port,
            announce=lambda url: say(f"serving {model} on {url} for {shown}; stop with Ctrl-C"),
        )
    except OSError as error:
        raise BadInput(f"{host}:{port}: cannot be listened on: {error.strerror}; give another --port") from None
