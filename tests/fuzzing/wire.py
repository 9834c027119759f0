"""What arrives on a connection: HTTP/1, the frames of gRPC and of WebSockets."""

from __future__ import annotations

import re
from contextlib import ExitStack
from functools import cache
from typing import Any
from unittest.mock import patch

import h11
from h11._receivebuffer import ReceiveBuffer
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.options import Options
from mitmproxy.proxy import commands, context, events
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode, HttpRequestHook, _http1
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage

from phigate import flows
from phigate.dialect.known import ROUTES
from phigate.dialect.routes import Match, RouteTable
from phigate.gate import handshake, headers
from phigate.host import pages
from phigate.host.connections import framing
from phigate.identity.bearer import extract_from
from phigate.rpc.framing import (
    FrameError,
    Frames,
    frame,
    is_grpc,
    quoted,
    timeout,
    timeout_field,
    unquoted,
    upstream_status,
)
from tests.fuzzing.target import Target, alike, chunkings, hold
from tests.host.connections.test_sockets import Between

# -- HTTP/1 ---------------------------------------------------------------------------------------------------------

TABLE = RouteTable(ROUTES)
STRICT = (
    (_http1, "ChunkedReader", framing.Chunks),
    (_http1, "make_error_response", pages.make_error_response),
    (_http1.Http1Server, "read_headers", framing.asked_strictly(_http1.Http1Server.read_headers)),
    (_http1.Http1Server, "read_body", framing.told_why(_http1.Http1Server.read_body)),
    (_http1.Http1Server, "wait", framing.waiting_briefly(_http1.Http1Server.wait)),
)


@cache
def _options() -> Options:
    options = Options()
    Proxyserver().load(options)  # type: ignore[arg-type]  # a loader is what adds options
    options.update(body_size_limit="1m")
    return options


class Connected:
    """A client's connection, as mitmproxy's layers see it; every request is answered at once."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.told = b""
        self.closed = False
        client = Client(
            peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN, timestamp_start=1.0
        )
        made = context.Context(client, _options())
        made.server.address = ("127.0.0.1", 9)
        self._client, self._layer = client, HttpLayer(made, HTTPMode.transparent)
        self._give(events.Start())

    def say(self, data: bytes) -> None:
        if not self.closed:
            self._give(events.DataReceived(self._client, data))

    def leave(self) -> None:
        if not self.closed:
            self._client.state &= ~ConnectionState.CAN_READ
            self._give(events.ConnectionClosed(self._client))

    def _give(self, event: events.Event) -> None:
        todo = [event]
        while todo:
            for command in self._layer.handle_event(todo.pop(0)):
                todo += self._met(command)

    def _met(self, command: commands.Command) -> list[events.Event]:
        """What comes of a command."""
        if isinstance(command, commands.SendData):
            self.told += command.data
        elif isinstance(command, commands.CloseConnection):
            self.closed = True
            self._client.state = ConnectionState.CLOSED
        elif isinstance(command, commands.StartHook):
            if isinstance(command, HttpRequestHook):
                self._answer(command.flow)
            return [events.HookCompleted(command)]
        elif not isinstance(command, commands.Log):
            hold(False, f"a {type(command).__name__} that nobody asked for")
        return []

    def _answer(self, flow: http.HTTPFlow) -> None:
        data = flow.request.data
        fields = tuple(field for field in data.headers.fields if field[0].lower() != b"expect")
        self.asked.append((data.method, data.path, data.http_version, fields, data.content))
        flow.response = http.Response.make(200, b"ok")


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _talked(pieces: list[bytes]) -> Any:
    made = Connected()
    for piece in pieces:
        made.say(piece)
    made.leave()
    return made.asked, made.told.replace(_CONTINUE, b"")  # whether it is waited for depends on what is there already


_LINE = re.compile(rb"[A-Z][A-Z_-]{0,31} [!-~\x80-\xff]+ HTTP/[01]\.[0-9]")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ODD = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def reference(raw: bytes) -> list[Any]:
    """The requests in these bytes by a reading of our own that takes nothing but the plain form (RFC 9112)."""
    found: list[Any] = []
    while True:
        head, end, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        if not end or not _LINE.fullmatch(first):
            return found
        fields = []
        for line in lines:
            name, colon, value = line.partition(b":")
            if not colon or not _TOKEN.fullmatch(name) or _ODD.search(value):
                return found
            fields.append((name, value.strip(b" \t")))
        body = _body([(name.lower(), value) for name, value in fields], rest)
        if body is None:
            return found
        content, raw = body
        method, target, version = first.split(b" ")
        kept = tuple(
            field for field in fields if field[0].lower() != b"expect"
        )  # mitmproxy answers it, and takes it out
        found.append((method, target, version, kept, content))


def _body(fields: list[tuple[bytes, bytes]], rest: bytes) -> tuple[bytes, bytes] | None:
    coding = [value for name, value in fields if name == b"transfer-encoding"]
    length = [value for name, value in fields if name == b"content-length"]
    if coding and length:
        return None
    if coding:
        return unchunked(rest)
    sizes = {int(value) for value in length if re.fullmatch(rb"[0-9]{1,12}", value)}
    if len(sizes) != len(length[:1]):
        return None
    size = sizes.pop() if sizes else 0
    return (rest[:size], rest[size:]) if len(rest) >= size else None


def unchunked(raw: bytes) -> tuple[bytes, bytes] | None:
    """A chunked body and what follows it; None where it is none, or not over."""
    content = b""
    while True:
        size, line_end, raw = raw.partition(b"\r\n")
        if not line_end or not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", size):
            return None
        count = int(size, 16)
        if raw[count : count + 2] != b"\r\n":
            return None
        content, raw = content + raw[:count], raw[count + 2 :]
        if not count:
            return content, raw


def http1(data: bytes) -> None:
    """0: an answer's head, or chunks; else what a client says on a connection."""
    if data[:1] == b"\0":
        framing.head_fault(data[1:], framing.ANSWER)
        got = alike(data[1:], _chunks, h11.ProtocolError)
        if got is not None and got[1]:
            hold(unchunked(data[1:]) == (got[0], got[2]), "chunks that are read otherwise")
        return
    with ExitStack() as strict:
        for owner, name, made in STRICT:
            strict.enter_context(patch.object(owner, name, made))
        results = [_talked(pieces) for pieces in chunkings(data)]
    asked, told = results[0]
    hold(all(result == results[0] for result in results), "read otherwise in other pieces")
    plain = reference(data)
    hold(len(asked) <= len(plain), "a request that is none")
    for ours, theirs in zip(asked, plain, strict=False):
        path = 1 if theirs[1].startswith(b"/") else 2  # the gate knows no other form (gate/headers.py)
        hold(ours[:1] + ours[path:] == theirs[:1] + theirs[path:], "a request that is read otherwise")
    hold(told.count(b"HTTP/1.1 ") >= len(asked), "a request without an answer")
    for method, target, version, fields, _ in asked:
        headers.head_fault(method, target, version, b"", fields)
        extract_from(fields, "x-api-key")
        kinds = {name.lower(): value for name, value in fields}
        handshake.asked_fault(version, kinds)
        handshake.bearers_among(handshake.protocols_of(fields))
        hold(not handshake.answered(fields, bytes(16), []), "a request that answers a handshake")
        headers.body_fault(kinds, ["application/json"])
        match = TABLE.find(method.decode("latin-1"), target.decode("latin-1"))
        hold(match is None or match is False or isinstance(match, Match), "a route that is none")


def _chunks(pieces: list[bytes]) -> tuple[bytes, bool, bytes]:
    reader, buffer, got = framing.Chunks(), ReceiveBuffer(), b""
    for at, piece in enumerate(pieces):
        buffer += piece
        while (event := reader(buffer)) is not None:
            if isinstance(event, h11.EndOfMessage):
                return got, True, bytes(buffer) + b"".join(pieces[at + 1 :])
            got += event.data
    return got, False, b""


def heads() -> list[bytes]:
    plain = b"POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
    chunked = plain + b"Transfer-Encoding: chunked\r\n\r\n"
    return [
        plain + b"Content-Length: 2\r\n\r\n{}",
        chunked + b"2\r\n{}\r\n0\r\n\r\n",
        chunked + b"2;a=b\r\n{}\r\n0\r\nX: y\r\n\r\n",
        plain + b"Content-Length: 0\r\n\r\nGET /v1/models HTTP/1.1\r\nHost: g\r\n\r\n",
        plain + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        plain + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
        b"GET /v1/realtime?model=m HTTP/1.1\r\nHost: g\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: a\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://a/ HTTP/1.1\r\nHost: a\r\nX:\ty \r\n\r\n",
        b"\0HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"\0005\r\nhello\r\n00A\r\n, everyone\r\n0\r\n\r\nGET",
    ]


# -- gRPC -----------------------------------------------------------------------------------------------------------

LIMIT = 1000


def grpc(data: bytes) -> None:
    """0: fields of a call; else the frames of its messages."""
    if data[:1] == b"\0":
        value = data[1:]
        seconds = timeout(value)
        hold(seconds is None or (0 <= seconds < 1e13 and timeout(timeout_field(seconds)) is not None), "no time")
        is_grpc(value)
        text = unquoted(value)
        hold(unquoted(quoted(text)) == text or len(text) > 1000, "a message that changes")
        code, said = upstream_status([(b"grpc-status", value[:3]), (b"grpc-message", value)])
        hold(0 <= code <= 16 and isinstance(said, str), "a status that is none")
        return
    found = alike(data, _framed, FrameError)
    if found is not None:
        messages, held = found
        hold(b"".join(map(frame, messages)) == data[: len(data) - held], "frames that are written otherwise")
        hold(held <= LIMIT + 5 and all(len(each) <= LIMIT for each in messages), "more is held than may be")


def _framed(pieces: list[bytes]) -> tuple[list[bytes], int]:
    reader = Frames(LIMIT)
    messages = [each for piece in pieces for each in reader.feed(piece)]
    return messages, reader.size


def calls() -> list[bytes]:
    fields = (b"10S", b"99999999H", b"application/grpc+proto; x", b"all%20is%2well%ff", b"13")
    return [frame(b"") + frame(b"hello") + b"\0\0\0", b"\1\0\0\0\1a", b"\0\0\0\4\0", *(b"\0" + each for each in fields)]


# -- WebSockets -----------------------------------------------------------------------------------------------------


def websocket(data: bytes) -> None:
    """Frames of a caller's (0) or of a model server's: what the hook is shown is the same in any pieces."""
    by = "caller" if data[:1] == b"\0" else "model"
    results = []
    for pieces in chunkings(data[1:]):
        seen: list[bytes] = []

        def look(flow: http.HTTPFlow, seen: list[bytes] = seen) -> flows.Going | None:
            assert flow.websocket is not None
            message = flow.websocket.messages[-1]
            seen.append(message.content)
            going = (message.content,) if message.is_text else ()
            return flows.Going(going) if message.from_client else flows.Going((), going)

        between = Between(look)
        between.say(*pieces, by=by)
        other = [
            event for event in between.heard("model" if by == "caller" else "caller") if not isinstance(event, Ping)
        ]
        results.append((seen, [type(event).__name__ for event in other]))
        text = [event.data for event in other if isinstance(event, TextMessage)]
        hold(all(each.encode() in seen for each in text), "something goes out that nobody handed over")
        hold(not any(isinstance(event, BytesMessage) for event in other), "bytes that nobody handed over")
        codes = [int(event.code) for event in other if isinstance(event, CloseConnection)]
        hold(len(codes) <= 1 and all(1000 <= code <= 4999 and code != 1005 for code in codes), "a close that is none")
        hold(
            not any(isinstance(event, CloseConnection) and event.reason for event in other),
            "a close that says something",
        )
    hold(all(result == results[0] for result in results), "read otherwise in other pieces")


def frames_of(by: str, *given: Message[Any] | Ping | CloseConnection) -> bytes:
    between = Between()
    return b"".join(between.end(by)[0].send(event) for event in given)


def conversations() -> list[bytes]:
    said = [
        (TextMessage(data='{"type":"response.create"}'), Ping(payload=b"a"), TextMessage(data="b")),
        (TextMessage(data="one", message_finished=False), TextMessage(data=" two")),
        (BytesMessage(data=b"three"), CloseConnection(code=1001, reason="gone")),
    ]
    made = [b"\0" + frames_of("caller", *each) for each in said] + [b"\1" + frames_of("model", *each) for each in said]
    raw = (
        b"\x81\x7e\0\x7eabc",
        b"\x81\x7f" + b"\0" * 8,
        b"\x81\xff" + b"\xff" * 8,
        b"\xc1\0",
        b"\x80\0",
        b"\x88\2\3\xe8",
    )
    return made + [who + each for each in raw for who in (b"\0", b"\1")]


HTTP1 = Target(
    http1,
    heads,
    (
        *(
            b"\r\n",
            b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: g\r\n\r\n",
            b"Host: ",
            b"Content-Length: ",
            b"Transfer-Encoding: ",
        ),
        *(
            b"chunked",
            b"0\r\n\r\n",
            b"Connection: close\r\n",
            b"Connection: keep-alive\r\n",
            b"Expect: 100-continue\r\n",
        ),
        *(
            b"Upgrade: h2c\r\n",
            b"HTTP2-Settings: AAAA\r\n",
            b"HTTP/1.0",
            b"HTTP/1.1",
            b"CONNECT ",
            b"HEAD ",
            b"\r",
            b"\n",
        ),
        *(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"Trailer: x\r\n", b"identity", b"gzip, chunked", b"+2", b"0x2", b", 2"),
    ),
    1024,
)
GRPC = Target(grpc, calls, (b"\0\0\0\0\0", b"\0\0\0\0\5", b"\1", b"%e2%80", b"S", b"m"), 2048)
WEBSOCKET = Target(
    websocket, conversations, (b"\x81", b"\x01", b"\x80", b"\x88\x02\x03\xe8", b"\x89\x00", b"\x7e", b"\x7f"), 1024
)
