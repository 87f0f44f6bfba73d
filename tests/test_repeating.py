"""What can differ from call to call is asked again: rare faults are found with their rate, and legal servers pass."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from conformance import evidence, run, stored
from conformance.check import grouped
from conformance.checks import CHECKS
from conformance.embedded import embedded_target
from conformance.exchange import Exchange
from conformance.finding import Verdict, judged
from conformance.probes import OPENING
from conformance.repeating import REPEATED, repeated
from conformance.requirement import catalogue
from conformance.selection import Selection
from conformance.server.changes import ended_by, in_answers, one_in, plain, streams
from conformance.server.deviation import Deviation
from conformance.server.faults import FAULTS
from conformance.server.variants import VARIANTS
from conformance.stability import CLEAR
from conformance.target import BadInput, Key, Limits, Target
from tests.commands import command, refused, report_in
from tests.miniatures.innocent import changed, innocent
from tests.miniatures.wire import asking, on, with_json

KEY: Final = Key("sgk_" + "6c" * 20)
TARGET: Final = Target(url="http://127.0.0.1:9", model="m", max_output_tokens=512)


def sent(place: Path, *deviations: Deviation, selection: Selection, limits: Limits | None = None) -> dict[str, Any]:
    """The report of a run on a real socket."""
    with embedded_target(limits=limits or Limits(), key=KEY, deviations=deviations) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    return dict(stored.judged(place).report)


def row(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in report["requirements"] if each["id"] == name)
    return found


def times(place: Path) -> Counter[str]:
    """How often each probe was asked, by the rounds of its first request."""
    return Counter(each.probe for each in evidence.read(place).exchanges if each.step == 0 and not each.retried)


# What is repeated.


def test_what_is_repeated_shows_nearly_all_that_speaks_of_answers_of_any_kind() -> None:
    names = {probe.name for probe in REPEATED}
    exchanges = innocent().exchanges
    general = {
        identity: shown
        for identity, check in CHECKS.items()
        if len(shown := {group[0].probe for group in grouped(check, exchanges) if served(group[0])}) > 6
    }

    assert len(general) > 70
    assert {identity for identity, shown in general.items() if not shown & names} == set()


def served(exchange: Exchange) -> bool:
    return exchange.response is not None and exchange.response.status == 200


def test_a_small_plan_is_repeated_whole_but_for_what_disturbs_others() -> None:
    probes = run.plan(TARGET, Selection(only=("parameters.temperature",))).probes
    lone = (*probes[:-1], replace(probes[-1], alone=True))

    assert repeated(probes) == probes
    assert repeated(lone) == probes[:-1]


def test_a_trigger_is_never_pulled_again() -> None:
    with embedded_target(limits=Limits(), key=KEY) as target:
        asked = run.plan(target, Selection(only=("stream.error",), repeat=5))

    assert any(probe.triggers for probe in asked.probes)
    assert not any(probe.triggers for probe in asked.repeated)


# Faults that come now and then.


def test_a_fault_of_one_time_in_twenty_is_found_with_an_interval_that_holds_its_rate(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.id == "no-done-now-and-then")
    report = sent(tmp_path, fault, selection=Selection(repeat=12))
    found = row(report, "stream.done")

    assert found["verdict"] == "fail"
    assert found["observed"]["broken"] >= 1
    assert found["observed"]["low"] <= 1 / 20 <= found["observed"]["high"]
    assert found["observed"]["of"] >= 4 * 12
    assert found["explanation"].endswith(found["observed"]["told"])
    assert " % to " in found["observed"]["told"]
    assert row(report, "stream.status")["observed"]["broken"] == 0


def test_asking_stops_when_the_rate_is_clear(tmp_path: Path) -> None:
    every_fourth = Deviation(id="rare", does="ends a stream early", change=one_in(4, ended_by(b""), when=streams))
    report = sent(tmp_path, every_fourth, selection=Selection(only=("stream.done",), repeat=200))
    found = row(report, "stream.done")["observed"]

    assert CLEAR <= found["broken"] < 3 * CLEAR
    assert max(times(tmp_path).values()) < 60
    assert found["low"] <= 1 / 4 <= found["high"]


def test_what_a_request_breaks_each_time_is_not_told_as_chance(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.id == "no-done-after-calls")
    found = row(sent(tmp_path, fault, selection=Selection(repeat=6)), "stream.done")

    assert found["verdict"] == "fail"
    assert found["observed"]["told"].endswith("repeated observations broke it, every one of stream.tool-call")


def test_a_fault_of_the_opening_request_is_not_asked_away(tmp_path: Path) -> None:
    change = one_in(5, in_answers("/data/model", 7), when=plain, first=3)
    rare = Deviation(id="rare", does="numbers its model", change=change)
    report = sent(tmp_path, rare, selection=Selection(only=("response.model",), repeat=10))

    assert "fail" in {each["verdict"] for each in report["requirements"]}
    assert times(tmp_path)[OPENING.name] > 1


# Legal servers.


def test_the_reference_server_passes_and_the_report_says_what_that_excludes(tmp_path: Path) -> None:
    report = sent(tmp_path, selection=Selection(repeat=5))

    assert report["verdict"] == "conformant"
    assert times(tmp_path) == Counter({**dict.fromkeys(times(tmp_path), 1), **{probe.name: 5 for probe in REPEATED}})
    found = row(report, "stream.done")["observed"]
    assert (found["broken"], found["low"]) == (0, 0)
    assert found["of"] >= 5 * 4
    assert 0 < found["excludes"] < 3 / found["of"] < found["high"]
    assert "observed" not in row(report, "parameters.temperature-two")
    assert json.dumps(stored.judged(tmp_path).report) == json.dumps(report)
    stored.write_reports(tmp_path, report, tmp_path)
    assert report_in(tmp_path) == report
    assert "were kept each time, which excludes a rate of" in (tmp_path / "summary.md").read_text("utf-8")
    assert found["told"] in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("name", ["busy-now-and-then", "fails-now-and-then", "breaks-off-now-and-then"])
def test_a_server_that_is_away_now_and_then_is_not_blamed(tmp_path: Path, name: str) -> None:
    variant = next(variant for variant in VARIANTS if variant.id == name)
    report = sent(tmp_path, variant, selection=Selection(only=("stream.", "response."), repeat=4))

    assert {each["id"] for each in report["requirements"] if each["verdict"] in {"fail", "error"}} == set()


def test_a_run_that_repeats_nothing_tells_no_rates(tmp_path: Path) -> None:
    report = sent(tmp_path, selection=Selection(only=("stream.done",)))

    assert not any("observed" in each for each in report["requirements"])
    assert "repeat" not in evidence.read(tmp_path).header


# Rounds.


def rounds(*of: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
    return tuple(replace(each, round=number) for number, some in enumerate(of, start=1) for each in some)


def test_each_round_is_judged_beside_the_controls_of_its_own() -> None:
    check = CHECKS["stream.status"]
    exchanges = rounds(innocent().exchanges, innocent().exchanges)
    pairs = [tuple(each.id for each in group) for group in grouped(check, exchanges)]

    assert pairs == [("stream.greeting", "plain.greeting"), ("stream.greeting+2", "plain.greeting+2")]


def test_what_a_round_did_not_ask_for_stands_as_the_first_answered_it() -> None:
    check = CHECKS["stream.status"]
    again = tuple(each for each in innocent().exchanges if each.probe == "stream.greeting")
    pairs = [tuple(each.id for each in group) for group in grouped(check, rounds(innocent().exchanges, (), again))]

    assert pairs == [("stream.greeting", "plain.greeting"), ("stream.greeting+3", "plain.greeting")]


def test_what_no_two_answers_may_share_is_compared_over_all_rounds() -> None:
    exchanges = rounds(innocent().exchanges, innocent().exchanges)
    found = judged(catalogue()["response.request-id-unique"], CHECKS["response.request-id-unique"], exchanges)

    assert found.verdict is Verdict.FAIL
    assert {identity.partition("+")[2] for identity, _ in found.violations} == {"2"}


def test_a_later_round_that_a_model_leaves_open_takes_nothing_back() -> None:
    said = on(asking("messages.recall"), with_json("/data/choices/0/message/content", ""))
    check, requirement = CHECKS["messages.history-used"], catalogue()["messages.history-used"]
    silent = tuple(each for each in changed(said).exchanges if each.probe == "messages.recall")
    found = judged(requirement, check, rounds(innocent().exchanges, silent))

    assert found.verdict is judged(requirement, check, innocent().exchanges).verdict is Verdict.PASS


# Limits.


def test_rounds_that_the_limits_do_not_hold_are_told_before_anything_is_sent() -> None:
    target = replace(TARGET, limits=Limits(max_requests=200))

    with pytest.raises(BadInput, match=r"--repeat 50 makes up to .* do not fit into the limits .*max_requests = 200"):
        run.plan(target, Selection(repeat=50))
    assert run.plan(target, Selection(repeat=2)).repeats == 8


def test_retries_that_use_up_the_limit_end_the_rounds_and_not_the_run(tmp_path: Path) -> None:
    selection = Selection(only=("stream.done",), repeat=8)
    away = next(variant for variant in VARIANTS if variant.id == "busy-now-and-then")
    with embedded_target(limits=Limits(), key=KEY) as target:
        asked = run.plan(target, selection)
    most = asked.requests + asked.repeats
    report = sent(tmp_path, away, selection=selection, limits=Limits(max_requests=most))

    assert report["requests"] <= most
    assert report["ended"] == "complete"


# The command.


def test_the_command_says_how_much_it_may_repeat_and_what_it_found(tmp_path: Path) -> None:
    dry = command("run", "--only", "stream.done", "--repeat", 4, "--dry-run", key=None)
    done = command("run", "--only", "stream.done", "--repeat", 4, "--output", tmp_path, key=None)

    assert "in further rounds, up to " in dry.out
    assert done.code == 0, done.said
    assert report_in(tmp_path)["selection"] == "--only stream.done --repeat 4"
    assert "1 requirement was observed " in done.out
    assert "Invalid value for '--repeat'" in refused(command("run", "--repeat", 0, "--dry-run", key=None))
