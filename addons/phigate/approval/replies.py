"""What somebody is told whose request needs another person's yes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from phigate.exchange import Refusal

if TYPE_CHECKING:
    from phigate.approval.waiting import Ended
    from phigate.policy.decide import Hold

AGAIN: Final = 10
"""Seconds after which it is worth asking again."""
WAITING: Final = "Somebody has to approve this first; send the same request again once they have."
LEDGER_DOWN: Final = Refusal(503, "ledger-unavailable", "Approvals cannot be settled at the moment.", retry_after=1)
UNRECORDED: Final = Refusal(503, "not-recorded", "The gateway could not record this exchange.", retry_after=1)
SPENT: Final = Refusal(403, "grant-spent", "What was approved has been used, taken back, or is over.")
OUTDATED: Final = Refusal(503, "not-decided", "The policy was changed meanwhile: ask again.", retry_after=1)
TOO_MANY: Final = Refusal(429, "too-many-tickets", "Too many requests of yours wait for approval.", retry_after=60)
TAKEN_BACK: Final = Refusal(403, "grant-revoked", "What was approved has been taken back.")
"""For what is under way by it."""

_LEFT: Final = "The client did not wait for the answer."
GONE: Final = Refusal(403, "client-left", _LEFT)
_ENDED: Final[dict[Ended, tuple[int, str, str, int | None]]] = {
    "rejected": (403, "rejected", "Somebody was asked to approve this, and said no.", None),
    "revoked": (403, "taken-back", "The request for approval was taken back.", None),
    "leaving": (503, "not-ready", "The gateway is going away; send the same request again.", 1),
    "gone": (403, "client-left", _LEFT, None),
}


def ended(how: Ended, refusal: Refusal) -> Refusal:
    """What a request is answered that waited: `refusal`, with its ticket and its rule, and how the wait ended."""
    status, reason, message, again = _ENDED[how]
    return replace(refusal, status=status, reason=reason, message=message, retry_after=again)


def held(decision: Hold, ticket: str | None = None, console: str | None = None) -> Refusal:
    """403 `approval-required`, with the ticket and where it is answered, if they are known."""
    extra = {name: value for name, value in (("ticket", ticket), ("console", console)) if value}
    return Refusal(
        403,
        decision.reason,
        decision.message or WAITING,
        decision="hold",
        rule=decision.rule,
        retry_after=AGAIN if ticket else None,
        extra=extra,
    )
