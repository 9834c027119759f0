"""One HTTP/2 connection (RFC 9113), either side of it: its streams as lanes, each with what may wait on it.

Rules of this file: nothing is read faster than it is consumed, nothing written faster than the peer takes it; whatever
a peer can repeat for nothing is counted; a peer that says nothing, or takes nothing, is left. Frames, their order and
HPACK are h2's; what is not asked of it here is not done.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from phigate.host.connections.remains import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable

    from hyperframe.frame import Frame

    from phigate.host.connections.patience import Why
    from phigate.rpc.framing import Fields

logger = logging.getLogger(__name__)

LANES: Final = 100
"""Streams that a peer may have open at once."""
WINDOW: Final = 256 * 1024
"""Bytes of one stream that may wait to be consumed."""
CONNECTION_WINDOW: Final = 1024 * 1024
"""The same, of all streams together of a peer that asks; one that answers has it for each: a caller who takes nothing
must not stop the answers of others."""
HEAD: Final = 32 * 1024
"""Bytes of one header list."""
READ: Final = 64 * 1024
PIECE: Final = 64 * 1024
"""Bytes that are handed over at once, however many a peer takes."""
GREETING: float = 10.0
"""Seconds until a peer must have said who it is."""
IDLE: float = 300.0
"""Seconds that a connection may be without a stream; a fifth of it while nobody on it was believed."""
TAKES_NOTHING: Final = 60.0
"""Seconds after which a peer that does not take what is sent is left."""
PING_AFTER: Final = 60.0
"""Seconds without a word after which a peer is asked whether it is there."""
PING_WAIT: Final = 20.0
EMPTY_TALK: Final = 4000
"""Frames without content that a peer may send a second."""
SMALL_TALK: Final = 20_000
"""Frames of any kind that say next to nothing: each costs as much as a large one."""
STRANGERS_TALK: Final = 2000
"""The same on a connection on which nobody was believed yet."""
SMALL: Final = 64
"""Bytes."""
SLICE: Final = 4 * 1024
"""Bytes of many small frames after which others have their turn."""
MANY: Final = 64
"""Small frames."""
RESETS: Final = 200
"""Streams that a peer may take back a second."""


ABORT: Final = 5.0
"""Seconds that a closed connection has to send what is left."""


class Leaving(events.Event):
    """The peer takes no stream after `last`."""

    def __init__(self, last: int) -> None:
        self.last = last


class Connection(H2Connection):
    """h2's, that goes on with what is under way when either side says that it takes no more (RFC 9113, 6.8).

    It counts small frames itself: h2 tells nothing of those that come after a stream's end, and answers each.
    """

    MAX_CLOSED_STREAMS = ENDED
    small = 0

    def _receive_frame(self, frame: Frame) -> list[events.Event]:
        self.small += frame.body_len < SMALL
        return super()._receive_frame(frame)

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[events.Event]]:
        return [], [Leaving(frame.last_stream_id)]

    @property
    def swollen(self) -> bool:
        """Whether more waits for its rest than was agreed: h2 looks at lengths only once all of it is there."""
        held = self.incoming_buffer
        rest = held._data  # noqa: SLF001 -- h2 has no other word for it
        head = held._headers_buffer  # noqa: SLF001 -- as above
        longest = int.from_bytes(rest[:3], "big") if len(rest) > 2 and not held._preamble_len else 0  # noqa: SLF001
        return longest > self.max_inbound_frame_size or sum(len(frame.data) for frame in head) > HEAD

    def say_goodbye(self, code: ErrorCodes) -> None:
        last = self.highest_inbound_stream_id
        self._prepare_for_sending([GoAwayFrame(0, last_stream_id=last, error_code=int(code))])


class LaneBroken(Exception):  # noqa: N818 -- it names what became of the stream
    """The stream is over before its end; `code` is the peer's RST_STREAM, None where the connection went."""

    def __init__(self, code: int | None) -> None:
        super().__init__("the stream was broken off")
        self.code = code


class Lane:
    """One stream: bytes from the peer, and bytes to it."""

    def __init__(self, link: Link, number: int) -> None:
        self.link, self.number = link, number
        self.head: Fields | None = None
        self.trailers: Fields = []
        self.ended = False
        """The peer sends nothing more."""
        self.over = False
        """Nothing more is sent."""
        self.refuses = False
        """The peer, which ended, takes nothing more."""
        self.broken: LaneBroken | None = None
        self.task: asyncio.Task[None] | None = None
        """What answers it."""
        self.heard = time.monotonic()
        """When something came on it last."""
        self._arrived = bytearray()
        self._size = 0
        """What of the peer's window they take."""
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    # -- from the peer ----------------------------------------------------------------------------------------------

    async def headed(self) -> Fields:
        """The headers of the peer's answer; raises LaneBroken."""
        while self.head is None:
            if self.broken:
                raise self.broken
            if self.ended:
                raise LaneBroken(None)
            await self._wait()
        return self.head

    async def read(self) -> bytes:
        """The next bytes of the peer's body, empty at its end; raises LaneBroken."""
        while not self._arrived:
            if self.broken:
                raise self.broken
            if self.ended:
                return b""
            await self._wait()
        data = bytes(self._arrived)
        self._drop()
        return data

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def arrived(self, data: bytes, size: int) -> None:
        self.heard = time.monotonic()
        if data:
            self._arrived += data
            self._size += size
            self._news.set()
        elif size:
            self.link.consumed(self.number, size)

    def news(self) -> None:
        self._news.set()

    # -- to the peer ------------------------------------------------------------------------------------------------

    async def send_head(self, fields: Fields, *, end: bool = False) -> None:
        """Send headers or trailers; raises LaneBroken."""
        if self.broken:
            raise self.broken
        self.over = self.over or end
        self.link.send_head(self.number, fields, end=end)
        await self.link.flushed()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Send as fast as the peer takes it; raises LaneBroken, also when it takes nothing for too long."""
        rest = memoryview(data)
        while rest or end:
            if self.broken or self.refuses:
                raise self.broken or LaneBroken(0)
            room = min(self.link.room(self.number), len(rest), PIECE)
            if rest and room <= 0:
                self._room.clear()
                try:
                    async with asyncio.timeout(TAKES_NOTHING):
                        await self._room.wait()
                except TimeoutError:
                    self.reset(ErrorCodes.CANCEL)
                    raise LaneBroken(None) from None
                continue
            piece, rest = bytes(rest[:room]), rest[room:]
            last = end and not rest
            self.over = self.over or last
            self.link.send_data(self.number, piece, end=last)
            await self.link.flushed()
            if last:
                return

    def room(self) -> None:
        self._room.set()

    def reset(self, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """Tell the peer that the stream is over; does nothing where it is."""
        self.link.reset(self.number, code)
        self.break_off(int(code))

    def break_off(self, code: int | None) -> None:
        self.broken = self.broken or LaneBroken(code)
        self._drop()
        self._news.set()
        self._room.set()

    def _drop(self) -> None:
        """Consume what arrived: also what nobody is going to read, as others share the connection's window."""
        self._arrived.clear()
        size, self._size = self._size, 0
        self.link.consumed(self.number, size)


class Link:
    """One connection; `open_lane` is told of each stream that the peer opens."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        open_lane: Callable[[Lane], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader, self._writer, self._open_lane, self._clock = reader, writer, open_lane, clock
        raw = writer.get_extra_info("socket")
        if raw is not None and raw.family in {socket.AF_INET, socket.AF_INET6}:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it on sockets of its own only
        client = open_lane is None
        self._h2 = Connection(H2Configuration(client_side=client, header_encoding=None))
        wanted = {
            SettingCodes.INITIAL_WINDOW_SIZE: WINDOW,
            SettingCodes.MAX_HEADER_LIST_SIZE: HEAD,
            SettingCodes.MAX_CONCURRENT_STREAMS: 0 if client else LANES,
            SettingCodes.ENABLE_PUSH: 0,
        }
        if not client:
            del wanted[SettingCodes.ENABLE_PUSH]
        self._h2.local_settings = Settings(client=client, initial_values=wanted)
        self._h2.decoder.max_header_list_size = HEAD
        self.lanes: dict[int, Lane] = {}
        self.closing = False
        """No new stream is begun on it."""
        self.gone = False
        self.believed = False
        """Somebody on it showed a bearer that is believed."""
        self.tell_believed: Callable[[], None] = lambda: None
        """Called once that is so."""
        self.why: Why | None = None
        """Why it was ended from here, where that is the peer's doing."""
        self.greeted = asyncio.Event()
        self._since = self._heard = self._busy = self._took = clock()
        self._asked = 0.0
        self._left = 0
        self._empty = self._resets = 0
        self._acts: dict[type[events.Event], Callable[[Any, int, Lane | None], None]] = {
            events.DataReceived: self._data,
            events.RequestReceived: self._request,
            events.ResponseReceived: self._response,
            events.TrailersReceived: self._trailers,
            events.StreamEnded: self._stream_ended,
            events.StreamReset: self._stream_reset,
            events.WindowUpdated: self._window,
            events.RemoteSettingsChanged: self._settings,
            events.PingAckReceived: self._pong,
            Leaving: self._leaving,
        }

        self._h2.initiate_connection()
        window = CONNECTION_WINDOW if self.serves else LANES * WINDOW
        self._h2.increment_flow_control_window(window - 65_535)

    async def run(self) -> None:
        """Read until either side is done with it; never raises but for being cancelled."""
        try:
            await self.flushed()
            while not self.gone:
                data = await self._reader.read(READ)
                if not data:
                    break
                self._heard = self._clock()
                await self._take_all(data)
        except (H2Error, OSError, LaneBroken):
            with contextlib.suppress(OSError):
                self._write()  # GOAWAY says why
        except Exception as error:  # noqa: BLE001 -- whatever a peer made h2 do, it ends this connection alone
            logger.warning("a connection was broken off (%s)", type(error).__name__)
        finally:
            self.close()

    async def _take_all(self, data: bytes) -> None:
        for at in range(0, len(data), SLICE):
            if self.gone:
                return
            before = self._h2.small
            self._take(data[at : at + SLICE])
            await self.flushed()
            if self._h2.small - before > MANY:
                await asyncio.sleep(0)

    def _take(self, data: bytes) -> None:
        for event in self._h2.receive_data(data):
            self._on(event)
        if self._h2.swollen:
            self.leave(ErrorCodes.FRAME_SIZE_ERROR)
            self.gone, self.why = True, "flood"
        talk = SMALL_TALK if self.believed or not self.serves else STRANGERS_TALK
        if self._empty > EMPTY_TALK or self._resets > RESETS or self._h2.small > talk:
            self.leave(ErrorCodes.ENHANCE_YOUR_CALM)
            self.gone, self.why = True, "flood"

    def _on(self, event: events.Event) -> None:
        """What one event means; all others are talk."""
        act = self._acts.get(type(event))
        if act is None:
            self._empty += 1
        else:
            number = getattr(event, "stream_id", None) or 0
            act(event, number, self.lanes.get(number))

    def _data(self, event: Any, number: int, lane: Lane | None) -> None:
        size = event.flow_controlled_length or 0
        if lane is None:
            self.consumed(number, size)
        else:
            lane.arrived(event.data or b"", size)
        self._empty += not event.data

    def _request(self, event: Any, number: int, _lane: Lane | None) -> None:
        self._opened(number, _plain(event.headers))

    @staticmethod
    def _response(event: Any, _number: int, lane: Lane | None) -> None:
        if lane:
            lane.head = _plain(event.headers)
            lane.news()

    @staticmethod
    def _trailers(event: Any, _number: int, lane: Lane | None) -> None:
        if lane:
            lane.trailers = _plain(event.headers)

    def _stream_ended(self, _event: Any, _number: int, lane: Lane | None) -> None:
        if lane:
            lane.ended = True
            lane.news()
            self._forget(lane)

    def _stream_reset(self, event: Any, _number: int, lane: Lane | None) -> None:
        self._resets += 1
        if lane and lane.ended and not self.serves:  # its answer is whole: it needs no more of the request
            lane.refuses = True
            lane.room()
            self._ended(lane)
        elif lane:
            lane.break_off(int(event.error_code or 0))
            self._ended(lane)

    def _window(self, _event: Any, number: int, lane: Lane | None) -> None:
        for each in [lane] if lane else [] if number else list(self.lanes.values()):
            each.room()

    def _settings(self, _event: Any, _number: int, _lane: Lane | None) -> None:
        self._empty += 1
        self.greeted.set()
        for each in list(self.lanes.values()):
            each.room()

    def _pong(self, _event: Any, _number: int, _lane: Lane | None) -> None:
        self._empty += 1
        self._asked = 0.0

    def _leaving(self, event: Leaving, _number: int, _lane: Lane | None) -> None:
        self._terminated(event.last)

    def _opened(self, number: int, head: Fields) -> None:
        self._busy = self._clock()
        if self._open_lane is None or self.closing or len(self.lanes) >= 2 * LANES:
            self.reset(number, ErrorCodes.REFUSED_STREAM)
            return
        lane = self.lanes[number] = Lane(self, number)
        lane.head = head
        self._open_lane(lane)

    def _terminated(self, last: int) -> None:
        """The peer goes away: what it did not begin never was (RFC 9113, 6.8)."""
        self.closing = True
        if self._open_lane is None:
            for lane in list(self.lanes.values()):
                if lane.number > last:
                    lane.break_off(int(ErrorCodes.REFUSED_STREAM))
                    self._ended(lane)

    # -- what lanes ask for -----------------------------------------------------------------------------------------

    def begin(self, fields: Fields, *, end: bool = False) -> Lane:
        """A stream of our own to the peer; raises LaneBroken where it takes none."""
        if self.closing or self.gone:
            raise LaneBroken(None)
        try:
            number = self._h2.get_next_available_stream_id()
            lane = self.lanes[number] = Lane(self, number)
            self._h2.send_headers(number, fields, end_stream=end)
        except H2Error:
            raise LaneBroken(None) from None
        lane.over = end
        self._busy = self._clock()
        return lane

    @property
    def serves(self) -> bool:
        """Whether the peer is who asks."""
        return self._open_lane is not None

    def believe(self) -> None:
        if not self.believed:
            self.believed = True
            self.tell_believed()

    @property
    def idle_since(self) -> float | None:
        """Since when there is no stream on it, by its clock; None where there is one."""
        return None if self.lanes else self._busy

    @property
    def free(self) -> bool:
        """Whether the peer takes another stream of ours."""
        most = self._h2.remote_settings.max_concurrent_streams
        return not self.closing and not self.gone and len(self.lanes) < min(most, LANES)

    def send_head(self, number: int, fields: Fields, *, end: bool) -> None:
        self._try(number, self._h2.send_headers, number, fields, end_stream=end)

    def send_data(self, number: int, data: bytes, *, end: bool) -> None:
        self._try(number, self._h2.send_data, number, data, end_stream=end)

    def _try(self, number: int, act: Callable[..., Any], *args: Any, end_stream: bool) -> None:
        try:
            act(*args, end_stream=end_stream)
        except H2Error:
            lane = self.lanes.get(number)
            broken = (lane.broken if lane else None) or LaneBroken(None)
            raise broken from None
        if end_stream and (lane := self.lanes.get(number)):
            self._forget(lane)

    def room(self, number: int) -> int:
        try:
            return min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
        except H2Error:
            raise LaneBroken(None) from None

    def consumed(self, number: int, size: int) -> None:
        """Give the peer back what it may send."""
        if size and not self.gone:
            with contextlib.suppress(H2Error):
                self._h2.acknowledge_received_data(size, number)
            with contextlib.suppress(OSError):
                self._write()

    def reset(self, number: int, code: ErrorCodes) -> None:
        if not self.gone:
            with contextlib.suppress(H2Error, OSError):
                self._h2.reset_stream(number, code)
                self._write()
        if lane := self.lanes.get(number):
            self._ended(lane)

    async def flushed(self) -> None:
        """Hand over what is to be sent, and wait while the peer does not take it; raises LaneBroken."""
        try:
            self._write()
            await self._writer.drain()
        except OSError:
            raise LaneBroken(None) from None
        self._took = self._clock()

    def _write(self) -> None:
        data = self._h2.data_to_send()
        if data and not self._writer.is_closing():
            self._writer.write(data)

    def _forget(self, lane: Lane) -> None:
        """A stream that both sides ended is no longer one; what arrived on it can still be read."""
        if lane.ended and lane.over:
            self._ended(lane)

    def _ended(self, lane: Lane) -> None:
        self._busy = self._clock()
        if lane.task is None or lane.task.done():
            self.lanes.pop(lane.number, None)
        elif lane.broken is not None:
            lane.task.cancel()

    def answered(self, lane: Lane) -> None:
        """Whoever answered a stream of the peer's is done with it."""
        self._busy = self._clock()
        self.lanes.pop(lane.number, None)

    # -- its end ----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Look, once a second, whether the peer is still there and sane."""
        now = self._clock()
        self._empty = self._resets = self._h2.small = 0
        if self.gone:
            return
        waiting = self._writer.transport.get_write_buffer_size() > 0
        silent = now - self._heard
        if not self.greeted.is_set() and now - self._since > GREETING:
            self._end("slow-head")
        elif waiting and now - self._took > TAKES_NOTHING:
            self._end("takes-nothing")
        elif not self.lanes and (self._left or now - self._busy > (IDLE if self.believed else IDLE / 5)):
            self.leave()
            self._end("idle")
        elif self._asked and now - self._asked > PING_WAIT:
            self._end("idle")
        elif self.lanes and self._open_lane is not None and silent > PING_AFTER and not self._asked:
            self._asked = now
            with contextlib.suppress(H2Error, OSError):
                self._h2.ping(b"phigate\0")
                self._write()
        if not waiting:
            self._took = now

    def _end(self, why: Why) -> None:
        self.why = self.why or why
        self.close()

    def leave(self, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """Tell the peer that no further stream is taken; those under way go on."""
        if self.gone or (self._left and code is ErrorCodes.NO_ERROR):
            return
        self.closing, self._left = True, 1
        with contextlib.suppress(H2Error, OSError):
            self._h2.say_goodbye(code)
            self._write()

    def close(self) -> None:
        """End it, and everything on it, at once."""
        self.gone = self.closing = True
        self.greeted.set()  # nobody waits for it any more
        for lane in list(self.lanes.values()):
            lane.break_off(None)
            self._ended(lane)
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(ABORT, self._writer.transport.abort)


def _plain(fields: Any) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in fields or ()]
