"""The ways in which suites of this kind have gone wrong, each held against ours.

The numbers H1 to H25 follow the list of documented failures of other suites that the project started from: suites
that took any error for the right one, went green on nothing, or blamed a target for their own mistakes.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import evidence, run, sse, stored, verdict
from conformance.check import Check, Violation
from conformance.checks import CHECKS, DECLARED
from conformance.document import parse
from conformance.embedded import embedded_target
from conformance.exchange import Ending, Exchange
from conformance.finding import Verdict
from conformance.probes import OPENING, PROBES
from conformance.requirement import catalogue
from conformance.selection import Selection
from conformance.server.changes import answering, ended_by, instead, one_in, streams
from conformance.server.deviation import Deviation
from conformance.server.faults import FAULTS
from conformance.stored import EXITS
from conformance.target import Key, Limits
from conformance.verdict import Conclusion
from tests.commands import KEY, called, report_in, verdicts
from tests.miniatures.innocent import changed, concluded, ids, innocent
from tests.miniatures.wire import (
    One,
    answers,
    asking,
    each_block,
    on,
    refusals,
    refused,
    throttled,
    with_body,
    with_json,
)
from tests.miniatures.wire import (
    ended_by as marked,
)
from tests.miniatures.wire import (
    streams as streamed,
)

ROOT = Path(__file__).parent.parent
SECRET = Key("sgk_" + "e7" * 20)


def everything(_exchange: Exchange) -> bool:
    return True


def gone(ending: Ending) -> One:
    return lambda exchange: replace(exchange, response=None, pieces=(), ended=ending, detail="")


def opening_answer() -> bytes:
    return next(exchange.body for exchange in innocent().exchanges if exchange.probe == OPENING.name)


@pytest.fixture(scope="module")
def negatives() -> set[str]:
    """The requirements that a server breaks by letting everything in."""
    lax = on(refusals, lambda exchange: replace(exchange, response=_served().response), with_body(opening_answer()))
    found = ids(concluded(changed(lax)), Verdict.FAIL)
    assert len(found) > 40
    return {identity for identity in found if not identity.startswith(("response.", "errors.failures"))}


def _served() -> Exchange:
    return next(exchange for exchange in innocent().exchanges if exchange.probe == OPENING.name)


def against(place: Path, *deviations: Deviation, only: tuple[str, ...] = ()) -> Conclusion:
    """A run on a real socket."""
    selection = Selection(only=only)
    with embedded_target(limits=Limits(timeout=7, deadline=14), key=SECRET, deviations=deviations) as target:
        asked = run.plan(target, selection)
        asyncio.run(run.observed(place, target=target, key=SECRET, selection=selection, asked=asked))
    return stored.judged(place).conclusion


# H1: any error is taken for the right refusal.


@pytest.mark.parametrize("ending", [Ending.UNREACHABLE, Ending.RESET, Ending.TIMEOUT])
def test_a_broken_connection_is_no_refusal(negatives: set[str], ending: Ending) -> None:
    conclusion = concluded(changed(on(refusals, gone(ending))))

    assert ids(conclusion, Verdict.PASS) & negatives == set()


def test_a_server_error_is_no_refusal(negatives: set[str]) -> None:
    conclusion = concluded(changed(on(refusals, refused(500, "INTERNAL_ERROR"))))
    of_any_error = {"auth.refused-before-stream", "stream.errors-before-are-http"}

    assert ids(conclusion, Verdict.PASS) & negatives <= of_any_error


# H2: a crash counts as a pass.


def test_a_target_that_dies_after_its_first_answer_passes_nothing_it_was_not_asked_then() -> None:
    dead = on(lambda exchange: exchange.probe != OPENING.name, gone(Ending.RESET))
    conclusion = concluded(changed(dead))

    shown = {identity for identity, check in CHECKS.items() if check.when(_served())}
    assert ids(conclusion, Verdict.PASS) <= shown
    assert EXITS[conclusion.verdict] != 0


# H3: refused for another reason than the defect.


def test_a_server_that_refuses_everything_is_not_credited_with_its_refusals(negatives: set[str]) -> None:
    conclusion = concluded(changed(on(everything, refused(422, "VALIDATION_ERROR"))))
    controlled = {identity for identity in negatives if not identity.startswith("auth.")}

    assert ids(conclusion, Verdict.PASS) & controlled == set()


def test_a_refusal_that_names_another_member_is_not_the_right_one() -> None:
    wrong = [{"field": "frequency_penalty", "message": "not supported"}]
    conclusion = concluded(changed(on(refusals, with_json("/error/details", wrong))))

    assert "errors.details-name-the-field" in ids(conclusion, Verdict.FAIL)


# H4: an assertion is the inverse of its text.


@pytest.mark.parametrize("identity", ["stream.done", "parameters.model-required", "response.usage-sum"])
def test_a_check_turned_upside_down_is_noticed_on_the_innocent_server(identity: str) -> None:
    inverted = {**CHECKS, identity: _inverted(CHECKS[identity])}
    conclusion = verdict.concluded(innocent(), catalogue=catalogue(), checks=inverted)

    assert ids(conclusion, Verdict.FAIL) == {identity}


def _inverted(check: Check) -> Check:
    def find(*exchanges: Exchange) -> Iterator[Violation]:
        if not list(check.find(*exchanges)):
            yield Violation(expected="a violation", found="none")

    return replace(check, find=find)


# H5: what is judged silently shrinks.


def test_a_check_that_got_lost_makes_the_run_incomplete() -> None:
    fewer = {identity: check for identity, check in CHECKS.items() if identity != "stream.done"}
    conclusion = verdict.concluded(innocent(), catalogue=catalogue(), checks=fewer)

    assert conclusion.verdict == "incomplete"


def test_exchanges_that_got_lost_make_no_run_conformant() -> None:
    lost = changed(lambda exchanges: tuple(each for each in exchanges if not each.probe.startswith("stream.")))

    assert concluded(lost).verdict == "incomplete"


# H6: nothing of nothing is a pass.


def test_nothing_judged_is_not_green() -> None:
    conclusion = concluded(changed(lambda _: ()))

    assert ids(conclusion, Verdict.PASS) == set()
    assert EXITS[conclusion.verdict] != 0


def test_a_selection_that_nothing_answers_to_is_not_green(tmp_path: Path) -> None:
    done = called("run", "--only", "stream.", "--class", "vision", "--output", tmp_path, key=None)

    assert done.code == 4
    assert "nothing was judged" in done.out


# H7: what was skipped reads as green.


def test_what_was_left_out_is_counted_apart_and_its_class_is_not_certified(tmp_path: Path) -> None:
    conclusion = against(tmp_path, only=("finish.",))

    assert conclusion.verdict == "conformant"
    assert {found.verdict for found in conclusion.findings if not found.requirement.id.startswith("finish.")} <= {
        Verdict.UNTESTED,
        Verdict.NOT_APPLICABLE,
    }
    assert "conformant" not in conclusion.classes.values()
    assert {"partial", "untested"} <= set(conclusion.classes.values())


# H8: exit 0 although something failed, or nothing was set up.


def test_a_set_up_that_failed_never_exits_with_success(tmp_path: Path) -> None:
    broken = tmp_path / "target.toml"
    broken.write_text("url = [", encoding="utf-8")
    closed = called("run", "http://127.0.0.1:9", "--model", "m", "--output", tmp_path / "closed", key=KEY)
    unread = called("run", "--config", broken, "--output", tmp_path / "unread", key=KEY)
    keyless = called("run", "http://127.0.0.1:9", "--model", "m", "--output", tmp_path / "keyless", key=None)

    assert (closed.code, unread.code, keyless.code) == (3, 2, 2)


# H9: an exception takes the case out of the count.


def test_a_check_that_raises_is_an_error_and_stays_in_the_count() -> None:
    def find(*_exchanges: Exchange) -> Iterator[Violation]:
        raise RuntimeError("of our own")

    raising = {**CHECKS, "stream.done": replace(CHECKS["stream.done"], find=find)}
    conclusion = verdict.concluded(innocent(), catalogue=catalogue(), checks=raising)

    assert ids(conclusion, Verdict.ERROR) == {"stream.done"}
    assert len(conclusion.findings) == len(catalogue())
    assert conclusion.verdict == "incomplete"


# H10: one failure of the set-up turns everything red.


@pytest.mark.parametrize("probe", [probe.name for probe in PROBES.values() if len(probe.steps) > 1])
def test_a_first_step_without_an_answer_takes_down_nothing_but_its_own_probe(probe: str) -> None:
    lost = on(lambda exchange: exchange.probe == probe and exchange.step == 0, gone(Ending.TIMEOUT))
    conclusion = concluded(changed(lost))
    concerned = {identity for identity, check in CHECKS.items() if probe in _compared(check)}

    assert ids(conclusion, Verdict.FAIL) == set()
    assert ids(conclusion, Verdict.INCONCLUSIVE) <= concerned
    assert DECLARED.keys() - concerned <= ids(conclusion, Verdict.PASS)


def _compared(check: Check) -> set[str]:
    """The probes whose answers the check looks at."""
    exchanges = innocent().exchanges
    groups = check.groups([exchange for exchange in exchanges if check.when(exchange)], exchanges)
    return {exchange.probe for group in groups for exchange in group}


# H11: a target that never started is told as one that breaks its promises.


def test_a_target_that_is_not_there_has_broken_nothing(tmp_path: Path) -> None:
    done = called("run", "http://127.0.0.1:9", "--model", "m", "--output", tmp_path, key=KEY)
    found = set(verdicts(report_in(tmp_path)).values())

    assert done.code == 3
    assert found & {"fail", "pass"} == set()


# H12: asking again paints over what is not stable.


def test_a_second_round_does_not_take_back_what_the_first_showed() -> None:
    faulty = changed(on(asking("stream.cut-short"), marked(b"")))
    again = tuple(replace(exchange, round=2) for exchange in innocent().exchanges)
    conclusion = concluded(replace(faulty, exchanges=faulty.exchanges + again))

    assert "stream.done" in ids(conclusion, Verdict.FAIL)


def test_a_failure_that_shows_once_is_not_asked_away(tmp_path: Path) -> None:
    once = Deviation(id="once", does="fails once", change=one_in(10_000, ended_by(b""), when=streams))
    conclusion = against(tmp_path, once, only=("stream.done",))

    assert ids(conclusion, Verdict.FAIL) == {"stream.done"}


# H13: a library puts the wire in order before it is judged.


def test_what_only_bytes_show_is_seen() -> None:
    crlf = on(streamed, each_block(lambda block: block.replace(b"\n", b"\r\n")))

    assert "stream.line-feeds" in ids(concluded(changed(crlf)), Verdict.FAIL)


# H14: a rule is stricter than its text.


@pytest.mark.parametrize("name", ["X-Request-Id", "Date", "Server", "Cache-Control"])
def test_no_header_that_the_page_does_not_name_is_demanded_as_a_must(name: str) -> None:
    def without(exchange: Exchange) -> Exchange:
        head = exchange.response
        assert head is not None
        rest = tuple(pair for pair in head.headers if pair[0].lower() != name.lower())
        return replace(exchange, response=replace(head, headers=rest))

    conclusion = concluded(changed(on(everything, without)))

    assert conclusion.verdict == "conformant"


def test_comments_and_a_reset_after_the_end_are_no_faults() -> None:
    commented = each_block(lambda block: b": still here\n\n" + block)
    conclusion = concluded(changed(on(streamed, commented)))

    assert ids(conclusion, Verdict.FAIL) == set()


# H15: the reader stops at [DONE].


def test_data_after_the_end_marker_is_seen(tmp_path: Path) -> None:
    late = Deviation(id="late", does="goes on", change=ended_by(b'data: [DONE]\n\ndata: {"choices":[]}\n\n'))
    conclusion = against(tmp_path, late, only=("stream.done-is-last",))

    assert ids(conclusion, Verdict.FAIL) == {"stream.done-is-last"}


# H16: the body is buffered before it is judged.


def test_the_pieces_of_a_stream_keep_the_moments_at_which_they_came(tmp_path: Path) -> None:
    against(tmp_path, only=("stream.not-in-one-burst",))
    counting = next(each for each in evidence.read(tmp_path).exchanges if each.probe == "stream.counting")

    assert len({piece.at for piece in counting.pieces}) > 5
    held_back = tuple(replace(piece, at=30.0) for piece in counting.pieces)
    burst = on(asking("stream.counting"), lambda exchange: replace(exchange, pieces=held_back, elapsed=30.0))
    assert "stream.not-in-one-burst" in ids(concluded(changed(burst)), Verdict.FAIL)


# H17 and H18: the model's mood, or its need to think, is told as the server's fault. tests/test_moods.py has twelve.


def test_the_first_request_asks_for_nothing_that_some_models_refuse() -> None:
    assert {name for step in OPENING.steps for name in step.body} <= {"model", "messages", "max_tokens"}


def test_a_model_that_spends_its_room_on_thinking_is_not_blamed() -> None:
    def thinking(exchange: Exchange) -> bool:
        return answers(exchange) and b"max_tokens" in exchange.request.body and b'"length"' in exchange.body

    starved = on(
        thinking,
        with_json("/data/choices/0/message/content", ""),
        with_json("/data/choices/0/message/reasoning_content", "Let me think about it"),
    )
    assert changed(starved).exchanges != innocent().exchanges

    assert ids(concluded(changed(starved)), Verdict.FAIL) == set()


# H19: our own throttling is told as a failure.


def test_a_server_that_throttles_us_is_not_blamed() -> None:
    conclusion = concluded(changed(on(everything, throttled(429, "RATE_LIMITED"))))

    assert ids(conclusion, Verdict.FAIL) == set()
    assert conclusion.verdict == "incomplete"


# H20: a test says "is caught" and runs the honest server.


def test_every_fault_changes_something() -> None:
    honest = Deviation(id="honest", does="nothing")

    for fault in FAULTS:
        assert (fault.change, fault.wire, fault.site) != (honest.change, honest.wire, honest.site), fault.id
        assert fault.red, fault.id


# H21: a list of known failures is made of whatever failed.


def test_every_published_finding_is_explained_by_a_person() -> None:
    explained = (ROOT / "reports" / "README.md").read_text(encoding="utf-8")
    published = list((ROOT / "reports").glob("*/report.json"))

    assert published
    for file in published:
        report = json.loads(file.read_text(encoding="utf-8"))
        for row in report["requirements"]:
            assert row["verdict"] not in {"fail", "error"} or f"`{row['id']}`" in explained, (file.parent.name, row)


# H22: what is published holds a secret.


def test_a_key_that_the_target_tells_again_is_in_no_file(tmp_path: Path) -> None:
    told = json.dumps({"status": "ok", "data": {"echo": str(SECRET)}})
    echo = Deviation(id="echo", does="echoes", change=answering(instead(200, told.encode())))
    against(tmp_path, echo)
    judgement = stored.judged(tmp_path)
    stored.write_reports(tmp_path, judgement.report, tmp_path)

    assert len(list(tmp_path.iterdir())) == 5
    for file in tmp_path.iterdir():
        assert b"e7e7e7e7" not in file.read_bytes(), file.name


# H23: a tolerance hides the violation.


def test_one_token_above_the_limit_is_too_many() -> None:
    limited = [each for each in innocent().exchanges if _asked(each, "max_tokens") and not streamed(each)]
    names = {each.probe for each in limited if each.response and each.response.status == 200}
    over = on(asking(*names), _one_over)

    assert "parameters.max-tokens-kept" in ids(concluded(changed(over)), Verdict.FAIL)


def _asked(exchange: Exchange, name: str) -> Any:
    try:
        document = parse(exchange.request.body)
    except ValueError:
        return None
    return document.get(name) if isinstance(document, dict) else None


def _one_over(exchange: Exchange) -> Exchange:
    limit = _asked(exchange, "max_tokens")
    if not isinstance(limit, int) or not answers(exchange):
        return exchange
    usage = {"prompt_tokens": 10, "completion_tokens": limit + 1, "total_tokens": limit + 11}
    return with_json("/data/usage", usage)(exchange)


# H24: a server that does not do what it was forced to do is excused.


def test_a_forced_call_that_does_not_come_is_a_failure() -> None:
    ignoring = on(
        asking("parameters.tool-choice-required", "tools.required-call"),
        with_json("/data/choices/0/message", {"role": "assistant", "content": "No, thank you."}),
        with_json("/data/choices/0/finish_reason", "stop"),
    )

    assert "tools.required-calls" in ids(concluded(changed(ignoring)), Verdict.FAIL)


# H25: the parser is narrower than the standard.


@pytest.mark.parametrize(
    "body,data",
    [
        (b"data: a\rdata: b\r\r", "a\nb"),
        (b"data\ndata\n\n", "\n"),
        (b"data:  two blanks\n\n", " two blanks"),
        (b"data:none\n\n", "none"),
        (b"\xef\xbb\xbfdata: marked\n\n", "marked"),
        (b": comment\ndata: x\n\n", "x"),
        (b"data: \xff\n\n", "\ufffd"),
        (b"foo: bar\ndata: x\n\n", "x"),
    ],
)
def test_what_the_standard_allows_is_read(body: bytes, data: str) -> None:
    assert [frame.event.data for frame in sse.decode(body) if frame.event] == [data]
