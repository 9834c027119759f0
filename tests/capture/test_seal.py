"""What is sealed opens with the auditor's key at its own place, and nowhere and with nothing else."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.capture import seal
from phigate.capture.seal import Auditor, BadKey, Place, Unopened, opened, pem_of, private_of, public_of, text_of

PRIVATE = X25519PrivateKey.from_private_bytes(b"a" * 32)
AUDITOR = Auditor(PRIVATE.public_key())
HERE = Place("gw-20261123T150405Z-0.jsonl", 12, "ex-1", "request", "caller")
SAID = b'{"messages":[{"role":"user","content":"MRN 77310042"}]}'


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=5000))
def test_what_is_sealed_opens_at_its_place(original: bytes) -> None:
    assert opened(AUDITOR.seal(original, HERE), PRIVATE, HERE) == original


def test_it_is_another_each_time() -> None:
    assert AUDITOR.seal(SAID, HERE) != AUDITOR.seal(SAID, HERE)


@pytest.mark.parametrize(
    "there",
    [
        HERE._replace(file="gw-20261123T150405Z-9.jsonl"), HERE._replace(seq=13), HERE._replace(exchange="ex-2"),
        HERE._replace(kind="part"), HERE._replace(side="model"), HERE._replace(part=0),
    ],
)  # fmt: skip
def test_what_was_moved_says_so(there: Place) -> None:
    with pytest.raises(Unopened, match="moved"):
        opened(AUDITOR.seal(SAID, HERE), PRIVATE, there)


def test_another_key_is_named_as_the_fault() -> None:
    with pytest.raises(Unopened, match="another key"):
        opened(AUDITOR.seal(SAID, HERE), X25519PrivateKey.generate(), HERE)


def test_every_changed_byte_is_found() -> None:
    raw = base64.b64decode(AUDITOR.seal(b"short", HERE))
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        if 9 <= at < 17:  # the name of the place, on which nothing rests
            assert opened(base64.b64encode(changed).decode(), PRIVATE, HERE) == b"short"
        else:
            with pytest.raises(Unopened):
                opened(base64.b64encode(changed).decode(), PRIVATE, HERE)
    with pytest.raises(Unopened, match="changed"):
        opened(base64.b64encode(raw[:-1]).decode(), PRIVATE, HERE)


@pytest.mark.parametrize("sealed", [None, "", "?", "AAAA", 7, base64.b64encode(b"\2" * 99).decode(), "\u00e9"])
def test_what_nobody_sealed_is_told_apart(sealed: object) -> None:
    with pytest.raises(Unopened, match="nothing that this version seals"):
        opened(sealed, PRIVATE, HERE)


def test_a_name_that_was_changed_to_another_place_is_no_opening() -> None:
    there = HERE._replace(seq=13)
    raw = base64.b64decode(AUDITOR.seal(SAID, HERE))
    forged = raw[:9] + seal._short(there.info) + raw[17:]
    with pytest.raises(Unopened, match="changed"):
        opened(base64.b64encode(forged).decode(), PRIVATE, there)


def test_it_is_the_base_mode_of_rfc_9180_written_out() -> None:
    """DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM: suite ids 0x0020, 0x0001, 0x0002."""
    raw = base64.b64decode(AUDITOR.seal(SAID, HERE))[17:]
    enc, sealed = raw[:32], raw[32:]

    def extract(salt: bytes, suite: bytes, label: bytes, ikm: bytes) -> bytes:
        from cryptography.hazmat.primitives.hmac import HMAC  # noqa: PLC0415 - of this test alone

        mac = HMAC(salt or bytes(32), hashes.SHA256())
        mac.update(b"HPKE-v1" + suite + label + ikm)
        return mac.finalize()

    def expand(prk: bytes, suite: bytes, label: bytes, info: bytes, length: int) -> bytes:
        told = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
        return HKDFExpand(hashes.SHA256(), length, told).derive(prk)

    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\x01\0\x02"
    shared = PRIVATE.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + PRIVATE.public_key().public_bytes_raw()
    secret = expand(extract(b"", kem, b"eae_prk", shared), kem, b"shared_secret", context, 32)
    told = b"\0" + extract(b"", suite, b"psk_id_hash", b"") + extract(b"", suite, b"info_hash", HERE.info)
    key = extract(secret, suite, b"secret", b"")
    aead = AESGCM(expand(key, suite, b"key", told, 32))
    assert aead.decrypt(expand(key, suite, b"base_nonce", told, 12), sealed, b"") == SAID


def test_keys_go_through_text_and_pem() -> None:
    public = PRIVATE.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, form).decode()
    assert public_of(text_of(public)) == public_of(pem) == public_of(text_of(public) + "\n") == public
    for private in (private_of(pem_of(PRIVATE)), private_of(pem_of(PRIVATE, b"open"), b"open")):
        assert private.private_bytes_raw() == PRIVATE.private_bytes_raw()
    assert b"ENCRYPTED" in pem_of(PRIVATE, b"open")


SMALL = "x25519:" + base64.b64encode(bytes(32)).decode()
ED = Ed25519PrivateKey.generate()
ED_PUBLIC = ED.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
).decode()  # fmt: skip
BAD_PUBLIC = [
    ("nothing", "", "neither"),
    ("too short", "x25519:AAAA", "neither"),
    ("no PEM", "-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "no public key in PEM"),
    ("another kind", ED_PUBLIC, "another kind"),
    ("the private half", pem_of(PRIVATE).decode(), "private key"),
    ("a point of small order", SMALL, "anything can be sealed to"),
]


@pytest.mark.parametrize(("sentence", "text", "said"), BAD_PUBLIC, ids=[case[0] for case in BAD_PUBLIC])
def test_what_is_no_public_key_says_why(sentence: str, text: str, said: str) -> None:
    with pytest.raises(BadKey, match=said) as caught:
        Auditor(public_of(text))
    assert len(text) < 8 or text not in str(caught.value)


ED_PRIVATE = ED.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)  # fmt: skip
BAD_PRIVATE = [
    ("nothing", b"", None, "no private key"),
    ("a passphrase is missing", pem_of(PRIVATE, b"open"), None, "needs its passphrase"),
    ("another passphrase", pem_of(PRIVATE, b"open"), b"shut", "passphrase is another"),
    ("a passphrase too many", pem_of(PRIVATE), b"open", "no passphrase"),
    ("another kind", ED_PRIVATE, None, "another kind"),
]


@pytest.mark.parametrize(("sentence", "pem", "word", "said"), BAD_PRIVATE, ids=[case[0] for case in BAD_PRIVATE])
def test_what_is_no_private_key_says_why(sentence: str, pem: bytes, word: bytes | None, said: str) -> None:
    with pytest.raises(BadKey, match=said):
        private_of(pem, word)
