"""What somebody is told whose bearer is not believed, and the session of somebody whose is; values in, values out."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from phigate.exchange import Refusal
from phigate.identity.outcome import Unavailable
from phigate.identity.proof import PROOF_ALGORITHMS

if TYPE_CHECKING:
    from phigate.exchange import Subject
    from phigate.identity.follow import Follow
    from phigate.identity.outcome import Refused

REVOKED = Refusal(401, "bearer-refused", "The bearer is not believed.", detail="revoked")
UNKNOWN = Refusal(503, "ledger-unavailable", "Bearers cannot be verified at the moment.", retry_after=1)

ENDLESS_FOR = 60.0
ANSWERS_FOR = 900.0
"""Seconds that a stream may go on after its bearer has expired."""


def over(subject: Subject | None, follow: Follow) -> Literal["revoked", "interrupted"] | None:
    """Why this subject's exchanges do not go on."""
    if subject is None or follow.revoked.covers(subject):
        return "revoked"
    return None if follow.current else "interrupted"


def outlived(subject: Subject, now: float, *, endless: bool) -> bool:
    """Whether an exchange under way is older than its bearer lets it be.

    A stream that has no end of its own is `endless`: nobody would ever take its bearer back once that has expired.
    """
    return subject.expires + (ENDLESS_FOR if endless else ANSWERS_FOR) < now


def refusal_of(outcome: Refused | Unavailable, metadata: str | None = None, *, dpop: bool = False) -> Refusal:
    """401 with the public reason alone; 503 where it could not be settled (nobody is refused for that).

    `metadata` is the address of the protected resource's metadata (RFC 9728, 5.1); `dpop` says that the policy wants
    bearers bound to a key (RFC 9449, 7.1).
    """
    if isinstance(outcome, Unavailable):
        message = "Bearers cannot be verified at the moment."
        return Refusal(503, outcome.reason, message, retry_after=outcome.retry_after)
    where = f', resource_metadata="{metadata}"' if metadata else ""
    where += f', DPoP algs="{" ".join(sorted(PROOF_ALGORITHMS))}"' if dpop else ""
    if outcome.public == "bearer-missing":
        challenge = f'Bearer realm="phigate"{where}'
        return Refusal(401, outcome.public, "A bearer is needed.", headers={"www-authenticate": challenge})
    challenge = f'Bearer realm="phigate", error="invalid_token"{where}'
    message = "The bearer is not believed."
    return Refusal(401, outcome.public, message, detail=outcome.reason, headers={"www-authenticate": challenge})


def session_of(subject: Subject, stated: bytes) -> str:
    """A subject's session: by the caller's own `phi-session`, else all exchanges of the subject on one bearer."""
    own = f"own:{stated.hex()}" if stated else f"bearer:{subject.jti or subject.expires}"
    return "se-" + hashlib.sha256(f"{subject.issuer}\0{subject.id}\0{own}".encode()).hexdigest()[:24]
