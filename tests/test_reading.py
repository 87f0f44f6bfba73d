"""How an exchange is read: what is seen, what is not, and what is forgiven."""

import gzip
import json
import sys
import zlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.document import MISSING
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.reading import answers, requests, streams, witness
from conformance.reading.witness import Inconclusive, Unobservable

CUT_BY_US = [Ending.TIMEOUT, Ending.DEADLINE, Ending.TOO_LARGE, Ending.INTERRUPTED]
CUT_BY_THEM = [Ending.RESET, Ending.NOT_HTTP]
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'
DONE = b"data: [DONE]\n\n"
ERROR = b'event: error\ndata: {"code":"C","message":"m"}\n\n'


def answered(body: bytes, *, status: int = 200, ended: Ending = Ending.COMPLETE, **headers: str) -> Exchange:
    return Exchange(
        probe="x",
        request=Request(method="POST", url="http://x/", headers=(), body=b'{"stream": true}'),
        response=Response(
            status=status,
            reason="",
            http_version="HTTP/1.1",
            headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
            at=0.1,
        ),
        pieces=(Piece(at=0.2, data=body),),
        ended=ended,
        started=0.0,
        elapsed=0.3,
    )


def streamed(body: bytes, *, ended: Ending = Ending.COMPLETE) -> Exchange:
    return answered(body, ended=ended, content_type="text/event-stream")


def unstreamed(body: bytes, **given: Any) -> Exchange:
    exchange = answered(body, **given)
    return replace(exchange, request=replace(exchange.request, body=b"{}"))


# Content codings.


@pytest.mark.parametrize(
    "coding, pack",
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), (" GZip ", gzip.compress), ("deflate", zlib.compress)],
)
def test_a_coding_that_we_know_is_undone(coding: str, pack: Any) -> None:
    exchange = answered(pack(b'{"a": 1}'), content_encoding=coding)

    assert answers.body(exchange) == b'{"a": 1}'
    assert answers.document(exchange) == {"a": 1}


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br", "compress"])
def test_a_coding_that_we_cannot_undo_hides_the_body(coding: str) -> None:
    with pytest.raises(Unobservable, match="though identity was asked for"):
        answers.body(answered(b"x", content_encoding=coding))


@pytest.mark.parametrize("coding, body", [("gzip", b"{}"), ("deflate", b"{}"), ("deflate", gzip.compress(b"{}"))])
def test_a_body_that_is_not_what_its_coding_says_is_unobservable(coding: str, body: bytes) -> None:
    with pytest.raises(Unobservable, match=f"not the {coding} that its header names"):
        answers.body(answered(body, content_encoding=coding))


@pytest.mark.parametrize("keep", [0, 1, 10, 15, 20])
def test_a_packed_body_that_was_cut_is_read_as_far_as_it_goes(keep: int) -> None:
    packed = gzip.compress(b'{"a": 1}' * 100)

    exchange = answered(packed[:keep], content_encoding="gzip", ended=Ending.RESET)

    assert (b'{"a": 1}' * 100).startswith(answers.body(exchange))
    with pytest.raises(Unobservable, match="ended early"):
        answers.whole(exchange)


def test_a_packed_body_without_its_end_is_judged_by_what_it_holds() -> None:
    packed = gzip.compress(b'{"a": 1}')

    assert answers.document(answered(packed[:-8], content_encoding="gzip")) == {"a": 1}


@pytest.mark.parametrize("more", [b"\0\0", b"more", gzip.compress(b"more")])
def test_a_packed_body_that_goes_on_after_its_end_is_unobservable(more: bytes) -> None:
    with pytest.raises(Unobservable, match="goes on after the end of its gzip"):
        answers.body(answered(gzip.compress(b"{}") + more, content_encoding="gzip"))


def test_a_small_body_that_unpacks_without_end_is_given_up_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "_LARGEST_INFLATED", 1000)
    bomb = gzip.compress(b" " * 1_000_000)

    assert len(bomb) < 2000
    with pytest.raises(Inconclusive, match="grows beyond 1000 bytes"):
        answers.body(answered(bomb, content_encoding="gzip"))


# The memory.


def test_a_reading_remembers_by_identity_and_not_by_look() -> None:
    first, second = answered(b'{"a": 1}'), answered(b'{"a": 1}')

    assert first == second
    assert answers.document(first) is answers.document(first)
    assert answers.document(first) is not answers.document(second)


def test_a_reading_that_failed_fails_again_with_the_same_words_and_no_growing_trace() -> None:
    exchange = answered(b"no", status=500)

    lengths = []
    for _ in range(3):
        with pytest.raises(Unobservable, match="answered HTTP 500") as caught:
            answers.document(exchange)
        lengths.append(len(caught.traceback))

    assert lengths[1] == lengths[2]


def test_a_reading_does_not_mix_up_exchanges_when_it_forgets() -> None:
    exchanges = [answered(b"%d" % number) for number in range(100)]

    for _ in range(2):
        assert [answers.document(exchange) for exchange in exchanges] == list(range(100))


def test_a_reading_lets_go_of_what_it_read_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(witness, "_MOST_REMEMBERED", 2**22)
    exchange = answered(b"{}")
    held = sys.getrefcount(exchange)
    answers.document(exchange)

    assert sys.getrefcount(exchange) > held
    large = b'"' + b"x" * 2**16 + b'"'
    for _ in range(100):
        answers.document(answered(large))
    assert sys.getrefcount(exchange) == held


def test_a_new_exchange_at_an_old_place_in_memory_is_read_anew() -> None:
    for number in range(200):
        assert answers.document(answered(b"%d" % number)) == number


# Requests.


@pytest.mark.parametrize(
    "body, streams, plain",
    [
        (b'{"stream": true}', True, False),
        (b'{"stream": false}', False, True),
        (b"{}", False, True),
        (b'{"stream": null}', False, False),
        (b'{"stream": 1}', False, False),
        (b"no JSON", False, True),
    ],
)
def test_what_was_asked_for_is_read_from_the_request(*, body: bytes, streams: bool, plain: bool) -> None:
    exchange = answered(b"")
    exchange = replace(exchange, request=replace(exchange.request, body=body))

    assert (requests.streamed(exchange), requests.unstreamed(exchange)) == (streams, plain)


def test_a_request_that_is_no_json_asks_for_nothing() -> None:
    exchange = answered(b"")

    assert requests.sent(replace(exchange, request=replace(exchange.request, body=b"{"))) is MISSING


@pytest.mark.parametrize(
    "name, header, right",
    [
        ("authorization", "Bearer ***", True),
        ("Authorization", "Bearer ***", True),
        ("x-api-key", "Bearer ***", False),
        ("authorization", "***", False),
        ("authorization", "Bearer wrong-key", False),
    ],
)
def test_only_the_key_as_the_page_shows_it_makes_a_request_legal(*, name: str, header: str, right: bool) -> None:
    exchange = answered(b"")
    body = b'{"model": "m", "messages": [{"role": "user", "content": "Hi"}]}'
    request = replace(exchange.request, body=body, headers=((name, header),))

    assert requests.legal(replace(exchange, request=request)) is right
    assert not requests.legal(replace(exchange, request=replace(request, body=b'{"model": "m"}')))


# Errors.


@pytest.mark.parametrize(
    "status, body, code",
    [
        (404, b'{"error": {"code": "MODEL_NOT_FOUND"}}', "MODEL_NOT_FOUND"),
        (404, b'{"error": {"code": 404}}', ""),
        (404, b'{"error": "no"}', ""),
        (404, b'{"detail": "no"}', ""),
        (404, b"<html>", ""),
        (404, b"\xff", ""),
        (200, b'{"error": {"code": "MODEL_NOT_FOUND"}}', ""),
    ],
)
def test_the_code_of_an_error_is_a_string_in_its_envelope_or_nothing(status: int, body: bytes, code: str) -> None:
    assert answers.error_code(answered(body, status=status)) == code


@pytest.mark.parametrize("ended", [*CUT_BY_US, *CUT_BY_THEM])
def test_an_error_that_was_cut_off_has_no_code(ended: Ending) -> None:
    assert answers.error_code(answered(b'{"error": {"code": "C"}}', status=500, ended=ended)) == ""


def test_an_answer_is_told_by_its_status_its_code_and_its_message() -> None:
    body = b'{"error": {"code": "C", "message": "It is gone."}}'

    assert answers.answer(answered(body, status=502)) == 'HTTP 502 C: "It is gone."'
    assert answers.answer(answered(b"", status=502)) == "HTTP 502"


@pytest.mark.parametrize("ended", list(Ending))
def test_no_answer_is_inconclusive_where_we_gave_up_and_else_unobservable(ended: Ending) -> None:
    silent = replace(answered(b"", ended=ended), response=None, detail="it said")

    with pytest.raises(Inconclusive if ended in CUT_BY_US else Unobservable, match=r"no answer: .* \(it said\)"):
        answers.head(silent)


def test_an_end_of_which_nothing_is_known_is_told_in_one_word() -> None:
    with pytest.raises(Unobservable, match=r"^no answer: reset$"):
        answers.head(replace(answered(b"", ended=Ending.RESET), response=None))


@pytest.mark.parametrize("status", [300, 304, 404, 500])
def test_no_answer_but_a_2xx_is_a_success(status: int) -> None:
    for served in (200, 204, 299):
        assert answers.succeeded(answered(b"", status=served)).status == served
    with pytest.raises(Unobservable, match=f"answered HTTP {status}"):
        answers.succeeded(answered(b"", status=status))


# Heads.


@pytest.mark.parametrize(
    "header, name",
    [
        ("text/event-stream", ""),
        ("text/event-stream;charset=utf-8", "utf-8"),
        ("text/event-stream; Charset=ISO-8859-1", "ISO-8859-1"),
        ('text/event-stream; boundary=x ;\tcharset="utf-8"; q=1', "utf-8"),
    ],
)
def test_the_charset_is_what_the_media_type_names(header: str, name: str) -> None:
    assert answers.charset(answered(b"", content_type=header)) == name


def test_an_answer_without_a_media_type_names_no_charset() -> None:
    assert (answers.media_type(answered(b"")), answers.charset(answered(b""))) == ("", "")


# Completions.


@pytest.mark.parametrize(
    "body, words",
    [
        (b"<html>", "not JSON"),
        (b"[]", "no object at /data: nothing"),
        (b'{"data": null}', "no object at /data: null"),
        (b'{"data": []}', "no object at /data"),
    ],
)
def test_a_body_without_a_completion_says_why(body: bytes, words: str) -> None:
    with pytest.raises(Unobservable, match=words):
        answers.completion(unstreamed(body))


def test_the_completion_of_the_other_surface_stands_at_the_top() -> None:
    exchange = replace(unstreamed(b'{"choices": [{"message": {"content": "Hi"}}]}'), profile="openai")

    assert streams.text(exchange) == "Hi"
    assert streams.finish_reason(exchange) is MISSING


@pytest.mark.parametrize("message", [b"{}", b'{"content": null}', b'{"content": [{"type": "text"}]}'])
def test_the_text_of_a_message_without_one_is_empty(message: bytes) -> None:
    assert streams.text(unstreamed(b'{"data": {"choices": [{"message": %s}]}}' % message)) == ""


def test_an_answer_of_the_other_surface_that_is_no_object_has_no_completion() -> None:
    with pytest.raises(Unobservable, match=r"no object at the top: \[\]"):
        answers.completion(replace(unstreamed(b"[]"), profile="openai"))


@pytest.mark.parametrize("message", [b"null", b'"Hi"', b"[]"])
def test_a_message_that_is_no_object_is_unobservable(message: bytes) -> None:
    with pytest.raises(Unobservable, match=r"choices\[0\]\.message is "):
        answers.message(unstreamed(b'{"data": {"choices": [{"message": %s}]}}' % message))


def test_the_reason_of_an_answer_without_a_choice_is_unobservable() -> None:
    with pytest.raises(Unobservable, match=r"choices\[0\] is nothing"):
        streams.finish_reason(unstreamed(b'{"data": {"choices": []}}'))


# Streams.


def test_a_stream_is_known_by_its_media_type_or_by_how_it_begins() -> None:
    assert streams.looks_streamed(streamed(b"{}"))
    for start in (b"data: x", b"event: x", b": x", b"id: 1", b"retry: 1", b"\n\ndata:", b"\xef\xbb\xbfdata:"):
        assert streams.looks_streamed(answered(start, content_type="text/plain"))
    for start in (b"{}", b"", b"<html>", b"database", b"Xdata: x"):
        assert not streams.looks_streamed(answered(start, content_type="text/plain"))


def test_an_answer_that_is_no_stream_or_no_success_is_not_read_as_one() -> None:
    with pytest.raises(Unobservable, match="answered with application/json, not with an event stream"):
        streams.stream(answered(b"{}", content_type="application/json"))
    with pytest.raises(Unobservable, match="answered with no media type"):
        streams.stream(answered(b"{}"))
    with pytest.raises(Unobservable, match="answered HTTP 502"):
        streams.stream(answered(CHUNK % b"a", status=502, content_type="text/event-stream"))


def test_a_stream_is_read_as_chunks_errors_and_end_markers() -> None:
    found = streams.stream(streamed(CHUNK % b"a" + b": ping\n\n" + CHUNK % b"b" + ERROR + DONE))

    assert len(found.events) == 4
    assert [chunk.payload["choices"][0]["delta"]["content"] for chunk in found.chunks] == ["a", "b"]
    assert [error.payload for error in found.errors] == [{"code": "C", "message": "m"}]
    assert [event.data for event in found.done] == ["[DONE]"]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_events_that_lack_their_blank_line_are_read_as_they_were_meant(end: bytes) -> None:
    whole = CHUNK % b"a" + CHUNK % b"b" + DONE

    merged = streams.stream(streamed(whole.replace(b"\n\n", b"\n") + end))

    assert [chunk.payload for chunk in merged.chunks] == [
        chunk.payload for chunk in streams.stream(streamed(whole)).chunks
    ]
    assert [event.type for event in merged.events] == ["message"] * 3
    assert [event.data for event in merged.done] == ["[DONE]"]


def test_an_error_that_is_run_into_its_neighbours_keeps_its_name_and_its_lines() -> None:
    found = streams.stream(streamed(CHUNK[:-1] % b"a" + ERROR[:-1] + DONE))

    assert [event.type for event in found.events] == ["message", "error", "message"]
    assert [line.content for line in found.errors[0].frame.lines] == ERROR.splitlines()[:2]
    assert len(found.done) == 1


def test_an_error_is_an_error_whatever_it_holds() -> None:
    chunk = (CHUNK % b"a").replace(b"data", b"event: error\ndata")
    found = streams.stream(streamed(chunk + b"event: error\ndata: [DONE]\n\n"))

    assert (found.chunks, found.done) == ((), ())
    assert [error.event.data for error in found.errors][1:] == ["[DONE]"]


def test_a_named_event_is_a_chunk_where_it_holds_choices() -> None:
    named = (CHUNK % b"a").replace(b"data", b"event: chunk\ndata")
    found = streams.stream(streamed(named + b"event: ping\ndata: {}\n\n" + DONE))

    assert [chunk.event.type for chunk in found.chunks] == ["chunk"]
    assert len(found.events) == 3


@pytest.mark.parametrize("name", [b"error", b"error\xff"])
def test_an_error_that_the_end_cuts_off_is_known_by_its_name(name: bytes) -> None:
    cut = ERROR.replace(b"error", name, 1)[:-1]
    found = streams.stream(streamed(CHUNK % b"a" + cut, ended=Ending.RESET))

    assert found.events[-1].type == name.decode("utf-8", "replace")
    assert [error.payload for error in found.errors] == ([{"code": "C", "message": "m"}] if name == b"error" else [])


def test_what_is_no_utf8_is_replaced_in_an_event_that_nothing_ends_too() -> None:
    found = streams.stream(streamed(b"data: \xff", ended=Ending.RESET))

    assert [(event.data, event.id) for event in found.events] == [("\ufffd", "")]


@pytest.mark.parametrize("end", [b"", b"\n\n"])
def test_a_block_of_more_bytes_than_are_kept_holds_no_event(end: bytes) -> None:
    long = b"data: " + b"1" * (16 * 1024 * 1024) + end

    assert [event.data for event in streams.stream(streamed(DONE + long)).events] == ["[DONE]"]


def test_one_document_over_several_data_lines_is_one_chunk() -> None:
    found = streams.stream(streamed(b'data: {"choices":\ndata: []}\n\n' + DONE))

    assert [chunk.payload for chunk in found.chunks] == [{"choices": []}]


def test_a_last_event_that_nothing_ends_counts() -> None:
    found = streams.stream(streamed(CHUNK % b"a" + b"data: [DONE]"))

    assert len(found.done) == 1


def test_what_follows_the_end_marker_is_no_part_of_the_text() -> None:
    exchange = streamed(CHUNK % b"a" + DONE + CHUNK % b"b")

    assert streams.streamed_text(exchange) == "a"
    assert len(streams.stream(exchange).events) == 3


def test_the_text_of_a_stream_is_its_strings_joined_and_nothing_else() -> None:
    odd = b'data: {"choices":[{"delta":{"content":null}}]}\n\ndata: {"choices":[]}\n\ndata: 5\n\n'

    assert streams.streamed_text(streamed(CHUNK % b"a" + odd + CHUNK % b"b" + DONE)) == "ab"


def test_a_reason_that_a_later_null_follows_is_still_the_reason() -> None:
    said = (CHUNK % b"").replace(b"null", b'"stop"')

    assert streams.finish_reason(streamed(said + CHUNK % b"" + DONE)) == "stop"
    assert streams.finish_reason(streamed(CHUNK % b"a" + DONE)) is MISSING


def test_a_stream_that_an_error_ended_is_not_undisturbed() -> None:
    with pytest.raises(Unobservable, match="an error event ended the stream"):
        streams.undisturbed(streamed(CHUNK % b"a" + ERROR + DONE))


@pytest.mark.parametrize("ended", CUT_BY_THEM)
def test_a_stream_that_the_peer_cut_lasts_but_is_not_undisturbed(ended: Ending) -> None:
    exchange = streamed(CHUNK % b"a", ended=ended)

    assert streams.lasting(exchange).cut == ended.value
    with pytest.raises(Unobservable, match="was cut off"):
        streams.undisturbed(exchange)


@pytest.mark.parametrize("ended", CUT_BY_US)
def test_a_stream_that_we_cut_is_inconclusive(ended: Ending) -> None:
    with pytest.raises(Inconclusive, match="we stopped reading"):
        streams.lasting(streamed(CHUNK % b"a", ended=ended))
    with pytest.raises(Inconclusive, match="ended early after 3 bytes"):
        answers.whole(unstreamed(b"abc", ended=ended))


@given(
    wire=st.lists(st.sampled_from([CHUNK % b"x", ERROR, DONE, b"data: {\n", b"\n", b": c\n", b"id\n"])),
    at=st.floats(0, 1),
)
@settings(deadline=None, max_examples=100)
def test_a_stream_cut_anywhere_is_read_and_its_first_chunks_stay_the_same(wire: list[bytes], at: float) -> None:
    body = b"".join(wire)
    part = body[: int(at * len(body))]

    whole, cut = streams.stream(streamed(body)), streams.stream(streamed(part, ended=Ending.RESET))

    closed = [frame for frame in cut.frames if frame.closed]
    assert tuple(closed) == whole.frames[: len(closed)]


# Both sides, and the other surface.


def test_an_error_in_a_chunk_is_an_error_on_the_other_surface_alone() -> None:
    body = b'data: {"error": {"code": "500"}}\n\ndata: {"error": "x", "choices": []}\n\ndata: {"error": 7}\n\n'
    native = streams.stream(streamed(body))
    other = streams.stream(replace(streamed(body), profile="openai"))

    assert (len(native.errors), len(native.chunks)) == (0, 3)
    assert [chunk.payload["error"] for chunk in other.errors] == [{"code": "500"}]
    assert len(other.chunks) == 2


def test_a_stream_that_we_left_says_nothing_of_its_end() -> None:
    left = streamed(b"data: {}\n\n", ended=Ending.LEFT)

    with pytest.raises(Unobservable, match="we hung up"):
        streams.lasting(left)


@pytest.mark.parametrize(
    "content, name",
    [("Play [scenario:text-plain:1f] now.", "text-plain"), ("[scenario:nobody-knows:1f]", None), ("Hello.", None)],
)
def test_the_scenario_of_a_request_is_the_one_that_it_names(content: str, name: str | None) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": content}]}).encode()
    exchange = answered(b"")
    found = requests.scenario_of(replace(exchange, request=replace(exchange.request, body=body)))

    assert (found.name if found else None) == name
