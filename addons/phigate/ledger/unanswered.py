"""[I/O] What the gateways ask of their database about what nobody answered: tickets that lapse, reviews that are late.

- What is to be told stands in its own row (`telling`: from when on) until it was told: whoever goes away in between
  forgets nothing, and another gateway tells it.
- Whoever tells that a ticket lapsed claims it first, by one conditional UPDATE: of two gateways one does.
- Whatever goes wrong is LedgerDown, within `bounded.SECONDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import and_, func, or_, select, update

from phigate.ledger import outbox
from phigate.ledger.tables import GRANTS, REVIEWS, TICKETS
from phigate.ledger.tickets import TRANSITIONS, before

if TYPE_CHECKING:
    from phigate.ledger.approvals import Approvals, Ask
    from phigate.ledger.engines import Engines
    from phigate.ledger.tickets import Review, Ticket

LEASE: Final = 60.0
"""Seconds that somebody has to tell what they claimed."""
MOST: Final = 50
"""Rows that are claimed at once."""
_LAPSED: Final = TRANSITIONS["pending", "lapse"]


@dataclass(frozen=True, slots=True)
class Lapse:
    """A ticket that is over; with `grant`, somebody had said yes, and what that gave is over."""

    ticket: Ticket
    grant: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many uses of break-glass nobody has reviewed, how many of these are late, and since when the latest is."""

    open: int
    overdue: int
    since: float | None


class Unanswered:
    """The part of a Ledger that is about what nobody answered; `ask` bounds what is asked of the database."""

    def __init__(self, engines: Engines, ask: Ask, approvals: Approvals) -> None:
        self._engines, self._ask, self._approvals = engines, ask, approvals
        self._reminded: set[str] = set()
        """Late reviews of which webhooks have heard, as far as this gateway knows."""

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def lapsed(self, now: float) -> list[Lapse]:
        """Tickets that are over and not told: nobody else is given them until LEASE is over."""
        due = select(TICKETS.c.id).where(TICKETS.c.telling <= now).order_by(TICKETS.c.telling).limit(MOST)

        async def work() -> list[str]:
            async with self._engines.reading.connect() as connection:
                return list((await connection.execute(due)).scalars())

        claimed = [name for name in await self._ask(work()) if await self._ask(self._claim(name, now))]
        return [found for name in claimed if (found := await self._lapse(name)) is not None]

    async def _claim(self, name: str, now: float) -> bool:
        over = or_(TICKETS.c.state == _LAPSED, and_(TICKETS.c.state.in_(before("lapse")), TICKETS.c.until <= now))
        mine = update(TICKETS).where(TICKETS.c.id == name, TICKETS.c.telling <= now, over)
        async with self._engines.writing.begin() as connection:
            return bool((await connection.execute(mine.values(state=_LAPSED, telling=now + LEASE))).rowcount)

    async def _lapse(self, name: str) -> Lapse | None:
        given = select(GRANTS.c.id).where(GRANTS.c.ticket == name)

        async def work() -> str | None:
            async with self._engines.reading.connect() as connection:
                return (await connection.execute(given)).scalar()

        ticket = await self._approvals.ticket(name)
        return None if ticket is None else Lapse(ticket, await self._ask(work()))

    async def told(self, lapse: Lapse, now: float) -> None:
        """Keep that this was told; nobody is given it again. Webhooks hear of what nobody answered, with it."""
        done = update(TICKETS).where(TICKETS.c.id == lapse.ticket.id).values(telling=None)

        async def work() -> None:
            async with self._engines.stepping.begin() as connection:
                await connection.execute(done)
                if lapse.grant is None:
                    await outbox.put(connection, self._approvals.tell("ticket.expired", lapse.ticket, now))

        await self._ask(work())

    # -- reviews ----------------------------------------------------------------------------------------------------

    async def waiting(self, now: float) -> Waiting:
        """What nobody has reviewed."""
        late = REVIEWS.c.due <= now
        asked = (func.count(), func.count().filter(late), func.min(REVIEWS.c.due).filter(late))
        wanted = select(*asked).where(REVIEWS.c.signed.is_(None))

        async def work() -> Waiting:
            async with self._engines.reading.connect() as connection:
                return Waiting(*(await connection.execute(wanted)).one())

        return await self._ask(work())

    async def remind(self, now: float) -> None:
        """Let webhooks hear of late reviews: of each once, by whichever gateway comes first."""
        late = select(REVIEWS.c.exchange).where(REVIEWS.c.signed.is_(None), REVIEWS.c.due <= now)

        async def work() -> list[str]:
            async with self._engines.reading.connect() as connection:
                return list((await connection.execute(late.order_by(REVIEWS.c.due))).scalars())

        names = await self._ask(work())
        self._reminded &= set(names)
        for name in [each for each in names if each not in self._reminded][:MOST]:
            review = await self._approvals.review(name)
            if review is not None and review.signed is None:
                await self._ask(self._remind(review, now))
            self._reminded.add(name)

    async def _remind(self, review: Review, now: float) -> None:
        async with self._engines.stepping.begin() as connection:
            notices = self._approvals.tell("review.overdue", review, now)
            await outbox.put_once(connection, f"review.overdue {review.exchange}", notices, now)
