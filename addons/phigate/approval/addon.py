"""Or must someone say yes first? Glue: a held decision to its ticket, a granted one to its use.

A hold is answered at once, and the same request, sent again after the yes, passes (Access finds the grant); or it waits
with its connection open, where the rule says `wait`, and is then decided again from the start, as if it had just come.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from mitmproxy import ctx

from phigate import approvals, flows
from phigate.approval.replies import OUTDATED
from phigate.approval.waiting import preferred
from phigate.holding import Held
from phigate.host import lockdown
from phigate.host.connections import callers, sockets
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
        if passage is None or passage.exchange.refusal is not None or not approvals.asks(passage.exchange.decision):
            return
        content = flow.request.data.content or b""
        most = preferred(passage.fields.get(b"prefer", b""))
        held = Held(len(content), lambda: callers.gone(ctx.master, flow), lambda: self._show(flow), most=most)
        while await self._settle(flow, held):
            for again in self.house.again:
                result = again(flow)
                if result is not None:
                    await result

    async def _settle(self, flow: HTTPFlow, held: Held) -> bool:
        """Hold a request, or spend what lets it through; whether it is to be decided again, from the start."""
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None or not approvals.asks(passage.exchange.decision):
            return False
        house, exchange, decision = self.house, passage.exchange, passage.exchange.decision
        shown = approvals.told(house, exchange, passage.reasons, passage.model_shown, passage.prompt_shown)
        if not isinstance(decision, Hold):
            if approvals.outdated(house, exchange):
                once = exchange.subject is not None and exchange.subject.uses is not None  # its bearer is spent by now
                exchange.refusal = OUTDATED if once else None
                return not once
            exchange.refusal = held.left() or await approvals.use(house, exchange, decision, shown, time.time())
            exchange.refusal = exchange.refusal or held.left()
            return False
        refusal = await approvals.hold(house, exchange, decision, passage.reasons.digest, shown, time.time())
        exchange.request, passage.onward_body = None, b""  # both are made again
        masked = passage.model_shown, passage.prompt_shown
        exchange.refusal = await house.holding.wait(held, exchange, masked, refusal)
        return exchange.refusal is None

    def _show(self, flow: HTTPFlow) -> None:
        """Let those who look on see that it waits."""
        if passage := flows.passage_of(flow):
            self.house.observers.show(passage, flow)

    # -- what was taken back ----------------------------------------------------------------------------------------

    def _look(self) -> None:
        """End what runs by a grant that was taken back, and connections whose grant is over; each second."""
        if self._looking is None or self._looking.done():
            running = {flow: names for flow in self.house.contacted.values() if (names := _grants(flow))}
            if running:
                self._looking = asyncio.get_running_loop().create_task(self._end(running))

    async def _end(self, running: dict[HTTPFlow, dict[str, float]]) -> None:
        with contextlib.suppress(LedgerDown):  # then nobody is believed, and Identity ends everything
            out = await self.house.agreement.approvals.taken_back(
                {name for names in running.values() for name in names}
            )
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
