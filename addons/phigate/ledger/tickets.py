"""Tickets, what was said of them and reviews, as values; and the one table of a ticket's states. Pure.

- A state changes only as TRANSITIONS says; the database moves a ticket only out of a state that the table names.
- A person is an issuer and a subject: whoever comes by two issuers is two people here, which only a policy that
  believes one issuer for approvers can rule out.
- Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from phigate.policy.grants import Grant

type State = Literal["pending", "approved", "rejected", "expired", "used", "revoked"]
type Event = Literal["enough", "reject", "lapse", "use-up", "revoke"]
type Person = tuple[str, str]
"""Issuer and id."""

TRANSITIONS: Final[Mapping[tuple[State, Event], State]] = {
    ("pending", "enough"): "approved",
    ("pending", "reject"): "rejected",
    ("pending", "lapse"): "expired",
    ("pending", "revoke"): "revoked",
    ("approved", "use-up"): "used",
    ("approved", "lapse"): "expired",
    ("approved", "revoke"): "revoked",
}
OPEN: Final[tuple[State, ...]] = ("pending", "approved")
"""In these a request finds its ticket again."""


def before(event: Event) -> tuple[State, ...]:
    """The states in which something may happen."""
    return tuple(state for state, each in TRANSITIONS if each == event)


def stands(state: State, until: float, now: float) -> State:
    """A ticket's state at this moment, whether somebody wrote down already that it lapsed or not."""
    return TRANSITIONS[state, "lapse"] if state in before("lapse") and until <= now else state


@dataclass(frozen=True, slots=True)
class Said:
    """What one person said of a ticket, or of a use of break-glass."""

    by: Person = field(repr=False)
    verdict: Literal["approve", "reject"]
    comment: str = field(repr=False)
    at: float
    groups: tuple[str, ...] = field(default=(), repr=False)
    """What the speaker was in, by what they proved then."""
    via: str | None = None
    """Where it was said."""
    counts: bool = True
    """Whether it would be believed today: who said it may have lost their role since. Not kept."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A held request: who wants what, under which rule, and what a yes would give."""

    id: str
    rule: str
    subject: Person = field(repr=False)
    actions: frozenset[str]
    model: str | None = field(repr=False)
    digest: str
    exchange: str
    """The first that asked."""
    policy: str
    approvers: tuple[str, ...]
    approvals: int
    """How many different people it takes."""
    lasts: float
    """Seconds from the last yes on."""
    uses: int | None
    bound: bool
    """Whether the yes is for this very request only."""
    opened: float
    until: float
    """The end of a pending ticket; of an approved one, that of its grant."""
    shown: Mapping[str, Any] = field(repr=False)
    """What approvers see of it, masked for bystanders: JSON."""
    state: State = "pending"
    said: tuple[Said, ...] = ()
    rule_hash: str | None = None
    """Of the rule as it was when it was opened, with all that it names."""

    @property
    def agreed(self) -> frozenset[Person]:
        """Whose yes counts; nobody twice, and never the requester."""
        return frozenset(each.by for each in self.said if each.verdict == "approve" and each.counts) - {self.subject}

    def stands(self, now: float) -> State:
        """Its state at this moment, whether somebody wrote down already that it lapsed or not."""
        return stands(self.state, self.until, now)


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a ticket: what is added to it, what happens to it, and what that gives."""

    said: Said | None = None
    event: Event | None = None
    grant: Grant | None = None
    ends: bool = False
    """Whatever runs by its grant ends, though nothing can be taken back of the ticket itself any more."""


@dataclass(frozen=True, slots=True)
class Review:
    """A use of break-glass; open until somebody signed it."""

    exchange: str
    rule: str
    subject: Person = field(repr=False)
    review_by: tuple[str, ...]
    opened: float
    shown: Mapping[str, Any] = field(repr=False)
    signed: Said | None = None
    due: float | None = None
    """When it is late."""
