"""What the rooms share while the gateway runs: the policy in force, detectors, keys, journal, who is under way.

Glue: it reads files, the clock and mitmproxy's options, and is the only place where a policy is put in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import sys
import time
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phigate import metrics
from phigate.access.meter import Meter
from phigate.agreement import Agreement
from phigate.capture.keep import Keep
from phigate.dialect.routes import RouteTable
from phigate.edits import Edits
from phigate.gate.seals import Seal
from phigate.holding import Holding
from phigate.host.addresses import Addresses
from phigate.host.connections.doors import Doors
from phigate.host.connections.room import Room
from phigate.identity.own import Own
from phigate.identity.verify import Verifier
from phigate.journal.anchor import Anchors, anchor_record, open_anchors
from phigate.journal.checkpoint import Checkpoints
from phigate.journal.disk import limits_of
from phigate.journal.signer import open_signer
from phigate.journal.writer import Journal, JournalDown, JournalFault, open_journal
from phigate.masking import Memory, Secrets, Sight, Transformer
from phigate.masking.structure.paths import rules_for
from phigate.masking.transforms import scope_of
from phigate.policy.load import PolicyFaults
from phigate.serving import auditor_of, providers_of, read_served, served
from phigate.sources import Sources, read_sources, stamp_of
from phigate.starting import StartFault, ledger_url, read_secrets
from phigate.threads import Threads
from phigate.trial import Trial
from phigate.webhooks import receivers_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from phigate.exchange import Exchange
    from phigate.host.observers import Observers
    from phigate.host.recordings.offline import Rerun
    from phigate.identity.saml import Provider
    from phigate.journal.chain import Kind
    from phigate.policy.schema import Mask, Policy
    from phigate.webhooks import Receiver

CLIENT = re.compile(
    r"(?:python-httpx|python-requests|OpenAI/Python|AsyncOpenAI/Python|OpenAI/JS|Anthropic/Python|AsyncAnthropic/Python"
    r"|ollama-python|curl|Wget|Mozilla|axios|node-fetch|okhttp|Go-http-client|aiohttp|Python-urllib|PostmanRuntime)"
    r"(?:/[0-9]{1,3}(?:\.[0-9]{1,3}){0,2})?",
    re.ASCII,
)
"""Names and versions of programs, which a finder of names takes for people."""


class House:
    """The shared state; empty until `furnish`, closed for traffic until `ready`."""

    policy: Policy
    policy_since: dt.datetime
    """When it was put in force."""
    sources: Sources
    providers: tuple[Provider, ...]
    secrets: Secrets
    keep: Keep
    """What of bodies stands in records."""
    journal: Journal
    checkpoints: Checkpoints
    anchors: Anchors
    verifier: Verifier
    observers: Observers
    routes: RouteTable
    """What requests may ask for: the known routes, and the policy's own."""
    room: Room
    """What is held of large bodies."""
    announced = False
    """Readiness says that the gateway is going to leave; once it is `leaving`, nothing new is taken."""

    def __init__(self) -> None:
        self.furnished = self.ready = self.leaving = False
        self.ending: int | None = None
        """The code that the process ends with, once it was said why it cannot start."""
        self.under_way: set[str] = set()
        self.contacted: dict[str, Any] = {}
        """Exchanges whose upstream was asked and that are not over, and their flows."""
        self.agreement = Agreement(self)
        """What all gateways agree on: the ledger, as it is followed here, and the clock."""
        self.meter = Meter(self.agreement.sharing, self._digest)
        """Who asked for how much."""
        self.doors, self.room = Doors(), Room()
        """Who is connected, and how long they may be."""
        self.holding, self.threads = Holding(self), Threads()
        """Requests that wait for their yes; large work, and who had it done."""
        self.again: list[Callable[[Any], Awaitable[None] | None]] = []
        """What decides about a flow anew, from the start: a step of each room, in the order of the chain."""
        self.addresses, self.instance = Addresses(), ""
        self.edits = Edits(self)
        """The policy's file, and what becomes of it when it is edited."""
        self.trial: Trial | None = None
        """A policy that is asked beside the one in force, and only recorded."""
        self.receivers: Mapping[str, Receiver] = {}
        """The policy's webhooks."""
        self.count_refused: Callable[[str, str], None] = lambda _address, _reason: None
        """(address, reason) of a credential that was not believed; whoever records them sets it."""
        self.rerun: Callable[[Policy, Sequence[Policy]], Rerun]
        """What decides recorded flows again where nobody can connect; whoever can do so sets it."""
        self.openers: list[Callable[[], None]] = []
        """What else must be had before a port opens; each may raise StartFault."""
        self.partings: list[Callable[[], Awaitable[None]]] = []
        """What is waited for once no more connection is served, before the journal closes."""
        self.remarks: list[Callable[[], Mapping[str, str]]] = [self.agreement.remarks, self.edits.remarks]
        """What readiness says beside whether everything is there, by whom it is about; none of it may raise."""
        self.ticks: list[Callable[[], None]] = [
            self.agreement.look_at_clock,
            self.edits.reload_if_changed,
            self.edits.note_again,
            self.holding.tick,
            self.agreement.sharing.tick,
        ]
        """What is done once a second; none of it may raise."""

    def open_or_end(self) -> None:
        """End the process unless everything is furnished once the script is loaded.

        mitmproxy logs what breaks while it loads a script, or not even that (an option given twice), and goes on as a
        plain proxy. Loading is one step of its loop: this looks at what came of it in the next.
        """
        with contextlib.suppress(RuntimeError):  # no loop: nothing is going to listen
            asyncio.get_running_loop().call_soon(self._look_or_end)

    def _look_or_end(self) -> None:
        if self.ending is not None:
            sys.exit(self.ending)
        if not self.furnished:
            sys.stderr.write("phigate: the gateway could not be loaded; is an option of it given twice?\n")
            sys.exit(1)

    def furnish(
        self,
        *,
        policy: str,
        journal: str,
        secrets: str,
        instance: str,
        ledger: str,
        keys: str,
        addresses: Addresses,
        shadow: str = "",
        space: tuple[str, str, str] = ("256m", "2g", "256m"),
        anchors: str = "",
    ) -> None:
        """Load and open everything; raises StartFault before any port is opened.

        `space` are the journal's limits: the size of a file, and the free space at which it warns and stops.
        """
        self.addresses, self.instance = addresses, instance
        self.edits.begin(policy)
        self._try(shadow)
        self.secrets = read_secrets(secrets)
        self.agreement.open(ledger_url(ledger), Path(keys))
        self._open_anchors(anchors)
        self._open_journal(Path(journal), space, Path(keys))
        self.journal.gather_for(lambda: len(self.under_way) - len(self.holding))
        self.edits.note()
        for opener in self.openers:
            opener()
        self.furnished = True

    def _open_journal(self, folder: Path, space: tuple[str, str, str], keys: Path) -> None:
        try:
            limits = limits_of(*space)
        except JournalFault as fault:
            raise StartFault(str(fault)) from None
        try:
            signer = open_signer(keys, self.instance)
        except JournalFault as fault:
            raise StartFault(f"option `phi_keys`: {fault}") from None
        known = {"key": str(signer.vkey), "epoch": self.secrets.epoch}
        try:
            self.journal = open_journal(folder, self.instance, utc_now, limits=limits, **known)
        except JournalFault as fault:
            raise StartFault(f"option `phi_journal`: {fault}") from None
        self.checkpoints = Checkpoints(folder, signer, self.journal.snapshot, utc_now)
        self.journal.sign = self.checkpoints.write
        self.checkpoints.written = self.anchors.offer
        self.ticks += [self.checkpoints.tick, self._note_anchored]
        self.remarks += [self.journal.remarks, self.checkpoints.remarks, self.anchors.remarks]

    def _open_anchors(self, anchors: str) -> None:
        try:
            self.anchors = open_anchors(anchors, self.instance)
        except JournalFault as fault:
            raise StartFault(f"option `phi_anchors`: {fault}") from None

    def _note_anchored(self) -> None:
        """Put on record what anchors took since a minute."""
        for anchor in self.anchors.every:
            metrics.ANCHOR_UP.labels(anchor.where).set(float(anchor.fault is None))
            if (taken := anchor.taken(time.monotonic())) is not None:
                with contextlib.suppress(JournalDown):  # readiness says so
                    self.journal.append("anchor", anchor_record(taken))
                    self.checkpoints.quiet += 1

    def _try(self, shadow: str) -> None:
        """Put a policy on trial; raises StartFault."""
        if not shadow:
            return
        try:
            self.trial = Trial(Path(shadow), read_served)
        except PolicyFaults as fault:
            raise StartFault("option `phi_shadow`:\n" + "\n".join(fault.faults)) from None
        self.ticks.append(self.trial.reload_if_changed)

    def put_in_force(self, policy: Policy, sources: Sources | None = None) -> None:
        """Make a policy the one that decides from now on; everything derived from the old one goes with it.

        `sources` are what it names, if they are read already.
        """
        routes, matches = served(policy, self.edits.path)
        receivers = receivers_of(policy, self.edits.path)
        self.providers = providers_of(policy)
        if sources is None:
            read = hasattr(self, "sources") and self.sources.stamp == stamp_of(policy)
            sources = self.sources if read else read_sources(policy)
        self.keep = Keep(policy.capture.bodies, auditor_of(policy))
        self.sources, self.policy, self.receivers = sources, policy, receivers
        self.policy_since = utc_now()
        self.routes, self._matches = RouteTable(routes), matches
        if hasattr(self, "verifier"):
            self.verifier.replace(policy)
        else:
            self.verifier = Verifier(policy, own=self._own(), follow=self.agreement.follow, spend=self.agreement.spend)
            metrics.PARTS.issuers, metrics.PARTS.faults = self.verifier.status, self.verifier.faults
            self.remarks.append(self.verifier.remarks)
        self.transformer = lru_cache(maxsize=256)(self._transformer)
        self.paths_of = lru_cache(maxsize=256)(partial(rules_for, policy.fields))
        self.agent_shown = lru_cache(maxsize=1024)(self._agent_shown)

    def _own(self) -> Own | None:
        """The gateways as an issuer of their own, where both their addresses are known."""
        here = self.addresses
        return Own(here.console, (here.url,)) if here.console and here.url else None

    def _digest(self, *parts: str) -> bytes:
        """By the key that all gateways have had for the longest: a new one does not begin a count anew."""
        return self.secrets.every[-1].digest(*parts)

    def called(self, exchange: Exchange) -> str:
        """What metrics call the model of an exchange: a name that stands in the policy."""
        return (exchange.target if self.policy.models else None) or "default"

    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        """Write a record and wait until it is on the disk; raises JournalDown or Unrecordable."""
        await self.journal.durable(self.journal.append(kind, dict(fields)))

    # -- what is seen -----------------------------------------------------------------------------------------------

    def sight(self, exchange: Exchange, mask: Mask | None, *, answering: bool = False) -> Sight:
        """The masks through which this exchange's texts are seen; `mask` None hides nothing from the caller's side."""
        names = (exchange.names or Memory()) if answering else None
        shown = self._for(exchange, self.policy.capture.mask)
        route = self._matches.get(exchange.route or "", "")
        paths = self.paths_of(exchange.target, route, "answer" if answering else "request")
        caller = self._for(exchange, mask) if mask else None
        return Sight(self.sources.detectors, self.secrets, caller, shown, names, paths, exchange.stand_ins)

    def seal_of(self, exchange: Exchange) -> Seal | None:
        """What marks the names of things that a server keeps for this caller; None where nobody is known to ask."""
        subject = exchange.subject
        return (
            Seal((subject.issuer, subject.id), tuple(each.digest for each in self.secrets.every)) if subject else None
        )

    def _for(self, exchange: Exchange, mask: Mask) -> Transformer:
        subject = exchange.subject
        who = f"{subject.issuer}\0{subject.id}" if subject else None
        return self.transformer(mask, scope_of(mask, exchange=exchange.id, session=exchange.session, subject=who))

    def _transformer(self, mask: Mask, scope: str) -> Transformer:
        return Transformer(mask, self.secrets, scope, self.sources.roster)

    def shown(self, text: str) -> str:
        """What somebody wrote, as bystanders see it."""
        return str(self._bystander().for_bystanders(text))

    def _bystander(self) -> Sight:
        shown = Transformer(self.policy.capture.mask, self.secrets, "agent")
        return Sight(self.sources.detectors, self.secrets, None, shown)

    def _agent_shown(self, agent: str) -> str:
        """The client's name for itself, masked but for the words that well-known clients say."""
        sight = self._bystander()
        known: list[str] = []
        rest: list[str] = []
        for word in agent.split(" "):
            (known if CLIENT.fullmatch(word) else rest).append(word)
        return " ".join([*known, sight.for_bystanders(" ".join(rest))] if rest else known)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
