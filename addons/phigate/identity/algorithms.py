"""The signatures we can check: one row an algorithm, each with the one kind of key it takes.

Public keys only: there is no row for HMAC or `none`, so no policy and no bearer can ask for them. The checks are
python-jose's; PSS and Ed25519, which it lacks, are added as keys of its own kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from jose import jwk  # type: ignore[import-untyped]  # python-jose ships no types
from jose.backends.base import Key  # type: ignore[import-untyped]  # python-jose ships no types

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

type PublicMaterial = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Check(Protocol):
    """A key made ready for one algorithm (the shape of python-jose's keys)."""

    def verify(self, msg: bytes, sig: bytes) -> bool:
        """Tell whether `sig` is this key's signature over `msg`."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The key an algorithm takes (RFC 7518 section 6, RFC 8037 section 2) and how one is made ready."""

    kty: str
    crv: str | None
    ready: Callable[[PublicMaterial], Check]


class _Pss(Key):  # type: ignore[misc]  # python-jose ships no types
    """RSASSA-PSS, its salt as long as the hash and MGF1 over the same hash (RFC 7518 section 3.5)."""

    def __init__(self, key: Any, chosen: hashes.HashAlgorithm) -> None:
        self._key: rsa.RSAPublicKey = key
        self._hash = chosen
        self._padding = padding.PSS(mgf=padding.MGF1(chosen), salt_length=chosen.digest_size)

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg, self._padding, self._hash)
        except InvalidSignature:
            return False
        return True


class _Ed25519(Key):  # type: ignore[misc]  # python-jose ships no types
    """EdDSA over Ed25519 (RFC 8037 section 3.1)."""

    def __init__(self, key: Any) -> None:
        self._key: ed25519.Ed25519PublicKey = key

    def verify(self, msg: bytes, sig: bytes) -> bool:
        try:
            self._key.verify(sig, msg)
        except InvalidSignature:
            return False
        return True


def _jose(alg: str) -> Callable[[PublicMaterial], Check]:
    def ready(key: PublicMaterial) -> Check:
        made: Check = jwk.construct(key, alg)
        return made

    return ready


def _pss(chosen: hashes.HashAlgorithm) -> Callable[[PublicMaterial], Check]:
    return lambda key: _Pss(key, chosen)


ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        "RS256": Algorithm("RSA", None, _jose("RS256")),
        "RS384": Algorithm("RSA", None, _jose("RS384")),
        "RS512": Algorithm("RSA", None, _jose("RS512")),
        "PS256": Algorithm("RSA", None, _pss(hashes.SHA256())),
        "PS384": Algorithm("RSA", None, _pss(hashes.SHA384())),
        "PS512": Algorithm("RSA", None, _pss(hashes.SHA512())),
        "ES256": Algorithm("EC", "P-256", _jose("ES256")),
        "ES384": Algorithm("EC", "P-384", _jose("ES384")),
        "ES512": Algorithm("EC", "P-521", _jose("ES512")),
        "EdDSA": Algorithm("OKP", "Ed25519", _Ed25519),
    }
)
