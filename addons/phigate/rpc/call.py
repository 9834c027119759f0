"""One gRPC call through the gateway: who, may they, on to the model, and what of its answer may be seen.

Glue. Rules of this file: a call is answered with a refusal unless everything above its last statement went well; the
model hears nothing that was not decided about and recorded; the caller nothing that was not masked and recorded; and
whatever breaks, the model's answer ends where it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from h2.errors import ErrorCodes

from phigate import metrics
from phigate.access import replies
from phigate.approval.replies import TAKEN_BACK
from phigate.capture.record import Seconds, response_record
from phigate.dialect import kserve_grpc as kserve
from phigate.dialect import protobuf
from phigate.dialect.protobuf import WireError
from phigate.exchange import Refusal
from phigate.host import logs
from phigate.host.connections import lasting
from phigate.host.connections.behind import SILENCE
from phigate.identity.replies import REVOKED, UNKNOWN, outlived, over
from phigate.journal.chain import Unrecordable
from phigate.journal.writer import JournalDown
from phigate.ledger import LedgerDown
from phigate.rpc import framing
from phigate.rpc.admission import LARGE, MOST_HELD, NOT_READY, UNRECORDED, Admission, Admitted
from phigate.rpc.answers import Answers, Masked, Opaque, described, error_text
from phigate.rpc.framing import FrameError, Frames
from phigate.rpc.link import LaneBroken
from phigate.rpc.upstream import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from phigate.capture.record import Outcome
    from phigate.dialect.kserve_grpc import Method
    from phigate.exchange import Exchange
    from phigate.flows import Broke
    from phigate.house import House
    from phigate.masking import Memory, Sight
    from phigate.rpc.admission import Caller
    from phigate.rpc.framing import Fields
    from phigate.rpc.link import Lane
    from phigate.rpc.upstream import Upstreams

logger = logging.getLogger(__name__)

PIECE: Final = 30.0
"""Seconds until the next piece of a message that was begun."""
MESSAGE: Final = 300.0
"""Seconds until a message that was begun is whole."""
OPEN: Final = 1024
"""Requests of one stream whose answers are not over."""
ALL_HELD: Final = 256 * 1024 * 1024
"""Bytes of messages that are not whole, of all calls together."""
SMALL: Final = 1024
"""Bytes of a message that anybody may send."""
UNSYNCED_SECONDS: Final = 0.2
"""How long a released message of a stream may lie unsynced before the stream ends."""

BROKE: Final = Refusal(503, "not-decided", "The gateway could not decide this request.")
UNREACHABLE: Final = Refusal(503, "upstream-unreachable", "The model server cannot be reached.")
UPSTREAM_BROKE: Final = Refusal(503, "upstream-broke", "The model server broke its answer off.")
UPSTREAM_SILENT: Final = Refusal(504, "upstream-silent", "The model server did not answer in time.")
UNMASKABLE: Final = Refusal(502, "answer-unreadable", "The model server's answer could not be checked.")
CUT: Final[Mapping[str, Outcome]] = {
    UNKNOWN.reason: "interrupted",
    UPSTREAM_SILENT.reason: "upstream-broke",
    UPSTREAM_BROKE.reason: "interrupted",
}
"""How what is under way ended where a call was cut; else what it ran by was taken back."""
BROKE_BY: Final[Mapping[str, Broke]] = {
    UNREACHABLE.reason: "unreachable",
    UPSTREAM_SILENT.reason: "silent",
    UPSTREAM_BROKE.reason: "broke-off",
}
OPAQUE: Final = Refusal(
    502,
    "answer-opaque",
    "The model server's answer holds content that may be text and cannot be read; only a rule with `opaque: permit` "
    "lets it through.",
)
TOO_LATE: Final = Refusal(503, "deadline-passed", "The call's deadline passed.")
TOO_MANY: Final = Refusal(413, "too-many", "Too much is under way in this call.")
ELSEWHERE: Final = Refusal(400, "model-elsewhere", "The models of one stream stand at one address.")
MESSAGES: Final = {
    "too-large": "A message is larger than this gateway reads.",
    "encoding-unsupported": "Send messages that are not compressed.",
    "malformed": "The request could not be read.",
    "too-slow": "The request's message did not come in time.",
}


class Stopped(Exception):  # noqa: N818 -- it carries what the call ends with
    """The call ends here: with this refusal, and this outcome for what is under way."""

    def __init__(self, refusal: Refusal, outcome: Outcome) -> None:
        super().__init__(refusal.reason)
        self.refusal, self.outcome = refusal, outcome


@dataclass(slots=True)
class Under:
    """One request that the model was asked and that is not answered to its end."""

    admitted: Admitted
    sight: Sight
    answers: Answers
    contacted_at: float
    first_at: float = 0.0
    messages: int = 0
    parts: int = 0
    """Records that hold pieces of messages."""
    came: bytes = field(default=b"", repr=False)
    """The model's last message, until it is on record."""
    revealed: int = 0
    """How much of what the caller may see as it was goes out to it."""

    @property
    def exchange(self) -> Exchange:
        return self.admitted.exchange

    def take(self) -> bytes:
        """What came and is not on record yet."""
        came, self.came = self.came, b""
        return came

    def reveal(self) -> None:
        """What was masked so far goes out."""
        self.revealed = len(self.sight.revealed)


class Calls:
    """All calls under way; `limit` are the bytes of one message, `silence` the seconds that a model may say nothing."""

    def __init__(
        self, house: House, admission: Admission, upstreams: Upstreams, limit: int, silence: float = SILENCE
    ) -> None:
        self.silence = silence
        self.house, self.admission, self.upstreams, self.limit = house, admission, upstreams, limit
        self.held = 0
        self._calls: set[Call] = set()
        self._looking: asyncio.Task[None] | None = None

    async def answer(self, lane: Lane, address: str) -> None:
        """Answer one stream of a peer; whatever breaks ends it."""
        call = Call(self, lane, address)
        self._calls.add(call)
        try:
            await call.run()
        finally:
            self._calls.discard(call)

    async def over(self, seconds: float) -> None:
        """Return once no call is under way, or the time is over."""
        limit = time.monotonic() + seconds
        while self._calls and time.monotonic() < limit:  # noqa: ASYNC110 -- once, at the end of a process
            await asyncio.sleep(0.01)

    def tick(self) -> None:
        """End the calls whose bearer or grant was taken back, or may have been, or whose bearer is long over."""
        now = time.time()
        for call in list(self._calls):
            call.look(now)
        running = {call: names for call in self._calls if (names := call.grants)}
        if running and (self._looking is None or self._looking.done()):
            self._looking = asyncio.get_running_loop().create_task(self._end(running))

    async def _end(self, running: dict[Call, set[str]]) -> None:
        with contextlib.suppress(LedgerDown):  # then nobody is believed, and every call ends
            out = await self.house.agreement.approvals.taken_back(
                {name for names in running.values() for name in names}
            )
            for call, names in running.items():
                if out & names & call.grants:  # what was answered meanwhile is over
                    call.cut(TAKEN_BACK)


class Call:
    def __init__(self, calls: Calls, lane: Lane, address: str) -> None:
        self._calls, self._house, self._lane, self._address = calls, calls.house, lane, address
        self._caller: Caller | None = None
        self._exchange: Exchange | None = None
        self._under: dict[str, Under] = {}
        self._kept: set[str] = set()
        """Exchanges that count as under way."""
        self._names: Memory | None = None
        self._upstream: Lane | None = None
        self._asked = 0.0
        """When the model was asked last, by a clock that never steps."""
        self._ends: float | None = None
        """When the caller's deadline is, by the loop's clock."""
        self._cut: Refusal | None = None
        self._to: tuple[Any, ...] = ()
        """Address and credential of the model that a stream talks to."""
        self._headed = False
        self._over = False

    # -- the frame --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout()):
                await self._run()
        except Stopped as stopped:
            await self._stop(stopped.refusal, stopped.outcome)
        except FrameError as error:
            await self._stop(_of_frame(error), "interrupted")
        except TimeoutError:
            await self._stop(TOO_LATE, "client-left")
        except LaneBroken:
            await self._stop(None, "client-left")
        except asyncio.CancelledError:
            cut = self._cut
            outcome: Outcome = "interrupted" if self._house.leaving else "client-left"
            if cut is not None:
                outcome = CUT.get(cut.reason, "revoked")
            await self._stop(cut, outcome)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the call ends with nothing more let through
            logger.error("a call was broken off (%s)", logs.place(error, error.__traceback__))
            await self._stop(BROKE, "gateway-broke")
        finally:
            if self._upstream is not None and not (self._upstream.ended and self._upstream.over):
                self._upstream.reset()
            exchange = self._exchange
            for each in list(self._kept):
                self._under_way(each, over=True)
            if exchange is not None and not exchange.contacted:  # else it was counted when its answer was over
                metrics.count(exchange, time.monotonic() - started)

    def _timeout(self) -> float | None:
        found = next((value for name, value in self._lane.head or () if name == b"grpc-timeout"), None)
        seconds = framing.timeout(found) if found is not None else None
        if seconds is not None:
            self._ends = asyncio.get_running_loop().time() + seconds
        return seconds

    def look(self, now: float) -> None:
        """End the call where its bearer is no longer believed, or the model takes for ever over the last answer."""
        subject = self._caller.subject if self._caller else None
        if subject is None or self._cut is not None:
            return
        asked = max((under.contacted_at for under in self._under.values()), default=math.inf)
        if self._lane.ended and asked + lasting.LONGEST < time.monotonic():
            self.cut(UPSTREAM_BROKE)
            return
        outcome = over(subject, self._house.agreement.follow)
        if outcome is None and outlived(subject, now, endless=not self._lane.ended):
            outcome = "revoked"
        if outcome is not None:
            self.cut(REVOKED if outcome == "revoked" else UNKNOWN)
        elif self._under and self._upstream is not None and self._silent(self._upstream) > self._calls.silence:
            self.cut(UPSTREAM_SILENT)

    def _silent(self, upstream: Lane) -> float:
        """Seconds since the model said something, or was asked something."""
        return time.monotonic() - max(upstream.heard, self._asked)

    @property
    def grants(self) -> set[str]:
        """Those by which it is under way."""
        return {grant.id for under in self._under.values() for grant in under.admitted.permit.grants}

    def cut(self, refusal: Refusal) -> None:
        """End it where it is, once."""
        if self._cut is None and self._lane.task is not None:
            self._cut = refusal
            self._lane.task.cancel()

    async def _run(self) -> None:
        house, head = self._house, dict(self._lane.head or ())
        path = head.get(b":path", b"").decode("latin-1")
        if head.get(b":method") != b"POST" or not framing.is_grpc(head.get(b"content-type", b"")):
            await self._lane.send_head([(b":status", b"415"), (b"content-length", b"0")], end=True)
            return
        if path == kserve.HEALTH:
            await self._health()
            return
        if not house.ready or house.leaving:
            await self._answer_refused(None, NOT_READY)
            return
        admission = self._calls.admission
        caller = admission.caller(self._address, self._lane.head or [])
        if isinstance(caller, Refusal):
            await self._answer_refused(None, caller)
            return
        self._caller, caller.ends = caller, self._ends
        refusal = await admission.identify(caller)
        method = kserve.METHODS.get(path)
        exchange = self._exchange = admission.exchange(caller, method)
        if refusal is not None:
            house.count_refused(self._address, refusal.detail or refusal.reason)
            await self._answer_refused(exchange, refusal)
            return
        self._lane.link.believe()
        fault = self._fault(caller, method)
        if fault is not None or method is None:
            refusal = await admission.refuse(exchange, fault or replies.fault(404, "route-unknown"))
            await self._answer_refused(exchange, refusal)
        elif method.streams:
            await self._stream(method, caller)
        else:
            await self._unary(method, caller, exchange)

    def _fault(self, caller: Caller, method: Method | None) -> Refusal | None:
        named = caller.by_name
        if method is None:
            return replies.fault(404, "route-unknown")
        if named.get(b"grpc-encoding", b"identity").strip().lower() != b"identity":
            return _of_frame(FrameError(415, "encoding-unsupported"))
        if b"grpc-timeout" in named and framing.timeout(named[b"grpc-timeout"]) is None:
            return replies.fault(400, "malformed")
        return None

    # -- what anybody may know --------------------------------------------------------------------------------------

    async def _health(self) -> None:
        """Whether the gateway serves (grpc/doc/health-checking.md); of others it knows nothing."""
        data = await self._only_message(SMALL)
        try:
            service = protobuf.read(data, kserve.HEALTH_REQUEST).text(1)
        except WireError:
            service = "?"
        if service:
            await self._answer_refused(None, Refusal(404, "model-unknown", "No such service."))
            return
        serves = self._house.ready and not (self._house.announced or self._house.leaving)
        await self._lane.send_head([(b":status", b"200"), (b"content-type", framing.CONTENT_TYPE)])
        await self._lane.send(framing.frame(kserve.SERVING if serves else kserve.NOT_SERVING))
        await self._lane.send_head(framing.trailers(framing.OK), end=True)

    # -- one message, one answer ------------------------------------------------------------------------------------

    async def _unary(self, method: Method, caller: Caller, exchange: Exchange) -> None:
        self._under_way(exchange.id)
        asked = await self._only_message()
        await self._still_believed(caller)  # it may have been long in coming
        admitted = await self._admit(exchange, caller, method, asked)
        if isinstance(admitted, Refusal):
            await self._answer_refused(exchange, admitted)
            return
        under = self._under[exchange.id]
        upstream = await self._connect(admitted, method)
        await self._forward(upstream.send(framing.frame(admitted.message), end=True))
        reading = Reading(self._calls, upstream)
        try:
            data, again = await reading.next(), None
            if data is not None:
                again = await reading.next()
        except (LaneBroken, FrameError) as error:
            raise _of_upstream(error) from None
        finally:
            reading.close()
        code, message = await self._upstream_status(upstream)
        if again is not None or (code == framing.OK) != (data is not None):
            raise Stopped(UNMASKABLE, "unmaskable")
        if code != framing.OK or data is None:
            await self._upstream_refused(under, code, message)
            return
        under.came = data
        masked = await self._apart(len(data), lambda: self._masked(under, method, data))
        self._check_bearer()
        under.reveal()
        await self._close(under, 200, "complete", masked.shown)
        await self._send_head(exchange)
        await self._lane.send(framing.frame(masked.message))
        await self._end(framing.OK)

    def _masked(self, under: Under, method: Method, data: bytes) -> Masked:
        opaque = under.admitted.permit.opaque
        try:
            if method.infer:
                return under.answers.whole(data)
            return described(data, method.answer, under.sight, opaque=opaque)
        except Opaque:
            raise Stopped(OPAQUE, "unmaskable") from None
        except ValueError:
            raise Stopped(UNMASKABLE, "unmaskable") from None

    async def _upstream_refused(self, under: Under, code: int, message: str) -> None:
        under.came = message.encode("utf-8", "surrogatepass")
        caller, shown = error_text(message, under.sight)
        self._check_bearer()
        under.reveal()
        await self._close(under, framing.http_status(code), "refused-by-upstream", {"error": {"message": shown}})
        await self._end(code or framing.UNKNOWN, caller, under.exchange)

    # -- many messages, many answers --------------------------------------------------------------------------------

    async def _stream(self, method: Method, caller: Caller) -> None:
        """Both directions at once; whichever ends wrong ends the other."""
        begun: asyncio.Future[Lane] = asyncio.get_running_loop().create_future()
        up = asyncio.create_task(self._up(method, caller, begun))
        down = asyncio.create_task(self._down(begun))
        try:
            done, _ = await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if up in done:
                up.result()  # it ended well, or raises what the call ends with
                if not begun.done():  # nothing was asked
                    await self._end(framing.OK, "", self._exchange)
                    return
            await down
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
        while self._under:  # asked while the model ended its stream
            await self._close(next(iter(self._under.values())), 503, "upstream-broke", None)

    async def _up(self, method: Method, caller: Caller, begun: asyncio.Future[Lane]) -> None:
        admission, exchange = self._calls.admission, self._exchange
        reading = Reading(self._calls, self._lane)
        upstream: Lane | None = None
        try:
            while (data := await reading.next()) is not None:
                await self._still_believed(caller)
                if exchange is None:  # each message after the first is an exchange of its own
                    exchange = admission.exchange(caller, method)
                admitted = await self._admit(exchange, caller, method, data)
                if isinstance(admitted, Refusal):
                    self._exchange = exchange
                    raise Stopped(admitted, "interrupted")
                self._to = self._to or (admitted.address, admitted.credential)
                if (admitted.address, admitted.credential) != self._to:
                    raise Stopped(ELSEWHERE, "interrupted")
                if upstream is None:
                    upstream = await self._connect(admitted, method)
                    begun.set_result(upstream)
                await self._forward(upstream.send(framing.frame(admitted.message)))
                exchange = None
        finally:
            reading.close()
        if upstream is not None:
            await self._forward(upstream.send(b"", end=True))

    async def _still_believed(self, caller: Caller) -> None:
        refusal = await self._calls.admission.still(caller)
        if refusal is not None:
            self._house.count_refused(self._address, refusal.detail or refusal.reason)
            raise Stopped(refusal, "revoked" if refusal.status == 401 else "interrupted")
        if len(self._under) >= OPEN:
            raise Stopped(TOO_MANY, "interrupted")

    async def _down(self, begun: asyncio.Future[Lane]) -> None:
        upstream = await begun
        reading = Reading(self._calls, upstream)
        try:
            while (data := await reading.next()) is not None:
                await self._part(data)
            code, message = await self._upstream_status(upstream)
        except LaneBroken as error:
            if self._lane.broken is not None:
                raise
            raise _of_upstream(error) from None
        except FrameError as error:
            raise _of_upstream(error) from None
        finally:
            reading.close()
        await self._stream_over(code, message)

    async def _apart[T](self, size: int, work: Callable[[], T], held: int = 0) -> T:
        """Do large work in a thread, so that other calls go on meanwhile; `held` is what may be read beside it."""
        if size <= LARGE and size + held <= MOST_HELD:
            return work()
        return await self._house.threads.run(self._caller.subject if self._caller else None, work)

    async def _part(self, data: bytes) -> None:
        """One message of the model's, to the caller."""
        try:
            node, bare = kserve.streamed(data)
            inner = node.values.get(2)
            under = self._whose(inner.text(kserve.ID) if inner is not None else "", bare=bare)
            under.came = data
            final = bool(node.text(1)) or (inner is not None and kserve.infer(inner).flag(kserve.FINAL) is True)
            held = under.answers.held
            parts = await self._apart(len(data), lambda: under.answers.streamed(node, final=final, bare=bare), held)
        except Opaque:
            raise Stopped(OPAQUE, "unmaskable") from None
        except ValueError:
            raise Stopped(UNMASKABLE, "unmaskable") from None
        await self._release(under, parts, last=final)

    async def _release(self, under: Under, parts: list[Masked], *, last: bool) -> None:
        """Record messages, then send them: the last of an answer waits for the answer's record."""
        self._check_bearer()
        try:
            for part in parts or [Masked(b"")]:
                self._note(under, part.shown)
        except (JournalDown, Unrecordable):
            raise Stopped(UNRECORDED, "unrecorded") from None
        under.first_at = under.first_at or time.monotonic()
        under.reveal()
        if last:
            await self._close(under, 200, "complete", None)
        for part in parts:
            await self._send_head(under.exchange)
            await self._lane.send(framing.frame(part.message))
        if last:
            self._under_way(under.exchange.id, over=True)

    def _note(self, under: Under, shown: Any) -> None:
        """Queue what bystanders see of a message to the journal; raises JournalDown and Unrecordable."""
        journal, keep, at = self._house.journal, self._house.keep, under.messages
        under.messages += 1
        if (shown and keep.keeps) or (under.came and keep.seals):
            fields = {"exchange": under.exchange.id, "message": at, "from": "model", "parts": 0, "body": shown}
            under.parts += keep.queue(
                journal, "message", fields, side="model", original=under.take(), first=under.parts
            )
        if journal.oldest_pending_seconds(time.monotonic()) > UNSYNCED_SECONDS:
            raise JournalDown("messages stay unsynced")

    async def _stream_over(self, code: int, message: str) -> None:
        """The model's stream ended: what is held back goes out, what is open is recorded, then the status."""
        said = ""
        for under in list(self._under.values()):
            try:
                parts = await self._apart(0, under.answers.finish, under.answers.held)
            except Opaque:
                raise Stopped(OPAQUE, "unmaskable") from None
            except ValueError:
                raise Stopped(UNMASKABLE, "unmaskable") from None
            await self._release(under, parts, last=False)
            told = {"error": {"message": error_text(message, under.sight)[1]}} if message else None
            outcome: Outcome = "complete" if code == framing.OK else "refused-by-upstream"
            said = error_text(message, under.sight)[0] if message else ""
            under.reveal()
            await self._close(under, framing.http_status(code), outcome, told)
        if message and not said:
            said = "The model server ended the stream."
        await self._end(code, said, self._exchange)

    def _whose(self, asked: str, *, bare: bool) -> Under:
        """Which request a message answers: by its id, or where the server does not say the last one.

        A server that streams bare answers gives all of them the first request's id, and has its model answer all.
        """
        found = self._under.get(asked)
        if found is not None and not bare:
            return found
        if (asked and found is None) or not self._under:
            raise WireError("an answer that nobody asked for")
        seen = {
            (each.admitted.permit.mask, each.admitted.permit.opaque, each.exchange.target if bare else None)
            for each in self._under.values()
        }
        if len(seen) > 1:
            raise WireError("an answer to nobody knows which request")
        return found or list(self._under.values())[-1]

    # -- what all share ---------------------------------------------------------------------------------------------

    async def _admit(self, exchange: Exchange, caller: Caller, method: Method, data: bytes) -> Admitted | Refusal:
        """Settle one request to its end, even where the caller leaves meanwhile: what was recorded gets its answer."""
        settling = asyncio.ensure_future(self._calls.admission.admit(exchange, caller, method, data))
        try:
            admitted = await asyncio.shield(settling)
        except asyncio.CancelledError:
            caller.gone = True
            self._house.holding.look()
            late = await settling
            if isinstance(late, Admitted):
                self._begin(late)
            raise
        if isinstance(admitted, Admitted):
            self._begin(admitted)
        return admitted

    def _begin(self, admitted: Admitted) -> None:
        """The model is going to be asked: from here on the request is under way."""
        exchange, permit, self._asked = admitted.exchange, admitted.permit, time.monotonic()
        if self._names is not None and exchange.names is not None:
            exchange.names.join(self._names)  # a stream is one conversation
        self._names = exchange.names
        sight = self._house.sight(exchange, permit.mask, answering=True)
        answers = Answers(sight, admitted.asked, permit.opaque)
        self._under[exchange.id] = Under(admitted, sight, answers, time.monotonic())
        exchange.contacted = True
        self._under_way(exchange.id)

    def _under_way(self, exchange: str, *, over: bool = False) -> None:
        """What the gateway waits for before it ends: until its last byte is sent."""
        if over:
            self._kept.discard(exchange)
            self._house.under_way.discard(exchange)
            self._house.meter.leave(exchange)
        else:
            self._kept.add(exchange)
            self._house.under_way.add(exchange)

    async def _connect(self, admitted: Admitted, method: Method) -> Lane:
        fields: Fields = [
            (b":method", b"POST"),
            (b":scheme", b"https" if admitted.address.scheme == "grpcs" else b"http"),
            (b":path", method.path.encode()),
            (b":authority", admitted.address.authority.encode()),
            (b"te", b"trailers"),
            (b"content-type", framing.CONTENT_TYPE),
            (b"grpc-accept-encoding", b"identity"),
            (b"user-agent", b"phigate"),
            (b"x-request-id", admitted.exchange.id.encode()),
        ]
        if admitted.credential:
            fields.append((b"authorization", b"Bearer " + admitted.credential.encode("latin-1")))
        if self._ends is not None:
            left = self._ends - asyncio.get_running_loop().time()
            fields.append((b"grpc-timeout", framing.timeout_field(left)))
        try:
            self._upstream = await self._calls.upstreams.begin(admitted.address, fields)
        except Unreachable:
            raise Stopped(UNREACHABLE, "upstream-broke") from None
        return self._upstream

    @staticmethod
    async def _forward(sending: Any) -> None:
        """Send to the model; one that ended its answer early needs no more of the request."""
        with contextlib.suppress(LaneBroken):  # reading its answer says what became of it
            await sending

    async def _upstream_status(self, upstream: Lane) -> tuple[int, str]:
        try:
            head = await upstream.headed()
        except LaneBroken as error:
            raise _of_upstream(error) from None
        named = dict(head)
        if named.get(b":status") != b"200" or not framing.is_grpc(named.get(b"content-type", b"")):
            raise Stopped(UNMASKABLE, "upstream-broke")
        return framing.upstream_status(upstream.trailers or head)

    async def _only_message(self, limit: int | None = None) -> bytes:
        """The one message of a unary call; raises FrameError."""
        reading = Reading(self._calls, self._lane, limit)
        try:
            data = await reading.next(begun=True)
            again = await reading.next(begun=True) if data is not None else None
        finally:
            reading.close()
        if data is None or again is not None:
            raise FrameError(400, "malformed")
        return data

    def _check_bearer(self) -> None:
        """Whoever is out while the model answers sees nothing of it."""
        outcome = over(self._caller.subject if self._caller else None, self._house.agreement.follow)
        if outcome is not None:
            raise Stopped(REVOKED if outcome == "revoked" else UNKNOWN, outcome)

    async def _close(self, under: Under, status: int, outcome: Outcome, shown: Any) -> None:
        """Write an answer's record and wait for it; raises Stopped where it cannot be kept."""
        exchange = under.exchange
        exchange.found_out = under.sight.found
        exchange.identifiers_out |= under.sight.identifiers
        exchange.revealed_out |= set(islice(under.sight.revealed, under.revealed))
        now = time.monotonic()
        total, upstream = max(now - exchange.started, 0.0), max(now - under.contacted_at, 0.0)
        first = max(under.first_at - exchange.started, 0.0) if under.first_at else None
        fields = response_record(
            exchange,
            status=status,
            outcome=outcome,
            seconds=Seconds(total=total, first=first, upstream=upstream, gateway=max(total - upstream, 0.0)),
            mask=under.admitted.permit.mask.name,
            body=shown,
            streamed=exchange.streaming,
        )
        self._under.pop(exchange.id, None)
        metrics.count(exchange, total)
        try:
            house, original, first = self._house, under.take(), under.parts
            await house.keep.record(house.journal, "response", fields, side="model", original=original, first=first)
            exchange.finished = True
        except (JournalDown, Unrecordable):
            raise Stopped(UNRECORDED, "unrecorded") from None

    async def _stop(self, refusal: Refusal | None, outcome: Outcome) -> None:
        """End a call that went wrong: what is under way is recorded, the caller is told what it may know."""
        exchange = self._exchange
        if self._upstream is not None:
            self._upstream.reset()
        if refusal is not None and exchange is not None and exchange.refusal is None:
            exchange.refusal = refusal
        if refusal is not None and outcome in {"upstream-broke", "unmaskable"}:
            for under in self._under.values():
                why = BROKE_BY.get(refusal.reason, "unreadable")
                metrics.UPSTREAM_FAULTS.labels(self._house.called(under.exchange), why).inc()
        for under in list(self._under.values()):
            status = refusal.status if refusal else 499
            with contextlib.suppress(Stopped, asyncio.CancelledError):
                await self._close(under, status, outcome, None)
        if exchange is not None and exchange.subject is not None and not exchange.recorded and refusal is not None:
            with contextlib.suppress(asyncio.CancelledError):
                refusal = await self._calls.admission.refuse(exchange, refusal)
        if refusal is not None:
            with contextlib.suppress(LaneBroken, asyncio.CancelledError):
                await self._answer_refused(exchange, refusal)
        elif not self._over:
            self._lane.reset(ErrorCodes.CANCEL)

    async def _send_head(self, exchange: Exchange) -> None:
        if not self._headed:
            self._headed = True
            await self._lane.send_head(framing.head(exchange))

    async def _answer_refused(self, exchange: Exchange | None, refusal: Refusal) -> None:
        if exchange is not None and exchange.refusal is None:
            exchange.refusal = refusal
        code, message = framing.refused(refusal)
        await self._end(code, message, exchange, refusal.retry_after if refusal.status == 429 else None)

    async def _end(
        self, code: int, message: str = "", exchange: Exchange | None = None, pushback: int | None = None
    ) -> None:
        """The status: after what was sent, or instead of it."""
        if self._over:
            return
        self._over = True
        trailers = framing.trailers(code, message, pushback)
        if self._headed:
            await self._lane.send_head(trailers, end=True)
            return
        plain: Fields = [(b":status", b"200"), (b"content-type", framing.CONTENT_TYPE)]
        head = framing.head(exchange) if exchange is not None else plain
        await self._lane.send_head([*head, *trailers], end=True)


class Reading:
    """The messages of one direction of a call."""

    def __init__(self, calls: Calls, lane: Lane, limit: int | None = None) -> None:
        self._calls, self._lane = calls, lane
        self._frames = Frames(calls.limit if limit is None else limit)
        self._whole: list[bytes] = []
        self._counted = 0

    async def next(self, *, begun: bool = False) -> bytes | None:
        """The next message; None at the end; raises FrameError and LaneBroken.

        `begun` says that there is something to wait for even before the message's first byte.
        """
        since = time.monotonic()
        while not self._whole:
            partial = begun or self._frames.partial
            if not partial:
                since = time.monotonic()
            elif time.monotonic() - since > MESSAGE:
                raise FrameError(400, "too-slow")
            data = await self._read(PIECE if partial and self._lane.link.serves else None)
            if not data:
                if self._frames.partial:
                    raise FrameError(400, "malformed")
                return None
            self._whole += self._frames.feed(data)
            self._count(self._frames.size)
        return self._whole.pop(0)

    async def _read(self, seconds: float | None) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._lane.read()
        except TimeoutError:
            raise FrameError(400, "too-slow") from None

    def _count(self, size: int) -> None:
        self._calls.held += size - self._counted
        self._counted = size
        if self._calls.held > ALL_HELD:
            raise FrameError(413, "too-large")

    def close(self) -> None:
        self._calls.held -= self._counted
        self._counted = 0


def _of_frame(error: FrameError) -> Refusal:
    code = 404 if error.reason == "encoding-unsupported" else error.status
    return Refusal(code, error.reason, MESSAGES[error.reason])


def _of_upstream(error: Exception) -> Stopped:
    if isinstance(error, FrameError):
        return Stopped(UNMASKABLE, "unmaskable")
    return Stopped(UPSTREAM_BROKE, "upstream-broke")
