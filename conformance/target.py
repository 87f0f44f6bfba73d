"""The deployment under test and what is claimed of it."""

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import schema

PATHS: Final[Mapping[str, str]] = {"native": "/v1/inference/chat", "openai": "/v1/chat/completions"}
"""The path of the endpoint, for each profile."""

TRIGGERS: Final = (
    "mid_stream_error",
    "content_filter",
    "backend_error",
    "backend_timeout",
    "rate_limited",
    "backend_rate_limited",
    "model_unavailable",
    "model_access_denied",
)
"""The behaviours that a target file can tell us how to bring about."""


DEFAULT_KEY_VARIABLE: Final = "SCAIGRID_API_KEY"
"""The variable that the page's own examples read the key from."""


class BadInput(ValueError):
    """A mistake in an option, the target file or the environment; the message says what, where and the cure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much, how fast and how long the run may ask."""

    concurrency: int = 8
    requests_per_minute: float | None = None
    max_requests: int = 400
    """Requests of a run, retries included."""
    max_tokens: int = 20_000
    """Prompt and completion tokens of a run together, by the plan's bound."""
    timeout: float = 60.0
    """Seconds of silence after which an exchange is given up."""
    deadline: float = 120.0
    """Seconds after which an exchange is given up though bytes still come."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Bytes of one answer's body; more is a hostile server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the requests go, and what its operator says of it."""

    url: str
    """Scheme, host and port, without the endpoint's path."""
    profile: str = "native"
    path: str = ""
    """The endpoint's path where it is not the profile's own."""
    model: str = ""
    api_key_env: str = DEFAULT_KEY_VARIABLE
    """The name of the variable that holds the key; the key itself is never kept here."""
    max_output_tokens: int | None = None
    capabilities: Mapping[str, bool] = field(default_factory=dict)
    triggers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For each trigger, the members merged into a request's body."""
    limits: Limits = field(default_factory=Limits)

    @property
    def endpoint(self) -> str:
        """The whole URL that requests are posted to."""
        return self.url.rstrip("/") + (self.path or PATHS[self.profile])


def described(given: str) -> Target:
    """The target of a URL or of a target file; `checked` says whether it is complete.

    Raises:
        BadInput: the target file cannot be read.
    """
    return Target(url=given) if "://" in given else loaded(Path(given))


def loaded(file: Path) -> Target:
    """The target that a TOML file describes (design: the target file); `checked` says whether it is complete.

    Raises:
        BadInput: the file is not there, not TOML, or not a target file; the message names the place.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file; give the path of a target file (TOML)") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: byte {error.start} is not UTF-8, which TOML must be") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{file}: not TOML: {error}") from None
    if wrong := schema.defects("target.schema.json", content):
        place = wrong[0].pointer.strip("/").replace("/", ".") or "the file"
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise BadInput(f"{file}: {place}: {wrong[0].message}{more}")
    table = content["target"]
    if "backend" in content:
        raise BadInput(f"{file}: backend: this version has no scripted backend to host; take the table out")
    limits = dict(content.get("limits", {}))
    if "timeout" in limits:
        limits["deadline"] = 2 * limits["timeout"]
    return Target(
        url=table["url"],
        profile=table.get("profile", "native"),
        path=table.get("path", ""),
        model=table.get("model", ""),
        api_key_env=table.get("api_key_env", DEFAULT_KEY_VARIABLE),
        max_output_tokens=table.get("max_output_tokens"),
        capabilities=content.get("capabilities", {}),
        triggers={name: entry["body"] for name, entry in content.get("triggers", {}).items()},
        limits=replace(Limits(), **limits),
    )


def checked(target: Target) -> Target:
    """`target` itself, when requests can be sent to it.

    Raises:
        BadInput: the URL is not an HTTP one, or no model is named.
    """
    try:
        parts = urlsplit(target.url)
        well_formed = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise BadInput(f"{target.url!r} is not an http:// or https:// URL with a host")
    if parts.username or parts.password:
        raise BadInput("the URL holds a user name or password; name the key's variable in api_key_env instead")
    if parts.query or parts.fragment:
        raise BadInput(f"{target.url!r} has a query or fragment; give scheme, host and port, and `path` if needed")
    if not target.model:
        raise BadInput("no model is named; give --model SLUG, or `model` under [target] in the target file")
    limits = target.limits
    for name in ("timeout", "deadline"):
        value = getattr(limits, name)
        if not (value > 0 and math.isfinite(value)):
            raise BadInput(f"limits.{name}: {value} is not a number of seconds above 0")
    return target


def key_of(target: Target) -> str:
    """The API key, from the environment.

    Raises:
        BadInput: the variable is not set, or holds what no header can carry.
    """
    key = os.environ.get(target.api_key_env, "")
    if not key:
        raise BadInput(
            f"the variable {target.api_key_env} is not set; export the key in it, or name another with --api-key-env"
        )
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise BadInput(f"the variable {target.api_key_env} holds characters that no Authorization header can carry")
    return key
