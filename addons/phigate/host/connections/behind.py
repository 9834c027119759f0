"""Model servers that cannot be reached, say nothing, or break off: each within a time, told and counted as what it was.

mitmproxy waits for a connection as long as the system does, for a word of TLS or of an answer ten minutes, and then
closes the caller's connection without a word. Here a connection that is not made in time, and an answer of which
nothing comes for too long, are broken off; whoever got no byte of an answer gets one of ours, in its protocol's words.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook

from phigate import flows
from phigate.exchange import Refusal
from phigate.host import lockdown
from phigate.host.connections import alive
from phigate.policy.decide import Permit

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mitmproxy.connection import Connection, Server
    from mitmproxy.http import HTTPFlow, Response
    from mitmproxy.master import Master
    from mitmproxy.proxy import commands
    from mitmproxy.proxy.server import ConnectionHandler
    from mitmproxy.proxy.server_hooks import ServerConnectionHookData
    from mitmproxy.tls import TlsData

    from phigate.flows import Broke
    from phigate.house import House

    type Commands = Generator[commands.Command, Any, Any]

CONNECT: Final = 10.0
"""Seconds until a model server can be told something: name, connection and TLS."""
SILENCE: Final = 600.0
"""Seconds without a byte of an answer that is awaited: models are loaded, long prompts read and whole answers made
meanwhile, and that is how long the callers' SDKs wait."""
_UNRESOLVED: Final = re.compile(r"\[Errno -\d+\]")
"""What `getaddrinfo` numbers its faults by."""

UNREACHABLE: Final = Refusal(502, "upstream-unreachable", "The model server cannot be reached.", retry_after=1)
SILENT: Final = Refusal(504, "upstream-silent", "The model server did not answer in time.")
BROKE: Final = Refusal(502, "upstream-broke", "The model server broke its answer off.")
UNREADABLE: Final = Refusal(502, "answer-unreadable", "The model server's answer could not be checked.")
REFUSALS: Final[dict[Broke, Refusal]] = {
    "unresolved": UNREACHABLE,
    "unreachable": UNREACHABLE,
    "slow-connect": UNREACHABLE,
    "tls": UNREACHABLE,
    "silent": SILENT,
    "broke-off": BROKE,
    "late": BROKE,
    "unreadable": UNREADABLE,
}
UNREACHED: Final = frozenset({"unresolved", "unreachable", "slow-connect", "tls"})
"""The model was told nothing: whoever asks again does not ask it twice."""

_why: WeakKeyDictionary[Connection, Broke] = WeakKeyDictionary()
"""By a model server's connection: why it was broken off; by a caller's: why none could be made for it last."""
_told: WeakSet[HTTPFlow] = WeakSet()
"""Flows that have their answer."""


@dataclass(slots=True)
class Line:
    """One connection to a model server, by a clock that never steps."""

    server: Server
    handler: ConnectionHandler
    ready: bool = False
    """It can be told something."""
    begun: float | None = None
    heard: float = 0.0


class Behind:
    """All connections to model servers."""

    name = "phigate-behind"

    def __init__(
        self,
        master: Master,
        house: House,
        connect: float = CONNECT,
        silence: float = SILENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._master, self._house, self._clock = master, house, clock
        self._connect, self._silence = connect, silence
        self._lines: dict[str, Line] = {}
        self._awaited: dict[str, float] = {}
        """Exchanges whose answer is awaited, and since when."""

    # -- mitmproxy's hooks ------------------------------------------------------------------------------------------

    def server_connect(self, data: ServerConnectionHookData) -> None:
        proxyserver = self._master.addons.get("proxyserver")
        handler = proxyserver.connections.get(data.client.id) if proxyserver else None
        if handler is not None:
            self._lines[data.server.id] = Line(data.server, handler)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        line = self._lines.get(data.server.id)
        if line is None:
            return
        line.ready, line.heard = not data.server.tls, self._clock()
        io = line.handler.transports[data.server]
        reader: Any = io.reader
        feed = reader.feed_data

        def heard(piece: bytes) -> None:
            line.heard = self._clock()
            feed(piece)

        reader.feed_data = heard
        writer: Any = io.writer
        alive.ask(writer)

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        line = self._lines.pop(data.server.id, None)
        found: Broke = "unresolved" if _UNRESOLVED.match(data.server.error or "") else "unreachable"
        _why[data.client] = _why.get(data.server, found) if line is not None else found

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        line = self._lines.pop(data.server.id, None)
        if line is not None:
            reader: Any = (
                line.handler.transports[data.server].reader if data.server in line.handler.transports else None
            )
            if reader is not None:
                vars(reader).pop("feed_data", None)  # it would hold itself, for the collector to find

    def tls_established_server(self, data: TlsData) -> None:
        if line := self._lines.get(data.conn.id):
            line.ready, line.heard = True, self._clock()

    def tls_failed_server(self, data: TlsData) -> None:
        _why[data.context.client] = _why.get(data.conn, "tls")

    # -- once a second ----------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Break off what takes too long."""
        now = self._clock()
        for line in list(self._lines.values()):
            self._look(line, now)
        awaited = {name: flow for name, flow in self._house.contacted.items() if not flows.is_open(flow)}
        self._awaited = {name: self._awaited.get(name, now) for name in awaited}
        for name, since in self._awaited.items():
            self._listen(awaited[name], since, now)

    def _look(self, line: Line, now: float) -> None:
        if line.ready or line.server.timestamp_start is None:  # it is its turn once others are over (mitmproxy: five)
            return
        line.begun = line.begun or now
        if now - line.begun >= self._connect:
            _why[line.server] = "slow-connect"
            self._cut(line)

    def _listen(self, flow: HTTPFlow, since: float, now: float) -> None:
        line, passage = self._lines.get(flow.server_conn.id), flows.passage_of(flow)
        if line is None or not line.ready or passage is None or passage.exchange.finished:
            return
        reader: Any = line.handler.transports[line.server].reader if line.server in line.handler.transports else None
        if reader is not None and reader._buffer:  # noqa: SLF001 -- it said something: its caller takes nothing now
            line.heard = now
        if now - max(since, line.heard) >= self._silence and line.server not in _why:
            _why[line.server] = "silent"
            lockdown.cut_upstream(self._master, flow)

    @staticmethod
    def _cut(line: Line) -> None:
        io = line.handler.transports.get(line.server)
        if io is not None and io.handler is not None:
            writer: Any = io.writer
            if writer is None:
                io.handler.cancel("it takes too long")
            else:
                writer.transport.abort()


def failed(flow: HTTPFlow, *, unreadable: bool = False) -> None:
    """An answer is awaited, and there will be none: say why, before anybody records it."""
    passage = flows.passage_of(flow)
    if passage is None or not passage.exchange.contacted or passage.exchange.finished:
        return
    passage.closing = passage.closing or (unreadable and not flow.request.is_http2)  # mitmproxy keeps the stream
    if passage.broke is None:
        passage.broke = "unreadable" if unreadable else _found(flow)
    if passage.exchange.refusal is None and passage.stream is None and flow.websocket is None:
        passage.exchange.refusal = REFUSALS[passage.broke]


def _found(flow: HTTPFlow) -> Broke:
    server = flow.server_conn
    if server.timestamp_tcp_setup is None or (server.tls and server.timestamp_tls_setup is None):
        return _why.pop(flow.client_conn, "unreachable")
    return _why.get(server, "broke-off")


def told(flow: HTTPFlow) -> Response | None:
    """The answer of ours that goes out instead; None where the caller has some of an answer already."""
    passage = flows.passage_of(flow)
    if passage is None or passage.broke is None or passage.stream is not None or flow.websocket is not None:
        return None
    exchange = passage.exchange
    answer = flows.refusal_answer(flow, passage, exchange.refusal or BROKE)
    spent = isinstance(exchange.decision, Permit) and exchange.decision.grants
    if passage.broke in UNREACHED and not spent:
        del answer.headers["x-should-retry"]
    return answer


def telling(part: Callable[..., Commands], upstreams: Callable[[Any], bool]) -> Callable[..., Commands]:
    """A part of `HttpStream` that may end an exchange; `upstreams` says of what it is given whether the model did."""

    def telling_(stream: HttpStream, about: Any) -> Commands:
        running = part(stream, about)
        if not upstreams(about):
            return (yield from running)
        while True:
            try:
                command = next(running)
            except StopIteration as over:
                return over.value
            if isinstance(command, HttpErrorHook):
                failed(stream.flow, unreadable=not isinstance(about, ResponseProtocolError))
            if not _ends(command, stream):
                yield command
            elif stream.flow not in _told:  # mitmproxy may say twice that a connection went
                answer = told(stream.flow)
                if answer is None:
                    yield command
                else:
                    _told.add(stream.flow)
                    yield from _sent(stream, answer)

    return telling_


def _ends(command: commands.Command, stream: HttpStream) -> bool:
    """Whether mitmproxy is going to end the caller's side with an error page."""
    if not isinstance(command, SendHttp) or command.connection != stream.context.client:
        return False
    return isinstance(command.event, ResponseProtocolError) and command.event.code is not ErrorCode.KILL


def _sent(stream: HttpStream, answer: Response) -> Commands:
    client, number, content = stream.context.client, stream.stream_id, answer.raw_content
    yield SendHttp(ResponseHeaders(number, answer, end_stream=not content), client)
    if content:
        yield SendHttp(ResponseData(number, content), client)
    yield SendHttp(ResponseEndOfMessage(number), client)


def install() -> None:
    """Take the place of mitmproxy's own; raises AttributeError where this mitmproxy has other seams."""
    for name, upstreams in (
        ("handle_protocol_error", lambda event: isinstance(event, ResponseProtocolError)),
        ("check_invalid", lambda request: not request),
        ("check_body_size", lambda request: not request),
    ):
        setattr(HttpStream, name, telling(getattr(HttpStream, name), upstreams))
