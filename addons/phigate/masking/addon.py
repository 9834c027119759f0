"""What may they, the model, and everyone looking on see? Glue: texts of a flow to their masked forms."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from weakref import ref

from mitmproxy import ctx

from phigate import flows
from phigate.dialect import encodings
from phigate.dialect.codecs import media_of
from phigate.dialect.framing import content_type
from phigate.dialect.known import dialect_of, spoken
from phigate.exchange import Refusal
from phigate.gate import headers, replies
from phigate.host import lockdown, logs
from phigate.journal.writer import JournalDown
from phigate.masking.answer import MaskedStream, broken_off, failure, whole
from phigate.masking.conversation import Conversation
from phigate.masking.restore import StandIns
from phigate.policy.decide import Permit

if TYPE_CHECKING:
    from mitmproxy.http import HTTPFlow

    from phigate.capture.record import Outcome
    from phigate.dialect.events import Stream
    from phigate.dialect.table import Dialect
    from phigate.house import House

logger = logging.getLogger(__name__)

UNMASKABLE = Refusal(502, "answer-unreadable", "The model server's answer could not be checked.")
BROKEN_OFF = ("stream-broken-off", "The gateway broke this answer off.")
LARGE = 4 * 1024
"""Bytes from which a body is masked in a thread, so that other exchanges go on meanwhile."""
MOST_HELD = 4 * LARGE
"""Bytes of a stream that are held back, from which on each piece is masked in a thread: all may be read then."""
MOST_AT_ONCE = 1024 * 1024
"""Bytes that one piece of a compressed stream may decode to."""
MOST_SHOWN = 1024 * 1024
"""Characters of a stream that its shadow holds."""
MOST_UNSEALED = 128 * 1024
"""Bytes of a stream that come to no text before they get a record of their own."""
UNSYNCED_SECONDS = 0.2
"""How long a released part of a stream may lie unsynced before the stream ends."""


class Masking:
    def __init__(self, house: House) -> None:
        self.house = house
        house.again.append(self.request)

    async def request(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.exchange.subject is None:
            return
        if len(flow.request.data.content or b"") > LARGE:
            await self.house.threads.run(passage.exchange.subject, self._prompt, passage)
        else:
            self._prompt(passage)

    def _prompt(self, passage: flows.Passage) -> None:
        exchange, decision = passage.exchange, passage.exchange.decision
        permit = decision if isinstance(decision, Permit) and exchange.refusal is None else None
        exchange.stand_ins = StandIns() if permit and permit.restore else None
        sight = self.house.sight(exchange, permit.prompt if permit else None)
        passage.model_shown = sight.for_bystanders(exchange.target) if exchange.target else None
        route = passage.route
        if exchange.request is not None and route is not None:
            dialect = spoken(route)
            sight.study(exchange.request, dialect.shown)
            passage.prompt_shown = sight.tree_for_bystanders(exchange.request, dialect.shown)
            onward = exchange.request
            if permit and permit.prompt:
                onward = sight.tree_for_caller(exchange.request, dialect.request)
            codec = route.reads[media_of(passage.fields)[0]]
            passage.onward_body, head = codec.write(onward)
            passage.onward_head = [*head, *dialect.heads(onward)]
        if exchange.stand_ins:
            exchange.stand_ins.teach(sight.names)
        exchange.names = sight.names
        exchange.found_in = sight.found
        exchange.identifiers_in |= sight.identifiers
        exchange.revealed_in |= sight.revealed.keys()

    def responseheaders(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.plan != "stream" or not isinstance(passage.exchange.decision, Permit):
            return
        exchange, route = passage.exchange, passage.route
        if route is None or route.stream is None:
            return
        guard = Guard(self.house, flow, passage, exchange.decision, route.stream)
        media = (b"content-type", content_type(route.stream.media).encode())
        fields = [*replies.mark_headers(exchange), media, *self._passed(passage)]
        if flow.request.http_version == "HTTP/1.1":
            fields.append((b"transfer-encoding", b"chunked"))
        flow.response = flows.answer(200, fields, None)
        flow.response.stream = guard
        passage.stream = guard

    async def stream_piece(self, flow: HTTPFlow) -> None:
        """A piece of a stream that is too much for the loop (host.connections.aside)."""
        passage = flows.passage_of(flow)
        if passage is not None and passage.stream is not None:
            await passage.stream.ahead()

    async def response(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or not isinstance(passage.exchange.decision, Permit) or passage.exchange.refusal is not None:
            return
        if passage.stream is not None:
            passage.stream.settle()
        elif passage.plan == "upgrade":
            passage.talking = self._conversation(passage, passage.exchange.decision)
        elif passage.plan in {"whole", "error"}:
            permit = passage.exchange.decision
            if len(passage.raw) > LARGE:
                await self.house.threads.run(passage.exchange.subject, self._whole, passage, permit)
            else:
                self._whole(passage, permit)

    # -- messages ---------------------------------------------------------------------------------------------------

    def _conversation(self, passage: flows.Passage, permit: Permit) -> Conversation:
        exchange, route = passage.exchange, passage.route
        if route is None or route.stream is None or route.talk is None:
            raise ValueError("no conversation")
        sight = self.house.sight(exchange, permit.mask, answering=True)
        return Conversation(sight, dialect_of(route.dialect), route.stream, opaque=permit.opaque)

    async def websocket_message(self, flow: HTTPFlow) -> None:
        passage = flows.passage_of(flow)
        if passage is None or passage.message is None or passage.talking is None:
            return
        ours, size = passage.message.from_client, len(passage.message.raw)
        work, held = (self._said, 0) if ours else (self._heard, passage.talking.held)
        if size > LARGE or size + held > MOST_HELD:
            await self.house.threads.run(passage.exchange.subject, work, passage, passage.message)
        else:
            work(passage, passage.message)

    def _said(self, passage: flows.Passage, message: flows.Message) -> None:
        """What the caller says: to the model as the rule has it, to bystanders masked, even where it is refused."""
        exchange, decision = passage.exchange, passage.exchange.decision
        if message.said is None or not isinstance(decision, Permit):
            return
        sight = self.house.sight(exchange, decision.prompt)
        onward, message.shown = passage.talking.say(
            message.said.tree, message.said.read, sight, exchange.stand_ins, masked=decision.prompt is not None
        )
        if message.refusal is None:
            message.onward = [onward]
        message.found = sight.found
        message.identifiers, message.revealed = sight.identifiers, set(sight.revealed)
        exchange.found_in = exchange.found_in + sight.found

    @staticmethod
    def _heard(passage: flows.Passage, message: flows.Message) -> None:
        """What the model says."""
        if message.refusal is not None:
            return
        try:
            message.onward, message.shown, message.found = passage.talking.hear(message.raw)
        except ValueError:
            message.outcome, message.refusal = "unmaskable", UNMASKABLE

    def websocket_end(self, flow: HTTPFlow) -> None:
        """Hand over what was found."""
        passage = flows.passage_of(flow)
        if passage is not None and passage.talking is not None:
            exchange = passage.exchange
            exchange.found_out, exchange.usage = passage.talking.found, passage.talking.usage
            exchange.identifiers_out |= passage.talking.identifiers
            exchange.revealed_out |= passage.talking.revealed

    def _whole(self, passage: flows.Passage, permit: Permit) -> None:
        exchange, dialect = passage.exchange, _dialect(passage)
        sight = self.house.sight(exchange, permit.mask, answering=True)
        try:
            passage.raw = encodings.decoded(_encoding(passage), passage.raw)
            if passage.plan == "error":
                passage.answer, passage.answer_shown = failure(passage.raw, passage.upstream_status, sight, dialect)
                passage.status, passage.outcome = passage.upstream_status, "refused-by-upstream"
            else:
                passage.answer, head, passage.answer_shown, exchange.usage = whole(
                    *(passage.raw, sight, dialect, passage.answer_codec, passage.answer_fields), opaque=permit.opaque
                )
                passage.status, passage.answer_head = passage.upstream_status, [*head, *self._passed(passage)]
        except ValueError:
            passage.outcome, exchange.refusal = "unmaskable", UNMASKABLE
        else:
            exchange.revealed_out |= sight.revealed.keys()
        if self.house.keep.seals:
            passage.original = passage.raw
        passage.raw = b""
        exchange.found_out = sight.found
        exchange.identifiers_out |= sight.identifiers

    def _passed(self, passage: flows.Passage) -> list[tuple[bytes, bytes]]:
        """What of the upstream's head goes out: what the dialect says, where it is a plain word."""
        dialect, seal = _dialect(passage), self.house.seal_of(passage.exchange)
        passed = headers.passing(passage.answer_fields, dialect.passes)
        return [
            (name, seal.tell(value.decode()).encode() if seal and name in dialect.owned else value)
            for name, value in passed
        ]


@dataclass(slots=True)
class _Ahead:
    """A piece of a stream that is masked in a thread, and what came of it."""

    data: bytes
    made: bytes | Exception | None = None


class Guard:
    """The callable through which a streamed answer runs; never raises, and what breaks in it ends the stream.

    mitmproxy calls it with each piece from the upstream and with `b""` at the end; an empty list sends nothing,
    while an empty piece would end a chunked body.
    """

    def __init__(self, house: House, flow: HTTPFlow, passage: flows.Passage, permit: Permit, stream: Stream) -> None:
        self._house = house
        self._flow = ref(flow)
        """What is known of a flow is kept as long as there is the flow: nothing of that may hold it."""
        self._passage = passage
        self._sight = house.sight(passage.exchange, permit.mask, answering=True)
        self._stream = stream
        dialect, seal = _dialect(passage), self._house.seal_of(passage.exchange)
        tells = seal.tell if seal and dialect.owned else str
        self._masked = MaskedStream(self._sight, dialect, stream, opaque=permit.opaque, tells=tells)
        self._decoder = encodings.decoder(_encoding(passage))
        self._shown: list[str] = []
        self._originals: list[bytes] = []
        self._unsealed = 0
        """Bytes of what came since the last record."""
        self._size = 0
        self._revealed = 0
        """How much of what the caller may see as it was has gone out."""
        self._broken = False
        self._packed = _encoding(passage) not in {"", "identity"}
        self._ahead: _Ahead | None = None

    def takes_long(self, data: bytes) -> bool:
        """Whether a piece, or the end, is too much for the loop: `ahead` is to be awaited before it comes."""
        long = len(data) > LARGE or self._packed or len(data) + self._masked.held > MOST_HELD
        if long and not self._broken:
            self._ahead = _Ahead(data)
        return self._ahead is not None

    async def ahead(self) -> None:
        """Mask in a thread what is told next; it goes out, and on record, once that is."""
        ahead = self._ahead
        if ahead is None:
            return
        try:
            ahead.made = await self._house.threads.run(self._passage.exchange.subject, self._mask, ahead.data)
        except Exception as error:  # noqa: BLE001 -- raised again where it ends the stream
            ahead.made = error

    def __call__(self, data: bytes) -> bytes | list[bytes]:
        if self._broken:
            return []
        try:
            out = self._made(data)
            self._record()
            self._revealed = len(self._sight.revealed)
        except JournalDown:
            return self._break_off("unrecorded")
        except ValueError:
            return self._break_off("unmaskable")
        except Exception as error:  # noqa: BLE001 -- whatever it is, mitmproxy would leave the client hanging
            logger.error("a stream was broken off (%s)", logs.place(error, error.__traceback__))
            return self._break_off("gateway-broke")
        if out and not self._passage.first_at:
            self._passage.first_at = time.monotonic()
        return out or []

    def _made(self, data: bytes) -> bytes:
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return self._mask(data)
        if isinstance(ahead.made, Exception):
            raise ahead.made
        if ahead.made is None or ahead.data is not data:  # a thread may be at work on it
            raise RuntimeError("a piece was not masked")
        return ahead.made

    def _mask(self, data: bytes) -> bytes:
        return self._masked.feed(self._plain(data)) if data else self._finish()

    def _plain(self, data: bytes) -> bytes:
        """One piece, decoded: what is much more than it looks like would keep everybody waiting."""
        plain = self._decoder.feed(data)
        if self._house.keep.seals:
            self._originals.append(plain)
            self._unsealed += len(plain)
        if len(plain) > max(MOST_AT_ONCE, len(data)):
            raise ValueError("too large")
        return plain

    def _finish(self) -> bytes:
        self._decoder.close()
        return self._masked.finish()

    def settle(self) -> None:
        """Hand over what was found and shown, once nothing more comes."""
        exchange = self._passage.exchange
        exchange.found_out = self._sight.found
        exchange.identifiers_out |= self._sight.identifiers
        exchange.revealed_out |= set(islice(self._sight.revealed, self._revealed))
        exchange.usage = self._masked.usage
        more = " [it goes on: see the parts]" if self._size > MOST_SHOWN else ""
        self._passage.answer_shown = "".join(self._shown) + more
        self._passage.original = self._came()
        if self._broken:
            exchange.refusal = UNMASKABLE

    def _record(self) -> None:
        """Queue what was just released to the journal before it goes out."""
        journal, keep, shown = self._house.journal, self._house.keep, self._masked.take_shown()
        if shown:
            self._size += len(shown)
            if self._size <= MOST_SHOWN:
                self._shown.append(shown)
        if (shown and keep.keeps) or self._unsealed > MOST_UNSEALED:
            passage = self._passage
            keep.part(journal, passage.exchange.id, passage.parts, shown, original=self._came())
            passage.parts += 1
        if journal.oldest_pending_seconds(time.monotonic()) > UNSYNCED_SECONDS:
            raise JournalDown("parts stay unsynced")

    def _came(self) -> bytes:
        """What came since this was asked last, where originals are kept."""
        came = b"".join(self._originals)
        self._originals.clear()
        self._unsealed = 0
        return came

    def _break_off(self, outcome: Outcome) -> bytes:
        self._broken = True
        self._passage.outcome = outcome
        if (flow := self._flow()) is not None:
            lockdown.cut_upstream(ctx.master, flow)
        return broken_off(self._stream, *BROKEN_OFF)


def _encoding(passage: flows.Passage) -> str:
    return passage.answer_fields.get(b"content-encoding", b"").decode("latin-1")


def _dialect(passage: flows.Passage) -> Dialect:
    return spoken(passage.route) if passage.route else dialect_of(passage.exchange.dialect)
