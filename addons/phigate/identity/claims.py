"""What a signed bearer's claims must say: a table, read from the top; the first that does not hold is the reason.

Nothing is optional because an issuer forgot it: a bearer without audience, end, date of issue or subject is refused.
Dates are seconds since the epoch (RFC 7519 section 2); the policy's leeway is the only slack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from phigate.identity.outcome import Believed, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from phigate.identity.outcome import IssuerRule, Reason

MAX_LIFETIME: Final = 24 * 3600
"""Seconds; no bearer ends further away than this, whatever its issuer says."""
MAX_NAME: Final = 255
MAX_AUDIENCES: Final = 100
MAX_GROUPS: Final = 1000
LATEST: Final = 2**53
"""The largest date that JSON numbers carry exactly (RFC 7493 section 2.2); also keeps arithmetic finite."""

ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
"""RFC 9068 section 2.1: the header's typ that says by itself that this is an access token."""


@dataclass(frozen=True, slots=True)
class Case:
    """One bearer before the table: its claims, the header's typ (lower case), its issuer's rule, and the time."""

    claims: dict[str, Any]
    typ: str | None
    rule: IssuerRule
    now: float

    @property
    def leeway(self) -> float:
        return self.rule.leeway.total_seconds()


def rule_of(claims: dict[str, Any], issuers: Sequence[IssuerRule]) -> IssuerRule | Refused:
    """Find the one issuer a bearer says it is from, byte for byte (OIDC Core section 3.1.3.7)."""
    said = claims.get("iss")
    if not isinstance(said, str):
        return Refused("issuer-missing")
    rules = [rule for rule in issuers if rule.issuer == said]
    if len(rules) == 1:
        return rules[0]
    return Refused("issuer-ambiguous" if rules else "issuer-unknown")


def believe(case: Case) -> Believed | Refused:
    """Hold the claims of a bearer, whose signature was checked, against the table."""
    for check in CHECKS:
        reason = check(case)
        if reason is not None:
            return Refused(reason)
    groups = groups_of(case)
    if isinstance(groups, Refused):
        return groups
    claims = case.claims
    return Believed(case.rule.issuer, claims["sub"], groups, _end(case), float(claims["iat"]), claims.get("jti"))


def at_path(claims: Any, path: str) -> Any:
    """Find the value at a claim path, or None: the whole path as one name first, then split at each dot in turn.

    So `realm_access.roles`, `https://hospital.example/groups` and `resource_access.my.app.roles` all find theirs.
    """
    if not isinstance(claims, dict):
        return None
    if path in claims:
        return claims[path]
    dots = [at for at, letter in enumerate(path) if letter == "."]
    tries = (at_path(claims.get(path[:at]), path[at + 1 :]) for at in dots)
    return next((found for found in tries if found is not None), None)


def groups_of(case: Case) -> tuple[str, ...] | Refused:
    """Read the subject's groups; absent means none, left out for their number does not."""
    path = case.rule.groups_from
    if path is None:
        return ()
    if _overage(case.claims, path):
        return Refused("groups-overage")
    groups = at_path(case.claims, path)
    if groups is None:
        return ()
    if not isinstance(groups, list):
        return Refused("groups-invalid")
    if len(groups) > MAX_GROUPS:
        return Refused("groups-too-many")
    return tuple(dict.fromkeys(groups)) if all(map(_is_name, groups)) else Refused("groups-invalid")


def _overage(claims: dict[str, Any], path: str) -> bool:
    # Entra ID names the claim it left out in `_claim_names`, or only says `hasgroups`.
    elsewhere = claims.get("_claim_names", {})
    if not isinstance(elsewhere, dict) or path in elsewhere or path.partition(".")[0] in elsewhere:
        return True
    return bool(claims.get("hasgroups")) and at_path(claims, path) is None


def _not_an_event(case: Case) -> Reason | None:
    # Logout tokens and security events are signed by the same key (OIDC Back-Channel Logout 2.4, RFC 8417).
    return "security-event" if "events" in case.claims else None


_ID_TOKEN_HASHES: Final = frozenset({"at_hash", "c_hash", "s_hash"})
_SCOPES: Final = frozenset({"scope", "scp"})


def _not_an_id_token(case: Case) -> Reason | None:
    # OIDC Core section 3.1.3.6. Some issuers copy `nonce` into access tokens; these carry a scope or the RFC 9068 typ.
    claims = case.claims
    if _ID_TOKEN_HASHES & claims.keys():
        return "id-token"
    scoped = case.typ in ACCESS_TYPES or bool(_SCOPES & claims.keys())
    return "id-token" if "nonce" in claims and not scoped else None


_DECLARED: Final = {"token_use": frozenset({"access"}), "typ": frozenset({"bearer", "at+jwt"})}
"""What Cognito (`token_use`) and Keycloak (`typ`, as a claim) call an access token themselves."""


def _for_access(case: Case) -> Reason | None:
    for claim, good in _DECLARED.items():
        said = case.claims.get(claim)
        if isinstance(said, str) and said.lower() == "id":
            return "id-token"
        if claim in case.claims and not (isinstance(said, str) and said.lower() in good):
            return "not-for-access"
    # A DPoP proof names the request it is for (RFC 9449 section 4.2).
    return "not-for-access" if {"htm", "htu"} & case.claims.keys() else None


def _unbound(case: Case) -> Reason | None:
    # RFC 7800: taking a bound credential without its proof would undo the binding.
    return "proof-missing" if "cnf" in case.claims else None


def _audience(case: Case) -> Reason | None:
    if "aud" not in case.claims:
        return "aud-missing"
    aud = case.claims["aud"]
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not 0 < len(audiences) <= MAX_AUDIENCES:
        return "aud-invalid"
    if not all(isinstance(audience, str) for audience in audiences):
        return "aud-invalid"
    return None if set(case.rule.audience) & set(audiences) else "aud-mismatch"


def _expires(case: Case) -> Reason | None:
    if "exp" not in case.claims:
        return "exp-missing"
    exp = _date(case.claims["exp"])
    if exp is None:
        return "exp-invalid"
    if exp + case.leeway <= case.now:  # RFC 7519 section 4.1.4: on or after
        return "expired"
    return "lifetime-too-long" if exp > case.now + MAX_LIFETIME + case.leeway else None


def _not_before(case: Case) -> Reason | None:
    if "nbf" not in case.claims:
        return None
    nbf = _date(case.claims["nbf"])
    if nbf is None:
        return "nbf-invalid"
    return "not-yet-valid" if nbf > case.now + case.leeway else None


def _issued(case: Case) -> Reason | None:
    if "iat" not in case.claims:
        return "iat-missing"
    iat = _date(case.claims["iat"])
    if iat is None:
        return "iat-invalid"
    if iat > case.now + case.leeway:
        return "iat-future"
    max_age = case.rule.max_age
    return "too-old" if max_age and iat + max_age.total_seconds() + case.leeway <= case.now else None


def _subject(case: Case) -> Reason | None:
    if "sub" not in case.claims:
        return "sub-missing"
    return None if _is_name(case.claims["sub"]) else "sub-invalid"


def _identifier(case: Case) -> Reason | None:
    return "jti-invalid" if "jti" in case.claims and not _is_name(case.claims["jti"]) else None


CHECKS: Final[tuple[Callable[[Case], Reason | None], ...]] = (
    _not_an_event,
    _not_an_id_token,
    _for_access,
    _unbound,
    _audience,
    _expires,
    _not_before,
    _issued,
    _subject,
    _identifier,
)


def _end(case: Case) -> float:
    exp, max_age = float(case.claims["exp"]), case.rule.max_age
    return min(exp, float(case.claims["iat"]) + max_age.total_seconds()) if max_age else exp


def _date(value: object) -> float | None:
    # bool is an int to Python; NaN and the infinities fail the comparison; integers of any size pass through it.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LATEST else None


def _is_name(value: object) -> bool:
    """Tell whether a value can name somebody: short, printable, no blanks around it that nobody would see."""
    return isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable() and value == value.strip()
