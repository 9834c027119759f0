"""[I/O] What the gateways ask of the database that they share.

- `spend` lets one caller through, on whichever instance: the database's own unique key decides.
- Revocations are numbered under a lock, so that they appear in the order of their numbers: who polls misses none.
- Times are the caller's; what the database's own clock says is told to whoever asks, and decides of nothing but of what
  all gateways count together (counting.py).
- Whatever goes wrong in the database or on the way to it is LedgerDown, within SECONDS.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import delete, func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from phigate.ledger.approvals import Approvals
from phigate.ledger.bounded import Bounds
from phigate.ledger.codes import Codes
from phigate.ledger.counting import Counting
from phigate.ledger.faults import Faults
from phigate.ledger.outbox import Outbox
from phigate.ledger.rows import GatewayKey, Revocation
from phigate.ledger.spending import Spending
from phigate.ledger.tables import CODES, COUNTER, GRANTS, KEYS, OUTBOX, REVIEWS, REVOKED, SPENT, TICKETS, USES, VERDICTS
from phigate.ledger.unanswered import Unanswered

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from sqlalchemy import Table

    from phigate.ledger.engines import Engines
    from phigate.ledger.spending import Key

SKEW: Final = 300.0
"""Seconds by which the gateways' clocks may differ: what is over for one may not be for another, and is kept for it."""
_BATCH: Final = 2000
"""Rows dropped at once: whoever wants to write meanwhile waits for no more."""
_SWEEPING: Final = 1.0
"""Seconds."""
_SWEEP_LOCK: Final = 0x7068696761746502
"""PostgreSQL's advisory lock of whoever sweeps: two would wait for each other's rows."""


class LedgerDown(Exception):  # noqa: N818 -- the name of the state that replies and readiness report
    """The database did not do what was asked; nothing of it is said, it may quote what was asked."""


class Ledger:
    """The database; made by `open_ledger`, to be used in the event loop that opened it."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._insert = postgresql.insert if engines.postgresql else sqlite.insert
        self._bounds = Bounds(cancels=engines.postgresql)
        self._spending = Spending(self._spend)
        self._closed = False
        self.faults = Faults()
        self.approvals = Approvals(engines, self._ask, self._insert)
        self.codes = Codes(engines, self._ask)
        self.unanswered = Unanswered(engines, self._ask, self.approvals)
        self.outbox = Outbox(engines, self._ask)
        self.counting = Counting(engines, self._ask, self._insert)

    async def close(self) -> None:
        """Let the connections go, within SECONDS; whatever is asked afterwards is LedgerDown. Never raises."""
        self._closed = True
        with contextlib.suppress(Exception):
            await self._bounds.wait(self._engines.close())

    async def spend(self, kind: str, key: str, expires: float, now: float) -> bool:
        """Use something up; True for the first caller of all until `expires`, whoever and wherever it is."""
        if not now < expires < math.inf:
            return False
        digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
        return await self._ask(self._spending.spend((kind, digest), expires))

    async def revoke(self, entry: Revocation) -> int:
        """Keep a revocation; its number."""

        async def work() -> int:
            row = COUNTER.c.name == "revoked"
            async with self._engines.stepping.begin() as connection:
                await connection.execute(update(COUNTER).where(row).values(number=COUNTER.c.number + 1))
                number = int((await connection.execute(select(COUNTER.c.number).where(row))).scalar_one())
                await connection.execute(insert(REVOKED).values(**asdict(entry) | {"number": number}))
            return number

        return await self._ask(work())

    async def revocations(self, after: int, now: float) -> list[Revocation]:
        """Those numbered above `after` whose bearers are not over, in order."""
        wanted = select(REVOKED).where(REVOKED.c.number > after, REVOKED.c.expires > now).order_by(REVOKED.c.number)

        async def work() -> list[Revocation]:
            async with self._engines.reading.connect() as connection:
                return [Revocation(**row) for row in (await connection.execute(wanted)).mappings()]

        return await self._ask(work())

    async def publish(self, key: GatewayKey) -> None:
        """Make a key known; one that is known already stays as it is, for the longer of the two times."""
        public = orjson.dumps(dict(key.public)).decode()
        row = self._insert(KEYS).values(
            kid=key.kid, instance=key.instance, public=public, active_from=key.active_from, expires=key.expires
        )
        longer = row.on_conflict_do_update(
            index_elements=[KEYS.c.kid],
            set_={"expires": row.excluded.expires},
            where=KEYS.c.expires < row.excluded.expires,
        )

        async def work() -> None:
            async with self._engines.writing.begin() as connection:
                await connection.execute(longer)

        await self._ask(work())

    async def keys(self, now: float) -> list[GatewayKey]:
        """The keys that a bearer which is not over may be signed with, now or soon."""
        wanted = select(KEYS).where(KEYS.c.expires > now).order_by(KEYS.c.active_from, KEYS.c.kid)

        async def work() -> list[GatewayKey]:
            async with self._engines.reading.connect() as connection:
                rows = (await connection.execute(wanted)).mappings().all()
            return [GatewayKey(**{**row, "public": orjson.loads(row["public"])}) for row in rows]

        return await self._ask(work())

    async def clock(self) -> float | None:
        """What time it is by the database's own clock (seconds since the epoch); None where that is this machine's."""
        if not self._engines.postgresql:
            return None

        async def work() -> float:
            async with self._engines.reading.connect() as connection:
                asked = select(func.extract("epoch", func.clock_timestamp()))
                return float((await connection.execute(asked)).scalar_one())

        return await self._ask(work())

    async def sweep(self, now: float) -> int:
        """Drop what is over for all gateways' clocks; how many rows that was.

        Where there are too many for one call the rest is left to the next.
        """
        dropped, end = 0, time.monotonic() + _SWEEPING
        for table in (SPENT, REVOKED, KEYS, VERDICTS, USES, GRANTS, TICKETS, REVIEWS, OUTBOX, CODES):
            while time.monotonic() < end:
                batch = await self._ask(self._drop(table, now - SKEW))
                dropped += batch
                if batch < _BATCH:
                    break
        return dropped + await self.counting.sweep()

    async def _drop(self, table: Table, before: float) -> int:
        key = tuple_(*table.primary_key.columns)
        over = select(*table.primary_key.columns).where(table.c.expires <= before).limit(_BATCH)
        if table is GRANTS:  # of a ticket whose end is still to be told it is told whether there was one
            over = over.where(GRANTS.c.ticket.not_in(select(TICKETS.c.id).where(TICKETS.c.telling.is_not(None))))
        async with self._engines.stepping.begin() as connection:
            if self._engines.postgresql:
                ours = (await connection.execute(select(func.pg_try_advisory_xact_lock(_SWEEP_LOCK)))).scalar_one()
                if not ours:
                    return 0
            return (await connection.execute(delete(table).where(key.in_(over)))).rowcount

    async def _spend(self, rows: Mapping[Key, float]) -> set[Key]:
        said = [{"kind": kind, "digest": digest, "expires": expires} for (kind, digest), expires in rows.items()]
        new = self._insert(SPENT).on_conflict_do_nothing().returning(SPENT.c.kind, SPENT.c.digest)

        async def work() -> set[Key]:
            async with self._engines.writing.begin() as connection:
                return {(kind, digest) for kind, digest in await connection.execute(new, said)}

        return await self._bounds.wait(work())

    async def _ask[T](self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise LedgerDown("closed")
        try:
            return await self._bounds.wait(work)
        except Exception as error:  # noqa: BLE001 -- a driver's, or what it stumbled over: nobody else's work is done here
            self.faults.count(error)
            raise LedgerDown(type(error).__name__) from None
