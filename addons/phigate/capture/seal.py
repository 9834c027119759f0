"""Originals, encrypted so that only the auditor's private key opens them: not the gateway that sealed them.

HPKE (RFC 9180) in base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, one encapsulated key a record. Its
`info` says where the record stands (file, number, exchange, kind, side, part), so that what is sealed opens in this
place only. What is written is base64 of: one byte of version, 8 bytes that name the key, 8 bytes that name the place,
then HPKE's encapsulated key and ciphertext. The names are there to tell a wrong key and a moved record from a changed
one; nothing rests on them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final, NamedTuple

import orjson
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_VERSION: Final = b"\1"
_NAME: Final = 8
"""Bytes that name a key or a place."""
_HEAD: Final = len(_VERSION) + 2 * _NAME
_TEXT: Final = re.compile(r"x25519:([A-Za-z0-9+/]{43}=)")


class BadKey(ValueError):  # noqa: N818 - what the operator or the auditor gave
    """What was given is no key for sealing; the message holds nothing of it."""


class Unopened(ValueError):  # noqa: N818 - what a sealed original stays
    """A sealed original that stays closed, and why; the message holds nothing of it."""


class Place(NamedTuple):
    """Where a record stands: its file's plain name and its number, whose it is, and what of it is sealed."""

    file: str
    seq: int
    exchange: str
    kind: str
    side: str
    part: int | None = None

    @property
    def info(self) -> bytes:
        return b"phigate sealed 1\n" + orjson.dumps(tuple(self))


class Auditor:
    """Whom originals are sealed to: the public half of a key whose private half no gateway has."""

    def __init__(self, public: X25519PublicKey) -> None:
        """Raises BadKey for a point of small order, with which everybody could open what is sealed."""
        self._public, self.name = public, _name_of(public)
        try:
            _SUITE.encrypt(b"", public, b"")
        except ValueError:
            raise BadKey("is no public key that anything can be sealed to") from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Auditor) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def seal(self, original: bytes, place: Place) -> str:
        """An original as the text that its record holds."""
        sealed = _SUITE.encrypt(original, self._public, place.info)
        return base64.b64encode(_VERSION + self.name + _short(place.info) + sealed).decode()


def opened(sealed: object, private: X25519PrivateKey, place: Place) -> bytes:
    """The original that a record holds at this place; raises Unopened."""
    try:
        raw = base64.b64decode(sealed, validate=True) if isinstance(sealed, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    head, rest = raw[:_HEAD], raw[_HEAD:]
    if len(head) != _HEAD or head[:1] != _VERSION:
        raise Unopened("it is nothing that this version seals")
    if head[1 : 1 + _NAME] != _name_of(private.public_key()):
        raise Unopened("it was sealed to another key")
    try:
        return _SUITE.decrypt(rest, private, place.info)
    except (InvalidTag, ValueError):
        pass
    if head[1 + _NAME :] != _short(place.info):
        raise Unopened("it was sealed for another place: the record was moved, or its file renamed")
    raise Unopened("it was changed")


def public_of(text: str) -> X25519PublicKey:
    """A public key from its text: `x25519:` and 32 bytes in base64, or a PEM file's content; raises BadKey."""
    if text.startswith("-----BEGIN PUBLIC KEY-----"):
        try:
            found = serialization.load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise BadKey("is no public key in PEM") from None
        if not isinstance(found, X25519PublicKey):
            raise BadKey("is a public key of another kind than X25519")
        return found
    if text.startswith("-----BEGIN") and "PRIVATE" in text:
        raise BadKey("is a private key: the gateway must not have it")
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise BadKey("is neither `x25519:` with 44 characters of base64 nor a public key in PEM")
    try:
        return X25519PublicKey.from_public_bytes(base64.b64decode(match[1], validate=True))
    except ValueError:
        raise BadKey("is no base64 of 32 bytes") from None


def text_of(public: X25519PublicKey) -> str:
    """A public key as a policy's `seal_to` names it."""
    return "x25519:" + base64.b64encode(public.public_bytes_raw()).decode()


def private_of(pem: bytes, passphrase: bytes | None = None) -> X25519PrivateKey:
    """A private key from a PEM file's content (PKCS #8); raises BadKey."""
    try:
        found = serialization.load_pem_private_key(pem, passphrase)
    except TypeError:
        raise BadKey("needs its passphrase" if passphrase is None else "has no passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("is no private key in PEM, or the passphrase is another") from None
    if not isinstance(found, X25519PrivateKey):
        raise BadKey("is a private key of another kind than X25519")
    return found


def pem_of(private: X25519PrivateKey, passphrase: bytes | None = None) -> bytes:
    """A private key as the content of a PEM file (PKCS #8), encrypted where there is a passphrase."""
    protection = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def _name_of(public: X25519PublicKey) -> bytes:
    return _short(public.public_bytes_raw())


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_NAME]
