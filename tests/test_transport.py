"""The transport against servers that misbehave: how each exchange ends, in how much time, with which bytes."""

import asyncio
import contextlib
import json
import socket
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import __version__, transport
from conformance.document import MISSING
from conformance.exchange import Ending, to_json
from conformance.probe import Auth, Echo, Step, Unrenderable, Writing
from conformance.target import Limits
from conformance.transport import Interrupted, Received, Slot, outgoing
from tests import hostile
from tests.sending import (
    ASK,
    HASTY,
    KEY,
    LIMITS,
    body,
    ran,
    recorded,
    sent_to,
    target,
)

# What goes out


def test_a_request_is_compact_json_in_raw_utf8_with_the_model_filled_in() -> None:
    request = outgoing(ASK, target=target("https://grid.example.com"), key=KEY, earlier=())

    assert request.url == "https://grid.example.com/v1/inference/chat"
    assert request.body == '{"model":"acme/m","messages":[{"role":"user","content":"Zürich?"}]}'.encode()


def test_a_step_may_ask_for_escapes() -> None:
    request = outgoing(replace(ASK, writing=Writing.ASCII), target=target(), key=KEY, earlier=())

    assert rb"Z\u00fcrich" in request.body


def test_a_lone_surrogate_goes_out_as_an_escape() -> None:
    request = outgoing(Step(body={"x": "\ud800é"}), target=target(), key=KEY, earlier=())

    assert request.body == b'{"x":"\\ud800\xc3\xa9"}'
    assert json.loads(request.body) == {"x": "\ud800é"}


def test_a_trigger_replaces_members_and_adds_them() -> None:
    where = target(triggers={"rate_limited": {"model": "staging/limited", "metadata": {"a": 1}}})
    request = outgoing(replace(ASK, trigger="rate_limited"), target=where, key=KEY, earlier=())

    assert json.loads(request.body) == {
        "model": "staging/limited",
        "messages": [{"role": "user", "content": "Zürich?"}],
        "metadata": {"a": 1},
    }


def test_an_echo_of_what_never_came_cannot_be_rendered() -> None:
    step = Step(body={"messages": [Echo(pointer="/choices/0/message")]})

    with pytest.raises(Unrenderable, match="nothing at /choices/0/message"):
        outgoing(step, target=target(), key=KEY, earlier=(MISSING,))


def test_the_headers_are_those_of_the_documented_client_with_identity() -> None:
    with hostile.answers() as server:
        ran(sent_to(server))

    lines = server.seen[0].head.decode().split("\r\n")
    assert lines[0] == "POST /v1/inference/chat HTTP/1.1"
    assert set(lines[1:-2]) == {
        "Host: " + server.url.removeprefix("http://"),
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: keep-alive",
        f"User-Agent: chat-conformance/{__version__}",
        f"Authorization: Bearer {KEY}",
        "Content-Type: application/json",
        f"Content-Length: {len(server.seen[0].body)}",
    }


@pytest.mark.parametrize(
    "auth,said",
    [(Auth.KEY, f"Bearer {KEY}"), (Auth.WRONG, f"Bearer {transport.NOBODYS_KEY}"), (Auth.BARE, KEY), (Auth.NONE, None)],
)
def test_the_authorization_is_as_the_step_says(auth: Auth, said: str | None) -> None:
    request = outgoing(replace(ASK, auth=auth), target=target(), key=KEY, earlier=())

    assert dict(request.headers).get("Authorization") == said


def test_nobodys_key_is_as_long_as_the_shortest_real_one() -> None:
    assert len(transport.NOBODYS_KEY) == len("sgk_") + 32


def test_a_step_adds_replaces_and_removes_headers_whatever_their_case() -> None:
    step = replace(ASK, headers=(("accept", "text/event-stream"), ("X-New", "1"), ("CONTENT-TYPE", None)))
    with hostile.answers() as server:
        ran(sent_to(server, step=step))

    seen = server.seen[0]
    assert (seen.header("accept"), seen.header("x-new"), seen.header("content-type")) == (
        "text/event-stream",
        "1",
        None,
    )


def test_the_environments_proxies_and_credentials_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with hostile.answers() as server:
        assert ran(sent_to(server)).ended is Ending.COMPLETE


def test_redirects_are_not_followed_and_cookies_not_kept() -> None:
    async def twice(server: hostile.Server) -> Received:
        request = outgoing(ASK, target=target(server.url), key=KEY, earlier=())
        async with Slot() as slot:
            await slot.send(request, limits=LIMITS)
            return await slot.send(request, limits=LIMITS)

    with hostile.sets_cookies_and_redirects() as server:
        received = ran(twice(server))

    assert received.response is not None
    assert received.response.status == 307
    assert received.response.header("location") == "/elsewhere"
    assert [seen.header("cookie") for seen in server.seen] == [None, None]
    assert server.connections == 2


# How it ends


Hostile = Callable[[], contextlib.AbstractContextManager[hostile.Server]]


@pytest.mark.parametrize(
    "peer,ended,said,status",
    [
        (hostile.refuses, Ending.UNREACHABLE, b"", None),
        (hostile.answers_html, Ending.COMPLETE, b"<!doctype html><title>Welcome to nginx</title>", 200),
        (hostile.never_answers, Ending.TIMEOUT, b"", None),
        (hostile.falls_silent, Ending.TIMEOUT, b"data: {}\n\n", 200),
        (hostile.drips_a_head, Ending.DEADLINE, b"", None),
        (hostile.resets_mid_body, Ending.RESET, b"data: {}\n\n", 200),
        (hostile.resets_at_once, Ending.RESET, b"", None),
        (hostile.speaks_no_http, Ending.NOT_HTTP, b"", None),
        (hostile.greets_and_closes, Ending.RESET, b"", None),
        (hostile.closes_without_answer, Ending.RESET, b"", None),
        (hostile.truncates_chunked, Ending.RESET, b"data: 1\n\ndata: 2", 200),
        (hostile.breaks_chunk_framing, Ending.NOT_HTTP, b"data: 1\n\n", 200),
        (hostile.lies_about_length, Ending.RESET, b"short", 200),
        (hostile.says_more_than_its_length, Ending.COMPLETE, b"short", 200),
        (hostile.floods_headers, Ending.NOT_HTTP, b"", None),
    ],
)
def test_every_misbehaviour_has_its_ending_and_keeps_what_came(
    peer: Hostile, ended: Ending, said: bytes, status: int | None
) -> None:
    begun = time.monotonic()
    with peer() as server:
        received = ran(sent_to(server, limits=HASTY if ended in {Ending.TIMEOUT, Ending.DEADLINE} else LIMITS))
        took = time.monotonic() - begun

    assert (received.ended, body(received)) == (ended, said)
    assert (received.response and received.response.status) == status
    assert bool(received.detail) == (ended is not Ending.COMPLETE)
    assert "\n" not in recorded(received).detail
    assert took < 3
    assert received.elapsed <= took


def test_a_refused_connection_is_told_in_plain_words() -> None:
    with hostile.refuses() as server:
        assert ran(sent_to(server)).detail == "Connection refused"


def test_a_host_refused_at_each_of_its_addresses_is_told_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(_: object, port: int, *__: object, **___: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.1", "127.0.0.2")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with hostile.refuses() as server:
        received = ran(sent_to(hostile.Server(url=server.url.replace("127.0.0.1", "localhost"))))

    assert (received.ended, received.detail) == (Ending.UNREACHABLE, "Connection refused")


def test_a_reset_is_told_in_plain_words() -> None:
    with hostile.resets_mid_body() as server:
        assert ran(sent_to(server)).detail == "broken off before the body was whole: Connection reset by peer"


@pytest.mark.parametrize("url", ["http://no-such-host.invalid", "http://a..b", "http://[::1"])
def test_a_host_that_cannot_be_is_unreachable(url: str) -> None:
    received = ran(sent_to(hostile.Server(url=url)))

    assert received.ended is Ending.UNREACHABLE
    assert received.detail


def test_tls_to_a_peer_without_it_is_unreachable() -> None:
    async def blurt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    async def attempt() -> Received:
        async with await asyncio.start_server(blurt, "127.0.0.1", 0) as listener:
            port = listener.sockets[0].getsockname()[1]
            return await sent_to(hostile.Server(url=f"https://127.0.0.1:{port}"))

    received = ran(attempt())

    assert received.ended is Ending.UNREACHABLE
    assert "wrong version number" in received.detail.lower()


def test_a_tls_handshake_that_is_never_answered_is_unreachable() -> None:
    with hostile.never_answers() as server:
        received = ran(sent_to(hostile.Server(url=server.url.replace("http:", "https:")), limits=HASTY))

    assert (received.ended, received.detail) == (Ending.UNREACHABLE, "no connection within 0.3 seconds")


def test_a_connection_is_not_waited_for_as_long_as_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LONGEST_CONNECT", 0.2)
    with hostile.never_answers() as server:
        received = ran(sent_to(hostile.Server(url=server.url.replace("http:", "https:"))))

    assert (received.ended, received.detail) == (Ending.UNREACHABLE, "no connection within 0.2 seconds")


def test_a_drip_ends_at_the_deadline_though_it_is_never_silent() -> None:
    with hostile.drips() as server:
        received = ran(sent_to(server, limits=HASTY))

    assert received.ended is Ending.DEADLINE
    assert 0.7 <= received.elapsed < 3.0
    assert set(body(received)) == set(b".")
    assert len(received.pieces) > 10


def test_a_silence_is_known_by_its_length() -> None:
    with hostile.falls_silent() as server:
        received = ran(sent_to(server, limits=HASTY))

    assert 0.3 <= received.elapsed < 2
    assert received.detail == "silent for 0.3 seconds"


def test_an_endless_line_is_cut_to_the_byte_in_bounded_memory() -> None:
    limits = replace(LIMITS, max_body_bytes=1_000_001)
    with hostile.endless_line() as server:
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        received = ran(sent_to(server, limits=limits))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert received.ended is Ending.TOO_LARGE
    assert body(received) == b"a" * 1_000_001
    assert peak - before < 6_000_000
    assert received.elapsed < limits.deadline / 2


def test_a_body_of_exactly_the_bound_is_complete() -> None:
    with hostile.sends(hostile.answer(b"x" * 100_000)) as server:
        received = ran(sent_to(server))

    assert (received.ended, len(body(received))) == (Ending.COMPLETE, 100_000)


def test_one_byte_more_than_the_bound_is_too_large() -> None:
    with hostile.sends(hostile.answer(b"x" * 100_001)) as server:
        received = ran(sent_to(server))

    assert (received.ended, len(body(received))) == (Ending.TOO_LARGE, 100_000)
    assert received.detail == "more than 100000 bytes"


def test_more_pieces_than_a_stream_can_need_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_PIECES", 2_500)
    with hostile.crumbles() as server:
        received = ran(sent_to(server, limits=LIMITS))

    assert (received.ended, received.detail) == (Ending.TOO_LARGE, "more than 2500 pieces")
    assert len(received.pieces) == 2_500


def test_pieces_stay_apart_and_carry_the_time_of_their_arrival() -> None:
    parts = [hostile.chunk(b"data: %d\n\n" % number) for number in range(3)]
    with hostile.sends(hostile.CHUNKED, *parts, b"0\r\n\r\n", pause=0.05) as server:
        received = ran(sent_to(server))

    assert [piece.data for piece in received.pieces] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    times = [piece.at for piece in received.pieces]
    assert received.response is not None
    assert received.response.at <= times[0]
    assert times == sorted(times)
    assert times[-1] - times[0] > 0.05
    assert received.elapsed >= times[-1]


def test_the_head_is_kept_as_it_came() -> None:
    head = b"HTTP/1.1 299 Fa\xe7on\r\nX-ODD:  \xfcber \r\nx-odd: 2\r\nContent-Length: 0\r\n\r\n"
    with hostile.sends(head) as server:
        response = ran(sent_to(server)).response

    assert response is not None
    assert (response.status, response.reason, response.http_version) == (299, "Façon", "HTTP/1.1")
    assert response.headers == (("X-ODD", "über"), ("x-odd", "2"), ("Content-Length", "0"))


def test_a_compressed_body_is_kept_as_it_came() -> None:
    with hostile.sends(hostile.answer(b"not gzip at all", headers=[("Content-Encoding", "gzip")])) as server:
        received = ran(sent_to(server))

    assert (received.ended, body(received)) == (Ending.COMPLETE, b"not gzip at all")
    assert recorded(received).body == b"not gzip at all"


def test_a_request_that_is_not_http_is_never_blamed_on_the_peer() -> None:
    with hostile.answers() as server:
        received = ran(sent_to(server, step=replace(ASK, headers=(("X", "a\r\nb"),))))

    assert received.ended is Ending.UNSENT
    assert server.seen == []


def test_a_cancellation_keeps_what_had_come_and_goes_on() -> None:
    async def cancelled(server: hostile.Server) -> Received:
        task = asyncio.create_task(sent_to(server, limits=Limits()))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as stopped:
            await task
        assert task.cancelled()
        assert isinstance(stopped.value, Interrupted)
        return stopped.value.received

    with hostile.falls_silent() as server:
        received = ran(cancelled(server))

    assert (received.ended, body(received)) == (Ending.INTERRUPTED, b"data: {}\n\n")
    assert received.response is not None


@given(noise=st.binary(max_size=60), where=st.integers(0, 80), how_much=st.integers(0, 20))
@settings(deadline=None, max_examples=60)
def test_no_answer_whatever_makes_the_transport_raise(noise: bytes, where: int, how_much: int) -> None:
    good = hostile.CHUNKED + hostile.chunk(b"data: {}\n\n") + b"0\r\n\r\n"
    wire = good[:where] + noise + good[where + how_much :]
    with hostile.sends(wire) as server:
        received = ran(sent_to(server))

    assert received.ended in {Ending.COMPLETE, Ending.RESET, Ending.NOT_HTTP}
    assert to_json(recorded(received))


@pytest.mark.parametrize("prefix", ["", "/", "/llm", "/llm/"])
def test_another_path_lies_behind_the_targets_own_url(prefix: str) -> None:
    step = replace(ASK, path="/v1/inference/no-such-endpoint")
    asked = outgoing(step, target=target(f"http://127.0.0.1:1{prefix}"), key=KEY, earlier=())

    assert asked.url == f"http://127.0.0.1:1{prefix.rstrip('/')}/v1/inference/no-such-endpoint"
