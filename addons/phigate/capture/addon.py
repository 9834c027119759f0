"""What do we remember? Glue: a request's record before the upstream hears of it, an answer's before it is let go."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Final

from phigate import flows, metrics
from phigate.capture.record import Seconds, message_record, request_record, response_record
from phigate.capture.tally import Tally
from phigate.exchange import Refusal
from phigate.house import utc_now
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.policy.decide import Permit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mitmproxy.connection import Client
    from mitmproxy.http import HTTPFlow

    from phigate.capture.keep import Side
    from phigate.capture.record import Fields
    from phigate.flows import Broke
    from phigate.house import House

UNSYNCED_SECONDS = 0.2
"""How long a message's record may lie unsynced before the connection ends."""
ORDERLY = frozenset({1000, 1001, 1005})
"""Codes with which a WebSocket is closed when nothing is wrong (RFC 6455, 7.4.1)."""
TOO_LARGE = Refusal(413, "too-large", "The request is larger than this gateway records.")
BROKEN = Refusal(503, "not-decided", "The gateway could not decide this request.")
BROKE: Final[Mapping[str, Broke]] = {"upstream-broke": "broke-off", "unmaskable": "unreadable"}
"""What an outcome says of the model server, where nothing else is known."""
UNRECORDED = Refusal(503, "not-recorded", "The gateway could not record this exchange.", retry_after=1)


class Capture:
    def __init__(self, house: House) -> None:
        self.house = house
        self._tally = Tally()
        house.ticks.append(self.tick)
        house.count_refused = self.count_refused

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None:
            return
        exchange = passage.exchange
        if exchange.subject is None:
            self._count_refused(passage)
        else:
            await self._record_request(flow, passage)
        self.house.observers.show(passage, flow)

    async def _record_request(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        exchange = passage.exchange
        exchange.agent = self.house.agent_shown(exchange.agent) if exchange.agent else ""
        try:
            await self._write_request(flow, passage)
        except Unrecordable:  # more than a line of the journal holds: who asked is still on record
            exchange.refusal, passage.prompt_shown = TOO_LARGE, None
            exchange.identifiers_in.clear()
            with contextlib.suppress(Unrecordable, JournalDown):
                await self._write_request(flow, passage)
        except JournalDown:
            exchange.refusal = UNRECORDED

    async def _write_request(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        exchange, house, original = passage.exchange, self.house, flow.request.data.content or b""
        target, exchange.target = exchange.target, passage.model_shown
        try:
            policy = exchange.policy or house.policy.sha256
            fields = request_record(exchange, policy, passage.prompt_shown, len(original))
        finally:
            exchange.target = target
        await house.keep.record(house.journal, "request", fields, side="caller", original=original)
        exchange.recorded, passage.records["request"] = True, fields

    async def response(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None:
            return
        exchange = passage.exchange
        if flows.may_open(flow):  # a connection's record comes at its end
            return
        if exchange.contacted and not exchange.finished:
            await self._record_response(flow, passage)
        elif exchange.subject is not None and not exchange.recorded:  # a room broke before Capture was asked
            exchange.refusal = exchange.refusal or BROKEN
            await self._record_request(flow, passage)
        metrics.count(exchange, time.monotonic() - exchange.started)
        self.house.observers.show(passage, flow, over=True)

    async def error(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None:
            return
        exchange = passage.exchange
        if exchange.contacted and not exchange.finished:
            if passage.stream is not None:
                passage.stream.settle()
            if passage.outcome == "complete":
                passage.outcome = "client-left" if _client_left(flow) else "upstream-broke"
            await self._record_response(flow, passage)
        metrics.count(exchange, time.monotonic() - exchange.started)
        self.house.observers.show(passage, flow, over=True)

    # -- messages ---------------------------------------------------------------------------------------------------

    def websocket_message(self, flow: HTTPFlow) -> None:
        """Queue a message's record before it goes on."""
        passage = flows.passage_of(flow)
        if passage is None or passage.message is None:
            return
        message, journal = passage.message, self.house.journal
        try:
            if message.from_client or message.shown or message.refusal or self.house.keep.seals:
                self._queue(passage, message)
            message.recorded = journal.oldest_pending_seconds(time.monotonic()) <= UNSYNCED_SECONDS
        except (JournalDown, Unrecordable):
            message.recorded = False
        if not message.recorded:
            message.outcome, message.refusal = "unrecorded", UNRECORDED
        self.house.observers.hear(passage, message)

    def _queue(self, passage: flows.Passage, message: flows.Message) -> None:
        fields = message_record(
            passage.exchange.id,
            from_caller=message.from_client,
            refused=(message.refusal.detail or message.refusal.reason) if message.refusal else None,
            findings=message.found,
            identifiers=message.identifiers,
            revealed=message.revealed,
            bytes_=len(message.raw),
            body=message.shown,
        )
        house = self.house
        side: Side = "caller" if message.from_client else "model"
        passage.parts += house.keep.queue(
            house.journal, "message", fields, side=side, original=message.raw, first=passage.parts
        )

    async def websocket_end(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is not None and flow.websocket is not None:
            if passage.outcome == "complete" and flow.websocket.close_code not in ORDERLY:
                passage.outcome = "client-left" if flow.websocket.closed_by_client else "upstream-broke"
            await self._end(flow, passage)

    async def client_disconnected(self, client: Client) -> None:
        """A caller that left while its connection was being opened."""
        for flow in list(self.house.contacted.values()):
            passage = flows.passage_of(flow)
            if passage is not None and flow.client_conn is client and flow.websocket is not None:
                if not passage.opened:
                    passage.outcome = "client-left"
                await self._end(flow, passage)

    async def _end(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        if passage.ending:
            return
        passage.ending = True
        await self._record_response(flow, passage)
        metrics.count(passage.exchange, time.monotonic() - passage.exchange.started)
        self.house.observers.show(passage, flow, over=True)

    async def _record_response(self, flow: HTTPFlow, passage: flows.Passage) -> None:
        exchange, decision = passage.exchange, passage.exchange.decision
        refusal, response = exchange.refusal, flow.response
        open_ = passage.talking is not None
        status = refusal.status if refusal and not open_ else passage.status if response is not None else 0
        fields = response_record(
            exchange,
            status=status,
            outcome=passage.outcome,
            seconds=_seconds(passage),
            mask=decision.mask.name if isinstance(decision, Permit) else None,
            body=passage.answer_shown if passage.stream is None else None,
            streamed=passage.stream is not None or open_,
            parts=0 if open_ else passage.parts,
        )
        original, passage.original = passage.original, b""
        if why := passage.broke or BROKE.get(passage.outcome):
            metrics.UPSTREAM_FAULTS.labels(self.house.called(exchange), why).inc()
        try:
            house, first = self.house, passage.parts
            await house.keep.record(house.journal, "response", fields, side="model", original=original, first=first)
            exchange.finished, passage.records["response"] = True, fields
        except (JournalDown, Unrecordable):
            passage.outcome, exchange.refusal = "unrecorded", UNRECORDED

    def count_refused(self, address: str, reason: str) -> None:
        """Count a credential that was not believed at the console as one that was not believed here."""
        self._note(self._tally.add(address, reason, utc_now()))

    def _count_refused(self, passage: flows.Passage) -> None:
        """Unbelieved bearers are counted, not recorded one by one: nobody can fill the disk by being refused."""
        refusal = passage.exchange.refusal
        if refusal is not None and refusal.decision == "permit":  # our own metadata: there was no bearer to believe
            return
        reason = (refusal.detail or refusal.reason) if refusal else "not-decided"
        self.count_refused(passage.exchange.client_ip, reason)

    def tick(self) -> None:
        """See to the file, and write down the refused bearers of a minute that is over."""
        self.house.journal.inspect()
        self._note(self._tally.due(utc_now()))

    def _note(self, over: list[Fields]) -> None:
        for fields in over:
            with contextlib.suppress(JournalDown):  # readiness and every other answer say so already
                self.house.journal.append("refused", fields)

    def done(self) -> None:
        if hasattr(self.house, "journal"):
            self._note(self._tally.rest())
            self.house.observers.close()
            self.house.journal.close("shutdown" if self.house.leaving else "removed")
            self.house.anchors.stop()


def _client_left(flow: HTTPFlow) -> bool:
    return flow.client_conn.timestamp_end is not None or "disconnect" in (flow.error.msg.lower() if flow.error else "")


def _seconds(passage: flows.Passage) -> Seconds:
    """Upstream time runs from release to the answer's end; what is left of the total is ours."""
    now, exchange = time.monotonic(), passage.exchange
    total = max(now - exchange.started, 0.0)
    answered = passage.answered_at or now
    upstream = max(answered - passage.contacted_at, 0.0) if passage.contacted_at else 0.0
    first = max(passage.first_at - exchange.started, 0.0) if passage.first_at else None
    return Seconds(total=total, first=first, upstream=upstream, gateway=max(total - upstream, 0.0))
