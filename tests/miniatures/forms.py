"""Servers whose plain answers are odd in their form, and servers that do not show what would be judged."""

import html
from dataclasses import replace
from typing import Any, Final

from conformance.exchange import Ending
from conformance.probes import messages, multimodal, parameters, plain, stream
from conformance.server.changes import GONE, put
from tests.miniatures.conversation import PART, declined_as, reads, says
from tests.miniatures.garbled import END_MARKER, saying
from tests.miniatures.model import Miniature, faulty
from tests.miniatures.retold import as_told
from tests.miniatures.sparse import never_asked
from tests.miniatures.unsaid import TEXT
from tests.miniatures.variants import Variant, odd
from tests.miniatures.wire import (
    Change,
    One,
    after,
    answers,
    asking,
    cut,
    on,
    rewritten,
    throttled,
    with_body,
    with_json,
    with_status,
)

GREETING: Final = asking(plain.GREETING.name)
DOCUMENTED: Final = asking(plain.DOCUMENTED.name)
RAW: Final = asking(plain.RAW_UTF8.name)
ESCAPED: Final = asking(plain.ESCAPED.name)
REASON: Final = "/data/choices/0/finish_reason"
EVENT: Final = b'data: {"error":\n"gone"}\n\n'
CITIES: Final = "Zürich 東京"


def _thinking(name: str, count: Any, *, more: int) -> One:
    """An answer that counts its reasoning in another member of `usage`, and so many more tokens in all."""

    def change(document: Any) -> Any:
        return put(put(document, f"/data/usage/{name}", count), "/data/usage/total_tokens", lambda old: old + more)

    return rewritten(change)


def _wordless(reason: str) -> Change:
    """A question with a long answer, answered with an empty text."""
    return on(RAW, with_json(TEXT, ""), with_json(REASON, reason))


MINIATURES: Final[tuple[Miniature, ...]] = (
    faulty(
        "answers with a choice of answers",
        on(asking(plain.MINIMAL.name), with_status(300)),
        "request.minimal-body",
        says="status: HTTP 200, as for plain.greeting; HTTP 300",
    ),
    faulty(
        "fails in an event over two lines, streamed or not",
        on(
            lambda exchange: END_MARKER(exchange) or DOCUMENTED(exchange),
            with_status(500),
            with_body(EVENT, "text/event-stream"),
        ),
        "request.documented-example",
        "errors.json",
        says="status: HTTP 200, as for plain.greeting; HTTP 500",
        unseen=("stream.",),
    ),
    faulty(
        "fails in an event, and does not stream where no Accept header asks for it",
        after(
            on(asking(stream.GREETING.name), with_status(500), with_body(EVENT, "text/event-stream")),
            as_told(plain.GREETING.name, asking(stream.NO_ACCEPT.name)),
        ),
        "stream.status",
        "parameters.stream-true",
        "errors.json",
        says="status: HTTP 200; HTTP 500",
        unseen=("auth.refused-before-stream", "stream."),
    ),
    faulty(
        "mangles what came as escapes",
        after(on(RAW, with_json(TEXT, CITIES)), on(ESCAPED, with_json(TEXT, CITIES.encode().decode("latin-1")))),
        "request.escaped-unicode",
        says="/data/choices/0/message/content: ",
    ),
    faulty(
        "escapes its streams as HTML",
        on(END_MARKER, saying(html.escape)),
        "request.markup-in-text",
        says='whole: "first lantern',
    ),
    faulty(
        "gives the index as no",
        on(answers, with_json("/data/choices/0/index", lambda _: False)),
        "response.choice-index",
        says="/data/choices/0/index: 0; false",
    ),
    faulty(
        "names its first answer by a number and all others alike",
        after(on(answers, with_json("/data/id", "chatcmpl-1")), on(GREETING, with_json("/data/id", 1))),
        "response.id-unique",
        "response.id",
        says="/data/id: another value than in ",
    ),
    faulty(
        "takes its reasoning from the sum",
        on(answers, _thinking("details", {"reasoning_tokens": 40}, more=-1)),
        "response.usage-sum",
        says="/data/usage/total_tokens: ",
    ),
)

VARIANTS: Final[tuple[Variant, ...]] = (
    odd(
        "calls a tool where a word was asked for",
        as_told("tools.required-call", asking(parameters.TOOLS.name), with_json(TEXT, GONE)),
    ),
    odd("is never read to its end", on(lambda _: True, cut(Ending.DEADLINE, keep=0)), ""),
    odd(
        "does not answer the smallest question in time",
        on(
            asking(plain.MINIMAL.name),
            lambda exchange: replace(exchange, response=None, pieces=(), ended=Ending.TIMEOUT),
        ),
        "",
    ),
    odd("counts reasoning beside the rest", on(answers, _thinking("reasoning_tokens", 40, more=40))),
    odd("filters a text of several scripts", _wordless("content_filter"), "stream.text-intact"),
    odd(
        "declines a text of several scripts",
        after(_wordless("stop"), on(RAW, with_json(f"{TEXT[:-7]}refusal", "No."))),
        "stream.text-intact",
    ),
    odd(
        "ends within a character where the text came raw",
        after(on(RAW, with_json(TEXT, "Zürich 東\ufffd")), on(ESCAPED, with_json(TEXT, CITIES))),
        "stream.text-intact",
    ),
    odd(
        "writes of something else, with half a character",
        on(RAW, with_json(TEXT, "Tokyo is 東\ufffd in Japanese")),
        "stream.text-intact",
    ),
    odd(
        "writes of something else, with half a character, and was busy for it as escapes",
        after(on(RAW, with_json(TEXT, "東\ufffd京")), on(ESCAPED, throttled(429, "RATE_LIMITED"))),
        "request.escaped-unicode",
        "stream.text-intact",
    ),
    odd(
        "greets with a name, and asks what was meant",
        after(says(GREETING, "東京"), says(RAW, "??"), says(ESCAPED, "??")),
    ),
    odd(
        "was asked with one form of an image, and refuses it",
        after(
            never_asked(multimodal.IMAGE_HTTPS.name),
            declined_as(asking(multimodal.IMAGE_DATA_URL.name), 422, "VALIDATION_ERROR"),
        ),
        "multimodal.",
    ),
    odd("answers the parts as it would a string", after(says(PART, "How can I help?"), on(PART, reads(9)))),
    odd(
        "answers the parts otherwise, and was busy for the string",
        after(says(PART, "How can I help?"), on(GREETING, throttled(429, "RATE_LIMITED"))),
        "",
    ),
    odd(
        "was busy for what it should forget",
        on(
            lambda exchange: exchange.probe == messages.STATELESS.name and exchange.step == 0,
            throttled(429, "RATE_LIMITED"),
        ),
    ),
    odd("was never asked for a word that it was not told", never_asked(messages.STATELESS.name), "messages."),
    odd("was never asked without its tools", never_asked(parameters.CHOICE_NONE.name), ""),
)
