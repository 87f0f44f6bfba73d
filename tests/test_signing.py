"""Envelopes and keys, held against the text of DSSE v1 and against a library that we did not write."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as StrangersEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]

from conformance import signing
from conformance.signing import Envelope, NotSigned
from conformance.target import BadInput
from tests.certifying import keys

TYPE = "application/vnd.in-toto+json"
SECRET = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ENVELOPE = signing.signed(b'{"a":1}', payload_type=TYPE, key=SECRET)


def pem(key: Any) -> bytes:
    """A private key, as a file holds it."""
    content: bytes = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return content


def test_what_is_signed_is_the_example_of_the_specification() -> None:
    """DSSE v1, protocol.md, Test Vectors."""
    said = signing.pae("http://example.com/HelloWorld", b"hello world")

    assert said == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(payload=st.binary(max_size=60), kind=st.text(max_size=20))
def test_lengths_are_of_bytes(payload: bytes, kind: str) -> None:
    head = f"DSSEv1 {len(kind.encode())} {kind} {len(payload)} ".encode()

    assert signing.pae(kind, payload) == head + payload


@given(
    one=st.tuples(st.text(max_size=9), st.binary(max_size=9)), two=st.tuples(st.text(max_size=9), st.binary(max_size=9))
)
def test_no_two_contents_are_signed_alike(one: tuple[str, bytes], two: tuple[str, bytes]) -> None:
    assert (signing.pae(*one) == signing.pae(*two)) == (one == two)


def test_an_envelope_is_what_the_specification_says_and_its_signature_is_over_the_encoding() -> None:
    document = json.loads(ENVELOPE.written())
    (signature,) = document["signatures"]
    payload = base64.b64decode(document["payload"])
    said = b" ".join([b"DSSEv1", b"28", TYPE.encode(), str(len(payload)).encode(), payload])

    assert set(document) == {"payload", "payloadType", "signatures"}
    assert document["payloadType"] == TYPE
    assert payload == b'{"a":1}'
    SECRET.public_key().verify(base64.b64decode(signature["sig"]), said)


def strangers_key(envelope: Envelope, key: Ed25519PrivateKey) -> SSlibKey:
    return SSlibKey.from_crypto(key.public_key(), keyid=envelope.key_id)


def test_a_library_of_others_verifies_an_envelope() -> None:
    theirs = StrangersEnvelope.from_dict(json.loads(ENVELOPE.written()))

    assert list(theirs.verify([strangers_key(ENVELOPE, SECRET)], threshold=1)) == [ENVELOPE.key_id]
    with pytest.raises(VerificationError):
        theirs.verify([strangers_key(ENVELOPE, Ed25519PrivateKey.generate())], threshold=1)


def test_an_envelope_is_read_as_it_was_written() -> None:
    assert Envelope.read(ENVELOPE.written(), payload_type=TYPE) == ENVELOPE


@given(payload=st.binary(max_size=40))
def test_whoever_signed_is_believed_and_nobody_else(payload: bytes) -> None:
    envelope = signing.signed(payload, payload_type=TYPE, key=SECRET)
    signing.check(envelope, SECRET.public_key())

    with pytest.raises(NotSigned, match="names the key"):
        signing.check(envelope, Ed25519PrivateKey.generate().public_key())


def test_a_signature_of_another_under_this_key_id_is_found_out() -> None:
    other = signing.signed(ENVELOPE.payload, payload_type=TYPE, key=Ed25519PrivateKey.generate())
    posing = Envelope(payload_type=TYPE, payload=other.payload, key_id=ENVELOPE.key_id, signature=other.signature)

    with pytest.raises(NotSigned, match="is not that of the key"):
        signing.check(posing, SECRET.public_key())


def rewritten(**members: Any) -> bytes:
    return json.dumps({**json.loads(ENVELOPE.written()), **members}, indent=1).encode() + b"\n"


SIGNATURE = json.loads(ENVELOPE.written())["signatures"][0]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "not an envelope: "),
        (b"[]", "with one signature"),
        (b"null", "with one signature"),
        (b"{}", "with one signature"),
        (rewritten(signatures=[]), "with one signature"),
        (rewritten(signatures=[SIGNATURE, SIGNATURE]), "with one signature"),
        (rewritten(signatures=[{**SIGNATURE, "keyid": 1}]), "names the key 1"),
        (rewritten(signatures=["x"]), "with one signature"),
        (rewritten(payload="*"), "with one signature"),
        (rewritten(payload=7), "with one signature"),
        (rewritten(payloadType="text/plain"), "something else than application/vnd.in-toto"),
        (rewritten(payloadType=["\ud800"]), "something else than"),
        (rewritten(payloadType="\ud800"), "something else than"),
        (rewritten(more=1), "not written as it was"),
        (ENVELOPE.written() + b" ", "not written as it was"),
        (ENVELOPE.written().replace(b"\n", b"\r\n"), "not written as it was"),
        (json.dumps(json.loads(ENVELOPE.written())).encode(), "not written as it was"),
    ],
)
def test_what_is_no_envelope_of_ours_is_told(content: bytes, said: str) -> None:
    with pytest.raises(NotSigned, match=said):
        signing.check(Envelope.read(content, payload_type=TYPE), SECRET.public_key())


def test_base64_of_another_form_is_not_what_was_written() -> None:
    envelope = signing.signed(b"\xfb\xff", payload_type=TYPE, key=SECRET)
    text = envelope.written().decode()
    for found, other in (('"+/8="', '"-_8="'), ('"+/8="', '"+/9="'), ('"+/8="', '"+/8"')):
        assert found in text
        with pytest.raises(NotSigned):
            Envelope.read(text.replace(found, other).encode(), payload_type=TYPE)


# Keys.


def test_a_pair_is_made_and_only_its_owner_can_read_the_private_half(tmp_path: Path) -> None:
    private, public = keys(tmp_path)

    assert private.stat().st_mode & 0o777 == 0o600
    assert signing.private_key(private).public_key() == signing.public_key(public)
    assert b"PRIVATE" not in public.read_bytes()


def test_a_key_id_is_the_digest_of_the_pem_bodys_bytes(tmp_path: Path) -> None:
    """As `openssl pkey -pubin -in FILE -outform DER | sha256sum` tells it."""
    _, public = keys(tmp_path)
    body = "".join(line for line in public.read_text(encoding="ascii").splitlines() if "-----" not in line)

    told = signing.key_id(signing.public_key(public))
    assert told == "sha256:" + hashlib.sha256(base64.b64decode(body)).hexdigest()


@pytest.mark.parametrize("there", ["issuer.pem", "issuer.pem.pub"])
def test_no_key_is_overwritten_and_no_half_of_a_pair_is_made(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_bytes(b"mine")

    with pytest.raises(BadInput, match=f"{there}: is there already, and a key is never overwritten"):
        keys(tmp_path)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {there: b"mine"}


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "issuer.pem").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(BadInput, match="is there already"):
        keys(tmp_path)

    assert not (tmp_path / "elsewhere").exists()


def test_a_key_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written: No such file or directory; give another FILE"):
        signing.new_pair(tmp_path / "nowhere" / "issuer.pem")


ENCRYPTED = SECRET.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "no private key in PEM"),
        (b"\xff", "no private key in PEM"),
        (ENCRYPTED, "the key is encrypted"),
        (pem(generate_private_key(SECP256R1())), "another kind than Ed25519"),
    ],
)
def test_a_private_key_that_cannot_sign_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(BadInput, match=f"{said}.*; give a private Ed25519 key in PEM"):
        signing.private_key(file)


def test_a_public_key_that_cannot_verify_is_told(tmp_path: Path) -> None:
    file = tmp_path / "key"
    other = generate_private_key(SECP256R1()).public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo

    for content, said in (
        (pem(SECRET), "no public key in PEM"),
        (other.public_bytes(serialization.Encoding.PEM, spki), "another kind than Ed25519"),
    ):
        file.write_bytes(content)
        with pytest.raises(BadInput, match=f"{said}; give the issuer's public Ed25519 key"):
            signing.public_key(file)
    with pytest.raises(BadInput, match="cannot be read: Is a directory"):
        signing.public_key(tmp_path)
