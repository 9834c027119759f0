"""What an HTTP/2 client does not take (RFC 9113, 5.2) is kept for it, but not without end.

A client that asks for long answers and never opens its window makes mitmproxy keep all of them. Beyond a bound its
connection is closed, and with it end the exchanges on it. What waits is kept in short pieces: mitmproxy cuts it into
frames as long as the client allows, up to 16 MB, and copies the rest of one whenever the window is opened a little.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import _http2
from mitmproxy.proxy.layers.http._events import ResponseData
from mitmproxy.proxy.layers.http._http_h2 import BufferedH2Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from mitmproxy.proxy import events

    type Commands = Generator[commands.Command, Any, None]

MOST: Final = 64 * 1024 * 1024
"""Bytes that wait for one client, on all of its streams; a whole answer may be as large as any body."""
LONGEST: Final = 16_384
"""Bytes of one piece, which is a frame where the window lets it be: as many as each client takes (RFC 9113, 4.2)."""
_PIECE: Final = 512
"""Bytes that a piece takes beside what is in it."""


def waiting(connection: BufferedH2Connection) -> int:
    """Bytes that wait for the client."""
    return sum(len(piece.data) + _PIECE for pieces in connection.stream_buffers.values() for piece in pieces)


def bounded(
    handle: Callable[[Any, events.Event], Commands], most: int = MOST
) -> Callable[[Any, events.Event], Commands]:
    """`Http2Server._handle_event`, closing the connection of a client that does not read."""

    def handled(layer: _http2.Http2Server, event: events.Event) -> Commands:
        yield from handle(layer, event)
        if isinstance(event, ResponseData) and _fell_behind(layer, len(event.data), most):
            layer.h2_conn.stream_buffers.clear()
            yield commands.CloseConnection(layer.conn)

    return handled


def in_pieces(send: Callable[..., None]) -> Callable[..., None]:
    """`BufferedH2Connection.send_data`, in short pieces."""

    def sent(link: BufferedH2Connection, stream_id: int, data: bytes, end_stream: bool = False) -> None:
        at = 0
        while len(data) - at > LONGEST:
            send(link, stream_id, data[at : at + LONGEST])
            at += LONGEST
        send(link, stream_id, data[at:], end_stream)

    return sent


def _fell_behind(layer: _http2.Http2Server, size: int, most: int) -> bool:
    """Whether too much waits; counted only once so much has come since nothing waited, or since it was last counted."""
    behind = getattr(layer, "phi_behind", 0) + size + _PIECE if layer.h2_conn.stream_buffers else 0
    if behind > most:
        behind = waiting(layer.h2_conn)
    setattr(layer, "phi_behind", behind)  # noqa: B010 -- ours, on mitmproxy's object: it lives as long
    return behind > most


def install() -> None:
    handle = bounded(_http2.Http2Server._handle_event)  # noqa: SLF001 -- the method that mitmproxy's layers are driven by
    setattr(_http2.Http2Server, "_handle_event", handle)  # noqa: B010 -- as above
    BufferedH2Connection.send_data = in_pieces(BufferedH2Connection.send_data)  # type: ignore[method-assign]  # as above
