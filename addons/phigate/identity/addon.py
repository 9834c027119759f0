"""Who is asking? Glue: the request's credential to a Subject, or a 401 that tells nothing about it (RFC 6750, 3)."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from phigate import flows
from phigate.exchange import Refusal, Subject
from phigate.identity.verify import Refused, Unavailable

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from phigate.house import House

MISSING = {"www-authenticate": 'Bearer realm="phigate"'}
INVALID = {"www-authenticate": 'Bearer realm="phigate", error="invalid_token"'}


class Identity:
    def __init__(self, house: House) -> None:
        self.house = house

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        exchange = passage.exchange
        outcome = await self.house.verifier.verify(flow.request.headers.fields, time.time())
        if isinstance(outcome, Subject):
            exchange.subject = outcome
            exchange.session = session_of(outcome, passage.fields.get(b"phi-session", b""))
        else:
            exchange.refusal = refusal_of(outcome)


def refusal_of(outcome: Refused | Unavailable) -> Refusal:
    """401 with the public reason alone; 503 where the issuer's keys could not be had (nobody is refused for that)."""
    if isinstance(outcome, Unavailable):
        message = "Bearers cannot be verified at the moment."
        return Refusal(503, outcome.reason, message, retry_after=outcome.retry_after)
    if outcome.public == "bearer-missing":
        return Refusal(401, outcome.public, "A bearer is needed.", headers=MISSING)
    return Refusal(401, outcome.public, "The bearer is not believed.", detail=outcome.reason, headers=INVALID)


def session_of(subject: Subject, stated: bytes) -> str:
    """A subject's session: by the caller's own `phi-session`, else all exchanges of the subject on one bearer."""
    own = f"own:{stated.hex()}" if stated else f"bearer:{subject.jti or subject.expires}"
    return "se-" + hashlib.sha256(f"{subject.issuer}\0{subject.id}\0{own}".encode()).hexdigest()[:24]
