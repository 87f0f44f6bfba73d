"""`run --examples`: the same seed asks the same, the limits grow or are kept to, and the report says what was drawn."""

from pathlib import Path

import pytest

from conformance import evidence
from conformance.target import MOST_REQUESTS
from tests.commands import Done, called, command, report_in


def drawn(output: Path, *options: object) -> Done:
    return command("run", "--output", output, "--only", "parameters.generated", *options, cwd=output.parent)


def bodies(output: Path) -> dict[str, bytes]:
    """What the generated requests of a run said, by their names."""
    exchanges = evidence.read(output).exchanges
    return {each.probe: each.request.body for each in exchanges if each.probe.startswith("generated.")}


def test_the_seed_that_a_report_prints_gives_the_same_requests_and_another_gives_others(tmp_path: Path) -> None:
    first = drawn(tmp_path / "first", "--examples", 4, "--seed", 7)

    assert first.code in (0, 4), first.said  # so few defects may show nothing of one kind
    assert "--examples 4 --seed 7: the same options generate the same requests" in first.out
    assert report_in(tmp_path / "first")["selection"] == "--only parameters.generated --examples 4 --seed 7"
    assert "--examples 4 --seed 7" in (tmp_path / "first" / "summary.md").read_text("utf-8")

    drawn(tmp_path / "again", "--examples", 4, "--seed", 7)
    drawn(tmp_path / "other", "--examples", 4, "--seed", 8)
    assert bodies(tmp_path / "first") == bodies(tmp_path / "again")
    assert bodies(tmp_path / "first") != bodies(tmp_path / "other")


def test_a_limit_that_was_given_is_kept_to_and_said(tmp_path: Path) -> None:
    done = drawn(tmp_path / "run", "--examples", 20, "--max-requests", 60)

    assert done.code == 2
    assert "--examples 20 makes " in done.err
    assert "do not fit into the limits that were given (max_requests = 60) beside" in done.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("more", [("--examples", 200), ("--repeat", 60)])
def test_a_limit_that_is_the_default_one_is_kept_to_where_it_was_given(tmp_path: Path, more: tuple[str, int]) -> None:
    file = tmp_path / "target.toml"
    file.write_text(f'[target]\nurl = "http://127.0.0.1:9"\nmodel = "m"\n[limits]\nmax_requests = {MOST_REQUESTS}\n')
    with_option = called("run", *more, "--max-requests", MOST_REQUESTS, "--output", tmp_path / "run")
    with_file = called("run", "--config", file, *more, "--output", tmp_path / "run")

    for done in (with_option, with_file):
        assert done.code == 2, done.said
        assert "do not fit into the limits that were given (max_requests = 400)" in done.err
    assert not (tmp_path / "run").exists()


def test_a_place_where_nothing_can_be_kept_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = called("run", "--examples", 1, "--database", tmp_path / "file" / "below", "--output", tmp_path / "run")

    assert done.code == 2
    assert done.err.endswith(
        f"--database: {tmp_path / 'file'} is no directory; give another directory for what generated requests show\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_default_limit_grows_with_the_examples(tmp_path: Path) -> None:
    done = drawn(tmp_path / "run", "--examples", 300, "--dry-run")

    assert done.code == 0, done.said
    assert "generated.valid-300 " in done.out


def test_a_run_without_examples_says_what_would_show_the_rest(tmp_path: Path) -> None:
    done = drawn(tmp_path / "run")

    assert done.code == 4
    assert "needs generated requests (--examples)" in done.out
