"""The transport against servers that misbehave: how each exchange ends, in how much time, with which bytes."""

import asyncio
import contextlib
import json
import logging
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import __version__, transport
from conformance.document import MISSING
from conformance.exchange import Ending, Exchange, Piece, Response, to_json
from conformance.probe import MODEL, Auth, Echo, Probe, Step, Unrenderable
from conformance.target import Limits, Target
from conformance.transport import Interrupted, Received, Slot, exchange, outgoing
from tests import hostile

KEY = "sgk_TopSecretTopSecretTopSecretTopSe"
LIMITS = Limits(timeout=0.3, deadline=1.0, max_body_bytes=100_000)
ASK = Step(body={"model": MODEL, "messages": [{"role": "user", "content": "Zürich?"}]})
PROBE = Probe(name="core.plain", asks="A plain request.", steps=(ASK,))


def target(url: str = "http://127.0.0.1:1", **members: Any) -> Target:
    return Target(url=url, model="acme/m", limits=LIMITS, **members)


T = TypeVar("T")


def ran(work: Coroutine[Any, Any, T]) -> T:
    async def alone() -> T:
        try:
            return await work
        finally:
            assert asyncio.all_tasks() == {asyncio.current_task()}

    return asyncio.run(alone())


async def sent_to(server: hostile.Server, *, step: Step = ASK, limits: Limits = LIMITS) -> Received:
    async with Slot() as slot:
        request = outgoing(step, target=target(server.url), key=KEY, earlier=())
        return await slot.send(request, limits=limits)


def body(received: Received) -> bytes:
    return b"".join(piece.data for piece in received.pieces)


def recorded(received: Received, *, key: str = KEY) -> Exchange:
    request = outgoing(ASK, target=target(), key=key, earlier=())
    return exchange(PROBE, 0, 1, request, received, profile="native", key=key)


def came(*parts: bytes, headers: tuple[tuple[str, str], ...] = (), detail: str = "") -> Received:
    head = Response(status=400, reason="No", http_version="HTTP/1.1", headers=headers, at=0.1)
    pieces = tuple(Piece(at=0.1, data=part) for part in parts)
    return Received(response=head, pieces=pieces, ended=Ending.COMPLETE, detail=detail, started=1.0, elapsed=0.2)


# What goes out


def test_a_request_is_compact_json_in_raw_utf8_with_the_model_filled_in() -> None:
    request = outgoing(ASK, target=target("https://grid.example.com"), key=KEY, earlier=())

    assert request.url == "https://grid.example.com/v1/inference/chat"
    assert request.body == '{"model":"acme/m","messages":[{"role":"user","content":"Zürich?"}]}'.encode()


def test_a_step_may_ask_for_escapes() -> None:
    request = outgoing(replace(ASK, ascii=True), target=target(), key=KEY, earlier=())

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
        received = ran(sent_to(server))
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
        received = ran(sent_to(hostile.Server(url=server.url.replace("http:", "https:"))))

    assert (received.ended, received.detail) == (Ending.UNREACHABLE, "no connection within 0.3 seconds")


def test_a_drip_ends_at_the_deadline_though_it_is_never_silent() -> None:
    with hostile.drips() as server:
        received = ran(sent_to(server))

    assert received.ended is Ending.DEADLINE
    assert 1.0 <= received.elapsed < 3.0
    assert set(body(received)) == set(b".")
    assert len(received.pieces) > 10


def test_a_silence_is_known_by_its_length() -> None:
    with hostile.falls_silent() as server:
        received = ran(sent_to(server))

    assert 0.3 <= received.elapsed < 2
    assert received.detail == "silent for 0.3 seconds"


def test_an_endless_line_is_cut_to_the_byte_in_bounded_memory() -> None:
    limits = replace(LIMITS, deadline=10, max_body_bytes=1_000_001)
    with hostile.endless_line() as server:
        tracemalloc.start()
        received = ran(sent_to(server, limits=limits))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert received.ended is Ending.TOO_LARGE
    assert body(received) == b"a" * 1_000_001
    assert peak < 6_000_000


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
        received = ran(sent_to(server, limits=replace(LIMITS, deadline=5)))

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
        received = ran(sent_to(server, limits=replace(LIMITS, timeout=0.2, deadline=0.4)))

    assert received.ended in {Ending.COMPLETE, Ending.RESET, Ending.NOT_HTTP, Ending.TIMEOUT, Ending.DEADLINE}
    assert to_json(recorded(received))


# What is kept of the key


def text_of(made: Exchange) -> str:
    return json.dumps(to_json(made), ensure_ascii=False) + repr(made)


def test_the_key_is_masked_in_what_was_sent() -> None:
    with hostile.answers() as server:
        made = recorded(ran(sent_to(server)))

    assert dict(made.request.headers)["Authorization"] == "Bearer ***"
    assert KEY not in text_of(made)


def test_the_bare_key_is_masked_and_nobodys_key_is_not() -> None:
    for auth, said in ((Auth.BARE, "***"), (Auth.WRONG, f"Bearer {transport.NOBODYS_KEY}")):
        request = outgoing(replace(ASK, auth=auth), target=target(), key=KEY, earlier=())
        made = exchange(PROBE, 0, 1, request, came(b"{}"), profile="native", key=KEY)
        assert dict(made.request.headers)["Authorization"] == said


def test_no_repr_shows_the_key() -> None:
    request = outgoing(ASK, target=target(), key=KEY, earlier=())
    received = came(KEY.encode(), headers=(("X", KEY),), detail=KEY)

    assert KEY not in repr(request) + repr(received)
    assert KEY not in repr(Interrupted(received)) + str(Interrupted(received))


@pytest.mark.parametrize("cut", range(0, 100, 9))
def test_an_echoed_key_is_masked_on_a_real_wire_and_in_the_log(cut: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with hostile.echoes_the_key(cut) as server:
        received = ran(sent_to(server))
    made = recorded(received)

    assert KEY in body(received).decode()
    assert KEY not in text_of(made)
    assert KEY not in caplog.text
    assert made.response is not None
    assert made.response.header("X-You-Said") == "Bearer " + "*" * len(KEY)
    assert made.response.reason == "No Bearer " + "*" * len(KEY)
    assert [len(piece.data) for piece in made.pieces] == [len(piece.data) for piece in received.pieces]
    assert json.loads(made.body)["error"]["message"] == "bad header Bearer " + "*" * len(KEY)


def test_a_key_in_place_of_a_status_line_is_masked_in_the_detail() -> None:
    with hostile.blurts_the_key() as server:
        received = ran(sent_to(server))
    made = recorded(received)

    assert made.ended is Ending.NOT_HTTP
    assert KEY in received.detail
    assert KEY[:12] not in made.detail


def test_a_long_detail_is_cut_after_it_was_masked() -> None:
    made = recorded(came(detail="x" * 180 + KEY + "y" * 300))

    assert len(made.detail) == 200
    assert KEY[:8] not in made.detail


def test_an_echo_is_masked_wherever_it_is_cut() -> None:
    wire = b'{"a":"' + KEY.encode() + b'"}'
    for cut in range(len(wire) + 1):
        made = recorded(came(wire[:cut], wire[cut:]))
        assert made.body == b'{"a":"' + b"*" * len(KEY) + b'"}'
        assert [len(piece.data) for piece in made.pieces] == [cut, len(wire) - cut]


AWKWARD = 'sk-"quo\\te/\\s.$^*(['


@pytest.mark.parametrize("key", [KEY, AWKWARD])
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_an_echo_is_masked_however_its_characters_are_escaped(key: str, data: st.DataObject) -> None:
    short = {'"': '\\"', "\\": "\\\\", "/": "\\/"}
    spellings = [
        data.draw(st.sampled_from([short.get(c, c), f"\\u{ord(c):04x}", f"\\u{ord(c):04X}"]), label=c) for c in key
    ]
    text = '{"a":"<' + "".join(spellings) + '>"}'
    twice = json.dumps({"b": text})
    assert json.loads(text) == {"a": f"<{key}>"}

    for wire, read in ((text, json.loads), (twice, lambda b: json.loads(json.loads(b)["b"]))):
        made = recorded(came(wire.encode()), key=key)
        assert len(made.body) == len(wire)
        assert set(read(made.body)["a"]) == set("<*>")


def test_a_key_cut_off_by_the_end_is_masked_as_far_as_it_came() -> None:
    made = recorded(came(b"you said ", KEY[:20].encode()))

    assert made.body == b"you said " + b"*" * 20


def test_a_short_key_is_masked_only_where_no_word_holds_it() -> None:
    made = recorded(came(b'{"key":"test","x":"latest tests te', b'st!"}'), key="test")

    assert made.body == b'{"key":"****","x":"latest tests ****!"}'
    assert dict(made.request.headers)["Authorization"] == "Bearer ***"


def test_without_a_key_nothing_is_masked() -> None:
    assert recorded(came(b'{"a":"b"}'), key="").body == b'{"a":"b"}'


def test_a_compressed_echo_is_masked_whole() -> None:
    with hostile.gzip_anyway() as server:
        received = ran(sent_to(server))
    made = recorded(received)

    assert made.ended is Ending.COMPLETE
    assert set(made.body) == {ord("*")}
    assert len(made.body) == len(body(received))


def test_a_compressed_body_without_the_key_is_left_alone() -> None:
    with hostile.gzip_anyway() as server:
        received = ran(sent_to(server, step=replace(ASK, auth=Auth.NONE)))

    assert recorded(received).body == body(received)


def test_masking_takes_little_time_on_what_a_hostile_server_makes_up() -> None:
    worst = [b"\\" * 1_000_000, b"\\u0073" * 200_000, KEY[:-1].encode() * 30_000, b'\\"' * 500_000]
    begun = time.process_time()
    for wire in worst:
        assert len(recorded(came(wire)).body) == len(wire)

    assert time.process_time() - begun < 4
