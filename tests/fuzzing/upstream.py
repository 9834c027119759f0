"""What a model server sends in HTTP/1, read by the layers that stand between it and the gateway."""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from mitmproxy import http
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpErrorHook, HttpResponseHook, HttpStream, _http1

from phigate.host.connections import framing
from tests.fuzzing.target import Target, chunkings, hold
from tests.fuzzing.wire import STRICT, Connected, unchunked

OURS = (
    *STRICT,
    (_http1.Http1Client, "read_headers", framing.answered_strictly(_http1.Http1Client.read_headers)),
    (HttpStream, "state_done", framing.over_for_good(HttpStream.state_done)),
)


class Answering(Connected):
    """A request that goes on to a model server, and what is made of what that says."""

    def __init__(self) -> None:
        self.answers: list[Any] = []
        self.server: Server | None = None
        super().__init__()
        self.say(b"GET / HTTP/1.1\r\nHost: g\r\n\r\n")

    def come(self, data: bytes) -> None:
        if self.server is not None and self.server.state & ConnectionState.CAN_READ:
            self._give(events.DataReceived(self.server, data))

    def over(self) -> None:
        if self.server is not None and self.server.state & ConnectionState.CAN_READ:
            self.server.state &= ~ConnectionState.CAN_READ
            self._give(events.ConnectionClosed(self.server))

    def _met(self, command: commands.Command) -> list[events.Event]:
        if isinstance(command, commands.OpenConnection):
            assert isinstance(command.connection, Server)
            self.server = command.connection
            self.server.state, self.server.timestamp_start = ConnectionState.OPEN, 1.0
            return [events.OpenConnectionCompleted(command, None)]
        if isinstance(command, commands.CloseConnection) and command.connection is self.server:
            self.server.state = ConnectionState.CLOSED
            return []
        if isinstance(command, commands.SendData) and command.connection is self.server:
            return []
        if isinstance(command, HttpResponseHook):
            self._seen(command.flow)
        if isinstance(command, HttpErrorHook):
            self.answers.append("broken")
        return super()._met(command)

    def _answer(self, flow: http.HTTPFlow) -> None:
        pass

    def _seen(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        data = flow.response.data
        self.answers.append((data.status_code, data.headers.fields, data.content, bool(data.trailers)))
        if data.status_code == 101:  # as the gateway does with one that nobody asked for
            flow.response = http.Response.make(502, b"")


def _came(pieces: list[bytes]) -> Any:
    made = Answering()
    for piece in pieces:
        made.come(piece)
    made.over()
    made.leave()
    return made.answers, made.told


def upstream(data: bytes) -> None:
    with ExitStack() as strict:
        for owner, name, made in OURS:
            strict.enter_context(patch.object(owner, name, made))
        results = [_came(pieces) for pieces in chunkings(data)]
    answers, told = results[0]
    hold(all(answers == other for other, _ in results), "read otherwise in other pieces")
    hold(len(answers) <= 1, "more than one answer")
    hold(len(answers) == 1 or not told, "an answer that no hook has seen")
    if answers and answers[0] != "broken":
        status, fields, content, trailers = answers[0]
        hold(not trailers, "trailers")
        hold((status, fields, content) == reference(data), "an answer that is read otherwise")


_HEAD = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?\r\n((?:[^\r\n:]+:[^\r\n]*\r\n)*)\r\n")


def reference(raw: bytes) -> tuple[int, tuple[tuple[bytes, bytes], ...], bytes] | None:
    """The answer in these bytes by a reading of our own (RFC 9112, 6.3); None where it is none, or not over."""
    found = _HEAD.match(raw)
    if found is None:
        return None
    status, rest = int(found[1]), raw[found.end() :]
    lines = [line.partition(b":") for line in found[2].split(b"\r\n") if line]
    fields = tuple((name, value.strip(b" \t")) for name, _, value in lines)
    kinds = {name.lower(): value for name, value in fields}
    if status in {204, 304} or 100 <= status < 200:
        return status, fields, b""
    if b"transfer-encoding" in kinds:
        whole = unchunked(rest)
        return None if whole is None else (status, fields, whole[0])
    size = int(kinds.get(b"content-length", len(rest)))
    return (status, fields, rest[:size]) if size <= len(rest) else None


def said() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return [
        head + b"Content-Length: 2\r\n\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        head + b"\r\n{}",
        head + b"Transfer-Encoding: chunked\r\n\r\n2;a\r\n{}\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw",
        b"HTTP/1.1 100 Continue\r\n\r\n" + head + b"Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 204 No Content\r\n\r\n" + head,
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nall of it",
        head + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    ]


UPSTREAM = Target(
    upstream,
    said,
    (
        *(b"\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0", b" 101 ", b" 100 ", b" 204 ", b" 304 ", b" 999 "),
        *(
            b"Content-Length: ",
            b"Transfer-Encoding: chunked\r\n",
            b"0\r\n\r\n",
            b"Connection: close\r\n",
            b"gzip, chunked",
        ),
        *(b"Upgrade: websocket\r\n", b"Trailer: x\r\n", b"\r", b"\n", b", 2", b"+2", b"Keep-Alive: x\r\n", b"identity"),
    ),
    1024,
)
