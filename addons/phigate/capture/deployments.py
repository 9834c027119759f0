"""The records of deployments that were stated at the console; values in, plain JSON values out.

A deployment by a request of the data plane stands in that request's own record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from phigate.capture.record import request_record, subject_fields

if TYPE_CHECKING:
    from phigate.exchange import Exchange

type Fields = dict[str, Any]

_SAID = ("subject", "action", "model", "purpose", "stated", "decision", "policy")


def deployment_record(exchange: Exchange, policy_hash: str) -> Fields:
    """`deployment`: somebody was about to deploy a model by other ways than the gateway, and what was decided."""
    made = request_record(exchange, policy_hash, None, 0)
    return _named(exchange) | {name: made[name] for name in _SAID}


def outcome_record(exchange: Exchange, code: int) -> Fields:
    """`deployment`: how one ended, as whoever deployed says it: it ended with `code`."""
    return _named(exchange) | {"code": code, "outcome": "failed" if code else "succeeded"}


def _named(exchange: Exchange) -> Fields:
    """Who deploys what; by an id of its own, since nothing of it went through the gateway."""
    version, digest = exchange.deployment or (None, None)
    return {
        "deployment": {"id": exchange.id, "version": version, "digest": digest},
        "subject": subject_fields(exchange.subject),
        "client": {"ip": exchange.client_ip},
        "model": exchange.target,
    }
