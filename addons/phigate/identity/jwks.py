"""A published key set (RFC 7517), read strictly: only keys that can check a signature, and only under one name.

A key that is weak, ambiguous or known to be out is dropped, not the set: a set that failed as a whole would keep the
one before it alive, and with it the key that just went out. What was dropped is counted by reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from phigate.identity.algorithms import ALGORITHMS
from phigate.identity.outcome import Refused
from phigate.identity.strict import from_base64url, read_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.identity.algorithms import Check, PublicMaterial

MAX_KEYS: Final = 64
MAX_KID: Final = 255
RSA_BITS: Final = (2048, 8192)
"""NIST SP 800-131A at one end, the cost of a check at the other."""
RSA_EXPONENT: Final = (65537, 2**32)

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""RFC 7518 section 6: whoever publishes one of these has given the key away."""

type Dropped = Literal[
    "not-an-object", "kid-invalid", "private", "for-other-use", "unsupported", "material-invalid", "weak", "ambiguous"
]


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One usable key; equal when name, algorithm and material are."""

    kid: str | None
    kty: str
    crv: str | None
    alg: str | None
    material: bytes
    """SubjectPublicKeyInfo, DER."""
    checks: Mapping[str, Check] = field(compare=False, repr=False)
    """Algorithm -> the key made ready for it; an algorithm that is not here is not for this key."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """The usable keys of one issuer; `generation` differs whenever the keys do."""

    keys: tuple[PublicKey, ...]
    generation: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    def knows(self, kid: str | None) -> bool:
        """Tell whether a bearer naming `kid` (None: naming none) can be settled with these keys."""
        return kid is None or any(key.kid == kid for key in self.keys)

    def pick(self, alg: str, kid: str | None) -> Check | Refused:
        """Find the one key a bearer means: by its name, or, unnamed, the only one there is."""
        if kid is None:
            if len(self.keys) != 1:
                return Refused("kid-missing")
            found = self.keys[0]
        else:
            named = [key for key in self.keys if key.kid == kid]
            if len(named) != 1:
                return Refused("kid-unknown")
            found = named[0]
        return found.checks.get(alg) or Refused("key-mismatch")


@dataclass(frozen=True, slots=True)
class JwksFault:
    """Why a document is no key set."""

    reason: Literal["jwks-not-json", "jwks-shape", "jwks-too-many-keys"]


def parse_jwks(raw: bytes, generation: int = 0) -> KeySet | JwksFault:
    """Read a JWK set; single keys that cannot be used are dropped and counted."""
    document = read_object(raw)
    if isinstance(document, Refused):
        return JwksFault("jwks-not-json")
    entries = document.get("keys")
    if not isinstance(entries, list):
        return JwksFault("jwks-shape")
    if len(entries) > MAX_KEYS:
        return JwksFault("jwks-too-many-keys")
    dropped: Counter[Dropped] = Counter()
    keys = [key for key in (_keep(entry, dropped) for entry in entries) if key]
    unique = _without_ambiguous(keys, entries)
    dropped["ambiguous"] += len(keys) - len(unique)
    return KeySet(tuple(unique), generation, MappingProxyType({str(why): n for why, n in dropped.items() if n}))


def fits_kid(kid: object) -> bool:
    """Tell whether a value can be a key's name: short, printable, not empty."""
    return isinstance(kid, str) and 0 < len(kid) <= MAX_KID and kid.isprintable()


def _keep(entry: object, dropped: Counter[Dropped]) -> PublicKey | None:
    key = _public_key(entry)
    if isinstance(key, PublicKey):
        return key
    dropped[key] += 1
    return None


def _public_key(entry: object) -> PublicKey | Dropped:
    if not isinstance(entry, dict):
        return "not-an-object"
    if "kid" in entry and not fits_kid(entry["kid"]):
        return "kid-invalid"
    if PRIVATE_MEMBERS & entry.keys():
        return "private"
    if not _for_signatures(entry):
        return "for-other-use"
    kty, crv = entry.get("kty"), entry.get("crv")
    algs = _algorithms(kty, crv, entry.get("alg"))
    if not algs:
        return "unsupported"
    material = _MATERIAL[str(kty)](entry)
    if material is None:
        return "material-invalid"
    if _weak(material):
        return "weak"
    checks = MappingProxyType({alg: ALGORITHMS[alg].ready(material) for alg in algs})
    return PublicKey(entry.get("kid"), str(kty), crv, entry.get("alg"), _der(material), checks)


def _for_signatures(entry: dict[str, Any]) -> bool:
    # RFC 7517 sections 4.2 and 4.3: either may be absent; what is there has to agree.
    ops = entry.get("key_ops", ["verify"])
    return entry.get("use", "sig") == "sig" and isinstance(ops, list) and "verify" in ops


def _algorithms(kty: object, crv: object, alg: object) -> list[str]:
    fitting = [name for name, row in ALGORITHMS.items() if row.kty == kty and row.crv == crv]
    return fitting if alg is None else [name for name in fitting if name == alg]


def _rsa(entry: dict[str, Any]) -> PublicMaterial | None:
    n, e = _unsigned(entry.get("n")), _unsigned(entry.get("e"))
    # Looked at before it is built: a modulus of a million bits would take the library minutes.
    if n is None or e is None or n.bit_length() > RSA_BITS[1] or e > RSA_EXPONENT[1]:
        return None
    try:
        return rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        return None


def _ec(entry: dict[str, Any]) -> PublicMaterial | None:
    curve = _CURVES.get(str(entry.get("crv")))
    x, y = _octets(entry.get("x")), _octets(entry.get("y"))
    if curve is None or x is None or y is None:
        return None
    if not len(x) == len(y) == (curve.key_size + 7) // 8:  # RFC 7518 section 6.2.1.2: the full size
        return None
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve)
    try:
        return numbers.public_key()  # refuses a point that is not on the curve
    except ValueError:
        return None


def _okp(entry: dict[str, Any]) -> PublicMaterial | None:
    x = _octets(entry.get("x"))
    # RFC 8032 sections 5.1.3 and 5.1.5: 32 octets, a y below the prime
    if x is None or len(x) != 32 or _y_of(x) >= _PRIME:
        return None
    return ed25519.Ed25519PublicKey.from_public_bytes(x)


_PRIME: Final = 2**255 - 19
_EIGHTH: Final = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER: Final = frozenset({0, 1, _PRIME - 1, _EIGHTH, _PRIME - _EIGHTH})
"""The y of the eight points of edwards25519 whose order divides 8: under such a key anybody signs (RFC 7748, 7)."""


def _y_of(raw: bytes) -> int:
    return int.from_bytes(raw, "little") & (2**255 - 1)  # the last bit is the sign of x


_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_MATERIAL: Final[Mapping[str, Callable[[dict[str, Any]], PublicMaterial | None]]] = {
    "RSA": _rsa,
    "EC": _ec,
    "OKP": _okp,
}


def _octets(value: object) -> bytes | None:
    return from_base64url(value) if isinstance(value, str) else None


def _unsigned(value: object) -> int | None:
    raw = _octets(value)
    return int.from_bytes(raw) if raw else None


def _weak(key: PublicMaterial) -> bool:
    if isinstance(key, ed25519.Ed25519PublicKey):
        return _y_of(key.public_bytes_raw()) in _SMALL_ORDER
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    numbers = key.public_numbers()
    odd = numbers.e % 2 == 1 and numbers.n % 2 == 1
    return not (odd and numbers.e >= RSA_EXPONENT[0] and numbers.n.bit_length() >= RSA_BITS[0]) or _roca(numbers.n)


# The primes whose product every flawed modulus of 2048 bits and more is built on (CVE-2017-15361, section 2.2 there).
_ROCA_PRIMES: Final = tuple(p for p in range(3, 168) if all(p % q for q in range(2, p)))
_ROCA_RESIDUES: Final = tuple(frozenset(pow(65537, power, p) for power in range(p)) for p in _ROCA_PRIMES)


def _roca(n: int) -> bool:
    """Tell whether a modulus has the fingerprint of CVE-2017-15361; by chance one in 2^27 has."""
    return all(n % p in residues for p, residues in zip(_ROCA_PRIMES, _ROCA_RESIDUES, strict=True))


def _der(key: PublicMaterial) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _without_ambiguous(keys: list[PublicKey], entries: list[Any]) -> list[PublicKey]:
    """Leave out keys whose name stands twice, or whose private half is published beside them."""
    signing = [entry for entry in entries if isinstance(entry, dict) and entry.get("use", "sig") == "sig"]
    names = Counter(entry["kid"] for entry in signing if isinstance(entry.get("kid"), str))
    given_away = {_material(entry) for entry in signing if PRIVATE_MEMBERS & entry.keys()}
    return [key for key in keys if (key.kid is None or names[key.kid] == 1) and key.material not in given_away]


def _material(entry: dict[str, Any]) -> bytes | None:
    made = _MATERIAL.get(str(entry.get("kty")), _nothing)(entry)
    return _der(made) if made else None


def _nothing(_: dict[str, Any]) -> PublicMaterial | None:
    return None
