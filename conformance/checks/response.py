"""The page's section "Response shape", and its basic snippet's needs."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from conformance import clients
from conformance.check import Check, Violation, check, listed, of, together
from conformance.document import MISSING, NotJson, at, is_integer, is_number, parse, shown
from conformance.exchange import Exchange
from conformance.probes import plain
from conformance.reading.answers import ROOTS, body, completion, document, media_type, message, succeeded, whole
from conformance.reading.requests import asked, legal, unstreamed
from conformance.reading.streams import finish_reason, looks_streamed
from conformance.reading.witness import Inconclusive, Unobservable

ASKED: Final = (plain.GREETING, plain.DOCUMENTED)
WORDED: Final = (*ASKED, plain.RAW_UTF8, plain.ESCAPED)
"""Questions that have an answer of some words, whose characters are not all ASCII."""


def _answered(exchange: Exchange) -> bool:
    return unstreamed(exchange) and legal(exchange)


def _place(exchange: Exchange, pointer: str) -> str:
    return ROOTS[exchange.profile] + pointer


def _member(requirement: str, pointer: str, expected: str, holds: Callable[[Any], bool]) -> Check:
    """The completion has, at a pointer, a value of a kind; that an object is there to hold it is for another to say."""
    holder = pointer.rpartition("/")[0]

    def find(exchange: Exchange) -> Iterator[Violation]:
        if not isinstance(at(completion(exchange), holder), Mapping):
            raise Unobservable(f"there is no object at {_place(exchange, holder)}")
        found = at(completion(exchange), pointer)
        if not holds(found):
            yield Violation(expected=expected, found=shown(found), where=_place(exchange, pointer))

    return check(requirement, when=_answered, probes=ASKED)(find)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_count(value: Any) -> bool:
    return is_integer(value) and value >= 0


MEMBERS: Final = (
    _member("response.id", "/id", "a non-empty string", _is_text),
    _member("response.model", "/model", "a non-empty string", _is_text),
    _member("response.created", "/created", "an integer", is_integer),
    _member(
        "response.choices",
        "/choices",
        "an array with at least one object",
        lambda value: isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value),
    ),
    _member("response.choice-index", "/choices/0/index", "0", lambda value: is_integer(value) and value == 0),
    _member("response.message", "/choices/0/message", "an object", lambda value: isinstance(value, Mapping)),
    _member("response.role", "/choices/0/message/role", '"assistant"', lambda value: value == "assistant"),
    _member("response.meta", "/_meta", "an object", lambda value: isinstance(value, Mapping)),
    _member("response.request-id", "/_meta/request_id", "a non-empty string", _is_text),
    _member(
        "response.latency", "/_meta/latency_ms", "a number of 0 or more", lambda value: is_number(value) and value >= 0
    ),
)


@check("response.is-json", when=_answered, probes=ASKED)
def is_json(exchange: Exchange) -> Iterator[Violation]:
    """The body of an unstreamed answer is one JSON object in UTF-8."""
    succeeded(exchange)
    try:
        found = parse(whole(exchange))
    except NotJson as reason:
        start = shown(body(exchange)[:60].decode("utf-8", "replace"))
        yield Violation(expected="one JSON object in UTF-8", found=f"{reason}; it begins {start}")
    else:
        if not isinstance(found, Mapping):
            yield Violation(expected="one JSON object", found=shown(found), where="/")


@check("response.content-type", when=_answered, probes=ASKED)
def content_type(exchange: Exchange) -> Iterator[Violation]:
    """An unstreamed answer's media type is application/json."""
    document(exchange)
    if media_type(exchange) != "application/json":
        yield Violation(
            expected="application/json", found=media_type(exchange) or "no media type", where="header content-type"
        )


@check("response.not-a-stream", when=_answered, probes=ASKED)
def not_a_stream(exchange: Exchange) -> Iterator[Violation]:
    """A request that did not ask for a stream is not answered with an event stream."""
    succeeded(exchange)
    if looks_streamed(exchange):
        yield Violation(expected="one JSON answer", found="an event stream")


@check("response.status-ok", when=_answered, probes=ASKED)
def status_ok(exchange: Exchange) -> Iterator[Violation]:
    """`status` of a successful answer is "ok"."""
    found = at(document(exchange), "/status")
    if found != "ok":
        yield Violation(expected='"ok"', found=shown(found), where="/status")


@check("response.data-object", when=_answered, probes=ASKED)
def data_object(exchange: Exchange) -> Iterator[Violation]:
    """`data` of a successful answer is an object."""
    found = at(document(exchange), "/data")
    if not isinstance(found, Mapping):
        yield Violation(expected="an object", found=shown(found), where="/data")


def _cached(first: Exchange, other: Exchange) -> bool:
    """Whether a cache may have given a completion again, to who asked the same again; what is told of it may differ."""
    one, two = ({**completion(each), "_meta": None} for each in (first, other))
    return first.request.body == other.request.body and one == two


def _unique(requirement: str, pointer: str) -> Check:
    """No two answers share the value at a pointer."""

    def find(*exchanges: Exchange) -> Iterator[Violation]:
        values: dict[str, Exchange] = {}
        for exchange in exchanges:
            try:
                value = at(completion(exchange), pointer)
            except (Unobservable, Inconclusive):
                continue
            if not _is_text(value):
                continue
            first = values.setdefault(value, exchange)
            if first is not exchange and not (pointer == "/id" and _cached(first, exchange)):
                yield Violation(
                    expected=f"another value than in {first.id}",
                    found=shown(value),
                    where=_place(exchange, pointer),
                    on=exchange.id,
                )
        if len(values) == 0:
            raise Unobservable(f"no answer has a {pointer.rpartition('/')[2]}")

    return check(requirement, when=_answered, probes=ASKED, groups=together)(find)


UNIQUE: Final = (
    _unique("response.id-unique", "/id"),
    _unique("response.request-id-unique", "/_meta/request_id"),
)


@check("response.model-is-the-slug", when=_answered, probes=ASKED)
def model_is_the_slug(exchange: Exchange) -> Iterator[Violation]:
    """`model` is the slug that was asked for."""
    found, wanted = at(completion(exchange), "/model"), asked(exchange, "/model")
    if isinstance(found, str) and found != wanted:
        yield Violation(expected=shown(wanted), found=shown(found), where=_place(exchange, "/model"))


def is_near(created: Any, exchange: Exchange) -> bool:
    """Whether a time in Unix seconds is within ten minutes of the exchange; clocks differ, units differ more."""
    room = 600 + exchange.elapsed
    return is_number(created) and exchange.started - room < created < exchange.started + room


@check("response.created-in-seconds", when=_answered, probes=ASKED)
def created_in_seconds(exchange: Exchange) -> Iterator[Violation]:
    """`created` is the time of the answer in Unix seconds."""
    found = at(completion(exchange), "/created")
    if is_number(found) and not is_near(found, exchange):
        yield Violation(
            expected=f"about {exchange.started:.0f}", found=shown(found), where=_place(exchange, "/created")
        )


@check("response.one-choice", when=_answered, probes=ASKED)
def one_choice(exchange: Exchange) -> Iterator[Violation]:
    """`choices` has exactly one element."""
    found = at(completion(exchange), "/choices")
    if isinstance(found, list) and len(found) > 1:
        yield Violation(expected="one element", found=f"{len(found)} elements", where=_place(exchange, "/choices"))


@check("response.content-is-text", when=_answered, probes=ASKED)
def content_is_text(exchange: Exchange) -> Iterator[Violation]:
    """`content` of a message without tool calls is a string."""
    if message(exchange).get("tool_calls"):
        raise Unobservable("the message has tool calls, whose content may be null or left out")
    found = message(exchange).get("content", MISSING)
    if not isinstance(found, str):
        yield Violation(expected="a string", found=shown(found), where=_place(exchange, "/choices/0/message/content"))


@check("response.content-not-empty", when=of(*WORDED), probes=ASKED)
def content_not_empty(exchange: Exchange) -> Iterator[Violation]:
    """What the model wrote is in the answer; that a model wrote nothing is its mood, and its end may be a token."""
    found = message(exchange).get("content")
    if not isinstance(found, str):
        raise Unobservable(f"content is {shown(found)}")
    if found:
        return
    reason = finish_reason(exchange)
    if reason in ("length", "content_filter"):
        raise Unobservable(f"the tokens may have gone elsewhere than into text (finish_reason {shown(reason)})")
    _, counted, _ = counts(at(completion(exchange), "/usage"))
    written = counted - thought(at(completion(exchange), "/usage"))
    if written <= MUTE or set(message(exchange)) - {"role", "content"}:
        raise Unobservable(f"the model wrote nothing, or not in content ({counted} tokens)")
    yield Violation(
        expected=f"the text of {written} completion tokens",
        found='""',
        where=_place(exchange, "/choices/0/message/content"),
    )


MUTE: Final = 2
"""Tokens that a model spends on saying nothing: the end of its turn, and perhaps its beginning."""

THOUGHTS: Final = re.compile("reasoning|thinking|thought")
"""What stands in the names of counts of tokens that a model does not show."""

COUNTS: Final = ("prompt_tokens", "completion_tokens", "total_tokens")


def counts(usage: Any) -> tuple[int, int, int]:
    """The three counts of a `usage` object.

    Raises:
        Unobservable: one is missing or no count (requirements of their own).
    """
    values = [at(usage, f"/{name}") for name in COUNTS]
    if not all(_is_count(value) for value in values):
        raise Unobservable(f"usage is {shown(usage)}")
    prompt, written, total = values
    return prompt, written, total


def thought(usage: Any) -> int:
    """The most tokens of thoughts that a member of `usage`, or of an object in it, tells of."""
    inner = [item for item in usage.values() if isinstance(item, Mapping)]
    told = (pair for each in (usage, *inner) for pair in each.items())
    return max((value for name, value in told if THOUGHTS.search(name) and _is_count(value)), default=0)


def sums_up(usage: Any) -> bool:
    """Whether the total is the sum, or more where reasoning is counted beside it."""
    prompt, written, total = counts(usage)
    if total == prompt + written:
        return True
    return total > prompt + written and any(map(THOUGHTS.search, _names(usage)))


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            if isinstance(item, Mapping):
                yield from item


@check("response.usage", when=_answered, probes=ASKED)
def usage(exchange: Exchange) -> Iterator[Violation]:
    """`usage` is an object with its three counts."""
    found = at(completion(exchange), "/usage")
    missing = [name for name in COUNTS if at(found, f"/{name}") is MISSING]
    if missing:
        yield Violation(
            expected="an object with " + ", ".join(missing), found=shown(found), where=_place(exchange, "/usage")
        )


@check("response.usage-counts", when=_answered, probes=ASKED)
def usage_counts(exchange: Exchange) -> Iterator[Violation]:
    """The three counts of `usage` are integers of 0 or more."""
    values = {name: at(completion(exchange), f"/usage/{name}") for name in COUNTS}
    if all(value is MISSING for value in values.values()):
        raise Unobservable("the answer has no usage")
    for name, value in values.items():
        if value is not MISSING and not _is_count(value):
            yield Violation(
                expected="an integer of 0 or more", found=shown(value), where=_place(exchange, f"/usage/{name}")
            )


@check("response.usage-sum", when=_answered, probes=ASKED)
def usage_sum(exchange: Exchange) -> Iterator[Violation]:
    """`total_tokens` is the sum of the other two."""
    found = at(completion(exchange), "/usage")
    if not sums_up(found):
        prompt, written, total = counts(found)
        yield Violation(
            expected=f"{prompt} + {written} = {prompt + written}",
            found=str(total),
            where=_place(exchange, "/usage/total_tokens"),
        )


@check("response.usage-prompt-counted", when=_answered, probes=ASKED)
def usage_prompt_counted(exchange: Exchange) -> Iterator[Violation]:
    """`prompt_tokens` is above 0."""
    prompt, _, _ = counts(at(completion(exchange), "/usage"))
    if prompt == 0:
        yield Violation(expected="more than 0", found="0", where=_place(exchange, "/usage/prompt_tokens"))


@check("response.usage-completion-counted", when=_answered, probes=ASKED)
def usage_completion_counted(exchange: Exchange) -> Iterator[Violation]:
    """`completion_tokens` is above 0 when the answer holds text."""
    _, written, _ = counts(at(completion(exchange), "/usage"))
    if not message(exchange).get("content"):
        raise Unobservable("the answer holds no text")
    if written == 0:
        yield Violation(expected="more than 0", found="0", where=_place(exchange, "/usage/completion_tokens"))


@check("response.latency-plausible", when=_answered, probes=ASKED)
def latency_plausible(exchange: Exchange) -> Iterator[Violation]:
    """`_meta.latency_ms` is no longer than the client waited; 100 ms are granted for rounding and clocks."""
    found = at(completion(exchange), "/_meta/latency_ms")
    if is_number(found) and found > exchange.elapsed * 1000 + 100:
        yield Violation(
            expected=f"at most {exchange.elapsed * 1000:.0f}",
            found=shown(found),
            where=_place(exchange, "/_meta/latency_ms"),
        )


@check("response.documented-clients-read-it", when=of(*WORDED), probes=(plain.GREETING,))
def documented_clients_read_it(exchange: Exchange) -> Iterator[Violation]:
    """The page's own snippets print the answer's text."""
    if message(exchange).get("tool_calls"):
        raise Unobservable("the message has tool calls, which the basic snippets do not read")
    for name, read in (("Python", clients.python_answer), ("TypeScript", clients.typescript_answer)):
        run = read(whole(exchange))
        if run.stopped is clients.Stop.CRASH:
            yield Violation(expected=f"the {name} snippet prints the text", found=run.crash)


CHECKS: Final = listed(globals())
