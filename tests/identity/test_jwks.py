from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phigate.identity.jwks import MAX_KEYS, JwksFault, KeySet, parse_jwks
from phigate.identity.outcome import Refused
from phigate.identity.strict import from_base64url, to_base64url
from tests.identity.forge import jwk_of, number, private_jwk, private_key


def read(*entries: Any) -> KeySet:
    keys = parse_jwks(json.dumps({"keys": entries}).encode())
    assert isinstance(keys, KeySet)
    return keys


def kids(keys: KeySet) -> list[str | None]:
    return [key.kid for key in keys.keys]


def rsa_modulus(n: int) -> dict[str, Any]:
    return {"kty": "RSA", "kid": "odd", "n": number(n), "e": "AQAB"}


def roca_modulus() -> int:
    """A number with the fingerprint of CVE-2017-15361: a power of 65537 modulo the product of the small primes."""
    product = math.prod(p for p in range(2, 702) if all(p % q for q in range(2, p)))
    shift = 2 ** (2047 - product.bit_length()) + 1
    return int(product * shift * 2 + pow(65537, 12345, product))


def lengthened(name: str) -> dict[str, Any]:
    """The same point with a zero in front of its x: another spelling of the same key."""
    raw = from_base64url(jwk_of(name)["x"]) or b""
    return jwk_of(name, x=to_base64url(b"\0" + raw))


OFF_CURVE = jwk_of("ES256", y=to_base64url(b"\1" * 32))

SMALL_ORDER = {
    "1": bytes([1] + [0] * 31),
    "2": bytes([0xEC] + [255] * 30 + [127]),
    "4": bytes(32),
    "4, the other": bytes([0] * 31 + [128]),
    **{
        f"8, point {at}": bytes.fromhex(point)
        for at, point in enumerate(
            (
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
                "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            )
        )
    },
}

DROPPED: list[tuple[str, str, Any]] = [
    ("a private rsa key", "private", private_jwk("rsa")),
    ("a private ec key", "private", private_jwk("ES256")),
    ("a symmetric key", "private", {"kty": "oct", "kid": "s", "k": "c2VjcmV0"}),
    ("a symmetric key without its secret", "unsupported", {"kty": "oct", "kid": "s"}),
    ("a key for encryption", "for-other-use", jwk_of("rsa", use="enc")),
    ("use in capitals", "for-other-use", jwk_of("rsa", use="SIG")),
    ("use a list", "for-other-use", jwk_of("rsa", use=["sig"])),
    ("key_ops without verify", "for-other-use", jwk_of("rsa", key_ops=["encrypt"])),
    ("key_ops a string", "for-other-use", jwk_of("rsa", key_ops="verify")),
    ("an algorithm for encryption", "unsupported", jwk_of("rsa", alg="RSA-OAEP")),
    ("an algorithm of another kind", "unsupported", jwk_of("rsa", alg="ES256")),
    ("hmac on an rsa key", "unsupported", jwk_of("rsa", alg="HS256")),
    ("another curve's algorithm", "unsupported", jwk_of("ES256", alg="ES384")),
    ("another curve's name", "unsupported", jwk_of("ES256", crv="secp256k1")),
    ("a wrong curve's name", "material-invalid", jwk_of("ES256", crv="P-384")),
    ("rsa with a curve", "unsupported", jwk_of("rsa", crv="P-256")),
    ("kty missing", "unsupported", jwk_of("rsa", kty=None)),
    ("kty a list", "unsupported", jwk_of("rsa", kty=["RSA"])),
    ("kid a number", "kid-invalid", jwk_of("rsa", kid=1)),
    ("kid empty", "kid-invalid", jwk_of("rsa", kid="")),
    ("kid of 300 letters", "kid-invalid", jwk_of("rsa", kid="k" * 300)),
    ("rsa of 1024 bits", "weak", jwk_of("rsa-1024")),
    ("rsa with exponent 3", "weak", jwk_of("rsa-e3")),
    ("rsa with exponent 1", "material-invalid", jwk_of("rsa", e="AQ")),
    ("rsa with an even exponent", "material-invalid", jwk_of("rsa", e=number(65538))),
    ("rsa with a huge exponent", "material-invalid", jwk_of("rsa", e=number(2**64 + 1))),
    ("rsa of a million bits", "material-invalid", rsa_modulus(2**300_000 + 1)),
    ("rsa with a fingerprint (CVE-2017-15361)", "weak", rsa_modulus(roca_modulus())),
    ("rsa with an even modulus", "weak", rsa_modulus(2**2048 - 2)),
    ("rsa without a modulus", "material-invalid", jwk_of("rsa", n=None)),
    ("rsa without an exponent", "material-invalid", jwk_of("rsa", e=None)),
    ("a point without its y", "material-invalid", jwk_of("ES256", y=None)),
    ("ed25519 without its x", "material-invalid", jwk_of("EdDSA", x=None)),
    ("rsa with a padded modulus", "material-invalid", jwk_of("rsa") | {"n": jwk_of("rsa")["n"] + "=="}),
    ("rsa with a number for a modulus", "material-invalid", jwk_of("rsa") | {"n": 7}),
    ("a point off the curve", "material-invalid", OFF_CURVE),
    ("a point cut short", "material-invalid", jwk_of("ES256", x="AAAA")),
    ("a point with a zero in front", "material-invalid", lengthened("ES256")),
    ("the point at zero", "material-invalid", jwk_of("ES256", x=to_base64url(bytes(32)), y=to_base64url(bytes(32)))),
    ("ed25519 cut short", "material-invalid", jwk_of("EdDSA", x="AAAA")),
    ("x25519", "unsupported", jwk_of("EdDSA", crv="X25519")),
    *(
        (f"ed25519 of small order ({which})", "weak", jwk_of("EdDSA", x=to_base64url(raw)))
        for which, raw in SMALL_ORDER.items()
    ),
    (
        "ed25519 with a y past the prime",
        "material-invalid",
        jwk_of("EdDSA", x=to_base64url(bytes([0xEE] + [255] * 30 + [127]))),
    ),
    ("a string", "not-an-object", "rsa"),
    ("null", "not-an-object", None),
]


@pytest.mark.parametrize(("why", "entry"), [pytest.param(why, entry, id=name) for name, why, entry in DROPPED])
def test_a_key_that_must_not_be_used_is_dropped_and_the_others_stay(why: str, entry: Any) -> None:
    keys = read(entry, jwk_of("ES384", kid="good"))
    assert kids(keys) == ["good"]
    assert keys.dropped == {why: 1}


@pytest.mark.parametrize("name", ["rsa", "ES256", "ES384", "ES512", "EdDSA"])
def test_an_honest_key_is_kept(name: str) -> None:
    bare = jwk_of(name, use=None, x5c=["AAAA"], x5t="abc", key_ops=["verify"])
    assert kids(read(bare)) == [name]


PRIME = 2**255 - 19
D = -121665 * pow(121666, -1, PRIME) % PRIME


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The sum of two points of edwards25519 (RFC 8032 section 5.1)."""
    (x1, y1), (x2, y2) = one, other
    both = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + both, -1, PRIME)
    return x % PRIME, (y1 * y2 + x1 * x2) * pow(1 - both, -1, PRIME) % PRIME


def point_of(raw: bytes) -> tuple[int, int]:
    y, sign = int.from_bytes(raw, "little") & (2**255 - 1), raw[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    root = pow(square, (PRIME + 3) // 8, PRIME)
    x = root if root * root % PRIME == square else root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    assert x * x % PRIME == square
    return (x if x % 2 == sign else -x % PRIME), y


@pytest.mark.parametrize("raw", SMALL_ORDER.values(), ids=SMALL_ORDER)
def test_the_points_of_small_order_are_that(raw: bytes) -> None:
    point = point_of(raw)
    for _ in range(3):
        point = added(point, point)
    assert point == (0, 1)


def test_two_keys_of_one_name_are_both_dropped() -> None:
    keys = read(jwk_of("rsa", kid="a"), jwk_of("rsa-other", kid="a"), jwk_of("ES256"))
    assert kids(keys) == ["ES256"]
    assert keys.dropped == {"ambiguous": 2}


def test_the_same_key_twice_is_ambiguous_too() -> None:
    assert kids(read(jwk_of("rsa"), jwk_of("rsa"))) == []


def test_a_key_of_the_name_of_a_dropped_one_is_dropped_with_it() -> None:
    assert kids(read(jwk_of("rsa", kid="a"), jwk_of("rsa-1024", kid="a"))) == []


def test_a_key_for_encryption_may_share_a_name() -> None:
    assert kids(read(jwk_of("rsa", kid="a"), jwk_of("rsa-other", kid="a", use="enc"))) == ["a"]


@pytest.mark.parametrize("name", ["rsa", "ES256"])
def test_a_key_whose_private_half_is_published_is_dead_under_every_name(name: str) -> None:
    keys = read(jwk_of(name, kid="public"), private_jwk(name, kid="oops"), jwk_of("EdDSA"))
    assert kids(keys) == ["EdDSA"]


def test_keys_without_names_are_kept_side_by_side() -> None:
    assert kids(read(jwk_of("rsa", kid=None), jwk_of("ES256", kid=None))) == [None, None]


DOCUMENTS: list[tuple[str, bytes, str]] = [
    ("not json", b"<html>", "jwks-not-json"),
    ("empty", b"", "jwks-not-json"),
    ("a list", b"[]", "jwks-not-json"),
    ("keys twice", b'{"keys": [], "keys": []}', "jwks-not-json"),
    ("deep", b'{"keys": ' + b"[" * 10_000, "jwks-not-json"),
    ("no keys", b"{}", "jwks-shape"),
    ("keys an object", b'{"keys": {}}', "jwks-shape"),
    ("a single key", json.dumps(jwk_of("ES256")).encode(), "jwks-shape"),
    ("65 keys", json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode(), "jwks-too-many-keys"),
]


@pytest.mark.parametrize(("raw", "why"), [pytest.param(raw, why, id=name) for name, raw, why in DOCUMENTS])
def test_what_is_no_key_set_is_a_fault(raw: bytes, why: str) -> None:
    fault = parse_jwks(raw)
    assert isinstance(fault, JwksFault)
    assert fault.reason == why


def test_an_empty_set_is_a_set_with_no_keys() -> None:
    assert read().keys == ()


def test_a_set_knows_which_bearers_it_can_settle() -> None:
    keys = read(jwk_of("rsa"), jwk_of("ES256"))
    assert (keys.knows("rsa"), keys.knows("new"), keys.knows(None)) == (True, False, True)
    assert keys.pick("RS256", None) == Refused("kid-missing")
    assert keys.pick("RS256", "new") == Refused("kid-unknown")
    assert keys.pick("RS256", "ES256") == Refused("key-mismatch")


def test_keys_are_equal_when_name_and_material_are() -> None:
    assert read(jwk_of("rsa")).keys == read(jwk_of("rsa", x5t="abc")).keys
    assert read(jwk_of("rsa")).keys != read(jwk_of("rsa-other", kid="rsa")).keys


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
MEMBERS = st.sampled_from(["kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "d", "k"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["rsa", "ES256", "EdDSA"]), st.dictionaries(MEMBERS, JSON, max_size=3)), max_size=4
    )
)
def test_no_key_set_surprises_the_reader(changes: list[tuple[str, dict[str, Any]]]) -> None:
    entries = [jwk_of(name) | members for name, members in changes]
    assert len(read(*entries).keys) <= len(entries)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"keys": value}).encode()))
def test_no_document_surprises_the_reader(raw: bytes) -> None:
    assert isinstance(parse_jwks(raw), KeySet | JwksFault)


def test_an_honest_modulus_has_no_fingerprint() -> None:
    assert kids(read(rsa_modulus(private_key("rsa").public_key().public_numbers().n))) == ["odd"]
