"""Hostile bearers, each with where it is from, how it is forged, and the one reason it must be refused for.

A row passes when its bearer is refused for exactly that reason. The honest bearers below must all be believed.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils

from phigate.identity import bearer as bearers
from phigate.identity import claims as table_of_claims
from phigate.identity import jwks, strict
from phigate.identity.bearer import check
from phigate.identity.jwks import parse_jwks
from phigate.identity.outcome import REASONS, Believed, KeysNeeded, Refused
from phigate.identity.strict import to_base64url
from tests.identity import forge
from tests.identity.forge import (
    NOW,
    OTHER,
    RULE,
    Rule,
    claims,
    header,
    jwk_of,
    keyset,
    mint,
    number,
    private_key,
    published,
    segment,
    settle,
    sign_with,
    with_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from phigate.identity.jwks import KeySet
    from phigate.identity.outcome import Reason

    type Forged = Callable[[], str]


@dataclass(frozen=True)
class Row:
    sentence: str
    source: str
    reason: Reason
    forged: Forged
    rule: Rule = RULE
    keys: Callable[[], KeySet] = published


def rows(
    source: str,
    reason: Reason,
    forgeries: Mapping[str, Forged],
    *,
    rule: Rule = RULE,
    keys: Callable[[], KeySet] = published,
) -> Iterator[Row]:
    for sentence, forged in forgeries.items():
        yield Row(sentence, source, reason, forged, rule, keys)


def said(**changes: Any) -> Forged:
    """Honest claims with changes, under the header of an access token; None leaves a claim out."""
    return lambda: mint(claims(**changes))


def plainly(**changes: Any) -> Forged:
    """The same under `typ: JWT`, which could be anything."""
    return lambda: mint(claims(**changes), header(typ="JWT"))


def literally(**changes: Any) -> Forged:
    """The same, but None is said as null."""
    return lambda: mint(claims() | changes)


def headed(**changes: Any) -> Forged:
    return lambda: mint(head=header() | changes)


# -- the forger's tools -----------------------------------------------------------------------------------------------


def encoded(encoding: str, kind: str, name: str = "rsa") -> bytes:
    """A public key as published somewhere, to be used as an HMAC secret."""
    public = private_key(name).public_key()
    chosen = getattr(serialization.Encoding, encoding), getattr(serialization.PublicFormat, kind)
    return bytes(public.public_bytes(*chosen))


def hmac_with(secret: bytes, alg: str = "HS256", kid: str = "rsa", said_alg: str | None = None) -> Forged:
    return lambda: mint(head=header(said_alg or alg, kid=kid), alg=alg, key=secret)


def as_json(**members: Any) -> bytes:
    return json.dumps(jwk_of("rsa", **members), separators=(",", ":"), sort_keys=True).encode()


def signed(alg: str, make: Callable[[bytes], bytes], kid: str | None = None) -> Forged:
    """Honest claims under a signature of the forger's own making."""

    def forged() -> str:
        unsigned = mint(head=header(alg, kid=kid or forge.key_for(alg)), signature=b"\1").rpartition(".")[0]
        return f"{unsigned}.{to_base64url(make(unsigned.encode()))}"

    return forged


def ecdsa(alg: str, r: int | None = None, s: int | None = None) -> Forged:
    """An ECDSA signature, with its r or s replaced."""
    size = (forge.CURVES[alg].key_size + 7) // 8

    def make(message: bytes) -> bytes:
        honest = sign_with(private_key(alg), alg, message)
        half_r = honest[:size] if r is None else r.to_bytes(size)
        half_s = honest[size:] if s is None else s.to_bytes(size)
        return half_r + half_s

    return signed(alg, make)


def changed(alg: str, change: Callable[[bytes], bytes]) -> Forged:
    return signed(alg, lambda message: change(sign_with(private_key(forge.key_for(alg)), alg, message)))


ORDER = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": int("1" + "F" * 65 + "A51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409", 16),
}
"""The order n of each curve's group (SEC 2 section 2)."""
EDWARDS_ORDER = 2**252 + 27742317777372353535851937790883648493


def twin(alg: str) -> Forged:
    """The same ECDSA signature with n - s for s: as good as the first."""
    size = (forge.CURVES[alg].key_size + 7) // 8

    def change(honest: bytes) -> bytes:
        return honest[:size] + (ORDER[alg] - int.from_bytes(honest[size:])).to_bytes(size)

    return changed(alg, change)


def edwards_plus_order(honest: bytes) -> bytes:
    return honest[:32] + (int.from_bytes(honest[32:], "little") + EDWARDS_ORDER).to_bytes(32, "little")


def pss(alg: str, salt: int, mask: hashes.HashAlgorithm | None = None) -> Forged:
    """RSASSA-PSS with another salt or mask than RFC 7518 section 3.5 says."""
    chosen = forge.HASHES[alg[2:]]
    return signed(
        alg, lambda message: private_key("rsa").sign(message, padding.PSS(padding.MGF1(mask or chosen), salt), chosen)
    )


DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
"""The DER in front of a SHA-256 digest (RFC 8017 section 9.2, note 1)."""


def cube_root(value: int) -> int:
    """The least whole number whose cube is not below `value`."""
    low, high = 0, 1 << (value.bit_length() // 3 + 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if middle**3 < value else (low, middle)
    return low


def bleichenbacher(message: bytes) -> bytes:
    """A signature under any key with e=3: the cube of a number that starts like a padded digest."""
    prefix = b"\0\1" + b"\xff" * 8 + b"\0" + DIGEST_INFO + hashlib.sha256(message).digest()
    root = cube_root(int.from_bytes(prefix.ljust(256, b"\0")))
    assert (root**3).to_bytes(256).startswith(prefix)
    return root.to_bytes(256)


def padded_digest(message: bytes) -> bytes:
    """What an RSA key with e=1 takes for a signature: the padded digest itself."""
    info = DIGEST_INFO + hashlib.sha256(message).digest()
    return b"\0\1" + b"\xff" * (256 - 3 - len(info)) + b"\0" + info


def modulus() -> bytes:
    n: int = private_key("rsa").public_key().public_numbers().n
    return n.to_bytes(256)


def with_key(*entries: Mapping[str, Any]) -> Callable[[], KeySet]:
    """A key set with entries that must not be used, and one that may."""
    return cache(lambda: keyset(*entries, jwk_of("ES384")))


def serialised(*, flattened: bool) -> str:
    """JWS JSON serialization (RFC 7515 section 7.2)."""
    head, payload, signature = mint().split(".")
    one = {"protected": head, "signature": signature}
    return json.dumps({"payload": payload} | (one if flattened else {"signatures": [one]}))


def mixed() -> str:
    """Compact to one parser and JSON to another, with other claims in each."""
    head, payload, signature = mint().split(".")
    fake = to_base64url(json.dumps(claims(sub="root")).encode())
    return json.dumps({f" {head}.{fake}.": "", "protected": head, "payload": payload, "signature": signature})


def encrypted() -> str:
    """The shape of a JWE for our key: nobody needs a private key to make one (RFC 7516 section 3.1)."""
    head = {"alg": "RSA-OAEP-256", "enc": "A256GCM", "kid": "rsa", "cty": "JWT"}
    return ".".join(
        to_base64url(part) for part in (json.dumps(head).encode(), b"k" * 256, b"i" * 12, b"c" * 400, b"t" * 16)
    )


def nested(depth: int) -> Forged:
    return lambda: mint(with_text('"ward-staff"', "[" * depth + "]" * depth))


def replaced(found: str, instead: str) -> Forged:
    return lambda: mint(with_text(found, instead))


def as_bytes(change: Callable[[bytes], bytes]) -> Forged:
    return lambda: mint(change(json.dumps(claims()).encode()))


EXP = str(NOW + 600)
IDENTITY_POINT = jwk_of("EdDSA", kid="small", x=to_base64url(bytes([1] + [0] * 31)))
SPKI = ("PEM", "SubjectPublicKeyInfo")

# -- the algorithm is never the bearer's choice -----------------------------------------------------------------------

ALGORITHM = [
    *rows(
        "CVE-2015-9235 (alg none)",
        "alg-not-allowed",
        {
            f"alg {alg}, with some signature": headed(alg=alg)
            for alg in ("none", "None", "NONE", "nOnE", "none ", " none", "none\0", "n\u043ene")
        },
    ),
    *rows(
        "RFC 7519 section 6 (unsecured JWT)",
        "malformed",
        {
            "alg none, unsigned": lambda: mint(head=header("none", kid="rsa"), signature=b""),
            "alg none, and no last dot either": lambda: mint(head=header("none", kid="rsa")).rpartition(".")[0],
        },
    ),
    *rows(
        "CVE-2016-10555 (a public key as HMAC secret)",
        "alg-not-allowed",
        {
            "hmac with the pem": hmac_with(encoded(*SPKI)),
            "hmac with the pem, without its last line break": hmac_with(encoded(*SPKI).rstrip()),
            "hmac with the pem, with CR LF": hmac_with(encoded(*SPKI).replace(b"\n", b"\r\n")),
            "hmac with the pem's body": hmac_with(encoded(*SPKI)[27:-26]),
            "hmac with the pem's body in one line": hmac_with(b"".join(encoded(*SPKI).splitlines()[1:-1])),
            "hmac with the pkcs#1 pem (CVE-2017-11424)": hmac_with(encoded("PEM", "PKCS1")),
            "hmac with the der": hmac_with(encoded("DER", "SubjectPublicKeyInfo")),
            "hmac with the pkcs#1 der": hmac_with(encoded("DER", "PKCS1")),
            "hmac with the jwk": hmac_with(as_json()),
            "hmac with the jwk's required members (RFC 7638)": hmac_with(as_json(kid=None, use=None)),
            "hmac with the modulus": hmac_with(modulus()),
            "hmac with the modulus as published": hmac_with(jwk_of("rsa")["n"].encode()),
            "hmac with the openssh key": hmac_with(encoded("OpenSSH", "OpenSSH")),
            "hs384 with the pem": hmac_with(encoded(*SPKI), "HS384"),
            "hs512 with the pem": hmac_with(encoded(*SPKI), "HS512"),
            "hmac with the ec pem": hmac_with(encoded(*SPKI, "ES256"), kid="ES256"),
            "hmac with the ec openssh key (CVE-2024-33663)": hmac_with(
                encoded("OpenSSH", "OpenSSH", "ES256"), kid="ES256"
            ),
            "hmac with the ec point": hmac_with(encoded("X962", "UncompressedPoint", "ES256"), kid="ES256"),
            "hmac with the ed25519 octets": hmac_with(encoded("Raw", "Raw", "EdDSA"), kid="EdDSA"),
            "hmac with the ed25519 openssh key (CVE-2022-29217)": hmac_with(
                encoded("OpenSSH", "OpenSSH", "EdDSA"), kid="EdDSA"
            ),
        },
    ),
    *rows(
        "RFC 8725 section 3.1",
        "signature-invalid",
        {
            "hmac with the pem, called RS256": hmac_with(encoded(*SPKI), said_alg="RS256"),
            "hmac with the der, called EdDSA": hmac_with(encoded("Raw", "Raw", "EdDSA"), said_alg="EdDSA", kid="EdDSA"),
        },
    ),
    *rows(
        "RFC 8725 section 3.2 (weak or empty secrets)",
        "alg-not-allowed",
        {
            "hmac with an empty-looking secret": hmac_with(b"\0"),
            "hmac with the word secret": hmac_with(b"secret"),
            "hmac with /dev/null of a kid": hmac_with(b"\0", kid="../../../dev/null"),
        },
    ),
    *rows(
        "RFC 7515 section 4.1.1 (a case-sensitive string of the list)",
        "alg-not-allowed",
        {
            "alg in lower case": headed(alg="rs256"),
            "alg a part of an allowed name": headed(alg="S256"),
            "alg two allowed names": headed(alg="RS256 ES256"),
            "alg empty": headed(alg=""),
            "alg a number": headed(alg=256),
            "alg a list": headed(alg=["RS256"]),
            "alg an object": headed(alg={}),
            "alg null": headed(alg=None),
            "alg true": headed(alg=True),
            "es256k": lambda: mint(head=header("ES256K", kid="ES256")),
            "rs1": headed(alg="RS1"),
            "ed448": headed(alg="Ed448"),
            "a password's algorithm": headed(alg="PBES2-HS256+A128KW"),
            "a wrapping algorithm": headed(alg="dir"),
        },
    ),
    *rows(
        "RFC 8725 section 3.1",
        "alg-not-allowed",
        {"an algorithm the policy does not list": lambda: mint(alg="PS256")},
        rule=Rule(algorithms=("RS256",)),
    ),
    *rows(
        "RFC 7515 section 4.1.1",
        "alg-missing",
        {"alg missing": lambda: mint(head={"typ": "JWT", "kid": "rsa"}), "header empty": lambda: mint(head={})},
    ),
]

# -- the key is the one named, the issuer's own, and for this algorithm -----------------------------------------------

KEY = [
    *rows(
        "RFC 8725 section 3.1 (one key, one algorithm)",
        "key-mismatch",
        {
            "another key's kid": headed(kid="ES256"),
            "es256 by a p-384 key": lambda: mint(head=header("ES256", kid="ES384"), alg="ES384"),
            "es256 by a p-521 key": lambda: mint(head=header("ES256", kid="ES512"), alg="ES512"),
            "es512 by a p-256 key": lambda: mint(head=header("ES512", kid="ES256"), alg="ES256"),
            "eddsa with an rsa key": lambda: mint(head=header("EdDSA", kid="rsa")),
            "rs256 with an ed25519 key": lambda: mint(head=header("RS256", kid="EdDSA"), alg="EdDSA"),
        },
    ),
    *rows(
        "RFC 7517 section 4.4 (a key's own alg)",
        "key-mismatch",
        {"rs256 by a key for rs512": lambda: mint(head=header(kid="rsa"))},
        keys=with_key(jwk_of("rsa", alg="RS512")),
    ),
    *rows(
        "RFC 8725 section 3.8 (keys of two issuers)",
        "signature-invalid",
        {"another issuer's key under our kid": lambda: mint(key=private_key("rsa-other"))},
    ),
    *rows(
        "RFC 8725 section 3.8 (keys of two issuers)",
        "kid-unknown",
        {
            "another issuer's kid and key": lambda: mint(head=header(kid="rsa-other"), key=private_key("rsa-other")),
            "our key in another issuer's name": said(iss=OTHER.issuer, aud="research-gateway"),
        },
    ),
    *rows(
        "RFC 7515 section 4.1.4",
        "kid-missing",
        {"kid missing, many keys": lambda: mint(head=header(kid=None))},
    ),
    *rows(
        "RFC 8725 section 3.10 (received claims are not trusted: kid)",
        "kid-unknown",
        {
            f"kid {kid[:40]}": headed(kid=kid)
            for kid in (
                "new",
                "../../../etc/passwd",
                "/dev/null",
                "..\\..\\windows\\win.ini",
                "rsa' or '1'='1",
                "rsa' UNION SELECT 'c2VjcmV0' --",
                "rsa; cat /etc/passwd",
                "$(id)",
                "{{7*7}}",
                "%00rsa",
                "https://evil.example/key",
                "file:///etc/passwd",
                "RSA",
                "rsa ",
                " rsa",
                "rs\u0430",
                "*",
                "0",
            )
        },
    ),
    *rows(
        "RFC 7515 section 4.1.4",
        "kid-invalid",
        {
            "kid empty": headed(kid=""),
            "kid a number": headed(kid=1),
            "kid zero": headed(kid=0),
            "kid true": headed(kid=True),
            "kid null": headed(kid=None),
            "kid a list": headed(kid=["rsa"]),
            "kid an object": headed(kid={"rsa": 1}),
            "kid of 300 letters": headed(kid="k" * 300),
            "kid with a line break": headed(kid="rsa\nrsa"),
            "kid with a NUL": headed(kid="rsa\0"),
            "kid turned around": headed(kid="\u202ersa"),
            "kid with a zero-width space": headed(kid="r\u200bsa"),
        },
    ),
    *rows("RFC 8725 section 3.10", "too-large", {"kid of 100 KB": headed(kid="k" * 100_000)}),
    *rows(
        "CVE-2006-4339 (PKCS#1 v1.5 forged under e=3)",
        "kid-unknown",
        {
            "a cube root, the key published": signed("RS256", bleichenbacher, kid="rsa-e3"),
            "an honest signature by a key with e=3": lambda: mint(head=header(kid="rsa-e3"), key=private_key("rsa-e3")),
        },
        keys=with_key(jwk_of("rsa-e3")),
    ),
    *rows(
        "CVE-2006-4339 (PKCS#1 v1.5 forged under e=3)",
        "signature-invalid",
        {"a cube root, under an honest key": signed("RS256", bleichenbacher)},
    ),
    *rows(
        "RFC 8017 section 3.1 (3 <= e)",
        "kid-unknown",
        {"the padded digest as signature, the key published with e=1": signed("RS256", padded_digest)},
        keys=with_key(jwk_of("rsa", e="AQ")),
    ),
    *rows(
        "RFC 8017 section 8.2.2",
        "signature-invalid",
        {"the padded digest as signature": signed("RS256", padded_digest)},
    ),
    *rows(
        "NIST SP 800-131A (RSA below 2048 bits)",
        "kid-unknown",
        {"rsa of 1024 bits": lambda: mint(head=header(kid="rsa-1024"), key=private_key("rsa-1024"))},
        keys=with_key(jwk_of("rsa-1024")),
    ),
    *rows(
        "RFC 7748 section 7 (a key of small order)",
        "kid-unknown",
        {
            "ed25519 by nobody, the key the identity": signed(
                "EdDSA", lambda _: bytes([1] + [0] * 31) + bytes(32), kid="small"
            )
        },
        keys=with_key(IDENTITY_POINT),
    ),
    *rows(
        "RFC 7517 section 4.2 (use) and 4.3 (key_ops)",
        "kid-unknown",
        {"by a key for encryption": lambda: mint(head=header(kid="rsa"))},
        keys=with_key(jwk_of("rsa", use="enc")),
    ),
    *rows(
        "RFC 7517 section 4.3 (key_ops)",
        "kid-unknown",
        {"by a key that may not verify": lambda: mint(head=header(kid="rsa"))},
        keys=with_key(jwk_of("rsa", key_ops=["wrapKey"])),
    ),
    *rows(
        "RFC 7517 section 4.5 (kid within a set)",
        "kid-unknown",
        {"by one of two keys of one name": lambda: mint(head=header(kid="rsa"))},
        keys=with_key(jwk_of("rsa"), jwk_of("rsa-other", kid="rsa")),
    ),
    *rows(
        "RFC 7517 section 9.2 (private keys in a published set)",
        "kid-unknown",
        {"by a key whose private half is published": lambda: mint(head=header(kid="rsa"))},
        keys=with_key(forge.private_jwk("rsa")),
    ),
    *rows(
        "RFC 7518 section 6.4 (a symmetric key in a published set)",
        "alg-not-allowed",
        {"hmac with a secret of the published set": hmac_with(b"secret", kid="s")},
        keys=with_key({"kty": "oct", "kid": "s", "k": to_base64url(b"secret")}),
    ),
]

# -- signatures -------------------------------------------------------------------------------------------------------

SIGNATURE = [
    *rows(
        "RFC 7515 section 5.2",
        "signature-invalid",
        {
            "claims changed after signing": lambda: segment(
                mint(), 1, lambda _: mint(claims(sub="root")).split(".")[1]
            ),
            "header changed after signing": lambda: segment(
                mint(), 0, lambda _: mint(head=header(typ="JWT")).split(".")[0]
            ),
            "the signature of another bearer": lambda: segment(
                mint(), 2, lambda _: mint(claims(jti="j-2")).split(".")[2]
            ),
            "the digest in place of a signature": signed("RS256", lambda message: hashlib.sha256(message).digest()),
            "a signature over the claims alone": signed(
                "RS256", lambda message: sign_with(private_key("rsa"), "RS256", message.partition(b".")[2])
            ),
        },
    ),
    *rows(
        "RFC 8017 section 8.2.2 (length, and s below n)",
        "signature-invalid",
        {
            "rsa signature of zeros": lambda: mint(signature=bytes(256)),
            "rsa signature of one": lambda: mint(signature=bytes(255) + b"\1"),
            "rsa signature the modulus": lambda: mint(signature=modulus()),
            "rsa signature past the modulus": lambda: mint(signature=b"\xff" * 256),
            "rsa signature without its first octet": changed("RS256", lambda honest: honest[1:]),
            "rsa signature without its last octet": changed("RS256", lambda honest: honest[:-1]),
            "rsa signature with a zero in front": changed("RS256", lambda honest: b"\0" + honest),
            "rsa signature with a zero behind": changed("RS256", lambda honest: honest + b"\0"),
            "rsa signature twice": changed("RS256", lambda honest: honest * 2),
            "rsa signature of one octet": lambda: mint(signature=b"\1"),
            "rsa signature with a bit turned": changed("RS256", lambda honest: bytes([honest[0] ^ 1]) + honest[1:]),
            "rsa signature backwards": changed("RS256", lambda honest: honest[::-1]),
        },
    ),
    *rows(
        "RFC 7518 section 3.3 and 3.5 (padding and hash belong to the name)",
        "signature-invalid",
        {
            "rs256 called ps256": lambda: mint(head=header("PS256", kid="rsa")),
            "rs256 called rs512": lambda: mint(head=header("RS512", kid="rsa")),
            "ps256 called rs256": lambda: mint(head=header("RS256"), alg="PS256"),
            "ps256 called ps384": lambda: mint(head=header("PS384", kid="rsa"), alg="PS256"),
            "ps256 without salt": pss("PS256", 0),
            "ps256 with the longest salt": pss("PS256", 222),
            "ps512 with a salt of 32": pss("PS512", 32),
            "ps256 with a mask of sha-1": pss("PS256", 32, hashes.SHA1()),
            "rs256 over sha-1": signed(
                "RS256", lambda message: private_key("rsa").sign(message, padding.PKCS1v15(), hashes.SHA1())
            ),
            "rs256 over md5": signed(
                "RS256", lambda message: private_key("rsa").sign(message, padding.PKCS1v15(), hashes.MD5())
            ),
        },
    ),
    *rows(
        "CVE-2022-21449 (psychic signatures) and FIPS 186-5 section 6.4.2",
        "signature-invalid",
        {
            f"{alg.lower()} with {how}": ecdsa(alg, r, s)
            for alg, n in ORDER.items()
            for how, r, s in (
                ("r and s zero", 0, 0),
                ("r zero", 0, None),
                ("s zero", None, 0),
                ("r and s the order", n, n),
                ("r the order", n, None),
                ("s the order", None, n),
                ("r and s one", 1, 1),
            )
        },
    ),
    *rows(
        "RFC 7518 section 3.4 (r and s in full, nothing else)",
        "signature-invalid",
        {
            "es256 as der": signed(
                "ES256", lambda message: private_key("ES256").sign(message, ec.ECDSA(hashes.SHA256()))
            ),
            "es512 as der": signed(
                "ES512", lambda message: private_key("ES512").sign(message, ec.ECDSA(hashes.SHA512()))
            ),
            "es256 of zeros as der": lambda: mint(alg="ES256", signature=utils.encode_dss_signature(0, 0)),
            "es512 with r past the order": changed(
                "ES512", lambda honest: (int.from_bytes(honest[:66]) + ORDER["ES512"]).to_bytes(66) + honest[66:]
            ),
            "es256 without its last octet": changed("ES256", lambda honest: honest[:-1]),
            "es256 with a zero behind": changed("ES256", lambda honest: honest + b"\0"),
            "es256 with a zero before each half": changed(
                "ES256", lambda honest: b"\0" + honest[:32] + b"\0" + honest[32:]
            ),
            "es256 with 32 zeros before each half": changed(
                "ES256", lambda honest: bytes(32) + honest[:32] + bytes(32) + honest[32:]
            ),
            "es256 with its halves exchanged": changed("ES256", lambda honest: honest[32:] + honest[:32]),
            "es256 with half a signature": changed("ES256", lambda honest: honest[:32]),
            "es256 over sha-512": signed(
                "ES256",
                lambda message: b"".join(
                    half.to_bytes(32)
                    for half in utils.decode_dss_signature(
                        private_key("ES256").sign(message, ec.ECDSA(hashes.SHA512()))
                    )
                ),
            ),
        },
    ),
    *rows(
        "RFC 8032 section 5.1.7 (s below the order; 64 octets)",
        "signature-invalid",
        {
            "ed25519 of zeros": lambda: mint(alg="EdDSA", signature=bytes(64)),
            "ed25519 with s past the order": changed("EdDSA", edwards_plus_order),
            "ed25519 cut short": changed("EdDSA", lambda honest: honest[:63]),
            "ed25519 with a zero behind": changed("EdDSA", lambda honest: honest + b"\0"),
            "ed25519 with r the identity": changed("EdDSA", lambda honest: bytes([1] + [0] * 31) + honest[32:]),
            "ed25519 of another message": signed("EdDSA", lambda _: bytes(private_key("EdDSA").sign(b""))),
        },
    ),
]

# -- encoding: one spelling only --------------------------------------------------------------------------------------

ENCODING = [
    *rows(
        "RFC 7515 section 7.1 (three segments)",
        "malformed",
        {
            "empty": lambda: "",
            "one segment": lambda: "abc",
            "two segments": lambda: mint().rpartition(".")[0],
            "four segments": lambda: mint() + ".AAAA",
            "six segments": lambda: mint() + ".AAAA" * 3,
            "no signature segment (CVE-2020-28042)": lambda: mint().rpartition(".")[0] + ".",
            "no header segment": lambda: segment(mint(), 0, lambda _: ""),
            "a detached payload (RFC 7515 appendix F)": lambda: segment(mint(), 1, lambda _: ""),
            "dots only": lambda: "..",
            "dots of another script": lambda: mint().replace(".", "\u3002"),
            "dots in percent": lambda: mint().replace(".", "%2E"),
            "a last dot": lambda: mint() + ".",
            "jws json serialization": lambda: serialised(flattened=False),
            "jws json serialization, flattened": lambda: serialised(flattened=True),
            "a saml assertion": lambda: base64.b64encode(b"<saml:Assertion/>" * 20).decode(),
            "an api key": lambda: "sk-" + "a" * 48,
            "an opaque access token of google": lambda: "ya29." + "a" * 160,
        },
    ),
    *rows(
        "RFC 7516 (a JWE is for its recipient; CVE-2024-33664)",
        "encrypted",
        {
            "a jwe": encrypted,
            "five segments": lambda: mint() + ".AAAA.AAAA",
            "five empty segments": lambda: "....",
        },
    ),
    *rows(
        "RFC 7515 section 2 and RFC 4648 section 3 (base64url has one spelling)",
        "not-canonical",
        {
            "a space in a segment": lambda: segment(mint(), 1, lambda s: s[:4] + " " + s[4:]),
            "a line break at the end": lambda: mint() + "\n",
            "a line break in a segment": lambda: segment(mint(), 1, lambda s: s[:4] + "\r\n" + s[4:]),
            "a NUL at the end": lambda: mint() + "\0",
            "a tab in front": lambda: "\t" + mint(),
            "the scheme twice": lambda: "Bearer " + mint(),
            "quotes around": lambda: f'"{mint()}"',
            "a comma behind": lambda: mint() + ",",
            "one pad": lambda: segment(mint(), 2, lambda s: s + "="),
            "two pads": lambda: segment(mint(), 2, lambda s: s + "=="),
            "pads as %3D": lambda: segment(mint(), 2, lambda s: s + "%3D%3D"),
            "letters of plain base64": lambda: segment(mint(), 2, lambda s: "+/" + s[2:]),
            "a zero-width space": lambda: segment(mint(), 0, lambda s: s + "\u200b"),
            "a byte order mark in front": lambda: "\ufeff" + mint(),
            "a letter outside latin": lambda: segment(mint(), 0, lambda s: "\uff45" + s[1:]),
            "a digit outside latin": lambda: segment(mint(), 0, lambda s: "\u0661" + s[1:]),
            "a lone surrogate": lambda: segment(mint(), 0, lambda s: s + "\udc80"),
            "other spare bits": lambda: forge.other_last_letter(mint()),
            "a length no bytes have": lambda: segment(mint(), 0, lambda s: s[: len(s) // 4 * 4] + "A"),
            "a paseto": lambda: "v4.public." + "a" * 100,
            "an sd-jwt with nothing disclosed (RFC 9901)": lambda: mint() + "~",
            "compact and json at once (CVE-2022-39227)": mixed,
        },
    ),
    *rows(
        "RFC 8725 section 3.10 (nothing unbounded)",
        "too-large",
        {
            "10 MB": lambda: "A" * 10_000_000,
            "10 MB of dots": lambda: "." * 10_000_000,
            "17 KB of claims": said(padding="x" * 17_000),
            "5 KB of header": headed(kid="k" * 5_000),
            "2 KB of signature": lambda: mint(signature=b"\1" * 2_000),
            "sub of 100 KB": said(sub="x" * 100_000),
            "100,000 arrays deep in the header": lambda: mint(head=b"[" * 100_000),
        },
    ),
]

# -- JSON: one reading only -------------------------------------------------------------------------------------------

JSON_TEXT = [
    *rows(
        "RFC 8259 section 2",
        "json-invalid",
        {
            "claims not json": lambda: mint(b"{"),
            "claims empty of text": lambda: mint(b" "),
            "header not json": lambda: mint(head=b"alg: RS256"),
            "a nested jwt without cty": lambda: mint(mint().encode()),
            "claims with a tail": as_bytes(lambda raw: raw + b"{}"),
            "claims with a NUL behind": as_bytes(lambda raw: raw + b"\0"),
            "claims with a comma too many": as_bytes(lambda raw: raw[:-1] + b",}"),
            "claims with a comment": as_bytes(lambda raw: raw + b"// hello"),
            "claims in single quotes": as_bytes(lambda raw: raw.replace(b'"', b"'")),
            "claims with a raw line break in sub": replaced("dr.okafor", "dr.\nokafor"),
            "a number in hexadecimal": replaced(EXP, "0x6B49D458"),
            "a number with a zero in front": replaced(EXP, "01800000600"),
            "a number with a plus": replaced(EXP, "+1800000600"),
            "a number of 5,000 digits": replaced(EXP, "9" * 5_000),
            "a name without quotes": replaced('"sub"', "sub"),
            "a byte order mark (RFC 8259 section 8.1)": as_bytes(lambda raw: b"\xef\xbb\xbf" + raw),
            "a blank that is none": as_bytes(lambda raw: b"\xc2\xa0" + raw),
        },
    ),
    *rows(
        "RFC 7519 section 7.2 (an object)",
        "json-not-object",
        {
            "claims a list": lambda: mint(json.dumps([claims()]).encode()),
            "claims a number": lambda: mint(b"1"),
            "claims true": lambda: mint(b"true"),
            "claims a string of json": lambda: mint(json.dumps(json.dumps(claims())).encode()),
            "a nested jwt in quotes": lambda: mint(json.dumps(mint()).encode()),
            "header a string": lambda: mint(head=b'"RS256"'),
            "header null": lambda: mint(head=b"null"),
            "header a list": lambda: mint(head=json.dumps([header()]).encode()),
        },
    ),
    *rows(
        "RFC 7519 section 7.2 (UTF-8)",
        "not-utf8",
        {
            "claims not utf-8": lambda: mint(with_text("dr.okafor", "x").replace(b'"x"', b'"\xff"')),
            "a header not utf-8": lambda: mint(head=b'{"alg":"RS256","kid":"rs\xe4"}'),
            "claims in utf-16": lambda: mint(json.dumps(claims()).encode("utf-16")),
            "an overlong slash": lambda: mint(with_text("dr.okafor", "x").replace(b'"x"', b'"\xc0\xaf"')),
            "a surrogate in three octets": lambda: mint(with_text("dr.okafor", "x").replace(b'"x"', b'"\xed\xa0\x80"')),
        },
    ),
    *rows(
        "RFC 7515 section 4 and RFC 7519 section 4 (names are unique)",
        "json-duplicate-name",
        {
            "sub twice": replaced('"sub"', '"sub": "root", "sub"'),
            "sub twice, alike": replaced('"sub"', '"sub": "dr.okafor", "sub"'),
            "sub twice, once escaped": replaced('"sub"', '"\\u0073ub": "root", "sub"'),
            "exp twice": replaced('"exp"', '"exp": 1, "exp"'),
            "aud twice": replaced('"aud"', '"aud": "billing", "aud"'),
            "groups twice": replaced('"groups"', '"groups": [], "groups"'),
            "alg twice": lambda: mint(head=b'{"alg":"none","alg":"RS256","kid":"rsa"}'),
            "kid twice, once escaped": lambda: mint(head=b'{"alg":"RS256","kid":"rsa","k\\u0069d":"ES256"}'),
            "twice, further in": replaced('"jti"', '"act": {"a": 1, "a": 2}, "jti"'),
            "an empty name twice": replaced('"jti"', '"": 1, "": 2, "jti"'),
        },
    ),
    *rows(
        "RFC 8259 section 6 (no NaN, no infinity)",
        "json-number",
        {
            "exp NaN": replaced(EXP, "NaN"),
            "exp Infinity": replaced(EXP, "Infinity"),
            "exp -Infinity": replaced(EXP, "-Infinity"),
            "NaN in a claim that nobody reads": replaced('"jti"', '"note": NaN, "jti"'),
            "NaN in the header": lambda: mint(head=b'{"alg":"RS256","kid":"rsa","note":NaN}'),
        },
    ),
    *rows(
        "RFC 7493 section 2.1 (no half characters)",
        "json-surrogate",
        {
            "half a character in sub": replaced("dr.okafor", "\\ud800"),
            "the other half in sub": replaced("dr.okafor", "\\udc00"),
            "halves exchanged": replaced("dr.okafor", "\\ude00\\ud83d"),
            "half a character in a name": replaced('"jti"', '"\\udfff"'),
            "half a character in kid": lambda: mint(head=b'{"alg":"RS256","kid":"\\ud800"}'),
            "half a character in a claim that nobody reads": replaced('"jti"', '"note": ["\\uD83D"], "jti"'),
        },
    ),
    *rows(
        "RFC 8259 section 9 (depth; RecursionError in a parser)",
        "json-too-deep",
        {
            "17 arrays deep": nested(17),
            "5,000 arrays deep": nested(5_000),
            "2,000 arrays deep in the header": lambda: mint(head=b"[" * 2_000),
            "deep behind a quote": lambda: mint(b'{"a\\"":' * 500),
            "deep in objects": lambda: mint(b'{"a":' * 500 + b"1" + b"}" * 500),
        },
    ),
]

# -- header: a closed set ---------------------------------------------------------------------------------------------

THIEF = ("evil.example", private_key("rsa-other"))

HEADER = [
    *rows(
        "RFC 7515 section 4.1.11 (crit)",
        "header-forbidden",
        {
            "crit exp": headed(crit=["exp"], exp=1),
            "crit with an extension": headed(crit=["http://example.com/UNDEFINED"]),
            "crit empty": headed(crit=[]),
            "crit a string": headed(crit="b64"),
            "crit null": headed(crit=None),
        },
    ),
    *rows(
        "RFC 7797 section 7 (b64 is not for JWTs)",
        "header-forbidden",
        {
            "b64 false": headed(b64=False),
            "b64 false and critical": headed(b64=False, crit=["b64"]),
            "b64 true": headed(b64=True),
        },
    ),
    *rows("RFC 7516 section 4.1.3", "header-forbidden", {"zip": headed(zip="DEF"), "zip null": headed(zip=None)}),
    *rows(
        "RFC 7519 section 5.2",
        "header-forbidden",
        {"cty JWT (nested)": headed(cty="JWT"), "cty json": headed(cty="json")},
    ),
    *rows(
        "CVE-2018-0114 (the bearer brings its key)",
        "header-forbidden",
        {
            "its own jwk": lambda: mint(head=header(jwk=jwk_of("rsa-other"), kid=None), key=THIEF[1]),
            "its own jwk under our kid": lambda: mint(head=header(jwk=jwk_of("rsa-other", kid="rsa")), key=THIEF[1]),
            "its own jwk, a secret": lambda: mint(
                head=header("HS256", jwk={"kty": "oct", "k": "c2VjcmV0"}), alg="HS256", key=b"secret"
            ),
            "our jwk": headed(jwk=jwk_of("rsa")),
        },
    ),
    *rows(
        "RFC 8725 section 3.10 (addresses of keys)",
        "header-forbidden",
        {
            "jku": lambda: mint(head=header(jku=f"https://{THIEF[0]}/jwks"), key=THIEF[1]),
            "jku at the issuer's own host": headed(jku="https://idp.hospital.example@evil.example/jwks"),
            "jku into our own network": headed(jku="http://169.254.169.254/latest/meta-data"),
            "x5u": lambda: mint(head=header(x5u=f"https://{THIEF[0]}/x"), key=THIEF[1]),
            "x5c": lambda: mint(head=header(x5c=["MIIB"]), key=THIEF[1]),
            "x5c empty": headed(x5c=[]),
        },
    ),
    *rows(
        "RFC 7515 section 4.1.11 (members outside a closed set)",
        "header-unknown",
        {
            "an unknown member": headed(note="hello"),
            "alg in capitals beside alg": headed(ALG="none"),
            "nonce (a Graph bearer of Entra ID)": headed(nonce="AQABAAAA"),
            "p2c, the cost of a password": headed(p2c=2**31),
            "enc": headed(enc="A256GCM"),
            "epk": headed(epk={}),
            "iss copied into the header (RFC 7519 section 5.3)": headed(iss=forge.ISSUER),
            "ppt": headed(ppt="shaken"),
            "jwt, the issuer's own statement (OpenID Federation)": headed(trust_chain=["a.b.c"]),
        },
    ),
    *rows(
        "RFC 8725 section 3.11 (typ) and RFC 9068 section 2.1",
        "typ-not-allowed",
        {
            f"typ {typ!r}": headed(typ=typ)
            for typ in (
                "logout+jwt",
                "dpop+jwt",
                "secevent+jwt",
                "application/secevent+jwt",
                "token-introspection+jwt",
                "oauth-authz-req+jwt",
                "client-authentication+jwt",
                "entity-statement+jwt",
                "statuslist+jwt",
                "dc+sd-jwt",
                "kb+jwt",
                "vc+jwt",
                "id+jwt",
                "rt+jwt",
                "JWE",
                "JOSE",
                "JOSE+JSON",
                "jwt ",
                "at+jwt; charset=utf-8",
                "application/jwt",
                "ＪＷＴ",
                "",
                7,
                True,
                None,
                ["JWT"],
                {"typ": "JWT"},
            )
        },
    ),
]

# -- whose, and for whom ----------------------------------------------------------------------------------------------

WHOSE = [
    *rows(
        "RFC 7519 section 4.1.1",
        "issuer-missing",
        {
            "iss missing": said(iss=None),
            "iss null": literally(iss=None),
            "iss a list": said(iss=[forge.ISSUER]),
            "iss an object": said(iss={forge.ISSUER: True}),
            "iss a number": said(iss=7),
            "iss true": said(iss=True),
        },
    ),
    *rows(
        "OpenID Connect Core section 3.1.3.7 (byte for byte)",
        "issuer-unknown",
        {
            "iss unknown": said(iss="https://evil.example"),
            "iss empty": said(iss=""),
            "iss with a slash more": said(iss=forge.ISSUER + "/"),
            "iss in other case": said(iss=forge.ISSUER.upper()),
            "iss with its host in other case": said(iss=forge.ISSUER.replace("idp", "IDP")),
            "iss a part of ours": said(iss=forge.ISSUER[:-1]),
            "iss longer than ours": said(iss=forge.ISSUER + "-test"),
            "iss over http": said(iss=forge.ISSUER.replace("https", "http")),
            "iss with its port": said(iss=forge.ISSUER.replace(".example", ".example:443")),
            "iss with a blank behind": said(iss=forge.ISSUER + " "),
            "iss with a letter of another script": said(iss=forge.ISSUER.replace("o", "\u043e", 1)),
            "iss with a letter in two parts": said(iss=forge.ISSUER + "e\u0301"),
            "iss with a NUL": said(iss=forge.ISSUER + "\0"),
            "iss with an escaped path": said(iss=forge.ISSUER.replace("realms", "%72ealms")),
            "iss with our host as its user": said(iss="https://idp.hospital.example@evil.example"),
            "a client's own assertion (RFC 7523)": said(iss="phigate-client", sub="phigate-client"),
            "a request object (RFC 9101)": plainly(iss="phigate-client", client_id="phigate-client"),
        },
    ),
    *rows("RFC 7519 section 4.1.3", "aud-missing", {"aud missing": said(aud=None)}),
    *rows(
        "RFC 7519 section 4.1.3",
        "aud-mismatch",
        {
            "aud another's": said(aud="billing"),
            "aud a longer name": said(aud="phigate-admin"),
            "aud a part of ours": said(aud="phi"),
            "aud in other case": said(aud="Phigate"),
            "aud with a slash behind": said(aud="phigate/"),
            "aud with a blank behind": said(aud="phigate "),
            "aud words of which one is ours": said(aud="billing phigate"),
            "aud empty": said(aud=""),
            "aud any": said(aud="*"),
            "aud a list of others": said(aud=["account", "billing"]),
            "aud a list of letters": said(aud=list("phigate")),
            "aud another issuer's of this policy": said(aud="research-gateway"),
            "aud a letter of another script": said(aud="ph\u0456gate"),
            "a userinfo answer (OpenID Connect Core section 5.3.2)": plainly(aud="some-client", name="Okafor"),
        },
    ),
    *rows(
        "RFC 7519 section 4.1.3",
        "aud-invalid",
        {
            "aud an empty list (CVE-2020-26160)": said(aud=[]),
            "aud null": literally(aud=None),
            "aud a number": said(aud=7),
            "aud true": said(aud=True),
            "aud an object": said(aud={"phigate": 1}),
            "aud a mixed list": said(aud=["phigate", 7]),
            "aud a list in a list": said(aud=[["phigate"]]),
            "aud a list with null": said(aud=["phigate", None]),
            "aud 101 names": said(aud=["phigate"] * 101),
        },
    ),
    *rows(
        "RFC 9068 section 4 (audience in another claim)",
        "aud-mismatch",
        {
            "a client_id of another's": said(aud=None, client_id="billing"),
            "our client_id, another's aud": said(aud="billing", client_id="phigate"),
        },
        rule=Rule(audience_from="client_id"),
    ),
    *rows(
        "RFC 9068 section 4 (audience in another claim)",
        "aud-invalid",
        {"a client_id that is a list": said(aud=None, client_id=["phigate"])},
        rule=Rule(audience_from="client_id"),
    ),
    *rows(
        "RFC 9068 section 4 (audience in another claim)",
        "aud-missing",
        {"aud, but no client_id": said(), "azp in place of client_id": said(aud=None, azp="phigate")},
        rule=Rule(audience_from="client_id"),
    ),
    *rows(
        "RFC 8725 section 3.8 (a foreign tenant behind a common issuer)",
        "claim-mismatch",
        {
            "another tid": said(tid="t-2"),
            "no tid": said(),
            "tid in other case": said(tid="T-1"),
            "tid an object": said(tid={"t-1": 1}),
            "tid true": said(tid=True),
            "tid in a list of other things": said(tid=["t-1", 1]),
        },
        rule=Rule(required_claims={"tid": ("t-1",)}),
    ),
    *rows(
        "RFC 8725 section 3.10 (do not trust received claims)",
        "context-invalid",
        {
            "a commit in a list": said(sha=["9f"]),
            "a commit that is no text": said(sha={"9f": 1}),
            "a commit with a line's end": said(sha="9f\nrun 7"),
            "a commit of a kilobyte": said(sha="9" * 1024),
        },
        rule=Rule(context_from={"commit": "sha"}),
    ),
]

# -- when -------------------------------------------------------------------------------------------------------------

NO_DATES: dict[str, Any] = {
    "a string": str(int(NOW) + 600),
    "an iso date": "2027-01-15T08:10:00Z",
    "true": True,
    "false": False,
    "null": None,
    "a list": [NOW + 600],
    "an object": {"t": NOW + 600},
    "negative": -1,
    "of 400 digits": 10**400,
    "past what JSON counts exactly": 2**53 + 2,
    "in milliseconds of the year 300,000": 10**16,
}
MINUTE = Rule(leeway=timedelta(minutes=1))

WHEN = [
    *rows(
        "RFC 7519 section 4.1.4",
        "exp-missing",
        {
            "exp missing": said(exp=None),
            "an introspection answer's shape, no exp": plainly(exp=None, aud="phigate", active=True),
        },
    ),
    *rows(
        "RFC 7519 section 4.1.4",
        "expired",
        {
            "exp now": said(exp=NOW),
            "exp a second ago": said(exp=NOW - 1),
            "exp zero": said(exp=0),
            "exp minus zero": replaced(EXP, "-0"),
            "exp a fraction ago": said(exp=NOW - 0.001),
        },
    ),
    *rows("RFC 7519 section 4.1.4", "expired", {"exp a leeway ago": said(iat=NOW - 900, exp=NOW - 60)}, rule=MINUTE),
    *rows(
        "RFC 7519 section 2 (NumericDate)",
        "exp-invalid",
        {f"exp {how}": literally(exp=value) for how, value in NO_DATES.items()},
    ),
    *rows("RFC 7519 section 2 (NumericDate)", "exp-invalid", {"exp a float without end": replaced(EXP, "1e999")}),
    *rows("RFC 7519 section 4.1.6", "exp-invalid", {"exp before iat": said(iat=NOW + 10, exp=NOW - 10)}, rule=MINUTE),
    *rows(
        "RFC 8725 section 3.10 (bearers that never end)",
        "lifetime-too-long",
        {
            "exp in ten years": said(exp=NOW + 10 * 365 * 86400),
            "exp in milliseconds": said(exp=(NOW + 600) * 1000),
            "exp in two days": said(exp=NOW + 2 * 86400),
            "exp in a day and a second": said(exp=NOW + 86_401),
            "ten years old, in its last hour": said(iat=NOW - 10 * 365 * 86400),
            "iat zero": said(iat=0),
        },
    ),
    *rows(
        "RFC 7519 section 4.1.5",
        "not-yet-valid",
        {
            "nbf to come": said(nbf=NOW + 1),
            "nbf in a year": said(nbf=NOW + 31_536_000),
            "nbf in milliseconds": said(nbf=NOW * 1000),
        },
    ),
    *rows(
        "RFC 7519 section 2 (NumericDate)",
        "nbf-invalid",
        {f"nbf {how}": literally(nbf=value) for how, value in NO_DATES.items()},
    ),
    *rows(
        "RFC 9068 section 2.2",
        "iat-missing",
        {"iat missing": said(iat=None), "an answer of JARM": plainly(iat=None, sub=None, code="c", state="s")},
    ),
    *rows(
        "RFC 7519 section 2 (NumericDate)",
        "iat-invalid",
        {f"iat {how}": literally(iat=value) for how, value in NO_DATES.items()},
    ),
    *rows(
        "RFC 7519 section 4.1.6",
        "iat-future",
        {"iat to come": said(iat=NOW + 3600), "iat in milliseconds": said(iat=NOW * 1000)},
    ),
    *rows("RFC 7519 section 4.1.6", "iat-future", {"iat past the leeway": said(iat=NOW + 61)}, rule=MINUTE),
    *rows(
        "RFC 9068 section 4 (the policy's max_age)",
        "too-old",
        {"issued an hour ago": said(iat=NOW - 3600)},
        rule=Rule(max_age=timedelta(hours=1)),
    ),
]

# -- who --------------------------------------------------------------------------------------------------------------

NO_NAMES: dict[str, Any] = {
    "empty": "",
    "a blank": " ",
    "a number": 7,
    "zero": 0,
    "true": True,
    "null": None,
    "a list": ["dr.okafor"],
    "an object": {"id": "dr.okafor"},
    "with a NUL": "dr.okafor\0",
    "with a line break": "dr.okafor\nroot",
    "with a carriage return": "dr.okafor\rroot",
    "with an escape": "dr.okafor\x1b[2K",
    "with a blank in front": " dr.okafor",
    "with a blank behind": "dr.okafor ",
    "with a blank that does not break": "dr.okafor\u00a0",
    "turned around (U+202E)": "dr\u202eokafor",
    "in an isolate (U+2066)": "dr\u2066okafor",
    "with a zero-width space": "dr.okafor\u200b",
    "with a zero-width joiner": "dr.okafor\u200d",
    "with a byte order mark": "dr.okafor\ufeff",
    "with a soft hyphen": "dr.\u00adokafor",
    "with a line separator": "dr.okafor\u2028root",
    "with a filler (U+3164)": "dr.okafor\u3164",
    "with a variation selector": "dr.okafor\ufe0f",
    "with a tag (U+E0061)": "dr.okafor\U000e0061",
    "of a private character": "dr.okafor\ue000",
    "of no character": "dr.okafor\uffff",
    "of 256 letters": "x" * 256,
}

WHO = [
    *rows("RFC 9068 section 2.2", "sub-missing", {"sub missing": said(sub=None)}),
    *rows(
        "RFC 7519 section 4.1.2 and Unicode TR 36",
        "sub-invalid",
        {f"sub {how}": literally(sub=value) for how, value in NO_NAMES.items()},
    ),
    *rows(
        "RFC 7519 section 4.1.7",
        "jti-invalid",
        {
            f"jti {how}": literally(jti=NO_NAMES[how])
            for how in (
                "empty",
                "a number",
                "null",
                "a list",
                "an object",
                "with a NUL",
                "of 256 letters",
                "turned around (U+202E)",
            )
        },
    ),
    *rows(
        "RFC 9068 section 2.2.3.1 (groups, roles, entitlements)",
        "groups-invalid",
        {
            "groups a string": said(groups="ward-staff"),
            "groups words": said(groups="ward-staff admins"),
            "groups an object": said(groups={"ward-staff": True}),
            "groups true": said(groups=True),
            "groups a number": said(groups=7),
            "groups nested": said(groups=[["ward-staff"]]),
            "groups objects (SCIM)": said(groups=[{"value": "ward-staff"}]),
            "a group a number": said(groups=["ward-staff", 7]),
            "a group null": said(groups=["ward-staff", None]),
            "a group empty": said(groups=["ward-staff", ""]),
            "a group with a blank behind": said(groups=["ward-staff "]),
            "a group with a NUL": said(groups=["ward-staff\0"]),
            "a group with a line break": said(groups=["ward-staff\nadmins"]),
            "a group turned around": said(groups=["\u202eward-staff"]),
            "a group with a zero-width space": said(groups=["ward\u200b-staff"]),
            "a group with a filler": said(groups=["ward-staff\u3164"]),
            "a group of 256 letters": said(groups=["x" * 256]),
        },
    ),
    *rows(
        "RFC 9068 section 2.2.3.1",
        "groups-invalid",
        {"a list where words are meant": said(groups=["a"])},
        rule=Rule(groups_as="words"),
    ),
    *rows(
        "RFC 9068 section 2.2.3.1",
        "groups-invalid",
        {"a number where a text is meant": said(groups=7)},
        rule=Rule(groups_as="text"),
    ),
    *rows("RFC 8725 section 3.10 (nothing unbounded)", "groups-too-many", {"1,001 groups": said(groups=["g"] * 1001)}),
    *rows(
        "RFC 8725 section 3.10 (nothing unbounded)",
        "groups-too-many",
        {"1,002 groups in two claims": said(groups=[f"{n}" for n in range(501)], roles=[f"r{n}" for n in range(501)])},
        rule=Rule(groups_from=("groups", "roles")),
    ),
    *rows(
        "OpenID Connect Core section 5.6.2 (claims left out) and Entra ID's groups overage",
        "groups-overage",
        {
            "groups left out for their number": said(groups=None, _claim_names={"groups": "src1"}),
            "groups left out, and yet some there": said(_claim_names={"groups": "src1"}),
            "hasgroups": said(groups=None, hasgroups=True),
            "hasgroups as a text": said(groups=None, hasgroups="true"),
            "_claim_names a list": said(groups=None, _claim_names=["groups"]),
            "_claim_names null": lambda: mint(claims(groups=None) | {"_claim_names": None}),
        },
    ),
]

# -- something else than an access token ------------------------------------------------------------------------------

ELSE = [
    *rows(
        "OpenID Connect Core section 2 and 3.1.3.6 (an ID token)",
        "id-token",
        {
            "at_hash": plainly(at_hash="x"),
            "c_hash": plainly(c_hash="x"),
            "s_hash": plainly(s_hash="x"),
            "at_hash under at+jwt": said(at_hash="x"),
            "at_hash null": lambda: mint(claims() | {"at_hash": None}),
            "nonce without scope": plainly(nonce="x"),
            "nonce null": lambda: mint(claims() | {"nonce": None}, header(typ="JWT")),
            "nonce, and no typ": lambda: mint(claims(nonce="x"), header(typ=None)),
            "token_use id (Cognito)": plainly(token_use="id"),
            "typ ID (Keycloak)": plainly(typ="ID"),
            "token_use id_token": plainly(token_use="id_token"),
        },
    ),
    *rows(
        "RFC 8725 section 3.12 (rules that exclude each other)",
        "not-for-access",
        {
            "typ Refresh (Keycloak)": plainly(typ="Refresh"),
            "typ Offline (Keycloak)": plainly(typ="Offline"),
            "typ Serialized-ID (Keycloak)": plainly(typ="Serialized-ID"),
            "typ RegistrationAccessToken (Keycloak)": plainly(typ="RegistrationAccessToken"),
            "typ Logout (Keycloak)": plainly(typ="Logout"),
            "typ null": lambda: mint(claims() | {"typ": None}),
            "typ a list": said(typ=["Bearer"]),
            "token_use refresh": plainly(token_use="refresh"),
            "token_use true": plainly(token_use=True),
            "token_type refresh": plainly(token_type="refresh"),
            "token_type null": lambda: mint(claims() | {"token_type": None}),
        },
    ),
    *rows(
        "RFC 9449 section 4.2 (a DPoP proof)",
        "not-for-access",
        {
            "htm and htu": plainly(htm="POST", htu="https://gateway.example/"),
            "htm alone": plainly(htm="POST"),
            "htu null": lambda: mint(claims() | {"htu": None}),
        },
    ),
    *rows(
        "RFC 9701 section 5 (an introspection answer)",
        "not-for-access",
        {"token_introspection, its typ taken off": plainly(token_introspection={"active": True, "sub": "dr.okafor"})},
    ),
    *rows(
        "RFC 8417 section 2.2 and OpenID Connect Back-Channel Logout section 2.4",
        "security-event",
        {
            "a logout token": plainly(events={"http://schemas.openid.net/event/backchannel-logout": {}}, sid="s"),
            "a security event": plainly(
                events={"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}}
            ),
            "events empty": said(events={}),
            "events null": lambda: mint(claims() | {"events": None}),
        },
    ),
    *rows(
        "RFC 7800 section 3.1 (a binding that we cannot ask a proof of)",
        "cnf-invalid",
        {
            "cnf null": lambda: mint(claims() | {"cnf": None}),
            "cnf empty": said(cnf={}),
            "cnf a text": said(cnf="A" * 43),
            "cnf a list": said(cnf=[{"jkt": "A" * 43}]),
            "cnf a whole key": said(cnf={"jwk": jwk_of("ES256")}),
            "cnf a key's name": said(cnf={"kid": "k"}),
            "cnf an address": said(cnf={"jku": "https://evil.example/jwks"}),
            "cnf an encrypted key": said(cnf={"jwe": "a.b.c.d.e"}),
            "cnf a certificate's sha-1": said(cnf={"x5t": "A" * 27}),
            "cnf a thumbprint and more": said(cnf={"jkt": "A" * 43, "kid": "k"}),
            "cnf a thumbprint and a name as long": said(cnf={"jkt": "A" * 43, "kid": "A" * 43}),
            "cnf jkt short": said(cnf={"jkt": "A" * 42}),
            "cnf jkt padded": said(cnf={"jkt": "A" * 43 + "="}),
            "cnf jkt with other spare bits": said(cnf={"jkt": "A" * 42 + "B"}),
            "cnf jkt in hexadecimal": said(cnf={"jkt": "a" * 64}),
            "cnf jkt in letters of plain base64": said(cnf={"jkt": "+" + "A" * 42}),
            "cnf jkt a number": said(cnf={"jkt": 7}),
            "cnf jkt null": said(cnf={"jkt": None}),
            "cnf jkt empty": said(cnf={"jkt": ""}),
            "cnf x5t#S256 with colons": said(cnf={"x5t#S256": ":".join(["AB"] * 32)}),
            "cnf one good, one wrong": said(cnf={"jkt": "A" * 43, "x5t#S256": "A"}),
            "typ DPoP and no cnf (Keycloak)": said(typ="DPoP"),
            "typ DPoP bound to a certificate": said(typ="DPoP", cnf={"x5t#S256": "A" * 43}),
        },
    ),
]

HOSTILE = [*ALGORITHM, *KEY, *SIGNATURE, *ENCODING, *JSON_TEXT, *HEADER, *WHOSE, *WHEN, *WHO, *ELSE]


def judged(row: Row) -> Believed | Refused:
    """What becomes of a bearer in the end: who asks for keys gets the same ones, and the key then does not exist."""
    outcome = settle(row.forged(), row.rule, row.keys())
    return Refused("kid-unknown") if isinstance(outcome, KeysNeeded) else outcome


@pytest.mark.parametrize("row", [pytest.param(row, id=row.sentence) for row in HOSTILE])
def test_a_hostile_bearer_is_refused_for_its_reason(row: Row) -> None:
    assert judged(row) == Refused(row.reason)


def test_the_table_is_long_and_each_row_is_another() -> None:
    assert len(HOSTILE) >= 150
    assert [name for name, times in Counter(row.sentence for row in HOSTILE).items() if times > 1] == []
    assert [row.sentence for row in HOSTILE if not re.search(r"RFC \d|CVE-\d|OpenID|NIST", row.source)] == []


def test_an_issuer_that_stands_twice_in_the_policy_is_believed_by_neither_entry() -> None:
    twice = (RULE, replace(RULE, audience=("research",)))
    assert check(mint(), twice, {RULE.issuer: published()}, NOW) == Refused("issuer-ambiguous")


NOT_BY_A_BEARER: dict[str, str] = {
    "issuer-ambiguous": "a fault of the policy, see the test above",
    "check-broke": "a fault of our own: no row may ever get it",
    "inactive": "said of an answer about a bearer, see tests/identity/test_claims.py",
}


def given_by_the_check() -> set[str]:
    """The reasons named in the code that a bearer goes through."""
    code = (strict, jwks, table_of_claims, bearers.check, bearers._check, bearers._header_fault)
    named = set(re.findall(r'"([a-z0-9-]+)"', "\n".join(inspect.getsource(part) for part in code)))
    return named & set(REASONS)


def test_every_reason_that_a_bearer_can_get_is_covered() -> None:
    covered = {row.reason for row in HOSTILE}
    assert len(given_by_the_check()) > 40
    assert given_by_the_check() - covered == set(NOT_BY_A_BEARER)
    assert covered & set(NOT_BY_A_BEARER) == set()


# -- honest bearers ---------------------------------------------------------------------------------------------------

JKT = {"jkt": "A" * 43}

HONEST: list[tuple[str, Rule, Forged]] = [
    *((f"signed with {alg}", RULE, lambda alg=alg: mint(alg=alg)) for alg in forge.ALL),
    ("typ JWT", RULE, lambda: mint(head=header(typ="JWT"))),
    ("typ jwt in lower case", RULE, lambda: mint(head=header(typ="jwt"))),
    ("typ with application/", RULE, lambda: mint(head=header(typ="application/at+jwt"))),
    ("typ in capitals", RULE, lambda: mint(head=header(typ="AT+JWT"))),
    ("no typ (Okta, Cognito, Kubernetes)", RULE, lambda: mint(head=header(typ=None))),
    ("a thumbprint beside the kid (Entra ID)", RULE, lambda: mint(head=header(x5t="abc"))),
    ("blanks in the header's json", RULE, lambda: mint(head=b' { "kid" : "rsa", "alg" : "RS256" } ')),
    ("several audiences", RULE, said(aud=["account", "phigate"])),
    ("100 audiences", RULE, said(aud=[f"a-{n}" for n in range(99)] + ["phigate"])),
    ("one of our two audiences", Rule(audience=("phigate", "phigate-batch")), said(aud="phigate-batch")),
    ("no jti", RULE, said(jti=None)),
    ("dates with fractions", RULE, said(exp=NOW + 60.5, iat=NOW - 0.5, nbf=NOW - 1.5)),
    ("dates with an exponent", RULE, lambda: mint(with_text(EXP, "1.8000006e9"))),
    ("whole dates", RULE, said(exp=int(NOW) + 60, iat=int(NOW))),
    ("valid for a whole day", RULE, said(iat=NOW, exp=NOW + 86_400)),
    ("just expired, within the leeway", MINUTE, said(iat=NOW - 900, exp=NOW - 59)),
    ("a clock ahead, within the leeway", MINUTE, said(iat=NOW + 59)),
    ("young enough", Rule(max_age=timedelta(hours=1)), said(iat=NOW - 3599)),
    ("nonce and scope (older Keycloak)", RULE, plainly(nonce="x", scope="openid")),
    ("says itself it is for access", RULE, said(typ="Bearer", token_use="access")),
    ("a name in another script", RULE, said(sub="Søren Ærø")),
    ("a name of 255 letters", RULE, said(sub="x" * 255)),
    ("1,000 groups", RULE, said(groups=["g"] * 1000)),
    ("escaped letters", RULE, replaced("dr.okafor", "dr.\\u006fkafor")),
    ("a whole character in two escapes", RULE, replaced('"jti"', '"note": "\\ud83d\\ude00", "jti"')),
    ("brackets in strings", RULE, replaced('"jti"', f'"note": "{"[{" * 50}", "jti"')),
    ("claims that nobody reads", RULE, said(acr="1", amr=["mfa"], sid="s", address={"country": "DE"})),
    ("delegated (RFC 8693)", RULE, said(act={"sub": "ward-app"}, may_act={"sub": "ward-app"})),
    ("bound to a key", RULE, said(cnf=JKT)),
    ("bound to a certificate", RULE, said(cnf={"x5t#S256": "A" * 43})),
    ("bound to both", RULE, said(cnf=JKT | {"x5t#S256": "A" * 43})),
    ("typ DPoP and bound (Keycloak)", RULE, said(typ="DPoP", cnf=JKT)),
    ("a client_id for aud (Cognito)", Rule(audience_from="client_id"), said(aud=None, client_id="phigate")),
    ("the tenant that is required", Rule(required_claims={"tid": ("t-1",)}), said(tid="t-1")),
    ("groups in words", Rule(groups_as="words"), said(groups="ward-staff")),
    ("a single group as a text", Rule(groups_as="text"), said(groups="ward-staff")),
    ("groups of two claims", Rule(groups_from=("roles", "groups")), said(roles=["ward-staff"], groups=["ward-staff"])),
    # The other half of each pair, too, is by the issuer's key: a bearer's text is no identity, its `jti` is.
    *((f"{alg} with n - s for s", RULE, twin(alg)) for alg in ORDER),
]


@pytest.mark.parametrize(("rule", "minted"), [pytest.param(*row, id=name) for name, *row in HONEST])
def test_an_honest_bearer_is_believed(rule: Rule, minted: Forged) -> None:
    believed = settle(minted(), rule)
    assert isinstance(believed, Believed), believed
    assert believed.issuer == forge.ISSUER
    assert believed.groups in {("ward-staff",), ("g",)}
    assert believed.bound == believed.claims.get("cnf", {})


def test_there_are_enough_honest_bearers() -> None:
    assert len(HONEST) >= 20
    assert len({name for name, *_ in HONEST}) == len(HONEST)


def test_the_forgeries_would_pass_where_nobody_looks() -> None:
    public = private_key("rsa-e3").public_key()
    root = int.from_bytes(bleichenbacher(b"message"))
    assert pow(root, public.public_numbers().e, public.public_numbers().n) == root**3
    weak = parse_jwks(json.dumps({"keys": [jwk_of("rsa-e3"), IDENTITY_POINT, jwk_of("rsa", e=number(1))]}).encode())
    assert weak.keys == ()
    assert weak.dropped == {"weak": 2, "material-invalid": 1}
