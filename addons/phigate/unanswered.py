"""What nobody answered is not forgotten: tickets that expire get their record, late reviews are shown. Glue.

- Of several gateways one writes that a ticket expired: whoever claimed it in the ledger. It counts as told once its
  record is durable; who goes away in between leaves it to the next.
- Times and numbers are all that is said of reviews here, never whose they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from phigate import metrics
from phigate.capture.approvals import lapse_record
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown

if TYPE_CHECKING:
    from phigate.house import House
    from phigate.ledger import Ledger
    from phigate.ledger.unanswered import Waiting

logger = logging.getLogger(__name__)

EVERY: Final = 30.0
"""Seconds between two looks."""


class Unanswered:
    """Looks at the ledger beside the traffic, from the house's ticks."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.waiting: Waiting | None = None
        """What the ledger last said of reviews."""
        self._looked = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._recorded: set[str] = set()
        """Tickets whose record is written and whose telling could not be ended."""
        house.ticks.append(self.tick)
        house.remarks.append(self.remarks)

    def tick(self) -> None:
        """Look again, if it is time and the look before is over."""
        ledger, over = self.house.agreement.ledger, self._looking is None or self._looking.done()
        if over and ledger is not None and time.monotonic() - self._looked >= EVERY:
            self._looked = time.monotonic()
            self._looking = asyncio.get_running_loop().create_task(self.look(ledger))

    async def look(self, ledger: Ledger) -> None:
        """Count reviews, and write down which tickets expired; what fails now is looked at again."""
        with contextlib.suppress(LedgerDown, JournalDown, Unrecordable):  # readiness says so
            now = self.house.agreement.clock.surely()  # what is told as over is over for good
            self._count(await ledger.unanswered.waiting(now))
            await ledger.unanswered.remind(now)
            for lapse in await ledger.unanswered.lapsed(now):
                if lapse.ticket.id not in self._recorded:
                    await self.house.record("ticket", lapse_record(lapse.ticket, lapse.grant))
                    self._recorded.add(lapse.ticket.id)
                await ledger.unanswered.told(lapse, now)
                self._recorded.discard(lapse.ticket.id)

    def _count(self, waiting: Waiting) -> None:
        metrics.REVIEWS.labels("open").set(waiting.open)
        metrics.REVIEWS.labels("overdue").set(waiting.overdue)
        if waiting.overdue > (self.waiting.overdue if self.waiting else 0):
            logger.warning("%d reviews of break-glass are overdue", waiting.overdue)
        self.waiting = waiting

    def remarks(self) -> dict[str, str]:
        """What readiness says of late reviews."""
        found = self.waiting
        if found is None or not found.overdue or found.since is None:
            return {}
        told = f"{found.overdue} of {found.open} open reviews of break-glass are overdue"
        return {"reviews": f"{told}, since {datetime.fromtimestamp(found.since, UTC):%Y-%m-%d %H:%M}Z"}
