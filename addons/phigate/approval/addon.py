"""Or must someone say yes first? Glue: a held decision to its answer.

Nobody can approve on this gateway yet, so a hold is answered and never waits, and nothing of it passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from phigate import flows
from phigate.approval.replies import held
from phigate.policy.decide import Hold

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from phigate.house import House


class Approval:
    def __init__(self, house: House) -> None:
        self.house = house

    def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.refusal is not None:
            return
        if isinstance(passage.exchange.decision, Hold):
            passage.exchange.refusal = held(passage.exchange.decision)
