"""What comes of a decision that needs somebody else: a ticket, a use that is spent, an emergency on record. Glue.

- A use is spent in the ledger before the request goes on, and it stays spent whatever happens to the request then.
- Nothing passes by break-glass that is not on record, durably, with a review open for it.
- Where ledger or journal do not do what is asked nothing passes.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets as randomness
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from phigate.approval import replies
from phigate.approval.tickets import opened
from phigate.capture.approvals import break_glass_record, ticket_record
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.ledger.tickets import Review, Step
from phigate.policy.decide import Hold, Permit

if TYPE_CHECKING:
    from phigate.exchange import Exchange, Refusal
    from phigate.house import House
    from phigate.policy.decide import PromptFacts

MOST_SHOWN: Final = 256 * 1024
"""Characters of a masked prompt that a ticket holds; of a longer one approvers see that it is."""

_MARKS: Final = re.compile(r"[\W_]+")


def asks(decision: object) -> bool:
    """Whether a decision is one of those that this file is about."""
    if isinstance(decision, Permit):
        return bool(decision.grants) or decision.verb == "break_glass"
    return isinstance(decision, Hold)


def told(house: House, exchange: Exchange, facts: PromptFacts, model: str | None, prompt: Any) -> dict[str, Any]:
    """What an approver or a reviewer sees of a request: `model` and `prompt` come masked, the rest is masked here.

    Which call it is belongs to it: of two without a body (load, unload) nothing else tells one from the other.
    """
    said = {"justification": facts.justification, "unmask": facts.unmask, "reason": facts.break_glass}
    shown: dict[str, Any] = {name: house.shown(text) for name, text in said.items() if text}
    called = {"route": exchange.route, "method": exchange.method, "target": _target(house, exchange.path)}
    shown |= {"model": model, "call": called, "prompt": prompt}
    if exchange.deployment is not None:
        shown["deployment"] = dict(zip(("version", "digest"), exchange.deployment, strict=True))
    if exchange.subject is not None and exchange.subject.context:
        shown["context"] = dict(exchange.subject.context)
    try:
        long = len(json.dumps(shown)) > MOST_SHOWN
    except (TypeError, ValueError, RecursionError):  # a file of a form, which nobody can show
        long = True
    return shown | {"prompt": None, "prompt_left_out": True} if long else shown


def _target(house: House, path: str) -> str:
    """A path with its query, masked; as words where only those tell of somebody (`/Jane_Roe`)."""
    words = _MARKS.sub(" ", unquote(path))
    shown = house.shown(words)
    return house.shown(path) if shown == words else shown


async def hold(  # noqa: PLR0917 -- what every part of it needs
    house: House, exchange: Exchange, decision: Hold, digest: str, shown: dict[str, Any], now: float
) -> Refusal:
    """Open the ticket of a held request, or find the one that it has; what its caller is told."""
    subject = exchange.subject
    if subject is None:
        raise ValueError("no subject")
    wanted = opened(
        decision,
        subject,
        id_=f"t-{randomness.token_hex(8)}",
        actions=exchange.actions,
        model=exchange.target,
        digest=digest,
        exchange=exchange.id,
        policy=house.policy.sha256,
        shown=shown,
        now=now,
    )
    try:
        async with house.holding.turn():
            found = await house.agreement.approvals.open_ticket(wanted, now)
        if found is None:
            return replies.TOO_MANY
        ticket, fresh = found
        if fresh:
            why = shown.get("justification") or shown.get("unmask")
            try:
                await house.record("ticket", ticket_record(ticket, subject, exchange.client_ip, "open", why=why))
            except (JournalDown, Unrecordable):
                # Else who asks again would find it, and it would be answered with nothing on record of its beginning.
                await house.agreement.approvals.answer(ticket.id, lambda _of: Step(None, "revoke"), now)
                raise
    except LedgerDown:
        return replies.LEDGER_DOWN
    except (JournalDown, Unrecordable):
        return replies.UNRECORDED
    exchange.ticket = ticket.id
    return replies.held(decision, ticket.id, house.addresses.console)


async def use(house: House, exchange: Exchange, permit: Permit, shown: dict[str, Any], now: float) -> Refusal | None:
    """What has to happen before a permit of this kind lets anything through."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        if permit.grants:
            names = [each.id for each in permit.grants]
            async with house.holding.turn():  # which may be long in coming
                spent = await house.agreement.approvals.spend_grants(names, exchange.id, now + loop.time() - began)
            if not spent:
                return replies.SPENT
        if permit.verb == "break_glass":
            await _emergency(house, exchange, permit, shown, now)
    except LedgerDown:
        return replies.LEDGER_DOWN
    except (JournalDown, Unrecordable):
        return replies.UNRECORDED
    return replies.OUTDATED if outdated(house, exchange) else None


def outdated(house: House, exchange: Exchange) -> bool:
    """Whether another policy is in force than the one that decided: nothing passes by that one any more."""
    return exchange.policy is not None and exchange.policy != house.policy.sha256


async def _emergency(house: House, exchange: Exchange, permit: Permit, shown: dict[str, Any], now: float) -> None:
    """The record first: of what is on record and not to be reviewed the report speaks, of the reverse nobody."""
    subject = exchange.subject
    if subject is None:
        raise ValueError("no subject")
    rules = [rule for rule in house.policy.rules if rule.name in permit.rules and rule.break_glass]
    reviewers = tuple(dict.fromkeys(role for rule in rules for role in rule.review_by))
    due = now + min(rule.review_within for rule in rules).total_seconds()
    review = Review(exchange.id, permit.rule, (subject.issuer, subject.id), reviewers, now, shown, due=due)
    await house.record("break-glass", break_glass_record(exchange, review))
    await house.agreement.approvals.open_review(review)
