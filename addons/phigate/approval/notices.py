"""What approvers and reviewers are told through webhooks: an event and what it is about in, notices out. Pure.

- Only what is masked for bystanders goes out, and of what people wrote nothing at all unless the webhook asks for it.
- A notice is small: a prompt that is longer than MOST characters is left out, and said to be.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from phigate.approval import blocks
from phigate.approval.tickets import hours_of
from phigate.ledger.outbox import Notice, id_of
from phigate.ledger.tickets import Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.ledger.tickets import Person, Review, Said
    from phigate.policy.notify import Webhook
    from phigate.policy.schema import Policy

MOST: Final = 16 * 1024
"""Characters of a prompt as JSON."""
_WRITTEN: Final = ("justification", "unmask", "reason")
"""What people wrote beside the prompt, as `shown` names it."""


def of(policy: Policy, console: str | None, event: str, about: Ticket | Review, now: float) -> Iterator[Notice]:
    """What each of the policy's webhooks is told of an event that came about now; `console` is its public address."""
    base = f"{console}/desk" if console and policy.sign_in else console
    for hook in policy.webhooks:
        if event in hook.events:
            data = told(hook, policy, base, about, now)
            buttons = bool(policy.approvers_from) and event == "ticket.opened"
            message = (
                blocks.message(event, data, buttons=buttons)
                if hook.format == "slack"
                else {"type": event, "timestamp": _time(now), "data": data}
            )
            name = about.id if isinstance(about, Ticket) else about.exchange
            yield Notice(
                id=id_of(event, name, hook.name),
                hook=hook.name,
                event=event,
                body=json.dumps(message, separators=(",", ":")),
                created=now,
                ticket=about.id if isinstance(about, Ticket) else None,
                exchange=about.exchange,
            )


def told(hook: Webhook, policy: Policy, base: str | None, about: Ticket | Review, now: float) -> dict[str, Any]:
    """The event's `data`; `base` is where tickets are looked at."""
    data = _ticket(about, policy, now) if isinstance(about, Ticket) else _review(about)
    if base is not None:
        data["link"] = f"{base}/tickets/{about.id}" if isinstance(about, Ticket) else f"{base}/reviews/{about.exchange}"
    data |= {name: dict(about.shown[name]) for name in ("deployment", "context") if about.shown.get(name)}
    call = about.shown.get("call") or {}
    data["call"] = {name: call.get(name) for name in ("route", "method")}
    if hook.prompt:
        data["call"]["target"] = call.get("target")
        data |= {name: about.shown[name] for name in _WRITTEN if about.shown.get(name)}
        data |= _prompt(about.shown)
    else:
        for said in data["said"]:
            del said["comment"]
    return data


def _ticket(ticket: Ticket, policy: Policy, now: float) -> dict[str, Any]:
    given = {said.by for said in ticket.said if said.verdict == "approve"}
    return {
        "ticket": ticket.id,
        "state": ticket.stands(now),
        "exchange": ticket.exchange,
        "asked_by": _person(ticket.subject),
        "rule": ticket.rule,
        "action": sorted(ticket.actions),
        "model": ticket.shown.get("model"),
        "approvers": list(ticket.approvers),
        "approvals": {"needed": ticket.approvals, "given": len(given)},
        "grant": {
            "seconds": ticket.lasts,
            "uses": ticket.uses,
            "bound": ticket.bound,
            "hours": hours_of(ticket, policy),
        },
        "said": [_said(each) for each in ticket.said],
        "until": _time(ticket.until),
    }


def _review(review: Review) -> dict[str, Any]:
    return {
        "exchange": review.exchange,
        "asked_by": _person(review.subject),
        "rule": review.rule,
        "model": review.shown.get("model"),
        "review_by": list(review.review_by),
        "opened": _time(review.opened),
        "due": _time(review.due) if review.due is not None else None,
        "said": [_said(review.signed)] if review.signed else [],
    }


def _said(said: Said) -> dict[str, Any]:
    return {"by": _person(said.by), "verdict": said.verdict, "at": _time(said.at), "comment": said.comment}


def _person(person: Person) -> dict[str, str]:
    return {"issuer": person[0], "id": person[1]}


def _prompt(shown: Mapping[str, Any]) -> dict[str, Any]:
    prompt = shown.get("prompt")
    if prompt is None and not shown.get("prompt_left_out"):
        return {}
    fits = prompt is not None and len(json.dumps(prompt)) <= MOST
    return {"prompt": prompt} if fits else {"prompt_left_out": True}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
