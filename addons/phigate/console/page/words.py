"""What the page says of a ticket or a review: values to words. Pure; whatever was written by strangers stays a value.

What a yes gives is said as it would be given now: by the ticket and by the rule of today, the narrower of the two.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from phigate.approval.tickets import hours_of, may_answer, rule_of, terms_of
from phigate.audit.questions.turns import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from phigate.answering import Caller
    from phigate.ledger.tickets import Review, Said, Ticket
    from phigate.policy.schema import Policy

ACTIONS: Final[Mapping[str, str]] = {
    "unmask": "see identifiers as they are",
    "manage-models": "change a model",
    "list-models": "list the models",
    "read-journal": "read the journal",
    "review": "answer what others ask",
    "revoke": "take bearers back",
}
"""What an action is called in a sentence about somebody who may do it; the others are verbs already."""
STATES: Final[Mapping[str, str]] = {
    "pending": "waits for an answer",
    "approved": "approved",
    "rejected": "rejected",
    "expired": "nobody answered in time, or the yes is over",
    "used": "approved, and used",
    "revoked": "taken back",
}
_UNITS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Heard:
    who: str
    yes: bool
    comment: str
    at: str
    counts: bool
    """A yes counts no more where its speaker could not say it again."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the page shows it: of a ticket or of a use of break-glass."""

    id: str
    who: str
    issuer: str
    wants: str
    model: str | None
    call: str
    why: tuple[tuple[str, str], ...]
    beside: tuple[tuple[str, str], ...]
    """What else is known of the occasion: a deployment, a pipeline."""
    rule: str
    opened: str
    exchange: str
    due: str | None
    turns: tuple[tuple[str, str], ...] = field(repr=False)
    left_out: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """A ticket for somebody who looks at it."""

    seen: Seen
    state: str
    waits: str | None
    until: str
    gives: str
    needed: int
    given: int
    heard: tuple[Heard, ...]
    pending: bool
    may_answer: bool
    may_revoke: bool
    own: bool
    answered: bool

    @property
    def still(self) -> int:
        """How many are still needed."""
        return max(0, self.needed - self.given)


def listed[T: (Ticket, Review)](one: T) -> T:
    """One of a list, without its prompt: to lay out those of hundreds would keep the traffic waiting."""
    return replace(one, shown={name: value for name, value in one.shown.items() if name != "prompt"})


def asked(ticket: Ticket, policy: Policy, caller: Caller, *, reviews: bool, now: float) -> Asked:
    """A ticket as this caller sees it; `reviews` says whether they may `review` at all."""
    state, rule = ticket.stands(now), rule_of(ticket, policy)
    needed = max(ticket.approvals, rule.approvals) if rule else ticket.approvals
    said = {each.by for each in ticket.said}
    own = ticket.subject == caller.person
    able = reviews and may_answer(ticket, policy, caller.subject.roles)
    return Asked(
        seen=_ticket_seen(ticket),
        state=STATES[state],
        waits=lasting(ticket.until - now) if state == "pending" else None,
        until=moment(ticket.until),
        gives=gives(ticket, policy),
        needed=needed,
        given=len(ticket.agreed),
        heard=tuple(_heard(each) for each in ticket.said),
        pending=state == "pending",
        may_answer=state == "pending" and able and not own and caller.person not in said,
        may_revoke=(state == "pending" and own) or (state == "approved" and (own or able)),
        own=own,
        answered=caller.person in said,
    )


def _heard(said: Said) -> Heard:
    return Heard(said.by[1], said.verdict == "approve", said.comment, moment(said.at), said.counts)


def gives(ticket: Ticket, policy: Policy) -> str:
    """What the last yes that is needed gives."""
    rule = rule_of(ticket, policy)
    then = (ticket.lasts, ticket.uses, ticket.bound)
    today = terms_of(rule.grant) if rule else then
    uses = min((each for each in (then[1], today[1]) if each is not None), default=None)
    kind = "this very request" if then[2] or today[2] else "requests of this kind"
    many = {None: "as often as wanted", 1: "once"}.get(uses, f"{uses} times")
    hours = hours_of(ticket, policy)
    only = f", at these hours: {hours}" if hours else ""
    return f"{kind}, {many}, within {lasting(min(then[0], today[0]))} of the last yes{only}"


def reviewed(review: Review) -> Seen:
    """A use of break-glass that waits for its review."""
    seen = _seen(review.shown, review.exchange, review.subject, (), review.rule, review.opened, review.exchange)
    return replace(seen, due=moment(review.due) if review.due is not None else None)


def _ticket_seen(ticket: Ticket) -> Seen:
    wants = tuple(sorted(ticket.actions))
    return _seen(ticket.shown, ticket.id, ticket.subject, wants, ticket.rule, ticket.opened, ticket.exchange)


def _seen(  # noqa: PLR0917 -- what tickets and reviews have in common
    shown: Mapping[str, Any],
    id_: str,
    subject: tuple[str, str],
    actions: tuple[str, ...],
    rule: str,
    opened: float,
    exchange: str,
) -> Seen:
    named = (("Why", "justification"), ("Why unmasked", "unmask"), ("Emergency", "reason"))
    model = shown.get("model")
    return Seen(
        id=id_,
        who=subject[1],
        issuer=subject[0],
        wants=" and ".join(ACTIONS.get(action, action) for action in actions),
        model=str(model) if model is not None else None,
        call=_call(shown.get("call")),
        why=tuple((label, str(shown[name])) for label, name in named if shown.get(name)),
        beside=tuple(_beside(shown)),
        rule=rule,
        opened=moment(opened),
        exchange=exchange,
        due=None,
        turns=tuple(whole(shown.get("prompt"))),
        left_out=bool(shown.get("prompt_left_out")),
    )


def _beside(shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in ("deployment", "context"):
        known = shown.get(name)
        if isinstance(known, dict):
            yield from ((str(key), str(value)) for key, value in known.items() if value is not None)


def _call(call: object) -> str:
    if not isinstance(call, dict):
        return ""
    return " ".join(str(call[name]) for name in ("method", "target") if call.get(name))


def lasting(seconds: float) -> str:
    """A length of time in its two largest units, rounded down; never less than a second."""
    left = max(1, int(seconds))
    parts: list[tuple[int, str]] = []
    for size, name in _UNITS:
        count, left = divmod(left, size)
        if count or parts:
            parts.append((count, name))
    return " ".join(f"{count} {name}{'s' * (count != 1)}" for count, name in parts[:2] if count)


def moment(seconds: float) -> str:
    """A time as the page says it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
