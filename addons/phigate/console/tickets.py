"""Where approvers answer: tickets and reviews over HTTP, at the console's port.

- The caller's own bearer says who answers: whom the policy lets `review`, and whose role the ticket names.
- A yes is on record before it counts; a grant whose record cannot be kept is taken back.
- What a request held is shown masked, only to those who may answer it or sent it, and that somebody did is on record.
- No value that was sent is in any answer, but a comment, masked, once it is kept.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from fastapi import APIRouter, Request, Response

from phigate.approval.tickets import MOST_COMMENT, answered, may_answer, revoked, signed
from phigate.capture.approvals import grant_record, look_record, review_record, ticket_record
from phigate.console.said import No, answer, fault, ip_of, read
from phigate.identity import scope as scopes
from phigate.identity.outcome import Refused, Unavailable
from phigate.identity.proof import Presented
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.ledger.tickets import Said, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from phigate.exchange import Subject
    from phigate.journal.chain import Kind
    from phigate.ledger.approvals import Approvals
    from phigate.ledger.tickets import Review, Ticket
    from phigate.policy.schema import Policy

_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)


class Desk(Protocol):
    """What the endpoints ask of the house; `approvals` raises LedgerDown, `record` JournalDown or Unrecordable."""

    @property
    def console(self) -> str: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def approvals(self) -> Approvals: ...
    def now(self) -> float: ...
    def shown(self, text: str) -> str: ...
    def may_review(self, subject: Subject, now: float) -> bool: ...
    async def verify(
        self, fields: Iterable[tuple[bytes, bytes]], presented: Presented, now: float
    ) -> Subject | Refused | Unavailable: ...
    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None: ...
    def refused(self, client_ip: str, reason: str) -> None: ...


def routes(desk: Desk) -> APIRouter:
    """The endpoints; each answers in JSON."""
    router, here = APIRouter(), _Endpoints(desk)
    for method, path, endpoint in (
        ("GET", "/tickets", here.listed),
        ("GET", "/tickets/{name}", here.one),
        ("POST", "/tickets/{name}/approve", here.approve),
        ("POST", "/tickets/{name}/reject", here.reject),
        ("POST", "/tickets/{name}/revoke", here.revoke),
        ("GET", "/reviews", here.reviews),
        ("POST", "/reviews/{name}/approve", here.justified),
        ("POST", "/reviews/{name}/reject", here.unjustified),
    ):
        router.add_api_route(path, _guarded(endpoint), methods=[method], include_in_schema=False, response_model=None)
    return router


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def asked(request: Request) -> Response:
        try:
            return await endpoint(request)
        except No as no:
            return fault(no.reason)
        except (LedgerDown, JournalDown, Unrecordable):
            return fault("unavailable")

    return asked


class _Endpoints:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def listed(self, request: Request) -> Response:
        """What waits for the caller's answer, and what they asked for themselves; without what it holds."""
        caller, now = await self._caller(request)
        rules = [rule.name for rule in self._desk.policy.rules if not caller.roles.isdisjoint(rule.approvers)]
        answerable = rules if self._reviews(caller, now) else []
        every = await self._desk.approvals.pending(now, rules=answerable, own=(caller.issuer, caller.id))
        return answer({"tickets": [_summary(each, now) for each in every if self._sees(each, caller, now)]})

    async def one(self, request: Request) -> Response:
        caller, now = await self._caller(request)
        ticket = await self._ticket(request, caller, now)
        about = {"ticket": ticket.id, "exchange": ticket.exchange}
        await self._desk.record("look", look_record(caller, ip_of(request), "GET /tickets/ID", about))
        return answer(
            _summary(ticket, now) | {"shown": dict(ticket.shown), "said": [_heard(each) for each in ticket.said]}
        )

    async def approve(self, request: Request) -> Response:
        return await self._answer(request, "approve")

    async def reject(self, request: Request) -> Response:
        return await self._answer(request, "reject")

    async def _answer(self, request: Request, verdict: Any) -> Response:
        desk = self._desk
        caller, _ = await self._caller(request)
        comment = await self._comment(request)
        now, grant = desk.now(), f"g-{secrets.token_hex(8)}"
        ticket = await self._ticket(request, caller, now)
        said = Said((caller.issuer, caller.id), verdict, comment, now)

        def step(of: Ticket) -> Step | str:
            return answered(of, desk.policy, caller, said, grant=grant) if self._reviews(caller, now) else _NO_RULE

        await self._refused(ticket, caller, request, step(ticket))
        await desk.record("ticket", ticket_record(ticket, caller, ip_of(request), verdict, comment=comment))
        after, made = await self._taken(ticket, caller, request, step, now)
        if made.grant is not None:
            await self._on_record(after, made, caller, request)
        return answer(_summary(after, now))

    async def _on_record(self, ticket: Ticket, made: Step, caller: Subject, request: Request) -> None:
        """Record a grant, or take it back."""
        if made.grant is None:
            return
        try:
            await self._desk.record("grant", grant_record(made.grant, ticket, caller, ip_of(request)))
        except (JournalDown, Unrecordable):
            await self._desk.approvals.answer(ticket.id, lambda _of: Step(None, "revoke"), self._desk.now())
            raise

    async def revoke(self, request: Request) -> Response:
        """Take a request, or the yes to it, back; the ledger first, since that closes a door."""
        desk = self._desk
        caller, now = await self._caller(request)
        comment = await self._comment(request)
        ticket = await self._ticket(request, caller, now)

        def step(of: Ticket) -> Step | str:
            own = of.subject == (caller.issuer, caller.id)
            return revoked(of, desk.policy, caller, now) if own or self._reviews(caller, now) else _NO_RULE

        after, _ = await self._taken(ticket, caller, request, step, now)
        await desk.record("ticket", ticket_record(after, caller, ip_of(request), "revoke", comment=comment))
        return answer(_summary(after, now))

    async def _taken(
        self, ticket: Ticket, caller: Subject, request: Request, step: Callable[[Ticket], Step | str], now: float
    ) -> tuple[Ticket, Step]:
        made = await self._desk.approvals.answer(ticket.id, step, now)
        if made is None:
            raise No("unknown")
        if isinstance(made, str):
            await self._refused(ticket, caller, request, made)
            raise No(made)
        return made

    async def _refused(self, ticket: Ticket, caller: Subject, request: Request, made: Step | str) -> None:
        """Put an answer on record that counts for nothing, and say why."""
        if isinstance(made, str):
            await self._desk.record("ticket", ticket_record(ticket, caller, ip_of(request), "deny", why=made))
            raise No(made)

    async def _ticket(self, request: Request, caller: Subject, now: float) -> Ticket:
        """The ticket that the address names, for those who may know of it."""
        name = request.path_params["name"]
        ticket = await self._desk.approvals.ticket(name) if _ID.fullmatch(name) else None
        if ticket is None or not self._sees(ticket, caller, now):
            raise No("unknown")
        return ticket

    def _sees(self, ticket: Ticket, caller: Subject, now: float) -> bool:
        own = ticket.subject == (caller.issuer, caller.id)
        return own or (self._reviews(caller, now) and may_answer(ticket, self._desk.policy, caller.roles))

    # -- reviews ----------------------------------------------------------------------------------------------------

    async def reviews(self, request: Request) -> Response:
        """The uses of break-glass that wait for the caller's review, with what was asked then, masked."""
        caller, now = await self._caller(request)
        every = await self._desk.approvals.open_reviews() if self._reviews(caller, now) else []
        mine = [each for each in every if not caller.roles.isdisjoint(each.review_by)]
        about = {"exchanges": [each.exchange for each in mine]}
        if mine:
            await self._desk.record("look", look_record(caller, ip_of(request), "GET /reviews", about))
        return answer({"reviews": [_review(each) for each in mine]})

    async def justified(self, request: Request) -> Response:
        return await self._sign(request, "approve")

    async def unjustified(self, request: Request) -> Response:
        return await self._sign(request, "reject")

    async def _sign(self, request: Request, verdict: Any) -> Response:
        desk = self._desk
        caller, _ = await self._caller(request)
        said = Said((caller.issuer, caller.id), verdict, await self._comment(request), desk.now())
        name = request.path_params["name"]
        review = await desk.approvals.review(name) if _ID.fullmatch(name) else None
        if review is None or not self._reviews(caller, said.at):
            raise No("unknown")
        why = signed(review, caller.roles, said)
        if why is None and not await desk.approvals.sign_review(review.exchange, said):
            why = "already-said"
        if why is not None:
            about = {"exchange": review.exchange}
            await desk.record(
                "look", look_record(caller, ip_of(request), f"POST /reviews/ID/{verdict}", about, why=why)
            )
            raise No(why)
        await desk.record("review", review_record(review, caller, ip_of(request), verdict, said.comment))
        return answer({"exchange": review.exchange, "decision": verdict})

    # -- callers ----------------------------------------------------------------------------------------------------

    async def _caller(self, request: Request) -> tuple[Subject, float]:
        """Who asks, by a bearer that is for more than one exchange."""
        desk, now = self._desk, self._desk.now()
        proofs = tuple(request.headers.getlist("dpop"))
        presented = Presented(
            method=request.method,
            url=desk.console + request.scope["path"],
            proof=proofs,
            certificate=None,
            scheme="dpop" if proofs else "bearer",
        )
        found = await desk.verify(request.headers.raw, presented, now)
        if isinstance(found, Unavailable):
            raise No("unavailable")
        if isinstance(found, Refused):
            desk.refused(ip_of(request), found.reason)
            raise No("bearer-missing" if found.public == "bearer-missing" else "bearer-refused")
        if found.uses is not None:
            raise No(_NO_RULE)
        return found, now

    def _reviews(self, caller: Subject, now: float) -> bool:
        """By a rule of the policy, within the bearer's own scope."""
        limits = caller.scope
        within = limits is None or scopes.allows(limits, frozenset({"review"}), None)
        return within and self._desk.may_review(caller, now)

    async def _comment(self, request: Request) -> str:
        """What somebody has to say beside yes or no, masked: what is kept is never theirs alone to see."""
        raw = await read(request)
        if not raw:
            return ""
        try:
            said = orjson.loads(raw)
        except ValueError:
            raise No("malformed") from None
        comment = said.get("comment", "") if isinstance(said, dict) and said.keys() <= {"comment"} else None
        if not isinstance(comment, str) or len(comment) > MOST_COMMENT or not comment.isprintable():
            raise No("malformed")
        return self._desk.shown(comment) if comment else ""


_NO_RULE: Final = "not-an-approver"


def _summary(ticket: Ticket, now: float) -> dict[str, Any]:
    return {
        "ticket": ticket.id,
        "state": ticket.stands(now),
        "exchange": ticket.exchange,
        "asked_by": {"issuer": ticket.subject[0], "id": ticket.subject[1]},
        "rule": ticket.rule,
        "actions": sorted(ticket.actions),
        "model": ticket.shown.get("model"),
        "digest": ticket.digest,
        "approvers": list(ticket.approvers),
        "approvals": {"needed": ticket.approvals, "given": sum(said.verdict == "approve" for said in ticket.said)},
        "grant": {"seconds": ticket.lasts, "uses": ticket.uses, "bound": ticket.bound},
        "opened": ticket.opened,
        "until": ticket.until,
    }


def _heard(said: Said) -> dict[str, Any]:
    by = {"issuer": said.by[0], "id": said.by[1]}
    return {"by": by, "verdict": said.verdict, "comment": said.comment, "at": said.at}


def _review(review: Review) -> dict[str, Any]:
    asked = {"issuer": review.subject[0], "id": review.subject[1]}
    return {
        "exchange": review.exchange,
        "rule": review.rule,
        "asked_by": asked,
        "review_by": list(review.review_by),
        "opened": review.opened,
        "shown": dict(review.shown),
    }
