"""What no declared request brings out, generated requests do, and the smallest of them is shown."""

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from conformance import run
from conformance.embedded import embedded_target
from conformance.selection import Selection
from conformance.server.changes import (
    GONE,
    Asked,
    Change,
    in_answers,
    mending,
    only,
    put,
    refusing,
    streams,
    wording,
)
from conformance.server.deviation import Deviation
from conformance.target import Key, Limits

KEY: Final = Key("sgk_" + "6a" * 20)
LIMITS: Final = Limits(max_requests=2000, max_tokens=200_000)


def report(place: Path, *deviations: Deviation, examples: int = 60, seed: int = 1) -> dict[str, Any]:
    """The report of a run with generated requests."""
    selection = Selection(examples=examples, seed=seed)
    with embedded_target(limits=LIMITS, key=KEY, deviations=deviations) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    found = run.judged(place).report
    return dict(found)


def failing(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in found["requirements"] if row["verdict"] in {"fail", "error"}}


def test_the_reference_server_takes_what_is_good_and_refuses_what_is_not(tmp_path: Path) -> None:
    found = report(tmp_path, examples=200)

    assert failing(found) == {}
    assert found["verdict"] == "conformant"
    seen = {row["id"]: row["seen"] for row in found["requirements"]}
    assert seen["parameters.generated-accepted"] > 200
    assert seen["parameters.generated-refused"] > 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    name: str
    change: Change
    requirement: str
    smallest: set[str]
    """The members of the request that is left."""
    says: str = ""
    """Part of its text."""


def named_at_length(asked: Asked) -> bool:
    return any(len(tool["function"]["name"]) == 64 for tool in asked.get("tools") or () if isinstance(tool, dict))


def with_true_as_one(document: Any) -> Any:
    taken = isinstance(document, dict) and document.get("max_tokens") is True
    return put(document, "/max_tokens", 1) if taken else document


def without_fraktur(text: str) -> str:
    """Question marks for letters beyond the BMP; the emoji of the declared requests is none."""
    return re.sub("[\U0001d400-\U0001d7ff]", "?", text)


HIDDEN: Final = (
    Hidden(
        name="rejects top_p together with seed",
        change=refusing(lambda asked: {*asked} & {"top_p", "seed", "metadata"} == {"top_p", "seed"}, "top_p"),
        requirement="parameters.generated-accepted",
        smallest={"model", "messages", "top_p", "seed"},
    ),
    Hidden(
        name="fails when a tool's name is 64 characters long",
        change=refusing(named_at_length, "tools", status=500, code="INTERNAL_ERROR"),
        requirement="parameters.generated-never-5xx",
        smallest={"model", "messages", "tools"},
    ),
    Hidden(
        name="leaves out usage when stop has more than four members",
        change=only(
            lambda asked: isinstance(asked.get("stop"), list) and len(asked["stop"]) > 4,
            in_answers("/data/usage", GONE),
        ),
        requirement="response.usage",
        smallest={"model", "messages", "stop"},
    ),
    Hidden(
        name="mangles letters beyond the BMP in streams only",
        change=only(streams, wording(without_fraktur)),
        requirement="stream.text-intact",
        smallest={"model", "messages", "stream"},
    ),
    Hidden(
        name="accepts max_tokens true",
        change=mending(with_true_as_one),
        requirement="parameters.generated-turned-down",
        smallest={"model", "messages", "max_tokens"},
    ),
)


@pytest.mark.parametrize("hidden", [pytest.param(each, id=each.name) for each in HIDDEN])
def test_a_fault_that_no_declared_request_shows_is_found_and_made_small(tmp_path: Path, hidden: Hidden) -> None:
    server = Deviation(id="hidden", does=hidden.name, change=hidden.change)
    declared, generated = tmp_path / "declared", tmp_path / "generated"
    declared.mkdir()
    generated.mkdir()

    assert failing(report(declared, server, examples=0)) == {}

    found = failing(report(generated, server, examples=200))
    assert hidden.requirement in found
    body = json.loads(found[hidden.requirement]["reproduce"].partition("--data-binary '")[2].rstrip("'"))
    assert set(body) == hidden.smallest
