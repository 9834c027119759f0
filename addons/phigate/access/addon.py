"""May they? Glue: route, body and model to a decision of the policy."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from phigate import flows
from phigate.access import replies
from phigate.access.beside import beside_fault
from phigate.access.deployment import stated
from phigate.access.messages import Told
from phigate.access.messages import read as hear
from phigate.access.request import Asked, read
from phigate.access.trial import guarded, tried
from phigate.approval.replies import LEDGER_DOWN as HOLD_DOWN
from phigate.approval.tickets import Asking, digest_of
from phigate.dialect import tree
from phigate.dialect.known import dialect_of, spoken
from phigate.exchange import Refusal
from phigate.gate import headers
from phigate.gate.replies import BUSY
from phigate.identity import scope
from phigate.ledger import LedgerDown
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, decide
from phigate.policy.schema import Target, Unknown
from phigate.policy.verdict import Verdict, verdict, withheld
from phigate.policy.words import MODEL_FREE_ACTIONS

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow, Request

    from phigate.dialect.routes import Route
    from phigate.exchange import Exchange, Subject
    from phigate.house import House
    from phigate.policy.schema import Policy
    from phigate.policy.targets import Ambiguous


LARGE = 4 * 1024
"""Bytes and characters from which a body, or a message with those before it, is read in a thread: others go on
meanwhile."""
MOST_OPEN = 32
"""WebSockets that one subject may have open at this gateway."""
MOST_OPEN_IN_ALL = 1000


class Access:
    def __init__(self, house: House) -> None:
        self.house = house
        house.again.append(self.request)

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        exchange = passage.exchange
        exchange.refusal = await self._too_many(exchange)
        policy = self.house.policy  # the one that is in force once it was counted
        exchange.policy = policy.sha256
        exchange.refusal = exchange.refusal or await self._settled(policy, flow.request, passage)
        if exchange.refusal is None and isinstance(exchange.decision, Hold):
            exchange.refusal = await self._by_grant(policy, flow.request, passage)
        if exchange.refusal is None and exchange.question:
            exchange.refusal = _answered(exchange)
        if exchange.refusal is None and exchange.subject is not None and exchange.subject.uses is not None:
            exchange.refusal = await self._spend(exchange.subject, exchange.decision)

    async def _too_many(self, exchange: Exchange) -> Refusal | None:
        """Whether a request has room, and the policy's limits let it in: asked before anything of its body is read."""
        if exchange.subject is None:
            raise ValueError("no subject")
        if not self.house.room.belongs(exchange.id, (exchange.subject.issuer, exchange.subject.id)):
            return BUSY
        try:
            found = await self.house.meter.enter(exchange.id, exchange.subject, self.house.policy.limits, _now())
        except LedgerDown:
            return replies.UNCOUNTED
        return replies.too_many(found) if found else None

    async def _spend(self, subject: Subject, decision: object) -> Refusal | None:
        """A bearer for one exchange is spent by it: by the first that is permitted, on whichever instance."""
        if not isinstance(decision, Permit):
            return None
        try:
            first = await self.house.agreement.spend(
                "token", f"{subject.signed_by}\0{subject.jti}", subject.expires, time.time()
            )
        except LedgerDown:
            return replies.LEDGER_DOWN
        return None if first else replies.SPENT

    async def _by_grant(self, policy: Policy, request: Request, passage: flows.Passage) -> Refusal | None:
        """Ask again with what the subject was granted, as the ledger knows it at this moment."""
        exchange, data = passage.exchange, request.data
        if exchange.subject is None:
            raise ValueError("no subject")
        who = (exchange.subject.issuer, exchange.subject.id)
        scheme, host, port = passage.target_url or (data.scheme, data.host, data.port)
        asking = Asking(
            subject=who,
            method=exchange.method,
            path=exchange.path,
            upstream=f"{scheme!r} {host} {port}",
            actions=exchange.actions,
            model=exchange.target,
            body=exchange.request,
            context=exchange.subject.context,
        )
        passage.reasons = replace(passage.reasons, digest=digest_of(asking, self.house.secrets.digest("ticket")))
        try:
            async with self.house.holding.turn():
                grants = await self.house.agreement.approvals.live_grants(who, time.time())
        except LedgerDown:
            return HOLD_DOWN
        exchange.decision = decision = decide(
            *(policy, exchange.subject, exchange.actions, exchange.target),
            *(passage.reasons, grants, time.time()),
        )
        readable, steers = passage.content
        return (
            replies.denied(decision)
            if isinstance(decision, Deny)
            else _content(decision, readable=readable, steers=steers)
        )

    async def _settled(self, policy: Policy, request: Request, passage: flows.Passage) -> Refusal | None:
        """Read and decide, under one policy also where another comes into force meanwhile."""
        if len(request.data.content or b"") > LARGE:
            return await self.house.threads.run(passage.exchange.subject, self._settle, policy, request, passage)
        return self._settle(policy, request, passage)

    def _settle(self, policy: Policy, request: Request, passage: flows.Passage) -> Refusal | None:
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
        refused = (
            _address(policy, passage, asked)
            or _beyond(exchange)
            or _states(passage)
            or self._of_caller(passage)
            or _decide(policy, passage, asked)
            or (_beside(policy, passage, asked) if asked.beside else None)
        )
        if (trial := self.house.trial) is not None:
            exchange.shadow = guarded(lambda: _tried(trial.policy, passage, asked, refused))
        return refused or (self._crowded(exchange.subject) if route.talk else None)

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

    def _crowded(self, subject: Subject | None) -> Refusal | None:
        """Too many WebSockets: of this subject, or of all."""
        found = (flows.passage_of(flow) for flow in self.house.contacted.values())
        open_ = [each.exchange.subject for each in found if each and each.route and each.route.talk]
        own = sum(
            each is not None and subject is not None and (each.issuer, each.id) == (subject.issuer, subject.id)
            for each in open_
        )
        return replies.TOO_MANY if own >= MOST_OPEN or len(open_) >= MOST_OPEN_IN_ALL else None

    # -- messages ---------------------------------------------------------------------------------------------------

    async def websocket_message(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.message is None or passage.message.refusal is not None:
            return
        message, subject = passage.message, passage.exchange.subject
        if message.from_client and subject is not None:
            message.refusal = await self._says_too_much(subject)
        if message.refusal is not None:
            return
        if not message.from_client:
            message.refusal = self._changed(passage)
        elif len(message.raw) + (passage.told.size if passage.told else 0) > LARGE:
            message.refusal = await self.house.threads.run(subject, self._hear, passage, message)
        else:
            message.refusal = self._hear(passage, message)

    async def _says_too_much(self, subject: Subject) -> Refusal | None:
        try:
            found = await self.house.meter.say(subject, self.house.policy.limits, _now())
        except LedgerDown:
            return replies.UNCOUNTED
        return replies.too_many(found) if found else None

    def _hear(self, passage: flows.Passage, message: flows.Message) -> Refusal | None:
        """Whether the caller may say this: each message is a prompt of its own, read together with those before it."""
        exchange, route = passage.exchange, passage.route
        if route is None or route.talk is None or exchange.subject is None:
            raise ValueError("no conversation")
        dialect = dialect_of(route.dialect)
        said = hear(message.raw, dialect, route.talk)
        if isinstance(said, Refusal):
            return said
        message.said = said
        passage.told = passage.told or Told()
        texts = passage.told.and_(said, dialect)
        return (
            self._changed(passage)
            or self._again(passage, exchange.actions, exchange.target, texts)
            or self._named(passage, said.names, texts)
            or _content(exchange.decision, readable=said.readable, steers=said.steers)
        )

    def _changed(self, passage: flows.Passage) -> Refusal | None:
        """What a new policy says of a connection that an older one permitted."""
        policy, exchange = self.house.policy, passage.exchange
        if policy is passage.decided_by or passage.route is None:
            return None
        target = _meant(policy, passage.route, exchange.model)
        if target != passage.target:
            return replies.fault(403, "connection-changed")
        if refused := self._again(passage, exchange.actions, exchange.target, ()):
            return refused
        passage.decided_by = policy
        return None

    def _again(
        self, passage: flows.Passage, actions: frozenset[str], model: str | None, texts: tuple[str, ...]
    ) -> Refusal | None:
        """A message is decided like the request; one that is to be seen in another way needs its own connection."""
        exchange = passage.exchange
        if exchange.subject is None:
            raise ValueError("no subject")
        facts = replace(passage.reasons, texts=texts)
        # Only by what was spent for this connection: another grant would be used without an end.
        grants = exchange.decision.grants if isinstance(exchange.decision, Permit) else ()
        decision = decide(self.house.policy, exchange.subject, actions, model, facts, grants, time.time())
        if isinstance(decision, Deny):
            return replies.denied(decision)
        same = isinstance(decision, Permit) and _seen_as(decision) == _seen_as(exchange.decision)
        return None if same else replies.fault(403, "connection-changed")

    def _named(
        self, passage: flows.Passage, names: tuple[tuple[str | None, Any], ...], texts: tuple[str, ...]
    ) -> Refusal | None:
        """Models that a message names: of the same server, and permitted in the same way."""
        exchange = passage.exchange
        for action, name in names:
            target = self.house.policy.resolve(name) if isinstance(name, str) else None
            if not isinstance(target, Target) or target.url != passage.target.url:
                return replies.fault(404, "model-unknown")
            actions = frozenset({action}) if action else exchange.actions
            limits = exchange.subject.scope if exchange.subject else None
            if limits is not None and not scope.allows(limits, actions, target.name):
                return replies.BEYOND
            if refused := self._again(passage, actions, target.name, texts):
                return refused
        return None


def _now() -> float:
    """By a clock that never steps."""
    return asyncio.get_running_loop().time()


def _address(policy: Policy, passage: flows.Passage, asked: Asked) -> Refusal | None:
    """Which model of the policy the name means, and where it stands."""
    exchange, route = passage.exchange, asked.route
    target = _named_model(policy, route, asked)
    if target is None:
        return None
    if not isinstance(target, Target):
        return replies.fault(404, "model-unknown" if isinstance(target, Unknown) else "model-ambiguous")
    exchange.target, passage.target, passage.decided_by = target.name, target, policy
    if target.url is not None:
        url = urlsplit(target.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        passage.target_url = (url.scheme.encode(), url.hostname or "", port)
    if target.credential is not None:
        passage.credential = os.environ.get(target.credential.removeprefix("env:"))
        if not passage.credential:
            return Refusal(503, "credential-missing", replies.MESSAGES["credential-missing"])
    return None


def _decide(policy: Policy, passage: flows.Passage, asked: Asked) -> Refusal | None:
    exchange = passage.exchange
    if exchange.subject is None:
        raise ValueError("no subject")
    facts = _facts(passage, asked)
    if facts is None:
        return replies.fault(400, "reason-missing")
    exchange.stated = facts.stated
    if facts.unmask is not None:
        exchange.actions |= {"unmask"}
        if beyond := _beyond(exchange):
            return beyond
    decision = decide(policy, exchange.subject, exchange.actions, exchange.target, facts, (), time.time())
    exchange.decision, passage.reasons = decision, facts
    passage.content = (asked.readable, _steers(asked))
    if isinstance(decision, Deny):
        return replies.denied(decision)
    return _content(decision, readable=asked.readable, steers=_steers(asked))


def _beside(policy: Policy, passage: flows.Passage, asked: Asked) -> Refusal | None:
    """What other models a request makes use of, its caller may change by themselves, too."""
    exchange = passage.exchange
    subject, actions, now = exchange.subject, exchange.actions, time.time()
    if subject is None:
        raise ValueError("no subject")
    others = [_meant(policy, asked.route, name) for name in asked.beside]
    limits, named = subject.scope, [other.name for other in others if isinstance(other, Target)]
    if limits is not None and not all(scope.allows(limits, actions, name) for name in named):
        return replies.BEYOND
    return beside_fault(
        passage.target,
        others,
        lambda name: decide(policy, subject, actions, name, passage.reasons, (), now),
    )


def _meant(policy: Policy, route: Route, model: str | None) -> Target | Unknown | Ambiguous:
    """The model of a policy that a route's request means."""
    protocol = dialect_of(route.dialect).protocol
    if route.model is not None:
        return policy.targets.called(route.model)
    return policy.targets.speaking(protocol) if model is None else policy.resolve(model, protocol)


def _named_model(policy: Policy, route: Route, asked: Asked) -> Target | Unknown | Ambiguous | None:
    """The same for a request that may need none."""
    if asked.model is None and asked.tree is None and route.model is None and route.action in MODEL_FREE_ACTIONS:
        return None
    return _meant(policy, route, asked.model)


def _seen_as(decision: Any) -> tuple[Any, ...]:
    """What a permit makes of a connection's texts."""
    return (decision.verb, decision.mask, decision.prompt, decision.restore, decision.opaque, decision.steering)


def _content(decision: object, *, readable: bool, steers: bool) -> Refusal | None:
    """What of a request's content a permit does not let through."""
    reason = withheld(decision, readable=readable, steers=steers)
    return replies.fault(415 if reason == "content-unreadable" else 400, reason) if reason else None


def _facts(passage: flows.Passage, asked: Asked) -> PromptFacts | None:
    """What the rules may look at besides who, what and which model; None where a header says no reason."""
    stated = passage.fields
    reasons = {name: headers.reason_text(stated[name]) for name in headers.REASON_HEADERS if name in stated}
    if None in reasons.values():
        return None
    dialect = spoken(asked.route)
    return PromptFacts(
        texts=tuple(tree.texts(asked.tree, dialect.request)) if asked.tree is not None else (),
        unmask=reasons.get(b"phi-unmask"),
        break_glass=reasons.get(b"phi-break-glass"),
        justification=reasons.get(b"phi-justification"),
    )


def _states(passage: flows.Passage) -> Refusal | None:
    """Read what the request says of a deployment, and whether it is a question."""
    exchange = passage.exchange
    found = stated(passage.fields, exchange.actions)
    if found is None:
        return replies.fault(400, "malformed")
    exchange.deployment, exchange.question = found
    return None


def _answered(exchange: Exchange) -> Refusal | None:
    """A question gets its ticket at once, and nothing by which anything would go on."""
    if isinstance(exchange.decision, Hold):
        exchange.decision = replace(exchange.decision, wait=None)
        return None
    return replies.UNASKED


def _tried(policy: Policy, passage: flows.Passage, asked: Asked, refused: Refusal | None) -> dict[str, Any] | None:
    """What a policy on trial makes of a request that the real one was asked about, or knew no such model of."""
    exchange, route, facts = passage.exchange, asked.route, passage.reasons
    actions, steers = exchange.actions, _steers(asked)
    if exchange.decision is not None:
        real = verdict(exchange.decision, readable=asked.readable, steers=steers)
    elif refused is not None and refused.reason in {"model-unknown", "model-ambiguous"}:
        real, facts = Verdict("deny", None, refused.reason), _facts(passage, asked)
    else:
        return None
    if exchange.subject is None or facts is None:
        return None
    return tried(
        policy,
        real,
        subject=exchange.subject,
        actions=actions | {"unmask"} if facts.unmask is not None else actions,
        meant=lambda of: _named_model(of, route, asked),
        facts=facts,
        readable=asked.readable,
        steers=steers,
        now=time.time(),
    )


def _steers(asked: Asked) -> bool:
    return asked.tree is not None and bool(spoken(asked.route).steers(asked.tree))


def _beyond(exchange: Exchange) -> Refusal | None:
    """What a bearer of the gateway's own was not issued for is refused before any rule is asked."""
    limits = exchange.subject.scope if exchange.subject else None
    if limits is None or scope.allows(limits, exchange.actions, exchange.target):
        return None
    return replies.BEYOND
