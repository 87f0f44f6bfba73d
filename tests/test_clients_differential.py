"""The readings of the page's clients beside the real things: httpx under CPython, and Node.js."""

import contextlib
import io
import json
import random
import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from itertools import pairwise

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.clients import Stop, python_answer, python_stream, typescript_answer, typescript_stream
from tests.client_bodies import BODIES, HAND_PICKED, PAYLOADS, random_bodies, seen

quick = settings(deadline=None, max_examples=200)

# The page's Python code itself, on a real httpx response.


def run_for_real(snippet: Callable[[], Stop]) -> tuple[str, Stop, str]:
    written = io.BytesIO()
    output = io.TextIOWrapper(written, encoding="utf-8", write_through=True)
    stopped, crash = Stop.CRASH, ""
    with contextlib.redirect_stdout(output):
        try:
            stopped = snippet()
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            crash = type(error).__name__
    return written.getvalue().decode(), stopped, crash


def page_stream(response: httpx.Response) -> Stop:
    for line in response.iter_lines():
        if line.startswith("data: "):
            payload = line[6:]
            if payload == "[DONE]":
                return Stop.DONE
            chunk = json.loads(payload)
            print(chunk["choices"][0]["delta"].get("content", ""), end="", flush=True)  # noqa: T201
        elif line.startswith("event: error"):
            pass
    return Stop.END


def page_answer(response: httpx.Response) -> Stop:
    data = response.json()["data"]
    print(data["choices"][0]["message"]["content"])  # noqa: T201
    return Stop.END


class Pieces(httpx.SyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self._pieces


@quick
@given(body=BODIES, data=st.data())
def test_the_python_loop_is_what_httpx_makes_of_it(body: bytes, data: st.DataObject) -> None:
    charset = data.draw(
        st.sampled_from(["utf-8", "iso-8859-1", "utf-16", "utf-7", "gb18030", "no-such"]), label="charset"
    )
    places = data.draw(st.lists(st.integers(0, len(body)), max_size=4), label="places")
    pieces = [body[start:end] for start, end in pairwise([0, *sorted(places), len(body)])]
    headers = {"content-type": f"text/event-stream; charset={charset}"}
    response = httpx.Response(200, headers=headers, stream=Pieces(*pieces))

    assert seen(python_stream(body, charset=charset)) == run_for_real(lambda: page_stream(response))


@quick
@given(body=BODIES | PAYLOADS.map(lambda value: json.dumps(value).encode()))
def test_the_python_answer_is_what_httpx_makes_of_it(body: bytes) -> None:
    response = httpx.Response(200, content=body)

    assert seen(python_answer(body)) == run_for_real(lambda: page_answer(response))


# The page's TypeScript code itself, less its types, in Node.js. Each body comes in the given pieces.

NODE = """
const write = process.stdout.write.bind(process.stdout);
let printed;
process.stdout.write = (value) => {
  if (typeof value === "string") { printed.push(Buffer.from(value)); return true; }
  return write(value);
};

async function stream(resp) {
  const reader = resp.body.getReader();
  const decoder = new TextDecoder();
  let buf = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    buf += decoder.decode(value, { stream: true });
    const lines = buf.split("\\n");
    buf = lines.pop();
    for (const line of lines) {
      if (!line.startsWith("data: ")) continue;
      const payload = line.slice(6);
      if (payload === "[DONE]") return "saw [DONE]";
      const chunk = JSON.parse(payload);
      process.stdout.write(chunk.choices[0].delta.content || "");
    }
  }
  return "the input ended";
}

async function answer(resp) {
  const { data } = await resp.json();
  console.log(data.choices[0].message.content);
  return "the input ended";
}

function response(pieces) {
  return new Response(new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(new Uint8Array(Buffer.from(piece, "base64")));
      controller.close();
    },
  }));
}

async function run(snippet, pieces) {
  printed = [];
  let stopped = "crashed", crash = "";
  try { stopped = await snippet(response(pieces)); } catch (error) { crash = error.name; }
  return { printed: Buffer.concat(printed).toString("base64"), stopped, crash };
}

(async () => {
  const input = [];
  for await (const part of process.stdin) input.push(part);
  const out = [];
  for (const pieces of JSON.parse(Buffer.concat(input).toString())) {
    out.push([await run(stream, pieces), await run(answer, pieces)]);
  }
  write(Buffer.from(JSON.stringify(out)));
})();
"""


def in_pieces(body: bytes, *, source: random.Random) -> list[bytes]:
    places = sorted(source.randrange(len(body) + 1) for _ in range(source.randrange(4)))
    return [body[start:end] for start, end in pairwise([0, *places, len(body)])]


@pytest.mark.skipif(
    shutil.which("node") is None, reason="Node.js is not on the path, so there is nothing to compare with"
)
def test_the_typescript_code_is_what_node_makes_of_it() -> None:
    source = random.Random(20)
    bodies = [*HAND_PICKED, *random_bodies(count=1500, seed=196)]
    batch = [[b64encode(piece).decode() for piece in in_pieces(body, source=source)] for body in bodies]

    node = subprocess.run(
        ["node", "-e", NODE], input=json.dumps(batch).encode(), capture_output=True, check=True, timeout=60
    )

    def told(run: dict[str, str]) -> tuple[str, Stop, str]:
        return b64decode(run["printed"]).decode(), Stop(run["stopped"]), run["crash"]

    answers = json.loads(node.stdout)
    assert len(answers) == len(bodies)
    stops = set()
    for body, (streamed, answered) in zip(bodies, answers, strict=True):
        assert seen(typescript_stream(body)) == told(streamed), body[:300]
        ours, theirs = seen(typescript_answer(body)), told(answered)
        if "..." in ours[0]:  # an array or an object, of which only the brackets are given
            theirs = (theirs[0][:1] + " ... " + theirs[0][-2:], *theirs[1:])
        assert ours == theirs, body[:300]
        stops |= {told(streamed)[1:], theirs[1:]}
    assert stops == {(Stop.DONE, ""), (Stop.END, ""), (Stop.CRASH, "TypeError"), (Stop.CRASH, "SyntaxError")}
