"""Signed envelopes (DSSE v1) and the Ed25519 keys they are signed with."""

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from conformance.document import NotJson, parse
from conformance.target import BadInput


class NotSigned(ValueError):
    """An envelope that is not as it was written, or that another key signed; the message says which."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a signature is over (DSSE v1, PAE): both parts behind their lengths, so that neither runs into the other."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload and one signature over it."""

    payload_type: str
    payload: bytes
    key_id: str
    signature: bytes

    @classmethod
    def read(cls, content: bytes, *, payload_type: str) -> Self:
        """The envelope that these bytes are; only the bytes that `written` gives are one, so that none is unguarded.

        Raises:
            NotSigned: they are not.
        """
        try:
            document: Any = parse(content)
            (signature,) = document["signatures"]
            envelope = cls(
                payload_type=document["payloadType"],
                payload=base64.b64decode(document["payload"], validate=True),
                key_id=signature["keyid"],
                signature=base64.b64decode(signature["sig"], validate=True),
            )
            same = envelope.written() == content
        except NotJson as error:
            raise NotSigned(f"not an envelope: {error}") from None
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise NotSigned("not an envelope with one signature (DSSE v1)") from None
        if envelope.payload_type != payload_type:
            raise NotSigned(f"the envelope holds something else than {payload_type}")
        if not same:
            raise NotSigned("the envelope is not written as it was when it was signed; take the file itself, unedited")
        return envelope

    def written(self) -> bytes:
        """The envelope as the text of a file."""
        document = {
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": self.key_id, "sig": base64.b64encode(self.signature).decode("ascii")}],
        }
        return json.dumps(document, indent=1).encode("ascii") + b"\n"


def signed(payload: bytes, *, payload_type: str, key: Ed25519PrivateKey) -> Envelope:
    """The envelope of a payload, signed."""
    return Envelope(
        payload_type=payload_type,
        payload=payload,
        key_id=key_id(key.public_key()),
        signature=key.sign(pae(payload_type, payload)),
    )


def check(envelope: Envelope, key: Ed25519PublicKey) -> None:
    """Nothing, where the key signed the envelope.

    Raises:
        NotSigned: it did not.
    """
    mine = key_id(key)
    # DSSE calls the id of the key a hint. A certificate names its key to people, so here it has to be true.
    if envelope.key_id != mine:
        raise NotSigned(f"the envelope names the key {envelope.key_id}, and the one that was given is {mine}")
    try:
        key.verify(envelope.signature, pae(envelope.payload_type, envelope.payload))
    except InvalidSignature:
        raise NotSigned(f"the signature is not that of the key {mine} over this content") from None


def key_id(key: Ed25519PublicKey) -> str:
    """A public key's fingerprint: SHA-256 over its DER SubjectPublicKeyInfo (RFC 8410), as `sha256:<hex>`."""
    content = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "sha256:" + hashlib.sha256(content).hexdigest()


def private_key(file: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file (PKCS #8, not encrypted).

    Raises:
        BadInput: the file cannot be read, or holds no such key.
    """
    cure = "give a private Ed25519 key in PEM (PKCS #8, not encrypted); chat-conformance new-key makes one"
    content = _content(file)
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except TypeError:
        raise BadInput(f"{file}: the key is encrypted; {cure}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{file}: no private key in PEM; {cure}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"{file}: a key of another kind than Ed25519; {cure}")
    return key


def public_key(file: Path) -> Ed25519PublicKey:
    """The public key in a PEM file (SubjectPublicKeyInfo).

    Raises:
        BadInput: the file cannot be read, or holds no such key.
    """
    cure = "give the issuer's public Ed25519 key in PEM, the .pub file that chat-conformance new-key made"
    content = _content(file)
    try:
        key = serialization.load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{file}: no public key in PEM; {cure}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"{file}: a key of another kind than Ed25519; {cure}")
    return key


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file}: cannot be read: {error.strerror}; give the file of a key in PEM") from None


def new_pair(file: Path) -> str:
    """A new pair of keys on disk, the public one in `<file>.pub`; its key id.

    Raises:
        BadInput: one of the two files is there, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    places = ((file, private, 0o600), (public_file(file), public, 0o644))
    for place, _, _ in places:
        if place.exists():  # before one of the two is written without the other
            raise BadInput(f"{place}: {_THERE}")
    for place, content, mode in places:
        _create(place, content, mode)
    return key_id(key.public_key())


def public_file(file: Path) -> Path:
    """Where `new_pair` puts the public half."""
    return file.with_name(file.name + ".pub")


_THERE: Final = "is there already, and a key is never overwritten; give another FILE"


def _create(file: Path, content: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as new:
            new.write(content)
    except FileExistsError:
        raise BadInput(f"{file}: {_THERE}") from None
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror}; give another FILE") from None


def sha256(content: bytes) -> Mapping[str, str]:
    """The digest of some bytes, as an in-toto DigestSet."""
    return {"sha256": hashlib.sha256(content).hexdigest()}
