"""A baseline from end to end: drafted, filled in, in force, shown, judged again."""

import io
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from conformance import schema
from conformance.baseline import loaded
from conformance.report import html, junit, markdown, terminal
from conformance.report.draft import draft
from conformance.report.visible import visible
from conformance.server import answers
from conformance.server.answers import Head
from conformance.server.app import Behaviour
from conformance.server.generation import Completion
from conformance.server.hosting import serve_in_thread
from conformance.server.site import DEFAULT_KEY
from conformance.target import BadInput
from tests import hostile_runs
from tests import report_samples as samples
from tests.commands import Done, called, refused, report_in, suites
from tests.test_report_html import Document, assert_sound
from tests.test_report_markdown import rendered

BROKEN = "response.status-ok"
FILLED = {
    'reason = ""': 'reason = "The gateway says fine until 4.2."',
    'link = ""': 'link = "https://issues.example.com/17"',
    'until = ""': "until = 2199-12-31",
}
SAID = "The gateway says fine until 4.2., https://issues.example.com/17, until 2199-12-31"


def status_not_ok(head: Head, completion: Completion) -> Mapping[str, Any]:
    return {**answers.envelope(head, completion), "status": "fine"}


def filled(text: str) -> str:
    for blank, value in FILLED.items():
        text = text.replace(blank, value)
    return text


def listing(*tables: str) -> str:
    """A filled-in baseline; each table is what an entry has beside its reason, link and last day."""
    return filled("\n".join("\n".join(("[[known]]", table, *FILLED)) for table in tables)) + "\n"


def written(file: Path, *tables: str) -> Path:
    file.write_text(listing(*tables), encoding="utf-8")
    return file


def ran(place: Path, *options: object, faulty: bool = True, only: str = BROKEN) -> Done:
    """A run of one requirement against a server that breaks it, or against one that does not."""
    with serve_in_thread(conduct=lambda _: Behaviour(envelope=status_not_ok) if faulty else Behaviour()) as url:
        words = [url, "--model", "reference/mini", "--only", only, "--output", place]
        return called("run", *words, *options, key=DEFAULT_KEY)


def row_in(report: Mapping[str, Any], identity: str = BROKEN) -> dict[str, Any]:
    return next(dict(row) for row in report["requirements"] if row["id"] == identity)


def files(place: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in place.iterdir() if not file.name.startswith("evidence")}


# In a run


def test_a_draft_is_refused_until_it_is_filled_in_and_then_lets_the_failure_pass(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    assert ran(tmp_path / "first").code == 1
    drafted = called("baseline", tmp_path / "first", "--output", known)
    unfilled = ran(tmp_path / "second", "--baseline", known)
    known.write_text(filled(known.read_text(encoding="utf-8")), encoding="utf-8")
    done = ran(tmp_path / "third", "--baseline", known)

    assert (drafted.code, drafted.said) == (0, "")
    assert f"known 1 ({BROKEN}): reason is left to fill in" in refused(unfilled)
    assert not (tmp_path / "second").exists()
    assert done.code == 0, done.said
    report = report_in(tmp_path / "third")
    assert (report["verdict"], report["reason"]) == ("conformant", f"known to fail: {BROKEN}")
    assert report["classes"]["core"] == "nonconformant"
    row = row_in(report)
    assert row["verdict"] == "fail"
    assert [", ".join((each["reason"], each["link"], f"until {each['until']}")) for each in row["known"]] == [SAID]
    assert [(each["requirement"], each["standing"]) for each in report["baseline"]] == [(BROKEN, "known")]


def test_a_run_without_a_baseline_says_nothing_of_one(tmp_path: Path) -> None:
    ran(tmp_path / "run")

    assert "baseline" not in report_in(tmp_path / "run")
    assert "known" not in row_in(report_in(tmp_path / "run"))
    assert "baseline" not in json.loads((tmp_path / "run" / "evidence.jsonl").read_text().splitlines()[0])


def test_an_empty_baseline_is_in_force_and_changes_nothing(tmp_path: Path) -> None:
    known = tmp_path / "known.toml"
    known.write_text("", encoding="utf-8")
    done = ran(tmp_path / "run", "--baseline", known)

    assert done.code == 1
    assert report_in(tmp_path / "run")["baseline"] == []


def test_the_run_carries_its_baseline_so_that_judging_again_gives_the_same_bytes(tmp_path: Path) -> None:
    known = written(tmp_path / "known.toml", f'requirement = "{BROKEN}"')
    ran(tmp_path / "run", "--baseline", known)
    known.unlink()
    before = files(tmp_path / "run")
    again = called("judge", tmp_path / "run", "--output", tmp_path / "again")
    called("report", tmp_path / "run")

    assert again.code == 0
    assert files(tmp_path / "again") == before == files(tmp_path / "run")


def test_judging_takes_another_baseline_in_the_place_of_the_runs_own(tmp_path: Path) -> None:
    known = written(tmp_path / "known.toml", f'requirement = "{BROKEN}"')
    none = written(tmp_path / "none.toml")
    ran(tmp_path / "run")
    passed = called("judge", tmp_path / "run", "--baseline", known, "--output", tmp_path / "passed")
    failed = called("judge", tmp_path / "run", "--baseline", none, "--output", tmp_path / "failed")
    own = called("judge", tmp_path / "run")

    assert (passed.code, failed.code, own.code) == (0, 1, 1)
    assert [len(report_in(tmp_path / name)["baseline"]) for name in ("passed", "failed")] == [1, 0]
    assert "baseline" not in report_in(tmp_path / "run")


def test_an_entry_that_had_not_expired_when_the_run_began_holds_whenever_it_is_judged(tmp_path: Path) -> None:
    known = written(tmp_path / "known.toml", f'requirement = "{BROKEN}"')
    known.write_text(known.read_text().replace("2199-12-31", "2001-09-09"), encoding="utf-8")
    ran(tmp_path / "run")
    evidence = tmp_path / "run" / "evidence.jsonl"
    head, rest = evidence.read_text(encoding="ascii").split("\n", 1)
    started = {"before": 1_000_000_000, "after": 1_000_000_000 + 86_400}  # the 9th and the 10th of September 2001
    codes = {}
    for name, moment in started.items():
        evidence.write_text(json.dumps(json.loads(head) | {"started": moment}) + "\n" + rest, encoding="ascii")
        codes[name] = called("judge", tmp_path / "run", "--baseline", known, "--output", tmp_path / name).code

    assert codes == {"before": 0, "after": 1}
    assert "is expired (it was known until 2001-09-09" in report_in(tmp_path / "after")["reason"]
    assert row_in(report_in(tmp_path / "after")).get("known") is None


def test_a_listed_failure_that_passes_fails_the_gate_and_the_entry_is_named(tmp_path: Path) -> None:
    known = written(tmp_path / "known.toml", f'requirement = "{BROKEN}"')
    done = ran(tmp_path / "run", "--baseline", known, faulty=False)

    assert done.code == 1
    report = report_in(tmp_path / "run")
    assert report["reason"] == f"of the known failures, {BROKEN} is stale (the requirement passes)"
    assert report["counts"]["fail"] == 0
    assert "Known failures that no longer hold: 1" in done.out
    root = ET.fromstring((tmp_path / "run" / "junit.xml").read_bytes())
    red = [case.get("name") for case in root.iter("testcase") if case.find("failure") is not None]
    assert red == [f"{BROKEN} stale"]


def test_a_narrow_entry_lets_pass_what_fits_it_and_nothing_else(tmp_path: Path) -> None:
    narrow = f'requirement = "{BROKEN}"\nwhere = "/status"\nfound = '
    fitting = written(tmp_path / "fitting.toml", narrow + "'\"f*\"'")
    other = written(tmp_path / "other.toml", narrow + "'\"good\"'")
    ran(tmp_path / "run")

    assert called("judge", tmp_path / "run", "--baseline", fitting, "--output", tmp_path / "one").code == 0
    assert called("judge", tmp_path / "run", "--baseline", other, "--output", tmp_path / "two").code == 1
    assert "is stale (the requirement fails in another way)" in report_in(tmp_path / "two")["reason"]


def test_what_was_not_selected_is_neither_known_nor_stale(tmp_path: Path) -> None:
    known = written(tmp_path / "known.toml", f'requirement = "{BROKEN}"')
    done = ran(tmp_path / "run", "--baseline", known, only="auth.wrong-refused")

    assert done.code == 0
    (entry,) = report_in(tmp_path / "run")["baseline"]
    assert (entry["standing"], entry["explanation"]) == ("undecided", "untested: not selected")


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
def test_a_mistake_in_the_baseline_is_told_before_anything_is_sent(tmp_path: Path, options: list[str]) -> None:
    known = written(tmp_path / "known.toml", 'requirement = "response.status-okay"')
    with hostile_runs.counts_connections() as server:
        words = [server.url, "--model", "m", "--output", tmp_path / "run", "--baseline", known]
        message = refused(called("run", *words, *options))

    assert "no requirement has the id 'response.status-okay'; did you mean response.status-ok?" in message
    assert server.connections == 0
    assert not (tmp_path / "run").exists()


def test_evidence_whose_baseline_was_edited_is_refused(tmp_path: Path) -> None:
    ran(tmp_path / "run")
    evidence = tmp_path / "run" / "evidence.jsonl"
    head, rest = evidence.read_text(encoding="ascii").split("\n", 1)
    entry = {"requirement": BROKEN, "reason": "x", "link": "https://x", "until": "2026-02-30"}
    for wrong, said in (
        ([entry], "day is out of range"),
        ([{}], "/baseline/0: 'link' is missing"),
        ([entry | {"until": "soon"}], "/baseline/0/until: expected of the form"),
    ):
        evidence.write_text(json.dumps(json.loads(head) | {"baseline": wrong}) + "\n" + rest, encoding="ascii")
        assert said in refused(called("judge", tmp_path / "run"))


# Under pytest


def judged_by_pytest(place: Path, known: Path, *, faulty: bool) -> tuple[Done, dict[str, list[str]]]:
    own = place / "own.xml"
    with serve_in_thread(conduct=lambda _: Behaviour(envelope=status_not_ok) if faulty else Behaviour()) as url:
        words = ["--target", url, "--model", "reference/mini", "-k", "status-ok or wrong-refused"]
        options = ["--conformance-output", place / "run", "--conformance-baseline", known, f"--junitxml={own}"]
        done = suites(*words, *options, place=place, key=DEFAULT_KEY)
    cases = ET.fromstring(own.read_bytes()).iter("testcase")
    return done, {case.attrib["name"]: [f"{child.tag}: {child.get('message')}" for child in case] for case in cases}


def test_pytest_shows_a_known_failure_as_an_expected_one(tmp_path: Path) -> None:
    done, items = judged_by_pytest(tmp_path, written(tmp_path / "known.toml", f'requirement = "{BROKEN}"'), faulty=True)

    assert done.code == 0, done.said
    assert items[f"test_response[{BROKEN}]"] == [f"skipped: known failure: {SAID}"]
    assert f"conformant: known to fail: {BROKEN}" in done.out


def test_pytest_fails_on_a_known_failure_that_passes(tmp_path: Path) -> None:
    done, items = judged_by_pytest(
        tmp_path, written(tmp_path / "known.toml", f'requirement = "{BROKEN}"'), faulty=False
    )

    assert done.code == 1
    (told,) = items[f"test_response[{BROKEN}]"]
    assert told.startswith("error: ")
    assert f"the baseline lists {BROKEN}, which is stale: the requirement passes" in told
    assert items["test_auth[auth.wrong-refused]"] == []


def test_pytest_refuses_a_baseline_with_a_mistake(tmp_path: Path) -> None:
    done = suites("--conformance-baseline", tmp_path / "lost.toml", "-k", "status-ok", place=tmp_path, key=None)

    assert done.code == 2
    assert "lost.toml: no such file; give the path of a baseline (TOML)" in done.said


# Drafts


def read(file: Path, text: str) -> list[dict[str, str]]:
    """The entries of a filled-in draft, as its TOML has them."""
    file.write_text(text, encoding="utf-8")
    return [
        {name: str(value) for name, value in entry.items() if name not in ("reason", "link", "until")}
        for entry in tomllib.loads(text).get("known", [])
    ]


def test_a_draft_never_overwrites_what_may_be_filled_in(tmp_path: Path) -> None:
    ran(tmp_path / "run")
    file = tmp_path / "known.toml"
    file.write_text("mine", encoding="utf-8")

    assert "is there already, perhaps filled in; give another --output" in refused(
        called("baseline", tmp_path / "run", "--output", file)
    )
    assert file.read_text(encoding="utf-8") == "mine"
    assert "cannot be written" in refused(called("baseline", tmp_path / "run", "--output", file / "below"))


def test_a_draft_is_printed_where_no_file_is_named(tmp_path: Path) -> None:
    ran(tmp_path / "run")
    done = called("baseline", tmp_path / "run")

    assert done.code == 0
    assert f'requirement = "{BROKEN}"' in done.out
    assert "no such file; chat-conformance judge" in refused(called("baseline", tmp_path))


def test_a_draft_lists_what_decides_the_verdict(tmp_path: Path) -> None:
    found = read(tmp_path / "known.toml", draft(samples.mixed()))
    strict = read(tmp_path / "known.toml", draft(samples.mixed(strict=True)))

    assert [entry["requirement"] for entry in found] == ["response.data-id", "stream.done-is-last"]
    assert [entry["requirement"] for entry in strict] == [
        "response.data-id",
        "stream.done-is-last",
        "stream.unbuffered",
    ]


def test_a_draft_of_a_run_without_failures_is_a_baseline_without_entries(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(draft(samples.clean()), encoding="utf-8")

    assert loaded(file, requirements=(), probes=()) == ()


def test_a_draft_offers_each_of_a_few_ways_and_the_places_of_many() -> None:
    few = draft(failing(samples.violation(), samples.violation("response.bern", where="ending")))
    many = draft(failing(*(samples.violation(where=f"/{number}") for number in range(5))))

    assert '# probe = "stream.greeting"\n# where = "bytes *"\n' in few
    assert '# probe = "response.bern"\n# where = "ending"\n' in few
    assert '# where = "/2"\n# and in 2 more ways, which report.json tells\n' in many
    assert "# probe" not in many


def test_what_a_draft_offers_to_narrow_an_entry_fits_what_was_seen(tmp_path: Path) -> None:
    ran(tmp_path / "run")
    text = draft(report_in(tmp_path / "run"))
    ways = re.findall(r"narrowed to it:\n((?:# \w+ = .*\n)+)", text)
    tables = [f'requirement = "{BROKEN}"\n' + way.replace("# ", "").rstrip() for way in ways]
    known = written(tmp_path / "known.toml", *tables)

    assert len(ways) > 1
    assert all(way.endswith('# where = "/status"\n') for way in ways)
    assert called("judge", tmp_path / "run", "--baseline", known).code == 0


def entry(standing: str, **members: str) -> dict[str, str]:
    told = {"reason": "It is old.", "link": "https://issues.example.com/17", "until": "2026-12-31"}
    return {"requirement": "stream.done-is-last", **told, "standing": standing, "explanation": "", **members}


def failing(*violations: dict[str, str], **changes: Any) -> dict[str, Any]:
    rows = [samples.row("stream.done-is-last", "fail", violations=list(violations))]
    return samples.report(rows, [samples.GREETING, samples.BERN], **changes)


def test_a_draft_keeps_entries_that_hold_and_asks_for_a_new_day_of_the_expired() -> None:
    kept = draft(failing(samples.violation(), baseline=[entry("known"), entry("undecided"), entry("stale")]))
    expired = draft(failing(samples.violation(), baseline=[entry("expired")]))

    assert (kept.count("[[known]]"), kept.count('""'), kept.count("until = 2026-12-31\n")) == (2, 0, 2)
    assert (expired.count("[[known]]"), expired.count('""')) == (1, 1)
    assert 'reason = "It is old."\nlink = "https://issues.example.com/17"\nuntil = ""  # was 2026-12-31\n' in expired


def test_a_draft_beside_a_narrow_entry_lists_only_what_it_does_not_cover(tmp_path: Path) -> None:
    report = failing(
        samples.violation(where="bytes 6-12"),
        samples.violation(where="ending"),
        samples.violation(where="bytes 40-52"),
        samples.violation("response.bern", where="bytes 1-2"),
        baseline=[entry("known", where="ending")],
    )

    assert read(tmp_path / "known.toml", draft(report))[1:] == [
        {"requirement": "stream.done-is-last", "probe": "stream.greeting", "where": "bytes *"},
        {"requirement": "stream.done-is-last", "probe": "response.bern", "where": "bytes *"},
    ]


def test_a_draft_of_what_only_generated_requests_showed_is_of_these_alone(tmp_path: Path) -> None:
    found = samples.streamed([b"x"], probe="generated.valid-7")
    rows = [samples.row("stream.done-is-last", "fail", violations=[samples.violation(found.id)])]

    assert read(tmp_path / "known.toml", draft(samples.report(rows, [found]))) == [
        {"requirement": "stream.done-is-last", "probe": "generated.*"}
    ]


@settings(deadline=None, max_examples=60)
@given(text=st.text(st.characters(), max_size=40))
@example(text='"\\\x00\x7f\x85\ud800\U0001f600\r\n')
def test_a_draft_of_any_text_is_toml(text: str) -> None:
    report = samples.hostile(text)[0]
    report["baseline"] = [entry("known", reason=text, found=text), entry("known", where=text)]
    known = tomllib.loads(draft(report))["known"]

    plain = text.encode("utf-8", "replace").decode()
    assert (known[0]["reason"], known[0]["found"], known[1]["where"]) == (plain, plain, plain)


def test_an_unfilled_draft_of_samples_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(draft(samples.mixed()), encoding="utf-8")
    names = ("response.data-id", "stream.done-is-last")

    with pytest.raises(
        BadInput, match=r"known 1 \(response.data-id\): reason is left to fill in; .*and 5 more mistakes\)"
    ):
        loaded(file, requirements=names, probes=names)
    file.write_text(filled(draft(samples.mixed())), encoding="utf-8")
    assert [each.requirement for each in loaded(file, requirements=names, probes=names)] == list(names)


# The formats


def with_baseline(text: str = "It is old.") -> dict[str, Any]:
    """A report with a known failure of each level, a failure, and an entry of each standing."""
    said = [{"reason": text, "link": "https://issues.example.com/17", "until": "2026-12-31"}]
    rows = [
        samples.row("stream.done-is-last", "fail", known=said),
        samples.row("stream.unbuffered", "fail", level="SHOULD", known=said * 2),
        samples.row("response.status-ok"),
    ]
    words = ("known", "stale", "expired", "undecided")
    listed = [entry(word, requirement=f"x.{word}", reason=text, explanation=text, where="ending") for word in words]
    return samples.report(rows, [samples.GREETING, samples.BERN], baseline=listed, reason="x")


def held(report: dict[str, Any]) -> dict[str, Any]:
    """The report as of a run whose entries all hold."""
    return report | {"baseline": report["baseline"][:1], "verdict": "conformant"}


def printed(report: dict[str, Any]) -> str:
    file = io.StringIO()
    terminal.print_report(report, Console(file=file, _environ={}, width=1000))
    return file.getvalue()


EXCUSE = "It is old., https://issues.example.com/17, until 2026-12-31"


def test_the_sample_is_a_report() -> None:
    for report in (with_baseline(), held(with_baseline()), with_baseline("\x00<a>")):
        assert schema.defects("report.schema.json", report) == ()


def test_a_known_failure_must_be_a_failure() -> None:
    report = samples.report([samples.row("a.b", known=[{"reason": "x", "link": "x", "until": "2026-01-01"}])])

    assert [each.pointer for each in schema.defects("report.schema.json", report)] == ["/requirements/0/verdict"]


def test_the_terminal_tells_known_failures_apart_and_names_lapsed_entries() -> None:
    lines = [line.strip() for line in printed(with_baseline()).splitlines()]

    assert not any(line.startswith(("Failures", "Warnings")) for line in lines)
    assert "Known failures: 2" in lines
    assert f"known: {EXCUSE}" in lines
    assert "Known failures that no longer hold: 2" in lines
    assert f"x.stale (where ending) is stale: It is old.; it said: {EXCUSE}" in lines
    assert lines[-1] == "NONCONFORMANT  2 lapsed, 2 known, 1 passed"
    assert lines[-2].startswith("An entry of the baseline no longer holds, and nothing in force was broken beside it.")


def test_a_run_that_is_conformant_but_for_known_failures_says_so() -> None:
    report = held(with_baseline())
    said = "Every MUST in force was kept, as far as this run could show it, but for known failures."

    assert said in printed(report)
    assert said in markdown.summary(report)
    assert said in html.page(report, [samples.GREETING])
    assert said not in printed(samples.clean())


def test_the_summary_has_known_failures_with_why() -> None:
    text = rendered(markdown.summary(with_baseline())).text

    assert "Known failures: 2" in text
    assert f"Known: {EXCUSE}" in text
    assert "Known failures that no longer hold: 2" in text
    assert f"x.expired (where ending) is expired: It is old.; it said: {EXCUSE}" in text


def test_the_page_has_known_failures_with_why() -> None:
    document = Document(html.page(with_baseline(), [samples.GREETING]))

    assert_sound(document)
    assert document.text.count(f"Known: {EXCUSE}") == 2
    assert f"x.stale (where ending) is stale: It is old.; it said: {EXCUSE}" in document.text
    assert "4 known failures listed" in document.text


def test_junit_skips_a_known_failure_and_fails_a_lapsed_entry() -> None:
    root = ET.fromstring(junit.document(with_baseline()))
    cases = {case.get("name"): [(child.tag, child.get("message")) for child in case] for case in root.iter("testcase")}
    why = {case.get("name"): case.findtext("skipped") for case in root.iter("testcase")}

    assert cases["stream.done-is-last"] == [("skipped", None), ("system-out", None)]
    assert why["stream.done-is-last"] == f"known failure: {EXCUSE}"
    assert why["stream.unbuffered"] == f"known failure: {EXCUSE}; {EXCUSE}"
    assert [name for name, children in cases.items() if children and children[0][0] == "failure"] == [
        "x.stale (where ending) stale",
        "x.expired (where ending) expired",
    ]
    assert (root.get("failures"), root.get("errors")) == ("2", "0")


def test_junit_is_green_where_every_entry_holds() -> None:
    root = ET.fromstring(junit.document(held(with_baseline())))

    assert (root.get("failures"), root.get("errors")) == ("0", "0")
    assert len(root.findall(".//skipped")) == 2


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\x00\x1b[2J\u202e", "]]>", "a|b`@team", "\ud800"])
def test_a_hostile_reason_is_shown_as_text(text: str) -> None:
    report = with_baseline(text)
    document = Document(html.page(report, [samples.GREETING]))

    assert_sound(document)
    assert f"Known: {visible(text)}, https" in document.text
    assert f"known: {visible(text)}, https" in printed(report)
    assert f"Known: {visible(text)}, https" in rendered(markdown.summary(report)).text
    assert f"known failure: {visible(text)}, https" in ET.tostring(
        ET.fromstring(junit.document(report)), encoding="unicode"
    ).replace("&lt;", "<").replace("&gt;", ">")
