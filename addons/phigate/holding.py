"""Holding a request until its yes: who waits, what the ledger says of it, and the record that it waits. Glue.

- One question a second to the ledger, for all that wait; and one at once when an answer was given at this gateway.
- Whatever ends a wait, nothing passes by it: a request that is to be asked again is decided from the start.
- While the ledger does not answer a wait goes on to its end, and then it is said that nothing could be settled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from phigate.approval import replies
from phigate.approval.waiting import Wait, Waiting
from phigate.capture.record import hold_record
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.policy.decide import Hold

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from phigate.approval.waiting import Ended
    from phigate.exchange import Exchange, Refusal
    from phigate.house import House

TURNS: Final = 8
"""Who may be at the ledger at once for a ticket or a grant: in a crowd the others wait for their turn, and none of that
is the time after which the ledger is said to be down."""
HELD: Final = "approval-required"


@dataclass(slots=True)
class Held:
    """One request that is held, from its first ticket on; times are those of the loop's clock.

    `size` are the bytes that it was received in, `gone` says whether its caller is there no more.
    """

    size: int
    gone: Callable[[], bool]
    begins: Callable[[], None] = lambda: None
    """Called when it begins to wait."""
    began: float = 0.0
    most: float | None = None
    """Seconds that the caller wants to wait, where that is said."""
    until: float = 0.0
    ticket: str | None = None
    """The one that its wait is on record with."""
    known: set[str] = field(default_factory=set)

    def left(self) -> Refusal | None:
        """Why nothing more is done for it: it waited, and its caller did not."""
        return replies.GONE if self.began and self.gone() else None


class Holding:
    """All requests that wait at this gateway."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._waiting = Waiting()
        self._looking: asyncio.Task[None] | None = None
        self._again = False
        self._turns = asyncio.Semaphore(TURNS)
        self._down = False
        """The ledger did not answer when it was asked last."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def wait(
        self, held: Held, exchange: Exchange, shown: tuple[str | None, Any], refusal: Refusal
    ) -> Refusal | None:
        """Wait for the yes to a held exchange, of which `refusal` is the answer as long as there is none.

        None asks for it to be decided again, from the start. `shown` are its model and its body, masked.
        """
        decision, subject, loop = exchange.decision, exchange.subject, asyncio.get_running_loop()
        if not isinstance(decision, Hold) or subject is None or exchange.ticket is None:
            return refusal
        if decision.wait is None or refusal.reason != HELD:
            return refusal
        if not held.began:
            held.began = loop.time()
        longest = decision.wait.total_seconds()
        until = held.began + (longest if held.most is None else min(longest, held.most))
        held.until = min(held.until or until, until)
        if held.until <= loop.time():
            return refusal
        outcome: asyncio.Future[Ended] = loop.create_future()
        wait = Wait(
            ticket=exchange.ticket,
            subject=(subject.issuer, subject.id),
            rule=decision.rule,
            bound=decision.bound,
            size=held.size,
            gone=held.gone,
            out=lambda: self._house.agreement.follow.revoked.covers(subject),
            tell=lambda ended: None if outcome.done() else outcome.set_result(ended),
            known=held.known,
        )
        if not self._waiting.begin(wait):
            return refusal
        try:
            if held.ticket != exchange.ticket:  # one for each rule that holds it
                held.ticket = exchange.ticket
                await self._record(held, exchange, shown)
                held.begins()
            with self._house.meter.aside(exchange.id):
                ended = await self._over(outcome, held.until)
        except (JournalDown, Unrecordable):
            return replies.UNRECORDED
        finally:
            self._waiting.end(wait)
        return self._said(ended, refusal)

    @staticmethod
    async def _over(outcome: asyncio.Future[Ended], until: float) -> Ended:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                return await outcome
        return "late"

    def _said(self, ended: Ended, refusal: Refusal) -> Refusal | None:
        if ended == "again":
            return None
        if ended == "late":
            return replies.LEDGER_DOWN if self._down else refusal
        return replies.ended(ended, refusal)

    async def _record(self, held: Held, exchange: Exchange, shown: tuple[str | None, Any]) -> None:
        """Put on record that a request waits; what becomes of it stands in its `request`."""
        house, (model, body) = self._house, shown
        agent = house.agent_shown(exchange.agent) if exchange.agent else ""
        fields = hold_record(
            replace(exchange, target=model, agent=agent),
            exchange.policy or house.policy.sha256,
            *(body, held.size, held.ticket),
        )
        await house.keep.record(house.journal, "hold", fields, side="caller")

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Come to the ledger in turn; raises LedgerDown for those who come to it when it is not there any more."""
        async with self._turns:
            if not self._house.agreement.follow.current:
                raise LedgerDown("nothing was heard of the ledger for a while")
            yield

    # -- what the ledger says ---------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Each second."""
        self.look()
        self.ask()

    def look(self) -> None:
        """End the waits of callers that left or are out, and all of them once the gateway leaves."""
        self._waiting.look(leaving=self._house.leaving)

    def ask(self) -> None:
        """Ask the ledger now, or once more where it is being asked: something was said at this gateway."""
        if self._looking is not None and not self._looking.done():
            self._again = True
        elif len(self._waiting):
            self._looking = asyncio.get_running_loop().create_task(self._ask())

    async def _ask(self) -> None:
        self._again = True
        while self._again:
            self._again = False
            tickets = self._waiting.tickets
            try:
                states, grants = await self._house.agreement.approvals.news(
                    tickets, self._waiting.subjects, time.time()
                )
            except LedgerDown:
                self._down = True
                return
            self._down = False
            self._waiting.hear(tickets, states, grants)
