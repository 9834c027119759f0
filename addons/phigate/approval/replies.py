"""What somebody is told whose request needs another person's yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate.exchange import Refusal

if TYPE_CHECKING:
    from phigate.policy.decide import Hold

UNAVAILABLE = "Somebody has to approve this first; approvals are not available on this gateway."


def held(decision: Hold) -> Refusal:
    """403 `approval-required`: as long as nobody can say yes here, a hold is a no."""
    return Refusal(403, decision.reason, decision.message or UNAVAILABLE, decision="hold", rule=decision.rule)
