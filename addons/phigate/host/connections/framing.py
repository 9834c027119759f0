"""The bytes of HTTP/1 that mitmproxy reads generously (RFC 9112): what can be read in two ways is no message.

mitmproxy takes a bare line feed for the end of a line, any white space for the one space of a request line, strips
control bytes from the ends of values, reads chunks with extensions, and buffers a head without an end. Whoever stands
in front of the gateway, or behind it, may read all of that otherwise, and then one caller's bytes become part of
another's request. A broken chunk ends mitmproxy's connection without a word, and trailers crash its layer.

So a head is read only if its bytes have the one form that RFC 9112 tells senders to write, and chunks only bare. A
caller gets our own page; an upstream's answer that is none becomes mitmproxy's protocol error, and with it our 502.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import h11
from mitmproxy.connection import ConnectionState
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpStream, _http1
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import ErrorCode, ResponseData, ResponseEndOfMessage, ResponseProtocolError

from phigate.host import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    type Commands = Generator[commands.Command, Any, None]
    type Reading = Callable[[Any, events.Event], Commands]

MOST_HEAD: Final = 64 * 1024
"""Bytes of one head; the fields in it have a bound of their own (gate/headers.py)."""
MOST_WAITING: Final = 1024 * 1024
"""Bytes that may come behind a request while it is answered."""
_FIELDS: Final = rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*+\r\n)*+\r\n"
REQUEST: Final = re.compile(rb"[A-Z][A-Z_-]{0,31} [!-~\x80-\xff]+ HTTP/[01]\.\d\r\n" + _FIELDS)
"""Methods in capitals: mitmproxy tunnels by `connect` and never ends a request that says so."""
ANSWER: Final = re.compile(rb"HTTP/1\.[01] [1-9]\d\d(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + _FIELDS)
_END: Final = re.compile(rb"\A\r?\n|\n\r?\n")
"""Where mitmproxy takes a head to end."""
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,8}\r\n")
_LONGEST_LINE: Final = 10


def fault_now(layer: Any, event: events.Event, form: re.Pattern[bytes]) -> int | None:
    """`head_fault` of what came, if a head may be over with it, or too long: it may come byte by byte."""
    if not isinstance(event, events.DataReceived):
        return None
    if event.data and b"\n" not in event.data and len(layer.buf) < MOST_HEAD:
        return None
    return head_fault(bytes(layer.buf), form, len(event.data))


def head_fault(raw: bytes, form: re.Pattern[bytes], new: int = 0) -> int | None:
    """The status that says why these first bytes of a connection are no head; None while they may become one.

    `new` of them came last, and before these no head was over; 0 is all. A head that comes line by line is read once.
    """
    if not _END.search(raw, max(len(raw) - new - 2, 0) if new else 0, MOST_HEAD):
        return 431 if len(raw) >= MOST_HEAD else None
    return None if form.match(raw, 0, MOST_HEAD) else 400


class Chunks:
    """A chunked body (RFC 9112, 7.1) without extensions and trailers; stands in for h11's reader.

    All chunks that are there are one piece of the body: mitmproxy takes longer over a piece than it takes to come.
    """

    def __init__(self) -> None:
        self._left = 0
        self._line_end_due = False
        self._last = False
        self._over = False

    def __call__(self, buffer: Any) -> h11.Data | h11.EndOfMessage | None:
        pieces = []
        while not self._over and (self._left or self._begun(buffer)):
            piece = buffer.maybe_extract_at_most(self._left)
            if piece is None:
                break
            self._left -= len(piece)
            pieces.append(piece)
        if pieces:
            return h11.Data(data=b"".join(pieces))
        return h11.EndOfMessage() if self._over else None

    def _begun(self, buffer: Any) -> bool:
        """Whether the next chunk begins here; False where its size is awaited, or it is the last."""
        while not self._left and not self._over:
            line = buffer.maybe_extract_next_line()
            if line is None and len(buffer) > _LONGEST_LINE:
                raise h11.RemoteProtocolError("no chunk")
            if line is None:
                return False
            if not self._line_end_due:
                self._begin(line)
            elif line != b"\r\n":
                raise h11.RemoteProtocolError("more than a chunk")
            else:
                self._line_end_due, self._over = False, self._last
        return not self._over

    def _begin(self, line: bytes) -> None:
        if not _SIZE.fullmatch(line):
            raise h11.RemoteProtocolError("no size of a chunk")
        self._left = int(line, 16)
        self._last, self._line_end_due = not self._left, True

    def read_eof(self) -> h11.EndOfMessage:
        raise h11.RemoteProtocolError("cut off")


def asked_strictly(read_headers: Reading) -> Reading:
    """`Http1Server.read_headers`, for heads of the one form only."""

    def read(layer: _http1.Http1Server, event: events.Event) -> Commands:
        if status := fault_now(layer, event, REQUEST):
            yield from _turn_away(layer, status)
            yield commands.CloseConnection(layer.conn)
            layer.state = layer.done
            return
        yield from read_headers(layer, event)

    return read


def answered_strictly(read_headers: Reading) -> Reading:
    """`Http1Client.read_headers`, likewise."""

    def read(layer: _http1.Http1Client, event: events.Event) -> Commands:
        if layer.request is not None and fault_now(layer, event, ANSWER):
            assert layer.stream_id is not None
            yield commands.CloseConnection(layer.conn)
            broken = ResponseProtocolError(layer.stream_id, "no head of an answer", ErrorCode.GENERIC_SERVER_ERROR)
            yield ReceiveHttp(broken)
            layer.state = layer.done
            return
        yield from read_headers(layer, event)

    return read


def told_why(read_body: Reading) -> Reading:
    """`Http1Server.read_body`, which only closes the connection where a body is none: with an answer before that."""

    def read(layer: _http1.Http1Server, event: events.Event) -> Commands:
        for command in read_body(layer, event):
            if isinstance(command, commands.CloseConnection) and not layer.request_done and _unanswered(layer):
                yield from _turn_away(layer, 400)
                layer.state = layer.done
            yield command

    return read


def told_at_last(send: Reading) -> Reading:
    """`Http1Server.send`, which writes no page about what fails behind a 100: it takes that for the answer."""

    def sent(layer: _http1.Http1Server, event: events.Event) -> Commands:
        if isinstance(event, ResponseProtocolError) and _unanswered(layer):
            layer.response = None
        yield from send(layer, event)

    return sent


def _unanswered(layer: _http1.Http1Server) -> bool:
    """Whether no answer was begun: 100 only lets a client send its body."""
    return layer.response is None or layer.response.status_code == 100


def waiting_briefly(wait: Reading) -> Reading:
    """`Http1Server.wait`, which keeps whatever comes while an answer is awaited: not more than a little."""

    def waits(layer: _http1.Http1Server, event: events.Event) -> Commands:
        if isinstance(event, events.DataReceived) and len(layer.buf) > MOST_WAITING:
            yield commands.CloseConnection(layer.conn)  # as if the caller had gone: the exchange ends with it
            return
        yield from wait(layer, event)

    return waits


def over_for_good(done: Reading) -> Reading:
    """`HttpStream.state_done`, which breaks at what follows a 101 in whose place the caller got a refusal."""

    def is_over(layer: HttpStream, event: events.Event) -> Commands:
        if isinstance(event, ResponseData | ResponseEndOfMessage):
            yield commands.CloseConnection(layer.context.server)
            return
        yield from done(layer, event)

    return is_over


def _turn_away(layer: _http1.Http1Server, status: int) -> Commands:
    if layer.conn.state & ConnectionState.CAN_WRITE:
        yield commands.SendData(layer.conn, pages.make_error_response(status))


def install() -> None:
    """Take the place of mitmproxy's readers; raises AttributeError where this mitmproxy has other seams."""
    getattr(_http1, "ChunkedReader")  # noqa: B009 -- fails loudly at start when mitmproxy moved it
    setattr(_http1, "ChunkedReader", Chunks)  # noqa: B010 -- not among the names it exports, for mypy
    for owner, name, strict in (
        (_http1.Http1Server, "read_headers", asked_strictly),
        (_http1.Http1Client, "read_headers", answered_strictly),
        (_http1.Http1Server, "read_body", told_why),
        (_http1.Http1Server, "send", told_at_last),
        (_http1.Http1Server, "wait", waiting_briefly),
        (HttpStream, "state_done", over_for_good),
    ):
        setattr(owner, name, strict(getattr(owner, name)))
