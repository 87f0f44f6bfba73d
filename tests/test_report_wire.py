import gzip
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.arrival import Arrival, Fetch
from conformance.exchange import Exchange, Response
from conformance.report.visible import UNSEEN
from conformance.report.wire import Part, Wire, wire
from tests import report_samples as samples


def marked(shown: Wire) -> str:
    return "".join(part.text for part in shown.body if part.marked)


def text_of(parts: tuple[Part, ...]) -> str:
    return "".join(part.text for part in parts)


def body_of(data: bytes) -> Exchange:
    return samples.answered(data)


def test_marks_stand_at_the_bytes_of_the_span() -> None:
    shown = wire(body_of("äbcdé".encode()), ["bytes 2-4"])

    assert [(part.text, part.marked) for part in shown.body] == [("ä", False), ("bc", True), ("dé", False)]
    assert shown.spans == ((2, 4),)


def test_a_mark_takes_in_whole_characters() -> None:
    assert marked(wire(body_of("a😀b".encode()), ["bytes 2-3"])) == "😀"


def test_a_mark_on_half_a_broken_character_stays_where_it_is() -> None:
    assert marked(wire(body_of(b"a\xf0\x9f\x98b"), ["bytes 2-3"])) == r"\x9F"


def test_marks_that_overlap_are_one() -> None:
    shown = wire(body_of(b"abcdefgh"), ["bytes 1-4", "bytes 3-6", "bytes 3-4", "bytes 7-8"])

    assert [part.text for part in shown.body if part.marked] == ["bcdef", "h"]


def test_an_empty_span_is_a_mark_between_two_bytes() -> None:
    shown = wire(body_of(b"abc"), ["bytes 3-3", "bytes 0-0"])

    assert text_of(shown.body) == "‹here›abc‹here›"
    assert marked(shown) == "‹here›‹here›"


def test_a_span_past_the_end_is_a_mark_at_the_end() -> None:
    assert text_of(wire(body_of(b"abc"), ["bytes 7-9"]).body) == "abc‹here›"


def test_a_pointer_marks_the_value() -> None:
    assert marked(wire(samples.BERN, ["/data/id"])) == "7"
    assert marked(wire(samples.BERN, ["/data/nothing"])) == ""
    assert marked(wire(samples.GREETING, ["/data/id"])) == ""


def test_what_cannot_be_seen_is_named() -> None:
    shown = wire(body_of(b"a\x1b[1m\r\n\xe2\x80\xae\xff\xc3b"))

    assert text_of(shown.body) == "a‹ESC›[1m‹CR›↵\n‹U+202E›\\xFF\\xC3b"
    assert [part.text for part in shown.body if part.odd] == ["‹ESC›", "‹CR›↵\n‹U+202E›\\xFF\\xC3"]


def test_a_header_the_status_and_the_ending_can_be_marked() -> None:
    shown = wire(samples.BERN, ["header Content-Type", "status", "ending", "whole"])

    assert [line.text for line in shown.answered if line.marked] == [
        "HTTP/1.1 200 OK",
        "content-type: application/json",
    ]
    assert shown.ending.marked
    assert marked(shown) == ""


def test_a_header_that_is_missing_is_marked_as_missing() -> None:
    shown = wire(samples.BERN, ["header x-request-id"])

    assert [line.text for line in shown.answered if line.marked] == ["(no header x-request-id)"]


def test_an_ending_other_than_complete_is_marked_by_itself() -> None:
    shown = wire(samples.DEAD)

    assert shown.answered == ()
    assert (shown.ending.text, shown.ending.marked) == ("unreachable after 0.310 s: connection refused", True)


def test_a_coded_body_is_shown_and_marked_decoded() -> None:
    head = Response(status=200, reason="OK", http_version="HTTP/1.1", headers=(("Content-Encoding", "gzip"),), at=0.1)
    data = gzip.compress(b'{"id": 7}')
    shown = wire(samples.answered(data, response=head), ["bytes 7-8"])

    assert marked(shown) == "7"
    assert shown.notes == (f"Shown with its content coding undone; {len(data)} bytes were received.",)


def test_a_body_that_cannot_be_decoded_is_shown_as_received() -> None:
    head = Response(status=200, reason="OK", http_version="HTTP/1.1", headers=(("Content-Encoding", "br"),), at=0.1)
    shown = wire(samples.answered(b"abc", response=head))

    assert text_of(shown.body) == "abc"
    assert shown.notes[0].startswith("Shown as received: ")


def test_a_long_body_is_cut_around_its_marks() -> None:
    data = b"a" * 500_000 + b"WRONG" + b"b" * 500_000 + b"LAST"
    shown = wire(body_of(data), ["bytes 500000-500005"])
    text = text_of(shown.body)

    assert len(text) < 16_384
    assert marked(shown) == "WRONG"
    assert f"{'a' * 100}WRONG{'b' * 100}" in text
    assert text.startswith("aaa")
    assert text.endswith("LAST")
    gaps = [part.text.strip() for part in shown.body if part.gap]
    assert len(gaps) == 2
    left = sum(int(gap.split()[1].replace(",", "")) for gap in gaps)
    assert left + len(text) - sum(len(part.text) for part in shown.body if part.gap) == len(data)


def test_a_long_mark_shows_both_its_ends() -> None:
    data = b"x" * 30_000 + b"FIRST" + b"y" * 30_000 + b"FINAL" + b"z" * 30_000
    shown = wire(body_of(data), ["bytes 30000-60010"])

    assert marked(shown).startswith("FIRST")
    assert marked(shown).endswith("FINAL")


def test_more_marks_than_there_is_room_for_are_counted() -> None:
    shown = wire(body_of(b"a" * 1_000_000), [f"bytes {at}-{at + 1}" for at in range(50_000, 950_000, 9_000)])

    seen = len(marked(shown))
    assert 10 < seen < 100
    assert shown.notes == (f"{100 - seen} more marked places lie in what is left out.",)


def test_a_request_of_a_megabyte_is_cut() -> None:
    request = samples.GREETING.request
    shown = wire(samples.streamed([b"x"], request=type(request)(method="POST", url="u", headers=(), body=b"q" * 10**6)))

    assert len(text_of(shown.asked_body)) < 5_000


def test_headers_without_end_are_cut() -> None:
    head = Response(status=200, reason="OK", http_version="HTTP/1.1", headers=(("x", "y" * 70_000),) * 500, at=0.1)
    shown = wire(samples.answered(b"", response=head))

    assert len(shown.answered) == 102
    assert sum(len(line.text) for line in shown.answered) < 110_000


@pytest.mark.parametrize("place", ["bytes 1", "bytes 9-2", "nowhere", "header ", "bytes 99999999999999999999-1"])
def test_a_place_that_makes_no_sense_marks_no_byte(place: str) -> None:
    assert "".join(part.text for part in wire(body_of(b"abc"), [place]).body if not part.odd) == "abc"


@settings(deadline=None, max_examples=150)
@given(
    data=st.binary(max_size=200) | st.text(max_size=80).map(str.encode),
    cuts=st.lists(st.tuples(st.integers(0, 220), st.integers(0, 220)), max_size=4),
    limit=st.sampled_from([64, 16_384]),
)
def test_every_byte_is_shown_once_or_counted_as_left_out(data: bytes, cuts: list[tuple[int, int]], limit: int) -> None:
    shown = wire(body_of(data), [f"bytes {a}-{b}" for a, b in cuts], limit=limit)

    text = ""
    left = 0
    for part in shown.body:
        assert not UNSEEN.search(part.text.replace("\n", ""))
        if part.gap:
            left += int(part.text.split()[1].replace(",", ""))
        elif part.text != "‹here›":
            text += part.text
    if not left:
        whole = wire(body_of(data))
        assert text == text_of(whole.body)
    for start, end in shown.spans:
        assert 0 <= start <= end <= len(data)


def test_a_body_of_json_keeps_its_text() -> None:
    document = {"content": 'quotes " and <b> & ünïcödé'}

    assert text_of(wire(samples.answered(json.dumps(document, ensure_ascii=False).encode())).body) == json.dumps(
        document, ensure_ascii=False
    )


def test_what_reached_the_scripted_backend_is_shown_beside_what_reached_the_client() -> None:
    arrival = Arrival(
        tag="1f",
        scenario="text-plain",
        method="POST",
        path="/v1/chat/completions",
        headers=(("authorization", "***"), ("x", "\x1b[2J")),
        body=b'{"seed": 7, "n": "\xff"}',
        key_forwarded=True,
        streamed=True,
        at=1.0,
        written=9,
        last_write=0.5,
        left=0.25,
        fetches=(Fetch(url="http://x/a", status=404), Fetch(url="http://x/b", status=0, detail="refused")),
    )
    exchange = replace(
        body_of(b"abc"), arrivals=(arrival, replace(arrival, left=None, fetches=(), key_forwarded=False))
    )
    first, second = wire(exchange, ["request /seed"]).behind

    assert [line.text for line in first.head[:2]] == ["POST /v1/chat/completions", "authorization: ***"]
    assert first.head[0].marked
    assert not UNSEEN.search(first.head[2].text)
    assert "".join(part.text for part in first.body) == '{"seed": 7, "n": "\\xFF"}'
    assert first.became.marked
    assert first.became.text == (
        "played text-plain, streamed: 9 bytes within 0.500 s; the gateway left after 0.250 s; http://x/a served 404;"
        " http://x/b served refused"
    )
    assert second.became.text == "played text-plain, streamed: 9 bytes within 0.500 s"
    assert not second.became.marked
    assert not wire(exchange, ["request /seed"]).behind[0].head[1].marked
    assert not wire(exchange).behind[0].head[0].marked
