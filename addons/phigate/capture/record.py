"""The fields of each kind of record: values in, plain JSON values out; `chain.line_of` makes the line.

`exchange` stands first and `body` last; keep.py says in how many records a body stands. Bodies come in masked by the
policy's `capture.mask`, and nothing else here is the caller's own text but the client's name, which is cut. A model is
named as the policy names it: what the caller wrote could hold anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from phigate.policy.decide import Deny, Hold, Permit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from phigate.exchange import Deployment, Exchange, Subject

type Fields = dict[str, Any]

Outcome = Literal[
    "complete",
    "refused-by-upstream",  # it answered with an error of its own
    "upstream-broke",  # its protocol, or the connection
    "client-left",
    "interrupted",  # the gateway ended first
    "unmaskable",
    "unrecorded",  # a record could not be kept, so the answer was withheld or its stream ended
    "gateway-broke",
    "revoked",  # the bearer was taken back while the answer was under way
    "expired",  # the bearer ended while a connection was open
    "denied",  # a message on an open connection was refused, and the connection with it
]
OUTCOMES: frozenset[str] = frozenset(get_args(Outcome))
AGENT_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Seconds:
    """Where an exchange's time went: in all, to the first byte released, in the upstream, in the gateway's own work."""

    total: float
    first: float | None
    upstream: float | None
    gateway: float


def request_record(exchange: Exchange, policy_hash: str, body: object, bytes_: int) -> Fields:
    """`request`: who asked what, and what was decided; `body` is masked, `bytes_` the size as it was received.

    `identifiers` are those of the prompt, `revealed` those of them that the model gets as they were: none where the
    request goes no further.
    """
    return {
        "exchange": exchange.id,
        "session": exchange.session,
        "subject": subject_fields(exchange.subject),
        "client": {"ip": exchange.client_ip, "agent": exchange.agent[:AGENT_LENGTH]},
        "action": sorted(exchange.actions),
        "model": exchange.target,
        "dialect": exchange.dialect,
        "method": exchange.method,
        "route": exchange.route,
        "purpose": exchange.decision.purpose if isinstance(exchange.decision, Permit) else None,
        "stated": list(exchange.stated),
        "decision": _decision(exchange),
        "policy": policy_hash,
        **deployment_fields(exchange.deployment),
        **({"shadow": exchange.shadow} if exchange.shadow is not None else {}),
        "findings": dict(exchange.found_in),
        "identifiers": sorted(exchange.identifiers_in),
        "revealed": sorted(exchange.revealed_in) if _goes_on(exchange) else [],
        "bytes": bytes_,
        "parts": 0,
        "body": body,
    }


def hold_record(exchange: Exchange, policy_hash: str, body: object, bytes_: int, ticket: str | None = None) -> Fields:
    """`hold`: a request that waits for a yes; the fields of `request`."""
    fields = request_record(exchange, policy_hash, body, bytes_)
    fields["decision"]["ticket"] = ticket
    return fields


def response_record(
    exchange: Exchange,
    *,
    status: int,
    outcome: Outcome,
    seconds: Seconds,
    mask: str | None,
    body: object = None,
    streamed: bool = False,
    parts: int = 0,
) -> Fields:
    """`response`: what was answered; `mask` names the profile the caller's copy went through, `body` is the masked one.

    `parts` says how many records a streamed answer's text stands in already. `identifiers` are those of the answer,
    `revealed` those of them that the caller gets as they were.
    """
    if outcome not in OUTCOMES:
        raise ValueError("no outcome of ours")
    return {
        "exchange": exchange.id,
        "status": status,
        "outcome": outcome,
        "findings": dict(exchange.found_out),
        "identifiers": sorted(exchange.identifiers_out),
        "revealed": sorted(exchange.revealed_out),
        "mask": mask,
        "streamed": streamed,
        "usage": {side: exchange.usage[side] for side in ("input", "output") if side in exchange.usage},
        "seconds": _seconds(seconds),
        "parts": parts,
        "body": body,
    }


def message_record(
    exchange: str,
    *,
    from_caller: bool,
    refused: str | None,
    findings: Mapping[str, int],
    bytes_: int,
    body: object,
    identifiers: Iterable[str] = (),
    revealed: Iterable[str] = (),
) -> Fields:
    """`message`: one of an open connection; `refused` says why it went no further, `body` is masked.

    `identifiers` and `revealed` of what the caller says are those of a request; what the model says has them in the
    `response` that ends the connection.
    """
    return {
        "exchange": exchange,
        "from": "caller" if from_caller else "model",
        "refused": refused,
        "findings": dict(findings),
        "identifiers": sorted(identifiers),
        "revealed": sorted(revealed) if refused is None else [],
        "bytes": bytes_,
        "parts": 0,
        "body": body,
    }


def refused_record(address: str, minute: str, reasons: Mapping[str, int]) -> Fields:
    """`refused`: bearers not believed from one address in one minute (RFC 3339), counted by their precise reason."""
    return {"client": {"ip": address}, "minute": minute, "count": sum(reasons.values()), "reasons": dict(reasons)}


def token_record(
    *,
    subject: Subject | None,
    client_ip: str,
    grant: str,
    reason: str | None,
    jti: str | None = None,
    expires: float | None = None,
    scope: str | None = None,
    uses: int | None = None,
    bound: Iterable[str] = (),
) -> Fields:
    """`token`: a bearer of our own was issued, or (with a `reason`) was not; `bound` names the kinds of its binding."""
    return {
        "subject": subject_fields(subject),
        "client": {"ip": client_ip},
        "grant": grant,
        "decision": "deny" if reason else "permit",
        "reason": reason,
        "jti": jti,
        "expires": expires,
        "scope": scope,
        "uses": uses,
        "bound": sorted(bound),
    }


def revocation_record(
    *, by: Subject, client_ip: str, issuer: str, subject: str | None, jti: str | None, cut: float, reason: str | None
) -> Fields:
    """`revocation`: who took back which bearers: a `subject`'s, issued at or before `cut`, or the one with `jti`."""
    revoked = {"issuer": issuer, "subject": subject, "jti": jti, "cut": cut}
    return {"subject": subject_fields(by), "client": {"ip": client_ip}, "revoked": revoked, "reason": reason}


def policy_record(
    policy_hash: str, *, was: str | None, accepted: bool, faults: Iterable[str] = (), text: str | None = None
) -> Fields:
    """`policy`: a file was read; one that was not accepted leaves `was` in force, and `faults` say why.

    The body of one in force is its text, so that what decided can be read, and asked again, as long as the journal is.
    """
    return {"policy": policy_hash, "was": was, "accepted": accepted, "faults": list(faults), "body": text}


def subject_fields(subject: Subject | None) -> Fields | None:
    """Who, as every record says it."""
    if subject is None:
        return None
    return {
        "issuer": subject.issuer,
        "id": subject.id,
        "roles": sorted(subject.roles),
        "groups": list(subject.groups),
        **({"context": dict(subject.context)} if subject.context else {}),
    }


def deployment_fields(deployment: Deployment | None) -> Fields:
    """Which version of a model somebody says they deploy, as every record says it; nothing where nobody does."""
    return {} if deployment is None else {"deployment": dict(zip(("version", "digest"), deployment, strict=True))}


def _goes_on(exchange: Exchange) -> bool:
    return isinstance(exchange.decision, Permit) and exchange.refusal is None


def _decision(exchange: Exchange) -> Fields:
    """A refusal from anywhere in the house comes first: it is what the caller got."""
    decided, refusal = exchange.decision, exchange.refusal
    rules = list(decided.rules) if isinstance(decided, Permit | Hold | Deny) else []
    if refusal is not None:
        verb, rule, reason = refusal.decision, refusal.rule, refusal.detail or refusal.reason
    elif isinstance(decided, Permit):
        verb, rule, reason = decided.verb, decided.rule, None
    elif isinstance(decided, Hold | Deny):
        verb, rule, reason = decided.verb, decided.rule, decided.reason
    else:
        raise ValueError("an exchange without decision or refusal is not settled")
    granted = decided if isinstance(decided, Permit) else None
    ticket, grant = (granted.ticket, granted.grant) if granted else (exchange.ticket, None)
    return {"verb": verb, "rule": rule, "rules": rules, "reason": reason, "ticket": ticket, "grant": grant}


def _seconds(seconds: Seconds) -> Fields:
    named = {"total": seconds.total, "first": seconds.first, "upstream": seconds.upstream, "gateway": seconds.gateway}
    return {name: None if value is None else round(value, 6) for name, value in named.items()}
