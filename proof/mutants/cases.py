"""What tests/test_checks.py and tests/test_checks_elsewhere.py show the checks, as evidence made once."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from conformance import evidence, run
from conformance.checks import CHECKS, DECLARED
from conformance.exchange import Ending, Exchange
from conformance.finding import Verdict, judged
from conformance.requirement import Level, Requirement, catalogue
from conformance.selection import Selection
from conformance.server.hosting import serve_in_thread
from conformance.server.moods import MOODS, moody_services
from conformance.server.site import Site
from conformance.target import Key, Target
from tests.miniatures.framing import DYING
from tests.miniatures.model import Miniature
from tests.miniatures.settings import FRONT, Setting
from tests.miniatures.undecided import name, undecided
from tests.miniatures.variants import Variant
from tests.miniatures.wire import Change, asking, cut, on, refused, streams, throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A server's evidence, and what may be said of it."""

    name: str
    exchanges: tuple[Exchange, ...]
    changed: tuple[Exchange, ...]
    """Those of them that the innocent server did not give."""
    red: tuple[str, ...] = ()
    """The requirements that fail."""
    says: str = ""
    """Part of a violation of the first of them."""
    unseen: tuple[str, ...] = ("-",)
    """Beginnings of the ids that may become inconclusive; of all others that do not fail, pass is asked for."""
    blind: tuple[str, ...] = ("-",)
    """Beginnings of the ids that must."""
    exact: frozenset[str] | None = None
    """The ids that do, and no others, where that is known."""


def _case(setting: Setting, name: str, change: Change, **said: tuple[str, ...] | frozenset[str]) -> Case:
    exchanges = change(setting.observed().exchanges)
    known = {id(exchange) for exchange in setting.observed().exchanges}
    changed = tuple(exchange for exchange in exchanges if id(exchange) not in known)
    kept = tuple(exchange for exchange in exchanges if not exchange.retried)
    return replace(Case(name=name, exchanges=kept, changed=changed), **said)  # type: ignore[arg-type]


def _known(setting: Setting, each: Miniature | Variant) -> Case:
    """A server whose undecided requirements are known."""
    return _case(setting, name(each), each.change, exact=undecided().get(name(each), frozenset()))


def _begins_nothing(ending: Ending) -> Change:
    return on(lambda _: True, lambda exchange: replace(exchange, response=None, pieces=(), ended=ending, detail=""))


def _busy(setting: Setting) -> Iterator[Case]:
    """Servers that show little in any kind of run: nothing may be held against them."""
    for status, code in ((429, "RATE_LIMITED"), (503, "MODEL_UNAVAILABLE")):
        yield _case(setting, f"always busy: {status}", on(lambda _: True, throttled(status, code)), unseen=("",))
    for ending in (
        Ending.TIMEOUT,
        Ending.DEADLINE,
        Ending.TOO_LARGE,
        Ending.INTERRUPTED,
        Ending.UNREACHABLE,
        Ending.UNSENT,
    ):
        blind = ("",) if setting is FRONT else ("-",)
        yield _case(setting, f"never answered: {ending}", _begins_nothing(ending), unseen=("",), blind=blind)


def _broken_off() -> Iterator[Case]:
    """Servers that cannot be seen to the end from the front."""
    for probe in sorted({exchange.probe for exchange in FRONT.observed().exchanges}):
        yield _case(FRONT, f"busy once: {probe}", on(asking(probe), throttled(429, "RATE_LIMITED")), unseen=("",))
    for keep in (0, 1, 150, 400):
        for ending in (Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED):
            stopped = on(streams, cut(ending, keep=keep))
            yield _case(FRONT, f"stopped after {keep}: {ending}", stopped, unseen=("",), blind=("stream.done",))
    dying = on(DYING, refused(502, "BACKEND_ERROR"))
    blind = ("stream.error-event", "stream.done-after-error")
    yield _case(FRONT, "failed before the stream", dying, unseen=("",), blind=blind)


_KEY: Final = "sgk_" + "6d" * 20
_ABLE: Final = {"tools": True, "vision": True, "audio": True}


def _moods(rows: Mapping[str, Requirement]) -> Iterator[Case]:
    """The moods of tests/test_moods.py: nothing is broken, and what needs no model is decided as ever."""
    firm = [
        row.id for row in rows.values() if row.level is Level.MUST and "model" not in row.needs and row.id in DECLARED
    ]
    with serve_in_thread(replace(Site(keys=(_KEY,)), services=(*Site().services, *moody_services()))) as address:
        for mood in MOODS:
            target = Target(url=address, model=f"reference/mood-{mood}", capabilities=_ABLE, max_output_tokens=512)
            with TemporaryDirectory() as folder:
                place, selection = Path(folder), Selection()
                asked = run.plan(target, selection)
                asyncio.run(run.observed(place, target=target, key=Key(_KEY), selection=selection, asked=asked))
                kept = tuple(exchange for exchange in evidence.read(place).exchanges if not exchange.retried)
            passed = [name for name in firm if judged(rows[name], CHECKS[name], kept).verdict is Verdict.PASS]
            unseen = tuple(rows.keys() - set(passed))
            yield Case(name=f"mood: {mood}", exchanges=kept, changed=kept, unseen=unseen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that the checks are shown."""

    innocent: Case
    miniatures: tuple[Case, ...]
    others: tuple[Case, ...]
    """Servers that are odd, busy or silent."""
    moods: tuple[Case, ...]
    """Models that do not cooperate."""
    shaken: tuple[str, ...]
    """The requirements that some mood leaves undecided."""
    rows: Mapping[str, Requirement]


@cache
def shown(setting: Setting) -> Shown:
    """The cases of a kind of run; observed and changed once a process."""
    rows = catalogue()
    moods = tuple(_moods(rows)) if setting is FRONT else ()
    return Shown(
        innocent=_case(setting, "innocent", lambda exchanges: exchanges),
        miniatures=tuple(replace(_known(setting, each), red=each.red, says=each.says) for each in setting.miniatures),
        others=(
            *(_known(setting, each) for each in setting.variants),
            *_busy(setting),
            *(_broken_off() if setting is FRONT else ()),
        ),
        moods=moods,
        shaken=tuple(
            identity
            for identity, check in DECLARED.items()
            if {"model", "backend"} & {*rows[identity].needs} == {"model"}
            and any(judged(rows[identity], check, mood.exchanges).verdict is Verdict.INCONCLUSIVE for mood in moods)
        ),
        rows=rows,
    )
