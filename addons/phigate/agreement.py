"""What all gateways agree on, as this one follows it: who is out, what is spent, whose signature is ours.

Glue: it has the ledger, our signing keys, and the clock that is held against the ledger's.

- Nobody opens a port before the ledger was looked at once; from then on it is looked at again and again.
- Where nothing can be written who is out is looked up all the same. By a clock that is astray nobody is let in, nothing
  is published and nothing is dropped.
- While it is not open, as before the first look and at the end, whatever is asked of it is LedgerDown.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from phigate import metrics
from phigate.clock import Clock
from phigate.identity.follow import Follow
from phigate.identity.keyring import Keyring, KeyringFault, open_keyring
from phigate.journal.writer import JournalDown
from phigate.ledger import Faults, LedgerDown, LedgerFault, open_ledger
from phigate.ledger.sharing import Sharing
from phigate.starting import StartFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from phigate.house import House
    from phigate.ledger import Ledger, Revocation
    from phigate.ledger.approvals import Approvals
    from phigate.ledger.counting import Call, Counted, Share
    from phigate.ledger.outbox import Tell

logger = logging.getLogger(__name__)

SWEEP = 600.0
"""Seconds between two times that the ledger drops what is over."""


class Agreement:
    """The ledger, and what of it is known here; `look` is asked again and again until `going` is set."""

    keyring: Keyring

    def __init__(self, house: House) -> None:
        self._house = house
        self.follow, self.clock = Follow(), Clock()
        self.sharing = Sharing(secrets.token_hex(8), self._count)
        """Our part in what all gateways count together."""
        self.ledger: Ledger | None = None
        """None while it is not open: nothing that can wait is asked of it then."""
        self.faults = Faults()
        self.following: asyncio.Task[None] | None = None
        """What looks at the ledger again and again, until `going` is set."""
        self.going = asyncio.Event()
        self.tell: Tell = lambda _event, _about, _now: ()
        """What is to be told of an event, to whom; whoever sends it sets it."""
        self._url = ""
        self._swept = time.monotonic()
        """Nothing is dropped at once: a machine's clock may be put right a moment after it started."""

    # -- what is asked of it ----------------------------------------------------------------------------------------

    @property
    def needed(self) -> Ledger:
        """The ledger, for whoever cannot do without it; raises LedgerDown while it is not open."""
        if self.ledger is None:
            raise LedgerDown("the ledger is not open")
        return self.ledger

    @property
    def approvals(self) -> Approvals:
        """Tickets, grants and reviews; raises LedgerDown while the ledger is not open."""
        return self.needed.approvals

    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool:
        """Use something that may be used once, on any instance; False when it was; raises LedgerDown."""
        return await self.needed.spend(kind, key, expires, now)

    async def _count(self, name: str, calls: Sequence[Call], places: Mapping[Share, int]) -> Counted:
        return await self.needed.counting.count(name, calls, places)

    # -- how it is followed -----------------------------------------------------------------------------------------

    def open(self, url: str, folder: Path) -> None:
        """See, before any port opens, that the ledger is there, is ours and has our keys; raises StartFault.

        mitmproxy's own loop runs already and cannot be waited for here: this is done in one of a thread's own.
        """
        house, self._url = self._house, url
        metrics.PARTS.ledger = self.faults.total

        async def first() -> None:
            self.ledger = await open_ledger(url)
            try:
                self.keyring = open_keyring(folder, house.instance, time.time(), house.policy.tokens.rotate)
                try:
                    await self.look()
                except LedgerDown:  # nobody waits for it yet: a machine that starts many things at once is slow
                    await self.look()
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

    async def look(self) -> Sequence[Revocation]:
        """Follow what all instances agree on, and publish our keys; raises LedgerDown or LedgerFault."""
        if self.ledger is None:
            if self._house.leaving:
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
        ledger = await open_ledger(self._url)
        ledger.faults = self.faults
        return ledger

    async def _look(self, ledger: Ledger) -> Sequence[Revocation]:
        astray, fault = await self._astray(ledger), None
        try:
            await self._keep_up(ledger, astray=astray)
        except LedgerDown as down:  # who is out can be read where nothing can be written
            fault = down
        found = await self.follow.look(ledger, self.clock.surely())
        if fault is not None and not self._house.furnished:
            raise fault
        return found

    async def _keep_up(self, ledger: Ledger, *, astray: bool) -> None:
        """Write what the others are to know of us, and drop what is over; raises LedgerDown."""
        await self.sharing.renew(ledger)
        if astray:
            return
        for key in self.keyring.due(time.time(), self._house.policy.tokens.rotate):
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
        if hasattr(self._house, "journal"):
            with contextlib.suppress(JournalDown):  # readiness says so
                self._house.journal.append("clock", step.record())

    def remarks(self) -> dict[str, str]:
        """What readiness says of the clock and of the ledger."""
        return self.clock.remarks() | self.faults.remarks()

    async def close(self) -> None:
        """At the end; whatever is asked of the ledger afterwards is LedgerDown."""
        self.going.set()
        if self.following is not None:
            await self.following  # never cancelled: a driver that is stopped while it connects leaves things open
        ledger, self.ledger = self.ledger, None
        if ledger is not None:
            with contextlib.suppress(LedgerDown):
                await self.sharing.give_back(ledger)
            await ledger.close()
