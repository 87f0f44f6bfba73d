"""What is said of requests to the backend that a gateway made otherwise than any case here and there does."""

import json

import pytest

from conformance.arrival import Arrival, Fetch
from conformance.checks import CHECKS
from conformance.checks.forwarding import is_whole
from conformance.exchange import Ending, Exchange, Piece, Request, Response
from conformance.finding import Finding, Verdict, judged
from conformance.probes import scripted
from conformance.requirement import catalogue

REFUSAL = b'{"status":"error","data":null,"error":{"code":"VALIDATION_ERROR","message":"no"},"meta":{"request_id":"r"}}'
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 80 + b"\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 80 + b"\xff\xd9"
GIF = b"GIF89a" + b"\0" * 80 + b";"
WEBP = b"RIFF" + (300).to_bytes(4, "little") + b"WEBPVP8 " + b"\0" * 292
AVIF = b"\0\0\0\x20ftypavif" + b"\0" * 80


def exchange(probe: str, *arrivals: Arrival, status: int = 200) -> Exchange:
    """A request of a probe, answered in a few words."""
    asked = {**next(each for each in scripted.PROBES if each.name == probe).step.body, "model": "m"}
    return Exchange(
        probe=probe,
        request=Request(method="POST", url="http://x/", headers=(), body=json.dumps(asked).encode()),
        response=Response(
            status=status, reason="", http_version="HTTP/1.1", headers=(("Content-Type", "application/json"),), at=0.1
        ),
        pieces=(Piece(at=0.2, data=REFUSAL),),
        ended=Ending.COMPLETE,
        started=0.0,
        elapsed=0.3,
        arrivals=arrivals,
    )


def arrival(body: bytes, *fetches: Fetch) -> Arrival:
    return Arrival(
        tag="7e",
        scenario="request-plain",
        method="POST",
        path="/v1",
        headers=(),
        body=body,
        streamed=False,
        at=1.0,
        fetches=fetches,
    )


def found(requirement: str, of: Exchange) -> Finding:
    return judged(catalogue()[requirement], CHECKS[requirement], (of,))


@pytest.mark.parametrize("data", [PNG, JPEG, GIF, WEBP, AVIF])
def test_an_image_is_whole_in_every_form_of_the_web(data: bytes) -> None:
    assert is_whole(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PNG[:-40], id="a PNG without its end"),
        pytest.param(JPEG[:-40], id="a JPEG without its end"),
        pytest.param(GIF[:-40], id="a GIF without its end"),
        pytest.param(WEBP[:-1], id="a WebP without its last byte"),
        pytest.param(WEBP.replace(b"WEBP", b"WAVE"), id="a sound"),
        pytest.param(b"<html><p>There is none&nbsp;</p></html>", id="a page"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_what_is_no_image_or_not_all_of_one_is_not_whole(data: bytes) -> None:
    assert not is_whole(data)


def test_what_is_no_json_at_the_backend_shows_nothing() -> None:
    told = found("messages.forwarded", exchange("scripted.forwarded", arrival(b"\x1f\x8b\x08")))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.explanation == "what reached the backend is no JSON: not UTF-8: byte 1 (invalid start byte)"


def test_a_request_to_the_backend_without_messages_has_none_of_those_that_were_sent() -> None:
    told = found("messages.forwarded", exchange("scripted.forwarded", arrival(b'{"prompt": "[scenario:plain:7e]"}')))

    assert told.verdict is Verdict.FAIL
    assert told.explanation.endswith("at the backend, in its place; found nothing")


def test_a_model_that_takes_no_images_is_told_so() -> None:
    told = found("multimodal.image-proxied", exchange("scripted.image", status=400))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.explanation == 'the model takes no such image: HTTP 400 VALIDATION_ERROR: "no"'


@pytest.mark.parametrize(
    "fetches, why",
    [
        pytest.param((), "it did not try", id="not tried"),
        pytest.param((Fetch(url="http://x/1", status=0, detail="no route"),), "no route", id="not reached"),
    ],
)
def test_an_image_that_the_backend_could_not_fetch_is_undecided_and_says_why(
    fetches: tuple[Fetch, ...], why: str
) -> None:
    part = {"type": "image_url", "image_url": {"url": "http://x/1"}}
    body = json.dumps({"messages": [{"role": "user", "content": [part] * 3}]}).encode()
    told = found("multimodal.image-proxied", exchange("scripted.image", arrival(body, *fetches)))

    assert told.verdict is Verdict.INCONCLUSIVE
    assert told.explanation.endswith(f"the backend could not fetch the image: {why}")
