"""[I/O] One gateway's part in what all gateways count together: who asks, who is under way here, what is to be told.

- Callers at once are one transaction: while it is under way those who come wait for the next one.
- What is over is told as soon as somebody can, and is waited for by nobody. What could not be told is told again.
- Whoever was told to wait is told so again without asking, for AGAIN seconds at most: who repeats costs the ledger
  nothing.
- When the ledger does not answer, nobody is let in who needs it.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from phigate.ledger.bounded import SECONDS
from phigate.ledger.counting import KEEP, LEASE, Call, Share
from phigate.ledger.ledger import LedgerDown
from phigate.policy.rates import TooMany

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from phigate.ledger.counting import Counted
    from phigate.ledger.ledger import Ledger

    type Count = Callable[[str, Sequence[Call], Mapping[Share, int]], Awaitable[Counted]]

MOST: Final = 200
"""Calls of one transaction."""
AGAIN: Final = 10.0
REMEMBERED: Final = 10_000
"""Who is told to wait without asking."""
_TELL_ALL: Final = KEEP / 4


@dataclass(slots=True, eq=False)
class _Asking:
    call: Call
    exchange: str
    outcome: asyncio.Future[TooMany | None]
    left: bool = False
    """Nobody waits for it any more."""


@dataclass(slots=True)
class _Place:
    shares: tuple[Share, ...]
    aside: bool = False


@dataclass(slots=True)
class Sharing:
    """`name` is this gateway's, of this start; `count` counts (`Counting.count`), and raises LedgerDown."""

    name: str
    count: Count
    clock: Callable[[], float] = time.monotonic
    _places: dict[str, _Place] = field(default_factory=dict)
    _numbers: Counter[Share] = field(default_factory=Counter)
    """Places of this gateway, those of its exchanges under way."""
    _untold: dict[Share, None] = field(default_factory=dict)
    """Of which the ledger may know another number than that."""
    _waiting: list[_Asking] = field(default_factory=list)
    _asking: dict[str, _Asking] = field(default_factory=dict)
    _work: asyncio.Task[None] | None = None
    _told: dict[tuple[Share, ...], tuple[float, float]] = field(default_factory=dict)
    """Who was told to wait: until when, and until when that is believed."""
    _renewal: float | None = None
    """When the lease is to be renewed; None without one."""
    _lapsed: bool = False
    _all_told: float = 0.0

    def __len__(self) -> int:
        return len(self._places)

    async def enter(self, exchange: str, shares: tuple[Share, ...]) -> TooMany | None:
        """Count a request, which is under way until it leaves; raises LedgerDown."""
        return await self._ask(Call(shares), exchange)

    async def say(self, shares: tuple[Share, ...]) -> TooMany | None:
        """Count a message of what is under way; raises LedgerDown."""
        rates = tuple(share for share in shares if share.most)
        return await self._ask(Call(rates, enters=False), "") if rates else None

    async def _ask(self, call: Call, exchange: str) -> TooMany | None:
        if found := self._known(call.shares):
            return found
        asking = _Asking(call, exchange, asyncio.get_running_loop().create_future())
        self._waiting.append(asking)
        if exchange:
            self._asking[exchange] = asking
        self._begin()
        try:
            async with asyncio.timeout(2 * SECONDS):
                return await asking.outcome
        except TimeoutError:
            raise LedgerDown("it takes too long") from None
        finally:
            self._asking.pop(exchange, None)
            if not asking.outcome.done() or asking.outcome.cancelled():
                asking.left = True

    def _known(self, shares: tuple[Share, ...]) -> TooMany | None:
        until, believed = self._told.get(shares, (0.0, 0.0))
        now = self.clock()
        if now < believed:
            return TooMany(at_once=False, wait=until - now)
        self._told.pop(shares, None)
        return None

    def leave(self, exchange: str) -> None:
        """It is over; one that never entered is none."""
        if asking := self._asking.get(exchange):
            asking.left = True
        if place := self._places.pop(exchange, None):
            self._add(place, -1)

    def aside(self, exchange: str, *, waits: bool) -> None:
        """It waits for somebody's yes, or does so no more; while it waits it is not under way."""
        if (place := self._places.get(exchange)) and place.aside is not waits:
            place.aside = False
            self._add(place, -1 if waits else 1)
            place.aside = waits

    def _add(self, place: _Place, by: int) -> None:
        if place.aside:
            return
        for share in place.shares:
            self._numbers[share] += by
            if not self._numbers[share]:
                del self._numbers[share]
            self._untold[share] = None
        self._begin()

    # -- the ledger -------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Once a second: tell what is still to be told, and now and then everything, so that nobody drops it."""
        if self._lapsed or self.clock() - self._all_told > _TELL_ALL:
            self._lapsed, self._all_told = False, self.clock()
            self._untold |= dict.fromkeys(self._numbers)
        self._begin()

    def _begin(self) -> None:
        if (self._work is None or self._work.done()) and (self._waiting or self._untold):
            self._work = asyncio.get_running_loop().create_task(self._ask_all())

    async def _ask_all(self) -> None:
        try:
            while self._waiting or self._untold:
                await self._ask_once()
        except Exception as error:  # noqa: BLE001 -- whatever broke, nobody is let in, nor those who came meanwhile
            for asking in self._waiting:
                if not asking.outcome.done():
                    asking.outcome.set_exception(LedgerDown(type(error).__name__))
            self._waiting.clear()

    async def _ask_once(self) -> None:
        now, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        for asking in now:
            if asking.left and not asking.outcome.done():
                asking.outcome.set_result(None)
        now = [asking for asking in now if not asking.left]
        shares = dict(islice(self._untold.items(), MOST))
        for share in shares:
            del self._untold[share]
        shares |= dict.fromkeys(
            share for asking in now for share in asking.call.shares if share.at_once and asking.call.enters
        )
        counted = None
        try:
            counted = await self.count(
                self.name, [asking.call for asking in now], {share: self._numbers[share] for share in shares}
            )
        finally:
            if counted is None:  # it may have been counted all the same
                self._untold |= shares
                self._waiting = now + self._waiting
        if self._renewal is None and any(share.at_once for share in shares):
            self._renewal = self.clock() + LEASE / 3
        self._lapsed = self._lapsed or (counted.lapsed and bool(self._numbers))
        for asking, answer in zip(now, counted.answers, strict=True):
            self._settle(asking, answer)

    def _settle(self, asking: _Asking, answer: TooMany | None) -> None:
        shares = asking.call.shares
        if answer is not None and not answer.at_once:
            self._remember(shares, answer.wait)
        if answer is None and asking.call.enters:
            places = tuple(share for share in shares if share.at_once)
            if asking.left:
                self._untold |= dict.fromkeys(places)
            elif places:
                self._places[asking.exchange] = _Place(places)
                self._numbers.update(places)
        if not asking.outcome.done():
            asking.outcome.set_result(answer)

    def _remember(self, shares: tuple[Share, ...], wait: float) -> None:
        now = self.clock()
        if len(self._told) >= REMEMBERED:
            self._told = {name: known for name, known in self._told.items() if known[1] > now}
        if len(self._told) < REMEMBERED:
            self._told[shares] = (now + wait, now + min(wait, AGAIN))

    # -- the lease --------------------------------------------------------------------------------------------------

    async def renew(self, ledger: Ledger) -> None:
        """Keep the places for another while, where that is due; raises LedgerDown. May be called in another loop."""
        if self._renewal is None or self.clock() < self._renewal:
            return
        self._renewal = self.clock() + LEASE / 6  # whoever cannot be asked is not asked with each look
        if not await ledger.counting.renew(self.name):
            self._lapsed = True
        self._renewal = self.clock() + LEASE / 3

    async def give_back(self, ledger: Ledger) -> None:
        """All places, at the end; raises LedgerDown."""
        if self._renewal is not None:
            self._renewal = None
            await ledger.counting.leave(self.name)
