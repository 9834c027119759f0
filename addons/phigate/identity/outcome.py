"""What comes of a bearer: Believed, Refused, or more keys are needed first; and every reason there is.

The precise reason is for the journal; whoever sent the bearer learns `Refused.public` only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

type Reason = Literal[
    "bearer-missing",
    "two-credentials",
    "scheme-not-bearer",
    "malformed",
    "too-large",
    "encrypted",
    "not-canonical",
    "not-utf8",
    "json-invalid",
    "json-not-object",
    "json-too-deep",
    "json-duplicate-name",
    "json-number",
    "json-surrogate",
    "header-forbidden",
    "header-unknown",
    "alg-missing",
    "alg-not-allowed",
    "typ-not-allowed",
    "kid-invalid",
    "kid-missing",
    "kid-unknown",
    "key-mismatch",
    "signature-invalid",
    "issuer-missing",
    "issuer-unknown",
    "issuer-ambiguous",
    "security-event",
    "id-token",
    "not-for-access",
    "proof-missing",
    "aud-missing",
    "aud-invalid",
    "aud-mismatch",
    "exp-missing",
    "exp-invalid",
    "expired",
    "lifetime-too-long",
    "nbf-invalid",
    "not-yet-valid",
    "iat-missing",
    "iat-invalid",
    "iat-future",
    "too-old",
    "sub-missing",
    "sub-invalid",
    "jti-invalid",
    "groups-overage",
    "groups-invalid",
    "groups-too-many",
    "context-invalid",
    "check-broke",
    "cnf-invalid",
    "claim-mismatch",
    "inactive",
    "proof-not-bound",
    "proof-invalid",
    "proof-mismatch",
    "proof-replayed",
    "proof-unverifiable",
    "scope-invalid",
    "uses-invalid",
    "revoked",
]

REASONS: Final[Mapping[Reason, str]] = MappingProxyType(
    {
        "bearer-missing": "no credential was sent",
        "two-credentials": "more than one credential was sent",
        "scheme-not-bearer": "the Authorization header has another scheme than Bearer or DPoP",
        "malformed": "not the three segments of a JWS in compact form (RFC 7515 section 7.1)",
        "too-large": "longer than any bearer we read",
        "encrypted": "five segments: a JWE, which only its recipient could read",
        "not-canonical": "a segment is not the one base64url spelling of its bytes",
        "not-utf8": "a segment is not UTF-8",
        "json-invalid": "a segment is not JSON",
        "json-not-object": "a segment is JSON, but not an object",
        "json-too-deep": "a segment is nested deeper than we read",
        "json-duplicate-name": "an object says the same name twice",
        "json-number": "a number is NaN or infinite",
        "json-surrogate": "a string holds half a character",
        "header-forbidden": "the header asks for what we never do (crit, b64, zip, cty, a key or a key's address)",
        "header-unknown": "the header has a member outside the closed set",
        "alg-missing": "the header names no algorithm",
        "alg-not-allowed": "the algorithm is not on the issuer's list in the policy",
        "typ-not-allowed": "the header's typ is that of something else than an access token",
        "kid-invalid": "the key id is not a short printable string",
        "kid-missing": "no key id, and the issuer has more than one key",
        "kid-unknown": "the issuer publishes no usable key of that id",
        "key-mismatch": "the key of that id is not for this algorithm",
        "signature-invalid": "the signature is not by the issuer's key",
        "issuer-missing": "no `iss`, or not a string",
        "issuer-unknown": "`iss` is none of the policy's issuers, byte for byte",
        "issuer-ambiguous": "`iss` stands more than once in the policy",
        "security-event": "a logout or security event, not an access token (`events`)",
        "id-token": "an ID token: it tells a client who signed in, it opens nothing (OIDC Core section 2)",
        "not-for-access": "it says itself that it is no access token (`token_use`, `token_type`, `typ`, `htm`)",
        "proof-missing": "bound to a key (`cnf`), and sent without proof of it",
        "aud-missing": "no `aud` (or the claim of `audience_from`): it could be for anybody",
        "aud-invalid": "`aud` is neither a string nor a list of strings (the claim of `audience_from`: no string)",
        "aud-mismatch": "meant for somebody else (`aud`, or the claim of `audience_from`)",
        "exp-missing": "no `exp`",
        "exp-invalid": "`exp` is not a date, or not after `iat`",
        "expired": "`exp` is past",
        "lifetime-too-long": "from now, or from `iat`, to `exp` is longer than any bearer may live",
        "nbf-invalid": "`nbf` is not a date",
        "not-yet-valid": "`nbf` is yet to come",
        "iat-missing": "no `iat`",
        "iat-invalid": "`iat` is not a date",
        "iat-future": "`iat` is yet to come",
        "too-old": "issued longer ago than the policy's `max_age`",
        "sub-missing": "no `sub`",
        "sub-invalid": "`sub` is not a short printable string",
        "jti-invalid": "`jti` is not a short printable string",
        "groups-overage": "the issuer left the groups out because they are too many (Entra ID)",
        "groups-invalid": "the groups are not in the form of the policy's `groups_as`, or not short printable strings",
        "groups-too-many": "more groups than we read",
        "context-invalid": "a claim of the policy's `context_from` is no short printable text, number or truth value",
        "check-broke": "a fault of our own while checking; refused to be safe",
        "cnf-invalid": "bound to a key in no way that we can ask a proof of (`cnf`)",
        "claim-mismatch": "a claim is not what the policy's `required_claims` says",
        "inactive": "its issuer, asked about it, did not call it active (RFC 7662)",
        "proof-not-bound": "sent under the DPoP scheme, but bound to no key: anybody could prove it",
        "proof-invalid": "the DPoP proof is not one, or not of now (RFC 9449 section 4.3)",
        "proof-mismatch": "the proof is by another key or certificate, or for another request or bearer",
        "proof-replayed": "the DPoP proof was used before",
        "proof-unverifiable": "the address that a DPoP proof is for cannot be compared (`phi_url` is not set)",
        "scope-invalid": "`scope` of a bearer of the gateway's own says something that is no model and no action",
        "uses-invalid": "`uses` of a bearer of the gateway's own is something else than 1",
        "revoked": "taken back, by itself or with all bearers of its subject",
    }
)
"""Every reason, each with its sentence for the engineer who asks why."""


class Introspection(Protocol):
    """Where, and as whom, an issuer is asked about bearers that are no JWT (RFC 7662)."""

    @property
    def url(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def credential(self) -> str: ...


class IssuerRule(Protocol):
    """An entry of the policy's `issuers`, as far as a bearer is concerned."""

    @property
    def issuer(self) -> str: ...
    @property
    def audience(self) -> tuple[str, ...]: ...
    @property
    def algorithms(self) -> tuple[str, ...]: ...
    @property
    def keys(self) -> str: ...
    @property
    def audience_from(self) -> str: ...
    @property
    def groups_from(self) -> tuple[str, ...]: ...
    @property
    def groups_as(self) -> str: ...
    @property
    def required_claims(self) -> Mapping[str, tuple[str, ...]]: ...
    @property
    def context_from(self) -> Mapping[str, str]: ...
    @property
    def max_age(self) -> timedelta | None: ...
    @property
    def leeway(self) -> timedelta: ...
    @property
    def proof(self) -> str: ...
    @property
    def introspect(self) -> Introspection | None: ...


@dataclass(frozen=True, slots=True)
class Believed:
    """What a bearer proved: issuer and subject (RFC 7519), their groups, and how long it holds."""

    issuer: str
    id: str
    groups: tuple[str, ...]
    expires: float
    """Seconds since the epoch: `exp`, or `iat` plus the policy's `max_age` if that is sooner."""
    issued: float
    jti: str | None = None
    bound: Mapping[str, str] = field(default_factory=dict)
    """The members of `cnf` that can be proven: `jkt` (RFC 9449), `x5t#S256` (RFC 8705)."""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All that was signed; never logged, never recorded."""
    context: tuple[tuple[str, str], ...] = ()
    """What it says of its occasion, by the names of the policy's `context_from`, in their order."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a bearer is not believed."""

    reason: Reason

    @property
    def public(self) -> Literal["bearer-missing", "bearer-refused"]:
        """The reason as its sender may learn it (RFC 6750 section 3.1): present but wrong has one name only."""
        return "bearer-missing" if self.reason == "bearer-missing" else "bearer-refused"


@dataclass(frozen=True, slots=True)
class KeysNeeded:
    """The bearer is well-formed so far, but the key it names is not among those at hand."""

    issuer: str
    kid: str | None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """We hold no usable keys of a known issuer: nobody's fault who sent a bearer, so the answer is 503."""

    issuer: str
    retry_after: int
    """Seconds, at least 1."""
    reason: Literal["keys-unavailable", "introspection-unavailable", "ledger-unavailable", "clock-astray"] = (
        "keys-unavailable"
    )
