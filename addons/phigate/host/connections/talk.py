"""HTTP/2 of callers (RFC 9113) in bounds: frames that say nothing, streams taken back, and what is held of either side.

mitmproxy answers each ping and each change of settings, makes a stream for each request that is taken back at once
(CVE-2023-44487), lets a frame be announced as sixteen megabytes long before it looks at its length, and keeps for a
caller that opens no window whatever the model answers.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import StreamReset
from hyperframe.frame import GoAwayFrame, WindowUpdateFrame
from mitmproxy.proxy import events
from mitmproxy.proxy.layers.http import HttpLayer, _http2
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection
from mitmproxy.proxy.server import ConnectionHandler

from phigate.host.connections import windows

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from hyperframe.frame import Frame
    from mitmproxy.proxy import commands

    type Commands = Generator[commands.Command, Any, None]

SMALL: Final = 64
"""Bytes of a frame that says next to nothing."""
SMALL_TALK: Final = 2000
"""Such frames in a second."""
RESETS: Final = 100
"""Streams that a caller may take back in a second."""
HEAD: Final = 64 * 1024
"""Bytes of a head that came in several frames."""
UNTAKEN: int = 1024 * 1024
"""Bytes that may wait for a caller's window; then nothing more is read for this connection from model servers."""
PAUSE: Final = 0.05
"""Seconds between two looks whether some of it was taken."""


@dataclass(slots=True)
class Talk:
    """What one connection said in the second that began at `since`, and how often some of its answer was taken."""

    since: float = 0.0
    small: float = 0
    resets: int = 0
    moved: int = 0

    def too_much(self, now: float) -> bool:
        """Whether it says too much; a new second begins at nothing."""
        if now - self.since >= 1:
            self.since, over = now, self._over
            self.small = self.resets = 0
            return over
        return self._over

    @property
    def _over(self) -> bool:
        return self.small > SMALL_TALK or self.resets > RESETS


_talks: WeakKeyDictionary[H2Connection, Talk] = WeakKeyDictionary()
flooded: list[Callable[[], None]] = []
"""What is told that a connection was ended for its talk."""


def talk_of(link: H2Connection) -> Talk:
    found = _talks.get(link)
    if found is None:
        found = _talks[link] = Talk()
    return found


def counting(receive: Callable[[Any, Frame], Any]) -> Callable[[Any, Frame], Any]:
    """`H2Connection._receive_frame`, counting."""

    def received(link: BufferedH2Connection, frame: Frame) -> Any:
        if frame.body_len < SMALL:  # of windows a caller speaks as often as it reads
            talk_of(link).small += 0.1 if isinstance(frame, WindowUpdateFrame) else 1
        return receive(link, frame)

    return received


def moving(updated: Callable[[Any, int], bool]) -> Callable[[Any, int], bool]:
    """`BufferedH2Connection.stream_window_updated`, counting."""

    def moved(link: BufferedH2Connection, stream_id: int) -> bool:
        sent = updated(link, stream_id)
        talk_of(link).moved += sent
        return sent

    return moved


def calming(handle: Callable[[Any, events.Event], Commands]) -> Callable[[Any, events.Event], Commands]:
    """`Http2Server._handle_event`, ending a connection that says too much."""

    def handled(layer: _http2.Http2Server, event: events.Event) -> Commands:
        yield from handle(layer, event)
        link = layer.h2_conn
        said = isinstance(event, events.DataReceived) and link.state_machine.state is not ConnectionState.CLOSED
        if said and (swollen(link) or talk_of(link).too_much(time.monotonic())):
            yield from _leave(layer)

    return handled


def counting_resets(
    handle: Callable[[Any, Any], Generator[commands.Command, Any, bool]],
) -> Callable[[Any, Any], Generator[commands.Command, Any, bool]]:
    """`Http2Server.handle_h2_event`, counting, and leaving those that follow unread where there are too many."""

    def handled(layer: _http2.Http2Server, event: Any) -> Generator[commands.Command, Any, bool]:
        if isinstance(event, StreamReset):  # also of a stream that mitmproxy has forgotten: its request goes on
            talk = talk_of(layer.h2_conn)
            talk.resets += 1
            if talk.too_much(time.monotonic()):
                yield from _leave(layer)
                return True
        return (yield from handle(layer, event))

    return handled


def _leave(layer: _http2.Http2Server) -> Commands:
    for tell in flooded:
        tell()
    yield from layer.protocol_error("too much talk", ErrorCodes.ENHANCE_YOUR_CALM)


def swollen(link: H2Connection) -> bool:
    """Whether more waits for its rest than was agreed: h2 looks at lengths only once all of it is there."""
    held = link.incoming_buffer
    rest = held._data  # noqa: SLF001 -- h2 has no other word for it
    head = held._headers_buffer  # noqa: SLF001 -- as above
    longest = int.from_bytes(rest[:3], "big") if len(rest) > 2 and not held._preamble_len else 0  # noqa: SLF001
    return longest > link.max_inbound_frame_size or sum(len(frame.data) for frame in head) > HEAD


def link_of(handler: ConnectionHandler) -> BufferedH2Connection | None:
    """The caller's side of a connection, where it is HTTP/2."""
    if handler.client.alpn != b"h2":
        return None
    layer = next((each for each in handler.layer.context.layers if isinstance(each, HttpLayer)), None)
    server = layer.connections.get(handler.client) if layer else None
    return server.h2_conn if isinstance(server, _http2.Http2Server) else None


def say_goodbye(handler: ConnectionHandler) -> None:
    """Tell a caller of HTTP/2 that no further request is taken on its connection (RFC 9113, 6.8); others go on."""
    link, own = link_of(handler), handler.transports.get(handler.client)
    if link is None or own is None or own.writer is None or link.state_machine.state is ConnectionState.CLOSED:
        return
    last = link.highest_inbound_stream_id
    link._prepare_for_sending([GoAwayFrame(0, last_stream_id=last, error_code=int(ErrorCodes.NO_ERROR))])  # noqa: SLF001 -- h2's own word for it ends the connection
    own.writer.write(link.data_to_send())


def patient(drain: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """`ConnectionHandler.drain_writers`, for windows as well: who reads an answer waits until there is room for it."""

    async def drained(handler: ConnectionHandler) -> None:
        await drain(handler)
        link = link_of(handler)
        if link is None or not link.stream_buffers:
            return
        own = handler.transports.get(handler.client)
        if own is None or own.handler is asyncio.current_task():  # who opens the window is never waited for
            return
        while handler.client in handler.transports and windows.waiting(link) > UNTAKEN:
            await _taken(handler, link)

    return drained


async def _taken(handler: ConnectionHandler, link: BufferedH2Connection) -> None:
    """Wait until something was taken, or a stream is over: what waits is many pieces, and counted no more often."""
    before = _state(link)
    while handler.client in handler.transports and _state(link) == before:  # noqa: ASYNC110 -- told by nobody
        await asyncio.sleep(PAUSE)


def _state(link: BufferedH2Connection) -> tuple[int, tuple[int, ...]]:
    """How often something was taken, and on which streams something waits."""
    return talk_of(link).moved, tuple(link.stream_buffers)


def install() -> None:
    """Take the place of mitmproxy's own; raises AttributeError where this mitmproxy, or this h2, has other seams."""
    swollen(H2Connection())
    for owner, name, ours in (
        (BufferedH2Connection, "_receive_frame", counting),
        (BufferedH2Connection, "stream_window_updated", moving),
        (_http2.Http2Server, "handle_h2_event", counting_resets),
        (_http2.Http2Server, "_handle_event", calming),
        (ConnectionHandler, "drain_writers", patient),
    ):
        setattr(owner, name, ours(getattr(owner, name)))
