"""Chat servers as strangers make them: mostly right, each with mistakes that a team would not notice."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from tests.strangers import ending, forgetful, handwritten, mangling, middleware, repeating, templates, threaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A server with mistakes."""

    name: str
    wrong: str
    serving: Callable[[], AbstractContextManager[str]]
    """Gives the base URL while it runs; it takes `provider.KEY`."""
    red: tuple[str, ...] = ()
    """The requirements that fail: all of them, but for those of `perhaps`."""
    perhaps: tuple[str, ...] = ()
    """Requirements that fail where chance, or a busy machine, puts the mistake in their way."""
    unseen: str = ""
    """What the suite does not see of it, and why."""


STRANGERS: Final = (
    Stranger(
        name="handwritten",
        wrong="Counts characters where Content-Length wants bytes, and forgets what a body has beyond 64 KiB.",
        serving=handwritten.serving,
        red=("response.is-json", "multimodal.image-base64-large"),
    ),
    Stranger(
        name="threaded",
        wrong="Refuses a key before it has read the body, and gives requests at one time one request id.",
        serving=threaded.serving,
        red=("response.request-id-unique",),
        perhaps=("response.request-id-unique",),
        unseen="The body left unread: each request of a run has a connection of its own, as the page's clients have.",
    ),
    Stranger(
        name="escaping",
        wrong="Escapes answers as HTML, and sends a stream in one piece.",
        serving=templates.escaping,
        red=("request.markup-in-text", "stream.not-in-one-burst"),
        perhaps=("stream.not-in-one-burst",),
    ),
    Stranger(
        name="filling",
        wrong="Takes braces in a prompt for fields of a template, and sends a stream in one piece.",
        serving=templates.filling,
        red=("request.markup-in-text", "stream.not-in-one-burst"),
        perhaps=("stream.not-in-one-burst",),
    ),
    Stranger(
        name="half-guarded",
        wrong="Looks at no key where a stream is asked for, and takes true for a number.",
        serving=middleware.half_guarded,
        red=("auth.refused-before-stream",),
        unseen="true for a number: readers of JSON that coerce take it too, and the page does not say what refuses it.",
    ),
    Stranger(
        name="zipped",
        wrong="Compresses documents of more than 600 bytes for clients that did not say they could read them.",
        serving=middleware.zipped,
        unseen="The coding: both clients of the page ask for gzip, and undo it.",
    ),
    Stranger(
        name="recoded",
        wrong="Turns characters of four bytes into question marks.",
        serving=middleware.recoded,
        red=("request.raw-utf8", "request.escaped-unicode"),
    ),
    Stranger(
        name="collapsing",
        wrong="Takes the blank lines out of a stream.",
        serving=mangling.collapsing,
        red=("stream.blank-line", "stream.done-closed"),
    ),
    Stranger(
        name="lossy",
        wrong="Loses every fiftieth chunk, and the field Retry-After.",
        serving=mangling.lossy,
        red=("stream.text-accumulates", "errors.rate-limited-retry-after"),
        unseen="A lost comma, or a comma lost with its number: a model may write so by itself.",
    ),
    Stranger(
        name="cached",
        wrong="Gives an equal body, with whatever key and to whatever path, the answer that was made before.",
        serving=repeating.cached,
        red=(
            "auth.missing-refused",
            "auth.wrong-refused",
            "auth.scheme-needed",
            "errors.wrong-path",
            "response.request-id-unique",
        ),
    ),
    Stranger(
        name="cached-by-prefix",
        wrong="Gives conversations whose first 200 characters are equal the same answer.",
        serving=repeating.cached_by_prefix,
        perhaps=(
            "response.id-unique",
            "response.request-id-unique",
            "multimodal.detail-known",
            "messages.system-obeyed",
        ),
        unseen="The wrong answer, as a rule: few requests begin alike, and those go out together.",
    ),
    Stranger(
        name="merged",
        wrong="Answers equal requests that come together with one answer, its id and its request id.",
        serving=repeating.merged,
        unseen="Everything: no two requests of a run are equal, and the page promises no two answers.",
    ),
    Stranger(
        name="retried",
        wrong="Asks again when a stream breaks, and appends the second answer to the first.",
        serving=repeating.retried,
        red=("stream.deltas-not-repeats",),
    ),
    Stranger(
        name="balanced",
        wrong="Every second answer has a fraction for a time and no total; every second stream has no reasons.",
        serving=repeating.balanced,
        red=("response.created", "response.usage", "finish.stream-says-why"),
    ),
    Stranger(
        name="leaking",
        wrong="After forty requests gives who sends no system message the last one of somebody else.",
        serving=forgetful.leaking,
        red=("messages.stateless",),
    ),
    Stranger(
        name="simplified",
        wrong="Reads the first text part, the first system message, and images in the last message alone.",
        serving=forgetful.simplified,
        red=("messages.parts-accepted",),
        unseen="Two system messages: the page knows one. Older images: no earlier turn has one.",
    ),
    Stranger(
        name="windowed",
        wrong="Sends the model the last eight messages of a longer conversation.",
        serving=forgetful.windowed,
        red=("messages.history-used", "messages.history-counted"),
    ),
    Stranger(
        name="short-of-breath",
        wrong="Cuts answers at 1000 characters and streams at 200 chunks, and says that they are whole.",
        serving=ending.short_of_breath,
        red=("finish.length",),
        unseen="The short streams: a model may end where it likes, and long streams cost tokens.",
    ),
    Stranger(
        name="stopping",
        wrong="Takes stop sequences for patterns, strips them, and misses those that two chunks share.",
        serving=ending.stopping,
        red=("parameters.stop-array-stops", "parameters.stop-in-stream"),
        unseen="Blanks stripped off: servers may trim an answer's ends, so that these are not compared.",
    ),
    Stranger(
        name="calling",
        wrong="Streams take a named tool choice for any, and streams of calls end without [DONE].",
        serving=ending.calling,
        red=("stream.done", "stream.tool-framing", "tools.stream-calls-when-named"),
    ),
)
"""All of them."""
