"""The gateway leaves: it says so, takes nothing new, what is under way finishes within a limit, then everybody closes.

- Readiness says it first, for as long as balancers need to notice, and everybody is served as before meanwhile.
- What the limit cuts off is put on record as broken off before the journal closes.
- A second signal ends the wait, a third one the process; those that come in one moment are one.

Stands first in mitmproxy's chain, before the script that holds the rooms, so that its asynchronous `done` is over
before theirs begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from phigate import flows
from phigate.host.connections import sockets, talk
from phigate.host.lockdown import close_doors, cut_connections

if TYPE_CHECKING:
    from collections.abc import Callable

    from mitmproxy.master import Master

    from phigate.house import House

logger = logging.getLogger(__name__)

LIMIT: Final = 20.0
"""Seconds that exchanges under way get to finish, unless an operator says otherwise."""
PART: Final = 2.0
"""Seconds that those which were cut off get to be recorded."""
LOOK: Final = 0.02
MOMENT: float = 0.5
"""Seconds in which signals are one: systemd sends SIGHUP right behind SIGTERM to all that runs in a session, and a
terminal's Ctrl-C comes from the terminal and once more from a program that hands it on."""
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Drain:
    name = "phigate-drain"

    def __init__(self, master: Master, house: House, after: float = 0.0, within: float = LIMIT) -> None:
        """`after` are the seconds between saying that it leaves and leaving, `within` those that a leave may take."""
        self._master = master
        self._house = house
        self._after, self._within = after, within
        self._hurried = False
        self._told = 0.0
        """When it was told last, by a clock that never steps."""
        house.remarks.append(self.remarks)

    def running(self) -> None:
        """Leave when the terminal goes, as mitmproxy does for SIGTERM and SIGINT; `nohup` has it ignored."""
        if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
            with contextlib.suppress(RuntimeError, ValueError):  # no loop of the main thread's
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._master.shutdown)

    def remarks(self) -> dict[str, str]:
        if not self._house.announced:
            return {}
        return {"gateway": f"leaving: {len(self._house.under_way)} exchanges are under way"}

    async def done(self) -> None:
        self._house.announced = True
        self._told = time.monotonic()
        self._heed(self._hear)
        await self._until(lambda: False, self._after)
        self._house.leaving = True
        close_doors(self._master)
        self._say_goodbye()
        await self._until(lambda: not self._house.under_way, self._within)
        await self._cut()
        for part in self._house.partings:
            await part()
        await self._house.agreement.close()

    async def _until(self, over: Callable[[], bool], seconds: float) -> None:
        """Wait until something is over, for so long, or until somebody is in a hurry."""
        limit = time.monotonic() + seconds
        while not over() and not self._hurried and time.monotonic() < limit:  # noqa: ASYNC110 -- as below
            await asyncio.sleep(LOOK)

    def _say_goodbye(self) -> None:
        """Tell those who stay connected that no further request is taken."""
        for flow in list(self._house.contacted.values()):
            if flows.is_open(flow):  # it would never be over by itself
                sockets.close(self._master, flow, sockets.GOING_AWAY)
        proxyserver = self._master.addons.get("proxyserver")
        for handler in list(proxyserver.connections.values()) if proxyserver else []:
            talk.say_goodbye(handler)

    async def _cut(self) -> None:
        """End what is left, and wait until it is on record that it was cut off."""
        cut = list(self._house.contacted.values())
        if cut:
            logger.warning("%d exchanges did not finish in time and are cut off", len(cut))
        for flow in cut:
            if (passage := flows.passage_of(flow)) is not None and passage.outcome == "complete":
                passage.outcome = "interrupted"
        cut_connections(self._master)
        limit = time.monotonic() + PART
        while self._house.contacted and time.monotonic() < limit:  # noqa: ASYNC110 -- once, at the end of a process
            await asyncio.sleep(LOOK)

    # -- whoever says it again --------------------------------------------------------------------------------------

    @staticmethod
    def _heed(act: Callable[[], None]) -> None:
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                with contextlib.suppress(RuntimeError, ValueError):  # as above
                    asyncio.get_running_loop().add_signal_handler(number, act)

    def _hear(self) -> None:
        """It was told again to end."""
        last, self._told = self._told, time.monotonic()
        if self._told - last < MOMENT:
            return
        if self._hurried:
            os._exit(1)
        logger.warning("told a second time to end: what is under way is cut off")
        self._hurried = True
