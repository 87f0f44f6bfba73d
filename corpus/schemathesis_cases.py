"""The coverage cases of Schemathesis, frozen into `conformance/generate/schemathesis.json` (`nox -s corpus`).

Schemathesis goes through `schemas/openapi.json` and changes one thing at a time. What it changes is kept. What stands
around it is made such as a real model is sent: words in the place of empty strings, a conversation that begins and
ends with a user, tools that are declared where they are spoken of. A case that cannot be a probe is left out and
counted with its reason.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import schemathesis
from schemathesis.core import NotSet
from schemathesis.generation import GenerationMode

from conformance import schema
from conformance.document import at
from conformance.generate.corpus import FILE, PLACEHOLDERS, SLUG
from conformance.generate.defects import BASES, Grade, grade_of, single_defects
from conformance.probe import MODEL

ROOT: Final = Path(__file__).parent.parent
OPENAPI: Final = ROOT / "schemas" / "openapi.json"
PATH: Final = "/v1/inference/chat"
FEW: Final = 2
"""Tokens that are asked for where a case does not speak of max_tokens."""

USER, CALLED, RESULT = BASES["tools"]["messages"]
TOOLS: Final = BASES["tools"]["tools"]


def made() -> str:
    """The text of the corpus, the same each time with the same versions of Schemathesis and of the schemas."""
    dropped: Counter[str] = Counter()
    kept: dict[str, dict[str, Any]] = {}
    ours = {_identity(defect.body) for defect in single_defects()}
    for case in _generated():
        if reason := next(_reasons(case), ""):
            dropped[reason] += 1
            continue
        row = _row(case)
        if (identity := _identity(row["body"])) in ours:
            dropped["the same as a defect that we derive ourselves"] += 1
        elif identity in kept:
            dropped["the same as a case before it"] += 1
        else:
            kept[identity] = row
    seen: Counter[str] = Counter()
    for row in kept.values():
        seen[row["name"]] += 1
        if (times := seen[row["name"]]) > 1:
            row["name"] += f"-{times}"
    head = {"made_by": f"schemathesis {version('schemathesis')}", "dropped": dict(sorted(dropped.items()))}
    rows = ",\n".join(json.dumps(row) for row in kept.values())
    return json.dumps(head, indent=1)[:-2] + f',\n "cases": [\n{rows}\n]}}\n'


def _generated() -> Iterator[Any]:
    settings = {"generation": {"with-security-parameters": False, "allow-x00": False, "codec": "ascii"}}
    loaded = schemathesis.openapi.from_path(OPENAPI, config=schemathesis.Config.from_dict(settings))
    # The generator has no public interface: this is why one version is pinned, and what it gives is kept in a file.
    yield from loaded.iter_coverage_cases(
        loaded[PATH]["POST"], generation_modes=list(GenerationMode), generation_config=loaded.config.generation
    )


def _reasons(case: Any) -> Iterator[str]:
    """Why a case is no probe; the first counts."""
    data = case.meta.phase.data
    if case.method != "POST":
        yield "another method than POST, of which the page says nothing"
    if data.parameter == "Content-Type":
        yield "its fault is in the Content-Type and not in the body"
    if isinstance(case.body, NotSet):
        yield "no body at all"
        return
    broken = schema.defects("request.schema.json", case.body)
    if len(broken) != _is_refused(case):
        yield f"{len(broken)} defects in place of {int(_is_refused(case))}"
    elif broken:
        if not _confirmed(data, broken[0]):
            yield "another member is missing: inside anyOf, Schemathesis forgets what the object around it requires"
        if _PART_OF_ANOTHER.search(data.location):
            yield "a broken part in a message that is not the user's: the page leaves open whether parts may be there"
    elif any(_media(message) for message in case.body["messages"] if message["role"] != "user"):
        yield "an image or a sound in a message that is not the user's: the page leaves it open, and models expect none"


def _row(case: Any) -> dict[str, Any]:
    """The case as the corpus keeps it.

    Raises:
        RuntimeError: it is broken otherwise than before, now that all around it is plausible.
    """
    data = case.meta.phase.data
    broken = schema.defects("request.schema.json", case.body)
    where = broken[0].pointer if broken else None
    body = _plausible(case.body, where=where, speaks=f"{data.location} {data.description}")
    if [_what(each) for each in schema.defects("request.schema.json", body)] != [_what(each) for each in broken]:
        raise RuntimeError(f"what was put around a case has changed its defect: {body}")
    graded = grade_of(body)
    return {
        "name": _refused_name(body, data) if graded else _accepted_name(case.body, data.description),
        "location": data.location or "",
        "scenario": data.scenario.value,
        "description": data.description,
        "base": _base(body),
        "expected": "refused" if _is_refused(case) else "accepted",
        "grade": (graded[0] if graded else _grade_of_good(body)).name.lower(),
        "body": body,
    }


def _is_refused(case: Any) -> bool:
    return bool(case.meta.generation.mode is GenerationMode.NEGATIVE)


def _confirmed(data: Any, defect: schema.Defect) -> bool:
    """Whether the defect is the one that the case was made for: at the same place, and the same missing member."""
    *place, _ = re.sub(r"/(oneOf|anyOf)/\d+|/allOf", "", data.location).split("/")
    named = ["#" if step == "items" else step for step in place if step != "properties"]
    found = ["#" if step.isdigit() else step for step in defect.pointer.split("/")]
    return named == found and _missing(data) in defect.message


def _missing(data: Any) -> str:
    """The member that was left out; empty where none was."""
    member: str = data.description.partition("Missing required property: ")[2]
    return member


_PART_OF_ANOTHER: Final = re.compile(r"/messages/items/oneOf/[023]/.*/content/items/")


def _what(defect: schema.Defect) -> tuple[str, str, str]:
    return defect.schema, defect.rule, defect.found


def _identity(body: Any) -> str:
    """What a body says, whatever the order of its members, with placeholders in the place of what they stand for."""
    text = json.dumps(body, sort_keys=True, default=lambda blank: SLUG if blank is MODEL else None)
    for word, meant in PLACEHOLDERS.items():
        text = text.replace(meant, word)
    return text


# What stands around a change.


def _plausible(body: Any, *, where: str | None, speaks: str) -> Any:
    """The body with nothing of interest but what the case is about; `where` is the pointer of its defect."""
    if not isinstance(body, dict):
        return body
    known = {name: _filled(item, name, f"/{name}", where, "") for name, item in body.items()}
    if "model" in known and where != "/model":
        known["model"] = SLUG
    if "max_tokens" not in speaks:
        known["max_tokens"] = FEW
    if isinstance(known.get("messages"), list) and known["messages"]:
        known["messages"] = _conversation(known["messages"])
        if CALLED in known["messages"] or RESULT in known["messages"]:
            known.setdefault("tools", TOOLS)
    if "tool_choice" in known:
        known.setdefault("tools", TOOLS)
    return known


def _conversation(messages: list[Any]) -> list[Any]:
    """The messages with what a model expects before and after them."""
    last = messages[-1]
    match last.get("role") if isinstance(last, dict) else None:
        case "user":
            return messages
        case "tool":
            return [USER, CALLED, *messages]
        case "assistant":
            return [USER, *messages, RESULT if last.get("tool_calls") else USER]
    return [*messages, USER]


def _filled(value: Any, name: str, pointer: str, where: str | None, kind: str) -> Any:
    """The value, or what a client would have put where the generator put the least that the schema allows."""
    if pointer == where and value in ("", "0", {}):
        return value
    if isinstance(value, dict) and value:
        kind = value["type"] if isinstance(value.get("type"), str) else kind
        return {key: _filled(item, key, f"{pointer}/{key}", where, kind) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, name, f"{pointer}/{place}", where, kind) for place, item in enumerate(value)]
    if value in ("", "0") or (name == "parameters" and value == {}):
        return _client_value(name, "audio" if "audio" in kind else "image", value)
    return value


def _client_value(name: str, medium: str, otherwise: Any) -> Any:
    word, media_type = {"audio": ("<wav>", "audio/wav"), "image": ("<png>", "image/png")}[medium]
    return {
        "arguments": "{}",
        "content": "Hi.",
        "data": word,
        "description": "Adds.",
        "id": "call_1",
        "media_type": media_type,
        "name": "add",
        "parameters": {"type": "object", "properties": {}},
        "stop": "###",
        "text": "Hi.",
        "tool_call_id": "call_1",
        "type": "function",
        "url": f"data:{media_type};base64,{word}",
    }.get(name, otherwise)


# What is said of a case.


def _grade_of_good(body: Mapping[str, Any]) -> Grade:
    """Open where the page leaves it so: the schema's own notes on silence."""
    messages = body["messages"]
    parts = [part for message in messages for part in _parts(message)]
    open_ = (
        body.get("tools") == []
        or body.get("stop") == []
        or any(_parts(message) for message in messages if message["role"] != "user")
        or any(not message["tool_calls"] for message in messages if "tool_calls" in message)
        or any(part["type"] not in {"text", "image_url"} for part in parts)
    )
    return Grade.OPEN if open_ else Grade.STATED


def _parts(message: Mapping[str, Any]) -> list[Any]:
    content = message.get("content")
    return content if isinstance(content, list) else []


def _media(message: Mapping[str, Any]) -> bool:
    return any(part["type"] != "text" for part in _parts(message))


def _base(body: Any) -> str:
    """The good request that is nearest: it needs the same of the model."""
    text = json.dumps(body)
    if "audio" in text:
        return "sound"
    if "image" in text:
        return "image"
    return "tools" if '"tools":' in text else "plain"


def _kinds(file: str) -> list[str]:
    """The names of the branches of a union of our own schemas, in their order."""
    return [branch["$ref"].rpartition("/")[2] for branch in schema.document(file)["oneOf"]]


ROLES: Final = _kinds("message.schema.json")
PARTS: Final = _kinds("content-part.schema.json")


def _refused_name(body: Any, data: Any) -> str:
    """The place in the schema as Schemathesis names it, and the wrong value: `messages.user.content.type.0`."""
    place = data.location.removeprefix("/").replace("properties/", "").replace("/", ".")
    place = re.sub(r"(?<=messages\.)items\.oneOf\.(\d)", lambda union: ROLES[int(union[1])], place)
    place = re.sub(r"(?<=content\.)items\.oneOf\.(\d)", lambda union: PARTS[int(union[1])], place)
    (defect,) = schema.defects("request.schema.json", body)
    wrong = f"without-{member}" if (member := _missing(data)) else _word(at(body, defect.pointer))
    return f"{place}.{wrong}"


def _word(value: Any) -> str:
    match value:
        case list():
            return "array"
        case dict():
            return "object"
        case "":
            return "empty"
    return value if isinstance(value, str) else json.dumps(value)


def _accepted_name(body: Any, description: str) -> str:
    """What the case is about, in the words that its description quotes."""
    words = re.findall(r"'(\w+)' (?:value|and)|'(\w+)'$", description)
    names = [first or second for first, second in words]
    if names[:1] == ["messages"]:
        message = body["messages"][0]
        names.insert(1, message["role"])
        if parts := _parts(message):
            names.insert(3, parts[0]["type"])
    return ".".join(["accepted", *(names or ["example"])])


def main() -> int:
    """Write the corpus and say what it holds; the exit code."""
    file = ROOT / "conformance" / "generate" / FILE
    file.write_text(made(), encoding="utf-8")
    corpus = json.loads(file.read_text(encoding="utf-8"))
    found = Counter((row["expected"], row["grade"]) for row in corpus["cases"])
    for (expected, grade), number in sorted(found.items()):
        print(f"{number:4} {expected}, {grade}")
    for reason, number in corpus["dropped"].items():
        print(f"{number:4} dropped: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
