"""Who may say yes to what, and what that gives. Pure: a ticket and an answer in, a step or a reason out.

- The requester never answers, whatever roles they hold; nobody counts twice.
- A yes counts as long as who said it might say it again: a role that is lost until the last one takes it along.
- One no is enough. The last yes that is needed makes the grant, whose time begins there and never again.
- A ticket, and what a yes to it gives, is for the rule as it was when it was opened: of an edited one it is over. Where
  nobody wrote down what the rule was, the stricter of ticket and rule holds, and nothing is covered by the yes.
- A person is an issuer and a subject: whoever comes by two issuers is two people.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from phigate.exchange import Subject
from phigate.ledger.tickets import Said, Step, Ticket
from phigate.policy.grants import Grant
from phigate.policy.hashes import rule_hash
from phigate.policy.hours import times

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from phigate.ledger.tickets import Review
    from phigate.policy.decide import Hold
    from phigate.policy.schema import GrantTerms, Policy, Rule

PENDING: Final = 24 * 3600.0
"""Seconds that a ticket waits for its answer."""
LASTS: Final = 7 * 24 * 3600.0
"""Seconds that a yes is good for where its rule names no time: one that lies about is a way in."""
MOST_COMMENT: Final = 1000


@dataclass(frozen=True, slots=True)
class Asking:
    """A whole request, as it would reach the model server."""

    subject: tuple[str, str]
    method: str
    path: str
    """The raw target, with its query."""
    upstream: str
    actions: frozenset[str]
    model: str | None
    body: Any
    """As a tree; None where there is none."""
    context: tuple[tuple[str, str], ...] = ()
    """What the bearer says of its occasion: of two pipelines that share a subject, one runs what it was given."""
    deployment: tuple[str, str] | None = None
    """The version and digest of a statement; a request that names them is approved for what it holds."""


def digest_of(asking: Asking, key: bytes) -> str:
    """HMAC-SHA256 of the canonical request, in hex: the same for the same request and for no other.

    Keyed, because it stands in records, and a plain digest of a short prompt could be found by trying.
    """
    named = (*asking.subject, asking.method, asking.path, asking.upstream, sorted(asking.actions), asking.model)
    text = json.dumps(
        [*named, asking.context, asking.deployment, asking.body], sort_keys=True, separators=(",", ":"), default=_bytes
    )
    return hmac.digest(key, text.encode(), "sha256").hex()


def _bytes(value: Any) -> dict[str, str]:
    """A file of a form, which is no JSON; the list keeps it apart from any text."""
    return {"": hashlib.sha256(value).hexdigest()}


def opened(
    hold: Hold,
    subject: Subject,
    *,
    id_: str,
    actions: frozenset[str],
    model: str | None,
    digest: str,
    exchange: str,
    policy: str,
    shown: Mapping[str, Any],
    now: float,
) -> Ticket:
    """The ticket of a held request."""
    lasts, uses, bound = terms_of(hold.terms)
    return Ticket(
        id=id_,
        rule=hold.rule,
        subject=(subject.issuer, subject.id),
        actions=actions,
        model=model,
        digest=digest,
        exchange=exchange,
        policy=policy,
        approvers=hold.approvers,
        approvals=hold.approvals,
        lasts=lasts,
        uses=uses,
        bound=bound,
        opened=now,
        until=now + PENDING,
        shown=shown,
        rule_hash=hold.rule_hash,
    )


def answered(ticket: Ticket, policy: Policy, subject: Subject, said: Said, *, grant: str) -> Step | str:
    """What somebody's answer makes of a ticket, or the kebab-case reason why it counts for nothing.

    `grant` is the id for what a last yes gives; the ticket is `weighed`.
    """
    rule = rule_of(ticket, policy)
    if ticket.stands(said.at) != "pending" or edited(ticket, policy):
        return "ticket-over"
    if ticket.subject == said.by:
        return "own-request"
    if rule is None or not may_answer(ticket, policy, subject.roles):
        return "not-an-approver"
    if any(each.by == said.by for each in ticket.said):
        return "already-said"
    if said.verdict == "reject":
        return Step(said, "reject")
    if len(ticket.agreed | {said.by}) < max(ticket.approvals, rule.approvals):
        return Step(said)
    return Step(said, "enough", _grant(ticket, rule, grant, said.at))


def revoked(ticket: Ticket, policy: Policy, subject: Subject, now: float) -> Step | str:
    """Taking back a request, or the yes to it: by whoever might have said yes, and by the requester.

    What runs by a yes that is used up, or over, ends by it as well.
    """
    state, given = ticket.stands(now), any(each.verdict == "approve" for each in ticket.said)
    if state not in {"pending", "approved", "used"} and not (state == "expired" and given):
        return "ticket-over"
    if ticket.subject != (subject.issuer, subject.id) and not may_answer(ticket, policy, subject.roles):
        return "not-an-approver"
    return Step(None, "revoke") if state in {"pending", "approved"} else Step(ends=True)


def weighed(ticket: Ticket, policy: Policy, still: Callable[[Subject], bool]) -> Ticket:
    """The ticket with what was said of it as it counts now.

    A yes that was said earlier counts while the policy believes its speaker's issuer and gives them, by the groups
    that they had then, a role that may answer, and `still` holds for them: they may review, and were not taken back
    since they said it. What groups somebody has in Slack the policy itself says: there it counts what it says today.
    """
    issuers = {each.issuer for each in policy.issuers} | {each.entity_id for each in policy.saml}

    def counts(said: Said) -> bool:
        groups = _from_slack(said, policy) if said.via == "slack" else said.groups
        roles = policy.roles_of(groups)
        speaker = Subject(*said.by, groups, roles, expires=math.inf, issued=said.at)
        return speaker.issuer in issuers and may_answer(ticket, policy, roles) and still(speaker)

    return replace(ticket, said=tuple(replace(each, counts=counts(each)) for each in ticket.said))


def _from_slack(said: Said, policy: Policy) -> tuple[str, ...]:
    people = (person for team in policy.approvers_from for person in team.people.values())
    return tuple(group for each in people if (each.issuer, each.id) == said.by for group in each.groups)


def signed(review: Review, roles: frozenset[str], said: Said) -> str | None:
    """Why somebody cannot sign a review; None where they can."""
    if review.signed is not None:
        return "already-said"
    if review.subject == said.by:
        return "own-request"
    return "not-an-approver" if roles.isdisjoint(review.review_by) else None


def may_answer(ticket: Ticket, policy: Policy, roles: Collection[str]) -> bool:
    """Whether these roles say yes under the rule as it was, and as it is now."""
    rule = rule_of(ticket, policy)
    return rule is not None and not {*roles}.isdisjoint(ticket.approvers) and not {*roles}.isdisjoint(rule.approvers)


def edited(ticket: Ticket, policy: Policy) -> bool:
    """Whether its rule is not what it was when the ticket was opened."""
    return ticket.rule_hash is not None and ticket.rule_hash != rule_hash(policy, ticket.rule)


def rule_of(ticket: Ticket, policy: Policy) -> Rule | None:
    """The rule that holds the request, as it is now; None where it is gone."""
    return next((rule for rule in policy.rules if rule.name == ticket.rule and rule.hold), None)


def hours_of(ticket: Ticket, policy: Policy) -> str | None:
    """The hours at which a yes counts, in words; None for always."""
    rule = rule_of(ticket, policy)
    counts = times(rule.grant.hours) if rule and rule.grant else None
    return str(counts) if counts else None


def terms_of(terms: GrantTerms | None) -> tuple[float, int | None, bool]:
    """How many seconds and uses a rule's yes is good for, and whether for the very request only."""
    if terms is None:
        return LASTS, 1, True
    return terms.for_.total_seconds() if terms.for_ else LASTS, terms.uses, terms.bind == "request"


def _grant(ticket: Ticket, rule: Rule, id_: str, now: float) -> Grant:
    """What the ticket says, and no more than the rule says now."""
    lasts, uses, bound = terms_of(rule.grant)
    return Grant(
        id=id_,
        ticket=ticket.id,
        rule=ticket.rule,
        subject=ticket.subject,
        actions=ticket.actions,
        model=ticket.model,
        digest=ticket.digest if ticket.bound or bound else None,
        starts=now,
        expires=now + min(ticket.lasts, lasts),
        uses=min((each for each in (ticket.uses, uses) if each is not None), default=None),
        rule_hash=ticket.rule_hash,
    )
