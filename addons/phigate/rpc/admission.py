"""May this message go to the model? From its bytes to what goes on in their place, or to a refusal.

Glue: the rooms' own rules for one message of a call, in the order in which a request over HTTP meets them. What is sent
on is written anew from what was decided about.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from phigate import approvals
from phigate.access import deployment, replies
from phigate.access.trial import guarded, tried
from phigate.approval.replies import LEDGER_DOWN as HOLD_DOWN
from phigate.approval.tickets import Asking, digest_of
from phigate.capture.record import request_record
from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import WireError
from phigate.exchange import Exchange, Refusal, Subject
from phigate.gate import headers
from phigate.holding import Held
from phigate.identity import scope
from phigate.identity.bearer import Credential, extract_from
from phigate.identity.proof import Presented
from phigate.identity.replies import REVOKED, UNKNOWN, over, refusal_of, session_of
from phigate.identity.verify import Known
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.masking.restore import StandIns
from phigate.policy.decide import Deny, Hold, Permit, PromptFacts, decide
from phigate.policy.schema import Target, Unknown
from phigate.policy.verdict import verdict, withheld
from phigate.rpc import texts
from phigate.rpc.answers import Asked
from phigate.rpc.upstream import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phigate.dialect.kserve_grpc import Infer, Method
    from phigate.house import House
    from phigate.identity.outcome import Refused, Unavailable
    from phigate.masking import Sight
    from phigate.policy.grants import Grant
    from phigate.policy.schema import Policy
    from phigate.rpc.framing import Fields

LARGE: Final = 4 * 1024
"""Bytes from which a message is read and masked in a thread, so that other calls go on meanwhile."""
MOST_HELD: Final = 4 * LARGE
"""Characters of texts that are held back, from which on the least message is: all may be read then."""
TOO_LARGE: Final = Refusal(413, "too-large", "The request is larger than this gateway records.")
UNRECORDED: Final = Refusal(503, "not-recorded", "The gateway could not record this exchange.", retry_after=1)
SHARED: Final = Refusal(415, "content-unreadable", "Tensors in shared memory do not pass this gateway.")
TELL: Final = 0.5
"""Seconds before a call's deadline at which it is told that it waited in vain."""
NOT_READY: Final = Refusal(503, "not-ready", "The gateway is starting or going away.", retry_after=1)
NOWHERE: Final = Refusal(404, "route-unknown", "No model server is named for this call.")
REPEATED: Final = frozenset({b"authorization", b"content-type", b"grpc-encoding", b"grpc-timeout", b"te", b"host"})
"""Fields that two copies of make ambiguous."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.:/\[\]-]{1,128}\Z")
"""A tensor's or a parameter's."""
_MARKS: Final = re.compile(r"[_.:/\[\]-]+")
_MAX_NAME: Final = 256


@dataclass(slots=True)
class Caller:
    """Who makes a call: its headers, and whom its bearer proved."""

    address: str
    fields: Fields
    by_name: dict[bytes, bytes] = field(default_factory=dict)
    subject: Subject | None = None
    bearer: str = field(default="", repr=False)
    session: str | None = None
    ends: float | None = None
    """When the call's deadline is, by the loop's clock."""
    gone: bool = False
    """The call is over: nobody waits for what is still to be settled of it."""

    @property
    def agent(self) -> str:
        return self.by_name.get(b"user-agent", b"")[:200].decode("utf-8", "replace")


@dataclass(slots=True)
class Admitted:
    """A message that may go: `message` in place of the caller's, to `address`."""

    exchange: Exchange
    permit: Permit
    message: bytes
    address: Address
    credential: str | None
    asked: Asked


class Admission:
    """Decides about messages; `default` is where a model stands that the policy gives no address."""

    def __init__(self, house: House, default: Address | None = None) -> None:
        self.house = house
        self._default = default

    # -- who is asking? ---------------------------------------------------------------------------------------------

    def caller(self, address: str, fields: Fields) -> Caller | Refusal:
        """Read a call's headers; each value of `-bin` or not is bytes."""
        plain = [(name, value) for name, value in fields if not name.startswith(b":")]
        caller = Caller(address, plain)
        for name, value in plain:
            twice = name in caller.by_name and (name in REPEATED or name in headers.REASON_HEADERS)
            if twice or name in deployment.HEADERS:  # a question would else be an order here
                return replies.fault(400, "malformed")
            caller.by_name[name] = value
        return caller

    async def identify(self, caller: Caller) -> Refusal | None:
        """Whom the call's bearer proves: the caller's `subject`, or why nobody."""
        proofs = tuple(value.decode("latin-1") for name, value in caller.fields if name == b"dpop")
        presented = Presented(method="POST", proof=proofs)
        outcome = await self.house.verifier.verify(caller.fields, presented, time.time())
        found = extract_from(caller.fields)
        if isinstance(found, Credential):
            caller.bearer = found.bearer
        return self._settled(caller, outcome)

    async def still(self, caller: Caller) -> Refusal | None:
        """Whether a call's bearer is believed as it was when the call began: asked for each of its messages."""
        known = await self.house.verifier.still(caller.bearer, time.time())
        if not isinstance(known, Known):
            return self._settled(caller, known)
        outcome = over(known.subject, self.house.agreement.follow)
        if outcome is not None:
            return REVOKED if outcome == "revoked" else UNKNOWN
        return self._settled(caller, known.subject)

    @staticmethod
    def _settled(caller: Caller, outcome: Subject | Refused | Unavailable) -> Refusal | None:
        if not isinstance(outcome, Subject):
            return refusal_of(outcome)
        caller.subject = outcome
        caller.session = session_of(outcome, caller.by_name.get(b"phi-session", b""))
        return None

    # -- may they? --------------------------------------------------------------------------------------------------

    def exchange(self, caller: Caller, method: Method | None) -> Exchange:
        return Exchange(
            id=f"ex-{secrets.token_hex(12)}",
            started=time.monotonic(),
            client_ip=caller.address,
            agent=caller.agent,
            method="POST",
            path=method.path if method else "",
            dialect=kserve.DIALECT if method else None,
            route=method.name if method else None,
            actions=frozenset({method.action}) if method else frozenset(),
            streaming=bool(method and method.streams),
            subject=caller.subject,
            session=caller.session,
        )

    async def admit(self, exchange: Exchange, caller: Caller, method: Method, data: bytes) -> Admitted | Refusal:
        """Decide about a message and record it; what is admitted is on the disk."""
        settled: Admitted | Refusal | None = None
        try:
            settled = await self._admit(exchange, caller, method, data)
            return settled
        finally:
            if not isinstance(settled, Admitted):
                self.house.meter.leave(exchange.id)

    async def _admit(self, exchange: Exchange, caller: Caller, method: Method, data: bytes) -> Admitted | Refusal:
        if caller.subject is None:
            raise ValueError("no subject")
        try:
            many = await self.house.meter.enter(exchange.id, caller.subject, self.house.policy.limits, time.monotonic())
        except LedgerDown:
            return await self.refuse(exchange, replies.UNCOUNTED)
        if many is not None:
            return await self.refuse(exchange, replies.too_many(many))
        work = _Message(self.house, exchange, caller, method, self._default)
        if len(data) > LARGE:
            await self.house.threads.run(caller.subject, work.settle, data)
        else:
            work.settle(data)
        if exchange.refusal is None:
            exchange.refusal = await self._approved(work, caller, data)
        if exchange.refusal is None and caller.subject is not None and caller.subject.uses is not None:
            exchange.refusal = await self._spend(caller.subject)
        await self.record(exchange, work.shown, data, work.model_shown)
        if exchange.refusal is not None:
            return exchange.refusal
        return work.admitted()

    async def _approved(self, work: _Message, caller: Caller, data: bytes) -> Refusal | None:
        """Whether it needs nobody's yes, or has it; where its rule says `wait`, that is waited for."""
        now = asyncio.get_running_loop().time()
        most = max(caller.ends - TELL - now, 0.0) if caller.ends is not None else None
        held = Held(len(data), lambda: caller.gone, most=most)
        refusal = await work.approved(data, held)
        while work.waited and refusal is None:
            refusal = NOT_READY if self.house.leaving else await self.still(caller)
            if refusal is None:
                refusal = await work.approved(data, held)
        return refusal

    async def refuse(self, exchange: Exchange, refusal: Refusal) -> Refusal:
        """Record a call of somebody known that is refused before anything of it was read."""
        exchange.refusal = refusal
        await self.record(exchange, None, b"")
        return exchange.refusal

    async def _spend(self, subject: Subject) -> Refusal | None:
        """A bearer for one exchange is spent by it."""
        try:
            first = await self.house.agreement.spend(
                "token", f"{subject.signed_by}\0{subject.jti}", subject.expires, time.time()
            )
        except LedgerDown:
            return replies.LEDGER_DOWN
        return None if first else replies.SPENT

    # -- what do we remember? ---------------------------------------------------------------------------------------

    async def record(self, exchange: Exchange, shown: Any, data: bytes, model_shown: str | None = None) -> None:
        """Write the record of a request, whose message was `data`, and wait until it is on the disk."""
        exchange.agent = self.house.agent_shown(exchange.agent) if exchange.agent else ""
        try:
            await self._write(exchange, shown, data, model_shown)
        except Unrecordable:  # more than a line of the journal holds: who asked is still on record
            exchange.refusal = TOO_LARGE
            exchange.identifiers_in.clear()
            with contextlib.suppress(Unrecordable, JournalDown):
                await self._write(exchange, None, data, model_shown)
        except JournalDown:
            exchange.refusal = UNRECORDED

    async def _write(self, exchange: Exchange, body: Any, data: bytes, model_shown: str | None) -> None:
        house = self.house
        target, exchange.target = exchange.target, model_shown
        try:
            fields = request_record(exchange, exchange.policy or house.policy.sha256, body, len(data))
        finally:
            exchange.target = target
        await house.keep.record(house.journal, "request", fields, side="caller", original=data)
        exchange.recorded = True


class _Message:
    """One message on its way: read, decided, masked; what comes of it stands in its exchange."""

    def __init__(
        self, house: House, exchange: Exchange, caller: Caller, method: Method, default: Address | None
    ) -> None:
        self._house, self._exchange, self._caller, self._method = house, exchange, caller, method
        self._policy = house.policy
        self._default = default
        self._node: protobuf.Node | None = None
        self._infer: Infer | None = None
        self._address: Address | None = None
        self._credential: str | None = None
        self._asked = Asked("", "")
        self.shown: Any = None
        self.model_shown: str | None = None
        self._facts = PromptFacts()
        self._grants: tuple[Grant, ...] = ()
        self._digest: str | None = None
        self.waited = False
        """It waited for a yes, or the policy changed, and it is to be decided about again."""

    async def approved(self, data: bytes, held: Held) -> Refusal | None:
        """Whether nobody else has to say yes, or somebody did: of a hold, a use of break-glass, a grant.

        None where it waited as well: see `waited`.
        """
        house, exchange = self._house, self._exchange
        if self.waited:  # its model may stand elsewhere now
            self._grants = ()
            await self._house.threads.run(self._exchange.subject, self.settle, data)
        if exchange.refusal is None and isinstance(exchange.decision, Hold):
            try:
                await self._by_grant(data)
            except LedgerDown:
                return HOLD_DOWN
        self.waited = False
        decision, now = exchange.decision, time.time()
        if exchange.refusal is not None or not approvals.asks(decision):
            return exchange.refusal
        shown = approvals.told(house, exchange, self._facts, self.model_shown, self.shown)
        if isinstance(decision, Hold):
            refusal = await approvals.hold(house, exchange, decision, self._facts.digest or "", shown, now)
            waiting = await house.holding.wait(held, exchange, (self.model_shown, self.shown), refusal)
            self.waited = waiting is None
            return waiting
        self.waited = approvals.outdated(house, exchange)
        if self.waited:
            return None
        return held.left() or await approvals.use(house, exchange, decision, shown, now)

    async def _by_grant(self, data: bytes) -> None:
        """Decide again with what the subject was granted, as the ledger knows it at this moment."""
        exchange, method = self._exchange, self._method
        if exchange.subject is None:
            raise ValueError("no subject")
        who = (exchange.subject.issuer, exchange.subject.id)
        named = (who, "POST", method.path, str(self._address), exchange.actions, exchange.target)
        self._digest = digest_of(Asking(*named, data, exchange.subject.context), self._house.secrets.digest("ticket"))
        async with self._house.holding.turn():
            self._grants = tuple(await self._house.agreement.approvals.live_grants(who, time.time()))
        await self._house.threads.run(self._exchange.subject, self.settle, data)

    def settle(self, data: bytes) -> None:
        exchange, self._policy = self._exchange, self._house.policy
        exchange.policy = self._policy.sha256
        exchange.identifiers_in, exchange.revealed_in = set(), set()  # as it is masked now, not as it was before
        exchange.refusal = self._read(data) or self._find() or self._beyond() or self._decide()
        self._mask()

    def admitted(self) -> Admitted:
        exchange = self._exchange
        if not isinstance(exchange.decision, Permit) or not exchange.recorded or self._address is None:
            raise ValueError("not settled")
        if self._infer is not None:
            message = self._onward(self._infer)
        else:
            message = protobuf.write(self._node) if self._node else b""
        return Admitted(exchange, exchange.decision, message, self._address, self._credential, self._asked)

    def _onward(self, message: Infer) -> bytes:
        """The message as the model gets it: under an id of ours, and so that the end of its answer is told."""
        message.node.values[kserve.ID] = self._exchange.id
        if self._method.streams:
            message.parameters[kserve.WANT_FINAL] = kserve.parameter(kserve.BOOL, 1)
        return message.bytes()

    def _read(self, data: bytes) -> Refusal | None:
        try:
            node = self._node = protobuf.read(data, self._method.request)
            if not self._method.infer:
                odd = kserve.has_unknown(node) or not kserve.is_version(node.text(kserve.VERSION))
                return replies.fault(400, "malformed") if odd else None
            message = self._infer = kserve.infer(node)
        except WireError:
            self._infer = self._node = None
            return replies.fault(400, "malformed")
        names = [*_names(message), *message.wanted]
        if not all(map(_NAME.match, names)) or not kserve.is_version(message.version) or len(message.id) > _MAX_NAME:
            self._infer = self._node = None
            return replies.fault(400, "malformed")
        if kserve.asks_for_shared_memory(message):
            return SHARED
        self._asked = Asked(message.id, message.model, wants_final=bool(message.flag(kserve.WANT_FINAL)))
        return None

    def _find(self) -> Refusal | None:
        """Which model of the policy is meant, and where it stands."""
        exchange = self._exchange
        if 1 not in self._method.request:
            self._address = self._default or _only(self._policy)
            return None if self._address else NOWHERE
        name = self._node.text(1) if self._node else ""
        if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
            return replies.fault(400, "model-missing")
        exchange.model = name
        target = self._policy.resolve(name)
        if not isinstance(target, Target):
            return replies.fault(404, "model-unknown" if isinstance(target, Unknown) else "model-ambiguous")
        exchange.target = target.name
        self._address = address_of(target.grpc) if target.grpc else self._default
        if self._address is None:
            return NOWHERE
        if target.credential is not None:
            self._credential = os.environ.get(target.credential.removeprefix("env:"))
            if not self._credential:
                return Refusal(503, "credential-missing", replies.MESSAGES["credential-missing"])
        return None

    def _beyond(self) -> Refusal | None:
        """What a bearer of the gateway's own was not issued for is refused before any rule is asked."""
        exchange = self._exchange
        limits = exchange.subject.scope if exchange.subject else None
        if limits is None or scope.allows(limits, exchange.actions, exchange.target):
            return None
        return replies.BEYOND

    def _decide(self) -> Refusal | None:
        exchange, stated = self._exchange, self._caller.by_name
        if exchange.subject is None:
            raise ValueError("no subject")
        reasons = {name: headers.reason_text(stated[name]) for name in headers.REASON_HEADERS if name in stated}
        if None in reasons.values():
            return replies.fault(400, "reason-missing")
        if b"phi-unmask" in reasons:
            exchange.actions |= {"unmask"}
            if beyond := self._beyond():
                return beyond
        facts = PromptFacts(
            texts=tuple(text for _, text in kserve.plain_texts(self._infer)) if self._infer else (),
            unmask=reasons.get(b"phi-unmask"),
            break_glass=reasons.get(b"phi-break-glass"),
            justification=reasons.get(b"phi-justification"),
            digest=self._digest,
        )
        exchange.stated, self._facts = facts.stated, facts
        decision = decide(
            self._policy, exchange.subject, exchange.actions, exchange.target, facts, self._grants, time.time()
        )
        exchange.decision = decision
        message = self._infer
        readable = message is None or kserve.readable(message)
        steers = message is not None and bool(kserve.steers(message))
        if (trial := self._house.trial) is not None and exchange.shadow is None:  # before any grant, as over HTTP
            policy = trial.policy
            exchange.shadow = guarded(lambda: self._tried(policy, facts, readable=readable, steers=steers))
        if isinstance(decision, Deny):
            return replies.denied(decision)
        reason = withheld(decision, readable=readable, steers=steers)
        return replies.fault(415 if reason == "content-unreadable" else 400, reason) if reason else None

    def _tried(self, policy: Policy, facts: PromptFacts, *, readable: bool, steers: bool) -> dict[str, Any] | None:
        """What a policy on trial makes of what the real one was asked about."""
        exchange = self._exchange
        if exchange.subject is None:
            return None
        return tried(
            policy,
            verdict(exchange.decision, readable=readable, steers=steers),
            subject=exchange.subject,
            actions=exchange.actions,
            meant=lambda of: of.resolve(exchange.model) if exchange.model else None,
            facts=facts,
            readable=readable,
            steers=steers,
            now=time.time(),
        )

    def _mask(self) -> None:
        exchange, decision = self._exchange, self._exchange.decision
        permit = decision if isinstance(decision, Permit) and exchange.refusal is None else None
        exchange.stand_ins = StandIns() if permit and permit.restore else None
        sight = self._house.sight(exchange, permit.prompt if permit else None)
        if self._infer is not None:
            try:
                if permit is not None and permit.prompt is not None and _telling(self._infer, sight):
                    raise WireError("names that tell")
                self.shown = _masked(self._infer, sight)
            except ValueError:
                exchange.refusal = exchange.refusal or replies.fault(415, "content-unreadable")
        self.model_shown = sight.for_bystanders(exchange.target) if exchange.target else None
        if exchange.stand_ins:
            exchange.stand_ins.teach(sight.names)
        exchange.names = sight.names
        exchange.found_in = sight.found
        exchange.identifiers_in |= sight.identifiers
        exchange.revealed_in |= sight.revealed.keys()


def _telling(message: Infer, sight: Sight) -> bool:
    """Whether a name of a tensor or a parameter, or a version, which the model gets as it is, is an identifier."""
    names = {*_names(message), *message.wanted, message.version}
    return any(sight.for_caller(told) != told for name in names for told in (name, _MARKS.sub(" ", name)))


def _names(message: Infer) -> Iterator[str]:
    yield from (tensor.name for tensor in message.tensors)
    yield from (name for parameters in message.all_parameters() for name in parameters)


def _masked(message: Infer, sight: Sight) -> dict[str, Any]:
    """Mask a prompt in its place, for the model; what bystanders see is given back."""
    texts.study(message, sight)
    stated: list[dict[str, str]] = []
    for parameters in message.all_parameters():
        for name, value in parameters.items():
            if kserve.STRING in value.values:
                onward, shown = texts.parameter(name, value.text(kserve.STRING), sight)
                value.values[kserve.STRING] = onward
                stated.append({sight.for_bystanders(name): shown})
    inputs = texts.mask(message, "inputs", sight)
    wanted = [{"name": sight.for_bystanders(name)} for name in message.wanted]
    return {"inputs": inputs} | ({"outputs": wanted} if wanted else {}) | ({"parameters": stated} if stated else {})


def address_of(url: str) -> Address:
    """`grpc://HOST:PORT` or `grpcs://HOST:PORT`, which were checked when they were read."""
    parts = urlsplit(url)
    return Address(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "grpcs" else 80))


def _only(policy: Policy) -> Address | None:
    """The one address that all models of a policy share."""
    found = {model.grpc for model in (policy.models or {}).values() if model.grpc}
    return address_of(found.pop()) if len(found) == 1 else None
