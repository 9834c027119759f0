"""SIGTERM drains: no new connection, what is under way finishes within a limit, then everybody closes.

Stands first in mitmproxy's chain, before the script that holds the rooms, so that its asynchronous `done` is over
before theirs begins.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from phigate import flows
from phigate.host import sockets
from phigate.host.lockdown import close_doors, cut_connections

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from phigate.house import House

LIMIT = 20.0
"""Seconds that exchanges under way get to finish."""


class Drain:
    name = "phigate-drain"

    def __init__(self, master: Master, house: House) -> None:
        self._master = master
        self._house = house

    async def done(self) -> None:
        self._house.leaving = True
        close_doors(self._master)
        for flow in list(self._house.contacted.values()):
            if flows.is_open(flow):  # it would never be over by itself
                sockets.close(self._master, flow, sockets.GOING_AWAY)
        limit = time.monotonic() + LIMIT
        while self._house.under_way and time.monotonic() < limit:  # noqa: ASYNC110 -- once, at the end of a process
            await asyncio.sleep(0.02)
        cut_connections(self._master)
        for part in self._house.partings:
            await part()
        await self._house.close_ledger()
