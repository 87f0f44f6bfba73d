"""How what single exchanges show adds up to verdicts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from conformance.check import Check, Violation, check, singly, together
from conformance.evidence import Evidence
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.finding import Finding, Verdict
from conformance.probe import Probe, Step
from conformance.reading.witness import Inconclusive, Unobservable
from conformance.requirement import Level, Requirement
from conformance.verdict import Conclusion, concluded

HEADER: Mapping[str, Any] = {
    "target": {
        "profile": "native",
        "capabilities": {"tools": True, "vision": True, "audio": True},
        "triggers": [],
        "max_output_tokens": None,
    },
    "strict": False,
    "quick": False,
    "left_out": {},
    "filtered": [],
    "promised": [],
}
COMPLETE = {"ended": "complete", "reason": ""}


def row(identity: str = "x.one", **members: Any) -> Requirement:
    given = {"level": Level.MUST, "certifies": "core", "basis": "stated", "section": "A", "text": "It holds."} | members
    return Requirement(id=identity, **given)


def exchange(probe: str = "a", *, status: int = 200, body: bytes = b"{}", request: bytes = b"{}") -> Exchange:
    return Exchange(
        probe=probe,
        request=Request(method="POST", url="http://x/", headers=(("Authorization", "Bearer ***"),), body=request),
        response=Response(status=status, reason="", http_version="HTTP/1.1", headers=(), at=0.1),
        pieces=(Piece(at=0.1, data=body),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.2,
    )


def _told(each: Exchange) -> Iterator[Violation]:
    """What the name of an exchange asks for."""
    match each.probe.partition("-")[0]:
        case "broken":
            yield Violation(expected="this", found=each.probe)
        case "unseen":
            raise Unobservable(f"{each.probe} does not show it")
        case "cloudy":
            raise Inconclusive(f"{each.probe} was cut short")
        case "crash":
            raise KeyError("choices")


def telling(identity: str = "x.one", when: Callable[[Exchange], bool] = lambda _: True) -> Check:
    return check(identity, when=when, probes=(), groups=singly)(_told)


def judged(
    *probes: str | Exchange,
    rows: tuple[Requirement, ...] = (row(),),
    checks: tuple[Check, ...] | None = None,
    header: Mapping[str, Any] | None = None,
    footer: Mapping[str, Any] | None = COMPLETE,
) -> Conclusion:
    exchanges = tuple(exchange(each) if isinstance(each, str) else each for each in probes)
    evidence = Evidence(header={**HEADER, **(header or {})}, exchanges=exchanges, footer=footer)
    found = checks if checks is not None else tuple(telling(each.id) for each in rows)
    return concluded(
        evidence, catalogue={each.id: each for each in rows}, checks={each.requirement: each for each in found}
    )


def only(conclusion: Conclusion) -> Finding:
    (finding,) = conclusion.findings
    return finding


@pytest.mark.parametrize(
    "probes, verdict",
    [
        (["fine", "unseen"], Verdict.PASS),
        (["unseen", "fine"], Verdict.PASS),
        (["fine", "cloudy"], Verdict.INCONCLUSIVE),
        (["cloudy", "unseen", "fine"], Verdict.INCONCLUSIVE),
        (["fine", "cloudy", "broken"], Verdict.FAIL),
        (["broken", "cloudy", "fine", "unseen"], Verdict.FAIL),
        (["broken", "crash", "fine"], Verdict.ERROR),
        (["crash", "cloudy"], Verdict.ERROR),
        (["unseen", "unseen"], Verdict.INCONCLUSIVE),
        ([], Verdict.INCONCLUSIVE),
    ],
)
def test_the_gravest_of_what_the_exchanges_say_is_the_verdict(probes: list[str], verdict: Verdict) -> None:
    assert only(judged(*probes)).verdict is verdict


def test_a_failure_names_the_exchanges_that_broke_it_before_those_that_kept_it() -> None:
    finding = only(judged("fine-1", "broken-1", "fine-2", "broken-2", "cloudy"))

    assert finding.evidence == ("broken-1", "broken-2", "fine-1", "fine-2")
    assert [(name, violation.found) for name, violation in finding.violations] == [
        ("broken-1", "broken-1"),
        ("broken-2", "broken-2"),
    ]
    assert finding.explanation == "expected this; found broken-1"
    assert finding.seen == 4


def test_what_is_undecided_is_explained_by_the_requests_that_were_made_to_decide_it() -> None:
    own = replace(telling(), probes=(Probe(name="unseen-own", asks="It?", steps=(Step(body={}),)),))

    finding = only(judged("unseen-a", "unseen-a", "unseen-own", checks=(own,)))
    without = only(judged("unseen-a", "unseen-b", "unseen-b", checks=(own,)))

    assert (finding.explanation, finding.evidence) == ("unseen-own does not show it", ("unseen-own",))
    assert without.explanation == "unseen-b does not show it; unseen-a does not show it"


def test_a_violation_may_stand_on_another_exchange_of_its_group() -> None:
    def find(*group: Exchange) -> Iterator[Violation]:
        yield Violation(expected="x", found="y", on=group[1].id)

    compare = check("x.one", when=lambda _: True, probes=(), groups=together)(find)

    assert only(judged("a", "b", checks=(compare,))).violations[0][0] == "b"


def test_a_check_that_crashes_harms_no_other_and_is_told_as_ours() -> None:
    conclusion = judged("crash", rows=(row("x.one"), row("x.two")), checks=(telling("x.one"), _keeping("x.two")))

    first, second = conclusion.findings
    assert first.verdict is Verdict.ERROR
    assert first.explanation == "the suite's own check failed on crash: KeyError: 'choices'"
    assert second.verdict is Verdict.PASS
    assert conclusion.verdict == "incomplete"


def _keeping(identity: str) -> Check:
    return check(identity, when=lambda _: True, probes=(), groups=singly)(lambda _: ())


def test_a_requirement_without_a_check_is_our_error() -> None:
    finding = only(judged("fine", checks=()))

    assert finding.verdict is Verdict.ERROR
    assert judged("fine", checks=()).verdict == "incomplete"


def test_an_attempt_that_another_followed_is_not_judged() -> None:
    throttled = replace(exchange("broken"), retried=True)

    assert only(judged(throttled, "fine")).verdict is Verdict.PASS


# Untested, and why.


@pytest.mark.parametrize(
    "requirement, header, explanation",
    [
        (row(untested="nothing on the wire shows it"), {}, "nothing on the wire shows it"),
        (row(), {"left_out": {"x.one": "not selected"}, "filtered": ["x.one"]}, "not selected"),
        (row(needs=("trigger:rate_limited",)), {}, "needs [triggers.rate_limited] in the target file"),
        (row(needs=("backend",)), {}, "needs a scripted backend behind the target"),
        (row(), {"left_out": {"x.one": "not part of a quick run"}, "quick": True}, "not part of a quick run"),
    ],
)
def test_what_nothing_could_show_is_untested_with_the_reason_and_excused(
    requirement: Requirement, header: dict[str, Any], explanation: str
) -> None:
    finding = only(judged(rows=(requirement,), header=header))

    assert (finding.verdict, finding.explanation, finding.excused) == (Verdict.UNTESTED, explanation, True)


def test_what_the_limits_left_out_is_untested_and_makes_the_run_incomplete() -> None:
    conclusion = judged("fine", rows=(row(), row("x.two")), header={"left_out": {"x.two": "over the limits"}},
                        checks=(telling(), telling("x.two", when=lambda _: False)))  # fmt: skip

    assert (conclusion.findings[1].verdict, conclusion.findings[1].excused) == (Verdict.UNTESTED, False)
    assert (conclusion.verdict, conclusion.reason) == ("incomplete", "undecided: x.two")


def test_what_was_left_out_is_judged_all_the_same_where_an_exchange_shows_it() -> None:
    assert only(judged("broken", header={"left_out": {"x.one": "over the limits"}})).verdict is Verdict.FAIL
    assert only(judged("fine", header={"left_out": {"x.one": "over the limits"}})).verdict is Verdict.PASS


def test_a_filtered_requirement_is_not_judged_though_an_exchange_shows_it() -> None:
    header = {"left_out": {"x.one": "not selected"}, "filtered": ["x.one"]}

    assert only(judged("broken", header=header)).verdict is Verdict.UNTESTED


def test_a_trigger_that_was_given_and_did_nothing_leaves_it_inconclusive() -> None:
    header = {"target": {**HEADER["target"], "triggers": ["rate_limited"]}}

    finding = only(judged("unseen", rows=(row(needs=("trigger:rate_limited",)),), header=header))

    assert (finding.verdict, finding.explanation) == (Verdict.INCONCLUSIVE, "unseen does not show it")


# Not applicable.


def _header(capabilities: dict[str, bool], profile: str = "native") -> dict[str, Any]:
    return {"target": {"profile": profile, "capabilities": capabilities, "triggers": []}}


TOOLS = (
    b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}],'
    b' "tools": [{"type": "function", "function": {"name": "f"}}]}'
)
NEEDING = row(needs=("tools",), certifies="tools")


def test_a_capability_that_is_declared_absent_makes_its_requirements_not_applicable() -> None:
    conclusion = judged("broken", rows=(NEEDING, row("x.two")), header=_header({"tools": False}),
                        checks=(telling(), _keeping("x.two")))  # fmt: skip

    assert conclusion.findings[0].verdict is Verdict.NOT_APPLICABLE
    assert conclusion.classes["tools"] == "not_applicable"
    assert conclusion.verdict == "conformant"


def test_a_capability_that_is_declared_is_judged_though_requests_that_use_it_are_refused() -> None:
    refused = exchange("broken", status=422, request=TOOLS)

    assert only(judged(refused, rows=(NEEDING,), header=_header({"tools": True}))).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "status, has",
    [(200, True), (422, False), (400, False), (401, None), (403, None), (429, None), (500, None), (503, None)],
)
def test_a_capability_is_found_by_asking(*, status: int, has: bool | None) -> None:
    asked = exchange("fine", status=status, body=b'{"error": {"code": "C", "message": "m"}}', request=TOOLS)

    found = judged(asked, rows=(NEEDING,), header=_header({})).capabilities["tools"]

    assert found.has is has
    if status == 422:
        assert found.how == 'found by asking: fine was refused, HTTP 422 C: "m"'


def test_a_capability_that_was_served_once_is_there_whatever_else_was_refused() -> None:
    answers = [exchange(f"a{status}", status=status, request=TOOLS) for status in (422, 200, 422)]

    assert judged(*answers, rows=(NEEDING,), header=_header({})).capabilities["tools"].has is True


def test_a_request_refused_for_its_own_mistake_does_not_show_that_a_capability_is_absent() -> None:
    mistaken = TOOLS.replace(b'"Hi"', b"7")

    assert (
        judged(exchange("a", status=422, request=mistaken), rows=(NEEDING,), header=_header({}))
        .capabilities["tools"]
        .has
        is None
    )


def test_a_requirement_of_another_surface_is_not_applicable() -> None:
    finding = only(judged("broken", rows=(row(profiles=("native",)),), header=_header({}, "openai")))

    assert (finding.verdict, finding.explanation) == (Verdict.NOT_APPLICABLE, "speaks of the native surface")


# The run.


def test_a_run_that_judged_nothing_is_never_green() -> None:
    assert (judged(rows=()).verdict, judged(rows=()).reason) == ("incomplete", "nothing was judged")
    excused = judged("fine", rows=(row(untested="never"),))
    assert (excused.verdict, excused.reason) == ("incomplete", "nothing was judged")


def test_a_broken_must_makes_the_run_nonconformant() -> None:
    conclusion = judged("broken", rows=(row(), row("x.two")))

    assert (conclusion.verdict, conclusion.reason) == ("nonconformant", "2 MUSTs failed")
    assert conclusion.classes["core"] == "nonconformant"


@pytest.mark.parametrize("level, plain, strict", [
    (Level.MUST, "nonconformant", "nonconformant"),
    (Level.SHOULD, "conformant", "nonconformant"),
    (Level.MAY, "conformant", "conformant"),
])  # fmt: skip
def test_a_broken_should_decides_a_strict_run_only_and_a_broken_may_none(level: Level, plain: str, strict: str) -> None:
    assert judged("broken", rows=(row(level=level),)).verdict == plain
    told = judged("broken", rows=(row(level=level),), header={"strict": True})
    assert told.verdict == strict
    assert told.classes["core"] == strict
    assert told.findings[0].verdict is Verdict.FAIL


def test_an_undecided_should_does_not_hold_up_a_run_unless_it_is_strict() -> None:
    rows = (row(), row("x.two", level=Level.SHOULD))
    checks = (_keeping("x.one"), telling("x.two"))

    assert judged("cloudy", rows=rows, checks=checks).verdict == "conformant"
    strict = judged("cloudy", rows=rows, checks=checks, header={"strict": True})
    assert (strict.verdict, strict.reason) == ("incomplete", "undecided: x.two")


def test_a_failure_outweighs_what_is_undecided() -> None:
    checks = (
        telling("x.one", when=lambda e: e.probe == "broken"),
        telling("x.two", when=lambda e: e.probe == "cloudy"),
    )

    assert judged("broken", "cloudy", rows=(row(), row("x.two")), checks=checks).verdict == "nonconformant"


def test_an_aborted_run_keeps_what_passed() -> None:
    conclusion = judged("fine", footer={"ended": "aborted", "reason": "the key was refused"})

    assert (only(conclusion).verdict, only(conclusion).explanation) == (Verdict.PASS, "")


@pytest.mark.parametrize(
    "probe, requests, verdict, reason",
    [
        ("fine", 1, "conformant", ""),
        ("fine", 2, "incomplete", "the footer of the evidence counts 2 requests, and 1 are there"),
        ("broken", 2, "nonconformant", "1 MUST failed; the footer of the evidence counts 2 requests, and 1 are there"),
    ],
)
def test_evidence_with_another_number_of_requests_than_its_footer_says_is_not_whole(
    probe: str, requests: int, verdict: str, reason: str
) -> None:
    unsent = replace(exchange("unseen"), ended=Ending.UNSENT)
    conclusion = judged(probe, unsent, unsent, footer=COMPLETE | {"requests": requests})

    assert (conclusion.verdict, conclusion.reason) == (verdict, reason)


def test_an_aborted_run_says_why_and_nothing_of_conformance() -> None:
    conclusion = judged("broken", footer={"ended": "aborted", "reason": "the key was refused"})

    assert (conclusion.verdict, conclusion.reason) == ("aborted", "the key was refused")
    assert only(conclusion).verdict is Verdict.INCONCLUSIVE
    assert only(conclusion).explanation.startswith("the run was aborted, so this decides nothing: expected ")
    assert only(conclusion).violations
    assert "nonconformant" not in conclusion.classes.values()


@pytest.mark.parametrize(
    "footer, ended", [({"ended": "interrupted", "reason": ""}, "interrupted"), (None, "cut short")]
)
def test_a_run_that_did_not_end_is_incomplete_and_tells_what_failed_by_then(
    footer: dict[str, str] | None, ended: str
) -> None:
    fine, broken = judged("fine", footer=footer), judged("broken", footer=footer)

    assert (fine.verdict, fine.reason, fine.ended) == ("incomplete", f"the run was {ended}", ended)
    assert broken.reason == f"the run was {ended}; by then 1 MUST failed"
    unasked = only(judged(footer=footer))
    assert unasked.verdict is Verdict.UNTESTED
    assert unasked.explanation == f"the run was {ended} before anything could show it"
    assert not unasked.excused


# The classes.


def _class(rows: tuple[Requirement, ...], *probes: str, **given: Any) -> str:
    return judged(*probes, rows=rows, **given).classes["core"]


def test_a_class_that_nobody_asked_about_is_untested_and_one_half_asked_about_is_partial() -> None:
    rows = (row(), row("x.two"))
    filtered = {"x.two": "not selected"}

    assert _class((row(certifies="audio"),), "fine") == "untested"
    assert _class(rows, "fine") == "conformant"
    assert _class(rows, "fine", header={"left_out": filtered, "filtered": ["x.two"]}) == "partial"
    both = dict.fromkeys(("x.one", "x.two"), "not selected")
    assert _class(rows, "fine", header={"left_out": both, "filtered": [*both]}) == "untested"


def test_a_class_with_an_undecided_must_is_incomplete() -> None:
    assert _class((row(),), "cloudy") == "incomplete"
    rows = (row(), row("x.two"))
    assert _class(rows, "cloudy", checks=(_keeping("x.one"), telling("x.two"))) == "incomplete"


def test_a_class_is_broken_by_its_own_requirements_only() -> None:
    rows = (row(), row("x.two", certifies="errors"))
    classes = judged("broken", rows=rows, checks=(_keeping("x.one"), telling("x.two"))).classes

    assert (classes["core"], classes["errors"]) == ("conformant", "nonconformant")
