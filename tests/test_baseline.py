"""What a baseline lists, how its file is read, and what a run says of its entries."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conformance import run, schema
from conformance.baseline import Entry, Listed, Standing, fits, from_json, loaded, to_json
from conformance.check import Violation, check
from conformance.evidence import Evidence
from conformance.exchange import Exchange
from conformance.probe import Probe, Step
from conformance.reading.witness import Unobservable
from conformance.requirement import Level, Requirement
from conformance.target import BadInput
from conformance.verdict import Conclusion, concluded
from tests.test_verdict import COMPLETE, HEADER, exchange, row, telling

DAY = date(2026, 6, 15)
BEGUN = datetime(2026, 6, 15, 23, 59, 59, tzinfo=UTC).timestamp()
NOT_ASKED = "the run did not ask all that could show it"
FILLED = 'reason = "It is old."\nlink = "https://issues.example.com/17"\nuntil = 2026-12-31\n'
ONE = f'[[known]]\nrequirement = "x.one"\n{FILLED}'
TEXT = st.text("ab*[.\n", max_size=8)


def entry(requirement: str = "x.one", **members: Any) -> Entry:
    given_: dict[str, Any] = {"reason": "It is old.", "link": "https://issues.example.com/17", "until": DAY}
    return Entry(requirement=requirement, **(given_ | members))


# Patterns


@given(pattern=TEXT, text=TEXT)
@example(pattern="ab*ba", text="aba")
@example(pattern="a*b*b", text="ab")
@example(pattern="*ab*ab*", text="ab")
@example(pattern="**", text="")
@example(pattern="*[a]*", text="\n[a]")
def test_a_star_stands_for_any_text_and_all_else_for_itself(pattern: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) is not None

    assert fits(pattern, text) is expected


@given(text=st.text())
def test_a_text_without_a_star_fits_itself_alone(text: str) -> None:
    pattern = text.replace("*", "")

    assert fits(pattern, pattern)
    assert not fits(pattern, f"{pattern}x")


@pytest.mark.parametrize("member", ["probe", "where", "expected", "found"])
def test_each_member_narrows_an_entry(member: str) -> None:
    told = {"probe": "stream.greeting", "where": "bytes 3-9", "expected": "data: [DONE]", "found": "nothing"}

    assert entry().covers(**told)
    assert entry(**{member: told[member]}).covers(**told)
    assert entry(**told).covers(**told)
    assert not entry(**told).covers(**{**told, member: "else"})


def test_an_entry_is_told_with_what_narrows_it_and_why_it_is_let_pass() -> None:
    assert str(entry()) == "x.one"
    assert str(entry(where="ending", found="*x")) == "x.one (where ending, found *x)"
    assert entry().excuse == "It is old., https://issues.example.com/17, until 2026-06-15"


def test_an_entry_is_the_same_after_it_was_kept() -> None:
    for each in (entry(), entry(probe="generated.*", where="", found="é*")):
        assert from_json(to_json(each)) == each
        assert schema.defects("baseline.schema.json#/$defs/entry", to_json(each)) == ()


# The file


def read(file: Path, content: str | bytes) -> tuple[Entry, ...]:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    probes = ("stream.greeting", "stream.counting", "generated.")
    return loaded(file, requirements=("x.one", "x.two"), probes=probes)


def test_a_baseline_says_what_is_known_why_and_until_when(tmp_path: Path) -> None:
    content = f'{ONE}[[known]]\nrequirement = "x.two"\nprobe = "stream.*"\nwhere = "bytes *"\n{FILLED}'

    until = date(2026, 12, 31)
    assert read(tmp_path / "known.toml", content) == (
        entry(until=until),
        entry("x.two", until=until, probe="stream.*", where="bytes *"),
    )


@pytest.mark.parametrize("content", ["", "# Nothing.\n", "known = []\n"])
def test_a_baseline_may_be_empty(tmp_path: Path, content: str) -> None:
    assert read(tmp_path / "known.toml", content) == ()


def test_a_last_day_may_be_a_string(tmp_path: Path) -> None:
    content = ONE.replace("2026-12-31", '"2026-12-31"')

    assert [each.until for each in read(tmp_path / "known.toml", content)] == [date(2026, 12, 31)]


@pytest.mark.parametrize("probe", ["generated.*", "generated.valid-7", "*.greeting", "*"])
def test_a_probe_may_be_one_that_is_generated_or_a_pattern(tmp_path: Path, probe: str) -> None:
    (found,) = read(tmp_path / "known.toml", f'{ONE}probe = "{probe}"\n')

    assert found.probe == probe


FINER = f'[[known]]\nrequirement = "x.one"\nwhere = "ending"\n{FILLED}'


@pytest.mark.parametrize(
    "content,said",
    [
        (b"known = [", "not TOML: "),
        (b"\xff", "byte 0 is not UTF-8"),
        (f"known = {'[' * 5000}", "nested too deep"),
        ("[target]\nurl = 'http://x'\n", "target: 'target' is not a known member"),
        ("known = 3\n", "known: expected array, found 3"),
        ("known = [3]\n", "known 1: expected object, found 3"),
        ("[[known]]\n", "such as https://issues.example.com/17 (and 3 more mistakes)"),
        (ONE + "severity = 1\n", "known 1 (x.one): severity: 'severity' is not a known member"),
        (ONE.replace('"It is old."', "7"), "known 1 (x.one): reason: expected string, found 7; say why"),
        (ONE.replace("It is old.", ""), "known 1 (x.one): reason is left to fill in; say why this failure is known"),
        (ONE.replace("It is old.", " \\n"), "known 1 (x.one): reason is left to fill in"),
        (ONE.replace("2026-12-31", '""'), "known 1 (x.one): until is left to fill in; give the last day"),
        (
            ONE.replace("https://issues.example.com/17", ""),
            "known 1 (x.one): link is left to fill in; give the address",
        ),
        (ONE.replace("https://issues", "issues"), "known 1 (x.one): link: expected of the form"),
        (ONE.replace("2026-12-31", '"2026-02-30"'), "known 1 (x.one): until: 2026-02-30 is no day of the calendar"),
        (ONE.replace("2026-12-31", "2026-12-31T08:00:00"), "until: expected of the form"),
        (ONE.replace("2026-12-31", '"31.12.2026"'), 'found "31.12.2026"; give the last day on which it is known, such'),
        (ONE.replace("x.one", "x.on"), "known 1: no requirement has the id 'x.on'; did you mean x.one?"),
        (
            ONE.replace("x.one", "zebra"),
            "known 1: no requirement has the id 'zebra'; see chat-conformance requirements",
        ),
        (ONE + 'probe = "stream.greting"', "no probe is called 'stream.greting'; did you mean stream.greeting?"),
        (ONE + 'probe = "stream.greeting-2"', "no probe is called 'stream.greeting-2'; did you mean stream.greeting?"),
        (ONE.replace('"x.one"', "7"), "known 1: requirement: expected string, found 7"),
        (ONE.replace('"x.one"', '""'), "known 1: requirement: "),
        (ONE + 'probe = "zebra*"', "no probe is called 'zebra*'; report.json names the exchanges by their probes"),
        (ONE + ONE, "known 2 (x.one): known 1 lists the same; keep one of them"),
        (FINER + FINER, "known 2 (x.one (where ending)): known 1 lists the same; keep one of them"),
        (FINER + ONE, "known 1 (x.one (where ending)): known 2 lists every failure of it already; keep one of them"),
        (ONE.replace("It is old.", "").replace("x.one", "x.on"), "reason is left to fill in"),
        (ONE.replace("x.one", "zebra") * 2, "(and 1 more mistake)"),
    ],
)
def test_a_mistake_in_a_baseline_is_told_with_the_place_and_the_cure(
    tmp_path: Path, content: str | bytes, said: str
) -> None:
    file = tmp_path / "known.toml"
    with pytest.raises(BadInput) as raised:
        read(file, content)

    assert str(raised.value).startswith(f"{file}: ")
    assert said in str(raised.value)


def test_a_mistake_that_is_the_only_one_is_told_alone(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"lists the same; keep one of them$"):
        read(tmp_path / "known.toml", ONE + ONE)


def test_the_page_on_known_failures_shows_a_baseline_that_works(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "known-failures.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    file = tmp_path / "known.toml"
    file.write_text(shown, encoding="utf-8")

    assert [sorted(each.finer) for each in run.baseline(file)] == [[], ["found", "probe", "where"]]


def test_a_baseline_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = tmp_path / "lost.toml"
    with pytest.raises(BadInput, match=r"no such file; give the path of a baseline \(TOML\)"):
        loaded(file, requirements=(), probes=())


# What a run says of it


def judged(
    *probes: str | Exchange,
    known: Sequence[Entry] | None,
    rows: Sequence[Requirement] = (row(),),
    made_for: Sequence[str] = (),
    planned: Sequence[str] | None = None,
    footer: Mapping[str, Any] | None = COMPLETE,
    **header: Any,
) -> Conclusion:
    """The conclusion of a run whose check asks `made_for`, all of which were planned unless said otherwise."""
    asked = tuple(Probe(name=name, asks="It?", steps=(Step(body={}),)) for name in made_for)
    checks = {each.id: replace(telling(each.id), probes=asked) for each in rows}
    names = made_for if planned is None else planned
    evidence = Evidence(
        header={**HEADER, "started": BEGUN, "plan": {"probes": dict.fromkeys(names, "")}, **header},
        exchanges=tuple(exchange(each) if isinstance(each, str) else each for each in probes),
        footer=footer,
    )
    return concluded(evidence, catalogue={each.id: each for each in rows}, checks=checks, baseline=known)


def standings(conclusion: Conclusion) -> list[str]:
    assert conclusion.baseline is not None
    return [each.standing.value for each in conclusion.baseline]


def test_a_known_failure_fails_no_run_and_stays_a_failure() -> None:
    conclusion = judged("broken-1", "fine", known=[entry()])

    assert (conclusion.verdict, conclusion.reason) == ("conformant", "known to fail: x.one")
    assert conclusion.baseline == (Listed(entry=entry(), standing=Standing.KNOWN, explanation=""),)
    assert (conclusion.findings[0].verdict, conclusion.findings[0].known) == ("fail", (entry(),))
    assert conclusion.classes["core"] == "nonconformant"


def test_without_a_baseline_nothing_is_known() -> None:
    conclusion = judged("broken-1", known=None)

    assert (conclusion.verdict, conclusion.baseline) == ("nonconformant", None)
    assert conclusion.findings[0].known == ()


def test_a_failure_that_is_known_hides_none_that_is_not() -> None:
    conclusion = judged("broken-1", known=[entry()], rows=(row(), row("x.two")))

    assert (conclusion.verdict, conclusion.reason) == ("nonconformant", "1 MUST failed")


def test_another_violation_of_the_same_requirement_is_not_known() -> None:
    conclusion = judged("broken-1", "broken-2", "broken-3", known=[entry(found="broken-[13]"), entry(found="broken-1")])

    (finding,) = conclusion.findings
    assert (conclusion.verdict, finding.known, finding.unlisted) == ("nonconformant", (), 2)
    assert [violation.found for _, violation in finding.violations] == ["broken-2", "broken-3", "broken-1"]
    assert finding.explanation == "beside 1 known: expected this; found broken-2"
    assert standings(conclusion) == ["stale", "known"]


def test_several_entries_may_cover_a_failure_together() -> None:
    entries = (entry(found="broken-1"), entry(probe="broken-2"))
    conclusion = judged("broken-1", "broken-2", known=entries)

    assert (conclusion.verdict, conclusion.findings[0].known) == ("conformant", entries)


def test_the_one_unknown_violation_among_many_is_seen() -> None:
    """The finding keeps twenty violations; those that are let pass must not push out the others."""
    names = [f"broken-{number}" for number in range(40)]
    conclusion = judged(*names, "broken-x", known=[entry(found=f"broken-{digit}*") for digit in range(10)])

    assert conclusion.verdict == "nonconformant"
    assert conclusion.findings[0].violations[0][0] == "broken-x"


def test_a_known_failure_that_passes_fails_the_run() -> None:
    conclusion = judged("fine", known=[entry()])

    assert standings(conclusion) == ["stale"]
    assert conclusion.verdict == "nonconformant"
    assert conclusion.reason == "of the known failures, x.one is stale (the requirement passes)"


def test_a_stale_entry_and_a_failure_are_both_told() -> None:
    rows = (row(), row("x.two", level=Level.SHOULD))
    conclusion = judged("broken-1", known=[entry("x.two", found="else")], rows=rows)

    assert conclusion.reason == (
        "1 MUST failed; of the known failures, x.two (found else) is stale (the requirement fails in another way)"
    )


@pytest.mark.parametrize("until, standing", [(DAY, "known"), (date(2026, 6, 14), "expired")])
def test_an_entry_holds_through_its_last_day(until: date, standing: str) -> None:
    conclusion = judged("broken-1", known=[entry(until=until)])

    assert standings(conclusion) == [standing]
    assert (conclusion.verdict == "conformant") is (standing == "known")


def test_an_expired_entry_lists_nothing_and_says_why() -> None:
    conclusion = judged("broken-1", known=[entry(until=date(2026, 1, 1))])

    assert conclusion.findings[0].known == ()
    assert conclusion.reason == (
        "1 MUST failed; of the known failures, x.one is expired"
        " (it was known until 2026-01-01, and the run began on 2026-06-15)"
    )


def test_an_expired_entry_fails_a_run_that_did_not_look_at_it() -> None:
    rows = (row(), row("x.two"))
    conclusion = judged(
        "fine", known=[entry(until=date(2026, 1, 1))], rows=rows, filtered=["x.one"], left_out={"x.one": "not selected"}
    )

    assert (conclusion.verdict, standings(conclusion)) == ("nonconformant", ["expired"])


@pytest.mark.parametrize(
    "probes, header, why",
    [
        (["unseen-a"], {}, "inconclusive: unseen-a does not show it"),
        (["fine", "cloudy-a"], {}, "inconclusive: cloudy-a: cloudy-a was cut short"),
        (["crash"], {}, "error: the suite's own check failed on crash: KeyError: 'choices'"),
        (["fine"], {"filtered": ["x.one"], "left_out": {"x.one": "not selected"}}, "untested: not selected"),
        (["fine"], {"footer": None}, NOT_ASKED),
        (["fine"], {"footer": {"ended": "interrupted", "reason": ""}}, NOT_ASKED),
        (["fine-a"], {"made_for": ["fine-a", "broken-b"], "planned": ["fine-a"]}, NOT_ASKED),
    ],
)
def test_what_a_run_did_not_decide_is_neither_known_nor_stale(probes: list[str], header: Any, why: str) -> None:
    conclusion = judged(*probes, known=[entry()], rows=(row(), row("x.two", level=Level.MAY)), **header)

    assert standings(conclusion) == ["undecided"]
    assert conclusion.baseline is not None
    assert conclusion.baseline[0].explanation == why
    assert "known failures" not in conclusion.reason


@pytest.mark.parametrize(
    "pattern, planned, standing",
    [
        ("fine-a", ["fine-a"], "stale"),
        ("fine-*", ["fine-a"], "undecided"),
        ("fine-*", ["fine-a", "fine-b"], "stale"),
        ("fine-b", ["fine-a"], "undecided"),
        ("generated.*", ["fine-a", "fine-b"], "undecided"),
        ("unseen-c", ["fine-a", "fine-b", "unseen-c"], "undecided"),
    ],
)
def test_an_entry_of_one_probe_is_stale_only_where_that_probe_decided(
    pattern: str, planned: list[str], standing: str
) -> None:
    conclusion = judged(
        *planned, known=[entry(probe=pattern)], made_for=["fine-a", "fine-b", "unseen-c"], planned=planned
    )

    assert standings(conclusion) == [standing]


@pytest.mark.parametrize("triggers, standing", [([], "stale"), (["rate_limited"], "undecided")])
def test_a_probe_that_the_target_file_gives_no_trigger_for_keeps_no_entry_open(
    triggers: list[str], standing: str
) -> None:
    probes = [
        Probe(name=name, asks="It?", steps=(Step(trigger=own),)) for name, own in (("fine", ""), ("b", "rate_limited"))
    ]
    header = {**HEADER, "started": BEGUN, "plan": {"probes": {"fine": ""}}}
    conclusion = concluded(
        Evidence(
            header=header | {"target": {**HEADER["target"], "triggers": triggers}},
            exchanges=(exchange("fine"),),
            footer=COMPLETE,
        ),
        catalogue={"x.one": row()},
        checks={"x.one": replace(telling(), probes=tuple(probes))},
        baseline=[entry()],
    )

    assert standings(conclusion) == [standing]


def test_an_entry_is_not_stale_for_a_group_that_decided_nothing() -> None:
    def find(_control: Exchange, other: Exchange) -> Iterator[Violation]:
        if other.probe == "unseen":
            raise Unobservable("nothing to see")
        yield from ()

    def pairs(chosen: Sequence[Exchange], _all: Sequence[Exchange]) -> Iterator[tuple[Exchange, Exchange]]:
        yield from ((chosen[0], other) for other in chosen[1:])

    paired = check("x.one", when=lambda _: True, probes=(), groups=pairs)(find)
    conclusion = concluded(
        Evidence(
            header={**HEADER, "started": BEGUN, "plan": {"probes": {}}},
            exchanges=tuple(map(exchange, ("control", "fine", "unseen"))),
            footer=COMPLETE,
        ),
        catalogue={"x.one": row()},
        checks={"x.one": paired},
        baseline=[entry(probe="fine"), entry(probe="unseen")],
    )

    assert standings(conclusion) == ["stale", "undecided"]


def test_a_known_failure_takes_no_doubt_away() -> None:
    conclusion = judged("broken-1", known=[entry()], promised=["x.two"])

    assert (conclusion.verdict, standings(conclusion)) == ("incomplete", ["known"])
    assert conclusion.reason == "known to fail: x.one; promised and not judged: x.two"


def test_a_requirement_that_is_no_more_is_stale() -> None:
    conclusion = judged("fine", known=[entry("x.gone")])

    assert conclusion.reason == "of the known failures, x.gone is stale (no requirement has this id)"


@pytest.mark.parametrize("strict", [False, True])
def test_a_broken_should_may_be_known_too(strict: bool) -> None:  # noqa: FBT001  # a parameter
    conclusion = judged("broken-1", known=[entry()], rows=(row(level=Level.SHOULD),), strict=strict)

    assert (conclusion.verdict, standings(conclusion)) == ("conformant", ["known"])
    assert bool(conclusion.reason) is strict


def test_the_reason_tells_three_entries() -> None:
    rows = [row(f"x.r{number}") for number in range(3)]
    conclusion = judged("fine", known=[entry(each.id) for each in rows], rows=rows)

    assert conclusion.reason.endswith("; x.r2 is stale (the requirement passes)")


def test_the_reason_tells_three_entries_and_counts_the_rest() -> None:
    rows = [row(f"x.r{number}") for number in range(5)]
    conclusion = judged("fine", known=[entry(each.id) for each in rows], rows=rows)
    said = conclusion.reason.removeprefix("of the known failures, ").split("; ")

    assert [*said[:1], *said[2:]] == [
        "x.r0 is stale (the requirement passes)",
        "x.r2 is stale (the requirement passes)",
        "and 2 more",
    ]


def test_an_aborted_run_knows_of_no_failure() -> None:
    footer = {"ended": "aborted", "reason": "refused the key"}
    known, unknown = (judged("broken-1", known=entries, footer=footer).findings[0] for entries in ([entry()], []))

    assert [(each.verdict, each.listed, each.unlisted) for each in (known, unknown)] == [("inconclusive", (), 0)] * 2


def test_an_aborted_run_stays_aborted() -> None:
    footer = {"ended": "aborted", "reason": "refused the key"}
    conclusion = judged("fine", known=[entry(until=date(2026, 1, 1))], footer=footer)

    assert (conclusion.verdict, conclusion.reason) == ("aborted", "refused the key")


def test_the_words_of_standings_are_those_of_the_report() -> None:
    listed = schema.document("report.schema.json")["$defs"]["listed"]["properties"]["standing"]["enum"]

    assert [*Standing] == listed
