"""What travels with a request and its answer: plain values that every room reads and its own room fills in.

Nothing here decides, masks, records or touches mitmproxy. A field that is None has not been settled yet, and
whatever is not settled does not pass.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
"""What an exchange, a ticket or a deployment may be called; whoever names anything else names none of them."""


type Deployment = tuple[str, str]
"""The version of a model and the digest of what it is made of, as whoever deploys it states them."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a bearer may be used for; an empty set limits nothing."""

    models: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()


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
    issued: float = 0.0
    """`iat` of the bearer that the identity provider issued."""
    scope: Scope | None = None
    """What a bearer of the gateway's own is limited to."""
    uses: int | None = None
    """1: the bearer is spent by its exchange."""
    signed_by: str = ""
    """`iss` of the bearer itself; another than `issuer` where the gateway issued it for one of theirs."""
    family: tuple[tuple[str, str], ...] = ()
    """(`iss`, `jti`) of the bearers that this one was exchanged for: taken back with any of them."""
    bound: tuple[tuple[str, str], ...] = ()
    """What the bearer is bound to (RFC 7800 `cnf`), proven already."""
    context: tuple[tuple[str, str], ...] = ()
    """What it says of its occasion, by the policy's names for it: of a pipeline its commit and run."""


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
    content: bytes | None = None
    """JSON of our own that is answered in place of an error object."""


@dataclass(slots=True)
class Exchange:
    """One request and its answer on their way through the house."""

    id: str
    started: float
    """When the request's headers were read, by a clock that never steps (`time.monotonic`)."""
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
    stated: tuple[str, ...] = ()
    """Which of the headers the caller sent that say why: `unmask`, `break-glass`, `justification`."""
    deployment: Deployment | None = None
    """What the caller says that it is part of; shown and recorded as it is."""
    question: bool = False
    """The caller wants to know what comes of it, and a ticket; it never goes on."""
    decision: Any = None
    """policy.decide: Permit, Hold or Deny."""
    policy: str | None = None
    """SHA-256 of the policy that was asked."""

    ticket: str | None = None
    """What a held request is answered under."""
    shadow: Any = None
    """What a policy on trial would have decided, as it stands in the record."""

    refusal: Refusal | None = None
    found_in: Counter[str] = field(default_factory=Counter)
    """Findings in the prompt, by entity."""
    found_out: Counter[str] = field(default_factory=Counter)
    identifiers_in: set[str] = field(default_factory=set)
    """Keyed HMACs of what was found in the prompt."""
    revealed_in: set[str] = field(default_factory=set)
    """Those of them that the model gets as they were, if the prompt goes on to it."""
    identifiers_out: set[str] = field(default_factory=set)
    """Keyed HMACs of what was found in the answer."""
    revealed_out: set[str] = field(default_factory=set)
    """Those of them that the caller gets as they were."""
    usage: dict[str, int] = field(default_factory=dict)
    names: Any = None
    """masking.memory: the names that the prompt shows, to be found again in the answer."""

    stand_ins: Any = None
    """masking.restore: what the prompt's values were replaced with, to be put back in the answer."""

    recorded: bool = False
    """The request record is durable."""
    contacted: bool = False
    """The upstream was (or may have been) contacted: from here on a refusal must not be retried."""
    finished: bool = False
