"""Where pipelines state what they deploy by other ways than the gateway, and see what became of what they asked.

- A statement is decided by the policy as `manage-models` of that model, like a request that changes it, and is good for
  nothing else: its yes lets no request through, and no yes to a request is one to a statement.
- Stated again after the yes it is permitted once, on record, by whoever came with the same occasion (`context_from`).
- Who asked sees what became of it without what it holds, so that asking again and again fills no journal.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from fastapi import APIRouter, Request, Response

from phigate.access import replies
from phigate.access.deployment import deployment_of
from phigate.approval.refusals import No
from phigate.approval.tickets import Asking
from phigate.capture.deployments import deployment_record, outcome_record
from phigate.console import callers
from phigate.console.callers import believed, guarded, heard
from phigate.console.said import answer, ip_of
from phigate.console.signin import HOME
from phigate.console.tickets import spoken, summary
from phigate.exchange import ID, Exchange, Refusal
from phigate.gate.headers import reason_text
from phigate.identity import scope as scopes
from phigate.policy.decide import Deny, Hold, PromptFacts, decide
from phigate.policy.schema import Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.exchange import Deployment, Subject
    from phigate.journal.chain import Kind
    from phigate.ledger.approvals import Approvals
    from phigate.policy.decide import Permit
    from phigate.policy.schema import Policy

DEPLOYING: Final = 24 * 3600
"""Seconds in which a deployment tells how it ended."""
_ACTIONS: Final = frozenset({"manage-models"})
_STATED: Final = frozenset({"model", "version", "digest", "justification"})
_ENDED: Final = frozenset({"model", "version", "digest", "receipt", "code"})
_RECEIPT: Final = re.compile(r"([0-9]{1,12})\.[0-9a-f]{64}", re.ASCII)
_MALFORMED: Final = Refusal(
    400,
    "malformed",
    'A deployment is JSON: {"model": NAME, "version": V, "digest": HEX}, with "justification" if wanted.',
)


class Desk(callers.Desk, Protocol):
    """What this asks of the house; `approvals` and `settle` raise LedgerDown, `record` JournalDown or Unrecordable."""

    @property
    def policy(self) -> Policy: ...
    @property
    def approvals(self) -> Approvals: ...
    def key(self, name: str) -> bytes: ...
    def digest_of(self, asking: Asking) -> str: ...
    def shown(self, text: str) -> str: ...
    async def settle(self, exchange: Exchange, decision: Hold | Permit, facts: PromptFacts) -> Refusal | None: ...
    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool: ...
    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None: ...


def routes(desk: Desk) -> APIRouter:
    """The endpoints; each answers in JSON."""
    router, here = APIRouter(), _Endpoints(desk)
    for method, path, endpoint in (
        ("POST", "/deployments", here.state),
        ("POST", "/deployments/{name}/outcome", here.end),
        ("GET", "/tickets/{name}/state", here.look),
    ):
        router.add_api_route(path, guarded(endpoint), methods=[method], include_in_schema=False, response_model=None)
    return router


class _Endpoints:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def state(self, request: Request) -> Response:
        """A deployment: `permit` with a receipt, `hold` with a ticket, or why not."""
        subject, raw = await heard(self._desk, request)
        said = _document(raw, _STATED)
        found = self._exchange(request, subject, said, f"d-{secrets.token_hex(12)}")
        why = said.get("justification")
        reason = reason_text(why.encode()) if isinstance(why, str) else None
        if why is not None and reason is None:
            found = _MALFORMED
        return _refused(found) if isinstance(found, Refusal) else await self._decided(found, reason)

    async def _decided(self, exchange: Exchange, reason: str | None) -> Response:
        desk, subject, now = self._desk, _subject_of(exchange), self._desk.now()
        who = (subject.issuer, subject.id)
        asking = Asking(
            subject=who,
            method="",
            path="",
            upstream="",
            actions=exchange.actions,
            model=exchange.target,
            body=None,
            context=subject.context,
            deployment=exchange.deployment,
        )
        facts = PromptFacts(justification=reason, digest=desk.digest_of(asking))
        exchange.stated = facts.stated
        grants = [each for each in await desk.approvals.live_grants(who, now) if each.digest is not None]
        decision = decide(desk.policy, subject, exchange.actions, exchange.target, facts, grants, now)
        exchange.policy = desk.policy.sha256
        if isinstance(decision, Hold) and decision.terms is not None:
            # Else a yes to this one would be one to any other, and to requests, for as long as the rule says.
            once = decision.terms.model_copy(update={"uses": 1, "bind": "request"})
            decision = replace(decision, terms=once, bound=True)
        exchange.decision = decision
        if isinstance(decision, Deny):
            await self._record(exchange)
            return _refused(replies.denied(decision))
        refusal = await desk.settle(exchange, decision, facts)
        if refusal is None:
            await self._record(exchange)
            receipt = self._receipt(exchange, int(now) + DEPLOYING)
            return answer({"decision": "permit", "deployment": exchange.id, "receipt": receipt})
        if refusal.decision == "hold" and exchange.ticket is not None:
            return answer({"decision": "hold", "ticket": exchange.ticket, "message": refusal.message})
        return _refused(refusal)

    async def end(self, request: Request) -> Response:
        """How a deployment ended, once, by whoever has its receipt."""
        desk = self._desk
        subject, raw = await heard(desk, request)
        said, now = _document(raw, _ENDED), desk.now()
        name, code, receipt = request.path_params["name"], said.get("code"), said.get("receipt")
        found = self._exchange(request, subject, said, name) if ID.fullmatch(name) else _MALFORMED
        if isinstance(found, Refusal):
            return _refused(found)
        shape = _RECEIPT.fullmatch(receipt) if isinstance(receipt, str) else None
        if type(code) is not int or not 0 <= code <= 255 or shape is None or not isinstance(receipt, str):
            return _refused(_MALFORMED)
        until = int(shape[1])
        if not hmac.compare_digest(self._receipt(found, until), receipt) or until <= now:
            raise No("unknown")
        if not await desk.spend("deployment", receipt, until, now):
            raise No("already-said")
        found.target = desk.shown(found.target or "")
        await desk.record("deployment", outcome_record(found, code))
        return answer({"deployment": found.id, "outcome": "failed" if code else "succeeded"})

    async def look(self, request: Request) -> Response:
        """What became of a ticket, for who asked: without what it holds, and on no record."""
        subject, name = await believed(self._desk, request), request.path_params["name"]
        ticket = await self._desk.approvals.ticket(name) if ID.fullmatch(name) else None
        if ticket is None or ticket.subject != (subject.issuer, subject.id):
            raise No("unknown")
        page = {"page": f"{self._desk.console}{HOME}/tickets/{ticket.id}"} if self._desk.policy.sign_in else {}
        said = [spoken(each) for each in ticket.said]
        return answer(summary(ticket, self._desk.policy, self._desk.now()) | {"said": said, **page})

    def _exchange(self, request: Request, subject: Subject, said: Mapping[str, Any], name: str) -> Exchange | Refusal:
        """A statement as what the policy is asked about."""
        model, deployment = said.get("model"), deployment_of(said.get("version"), said.get("digest"))
        if not isinstance(model, str) or deployment is None:
            return _MALFORMED
        target = self._desk.policy.resolve(model)
        if not isinstance(target, Target):
            return replies.fault(404, target.reason)
        if subject.scope is not None and not scopes.allows(subject.scope, _ACTIONS, target.name):
            return replies.BEYOND
        return _stated(name, self._desk.now(), ip_of(request), subject, target.name, deployment)

    async def _record(self, exchange: Exchange) -> None:
        fields = deployment_record(exchange, exchange.policy or self._desk.policy.sha256)
        await self._desk.record("deployment", fields | {"model": self._desk.shown(exchange.target or "")})

    def _receipt(self, exchange: Exchange, until: int) -> str:
        """What only this gateway's secrets make of who deploys what, until when."""
        subject = _subject_of(exchange)
        of = [exchange.id, subject.issuer, subject.id, subject.context, exchange.target, exchange.deployment, until]
        return f"{until}.{hmac.digest(self._desk.key('deployment'), orjson.dumps(of), 'sha256').hex()}"


def _stated(  # noqa: PLR0917 -- one of each
    name: str, now: float, ip: str, subject: Subject, target: str, deployment: Deployment
) -> Exchange:
    return Exchange(
        name,
        now,
        client_ip=ip,
        method="POST",
        path="/deployments",
        route="deployment",
        actions=_ACTIONS,
        target=target,
        subject=subject,
        deployment=deployment,
    )


def _subject_of(exchange: Exchange) -> Subject:
    if exchange.subject is None:
        raise ValueError("no subject")
    return exchange.subject


def _document(raw: bytes, members: frozenset[str]) -> Mapping[str, Any]:
    """A small JSON object of these members, or an empty one."""
    try:
        said = orjson.loads(raw)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.keys() <= members else {}


def _refused(refusal: Refusal) -> Response:
    headers = {"cache-control": "no-store", **refusal.headers}
    if refusal.retry_after is not None:
        headers["retry-after"] = str(refusal.retry_after)
    error = {"code": refusal.reason, "message": refusal.message}
    return answer({"error": error}, refusal.status, headers)
