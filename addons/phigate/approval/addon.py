"""Or must someone say yes first? Glue: a held decision to its ticket, a granted one to its use.

A hold is answered at once and never waits; the same request, sent again after the yes, passes (Access finds the grant).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from mitmproxy import ctx

from phigate import approvals, flows
from phigate.host import lockdown, sockets
from phigate.ledger import LedgerDown
from phigate.policy.decide import Hold, Permit
from phigate.unanswered import Unanswered
from phigate.webhooks import Webhooks

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from phigate.house import House


class Approval:
    def __init__(self, house: House) -> None:
        self.house = house
        self._looking: asyncio.Task[None] | None = None
        Webhooks(house)
        house.ticks.append(self._look)
        self.unanswered = Unanswered(house)

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        exchange, decision = passage.exchange, passage.exchange.decision
        if not approvals.asks(decision):
            return
        shown = approvals.told(self.house, exchange, passage.reasons, passage.model_shown, passage.prompt_shown)
        if isinstance(decision, Hold):
            digest = passage.reasons.digest
            exchange.refusal = await approvals.hold(self.house, exchange, decision, digest, shown, time.time())
        else:
            exchange.refusal = await approvals.use(self.house, exchange, decision, shown, time.time())

    # -- what was taken back ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """End what runs by a grant that was taken back, and connections whose grant is over; each second."""
        if self._looking is None or self._looking.done():
            running = {flow: names for flow in self.house.contacted.values() if (names := _grants(flow))}
            if running:
                self._looking = asyncio.get_running_loop().create_task(self._end(running))

    async def _end(self, running: dict[HTTPFlow, dict[str, float]]) -> None:
        with contextlib.suppress(LedgerDown):  # then nobody is believed, and Identity ends everything
            out = await self.house.approvals.taken_back({name for names in running.values() for name in names})
            for flow, names in running.items():
                passage = flows.passage_of(flow)
                late = flows.is_open(flow) and min(names.values()) <= time.time()
                if passage is None or passage.exchange.finished or not (late or out & names.keys()):
                    continue
                passage.outcome = "expired" if late else "revoked"
                if flows.is_open(flow):
                    sockets.close(ctx.master, flow, sockets.VIOLATION)
                else:
                    lockdown.cut_upstream(ctx.master, flow)


def _grants(flow: HTTPFlow) -> dict[str, float]:
    """The grants that an exchange runs by, and when each is over."""
    passage = flows.passage_of(flow)
    decision = passage.exchange.decision if passage else None
    return {each.id: each.expires for each in decision.grants} if isinstance(decision, Permit) else {}
