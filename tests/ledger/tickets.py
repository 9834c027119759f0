"""Tickets for tests, and the smallest way to answer them: whoever is not the requester, and nobody twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phigate.ledger.tickets import Said, Step, Ticket
from phigate.policy.grants import Grant

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_700_000_000.0
ADA, EVE, KAI = (("https://idp.example", who) for who in ("ada", "eve", "kai"))
TICKET = Ticket(
    id="t-1",
    rule="ask",
    subject=ADA,
    actions=frozenset({"chat", "unmask"}),
    model="llama3",
    digest="aa",
    exchange="ex-1",
    policy="00",
    approvers=("officer", "lead"),
    approvals=1,
    lasts=600.0,
    uses=1,
    bound=True,
    opened=NOW,
    until=NOW + 3600,
    shown={"prompt": "[PERSON] \u00e9 \0", "model": "llama3"},
)


def ticket(**changes: Any) -> Ticket:
    return replace(TICKET, **changes)


def grant_of(of: Ticket, now: float = NOW) -> Grant:
    named = (f"g-{of.id}", of.id, of.rule, of.subject, of.actions, of.model, of.digest if of.bound else None)
    return Grant(*named, now, now + of.lasts, of.uses, of.rule_hash)


def yes(by: tuple[str, str] = EVE, now: float = NOW) -> Callable[[Ticket], Step]:
    return lambda of: Step(Said(by, "approve", "seen", now), "enough", grant_of(of, now))


def no(by: tuple[str, str] = EVE, now: float = NOW) -> Callable[[Ticket], Step]:
    return lambda _of: Step(Said(by, "reject", "", now), "reject")
