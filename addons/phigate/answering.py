"""Yes, no, taken back, signed: the one way to each of them, wherever people answer. Glue.

- The caller is somebody whose bearer, or what stands for it, was believed by whoever calls this: whom the policy lets
  `review`, and whose role the ticket names.
- A yes is on record before it counts; a grant whose record cannot be kept is taken back.
- What a request held is shown masked, only to those who may answer it or sent it; that they looked is on record.
- All of it raises No with the reason, LedgerDown, JournalDown or Unrecordable; nothing counts then.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from phigate.approval.refusals import No
from phigate.approval.tickets import answered, edited, may_answer, revoked, signed, weighed
from phigate.capture.approvals import grant_record, look_record, review_record, ticket_record
from phigate.exchange import ID
from phigate.identity import scope as scopes
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger.tickets import Said, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.exchange import Subject
    from phigate.journal.chain import Kind
    from phigate.ledger.approvals import Approvals
    from phigate.ledger.tickets import Review, Ticket
    from phigate.policy.schema import Policy

type Verdict = Literal["approve", "reject"]
type Via = Literal["console", "page", "slack", "mitmproxy"]
"""Where somebody answered."""

_NO_RULE: Final = "not-an-approver"


class Desk(Protocol):
    """What this asks of the house; `approvals` raises LedgerDown, `record` JournalDown or Unrecordable."""

    @property
    def policy(self) -> Policy: ...
    @property
    def approvals(self) -> Approvals: ...
    def now(self) -> float: ...
    def may_review(self, subject: Subject, now: float) -> bool: ...
    def revoked(self, subject: Subject) -> bool: ...
    def said(self) -> None: ...
    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who answers, from where (an address, empty where there is none), and by which way."""

    subject: Subject
    ip: str
    via: Via

    @property
    def person(self) -> tuple[str, str]:
        return self.subject.issuer, self.subject.id


class Answering:
    """What people may do about tickets and reviews; comments come masked, as they are kept."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def may_review(self, caller: Caller, now: float) -> bool:
        """By a rule of the policy, within the bearer's own scope."""
        limits = caller.subject.scope
        within = limits is None or scopes.allows(limits, frozenset({"review"}), None)
        return within and self._desk.may_review(caller.subject, now)

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def waiting(self, caller: Caller) -> list[Ticket]:
        """What waits for the caller's answer, and what they asked for themselves: to be listed, not shown."""
        now, roles = self._desk.now(), caller.subject.roles
        rules = [rule.name for rule in self._desk.policy.rules if not roles.isdisjoint(rule.approvers)]
        answerable = rules if self.may_review(caller, now) else []
        every = await self._desk.approvals.pending(now, rules=answerable, own=caller.person)
        known = [each for each in every if not edited(each, self._desk.policy)]
        return [self._weighed(each) for each in known if self._sees(each, caller, now)]

    async def see(self, ticket: str, caller: Caller) -> Ticket:
        """One ticket with what it holds; that somebody looked is on record first."""
        found = await self._ticket(ticket, caller, self._desk.now())
        await self._look(caller, "GET /tickets/ID", {"ticket": found.id, "exchange": found.exchange})
        return found

    async def answer(self, ticket: str, caller: Caller, verdict: Verdict, comment: str) -> Ticket:
        """Say yes or no; the ticket as it is then."""
        desk = self._desk
        now, grant = desk.now(), f"g-{secrets.token_hex(8)}"
        found = await self._ticket(ticket, caller, now)
        said = Said(caller.person, verdict, comment, now, groups=caller.subject.groups, via=caller.via)
        step = self._step(caller, said, grant)
        await self._refused(found, caller, step(found))
        await self._record(found, caller, verdict, comment=comment)
        after, made = await self._taken(found, caller, step, now)
        known = self._weighed(after)
        await self._on_record(known, made, caller)
        desk.said()
        return known

    async def could(self, ticket: str, caller: Caller) -> Ticket:
        """A ticket that the caller could say yes to now; where they could not it is as if they had said so."""
        found = await self._ticket(ticket, caller, self._desk.now())
        said = Said(caller.person, "approve", "", self._desk.now())
        await self._refused(found, caller, self._step(caller, said, "")(found))
        return found

    def _step(self, caller: Caller, said: Said, grant: str) -> Callable[[Ticket], Step | str]:
        def step(of: Ticket) -> Step | str:
            may = self.may_review(caller, said.at)
            known = self._weighed(of)
            return answered(known, self._desk.policy, caller.subject, said, grant=grant) if may else _NO_RULE

        return step

    async def _on_record(self, ticket: Ticket, made: Step, caller: Caller) -> None:
        """Record a grant, or take it back."""
        if made.grant is None:
            return
        try:
            given = grant_record(made.grant, ticket, caller.subject, caller.ip)
            await self._desk.record("grant", given)
        except (JournalDown, Unrecordable):
            await self._desk.approvals.answer(ticket.id, lambda _of: Step(None, "revoke"), self._desk.now())
            raise

    async def revoke(self, ticket: str, caller: Caller, comment: str) -> Ticket:
        """Take a request, or the yes to it, back; the ledger first, since that closes a door."""
        desk, now = self._desk, self._desk.now()
        found = await self._ticket(ticket, caller, now)

        def step(of: Ticket) -> Step | str:
            own = of.subject == caller.person
            return revoked(of, desk.policy, caller.subject, now) if own or self.may_review(caller, now) else _NO_RULE

        after, _ = await self._taken(found, caller, step, now)
        desk.said()
        await self._record(after, caller, "revoke", comment=comment)
        return after

    async def _taken(
        self, ticket: Ticket, caller: Caller, step: Callable[[Ticket], Step | str], now: float
    ) -> tuple[Ticket, Step]:
        made = await self._desk.approvals.answer(ticket.id, step, now)
        if made is None:
            raise No("unknown")
        if isinstance(made, str):
            await self._refused(ticket, caller, made)
            raise No(made)
        return made

    async def _refused(self, ticket: Ticket, caller: Caller, made: Step | str) -> None:
        """Put an answer on record that counts for nothing, and say why."""
        if isinstance(made, str):
            await self._record(ticket, caller, "deny", why=made)
            raise No(made)

    async def _record(self, ticket: Ticket, caller: Caller, done: Any, **more: Any) -> None:
        await self._desk.record(
            "ticket", ticket_record(ticket, caller.subject, caller.ip, done, via=caller.via, **more)
        )

    async def _ticket(self, name: str, caller: Caller, now: float) -> Ticket:
        """A ticket by its name, for those who may know of it."""
        ticket = await self._desk.approvals.ticket(name) if ID.fullmatch(name) else None
        if ticket is None or not self._sees(ticket, caller, now):
            raise No("unknown")
        return self._weighed(ticket)

    def _weighed(self, ticket: Ticket) -> Ticket:
        """With what counts today of what was said; the hours of a rule are those at which it was said."""
        desk = self._desk
        return weighed(ticket, desk.policy, lambda each: desk.may_review(each, each.issued) and not desk.revoked(each))

    def _sees(self, ticket: Ticket, caller: Caller, now: float) -> bool:
        if ticket.subject == caller.person:
            return True
        return self.may_review(caller, now) and may_answer(ticket, self._desk.policy, caller.subject.roles)

    # -- reviews ----------------------------------------------------------------------------------------------------

    async def reviews(self, caller: Caller) -> list[Review]:
        """The uses of break-glass that wait for the caller's review, with what was asked then, masked."""
        mine = await self.to_review(caller)
        if mine:
            await self._look(caller, "GET /reviews", {"exchanges": [each.exchange for each in mine]})
        return mine

    async def to_review(self, caller: Caller) -> list[Review]:
        """The same, to be listed, not shown."""
        every = await self._desk.approvals.open_reviews() if self.may_review(caller, self._desk.now()) else []
        return [each for each in every if not caller.subject.roles.isdisjoint(each.review_by)]

    async def see_review(self, exchange: str, caller: Caller) -> Review:
        """One of them with what was asked then; that somebody looked is on record first."""
        found = next((each for each in await self.to_review(caller) if each.exchange == exchange), None)
        if found is None:
            raise No("unknown")
        await self._look(caller, "GET /reviews/ID", {"exchange": found.exchange})
        return found

    async def sign(self, exchange: str, caller: Caller, verdict: Verdict, comment: str) -> Review:
        """Say whether a use of break-glass was an emergency; the review as it was before.

        The record first: whoever goes away in between leaves the review open, and no review is signed by nobody.
        """
        desk = self._desk
        said = Said(caller.person, verdict, comment, desk.now(), via=caller.via)
        review = await desk.approvals.review(exchange) if ID.fullmatch(exchange) else None
        if review is None or not self.may_review(caller, said.at):
            raise No("unknown")
        why = signed(review, caller.subject.roles, said)
        if why is None:
            made = review_record(review, caller.subject, caller.ip, verdict, comment, via=caller.via)
            await desk.record("review", made)
            why = None if await desk.approvals.sign_review(review.exchange, said) else "already-said"
        if why is not None:
            await self._look(caller, f"POST /reviews/ID/{verdict}", {"exchange": review.exchange}, why=why)
            raise No(why)
        return review

    async def _look(self, caller: Caller, command: str, about: dict[str, Any], *, why: str | None = None) -> None:
        await self._desk.record("look", look_record(caller.subject, caller.ip, command, about, via=caller.via, why=why))
