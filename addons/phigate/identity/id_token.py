"""Who signed in? What an ID token must say to the client that it was issued to (OIDC Core, 3.1.3.7). Pure.

It tells who signed in and opens nothing: what somebody may, the bearer beside it says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

from phigate.identity.bearer import signed_by
from phigate.identity.claims import LATEST
from phigate.identity.outcome import KeysNeeded, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from phigate.identity.jwks import KeySet
    from phigate.identity.outcome import IssuerRule

LONGEST: Final = 24 * 3600.0
"""Seconds since its issue."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """One sign-in: at whom, as which client, and the word that its ID token repeats."""

    issuer: str
    client_id: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why an ID token tells nothing (kebab-case)."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Case:
    claims: Mapping[str, Any]
    wanted: SignIn
    now: float
    leeway: float


def check_id_token(
    raw: str, issuers: Sequence[IssuerRule], keysets: Mapping[str, KeySet], wanted: SignIn, now: float
) -> str | Unfit | Refused | KeysNeeded:
    """Tell the subject of an ID token; `keysets` are the keys at hand, `now` is in seconds since the epoch."""
    rules = [rule for rule in issuers if rule.issuer == wanted.issuer]
    try:
        read = signed_by(raw, rules, keysets)
        if isinstance(read, Refused | KeysNeeded):
            return read
        rule, parts = read
        case = _Case(parts.claims, wanted, now, rule.leeway.total_seconds())
        reason = next((reason for reason, holds in TABLE if not holds(case)), None)
        return Unfit(reason) if reason else str(parts.claims["sub"])
    except Exception:  # noqa: BLE001 -- the last guard: whatever comes in, nobody is signed in by a fault of ours
        return Refused("check-broke")


def _audience(case: _Case) -> bool:
    """For this client, and where it is for others too, given to this one (steps 3 to 5)."""
    aud, azp = case.claims.get("aud"), case.claims.get("azp")
    audiences = [aud] if isinstance(aud, str) else aud
    if not isinstance(audiences, list) or case.wanted.client_id not in audiences:
        return False
    return azp == case.wanted.client_id if "azp" in case.claims or len(audiences) > 1 else True


def _nonce(case: _Case) -> bool:
    said = case.claims.get("nonce")
    return isinstance(said, str) and compare_digest(said.encode("utf-8", "replace"), case.wanted.nonce.encode())


def _date(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LATEST else None


def _current(case: _Case) -> bool:
    exp, nbf = _date(case.claims.get("exp")), _date(case.claims.get("nbf", 0))
    return exp is not None and nbf is not None and nbf - case.leeway <= case.now < exp + case.leeway


def _issued(case: _Case) -> bool:
    iat = _date(case.claims.get("iat"))
    return iat is not None and case.now - LONGEST < iat <= case.now + case.leeway


def _subject(case: _Case) -> bool:
    sub = case.claims.get("sub")
    return isinstance(sub, str) and 0 < len(sub) <= 255


TABLE: Final[tuple[tuple[str, Callable[[_Case], bool]], ...]] = (
    ("id-token-event", lambda case: "events" not in case.claims),  # OIDC Back-Channel Logout, 2.4
    ("id-token-audience", _audience),
    ("id-token-nonce", _nonce),
    ("id-token-expired", _current),
    ("id-token-issued", _issued),
    ("id-token-subject", _subject),
)
"""Reason, and what holds otherwise; read from the top."""
