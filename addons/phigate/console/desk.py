"""What the console's endpoints ask of the house, in one place: the shape is `console.tokens.Desk`."""

from __future__ import annotations

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from phigate import approvals
from phigate.approval.tickets import digest_of
from phigate.exchange import Subject
from phigate.identity import saml
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.saml import Asserted, SamlRefused, check_assertion
from phigate.ledger import LedgerDown
from phigate.policy.decide import Hold, Permit, PromptFacts, decide
from phigate.webhooks import answers_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from phigate.approval.tickets import Asking
    from phigate.exchange import Exchange, Refusal
    from phigate.house import House
    from phigate.identity.id_token import SignIn, Unfit
    from phigate.identity.keyring import SigningKey
    from phigate.identity.proof import Presented
    from phigate.identity.verify import Known
    from phigate.journal.chain import Kind
    from phigate.ledger import GatewayKey, Revocation
    from phigate.ledger.approvals import Approvals
    from phigate.ledger.codes import Codes
    from phigate.ledger.outbox import Notice
    from phigate.policy.schema import Policy


ASSERTIONS: Final = 8
"""Assertions that are checked, or wait for that, at once; anybody can send them, without any credential."""


class Desk:
    """The house, as far as bearers of its own are concerned; `count_refused` counts those that are not believed."""

    def __init__(self, house: House, url: str, console: str, count_refused: Callable[[str, str], None]) -> None:
        self._house = house
        self.url, self.console = url, console
        self._count_refused = count_refused
        self._checking = ThreadPoolExecutor(1, "assertions")
        self._waiting = 0

    @property
    def longest(self) -> float:
        return self._house.policy.tokens.lifetime.total_seconds()

    @property
    def issuers(self) -> frozenset[str]:
        policy = self._house.policy
        names = [*(rule.issuer for rule in policy.issuers), *(provider.entity_id for provider in policy.saml)]
        return frozenset([*names, self.console])

    def leeway(self, issuer: str) -> float:
        """Seconds by which an issuer's clock may be ahead of ours."""
        said = [rule.leeway.total_seconds() for rule in self._house.policy.issuers if rule.issuer == issuer]
        return max(said, default=saml.LEEWAY)

    def now(self) -> float:
        return time.time()

    def jti(self) -> str:
        return secrets.token_urlsafe(24)

    def signing_key(self, now: float) -> SigningKey:
        return self._house.agreement.keyring.active(now)

    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], presented: Presented, now: float
    ) -> Subject | Refused | Unavailable:
        return await self._house.verifier.verify(fields, presented, now)

    async def present(self, bearer: str, presented: Presented, now: float) -> Subject | Refused | Unavailable:
        return await self._house.verifier.present(bearer, presented, now)

    async def believe(self, bearer: str, now: float) -> Known | Refused | Unavailable:
        return await self._house.verifier.believe(bearer, now)

    async def assertion(self, raw: bytes, now: float) -> Subject | SamlRefused | Refused | Unavailable:
        found = await self._checked(raw, now)
        if not isinstance(found, Asserted):
            return found
        subject = self._subject(found)
        follow = self._house.agreement.follow
        if not follow.current:
            return Unavailable(subject.issuer, 1, follow.why)
        return Refused("revoked") if follow.revoked.covers(subject) else subject

    async def _checked(self, raw: bytes, now: float) -> Asserted | SamlRefused | Unavailable:
        """Hostile XML takes tens of milliseconds: nobody waits for it in the loop, or for a thread of the loop's own.

        One thread takes its turns with the loop's; several would take the interpreter for themselves.
        """
        if self._waiting >= ASSERTIONS:
            return Unavailable("", 1)
        self._waiting += 1
        try:
            said = raw, self._house.providers, f"{self.console}/token", now
            return await asyncio.get_running_loop().run_in_executor(self._checking, check_assertion, *said)
        finally:
            self._waiting -= 1

    def _subject(self, found: Asserted) -> Subject:
        return Subject(
            issuer=found.issuer,
            id=found.id,
            groups=found.groups,
            roles=self._house.policy.roles_of(found.groups),
            expires=found.expires,
            jti=found.assertion,
            issued=found.issued,
            signed_by=found.issuer,
        )

    def may_revoke(self, subject: Subject, now: float) -> bool:
        decision = decide(self._house.policy, subject, frozenset({"revoke"}), None, PromptFacts(), (), now)
        return isinstance(decision, Permit)

    @property
    def policy(self) -> Policy:
        return self._house.policy

    async def signed_in(self, id_token: str, wanted: SignIn, now: float) -> str | Unfit | Refused | Unavailable:
        return await self._house.verifier.signed_in(id_token, wanted, now)

    @property
    def digests(self) -> tuple[Callable[..., bytes], ...]:
        """Keyed hashes that all instances share, the one in use first."""
        return tuple(each.digest for each in self._house.secrets.every)

    def random(self, size: int) -> bytes:
        return secrets.token_bytes(size)

    @property
    def approvals(self) -> Approvals:
        return self._house.agreement.approvals

    @property
    def codes(self) -> Codes:
        return self._house.agreement.needed.codes

    def digest(self, code: str) -> bytes:
        """What is kept of a one-time code: under the gateways' key, which whoever reads the ledger has not."""
        return self._house.secrets.digest("code", code)

    def out(self, subject: Subject) -> bool:
        """Whether what somebody proved does not count any more; raises LedgerDown where nobody knows at the moment."""
        if not self._house.agreement.follow.current:
            raise LedgerDown("the ledger did not answer")
        return subject.issuer not in self.issuers or self.revoked(subject)

    def shown(self, text: str) -> str:
        return self._house.shown(text)

    def may_review(self, subject: Subject, now: float) -> bool:
        decision = decide(self._house.policy, subject, frozenset({"review"}), None, PromptFacts(), (), now)
        return isinstance(decision, Permit)

    def key(self, name: str) -> bytes:
        """A key of the gateways' own for one purpose."""
        return self._house.secrets.digest(name)

    def digest_of(self, asking: Asking) -> str:
        return digest_of(asking, self.key("ticket"))

    async def settle(self, exchange: Exchange, decision: Hold | Permit, facts: PromptFacts) -> Refusal | None:
        """Hold what was stated, or spend what lets it through; None where it may go on."""
        house, now = self._house, self.now()
        shown = approvals.told(house, exchange, facts, house.shown(exchange.target or ""), None)
        if isinstance(decision, Hold):
            return await approvals.hold(house, exchange, decision, facts.digest or "", shown, now)
        return await approvals.use(house, exchange, decision, shown, now) if approvals.asks(decision) else None

    def revoked(self, subject: Subject) -> bool:
        return self._house.agreement.follow.revoked.covers(subject)

    def said(self) -> None:
        """Somebody answered: whoever waits for that hears of it now."""
        self._house.holding.ask()

    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool:
        return await self._house.agreement.spend(kind, key, expires, now)

    async def revoke(self, revocation: Revocation) -> int:
        return await self._house.agreement.needed.revoke(revocation)

    async def keys(self, now: float) -> list[GatewayKey]:
        return await self._house.agreement.needed.keys(now)

    def signing(self, team: str) -> str | None:
        """What a Slack workspace of the policy signs with."""
        receiver = self._house.receivers.get(answers_to(team))
        return receiver.signing if receiver else None

    async def put(self, notices: Iterable[Notice]) -> None:
        """Keep what is to be told until it is; raises LedgerDown."""
        await self._house.agreement.needed.outbox.put(notices)

    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        await self._house.record(kind, fields)

    def refused(self, client_ip: str, reason: str) -> None:
        self._count_refused(client_ip, reason)
