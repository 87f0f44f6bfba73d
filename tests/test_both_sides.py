"""A run from both sides of a gateway: what is seen in front and behind is judged together."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import evidence, run, schema, stored
from conformance.backend import hosted
from conformance.checks import CHECKS, SCRIPTED
from conformance.embedded import staged
from conformance.evidence import Evidence
from conformance.requirement import catalogue
from conformance.selection import Selection
from conformance.server.changes import only, replacing
from conformance.server.deviation import Variant
from conformance.server.faults import FAULTS as ALL_FAULTS
from conformance.server.faults.behind import SLUG as BACKENDS
from conformance.server.faults.behind import behind as to_backend
from conformance.server.generation import Failure, Refused
from conformance.target import Backing, BadInput, Key, Target
from tests.commands import command
from tests.miniatures import behind
from tests.miniatures.behind import BACKING, LIMITS

KEY = Key("sgk_" + "7d" * 20)
FAULTS = [fault for fault in ALL_FAULTS if fault.behind]
EXAMPLE = Path(__file__).parent.parent / "examples" / "both-sides.toml"


def observed(place: Path, selection: Selection, backing: Backing = BACKING) -> Evidence:
    with staged(Target(url="", limits=LIMITS, backend=backing), key=KEY) as stage:
        asked = run.plan(stage.target, selection)
        asyncio.run(
            run.observed(place, target=stage.target, key=KEY, selection=selection, asked=asked, behind=stage.behind)
        )
    return evidence.read(place)


def test_each_exchange_has_the_requests_that_it_made_the_backend_receive() -> None:
    for exchange in behind.observed().exchanges:
        if exchange.probe.startswith("scripted."):
            assert len(exchange.arrivals) == 1, exchange.id
            assert exchange.arrivals[0].at >= exchange.started
    assert behind.observed().strays == ()


def test_every_scripted_check_is_killed_by_a_fault_made_for_it() -> None:
    assert SCRIPTED.keys() - {fault.red[0] for fault in FAULTS} == set()
    assert {name for name, row in catalogue().items() if "backend" in row.needs} == SCRIPTED.keys()


def test_what_the_backend_received_is_read_back_and_judged_to_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    observed(first, Selection(only=("parameters.forwarded", "multimodal.image-proxied")))
    report = stored.judged(first).report
    for name in ("evidence.jsonl",):
        (second / name).write_bytes((first / name).read_bytes())

    assert stored.judged(second).report == report
    rows = {row["id"]: row["verdict"] for row in report["requirements"]}
    assert rows["parameters.forwarded"] == rows["multimodal.image-proxied"] == "pass"


def test_the_clients_key_is_in_no_evidence_also_where_a_gateway_sends_it_on(tmp_path: Path) -> None:
    (fault,) = (each for each in FAULTS if each.id == "behind-forwards-the-key")
    selection = Selection(only=("auth.key-not-forwarded",))
    with staged(Target(url="", limits=LIMITS, backend=BACKING), key=KEY, deviations=(fault,)) as stage:
        asked = run.plan(stage.target, selection)
        asyncio.run(
            run.observed(tmp_path, target=stage.target, key=KEY, selection=selection, asked=asked, behind=stage.behind)
        )

    assert KEY.encode() not in (tmp_path / "evidence.jsonl").read_bytes()
    assert stored.judged(tmp_path).report["verdict"] == "conformant"
    (row,) = (row for row in stored.judged(tmp_path).report["requirements"] if row["id"] == "auth.key-not-forwarded")
    assert row["verdict"] == "fail"


def test_without_a_backend_the_same_requirements_are_untested_and_say_what_they_need(tmp_path: Path) -> None:
    with staged(Target(url=""), key=KEY) as stage:
        asked = run.plan(stage.target, Selection(only=("messages.forwarded",)))
        asyncio.run(
            run.observed(
                tmp_path, target=stage.target, key=KEY, selection=Selection(only=("messages.forwarded",)), asked=asked
            )
        )
    (row,) = (row for row in stored.judged(tmp_path).report["requirements"] if row["id"] == "messages.forwarded")
    assert row["verdict"] == "untested"
    assert "scripted backend" in row["explanation"]


@pytest.mark.parametrize(
    "backing, lacks",
    [
        (replace(BACKING, max_output_tokens=None), "parameters.max-tokens-cap-sent"),
        (replace(BACKING, timeout=None), "errors.backend-timeout-code"),
    ],
)
def test_what_the_target_file_does_not_tell_of_the_backend_is_asked_of_nobody(backing: Backing, lacks: str) -> None:
    target = Target(url="http://127.0.0.1:1", model="m", backend=backing)
    asked = run.plan(target, Selection())
    names = {probe.name for check in (CHECKS[lacks],) for probe in check.probes}

    assert not names & {probe.name for probe in asked.probes}


def test_a_backend_brings_about_what_triggers_do_and_a_trigger_of_the_operator_goes_first() -> None:
    own = {"backend_error": {"model": "mine/fails"}}
    target = Target(url="http://127.0.0.1:1", model="m", backend=BACKING, triggers=own)

    assert target.causes["backend_error"] == {"model": "mine/fails"}
    assert target.causes["mid_stream_error"]["model"] == BACKENDS
    assert "rate_limited" not in target.causes


def test_a_slug_that_leads_nowhere_is_held_against_nobody(tmp_path: Path) -> None:
    def unknown(_document: Any) -> None:
        raise Refused(Failure(status=404, code="MODEL_NOT_FOUND", message="No such model."))

    misspelt = Variant(id="misspelt", does="", change=only(to_backend, replacing(keep_rules=unknown)), behind=True)
    selection = Selection(only=("finish.content-filter", "errors.backend-", "parameters.forwarded"))
    with staged(Target(url="", limits=LIMITS, backend=BACKING), key=KEY, deviations=(misspelt,)) as stage:
        target = replace(stage.target, triggers={})
        asked = run.plan(target, selection)
        asyncio.run(
            run.observed(tmp_path, target=target, key=KEY, selection=selection, asked=asked, behind=stage.behind)
        )
    rows = [row for row in stored.judged(tmp_path).report["requirements"] if row["id"].startswith(selection.only)]

    assert len(rows) >= 8
    assert {row["verdict"] for row in rows} == {"inconclusive"}
    assert all("no request reached the scripted backend" in row["explanation"] for row in rows)


def test_an_address_that_is_taken_is_one_message() -> None:
    with hosted() as other:
        port = int(other.url.rpartition(":")[2])
        with (
            pytest.raises(BadInput, match="cannot be listened on"),
            staged(Target(url="", backend=replace(BACKING, port=port)), key=KEY),
        ):
            pytest.fail("two backends on one port")


MISTAKES = {
    'backend = { model = "a/b" }\n[target]\nurl = "http://127.0.0.1:1"\nmodel = "m"': "no `listen`",
    "[backend]\nlisten = '127.0.0.1:0'": "model",
    "[backend]\nmodel = 'a/b'\nlisten = '127.0.0.1:99999'": "no port",
    "[backend]\nmodel = 'a/b'\ntimeout = 1": "timeout",
    "[backend]\nmodel = 'a/b'\n[triggers.content_filter]\nbody = { model = 'x' }": "goes with [target]",
}


@pytest.mark.parametrize("text, says", list(MISTAKES.items()))
def test_a_mistake_in_the_table_is_one_message_and_exit_2(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "target.toml"
    file.write_text(text)
    ended = command("run", "--config", file, "--dry-run")

    assert ended.code == 2
    assert says in ended.err


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of the example, run as its reader would."""
    place = tmp_path_factory.mktemp("both") / "run"
    ended = command("run", "--config", EXAMPLE, "--output", place)
    assert ended.code == 0, ended.said
    report: dict[str, Any] = json.loads((place / "report.json").read_bytes())
    return report


def test_the_example_is_conformant_and_leaves_nothing_untested_that_can_be_tested(whole: dict[str, Any]) -> None:
    assert whole["verdict"] == "conformant"
    assert schema.defects("report.schema.json", whole) == ()
    left = {row["id"] for row in whole["requirements"] if row["verdict"] not in {"pass", "not_applicable"}}
    nobody = {name for name, row in catalogue().items() if row.untested}
    generated = {name for name, row in catalogue().items() if "examples" in row.needs}
    assert left <= nobody | generated


def test_the_report_says_what_reached_the_backend(whole: dict[str, Any]) -> None:
    told = whole["backend"]

    assert told["requests"] >= 250
    assert told["asked_again"] == 0
    assert told["unreached"] == 0


def test_shards_put_together_say_what_one_run_says(tmp_path: Path, whole: dict[str, Any]) -> None:
    shards = [tmp_path / str(number) for number in (1, 2)]
    for number, place in enumerate(shards, 1):
        assert command("run", "--config", EXAMPLE, "--shard", f"{number}/2", "--output", place).code == 4
    merged = command("merge", *shards, "--output", tmp_path / "whole")
    assert merged.code == 0, merged.said
    report = json.loads((tmp_path / "whole" / "report.json").read_bytes())

    def verdicts(of: dict[str, Any]) -> dict[str, str]:
        return {row["id"]: row["verdict"] for row in of["requirements"]}

    assert verdicts(report) == verdicts(whole)
    assert report["backend"] == whole["backend"]
