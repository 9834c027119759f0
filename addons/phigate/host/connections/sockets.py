"""WebSockets that end here on both sides (RFC 6455): mitmproxy's own layer relays what this one does not.

mitmproxy's passes a message on unless somebody drops it, and pings, pongs, the text of a close and messages of any
size in any case; an exception in a hook changes nothing. Here nothing goes out but what the Sentinel hands over for
the message at hand; where it hands over nothing the connection ends. Pings are answered by us, the other side never
hears of them; of a close the code goes on, never its text. Messages, their number and what waits are bounded.

Its hooks are mitmproxy's: `websocket_start`, `websocket_message` for each whole message, `websocket_end`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mitmproxy import websocket
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import http as http_layer
from mitmproxy.proxy.layers import websocket as theirs
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Message, Ping, TextMessage
from wsproto.frame_protocol import Opcode

from phigate import flows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mitmproxy.connection import Connection
    from mitmproxy.http import HTTPFlow
    from mitmproxy.master import Master
    from mitmproxy.proxy.context import Context

    type Commands = Generator[commands.Command, Any, None]

MOST: Final = 1024 * 1024
"""Bytes of one message."""
MOST_PIECES: Final = 4096
"""Frames, and parts of frames, that one message may come in."""
MOST_WAITING: Final = 16 * MOST
"""Bytes that may wait while a message is looked at."""
RATES: Final = {True: (200.0, 1000.0), False: (2000.0, 8000.0)}
"""Messages and pings a second, and at once, by whether the caller sent them."""
LINGER: Final = 1.0
"""Seconds that a side gets to answer a close before its connection is cut."""

NORMAL, GOING_AWAY, PROTOCOL, VIOLATION, TOO_BIG, BROKE = 1000, 1001, 1002, 1008, 1009, 1011
_ABNORMAL = 1006
_PASSED = frozenset({1000, 1001, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014})


@dataclass
class Closing(events.MessageInjected[int]):
    """The gateway closes a connection, with this code."""


class Allowance:
    """So many a second, and so many at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst, self._left, self._at = rate, burst, burst, now

    def take(self, now: float) -> bool:
        self._left = min(self._burst, self._left + (now - self._at) * self._rate) - 1
        self._at = now
        return self._left >= 0


class Side:
    """One end of the connection: its frames, and the message that is coming in."""

    def __init__(self, connection: Connection, kind: ConnectionType, now: float) -> None:
        self.connection = connection
        self.ws = Frames(kind)
        self.is_client = kind is ConnectionType.SERVER
        self.allowed = Allowance(*RATES[self.is_client], now)
        self.gone = False
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, piece: Message[Any]) -> tuple[bool, bytes] | None:
        """Add a piece; the message (is it text, its bytes) once it is whole; OverflowError when it is too large."""
        is_text = isinstance(piece.data, str)
        data = piece.data.encode() if isinstance(piece.data, str) else bytes(piece.data)
        self._pieces.append(data)
        self._size += len(data)
        if self._size > MOST or len(self._pieces) > MOST_PIECES:
            raise OverflowError
        if not piece.message_finished:
            return None
        whole, self._pieces, self._size = b"".join(self._pieces), [], 0
        return is_text, whole

    def write(self, message: bytes) -> commands.SendData:
        return commands.SendData(self.connection, self.ws.send(TextMessage(data=message.decode())))


class Socket(layer.Layer):
    """Stands in for mitmproxy's WebsocketLayer."""

    def __init__(self, context: Context, flow: HTTPFlow) -> None:
        super().__init__(context)
        self.flow = flow
        self._waiting = 0
        self._now: Callable[[events.Event], Commands] = self._start

    def handle_event(self, event: events.Event) -> Commands:
        """Bound what waits while a hook runs; mitmproxy itself goes on reading."""
        if self._paused is not None and isinstance(event, events.DataReceived):
            self._waiting += len(event.data)
            if self._waiting > MOST_WAITING:
                event = events.ConnectionClosed(event.connection)
        yield from super().handle_event(event)
        if self._paused is None:
            self._waiting = 0

    def _handle_event(self, event: events.Event) -> Commands:
        yield from self._now(event)

    def _start(self, _event: events.Event) -> Commands:
        now = time.monotonic()
        self._client = Side(self.context.client, ConnectionType.SERVER, now)
        self._server = Side(self.context.server, ConnectionType.CLIENT, now)
        yield theirs.WebsocketStartHook(self.flow)
        self._now = self._relay

    def _relay(self, event: events.Event) -> Commands:
        if isinstance(event, Closing):
            yield from self._end(None, event.message, event.message)
        if not isinstance(event, events.DataReceived | events.ConnectionClosed):
            return  # nobody injects messages here
        side = self._client if event.connection == self.context.client else self._server
        if isinstance(event, events.ConnectionClosed):
            side.gone = True
        side.ws.receive_data(event.data if isinstance(event, events.DataReceived) else None)
        for each in side.ws.events():
            if self._now != self._relay:
                return
            yield from self._one(side, each)

    def _one(self, side: Side, event: Event) -> Commands:
        other = self._server if side.is_client else self._client
        if isinstance(event, CloseConnection):
            yield from self._closed(side, int(event.code))
            return
        whole = None
        if isinstance(event, Message):
            try:
                whole = side.take(event)
            except OverflowError:
                yield from self._end(side, TOO_BIG, GOING_AWAY)
                return
            if whole is None:
                return
        if not side.allowed.take(time.monotonic()):
            yield from self._end(side, VIOLATION, GOING_AWAY)
        elif whole is not None:
            yield from self._message(side, other, *whole)
        elif isinstance(event, Ping):
            yield commands.SendData(side.connection, side.ws.send(event.response()))

    def _message(self, side: Side, other: Side, is_text: bool, content: bytes) -> Commands:
        assert self.flow.websocket is not None
        kind = Opcode.TEXT if is_text else Opcode.BINARY
        # only the last message is ever looked at, and nobody may keep what is in it
        self.flow.websocket.messages = [websocket.WebSocketMessage(kind, side.is_client, content, dropped=True)]
        flows.hand_over(self.flow, None)
        yield theirs.WebsocketMessageHook(self.flow)
        going = flows.handed(self.flow)
        self.flow.websocket.messages[-1].content = b""
        if going is None:
            yield from self._end(None, BROKE, GOING_AWAY)
            return
        for message in going.onward:
            yield other.write(message)
        for message in going.caller:
            yield self._client.write(message)
        if going.code is not None:
            yield from self._end(None, going.code, GOING_AWAY, going.reason)

    def _closed(self, side: Side, code: int) -> Commands:
        """A side closed, or broke the protocol, or is gone (RFC 6455, 7.1.5)."""
        if side.ws.state is ConnectionState.OPEN:  # what it sent is no frame
            yield from self._end(side, code, GOING_AWAY, by=side)
            return
        passed = code if code in _PASSED or 3000 <= code <= 4999 else NORMAL
        if side.gone:
            passed = GOING_AWAY if side.is_client else BROKE
        yield from self._end(side, passed, passed, by=side, seen=_ABNORMAL if side.gone else code)

    def _end(
        self, side: Side | None, told: int, other: int, reason: str = "", *, by: Side | None = None, seen: int = 0
    ) -> Commands:
        """Tell `side` (None: the caller) one code, the other side another; the record comes before both."""
        data = self.flow.websocket
        assert data is not None
        self._now = self._over
        data.timestamp_end = time.time()
        data.closed_by_client = by.is_client if by else None
        data.close_code, data.close_reason = seen or told, None
        yield theirs.WebsocketEndHook(self.flow)
        self.flow.live = False
        first = side or self._client
        for each in (self._client, self._server):
            yield from self._say_goodbye(each, told if each is first else other, reason if each.is_client else "")
        if not (self._client.gone and self._server.gone):
            yield commands.RequestWakeup(LINGER)

    def _say_goodbye(self, side: Side, code: int, reason: str) -> Commands:
        answered = side.ws.state is ConnectionState.REMOTE_CLOSING
        if not side.gone and side.ws.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            yield commands.SendData(side.connection, side.ws.send(CloseConnection(code=code, reason=reason or None)))
        if answered or side.gone:
            yield from self._cut(side)

    def _cut(self, side: Side) -> Commands:
        side.gone = True
        yield commands.CloseConnection(side.connection)

    def _over(self, event: events.Event) -> Commands:
        """Wait for each side to answer our close, whatever else it sends; not for long."""
        if isinstance(event, events.Wakeup):
            for side in (self._client, self._server):
                if not side.gone:
                    yield from self._cut(side)
        elif isinstance(event, events.DataReceived | events.ConnectionClosed):
            side = self._client if event.connection == self.context.client else self._server
            if not side.gone and (isinstance(event, events.ConnectionClosed) or _answers(side, event.data)):
                yield from self._cut(side)


def _answers(side: Side, data: bytes) -> bool:
    """Whether a side's frames hold its close."""
    if side.ws.state is ConnectionState.CLOSED:
        return True
    side.ws.receive_data(data)
    return any(isinstance(event, CloseConnection) for event in side.ws.events())


def close(master: Master, flow: HTTPFlow, code: int) -> None:
    """Close an open connection on both sides."""
    proxyserver = master.addons.get("proxyserver")
    if proxyserver and flow.client_conn.id in proxyserver.connections:
        proxyserver.inject_event(Closing(flow, code))


def install() -> None:
    """Take the place of mitmproxy's own layer; what it is made by must be where we think it is."""
    if vars(http_layer).get("websocket") is not theirs:
        raise RuntimeError("mitmproxy makes its WebSocket layer elsewhere")
    theirs.WebsocketLayer = Socket  # type: ignore[misc,assignment]  # the name that mitmproxy's HTTP layer looks up
