"""Bearers just in time: issued, narrowed and taken back over HTTP, at the console's port (RFC 8693, 7522, 7009).

- Whatever is issued or taken back is on record, durably, before anybody is told; so is what a known subject is refused.
  Credentials that are not believed are counted, as they are at the gateway's own port.
- No bearer and no assertion is in an answer but the one that was issued; no value that was sent is in any.
- Every address comes from the desk; `Host` is never read.
"""

from __future__ import annotations

import asyncio
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import orjson
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from phigate.capture.record import revocation_record, token_record
from phigate.exchange import Subject
from phigate.gate.metadata import protected_resource
from phigate.identity import grants, mint, saml
from phigate.identity import scope as scopes
from phigate.identity.bearer import extract_from
from phigate.identity.claims import MAX_LIFETIME
from phigate.identity.grants import GrantFault, RevocationRequest, TokenRequest
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import PROOF_ALGORITHMS, Presented
from phigate.identity.saml import SamlRefused
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown, Revocation
from phigate.policy.words import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from phigate.identity.keyring import SigningKey
    from phigate.identity.verify import Known
    from phigate.journal.chain import Kind
    from phigate.ledger import GatewayKey

PATIENCE: Final = 10.0
"""Seconds that a caller may take to send a form."""
REMEMBER: Final = MAX_LIFETIME + 1800.0
"""Seconds that a revocation is kept: longer than any bearer is taken.

The policy's `leeway`, five minutes at most, counts three times: an issuer's clock is ahead, its bearer lives that much
longer than a day, and is taken that long after its end. Nor need the gateways' clocks be the same.
"""
RETRY: Final = 1
NOT_YET: Final = frozenset({"kid-unknown", "not-yet-valid", "iat-future"})
"""Why a bearer is not believed that may be in a moment: nobody is told that it was taken back."""
_FORM: Final = re.compile(r"application/x-www-form-urlencoded(?: *; *charset=(?:utf-8|\"utf-8\"))?", re.IGNORECASE)
_PUBLISHED: Final = {"cache-control": "public, max-age=300"}
_OWN: Final = {"cache-control": "no-store"}


class Issuing(Protocol):
    """What whoever issues a bearer asks of the house."""

    @property
    def url(self) -> str: ...
    @property
    def console(self) -> str: ...
    def jti(self) -> str: ...
    def signing_key(self, now: float) -> SigningKey: ...


class Desk(Issuing, Protocol):
    """What the endpoints ask of the house; `longest` and `issuers` are those of the policy in force.

    Of its methods those that ask the ledger raise LedgerDown, and `record` JournalDown or Unrecordable.
    """

    @property
    def longest(self) -> float: ...
    @property
    def issuers(self) -> frozenset[str]: ...
    def leeway(self, issuer: str) -> float: ...
    def now(self) -> float: ...
    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], presented: Presented, now: float
    ) -> Subject | Refused | Unavailable: ...
    async def present(self, bearer: str, presented: Presented, now: float) -> Subject | Refused | Unavailable: ...
    async def believe(self, bearer: str, now: float) -> Known | Refused | Unavailable: ...
    async def assertion(self, raw: bytes, now: float) -> Subject | SamlRefused | Refused | Unavailable: ...
    def may_revoke(self, subject: Subject, now: float) -> bool: ...
    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool: ...
    async def revoke(self, revocation: Revocation) -> int: ...
    async def keys(self, now: float) -> Sequence[GatewayKey]: ...
    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


def routes(desk: Desk) -> APIRouter:
    """The endpoints; each answers in JSON."""
    router = APIRouter()
    here = _Endpoints(desk)
    for method, path, endpoint in (
        ("POST", "/token", here.token),
        ("POST", "/revoke", here.revoke),
        ("GET", "/jwks.json", here.jwks),
        ("GET", "/.well-known/oauth-authorization-server", here.authorization_server),
        ("GET", "/.well-known/oauth-protected-resource", here.protected_resource),
    ):
        router.add_api_route(path, endpoint, methods=[method], include_in_schema=False, response_model=None)
    return router


UNAVAILABLE: Final = GrantFault("temporarily_unavailable", "unavailable", "This cannot be settled at the moment.", 503)
NOT_BELIEVED: Final = {
    "bearer": "The subject_token is not believed.",
    "assertion": "The assertion is not believed.",
}


@dataclass(frozen=True, slots=True)
class _Issued:
    minted: mint.Minted
    terms: mint.Terms


class _Endpoints:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # -- POST /token ------------------------------------------------------------------------------------------------

    async def token(self, request: Request) -> Response:
        try:
            return await self._token(request)
        except (LedgerDown, JournalDown, Unrecordable):
            return _fault(UNAVAILABLE)

    async def _token(self, request: Request) -> Response:
        desk, form = self._desk, await _read(request)
        asked = form if isinstance(form, GrantFault) else grants.read_token_request(form, desk.url)
        if isinstance(asked, GrantFault):
            desk.refused(_ip(request), asked.reason)
            return _fault(asked)
        now = desk.now()
        subject = await self._subject(asked, request, now)
        if isinstance(subject, GrantFault):
            return _fault(subject)
        outcome = await self._issue(asked, subject, now)
        await desk.record("token", _token_fields(outcome, asked, subject, _ip(request)))
        return _fault(outcome) if isinstance(outcome, GrantFault) else _issued(outcome, asked, now)

    async def _subject(self, asked: TokenRequest, request: Request, now: float) -> Subject | GrantFault:
        """Whose credential it is; one that is not believed is counted here."""
        proofs = tuple(request.headers.getlist("dpop"))
        found: Subject | Refused | SamlRefused | Unavailable
        if asked.kind == "assertion" and proofs:
            found = Refused("proof-not-bound")
        elif asked.kind == "assertion":
            raw = saml.decode_assertion(asked.credential)
            found = raw if isinstance(raw, SamlRefused) else await self._desk.assertion(raw, now)
        else:
            found = await self._desk.present(asked.credential, self._presented("/token", proofs), now)
        if isinstance(found, Subject):
            return found
        if isinstance(found, Unavailable):
            return UNAVAILABLE
        self._desk.refused(_ip(request), found.reason)
        if proofs and found.reason.startswith("proof-"):  # RFC 9449, 5
            return GrantFault("invalid_dpop_proof", found.reason, "The proof does not fit this request.")
        return GrantFault(asked.refused, found.reason, NOT_BELIEVED[asked.kind])

    async def _issue(self, asked: TokenRequest, subject: Subject, now: float) -> _Issued | GrantFault:
        desk = self._desk
        terms = grants.settle(asked, subject, desk.longest)
        if isinstance(terms, GrantFault):
            return terms
        minted = issued_to(desk, subject, terms, now)
        if minted == "expired":
            return GrantFault(asked.refused, "expired", NOT_BELIEVED[asked.kind])
        if isinstance(minted, str):
            return GrantFault(asked.refused, "too-large", "What it says of its subject is too long to be repeated.")
        if asked.kind == "assertion" and not await self._first(subject, now):
            return GrantFault(asked.refused, "assertion-replayed", NOT_BELIEVED[asked.kind])
        return _Issued(minted, terms)

    async def _first(self, subject: Subject, now: float) -> bool:
        """Spend an assertion (RFC 7522, 3); it is taken a little longer than it says, so remember it longer still."""
        once = f"{subject.issuer} {subject.jti}"
        return subject.jti is not None and await self._desk.spend(
            "assertion", once, max(subject.expires, now) + 2 * saml.LEEWAY, now
        )

    def _presented(self, path: str, proofs: tuple[str, ...]) -> Presented:
        return Presented(
            method="POST",
            url=self._desk.console + path,
            proof=proofs,
            certificate=None,
            scheme="dpop" if proofs else "bearer",
        )

    # -- POST /revoke -----------------------------------------------------------------------------------------------

    async def revoke(self, request: Request) -> Response:
        try:
            return await self._revoke(request)
        except (LedgerDown, JournalDown, Unrecordable):
            return _fault(UNAVAILABLE)

    async def _revoke(self, request: Request) -> Response:
        # The form first: whose bearer ends, or is taken back, while it comes slowly has asked for nothing. And what was
        # issued meanwhile is meant too.
        desk, form = self._desk, await _read(request)
        now, proofs = desk.now(), tuple(request.headers.getlist("dpop"))
        caller = await desk.verify(request.headers.raw, self._presented("/revoke", proofs), now)
        if isinstance(caller, Unavailable):
            return _fault(UNAVAILABLE)
        if isinstance(caller, Refused):
            desk.refused(_ip(request), caller.reason)
            return _unbelieved(caller)
        asked = form if isinstance(form, GrantFault) else grants.read_revocation(form)
        if isinstance(asked, GrantFault):
            return _fault(asked)
        # Whoever holds a bearer of ours is a subject of the provider that it was issued for, never of us.
        known = desk.issuers if asked.subject is None else desk.issuers - {desk.console}
        if asked.issuer is not None and asked.issuer not in known:
            return _fault(GrantFault("invalid_request", "issuer-unknown", "`issuer` is none of the policy's."))
        own = asked.bearer is not None and _is_own(asked.bearer, request)
        if not own and not self._may_revoke(caller, now):
            fields = _revocation_fields(caller, _ip(request), None, now, "denied")
            await desk.record("revocation", fields)
            return _beyond()
        found = _of(caller) if own else await self._found(asked, now)
        if isinstance(found, Unavailable):
            return _fault(UNAVAILABLE)
        if found is None:  # RFC 7009, 2.2: what is not known needs no taking back
            return _json({}, 200)
        return await self._take_back(found, caller, asked, _ip(request), now, own=own)

    def _may_revoke(self, caller: Subject, now: float) -> bool:
        """By a rule of the policy, within the bearer's own scope; a bearer for one use is for an exchange."""
        limits = caller.scope
        within = limits is None or scopes.allows(limits, frozenset({"revoke"}), None)
        return within and caller.uses is None and self._desk.may_revoke(caller, now)

    async def _found(self, asked: RevocationRequest, now: float) -> _Named | Unavailable | None:
        if asked.bearer is None:
            issuer = asked.issuer or self._desk.console
            # An issuer's clock may be ahead of ours: what it issued before now may say that it was later.
            return _Named(issuer, asked.subject, asked.jti, now + self._desk.leeway(issuer))
        known = await self._desk.believe(asked.bearer, now)
        if isinstance(known, Refused):
            return Unavailable("", RETRY) if known.reason in NOT_YET else None
        return known if isinstance(known, Unavailable) else _of(known.subject)

    async def _take_back(
        self, named: _Named, caller: Subject, asked: RevocationRequest, client_ip: str, now: float, *, own: bool
    ) -> Response:
        """The ledger first: what closes a door may go before its record, and what is recorded has happened."""
        reason = asked.reason or ("given-up" if own else "unspecified")
        await self._desk.revoke(
            Revocation(
                issuer=named.issuer,
                subject=named.subject,
                jti=named.jti,
                cut=named.cut,
                expires=now + REMEMBER,
                by=f"{caller.issuer} {caller.id}",
                reason=reason,
            )
        )
        await self._desk.record("revocation", _revocation_fields(caller, client_ip, named, now, reason))
        return _json({}, 200)

    # -- what is published ------------------------------------------------------------------------------------------

    async def jwks(self) -> Response:
        """The public keys of all gateways (RFC 7517), those among them that are not used yet."""
        try:
            keys = await self._desk.keys(self._desk.now())
        except LedgerDown:
            return _fault(UNAVAILABLE)
        return _json({"keys": [{**key.public, "kid": key.kid} for key in keys]}, 200, _PUBLISHED)

    async def authorization_server(self) -> Response:
        """Authorization Server Metadata (RFC 8414); there is no authorization endpoint, so no response type."""
        console = self._desk.console
        document = {
            "issuer": console,
            "token_endpoint": f"{console}/token",
            "revocation_endpoint": f"{console}/revoke",
            "jwks_uri": f"{console}/jwks.json",
            "grant_types_supported": [grants.EXCHANGE, grants.SAML_BEARER],
            "response_types_supported": [],
            "scopes_supported": [f"action:{action}" for action in sorted(ACTIONS)],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["Bearer", "DPoP"],
            "dpop_signing_alg_values_supported": sorted(PROOF_ALGORITHMS),
        }
        return _json(document, 200, _PUBLISHED)

    async def protected_resource(self) -> Response:
        """Protected Resource Metadata (RFC 9728), as the gateway's own port says it."""
        document = protected_resource(self._desk.url, self._desk.console)
        return Response(document, media_type="application/json", headers=_PUBLISHED)


def issued_to(
    desk: Issuing, subject: Subject, terms: mint.Terms, now: float
) -> mint.Minted | Literal["expired", "too-large"]:
    """Sign a bearer of the gateway's own for somebody who is believed, or say why there is none."""
    jti = desk.jti()
    claims = mint.claims_of(subject, terms, issuer=desk.console, audience=desk.url, now=now, jti=jti)
    if claims is None:
        return "expired"
    key = desk.signing_key(now)
    bearer = mint.signed(claims, key.kid, key.sign)
    return mint.Minted(bearer, jti, claims["exp"]) if bearer is not None else "too-large"


# -- what is revoked ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    """A bearer by its `jti`, or all of a subject's that were issued at or before `cut`."""

    issuer: str
    subject: str | None
    jti: str | None
    cut: float


def _of(subject: Subject) -> _Named:
    """The bearer behind a subject; one without `jti` has no name but its subject's and its date of issue."""
    if subject.jti is not None:
        return _Named(subject.signed_by or subject.issuer, None, subject.jti, subject.issued)
    return _Named(subject.issuer, subject.id, None, subject.issued)


def _is_own(bearer: str, request: Request) -> bool:
    """Whether this is the very bearer that stands in Authorization."""
    sent = extract_from(request.headers.raw)
    return not isinstance(sent, Refused) and hmac.compare_digest(bearer.encode(), sent.bearer.encode())


# -- records --------------------------------------------------------------------------------------------------------


def _token_fields(
    outcome: _Issued | GrantFault, asked: TokenRequest, subject: Subject, client_ip: str
) -> dict[str, Any]:
    if isinstance(outcome, GrantFault):
        return token_record(subject=subject, client_ip=client_ip, grant=asked.grant, reason=outcome.reason)
    terms = outcome.terms
    return token_record(
        subject=subject,
        client_ip=client_ip,
        grant=asked.grant,
        reason=None,
        jti=outcome.minted.jti,
        expires=outcome.minted.expires,
        scope=scopes.written(terms.scope) if terms.scope else None,
        uses=terms.uses,
        bound=[name for name, _ in terms.bound],
    )


def _revocation_fields(
    caller: Subject, client_ip: str, named: _Named | None, now: float, reason: str
) -> dict[str, Any]:
    """Of what was denied only who asked: whom they named could be anything."""
    fields = revocation_record(
        by=caller,
        client_ip=client_ip,
        issuer=named.issuer if named else "",
        subject=named.subject if named else None,
        jti=named.jti if named else None,
        cut=named.cut if named else now,
        reason=reason,
    )
    return fields | {"decision": "permit" if named else "deny"} | ({} if named else {"revoked": None})


# -- requests and answers -------------------------------------------------------------------------------------------


def _ip(request: Request) -> str:
    return request.client.host if request.client else ""


async def _read(request: Request) -> grants.Form | GrantFault:
    """The form, which is nowhere but in a body of the one type; never in the address, which others write down."""
    types = request.headers.getlist("content-type")
    if request.url.query or len(types) != 1 or not _FORM.fullmatch(types[0]) or "content-encoding" in request.headers:
        message = "Parameters are sent as application/x-www-form-urlencoded, in the body."
        return GrantFault("invalid_request", "request-malformed", message)
    raw = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for piece in request.stream():
                raw += piece
                if len(raw) > grants.MAX_FORM:
                    break
    except (TimeoutError, ClientDisconnect):
        return GrantFault("invalid_request", "request-unfinished", "The request did not arrive in time.", 408)
    return grants.read_form(bytes(raw))


def _json(document: Mapping[str, Any], status: int, headers: Mapping[str, str] = _OWN) -> Response:
    return Response(orjson.dumps(document), status, media_type="application/json", headers=dict(headers))


def _issued(outcome: _Issued, asked: TokenRequest, now: float) -> Response:
    """RFC 8693, 2.2.1; RFC 6749, 5.1."""
    terms, minted = outcome.terms, outcome.minted
    document: dict[str, Any] = {
        "access_token": minted.bearer,
        "token_type": "DPoP" if "jkt" in dict(terms.bound) else "Bearer",
        "expires_in": int(minted.expires - now),
    }
    if asked.grant == "token-exchange":
        document["issued_token_type"] = grants.ACCESS_TOKEN
    if terms.scope is not None:
        document["scope"] = scopes.written(terms.scope)
    return _json(document, 200)


def _fault(fault: GrantFault) -> Response:
    """RFC 6749, 5.2."""
    headers = {**_OWN, "retry-after": str(RETRY)} if fault.status == 503 else _OWN
    return _json({"error": fault.error, "error_description": fault.message}, fault.status, headers)


def _unbelieved(refused: Refused) -> Response:
    """RFC 6750, 3: what is wrong with a bearer is not told to whoever sent it."""
    missing = refused.public == "bearer-missing"
    challenge = 'Bearer realm="phigate"' + ("" if missing else ', error="invalid_token"')
    message = "A bearer is needed." if missing else "The bearer is not believed."
    document = {"error": "invalid_request" if missing else "invalid_token", "error_description": message}
    return _json(document, 401, {**_OWN, "www-authenticate": challenge})


def _beyond() -> Response:
    challenge = 'Bearer realm="phigate", error="insufficient_scope"'
    document = {"error": "insufficient_scope", "error_description": "No rule of the policy lets you take this back."}
    return _json(document, 403, {**_OWN, "www-authenticate": challenge})
