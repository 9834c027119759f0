"""The records of yes and no: tickets, grants, break-glass and reviews; values in, plain JSON values out.

Texts that people wrote come in masked by the policy's `capture.mask`, as bodies do. A model is named as bystanders see
it, and what a ticket shows of its request stands in the record of that request.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from phigate.capture.record import subject_fields

if TYPE_CHECKING:
    from phigate.exchange import Exchange, Subject
    from phigate.ledger.outbox import Notice
    from phigate.ledger.tickets import Review, Ticket
    from phigate.policy.grants import Grant

type Fields = dict[str, Any]
type Done = Literal["open", "approve", "reject", "revoke", "deny"]


def ticket_record(
    ticket: Ticket,
    by: Subject,
    client_ip: str,
    done: Done,
    *,
    comment: str = "",
    why: str | None = None,
    via: str | None = None,
) -> Fields:
    """`ticket`: somebody asked, said yes or no, or took it back; `deny` is an answer that counts for nothing, and why.

    What the ticket became stands in the record of what it became: `grant`, or the request that ran.
    """
    return {
        "ticket": ticket.id,
        "exchange": _exchange(ticket),
        "subject": subject_fields(by),
        "client": _client(client_ip, via),
        "decision": done,
        "reason": why or comment or None,
        "asked_by": {"issuer": ticket.subject[0], "id": ticket.subject[1]},
        "rule": ticket.rule,
        "action": sorted(ticket.actions),
        "model": ticket.shown.get("model"),
        "digest": ticket.digest,
        **({"deployment": ticket.shown["deployment"]} if "deployment" in ticket.shown else {}),
        "approvals": ticket.approvals,
        "until": _time(ticket.until),
    }


def lapse_record(ticket: Ticket, grant: str | None) -> Fields:
    """`ticket`: it expired, by nobody's doing; with `grant`, what the yes to it gave is over and was not used up."""
    return {
        "ticket": ticket.id,
        "exchange": ticket.exchange,
        "subject": None,
        "client": None,
        "decision": "expire",
        "reason": None,
        "asked_by": {"issuer": ticket.subject[0], "id": ticket.subject[1]},
        "rule": ticket.rule,
        "action": sorted(ticket.actions),
        "model": ticket.shown.get("model"),
        "digest": ticket.digest,
        "grant": grant,
        "until": _time(ticket.until),
    }


def grant_record(grant: Grant, ticket: Ticket, by: Subject, client_ip: str) -> Fields:
    """`grant`: what the last yes that was needed gave, to whom (`for`), by all of whom."""
    return {
        "grant": grant.id,
        "ticket": ticket.id,
        "exchange": _exchange(ticket),
        "subject": subject_fields(by),
        "client": {"ip": client_ip},
        "for": {"issuer": grant.subject[0], "id": grant.subject[1]},
        "by": [{"issuer": issuer, "id": id_} for issuer, id_ in sorted(ticket.agreed)],
        "rule": grant.rule,
        "action": sorted(grant.actions),
        "model": ticket.shown.get("model"),
        "digest": grant.digest,
        "uses": grant.uses,
        "since": _time(grant.starts),
        "until": _time(grant.expires),
    }


def break_glass_record(exchange: Exchange, review: Review) -> Fields:
    """`break-glass`: somebody was let through in an emergency, on their word (45 CFR 164.312(a)(2)(ii))."""
    return {
        "exchange": exchange.id,
        "subject": subject_fields(exchange.subject),
        "client": {"ip": exchange.client_ip},
        "rule": review.rule,
        "action": sorted(exchange.actions),
        "model": review.shown.get("model"),
        "reason": review.shown.get("reason"),
        "review_by": list(review.review_by),
        "due": None if review.due is None else _time(review.due),
    }


def review_record(  # noqa: PLR0917 -- what a record is made of
    review: Review, by: Subject, client_ip: str, verdict: str, comment: str, via: str | None = None
) -> Fields:
    """`review`: somebody looked at a use of break-glass and says whether it was one."""
    return {
        "exchange": review.exchange,
        "subject": subject_fields(by),
        "client": _client(client_ip, via),
        "asked_by": {"issuer": review.subject[0], "id": review.subject[1]},
        "rule": review.rule,
        "decision": verdict,
        "reason": comment or None,
    }


def notice_record(notice: Notice, outcome: str, reason: str | None) -> Fields:
    """`notice`: a webhook took what it was told, or was tried in vain for so long that nobody tries any more."""
    return {
        "webhook": notice.hook,
        "event": notice.event,
        "message": notice.id,
        "ticket": notice.ticket,
        "exchange": notice.exchange,
        "tries": notice.tries,
        "outcome": outcome,
        "reason": reason,
    }


def look_record(
    by: Subject, client_ip: str, command: str, about: Fields, via: str | None = None, *, why: str | None = None
) -> Fields:
    """`look`: somebody saw at the console what a request held, masked; with `why`, they did not."""
    return {
        "subject": subject_fields(by),
        "client": _client(client_ip, via),
        "command": command,
        "about": about,
        "decision": "deny" if why else "permit",
        "reason": why,
    }


def _client(ip: str, via: str | None) -> Fields:
    """Where they are, and by which way they came (console, page, slack, mitmproxy)."""
    return {"ip": ip, "via": via} if via else {"ip": ip}


def _exchange(ticket: Ticket) -> str | None:
    """The exchange that asked; of a deployment that was stated at the console there is none."""
    return None if ticket.exchange.startswith("d-") else ticket.exchange


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
