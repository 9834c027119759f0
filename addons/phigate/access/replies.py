"""What a refused caller is told: one table of reasons, none of which echoes anything of the request."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from phigate.exchange import Refusal

if TYPE_CHECKING:
    from phigate.policy.decide import Deny
    from phigate.policy.rates import TooMany

MESSAGES = {
    "malformed": "The request could not be read.",
    "member-unknown": "The request has a member that this gateway does not know here.",
    "models-differ": "The request makes use of a model that is held to other rules than the one it changes.",
    "too-large": "The request is larger than this gateway reads.",
    "headers-too-large": "The request's headers are too large.",
    "method-not-allowed": "This route does not take this method.",
    "route-unknown": "This gateway knows no such route.",
    "content-unreadable": "The request holds content that this gateway cannot read.",
    "encoding-unsupported": "Send plain, uncompressed JSON in UTF-8.",
    "model-missing": "The request names no model.",
    "model-unknown": "This gateway knows no such model.",
    "model-ambiguous": "More than one model of this gateway answers to this name.",
    "stored-state": "What the server keeps of other exchanges is not reached through this gateway: send the whole "
    "conversation.",
    "session-unknown": "This session is not one of the caller's.",
    "steering-refused": "Under this rule's mask a request may not decide word by word what the model writes: leave out "
    "tiny token limits, grammars, choices and biases.",
    "reason-missing": "This header needs a reason of 3 to 500 printable characters.",
    "message-unknown": "This gateway does not know such a message.",
    "connection-changed": "What this connection may do has changed: open another one.",
    "upgrade-required": "This route is a WebSocket.",
    "credential-missing": "The gateway has no credential for this model.",
    "no-rule": "No rule permits this.",
}


HEADERS = {"upgrade-required": {"upgrade": "websocket", "sec-websocket-version": "13"}}
"""What a reason's answer says in its head (RFC 9110, 15.5.22; RFC 6455, 4.4)."""


def fault(status: int, reason: str) -> Refusal:
    return Refusal(status, reason, MESSAGES[reason], headers=HEADERS.get(reason, {}))


def denied(decision: Deny) -> Refusal:
    """403 with the rule's own message where it has one."""
    message = decision.message or MESSAGES.get(decision.reason, "A rule denies this.")
    return Refusal(403, decision.reason, message, rule=decision.rule)


def too_many(found: TooMany) -> Refusal:
    """429 (RFC 6585, 4), and when it is worth asking again."""
    message = "Too many requests are under way." if found.at_once else "Too many requests: wait before the next one."
    return Refusal(429, "too-many-requests", message, retry_after=max(math.ceil(found.wait), 1))


BEYOND = Refusal(
    403,
    "scope-exceeded",
    "This bearer was not issued for that.",
    headers={"www-authenticate": 'Bearer realm="phigate", error="insufficient_scope"'},
)
"""RFC 6750, 3.1."""
UNASKED = Refusal(409, "nothing-to-ask", "Nobody has to say yes to this: send it without `phi-ask`.")
"""To a question of which the answer is that it may."""
SPENT = Refusal(
    401,
    "bearer-refused",
    "The bearer is not believed.",
    detail="spent",
    headers={"www-authenticate": 'Bearer realm="phigate", error="invalid_token"'},
)
TOO_MANY = Refusal(429, "too-many-connections", "Too many connections are open.", retry_after=10)
LEDGER_DOWN = Refusal(503, "ledger-unavailable", "This bearer cannot be settled at the moment.", retry_after=1)
UNCOUNTED = Refusal(503, "ledger-unavailable", "This request cannot be counted at the moment.", retry_after=1)
