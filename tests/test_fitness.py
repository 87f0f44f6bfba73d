"""Which runs are fit for a certificate, and what is said of the others."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance import __version__, fitness, stored
from conformance.finding import Finding, Verdict
from conformance.fitness import Case, case, spoken_of, unfit
from conformance.requirement import CLASSES
from conformance.selection import Selection
from conformance.server.faults import FAULTS
from conformance.server.variants import VARIANTS
from conformance.target import BadInput, Limits
from tests.certifying import WHOLE, ran


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ran(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def made(whole: Path) -> Case:
    return case(whole)


def reasons(made: Case, *classes: str) -> list[str]:
    return list(unfit(made, classes or CLASSES))


def with_header(made: Case, **members: Any) -> Case:
    return replace(made, evidence=replace(made.evidence, header={**made.evidence.header, **members}))


def with_finding(made: Case, identity: str, **members: Any) -> Case:
    """The case with another finding on one requirement."""

    def changed(finding: Finding) -> Finding:
        return replace(finding, **members) if finding.requirement.id == identity else finding

    findings = tuple(changed(finding) for finding in made.conclusion.findings)
    return replace(made, conclusion=replace(made.conclusion, findings=findings))


def test_a_whole_run_is_fit_for_every_class(made: Case) -> None:
    assert spoken_of(made) == CLASSES
    assert reasons(made) == []


def test_what_lacks_a_backend_or_cannot_be_seen_by_anybody_is_forgiven(made: Case) -> None:
    untested = [finding for finding in made.conclusion.findings if finding.verdict is Verdict.UNTESTED]

    assert {finding.requirement.id for finding in untested} >= {"tools.exact-calls", "parameters.coercion"}


def test_a_run_without_generated_requests_is_fit_for_all_classes_but_the_one_that_needs_them(tmp_path: Path) -> None:
    made = case(ran(tmp_path, selection=Selection()))
    (reason,) = reasons(made)

    assert reason.startswith("parameters: not asked: parameters.generated-accepted, ")
    assert reason.endswith(": needs generated requests (--examples)")
    assert reasons(made, *(name for name in CLASSES if name != "parameters")) == []


def test_a_run_of_one_class_is_fit_for_that_class_alone(tmp_path: Path) -> None:
    made = case(ran(tmp_path, selection=Selection(classes=("core",))))

    assert spoken_of(made) == ("core",)
    assert reasons(made, "core") == []
    (reason,) = reasons(made, "messages")
    assert reason.startswith("messages: not asked: ")
    assert reason.endswith(": not selected")


@pytest.mark.parametrize("selection", [Selection(only=("stream.done",)), Selection(bases=("stated",))])
def test_a_run_of_a_part_of_a_class_is_not_fit_for_it(tmp_path: Path, selection: Selection) -> None:
    (reason,) = reasons(case(ran(tmp_path, selection=selection)), "streaming")

    assert reason.startswith("streaming: not asked: stream.")
    assert reason.endswith(" more: not selected")


def test_a_quick_run_is_fit_for_nothing(tmp_path: Path) -> None:
    found = reasons(case(ran(tmp_path, selection=replace(WHOLE, quick=True))), "core")

    assert "the run was --quick, which asks too little" in found


def test_a_run_without_room_for_its_plan_is_not_fit(tmp_path: Path) -> None:
    made = case(ran(tmp_path, selection=Selection(), limits=Limits(max_requests=60)))
    found = " ".join(reasons(made))

    assert "not asked: " in found
    assert "over the limits of requests or tokens" in found


def test_a_class_whose_verdicts_come_from_other_probes_than_its_own_is_not_fit(made: Case) -> None:
    plan = {**made.evidence.header["plan"]}
    plan["probes"] = {name: asks for name, asks in plan["probes"].items() if name != "stream.greeting"}
    (reason,) = reasons(with_header(made, plan=plan), "streaming")

    assert reason == "streaming: not planned: stream.greeting; give the run room (--max-requests, --max-tokens)"


def fault(identity: str) -> Any:
    return next(each for each in FAULTS if each.id == identity)


def test_a_class_with_a_broken_must_is_not_fit_and_the_others_are(tmp_path: Path) -> None:
    made = case(ran(tmp_path, fault("no-done")))

    assert "streaming: fail: stream.done" in " ".join(reasons(made))
    assert reasons(made, "core", "tools") == []


def test_a_broken_should_spoils_a_class_in_a_strict_run_only(tmp_path: Path) -> None:
    for strict, found in ((False, []), (True, ["streaming: fail: stream.line-feeds"])):
        selection = replace(WHOLE, strict=strict)
        made = case(ran(tmp_path / str(strict), fault("crlf-in-error-events"), selection=selection))
        assert reasons(made, "streaming") == found


def test_a_class_that_does_not_apply_is_not_certified(made: Case) -> None:
    audio = [each for each in made.conclusion.findings if each.requirement.certifies == "audio"]
    for finding in audio:
        made = with_finding(
            made, finding.requirement.id, verdict=Verdict.NOT_APPLICABLE, explanation="no audio", excused=True
        )
    classes = {**made.conclusion.classes, "audio": "not_applicable"}
    made = replace(made, conclusion=replace(made.conclusion, classes=classes))

    assert "audio" not in spoken_of(made)
    assert reasons(made, "audio") == ["audio: no MUST of it was decided: no audio"]


def test_an_undecided_must_spoils_its_class(made: Case) -> None:
    made = with_finding(made, "stream.done", verdict=Verdict.INCONCLUSIVE)

    assert reasons(made, "streaming") == ["streaming: inconclusive: stream.done"]
    assert reasons(made, "core") == []


def test_a_must_that_is_untested_without_excuse_spoils_its_class(made: Case) -> None:
    made = with_finding(made, "stream.done", verdict=Verdict.UNTESTED, explanation="who knows", excused=False)

    assert reasons(made, "streaming") == ["streaming: not asked: stream.done: who knows"]


def test_a_class_that_is_partial_for_another_reason_is_not_fit(made: Case) -> None:
    classes = {**made.conclusion.classes, "core": "partial"}
    made = replace(made, conclusion=replace(made.conclusion, classes=classes))

    assert reasons(made, "core") == ["core: not all of it was asked"]


def test_an_error_of_the_suite_spoils_the_run(made: Case) -> None:
    assert reasons(with_finding(made, "stream.done", verdict=Verdict.ERROR), "core") == [
        "the suite itself failed on stream.done"
    ]


def test_no_class_at_all_is_nothing_to_certify(made: Case) -> None:
    assert list(unfit(made, ())) == ["it says nothing of any class"]


def test_a_run_of_another_version_or_catalogue_is_not_fit(made: Case) -> None:
    suite = made.evidence.header["suite"]
    for other in ({**suite, "version": "0.0.9"}, {**suite, "catalogue": "sha256:0"}):
        (reason,) = reasons(with_header(made, suite=other), "core")
        assert reason.startswith(f"the run was made by chat-conformance {other['version']} with another catalogue")


def test_a_contract_that_is_not_the_frozen_one_certifies_nothing(made: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    for held in (None, {"catalogue": "sha256:0", "schemas": "sha256:0"}):
        monkeypatch.setattr(fitness, "frozen", lambda _version, held=held: held)
        (reason,) = reasons(made, "core")
        assert f"are not those that version {__version__} was frozen with; install the released version" in reason


def test_a_run_with_a_baseline_is_not_fit(made: Case) -> None:
    said = ["the run had a baseline of known failures; certify one without"]

    assert reasons(with_header(made, baseline={"stream.done": "known"}), "core") == said
    assert reasons(with_header(made, baseline={}), "core") == []
    assert said[0] in reasons(replace(made, report={**made.report, "baseline": ["stream.done"]}), "core")


# The files as they lie there.


@contextmanager
def edited(whole: Path, place: Path) -> Iterator[list[dict[str, Any]]]:
    """The records of a copy's evidence, to be changed in the block; the report is judged anew after it."""
    records = [json.loads(line) for line in (whole / "evidence.jsonl").read_bytes().splitlines()]
    yield records
    lines = [json.dumps(record, separators=(",", ":")).encode() + b"\n" for record in records]
    (place / "evidence.jsonl").write_bytes(b"".join(lines))
    stored.write_reports(place, stored.judged(place).report, place)


def test_a_run_that_was_stopped_is_not_fit(whole: Path, tmp_path: Path) -> None:
    with edited(whole, tmp_path) as records:
        records[-1]["ended"] = "interrupted"

    assert reasons(case(tmp_path), "core")[0].startswith("the run was interrupted; only one that ended by itself")


def test_a_run_without_its_end_is_not_fit(whole: Path, tmp_path: Path) -> None:
    with edited(whole, tmp_path) as records:
        del records[-1]

    assert reasons(case(tmp_path), "core")[0].startswith("the run was cut short; ")


def test_evidence_without_an_exchange_that_was_planned_is_not_whole(whole: Path, tmp_path: Path) -> None:
    with edited(whole, tmp_path) as records:
        (lost,) = [record for record in records if record.get("probe") == "plain.minimal"]
        records.remove(lost)
    missing, uncounted, *_ = reasons(case(tmp_path), "core")

    assert missing == "the evidence lacks what was planned: plain.minimal"
    assert uncounted.startswith("the evidence holds ")


def test_a_request_that_was_taken_out_is_missed_though_its_probe_was_seen(whole: Path, tmp_path: Path) -> None:
    with edited(whole, tmp_path) as records:
        second = next(record for record in records if record.get("step") == 1)
        records.remove(second)
        requests = records[-1]["requests"]

    assert f"the evidence holds {requests - 1} requests, and its footer counts {requests}" in reasons(case(tmp_path))


def test_a_request_that_was_made_again_is_counted(tmp_path: Path) -> None:
    busy = next(each for each in VARIANTS if each.id == "busy-at-first")
    made = case(ran(tmp_path, busy))

    assert any(exchange.retried for exchange in made.evidence.exchanges)
    assert reasons(made) == []


def test_a_report_that_is_not_what_judging_gives_is_not_fit(made: Case) -> None:
    for other in (b"", made.report_json + b"\n", made.report_json.replace(b'"pass"', b'"fail"', 1)):
        assert other != made.report_json
        (reason,) = reasons(replace(made, report_json=other), "core")
        assert reason == "report.json is not what judging the evidence gives; chat-conformance judge writes it anew"


def test_a_directory_without_a_report_says_so(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "evidence.jsonl").write_bytes((whole / "evidence.jsonl").read_bytes())

    with pytest.raises(BadInput, match=r"report\.json: no such file"):
        case(tmp_path)


def test_a_file_that_is_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        fitness.content_of(tmp_path)
