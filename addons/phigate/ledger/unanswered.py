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

from phigate.ledger.approvals import review_of, whole
from phigate.ledger.tables import GRANTS, REVIEWS, TICKETS
from phigate.ledger.tickets import TRANSITIONS, before

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from phigate.ledger.approvals import Ask
    from phigate.ledger.engines import Engines
    from phigate.ledger.tickets import Review, Ticket

    type Put[Of] = Callable[[AsyncConnection, Of], Awaitable[None]]
    """Keeps that something is to be sent, in the transaction in which it counts as told."""

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

    def __init__(self, engines: Engines, ask: Ask) -> None:
        self._engines, self._ask = engines, ask

    # -- tickets ----------------------------------------------------------------------------------------------------

    async def lapsed(self, now: float) -> list[Lapse]:
        """Tickets that are over and not told: nobody else is given them until LEASE is over."""
        return await self._ask(self._lapsed(now))

    async def _lapsed(self, now: float) -> list[Lapse]:
        due = select(TICKETS.c.id).where(TICKETS.c.telling <= now).order_by(TICKETS.c.telling).limit(MOST)
        over = or_(TICKETS.c.state == _LAPSED, and_(TICKETS.c.state.in_(before("lapse")), TICKETS.c.until <= now))
        async with self._engines.reading.connect() as connection:
            names = (await connection.execute(due)).scalars().all()
        found: list[Lapse] = []
        for name in names:
            this = TICKETS.c.id == name
            claim = update(TICKETS).where(this, TICKETS.c.telling <= now, over)
            async with self._engines.writing.begin() as connection:
                mine = await connection.execute(claim.values(state=_LAPSED, telling=now + LEASE))
            if mine.rowcount:
                async with self._engines.reading.connect() as connection:
                    row = (await connection.execute(select(TICKETS).where(this))).mappings().one()
                    given = (await connection.execute(select(GRANTS.c.id).where(GRANTS.c.ticket == name))).scalar()
                    found.append(Lapse(await whole(connection, row), given))
        return found

    async def told(self, lapse: Lapse, put: Put[Lapse] | None = None) -> None:
        """Keep that this was told; nobody is given it again."""
        done = update(TICKETS).where(TICKETS.c.id == lapse.ticket.id, TICKETS.c.telling.is_not(None))

        async def work() -> None:
            async with self._engines.stepping.begin() as connection:
                if (await connection.execute(done.values(telling=None))).rowcount and put is not None:
                    await put(connection, lapse)

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

    async def overdue(self, now: float, put: Put[Review]) -> int:
        """Have it told, once each, that reviews are late; how many that were."""
        late = (REVIEWS.c.signed.is_(None), REVIEWS.c.telling <= now)
        due = select(REVIEWS).where(*late).order_by(REVIEWS.c.telling).limit(MOST)

        async def work() -> int:
            async with self._engines.reading.connect() as connection:
                rows = (await connection.execute(due)).mappings().all()
            count = 0
            for row in rows:
                async with self._engines.stepping.begin() as connection:
                    this = update(REVIEWS).where(REVIEWS.c.exchange == row["exchange"], *late)
                    if (await connection.execute(this.values(telling=None))).rowcount:
                        await put(connection, review_of(row))
                        count += 1
            return count

        return await self._ask(work())
