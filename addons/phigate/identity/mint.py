"""The bearers that the gateways issue themselves: claims of an access token (RFC 9068), signed as a JWS. Pure.

- It never outlives the bearer it was exchanged for, and is bound to the same key (`cnf`).
- `idp` and `sub` say whose it is; `origin_iat` and `family` say what it descends from, so that whatever takes one of
  those back takes this one back too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from phigate.identity import scope as scopes
from phigate.identity.strict import MAX_BEARER, to_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.exchange import Scope, Subject

CLIENT: Final = "phigate"
"""Nobody registers here: every bearer is issued to the same public client."""

type Family = tuple[tuple[str, str], ...]
"""Bearers by `iss` and `jti`."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a bearer is issued for: seconds it may live at most, and what it may be used for."""

    lifetime: float
    scope: Scope | None = None
    uses: int | None = None
    bound: tuple[tuple[str, str], ...] = ()
    """Members of `cnf` (RFC 7800): what its holder has just proven to hold."""
    family: Family = ()


@dataclass(frozen=True, slots=True)
class Minted:
    """A bearer and what there is to say of it."""

    bearer: str
    jti: str
    expires: int
    """Seconds since the epoch."""


def claims_of(
    subject: Subject, terms: Terms, *, issuer: str, audience: str, now: float, jti: str
) -> dict[str, Any] | None:
    """The claims of a bearer for this subject; None where the subject's own is over already.

    `now` is seconds since the epoch; `jti` must be of 128 random bits at least. Dates are whole seconds, rounded so
    that nothing lasts longer.
    """
    issued, expires = math.floor(now), math.floor(min(now + terms.lifetime, subject.expires))
    if expires <= now:
        return None
    claims: dict[str, Any] = {
        "iss": issuer,
        "aud": audience,
        "sub": subject.id,
        "idp": subject.issuer,
        "client_id": CLIENT,
        "groups": list(subject.groups),
        "iat": issued,
        "exp": expires,
        "jti": jti,
        "origin_iat": min(subject.issued, issued),
    }
    if terms.scope is not None and (text := scopes.written(terms.scope)):
        claims["scope"] = text
    if terms.uses is not None:
        claims["uses"] = terms.uses
    if terms.bound:
        claims["cnf"] = dict(terms.bound)
    if subject.context:
        claims["context"] = dict(subject.context)
    if terms.family:
        claims["family"] = [list(each) for each in terms.family]
    return claims


def signed(claims: Mapping[str, Any], kid: str, sign: Callable[[bytes], bytes]) -> str | None:
    """Sign claims as a compact JWS (RFC 7515, 7.1) of type `at+jwt`; None where nobody could read one so long."""
    header = {"alg": "EdDSA", "kid": kid, "typ": "at+jwt"}
    parts = [orjson.dumps(part, option=orjson.OPT_SORT_KEYS) for part in (header, claims)]
    signing = ".".join(map(to_base64url, parts))
    bearer = f"{signing}.{to_base64url(sign(signing.encode('ascii')))}"
    return bearer if len(bearer) <= MAX_BEARER else None
