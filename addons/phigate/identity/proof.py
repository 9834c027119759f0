"""Does whoever sends a bearer hold the key it is bound to? DPoP (RFC 9449) and mutual TLS (RFC 8705).

A bound bearer counts for nothing without its proof, and an unbound one is not made better by a proof beside it.
Which binding there is, the bearer's issuer has signed (`cnf`); which is wanted, the policy says. Nothing raises.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from phigate.identity.algorithms import ALGORITHMS
from phigate.identity.claims import LATEST
from phigate.identity.jwks import JwksFault, parse_jwks
from phigate.identity.outcome import Refused
from phigate.identity.strict import read_bearer, to_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.identity.strict import Parts

    type _Address = tuple[str, str, str, str]

JKT: Final = "jkt"
X5T: Final = "x5t#S256"
PROOF_ALGORITHMS: Final = tuple(ALGORITHMS)
"""What a proof may be signed with; every one takes a public key (RFC 9449 section 4.3, check 5)."""
MAX_PROOF: Final = 8 * 1024
"""Characters; a proof by an RSA-8192 key has about five thousand."""
MAX_JTI: Final = 255
WINDOW: Final = 60.0
"""Seconds a proof is good for after its `iat`."""
LEEWAY: Final = 5.0
"""Seconds the caller's clock may be off, either way."""

_HEADER: Final = frozenset({"typ", "alg", "jwk"})
_WANTED: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {"as-bound": frozenset(), "dpop": frozenset({JKT}), "mtls": frozenset({X5T})}
)
_THUMBED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
)
"""The members that make up a key, in their order (RFC 7638 section 3.2, RFC 8037 section 2)."""
_PORTS: Final = {"http": "80", "https": "443"}
_URL: Final = re.compile(
    r"(https?)://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?((?:/[!-~]*)?)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Presented:
    """What came with a bearer, and the request it came in."""

    method: str
    url: str | None = None
    """The request's own address under the gateway's public one; None where that is not known."""
    proof: tuple[str, ...] = field(default=(), repr=False)
    """The values of the DPoP header as received."""
    certificate: bytes | None = field(default=None, repr=False)
    """The certificate of the TLS client, DER."""
    scheme: Literal["bearer", "dpop"] = "bearer"


@dataclass(frozen=True, slots=True)
class Proven:
    """The bearer is in the hands of whom it was issued to."""

    spend: str | None
    """Names the proof, so that it counts once (RFC 9449 section 11.1); None where there is nothing to spend."""


def check_proof(
    bearer: str, bound: Mapping[str, str], wanted: str, presented: Presented, now: float
) -> Proven | Refused:
    """Decide whether what was presented proves every key that a bearer is bound to.

    `bound` are the members of the believed bearer's `cnf`, `wanted` the policy's `proof` (`as-bound`, `dpop`,
    `mtls`), `now` seconds since the epoch.
    """
    try:
        return _check(bearer, bound, wanted, presented, now)
    except Exception:  # noqa: BLE001 -- the last guard: behind this line an exception would let the request pass
        return Refused("check-broke")


def bound_as(bound: Mapping[str, str], wanted: str) -> bool:
    """Whether a bearer is bound to what the policy wants proven: one that is not was never proven that way."""
    return wanted in _WANTED and _WANTED[wanted] <= bound.keys()


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """Name a public key by its content: RFC 7638 with SHA-256, base64url, as in `cnf` `jkt`.

    ValueError when it is not a key of kind EC, OKP or RSA with all its members as strings.
    """
    made = _members(jwk)
    if made is None:
        raise ValueError("not a public key of a known kind")
    text = json.dumps(made, separators=(",", ":"), ensure_ascii=False)
    return to_base64url(sha256(text.encode("utf-8")).digest())


def certificate_thumbprint(der: bytes) -> str:
    """Name a certificate (DER) by its content: RFC 8705 section 3.1, as in `cnf` `x5t#S256`."""
    return to_base64url(sha256(der).digest())


def _check(bearer: str, bound: Mapping[str, str], wanted: str, presented: Presented, now: float) -> Proven | Refused:
    if bound.keys() - {JKT, X5T}:
        return Refused("cnf-invalid")
    if presented.scheme != "bearer" and JKT not in bound:
        return Refused("proof-not-bound")
    if not bound_as(bound, wanted):
        return Refused("proof-missing")
    if X5T in bound:
        refused = _certificate_fault(bound[X5T], presented.certificate)
        if refused is not None:
            return refused
    return _dpop(bearer, bound[JKT], presented, now) if JKT in bound else Proven(None)


def _certificate_fault(named: str, certificate: bytes | None) -> Refused | None:
    if certificate is None:
        return Refused("proof-missing")
    return None if _same(named, certificate_thumbprint(certificate)) else Refused("proof-mismatch")


def _dpop(bearer: str, jkt: str, presented: Presented, now: float) -> Proven | Refused:
    # RFC 9449 section 7.2: a bound bearer under the Bearer scheme is a downgrade, whatever stands beside it.
    if presented.scheme != "dpop" or not presented.proof:
        return Refused("proof-missing")
    here = _address(presented.url) if presented.url is not None else None
    if here is None:
        return Refused("proof-unverifiable")
    parts = _read(presented.proof)
    if parts is None:
        return Refused("proof-invalid")
    # Compared before the signature is checked: only the key of this bearer is worth that work.
    if not _same(jkt, thumbprint(parts.header["jwk"])):
        return Refused("proof-mismatch")
    if not _signed(parts) or not _well_said(parts.claims, now):
        return Refused("proof-invalid")
    if not _for_this(parts.claims, bearer, presented.method, here):
        return Refused("proof-mismatch")
    return Proven(to_base64url(sha256(f"{jkt}\0{parts.claims['jti']}".encode()).digest()))


def _read(values: tuple[str, ...]) -> Parts | None:
    """Take the one proof apart if its header has the one form it may have (RFC 9449 section 4.2)."""
    if len(values) != 1 or len(values[0]) > MAX_PROOF:
        return None
    parts = read_bearer(values[0])
    if isinstance(parts, Refused) or parts.header.keys() != _HEADER:
        return None
    typ, alg, jwk = parts.header["typ"], parts.header["alg"], parts.header["jwk"]
    if typ != "dpop+jwt" or alg not in PROOF_ALGORITHMS or not isinstance(jwk, dict):
        return None
    return parts if _members(jwk) is not None else None


def _members(jwk: Mapping[str, Any]) -> dict[str, Any] | None:
    made = {name: jwk.get(name) for name in _THUMBED.get(str(jwk.get("kty")), ())}
    return made if made and all(isinstance(value, str) for value in made.values()) else None


def _signed(parts: Parts) -> bool:
    # Read as if it were published: a key that is weak, private or for other use is none.
    keys = parse_jwks(json.dumps({"keys": [parts.header["jwk"]]}).encode("utf-8"))
    key = Refused("key-mismatch") if isinstance(keys, JwksFault) else keys.pick(parts.header["alg"], None)
    return not isinstance(key, Refused) and key.verify(parts.signed, parts.signature)


def _well_said(claims: dict[str, Any], now: float) -> bool:
    """Tell whether a proof says all it must (RFC 9449 section 4.2), and is of now."""
    if not all(isinstance(claims.get(name), str) for name in ("jti", "htm", "htu", "ath")):
        return False
    if not 0 < len(claims["jti"]) <= MAX_JTI or not claims["jti"].isprintable():
        return False
    times = {name: _date(claims[name]) for name in ("iat", "exp", "nbf") if name in claims}
    iat, nbf = times.get("iat"), times.get("nbf", 0.0)
    exp = times.get("exp", math.inf)
    if iat is None or exp is None or nbf is None:
        return False
    return now - WINDOW - LEEWAY <= iat <= now + LEEWAY and nbf <= now + LEEWAY and now - LEEWAY < exp


def _for_this(claims: dict[str, Any], bearer: str, method: str, here: _Address) -> bool:
    """Tell whether a proof is for this request and this bearer (RFC 9449 section 4.3, checks 8, 9 and 12)."""
    if claims["htm"] != method or _address(claims["htu"]) != here:
        return False
    return _same(claims["ath"], to_base64url(sha256(bearer.encode("ascii")).digest()))


def _address(url: str) -> _Address | None:
    # RFC 3986 section 6.2.2.1 (case of scheme and host) and 6.2.3 (default port); the path is taken byte for byte.
    found = _URL.fullmatch(url.partition("#")[0].partition("?")[0])
    if found is None:
        return None
    scheme, host, port, path = found.groups()
    return scheme.lower(), host.lower(), port or _PORTS[scheme.lower()], path


def _date(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < LATEST else None


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode("utf-8"), other.encode("utf-8"))
