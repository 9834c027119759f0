"""May they? Glue: route, body and model to a decision of the policy."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from phigate import flows
from phigate.access import replies
from phigate.access.request import Asked, read
from phigate.dialect import tree
from phigate.dialect.known import dialect_of, spoken
from phigate.exchange import Refusal
from phigate.gate import headers
from phigate.identity import scope
from phigate.ledger import LedgerDown
from phigate.policy.decide import Deny, Permit, PromptFacts, decide
from phigate.policy.schema import Target, Unknown
from phigate.policy.words import MODEL_FREE_ACTIONS

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow, Request

    from phigate.exchange import Exchange, Subject
    from phigate.house import House


class Access:
    def __init__(self, house: House) -> None:
        self.house = house

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        exchange = passage.exchange
        exchange.refusal = self._settle(flow.request, passage)
        if exchange.refusal is None and exchange.subject is not None and exchange.subject.uses is not None:
            exchange.refusal = await self._spend(exchange.subject, exchange.decision)

    async def _spend(self, subject: Subject, decision: object) -> Refusal | None:
        """A bearer for one exchange is spent by it: by the first that is permitted, on whichever instance."""
        if not isinstance(decision, Permit):
            return None
        try:
            first = await self.house.spend("token", f"{subject.signed_by}\0{subject.jti}", subject.expires, time.time())
        except LedgerDown:
            return replies.LEDGER_DOWN
        return None if first else replies.SPENT

    def _settle(self, request: Request, passage: flows.Passage) -> Refusal | None:
        exchange, match, data = passage.exchange, passage.match, request.data
        if passage.head_fault is not None or match is None:
            return replies.fault(*(passage.head_fault or (404, "route-unknown")))
        if data.trailers or (data.content and not match.route.has_body):
            return replies.fault(400, "malformed")
        if match.route.has_body and (wrong := headers.body_fault(passage.fields, match.route.reads)):
            return replies.fault(*wrong)
        asked = read(match, data.content or b"", passage.fields, dialect_of)
        if isinstance(asked, Refusal):
            return asked
        passage.route = route = asked.route
        exchange.dialect, exchange.route, exchange.actions = route.dialect, route.name, frozenset({route.action})
        exchange.request, exchange.model, exchange.streaming = asked.tree, asked.model, asked.streaming
        return (
            self._address(passage, asked)
            or _beyond(exchange)
            or self._of_caller(passage)
            or self._decide(passage, asked)
        )

    def _of_caller(self, passage: flows.Passage) -> Refusal | None:
        """What the request names of the things that the server keeps for a caller, it names as this caller was told."""
        exchange, fields = passage.exchange, passage.fields
        seal = self.house.seal_of(exchange)
        for name in dialect_of(exchange.dialect).owned & fields.keys():
            own = seal.read(fields[name].decode("latin-1")) if seal else None
            if own is None:
                return replies.fault(404, "session-unknown")
            fields[name] = own.encode("latin-1")
        return None

    def _address(self, passage: flows.Passage, asked: Asked) -> Refusal | None:
        """Which model of the policy the name means, and where it stands."""
        exchange, policy = passage.exchange, self.house.policy
        protocol = dialect_of(asked.route.dialect).protocol
        if asked.route.model is not None:
            target = policy.targets.called(asked.route.model)
        elif asked.model is not None:
            target = policy.resolve(asked.model, protocol)
        elif asked.tree is not None or asked.route.action not in MODEL_FREE_ACTIONS:
            target = policy.targets.speaking(protocol)
        else:
            return None
        if not isinstance(target, Target):
            return replies.fault(404, "model-unknown" if isinstance(target, Unknown) else "model-ambiguous")
        exchange.target = target.name
        if target.url is not None:
            url = urlsplit(target.url)
            port = url.port or (443 if url.scheme == "https" else 80)
            passage.target_url = (url.scheme.encode(), url.hostname or "", port)
        if target.credential is not None:
            passage.credential = os.environ.get(target.credential.removeprefix("env:"))
            if not passage.credential:
                return Refusal(503, "credential-missing", replies.MESSAGES["credential-missing"])
        return None

    def _decide(self, passage: flows.Passage, asked: Asked) -> Refusal | None:
        exchange = passage.exchange
        if exchange.subject is None:
            raise ValueError("no subject")
        stated = passage.fields
        reasons = {name: headers.reason_text(stated[name]) for name in headers.REASON_HEADERS if name in stated}
        if None in reasons.values():
            return replies.fault(400, "reason-missing")
        if b"phi-unmask" in reasons:
            exchange.actions |= {"unmask"}
            if beyond := _beyond(exchange):
                return beyond
        dialect = spoken(asked.route)
        facts = PromptFacts(
            texts=tuple(tree.texts(asked.tree, dialect.request)) if asked.tree is not None else (),
            unmask=reasons.get(b"phi-unmask"),
            break_glass=reasons.get(b"phi-break-glass"),
            justification=reasons.get(b"phi-justification"),
        )
        decision = decide(
            self.house.policy, exchange.subject, exchange.actions, exchange.target, facts, (), time.time()
        )
        exchange.decision, passage.reasons = decision, facts
        if isinstance(decision, Deny):
            return replies.denied(decision)
        if isinstance(decision, Permit) and not asked.readable and not decision.opaque:
            return replies.fault(415, "content-unreadable")
        if (
            isinstance(decision, Permit)
            and decision.mask.hides
            and not decision.steering
            and dialect.steers(asked.tree)
        ):
            return replies.fault(400, "steering-refused")
        return None


def _beyond(exchange: Exchange) -> Refusal | None:
    """What a bearer of the gateway's own was not issued for is refused before any rule is asked."""
    limits = exchange.subject.scope if exchange.subject else None
    if limits is None or scope.allows(limits, exchange.actions, exchange.target):
        return None
    return replies.BEYOND
