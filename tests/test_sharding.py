"""A run in shards gives the verdicts of a run in one piece, and only all of its shards give any."""

import asyncio
import json
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from conformance import evidence, run, sharding, stored
from conformance.checks import CHECKS
from conformance.embedded import embedded_target
from conformance.generate.asked import AGAIN, DEFECT, TEXT
from conformance.plan import Plan
from conformance.requirement import catalogue
from conformance.selection import Selection, Shard
from conformance.server.faults import FAULTS
from conformance.server.faults.hidden import FAULTS as HIDDEN
from conformance.server.hosting import serve_in_thread
from conformance.server.moods import moody_services
from conformance.server.site import Site
from conformance.target import BadInput, Key, Limits, Target
from tests.commands import COMMAND, PATIENCE, command, environment, refused, report_in, verdicts

KEY: Final = Key("sgk_" + "6b" * 20)
TARGET: Final = Target(url="http://127.0.0.1:9", model="m", max_output_tokens=512)


def sent(place: Path, target: Target, selection: Selection) -> Path:
    place.mkdir(parents=True)
    asked = run.plan(target, selection)
    asyncio.run(run.observed(place, target=target, key=KEY, selection=selection, asked=asked))
    return place


def in_shards(place: Path, target: Target, selection: Selection, of: int) -> list[Path]:
    """The directories of all shards, each sent by itself."""
    return [
        sent(place / f"shard-{number}", target, replace(selection, shard=Shard(number=number, of=of)))
        for number in range(1, of + 1)
    ]


def found(place: Path) -> dict[str, str]:
    """The verdict on each requirement, and on the run."""
    judgement = stored.judged(place)
    return {**verdicts(judgement.report), "": judgement.conclusion.verdict}


def together(place: Path, shards: Sequence[Path]) -> dict[str, str]:
    stored.merge(shards, place)
    return found(place)


# The same verdicts.


def test_the_reference_server_gets_the_same_verdicts_in_any_number_of_shards(tmp_path: Path) -> None:
    with embedded_target(limits=Limits(), key=KEY) as target:
        whole = found(sent(tmp_path / "whole", target, Selection()))
        merged = {
            of: together(tmp_path / f"merged-{of}", in_shards(tmp_path / f"of-{of}", target, Selection(), of))
            for of in (2, 3, 5)
        }

    assert whole[""] == "conformant"
    assert merged == dict.fromkeys((2, 3, 5), whole)


@pytest.mark.parametrize(
    "name", ["no-done", "auth-takes-any-key", "tools-arguments-an-object", "response-id-of-the-page"]
)
def test_a_faulty_server_gets_the_same_verdicts_in_shards(tmp_path: Path, name: str) -> None:
    fault = next(fault for fault in FAULTS if fault.id == name)
    with embedded_target(limits=Limits(), key=KEY, deviations=(fault,)) as target:
        whole = found(sent(tmp_path / "whole", target, Selection()))
        merged = together(tmp_path / "merged", in_shards(tmp_path, target, Selection(), 3))

    assert "fail" in whole.values()
    assert merged == whole


@pytest.mark.parametrize("mood", ["silent", "tool-shy"])
def test_what_a_model_leaves_undecided_is_asked_again_in_shards_as_in_the_whole(tmp_path: Path, mood: str) -> None:
    site = Site(keys=(KEY,))
    with serve_in_thread(replace(site, services=(*site.services, *moody_services()))) as url:
        able = {"tools": True, "vision": True, "audio": True}
        target = Target(url=url, model=f"reference/mood-{mood}", capabilities=able, max_output_tokens=512)
        whole = sent(tmp_path / "whole", target, Selection())
        merged = together(tmp_path / "merged", in_shards(tmp_path, target, Selection(), 3))

    assert any(each.round == 2 for each in evidence.read(whole).exchanges)
    assert merged == found(whole)


@pytest.mark.parametrize("name", ["", "hidden-top-p-with-seed"])
def test_generated_requests_get_the_same_verdicts_in_shards(tmp_path: Path, name: str) -> None:
    faults = [fault for fault in HIDDEN if fault.id == name]
    drawn = (faults[0].examples, faults[0].seed) if faults else (15, 1)
    kept = tmp_path / "kept"
    selection = Selection(only=("parameters.generated-",), examples=drawn[0], seed=drawn[1], shrinks=5, remembered=kept)
    with embedded_target(limits=Limits(), key=KEY, deviations=faults) as target:
        merged = together(tmp_path / "merged", in_shards(tmp_path, target, selection, 2))
        assert not kept.exists(), "what one shard keeps would change the plan of the next"
        whole = found(sent(tmp_path / "whole", target, selection))

    assert whole[""] == ("nonconformant" if name else "conformant")
    assert merged == whole


def test_the_shards_of_a_run_that_repeats_repeat_each_request_as_often_as_the_whole(tmp_path: Path) -> None:
    selection = Selection(only=("stream.", "response."), repeat=3)
    with embedded_target(limits=Limits(), key=KEY) as target:
        whole = sent(tmp_path / "whole", target, selection)
        shards = in_shards(tmp_path, target, selection, 2)
        merged = together(tmp_path / "merged", shards)

    assert merged == found(whole)
    opening = run.plan(target, selection).probes[0].name
    times = Counter(each.probe for each in evidence.read(tmp_path / "merged").exchanges)
    assert {**times, opening: times[opening] - 1} == Counter(each.probe for each in evidence.read(whole).exchanges)


# What each shard sends.


def shared(selection: Selection, of: int) -> list[Plan]:
    whole = run.plan(TARGET, selection)
    return [sharding.share(whole, Shard(number=number, of=of), cap=512) for number in range(1, of + 1)]


@pytest.mark.parametrize("of", [1, 2, 5, 40])
def test_each_probe_is_in_one_shard_and_the_opening_in_all(of: int) -> None:
    selection = Selection(examples=20, seed=3)
    whole, parts = run.plan(TARGET, selection), shared(selection, of)
    times = Counter(probe.name for part in parts for probe in part.probes)

    assert [part.probes[0] for part in parts] == [whole.probes[0]] * of
    assert times == Counter({**dict.fromkeys((probe.name for probe in whole.probes), 1), whole.probes[0].name: of})


def test_the_same_options_give_a_shard_the_same_probes() -> None:
    selection = Selection(examples=10, seed=3, shard=Shard(number=2, of=3))
    one, other = run.plan(TARGET, selection), run.plan(TARGET, selection)

    assert one.probes == other.probes
    assert one.part is not None
    assert one.part == other.part


def test_shards_are_about_equally_large() -> None:
    sizes = [part.requests for part in shared(Selection(), 5)]

    assert max(sizes) - min(sizes) <= 4


def test_what_a_model_may_leave_undecided_is_asked_by_one_shard_with_its_controls() -> None:
    parts = [{probe.name: probe for probe in part.probes} for part in shared(Selection(), 5)]
    opening = next(iter(parts[0]))
    moody = [check for name, check in CHECKS.items() if "model" in catalogue()[name].needs and check.probes]

    assert moody
    for check in moody:
        holders = [part for part in parts if any(probe.name in part for probe in check.probes if probe.name != opening)]
        assert len(holders) <= 1, check.requirement
        for part in holders:
            assert all(probe.control in {"", *part} for probe in check.probes if probe.name in part)


def test_a_defect_is_sent_by_the_shard_that_sends_both_its_controls() -> None:
    for part in shared(Selection(examples=40, seed=2), 4):
        names = {probe.name for probe in part.probes}
        for probe in part.probes:
            if probe.name.startswith((DEFECT, TEXT)):
                assert {probe.control, probe.control + AGAIN} <= names


def test_what_is_sent_alone_is_sent_by_one_shard() -> None:
    whole = run.plan(TARGET, Selection())
    lone = {probe.name for probe in whole.probes[5:8]}
    marked = replace(whole, probes=tuple(replace(each, alone=each.name in lone) for each in whole.probes))
    parts = [sharding.share(marked, Shard(number=number, of=4), cap=None) for number in range(1, 5)]

    assert [len(lone & {probe.name for probe in part.probes}) for part in parts].count(3) == 1


@pytest.mark.parametrize("limits", [Limits(), Limits(max_requests=300, max_tokens=20_000, requests_per_minute=60)])
@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_all_shards_together_keep_the_limits_of_the_run(limits: Limits, of: int) -> None:
    parts = [sharding.portion(limits, part, cap=512) for part in shared(Selection(), of)]

    assert sum(part.requests for part in parts) <= limits.requests
    assert sum(part.tokens for part in parts) <= limits.tokens
    assert sum(part.requests_per_minute or 0 for part in parts) == pytest.approx(limits.requests_per_minute or 0)


def test_limits_that_do_not_hold_all_shards_are_told_before_anything_is_sent() -> None:
    requests = run.plan(TARGET, Selection()).requests
    target = replace(TARGET, limits=Limits(max_requests=requests + 1))

    with pytest.raises(BadInput, match=rf"--shard 1/3: the 3 parts make {requests + 2} requests .* fewer parts"):
        run.plan(target, Selection(shard=Shard(number=1, of=3)))


# A shard by itself, and what cannot be merged.


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Both shards of a small run."""
    with embedded_target(limits=Limits(), key=KEY) as target:
        return in_shards(tmp_path_factory.mktemp("shards"), target, SMALL, 2)


SMALL: Final = Selection(only=("auth.",))


def test_a_shard_never_reads_as_a_whole_run(shards: list[Path]) -> None:
    for number, place in enumerate(shards, start=1):
        judgement = stored.judged(place)
        stored.write_reports(place, judgement.report, place)

        assert (judgement.exit_code, judgement.conclusion.verdict) == (4, "incomplete")
        assert judgement.conclusion.reason == f"shard {number} of 2: merge them"
        assert "conformant" not in report_in(place)["classes"].values()
        assert f"shard {number} of 2" in (place / "summary.md").read_text("utf-8")
        assert b'classname="conformance.run"' in (place / "junit.xml").read_bytes()
        assert {row["explanation"] for row in judgement.report["requirements"] if row["verdict"] == "untested"} >= {
            "asked by another shard of 2"
        }


def test_merged_evidence_is_judged_again_to_the_same_bytes(shards: list[Path], tmp_path: Path) -> None:
    stored.merge(shards, tmp_path / "one")
    stored.merge(shards[::-1], tmp_path / "other")
    bytes_of = [(tmp_path / name / "evidence.jsonl").read_bytes() for name in ("one", "other")]
    reports = [json.dumps(stored.judged(tmp_path / name).report) for name in ("one", "one", "other")]

    assert bytes_of[0] == bytes_of[1]
    assert reports[0] == reports[1] == reports[2]


def test_what_several_shards_asked_is_kept_of_each(shards: list[Path], tmp_path: Path) -> None:
    stored.merge(shards, tmp_path)
    kept = evidence.read(tmp_path).exchanges

    assert len({each.id for each in kept}) == len(kept)
    assert len(kept) == sum(len(evidence.read(place).exchanges) for place in shards)
    opening = [each for each in kept if each.probe == run.plan(TARGET, SMALL).probes[0].name]
    assert [each.id for each in opening] == [opening[0].probe, opening[0].probe + "+2"]


Edit = Callable[[dict[str, Any]], object]


def edited(place: Path, shard: Path, *edits: Edit, footer: bool = True) -> Path:
    """A shard with another header, and without its footer where that is wanted."""
    place.mkdir()
    first, *rest = (shard / "evidence.jsonl").read_bytes().splitlines(keepends=True)
    header = json.loads(first)
    for edit in edits:
        edit(header)
    lines = [json.dumps(header).encode() + b"\n", *(rest if footer else rest[:-1])]
    (place / "evidence.jsonl").write_bytes(b"".join(lines))
    return place


@pytest.mark.parametrize(
    "edit,said",
    [
        (lambda header: header["suite"].update(catalogue="another"), "its suite catalogue is not that of"),
        (lambda header: header["target"].update(url="http://127.0.0.1:1"), "its target url is not that of"),
        (lambda header: header["target"].update(model="another"), "its target model is not that of"),
        (lambda header: header.update(selection="--only stream"), "its selection is not that of"),
        (lambda header: header.update(seed=9), "its seed is not that of"),
        (lambda header: header.update(repeat=9), "its repeat is not that of"),
        (lambda header: header.update(strict=True), "its strict is not that of"),
        (lambda header: header["shard"].update(of=3), "its number of shards is not that of"),
        (lambda header: header["shard"]["whole"]["left_out"].clear(), "its plan is not that of"),
        (lambda header: header["shard"].update(number=1), "holds shard 1, and so does"),
        (lambda header: header.pop("shard"), "holds a whole run, and no shard of one"),
    ],
)
def test_shards_of_different_runs_are_not_merged(shards: list[Path], tmp_path: Path, edit: Edit, said: str) -> None:
    other = edited(tmp_path / "other", shards[1], edit)

    with pytest.raises(BadInput) as mistake:
        stored.merge([shards[0], other], tmp_path / "merged")
    assert f"{other}: " in str(mistake.value)
    assert said in str(mistake.value)
    assert not (tmp_path / "merged").exists()


def test_a_shard_that_is_named_twice_is_told(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is named twice; give each shard once"):
        stored.merge([shards[0], shards[0]], tmp_path / "merged")


def test_a_missing_shard_is_named(shards: list[Path], tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="of 2 shards 1 are missing: 1; give the directories of all of them"):
        stored.merge([shards[1]], tmp_path / "merged")


def test_only_shards_with_servers_of_their_own_may_differ_in_the_address(shards: list[Path], tmp_path: Path) -> None:
    def own(header: dict[str, Any]) -> None:
        header["shard"]["own_server"] = True

    def elsewhere(header: dict[str, Any]) -> None:
        header["target"].update(url="http://127.0.0.1:1", endpoint="http://127.0.0.1:1/v1/inference/chat")

    stored.merge(
        [edited(tmp_path / "1", shards[0], own), edited(tmp_path / "2", shards[1], own, elsewhere)], tmp_path / "m"
    )
    assert stored.judged(tmp_path / "m").conclusion.verdict == "conformant"


def test_a_shard_that_was_cut_short_makes_the_whole_incomplete(shards: list[Path], tmp_path: Path) -> None:
    stored.merge([shards[0], edited(tmp_path / "torn", shards[1], footer=False)], tmp_path / "merged")
    conclusion = stored.judged(tmp_path / "merged").conclusion

    assert (conclusion.verdict, conclusion.reason) == ("incomplete", "the run was cut short")


# The commands.


def test_the_commands_send_shards_and_merge_them(tmp_path: Path) -> None:
    parts = [tmp_path / f"part-{number}" for number in (1, 2)]
    codes = [
        command("run", "--only", "auth", "--shard", f"{number}/2", "--output", place, key=None).code
        for number, place in enumerate(parts, start=1)
    ]
    done = command("merge", *parts, "--output", tmp_path / "merged", key=None)
    whole = command("run", "--only", "auth", "--output", tmp_path / "whole", key=None)

    assert codes == [4, 4]
    assert (done.code, whole.code) == (0, 0), done.said
    assert verdicts(report_in(tmp_path / "merged")) == verdicts(report_in(tmp_path / "whole"))
    assert "holds another run already" in refused(command("merge", *parts, "--output", tmp_path / "merged", key=None))


def test_the_page_on_long_runs_shows_a_script_that_works(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "long-runs.md").read_text("utf-8")
    (script,) = re.findall(r"<!-- run by tests/test_sharding.py -->\n```sh\n(.*?)```", page, re.DOTALL)
    here = script.replace("chat-conformance", shlex.join(COMMAND)).replace("--config grid.toml", "--only auth")
    done = subprocess.run(
        ["sh", "-e", "-c", here],
        cwd=tmp_path,
        env=environment(None),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert report_in(tmp_path / "whole")["verdict"] == "conformant"


def test_a_shard_that_shows_a_broken_must_says_so_at_once(tmp_path: Path) -> None:
    fault = next(fault for fault in FAULTS if fault.id == "auth-takes-any-key")
    with embedded_target(limits=Limits(), key=KEY, deviations=(fault,)) as target:
        judgements = [stored.judged(place) for place in in_shards(tmp_path, target, SMALL, 2)]

    assert 1 in {judgement.exit_code for judgement in judgements}
    assert any(re.search(r"MUSTs? failed; shard . of 2: merge them", each.conclusion.reason) for each in judgements)


@pytest.mark.parametrize("name", ["0/2", "3/2", "2", "2/", "a/b", "1/2/3", "-1/2", "1/0"])
def test_what_is_no_part_of_a_whole_is_told_so(name: str) -> None:
    done = command("run", "--shard", name, "--dry-run", key=None)

    assert f"--shard {name}: not a part of a whole; write the part and how many there are, as in 2/5" in refused(done)
