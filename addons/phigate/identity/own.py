"""Bearers that the gateways issue themselves (RFC 9068): the rule they are held to, and whom they speak for.

They are believed like those of any issuer, by the keys that the ledger publishes. What they say of their holder is what
another issuer said when they were issued: that one must still be in the policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from phigate.identity import scope as scopes
from phigate.identity.outcome import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.exchange import Scope
    from phigate.identity.outcome import Believed

MAX_FAMILY: Final = 8
LEEWAY: Final = timedelta(seconds=5)
"""How far the clocks of two gateways may be apart."""


@dataclass(frozen=True, slots=True)
class Own:
    """The gateways as an issuer (the shape of `outcome.IssuerRule`): `issuer` is the console's public address."""

    issuer: str
    audience: tuple[str, ...]
    audience_from: str = "aud"
    algorithms: tuple[str, ...] = ("EdDSA",)
    keys: str = ""
    groups_from: tuple[str, ...] = ("groups",)
    groups_as: str = "list"
    required_claims: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    context_from: Mapping[str, str] = MappingProxyType({})
    max_age: timedelta | None = None
    leeway: timedelta = LEEWAY
    proof: str = "as-bound"
    introspect: None = None


@dataclass(frozen=True, slots=True)
class Speaks:
    """For whom, and for what, a bearer of our own speaks."""

    issuer: str
    scope: Scope | None
    uses: int | None
    issued: float
    family: tuple[tuple[str, str], ...]
    context: tuple[tuple[str, str], ...] = ()


def read(believed: Believed, issuers: frozenset[str]) -> Speaks | Refused:
    """Read what a believed bearer of our own says beyond the table of claims; `issuers` are those of the policy."""
    claims = believed.claims
    issuer = claims.get("idp")
    if not isinstance(issuer, str) or issuer not in issuers:
        return Refused("issuer-unknown")
    if believed.jti is None:
        return Refused("jti-invalid")
    limits = _scope(claims)
    if isinstance(limits, Refused):
        return limits
    uses = claims.get("uses")
    if uses is not None and (uses is True or uses != 1):
        return Refused("uses-invalid")
    issued, family = claims.get("origin_iat"), _family(claims.get("family", []))
    if isinstance(issued, bool) or not isinstance(issued, int | float) or not 0 <= issued <= believed.issued:
        return Refused("iat-invalid")
    if family is None:
        return Refused("jti-invalid")
    context = claims.get("context", {})
    if not isinstance(context, dict) or not all(isinstance(text, str) for text in context.values()):
        return Refused("context-invalid")
    return Speaks(issuer, limits, uses, float(issued), family, tuple(sorted(context.items())))


def _family(value: object) -> tuple[tuple[str, str], ...] | None:
    if not isinstance(value, list) or len(value) > MAX_FAMILY:
        return None
    pairs = [(each[0], each[1]) for each in value if isinstance(each, list) and len(each) == 2]
    named = all(isinstance(issuer, str) and isinstance(jti, str) for issuer, jti in pairs)
    return tuple(pairs) if named and len(pairs) == len(value) else None


def _scope(claims: Mapping[str, Any]) -> Scope | Refused | None:
    text = claims.get("scope")
    if text is None:
        return None
    return (scopes.read(text) if isinstance(text, str) else None) or Refused("scope-invalid")
