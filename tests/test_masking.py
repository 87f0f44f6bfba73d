"""The key reaches no record, however a target echoes it."""

import json
import logging
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance import transport
from conformance.exchange import Ending, Exchange, mask, to_json
from conformance.probe import Auth
from conformance.transport import Interrupted, exchange, outgoing
from tests import hostile
from tests.sending import ASK, KEY, PROBE, body, came, ran, recorded, sent_to, target


def text_of(made: Exchange) -> str:
    return json.dumps(to_json(made), ensure_ascii=False) + repr(made)


def test_the_key_is_masked_in_what_was_sent() -> None:
    with hostile.answers() as server:
        made = recorded(ran(sent_to(server)))

    assert dict(made.request.headers)["Authorization"] == "Bearer ***"
    assert KEY not in text_of(made)


def test_the_bare_key_is_masked_and_nobodys_key_is_not() -> None:
    for auth, said in (
        (Auth.BARE, "***"),
        (Auth.OTHER_SCHEME, "Token ***"),
        (Auth.LONGER, "Bearer ***0"),
        (Auth.LOWER, "Bearer ***"),
        (Auth.WRONG, f"Bearer {transport.NOBODYS_KEY}"),
    ):
        request = outgoing(replace(ASK, auth=auth), target=target(), key=KEY, earlier=())
        made = exchange(PROBE, 0, 1, request, came(b"{}"), profile="native", key=KEY)
        name = "authorization" if auth is Auth.LOWER else "Authorization"
        assert dict(made.request.headers)[name] == said


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
    assert made.response.header("X-You-Said") == "Bearer " + mask(len(KEY)).decode()
    assert made.response.reason == "No Bearer " + mask(len(KEY)).decode()
    assert [len(piece.data) for piece in made.pieces] == [len(piece.data) for piece in received.pieces]
    assert json.loads(made.body)["error"]["message"] == "bad header Bearer " + mask(len(KEY)).decode()


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


def test_a_detail_is_one_line_without_control_characters() -> None:
    assert recorded(came(detail="a\r\nb\x1b[2J\u202ec")).detail == "a  b [2J c"


def test_an_echo_is_masked_wherever_it_is_cut() -> None:
    wire = b'{"a":"' + KEY.encode() + b'"}'
    for cut in range(len(wire) + 1):
        made = recorded(came(wire[:cut], wire[cut:]))
        assert made.body == b'{"a":"' + mask(len(KEY)) + b'"}'
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
        assert set(read(made.body)["a"]) == set("<*key>")


def test_a_key_cut_off_by_the_end_is_masked_as_far_as_it_came() -> None:
    made = recorded(came(b"you said ", KEY[:20].encode()))

    assert made.body == b"you said " + mask(20)


def test_a_short_key_is_masked_only_where_no_word_holds_it() -> None:
    made = recorded(came(b'{"key":"test","x":"latest tests te', b'st!"}'), key="test")

    assert made.body == b'{"key":"*key","x":"latest tests *key!"}'
    assert dict(made.request.headers)["Authorization"] == "Bearer ***"


def test_without_a_key_nothing_is_masked() -> None:
    assert recorded(came(b'{"a":"b"}'), key="").body == b'{"a":"b"}'


def test_a_compressed_echo_is_masked_whole() -> None:
    with hostile.gzip_anyway() as server:
        received = ran(sent_to(server))
    made = recorded(received)

    assert made.ended is Ending.COMPLETE
    assert made.body == mask(len(made.body))
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
