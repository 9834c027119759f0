"""What a bearer's claims must say: a table, read from the top; the first that does not hold is the reason.

They are what the issuer signed, or what it answered when asked (RFC 7662). Nothing is optional because an issuer forgot
it: a bearer without audience, end, date of issue or subject is refused.
Dates are seconds since the epoch (RFC 7519 section 2); the policy's leeway is the only slack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from phigate.identity.outcome import Believed, Refused
from phigate.identity.strict import from_base64url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from phigate.identity.outcome import IssuerRule, Reason

MAX_LIFETIME: Final = 24 * 3600
"""Seconds; no bearer lives longer than this, whatever its issuer says."""
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
    groups, context = groups_of(case), context_of(case)
    if isinstance(groups, Refused):
        return groups
    if isinstance(context, Refused):
        return context
    claims = case.claims
    return Believed(
        issuer=case.rule.issuer,
        id=claims["sub"],
        groups=groups,
        expires=_end(case),
        issued=float(claims["iat"]),
        jti=claims.get("jti"),
        bound=MappingProxyType(dict(claims.get("cnf", {}))),
        context=context,
        claims=MappingProxyType(claims),
    )


def from_introspection(claims: dict[str, Any], rule: IssuerRule, now: float) -> Believed | Refused:
    """Hold what an issuer answered about a bearer (RFC 7662 section 2.2) against the same table.

    `iss` may be absent, because we asked this very issuer; there is no header, so its `typ` excuses nothing.
    """
    if claims.get("active") is not True:
        return Refused("inactive")
    if "iss" in claims:
        found = rule_of(claims, (rule,))
        if isinstance(found, Refused):
            return found
    return believe(Case(claims, None, rule, now))


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
    """Read the subject's groups, of all claims that may hold them; absent means none, left out for their number not."""
    joined: dict[str, None] = {}
    for path in case.rule.groups_from:
        if _overage(case.claims, path):
            return Refused("groups-overage")
        groups = _groups_in(at_path(case.claims, path), case.rule.groups_as)
        if groups is None:
            return Refused("groups-invalid")
        if len(groups) > MAX_GROUPS:
            return Refused("groups-too-many")
        if not all(map(_is_name, groups)):
            return Refused("groups-invalid")
        joined.update(dict.fromkeys(groups))
    return Refused("groups-too-many") if len(joined) > MAX_GROUPS else tuple(joined)


def context_of(case: Case) -> tuple[tuple[str, str], ...] | Refused:
    """What the bearer says of its occasion, by the policy's names; what it says nothing of is left out."""
    found = ((name, at_path(case.claims, path)) for name, path in sorted(case.rule.context_from.items()))
    said = [(name, _as_text(value)) for name, value in found if value is not None]
    return tuple(said) if all(_is_name(text) for _, text in said) else Refused("context-invalid")


def _as_text(value: object) -> str:
    """A claim's value as one text; of a list or an object none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if isinstance(value, int) and abs(value) <= LATEST else ""


def _groups_in(value: object, form: str) -> list[Any] | None:
    """The groups as the policy's `groups_as` writes them; None for any other form."""
    if value is None:
        return []
    if isinstance(value, str):
        if form == "text":
            return [value]
        return [word for word in value.split(" ") if word] if form == "words" else None
    return value if isinstance(value, list) and form in {"list", "text"} else None


def _overage(claims: dict[str, Any], path: str) -> bool:
    # Entra ID names the claim it left out in `_claim_names`, or only says `hasgroups`.
    elsewhere = claims.get("_claim_names", {})
    if not isinstance(elsewhere, dict) or any(path == name or path.startswith(f"{name}.") for name in elsewhere):
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


_DECLARED: Final = {
    "token_use": frozenset({"access", "access_token"}),
    "token_type": frozenset({"bearer", "dpop", "access", "access_token"}),
    "typ": frozenset({"bearer", "dpop", "at+jwt"}),
}
"""What Cognito and Hydra (`token_use`), RFC 7662 (`token_type`) and Keycloak (`typ`, as a claim) call a bearer."""
_ELSEWHERE: Final = frozenset({"htm", "htu", "token_introspection"})
"""A DPoP proof names the request it is for (RFC 9449 section 4.2); RFC 9701 wraps an answer about another bearer."""


def _for_access(case: Case) -> Reason | None:
    for claim, good in _DECLARED.items():
        said = case.claims.get(claim)
        if isinstance(said, str) and said.lower() in {"id", "id_token"}:
            return "id-token"
        if claim in case.claims and not (isinstance(said, str) and said.lower() in good):
            return "not-for-access"
    return "not-for-access" if _ELSEWHERE & case.claims.keys() else None


_THUMBPRINTS: Final = frozenset({"jkt", "x5t#S256"})


def _bound(case: Case) -> Reason | None:
    # RFC 7800 section 3.1; a key we could not ask a proof of (`jwk`, `kid`, ...) would leave the bearer unbound.
    dpop = any(str(case.claims.get(claim)).lower() == "dpop" for claim in ("typ", "token_type"))
    if "cnf" not in case.claims:
        return "cnf-invalid" if dpop else None
    cnf = case.claims["cnf"]
    if not isinstance(cnf, dict) or not cnf or cnf.keys() - _THUMBPRINTS or (dpop and "jkt" not in cnf):
        return "cnf-invalid"
    return None if all(map(_is_thumbprint, cnf.values())) else "cnf-invalid"


def _is_thumbprint(value: object) -> bool:
    # SHA-256: RFC 7638 for `jkt`, RFC 8705 section 3.1 for `x5t#S256`
    return isinstance(value, str) and len(value) == 43 and from_base64url(value) is not None


def _audience(case: Case) -> Reason | None:
    path = case.rule.audience_from
    if path != "aud":
        reason = _stand_in(at_path(case.claims, path), case.rule.audience)
        # RFC 7519 section 4.1.3: an `aud` that is there still has to name us.
        if reason is not None or "aud" not in case.claims:
            return reason
    if "aud" not in case.claims:
        return "aud-missing"
    aud = case.claims["aud"]
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or not 0 < len(audiences) <= MAX_AUDIENCES:
        return "aud-invalid"
    if not all(isinstance(audience, str) for audience in audiences):
        return "aud-invalid"
    return None if set(case.rule.audience) & set(audiences) else "aud-mismatch"


def _stand_in(said: object, wanted: Sequence[str]) -> Reason | None:
    if said is None:
        return "aud-missing"
    if not isinstance(said, str):
        return "aud-invalid"
    return None if said in wanted else "aud-mismatch"


def _required(case: Case) -> Reason | None:
    required: Iterable[tuple[str, tuple[str, ...]]] = case.rule.required_claims.items()
    met = all(_says(at_path(case.claims, path), wanted) for path, wanted in required)
    return None if met else "claim-mismatch"


def _says(value: object, wanted: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return ("true" if value else "false") in wanted
    if isinstance(value, int):
        return str(value) in wanted
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value) and not set(wanted).isdisjoint(value)
    return isinstance(value, str) and value in wanted


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
    span = float(case.claims["exp"]) - iat
    if span <= 0:
        return "exp-invalid"
    if span > MAX_LIFETIME + case.leeway:  # a bearer of ten years is none of ours in its last hour either
        return "lifetime-too-long"
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
    _bound,
    _audience,
    _required,
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


# Characters that show nothing and yet count as printable: they would make two names look like one.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def _is_name(value: object) -> bool:
    """Tell whether a value can name somebody: short, printable, nothing in or around it that nobody would see."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        return False
    return value.isprintable() and value == value.strip() and (value.isascii() or not _UNSEEN.search(value))
