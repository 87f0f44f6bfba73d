"""The scripted backend writes what its scenarios say, to the byte, and tells what it received."""

import json
import re
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from conformance.backend import Backend, hosted
from conformance.scenario import Fate, Manner, Scenario, Script, cue, cued, tagged
from conformance.scenarios import SCENARIOS
from conformance.scenarios.writing import NAMED
from conformance.server.gallery import Gallery
from conformance.server.hosting import serve_in_thread

KEY = "sgk_" + "3b" * 20


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with hosted(silence=0.3, key=KEY) as running:
        yield running


def connected(backend: Backend) -> socket.socket:
    host, _, port = backend.url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=30)
    connection.settimeout(30)
    return connection


def request(name: str, *, tag: str = "ab12", **members: Any) -> bytes:
    content = tagged(f"Play {cue(name)} now.", tag)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **members}).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def answered(backend: Backend, sent: bytes) -> tuple[bytes, bool]:
    """All that comes back, and whether the connection was reset."""
    with connected(backend) as connection:
        connection.sendall(sent)
        got = bytearray()
        try:
            while piece := connection.recv(65536):
                got += piece
            reset = False
        except ConnectionResetError:
            reset = True
    assert backend.settled(within=10)
    return bytes(got), reset


def unchunked(data: bytes) -> tuple[bytes, bool]:
    """A body in chunks put together, and whether it is whole (RFC 9112, 7.1)."""
    body = bytearray()
    while data:
        size, _, rest = data.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return bytes(body), rest == b"\r\n"
        body += rest[:length]
        data = rest[length + 2 :]
    return bytes(body), False


def same(script: Script, got: bytes) -> bool:
    """Whether a body is what the script writes, whatever fills its blanks."""
    data = b"".join(write.data for write in script.writes if not write.if_asked)
    wanted = re.escape(data).replace(b"__ID__", b"[0-9a-f]{16}").replace(b"__CREATED__", b"[0-9]{10}")
    return re.fullmatch(wanted, got, re.DOTALL) is not None


SHORT = [each for each in SCENARIOS.values() if each.name != "pace-long"]


@pytest.mark.parametrize("form", ["streamed", "whole"])
@pytest.mark.parametrize("scenario", [pytest.param(each, id=each.name) for each in SHORT])
def test_a_scenario_is_played_to_the_byte(backend: Backend, scenario: Scenario, form: str) -> None:
    script = scenario.streamed if form == "streamed" else scenario.whole
    got, reset = answered(backend, request(scenario.name, stream=form == "streamed"))

    assert reset is (script.ends is Manner.RESET)
    if not script.headed:
        assert got == b""
        return
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % script.status)
    assert b"\r\nContent-Type: " + script.media_type.encode() in head
    if script.sized:
        assert b"\r\nContent-Length: %d" % len(body) in head
    else:
        body, whole = unchunked(body)
        assert whole is (script.ends is Manner.END)
    assert same(script, body)


def test_the_catalogue_is_whole() -> None:
    assert len(SCENARIOS) >= 60
    for scenario in SCENARIOS.values():
        assert scenario.does[0].islower()
        assert not scenario.does.endswith(".")
        assert scenario.fate is not Fate.TOLD or scenario.codes, scenario.name
        assert scenario.fate is not Fate.DELIVERED or not scenario.codes, scenario.name
    for manner in Manner:
        assert any(each.streamed.ends is manner for each in SCENARIOS.values())
    for reason in ("stop", "length", "tool_calls", "content_filter"):
        assert any(each.reason == reason and each.fate is Fate.DELIVERED for each in SCENARIOS.values())


def test_the_usage_of_a_stream_is_told_to_whoever_asked_for_it(backend: Backend) -> None:
    asked, _ = answered(backend, request("text-plain", stream=True, stream_options={"include_usage": True}))
    unasked, _ = answered(backend, request("text-plain", stream=True))

    assert b'"usage"' in asked
    assert b'"usage"' not in unasked


def test_what_was_received_is_tied_to_the_request_by_its_tag(backend: Backend) -> None:
    answered(backend, request("text-plain", tag="c0ffee01", stream=True, seed=7))
    (arrival,) = (each for each in backend.arrivals if each.tag == "c0ffee01")

    assert arrival.scenario == "text-plain"
    assert arrival.streamed
    assert json.loads(arrival.body)["seed"] == 7
    assert arrival.left is None
    assert arrival.first_write is not None
    assert arrival.last_write is not None
    assert arrival.written > 500


def test_a_gateway_that_leaves_is_seen_to_leave(backend: Backend) -> None:
    with connected(backend) as connection:
        connection.sendall(request("pace-long", tag="1eaf", stream=True))
        connection.recv(400)
    assert backend.settled(within=5)
    (arrival,) = (each for each in backend.arrivals if each.tag == "1eaf")

    assert arrival.left is not None
    assert arrival.left < 4


def test_the_clients_key_is_seen_and_kept_nowhere(backend: Backend) -> None:
    sent = request("text-plain", tag="5ec7e7").replace(
        b"Host: x\r\n", b"Host: x\r\nAuthorization: Bearer other\r\nX-From: " + KEY.encode() + b"\r\n"
    )
    answered(backend, sent)
    (arrival,) = (each for each in backend.arrivals if each.tag == "5ec7e7")

    assert arrival.key_forwarded
    assert KEY not in repr(arrival)
    assert "Bearer other" not in repr(arrival)


def test_models_and_health_are_told_and_nothing_else_is_there(backend: Backend) -> None:
    for path, says in ((b"/v1/models", NAMED.encode()), (b"/health", b"ok"), (b"/elsewhere", b"nothing at this path")):
        got, _ = answered(backend, b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
        assert says in got


def test_an_unknown_scenario_is_told_and_none_is_a_plain_answer(backend: Backend) -> None:
    got, _ = answered(backend, request("no-such-thing"))
    assert b" 404 " in got
    assert b"no scenario is called no-such-thing" in got
    plain = b'{"model":"m","messages":[{"role":"user","content":"Hi."}]}'
    got, _ = answered(
        backend, b"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(plain), plain)
    )
    assert b"Understood." in got


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b""]
)
def test_what_is_no_http_ends_the_connection_and_nothing_else(backend: Backend, garbage: bytes) -> None:
    with connected(backend) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536) == b""
    assert b"Understood." in answered(backend, request("request-plain"))[0]


def test_an_image_is_fetched_from_its_address(backend: Backend) -> None:
    with serve_in_thread() as url:
        content = [
            {"type": "text", "text": tagged(cue("request-images"), "f00d")},
            {"type": "image_url", "image_url": {"url": f"{url}/health"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
            {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/none"}},
        ]
        body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
        answered(
            backend, b"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
    (arrival,) = (each for each in backend.arrivals if each.tag == "f00d")
    served, nobody = arrival.fetches

    assert (served.status, served.body) == (200, b'{"status":"ok"}')
    assert (nobody.status, nobody.body) == (0, b"")
    assert nobody.detail


class LeadingOn(BaseHTTPRequestHandler):
    """`/1` leads on to `/0`, which is an image; `/round` to itself."""

    def do_GET(self) -> None:
        on = "/0" if self.path == "/1" else "/round"
        self.send_response(200 if self.path == "/0" else 307)
        self.send_header("Location", on)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"GIF")

    def log_message(self, *_told: object) -> None:
        """Say nothing."""


def test_an_address_of_an_image_may_lead_on_to_another_and_not_for_ever(backend: Backend) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), LeadingOn) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        content = [
            {"type": "text", "text": tagged(cue("request-images"), "1ead")},
            *(
                {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{server.server_address[1]}{path}"}}
                for path in ("/1", "/round")
            ),
        ]
        body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
        answered(
            backend, b"POST /chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        server.shutdown()
        thread.join()
    (arrival,) = (each for each in backend.arrivals if each.tag == "1ead")
    led, lost = arrival.fetches

    assert (led.url[-2:], led.status, led.body) == ("/1", 200, b"GIF")
    assert (lost.status, lost.body) == (0, b"")
    assert "redirect" in lost.detail


@pytest.mark.parametrize(
    "messages, found",
    [
        ([{"role": "user", "content": "[scenario:a:1f]"}, {"role": "user", "content": "[scenario:b:2f]"}], ("b", "2f")),
        ([{"role": "user", "content": "[scenario:a:1f]"}, {"role": "assistant", "content": "ok"}], ("a", "1f")),
        ([{"role": "user", "content": [{"type": "text", "text": "x [scenario:a:1f]"}]}], ("a", "1f")),
        ([{"role": "user", "content": "[scenario:A:1f]"}], ("", "")),
        ("[scenario:a:1f]", ("", "")),
        ([None, 7, {"content": None}], ("", "")),
    ],
)
def test_the_last_message_that_names_a_scenario_counts(messages: Any, found: tuple[str, str]) -> None:
    assert cued({"messages": messages}) == found


def test_an_address_of_the_gallery_serves_the_image_and_the_oldest_make_room() -> None:
    gallery = Gallery()
    first = gallery.address("http://x", "image/png", "AAAA")
    assert gallery.at(first.rpartition("/")[2]) is not None
    for _ in range(300):
        gallery.address("http://x", "image/png", "AAAA")
    assert gallery.at(first.rpartition("/")[2]) is None
    assert gallery.address("http://x", "image/png", "no base64") == "data:image/png;base64,no base64"


def test_leaving_the_block_stops_a_backend_in_the_middle_of_an_answer() -> None:
    begun = time.monotonic()
    with hosted(silence=60) as running, connected(running) as connection:
        connection.sendall(request("death-at-once-silence"))
        time.sleep(0.2)
    assert time.monotonic() - begun < 20
