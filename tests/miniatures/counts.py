"""Servers that count tokens wrongly in unstreamed answers."""

from typing import Any, Final

from conformance.server.changes import GONE
from tests.miniatures.answers import UNCOUNTED, member
from tests.miniatures.model import faulty
from tests.miniatures.wire import Change, answers, on, rewritten


def _renamed(document: Any) -> Any:
    usage = document["data"]["usage"]
    document["data"]["usage"] = {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
    return document


def _usage(prompt: Any = None, written: Any = None) -> Change:
    """Other counts, and a total that fits them."""

    def change(document: Any) -> Any:
        usage = document["data"]["usage"]
        usage["prompt_tokens"] = usage["prompt_tokens"] if prompt is None else prompt
        usage["completion_tokens"] = usage["completion_tokens"] if written is None else written
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
        return document

    return on(answers, rewritten(change))


MINIATURES: Final = (
    member("counts no tokens", "/usage", GONE, "response.usage", says="prompt_tokens, completion", unseen=UNCOUNTED),
    member("gives null for usage", "/usage", None, "response.usage", says="; null", unseen=UNCOUNTED),
    member(
        "leaves out the total",
        "/usage/total_tokens",
        GONE,
        "response.usage",
        says="with total_tokens",
        unseen=UNCOUNTED,
    ),
    faulty(
        "calls its counts input and output",
        on(answers, rewritten(_renamed)),
        "response.usage",
        says="/data/usage: ",
        unseen=UNCOUNTED,
    ),
    member(
        "counts in text",
        "/usage/prompt_tokens",
        str,
        "response.usage-counts",
        unseen=UNCOUNTED,
    ),
    member("counts below zero", "/usage/prompt_tokens", -1, "response.usage-counts", says="; -1", unseen=UNCOUNTED),
    member("counts halves", "/usage/total_tokens", 9.5, "response.usage-counts", says="; 9.5", unseen=UNCOUNTED),
    member("adds up wrongly", "/usage/total_tokens", lambda old: old + 1, "response.usage-sum", says=" + "),
    member("gives no sum", "/usage/total_tokens", 0, "response.usage-sum", says="/data/usage/total_tokens: "),
    faulty(
        "counts no prompt",
        _usage(prompt=0),
        "response.usage-prompt-counted",
        says="/data/usage/prompt_tokens: more than 0; 0",
        unseen=("messages.history-counted",),
    ),
    faulty(
        "counts no answer",
        _usage(written=0),
        "response.usage-completion-counted",
        "finish.length-only-at-the-limit",
        says="/data/usage/completion_tokens: more than 0; 0",
        unseen=("finish.length",),
    ),
    faulty(
        "counts zeros",
        _usage(prompt=0, written=0),
        "response.usage-prompt-counted",
        "response.usage-completion-counted",
        "finish.length-only-at-the-limit",
        says="more than 0; 0",
        unseen=("finish.length", "messages.history-counted"),
    ),
)
