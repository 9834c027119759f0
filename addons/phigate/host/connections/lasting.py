"""An exchange ends: a model server that never ends its answer does not keep a connection, and a place, for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate import flows
from phigate.host import lockdown

if TYPE_CHECKING:
    from mitmproxy.master import Master

    from phigate.house import House

LONGEST: float = 3600.0
"""Seconds that an answer may take, a stream's too; a WebSocket ends with its bearer."""
GRACE: float = 10.0
"""Seconds until a caller that takes no notice, since it has not taken what came before, loses its connection."""


def end_late(master: Master, house: House, now: float) -> None:
    """Break off, once a second, what goes on for too long."""
    for flow in list(house.contacted.values()):
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.finished or flows.is_open(flow):
            continue
        if passage.contacted_at + LONGEST < now:
            passage.outcome, passage.broke = "interrupted", "late"
            stays = passage.contacted_at + LONGEST + GRACE < now
            (lockdown.cut_flow if stays else lockdown.cut_upstream)(master, flow)
