"""How the suites get their verdicts: everything they need is observed once a session, then judged."""

import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import pytest_asyncio

from conformance import run, stored
from conformance.baseline import LAPSED, Entry
from conformance.embedded import Stage, staged
from conformance.finding import DECIDED, Finding, Verdict, gates
from conformance.generate.remembered import DEFAULT
from conformance.requirement import Requirement, catalogue
from conformance.selection import Selection, Shard
from conformance.stored import Judgement
from conformance.suites.spreading import spread
from conformance.target import BadInput, Target, checked, described, key_of

_ARGUMENT: Final = "requirement"
_JUDGEMENT: Final = pytest.StashKey[Judgement]()
_PLACE: Final = pytest.StashKey[Path]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one item for each requirement of a suite's section."""
    if _ARGUMENT not in metafunc.fixturenames:
        return
    rows = [row for row in catalogue().values() if row.id.partition(".")[0] == metafunc.module.SECTION]
    metafunc.parametrize(
        _ARGUMENT,
        [pytest.param(row, id=row.id, marks=[getattr(pytest.mark, name) for name in _marks(row)]) for row in rows],
    )


def _marks(row: Requirement) -> tuple[str, ...]:
    return row.level.value.lower(), row.certifies, row.basis


def _stage(config: pytest.Config, stack: ExitStack) -> Stage:
    """What the session plays on; what it hosts runs until the stack is left.

    Raises:
        BadInput: the options or the target file do not describe a target.
    """
    given, model, variable = (config.getoption(name) for name in ("--target", "--model", "--api-key-env"))
    target = described(given) if given else Target(url="")
    if not target.url:
        if model or variable:
            raise BadInput("--model and --api-key-env go with --target; without it the embedded server is judged")
        return stack.enter_context(staged(target))
    named = {"model": model, "api_key_env": variable}
    file = None if "://" in given else Path(given)
    target = checked(replace(target, **{name: value for name, value in named.items() if value}), file=file)
    return stack.enter_context(staged(target, key=key_of(target)))


def _requirements(items: Iterable[pytest.Item]) -> Iterator[str]:
    """The requirements that the collected items are about, after -k and -m."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        row = callspec.params.get(_ARGUMENT) if callspec else None
        if isinstance(row, Requirement):
            yield row.id


async def _observed(
    config: pytest.Config, stage: Stage, *, selection: Selection, known: Sequence[Entry] | None
) -> Path:
    """The directory of a run that this process sends alone, with its reports."""
    asked = run.plan(stage.target, selection)
    place = stored.fresh_directory(stage.target, config.getoption("--conformance-output"))
    config.stash[_PLACE] = place
    try:
        await run.observed(
            place,
            target=stage.target,
            key=stage.key,
            selection=selection,
            asked=asked,
            behind=stage.behind,
            known=known,
        )
    finally:
        if any(place.glob("evidence.jsonl*")):
            stored.write_reports(place, stored.judged(place).report, place)
    return place


async def _spread(config: pytest.Config, stage: Stage, *, selection: Selection, known: Sequence[Entry] | None) -> Path:
    """The directory of a run that the workers of pytest-xdist send together, with its reports."""
    target = stage.target
    if stage.behind:
        raise BadInput("[backend]: one process hosts the scripted backend; run the suites without pytest-xdist")
    worker: Mapping[str, Any] = config.workerinput  # type: ignore[attr-defined]  # pytest-xdist gives it
    of, mine = worker["workercount"], int(worker["workerid"].removeprefix("gw"))
    own = not config.getoption("--target")
    shared = Path(tempfile.gettempdir()) / f"chat-conformance-{worker['testrunuid']}"
    stored.made(shared)
    _handed(config)["shared"] = str(shared)
    shards = [Shard(number=(mine + turn) % of + 1, of=of, own_server=own) for turn in range(of)]

    async def observe(shard: Shard, place: Path) -> None:
        part = replace(selection, shard=shard)
        asked = run.plan(target, part)
        await run.observed(place, target=target, key=stage.key, selection=part, asked=asked, known=known)

    def merge(places: Sequence[Path]) -> Path:
        whole = stored.fresh_directory(target, config.getoption("--conformance-output"))
        stored.merge(places, whole)
        stored.write_reports(whole, stored.judged(whole).report, whole)
        return whole

    return await spread(shared, shards=shards, observe=observe, merge=merge)


def _handed(config: pytest.Config) -> dict[str, str]:
    """What a worker of pytest-xdist tells the process that it answers to; the plugin reads it there."""
    handed: dict[str, str] = config.workeroutput.setdefault("conformance", {})  # type: ignore[attr-defined]  # as above
    return handed


def _leave(session: pytest.Session, message: str, *, code: int) -> NoReturn:
    """End the session with one message; a worker of pytest-xdist cannot do that, and has the others told to stop."""
    if hasattr(session.config, "workerinput"):
        _handed(session.config)["code"] = str(code)
        session.shouldstop = message
        raise pytest.fail.Exception(message, pytrace=False) from None
    pytest.exit(message, returncode=code)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def conformance_judgement(request: pytest.FixtureRequest) -> AsyncIterator[Judgement]:
    """The judgement of all that the collected items need asked, which is sent once for the whole session."""
    config = request.config
    chosen = frozenset(_requirements(request.session.items))
    selection = Selection(
        chosen=None if chosen == catalogue().keys() else chosen,
        strict=config.getoption("--conformance-strict"),
        examples=max(0, config.getoption("--conformance-examples")),
        seed=config.getoption("--conformance-seed"),
        remembered=DEFAULT,
    )
    file = config.getoption("--conformance-baseline")
    try:
        known = run.baseline(file) if file else None
        with ExitStack() as stack:
            stage = _stage(config, stack)
            if hasattr(config, "workerinput"):
                place = await _spread(config, stage, selection=selection, known=known)
            else:
                place = await _observed(config, stage, selection=selection, known=known)
        judgement = stored.judged(place)
        if hasattr(config, "workerinput"):
            conclusion, requests = judgement.conclusion, str(judgement.report["requests"])
            _handed(config).update(
                verdict=conclusion.verdict, reason=conclusion.reason, requests=requests, place=str(place)
            )
    except BadInput as mistake:
        _leave(request.session, f"chat-conformance: {mistake}", code=2)
    config.stash[_JUDGEMENT] = judgement
    if judgement.conclusion.verdict == "aborted":
        _leave(request.session, f"chat-conformance: aborted: {judgement.conclusion.reason}", code=3)
    yield judgement


@pytest.fixture
def finding(requirement: Requirement, conformance_judgement: Judgement, request: pytest.FixtureRequest) -> Finding:
    """The verdict on the item's requirement; what is no verdict on the target ends here.

    A MUST that stayed undecided, a fault of the suite, and a known failure that no longer holds, is an error of the
    item's set-up and no failure of the target; what the target file does not provide for is skipped with the reason.
    """
    conclusion = conformance_judgement.conclusion
    found = next(row for row in conclusion.findings if row.requirement.id == requirement.id)
    for listed in conclusion.baseline or ():
        if listed.entry.requirement == requirement.id and listed.standing in LAPSED and not found.unlisted:
            told = f"the baseline lists {listed.entry}, which is {listed.standing}: {listed.explanation}"
            pytest.fail(told, pytrace=False)
    strict = request.config.getoption("--conformance-strict")
    told = f"{found.verdict.value}: {found.explanation}"
    if found.verdict in DECIDED:
        return found
    if found.verdict is Verdict.ERROR or (gates(requirement, strict=strict) and not found.excused):
        pytest.fail(told, pytrace=False)
    pytest.skip(told)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A run that is not conformant is never green, though no single item failed: nothing may have been judged."""
    judgement = session.config.stash.get(_JUDGEMENT, None)
    if judgement is not None and exitstatus == 0 and judgement.conclusion.verdict != "conformant":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the run amounts to, and where its report is."""
    judgement, place = config.stash.get(_JUDGEMENT, None), config.stash.get(_PLACE, None)
    if judgement is None or place is None:
        return
    conclusion = judgement.conclusion
    terminalreporter.section("chat conformance")
    terminalreporter.write_line(conclusion.verdict + (f": {conclusion.reason}" if conclusion.reason else ""))
    terminalreporter.write_line(f"{judgement.report['requests']} requests, evidence and reports in {place}")
