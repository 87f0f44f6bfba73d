"""The built-in model: it answers what a suite asks, in the same words every time, from this request alone.

`temperature`, `top_p` and `seed` have no effect, because nothing is drawn at random.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from conformance.server.calls import wanted
from conformance.server.generation import CallArguments, CallStart, ChatRequest, Finish, Service, Steps, Text
from conformance.server.media import colour, payload, seconds
from conformance.server.tokens import tokens

MINI: Final = "reference/mini"
"""The slug of the model with every capability."""
TEXT: Final = "reference/text"
"""The slug of the model that has text only."""

_MOST_NUMBERS: Final = 2000
_STORY: Final = (
    "Once upon a time there was a lighthouse at the end of a long and stony beach.",
    "Its keeper was an old woman called Marta, who wrote down every ship that passed.",
    "She wrote the name, the hour and the colour of the sails, and she never missed one.",
    "One evening in autumn a thick fog came in from the sea, and the lamp would not burn.",
    "Marta tried new oil, and a new wick, and a match that she had kept dry for ten years.",
    "Nothing helped, and far out on the water a bell began to ring.",
    "So she took the book of ships, went down to the rocks and read the names aloud.",
    "She read them slowly, one after the other, as loud as she could.",
    "The captain heard her voice in the fog and turned the wheel a little to the left.",
    "He heard the name of the ship on which he had learned to sail, and he laughed.",
    "All night she read, and all night the bell answered, a little nearer every time.",
    "When the sun came up the ship lay safe behind the pier, and the book was at its last page.",
    "The captain brought her a new book, bound in blue, and a lamp that did not mind the fog.",
    "Marta thanked him, opened the book, and wrote down the first name.",
)
_CAPITALS: Final[Mapping[str, str]] = {
    "switzerland": "Bern",
    "france": "Paris",
    "germany": "Berlin",
    "italy": "Rome",
    "austria": "Vienna",
    "spain": "Madrid",
    "japan": "Tokyo",
    "the netherlands": "Amsterdam",
}
_FRENCH: Final[Mapping[str, str]] = {
    "hello": "Bonjour",
    "good morning": "Bonjour",
    "good evening": "Bonsoir",
    "good night": "Bonne nuit",
    "goodbye": "Au revoir",
    "thank you": "Merci",
    "thanks": "Merci",
    "please": "S'il vous plaît",
    "yes": "Oui",
    "no": "Non",
    "cat": "chat",
    "water": "eau",
}
_VERBATIM: Final = (
    re.compile(
        r"\b(?:(?:reply|respond|answer|write|output|return)\b[^:\n]*\b(?:exactly|verbatim|following|only|just|this)\b"
        r"|(?:repeat|echo|say|print|copy)\b)[^:\n]*:[ \t]*\n?(?P<words>.+)",
        re.IGNORECASE | re.DOTALL,
    ),
    re.compile(
        r"\b(?:reply|respond|answer)\b(?: \w+){0,3}? with (?:exactly |only |just )?(?:the |one )?(?:single )?"
        r"(?:word |text |letter |token )[\"'“]?(?P<words>[^\s\"'”]+?)[\"'”]?(?:[\s.!,]|$)",
        re.IGNORECASE,
    ),
    re.compile(r"\A(?:please )?say (?:the word )?[\"“]?(?P<words>[^\n\"”]{1,80}?)[\"”]?[.!]?\Z", re.IGNORECASE),
)
_BEGIN: Final = re.compile(
    r"\b(?:begin|start|prefix)\b[^.\n]{0,60}? with (?:the (?:word|marker|token|text) )?[\"'“]?(?P<word>[^\s\"'”]+)",
    re.IGNORECASE,
)
_END: Final = re.compile(
    r"\b(?:end|finish)\b[^.\n]{0,60}? with (?:the (?:word|marker|token|text) )?[\"'“]?(?P<word>[^\s\"'”]+)",
    re.IGNORECASE,
)
_FACT: Final = re.compile(
    r"\b(?:the|my|your|our) (?P<thing>[a-z]+(?: [a-z]+){0,2}) is:? [\"'“]?(?P<value>[\w-]+)", re.IGNORECASE
)


async def reply(request: ChatRequest) -> Steps:
    """The model's whole answer, one token a step; nothing bounds it here."""
    prompt = _prompt(request)
    verbatim = _verbatim(prompt) if request.tool_choice == "auto" else None
    forced = request.tool_choice in {"required", "named"}
    told = not forced and (verbatim is not None or request.messages[-1]["role"] == "tool")
    calls = () if told else wanted(request, prompt)
    for index, call in enumerate(calls):
        yield CallStart(index=index, id=call.id, name=call.name)
        for fragment in tokens(call.arguments):
            yield CallArguments(index=index, fragment=fragment)
    if not calls:
        for token in tokens(_dressed(_words(request, prompt), request.messages)):
            yield Text(text=token)
    yield Finish(reason="tool_calls" if calls else "stop")


def built_in() -> tuple[Service, ...]:
    """The models that the server always has, as the slugs that clients use."""
    return (
        Service(slug=MINI, display_name="Reference Mini", steps=reply, max_output_tokens=512),
        Service(
            slug=TEXT,
            display_name="Reference Text",
            steps=reply,
            max_output_tokens=512,
            tools=False,
            vision=False,
            audio=False,
        ),
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message; of parts, the text parts joined by line feeds."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part["type"] == "text")


def _prompt(request: ChatRequest) -> str:
    """The last thing that a user said."""
    spoken = [text_of(message) for message in request.messages if message["role"] == "user"]
    return spoken[-1] if spoken else ""


def _verbatim(prompt: str) -> str | None:
    found = (pattern.search(prompt) for pattern in _VERBATIM)
    return next((match["words"] for match in found if match), None)


def _words(request: ChatRequest, prompt: str) -> str:
    """The text of the answer, by the first rule that has one; free of lone surrogates, which are no text."""
    messages = request.messages
    answers: Sequence[Callable[[], str | None]] = (
        lambda: _results(messages),
        lambda: _recalled(prompt, messages),
        lambda: _verbatim(prompt),
        lambda: _perceived(messages[-1]),
        lambda: _count(prompt),
        lambda: _french(prompt, messages),
        lambda: _capital(prompt),
        lambda: _sum(prompt),
        lambda: _story(prompt),
    )
    found = (answer() for answer in answers)
    text = next((text for text in found if text is not None), _small_talk(prompt))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _dressed(text: str, messages: Sequence[Mapping[str, Any]]) -> str:
    """The text with the first and last word that system messages ask for."""
    for message in messages:
        if message["role"] == "system":
            if match := _BEGIN.search(text_of(message)):
                text = f"{match['word'].rstrip('.,;')} {text}"
            if match := _END.search(text_of(message)):
                text = f"{text} {match['word'].rstrip('.,;')}"
    return text


def _results(messages: Sequence[Mapping[str, Any]]) -> str | None:
    """A sentence with every value of the tool results that the conversation ends with."""
    results = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.append(text_of(message))
    if not results:
        return None
    return " ".join(f"The tool answered: {_told(result)}." for result in reversed(results))


def _told(result: str) -> str:
    try:
        parsed = json.loads(result)
        return ", ".join(_leaves(parsed)) or "nothing"
    except (ValueError, RecursionError):
        return result.strip() or "nothing"


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} {key}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    else:
        said = value if isinstance(value, str) else json.dumps(value)
        yield f"{name} is {said}" if name else said


def _perceived(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    seen = [part for part in parts if part["type"].startswith("image")]
    heard = [part for part in parts if part["type"].startswith("audio")]
    if seen:
        names = [colour(inline) if (inline := payload(part)) else None for part in seen]
        named = [name for name in names if name]
        if len(named) == len(names):
            return f"The image is {named[0]}." if len(named) == 1 else f"The images are {' and '.join(named)}."
        return "I was given an image." if len(seen) == 1 else f"I was given {len(seen)} images."
    if heard:
        lengths = [seconds(inline) if (inline := payload(part)) else None for part in heard]
        known = [length for length in lengths if length is not None]
        if len(known) == len(lengths):
            return f"The recording lasts {sum(known):.2f} seconds."
        return "I was given a recording."
    return None


def _count(prompt: str) -> str | None:
    match = re.search(r"\bcount\b.*?(?:\bfrom (\d{1,9}) )?\b(?:up |down )?to (\d{1,9})", prompt, re.IGNORECASE)
    if not match:
        return None
    first, last = int(match[1] or 1), int(match[2])
    step = 1 if first <= last else -1
    numbers = list(range(first, last + step, step)[:_MOST_NUMBERS])
    lines = re.search(r"\b(?:per|each|own|new|separate)[\w ]* lines?\b", prompt, re.IGNORECASE)
    return ("\n" if lines else ", ").join(map(str, numbers))


def _recalled(prompt: str, messages: Sequence[Mapping[str, Any]]) -> str | None:
    """The value of a thing that this request's messages name: `the secret word is W` makes `W` the secret word."""
    match = re.search(
        r"\b(?:what|which|tell me|repeat|recall|remember)\b.*?\b(?:the|my|your|our) (?P<thing>[a-z]+(?: [a-z]+){0,2})",
        prompt,
        re.IGNORECASE | re.DOTALL,
    )
    if not match:
        return None
    facts = {fact["thing"].lower(): fact["value"] for message in messages for fact in _FACT.finditer(text_of(message))}
    asked = match["thing"].lower()
    for thing, value in facts.items():
        if asked == thing or asked.startswith(f"{thing} "):
            return value
    return "I do not know it." if "secret" in asked else None


def _french(prompt: str, messages: Sequence[Mapping[str, Any]]) -> str | None:
    asked = re.search(r"\b(?:to|into) french\b[^:\n]*:?\s*(.*)", prompt, re.IGNORECASE | re.DOTALL)
    told = any(
        re.search(r"\btranslate\b[^.\n]*\bfrench\b", text_of(message), re.IGNORECASE)
        for message in messages
        if message["role"] == "system"
    )
    if not asked and not told:
        return None
    words = (asked[1] if asked and asked[1] else prompt).strip(" .!?\"'\n")
    return _FRENCH.get(words.lower(), f"« {words} »")


def _capital(prompt: str) -> str | None:
    match = re.search(r"\bcapital(?: city)? of (the netherlands|\w+)", prompt, re.IGNORECASE)
    name = _CAPITALS.get(match[1].lower()) if match else None
    return f"{name}." if name else None


def _sum(prompt: str) -> str | None:
    match = re.search(r"(?<![\w.])(\d{1,12}) ?(\+|-|\*|x|×|plus|minus|times) ?(\d{1,12})(?![\w.])", prompt)
    if not match:
        return None
    one, sign, other = int(match[1]), match[2], int(match[3])
    if sign in {"+", "plus"}:
        return f"{one + other}."
    return f"{one - other}." if sign in {"-", "minus"} else f"{one * other}."


def _story(prompt: str) -> str | None:
    """A story of some two hundred and fifty tokens; where much is asked for, one that no limit is too large for."""
    if re.search(
        r"\b(?:long|longest|detailed|in detail|words|pages|forever|without end|endless)\b", prompt, re.IGNORECASE
    ):
        return " ".join(f"Chapter {number}. {' '.join(_STORY)}" for number in range(1, 13))
    if re.search(r"\b(?:story|tale|essay|poem|describe|explain|paragraphs?|write)\b", prompt, re.IGNORECASE):
        return " ".join(_STORY)
    return None


def _small_talk(prompt: str) -> str:
    if re.match(r"\s*(?:hello|hi|hey|good (?:morning|evening))\b", prompt, re.IGNORECASE):
        return "Hello, it is good to hear from you."
    return "I have read your message and have nothing to add."
