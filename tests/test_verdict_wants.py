"""What a model is found to have, what a requirement wants of the target file, and what a finding tells of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.check import Violation, check, singly
from conformance.exchange import Exchange, Request
from conformance.finding import DECIDED, Finding, Verdict
from conformance.verdict import Capability
from tests.test_verdict import exchange, judged, only, row, telling

NOT_ASKED = Capability(has=None, how="not asked")


def target(**members: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"profile": "native", "capabilities": {}, "triggers": [], "max_output_tokens": None}
    return {"target": given | members}


def asking(content: Any, probe: str = "fine", *, status: int = 200, **members: Any) -> Exchange:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **members}
    return exchange(probe, status=status, request=json.dumps(body).encode())


def part(kind: str) -> dict[str, Any]:
    media = {"url": "http://x/a"} if kind.endswith("_url") else {"data": "AAAA", "media_type": "image/png"}
    return {"type": kind, kind: media}


TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    "kind, name",
    [("image_url", "vision"), ("image_base64", "vision"), ("audio_url", "audio"), ("audio_base64", "audio")],
)
def test_a_part_that_is_served_shows_its_capability_and_no_other(kind: str, name: str) -> None:
    found = judged(asking([{"type": "text", "text": "Look."}, part(kind)]), header=target()).capabilities

    assert found == {"tools": NOT_ASKED, "vision": NOT_ASKED, "audio": NOT_ASKED} | {
        name: Capability(has=True, how="found by asking: fine was served")
    }


def _with_another_key(asked: Exchange) -> Exchange:
    request = Request(method="POST", url="http://x/", headers=(("Authorization", "Bearer x"),), body=asked.request.body)
    return replace(asked, request=request)


@pytest.mark.parametrize(
    "asked",
    [
        asking("Hi"),
        asking([{"type": "text", "text": "Hi"}]),
        asking("Hi", tools=[]),
        asking("Hi", tools={}),
        asking("Hi", tools=[TOOL], status=300),
        replace(asking("Hi", tools=[TOOL]), response=None, pieces=()),
        _with_another_key(asking("Hi", tools=[TOOL])),
        exchange("fine", request=b"[]"),
    ],
    ids=["text", "a part of text", "no tools", "tools of no shape", "neither", "no answer", "another key", "no object"],
)
def test_what_does_not_use_a_capability_or_was_not_answered_says_nothing_of_it(asked: Exchange) -> None:
    assert set(judged(asked, header=target()).capabilities.values()) == {NOT_ASKED}


def test_the_first_refusal_tells_why_a_capability_is_absent() -> None:
    refused = [asking("Hi", probe, tools=[TOOL], status=422) for probe in ("first", "second")]

    found = judged(*refused, header=target()).capabilities["tools"]

    assert found == Capability(has=False, how="found by asking: first was refused, HTTP 422")


def test_a_declared_capability_says_where_it_was_declared() -> None:
    found = judged("fine", header=target(capabilities={"audio": False})).capabilities["audio"]

    assert found == Capability(has=False, how="declared in the target file")


DEAR = "an answer of 1025 tokens is too dear; needs a model whose max_output_tokens is 1024 or less"
UNKNOWN = "needs the model's max_output_tokens in the target file"


@pytest.mark.parametrize(
    "need, cap, reason",
    [
        ("max_output_tokens", None, UNKNOWN),
        ("max_output_tokens", 1025, ""),
        ("small_output_cap", None, UNKNOWN),
        ("small_output_cap", 1025, DEAR),
        ("small_output_cap", 1024, ""),
        ("model", None, ""),
    ],
)
def test_what_needs_a_cap_is_excused_where_the_target_file_gives_none_that_serves(
    need: str, cap: int | None, reason: str
) -> None:
    finding = only(judged(rows=(row(needs=(need,)),), header=target(max_output_tokens=cap)))

    if reason:
        assert (finding.verdict, finding.explanation, finding.excused) == (Verdict.UNTESTED, reason, True)
    else:
        assert (finding.verdict, finding.excused) == (Verdict.INCONCLUSIVE, False)
        assert finding.explanation == "no exchange could show it"


@pytest.mark.parametrize(
    "needs, backend, reason",
    [
        (("backend",), None, "needs a scripted backend behind the target"),
        (("backend",), {"max_output_tokens": None}, ""),
        (("backend", "backend_cap"), None, "needs a scripted backend behind the target"),
        (
            ("backend", "backend_cap"),
            {"max_output_tokens": None},
            "needs max_output_tokens under [backend] in the target file",
        ),
        (("backend", "backend_cap"), {"max_output_tokens": 512}, ""),
    ],
)
def test_what_needs_the_backend_is_excused_where_the_target_file_tells_too_little_of_it(
    needs: tuple[str, ...], backend: dict[str, Any] | None, reason: str
) -> None:
    finding = only(judged(rows=(row(needs=needs),), header=target(backend=backend)))

    assert finding.excused is bool(reason)
    assert finding.explanation == (reason or "no exchange could show it")
    assert finding.verdict is (Verdict.UNTESTED if reason else Verdict.INCONCLUSIVE)


def test_what_another_shard_asks_is_excused_here() -> None:
    left = {"left_out": {"x.one": "asked by another shard"}}

    assert not only(judged(header=left)).excused
    finding = only(judged(header=left | {"shard": {"number": 1, "of": 2}}))
    assert (finding.verdict, finding.explanation, finding.excused) == (
        Verdict.UNTESTED,
        "asked by another shard",
        True,
    )


def test_a_requirement_without_a_check_is_excused_while_the_target_file_lacks_what_it_needs() -> None:
    finding = only(judged(rows=(row(needs=("backend",)),), checks=(), header=target()))

    assert (finding.verdict, finding.excused) == (Verdict.UNTESTED, True)
    assert finding.explanation == "needs a scripted backend behind the target"
    assert only(judged(checks=())).explanation == "the suite has no check for it"


def test_what_the_plan_promised_and_the_catalogue_lacks_is_never_green() -> None:
    missing = {"promised": ["x.one", "x.gone", "x.also"]}

    green, broken = judged("fine", header=missing), judged("broken", header=missing)

    assert (green.verdict, green.reason) == ("incomplete", "promised and not judged: x.also, x.gone")
    assert broken.verdict == "nonconformant"
    assert broken.reason == "1 MUST failed; promised and not judged: x.also, x.gone"


@pytest.mark.parametrize(
    "probe, verdict, reason, word",
    [
        ("fine", "incomplete", "shard 2 of 3: merge them", "partial"),
        ("broken", "nonconformant", "1 MUST failed; shard 2 of 3: merge them", "nonconformant"),
    ],
)
def test_a_shard_may_find_a_failure_and_no_conformance(probe: str, verdict: str, reason: str, word: str) -> None:
    conclusion = judged(probe, header={"shard": {"number": 2, "of": 3}})

    assert (conclusion.verdict, conclusion.reason) == (verdict, reason)
    assert conclusion.classes["core"] == word


def test_an_interrupted_run_tells_what_an_exchange_did_not_show_rather_than_that_it_ended() -> None:
    interrupted = {"ended": "interrupted", "reason": ""}

    assert only(judged("unseen", footer=interrupted)).explanation == "unseen does not show it"
    assert only(judged("unseen", footer=interrupted)).verdict is Verdict.INCONCLUSIVE
    assert only(judged(footer=interrupted)).verdict is Verdict.UNTESTED


def test_of_what_showed_nothing_the_two_commonest_reasons_are_told() -> None:
    asked = [f"unseen-{letter}" for letter in "cbbaaa"]

    finding = only(judged(*asked))

    assert finding.explanation == "unseen-a does not show it; unseen-b does not show it"
    assert finding.evidence == ("unseen-c", "unseen-b", "unseen-a")


def test_a_finding_keeps_twenty_violations_and_names_five_exchanges() -> None:
    finding = only(judged(*(f"broken-{number}" for number in range(30)), "fine"))

    assert (len(finding.violations), len(finding.evidence), finding.seen) == (20, 5, 31)


def test_what_is_conformant_needs_no_words_and_what_is_undecided_is_counted() -> None:
    green = judged("fine")
    rows = (row("x.one"), row("x.two"), row("x.three"))
    one, two = (judged("fine", rows=rows[:number], checks=(telling("x.one"),)) for number in (2, 3))

    assert (green.reason, only(green).explanation) == ("", "")
    assert one.reason == "undecided: x.two"
    assert two.reason == "undecided: x.two and 1 more"


def test_a_crash_of_ours_was_seen_once() -> None:
    assert only(judged("fine", "crash", "crash")).seen == 1


def test_the_words_of_verdicts_are_those_of_the_report() -> None:
    assert [*Verdict] == ["pass", "fail", "inconclusive", "error", "untested", "not_applicable"]
    assert DECIDED == ("pass", "fail")


GENERATED = row(needs=("examples",))


@pytest.mark.parametrize("header", [{}, {"examples": 0}])
def test_a_requirement_of_generated_requests_says_that_none_were_generated(header: dict[str, Any]) -> None:
    finding = only(judged("unseen", rows=(GENERATED,), header=target() | header))

    assert (finding.verdict, finding.excused) == (Verdict.UNTESTED, True)
    assert finding.explanation == "needs generated requests (--examples)"


def test_generated_requests_that_showed_nothing_leave_their_requirement_undecided() -> None:
    finding = only(judged("unseen", rows=(GENERATED,), header=target() | {"examples": 1}))

    assert (finding.verdict, finding.excused) == (Verdict.INCONCLUSIVE, False)
    assert finding.explanation == "unseen does not show it"


@pytest.mark.parametrize(
    "kept, unseen, verdict", [(1, 9, Verdict.PASS), (1, 10, Verdict.INCONCLUSIVE), (3, 2, Verdict.PASS)]
)
def test_a_tenth_of_the_generated_requests_has_to_show_something(kept: int, unseen: int, verdict: Verdict) -> None:
    probes = [f"fine-{number}" for number in range(kept)] + [f"unseen-{number}" for number in range(unseen)]

    generated = only(judged(*probes, rows=(GENERATED,), header=target() | {"examples": 9}))
    assert generated.verdict is verdict
    assert generated.seen == kept
    if verdict is Verdict.INCONCLUSIVE:
        assert generated.explanation.startswith("only 1 of 11 showed anything: ")
    assert only(judged(*probes, header=target())).verdict is Verdict.PASS


def _broken(name: str, size: int) -> Exchange:
    return exchange(name, request=b"x" * size)


def test_a_violation_of_a_declared_request_is_told_before_any_of_a_generated_one() -> None:
    def tells(each: Exchange) -> Iterator[Violation]:
        yield Violation(expected="this", found=each.probe)

    of_all = check("x.one", when=lambda _: True, probes=(), groups=singly)(tells)
    exchanges = (
        _broken("generated.valid.large", 90),
        _broken("generated.valid.small", 9),
        _broken("broken-second", 70),
        _broken("broken-first", 50),
        _broken("generated.valid.middle", 40),
    )
    finding = only(judged(*exchanges, checks=(of_all,), header=target()))

    assert finding.evidence == (
        "broken-second",
        "broken-first",
        "generated.valid.small",
        "generated.valid.middle",
        "generated.valid.large",
    )


def test_a_violation_that_names_no_exchange_of_the_run_is_told_among_the_declared() -> None:
    def tells(each: Exchange) -> Iterator[Violation]:
        yield Violation(expected="this", found=each.probe, on=f"elsewhere-{each.probe}")
        yield Violation(expected="this", found=each.probe)

    of_all = check("x.one", when=lambda _: True, probes=(), groups=singly)(tells)
    finding = only(judged(_broken("generated.valid.a", 5), checks=(of_all,), header=target()))

    assert finding.evidence == ("elsewhere-generated.valid.a", "generated.valid.a")


def test_a_finding_has_seen_nothing_unless_it_says_so() -> None:
    assert Finding(requirement=row(), verdict=Verdict.UNTESTED).seen == 0


@pytest.mark.parametrize(
    "probes, explanation, told",
    [
        (["fine", "fine"], "", "none of 2 repeated observations broke it, which excludes a rate of 77.6 %"),
        (
            ["broken-a", "broken-a", "fine"],
            "expected this; found broken-a; 2 of 2 repeated observations broke it (15.8 % to 100 %)",
            "2 of 2 repeated observations broke it (15.8 % to 100 %)",
        ),
    ],
)
def test_a_run_that_repeats_tells_the_rate_and_explains_a_failure_by_it(
    probes: list[str], explanation: str, told: str
) -> None:
    finding = only(judged(*probes, header={"repeat": 2}))

    assert finding.explanation == explanation
    assert finding.observed is not None
    assert finding.observed.told == told


@pytest.mark.parametrize("header", [{}, {"repeat": 1}])
def test_a_run_that_repeats_nothing_tells_no_rate(header: dict[str, Any]) -> None:
    finding = only(judged("broken-a", "broken-a", header=header))

    assert (finding.observed, finding.explanation) == (None, "expected this; found broken-a")


def test_a_requirement_that_failed_once_in_a_run_that_repeats_others_has_no_rate() -> None:
    finding = only(judged("broken-a", header={"repeat": 2}))

    assert (finding.observed, finding.explanation) == (None, "expected this; found broken-a")
