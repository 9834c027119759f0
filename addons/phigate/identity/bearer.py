"""Is this bearer to be believed? Signature first, claims after: no claim is trusted before its issuer's key said so.

`iss` is read early, but only to choose whose list of algorithms and whose keys apply; keys of two issuers never mix.
Whatever is not plainly right is Refused with its reason: nothing raises, whatever comes in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from phigate.identity.claims import ACCESS_TYPES, Case, believe, rule_of
from phigate.identity.jwks import fits_kid
from phigate.identity.outcome import Believed, KeysNeeded, Refused
from phigate.identity.strict import MAX_BEARER, read_bearer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from phigate.identity.jwks import KeySet
    from phigate.identity.outcome import IssuerRule
    from phigate.identity.strict import Parts

HEADER_MEMBERS: Final = frozenset({"alg", "typ", "kid", "x5t", "x5t#S256"})
"""The closed set; a thumbprint is tolerated (Entra ID and AD FS send one) and never read."""
FORBIDDEN_MEMBERS: Final = frozenset({"crit", "b64", "zip", "cty", "jwk", "jku", "x5u", "x5c"})
"""RFC 8725 sections 3.1, 3.5 and 3.10: keys, their addresses and changes of meaning are never the bearer's choice."""
TYPES: Final = frozenset({"jwt"}) | ACCESS_TYPES
"""Compared without case (RFC 7515 section 4.1.9)."""

type Scheme = Literal["bearer", "dpop"]

_SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType({"bearer": "bearer", "dpop": "dpop"})
_SCHEME: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +(.*))?", re.ASCII)
_LONGEST_VALUE: Final = MAX_BEARER + 64


@dataclass(frozen=True, slots=True)
class Credential:
    """A bearer as sent, and the scheme it was sent under: RFC 6750 (`bearer`) or RFC 9449 section 7.1 (`dpop`)."""

    bearer: str = field(repr=False)
    scheme: Scheme


def extract_from(fields: Iterable[tuple[bytes, bytes]], own: str | None = None) -> Credential | Refused:
    """Take the one credential out of header fields as received, unmerged.

    `own` is the name (lower case) of the header that this client's own protocol uses instead (`x-api-key`,
    `api-key`); a header that the protocol does not know is no credential and is not looked at.
    """
    found: dict[str, list[str]] = {"authorization": [], "own": []}
    for name, value in fields:
        lower = name.decode("latin-1").lower()
        where = "authorization" if lower == "authorization" else "own" if lower == own else None
        if where:
            found[where].append(value.decode("latin-1"))
    return extract(found["authorization"], found["own"])


def extract(authorization: Sequence[str], own: Sequence[str] = ()) -> Credential | Refused:
    """Take the one credential out of the values of Authorization and of the client's own header (RFC 6750, 2.1).

    Query and form parameters are never read. What stands in the client's own header came as a plain bearer.
    """
    if len(authorization) + len(own) > 1:
        return Refused("two-credentials")
    if own:
        return Credential(own[0], "bearer") if own[0] else Refused("bearer-missing")
    if not authorization:
        return Refused("bearer-missing")
    return _of_scheme(authorization[0])


def check(
    bearer: str, issuers: Sequence[IssuerRule], keysets: Mapping[str, KeySet], now: float
) -> Believed | Refused | KeysNeeded:
    """Decide whether a bearer is to be believed.

    `keysets` are the keys at hand, by issuer; `now` is in seconds since the epoch. KeysNeeded asks to try again
    with the keys it names; asked twice, the key does not exist.
    """
    try:
        return _check(bearer, issuers, keysets, now)
    except Exception:  # noqa: BLE001  # the last guard: behind this line an exception would let the request pass
        return Refused("check-broke")


def _check(
    bearer: str, issuers: Sequence[IssuerRule], keysets: Mapping[str, KeySet], now: float
) -> Believed | Refused | KeysNeeded:
    read = signed_by(bearer, issuers, keysets)
    if isinstance(read, Refused | KeysNeeded):
        return read
    rule, parts = read
    return believe(Case(parts.claims, _typ(parts.header), rule, now))


def signed_by(
    bearer: str, issuers: Sequence[IssuerRule], keysets: Mapping[str, KeySet]
) -> tuple[IssuerRule, Parts] | Refused | KeysNeeded:
    """Read what an issuer signed, whatever it is: its rule and the parts; none of the claims is believed by that."""
    parts = read_bearer(bearer)
    if isinstance(parts, Refused):
        return parts
    rule = rule_of(parts.claims, issuers)
    if isinstance(rule, Refused):
        return rule
    refused = _header_fault(parts.header, rule)
    if refused is not None:
        return refused
    alg, kid = parts.header["alg"], parts.header.get("kid")
    keyset = keysets.get(rule.issuer)
    if keyset is None or not keyset.knows(kid):
        return KeysNeeded(rule.issuer, kid)
    key = keyset.pick(alg, kid)
    if isinstance(key, Refused):
        return key
    if not key.verify(parts.signed, parts.signature):
        return Refused("signature-invalid")
    return rule, parts


def _of_scheme(value: str) -> Credential | Refused:
    if len(value) > _LONGEST_VALUE:
        return Refused("too-large")
    found = _SCHEME.fullmatch(value)
    if found is None:
        return Refused("malformed")
    scheme, bearer = _SCHEMES.get(found[1].lower()), found[2]
    if scheme is None:
        return Refused("scheme-not-bearer")
    return Credential(bearer, scheme) if bearer else Refused("bearer-missing")


def _header_fault(header: dict[str, Any], rule: IssuerRule) -> Refused | None:
    if FORBIDDEN_MEMBERS & header.keys():
        return Refused("header-forbidden")
    if header.keys() - HEADER_MEMBERS:
        return Refused("header-unknown")
    if "alg" not in header:
        return Refused("alg-missing")
    if not isinstance(header["alg"], str) or header["alg"] not in rule.algorithms:
        return Refused("alg-not-allowed")
    if "typ" in header and _typ(header) not in TYPES:
        return Refused("typ-not-allowed")
    return Refused("kid-invalid") if "kid" in header and not fits_kid(header["kid"]) else None


def _typ(header: dict[str, Any]) -> str | None:
    typ = header.get("typ")
    return typ.lower() if isinstance(typ, str) else None
