"""Who looks at the page: signed in at the policy's issuer, then by a bearer of the gateway's own in a cookie.

- What the issuer gives is verified as any bearer is, and its ID token too; both are of one subject.
- The cookie holds a bearer that this subject could have had by `POST /token`, for `review` only and as short: any
  instance knows it, whatever is taken back takes it back, and nothing of a session is kept here.
- A sign-in under way is kept by the browser, sealed, and counts once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from phigate.answering import Caller
from phigate.capture.record import revocation_record, token_record
from phigate.console import signin, tokens
from phigate.console.page.guard import LONGEST_COOKIE, Place, Tokens
from phigate.console.sealed import NONCE, Sealed
from phigate.console.signin import CALLBACK, LASTS, Back, Begun, NotBack
from phigate.exchange import Scope, Subject
from phigate.identity import scope as scopes
from phigate.identity.grants import GrantFault, TokenRequest, settle
from phigate.identity.id_token import SignIn
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.identity.strict import to_base64url
from phigate.ledger import Revocation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.console.provider import Provider
    from phigate.identity.id_token import Unfit
    from phigate.identity.mint import Minted
    from phigate.journal.chain import Kind
    from phigate.policy.schema import Policy

COOKIE: Final = "phi-session"
MOST_BEGUN: Final = 8
"""Sign-ins under way in one browser."""
REVIEW: Final = Scope(frozenset(), frozenset({"review"}))


class Desk(tokens.Issuing, Protocol):
    """What signing in asks of the house; `spend` and `revoke` raise LedgerDown, `record` what the journal raises."""

    @property
    def policy(self) -> Policy: ...
    @property
    def longest(self) -> float: ...
    @property
    def digests(self) -> tuple[Callable[..., bytes], ...]: ...
    def random(self, size: int) -> bytes: ...
    def now(self) -> float: ...
    async def signed_in(self, id_token: str, wanted: SignIn, now: float) -> str | Unfit | Refused | Unavailable: ...
    async def present(self, bearer: str, presented: Presented, now: float) -> Subject | Refused | Unavailable: ...
    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool: ...
    async def revoke(self, revocation: Revocation) -> int: ...
    async def record(self, kind: Kind, fields: Mapping[str, object]) -> None: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Entered:
    """Somebody is signed in: the cookies to set, and the place to go to."""

    place: str
    cookies: tuple[str, ...]


class Session:
    """The sign-ins of one console."""

    def __init__(self, desk: Desk, provider: Provider) -> None:
        self._desk, self._provider = desk, provider
        self.place = Place(desk.console)

    @property
    def tokens(self) -> Tokens:
        """What stands in forms."""
        return Tokens(self._desk.digests)

    # -- who it is --------------------------------------------------------------------------------------------------

    async def caller(self, cookies: Mapping[str, str], ip: str) -> Caller | Refused | Unavailable:
        """Who has this cookie; Refused says `bearer-missing` where there is none, `expired` where it is over."""
        bearer, desk = cookies.get(self.place.cookie(COOKIE), ""), self._desk
        if not bearer:
            return Refused("bearer-missing")
        found = await desk.present(bearer, Presented("GET"), desk.now())
        if isinstance(found, Refused) and found.reason != "expired":
            desk.refused(ip, found.reason)
        if not isinstance(found, Subject):
            return found
        # A bearer of somebody else's making, or for more than this, is none of the page's.
        own = found.signed_by == desk.console and found.scope == REVIEW and found.uses is None
        return Caller(found, ip, "page") if own and found.jti else Refused("scope-invalid")

    async def leave(self, caller: Caller) -> str:
        """Take the bearer in the cookie back; gives the header field that drops it."""
        desk, subject = self._desk, caller.subject
        now, person, why = desk.now(), f"{subject.issuer} {subject.id}", "signed-out"
        gone = Revocation(
            issuer=desk.console,
            subject=None,
            jti=subject.jti,
            cut=now,
            expires=now + tokens.REMEMBER,
            by=person,
            reason=why,
        )
        await desk.revoke(gone)
        fields = revocation_record(
            by=subject, client_ip=caller.ip, issuer=desk.console, subject=None, jti=subject.jti, cut=now, reason=why
        )
        await desk.record("revocation", fields | {"decision": "permit"})
        return self.forgotten(COOKIE, "Strict")

    def forgotten(self, name: str, same_site: str) -> str:
        return self.place.set(name, "", same_site=same_site, lasts=0)

    # -- to the issuer ----------------------------------------------------------------------------------------------

    async def begin(self, place: str, *, anew: bool) -> tuple[str, str] | NotBack:
        """Where to sign in (`anew`: also who is still signed in there), and the cookie to set for it."""
        desk, rule = self._desk, self._desk.policy.sign_in
        if rule is None:
            return NotBack("not-set-up")
        where = await self._provider.endpoints(rule.issuer)
        if where is None:
            return NotBack("provider-down", place)
        state, nonce, verifier = (to_base64url(desk.random(32)) for _ in range(3))
        begun = Begun(state, nonce, verifier, rule.issuer, rule.client_id, place, desk.now() + LASTS)
        name = signin.cookie_of(state)
        kept = Sealed(desk.digests).close(name, begun.written(), desk.random(NONCE))
        # `Strict` would keep it from the way back, which begins at the issuer.
        cookie = self.place.set(name, kept, same_site="Lax", lasts=int(LASTS))
        return signin.authorization(begun, where, rule, desk.console + CALLBACK, anew=anew), cookie

    def abandoned(self, cookies: Mapping[str, str]) -> list[str]:
        """What drops the sign-ins under way where they are many: a browser sends all of them with each request."""
        begun = [name for name in cookies if name.startswith(self.place.cookie(signin.BEGUN))]
        short = [name.removeprefix(self.place.cookie("")) for name in begun]
        return [self.forgotten(name, "Lax") for name in short] if len(short) >= MOST_BEGUN else []

    # -- and back ---------------------------------------------------------------------------------------------------

    async def enter(self, answer: Mapping[str, str], cookies: Mapping[str, str], ip: str) -> Entered | NotBack:
        """Believe, or not, somebody who came back from the issuer."""
        desk, rule, now = self._desk, self._desk.policy.sign_in, self._desk.now()
        if rule is None:
            return NotBack("not-set-up")
        name = signin.cookie_of(answer.get("state", ""))
        begun = signin.read_begun(Sealed(desk.digests).open(name, cookies.get(self.place.cookie(name), "")))
        where = await self._provider.endpoints(rule.issuer) if begun else None
        if begun and where is None:
            return NotBack("provider-down", begun.place)
        came = signin.back(answer, begun, rule, says_who=bool(where and where.says_who), now=now)
        if isinstance(came, NotBack) or where is None:
            return came if isinstance(came, NotBack) else NotBack("not-begun")
        if not await desk.spend("sign-in", came.begun.state, came.begun.until, now):
            return NotBack("spent", came.begun.place)
        given = await self._provider.redeem(rule, where, signin.code_form(came, rule, desk.console + CALLBACK))
        found = given if isinstance(given, str) else signin.tokens_of(given) or "token-malformed"
        if isinstance(found, str):
            return NotBack(found, came.begun.place)
        subject = await self._believed(*found, came, ip)
        if isinstance(subject, NotBack):
            return subject
        return await self._entered(subject, came, ip)

    async def _believed(self, bearer: str, id_token: str, came: Back, ip: str) -> Subject | NotBack:
        """Whom bearer and ID token prove, if they prove the same one."""
        desk, begun, now = self._desk, came.begun, self._desk.now()
        who = await desk.signed_in(id_token, SignIn(begun.issuer, begun.client_id, begun.nonce), now)
        if isinstance(who, Unavailable):
            return NotBack("provider-down", begun.place)
        if not isinstance(who, str):
            desk.refused(ip, who.reason)
            return NotBack("not-believed", begun.place)
        subject = await desk.present(bearer, Presented("GET", desk.console + CALLBACK), now)
        if isinstance(subject, Unavailable):
            return NotBack("unavailable", begun.place)
        if isinstance(subject, Refused) or (subject.issuer, subject.id) != (begun.issuer, who):
            desk.refused(ip, subject.reason if isinstance(subject, Refused) else "id-token-of-another")
            return NotBack("not-believed", begun.place)
        return subject

    async def _entered(self, subject: Subject, came: Back, ip: str) -> Entered | NotBack:
        minted = self._minted(subject)
        reason = minted if isinstance(minted, str) else None
        await self._desk.record(
            "token",
            token_record(
                subject=subject,
                client_ip=ip,
                grant="sign-in",
                reason=reason,
                jti=None if isinstance(minted, str) else minted.jti,
                expires=None if isinstance(minted, str) else minted.expires,
                scope=scopes.written(REVIEW),
            ),
        )
        if isinstance(minted, str):
            return NotBack("too-many-groups" if minted == "too-large" else "not-believed", came.begun.place)
        kept = self.place.set(COOKIE, minted.bearer, same_site="Strict")
        return Entered(came.begun.place, (kept, self.forgotten(signin.cookie_of(came.begun.state), "Lax")))

    def _minted(self, subject: Subject) -> Minted | str:
        """A bearer for the cookie, of the groups that the policy knows: a browser keeps no long ones."""
        desk = self._desk
        known = replace(subject, groups=tuple(each for each in subject.groups if each in desk.policy.group_roles))
        terms = settle(TokenRequest("token-exchange", "bearer", "", REVIEW), known, desk.longest)
        if isinstance(terms, GrantFault):
            return terms.reason
        minted = tokens.issued_to(desk, known, terms, desk.now())
        return minted if isinstance(minted, str) or len(minted.bearer) <= LONGEST_COOKIE else "too-large"
