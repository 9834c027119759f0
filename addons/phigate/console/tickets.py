"""Where approvers answer: tickets and reviews over HTTP, at the console's port.

The caller's own bearer says who answers; what comes of it is `phigate.answering`. No value that was sent is in any
answer, but a comment, masked, once it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import orjson
from fastapi import APIRouter, Request, Response

from phigate.answering import Answering, Caller
from phigate.approval.refusals import No
from phigate.approval.tickets import MOST_COMMENT, hours_of
from phigate.console import callers, codes
from phigate.console.callers import believed, guarded, heard
from phigate.console.codes import Codes
from phigate.console.said import answer, ip_of

if TYPE_CHECKING:
    from phigate.answering import Verdict
    from phigate.ledger.tickets import Review, Said, Ticket
    from phigate.policy.schema import Policy


class Desk(codes.Desk, callers.Desk, Protocol):
    """What the endpoints ask of the house beside that."""

    def shown(self, text: str) -> str: ...


def routes(desk: Desk) -> APIRouter:
    """The endpoints; each answers in JSON."""
    router, here = APIRouter(), _Endpoints(desk)
    for method, path, endpoint in (
        ("GET", "/tickets", here.listed),
        ("GET", "/tickets/{name}", here.one),
        ("POST", "/tickets/{name}/approve", here.approve),
        ("POST", "/tickets/{name}/reject", here.reject),
        ("POST", "/tickets/{name}/revoke", here.revoke),
        ("POST", "/tickets/{name}/code", here.code),
        ("GET", "/reviews", here.reviews),
        ("POST", "/reviews/{name}/approve", here.justified),
        ("POST", "/reviews/{name}/reject", here.unjustified),
    ):
        router.add_api_route(path, guarded(endpoint), methods=[method], include_in_schema=False, response_model=None)
    return router


class _Endpoints:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._answering = Answering(desk)
        self._codes = Codes(desk, self._answering)

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def listed(self, request: Request) -> Response:
        """What waits for the caller's answer, and what they asked for themselves; without what it holds."""
        found = await self._answering.waiting(await self._caller(request))
        return answer({"tickets": [self._summary(each) for each in found]})

    async def one(self, request: Request) -> Response:
        ticket = await self._answering.see(_name(request), await self._caller(request))
        said = [spoken(each) for each in ticket.said]
        return answer(self._summary(ticket) | {"shown": dict(ticket.shown), "said": said})

    async def approve(self, request: Request) -> Response:
        return await self._answer(request, "approve")

    async def reject(self, request: Request) -> Response:
        return await self._answer(request, "reject")

    async def _answer(self, request: Request, verdict: Verdict) -> Response:
        caller, comment = await self._said(request)
        return answer(self._summary(await self._answering.answer(_name(request), caller, verdict, comment)))

    async def revoke(self, request: Request) -> Response:
        """Take a request, or the yes to it, back."""
        caller, comment = await self._said(request)
        return answer(self._summary(await self._answering.revoke(_name(request), caller, comment)))

    async def code(self, request: Request) -> Response:
        """A one-time code with which the caller answers this ticket in mitmproxy, where nobody can show a bearer."""
        return answer(await self._codes.give(_name(request), await self._caller(request)))

    def _summary(self, ticket: Ticket) -> dict[str, Any]:
        return summary(ticket, self._desk.policy, self._desk.now())

    # -- reviews ----------------------------------------------------------------------------------------------------

    async def reviews(self, request: Request) -> Response:
        """The uses of break-glass that wait for the caller's review, with what was asked then, masked."""
        found = await self._answering.reviews(await self._caller(request))
        return answer({"reviews": [_review(each) for each in found]})

    async def justified(self, request: Request) -> Response:
        return await self._sign(request, "approve")

    async def unjustified(self, request: Request) -> Response:
        return await self._sign(request, "reject")

    async def _sign(self, request: Request, verdict: Verdict) -> Response:
        caller, comment = await self._said(request)
        review = await self._answering.sign(_name(request), caller, verdict, comment)
        return answer({"exchange": review.exchange, "decision": verdict})

    # -- callers ----------------------------------------------------------------------------------------------------

    async def _caller(self, request: Request) -> Caller:
        return Caller(await believed(self._desk, request), ip_of(request), "console")

    async def _said(self, request: Request) -> tuple[Caller, str]:
        """Who answers, and what they have to say beside yes or no."""
        subject, raw = await heard(self._desk, request)
        return Caller(subject, ip_of(request), "console"), self._comment(raw)

    def _comment(self, raw: bytes) -> str:
        """A comment, masked: what is kept is never theirs alone to see."""
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


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def summary(ticket: Ticket, policy: Policy, now: float) -> dict[str, Any]:
    """A ticket without what it holds."""
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
        "approvals": {"needed": ticket.approvals, "given": len(ticket.agreed)},
        "grant": {
            "seconds": ticket.lasts,
            "uses": ticket.uses,
            "bound": ticket.bound,
            "hours": hours_of(ticket, policy),
        },
        "opened": ticket.opened,
        "until": ticket.until,
    }


def spoken(said: Said) -> dict[str, Any]:
    """What one person said of it."""
    by = {"issuer": said.by[0], "id": said.by[1]}
    return {"by": by, "verdict": said.verdict, "comment": said.comment, "at": said.at, "counts": said.counts}


def _review(review: Review) -> dict[str, Any]:
    asked = {"issuer": review.subject[0], "id": review.subject[1]}
    return {
        "exchange": review.exchange,
        "rule": review.rule,
        "asked_by": asked,
        "review_by": list(review.review_by),
        "opened": review.opened,
        "due": review.due,
        "shown": dict(review.shown),
    }
