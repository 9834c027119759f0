"""What the rooms share while the gateway runs: the policy in force, detectors, keys, journal, who is under way.

Glue: it reads files, the clock and mitmproxy's options, and is the only place where a policy is put in force.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gc
import hashlib
import logging
import os
import re
import secrets as randomness
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phigate import metrics
from phigate.access.meter import Meter
from phigate.capture.keep import Keep
from phigate.capture.record import policy_record
from phigate.clock import Clock
from phigate.dialect.routes import RouteTable
from phigate.gate.seals import Seal
from phigate.holding import Holding
from phigate.host.addresses import Addresses
from phigate.host.connections.doors import Doors
from phigate.host.connections.room import Room
from phigate.identity.follow import Follow
from phigate.identity.keyring import Keyring, KeyringFault, open_keyring
from phigate.identity.own import Own
from phigate.identity.verify import Verifier
from phigate.journal.anchor import Anchors, anchor_record, open_anchors
from phigate.journal.checkpoint import Checkpoints
from phigate.journal.disk import limits_of
from phigate.journal.signer import open_signer
from phigate.journal.writer import Journal, JournalDown, JournalFault, open_journal
from phigate.ledger import Faults, LedgerDown, LedgerFault, open_ledger
from phigate.ledger.sharing import Sharing
from phigate.masking import Memory, RosterFault, Secrets, Sight, Transformer
from phigate.masking.structure.paths import rules_for
from phigate.masking.transforms import scope_of
from phigate.policy.load import PolicyFaults, must_be_a_file, read_file
from phigate.serving import ProviderFault, auditor_of, providers_of, read_policy, read_served, served
from phigate.sources import Sources, Stamp, read_sources, stamp_of
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
    from phigate.ledger import Ledger, Revocation
    from phigate.ledger.approvals import Approvals
    from phigate.ledger.counting import Call, Counted, Share
    from phigate.ledger.outbox import Tell
    from phigate.policy.schema import Mask, Policy
    from phigate.webhooks import Receiver

logger = logging.getLogger(__name__)


def _set_aside() -> None:
    """Keep the collector from walking what was read, which stays: 100,000 people are 0.02 s of standstill each time.

    All that lives is set aside with it. What was set aside before, and is in nobody's hands any more, goes: else a
    single exchange that had just ended then would keep its roster for ever.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


CLIENT = re.compile(
    r"(?:python-httpx|python-requests|OpenAI/Python|AsyncOpenAI/Python|OpenAI/JS|Anthropic/Python|AsyncAnthropic/Python"
    r"|ollama-python|curl|Wget|Mozilla|axios|node-fetch|okhttp|Go-http-client|aiohttp|Python-urllib|PostmanRuntime)"
    r"(?:/[0-9]{1,3}(?:\.[0-9]{1,3}){0,2})?",
    re.ASCII,
)
"""Names and versions of programs, which a finder of names takes for people."""

SWEEP = 600.0
"""Seconds between two times that the ledger drops what is over."""


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
    keyring: Keyring
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
        self.meter = Meter(Sharing(randomness.token_hex(8), self._count), self._digest)
        """Who asked for how much."""
        self.doors, self.room = Doors(), Room()
        """Who is connected, and how long they may be."""
        self.holding, self.threads = Holding(self), Threads()
        """Requests that wait for their yes; large work, and who had it done."""
        self.again: list[Callable[[Any], Awaitable[None] | None]] = []
        """What decides about a flow anew, from the start: a step of each room, in the order of the chain."""
        self.addresses = Addresses()
        self.follow, self.clock = Follow(), Clock()
        self.trial: Trial | None = None
        """A policy that is asked beside the one in force, and only recorded."""
        self.ledger: Ledger | None = None
        self.ledger_faults = Faults()
        self.following: asyncio.Task[None] | None = None
        """What looks at the ledger again and again, until `going` is set."""
        self.going = asyncio.Event()
        self.tell: Tell = lambda _event, _about, _now: ()
        """What is to be told of an event, to whom; whoever sends it sets it."""
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
        self.remarks: list[Callable[[], Mapping[str, str]]] = [
            self.clock.remarks,
            self.ledger_faults.remarks,
            lambda: self._not_in_force,
        ]
        """What readiness says beside whether everything is there, by whom it is about; none of it may raise."""
        self.ticks: list[Callable[[], None]] = [
            self.look_at_clock,
            self.reload_if_changed,
            self._note_again,
            self.holding.tick,
            self.meter.sharing.tick,
        ]
        """What is done once a second; none of it may raise."""
        self._not_in_force: Mapping[str, str] = {}
        """What readiness says of a policy that was changed and does not hold."""
        self._policy_path = self._noted_in = Path()
        self._ledger_url = self.instance = ""
        self._swept = time.monotonic()
        """Nothing is dropped at once: a machine's clock may be put right a moment after it started."""
        self._noted: str | None = None
        self._policy_seen: tuple[int, int] | None = None
        self._sources_seen: Stamp = ()
        self._loading: asyncio.Task[None] | None = None
        """What reads a changed roster beside the loop."""

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
        self._policy_path = Path(policy)
        try:
            self._policy_seen = self._policy_stamp()
            self.put_in_force(read_policy(self._policy_path))
            self._sources_seen = self.sources.stamp
        except PolicyFaults as fault:
            raise StartFault("\n".join(fault.faults)) from None
        except (RosterFault, ProviderFault) as fault:
            raise StartFault(str(fault)) from None
        except OSError as error:
            raise StartFault(f"{policy}: {os.strerror(error.errno or 0).lower()}") from None
        self._try(shadow)
        self.secrets = read_secrets(secrets)
        self._open_ledger(ledger_url(ledger), Path(keys))
        self._open_anchors(anchors)
        self._open_journal(Path(journal), space, Path(keys))
        self.journal.gather_for(lambda: len(self.under_way) - len(self.holding))
        self._note_policy()
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
        routes, matches = served(policy, self._policy_path)
        receivers = receivers_of(policy, self._policy_path)
        self.providers = providers_of(policy)
        if sources is None:
            sources = self.sources if self._has_sources_of(policy) else read_sources(policy)
        self.keep = Keep(policy.capture.bodies, auditor_of(policy))
        self.sources, self.policy, self.receivers = sources, policy, receivers
        self.policy_since = utc_now()
        self.routes, self._matches = RouteTable(routes), matches
        if hasattr(self, "verifier"):
            self.verifier.replace(policy)
        else:
            self.verifier = Verifier(policy, own=self._own(), follow=self.follow, spend=self.spend)
            metrics.PARTS.issuers, metrics.PARTS.faults = self.verifier.status, self.verifier.faults
            metrics.PARTS.ledger = self.ledger_faults.total
            self.remarks.append(self.verifier.remarks)
        self.transformer = lru_cache(maxsize=256)(self._transformer)
        self.paths_of = lru_cache(maxsize=256)(partial(rules_for, policy.fields))
        self.agent_shown = lru_cache(maxsize=1024)(self._agent_shown)

    def _own(self) -> Own | None:
        """The gateways as an issuer of their own, where both their addresses are known."""
        here = self.addresses
        return Own(here.console, (here.url,)) if here.console and here.url else None

    # -- the ledger -------------------------------------------------------------------------------------------------

    def _open_ledger(self, url: str, folder: Path) -> None:
        """See, before any port opens, that the ledger is there, is ours and has our keys; raises StartFault.

        mitmproxy's own loop runs already and cannot be waited for here: this is done in one of a thread's own.
        """
        self._ledger_url = url

        async def first() -> None:
            self.ledger = await open_ledger(url)
            try:
                self.keyring = open_keyring(folder, self.instance, time.time(), self.policy.tokens.rotate)
                try:
                    await self.look_at_ledger()
                except LedgerDown:  # nobody waits for it yet: a machine that starts many things at once is slow
                    await self.look_at_ledger()
            finally:
                await self.ledger.close()
                self.ledger = None

        try:
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, first()).result()
        except (LedgerFault, LedgerDown, KeyringFault) as fault:
            raise StartFault(
                f"option `{'phi_keys' if isinstance(fault, KeyringFault) else 'phi_ledger'}`: {fault}"
            ) from None

    async def look_at_ledger(self) -> Sequence[Revocation]:
        """Follow what all instances agree on, and publish our keys; raises LedgerDown or LedgerFault."""
        if self.ledger is None:
            if self.leaving:
                raise LedgerDown("the gateway is going away")
            self.ledger = await self._opened()
            self.ledger.approvals.tell = self.tell
        return await self._look(self.ledger)

    async def look_beside(self, ledger: Ledger | None) -> Ledger:
        """The same in a loop beside that of the traffic, by a ledger of its own that is given back (None: none yet)."""
        ledger = ledger or await self._opened()
        await self._look(ledger)
        return ledger

    async def _opened(self) -> Ledger:
        ledger = await open_ledger(self._ledger_url)
        ledger.faults = self.ledger_faults
        return ledger

    async def _look(self, ledger: Ledger) -> Sequence[Revocation]:
        astray, fault = await self._astray(ledger), None
        try:
            await self._keep_up(ledger, astray=astray)
        except LedgerDown as down:  # who is out can be read where nothing can be written
            fault = down
        found = await self.follow.look(ledger, self.clock.surely())
        if fault is not None and not self.furnished:
            raise fault
        return found

    async def _keep_up(self, ledger: Ledger, *, astray: bool) -> None:
        """Write what the others are to know of us, and drop what is over; raises LedgerDown."""
        await self.meter.sharing.renew(ledger)
        if astray:
            return
        for key in self.keyring.due(time.time(), self.policy.tokens.rotate):
            await ledger.publish(key)
            self.keyring.published(key)
        if time.monotonic() - self._swept > SWEEP:
            self._swept = time.monotonic()
            await ledger.sweep(self.clock.surely())

    async def _astray(self, ledger: Ledger) -> bool:
        """Whether our clock is not to be believed beside the ledger's: nobody is let in by it, and nothing dropped."""
        was = self.clock.astray
        self.clock.compare(await ledger.clock())
        self.follow.astray = self.clock.astray
        if self.clock.astray and not was:
            logger.error(
                "the clock and the ledger's are %.0f s apart; no bearer is believed by it", abs(self.clock.apart or 0.0)
            )
        return self.clock.astray

    def look_at_clock(self) -> None:
        """Put a step of the wall clock on record."""
        step = self.clock.look()
        if step is None:
            return
        logger.warning("the clock was put %s by %.0f s", step.direction, abs(step.seconds))
        metrics.CLOCK_STEPS.labels(step.direction).inc()
        if hasattr(self, "journal"):
            with contextlib.suppress(JournalDown):  # readiness says so
                self.journal.append("clock", step.record())

    async def close_ledger(self) -> None:
        """At the end; whatever is asked of the ledger afterwards is LedgerDown."""
        self.going.set()
        if self.following is not None:
            await self.following  # never cancelled: a driver that is stopped while it connects leaves things open
        ledger, self.ledger = self.ledger, None
        if ledger is not None:
            with contextlib.suppress(LedgerDown):
                await self.meter.sharing.give_back(ledger)
            await ledger.close()

    async def _count(self, name: str, calls: Sequence[Call], places: Mapping[Share, int]) -> Counted:
        if self.ledger is None:
            raise LedgerDown("the ledger is not open")
        return await self.ledger.counting.count(name, calls, places)

    def _digest(self, *parts: str) -> bytes:
        """By the key that all gateways have had for the longest: a new one does not begin a count anew."""
        return self.secrets.every[-1].digest(*parts)

    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool:
        """Use something that may be used once, on any instance; False when it was; raises LedgerDown."""
        if self.ledger is None:
            raise LedgerDown("the ledger is not open")
        return await self.ledger.spend(kind, key, expires, now)

    @property
    def approvals(self) -> Approvals:
        """Tickets, grants and reviews; raises LedgerDown while the ledger is not open."""
        if self.ledger is None:
            raise LedgerDown("the ledger is not open")
        return self.ledger.approvals

    def called(self, exchange: Exchange) -> str:
        """What metrics call the model of an exchange: a name that stands in the policy."""
        return (exchange.target if self.policy.models else None) or "default"

    async def record(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        """Write a record and wait until it is on the disk; raises JournalDown or Unrecordable."""
        await self.journal.durable(self.journal.append(kind, dict(fields)))

    # -- the policy -------------------------------------------------------------------------------------------------

    def reload_if_changed(self) -> None:
        """Put an edited policy, roster or file of detectors in force; a bad one changes nothing and is said once."""
        if self._loading is not None:
            return
        stamp = self._policy_stamp()
        try:
            if stamp != self._policy_seen:
                self._policy_seen = stamp
                must_be_a_file(self._policy_path)
                self._reload(read_policy(self._policy_path))
            elif stamp_of(self.policy) != self._sources_seen:
                self._reload(self.policy)
        except (PolicyFaults, RosterFault, ProviderFault, OSError) as fault:
            self._say_bad(fault)

    def _reload(self, policy: Policy) -> None:
        self._sources_seen = stamp_of(policy)
        if self._has_sources_of(policy):
            self._reloaded(policy, self.sources)
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._reloaded(policy, read_sources(policy))
        else:
            self._loading = loop.create_task(self._load_beside(policy))

    async def _load_beside(self, policy: Policy) -> None:
        """Read what takes long in a thread, while the last good policy decides."""
        try:
            self._reloaded(policy, await asyncio.to_thread(read_sources, policy))
            _set_aside()
        except (PolicyFaults, RosterFault, ProviderFault, OSError) as fault:
            self._say_bad(fault)
        finally:
            self._loading = None

    def _reloaded(self, policy: Policy, sources: Sources) -> None:
        self._not_in_force = {}
        again = policy is self.policy
        self.put_in_force(policy, sources)
        if again:
            logger.warning("the changed roster or detectors are in force")
        else:
            logger.warning("policy %s is in force", policy.sha256[:12])
            self._note_policy()

    def _say_bad(self, fault: Exception) -> None:
        self._not_in_force = {"policy": "the changed policy is not in force, the last good one is"}
        if isinstance(fault, PolicyFaults):
            told = "\n".join(fault.faults)
            logger.error("the changed policy is not put in force, the last good one stays:\n%s", told)
            self._note_bad(fault)
        elif isinstance(fault, OSError):
            logger.error("the changed policy cannot be read (%s), the last good one stays", type(fault).__name__)
        else:
            logger.error("the changed policy is not put in force, the last good one stays: %s", fault)

    def _has_sources_of(self, policy: Policy) -> bool:
        return hasattr(self, "sources") and self.sources.stamp == stamp_of(policy)

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

    def _policy_stamp(self) -> tuple[int, int]:
        with contextlib.suppress(FileNotFoundError):
            stat = self._policy_path.stat()
            return stat.st_mtime_ns, stat.st_size
        return 0, -1

    def _note_policy(self) -> None:
        was, self._noted = self._noted, self.policy.sha256
        self._noted_in = self.journal.path
        self.journal.append("policy", policy_record(self._noted, was=was, accepted=True, text=self.policy.text))

    def _note_again(self) -> None:
        """Say the policy in each file of the journal: earlier ones may be deleted when their time is over."""
        if self.journal.path != self._noted_in:
            with contextlib.suppress(JournalDown):
                self._note_policy()

    def _note_bad(self, faults: PolicyFaults) -> None:
        """Record that a policy was edited and not put in force; its text, which nobody could read, is left out."""
        with contextlib.suppress(JournalDown, PolicyFaults):
            must_be_a_file(self._policy_path)
            found = hashlib.sha256(read_file(self._policy_path)).hexdigest()
            record = policy_record(found, was=self._noted, accepted=False, faults=faults.faults)
            self.journal.append("policy", record)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
