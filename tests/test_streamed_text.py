"""What a stream's text is held against."""

from conformance.checks import CHECKS
from conformance.exchange import Exchange
from tests.exchanges import answered, completed, streamed

WHOLE = CHECKS["stream.text-accumulates"]


def silent(probe: str = "stream.greeting") -> Exchange:
    return streamed(probe=probe, control="plain.greeting")


def test_a_stream_stands_beside_its_control_and_the_other_talks() -> None:
    stream, control, talk = silent(), completed("Hi.", probe="plain.greeting"), silent("stream.spaced")
    others = completed("Hi."), streamed("Hi.", probe="stream.tool-call")

    (group,) = WHOLE.groups([stream], [stream, control, talk, *others])

    assert group == (stream, control, talk)


def test_one_silent_stream_among_others_that_speak_is_a_mood() -> None:
    control = completed("Hi.", probe="plain.greeting")
    refused = answered({}, status=500, probe="stream.spaced")

    assert len(list(WHOLE.find(silent(), control, silent("stream.spaced"), refused))) == 1
