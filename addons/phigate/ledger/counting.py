"""[I/O] What all gateways count together (`exact` limits): requests in a time, and places of what is under way.

- The database's clock counts, whatever the gateways' say; it is read once the rows are locked.
- Many calls are one transaction, and all its rows are locked in the order of their digests: two gateways would else
  wait for each other. None is added in it: whoever adds one and waits for another is waited for.
- A gateway writes how many places it has, never how many more or less: what was written twice, or not, is put right by
  the next time.
- Places are a gateway's for as long as its lease, which it renews while it runs; those of one that is gone are free.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Double, bindparam, cast, delete, extract, func, select, update

from phigate.ledger.tables import COUNTS, LEASES
from phigate.policy.rates import AT_ONCE_AGAIN, TooMany, Window, unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from phigate.ledger.approvals import Ask
    from phigate.ledger.engines import Engines

LEASE: float = 30.0
"""Seconds after which the places of a gateway that does not renew them are free."""
KEEP: Final = 86_400.0
"""Seconds that a row with places is kept after it was written; whoever has them writes it again before."""
_NEW: Final = 3600.0
_BATCH: Final = 1000
"""Rows dropped at once."""
_TRIES: Final = 4
"""Times that rows are added which somebody drops meanwhile."""


@dataclass(frozen=True, slots=True, order=True)
class Share:
    """One limit and whom it is counted for (`digest`): so many requests in a period, so many at once; 0 is no limit."""

    digest: bytes
    per: float = 0.0
    most: int = 0
    at_once: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One request, by all limits that concern it; a message of what is under way already `enters` nothing."""

    shares: tuple[Share, ...]
    enters: bool = True


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of each call; and whether the gateway's lease was over, so that others took its places for free."""

    answers: list[TooMany | None]
    lapsed: bool = False


class Counting:
    """The part of a Ledger that is about limits; `ask` bounds what is asked of the database."""

    def __init__(self, engines: Engines, ask: Ask, upsert: Callable[..., Any]) -> None:
        self._engines, self._ask, self._upsert = engines, ask, upsert
        days = func.julianday("now") - 2440587.5
        epoch = cast(extract("epoch", func.clock_timestamp()), Double)
        self._now: Any = epoch if engines.postgresql else days * 86_400.0

    async def count(self, gateway: str, calls: Sequence[Call], places: Mapping[Share, int]) -> Counted:
        """Let in what there is room for, one after the other; raises LedgerDown, and then nobody is.

        `places` are those that the gateway has at this moment, of every share of which it is to be written down.
        """
        shares = {share.digest: share for call in calls for share in call.shares}
        shares |= {share.digest: share for share in places}
        had = {share.digest: number for share, number in places.items()}
        return await self._ask(self._count(gateway, calls, shares, had))

    async def _count(
        self, gateway: str, calls: Sequence[Call], shares: Mapping[bytes, Share], had: Mapping[bytes, int]
    ) -> Counted:
        digests = sorted(shares)
        needed = {share.digest for call in calls for share in call.shares} | {each for each in had if had[each]}
        locked = select(COUNTS).where(COUNTS.c.digest.in_(digests)).order_by(COUNTS.c.digest).with_for_update()
        for _ in range(_TRIES):
            async with self._engines.stepping.begin() as connection:
                found = {row["digest"]: row for row in (await connection.execute(locked)).mappings()}
                if not (missing := sorted(needed - found.keys())):
                    rows = {each: _Row(shares[each], found[each], gateway) for each in digests if each in found}
                    return await self._settle(connection, gateway, calls, rows, had)
            await self._add(missing)
        raise TimeoutError

    async def _add(self, digests: Sequence[bytes]) -> None:
        row = {"requests": b"", "places": "{}", "expires": self._now + _NEW}
        new = self._upsert(COUNTS).values(digest=bindparam("of"), **row).on_conflict_do_nothing()
        async with self._engines.writing.begin() as connection:
            await connection.execute(new, [{"of": digest} for digest in digests])

    async def _settle(
        self,
        connection: AsyncConnection,
        gateway: str,
        calls: Sequence[Call],
        rows: Mapping[bytes, _Row],
        had: Mapping[bytes, int],
    ) -> Counted:
        now = float((await connection.execute(select(self._now))).scalar_one())
        lapsed = False
        if any(row.share.at_once for row in rows.values()):
            alive = set((await connection.execute(select(LEASES.c.gateway).where(LEASES.c.expires > now))).scalars())
            if gateway not in alive:
                lapsed = True
                await connection.execute(self._lease(gateway, now + LEASE))
            for digest, row in rows.items():
                row.look(alive, had.get(digest))
        answers = [_answer([rows[share.digest] for share in call.shares], now, enters=call.enters) for call in calls]
        if changed := [row.written(now) for row in rows.values() if row.changed]:
            again = update(COUNTS).where(COUNTS.c.digest == bindparam("of"))
            await connection.execute(again.values({name: bindparam(f"new_{name}") for name in _WRITTEN}), changed)
        return Counted(answers, lapsed)

    # -- leases -----------------------------------------------------------------------------------------------------

    async def renew(self, gateway: str) -> bool:
        """Keep a gateway's places for another LEASE seconds; False where they were free meanwhile."""
        own = update(LEASES).where(LEASES.c.gateway == gateway, LEASES.c.expires > self._now)
        # Where the clock was set back, others' leases would last for as much longer.
        far = select(LEASES.c.gateway).where(LEASES.c.expires > self._now + LEASE).order_by(LEASES.c.gateway)
        far = far.with_for_update(skip_locked=True)

        async def work() -> bool:
            async with self._engines.stepping.begin() as connection:
                await connection.execute(
                    update(LEASES).where(LEASES.c.gateway.in_(far)).values(expires=self._now + LEASE)
                )
                kept = (await connection.execute(own.values(expires=self._now + LEASE))).rowcount
                if not kept:
                    await connection.execute(self._lease(gateway, self._now + LEASE))
            return bool(kept)

        return await self._ask(work())

    def _lease(self, gateway: str, until: Any) -> Any:
        row = self._upsert(LEASES).values(gateway=gateway, expires=until)
        return row.on_conflict_do_update(index_elements=[LEASES.c.gateway], set_={"expires": row.excluded.expires})

    async def leave(self, gateway: str) -> None:
        """Give all places of a gateway back."""

        async def work() -> None:
            async with self._engines.writing.begin() as connection:
                await connection.execute(delete(LEASES).where(LEASES.c.gateway == gateway))

        await self._ask(work())

    async def sweep(self) -> int:
        """Drop rows of which nothing counts any more, and leases of gateways that are gone; how many that was.

        None that somebody holds: they are not dropped in the order in which others lock them.
        """
        over = select(COUNTS.c.digest).where(COUNTS.c.expires <= self._now).limit(_BATCH)
        gone = select(LEASES.c.gateway).where(LEASES.c.expires <= self._now - _NEW)

        async def work() -> int:
            dropped = 0
            async with self._engines.stepping.begin() as connection:
                for column, those in ((COUNTS.c.digest, over), (LEASES.c.gateway, gone)):
                    found = (await connection.execute(those.with_for_update(skip_locked=True))).scalars().all()
                    if found:
                        dropped += (await connection.execute(delete(column.table).where(column.in_(found)))).rowcount
            return dropped

        return await self._ask(work())


_WRITTEN: Final = ("requests", "places", "expires")


class _Row:
    """A row as it was found, and what becomes of it."""

    def __init__(self, share: Share, found: RowMapping, gateway: str) -> None:
        self.share, self._gateway = share, gateway
        self.window: Window = unpacked(found["requests"])
        self.places: dict[str, int] = orjson.loads(found["places"])
        self.changed = False

    def look(self, alive: set[str], own: int | None) -> None:
        """Whose places count: those of gateways that are there, and this one's as it says (None: as was written)."""
        now = {name: number for name, number in self.places.items() if name in alive and name != self._gateway}
        own = self.places.get(self._gateway, 0) if own is None else own
        now |= {self._gateway: own} if own else {}
        self.changed = self.changed or now != self.places
        self.places = now

    def rate(self, now: float) -> float:
        return self.window.wait(now, self.share.per, self.share.most) if self.share.most else 0.0

    def full(self) -> bool:
        return bool(self.share.at_once) and sum(self.places.values()) >= self.share.at_once

    def take(self, now: float, *, enters: bool) -> None:
        if self.share.most:
            self.window.take(now, self.share.per, self.share.most)
            self.changed = True
        if enters and self.share.at_once:
            self.places[self._gateway] = self.places.get(self._gateway, 0) + 1
            self.changed = True

    def written(self, now: float) -> dict[str, Any]:
        return {
            "of": self.share.digest,
            "new_requests": self.window.packed(),
            "new_places": orjson.dumps(self.places).decode(),
            "new_expires": now + max(self.share.per, KEEP if self.places else 0.0),
        }


def _answer(rows: Sequence[_Row], now: float, *, enters: bool) -> TooMany | None:
    """Let one in by all of its limits, or by none."""
    wait = max((row.rate(now) for row in rows), default=0.0)
    if wait > 0:
        return TooMany(at_once=False, wait=wait)
    if enters and any(row.full() for row in rows):
        return TooMany(at_once=True, wait=AT_ONCE_AGAIN)
    for row in rows:
        row.take(now, enters=enters)
    return None
