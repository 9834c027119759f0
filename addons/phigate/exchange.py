"""What travels with a request and its answer: plain values that every room reads and its own room fills in.

Nothing here decides, masks, records or touches mitmproxy. A field that is None has not been settled yet, and
whatever is not settled does not pass.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Subject:
    """Who a bearer proved to be (RFC 7519 `iss` and `sub`), and what this policy makes of them."""

    issuer: str
    id: str
    groups: tuple[str, ...]
    roles: frozenset[str]
    expires: float
    """`exp` of the bearer, seconds since the epoch."""
    jti: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One identifier found in a text: [start, end) in characters."""

    start: int
    end: int
    entity: str
    score: float
    detector: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an exchange does not pass, in the words of reply, metric and record (kebab-case `reason`).

    `detail` is the precise reason for the journal where the public one is coarser (bearers).
    """

    status: int
    reason: str
    message: str
    decision: str = "deny"
    rule: str | None = None
    detail: str | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further members of the error object, such as a ticket."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer on their way through the house."""

    id: str
    started: float
    """Seconds since the epoch, when the request's headers were read."""
    client_ip: str = ""
    agent: str = ""
    method: str = ""
    path: str = ""
    """The raw request target as received; never normalised, never shown to anybody but the route table."""

    dialect: str | None = None
    route: str | None = None
    """The route's own name, from the table (never the caller's text)."""
    actions: frozenset[str] = frozenset()
    model: str | None = None
    """The model's name as the caller gave it."""
    target: str | None = None
    """The policy's name of the model it resolves to."""
    streaming: bool = False

    subject: Subject | None = None
    session: str | None = None
    request: Any = None
    """The parsed request body: the tree the policy saw is what is sent on."""
    decision: Any = None
    """policy.decide: Permit, Hold or Deny."""

    refusal: Refusal | None = None
    found_in: Counter[str] = field(default_factory=Counter)
    """Findings in the prompt, by entity."""
    found_out: Counter[str] = field(default_factory=Counter)
    identifiers: set[str] = field(default_factory=set)
    """Keyed HMACs of what was found on either side: the identifiers of its records."""
    usage: dict[str, int] = field(default_factory=dict)

    recorded: bool = False
    """The request record is durable."""
    contacted: bool = False
    """The upstream was (or may have been) contacted: from here on a refusal must not be retried."""
    finished: bool = False
