"""[I/O] What is still to be told to whom: written with what it tells, in one transaction, and kept until it was taken.

- Any gateway sends any notice. Whoever does claims it first, by one conditional UPDATE, for LEASE seconds: no two send
  one at the same time, and what a killed gateway had is sent again by another. Receivers drop doubles by the id.
- An id is made from what is told: the same thing is kept once.
- A notice that nobody took within KEEP goes, and so does one whose receiver the policy names no more.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from phigate.ledger.tables import OUTBOX, SPENT

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from phigate.ledger.engines import Engines
    from phigate.ledger.tickets import Review, Ticket

    class Ask(Protocol):
        async def __call__[T](self, work: Coroutine[Any, Any, T]) -> T: ...

    type Tell = Callable[[str, Ticket | Review, float], Iterable[Notice]]
    """What is told of an event (`policy.notify.EVENTS`) that came about now, to whom; never raises."""

KEEP: Final = 4 * 86_400.0
"""Seconds; longer than anybody tries."""
LEASE: float = 360.0
"""Seconds that a claim counts: longer than sending takes, and than the gateways' clocks may differ."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that one receiver is told."""

    id: str
    """The same each time it is sent."""
    hook: str
    event: str
    body: str = field(repr=False)
    created: float
    ticket: str | None = None
    exchange: str | None = None
    to: str | None = field(default=None, repr=False)
    """An address for this one only."""
    tries: int = 0
    """How often it was claimed, this time among them."""
    claimed: float = 0.0
    """Until when it is this gateway's."""


def id_of(*about: str) -> str:
    """The id of a notice about something: without `.`, as Standard Webhooks asks."""
    return f"msg_{hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]}"


async def put(connection: AsyncConnection, notices: Iterable[Notice]) -> None:
    """Keep notices until they are sent, in the caller's transaction."""
    rows = [_row(each) for each in notices]
    if rows:
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        await connection.execute(insert(OUTBOX).on_conflict_do_nothing(), rows)


async def put_once(connection: AsyncConnection, about: str, notices: Iterable[Notice], now: float) -> bool:
    """The same, once for all gateways and for good: whether this caller was the first for `about`."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"kind": "told", "digest": hashlib.sha256(about.encode()).digest(), "expires": now + _FOR_GOOD}
    first = (await connection.execute(insert(SPENT).values(**row).on_conflict_do_nothing())).rowcount > 0
    if first:
        await put(connection, notices)
    return first


_FOR_GOOD: Final = 400 * 86_400.0


class Outbox:
    """The part of a Ledger that is about what is to be told; `ask` bounds what is asked of the database."""

    def __init__(self, engines: Engines, ask: Ask) -> None:
        self._engines, self._ask = engines, ask

    async def put(self, notices: Iterable[Notice]) -> None:
        """Keep notices until they are sent."""

        async def work() -> None:
            async with self._engines.stepping.begin() as connection:
                await put(connection, notices)

        await self._ask(work())

    async def due(self, now: float) -> set[str]:
        """The receivers for whom something may be claimed."""
        wanted = select(OUTBOX.c.hook).where(*_claimable(now)).distinct()

        async def work() -> set[str]:
            async with self._engines.reading.connect() as connection:
                return set((await connection.execute(wanted)).scalars())

        return await self._ask(work())

    async def claim(self, hook: str, now: float, most: int) -> list[Notice]:
        """Take some of what one receiver is to be told, the longest due first; nobody else gets them for LEASE."""
        first = select(OUTBOX.c.id).where(OUTBOX.c.hook == hook, *_claimable(now)).order_by(OUTBOX.c.due).limit(most)
        # The conditions once more: PostgreSQL looks at them again once it holds a row that another claimed meanwhile.
        mine = update(OUTBOX).where(OUTBOX.c.id.in_(first.scalar_subquery()), *_claimable(now))
        taking = mine.values(claimed=now + LEASE, tries=OUTBOX.c.tries + 1).returning(*OUTBOX.c)

        async def work() -> list[Notice]:
            async with self._engines.writing.begin() as connection:
                return [_notice(row) for row in (await connection.execute(taking)).mappings()]

        return sorted(await self._ask(work()), key=lambda each: (each.created, each.id))

    async def drop(self, notice: Notice) -> None:
        """It was taken, or is given up."""
        gone = delete(OUTBOX).where(OUTBOX.c.id == notice.id)

        async def work() -> None:
            async with self._engines.writing.begin() as connection:
                await connection.execute(gone)

        await self._ask(work())

    async def again(self, notice: Notice, due: float) -> None:
        """It was not taken: let whoever comes first send it again once it is due."""
        mine = update(OUTBOX).where(OUTBOX.c.id == notice.id, OUTBOX.c.claimed == notice.claimed)
        later = mine.values(claimed=0.0, due=due)

        async def work() -> None:
            async with self._engines.writing.begin() as connection:
                await connection.execute(later)

        await self._ask(work())

    async def waiting(self) -> Mapping[str, int]:
        """How many notices wait, by receiver."""
        counted = select(OUTBOX.c.hook, func.count()).group_by(OUTBOX.c.hook)

        async def work() -> Mapping[str, int]:
            async with self._engines.reading.connect() as connection:
                return {row[0]: row[1] for row in await connection.execute(counted)}

        return await self._ask(work())


def _claimable(now: float) -> tuple[Any, ...]:
    """What is due, and claimed by nobody; a time that is further off than anything is put off was not this clock's."""
    come = (or_(when <= now, when > now + KEEP) for when in (OUTBOX.c.due, OUTBOX.c.claimed))
    return *come, OUTBOX.c.expires > now


def _row(notice: Notice) -> dict[str, Any]:
    about = {"body": notice.body, "ticket": notice.ticket, "exchange": notice.exchange, "to": notice.to}
    return {
        "id": notice.id,
        "hook": notice.hook,
        "event": notice.event,
        "body": json.dumps(about),
        "created": notice.created,
        "due": notice.created,
        "tries": 0,
        "claimed": 0.0,
        "expires": notice.created + KEEP,
    }


def _notice(row: RowMapping) -> Notice:
    plain = {name: row[name] for name in ("id", "hook", "event", "created", "tries", "claimed")}
    return Notice(**plain, **json.loads(row["body"]))
