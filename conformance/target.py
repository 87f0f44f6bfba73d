"""The deployment under test and what is claimed of it."""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from conformance import schema
from conformance.scenario import cue

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


_SCRIPTED: Final[Mapping[str, str]] = {
    "mid_stream_error": "death-of-a-slow-one-close",
    "content_filter": "reason-content-filter",
    "backend_error": "http-500",
    "backend_rate_limited": "http-429-retry-after",
    "backend_timeout": "death-at-once-silence",
}
"""The scenario that brings about what a trigger would."""


DEFAULT_KEY_VARIABLE: Final = "SCAIGRID_API_KEY"
"""The variable that the page's own examples read the key from."""

_KEYS_BEGIN: Final = "sgk_"


_LAST_PORT: Final = 65535
_LONGEST_TIMEOUT: Final = 86_400.0  # seconds
_FASTEST: Final = 1_000_000.0  # requests per minute; more is no pace


class BadInput(ValueError):
    """A mistake in an option, the target file or the environment; the message says what, where and the cure."""


def in_words(error: OSError) -> str:
    """What the system says of a failure, without what a library adds to it."""
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror or error)


class Key(str):
    """An API key; its representation hides it, since pytest shows those of a frame's arguments in a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


MOST_REQUESTS: Final = 400
"""Requests of a run where nobody gave a limit; more where it generates or repeats."""
MOST_TOKENS: Final = 20_000
"""Tokens of a run where nobody gave a limit; more where it generates or repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much, how fast and how long the run may ask."""

    concurrency: int = 8
    requests_per_minute: float | None = None
    max_requests: int | None = None
    """Requests of a run, retries included; None where nobody gave a limit."""
    max_tokens: int | None = None
    """Prompt and completion tokens of a run together, by the plan's bound; None where nobody gave a limit."""
    timeout: float = 60.0
    """Seconds of silence after which an exchange is given up."""
    deadline: float = 120.0
    """Seconds after which an exchange is given up though bytes still come."""
    max_body_bytes: int = 8 * 1024 * 1024
    """Bytes of one answer's body; more is a hostile server's."""

    @property
    def requests(self) -> int:
        """The most requests, given or not."""
        return MOST_REQUESTS if self.max_requests is None else self.max_requests

    @property
    def tokens(self) -> int:
        """The most tokens, given or not."""
        return MOST_TOKENS if self.max_tokens is None else self.max_tokens

    @property
    def given(self) -> str:
        """The limits of requests and tokens that were given, as a target file has them."""
        bounds = {"max_requests": self.max_requests, "max_tokens": self.max_tokens}
        return " and ".join(f"{name} = {most}" for name, most in bounds.items() if most is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backing:
    """The scripted backend behind the target, as its operator set it up."""

    model: str
    """The slug that the target routes to it."""
    host: str = "127.0.0.1"
    """Where it listens."""
    port: int = 0
    """0 for a free one."""
    timeout: float | None = None
    """Seconds after which the target gives up on a backend that says nothing; None where nobody says."""
    max_output_tokens: int | None = None
    """The slug's cap, where it has one."""

    @property
    def silence(self) -> float | None:
        """Seconds that a backend which falls silent keeps its connection, so that the target gives up first."""
        return None if self.timeout is None else self.timeout + 2


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
    backend: Backing | None = None

    @property
    def causes(self) -> Mapping[str, Mapping[str, Any]]:
        """For each behaviour that can be brought about, the members that do it: the operator's, else a scenario's.

        That a silent backend is given up can be seen only where it is known when.
        """
        backing = self.backend
        scripted = {
            name: {"model": backing.model, "messages": [{"role": "user", "content": cue(scenario)}]}
            for name, scenario in (_SCRIPTED if backing else {}).items()
            if backing and (backing.timeout is not None or name != "backend_timeout")
        }
        return {**scripted, **self.triggers}

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


_FORMS: Final[Mapping[str, str]] = {
    "/target/url": "a URL such as https://grid.example.com, without the endpoint's path",
    "/target/path": "a path that begins with /, such as /v1/inference/chat",
    "/target/api_key_env": f"the name of a variable, such as {DEFAULT_KEY_VARIABLE}, and never the key",
    "/backend/listen": "host:port, such as 127.0.0.1:9100",
}
"""What the members that have a form of their own are to be, for a person."""
_LACKING: Final[Mapping[str, str]] = {
    "/target'url'": 'say where the deployment is, such as url = "https://grid.example.com"',
    "/backend'model'": 'name the slug that leads to the scripted backend, such as model = "staging/scripted"',
}
"""How a member that is missing is filled in."""


def way_out(defect: schema.Defect) -> str:
    """What to do about a member that a file of ours does not know, led by a semicolon; nothing where that is all."""
    if defect.rule != "additionalProperties":
        return ""
    name, known = defect.pointer.rpartition("/")[2], defect.expected.removeprefix("one of the members ")
    if name in {"api_key", "key", "token"} and "api_key_env" in known:
        return "; no file holds the key: give the name of the variable that does, in api_key_env"
    nearest = difflib.get_close_matches(name, known.split(", "), n=1)
    return f"; did you mean {nearest[0]}?" if nearest else f"; known are {known}"


def loaded(file: Path) -> Target:
    """The target that a TOML file describes (design: the target file); `checked` says whether it is complete.

    A file without `[target]` describes the embedded reference server: the target has no URL then.

    Raises:
        BadInput: the file is not there, not TOML, or not a target file; the message names the place.
    """
    content = _content(file)
    table = content.get("target", {})
    if not table and "backend" not in content:
        raise BadInput(f"{file}: the file: 'target' is missing; say under [target] where the deployment is")
    for name in ("capabilities", "triggers"):
        if name in content and not table:
            raise BadInput(f"{file}: {name}: goes with [target]; without it the target is the embedded server")
    not_a_key(table.get("api_key_env", ""), option=f"{file}: target.api_key_env")
    limits = dict(content.get("limits", {}))
    if "timeout" in limits:
        limits["deadline"] = 2 * limits["timeout"]
    return Target(
        url=table.get("url", ""),
        profile=table.get("profile", "native"),
        path=table.get("path", ""),
        model=table.get("model", ""),
        api_key_env=table.get("api_key_env", DEFAULT_KEY_VARIABLE),
        max_output_tokens=table.get("max_output_tokens"),
        capabilities=content.get("capabilities", {}),
        triggers={name: entry["body"] for name, entry in content.get("triggers", {}).items()},
        limits=replace(Limits(), **limits),
        backend=_backing(content["backend"], file) if "backend" in content else None,
    )


def _backing(table: Mapping[str, Any], file: Path) -> Backing:
    host, _, port = table.get("listen", "127.0.0.1:0").rpartition(":")
    if int(port) > _LAST_PORT:
        raise BadInput(f"{file}: backend.listen: {port} is no port; give host:port with a port up to {_LAST_PORT}")
    return Backing(
        model=table["model"],
        host=host.strip("[]"),
        port=int(port),
        timeout=table.get("timeout"),
        max_output_tokens=table.get("max_output_tokens"),
    )


def others(number: int) -> str:
    """How many mistakes a file has beside the one that is told; nothing where that is all."""
    return f" (and {number} more mistake{'s' if number > 1 else ''})" if number else ""


def content_of(file: Path, *, kind: str) -> dict[str, Any]:
    """What a TOML file says; `kind` is what it is to a person, such as "target file".

    Raises:
        BadInput: the file is not there, cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(f"{file}: no such file; give the path of a {kind} (TOML)") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{file}: byte {error.start} is not UTF-8, which TOML must be") from None
    except ValueError as error:  # also of a number with more digits than Python reads
        raise BadInput(f"{file}: not TOML: {error}") from None
    except RecursionError:
        raise BadInput(f"{file}: nested too deep to be read") from None


def _content(file: Path) -> dict[str, Any]:
    """What a target file says, after `target.schema.json` has had its say."""
    content = content_of(file, kind="target file")
    if wrong := schema.defects("target.schema.json", content):
        place = wrong[0].pointer.strip("/").replace("/", ".") or "the file"
        raise BadInput(f"{file}: {place}: {_told(wrong[0])}{others(len(wrong) - 1)}")
    for name, entry in content.get("triggers", {}).items():
        try:
            json.dumps(entry["body"], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise BadInput(
                f"{file}: triggers.{name}.body: JSON cannot say this: {error};"
                " write dates as strings, and leave nan and inf out"
            ) from None
    return content


def _told(defect: schema.Defect) -> str:
    """A defect of a target file, with the cure where there is one."""
    if defect.rule == "pattern" and defect.pointer in _FORMS:
        # What stands in the place of a variable's name may be the key itself.
        found = "" if defect.pointer == "/target/api_key_env" else f", found {defect.found}"
        return f"expected {_FORMS[defect.pointer]}{found}"
    lacking = _LACKING.get(defect.pointer + defect.expected.removeprefix("the member "))
    return defect.message + (f"; {lacking}" if lacking else way_out(defect))


def checked(target: Target, *, file: Path | None = None) -> Target:
    """`target` itself, when requests can be sent to it; `file` is the target file, where there is one.

    Raises:
        BadInput: the URL is not an HTTP one, no model is named, or a limit is no usable number.
    """
    place = f"{file}: " if file else ""
    _check_url(target.url)
    _check_path(target)
    if target.backend is not None and not target.backend.port:
        raise BadInput(
            f"{place}[backend] has no `listen`; give host:port where the scripted backend listens and the target can"
            ' reach it, such as listen = "127.0.0.1:9100"'
        )
    if not target.model:
        raise BadInput(f"{place}no model is named; give --model SLUG, or `model` under [target] in the target file")
    # NaN is neither above nor below anything, so it fits no bounds.
    if not 0 < target.limits.timeout <= _LONGEST_TIMEOUT:
        raise BadInput(f"the timeout is not a number of seconds above 0 and up to {_LONGEST_TIMEOUT:g}")
    pace = target.limits.requests_per_minute
    if pace is not None and not 0 < pace <= _FASTEST:
        raise BadInput(f"the requests per minute are not a number above 0 and up to {_FASTEST:g}; leave them out")
    return target


def _check_url(url: str) -> None:
    """Nothing where requests can be sent to `url`; what may be a password is not repeated.

    Raises:
        BadInput: it is not an HTTP URL, or holds more than scheme, host, port and path.
    """
    if "@" in re.split(r"[/?#\\]", url.split("://", 1)[-1], maxsplit=1)[0]:
        raise BadInput("the URL holds a user name or password; name the key's variable in api_key_env instead")
    if more := re.search(r"[?#]", url):
        raise BadInput(
            f"{url[: more.start()]!r} goes on with a query or fragment;"
            " give scheme, host and port, and `path` in the target file if needed"
        )
    if blank := re.search(r"[\x00-\x20\x7f]", url):
        raise BadInput(f"{url!r} holds a blank or control character at place {blank.start() + 1}; take it out")
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        well_formed = False
    if well_formed:
        try:
            well_formed = parts.port != 0
        except ValueError:
            raise BadInput(f"{url!r}: its port is no number from 1 to {_LAST_PORT}") from None
    if not well_formed:
        raise BadInput(f"{url!r} is not an http:// or https:// URL with a host; give one like https://grid.example.com")


def _check_path(target: Target) -> None:
    """Stop at a URL that ends in the path of the endpoint, which the profile adds."""
    for profile, path in PATHS.items():
        plain = target.url.rstrip("/")
        if plain.endswith(path) and not target.path:
            also = "" if profile == target.profile else f", and the profile {profile}"
            raise BadInput(
                f"{target.url!r} ends in the endpoint's path, which the profile adds;"
                f" give {plain.removesuffix(path)!r}{also}"
            )


def key_of(target: Target, *, named_by: str = "--api-key-env") -> Key:
    """The API key of a target, from the environment; `named_by` is what named its variable.

    Raises:
        BadInput: as from `key_in`.
    """
    return key_in(target.api_key_env, option=named_by)


def not_a_key(variable: str, *, option: str) -> None:
    """Stop at a key in the place of the name of its variable; it is not repeated.

    Raises:
        BadInput: it looks like a key.
    """
    if variable.startswith(_KEYS_BEGIN):
        raise BadInput(f"{option} holds what looks like a key; give the name of the variable that holds the key")


def key_in(variable: str, *, option: str) -> Key:
    """The key that a variable of the environment holds; `option` is what named it.

    Raises:
        BadInput: the variable is not set, or holds what no header can carry.
    """
    not_a_key(variable, option=option)
    key = Key(os.environ.get(variable, ""))
    if not key:
        raise BadInput(f"the variable {variable} is not set; export the key in it, or name another with {option}")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise BadInput(
            f"the variable {variable} holds a blank, a line end or another character that no Authorization header"
            " can carry; export the key alone"
        )
    return key
